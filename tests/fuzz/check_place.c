/* A request's credential by each place: what is found lies in the request or
 * in the arena, and is never empty. */
#include "base/ensure.h"
#include "check/place.h"
#include "codec/http1.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool lies_in(struct sv part, const void *p, size_t n)
{
    const char *at = p;
    return part.p >= at && part.p + part.n <= at + n;
}

static void look(const struct http_head *head, struct sv input,
                 enum token_place place, struct sv name)
{
    char first[512];
    struct arena a;
    struct place_credential out;
    const struct authentication auth = { .place = place, .place_name = name };
    arena_init(&a, 0, first, sizeof first);
    if (place_find(head, &auth, &a, &out) == FOUND_ONE) {
        ENSURE(out.text.n > 0);
        ENSURE(lies_in(out.text, input.p, input.n) ||
               lies_in(out.text, first, sizeof first));
        ENSURE((out.field == NULL) == (place == PLACE_QUERY));
    }
    arena_fini(&a);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct http_head head;
    const struct http1_limits limits = { 16384, 8192, 64 };
    struct http1_refusal why;
    struct sv in = sv_of(data, size);
    size_t searched = 0;
    if (http1_request_scan(in, &searched, &limits, &head, &why) <= 0) return 0;
    look(&head, in, PLACE_BEARER, SV(""));
    look(&head, in, PLACE_HEADER, SV("X-Key"));
    look(&head, in, PLACE_QUERY, SV("key"));
    look(&head, in, PLACE_COOKIE, SV("key"));
    return 0;
}
