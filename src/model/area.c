/* The countries of ISO 3166-1, and the areas made of them. */
#include "model/area.h"

#include "base/ensure.h"
#include "base/err.h"

/* In the order of their codes. XK, Kosovo, is no ISO code but what data files
 * and the European institutions use. */
static const struct country_row rows[] = {
    { "AD", "AND", "EU", false }, { "AE", "ARE", "AS", false },
    { "AF", "AFG", "AS", false }, { "AG", "ATG", "NA", false },
    { "AI", "AIA", "NA", false }, { "AL", "ALB", "EU", false },
    { "AM", "ARM", "AS", false }, { "AO", "AGO", "AF", false },
    { "AQ", "ATA", "AN", false }, { "AR", "ARG", "SA", false },
    { "AS", "ASM", "OC", false }, { "AT", "AUT", "EU", true },
    { "AU", "AUS", "OC", false }, { "AW", "ABW", "NA", false },
    { "AX", "ALA", "EU", false }, { "AZ", "AZE", "AS", false },
    { "BA", "BIH", "EU", false }, { "BB", "BRB", "NA", false },
    { "BD", "BGD", "AS", false }, { "BE", "BEL", "EU", true },
    { "BF", "BFA", "AF", false }, { "BG", "BGR", "EU", true },
    { "BH", "BHR", "AS", false }, { "BI", "BDI", "AF", false },
    { "BJ", "BEN", "AF", false }, { "BL", "BLM", "NA", false },
    { "BM", "BMU", "NA", false }, { "BN", "BRN", "AS", false },
    { "BO", "BOL", "SA", false }, { "BQ", "BES", "NA", false },
    { "BR", "BRA", "SA", false }, { "BS", "BHS", "NA", false },
    { "BT", "BTN", "AS", false }, { "BV", "BVT", "AN", false },
    { "BW", "BWA", "AF", false }, { "BY", "BLR", "EU", false },
    { "BZ", "BLZ", "NA", false }, { "CA", "CAN", "NA", false },
    { "CC", "CCK", "AS", false }, { "CD", "COD", "AF", false },
    { "CF", "CAF", "AF", false }, { "CG", "COG", "AF", false },
    { "CH", "CHE", "EU", false }, { "CI", "CIV", "AF", false },
    { "CK", "COK", "OC", false }, { "CL", "CHL", "SA", false },
    { "CM", "CMR", "AF", false }, { "CN", "CHN", "AS", false },
    { "CO", "COL", "SA", false }, { "CR", "CRI", "NA", false },
    { "CU", "CUB", "NA", false }, { "CV", "CPV", "AF", false },
    { "CW", "CUW", "NA", false }, { "CX", "CXR", "AS", false },
    { "CY", "CYP", "EU", true },  { "CZ", "CZE", "EU", true },
    { "DE", "DEU", "EU", true },  { "DJ", "DJI", "AF", false },
    { "DK", "DNK", "EU", true },  { "DM", "DMA", "NA", false },
    { "DO", "DOM", "NA", false }, { "DZ", "DZA", "AF", false },
    { "EC", "ECU", "SA", false }, { "EE", "EST", "EU", true },
    { "EG", "EGY", "AF", false }, { "EH", "ESH", "AF", false },
    { "ER", "ERI", "AF", false }, { "ES", "ESP", "EU", true },
    { "ET", "ETH", "AF", false }, { "FI", "FIN", "EU", true },
    { "FJ", "FJI", "OC", false }, { "FK", "FLK", "SA", false },
    { "FM", "FSM", "OC", false }, { "FO", "FRO", "EU", false },
    { "FR", "FRA", "EU", true },  { "GA", "GAB", "AF", false },
    { "GB", "GBR", "EU", false }, { "GD", "GRD", "NA", false },
    { "GE", "GEO", "AS", false }, { "GF", "GUF", "SA", false },
    { "GG", "GGY", "EU", false }, { "GH", "GHA", "AF", false },
    { "GI", "GIB", "EU", false }, { "GL", "GRL", "NA", false },
    { "GM", "GMB", "AF", false }, { "GN", "GIN", "AF", false },
    { "GP", "GLP", "NA", false }, { "GQ", "GNQ", "AF", false },
    { "GR", "GRC", "EU", true },  { "GS", "SGS", "AN", false },
    { "GT", "GTM", "NA", false }, { "GU", "GUM", "OC", false },
    { "GW", "GNB", "AF", false }, { "GY", "GUY", "SA", false },
    { "HK", "HKG", "AS", false }, { "HM", "HMD", "AN", false },
    { "HN", "HND", "NA", false }, { "HR", "HRV", "EU", true },
    { "HT", "HTI", "NA", false }, { "HU", "HUN", "EU", true },
    { "ID", "IDN", "AS", false }, { "IE", "IRL", "EU", true },
    { "IL", "ISR", "AS", false }, { "IM", "IMN", "EU", false },
    { "IN", "IND", "AS", false }, { "IO", "IOT", "AS", false },
    { "IQ", "IRQ", "AS", false }, { "IR", "IRN", "AS", false },
    { "IS", "ISL", "EU", false }, { "IT", "ITA", "EU", true },
    { "JE", "JEY", "EU", false }, { "JM", "JAM", "NA", false },
    { "JO", "JOR", "AS", false }, { "JP", "JPN", "AS", false },
    { "KE", "KEN", "AF", false }, { "KG", "KGZ", "AS", false },
    { "KH", "KHM", "AS", false }, { "KI", "KIR", "OC", false },
    { "KM", "COM", "AF", false }, { "KN", "KNA", "NA", false },
    { "KP", "PRK", "AS", false }, { "KR", "KOR", "AS", false },
    { "KW", "KWT", "AS", false }, { "KY", "CYM", "NA", false },
    { "KZ", "KAZ", "AS", false }, { "LA", "LAO", "AS", false },
    { "LB", "LBN", "AS", false }, { "LC", "LCA", "NA", false },
    { "LI", "LIE", "EU", false }, { "LK", "LKA", "AS", false },
    { "LR", "LBR", "AF", false }, { "LS", "LSO", "AF", false },
    { "LT", "LTU", "EU", true },  { "LU", "LUX", "EU", true },
    { "LV", "LVA", "EU", true },  { "LY", "LBY", "AF", false },
    { "MA", "MAR", "AF", false }, { "MC", "MCO", "EU", false },
    { "MD", "MDA", "EU", false }, { "ME", "MNE", "EU", false },
    { "MF", "MAF", "NA", false }, { "MG", "MDG", "AF", false },
    { "MH", "MHL", "OC", false }, { "MK", "MKD", "EU", false },
    { "ML", "MLI", "AF", false }, { "MM", "MMR", "AS", false },
    { "MN", "MNG", "AS", false }, { "MO", "MAC", "AS", false },
    { "MP", "MNP", "OC", false }, { "MQ", "MTQ", "NA", false },
    { "MR", "MRT", "AF", false }, { "MS", "MSR", "NA", false },
    { "MT", "MLT", "EU", true },  { "MU", "MUS", "AF", false },
    { "MV", "MDV", "AS", false }, { "MW", "MWI", "AF", false },
    { "MX", "MEX", "NA", false }, { "MY", "MYS", "AS", false },
    { "MZ", "MOZ", "AF", false }, { "NA", "NAM", "AF", false },
    { "NC", "NCL", "OC", false }, { "NE", "NER", "AF", false },
    { "NF", "NFK", "OC", false }, { "NG", "NGA", "AF", false },
    { "NI", "NIC", "NA", false }, { "NL", "NLD", "EU", true },
    { "NO", "NOR", "EU", false }, { "NP", "NPL", "AS", false },
    { "NR", "NRU", "OC", false }, { "NU", "NIU", "OC", false },
    { "NZ", "NZL", "OC", false }, { "OM", "OMN", "AS", false },
    { "PA", "PAN", "NA", false }, { "PE", "PER", "SA", false },
    { "PF", "PYF", "OC", false }, { "PG", "PNG", "OC", false },
    { "PH", "PHL", "AS", false }, { "PK", "PAK", "AS", false },
    { "PL", "POL", "EU", true },  { "PM", "SPM", "NA", false },
    { "PN", "PCN", "OC", false }, { "PR", "PRI", "NA", false },
    { "PS", "PSE", "AS", false }, { "PT", "PRT", "EU", true },
    { "PW", "PLW", "OC", false }, { "PY", "PRY", "SA", false },
    { "QA", "QAT", "AS", false }, { "RE", "REU", "AF", false },
    { "RO", "ROU", "EU", true },  { "RS", "SRB", "EU", false },
    { "RU", "RUS", "EU", false }, { "RW", "RWA", "AF", false },
    { "SA", "SAU", "AS", false }, { "SB", "SLB", "OC", false },
    { "SC", "SYC", "AF", false }, { "SD", "SDN", "AF", false },
    { "SE", "SWE", "EU", true },  { "SG", "SGP", "AS", false },
    { "SH", "SHN", "AF", false }, { "SI", "SVN", "EU", true },
    { "SJ", "SJM", "EU", false }, { "SK", "SVK", "EU", true },
    { "SL", "SLE", "AF", false }, { "SM", "SMR", "EU", false },
    { "SN", "SEN", "AF", false }, { "SO", "SOM", "AF", false },
    { "SR", "SUR", "SA", false }, { "SS", "SSD", "AF", false },
    { "ST", "STP", "AF", false }, { "SV", "SLV", "NA", false },
    { "SX", "SXM", "NA", false }, { "SY", "SYR", "AS", false },
    { "SZ", "SWZ", "AF", false }, { "TC", "TCA", "NA", false },
    { "TD", "TCD", "AF", false }, { "TF", "ATF", "AN", false },
    { "TG", "TGO", "AF", false }, { "TH", "THA", "AS", false },
    { "TJ", "TJK", "AS", false }, { "TK", "TKL", "OC", false },
    { "TL", "TLS", "AS", false }, { "TM", "TKM", "AS", false },
    { "TN", "TUN", "AF", false }, { "TO", "TON", "OC", false },
    { "TR", "TUR", "AS", false }, { "TT", "TTO", "NA", false },
    { "TV", "TUV", "OC", false }, { "TW", "TWN", "AS", false },
    { "TZ", "TZA", "AF", false }, { "UA", "UKR", "EU", false },
    { "UG", "UGA", "AF", false }, { "UM", "UMI", "OC", false },
    { "US", "USA", "NA", false }, { "UY", "URY", "SA", false },
    { "UZ", "UZB", "AS", false }, { "VA", "VAT", "EU", false },
    { "VC", "VCT", "NA", false }, { "VE", "VEN", "SA", false },
    { "VG", "VGB", "NA", false }, { "VI", "VIR", "NA", false },
    { "VN", "VNM", "AS", false }, { "VU", "VUT", "OC", false },
    { "WF", "WLF", "OC", false }, { "WS", "WSM", "OC", false },
    { "XK", "XKX", "EU", false }, { "YE", "YEM", "AS", false },
    { "YT", "MYT", "AF", false }, { "ZA", "ZAF", "AF", false },
    { "ZM", "ZMB", "AF", false }, { "ZW", "ZWE", "AF", false },
};

static uint16_t number_of(const char code[2])
{
    return (uint16_t)((code[0] - 'A') * 26 + (code[1] - 'A') + 1);
}

static char upper(char c)
{
    return (char)(c >= 'a' && c <= 'z' ? c - 'a' + 'A' : c);
}

uint16_t country_of_code(struct sv code)
{
    if (code.n != 2) return 0;
    char c[2] = { upper(code.p[0]), upper(code.p[1]) };
    for (int i = 0; i < 2; i++)
        if (c[i] < 'A' || c[i] > 'Z') return 0;
    return number_of(c);
}

void country_text(uint16_t country, char out[3])
{
    memset(out, 0, 3);
    if (country == 0 || country > COUNTRY_MAX) return;
    out[0] = (char)('A' + (country - 1) / 26);
    out[1] = (char)('A' + (country - 1) % 26);
}

const struct country_row *country_find(uint16_t country)
{
    size_t low = 0, high = ARRAY_LEN(rows);
    while (low < high) {
        size_t mid = (low + high) / 2;
        uint16_t here = number_of(rows[mid].code);
        if (here == country) return &rows[mid];
        if (here < country)
            low = mid + 1;
        else
            high = mid;
    }
    return NULL;
}

static void put(struct area_set *set, uint16_t country)
{
    set->bits[country / 64] |= (uint64_t)1 << (country % 64);
}

static int add_one(struct area_set *set, struct sv area)
{
    bool found = false;
    if (sv_eq_nocase(area, SV("EU"))) {
        /* some files know no more of an address than "EU" */
        put(set, country_of_code(SV("EU")));
        for (size_t i = 0; i < ARRAY_LEN(rows); i++)
            if (rows[i].in_eu) put(set, number_of(rows[i].code));
        return 0;
    }
    if (sv_eq_nocase(area, SV("GE"))) area = SV("DE");
    for (size_t i = 0; i < ARRAY_LEN(rows) && !found; i++)
        if (sv_eq_nocase(area, sv_cstr(rows[i].code)) ||
            sv_eq_nocase(area, sv_cstr(rows[i].code3))) {
            put(set, number_of(rows[i].code));
            found = true;
        }
    return found ? 0 : ERR_INVALID;
}

int area_set_add(struct area_set *set, struct sv area)
{
    struct area_set with = *set;
    struct sv rest = area;
    do {
        struct sv part = sv_cut(rest, ',', &rest);
        if (add_one(&with, sv_trim(part))) return ERR_INVALID;
    } while (rest.p);
    *set = with;
    return 0;
}

static bool area_ok(struct sv s)
{
    struct area_set ignored = { 0 };
    return area_set_add(&ignored, s) == 0;
}

const struct text_rule text_area = {
    NULL,
    "must be EU, an ISO 3166 country code (GE is Germany, GEO is Georgia), or "
    "several joined by commas",
    area_ok,
};
