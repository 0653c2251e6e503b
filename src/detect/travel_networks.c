/* Networks whose addresses are not where their users are. From the registries'
 * and the operators' own publications; a start, not a census: what is missing
 * costs a challenge, what is here costs a missed raise. */
#include "base/ensure.h"
#include "detect/travel.h"

static const uint32_t numbers[] = {
    3216,   /* VimpelCom, mobile */
    6167,   /* Verizon Wireless */
    8359,   /* MTS, mobile */
    9009,   /* M247: exits of many private networks */
    9605,   /* NTT Docomo, mobile */
    12430,  /* Vodafone Spain, mobile */
    12576,  /* EE, mobile */
    13335,  /* Cloudflare: anycast, WARP, relays */
    14593,  /* Starlink */
    15169,  /* Google: anycast, proxies */
    20057,  /* AT&T Mobility */
    20940,  /* Akamai: relays */
    21837,  /* Opera: proxies */
    21928,  /* T-Mobile USA */
    22085,  /* Claro Brazil, mobile */
    22351,  /* Intelsat */
    22394,  /* Verizon Wireless */
    22616,  /* Zscaler */
    25135,  /* Vodafone UK, mobile */
    26599,  /* Vivo Brazil, mobile */
    26615,  /* TIM Brazil, mobile */
    28403,  /* Telcel, mobile */
    29180,  /* O2 UK, mobile */
    31133,  /* MegaFon, mobile */
    31615,  /* Odido, mobile */
    36183,  /* Akamai: relays */
    38266,  /* Vodafone India, mobile */
    39351,  /* 31173: exits of private networks */
    39832,  /* Opera: proxies */
    45609,  /* Bharti Airtel, mobile */
    53813,  /* Zscaler */
    54113,  /* Fastly: relays */
    55256,  /* Netskope */
    55836,  /* Reliance Jio, mobile */
    60068,  /* Datacamp: exits of private networks */
    60339,  /* Three UK, mobile */
    62044,  /* Zscaler */
    62371,  /* Proton */
    136787, /* Tefincom: exits of private networks */
    206067, /* Three UK, mobile */
    206092, /* exits of private networks */
    207137, /* PacketHub: exits of private networks */
    209103, /* Proton */
    209242, /* Cloudflare */
    212238, /* Datacamp: exits of private networks */
};

const struct travel_networks travel_networks_known = { numbers,
                                                       ARRAY_LEN(numbers) };
