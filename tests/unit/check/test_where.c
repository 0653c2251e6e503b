/* Where an exchange's client is: one look-up an exchange, whatever changes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <unistd.h>

#include "base/epoch.h"
#include "base/ensure.h"
#include "check/where.h"
#include "mmdb_writer.h"

struct world {
    struct place_root root;
    struct check_env env;
    struct exchange x;
};

static struct place_data *data_of(const char *network, const char *country)
{
    char path[64];
    const char *paths[] = { path };
    struct mmdb_writer w;
    struct buf bytes;
    struct place_data *data;
    struct place_why why;
    mmdb_init(&w, MMDB_FLAT, 24, false);
    mmdb_add(&w, network,
             &(struct mmdb_place){ .country = country, .asn = 64500 });
    buf_init(&bytes, 1 << 20);
    mmdb_encode(&w, &bytes);
    mmdb_file(&bytes, path);
    assert_int_equal(place_data_open(paths, 1, &data, &why), 0);
    unlink(path);
    buf_fini(&bytes);
    mmdb_fini(&w);
    return data;
}

static void world_begin(struct world *w, struct place_data *data,
                        const char *client)
{
    memset(w, 0, sizeof *w);
    place_root_swap(&w->root, data);
    w->env.places = &w->root;
    w->env.place_lanes = place_lanes_new(1);
    w->x.env = &w->env;
    w->x.has_client = client && !ip_parse(sv_cstr(client), &w->x.client);
}

static void world_end(struct world *w)
{
    place_lanes_free(&w->env.place_lanes, 1);
    place_root_swap(&w->root, NULL);
    while (epoch_reclaim())
        ;
}

static const struct row {
    const char *says, *client;
    bool data;
    const char *country;
    unsigned lookups, blind;
} rows[] = {
    { "an address in the data", "192.0.2.7", true, "DE", 1, 0 },
    { "an address that the data do not have", "198.51.100.1", true, "", 1, 0 },
    { "no address", NULL, true, "", 0, 0 },
    { "no data", "192.0.2.7", false, "", 1, 1 },
    { "neither data nor address", NULL, false, "", 0, 0 },
};

static void a_client_is_where_the_data_have_its_address(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const struct row *row = &rows[i];
        struct world w;
        print_message("# %s\n", row->says);
        world_begin(&w, row->data ? data_of("192.0.2.0/24", "DE") : NULL,
                    row->client);
        assert_int_equal(check_places(&w.x), row->data);
        for (int again = 0; again < 2; again++) {
            struct sv country = check_country(&w.x);
            assert_true(sv_eq(country, sv_cstr(row->country)));
            assert_int_equal(check_place(&w.x) != NULL, country.n > 0);
        }
        assert_int_equal(w.env.place_lanes->lookups, row->lookups);
        assert_int_equal(w.env.place_lanes->blind, row->blind);
        world_end(&w);
    }
}

static void an_exchange_keeps_its_place_when_the_edition_changes(void **state)
{
    struct world w;
    (void)state;
    world_begin(&w, data_of("192.0.2.0/24", "DE"), "192.0.2.7");
    assert_int_equal(check_place(&w.x)->asn, 64500);
    place_root_swap(&w.root, data_of("192.0.2.0/24", "FR"));
    while (epoch_reclaim())
        ;
    assert_true(sv_eq(check_country(&w.x), SV("DE")));
    struct exchange next = { .env = &w.env, .has_client = true };
    next.client = w.x.client;
    assert_true(sv_eq(check_country(&next), SV("FR")));
    world_end(&w);
}

static void without_a_root_nobody_knows(void **state)
{
    struct check_env env = { .places = NULL };
    struct exchange x = { .env = &env, .has_client = true };
    (void)state;
    assert_false(check_places(&x));
    assert_null(check_place(&x));
    assert_int_equal(check_country(&x).n, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_client_is_where_the_data_have_its_address),
        cmocka_unit_test(an_exchange_keeps_its_place_when_the_edition_changes),
        cmocka_unit_test(without_a_root_nobody_knows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
