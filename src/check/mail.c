/* Step 12: disposable e-mail (detectors.md §2). What stands at the profile's
 * place is looked up here and now: head and telemetry by both doors, the body
 * as far as the step BODY has taken it in. An address that nobody can look up
 * for want of a list is a fault; what hides one (more addresses than are looked
 * at, JSON that two readers would read in two ways) is refused. */
#include "base/err.h"
#include "check/check.h"
#include "check/request.h"
#include "detect/mail_property.h"

/* A value takes 16 bytes, and yyjson's list of them is copied as it grows: five
 * times that for "[", and what an arena's chunks leave over. */
enum { FIRST_BYTES = 4096, BYTES_A_BYTE = 80, BYTES_OVER = 1 << 20 };

struct judged {
    enum mail_verdict
        verdict; /* BLOCKED, DISPOSABLE: refused by the end of `host` */
    struct host host;
    size_t entry_n; /* its end that is listed */
    bool unlisted;  /* somebody is to be looked up, and there is no list */
    bool too_many, no_room;
};

static const struct mail_list *list_of(const struct exchange *x)
{
    return x->env->mail ? mail_root_get(x->env->mail) : NULL;
}

/* True: refused. */
static bool judge_domain(const struct exchange *x, const struct host *host,
                         struct judged *out)
{
    const struct plan_abuse *a = x->plan->abuse;
    const struct mail_list *list = list_of(x);
    struct mail_evidence why = { .sources = 0 };
    enum mail_verdict v = mail_check(a->blocklist, a->exceptions, list,
                                     sv_of(host->text, host->n), &why);
    out->unlisted |= v == MAIL_NONE && !list;
    if (v != MAIL_BLOCKED && v != MAIL_DISPOSABLE) return false;
    out->verdict = v;
    out->host = *host;
    out->entry_n = why.domain.n;
    return true;
}

static void judge_texts(const struct exchange *x,
                        const struct mail_texts *texts, struct judged *out)
{
    struct host host;
    for (unsigned i = 0; i < texts->n; i++) {
        struct sv text = texts->text[i];
        unsigned n = 0;
        while (mail_domain_next(&text, &host)) {
            if (judge_domain(x, &host, out)) return;
            if (++n < MAIL_ADDRESSES_MAX) continue;
            out->too_many |= mail_domain_next(&text, &host);
            break;
        }
    }
    if (!texts->over) return;
    out->too_many |= texts->n == MAIL_TEXTS_MAX;
    out->no_room |= texts->n < MAIL_TEXTS_MAX;
}

static bool judge_head(struct exchange *x, struct judged *out)
{
    const struct plan_abuse *a = x->plan->abuse;
    struct mail_texts texts = { .n = 0 };
    const struct http_field *fields;
    unsigned n;
    struct sv query;
    if (x->head) {
        fields = x->head->fields, n = x->head->fields_n;
        query = x->head->query;
    } else {
        const struct expression_request *r = check_request(x);
        if (!r) return false;
        fields = r->fields, n = r->fields_n;
        query = r->query;
    }
    mail_find_head(a->mail_in_head, a->profile.property, fields, n, query,
                   x->arena, &texts);
    judge_texts(x, &texts, out);
    return true;
}

static struct sv content_type(const struct exchange *x)
{
    const struct http_field *f = http_head_find(x->head, HN_CONTENT_TYPE);
    return f ? f->value : SV("");
}

/* 0, or ERR_INVALID: JSON that is none. What was cut off cannot be read as
 * JSON; the step BODY has said so. */
static int judge_body(struct exchange *x, struct judged *out)
{
    struct mail_texts texts = { .n = 0 };
    _Alignas(16) char first[FIRST_BYTES];
    struct arena a;
    arena_init(&a, BYTES_OVER + x->body.n * BYTES_A_BYTE, first, sizeof first);
    int rc = mail_find_body(x->plan->abuse->profile.property, content_type(x),
                            x->body, &a, &texts);
    if (rc == 0) judge_texts(x, &texts, out);
    arena_fini(&a);
    return x->body_over ? 0 : rc;
}

static struct sv evidence(struct exchange *x, const struct judged *j)
{
    const char *by = j->verdict == MAIL_BLOCKED ? "blocklist" : "list";
    if (j->verdict == MAIL_NONE) return SV("{\"by\":\"number of addresses\"}");
    struct sv entry =
        sv_from(sv_of(j->host.text, j->host.n), j->host.n - j->entry_n);
    return arena_printf(x->arena, "{\"domain\":\"%.*s\",\"by\":\"%s\"}",
                        SV_FMT(entry), by);
}

static enum verdict refuse(struct exchange *x, const struct judged *j)
{
    check_found(x, reason_rows[REASON_DISPOSABLE_EMAIL].code, DETECTOR_BLOCK,
                true, evidence(x, j));
    return check_deny(x, REASON_DISPOSABLE_EMAIL);
}

static bool is_refused(const struct judged *j)
{
    return j->verdict == MAIL_BLOCKED || j->verdict == MAIL_DISPOSABLE ||
           j->too_many;
}

enum verdict check_mail(struct exchange *x)
{
    const struct plan_abuse *a = x->plan->abuse;
    struct judged j = { .verdict = MAIL_NONE };
    if (a->mail_in_head && !judge_head(x, &j)) j.no_room = true;
    if (is_refused(&j)) return refuse(x, &j);
    if (a->body.inspect_bytes && x->has_body && judge_body(x, &j))
        return check_deny(x, REASON_BAD_BODY);
    if (is_refused(&j)) return refuse(x, &j);
    if (!j.unlisted && !j.no_room) return VERDICT_PASS;
    return check_fault(x, a->profile.on_fault, false, "disposableEmail");
}
