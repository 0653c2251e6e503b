/* What the files of publishing share. */
#ifndef ADMIN_PUBLISH_INT_H
#define ADMIN_PUBLISH_INT_H

#include "admin/admin_int.h"
#include "admin/jwt_keys.h"
#include "model/token.h"

#define QUOTA_NONE UINT32_MAX

/* Documents and slots of an application as plan_build wants them. */
struct app_source {
    struct plan_source plan; /* its keysets: app_image_build */
    struct jwt_source jwt;   /* keyType jwt */
    bool wants_quota;        /* its profile keeps the quota for all tokens */
    unsigned limits;         /* of its profile */
    bool has_quota;          /* plan.quota_slot is set */
};
int app_source_read(struct admin *a, const struct record *app,
                    struct arena *arena, struct app_source *out);
/* Holds the key sets, then builds: the image owns what it holds, and
 * app_image_drop ends both. ERR_INVALID with `why`; ERR_LIMIT: this server
 * holds as many key sets as it may. */
int app_image_build(struct admin *a, struct app_source *src,
                    struct plan_app **out, struct plan_problem *why);
void app_image_drop(struct admin *a, struct plan_app **image);
/* In place of the present one, whose key sets are let go. */
void app_image_publish(struct admin *a, struct plan_app *image);
void app_image_remove(struct admin *a, struct sv app_id);
/* monitor.c: the image's monitor is in force from now on. */
void monitor_publish(struct admin *a, const struct plan_app *image);
int app_quota_save(struct admin *a, struct sv app_id, uint32_t slot);
/* Forgets it; *slot stays as it is when there was none. */
int app_quota_drop(struct admin *a, struct sv app_id, struct arena *arena,
                   uint32_t *slot);
/* The image of a stored application, reserved what it needs; `why` is said
 * when it does not build (ERR_INVALID). */
int app_image(struct admin *a, struct sv account_id, struct sv app_id,
              struct arena *arena, struct app_source *src,
              struct plan_app **image, struct plan_problem *why);
uint32_t app_tag(struct sv app_id); /* of its quota's counter line */
/* `own` must stay as long as the record is used. */
int token_record_fill(struct token_record *r, const struct token_row *row,
                      struct token_own *own, struct arena *arena);
/* The same from what the load gives. */
int token_hot_fill(struct token_record *r, const struct token_hot *t,
                   struct token_own *own, struct arena *arena);

/* --- repair.c: changes that were committed and did not get in force ---------- */
/* Rows of the feed above `seq` are to be put in force again. */
void repair_ask(struct admin *a, uint64_t seq);
/* Tries all of them, out of the store. 0: what rows above `own_above` name is
 * in force (UINT64_MAX: of no interest). `diverged` says whether all is. */
int repair_run(struct admin *a, uint64_t own_above);

#endif
