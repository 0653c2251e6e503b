/* `typeauth serve`: start, wait for signals, stop. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "main/command.h"
#include "main/process.h"
#include "main/server.h"

static int usage(FILE *to)
{
    fprintf(to, "usage: typeauth serve --data DIR [OPTIONS]\n\n"
                "Runs the gateway and the management API. The first start "
                "makes the data\ndirectory, an account and its owner key "
                "(DATA/owner.key). SIGTERM ends it\ngracefully, SIGHUP reads "
                "certificates and data files and opens the access\nlog "
                "again.\n\n");
    settings_usage(to);
    return to == stdout ? 0 : 2;
}

static bool choice(const char *option, const char *value,
                   const char *const *allowed, int *out)
{
    for (int i = 0; allowed[i]; i++)
        if (!strcasecmp(value, allowed[i])) return *out = i, true;
    fprintf(stderr, "typeauth: --%s '%s' is not one of:", option, value);
    for (int i = 0; allowed[i]; i++) fprintf(stderr, " %s", allowed[i]);
    fprintf(stderr, "\n");
    return false;
}

/* Settings that need more than their row's bounds. */
static bool settings_apply(struct server *s)
{
    static const char *const levels[] = { "debug", "info", "warn", "error",
                                          NULL };
    static const char *const egress[] = { "open", "public", NULL };
    static const char *const sources[] = { "X-Forwarded-For", "Forwarded",
                                           NULL };
    static const char *const asking[] = { "off", "ask", NULL };
    int level, mode, source, asks;
    if (!choice("log-level", s->set.log_level, levels, &level)) return false;
    if (!choice("egress", s->set.egress, egress, &mode)) return false;
    if (!choice("client-address", s->set.client_address, sources, &source))
        return false;
    if (!choice("client-certificates", s->set.client_certificates, asking,
                &asks))
        return false;
    log_set_level((enum log_level)level);
    s->egress.mode = mode ? EGRESS_PUBLIC : EGRESS_OPEN;
    s->trust = (struct address_trust){
        .peers = s->trusted,
        .peers_n = s->set.trusted_proxies.n,
        .source = source ? ADDRESS_FORWARDED : ADDRESS_X_FORWARDED_FOR,
    };
    for (unsigned i = 0; i < s->set.trusted_proxies.n; i++) {
        struct sv text = sv_cstr(s->set.trusted_proxies.items[i]);
        if (cidr_parse(text, &s->trusted[i])) {
            fprintf(stderr,
                    "typeauth: --trusted-proxies '%.*s' is not a "
                    "network such as 10.0.0.0/8\n",
                    SV_FMT(text));
            return false;
        }
    }
    s->lanes_n = s->set.workers ? (unsigned)s->set.workers : process_cpus();
    if (s->lanes_n > PLAN_REACTORS_MAX) s->lanes_n = PLAN_REACTORS_MAX;
    return true;
}

void server_reload(struct server *s)
{
    int fd = server_access_log(s);
    if (fd >= 0) journal_access_fd(s->journal, fd);
    places_ask(s->places);
    mail_file_ask(s->mail);
    log_info("main", server_tls_load(s) ? "reload: the old certificates stay"
                                        : "reloaded");
}

static void wait_for_signals(struct server *s, const sigset_t *set)
{
    for (;;) {
        int sig = 0;
        if (sigwait(set, &sig)) continue;
        if (sig != SIGHUP) {
            log_info("main", "stopping: requests in flight have %lld ms",
                     (long long)s->set.drain_ms);
            return;
        }
        server_reload(s);
    }
}

static int serve(struct server *s)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGHUP);
    pthread_sigmask(SIG_BLOCK, &set, NULL); /* inherited by all threads */

    int status = 1;
    if (!server_state_open(s) && !lanes_open(s) && !lanes_start(s)) {
        listeners_print(s);
        process_settle();
        wait_for_signals(s, &set);
        /* a second signal ends at once */
        pthread_sigmask(SIG_UNBLOCK, &set, NULL);
        lanes_stop(s);
        status = 0;
    }
    lanes_close(s);
    server_state_close(s);
    return status;
}

int command_serve(int argc, char **argv)
{
    static struct server s; /* too large for a stack, exactly one */
    for (int i = 0; i < argc; i++)
        if (!strcmp(argv[i], "--help")) return usage(stdout);
    process_harden();
#ifdef TEST_HOOKS
    const char *clock = getenv("TYPEAUTH_TEST_CLOCK");
    if (clock && clock_test_map(clock)) return 1;
#endif
    if (!settings_read(&s.set, argc, argv)) return 2;
    if (!s.set.data) {
        fprintf(stderr, "typeauth: --data DIR is needed: where everything is "
                        "kept\n");
        return 2;
    }
    if (!settings_apply(&s)) return 2;
    if (data_dir_open(s.set.data, &s.lock_fd)) return 1;
    int status = serve(&s);
    close(s.lock_fd);
    settings_fini(&s.set);
    return status;
}
