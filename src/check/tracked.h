/* Whose traffic an exchange is, as the detectors of step 11 know it, and the
 * way by which what they hold comes to be known (live/hold.h). */
#ifndef CHECK_TRACKED_H
#define CHECK_TRACKED_H

#include "base/buf.h"
#include "check/exchange.h"
#include "detect/anomaly.h"
#include "detect/travel.h"

/* Fills exchange.who in a run. False: nobody in particular, or there is no
 * memory for detectors. */
bool check_who(struct exchange *x);
/* The credential is known: what step 11 reads of it is on its way. */
void check_expect(const struct exchange *x);
/* At a run's end, for check_answered: who it was, which endpoint. */
void check_mark(struct exchange *x);

/* Names the hold in the exchange: what refuses it has an id. */
void check_challenge(struct exchange *x, enum hold_detector detector,
                     int64_t from_s);
/* Tells of it; state: as it is to be restored. False: later. */
struct tracked_hold {
    enum hold_detector detector;
    enum detector_action action;
    bool denied;
    int64_t from_s, until_s; /* node clock; until 0: when it is cleared */
    struct sv evidence;
    const void *state;
    size_t state_bytes;
};
bool check_hold(struct exchange *x, const struct plan_app *app,
                const struct tracked_hold *hold);

/* Of a tracked one: what check_answered will touch is on its way. */
void check_expect_answered(const struct exchange *x);
/* The exchange is over and was answered so: counted for the application and
 * its subject, unless a detector itself refused it. What is found anew is put
 * to the exchange's findings. `app`: its image now, NULL nothing; the
 * exchange's own may be gone. */
void check_answered(struct exchange *x, const struct plan_app *app,
                    const struct anomaly_sample *sample);

#endif
