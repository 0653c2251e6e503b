/* The kinds of a reactor and their credits. */
#include "journal/sieve.h"

#include "base/mem.h"
#include "journal/histogram.h"

struct sieve_kind {
    uint64_t key;    /* 0: free */
    uint64_t second; /* of the credit */
    uint32_t credit, more;
    int64_t since_ms, at_ms; /* of `more` */
    struct ulid account, application;
    struct sv code;
    uint8_t door, outcome, findings_n;
    struct {
        struct sv code;
        uint8_t action;
        bool enforced;
    } findings[FINDINGS_MAX];
};

/* At once, and back in a second: of one kind, of all together. Findings are
 * what somebody looks for: they have the more. Refusals leave half of the
 * ring to them. */
static const struct share {
    uint32_t burst, rate, all_burst, all_rate;
    size_t spare;
} shares[SIEVE_CLASSES] = {
    [SIEVE_REFUSALS] = { 8, 1, 256, 32, SIEVE_RING_BYTES / 2 },
    [SIEVE_FINDINGS] = { 100, 2, 512, 32, 0 },
};

void sieve_init(struct sieve *s)
{
    *s = (struct sieve){ .second = 0 };
    ring_init(&s->ring, SIEVE_RING_BYTES);
    for (unsigned i = 0; i < SIEVE_CLASSES; i++)
        s->credit[i] = shares[i].all_burst;
}

void sieve_fini(struct sieve *s)
{
    ring_fini(&s->ring);
    for (unsigned i = 0; i < SIEVE_CLASSES; i++) {
        mem_free(s->kinds[i]);
        s->kinds[i] = NULL;
    }
}

/* --- credits ------------------------------------------------------------------ */

static uint32_t refill(uint32_t credit, uint32_t burst, uint32_t rate,
                       uint64_t seconds)
{
    uint64_t now = credit + rate * (seconds < burst ? seconds : burst);
    return now < burst ? (uint32_t)now : burst;
}

static void refill_all(struct sieve *s, uint64_t now_s)
{
    if (now_s <= s->second) return;
    for (unsigned i = 0; i < SIEVE_CLASSES; i++)
        s->credit[i] = refill(s->credit[i], shares[i].all_burst,
                              shares[i].all_rate, now_s - s->second);
    s->second = now_s;
}

/* --- telling -------------------------------------------------------------------- */

static bool tell(struct sieve *s, const struct incident *i)
{
    const struct share *share = &shares[sieve_class_of(i->findings_n)];
    void *at = ring_reserve(&s->ring, incident_size(i), share->spare);
    if (!at) return false;
    incident_encode(i, at);
    ring_commit(&s->ring);
    return true;
}

/* What was counted goes; if there is no room it waits. */
static bool tell_sum(struct sieve *s, struct sieve_kind *k)
{
    struct incident sum = {
        .account = k->account,
        .application = k->application,
        .at_ms = k->at_ms,
        .since_ms = k->since_ms,
        .count = k->more,
        .is_sum = true,
        .door = k->door,
        .outcome = k->outcome,
        .text[INCIDENT_CODE] = k->code,
        .findings_n = k->findings_n,
    };
    for (unsigned i = 0; i < k->findings_n; i++)
        sum.findings[i] = (struct incident_finding){
            .code = k->findings[i].code,
            .action = (enum detector_action)k->findings[i].action,
            .enforced = k->findings[i].enforced,
        };
    if (!tell(s, &sum)) return false;
    k->more = 0;
    return true;
}

/* --- kinds ---------------------------------------------------------------------- */

static uint64_t mix(uint64_t h, uint64_t v)
{
    h = (h ^ v) * UINT64_C(0x9e3779b97f4a7c15);
    return h ^ h >> 32;
}

static uint64_t key_of(const struct incident *i)
{
    uint64_t app[2];
    memcpy(app, i->application.b, sizeof app);
    uint64_t h = mix(mix(app[0], app[1]), i->door);
    h = mix(h, (uintptr_t)i->text[INCIDENT_CODE].p);
    for (unsigned k = 0; k < i->findings_n; k++)
        h = mix(h, (uintptr_t)i->findings[k].code.p ^ i->findings[k].enforced);
    return h | 1;
}

static bool is_kind(const struct sieve_kind *k, const struct incident *i,
                    uint64_t key)
{
    return k->key == key && k->findings_n == i->findings_n &&
           ulid_cmp(&k->application, &i->application) == 0;
}

static void kind_begin(struct sieve_kind *k, const struct incident *i,
                       uint64_t key, uint64_t now_s)
{
    k->key = key;
    k->second = now_s;
    k->credit = shares[sieve_class_of(i->findings_n)].burst;
    k->more = 0;
    k->account = i->account;
    k->application = i->application;
    k->code = i->text[INCIDENT_CODE];
    k->door = i->door;
    k->outcome = i->outcome;
    k->findings_n = i->findings_n;
    for (unsigned n = 0; n < i->findings_n; n++) {
        k->findings[n].code = i->findings[n].code;
        k->findings[n].action = (uint8_t)i->findings[n].action;
        k->findings[n].enforced = i->findings[n].enforced;
    }
}

/* One that has nothing to tell, the longest idle; else one whose sum is due.
 * NULL: all of the set are busy in this second. */
static struct sieve_kind *victim(struct sieve *s, struct sieve_kind *set,
                                 uint64_t now_s)
{
    struct sieve_kind *idle = NULL;
    for (int i = 0; i < SIEVE_WAYS; i++)
        if (!set[i].more && (!idle || set[i].second < idle->second))
            idle = &set[i];
    for (int i = 0; i < SIEVE_WAYS && !idle; i++)
        if (set[i].second < now_s && tell_sum(s, &set[i])) idle = &set[i];
    return idle;
}

static struct sieve_kind *kind_of(struct sieve *s, const struct incident *i,
                                  uint64_t now_s)
{
    uint64_t key = key_of(i);
    struct sieve_kind **kinds = &s->kinds[sieve_class_of(i->findings_n)];
    if (!*kinds) *kinds = mem_zalloc(SIEVE_KINDS * sizeof **kinds);
    struct sieve_kind *set = &(*kinds)[(key >> 32) % SIEVE_SETS * SIEVE_WAYS];
    for (int w = 0; w < SIEVE_WAYS; w++)
        if (is_kind(&set[w], i, key)) return &set[w];
    struct sieve_kind *k = victim(s, set, now_s);
    if (k) kind_begin(k, i, key, now_s);
    return k;
}

static void count(struct sieve *s, struct sieve_kind *k,
                  const struct incident *i, uint64_t now_s)
{
    if (k->more == UINT32_MAX) {
        counter_add(&s->dropped, 1);
        return;
    }
    if (!k->more++) k->since_ms = i->at_ms;
    k->at_ms = i->at_ms;
    if (!s->due_s) s->due_s = now_s + 1;
}

void sieve_add(struct sieve *s, struct incident *i, uint64_t now_s)
{
    enum sieve_class class = sieve_class_of(i->findings_n);
    const struct share *share = &shares[class];
    refill_all(s, now_s);
    struct sieve_kind *k = kind_of(s, i, now_s);
    if (!k) {
        counter_add(&s->dropped, 1);
        return;
    }
    if (now_s > k->second) {
        if (k->more) tell_sum(s, k);
        k->credit =
            refill(k->credit, share->burst, share->rate, now_s - k->second);
        k->second = now_s;
    }
    if (k->credit && s->credit[class]) {
        incident_trim(i);
        if (tell(s, i)) {
            k->credit--;
            s->credit[class]--;
            return;
        }
    }
    count(s, k, i, now_s);
}

static void tell_all(struct sieve *s)
{
    bool waits = false;
    for (unsigned i = 0; i < SIEVE_CLASSES; i++)
        for (unsigned n = 0; s->kinds[i] && n < SIEVE_KINDS; n++)
            if (s->kinds[i][n].more && !tell_sum(s, &s->kinds[i][n]))
                waits = true;
    s->due_s = waits ? s->due_s : 0;
}

bool sieve_turn(struct sieve *s, uint64_t now_s)
{
    if (!s->due_s) return false;
    if (now_s < s->due_s) return true;
    tell_all(s);
    if (s->due_s) s->due_s = now_s + 1; /* no room: again in a second */
    return s->due_s != 0;
}

void sieve_flush(struct sieve *s)
{
    tell_all(s);
}
