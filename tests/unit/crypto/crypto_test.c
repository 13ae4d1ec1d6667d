/*
 * crypto_test.c — published vectors (FIPS 180-4, RFC 4231, RFC 4648), hostile text, several threads.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "crypto/crypto.h"

#include "base/memory.h"
#include "base/random.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void expect_hex(const uint8_t digest[CRYPTO_SHA256_SIZE], const char *expected)
{
    CLEANUP(buf_finish) struct buf hex;
    buf_init(&hex, 100);
    crypto_hex_encode(str_make(digest, CRYPTO_SHA256_SIZE), &hex);
    assert_string_equal((const char *)hex.ptr, expected);
}

static void sha256_of_known_texts(void **state)
{
    uint8_t digest[CRYPTO_SHA256_SIZE];
    crypto_sha256(STR_EMPTY, digest);
    expect_hex(digest, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    crypto_sha256(STR("abc"), digest);
    expect_hex(digest, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

static void sha1_of_known_texts(void **state)
{
    static const uint8_t abc[CRYPTO_SHA1_SIZE] = {0xa9, 0x99, 0x3e, 0x36, 0x47, 0x06, 0x81,
                                                  0x6a, 0xba, 0x3e, 0x25, 0x71, 0x78, 0x50,
                                                  0xc2, 0x6c, 0x9c, 0xd0, 0xd8, 0x9d};
    static const uint8_t nothing[CRYPTO_SHA1_SIZE] = {0xda, 0x39, 0xa3, 0xee, 0x5e, 0x6b, 0x4b,
                                                      0x0d, 0x32, 0x55, 0xbf, 0xef, 0x95, 0x60,
                                                      0x18, 0x90, 0xaf, 0xd8, 0x07, 0x09};
    uint8_t digest[CRYPTO_SHA1_SIZE];
    crypto_sha1(STR("abc"), digest);
    assert_memory_equal(digest, abc, sizeof(abc));
    crypto_sha1(STR_EMPTY, digest);
    assert_memory_equal(digest, nothing, sizeof(nothing));
}

static void expect_mac(struct str key, struct str text, const char *expected)
{
    CLEANUP(crypto_mac_destroy) struct crypto_mac *mac = crypto_mac_create(key);
    uint8_t digest[CRYPTO_SHA256_SIZE];
    for (int i = 0; i < 2; i++) {
        crypto_mac_sign(mac, text, digest);
        expect_hex(digest, expected);
    }
}

static void hmac_of_known_texts(void **state)
{
    static const char key_1[20] = "\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b"
                                  "\x0b\x0b\x0b\x0b";
    expect_mac(str_make(key_1, sizeof(key_1)), STR("Hi There"),
               "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
    expect_mac(STR("Jefe"), STR("what do ya want for nothing?"),
               "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
    char key_6[131];
    memset(key_6, 0xaa, sizeof(key_6));
    expect_mac(str_make(key_6, sizeof(key_6)),
               STR("Test Using Larger Than Block-Size Key - Hash Key First"),
               "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
    expect_mac(STR_EMPTY, STR_EMPTY,
               "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad");
}

static void equality(void **state)
{
    assert_true(crypto_equal(STR("abc"), STR("abc")));
    assert_false(crypto_equal(STR("abc"), STR("abd")));
    assert_false(crypto_equal(STR("abc"), STR("ab")));
    assert_true(crypto_equal(STR_EMPTY, STR("")));
}

static void base64_of_known_texts(void **state)
{
    static const struct {
        const char *text;
        const char *padded;
        const char *unpadded;
    } known[] = {
        {"", "", ""},
        {"f", "Zg==", "Zg"},
        {"fo", "Zm8=", "Zm8"},
        {"foo", "Zm9v", "Zm9v"},
        {"foob", "Zm9vYg==", "Zm9vYg"},
        {"foobar", "Zm9vYmFy", "Zm9vYmFy"},
        {"\xfb\xff\xbf", "+/+/", "+/+/"},
    };
    for (size_t i = 0; i < ARRAY_COUNT(known); i++) {
        CLEANUP(buf_finish) struct buf out;
        buf_init(&out, 100);
        crypto_base64_encode(str_of(known[i].text), true, &out);
        assert_true(str_equal(buf_str(&out), str_of(known[i].padded)));
        buf_clear(&out);
        crypto_base64_encode(str_of(known[i].text), false, &out);
        assert_true(str_equal(buf_str(&out), str_of(known[i].unpadded)));
        buf_clear(&out);
        assert_true(crypto_base64_decode(str_of(known[i].padded), &out));
        assert_true(str_equal(buf_str(&out), str_of(known[i].text)));
        buf_clear(&out);
        assert_true(crypto_base64_decode(str_of(known[i].unpadded), &out));
        assert_true(str_equal(buf_str(&out), str_of(known[i].text)));
    }
    CLEANUP(buf_finish) struct buf out;
    buf_init(&out, 100);
    assert_true(crypto_base64_decode(STR("-_-_"), &out));
    assert_string_equal((const char *)out.ptr, "\xfb\xff\xbf");
}

static void wrong_base64_is_refused(void **state)
{
    static const char *const wrong[] = {
        "Z",     "Zg=",    "Zg===", "=",    "====", "Zm9v=", "Zm9v==",
        "Zm 9v", "Zm9v\n", "Zh==",  "Zm9=", "Z=g=", "Zm9v*", "\xff\xff\xff\xff"};
    for (size_t i = 0; i < ARRAY_COUNT(wrong); i++) {
        CLEANUP(buf_finish) struct buf out;
        buf_init(&out, 100);
        if (crypto_base64_decode(str_of(wrong[i]), &out))
            fail_msg("'%s' was taken", wrong[i]);
    }
    CLEANUP(buf_finish) struct buf small;
    buf_init(&small, 2);
    assert_false(crypto_base64_decode(STR("Zm9v"), &small));
}

static void hexadecimal(void **state)
{
    CLEANUP(buf_finish) struct buf out;
    buf_init(&out, 8);
    crypto_hex_encode(str_make("\x00\xff\xab\x19", 4), &out);
    assert_true(str_equal(buf_str(&out), STR("00ffab19")));
}

static void any_bytes_survive_both_ways(void **state)
{
    for (size_t size = 0; size < 200; size++) {
        uint8_t bytes[200];
        random_bytes(bytes, size);
        CLEANUP(buf_finish) struct buf text;
        CLEANUP(buf_finish) struct buf back;
        buf_init(&text, 1000);
        buf_init(&back, 1000);
        crypto_base64_encode(str_make(bytes, size), size % 2, &text);
        assert_true(crypto_base64_decode(buf_str(&text), &back));
        assert_true(str_equal(buf_str(&back), str_make(bytes, size)));
    }
}

static void *sign_often(void *argument)
{
    const struct crypto_mac *mac = argument;
    uint8_t first[CRYPTO_SHA256_SIZE];
    uint8_t digest[CRYPTO_SHA256_SIZE];
    crypto_mac_sign(mac, STR("text"), first);
    for (int i = 0; i < 2000; i++) {
        crypto_mac_sign(mac, STR("text"), digest);
        if (memcmp(first, digest, sizeof(first)) != 0)
            return argument;
    }
    return NULL;
}

static void threads_share_a_key(void **state)
{
    CLEANUP(crypto_mac_destroy) struct crypto_mac *mac = crypto_mac_create(STR("key"));
    pthread_t threads[3];
    for (int i = 0; i < 3; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, sign_often, mac), 0);
    for (int i = 0; i < 3; i++) {
        void *failed = mac;
        assert_int_equal(pthread_join(threads[i], &failed), 0);
        assert_null(failed);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sha1_of_known_texts),   cmocka_unit_test(sha256_of_known_texts),
        cmocka_unit_test(hmac_of_known_texts),   cmocka_unit_test(equality),
        cmocka_unit_test(base64_of_known_texts), cmocka_unit_test(wrong_base64_is_refused),
        cmocka_unit_test(hexadecimal),           cmocka_unit_test(any_bytes_survive_both_ways),
        cmocka_unit_test(threads_share_a_key),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
