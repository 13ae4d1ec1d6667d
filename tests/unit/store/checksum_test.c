/*
 * checksum_test.c — CRC32C against the published values and against itself bit by bit, for every way in
 * which an input may be cut.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "store/checksum.h"

#include "fixture.h"

static uint32_t bit_by_bit(const uint8_t *bytes, size_t size)
{
    uint32_t crc = UINT32_MAX;
    for (size_t i = 0; i < size; i++) {
        crc ^= bytes[i];
        for (int bit = 0; bit < 8; bit++)
            crc = (crc >> 1) ^ (crc & 1 ? UINT32_C(0x82F63B78) : 0);
    }
    return ~crc;
}

static void published_values(void **state)
{
    (void)state;
    uint8_t bytes[32] = {0};
    assert_int_equal(checksum_crc32c(0, bytes, sizeof(bytes)), 0x8A9136AA);
    memset(bytes, 0xFF, sizeof(bytes));
    assert_int_equal(checksum_crc32c(0, bytes, sizeof(bytes)), 0x62A8AB43);
    for (uint8_t i = 0; i < sizeof(bytes); i++)
        bytes[i] = i;
    assert_int_equal(checksum_crc32c(0, bytes, sizeof(bytes)), 0x46DD794E);
    assert_int_equal(checksum_crc32c(0, "123456789", 9), 0xE3069283);
    assert_int_equal(checksum_crc32c(0, "", 0), 0);
}

#define BYTES_MAX 20000

static void fill(uint8_t *bytes)
{
    uint32_t number = 1;
    for (size_t i = 0; i < BYTES_MAX; i++) {
        number = number * UINT32_C(1664525) + UINT32_C(1013904223);
        bytes[i] = (uint8_t)(number >> 24);
    }
}

static void every_size_and_position(void **state)
{
    (void)state;
    uint8_t *bytes = memory_new(BYTES_MAX);
    fill(bytes);
    for (size_t size = 0; size < BYTES_MAX - 8; size += size < 64 ? 1 : 409)
        for (size_t at = 0; at < 8; at += 3)
            assert_int_equal(checksum_crc32c(0, bytes + at, size), bit_by_bit(bytes + at, size));
    free(bytes);
}

static void going_on_is_the_same(void **state)
{
    (void)state;
    uint8_t *bytes = memory_new(BYTES_MAX);
    fill(bytes);
    uint32_t whole = checksum_crc32c(0, bytes, BYTES_MAX);
    for (size_t cut = 0; cut <= BYTES_MAX; cut += 613) {
        uint32_t first = checksum_crc32c(0, bytes, cut);
        assert_int_equal(checksum_crc32c(first, bytes + cut, BYTES_MAX - cut), whole);
    }
    free(bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(published_values),
        cmocka_unit_test(every_size_and_position),
        cmocka_unit_test(going_on_is_the_same),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
