/* What is asked of analytics: each parameter with its bounds, and which rows
 * answer it. */
#include "admin/analytics_int.h"
#include "admin/nouns.h"
#include "admin/token_int.h"

#include "base/err.h"
#include "codec/rfc3339.h"

enum { PAGE_DEFAULT = 100, PAGE_MAX = 1000, CSV_ROWS_MAX = 100000 };

static bool fails(struct call *c, const char *field, const char *why)
{
    return call_fail(c, 400, "invalid_value", field, why);
}

/* --- time ----------------------------------------------------------------- */

static const struct granularity {
    const char *name;
    int64_t span_s, default_s, most_s;
    const char *too_long;
} granularities[] = {
    { "minute", 60, 3600, 12 * 3600,
      "At a granularity of minutes it must be at most 12 hours after start." },
    { "hour", 3600, 86400, 31 * 86400,
      "At a granularity of hours it must be at most 31 days after start." },
    { "day", 86400, 30 * 86400, 400 * 86400ll,
      "It must be at most 400 days after start." },
    { "all", 0, 86400, 400 * 86400ll,
      "It must be at most 400 days after start." },
};

static const struct granularity *granularity_of(struct call *c)
{
    struct sv text = query_find(&c->query, SV("granularity"));
    if (!text.p) return &granularities[3];
    for (int i = 0; i < 3; i++)
        if (sv_eq(text, sv_cstr(granularities[i].name)))
            return &granularities[i];
    fails(c, "granularity", "It must be minute, hour or day.");
    return NULL;
}

static bool time_param(struct call *c, const char *name, int64_t *s)
{
    struct sv text = query_find(&c->query, sv_cstr(name));
    char full[20];
    int64_t ms;
    if (!text.p) return true;
    if (text.n == 10) { /* a day begins */
        memcpy(full, text.p, 10);
        memcpy(full + 10, "T00:00:00Z", 10);
        text = sv_of(full, 20);
    }
    if (rfc3339_decode(text, &ms) || ms < 0)
        return fails(c, name,
                     "It must be a time as in 2026-01-31T12:00:00Z, or a day.");
    *s = ms / 1000;
    return true;
}

/* Whole minutes, or what the granularity has. */
static bool time_asked(struct call *c, struct analytics *x)
{
    const struct granularity *g = granularity_of(c);
    if (!g) return false;
    int64_t step_s = g->span_s ? g->span_s : 60;
    int64_t to_s = c->now_ms / 1000, from_s = -1;
    if (!time_param(c, "end", &to_s) || !time_param(c, "start", &from_s))
        return false;
    if (from_s < 0) from_s = to_s > g->default_s ? to_s - g->default_s : 0;
    if (to_s <= from_s) return fails(c, "end", "It must be after start.");
    x->span_s = g->span_s;
    x->from_s = from_s / step_s * step_s;
    x->to_s = (to_s + step_s - 1) / step_s * step_s;
    if (x->to_s - x->from_s > g->most_s + step_s)
        return fails(c, "end", g->too_long);
    return true;
}

/* --- whose ---------------------------------------------------------------- */

static bool scope_asked(struct call *c, struct analytics *x)
{
    struct sv id = query_find(&c->query, SV("application_id"));
    struct ulid account, any;
    if (id_parse(KIND_ACCOUNT, id_sv(&c->account_id), &account))
        return call_not_found(c, "account");
    x->first.w[0] = ulid_low(&account);
    if (!id.p) return true;
    if (id_parse(KIND_APPLICATION, id, &any))
        return fails(c, "application_id", "It is not such an id.");
    x->app = application_find(c, id);
    if (x->app) x->first.w[0] = x->app->scope;
    return x->app != NULL;
}

static bool token_asked(struct call *c, struct analytics *x, struct sv text)
{
    struct ulid id;
    struct token_row row = { .version = 0 };
    uint64_t words[2];
    if (id_parse(KIND_TOKEN, text, &id))
        return fails(c, "token_id", "It is not such an id.");
    struct store *store = c->admin->conf.store;
    struct sv account = id_sv(&c->account_id);
    int err = store_token_get(store, account, &id, false, c->arena, &row);
    if (err == ERR_NOTFOUND) /* a revoked one was used, too */
        err = store_token_get(store, account, &id, true, c->arena, &row);
    const struct plan_app *app = err ? NULL : token_app(c, &row);
    if (err && err != ERR_NOTFOUND) return call_fail_store(c, err);
    if (!app) return call_not_found(c, "token");
    if (x->app && x->app != app)
        return fails(c, "token_id", "It is another application's.");
    x->app = app;
    memcpy(words, id.b, sizeof words);
    x->first = (struct figure_key){ { app->scope, FIGURE_TOKEN,
                                      __builtin_bswap64(words[0]),
                                      __builtin_bswap64(words[1]), 0 } };
    x->words = 4;
    x->of_facts = true;
    return true;
}

static bool text_asked(struct call *c, struct analytics *x, const char *field,
                       enum figure_subject subject, struct sv text)
{
    if (!text.n || text.n > FIGURE_TEXT_MAX)
        return fails(c, field, "It must have 1 to 255 bytes.");
    x->first.w[1] = subject;
    x->first.w[3] = figure_text_id(text);
    x->words = 4;
    x->of_facts = true;
    return true;
}

/* tag=key:value, or tags[key]=value. False after a 400. */
static bool tag_param(struct call *c, struct sv *out)
{
    *out = query_find(&c->query, SV("tag"));
    for (size_t i = 0; i < c->query.n; i++) {
        struct sv name = c->query.pairs[i].name;
        struct sv value = c->query.pairs[i].value;
        if (!sv_starts(name, SV("tags["))) continue;
        if (out->p) return fails(c, "tag", "One tag can be asked for.");
        struct sv key = sv_first(sv_from(name, 5), name.n - 6);
        *out = value.n ? arena_printf(c->arena, "%.*s:%.*s", SV_FMT(key),
                                      SV_FMT(value))
                       : key;
    }
    return true;
}

static bool subject_asked(struct call *c, struct analytics *x)
{
    struct sv token = query_find(&c->query, SV("token_id"));
    struct sv owner = query_find(&c->query, SV("owner")), tag;
    x->first.w[1] = FIGURE_APP;
    x->words = 4;
    if (query_find(&c->query, SV("name")).p)
        return call_fail(c, 400, "unknown_parameter", "name",
                         "This query parameter is not known here.");
    if (!tag_param(c, &tag)) return false;
    if ((token.p != NULL) + (owner.p != NULL) + (tag.p != NULL) > 1)
        return fails(c, tag.p ? "tag" : "owner",
                     "Of token_id, owner and tag one can be asked for.");
    if (token.p) return token_asked(c, x, token);
    if (owner.p) return text_asked(c, x, "owner", FIGURE_OWNER, owner);
    return !tag.p || text_asked(c, x, "tag", FIGURE_TAG, tag);
}

/* --- by what -------------------------------------------------------------- */

static const struct grouping {
    const char *name;
    enum figure_dim dim;
    enum figure_subject list; /* 0: none */
    enum kind kind;
    bool of_application; /* accounts have no such rows */
} groupings[] = {
    { "outcome", FIGURE_OUTCOME, 0, 0, false },
    { "status", FIGURE_STATUS, 0, 0, false },
    { "country", FIGURE_COUNTRY, 0, 0, false },
    { "route", FIGURE_ROUTE, 0, 0, true },
    { "token", FIGURE_TOP, FIGURE_TOKEN_TOP, KIND_TOKEN, true },
    { "owner", FIGURE_TOP, FIGURE_OWNER_TOP, 0, false },
    { "tag", FIGURE_TOP, FIGURE_TAG_TOP, KIND_TAG, false },
};

static bool grouping_set(struct call *c, struct analytics *x,
                         const struct grouping *g)
{
    x->grouped = true;
    x->dim = g->dim;
    if (g->of_application && !x->app && !(x->of_facts && !g->list))
        return fails(c, "group_by", "It needs application_id.");
    if (!g->list) return true;
    if (x->of_facts)
        return fails(c, "group_by",
                     "With token_id, owner or tag it must be outcome, status, "
                     "country or route.");
    x->is_list = true;
    x->list_kind = g->kind;
    x->first.w[1] = g->list;
    x->words = 2;
    return true;
}

static bool group_asked(struct call *c, struct analytics *x)
{
    struct sv text = query_find(&c->query, SV("group_by"));
    x->dim = FIGURE_OUTCOME;
    if (!text.p) return true;
    for (size_t i = 0; i < sizeof groupings / sizeof *groupings; i++)
        if (sv_eq(text, sv_cstr(groupings[i].name)))
            return grouping_set(c, x, &groupings[i]);
    return fails(c, "group_by",
                 "It must be outcome, status, country, route, "
                 "token, owner or tag.");
}

/* --- how ------------------------------------------------------------------ */

static bool number_param(struct call *c, const char *name, uint64_t least,
                         uint64_t most, uint64_t *out)
{
    struct sv text = query_find(&c->query, sv_cstr(name));
    if (!text.p || (sv_to_u64(text, most, out) && *out >= least)) return true;
    return fails(c, name, "It is not such a number.");
}

/* Ids of rows are their numbers: 1, 2, … in the order of the answer. */
static bool page_asked(struct call *c, struct analytics *x)
{
    uint64_t limit = PAGE_DEFAULT, after = 0, before = 0;
    const uint64_t most = 1000000000;
    if (!number_param(c, "limit", 1, PAGE_MAX, &limit) ||
        !number_param(c, "starting_after", 1, most, &after) ||
        !number_param(c, "ending_before", 1, most, &before))
        return false;
    if (after && before)
        return fails(c, "ending_before",
                     "Only one of starting_after and ending_before.");
    x->page_from = before ? (before > limit ? before - limit : 1) : after + 1;
    x->page_to = before ? before : x->page_from + limit;
    if (x->csv) {
        x->page_from = 1;
        x->page_to = CSV_ROWS_MAX + 1;
    }
    return true;
}

static bool format_asked(struct call *c, struct analytics *x)
{
    struct sv format = query_find(&c->query, SV("format"));
    if (format.p && !sv_eq(format, SV("csv")) && !sv_eq(format, SV("json")))
        return fails(c, "format", "It must be json or csv.");
    x->csv = format.p ? sv_eq(format, SV("csv"))
                      : sv_starts(c->q->accept, SV("text/csv"));
    return true;
}

bool analytics_asked(struct call *c, struct analytics **out)
{
    struct analytics *x = ARENA_NEW(c->arena, struct analytics);
    if (!x) return call_fail_store(c, ERR_NOMEM);
    x->c = c;
    x->arena = c->arena;
    x->figures = c->admin->conf.figures;
    if (!x->figures) {
        call_fail(c, 503, "unavailable", "",
                  "This server keeps no analytics (--analytics-days).");
        return false;
    }
    *out = x;
    bool good = time_asked(c, x) && scope_asked(c, x) && subject_asked(c, x) &&
                group_asked(c, x) && format_asked(c, x) && page_asked(c, x);
    if (good && !x->is_list && !x->of_facts)
        x->first.w[4] = figure_word(x->dim, 0);
    return good;
}
