/* The compiled form, between expression_parse.c (text to program),
 * expression_field.c (fields and their values) and expression.c (the run). */
#ifndef CODEC_EXPRESSION_INT_H
#define CODEC_EXPRESSION_INT_H

#include "codec/expression.h"
#include "codec/regex.h"

enum expression_type { TYPE_TEXT, TYPE_NUMBER, TYPE_ADDRESS };

enum expression_field_id {
    FIELD_METHOD, FIELD_HOST, FIELD_URI, FIELD_PATH, FIELD_QUERY,
    FIELD_HEADER, /* `key` is the name */
    FIELD_COOKIE, FIELD_ARG,
    FIELD_COUNTRY, FIELD_ASN, FIELD_IP,
    FIELD_TOKEN_ID, FIELD_TOKEN_NAME, FIELD_TOKEN_OWNER, FIELD_TOKEN_SUBJECT,
    FIELD_TOKEN_SCOPES, FIELD_TOKEN_TAGS,
};

struct expression_field {
    const char *name;
    enum expression_field_id id;
    enum expression_type type;
    bool keyed;      /* wants ["name"] */
    bool nocase;     /* compared in any case */
    bool token;
    bool list;
    const char *key; /* of fields that are a header's short form */
};
/* NULL: no such field. */
const struct expression_field *expression_field_find(struct sv name);

enum expression_op {
    OP_EQ, OP_NE, OP_LT, OP_LE, OP_GT, OP_GE,
    OP_CONTAINS, OP_MATCHES, OP_STARTS, OP_ENDS, OP_IN, OP_NOT_IN,
};

struct ip_range {
    struct ip from, to; /* both included */
};
struct number_range {
    int64_t from, to;
};

struct expression_test {
    uint8_t field, op, type; /* type of the value that is compared */
    bool lower, decode, len; /* what is done to the value, in that order */
    bool is_set;
    struct sv key;
    struct sv text;
    const struct regex *regex; /* matches; contains of folded values */
    unsigned set_n;            /* sorted; ranges neither touch nor overlap */
    const struct sv *texts;
    const struct number_range *numbers; /* one for a plain comparison */
    const struct ip_range *ips;
};

/* JUMP_IF_FALSE leaves the value as it is: what follows would not change it. */
enum expression_code { CODE_TEST, CODE_NOT, CODE_JUMP_IF_FALSE,
                       CODE_JUMP_IF_TRUE };

struct expression_step {
    uint8_t code;
    uint16_t arg; /* number of the test, or the step to go to */
};

struct expression {
    const struct expression_step *step;
    unsigned steps_n;
    const struct expression_test *test;
    unsigned tests_n;
    bool token, place; /* fields of these kinds are named */
};

enum { EXPRESSION_DECODED_MAX = 16384 };

/* The values of a test's field, one after the other: at least one. */
struct expression_cursor {
    const struct expression_request *r;
    const struct expression_test *test;
    unsigned at;     /* of fields, scopes, tags */
    struct sv rest;  /* of cookies and arguments */
    unsigned given;
};
bool expression_value_next(struct expression_cursor *c, struct sv *out);
/* %XX (and + in arguments) into out; returns the bytes written. */
size_t expression_decode(struct sv s, bool plus, char *out, size_t max);

#endif
