/* `typeauth jwt verify`: what the gateway would say of a token, and why, for
 * people who debug one. The verdict's published code goes to standard output,
 * the precise reason to standard error. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/mem.h"
#include "codec/claims.h"
#include "codec/jwk.h"
#include "codec/jws.h"
#include "main/command.h"

struct asked {
    const char *file, *algs, *token;
    bool any_payload;
};

struct judge {
    struct jwk_set *keys;
    uint32_t algs;
    bool any_payload;
};

static int usage(FILE *to)
{
    fprintf(to,
            "usage: typeauth jwt verify --keys FILE [--alg LIST] "
            "[--any-payload] [TOKEN]\n\n"
            "Prints `ok`, or the code with which the gateway would refuse "
            "the token; the\n"
            "precise reason goes to standard error. Without TOKEN: one token "
            "a line from\n"
            "standard input, one line back for each. Status: 0 all good, 1 "
            "one refused,\n"
            "2 wrong usage or unusable keys.\n\n"
            "--keys FILE    a JWK, a JWK set, or PEM (public keys, "
            "certificates)\n"
            "--alg LIST     allowed algorithms, by commas; default: those "
            "that the keys\n"
            "               are for\n"
            "--any-payload  judge the signature alone; else the payload must "
            "be a JSON\n"
            "               object, and exp, nbf and iat hold where "
            "present\n");
    return to == stdout ? 0 : 2;
}

static bool asked_read(struct asked *q, int argc, char **argv)
{
    for (int i = 0; i < argc; i++) {
        const char **text = !strcmp(argv[i], "--keys")  ? &q->file
                            : !strcmp(argv[i], "--alg") ? &q->algs
                                                        : NULL;
        if (text && i + 1 < argc)
            *text = argv[++i];
        else if (!strcmp(argv[i], "--any-payload"))
            q->any_payload = true;
        else if (argv[i][0] != '-' && !q->token)
            q->token = argv[i];
        else
            return false;
    }
    return q->file != NULL;
}

static bool keys_read(const char *path, struct jwk_set **out)
{
    char *text = mem_alloc(JWK_TEXT_BYTES_MAX + 1);
    FILE *file = fopen(path, "r");
    size_t n = file ? fread(text, 1, JWK_TEXT_BYTES_MAX + 1, file) : 0;
    bool was_read = file && !ferror(file);
    if (!was_read) fprintf(stderr, "typeauth: %s: %s\n", path, strerror(errno));
    if (file) fclose(file);
    struct jwk_why why;
    bool ok = was_read && jwk_set_decode(sv_of(text, n), 1, out, &why) == 0;
    if (was_read && !ok)
        fprintf(stderr, "typeauth: %s: key %u: %s\n", path, why.index + 1,
                why.reason);
    mem_wipe(text, n);
    mem_free(text);
    for (unsigned i = 0; ok && i < (*out)->n_skipped; i++)
        fprintf(stderr, "typeauth: %s: key %u is not used: %s\n", path,
                (*out)->skipped[i].index + 1, (*out)->skipped[i].reason);
    return ok;
}

static enum jose_verdict judge_token(const struct judge *j, struct sv token)
{
    struct claim_times times = { .now_s = clock_wall_ms() / 1000 };
    const yyjson_val *claims;
    struct jws jws;
    struct arena a;
    arena_init(&a, JWS_ARENA_BYTES, NULL, 0);
    enum jose_verdict v = jws_decode(token, &a, &jws);
    if (v == JOSE_OK) v = jws_verify(&jws, j->keys, j->algs, 0, NULL);
    if (v == JOSE_OK && !j->any_payload) {
        v = claims_decode(jws.payload, &a, &claims);
        if (v == JOSE_OK) v = claims_check_times(claims, &times);
    }
    arena_fini(&a);
    return v;
}

static bool judge_one(const struct judge *j, struct sv token)
{
    enum jose_verdict v = judge_token(j, token);
    if (v != JOSE_OK) fprintf(stderr, "%s\n", jose_verdict_text(v));
    printf("%s\n", jose_verdict_code(v));
    return v == JOSE_OK;
}

/* A line may have any length; of one that is too long only so much is kept
 * that it is seen. */
static bool judge_lines(const struct judge *j)
{
    static char line[JWS_BYTES_MAX + 1];
    size_t n = 0, number = 0;
    bool all_good = true;
    for (int c = getchar(); c != EOF || n; c = getchar()) {
        if (c != '\n' && c != EOF) {
            if (n < sizeof line) line[n++] = (char)c;
            continue;
        }
        enum jose_verdict v = judge_token(j, sv_of(line, n));
        number++;
        if (v != JOSE_OK)
            fprintf(stderr, "%zu: %s\n", number, jose_verdict_text(v));
        printf("%s\n", jose_verdict_code(v));
        fflush(stdout);
        all_good &= v == JOSE_OK;
        n = 0;
    }
    return all_good;
}

int command_jwt(int argc, char **argv)
{
    struct asked q = { 0 };
    struct judge j = { .algs = JOSE_ALGS_ALL };
    struct sv unknown;
    if (argc && !strcmp(argv[0], "--help")) return usage(stdout);
    if (argc < 1 || strcmp(argv[0], "verify") != 0) return usage(stderr);
    if (argc == 2 && !strcmp(argv[1], "--help")) return usage(stdout);
    if (!asked_read(&q, argc - 1, argv + 1)) return usage(stderr);
    if (q.algs && jose_algs_decode(sv_cstr(q.algs), &j.algs, &unknown) != 0) {
        fprintf(stderr, "typeauth: --alg: no algorithm '%.*s'\n",
                SV_FMT(unknown));
        return 2;
    }
    if (!keys_read(q.file, &j.keys)) return 2;
    j.any_payload = q.any_payload;
    bool good = q.token ? judge_one(&j, sv_cstr(q.token)) : judge_lines(&j);
    jwk_set_free(&j.keys);
    return good ? 0 : 1;
}
