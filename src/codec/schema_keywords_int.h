/* The compilers of keywords: each emits its keyword's operations. */
#ifndef CODEC_SCHEMA_KEYWORDS_INT_H
#define CODEC_SCHEMA_KEYWORDS_INT_H

#include "codec/schema_int.h"

int keyword_dialect(const struct schema_work *w);
int keyword_schemas(const struct schema_work *w);
int keyword_way(const struct schema_work *w);
int keyword_ref(const struct schema_work *w);
int keyword_dynamic_ref(const struct schema_work *w);
int keyword_type(const struct schema_work *w);
int keyword_nullable(const struct schema_work *w);
int keyword_enum(const struct schema_work *w);
int keyword_const(const struct schema_work *w);
int keyword_number(const struct schema_work *w);
int keyword_count(const struct schema_work *w);
int keyword_plain_count(const struct schema_work *w);
int keyword_pattern(const struct schema_work *w);
int keyword_format(const struct schema_work *w);
int keyword_unique(const struct schema_work *w);
int keyword_items(const struct schema_work *w);
int keyword_contains(const struct schema_work *w);
int keyword_object(const struct schema_work *w);
int keyword_one(const struct schema_work *w);
int keyword_list(const struct schema_work *w);
int keyword_if(const struct schema_work *w);
int keyword_dependent_required(const struct schema_work *w);
int keyword_dependent_schemas(const struct schema_work *w);

/* In place of oneOf or anyOf; *took: there was a usable discriminator. */
int keyword_discriminator(const struct schema_work *w, bool *took);

static inline yyjson_val *unconst(const yyjson_val *v)
{
    return (yyjson_val *)(uintptr_t)v;
}

#endif
