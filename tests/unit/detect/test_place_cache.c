/* What a reader asked last: never another answer than the data's, and what was
 * asked is not asked again, for as many addresses as the data answer alike. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "detect/place.h"
#include "mmdb_writer.h"

static const struct mmdb_place
    london = { "GB", true, 51.5, -0.12, 20, 5089, 0 },
    berlin = { "DE", true, 52.52, 13.4, 30, 3320, 1 },
    paris = { "FR", true, 48.9, 2.35, 20, 3215, 0 };

static struct place_cache *cache;

static int set_up(void **state)
{
    (void)state;
    return place_cache_new(&cache);
}

static int tear_down(void **state)
{
    (void)state;
    place_cache_free(&cache);
    return cache != NULL;
}

static struct ip ip_of(const char *text)
{
    struct ip ip;
    assert_int_equal(ip_parse(sv_cstr(text), &ip), 0);
    return ip;
}

/* The file's bytes, every network at the same place. */
static struct buf bytes_of(const struct mmdb_place *place)
{
    static const char *const networks[] = {
        "9.0.0.0/8",     "81.2.0.0/16",       "81.2.69.0/24",
        "81.2.70.0/25",  "81.2.70.128/27",    "81.2.70.200/32",
        "2001:db8::/32", "2001:db8:1:2::/64", "2001:db8:1:2:8000::/65",
    };
    struct mmdb_writer w;
    struct buf out;
    mmdb_init(&w, MMDB_NESTED, 28, true);
    for (size_t i = 0; i < sizeof networks / sizeof *networks; i++)
        mmdb_add(&w, networks[i], place);
    buf_init(&out, 1 << 20);
    mmdb_encode(&w, &out);
    mmdb_fini(&w);
    return out;
}

static struct place_data *data_of(const struct buf *bytes, int *fd)
{
    char path[64];
    const char *paths[] = { path };
    struct place_data *data;
    struct place_why why;
    mmdb_file(bytes, path);
    assert_int_equal(place_data_open(paths, 1, &data, &why), 0);
    if (fd) assert_true((*fd = open(path, O_WRONLY | O_CLOEXEC)) >= 0);
    unlink(path);
    return data;
}

static struct place_data *data_at(const struct mmdb_place *place)
{
    struct buf bytes = bytes_of(place);
    struct place_data *data = data_of(&bytes, NULL);
    buf_fini(&bytes);
    return data;
}

static bool says(const struct place_data *data, const char *address,
                 const char *code)
{
    struct place p;
    struct ip ip = ip_of(address);
    assert_true(place_cache_find(cache, data, &ip, &p));
    return p.country == country_of_code(sv_cstr(code));
}

static const struct {
    const char *asked, *beside;
    bool shared; /* what was learned of one is said of the other */
} neighbours[] = {
    { "9.1.2.3", "9.1.2.200", true },
    { "9.1.2.3", "9.1.3.3", false }, /* of another /24 */
    { "81.2.69.1", "81.2.69.254", true },
    { "81.2.70.1", "81.2.70.1", true }, /* narrower: the address alone */
    { "81.2.70.1", "81.2.70.2", false },
    { "81.2.70.129", "81.2.70.130", false },
    { "2001:db8::1", "2001:db8::2", true },
    { "2001:db8::1", "2001:db8:0:1::1", false },
    { "2001:db8:1:2::1", "2001:db8:1:2::1", false }, /* narrower than a /64 */
};

/* Nobody writes into a file that is open; here that shows who is asked. */
static void what_was_asked_is_not_asked_again(void **state)
{
    (void)state;
    struct buf before = bytes_of(&london), after = bytes_of(&paris);
    assert_int_equal(before.n, after.n);
    for (size_t i = 0; i < sizeof neighbours / sizeof *neighbours; i++) {
        int fd;
        struct place_data *data = data_of(&before, &fd);
        assert_true(says(data, neighbours[i].asked, "GB"));
        assert_int_equal(pwrite(fd, after.p, after.n, 0), after.n);
        if (says(data, neighbours[i].beside, "FR") == neighbours[i].shared)
            fail_msg("%s after %s", neighbours[i].beside, neighbours[i].asked);
        close(fd);
        place_data_free(&data);
    }
    buf_fini(&before);
    buf_fini(&after);
}

static void another_edition_is_not_answered_for(void **state)
{
    (void)state;
    struct place p;
    struct ip ip = ip_of("81.2.70.200");
    struct place_data *first = data_at(&london), *second = data_at(&berlin);
    for (int i = 0; i < 3; i++) {
        assert_true(says(first, "81.2.70.200", "GB"));
        assert_true(says(second, "81.2.70.200", "DE"));
    }
    assert_false(place_cache_find(cache, NULL, &ip, &p));
    assert_int_equal(p.country, 0);
    place_data_free(&first);
    place_data_free(&second);
}

/* An address of few networks, so that most are asked again; some are in no
 * network, IPv4 ones also at the edge of IPv6. */
static struct ip some_ip(uint64_t *seed)
{
    static const char *const around[] = {
        "9.0.0.0",        "81.2.69.0",  "81.2.70.0", "81.3.0.0",  "2001:db8::",
        "2001:db8:1:2::", "2001:db9::", "::",        "::fffe:0:0"
    };
    *seed = *seed * 6364136223846793005u + 1442695040888963407u;
    uint64_t r = *seed >> 24;
    struct ip ip = ip_of(around[r % (sizeof around / sizeof *around)]);
    ip.b[15] = (uint8_t)(r >> 8);
    if (r >> 16 & 1) ip.b[13] ^= (uint8_t)(r >> 17 & 3);
    if (!ip_is_v4(&ip) && r >> 20 & 1) ip.b[8] ^= 128;
    return ip;
}

static void it_says_what_the_data_say(void **state)
{
    (void)state;
    struct place_data *data = data_at(&berlin);
    uint64_t seed = 20261129;
    unsigned known = 0;
    for (int i = 0; i < 50000; i++) {
        struct place cached, asked;
        struct ip ip = some_ip(&seed);
        bool knows = place_cache_find(cache, data, &ip, &cached);
        assert_int_equal(knows, place_data_find(data, &ip, &asked));
        assert_int_equal(cached.country, asked.country);
        assert_int_equal(cached.radius_km, asked.radius_km);
        assert_int_equal(cached.asn, asked.asn);
        assert_true(cached.latitude == asked.latitude &&
                    cached.longitude == asked.longitude);
        assert_int_equal(cached.has_point, asked.has_point);
        assert_int_equal(cached.anycast, asked.anycast);
        known += knows;
    }
    assert_in_range(known, 10000, 40000);
    place_data_free(&data);
}

/* More networks than there is room for. */
static void it_is_bounded(void **state)
{
    (void)state;
    struct place_data *data = data_at(&london);
    struct ip ip = ip_of("9.0.0.1");
    struct place p;
    for (int round = 0; round < 2; round++)
        for (unsigned i = 0; i < 1 << 18; i++) {
            ip.b[12] = 9 + (uint8_t)(i >> 16);
            ip.b[13] = (uint8_t)(i >> 8);
            ip.b[14] = (uint8_t)i;
            assert_int_equal(place_cache_find(cache, data, &ip, &p),
                             ip.b[12] == 9);
        }
    place_data_free(&data);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        T(what_was_asked_is_not_asked_again),
        T(another_edition_is_not_answered_for),
        T(it_says_what_the_data_say),
        T(it_is_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
