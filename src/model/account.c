/* Accounts (api.md §1). */
#include "model/fields_int.h"

static const struct shape_field fields[] = {
    FIELD_READ_ONLY("id", SHAPE_STRING, "Id."),
    FIELD_NAME,
    { .name = "slug",
      .types = SHAPE_STRING,
      .flags = SHAPE_REQUIRED | SHAPE_KEY,
      .len_min = 3,
      .len_max = 40,
      .text = &text_slug,
      .about = "Short name, unique on the server; part of the domains that "
               "are made up." },
    FIELDS_TIMES,
    { 0 },
};

const struct shape shape_account = {
    .name = "Account",
    .kind = KIND_ACCOUNT,
    .fields = fields,
};
