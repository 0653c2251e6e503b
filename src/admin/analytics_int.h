/* A question about analytics: what is asked (analytics_ask.c), what is found
 * (analytics.c), how it is shown (analytics_show.c). */
#ifndef ADMIN_ANALYTICS_INT_H
#define ADMIN_ANALYTICS_INT_H

#include "admin/admin_int.h"
#include "admin/call.h"
#include "journal/figures.h"

enum { ANALYTICS_GROUPS = 4096, ANALYTICS_PLACES = 8192 };

struct analytics_group {
    uint64_t id[2];              /* all ones: the others of a list */
    uint64_t outcomes[OUTCOME_COUNT];
    struct sv name;              /* of an owner or tag */
    struct figure_total total;
};

struct analytics {
    struct call *c;
    struct arena *arena;
    struct figures *figures;
    /* --- asked --- */
    int64_t from_s, to_s, span_s; /* span 0: all in one */
    struct figure_key first;     /* the rows that are read */
    unsigned words;
    const struct plan_app *app;  /* NULL: the account's */
    bool grouped, is_list, of_facts, csv;
    enum figure_dim dim;         /* of the groups; of what is summed up */
    enum kind list_kind;         /* of a list: KIND_TOKEN, or texts */
    uint64_t page_from, page_to; /* rows, from 1; from <= row < to */
    void (*put)(struct analytics *x, const struct analytics_group *g,
                uint64_t row, int64_t from_s, int64_t to_s);
    /* --- one piece of time --- */
    bool whole;                  /* nothing of it is missing */
    uint32_t groups_n;
    struct analytics_group *order[ANALYTICS_GROUPS];
    uint32_t places[ANALYTICS_PLACES];
    struct analytics_group groups[ANALYTICS_GROUPS];
};

/* False after a 400, 404. */
bool analytics_asked(struct call *c, struct analytics **out);
void analytics_put_json(struct analytics *x, const struct analytics_group *g,
                        uint64_t row, int64_t from_s, int64_t to_s);
void analytics_csv_head(struct analytics *x);
void analytics_put_csv(struct analytics *x, const struct analytics_group *g,
                       uint64_t row, int64_t from_s, int64_t to_s);

#endif
