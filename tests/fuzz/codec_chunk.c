/* Chunked bodies: llhttp reads the same, and any cut gives the same data. */
#include "http1_oracle.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static enum chunk_event decode_by(struct sv all, size_t step,
                                  struct oracle_text *t)
{
    struct chunk_decoder d = { 0 };
    for (size_t at = 0; at < all.n; at += step) {
        struct sv in = sv_first(sv_from(all, at), step), data;
        while (in.n) {
            enum chunk_event e = chunk_decode(&d, &in, &data);
            if (e == CHUNK_LAST || e == CHUNK_BAD) return e;
            if (e == CHUNK_MORE) break;
            oracle_add(t->body, &t->body_n, data.p, data.n);
            chunk_take(&d, data.n);
            in = sv_from(in, data.n);
        }
    }
    return CHUNK_MORE;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char head[] = "POST / HTTP/1.1\r\nHost: a\r\n"
                               "Transfer-Encoding: chunked\r\n\r\n";
    static struct oracle_text a, b;
    if (size < 1 || size > 16000) return 0;
    struct sv body = sv_of(data + 1, size - 1);
    a.body_n = b.body_n = 0;
    enum chunk_event e = decode_by(body, body.n, &a);
    ENSURE(decode_by(body, data[0] % 16 + 1, &b) == e);
    ENSURE(a.body_n == b.body_n && !memcmp(a.body, b.body, a.body_n));
    char *whole = malloc(sizeof head + size);
    memcpy(whole, head, sizeof head - 1);
    memcpy(whole + sizeof head - 1, body.p, body.n);
    oracle_request(sv_of(whole, sizeof head - 1 + body.n));
    free(whole);
    (void)oracle_response;
    return 0;
}
