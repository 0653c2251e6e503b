/* What a detector asks for, in rising order (detectors.md): the shape that
 * GeoSentry and anomaly detection share. */
#ifndef MODEL_DETECTOR_H
#define MODEL_DETECTOR_H

enum detector_action {
    DETECTOR_ALLOW,
    DETECTOR_MONITOR,   /* an event */
    DETECTOR_ALERT,     /* and a notification */
    DETECTOR_CHALLENGE, /* 429 until verified */
    DETECTOR_BLOCK,     /* 403 */
};
#define DETECTOR_ACTIONS { "allow", "monitor", "alert", "challenge", "block", 0 }

#endif
