/* Areas, geoblock and lists of networks of a security profile: what is
 * accepted, what is made of it, whom it refuses. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/ensure.h"
#include "base/err.h"
#include "detect/area.h"

#define TEST(f) cmocka_unit_test(f)

static struct arena a;

static uint16_t country(const char *code)
{
    return country_of_code(sv_cstr(code));
}

static void areas_are_those_of_the_published_api(void **state)
{
    (void)state;
    static const struct {
        const char *area, *in, *out; /* in NULL: refused */
    } rows[] = {
        { "US", "US", "GB" },    { "IN", "IN", "US" },
        { "AU", "AU", "NZ" },    { "EU", "DE", "GB" },
        { "EU", "FR", "CH" },    { "EU", "IE", "NO" },
        { "eu", "HR", "UA" },    { "US,EU", "US", "CA" },
        { "US,EU", "IT", "RU" }, { "US, EU", "IT", "RU" },
        { "GE", "DE", "GE" }, /* printed as Germany */
        { "DE", "DE", "GE" },    { "DEU", "DE", "GE" },
        { "GEO", "GE", "DE" },   { "gb", "GB", "UA" },
        { "GBR", "GB", "UA" },   { "XK", "XK", "RS" },
        { "BQ", "BQ", "NL" },    { .area = "" },
        { .area = "UK" },        { .area = "ZZ" },
        { .area = "Germany" },   { .area = "US," },
        { .area = ",US" },       { .area = "US;EU" },
        { .area = "EUR" },       { .area = "U" },
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct area_set set = { 0 }, none = { 0 };
        int rc = area_set_add(&set, sv_cstr(rows[i].area));
        if (rc != (rows[i].in ? 0 : ERR_INVALID)) fail_msg("%s", rows[i].area);
        if (!rows[i].in) {
            assert_memory_equal(&set, &none, sizeof set);
            continue;
        }
        if (!area_set_has(&set, country(rows[i].in)) ||
            area_set_has(&set, country(rows[i].out)))
            fail_msg("%s", rows[i].area);
        assert_false(area_set_has(&set, 0));
    }
}

static void countries_are_those_of_iso_3166(void **state)
{
    (void)state;
    int countries = 0, members = 0;
    for (uint16_t c = 1; c <= COUNTRY_MAX; c++) {
        char text[3];
        const struct country_row *row = country_find(c);
        country_text(c, text);
        assert_int_equal(country(text), c);
        if (!row) continue;
        assert_string_equal(row->code, text);
        assert_non_null(strstr("AF AN AS EU NA OC SA", row->continent));
        if (row->in_eu) assert_string_not_equal(row->continent, "NA");
        countries++;
        members += row->in_eu;
    }
    assert_int_equal(countries, 249 + 1);
    assert_int_equal(members, 27);
    assert_int_equal(country("u"), 0);
    assert_int_equal(country("U1"), 0);
    assert_int_equal(country("us"), country("US"));
    assert_null(country_find(0));
}

/* --- through a field table, as the profile's own will hold them ------------------- */

static const struct shape_field fields[] = {
    { .name = "geoblock",
      .types = SHAPE_OBJECT,
      .fields = geoblock_fields,
      .check = geoblock_check },
    { .name = "ip", .types = SHAPE_OBJECT, .fields = ip_lists_fields },
    { 0 },
};
static const struct shape shape = { .name = "Test", .fields = fields };

static yyjson_val *parsed(struct sv text)
{
    yyjson_doc *doc;
    assert_int_equal(json_decode(text, &a, &doc, NULL), 0);
    return yyjson_doc_get_root(doc);
}

/* The canonical text, or NULL and the refused field. */
static const yyjson_val *create(const char *text, struct shape_problem *why)
{
    struct shape_env env = { .arena = &a, .role = ROLE_ADMIN };
    yyjson_mut_doc *doc;
    *why = (struct shape_problem){ 0 };
    if (shape_create(&shape, &env, parsed(sv_cstr(text)), &doc, why))
        return NULL;
    return parsed(json_encode(&a, yyjson_mut_doc_get_root(doc)));
}

static void geoblock_refuses_whom_its_list_says(void **state)
{
    (void)state;
    static const struct {
        const char *text, *country;
        enum area_verdict verdict;
    } rows[] = {
        { "{}", "RU", AREA_PASSES },
        { "{\"geoblock\":null}", "", AREA_PASSES },
        { "{\"geoblock\":{\"allow\":[\"US\",\"EU\"]}}", "US", AREA_PASSES },
        { "{\"geoblock\":{\"allow\":[\"US\",\"EU\"]}}", "DE", AREA_PASSES },
        { "{\"geoblock\":{\"allow\":[\"US,EU\"]}}", "DE", AREA_PASSES },
        { "{\"geoblock\":{\"allow\":[\"US\",\"EU\"]}}", "GB", AREA_REFUSED },
        { "{\"geoblock\":{\"allow\":[\"US\"]}}", "", AREA_REFUSED_UNKNOWN },
        { "{\"geoblock\":{\"allow\":[\"US\"],\"unknown\":\"allow\"}}", "",
          AREA_PASSES },
        { "{\"geoblock\":{\"deny\":[\"IN\"]}}", "IN", AREA_REFUSED },
        { "{\"geoblock\":{\"deny\":[\"IN\"]}}", "US", AREA_PASSES },
        { "{\"geoblock\":{\"deny\":[\"IN\"]}}", "", AREA_PASSES },
        { "{\"geoblock\":{\"deny\":[\"IN\"],\"unknown\":\"block\"}}", "",
          AREA_REFUSED_UNKNOWN },
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct shape_problem why;
        struct geoblock g;
        const yyjson_val *v = create(rows[i].text, &why);
        assert_non_null(v);
        assert_int_equal(geoblock_decode(json_find(v, "geoblock"), &g), 0);
        if (area_judge(&g, country(rows[i].country)) != rows[i].verdict)
            fail_msg("%s: %s", rows[i].text, rows[i].country);
    }
}

static void what_is_wrong_is_named_with_its_place(void **state)
{
    (void)state;
    static const struct {
        const char *text, *field;
    } rows[] = {
        { "{\"geoblock\":{}}", "geoblock" },
        { "{\"geoblock\":{\"allow\":[\"US\"],\"deny\":[\"IN\"]}}", "geoblock" },
        { "{\"geoblock\":{\"allow\":[]}}", "geoblock.allow" },
        { "{\"geoblock\":{\"allow\":[\"US\",\"Mars\"]}}", "geoblock.allow[1]" },
        { "{\"geoblock\":{\"deny\":[\"IN\"],\"unknown\":\"log\"}}",
          "geoblock.unknown" },
        { "{\"geoblock\":{\"areas\":[\"IN\"]}}", "geoblock.areas" },
        { "{\"ip\":{\"deny\":[\"::1\",\"10.0.0.1/8\"]}}", "ip.deny[1]" },
        { "{\"ip\":{\"allow\":[\"1.2.3\"]}}", "ip.allow[0]" },
        { "{\"ip\":{\"allow\":[7]}}", "ip.allow[0]" },
        { "{\"ip\":{\"other\":\"deny\"}}", "ip.other" },
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct shape_problem why;
        if (create(rows[i].text, &why)) fail_msg("%s", rows[i].text);
        assert_string_equal(why.field, rows[i].field);
    }
}

static void addresses_in_neither_list_pass_unless_only_some_are_allowed(
    void **state)
{
    (void)state;
    static const struct {
        const char *text;
        uint32_t allow_n, deny_n;
        bool other_blocks;
    } rows[] = {
        { "{}", 0, 0, false },
        { "{\"ip\":{}}", 0, 0, false },
        { "{\"ip\":{\"allow\":[\"10.0.0.0/8\",\"::1\"]}}", 2, 0, true },
        { "{\"ip\":{\"deny\":[\"10.0.0.0/8\"]}}", 0, 1, false },
        { "{\"ip\":{\"allow\":[\"10.1.0.0/16\"],\"deny\":[\"10.0.0.0/8\"]}}", 1,
          1, false },
        { "{\"ip\":{\"allow\":[\"10.1.0.0/16\"],\"deny\":[\"10.0.0.0/8\"],"
          "\"other\":\"block\"}}",
          1, 1, true },
        { "{\"ip\":{\"allow\":[\"10.0.0.0/8\"],\"other\":\"allow\"}}", 1, 0,
          false },
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct shape_problem why;
        struct ip_lists l;
        const yyjson_val *v = create(rows[i].text, &why);
        assert_non_null(v);
        assert_int_equal(ip_lists_decode(json_find(v, "ip"), &a, &l), 0);
        assert_int_equal(l.allow_n, rows[i].allow_n);
        assert_int_equal(l.deny_n, rows[i].deny_n);
        assert_int_equal(l.other_blocks, rows[i].other_blocks);
    }
}

static void stored_values_that_cannot_be_are_corrupt(void **state)
{
    (void)state;
    static const char *const geoblocks[] = {
        "{}",
        "{\"allow\":7}",
        "{\"allow\":[\"Mars\"]}",
        "{\"deny\":[1]}",
        "{\"deny\":[\"US\"],\"unknown\":\"maybe\"}",
    };
    static const char *const lists[] = {
        "{\"allow\":[\"x\"]}",
        "{\"deny\":[1]}",
        "{\"other\":1}",
    };
    struct geoblock g;
    struct ip_lists l;
    for (size_t i = 0; i < ARRAY_LEN(geoblocks); i++)
        assert_int_equal(geoblock_decode(parsed(sv_cstr(geoblocks[i])), &g),
                         ERR_CORRUPT);
    for (size_t i = 0; i < ARRAY_LEN(lists); i++)
        assert_int_equal(ip_lists_decode(parsed(sv_cstr(lists[i])), &a, &l),
                         ERR_CORRUPT);
}

static int set_up(void **state)
{
    (void)state;
    arena_init(&a, 1 << 24, NULL, 0);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    arena_fini(&a);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(areas_are_those_of_the_published_api),
        TEST(countries_are_those_of_iso_3166),
        TEST(geoblock_refuses_whom_its_list_says),
        TEST(what_is_wrong_is_named_with_its_place),
        TEST(addresses_in_neither_list_pass_unless_only_some_are_allowed),
        TEST(stored_values_that_cannot_be_are_corrupt),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
