/* The table of subjects: see subject.h.
 *
 *   key ─ two sets of 8 places ─┬─ there ──────────────> slot, tag
 *                               └─ lock both sets, choose a place:
 *                                  key 0 ─ line cleared ─ … ─ key
 *
 * Finding takes no lock. Somebody found whose time is past might be giving way
 * at this very moment: he says first that he is back (free_at), then looks
 * again whether he is still there; who evicts takes the key away first, then
 * looks whether he is back. One of the two sees the other. */
#include "live/subject.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/ensure.h"
#include "base/err.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/rand.h"
#include "codec/digest.h"
#include "live/counter_int.h"
#include "live/token.h"

enum {
    WAYS = 8,
    LOCK_SPINS = 64,
    BACK_S = 2,              /* who was found is not evicted so soon */
    AFTER_FAILURE_S = 86400, /* free_at is not on the disk: the longest */
    VERSION = 1,
    CREATED_SHIFT = 16,
};
static const char MAGIC[8] = "TAsubj01";

struct entry {
    _Atomic uint64_t key[SUBJECT_KEY_WORDS]; /* key[0] 0: empty */
    _Atomic uint64_t word;                   /* created_ms << 16 | kind */
    _Atomic uint32_t crc; /* of the above: a torn write is no entry */
    uint32_t unused;
};
_Static_assert(sizeof(struct entry) == 32, "two a cache line");

struct header {
    char magic[8];
    uint32_t version, places, base, clean;
    uint8_t secret[32];
    char boot_id[40];
};

struct subjects {
    struct subjects_conf conf;
    struct map_file map;
    struct header *_Atomic header; /* NULL: no table yet */
    struct entry *entries;
    _Atomic uint32_t *free_at;
    _Atomic uint8_t *locks;  /* a set each */
    _Atomic uint64_t *hints; /* a set each: a byte of each place's key */
    uint32_t sets;
    uint8_t secret[32];
    struct hmac_key mac; /* of the secret */
    _Atomic bool dirty;
    _Atomic uint64_t used, added, evicted, full;
};

#define SEQ_LOAD(field) atomic_load(&(field))
#define SEQ_STORE(field, v) atomic_store(&(field), (v))

/* --- the file --------------------------------------------------------------------- */

static size_t entries_bytes(uint32_t places)
{
    return (size_t)places * sizeof(struct entry);
}

static size_t file_bytes(uint32_t places)
{
    return HEADER_BYTES + entries_bytes(places) +
           (size_t)places * sizeof(uint32_t);
}

static uint32_t places_of(uint32_t wanted)
{
    if (wanted < SUBJECTS_MIN) wanted = SUBJECTS_MIN;
    if (wanted > SUBJECTS_MAX) wanted = SUBJECTS_MAX;
    return wanted / WAYS * WAYS;
}

static uint32_t tag_of(const uint64_t key[SUBJECT_KEY_WORDS])
{
    return (uint32_t)(key[1] >> 32);
}

static uint32_t crc_of(const struct entry *e)
{
    const uint64_t w[] = { LOAD(e->key[0]), LOAD(e->key[1]), LOAD(e->word) };
    return crc32c(0, w, sizeof w);
}

static void secret_take(struct subjects *s, const uint8_t secret[32])
{
    memcpy(s->secret, secret, sizeof s->secret);
    hmac_key_init(&s->mac, sv_of(s->secret, sizeof s->secret));
}

/* From here on readers see the table. */
static int table_attach(struct subjects *s, struct header *h)
{
    s->sets = h->places / WAYS;
    s->entries = (void *)(s->map.base + HEADER_BYTES);
    s->free_at =
        (void *)(s->map.base + HEADER_BYTES + entries_bytes(h->places));
    if (!s->locks) s->locks = mem_alloc_try(s->sets);
    if (!s->hints) s->hints = mem_alloc_try(s->sets * sizeof *s->hints);
    if (!s->locks || !s->hints) return ERR_NOMEM;
    memset((void *)s->locks, 0, s->sets);
    memset((void *)s->hints, 0, s->sets * sizeof *s->hints);
    atomic_store(&s->header, h);
    return 0;
}

static int header_sync(struct subjects *s)
{
    return msync(s->map.base, HEADER_BYTES, MS_SYNC) == 0 ? 0 : ERR_IO;
}

static void boot_id(char out[40])
{
    memset(out, 0, 40);
    int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
    if (fd < 0) return;
    if (read(fd, out, 36) != 36) memset(out, 0, 40);
    close(fd);
}

static void begin(struct subjects *s, struct header *h)
{
    boot_id(h->boot_id);
    h->clean = 0;
    if (header_sync(s)) log_error("subjects", "the table's header: %s", "I/O");
}

int subjects_reserve(struct subjects *s)
{
    if (atomic_load(&s->header)) return 0;
    const uint32_t places = places_of(s->conf.max);
    uint32_t base = tokens_slots_take(s->conf.tokens, places);
    if (base == UINT32_MAX) return ERR_FULL;
    int err = map_file_grow(&s->map, file_bytes(places));
    if (err) {
        for (uint32_t i = 0; i < places; i++)
            tokens_slot_give(s->conf.tokens, base + i);
        return err;
    }
    struct header *h = (void *)s->map.base;
    *h = (struct header){ .version = VERSION, .places = places, .base = base };
    memcpy(h->secret, s->secret, sizeof h->secret);
    memcpy(h->magic, MAGIC, sizeof h->magic);
    begin(s, h);
    return table_attach(s, h);
}

static uint64_t hint_of(const uint64_t key[SUBJECT_KEY_WORDS])
{
    return key[1] & 0xff;
}

/* Under the set's lock. */
static void hint_write(struct subjects *s, uint32_t i, uint64_t hint)
{
    _Atomic uint64_t *word = &s->hints[i / WAYS];
    const unsigned shift = i % WAYS * 8;
    STORE(*word, (LOAD(*word) & ~(UINT64_C(0xff) << shift)) | hint << shift);
}

/* An entry whose line is another's has lost its counts with a power failure. */
static void entry_adopt(struct subjects *s, uint32_t base, uint32_t i,
                        bool same_boot, uint32_t now_s)
{
    struct entry *e = &s->entries[i];
    const uint64_t key[] = { LOAD(e->key[0]), LOAD(e->key[1]) };
    if (!key[0]) return;
    bool good = LOAD(e->crc) == crc_of(e) &&
                counters_slot_has(s->conf.counters, base + i, tag_of(key));
    if (!good) {
        STORE(e->key[0], 0);
        return;
    }
    s->used++;
    hint_write(s, i, hint_of(key));
    if (!same_boot && LOAD(s->free_at[i]) != UINT32_MAX)
        STORE(s->free_at[i], now_s + AFTER_FAILURE_S);
}

static int slots_claim(struct subjects *s, const struct header *h)
{
    int err = 0;
    for (uint32_t i = 0; i < h->places && !err; i++)
        err = tokens_slot_claim(s->conf.tokens, h->base + i);
    return err;
}

static bool header_holds(const struct subjects *s, const struct header *h)
{
    return memcmp(h->magic, MAGIC, sizeof h->magic) == 0 &&
           h->version == VERSION && h->places == places_of(h->places) &&
           s->map.size >= file_bytes(h->places) &&
           h->base <= UINT32_MAX - h->places;
}

static int table_open(struct subjects *s, char problem[256])
{
    struct header *h = (void *)s->map.base;
    char boot[40];
    static const char none[8];
    if (memcmp(h->magic, none, sizeof none) == 0) return 0; /* not yet made */
    if (!header_holds(s, h)) {
        snprintf(problem, 256, "%s/subjects.map is not a table of subjects",
                 s->conf.dir);
        return ERR_CORRUPT;
    }
    int err = slots_claim(s, h);
    secret_take(s, h->secret);
    if (!err) err = table_attach(s, h);
    if (err) {
        snprintf(problem, 256, "%s/subjects.map: counter slots: %s",
                 s->conf.dir, err_text(err));
        return err;
    }
    boot_id(boot);
    bool same = h->clean || (boot[0] && !memcmp(boot, h->boot_id, sizeof boot));
    uint32_t now_s = (uint32_t)(clock_node_ms() / 1000);
    for (uint32_t i = 0; i < h->places; i++)
        entry_adopt(s, h->base, i, same, now_s);
    if (places_of(s->conf.max) != h->places)
        log_warn("subjects",
                 "%s/subjects.map has %u places and keeps them; a file that "
                 "is removed while the server is stopped is made anew",
                 s->conf.dir, h->places);
    begin(s, h);
    return 0;
}

static void subjects_drop(struct subjects *s)
{
    map_file_close(&s->map);
    mem_wipe(s->secret, sizeof s->secret);
    mem_wipe(&s->mac, sizeof s->mac);
    mem_free((void *)s->locks);
    mem_free((void *)s->hints);
    mem_free(s);
}

int subjects_open(struct subjects **out, const struct subjects_conf *conf,
                  char problem[256])
{
    struct subjects *s = mem_aligned(64, sizeof *s);
    s->conf = *conf;
    s->map.fd = -1;
    problem[0] = '\0';
    uint8_t secret[32];
    rand_bytes(secret, sizeof secret);
    secret_take(s, secret);
    mem_wipe(secret, sizeof secret);
    int err = map_file_open(&s->map, conf->dir, "subjects.map",
                            file_bytes(SUBJECTS_MAX));
    if (!err && s->map.size >= HEADER_BYTES) err = table_open(s, problem);
    if (!err) {
        *out = s;
        return 0;
    }
    if (!problem[0])
        snprintf(problem, 256, "%s/subjects.map: %s", conf->dir, err_text(err));
    subjects_drop(s);
    *out = NULL;
    return err;
}

void subjects_close(struct subjects **sp)
{
    struct subjects *s = *sp;
    if (!s) return;
    struct header *h = atomic_load(&s->header);
    subjects_sync(s);
    if (h && msync(s->map.base, s->map.size, MS_SYNC) == 0) {
        h->clean = 1;
        (void)header_sync(s);
    }
    subjects_drop(s);
    *sp = NULL;
}

/* Entries change only when somebody is new; free_at, which changes with
 * traffic, is left to the kernel. */
void subjects_sync(struct subjects *s)
{
    const struct header *h = atomic_load(&s->header);
    if (!h || !atomic_exchange(&s->dirty, false)) return;
    size_t n = HEADER_BYTES + entries_bytes(h->places);
    if (msync(s->map.base, n, MS_SYNC) != 0) atomic_store(&s->dirty, true);
}

/* --- keys --------------------------------------------------------------------------- */

enum { PARTS_MAX = 8 };

void subjects_key(const struct subjects *s, enum subject_kind kind,
                  const struct sv *parts, size_t n,
                  uint64_t key[SUBJECT_KEY_WORDS])
{
    struct sv all[2 * PARTS_MAX];
    uint64_t lengths[PARTS_MAX];
    uint8_t mac[SHA256_BYTES];
    ENSURE(n > 0 && n <= PARTS_MAX);
    for (size_t i = 0; i < n; i++) {
        lengths[i] = parts[i].n << 8 | (uint64_t)kind;
        all[2 * i] = sv_of(&lengths[i], sizeof lengths[i]);
        all[2 * i + 1] = parts[i];
    }
    hmac_key_run(&s->mac, all, 2 * n, mac);
    memcpy(key, mac, SUBJECT_KEY_WORDS * sizeof *key);
    if (!key[0]) key[0] = 1;
}

/* --- finding ------------------------------------------------------------------------- */

struct places {
    uint32_t set[2];
};

static struct places places_for(const struct subjects *s,
                                const uint64_t key[SUBJECT_KEY_WORDS])
{
    uint64_t low = key[0] & UINT32_MAX, high = key[0] >> 32;
    return (struct places){ { (uint32_t)(low * s->sets >> 32),
                              (uint32_t)(high * s->sets >> 32) } };
}

static bool is_at(const struct entry *e, const uint64_t key[SUBJECT_KEY_WORDS])
{
    return atomic_load_explicit(&e->key[0], memory_order_acquire) == key[0] &&
           LOAD(e->key[1]) == key[1];
}

/* The top bit of each byte that is the key's hint, and maybe of some above
 * such a byte. Only those places are looked at: a cache line, not eight. */
static uint64_t hints_match(const struct subjects *s, uint32_t set,
                            const uint64_t key[SUBJECT_KEY_WORDS])
{
    const uint64_t ones = UINT64_C(0x0101010101010101);
    uint64_t x = LOAD(s->hints[set]) ^ hint_of(key) * ones;
    return (x - ones) & ~x & ones << 7;
}

static uint32_t place_find(const struct subjects *s, struct places p,
                           const uint64_t key[SUBJECT_KEY_WORDS])
{
    for (int k = 0; k < 2; k++) {
        uint64_t match = hints_match(s, p.set[k], key);
        for (; match; match &= match - 1) {
            uint32_t at = (uint32_t)__builtin_ctzll(match) / 8;
            uint32_t i = p.set[k] * WAYS + at;
            if (is_at(&s->entries[i], key)) return i;
        }
    }
    return UINT32_MAX;
}

void subjects_expect(const struct subjects *s,
                     const uint64_t key[SUBJECT_KEY_WORDS])
{
    const struct header *h =
        atomic_load_explicit(&s->header, memory_order_acquire);
    if (!h) return;
    struct places p = places_for(s, key);
    for (int k = 0; k < 2; k++) {
        uint64_t match = hints_match(s, p.set[k], key);
        if (!match) continue;
        uint32_t at = (uint32_t)__builtin_ctzll(match) / 8;
        uint32_t i = p.set[k] * WAYS + at;
        __builtin_prefetch(&s->entries[i]);
        __builtin_prefetch((const void *)&s->free_at[i], 1);
        __builtin_prefetch(&s->conf.counters->lines[h->base + i], 1);
    }
}

static void fill(const struct subjects *s, const struct header *h, uint32_t i,
                 const uint64_t key[SUBJECT_KEY_WORDS], struct subject *out)
{
    *out = (struct subject){
        .slot = h->base + i,
        .tag = tag_of(key),
        .created_ms = (int64_t)(LOAD(s->entries[i].word) >> CREATED_SHIFT),
    };
}

/* False: he has just been evicted. */
static bool come_back(struct subjects *s, uint32_t i,
                      const uint64_t key[SUBJECT_KEY_WORDS], uint32_t now_s)
{
    if (LOAD(s->free_at[i]) > now_s) return true;
    SEQ_STORE(s->free_at[i], now_s + BACK_S);
    return SEQ_LOAD(s->entries[i].key[0]) == key[0] &&
           SEQ_LOAD(s->entries[i].key[1]) == key[1];
}

/* --- somebody new ---------------------------------------------------------------------- */

static bool set_lock(struct subjects *s, uint32_t set)
{
    for (int i = 0; i < LOCK_SPINS; i++) {
        uint8_t open = 0;
        if (atomic_compare_exchange_strong(&s->locks[set], &open, 1))
            return true;
        cpu_pause();
    }
    return false;
}

static void set_unlock(struct subjects *s, uint32_t set)
{
    atomic_store_explicit(&s->locks[set], 0, memory_order_release);
}

static bool sets_lock(struct subjects *s, struct places p)
{
    uint32_t low = p.set[0] < p.set[1] ? p.set[0] : p.set[1];
    uint32_t high = p.set[0] ^ p.set[1] ^ low;
    if (!set_lock(s, low)) return false;
    if (low == high || set_lock(s, high)) return true;
    set_unlock(s, low);
    return false;
}

static void sets_unlock(struct subjects *s, struct places p)
{
    set_unlock(s, p.set[0]);
    if (p.set[1] != p.set[0]) set_unlock(s, p.set[1]);
}

/* An empty place in the emptier set, else the one free for longest. */
static uint32_t place_choose(const struct subjects *s, struct places p,
                             uint32_t now_s)
{
    uint32_t empty[2] = { UINT32_MAX, UINT32_MAX }, empty_n[2] = { 0, 0 };
    uint32_t oldest = UINT32_MAX, oldest_s = now_s;
    for (int k = 0; k < 2; k++)
        for (uint32_t i = p.set[k] * WAYS; i < (p.set[k] + 1) * WAYS; i++) {
            if (!LOAD(s->entries[i].key[0])) {
                empty[k] = i;
                empty_n[k]++;
            } else if (LOAD(s->free_at[i]) <= oldest_s) {
                oldest_s = LOAD(s->free_at[i]);
                oldest = i;
            }
        }
    if (empty_n[0] || empty_n[1])
        return empty_n[1] > empty_n[0] ? empty[1] : empty[0];
    return oldest;
}

/* False: he came back while he was to go. */
static bool evict(struct subjects *s, uint32_t i, uint32_t now_s)
{
    struct entry *e = &s->entries[i];
    uint64_t key = LOAD(e->key[0]);
    if (!key) return true;
    SEQ_STORE(e->key[0], 0);
    if (SEQ_LOAD(s->free_at[i]) > now_s) {
        SEQ_STORE(e->key[0], key);
        return false;
    }
    atomic_fetch_add(&s->evicted, 1);
    atomic_fetch_sub(&s->used, 1);
    return true;
}

/* The key's first word last: until then nobody finds the place. */
static void entry_write(struct subjects *s, uint32_t i,
                        const uint64_t key[SUBJECT_KEY_WORDS], int64_t now_ms)
{
    struct entry *e = &s->entries[i];
    const uint64_t word = (uint64_t)now_ms << CREATED_SHIFT;
    const uint64_t w[] = { key[0], key[1], word };
    STORE(e->word, word);
    STORE(e->crc, crc32c(0, w, sizeof w));
    STORE(s->free_at[i], (uint32_t)(now_ms / 1000) + BACK_S);
    STORE(e->key[1], key[1]);
    SEQ_STORE(e->key[0], key[0]);
    hint_write(s, i, hint_of(key));
    atomic_fetch_add(&s->added, 1);
    atomic_fetch_add(&s->used, 1);
    atomic_store(&s->dirty, true);
}

/* Under the locks of both sets. */
static enum subject_found add(struct subjects *s, const struct header *h,
                              struct places p,
                              const uint64_t key[SUBJECT_KEY_WORDS],
                              int64_t now_ms, struct subject *out)
{
    const uint32_t now_s = (uint32_t)(now_ms / 1000);
    uint32_t i = place_find(s, p, key);
    if (i != UINT32_MAX) { /* another core was faster */
        SEQ_STORE(s->free_at[i], now_s + BACK_S);
        fill(s, h, i, key, out);
        return SUBJECT_FOUND;
    }
    i = place_choose(s, p, now_s);
    if (i == UINT32_MAX) {
        atomic_fetch_add(&s->full, 1);
        return SUBJECT_FULL;
    }
    if (!evict(s, i, now_s) ||
        counters_slot_clear(s->conf.counters, h->base + i, tag_of(key)))
        return SUBJECT_WAIT;
    entry_write(s, i, key, now_ms);
    fill(s, h, i, key, out);
    return SUBJECT_FOUND;
}

enum subject_found subjects_get(struct subjects *s,
                                const uint64_t key[SUBJECT_KEY_WORDS],
                                int64_t now_ms, struct subject *out)
{
    const struct header *h =
        atomic_load_explicit(&s->header, memory_order_acquire);
    if (!h) return SUBJECT_FULL;
    struct places p = places_for(s, key);
    uint32_t i = place_find(s, p, key);
    if (i != UINT32_MAX && come_back(s, i, key, (uint32_t)(now_ms / 1000))) {
        fill(s, h, i, key, out);
        return SUBJECT_FOUND;
    }
    if (!sets_lock(s, p)) return SUBJECT_WAIT;
    enum subject_found found = add(s, h, p, key, now_ms, out);
    sets_unlock(s, p);
    return found;
}

/* --- how long he stays -------------------------------------------------------------------- */

void subjects_keep(struct subjects *s, const struct subject *who,
                   uint32_t until_s)
{
    const struct header *h = atomic_load(&s->header);
    _Atomic uint32_t *at = &s->free_at[who->slot - h->base];
    if (LOAD(*at) < until_s) STORE(*at, until_s);
}

static uint64_t window_of(const struct limit *l)
{
    uint64_t most = l->burst > l->limit ? l->burst : l->limit;
    /* a bucket that was full needs so long to run out */
    return l->algorithm == LIMIT_TOKEN_BUCKET
               ? ((uint64_t)l->window_s * most + l->limit - 1) / l->limit
               : (uint64_t)l->window_s + l->window_s / 8 + 1;
}

static uint64_t quota_free_s(const struct terms *t,
                             const struct take_answer *taken)
{
    enum { MONTH_S = 31 * 86400 };
    if (taken->quota_remaining >= t->quota) return 0;
    if (!t->refill || t->refill->amount < 1) return UINT32_MAX;
    uint64_t used = (uint64_t)t->quota - (uint64_t)taken->quota_remaining;
    uint64_t amount = (uint64_t)t->refill->amount;
    uint64_t intervals = used / amount + 2;
    uint64_t each = t->refill->interval_s ? t->refill->interval_s : MONTH_S;
    return intervals > UINT32_MAX / each ? UINT32_MAX : intervals * each;
}

uint32_t subject_free_s(const struct take_ask *ask,
                        const struct take_answer *taken)
{
    const struct terms *t = &ask->terms;
    uint64_t in_s = 0;
    for (unsigned i = 0; i < terms_limits(t); i++)
        if (window_of(terms_limit(t, i)) > in_s)
            in_s = window_of(terms_limit(t, i));
    if (t->has_quota && ask->quota_slot == UINT32_MAX) {
        uint64_t quota_s = quota_free_s(t, taken);
        if (quota_s > in_s) in_s = quota_s;
    }
    uint64_t at_s = (uint64_t)(ask->now_ms / 1000) + in_s + 1;
    return at_s < UINT32_MAX && in_s < UINT32_MAX ? (uint32_t)at_s : UINT32_MAX;
}

void subjects_stats(const struct subjects *s, struct subjects_stats *out)
{
    const struct header *h = atomic_load(&s->header);
    *out = (struct subjects_stats){ .places = h ? h->places : 0,
                                    .used = atomic_load(&s->used),
                                    .added = atomic_load(&s->added),
                                    .evicted = atomic_load(&s->evicted),
                                    .full = atomic_load(&s->full) };
}
