/* Which address serves what: a table. The API's listener is shared by the
 * management API and /authenticate; the path decides. */
#include <stdio.h>

#include "base/log.h"
#include "main/server.h"

/* --- services that only choose -------------------------------------------- */
static bool is_question(struct sv path)
{
    return sv_eq(path, SV("/authenticate")) ||
           sv_starts(path, SV("/authenticate/"));
}

static void to_door(struct http_stream *s, struct api_door *door,
                    const struct http_head *head)
{
    http_stream_dispatch(s, door_service(), door, head);
}

static void to_verify(struct http_stream *s, const struct http_head *head)
{
    struct lane *lane = http_stream_ctx(s);
    http_stream_dispatch(s, &edge_verify_service, lane->edge, head);
}

/* Public keys of our assertions, for origins. */
static bool is_jwks(struct sv path)
{
    return sv_eq(path, SV("/.well-known/jwks.json"));
}

static void to_jwks(struct http_stream *s, const struct http_head *head)
{
    struct lane *lane = http_stream_ctx(s);
    http_stream_dispatch(s, &edge_jwks_service, lane->edge, head);
}

static void on_api(struct http_stream *s, const struct http_head *head)
{
    struct lane *lane = http_stream_ctx(s);
    if (is_jwks(head->path))
        to_jwks(s, head);
    else if (is_question(head->path))
        to_verify(s, head);
    else
        to_door(s, lane->server->door, head);
}

static void on_verify(struct http_stream *s, const struct http_head *head)
{
    struct lane *lane = http_stream_ctx(s);
    if (sv_eq(head->path, SV("/healthz")))
        to_door(s, lane->server->door, head);
    else if (is_jwks(head->path))
        to_jwks(s, head);
    else
        to_verify(s, head); /* which knows 404 */
}

static void on_ops(struct http_stream *s, const struct http_head *head)
{
    struct lane *lane = http_stream_ctx(s);
    if (sv_eq(head->path, SV("/metrics")) ||
        sv_eq(head->path, SV("/healthz")) || sv_eq(head->path, SV("/readyz")))
        to_door(s, lane->server->ops_door, head);
    else
        to_verify(s, head);
}

static void on_gateway(struct http_stream *s, const struct http_head *head)
{
    struct lane *lane = http_stream_ctx(s);
    http_stream_dispatch(s, &edge_proxy_service, lane->edge, head);
}

static void on_refusal(void *ctx, const struct conn *c, struct http_stream *s,
                       const struct http1_refusal *why,
                       struct http_refused *out)
{
    (void)ctx;
    (void)c;
    (void)s;
    door_refusal(why, out);
}

static void on_gateway_refusal(void *ctx, const struct conn *c,
                               struct http_stream *s,
                               const struct http1_refusal *why,
                               struct http_refused *out)
{
    struct lane *lane = ctx;
    edge_proxy_service.on_refusal(lane->edge, c, s, why, out);
}

static const struct http_service api_service = { .on_request = on_api,
                                                 .on_refusal = on_refusal };
static const struct http_service verify_service = { .on_request = on_verify,
                                                    .on_refusal = on_refusal };
static const struct http_service ops_service = { .on_request = on_ops,
                                                 .on_refusal = on_refusal };
static const struct http_service gateway_service = { .on_request = on_gateway,
                                                     .on_refusal =
                                                         on_gateway_refusal };

/* --- the table -------------------------------------------------------------- */
static const struct row {
    const char *name;
    size_t setting;
    const struct http_service *service;
} rows[LISTEN_COUNT] = {
#define AT(field) offsetof(struct settings, field)
    [LISTEN_API] = { "api", AT(api), &api_service },
    [LISTEN_GATEWAY] = { "gateway", AT(gateway), &gateway_service },
    [LISTEN_GATEWAY_TLS] = { "gateway-tls", AT(gateway_tls), &gateway_service },
    [LISTEN_VERIFY] = { "verify", AT(verify), &verify_service },
    [LISTEN_OPS] = { "ops", AT(ops), &ops_service },
};

static const char *row_text(const struct server *s, unsigned i)
{
    return *(const char *const *)((const char *)&s->set + rows[i].setting);
}

static struct tls_server *_Atomic *row_tls(struct server *s, unsigned i)
{
    if (i == LISTEN_GATEWAY_TLS) return &s->gateway_tls;
    return i == LISTEN_API && s->set.api_certificate.n ? &s->api_tls : NULL;
}

/* --- certificates -------------------------------------------------------------- */
static int certificates_load(const struct setting_list *list,
                             struct tls_server **out)
{
    struct tls_cert_conf certs[SETTING_LIST_MAX];
    char text[SETTING_LIST_MAX][3][512], problem[256];
    for (unsigned i = 0; i < list->n; i++) {
        struct sv rest, cert = sv_cut(sv_cstr(list->items[i]), ',', &rest);
        struct sv name, key = sv_cut(rest, ',', &name);
        if (!cert.n || !key.n) {
            fprintf(stderr,
                    "typeauth: certificate '%s': takes "
                    "CERT,KEY[,NAME]\n",
                    list->items[i]);
            return -1;
        }
        snprintf(text[i][0], 512, "%.*s", SV_FMT(cert));
        snprintf(text[i][1], 512, "%.*s", SV_FMT(key));
        snprintf(text[i][2], 512, "%.*s", SV_FMT(name));
        certs[i] = (struct tls_cert_conf){ text[i][0], text[i][1],
                                           sv_cstr(text[i][2]) };
    }
    int err = tls_server_new(out, certs, list->n, problem);
    if (err) fprintf(stderr, "typeauth: certificates: %s\n", problem);
    return err ? -1 : 0;
}

static void tls_free(void *tls)
{
    tls_server_put(tls);
}

static int certificates_swap(const struct setting_list *list,
                             struct tls_server *_Atomic *place, bool ask,
                             const char *client_ca)
{
    struct tls_server *fresh;
    char problem[256];
    if (!list->n) return 0;
    if (certificates_load(list, &fresh)) return -1;
    if (ask && tls_server_ask(fresh, client_ca, problem)) {
        fprintf(stderr, "typeauth: --client-ca: %s\n", problem);
        tls_server_put(fresh);
        return -1;
    }
    struct tls_server *old = atomic_exchange(place, fresh);
    if (old) epoch_retire(old, tls_free, NULL);
    return 0;
}

int server_tls_load(struct server *s)
{
    const struct settings *set = &s->set;
    bool ask = !strcmp(set->client_certificates, "ask");
    if (certificates_swap(&set->certificates, &s->gateway_tls, ask,
                          set->client_ca))
        return -1;
    return certificates_swap(&set->api_certificate, &s->api_tls, false, NULL);
}

/* --- opening ---------------------------------------------------------------------- */
static bool ip_is_loopback(const struct ip *ip)
{
    const char *special = ip_special(ip);
    return special && !strcmp(special, "loopback");
}

static int open_row(struct server *s, unsigned i, struct addr *at)
{
    const struct settings *set = &s->set;
    struct http_server_conf conf = {
        .limits = { .head_bytes = (uint32_t)set->head_bytes,
                    .target_bytes = 8192,
                    .fields = (uint16_t)set->fields },
        .head_timeout_ms = (uint32_t)set->head_timeout_ms,
        .idle_timeout_ms = (uint32_t)set->idle_timeout_ms,
        .body_min_rate = (uint32_t)set->body_min_rate,
        .write_timeout_ms = (uint32_t)set->write_timeout_ms,
        .service = rows[i].service,
        .tls = row_tls(s, i),
    };
    struct listener **all = NULL;
    all = mem_zalloc(s->lanes_n * sizeof *all);
    int err = 0;
    for (unsigned k = 0; k < s->lanes_n && !err; k++) {
        struct lane *lane = &s->lanes[k];
        conf.ctx = lane;
        err = http_server_open(lane->reactor, at, -1, &conf, &lane->doors[i]);
        if (err) break;
        all[k] = http_server_listener(lane->doors[i]);
        if (k == 0) listener_addr(all[0], at); /* port 0: now it is known */
    }
    if (!err) listener_share(all, s->lanes_n);
    /* `all` is borrowed by the listeners until the reactors are freed */
    s->shared[i] = all;
    if (err) {
        char text[ADDR_TEXT_MAX];
        size_t n = addr_format(at, text);
        fprintf(stderr, "typeauth: cannot listen on %.*s for %s: %s\n", (int)n,
                text, rows[i].name, err_text(err));
    }
    return err;
}

static int row_fails(const char *name, const char *why)
{
    fprintf(stderr, "typeauth: --%s %s\n", name, why);
    return -1;
}

int listeners_open(struct server *s)
{
    for (unsigned i = 0; i < LISTEN_COUNT; i++) {
        const char *text = row_text(s, i);
        struct addr at;
        if (!strcmp(text, "off")) continue;
        if (addr_parse(sv_cstr(text), &at))
            return row_fails(rows[i].name, "takes ADDR:PORT, for example "
                                           "127.0.0.1:8080 or [::]:8080");
        if (i == LISTEN_API && !ip_is_loopback(&at.ip) &&
            !s->set.insecure_api && !s->set.api_certificate.n)
            return row_fails("api",
                             "is not a loopback address: give "
                             "--api-certificate CERT,KEY or --insecure-api");
        if (i == LISTEN_GATEWAY_TLS && !s->set.certificates.n)
            return row_fails("gateway-tls", "needs --certificate CERT,KEY");
        if (open_row(s, i, &at)) return -1;
        s->bound[i] = at;
        s->own[s->egress.own_n++] = at;
    }
    s->egress.own = s->own;
    s->egress.machine = s->machine;
    s->egress.machine_n = egress_machine_ips(s->machine, MACHINE_IPS_MAX);
    return 0;
}

void listeners_print(const struct server *s)
{
    printf("listening");
    for (unsigned i = 0; i < LISTEN_COUNT; i++) {
        char text[ADDR_TEXT_MAX];
        if (!s->bound[i].port) continue;
        size_t n = addr_format(&s->bound[i], text);
        printf(" %s=%.*s", rows[i].name, (int)n, text);
    }
    printf("\n");
    fflush(stdout);
}
