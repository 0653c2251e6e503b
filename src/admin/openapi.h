/* /openapi.json (OpenAPI 3.1), made by walking the table of endpoints and the
 * shapes: nothing in it is written a second time. */
#ifndef ADMIN_OPENAPI_H
#define ADMIN_OPENAPI_H

#include "base/buf.h"

enum { OPENAPI_MAX_BYTES = 4 << 20 };

void openapi_write(struct sv version, struct buf *out);

#endif
