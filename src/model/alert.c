/* Alert targets: the field table, and the typed form. */
#include "model/alert.h"

#include <stdio.h>

#include "base/err.h"
#include "codec/smtp.h"
#include "model/fields_int.h"

enum { PAUSE_MS = 5000, PAUSE_MAX_MS = 3600000, GROUP_MAX_S = 86400 };

const char *const alert_kinds[ALERT_KINDS + 1] = {
    [ALERT_MONITOR] = "monitor", [ALERT_DETECTION] = "detection",
    [ALERT_QUOTA] = "quota",     [ALERT_CERTIFICATE] = "certificate",
    [ALERT_STORE] = "store",     [ALERT_KINDS] = NULL,
};

const char *const alert_states[ALERT_RESOLVED + 1] = {
    [ALERT_NONE] = "none",
    [ALERT_EVENT] = "event",
    [ALERT_OPEN] = "open",
    [ALERT_RESOLVED] = "resolved",
};

static int item_problem(struct shape_problem *why, size_t i, const char *code,
                        const char *says)
{
    size_t n = strlen(why->field);
    snprintf(why->field + n, sizeof why->field - n, "[%zu]", i);
    return shape_problem_set(why, NULL, code, "%s", says);
}

static int kind_of(struct sv name)
{
    for (int kind = 0; kind < ALERT_KINDS; kind++)
        if (sv_eq(name, sv_cstr(alert_kinds[kind]))) return kind;
    return -1;
}

static int kinds_check(const struct shape_env *env, yyjson_mut_doc *doc,
                       yyjson_mut_val **value, struct shape_problem *why)
{
    size_t i, max;
    yyjson_mut_val *item;
    (void)env;
    (void)doc;
    yyjson_mut_arr_foreach(*value, i, max, item)
    {
        if (kind_of(json_mut_text(item)) < 0)
            return item_problem(why, i, "invalid_value",
                                "must be one of: monitor, detection, quota, "
                                "certificate, store");
    }
    return 0;
}

static int to_check(const struct shape_env *env, yyjson_mut_doc *doc,
                    yyjson_mut_val **value, struct shape_problem *why)
{
    size_t i, max;
    yyjson_mut_val *item;
    (void)env;
    (void)doc;
    yyjson_mut_arr_foreach(*value, i, max, item)
    {
        if (!smtp_address_is_valid(json_mut_text(item)))
            return item_problem(why, i, "invalid_value",
                                "must be a mail address such as "
                                "name@example.com");
    }
    return 0;
}

static int apps_check(const struct shape_env *env, yyjson_mut_doc *doc,
                      yyjson_mut_val **value, struct shape_problem *why)
{
    size_t i, max;
    yyjson_mut_val *item;
    (void)doc;
    yyjson_mut_arr_foreach(*value, i, max, item)
    {
        struct sv id = json_mut_text(item);
        if (id_parse(KIND_APPLICATION, id, NULL) == 0 && env->exists &&
            env->exists(env->ctx, KIND_APPLICATION, id))
            continue;
        return item_problem(why, i, "not_found",
                            "there is no such application");
    }
    return 0;
}

static const struct shape_field fields[] = {
    FIELDS_IDENTITY,
    FIELD_NAME,
    { .name = "enabled",
      .types = SHAPE_BOOLEAN,
      .fallback = "true",
      .about = "Is anything sent?" },
    { .name = "url",
      .types = SHAPE_STRING,
      .len_min = 1,
      .len_max = ALERT_URL_MAX,
      .text = &text_url,
      .format = "uri",
      .check = key_url_check,
      .about = "Webhook that messages are posted to. Another url gets another "
               "secret." },
    { .name = "to",
      .types = SHAPE_STRINGS,
      .flags = SHAPE_UNIQUE,
      .len_min = 1,
      .len_max = ALERT_TO_MAX,
      .item_max = SMTP_ADDRESS_MAX,
      .check = to_check,
      .about = "Mail addresses, in the place of url." },
    { .name = "kinds",
      .types = SHAPE_STRINGS,
      .flags = SHAPE_UNIQUE,
      .len_min = 1,
      .len_max = ALERT_KINDS,
      .item_max = 20,
      .options = alert_kinds,
      .check = kinds_check,
      .fallback =
          "[\"monitor\",\"detection\",\"quota\",\"certificate\",\"store\"]",
      .about = "What is told: monitor, detection, quota, certificate, store." },
    { .name = "applications",
      .types = SHAPE_STRINGS,
      .flags = SHAPE_UNIQUE,
      .len_max = ALERT_APPS_MAX,
      .item_max = ID_TEXT_MAX,
      .fallback = "[]",
      .check = apps_check,
      .about = "Ids of the applications it is about; none: all." },
    { .name = "groupSeconds",
      .types = SHAPE_INTEGER,
      .min = 0,
      .max = GROUP_MAX_S,
      .fallback = "60",
      .about =
          "The first message of a kind goes at once; what happens within "
          "so many seconds after a message is told together in the next." },
    { .name = "quotaPercent",
      .types = SHAPE_INTEGER,
      .min = 50,
      .max = 100,
      .fallback = "90",
      .about = "A quota is nearly spent when so much of it is." },
    { .name = "certificateDays",
      .types = SHAPE_INTEGER,
      .min = 1,
      .max = 90,
      .fallback = "14",
      .about = "A certificate is told of so many days before its end." },
    FIELD_TAGS(ROLE_VERIFIER, "[]"),
    FIELDS_TIMES,
    { 0 },
};

static int rules(const struct shape_env *env, yyjson_mut_doc *doc,
                 yyjson_val *present, yyjson_mut_val *input,
                 struct shape_problem *why)
{
    bool url = yyjson_mut_is_str(shape_member(doc, "url"));
    bool to = yyjson_mut_is_arr(shape_member(doc, "to"));
    (void)env;
    (void)present;
    (void)input;
    if (url != to) return 0;
    return url ? shape_problem_set(why, "to", "invalid_value",
                                   "excludes url: one of them")
               : shape_problem_set(why, "url", "required",
                                   "is required, or to");
}

const struct shape shape_alert = {
    .name = "Alert",
    .kind = KIND_ALERT,
    .fields = fields,
    .rules = rules,
};

static const struct shape_field rotate_fields[] = {
    { .name = "gracePeriod",
      .types = SHAPE_INTEGER,
      .min = 0,
      .max = 604800,
      .fallback = "86400",
      .about = "Seconds in which messages are signed with the old secret as "
               "well." },
    { 0 },
};

const struct shape shape_alert_rotate = {
    .name = "RotateAlertSecretRequest",
    .fields = rotate_fields,
};

/* --- the typed form ------------------------------------------------------------------ */

static unsigned kinds_of(const yyjson_val *list)
{
    unsigned set = 0;
    size_t i, max;
    yyjson_val *item;
    yyjson_arr_foreach((yyjson_val *)(uintptr_t)list, i, max, item)
    {
        int kind = kind_of(json_text(item));
        if (kind >= 0) set |= 1u << kind;
    }
    return set;
}

static int texts_decode(const yyjson_val *list, struct arena *a,
                        const struct sv **out, uint32_t *out_n)
{
    size_t n = yyjson_arr_size((yyjson_val *)(uintptr_t)list), i, max;
    yyjson_val *item;
    struct sv *to = ARENA_ARRAY(a, struct sv, n + 1);
    if (!to) return ERR_NOMEM;
    yyjson_arr_foreach((yyjson_val *)(uintptr_t)list, i, max, item)
    {
        to[i] = arena_dup(a, json_text(item));
        if (!to[i].n) return ERR_CORRUPT;
    }
    *out = to;
    *out_n = (uint32_t)n;
    return 0;
}

int alert_decode(const struct record *r, struct arena *a, struct alert *out)
{
    yyjson_doc *doc;
    int64_t group_s, percent, days;
    int err = json_decode(r->body, a, &doc, NULL);
    if (err) return err == ERR_NOMEM ? err : ERR_CORRUPT;
    const yyjson_val *root = yyjson_doc_get_root(doc);
    if (!json_is_int(json_find(root, "groupSeconds"), &group_s) ||
        !json_is_int(json_find(root, "quotaPercent"), &percent) ||
        !json_is_int(json_find(root, "certificateDays"), &days))
        return ERR_CORRUPT;
    *out = (struct alert){
        .id = r->id,
        .account_id = r->account_id,
        .enabled = yyjson_is_true(json_find(root, "enabled")),
        .kinds = kinds_of(json_find(root, "kinds")),
        .name = arena_dup(a, json_text(json_find(root, "name"))),
        .url = arena_dup(a, json_text(json_find(root, "url"))),
        .group_ms = group_s * 1000,
        .quota_percent = (int)percent,
        .certificate_days = (int)days,
    };
    err = texts_decode(json_find(root, "to"), a, &out->to, &out->to_n);
    return err ? err
               : texts_decode(json_find(root, "applications"), a, &out->apps,
                              &out->apps_n);
}

/* --- back-off ------------------------------------------------------------------------ */

int64_t alert_pause_ms(unsigned attempts, uint64_t random)
{
    int64_t most = PAUSE_MS;
    for (unsigned i = 1; i < attempts && most < PAUSE_MAX_MS; i++) most *= 4;
    if (most > PAUSE_MAX_MS) most = PAUSE_MAX_MS;
    return most / 2 + (int64_t)(random % (uint64_t)(most / 2 + 1));
}
