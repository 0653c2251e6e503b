/* Small values with one written form: ids, numbers, times, hex. What decodes
 * is what encoding writes, and what encoding writes decodes to the same. */
#include <stdlib.h>

#include "codec/base62.h"
#include "codec/hex.h"
#include "codec/rfc3339.h"
#include "codec/text.h"
#include "codec/ulid.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool holds)
{
    if (!holds) abort();
}

static void base62(const uint8_t *data, size_t size)
{
    uint8_t bytes[BASE62_BYTES_MAX];
    char text[BASE62_TEXT_MAX];
    for (size_t n = 1; n <= BASE62_BYTES_MAX; n++) {
        if (base62_size(n) != size) continue;
        if (base62_decode(sv_of(data, size), bytes, n)) continue;
        must(base62_encode(text, bytes, n) == size);
        must(!memcmp(text, data, size));
    }
    if (size && size <= BASE62_BYTES_MAX) {
        size_t written = base62_encode(text, data, size);
        must(written == base62_size(size) && written <= BASE62_TEXT_MAX);
        must(!base62_decode(sv_of(text, written), bytes, size));
        must(!memcmp(bytes, data, size));
    }
    uint32_t number;
    if (!base62_decode_u32(sv_of(data, size), &number)) {
        base62_encode_u32(text, number);
        must(size == BASE62_U32_TEXT && !memcmp(text, data, size));
    }
}

static void times(struct sv text)
{
    int64_t ms, again;
    char out[RFC3339_TEXT];
    if (rfc3339_decode(text, &ms)) return;
    rfc3339_encode(out, ms);
    must(!rfc3339_decode(sv_of(out, sizeof out), &again));
    /* Years outside 0000-9999, reached by an offset, are clamped. */
    must(again == ms || again < -62167219200000 + 86400000 ||
         again > 253402300799999 - 86400000);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct sv text = sv_of(data, size);
    base62(data, size);
    times(text);

    struct ulid ulid;
    char written[ULID_TEXT];
    if (!ulid_decode(text, &ulid)) {
        ulid_encode(written, &ulid);
        must(size == ULID_TEXT && !memcmp(written, data, size));
    }
    uint8_t bytes[64];
    if (size % 2 == 0 && size / 2 <= sizeof bytes)
        hex_decode(text, bytes, size / 2);

    if (utf8_is_valid(text)) {
        must(utf8_count(text) <= size);
        const struct text_rule *rules[] = {
            &text_plain,   &text_lines,  &text_slug, &text_word,
            &text_visible, &text_cookie, &text_hex,
        };
        for (size_t i = 0; i < sizeof rules / sizeof *rules; i++)
            rules[i]->ok(text);
        must(!text_plain.ok(text) || text_lines.ok(text));
        must(!text_word.ok(text) || text_visible.ok(text));
    }
    return 0;
}
