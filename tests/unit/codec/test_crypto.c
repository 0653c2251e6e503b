/* Digests and sealing, against published vectors. */
#include <pthread.h>

#include "base/fmt.h"
#include "codec/digest.h"
#include "codec/hex.h"
#include "codec/seal.h"
#include "codec_kit.h"

static void assert_hex(const void *bytes, size_t n, const char *expected)
{
    char text[512];
    assert_int_equal(strlen(expected), 2 * n);
    fmt_hex(text, bytes, n);
    assert_memory_equal(text, expected, 2 * n);
}

static void sha256_gives_the_standards_values(void **state)
{
    (void)state;
    uint8_t out[32]; /* FIPS 180-4 examples */
    sha256(SV("abc"), out);
    assert_hex(out, 32,
               "ba7816bf8f01cfea414140de5dae2223"
               "b00361a396177a9cb410ff61f20015ad");
    sha256(SV(""), out);
    assert_hex(out, 32,
               "e3b0c44298fc1c149afbf4c8996fb924"
               "27ae41e4649b934ca495991b7852b855");
    struct sv parts[] = { SV("abcdbcdecdefdefgefghfghighij"),
                          SV("hijkijkljklmklmnlmnomnopnopq") };
    sha256_parts(parts, 2, out);
    assert_hex(out, 32,
               "248d6a61d20638b8e5c026930c3e6039"
               "a33ce45964ff2167f6ecedd419db06c1");
}

static void hmac_gives_the_values_of_rfc_4231(void **state)
{
    (void)state;
    uint8_t out[32], key[131], text[50];
    struct sv part = SV("Hi There");
    memset(key, 0x0b, 20);
    hmac_sha256(sv_of(key, 20), &part, 1, out);
    assert_hex(out, 32,
               "b0344c61d8db38535ca8afceaf0bf12b"
               "881dc200c9833da726e9376c2e32cff7");
    struct sv parts[] = { SV("what do ya want "), SV("for nothing?") };
    hmac_sha256(SV("Jefe"), parts, 2, out);
    assert_hex(out, 32,
               "5bdcc146bf60754e6a042426089575c7"
               "5a003f089d2739839dec58b964ec3843");
    memset(key, 0xaa, sizeof key);
    memset(text, 0xdd, sizeof text);
    part = sv_of(text, sizeof text);
    hmac_sha256(sv_of(key, 20), &part, 1, out);
    assert_hex(out, 32,
               "773ea91e36800e46854db8ebd09181a7"
               "2959098b3ef8c122d9635514ced565fe");
    part = SV("Test Using Larger Than Block-Size Key - Hash Key First");
    hmac_sha256(sv_of(key, sizeof key), &part, 1, out);
    assert_hex(out, 32,
               "60e431591ee0b67f0d8a26aacbf5b77f"
               "8e0bc6213728c5140546040f0ee37f54");
}

static void a_kept_key_gives_what_the_key_gives_each_time(void **state)
{
    (void)state;
    uint8_t key[131], text[200], out[32], expected[32];
    struct hmac_key kept;
    for (size_t i = 0; i < sizeof key; i++) key[i] = (uint8_t)(i * 7 + 1);
    for (size_t i = 0; i < sizeof text; i++) text[i] = (uint8_t)(i * 3);
    for (size_t k = 0; k <= sizeof key; k++) {
        hmac_key_init(&kept, sv_of(key, k));
        for (size_t n = 0; n <= sizeof text; n += 1 + n / 8) {
            const struct sv parts[] = { sv_of(text, n / 3), SV(""),
                                        sv_of(text + n / 3, n - n / 3) };
            struct sv whole = sv_of(text, n);
            hmac_sha256(sv_of(key, k), &whole, 1, expected);
            hmac_key_run(&kept, parts, 3, out);
            assert_memory_equal(out, expected, sizeof out);
        }
    }
}

static void hkdf_gives_the_values_of_rfc_5869(void **state)
{
    (void)state;
    uint8_t key[80], salt[80], info[80], out[82];
    memset(key, 0x0b, 22);
    for (int i = 0; i < 13; i++) salt[i] = (uint8_t)i;
    for (int i = 0; i < 10; i++) info[i] = (uint8_t)(0xf0 + i);
    hkdf_sha256(sv_of(key, 22), sv_of(salt, 13), sv_of(info, 10), out, 42);
    assert_hex(out, 42,
               "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db0"
               "2d56ecc4c5bf34007208d5b887185865");
    for (int i = 0; i < 80; i++) {
        key[i] = (uint8_t)i;
        salt[i] = (uint8_t)(0x60 + i);
        info[i] = (uint8_t)(0xb0 + i);
    }
    hkdf_sha256(sv_of(key, 80), sv_of(salt, 80), sv_of(info, 80), out, 82);
    assert_hex(out, 82,
               "b11e398dc80327a1c8e7f78c596a49344f012eda2d4efad8a050cc4c19af"
               "a97c59045a99cac7827271cb41c65e590e09da3275600c2f09b8367793a9"
               "aca3db71cc30c58179ec3e87c14c01d5c1f3434f1d87");
    memset(key, 0x0b, 22);
    hkdf_sha256(sv_of(key, 22), SV(""), SV(""), out, 42);
    assert_hex(out, 42,
               "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec345"
               "4e5f3c738d2d9d201395faa4b61a96c8");
}

static void *hash_much(void *expected)
{
    uint8_t out[32];
    for (int i = 0; i < 2000; i++) {
        sha256(SV("abc"), out);
        if (memcmp(out, expected, 32) != 0) return expected;
    }
    return NULL;
}

static void threads_do_not_share_a_context(void **state)
{
    (void)state;
    uint8_t expected[32];
    pthread_t threads[4];
    sha256(SV("abc"), expected);
    for (int i = 0; i < 4; i++)
        pthread_create(&threads[i], NULL, hash_much, expected);
    for (int i = 0; i < 4; i++) {
        void *bad;
        pthread_join(threads[i], &bad);
        assert_null(bad);
    }
}

/* --- sealing ------------------------------------------------------------------ */

/* By S2V and CTR of RFC 5297 2.4 to 2.6, written apart over plain AES. */
static void sealing_gives_known_values(void **state)
{
    (void)state;
    uint8_t key[SEAL_KEY_BYTES], out[64];
    struct sealer *s;
    for (int i = 0; i < SEAL_KEY_BYTES; i++) key[i] = (uint8_t)i;
    assert_int_equal(sealer_new(&s, key), 0);
    assert_int_equal(seal_close(s, SV("abc"), out), 0);
    assert_hex(out, 19, "e93d3850e990f9a1964bf990e23945150e036d");
    assert_int_equal(seal_close(s, SV("0123456789abcdef0123456789ABCDEF"), out),
                     0);
    assert_hex(out, 48,
               "c35443468022e9225ad3a7345688fd75645c3d2b7dd9e673"
               "525efbffb6b2eea14059e43e78b8083e94bee5d652f9e63f");
    sealer_free(&s);
    assert_null(s);
}

/* The traps of a kept context: every message after the first must be right. */
static void a_kept_context_seals_and_opens_every_row(void **state)
{
    (void)state;
    enum { ROWS = 20000 };
    uint8_t key[SEAL_KEY_BYTES] = { 9 }, plain[32], back[32];
    uint8_t(*sealed)[48] = malloc(sizeof *sealed * ROWS);
    struct sealer *s, *fresh;
    assert_int_equal(sealer_new(&s, key), 0);
    for (uint32_t i = 0; i < ROWS; i++) {
        memset(plain, (int)i, sizeof plain);
        memcpy(plain, &i, sizeof i);
        assert_int_equal(seal_close(s, sv_of(plain, 32), sealed[i]), 0);
    }
    for (uint32_t i = 0; i < ROWS; i++) {
        memset(plain, (int)i, sizeof plain);
        memcpy(plain, &i, sizeof i);
        assert_int_equal(seal_open(s, sv_of(sealed[i], 48), back), 0);
        assert_memory_equal(plain, back, 32);
        if (i % 97 == 0) { /* and what a context of its own says */
            uint8_t alone[48];
            assert_int_equal(sealer_new(&fresh, key), 0);
            assert_int_equal(seal_close(fresh, sv_of(plain, 32), alone), 0);
            assert_memory_equal(alone, sealed[i], 48);
            sealer_free(&fresh);
        }
    }
    free(sealed);
    sealer_free(&s);
}

static void each_flipped_bit_is_refused_and_leaves_zeros(void **state)
{
    (void)state;
    uint8_t key[SEAL_KEY_BYTES] = { 1 }, sealed[48], back[32];
    static const uint8_t zeros[32];
    struct sealer *s;
    assert_int_equal(sealer_new(&s, key), 0);
    assert_int_equal(
        seal_close(s, SV("0123456789abcdef0123456789ABCDEF"), sealed), 0);
    for (int bit = 0; bit < 48 * 8; bit++) {
        sealed[bit / 8] ^= (uint8_t)(1 << bit % 8);
        memset(back, 7, sizeof back);
        assert_int_equal(seal_open(s, sv_of(sealed, 48), back), ERR_CORRUPT);
        assert_memory_equal(back, zeros, 32);
        sealed[bit / 8] ^= (uint8_t)(1 << bit % 8);
        /* a forged one does not spoil the next */
        assert_int_equal(seal_open(s, sv_of(sealed, 48), back), 0);
    }
    for (size_t n = 0; n < 48; n++) {
        struct sv cut = exact(sv_of(sealed, n));
        assert_int_equal(seal_open(s, cut, back), ERR_CORRUPT);
        exact_free(cut);
    }
    sealer_free(&s);
    key[0] = 2;
    assert_int_equal(sealer_new(&s, key), 0);
    assert_int_equal(seal_open(s, sv_of(sealed, 48), back), ERR_CORRUPT);
    sealer_free(&s);
}

/* A short message changes the state of a kept context in OpenSSL. */
static void every_length_is_sealed_alike_after_every_other(void **state)
{
    (void)state;
    enum { N = 40 };
    uint8_t key[SEAL_KEY_BYTES] = { 3 }, plain[N] = { 0 }, alone[N + 16];
    uint8_t out[N + 16], back[N];
    struct sealer *kept, *fresh;
    assert_int_equal(sealer_new(&kept, key), 0);
    for (size_t n = 1; n <= N; n++) {
        assert_int_equal(sealer_new(&fresh, key), 0);
        assert_int_equal(seal_close(fresh, sv_of(plain, n), alone), 0);
        sealer_free(&fresh);
        for (size_t before = 1; before <= N; before++) {
            assert_int_equal(seal_close(kept, sv_of(plain, before), out), 0);
            assert_int_equal(seal_open(kept, sv_of(out, before + 16), back), 0);
            assert_int_equal(seal_close(kept, sv_of(plain, n), out), 0);
            assert_memory_equal(out, alone, n + 16);
            assert_int_equal(seal_open(kept, sv_of(out, n + 16), back), 0);
            assert_memory_equal(back, plain, n);
        }
    }
    sealer_free(&kept);
}

static void long_texts_are_sealed_as_well(void **state)
{
    (void)state;
    enum { N = 300000 };
    uint8_t key[SEAL_KEY_BYTES] = { 1 };
    uint8_t *plain = malloc(N), *sealed = malloc(N + 16), *back = malloc(N);
    struct sealer *s;
    rand_bytes(plain, N);
    assert_int_equal(sealer_new(&s, key), 0);
    for (size_t n = 1; n <= N; n = n * 3 + 1) {
        assert_int_equal(seal_close(s, sv_of(plain, n), sealed), 0);
        assert_int_equal(seal_open(s, sv_of(sealed, n + 16), back), 0);
        assert_memory_equal(plain, back, n);
    }
    sealer_free(&s);
    free(plain);
    free(sealed);
    free(back);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(sha256_gives_the_standards_values),
        TEST(hmac_gives_the_values_of_rfc_4231),
        TEST(a_kept_key_gives_what_the_key_gives_each_time),
        TEST(hkdf_gives_the_values_of_rfc_5869),
        TEST(threads_do_not_share_a_context),
        TEST(sealing_gives_known_values),
        TEST(a_kept_context_seals_and_opens_every_row),
        TEST(each_flipped_bit_is_refused_and_leaves_zeros),
        TEST(every_length_is_sealed_alike_after_every_other),
        TEST(long_texts_are_sealed_as_well),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
