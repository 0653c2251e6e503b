#include "model/detector.h"

#include "base/ensure.h"
#include "codec/json.h"

/* One spelling against the other: "CustomBusiness" and "CUSTOM_BUSINESS". */
static bool is_spelling(const char *name, struct sv s)
{
    size_t at = 0;
    for (; at < s.n && *name; at++, name++) {
        if (*name == '_' && s.p[at] != '_') name++;
        if (ascii_lower(*name) != ascii_lower(s.p[at])) return false;
    }
    return at == s.n && !*name;
}

int detector_profile_of(const char *const *names, struct sv s)
{
    for (int i = 0; names[i]; i++)
        if (is_spelling(names[i], s)) return i;
    return -1;
}

void detector_profile_settle(const char *const *names, yyjson_mut_doc *doc,
                             yyjson_mut_val **value)
{
    int i = detector_profile_of(names, json_mut_text(*value));
    ENSURE(i >= 0); /* one of the options, or of those hidden */
    *value = yyjson_mut_str(doc, names[i]);
}
