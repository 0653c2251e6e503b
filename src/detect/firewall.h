/* The firewall's judgement of a security profile, without the request's door:
 * one meaning for the gateway (check/firewall.c) and for `typeauth simulate`.
 * Pure; nothing is kept, nothing allocated. Geoblock's part is detect/area.h.
 *
 * Rules are walked in the profile's order, in two halves: those that name no
 * token field before authentication, the others behind it. The first that
 * holds decides by its action; `log` decides nothing; `allow` and `skip` end
 * the walk of both halves. */
#ifndef DETECT_FIREWALL_H
#define DETECT_FIREWALL_H

#include "detect/network.h"
#include "model/security.h"

enum firewall_address {
    FIREWALL_PASSES,
    FIREWALL_DENIED,     /* *entry is the network that says so */
    FIREWALL_IN_NO_LIST, /* and those are refused (ip.other) */
};

/* client NULL: unknown, and so in no list. `net` NULL: both lists are empty. */
enum firewall_address firewall_address(const struct ip_lists *lists,
                                       const struct network *net,
                                       const struct ip *client,
                                       const struct cidr **entry);

struct firewall_walk { /* zero it; `next` again for the second half */
    uint32_t next;
    bool blind;     /* in: the client's place cannot be known. Rules that name
                       it are then passed over */
    bool passed;    /* out: some were */
    bool over;      /* out: a rule said allow or skip */
    bool skips_waf; /* out: it was skip */
};

/* The next rule of this half that holds, or NULL. Who gets a `block` stops. */
const struct security_rule *firewall_rule_next(
    const struct security *s, bool with_token,
    const struct expression_request *r, struct firewall_walk *walk);

#endif
