/* What each of these tests begins with. */
#ifndef TESTS_ADMIN_HEAD_H
#define TESTS_ADMIN_HEAD_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "admin_rig.h"

static struct rig rig;

static inline int setup(void **state)
{
    (void)state;
    rig_open(&rig);
    return 0;
}

static inline int teardown(void **state)
{
    (void)state;
    rig_close(&rig);
    return 0;
}

/* Text of printf in a ring of buffers. */
__attribute__((format(printf, 1, 2)))
static inline const char *f(const char *format, ...)
{
    static char ring[8][4096];
    static unsigned at;
    char *out = ring[at++ % 8];
    va_list args;
    va_start(args, format);
    vsnprintf(out, sizeof ring[0], format, args);
    va_end(args);
    return out;
}

/* An application behind a profile; ids are copied out. */
static inline void make_app(const char *name, const char *profile,
                            char app[40], char auth[40])
{
    rig_post(&rig, "/{a}/authentication/create", profile);
    rig_expect(&rig, 201);
    snprintf(auth, 40, "%s", rig_text(&rig, "/data/0/id"));
    rig_post(&rig, "/{a}/applications/create",
             f("{\"name\":\"%s\",\"auth_id\":\"%s\","
               "\"originHostname\":\"http://127.0.0.1:9\"}", name, auth));
    rig_expect(&rig, 201);
    snprintf(app, 40, "%s", rig_text(&rig, "/data/0/id"));
}

static inline void make_token(const char *app, const char *body, char id[40],
                              char secret[300])
{
    rig_post(&rig, f("/{a}/token/create/%s", app), body);
    rig_expect(&rig, 201);
    snprintf(id, 40, "%s", rig_text(&rig, "/data/0/id"));
    snprintf(secret, 300, "%s", rig_text(&rig, "/data/0/token"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

#endif
