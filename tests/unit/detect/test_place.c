/* Places of addresses, from files that the test writes in both layouts, and
 * from files that somebody damaged. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/ensure.h"
#include "base/epoch.h"
#include "base/err.h"
#include "detect/place.h"
#include "mmdb_writer.h"

#define TEST(f) cmocka_unit_test(f)

enum { FILE_MAX = 64 << 20 };

static const struct mmdb_place
    london = { "GB", true, 51.5, -0.12, 20, 5089, 0 },
    berlin = { "DE", true, 52.52, 13.4, 0, 3320, 0 },
    cast = { "US", true, 37.75, -97.8, 1000, 13335, 1 },
    nowhere = { "FR", false, 0, 0, 0, 0, 0 };

static struct ip ip_of(const char *text)
{
    struct ip ip;
    assert_int_equal(ip_parse(sv_cstr(text), &ip), 0);
    return ip;
}

static uint16_t country(const char *code)
{
    return country_of_code(sv_cstr(code));
}

static void fill(struct mmdb_writer *w)
{
    mmdb_add(w, "81.2.0.0/16", &london);
    mmdb_add(w, "81.2.69.0/24", &berlin);
    mmdb_add(w, "1.1.1.1/32", &cast);
    mmdb_add(w, "5.0.0.0/8", &nowhere);
    if (w->v6) mmdb_add(w, "2001:db8::/32", &berlin);
}

/* So many nodes that the first half of an address has a table of its own. */
static void fill_much(struct mmdb_writer *w)
{
    char network[32];
    for (unsigned i = 0; i < 80 * 256; i++) {
        snprintf(network, sizeof network, "100.%u.%u.0/24", i >> 8, i & 255);
        mmdb_add(w, network, i & 1 ? &berlin : &london);
    }
    assert_true(w->nodes_n > 1 << 14);
}

/* What opening these bytes gives, and the data. */
static int open_bytes(const struct buf *bytes, struct place_data **data,
                      struct place_why *why)
{
    char path[64];
    const char *paths[] = { path };
    mmdb_file(bytes, path);
    int rc = place_data_open(paths, 1, data, why);
    unlink(path);
    return rc;
}

static struct place_data *data_of(const struct mmdb_writer *w)
{
    struct buf bytes;
    struct place_data *data;
    struct place_why why;
    buf_init(&bytes, FILE_MAX);
    mmdb_encode(w, &bytes);
    assert_int_equal(open_bytes(&bytes, &data, &why), 0);
    buf_fini(&bytes);
    return data;
}

static struct place found(const struct place_data *data, const char *address)
{
    struct place p;
    struct ip ip = ip_of(address);
    bool known = place_data_find(data, &ip, &p);
    assert_int_equal(known, p.country || p.has_point || p.asn || p.anycast);
    return p;
}

static void both_layouts_in_every_width_say_the_same(void **state)
{
    (void)state;
    for (int i = 0; i < 24; i++) {
        struct mmdb_writer w;
        enum mmdb_layout layout = i & 1 ? MMDB_FLAT : MMDB_NESTED;
        bool v6 = i >> 1 & 1, much = i >= 12;
        mmdb_init(&w, layout, 24 + 4 * (unsigned)(i % 12 >> 2), v6);
        fill(&w);
        if (much) fill_much(&w);
        struct place_data *data = data_of(&w);
        struct place p = found(data, "81.2.3.4");
        assert_int_equal(p.country, country("GB"));
        assert_true(p.has_point);
        assert_float_equal(p.latitude, 51.5, 1e-4);
        assert_float_equal(p.longitude, -0.12, 1e-4);
        assert_int_equal(p.radius_km, 20);
        assert_int_equal(p.asn, 5089);
        assert_false(p.anycast);
        p = found(data, "81.2.69.160");
        assert_int_equal(p.country, country("DE"));
        assert_int_equal(p.radius_km, PLACE_RADIUS_UNKNOWN_KM);
        assert_int_equal(found(data, "1.1.1.1").anycast, layout == MMDB_NESTED);
        assert_int_equal(found(data, "1.1.1.0").country, 0);
        p = found(data, "5.255.255.255");
        assert_int_equal(p.country, country("FR"));
        assert_false(p.has_point);
        assert_int_equal(found(data, "9.9.9.9").country, 0);
        assert_int_equal(found(data, "100.79.254.255").country,
                         much ? country("GB") : 0);
        assert_int_equal(found(data, "100.79.255.0").country,
                         much ? country("DE") : 0);
        assert_int_equal(found(data, "100.80.0.0").country, 0);
        assert_int_equal(found(data, "2001:db8::1").country,
                         v6 ? country("DE") : 0);
        assert_int_equal(found(data, "2001:db9::1").country, 0);
        struct place_about about = place_data_about(data, 0);
        assert_int_equal(about.built_s, 1732392665);
        assert_int_equal(about.nodes, w.nodes_n);
        assert_true(sv_eq(about.type,
                          layout == MMDB_FLAT ? SV("flat") : SV("Test-City")));
        place_data_free(&data);
        mmdb_fini(&w);
    }
}

static void several_files_answer_as_one(void **state)
{
    (void)state;
    static const struct mmdb_place only_as = { .asn = 64500 };
    struct mmdb_writer w[3];
    struct place_data *data;
    struct place_why why;
    char path[3][64];
    const char *paths[3] = { path[0], path[1], path[2] };
    mmdb_init(&w[0], MMDB_FLAT, 28, false);
    mmdb_add(&w[0], "5.0.0.0/8", &nowhere);
    mmdb_add(&w[0], "81.2.0.0/16", &london);
    mmdb_init(&w[1], MMDB_FLAT, 28, true);
    mmdb_add(&w[1], "2001:db8::/32", &berlin);
    mmdb_init(&w[2], MMDB_NESTED, 24, true);
    mmdb_add(&w[2], "5.6.0.0/16", &only_as);
    mmdb_add(&w[2], "81.2.0.0/16", &berlin); /* knows what is known already */
    for (int i = 0; i < 3; i++) {
        struct buf bytes;
        buf_init(&bytes, FILE_MAX);
        mmdb_encode(&w[i], &bytes);
        mmdb_file(&bytes, path[i]);
        buf_fini(&bytes);
        mmdb_fini(&w[i]);
    }
    assert_int_equal(place_data_open(paths, 3, &data, &why), 0);
    assert_int_equal(place_data_files(data), 3);
    struct place p = found(data, "5.6.7.8");
    assert_int_equal(p.country, country("FR"));
    assert_int_equal(p.asn, 64500);
    p = found(data, "81.2.3.4");
    assert_int_equal(p.country, country("GB"));
    assert_int_equal(p.asn, 5089);
    assert_float_equal(p.latitude, 51.5, 1e-4);
    assert_int_equal(found(data, "2001:db8::5").country, country("DE"));
    place_data_free(&data);
    unlink(path[1]);
    assert_int_equal(place_data_open(paths, 3, &data, &why), ERR_NOTFOUND);
    assert_int_equal(why.file, 1);
    assert_null(data);
    unlink(path[0]);
    unlink(path[2]);
    assert_int_equal(place_data_open(paths, PLACE_FILES_MAX + 1, &data, &why),
                     ERR_TOOBIG);
}

static void without_data_nothing_is_known(void **state)
{
    (void)state;
    struct place_data *data;
    struct place_why why;
    assert_int_equal(found(NULL, "81.2.3.4").country, 0);
    assert_int_equal(place_data_open(NULL, 0, &data, &why), 0);
    assert_int_equal(found(data, "81.2.3.4").country, 0);
    place_data_free(&data);
    assert_int_equal(place_data_files(NULL), 0);
}

static void what_is_no_such_file_is_refused(void **state)
{
    (void)state;
    static const char *const texts[] = { "", "x", "\xab\xcd\xefMaxMind.com",
                                         "\xab\xcd\xefMaxMind.com\xe0" };
    struct place_data *data;
    struct place_why why;
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        struct buf bytes;
        buf_init(&bytes, 100);
        buf_puts(&bytes, texts[i]);
        int rc = open_bytes(&bytes, &data, &why);
        assert_true(rc == ERR_CORRUPT || rc == ERR_VERSION);
        assert_null(data);
        buf_fini(&bytes);
    }
    const char *directory[] = { "/tmp" };
    assert_true(place_data_open(directory, 1, &data, &why) < 0);
}

/* --- damage ---------------------------------------------------------------------- */

static void ask_all(const struct place_data *data)
{
    static const char *const addresses[] = {
        "81.2.3.4", "81.2.69.1", "1.1.1.1", "5.5.5.5", "2001:db8::1",
        "0.0.0.0",  "::",        "ffff::1", "9.9.9.9", "255.255.255.255",
    };
    for (size_t i = 0; i < ARRAY_LEN(addresses); i++) found(data, addresses[i]);
}

static void try_bytes(const struct buf *bytes)
{
    struct place_data *data;
    struct place_why why = { 0 };
    if (open_bytes(bytes, &data, &why) == 0)
        ask_all(data);
    else
        assert_non_null(why.reason);
    place_data_free(&data);
}

static void damaged_files_do_no_harm(void **state)
{
    (void)state;
    for (int layout = MMDB_FLAT; layout <= MMDB_NESTED; layout++) {
        struct mmdb_writer w;
        struct buf bytes, cut;
        mmdb_init(&w, (enum mmdb_layout)layout, 24, false);
        mmdb_add(&w, "81.0.0.0/8", &london);
        mmdb_add(&w, "1.0.0.0/8", &cast);
        buf_init(&bytes, FILE_MAX);
        mmdb_encode(&w, &bytes);
        for (size_t n = 0; n < bytes.n; n++) {
            buf_init_fixed(&cut, bytes.p, n);
            cut.n = n;
            try_bytes(&cut);
        }
        for (size_t bit = 0; bit < bytes.n * 8; bit++) {
            bytes.p[bit / 8] ^= (char)(1 << bit % 8);
            try_bytes(&bytes);
            bytes.p[bit / 8] ^= (char)(1 << bit % 8);
        }
        buf_fini(&bytes);
        mmdb_fini(&w);
    }
}

static void hostile_records_cost_little_and_say_nothing(void **state)
{
    (void)state;
    enum { DEEP = 4 << 20 };
    struct mmdb_writer w;
    mmdb_init(&w, MMDB_FLAT, 32, false);
    /* a map in a map in a map … : libmaxminddb 1.7.1 ends on its stack */
    char *deep = malloc(DEEP);
    for (size_t i = 0; i < DEEP; i += 2) deep[i] = '\xe1', deep[i + 1] = 0x40;
    mmdb_add_raw(&w, "1.0.0.0/8", deep, DEEP);
    free(deep);
    static const char *const records[] = {
        "\xfe\xff\xff",         /* a map of 65,820 pairs, all absent */
        "\xff\xff\xff\xff",     /* of 16 million */
        "\x20\x00",             /* a pointer to the first record */
        "\x38\xff\xff\xff\xff", /* a pointer beyond the end */
        "\xe1\x42zz\x20\x00",   /* a member that points to a deep one */
        "\xe1\x4c"
        "country_code\x42"
        "1!", /* no letters */
        "\xe1\x4c"
        "country_code\xa1\x05", /* not a text */
        "\xe2\x48latitude\x43"
        "1e9\x49longitude\x41"
        "1",
        "\xe2\x48latitude\x42"
        "91\x49longitude\x41"
        "1",
        "\xe2\x48latitude\x04\x08\x7f\xc0\0\0\x49longitude\x41"
        "1", /* NaN */
        "\xe1\x43"
        "asn\x42"
        "AS",
        "\xe1\x48location\xe1\x48location\xe1\x48latitude\x41"
        "1",
    };
    for (unsigned i = 0; i < ARRAY_LEN(records); i++) {
        char network[32];
        snprintf(network, sizeof network, "2.%u.0.0/16", i);
        mmdb_add_raw(&w, network, records[i], strlen(records[i]));
    }
    mmdb_add_raw(&w, "2.200.0.0/16",
                 "\xe3\x48latitude\x44-1.5\x49longitude\x02"
                 "\x41"
                 "2\x43"
                 "asn\x46"
                 "AS1234",
                 40);
    struct place_data *data = data_of(&w);
    assert_int_equal(found(data, "1.2.3.4").country, 0);
    for (unsigned i = 0; i < ARRAY_LEN(records); i++) {
        char address[32];
        snprintf(address, sizeof address, "2.%u.0.1", i);
        struct place p = found(data, address);
        if (p.country || p.has_point || p.asn) fail_msg("record %u", i);
    }
    place_data_free(&data);
    mmdb_fini(&w);
}

/* --- editions --------------------------------------------------------------------- */

static struct place_data *edition(const struct mmdb_place *place)
{
    struct mmdb_writer w;
    mmdb_init(&w, MMDB_FLAT, 24, false);
    mmdb_add(&w, "81.0.0.0/8", place);
    struct place_data *data = data_of(&w);
    mmdb_fini(&w);
    return data;
}

static struct place_root root;
static _Atomic bool stop;

static void *read_on(void *out)
{
    struct epoch_reader reader = { 0 };
    struct place_cache *cache;
    struct ip ip = ip_of("81.2.3.4");
    size_t *asked = out;
    epoch_join(&reader);
    ENSURE(place_cache_new(&cache) == 0);
    epoch_wake(&reader);
    do {
        const struct place_data *data = place_root_get(&root);
        struct place p, direct;
        ENSURE(place_cache_find(cache, data, &ip, &p));
        ENSURE(place_data_find(data, &ip, &direct));
        ENSURE(p.country == direct.country && p.asn == direct.asn);
        epoch_turn(&reader);
        ++*asked;
    } while (!atomic_load(&stop));
    epoch_sleep(&reader);
    epoch_leave(&reader);
    place_cache_free(&cache);
    return NULL;
}

static void an_edition_is_swapped_under_its_readers(void **state)
{
    (void)state;
    pthread_t readers[2];
    size_t asked[2] = { 0, 0 };
    place_root_swap(&root, edition(&london));
    for (int i = 0; i < 2; i++)
        pthread_create(&readers[i], NULL, read_on, &asked[i]);
    for (int i = 0; i < 50; i++) {
        place_root_swap(&root, edition(i & 1 ? &london : &berlin));
        epoch_reclaim();
    }
    atomic_store(&stop, true);
    for (int i = 0; i < 2; i++) {
        pthread_join(readers[i], NULL);
        assert_true(asked[i] > 0);
    }
    place_root_swap(&root, NULL);
    assert_null(place_root_get(&root));
    assert_int_equal(epoch_reclaim(), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(both_layouts_in_every_width_say_the_same),
        TEST(several_files_answer_as_one),
        TEST(without_data_nothing_is_known),
        TEST(what_is_no_such_file_is_refused),
        TEST(damaged_files_do_no_harm),
        TEST(hostile_records_cost_little_and_say_nothing),
        TEST(an_edition_is_swapped_under_its_readers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
