/* Request heads and bodies: llhttp accepts what we accept, alike; and any cut
 * of the input gives the same verdict. */
#include "http1_oracle.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void in_pieces(struct sv in, int whole)
{
    static struct http_head h;
    struct http1_refusal why;
    size_t searched = 0, step = in.n / 7 + 1;
    int n = 0;
    for (size_t have = 1; n == 0 && have <= in.n;) {
        n = http1_request_scan(sv_first(in, have), &searched, &oracle_limits,
                               &h, &why);
        if (have == in.n) break;
        have = have + step < in.n ? have + step : in.n;
    }
    if (whole > 0)
        ENSURE(n == whole);
    else
        ENSURE(n <= 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct http_head h;
    struct http1_refusal why;
    size_t searched = 0;
    if (size > 30000) return 0;
    struct sv in = sv_of(data, size);
    oracle_request(in);
    in_pieces(in, http1_request_scan(in, &searched, &oracle_limits, &h, &why));
    (void)oracle_response;
    return 0;
}
