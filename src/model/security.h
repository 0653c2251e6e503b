/* A security profile (detectors.md §1): the firewall's lists and rules, and the
 * WAF. The field table is shape_security; the typed form is for the plan. */
#ifndef MODEL_SECURITY_H
#define MODEL_SECURITY_H

#include "codec/expression.h"
#include "model/geoblock.h"

enum {
    SECURITY_RULES_MAX = 100,
    WAF_EXCLUSIONS_MAX = 500,
    INSPECT_BYTES_DEFAULT = 128 << 10,
    INSPECT_BYTES_MAX = 8 << 20,
};

enum waf_mode { WAF_OFF, WAF_DETECT, WAF_BLOCK };

struct waf_exclusion { /* rule ids, both included */
    uint32_t from, to;
};

struct waf_profile {
    enum waf_mode mode;
    uint8_t paranoia;   /* 1-4 */
    uint32_t threshold; /* score from which a request is refused */
    const struct waf_exclusion *exclusions;
    uint32_t exclusions_n;
    uint32_t inspect_bytes;
    bool over_blocks;   /* longer bodies are refused */
};

enum rule_action { RULE_BLOCK, RULE_LOG, RULE_ALLOW, RULE_SKIP };

struct security_rule {
    struct sv name, text;
    enum rule_action action;
    const struct expression *expression; /* compiled, in the arena */
};

enum fault_rule { FAULT_DEFAULT, FAULT_CLOSED, FAULT_OPEN };

struct security {
    struct sv id, account_id, name;
    struct waf_profile waf;
    struct geoblock geoblock;
    struct ip_lists ip;
    const struct security_rule *rules; /* in the order of the profile */
    uint32_t rules_n;
    enum fault_rule on_fault; /* DEFAULT: firewall and WAF closed, geoblock
                                 without data open (api.md §1) */
};

/* Compiles the rules into the arena, patterns with up to 128 KiB each.
 * ERR_CORRUPT, ERR_NOMEM. */
int security_decode(struct sv doc, struct arena *a, struct security *out);

#endif
