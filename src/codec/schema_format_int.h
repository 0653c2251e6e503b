/* Formats of addresses and references, for the table of formats. */
#ifndef CODEC_SCHEMA_FORMAT_INT_H
#define CODEC_SCHEMA_FORMAT_INT_H

#include "codec/schema_int.h"

bool format_is_email(struct sv s);        /* RFC 5321 §4.1.2 */
bool format_is_idn_email(struct sv s);    /* RFC 6531 */
bool format_is_hostname(struct sv s);     /* RFC 1123 §2.1 */
bool format_is_idn_hostname(struct sv s); /* RFC 5890 §2.3.2.3 */
bool format_is_ipv4(struct sv s);
bool format_is_ipv6(struct sv s);
bool format_is_uri(struct sv s); /* RFC 3986 */
bool format_is_uri_reference(struct sv s);
bool format_is_iri(struct sv s); /* RFC 3987 */
bool format_is_iri_reference(struct sv s);
bool format_is_uri_template(struct sv s); /* RFC 6570 */

#endif
