/* What a detector asks for, in rising order (detectors.md): the shape that
 * GeoSentry and anomaly detection share. */
#ifndef MODEL_DETECTOR_H
#define MODEL_DETECTOR_H

#include <yyjson.h>

#include "base/sv.h"

enum detector_action {
    DETECTOR_ALLOW,
    DETECTOR_MONITOR,   /* an event */
    DETECTOR_ALERT,     /* and a notification */
    DETECTOR_CHALLENGE, /* 429 until verified */
    DETECTOR_BLOCK,     /* 403 */
};
#define DETECTOR_ACTIONS { "allow", "monitor", "alert", "challenge", "block", 0 }

/* Index of a profile in `names` (ends with NULL) in any spelling: "STANDARD",
 * "CustomBusiness" for "CUSTOM_BUSINESS"; -1: none of them. */
int detector_profile_of(const char *const *names, struct sv s);
/* For a shape's check: a value that is one of them, in its own spelling. */
void detector_profile_settle(const char *const *names, yyjson_mut_doc *doc,
                             yyjson_mut_val **value);

#endif
