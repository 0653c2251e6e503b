/* Scalars of YAML's core schema. */
#ifndef CODEC_YAML_INT_H
#define CODEC_YAML_INT_H

#include "base/arena.h"

enum yaml_scalar { YAML_IS_TEXT, YAML_IS_NULL, YAML_IS_TRUE, YAML_IS_FALSE,
                   YAML_IS_NUMBER };

/* What a plain scalar means (YAML 1.2 §10.3.2). *number: as JSON writes it,
 * in the arena or a part of the text. .inf and .nan, which JSON does not
 * have, stay texts. */
enum yaml_scalar yaml_scalar_of(struct sv text, struct arena *a,
                                struct sv *number);

#endif
