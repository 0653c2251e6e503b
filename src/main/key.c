/* `typeauth key`: what only somebody at the machine may do. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/ensure.h"
#include "main/command.h"
#include "main/process.h"
#include "main/server.h"

static int usage(FILE *to)
{
    fprintf(to,
            "usage: typeauth key create --data DIR (--root | --account ID "
            "--role ROLE)\n"
            "                           [--name NAME] [--expires SECONDS] "
            "[--json]\n"
            "       typeauth key rotate-server --data DIR [--server-key "
            "FILE]\n\n"
            "create         makes a management key and prints its secret, "
            "once. --root: a\n"
            "               server-wide key, which manages accounts. Roles: "
            "verifier,\n"
            "               viewer, editor, admin, owner. A running server "
            "takes it up\n"
            "               within a second.\n"
            "rotate-server  makes a new server key and seals every secret "
            "anew; the\n"
            "               server must be stopped.\n");
    return to == stdout ? 0 : 2;
}

struct asked {
    const char *data, *server_key, *account, *role, *name;
    uint64_t expires_s;
    bool root, json;
};

static const char **text_of(struct asked *q, struct sv option)
{
    const struct {
        struct sv name;
        const char **place;
    } texts[] = {
        { SV("--data"), &q->data },
        { SV("--server-key"), &q->server_key },
        { SV("--account"), &q->account },
        { SV("--role"), &q->role },
        { SV("--name"), &q->name },
    };
    for (size_t i = 0; i < ARRAY_LEN(texts); i++)
        if (sv_eq(texts[i].name, option)) return texts[i].place;
    return NULL;
}

static bool asked_read(struct asked *q, int argc, char **argv)
{
    for (int i = 0; i < argc; i++) {
        struct sv option = sv_cstr(argv[i]);
        const char **text = text_of(q, option);
        bool more = i + 1 < argc;
        if (text && more)
            *text = argv[++i];
        else if (sv_eq(option, SV("--root")))
            q->root = true;
        else if (sv_eq(option, SV("--json")))
            q->json = true;
        else if (sv_eq(option, SV("--expires")) && more &&
                 sv_to_u64(sv_cstr(argv[++i]), 999999999, &q->expires_s))
            continue;
        else
            return false;
    }
    return q->data != NULL;
}

static int key_create(const struct asked *q)
{
    enum role role = ROLE_ROOT;
    bool role_good =
        q->root ? !q->role && !q->account
                : q->role && q->account && role_parse(sv_cstr(q->role), &role);
    if (!role_good) return usage(stderr);
    struct settings set = { .data = q->data, .server_key = q->server_key };
    struct store *store;
    if (server_store_open(&store, &set, false)) return 1;
    struct admin_key_made made;
    struct admin_key_ask ask = {
        .account_id = sv_cstr(q->root ? "" : q->account),
        .role = role,
        .name = sv_cstr(q->name ? q->name : "command line"),
        .expires_s = (int64_t)q->expires_s,
    };
    int err = admin_key_create(store, &ask, clock_wall_ms(), &made);
    store_close(&store);
    if (err) {
        fprintf(stderr, "typeauth: the key could not be made: %s\n",
                err == ERR_NOTFOUND ? "there is no such account"
                : err == ERR_EXISTS ? "the account has a key of this name"
                                    : err_text(err));
        return 1;
    }
    if (q->json)
        printf("{\"id\":\"%s\",\"role\":\"%s\",\"key\":\"%s\"}\n", made.id.text,
               role_name(role), made.secret);
    else
        printf("id    %s\nrole  %s\nkey   %s  (shown only now)\n", made.id.text,
               role_name(role), made.secret);
    mem_wipe(&made, sizeof made);
    return 0;
}

static int rotate_server(const struct asked *q)
{
    char problem[256] = "";
    int lock;
    struct store_conf conf = { .dir = q->data, .server_key = q->server_key };
    if (data_dir_open(q->data, &lock)) return 1;
    int err = store_rotate_server_key(&conf, problem);
    close(lock);
    if (err) {
        fprintf(stderr, "typeauth: %s: %s\n", q->data,
                problem[0] ? problem : err_text(err));
        return 1;
    }
    printf("every secret is sealed under the new server key\n");
    return 0;
}

int command_key(int argc, char **argv)
{
    struct asked q = { 0 };
    if (argc > 0 && !strcmp(argv[0], "--help")) return usage(stdout);
    if (argc < 1 || !asked_read(&q, argc - 1, argv + 1)) return usage(stderr);
    process_harden();
    if (!strcmp(argv[0], "create")) return key_create(&q);
    if (!strcmp(argv[0], "rotate-server")) return rotate_server(&q);
    return usage(stderr);
}
