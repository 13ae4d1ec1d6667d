/*
 * sign_test.c — signatures that Amazon publishes: the S3 manual's examples and the SigV4 test suite.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "s3/sign.h"

#include "base/memory.h"

#define EMPTY_HASH "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
#define MANUAL_HOST                                                                                \
    {                                                                                              \
        STR("host"), STR("examplebucket.s3.amazonaws.com")                                         \
    }
#define MANUAL_DATE                                                                                \
    {                                                                                              \
        STR("x-amz-date"), STR("20130524T000000Z")                                                 \
    }
#define SUITE_HOST                                                                                 \
    {                                                                                              \
        STR("host"), STR("example.amazonaws.com")                                                  \
    }
#define SUITE_DATE                                                                                 \
    {                                                                                              \
        STR("x-amz-date"), STR("20150830T123600Z")                                                 \
    }

struct vector {
    const char *name;
    bool is_suite; /* else the manual's */
    const char *method;
    struct str path; /* not encoded */
    struct fetch_header parameters[8];
    size_t parameter_count;
    struct fetch_header headers[6];
    size_t header_count;
    struct str payload_hash;
    const char *signature;
};

static const struct vector vectors[] = {
    {"GET Object",
     false,
     "GET",
     STR("/test.txt"),
     {{STR_EMPTY, STR_EMPTY}},
     0,
     {MANUAL_HOST,
      {STR("range"), STR("bytes=0-9")},
      {STR("x-amz-content-sha256"), STR(EMPTY_HASH)},
      MANUAL_DATE},
     4,
     STR(EMPTY_HASH),
     "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41"},
    {"PUT Object",
     false,
     "PUT",
     STR("/test$file.text"),
     {{STR_EMPTY, STR_EMPTY}},
     0,
     {{STR("date"), STR("Fri, 24 May 2013 00:00:00 GMT")},
      MANUAL_HOST,
      {STR("x-amz-content-sha256"),
       STR("44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072")},
      MANUAL_DATE,
      {STR("x-amz-storage-class"), STR("REDUCED_REDUNDANCY")}},
     5,
     STR("44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072"),
     "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd"},
    {"GET Bucket Lifecycle",
     false,
     "GET",
     STR("/"),
     {{STR("lifecycle"), STR_EMPTY}},
     1,
     {MANUAL_HOST, {STR("x-amz-content-sha256"), STR(EMPTY_HASH)}, MANUAL_DATE},
     3,
     STR(EMPTY_HASH),
     "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543"},
    {"GET Bucket (List Objects)",
     false,
     "GET",
     STR("/"),
     {{STR("prefix"), STR("J")}, {STR("max-keys"), STR("2")}},
     2,
     {MANUAL_HOST, {STR("x-amz-content-sha256"), STR(EMPTY_HASH)}, MANUAL_DATE},
     3,
     STR(EMPTY_HASH),
     "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7"},
    {"presigned GET",
     false,
     "GET",
     STR("/test.txt"),
     {{STR("X-Amz-Algorithm"), STR("AWS4-HMAC-SHA256")},
      {STR("X-Amz-Credential"), STR("AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request")},
      {STR("X-Amz-Date"), STR("20130524T000000Z")},
      {STR("X-Amz-Expires"), STR("86400")},
      {STR("X-Amz-SignedHeaders"), STR("host")}},
     5,
     {MANUAL_HOST},
     1,
     STR("UNSIGNED-PAYLOAD"),
     "aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404"},
    {"get-vanilla",
     true,
     "GET",
     STR("/"),
     {{STR_EMPTY, STR_EMPTY}},
     0,
     {SUITE_HOST, SUITE_DATE},
     2,
     STR(EMPTY_HASH),
     "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"},
    {"post-vanilla",
     true,
     "POST",
     STR("/"),
     {{STR_EMPTY, STR_EMPTY}},
     0,
     {SUITE_HOST, SUITE_DATE},
     2,
     STR(EMPTY_HASH),
     "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b"},
    {"get-vanilla-query-order-key-case",
     true,
     "GET",
     STR("/"),
     {{STR("Param2"), STR("value2")}, {STR("Param1"), STR("value1")}},
     2,
     {SUITE_HOST, SUITE_DATE},
     2,
     STR(EMPTY_HASH),
     "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500"},
    {"get-unreserved",
     true,
     "GET",
     STR("/-._~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"),
     {{STR_EMPTY, STR_EMPTY}},
     0,
     {SUITE_HOST, SUITE_DATE},
     2,
     STR(EMPTY_HASH),
     "07ef7494c76fa4850883e2b006601f940f8a34d404d0cfa977f52a65bbf5f24f"},
    {"get-utf8",
     true,
     "GET",
     STR("/\xe1\x88\xb4"),
     {{STR_EMPTY, STR_EMPTY}},
     0,
     {SUITE_HOST, SUITE_DATE},
     2,
     STR(EMPTY_HASH),
     "8318018e0b0f223aa2bbf98705b62bb787dc9c0e678f255a891fd03141be5d85"},
};

static const struct sign_key manual_key = {{"AKIAIOSFODNN7EXAMPLE", 20},
                                           {"wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", 40},
                                           {"us-east-1", 9},
                                           {"s3", 2}};
static const struct sign_key suite_key = {{"AKIDEXAMPLE", 11},
                                          {"wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", 40},
                                          {"us-east-1", 9},
                                          {"service", 7}};

static void signatures_are_the_published_ones(void **state)
{
    for (size_t i = 0; i < ARRAY_COUNT(vectors); i++) {
        const struct vector *vector = &vectors[i];
        CLEANUP(buf_finish) struct buf path;
        CLEANUP(buf_finish) struct buf query;
        buf_init(&path, 1024);
        buf_init(&query, 4096);
        sign_encode(vector->path, true, &path);
        sign_query(vector->parameters, vector->parameter_count, &query);
        struct sign_request request = {.method = vector->method,
                                       .path = buf_str(&path),
                                       .query = buf_str(&query),
                                       .headers = vector->headers,
                                       .header_count = vector->header_count,
                                       .payload_hash = vector->payload_hash};
        char signature[SIGN_HASH_SIZE];
        sign_signature(vector->is_suite ? &suite_key : &manual_key,
                       vector->is_suite ? "20150830T123600Z" : "20130524T000000Z", &request,
                       signature);
        print_message("%s\n", vector->name);
        assert_string_equal(signature, vector->signature);
    }
}

static void the_header_has_the_published_form(void **state)
{
    struct fetch_header headers[] = {SUITE_HOST, SUITE_DATE};
    struct sign_request request = {.method = "GET",
                                   .path = STR("/"),
                                   .query = STR_EMPTY,
                                   .headers = headers,
                                   .header_count = 2,
                                   .payload_hash = STR(EMPTY_HASH)};
    CLEANUP(buf_finish) struct buf out;
    buf_init(&out, 1024);
    sign_authorization(&suite_key, "20150830T123600Z", &request, &out);
    assert_string_equal(
        (const char *)out.ptr,
        "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request,"
        "SignedHeaders=host;x-amz-date,"
        "Signature=5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31");
}

static void white_space_in_headers_is_folded(void **state)
{
    struct fetch_header headers[] = {{STR("a"), STR("  x   y  ")}};
    struct sign_request request = {.method = "GET",
                                   .path = STR("/"),
                                   .query = STR_EMPTY,
                                   .headers = headers,
                                   .header_count = 1,
                                   .payload_hash = STR("h")};
    CLEANUP(buf_finish) struct buf out;
    buf_init(&out, 1024);
    sign_canonical(&request, &out);
    assert_string_equal((const char *)out.ptr, "GET\n/\n\na:x y\n\na\nh");
}

static void parameters_are_encoded_and_in_order(void **state)
{
    struct fetch_header parameters[] = {{STR("b"), STR("/ +")},
                                        {STR("a~"), STR("2")},
                                        {STR("a"), STR("2")},
                                        {STR("a"), STR("10")},
                                        {STR("\xc3\xa4"), STR_EMPTY}};
    CLEANUP(buf_finish) struct buf out;
    buf_init(&out, 1024);
    sign_query(parameters, ARRAY_COUNT(parameters), &out);
    assert_string_equal((const char *)out.ptr, "%C3%A4=&a=10&a=2&a~=2&b=%2F%20%2B");
}

static void times_are_compact(void **state)
{
    char out[SIGN_TIME_SIZE];
    sign_time(INT64_C(1369353600) * 1000000 + 999999, out);
    assert_string_equal(out, "20130524T000000Z");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(signatures_are_the_published_ones),
        cmocka_unit_test(the_header_has_the_published_form),
        cmocka_unit_test(white_space_in_headers_is_folded),
        cmocka_unit_test(parameters_are_encoded_and_in_order),
        cmocka_unit_test(times_are_compact),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
