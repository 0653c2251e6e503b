/* `typeauth init`: a data directory, an account and its owner key. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "main/command.h"
#include "main/process.h"
#include "main/server.h"

static int usage(FILE *to)
{
    fprintf(to,
            "usage: typeauth init --data DIR [--server-key FILE] [--json]\n\n"
            "Makes DIR with a store, a server key, an account and its owner "
            "key, which is\nwritten to DIR/owner.key (mode 0600). Where there "
            "is an account already, only\nits id is shown.\n\n"
            "Keep DIR/server.key apart from backups of the database: together "
            "they open all\nsecrets, and without it every token is lost.\n");
    return to == stdout ? 0 : 2;
}

static int first_account(void *ctx, const struct record *r)
{
    *(struct id *)ctx = r->id;
    return ERR_LIMIT; /* one is enough */
}

/* "" when the file is not there any more. */
static void owner_key_read(const char *dir, char out[128])
{
    FILE *f = fopen(data_path(dir, "owner.key"), "re");
    out[0] = '\0';
    if (!f) return;
    if (!fgets(out, 128, f)) out[0] = '\0';
    out[strcspn(out, "\n")] = '\0';
    fclose(f);
}

static void show(const char *dir, const struct id *account, bool json)
{
    char key[128];
    owner_key_read(dir, key);
    if (json) {
        printf("{\"account_id\":\"%s\",\"key\":%s%s%s}\n", account->text,
               key[0] ? "\"" : "", key[0] ? key : "null", key[0] ? "\"" : "");
    } else {
        printf("account id   %s\n", account->text);
        printf("owner key    %s%s\n", key[0] ? "" : "not kept in ",
               data_path(dir, "owner.key"));
        printf("server key   %s (its loss loses every token: keep a copy, "
               "apart from the database)\n",
               data_path(dir, "server.key"));
    }
    mem_wipe(key, sizeof key);
}

int command_init(int argc, char **argv)
{
    struct settings set = { 0 };
    bool json = false;
    for (int i = 0; i < argc; i++) {
        if (!strcmp(argv[i], "--help")) return usage(stdout);
        if (!strcmp(argv[i], "--json"))
            json = true;
        else if (!strcmp(argv[i], "--data") && i + 1 < argc)
            set.data = argv[++i];
        else if (!strcmp(argv[i], "--server-key") && i + 1 < argc)
            set.server_key = argv[++i];
        else
            return usage(stderr);
    }
    if (!set.data) return usage(stderr);
    process_harden();
    int lock;
    struct store *store;
    struct id account = { 0 };
    if (data_dir_open(set.data, &lock)) return 1;
    if (server_store_open(&store, &set, true)) return 1;
    int err = store_record_each(store, KIND_ACCOUNT, first_account, &account);
    store_close(&store);
    close(lock);
    if (err != ERR_LIMIT) {
        fprintf(stderr, "typeauth: %s: %s\n", set.data, err_text(err));
        return 1;
    }
    show(set.data, &account, json);
    return 0;
}
