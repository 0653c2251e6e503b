/* The token table through its contract: finding, replacing, rotation, sharing,
 * hostile digests, growth under readers. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <string.h>

#include <cmocka.h>

#include "base/epoch.h"
#include "base/err.h"
#include "base/rand.h"
#include "live/counter.h"
#include "live/token_int.h"
#include "scratch.h"

static const int64_t NOW = 1750000000000;
static struct scratch dir;

/* --- making tokens ---------------------------------------------------- */
static uint64_t mixed(uint64_t n)
{
    struct rand_fast r = { n };
    return rand_fast_next(&r);
}

static void digest_of(uint64_t n, uint8_t out[32])
{
    for (uint64_t i = 0; i < 4; i++) {
        uint64_t w = mixed(n * 4 + i);
        memcpy(out + i * 8, &w, 8);
    }
}

static struct token_record record_of(uint64_t n, uint32_t slot, uint32_t app)
{
    struct token_record r = { .slot = slot,
                              .app = app,
                              .state = TOKEN_ENABLED };
    for (int i = 0; i < 6; i++) r.id[i] = (uint8_t)(NOW >> (40 - 8 * i));
    for (int i = 0; i < 8; i++) r.id[15 - i] = (uint8_t)(n >> 8 * i);
    digest_of(n, r.digest);
    return r;
}

static struct token_record put_new(struct tokens *t, uint64_t n, uint32_t app)
{
    struct token_record r = record_of(n, tokens_slot_take(t), app);
    assert_int_equal(tokens_put(t, &r), 0);
    return r;
}

static bool finds(struct tokens *t, uint64_t n, uint32_t app,
                  struct token_view *v)
{
    uint8_t digest[32];
    digest_of(n, digest);
    return tokens_find(t, app, digest, NOW, v);
}

static int setup(void **state)
{
    scratch_make(&dir);
    struct tokens_conf conf = { .max = 1 << 20, .dir = dir.path };
    return tokens_new((struct tokens **)state, &conf);
}

static int teardown(void **state)
{
    tokens_free((struct tokens **)state);
    scratch_remove(&dir);
    return 0;
}

/* --- finding ---------------------------------------------------------- */
static void a_token_is_found_in_its_application_only(void **state)
{
    struct token_view v;
    struct token_record r = record_of(1, tokens_slot_take(*state), 9);
    r.expires_ms = NOW + 1500;
    assert_int_equal(tokens_put(*state, &r), 0);
    assert_true(finds(*state, 1, 9, &v));
    assert_int_equal(v.slot, r.slot);
    assert_int_equal(v.app, 9);
    assert_int_equal(v.tag, 1);
    assert_int_equal(v.state, TOKEN_ENABLED);
    assert_int_equal(v.created_ms, NOW);
    assert_int_equal(v.expires_ms, NOW + 2000); /* rounded up to a second */
    assert_memory_equal(v.id, r.id, 16);
    assert_null(v.own);
    assert_null(v.cold);
    assert_false(finds(*state, 1, 8, &v));
    assert_false(finds(*state, 2, 9, &v));
}

static void one_digest_may_live_in_two_applications_not_twice_in_one(
    void **state)
{
    struct token_view v;
    struct token_record a = put_new(*state, 1, 1);
    struct token_record b = record_of(1, tokens_slot_take(*state), 2);
    assert_int_equal(tokens_put(*state, &b), 0);
    struct token_record again = record_of(1, tokens_slot_take(*state), 1);
    assert_int_equal(tokens_put(*state, &again), ERR_EXISTS);
    assert_true(finds(*state, 1, 1, &v));
    assert_int_equal(v.slot, a.slot);
    assert_true(finds(*state, 1, 2, &v));
    assert_int_equal(v.slot, b.slot);
}

static void a_digest_that_differs_in_one_bit_of_its_first_half_is_unknown(
    void **state)
{
    struct token_view v;
    struct token_record r = put_new(*state, 5, 1);
    for (int bit = 0; bit < 128; bit++) {
        uint8_t d[32];
        memcpy(d, r.digest, 32);
        d[bit / 8] ^= (uint8_t)(1 << bit % 8);
        assert_false(tokens_find(*state, 1, d, NOW, &v));
    }
}

static void a_revoked_token_is_still_known_until_it_is_removed(void **state)
{
    struct token_view v;
    struct token_record r = put_new(*state, 1, 1);
    tokens_revoke(*state, r.slot);
    assert_true(finds(*state, 1, 1, &v));
    assert_true(v.state & TOKEN_REVOKED);
    tokens_remove(*state, r.slot);
    assert_false(finds(*state, 1, 1, &v));
    assert_false(tokens_view(*state, r.slot, 1, NOW, &v));
    assert_int_equal(tokens_put(*state, &r), 0); /* and may come back */
    assert_true(finds(*state, 1, 1, &v));
}

static void a_slot_with_another_owner_is_not_viewed_by_the_old_tag(void **state)
{
    struct token_view v;
    struct token_record r = put_new(*state, 1, 1);
    assert_true(tokens_view(*state, r.slot, 1, NOW, &v));
    tokens_remove(*state, r.slot);
    tokens_slot_give(*state, r.slot);
    epoch_reclaim();
    struct token_record next = put_new(*state, 2, 1);
    assert_int_equal(next.slot, r.slot);
    assert_false(tokens_view(*state, r.slot, 1, NOW, &v));
    assert_true(tokens_view(*state, r.slot, 2, NOW, &v));
    assert_false(tokens_view(*state, 1 << 25, 2, NOW, &v));
}

static void a_given_slot_waits_for_readers_of_this_turn(void **state)
{
    struct epoch_reader reader;
    epoch_join(&reader);
    epoch_wake(&reader);
    struct token_record r = put_new(*state, 1, 1);
    tokens_remove(*state, r.slot);
    tokens_slot_give(*state, r.slot);
    epoch_reclaim();
    assert_int_not_equal(tokens_slot_take(*state), r.slot);
    epoch_turn(&reader);
    epoch_reclaim();
    assert_int_equal(tokens_slot_take(*state), r.slot);
    epoch_sleep(&reader);
    epoch_leave(&reader);
}

static void slots_that_the_store_names_leave_gaps_that_are_used_first(
    void **state)
{
    static const uint32_t named[] = { 0, 3, 70, 100000 };
    for (unsigned i = 0; i < 4; i++) {
        struct token_record r = record_of(i, named[i], 1);
        assert_int_equal(tokens_load(*state, &r), 0);
        assert_int_equal(tokens_load(*state, &r), ERR_EXISTS);
    }
    assert_int_equal(tokens_slot_claim(*state, 2), 0);
    assert_int_equal(tokens_slot_claim(*state, 2), ERR_EXISTS);
    assert_int_equal(tokens_slot_take(*state), 1);
    for (uint32_t want = 4; want < 200; want++)
        if (want != 70) assert_int_equal(tokens_slot_take(*state), want);
    assert_int_equal(tokens_slot_claim(*state, 1 << 20), ERR_FULL);
}

/* --- replacing -------------------------------------------------------- */
static struct policy quota_policy(int64_t quota)
{
    return (struct policy){ .has_quota = true, .quota = quota };
}

static void equal_policies_are_kept_once_and_go_with_their_last_token(
    void **state)
{
    struct tokens_stats s;
    struct policy p = quota_policy(10), q = quota_policy(11);
    struct token_record r[100];
    struct token_view v;
    for (unsigned i = 0; i < 100; i++) {
        r[i] = record_of(i, tokens_slot_take(*state), 1);
        r[i].own = i % 2 ? &p : &q;
        assert_int_equal(tokens_put(*state, &r[i]), 0);
    }
    tokens_stats(*state, &s);
    assert_int_equal(s.policies, 2);
    assert_true(finds(*state, 1, 1, &v));
    assert_int_equal(v.own->quota, 10);
    for (unsigned i = 0; i < 100; i += 2) {
        r[i].own = &p;
        assert_int_equal(tokens_put(*state, &r[i]), 0);
    }
    tokens_stats(*state, &s);
    assert_int_equal(s.policies, 1);
    for (unsigned i = 0; i < 100; i++) tokens_remove(*state, r[i].slot);
    tokens_stats(*state, &s);
    assert_int_equal(s.policies, 0);
    assert_int_equal(s.live, 0);
}

static void a_replaced_policy_stays_readable_until_the_turn_ends(void **state)
{
    struct epoch_reader reader;
    struct token_view v;
    struct policy p = quota_policy(10), q = quota_policy(11);
    struct token_record r = record_of(1, tokens_slot_take(*state), 1);
    r.own = &p;
    assert_int_equal(tokens_put(*state, &r), 0);
    epoch_join(&reader);
    epoch_wake(&reader);
    assert_true(finds(*state, 1, 1, &v));
    r.own = &q;
    assert_int_equal(tokens_put(*state, &r), 0);
    epoch_reclaim();
    assert_int_equal(v.own->quota, 10);
    assert_true(finds(*state, 1, 1, &v));
    assert_int_equal(v.own->quota, 11);
    epoch_sleep(&reader);
    epoch_leave(&reader);
}

static void a_token_moves_no_digest_by_put(void **state)
{
    struct token_record r = put_new(*state, 1, 1);
    digest_of(2, r.digest);
    assert_int_equal(tokens_put(*state, &r), ERR_CONFLICT);
}

/* --- the cold part ---------------------------------------------------- */
static void the_cold_part_is_rendered_and_shared(void **state)
{
    struct token_view v, w;
    struct tokens_stats s;
    const struct sv scopes[] = { SV("read"), SV("a b"), SV("caf\xc3\xa9") };
    const struct sv tags[] = { SV("prod") };
    struct cidr net;
    for (unsigned i = 0; i < 2; i++) {
        struct token_record r = record_of(i, tokens_slot_take(*state), 1);
        memset(&net, 0, sizeof net);
        net.bits = 128;
        r.owner = SV(" 50% \n");
        r.scopes = scopes, r.scopes_n = 3;
        r.tags = tags, r.tags_n = 1;
        r.allow = &net, r.allow_n = 1, r.has_allow = true;
        r.metadata = SV("{\"a\":1}");
        assert_int_equal(tokens_put(*state, &r), 0);
    }
    assert_true(finds(*state, 0, 1, &v));
    assert_true(finds(*state, 1, 1, &w));
    assert_ptr_equal(v.cold, w.cold);
    tokens_stats(*state, &s);
    assert_int_equal(s.cold_blocks, 1);
    assert_true(sv_eq(v.cold->owner, SV(" 50% \n")));
    assert_true(sv_eq(v.cold->owner_header, SV("%2050%25 %0A")));
    assert_true(sv_eq(v.cold->scopes_header, SV("read a%20b caf%C3%A9")));
    assert_int_equal(v.cold->scopes_n, 3);
    assert_true(sv_eq(v.cold->scopes[1], SV("a b")));
    assert_true(sv_eq(v.cold->tags[0], SV("prod")));
    assert_true(sv_eq(v.cold->metadata, SV("{\"a\":1}")));
    assert_int_equal(v.cold->allow[0].bits, 128);
    assert_true(v.cold->has_allow);
    assert_false(v.cold->metadata_in_file);
}

static void parts_that_run_together_are_not_mistaken_for_each_other(
    void **state)
{
    struct tokens_stats s;
    const struct sv ab_c[] = { SV("ab"), SV("c") };
    const struct sv a_bc[] = { SV("a"), SV("bc") };
    struct token_record r[5];
    for (unsigned i = 0; i < 5; i++)
        r[i] = record_of(i, tokens_slot_take(*state), 1);
    r[0].tags = ab_c, r[0].tags_n = 2;
    r[1].tags = a_bc, r[1].tags_n = 2;
    r[2].owner = SV("abc");
    r[3].metadata = SV("abc");
    r[4].has_allow = true; /* an empty list refuses everybody */
    for (unsigned i = 0; i < 5; i++)
        assert_int_equal(tokens_put(*state, &r[i]), 0);
    tokens_stats(*state, &s);
    assert_int_equal(s.cold_blocks, 5);
}

static char big[17000];

static int read_metadata(struct tokens *t, const struct token_record *r,
                         uint32_t tag, char *out, size_t *n)
{
    return tokens_metadata_read(t, r->slot, tag, out, sizeof big, n);
}

static void large_metadata_lies_in_the_file_and_comes_back(void **state)
{
    static char out[sizeof big];
    struct token_view v;
    struct tokens_stats s;
    size_t n;
    for (size_t i = 0; i < sizeof big; i++) big[i] = (char)('a' + i % 26);
    static const size_t sizes[] = { 256, 257, 512, 513, 4096, 16384 };
    struct token_record r[6];
    for (unsigned round = 0; round < 3; round++) {
        for (unsigned i = 0; i < 6; i++) {
            if (!round) r[i] = record_of(i, tokens_slot_take(*state), 1);
            r[i].metadata = sv_of(big + round, sizes[(i + round) % 6]);
            assert_int_equal(tokens_put(*state, &r[i]), 0);
        }
        epoch_reclaim(); /* extents are used again */
        for (unsigned i = 0; i < 6; i++) {
            size_t want = sizes[(i + round) % 6];
            assert_true(finds(*state, i, 1, &v));
            assert_int_equal(v.cold->metadata_in_file, want > 256);
            assert_int_equal(v.cold->metadata.n, want > 256 ? 0 : want);
            assert_int_equal(read_metadata(*state, &r[i], i, out, &n), 0);
            assert_int_equal(n, want);
            assert_memory_equal(out, big + round, n);
        }
    }
    struct token_record twin = record_of(9, tokens_slot_take(*state), 1);
    twin.metadata = r[0].metadata;
    assert_int_equal(tokens_put(*state, &twin), 0);
    tokens_stats(*state, &s);
    assert_int_equal(s.cold_blocks, 6);
    assert_int_equal(read_metadata(*state, &r[1], 99, out, &n), ERR_NOTFOUND);
    assert_int_equal(tokens_metadata_read(*state, r[1].slot, 1, out, 8, &n),
                     ERR_TOOBIG);
    twin.metadata = sv_of(big, sizeof big);
    assert_int_equal(tokens_put(*state, &twin), ERR_TOOBIG);
}

/* --- rotation --------------------------------------------------------- */
static void the_old_secret_lives_through_its_grace_and_not_longer(void **state)
{
    struct token_view v;
    uint8_t old[32], new[32];
    struct token_record r = put_new(*state, 1, 4);
    uint32_t alias = tokens_slot_take(*state);
    digest_of(1, old);
    digest_of(2, new);
    assert_int_equal(tokens_rotate(*state, r.slot, new, alias, NOW + 5000), 0);
    assert_true(tokens_find(*state, 4, new, NOW, &v));
    assert_int_equal(v.state, TOKEN_ENABLED);
    assert_int_equal(v.slot, r.slot);
    assert_true(tokens_find(*state, 4, old, NOW + 4999, &v));
    assert_int_equal(v.state, TOKEN_ENABLED | TOKEN_ALIAS);
    assert_int_equal(v.slot, r.slot);
    assert_int_equal(v.tag, 1);
    assert_true(tokens_find(*state, 4, old, NOW + 5000, &v));
    assert_true(v.state & TOKEN_REVOKED);
    assert_true(tokens_find(*state, 4, new, NOW + 5000, &v));
    assert_false(v.state & TOKEN_REVOKED);
    assert_false(tokens_view(*state, alias, 1, NOW, &v));
    /* the primary's end is the alias's */
    tokens_revoke(*state, r.slot);
    assert_true(tokens_find(*state, 4, old, NOW, &v));
    assert_true(v.state & TOKEN_REVOKED);
    tokens_remove(*state, alias);
    assert_false(tokens_find(*state, 4, old, NOW, &v));
    assert_true(tokens_find(*state, 4, new, NOW, &v));
}

static void without_grace_the_old_secret_is_known_as_revoked(void **state)
{
    struct token_view v;
    uint8_t new[32];
    struct token_record r = put_new(*state, 1, 4);
    digest_of(2, new);
    assert_int_equal(
        tokens_rotate(*state, r.slot, new, tokens_slot_take(*state), 0), 0);
    assert_true(finds(*state, 1, 4, &v));
    assert_true(v.state & TOKEN_REVOKED);
    digest_of(3, new);
    assert_int_equal(tokens_rotate(*state, r.slot, new, UINT32_MAX, 0), 0);
    assert_false(finds(*state, 2, 4, &v));
    assert_true(finds(*state, 3, 4, &v));
}

static void a_second_rotation_ends_the_first_grace(void **state)
{
    struct token_view v;
    uint8_t d[32];
    struct token_record r = put_new(*state, 1, 4);
    uint32_t first = tokens_slot_take(*state);
    uint32_t second = tokens_slot_take(*state);
    digest_of(2, d);
    assert_int_equal(tokens_rotate(*state, r.slot, d, first, NOW + 9000), 0);
    digest_of(3, d);
    assert_int_equal(tokens_rotate(*state, r.slot, d, second, NOW + 9000), 0);
    tokens_revoke(*state, first);
    assert_true(finds(*state, 1, 4, &v));
    assert_int_equal(v.state, TOKEN_ENABLED | TOKEN_ALIAS | TOKEN_REVOKED);
    assert_true(finds(*state, 2, 4, &v));
    assert_int_equal(v.state, TOKEN_ENABLED | TOKEN_ALIAS);
    assert_true(finds(*state, 3, 4, &v));
    assert_int_equal(v.state, TOKEN_ENABLED);
}

static void a_rotation_to_a_known_secret_is_refused_and_changes_nothing(
    void **state)
{
    struct token_view v;
    struct token_record a = put_new(*state, 1, 4), b = put_new(*state, 2, 4);
    assert_int_equal(tokens_rotate(*state, a.slot, b.digest,
                                   tokens_slot_take(*state), NOW + 1),
                     ERR_EXISTS);
    assert_true(finds(*state, 1, 4, &v));
    assert_int_equal(v.state, TOKEN_ENABLED);
}

static uint32_t versions(const struct tokens *t)
{
    uint32_t sum = 0;
    for (int i = 0; i < SHARDS; i++)
        sum += atomic_load(&t->index.shard[i].version);
    return sum;
}

/* The race itself is too narrow to be met by chance. */
static void a_rotation_tells_readers_that_missed_to_look_again(void **state)
{
    uint8_t d[32];
    struct token_record r = put_new(*state, 1, 4);
    uint32_t before = versions(*state);
    digest_of(2, d);
    assert_int_equal(
        tokens_rotate(*state, r.slot, d, tokens_slot_take(*state), NOW), 0);
    assert_int_equal(versions(*state), before + 1);
}

static void an_alias_is_loaded_after_its_primary(void **state)
{
    struct token_view v;
    uint8_t old[32];
    struct token_record r = record_of(1, 5, 4);
    assert_int_equal(tokens_load(*state, &r), 0);
    digest_of(7, old);
    assert_int_equal(tokens_alias_load(*state, 2, 4, old, 5, NOW + 1000), 0);
    assert_true(tokens_find(*state, 4, old, NOW, &v));
    assert_int_equal(v.slot, 5);
    assert_true(tokens_find(*state, 4, old, NOW + 1000, &v));
    assert_true(v.state & TOKEN_REVOKED);
    assert_int_equal(tokens_alias_load(*state, 3, 4, r.digest, 5, NOW),
                     ERR_EXISTS);
}

/* --- hostile digests -------------------------------------------------- */
static uint32_t longest_probe(const struct tokens *t)
{
    uint32_t longest = 0;
    for (int s = 0; s < SHARDS; s++) {
        struct index_table x = index_table_of(&t->index.shard[s]);
        for (uint32_t i = 0, run = 0; i < x.n; i++) {
            run = atomic_load(&x.e[i]) ? run + 1 : 0;
            if (run > longest) longest = run;
        }
    }
    return longest;
}

static void import_equal_bytes(struct tokens *t, unsigned from, unsigned to)
{
    struct token_view v;
    for (uint32_t i = 0; i < 10000; i++) {
        struct token_record r = record_of(i, tokens_slot_take(t), 1);
        memset(r.digest, 0xAB, 16);
        for (unsigned k = from; k < to && k < from + 4; k++)
            r.digest[k] = (uint8_t)(i >> 8 * (k - from));
        assert_int_equal(tokens_put(t, &r), 0);
        assert_true(tokens_find(t, 1, r.digest, NOW, &v));
        assert_int_equal(v.slot, r.slot);
    }
    /* as with random digests: no shard is crowded, no run is long */
    assert_true(longest_probe(t) < 200);
}

static void imported_hashes_of_equal_leading_bits_spread(void **state)
{
    import_equal_bytes(*state, 8, 16); /* the first 64 bits are equal */
}

static void imported_hashes_of_equal_bits_but_sixteen_spread(void **state)
{
    import_equal_bytes(*state, 14, 16);
}

static void imported_hashes_that_differ_at_the_front_only_spread(void **state)
{
    import_equal_bytes(*state, 0, 4);
}

/* --- with counters ---------------------------------------------------- */
static void slots_and_columns_are_reserved_in_the_counters(void **state)
{
    (void)state;
    struct scratch d;
    struct counters *c;
    struct tokens *t;
    char problem[256];
    scratch_make(&d);
    struct counters_conf cc = { .dir = d.path };
    assert_int_equal(counters_open(&c, &cc, problem), 0);
    struct tokens_conf conf = { .max = 1000, .counters = c };
    assert_int_equal(tokens_new(&t, &conf), 0);
    struct policy two = { .has_limits = true,
                          .limits_n = 2,
                          .limits = { { .limit = 1, .window_s = 1 },
                                      { .limit = 5, .window_s = 60 } } };
    struct token_record r = record_of(1, tokens_slot_take(t), 1);
    r.own = &two;
    assert_int_equal(tokens_put(t, &r), 0);
    assert_int_equal(counters_slot_init(c, r.slot, 1), 0);
    struct take_answer a;
    struct take_ask ask = { .slot = r.slot,
                            .tag = 1,
                            .now_ms = NOW,
                            .quota_slot = UINT32_MAX,
                            .cost = 1,
                            .terms = policy_terms(NULL, &two) };
    assert_int_equal(counters_take(c, &ask, &a), TAKE_TAKEN);
    tokens_free(&t);
    counters_close(&c);
    scratch_remove(&d);
}

/* --- growth under readers --------------------------------------------- */
enum { KNOWN = 500, GROWN = 20000 };

struct crowd {
    struct tokens *t;
    _Atomic bool stop;
    _Atomic uint32_t known, failed, looks;
};

static void *reader_main(void *arg)
{
    struct crowd *c = arg;
    struct epoch_reader reader;
    struct rand_fast rnd = { 42 };
    epoch_join(&reader);
    epoch_wake(&reader);
    while (!atomic_load(&c->stop)) {
        for (int i = 0; i < 64; i++) {
            uint32_t known = atomic_load(&c->known);
            uint64_t n = rand_fast_next(&rnd) % known;
            struct token_view v;
            if (!finds(c->t, n, 3, &v) || v.tag != (uint32_t)n ||
                (v.own && v.own->quota < 10) ||
                (v.cold && !sv_starts(v.cold->owner, SV("owner"))) ||
                finds(c->t, n + (1 << 30), 3, &v))
                atomic_fetch_add(&c->failed, 1);
        }
        atomic_fetch_add(&c->looks, 64);
        epoch_turn(&reader);
    }
    epoch_sleep(&reader);
    epoch_leave(&reader);
    return NULL;
}

static void readers_find_every_token_while_shards_grow_and_records_change(
    void **state)
{
    struct crowd c = { .t = *state };
    pthread_t reader[2];
    struct token_record r;
    for (uint32_t i = 0; i < KNOWN; i++) put_new(*state, i, 3);
    atomic_store(&c.known, KNOWN);
    for (int i = 0; i < 2; i++)
        pthread_create(&reader[i], NULL, reader_main, &c);
    for (uint32_t i = KNOWN; i < GROWN; i++) {
        put_new(*state, i, 3);
        atomic_store(&c.known, i + 1);
        struct policy p = quota_policy(10 + i % 3);
        r = record_of(i % KNOWN, i % KNOWN, 3); /* slots rise from 0 */
        r.own = i % 2 ? &p : NULL;
        r.owner = i % 5 ? SV("owner a") : SV("owner b");
        assert_int_equal(tokens_put(*state, &r), 0);
        if (i % 64 == 0) epoch_reclaim();
    }
    while (atomic_load(&c.looks) < 1000) {}
    atomic_store(&c.stop, true);
    for (int i = 0; i < 2; i++) pthread_join(reader[i], NULL);
    assert_int_equal(atomic_load(&c.failed), 0);
}

struct rotating {
    struct tokens *t;
    _Atomic bool stop;
    _Atomic uint64_t now; /* number of the newest secret that must work */
    _Atomic uint32_t failed, looks;
};

static void *old_secret_main(void *arg)
{
    struct rotating *c = arg;
    struct epoch_reader reader;
    epoch_join(&reader);
    epoch_wake(&reader);
    while (!atomic_load(&c->stop)) {
        struct token_view v;
        uint64_t n = atomic_load(&c->now);
        bool found = finds(c->t, n, 1, &v);
        /* still the newest or its grace: it must have worked */
        if (atomic_load(&c->now) <= n + 1 &&
            (!found || v.state & TOKEN_REVOKED || v.tag != 1))
            atomic_fetch_add(&c->failed, 1);
        atomic_fetch_add(&c->looks, 1);
        epoch_turn(&reader);
    }
    epoch_sleep(&reader);
    epoch_leave(&reader);
    return NULL;
}

static void rotation_never_lets_a_good_secret_fail(void **state)
{
    struct rotating c = { .t = *state };
    pthread_t reader[2];
    struct token_record r = record_of(1, tokens_slot_take(*state), 1);
    digest_of(0, r.digest);
    assert_int_equal(tokens_put(*state, &r), 0);
    for (int i = 0; i < 2; i++)
        pthread_create(&reader[i], NULL, old_secret_main, &c);
    uint32_t alias[2] = { tokens_slot_take(*state), UINT32_MAX };
    while (atomic_load(&c.looks) < 100) {}
    for (uint64_t n = 1; n < 3000; n++) {
        uint8_t d[32];
        digest_of(n, d);
        assert_int_equal(tokens_rotate(*state, r.slot, d, alias[0], NOW + 1000),
                         0);
        atomic_store(&c.now, n);
        if (alias[1] != UINT32_MAX) { /* the grace before ends */
            tokens_remove(*state, alias[1]);
            tokens_slot_give(*state, alias[1]);
        }
        alias[1] = alias[0];
        if (n % 16 == 0) epoch_reclaim();
        alias[0] = tokens_slot_take(*state);
    }
    atomic_store(&c.stop, true);
    for (int i = 0; i < 2; i++) pthread_join(reader[i], NULL);
    assert_int_equal(atomic_load(&c.failed), 0);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(a_token_is_found_in_its_application_only),
        T(one_digest_may_live_in_two_applications_not_twice_in_one),
        T(a_digest_that_differs_in_one_bit_of_its_first_half_is_unknown),
        T(a_revoked_token_is_still_known_until_it_is_removed),
        T(a_slot_with_another_owner_is_not_viewed_by_the_old_tag),
        T(a_given_slot_waits_for_readers_of_this_turn),
        T(slots_that_the_store_names_leave_gaps_that_are_used_first),
        T(equal_policies_are_kept_once_and_go_with_their_last_token),
        T(a_replaced_policy_stays_readable_until_the_turn_ends),
        T(a_token_moves_no_digest_by_put),
        T(the_cold_part_is_rendered_and_shared),
        T(parts_that_run_together_are_not_mistaken_for_each_other),
        T(large_metadata_lies_in_the_file_and_comes_back),
        T(the_old_secret_lives_through_its_grace_and_not_longer),
        T(without_grace_the_old_secret_is_known_as_revoked),
        T(a_second_rotation_ends_the_first_grace),
        T(a_rotation_to_a_known_secret_is_refused_and_changes_nothing),
        T(a_rotation_tells_readers_that_missed_to_look_again),
        T(an_alias_is_loaded_after_its_primary),
        T(imported_hashes_of_equal_leading_bits_spread),
        T(imported_hashes_of_equal_bits_but_sixteen_spread),
        T(imported_hashes_that_differ_at_the_front_only_spread),
        cmocka_unit_test(slots_and_columns_are_reserved_in_the_counters),
        T(readers_find_every_token_while_shards_grow_and_records_change),
        T(rotation_never_lets_a_good_secret_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
