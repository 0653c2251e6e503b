/* What the files of publishing share. */
#ifndef ADMIN_PUBLISH_INT_H
#define ADMIN_PUBLISH_INT_H

#include "admin/admin_int.h"
#include "model/token.h"

#define QUOTA_NONE UINT32_MAX

/* Documents and slots of an application as plan_build wants them. */
struct app_source {
    struct plan_source plan;
    bool wants_quota;        /* its profile keeps the quota for all tokens */
    unsigned limits;         /* of its profile */
    bool has_quota;          /* plan.quota_slot is set */
};
int app_source_read(struct admin *a, const struct record *app,
                    struct arena *arena, struct app_source *out);
int app_quota_save(struct admin *a, struct sv app_id, uint32_t slot);
/* Forgets it; *slot stays as it is when there was none. */
int app_quota_drop(struct admin *a, struct sv app_id, struct arena *arena,
                   uint32_t *slot);
uint32_t app_tag(struct sv app_id); /* of its quota's counter line */
/* `own` must stay as long as the record is used. */
int token_record_fill(struct token_record *r, const struct token_row *row,
                      struct token_own *own, struct arena *arena);

#endif
