/* Formats of numbers and of texts that are not addresses: which are known,
 * and whether a value has one. */
#include "base/ensure.h"
#include "codec/json.h"
#include "codec/pattern_int.h"
#include "codec/schema_format_int.h"

/* --- times: RFC 3339 §5.6, Appendix A ----------------------------------------- */

static int digits(struct sv s, size_t at, size_t n)
{
    int v = 0;
    if (at + n > s.n) return -1;
    for (size_t i = at; i < at + n; i++) {
        if (s.p[i] < '0' || s.p[i] > '9') return -1;
        v = v * 10 + (s.p[i] - '0');
    }
    return v;
}

static bool is_date(struct sv s)
{
    static const uint8_t days[] = { 31, 28, 31, 30, 31, 30,
                                    31, 31, 30, 31, 30, 31 };
    int y = digits(s, 0, 4), m = digits(s, 5, 2), d = digits(s, 8, 2);
    if (s.n != 10 || s.p[4] != '-' || s.p[7] != '-') return false;
    if (y < 0 || m < 1 || m > 12 || d < 1) return false;
    bool leap = y % 4 == 0 && (y % 100 != 0 || y % 400 == 0);
    return d <= days[m - 1] + (m == 2 && leap);
}

/* "Z" or "+hh:mm"; minutes from UTC */
static bool offset_parse(struct sv s, int *minutes)
{
    *minutes = 0;
    if (s.n == 1) return s.p[0] == 'Z' || s.p[0] == 'z';
    int h = digits(s, 1, 2), m = digits(s, 4, 2);
    if (s.n != 6 || (s.p[0] != '+' && s.p[0] != '-') || s.p[3] != ':' ||
        h < 0 || h > 23 || m < 0 || m > 59)
        return false;
    *minutes = (h * 60 + m) * (s.p[0] == '-' ? -1 : 1);
    return true;
}

static bool is_time(struct sv s)
{
    int h = digits(s, 0, 2), m = digits(s, 3, 2), sec = digits(s, 6, 2), offset;
    if (s.n < 9 || s.p[2] != ':' || s.p[5] != ':' || h < 0 || h > 23 || m < 0 ||
        m > 59 || sec < 0 || sec > 60)
        return false;
    size_t at = 8;
    if (s.p[at] == '.') {
        at++;
        if (digits(s, at, 1) < 0) return false;
        while (digits(s, at, 1) >= 0) at++;
    }
    if (!offset_parse(sv_from(s, at), &offset)) return false;
    /* a leap second is the last of a day of UTC */
    int utc = (h * 60 + m - offset + 2880) % 1440;
    return sec < 60 || utc == 1439;
}

static bool is_date_time(struct sv s)
{
    return s.n > 11 && (s.p[10] == 'T' || s.p[10] == 't') &&
           is_date(sv_first(s, 10)) && is_time(sv_from(s, 11));
}

/* Appendix A: P with years to days, T with hours to seconds, or weeks alone;
 * within each part no unit may be left out between two. */
static bool is_duration(struct sv s)
{
    static const char order[] = "YMDHMS";
    int last = -1;
    bool in_time = false, any = false;
    if (s.n < 3 || s.p[0] != 'P') return false;
    for (size_t at = 1; at < s.n;) {
        if (s.p[at] == 'T') {
            if (in_time || at + 1 == s.n) return false;
            in_time = true;
            last = 2;
            any = false;
            at++;
            continue;
        }
        size_t from = at;
        while (at < s.n && s.p[at] >= '0' && s.p[at] <= '9') at++;
        if (at == from || at == s.n) return false;
        if (s.p[at] == 'W') return from == 1 && at + 1 == s.n;
        int unit = in_time ? 3 : 0, end = in_time ? 6 : 3;
        while (unit < end && order[unit] != s.p[at]) unit++;
        if (unit == end || unit <= last || (any && unit != last + 1))
            return false;
        last = unit;
        any = true;
        at++;
    }
    return true;
}

/* --- pointers, ids, encodings --------------------------------------------------- */

static bool is_uuid(struct sv s)
{
    if (s.n != 36) return false;
    for (size_t i = 0; i < 36; i++) {
        char c = ascii_lower(s.p[i]);
        bool dash = i == 8 || i == 13 || i == 18 || i == 23;
        if (dash ? c != '-'
                 : !((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f')))
            return false;
    }
    return true;
}

static bool is_json_pointer(struct sv s)
{
    if (s.n && s.p[0] != '/') return false;
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] == '~' &&
            (i + 1 == s.n || (s.p[i + 1] != '0' && s.p[i + 1] != '1')))
            return false;
    return true;
}

static bool is_relative_json_pointer(struct sv s)
{
    size_t at = 0;
    while (digits(s, at, 1) >= 0) at++;
    if (!at || (at > 1 && s.p[0] == '0')) return false;
    s = sv_from(s, at);
    return sv_eq(s, SV("#")) || is_json_pointer(s);
}

static bool is_base64(struct sv s)
{
    size_t n = s.n;
    if (n % 4) return false;
    for (int i = 0; i < 2 && n && s.p[n - 1] == '='; i++) n--;
    for (size_t i = 0; i < n; i++) {
        char c = ascii_lower(s.p[i]);
        if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '+' ||
              c == '/'))
            return false;
    }
    return true;
}

static bool is_regex(struct sv s)
{
    struct pattern_why why;
    struct buf out;
    buf_init(&out, 1 << 18);
    bool holds = pattern_translate(s, &out, &why) == 0;
    buf_fini(&out);
    return holds;
}

/* --- numbers ------------------------------------------------------------------ */

static bool within(const yyjson_val *v, struct sv low, struct sv high)
{
    struct decimal d, bound;
    if (!decimal_of(v, &d) || !decimal_is_integer(&d)) return false;
    return decimal_parse(low, &bound) && decimal_cmp(&d, &bound) >= 0 &&
           decimal_parse(high, &bound) && decimal_cmp(&d, &bound) <= 0;
}

static bool is_int32(const yyjson_val *v)
{
    return within(v, SV("-2147483648"), SV("2147483647"));
}

static bool is_int64(const yyjson_val *v)
{
    return within(v, SV("-9223372036854775808"), SV("9223372036854775807"));
}

/* --- the table ----------------------------------------------------------------- */

static const struct {
    const char *name;
    bool (*text)(struct sv);
    bool (*number)(const yyjson_val *);
    const char *says;
} formats[] = {
    { "date-time", is_date_time, NULL, "a date and time of RFC 3339" },
    { "date", is_date, NULL, "a date, YYYY-MM-DD" },
    { "time", is_time, NULL, "a time of RFC 3339 with its offset" },
    { "duration", is_duration, NULL, "a duration of ISO 8601" },
    { "email", format_is_email, NULL, "an e-mail address" },
    { "idn-email", format_is_idn_email, NULL, "an e-mail address" },
    { "hostname", format_is_hostname, NULL, "a host name" },
    { "idn-hostname", format_is_idn_hostname, NULL, "a host name" },
    { "ipv4", format_is_ipv4, NULL, "an IPv4 address" },
    { "ipv6", format_is_ipv6, NULL, "an IPv6 address" },
    { "uri", format_is_uri, NULL, "an absolute URI" },
    { "uri-reference", format_is_uri_reference, NULL, "a URI reference" },
    { "iri", format_is_iri, NULL, "an absolute IRI" },
    { "iri-reference", format_is_iri_reference, NULL, "an IRI reference" },
    { "uri-template", format_is_uri_template, NULL, "a URI template" },
    { "uuid", is_uuid, NULL, "a UUID" },
    { "json-pointer", is_json_pointer, NULL, "a JSON Pointer" },
    { "relative-json-pointer", is_relative_json_pointer, NULL,
      "a relative JSON Pointer" },
    { "regex", is_regex, NULL, "a regular expression of ECMA-262" },
    { "byte", is_base64, NULL, "base64" },
    { "int32", NULL, is_int32, "an integer of 32 bits" },
    { "int64", NULL, is_int64, "an integer of 64 bits" },
};

int schema_format_find(struct sv name)
{
    for (size_t i = 0; i < ARRAY_LEN(formats); i++)
        if (sv_eq(name, sv_cstr(formats[i].name))) return (int)i;
    return -1;
}

unsigned schema_format_values(int format)
{
    return formats[format].text ? V_STRING : V_NUMBER;
}

bool schema_format_holds(int format, const yyjson_val *v)
{
    if (formats[format].number) return formats[format].number(v);
    return formats[format].text(json_text(v));
}

const char *schema_format_says(int format)
{
    return formats[format].says;
}
