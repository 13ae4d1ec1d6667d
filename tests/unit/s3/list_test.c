/*
 * list_test.c — lists page by page, and those that cannot be.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "s3_support.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

static enum status note(void *context, struct str key, const struct s3_object *object,
                        struct error *error)
{
    buf_printf(context, "%.*s %u %u %s;", STR_ARGS(key), (unsigned)object->size_bytes,
               (unsigned)(object->modified_us / 1000000), object->etag);
    return STATUS_OK;
}

#define CONTENTS(key)                                                                              \
    "<Contents><Key>" key "</Key><Size>5</Size><ETag>&quot;e&quot;</ETag>"                         \
    "<LastModified>1970-01-01T00:00:09.000Z</LastModified></Contents>"
#define MORE(token)                                                                                \
    "<IsTruncated>true</IsTruncated><NextContinuationToken>" token "</NextContinuationToken>"

static void pages_follow_each_other(void **state)
{
    static const struct script_step steps[] = {
        {LIST(CONTENTS("a%2Bb+c") MORE("t&amp;1") "<EncodingType>url</EncodingType>"), 0, true},
        {LIST(CONTENTS("d+e") "<IsTruncated>false</IsTruncated>"), 0, true}};
    struct fixture fixture;
    begin(&fixture, steps, 2);
    CLEANUP(buf_finish) struct buf seen;
    buf_init(&seen, 1000);
    struct s3_list_options options = {.prefix = STR("p/")};
    assert_int_equal(s3_list(fixture.s3, &options, note, &seen, &fixture.error), STATUS_OK);
    assert_string_equal((const char *)seen.ptr, "a+b c 5 9 \"e\";d+e 5 9 \"e\";");
    assert_true(script_server_saw(&fixture.server, 0,
                                  "GET /bucket?encoding-type=url&list-type=2&max-keys=1000&"
                                  "prefix=p%2F HTTP/1.1"));
    assert_true(script_server_saw(&fixture.server, 1, "continuation-token=t%261&"));
    end(&fixture);
}

static void lists_that_cannot_be_are_errors(void **state)
{
    static const struct script_step lists[] = {
        {CLOSE("200 OK", "<ListBucketResult>"), 0, true},
        {CLOSE("200 OK", "{}"), 0, true},
        {LIST("<Contents><Key>a</Key><Size>-5</Size></Contents>"), 0, true},
        {LIST("<Contents><Size>5</Size></Contents>"), 0, true},
        {LIST("<EncodingType>url</EncodingType>" CONTENTS("a%2")), 0, true},
        {LIST("<EncodingType>url</EncodingType>" CONTENTS("a%FF")), 0, true},
        {LIST("<EncodingType>url</EncodingType>" CONTENTS("a%00")), 0, true},
        {LIST("<IsTruncated>true</IsTruncated>"), 0, true},
    };
    for (size_t i = 0; i < ARRAY_COUNT(lists); i++) {
        struct fixture fixture;
        begin(&fixture, &lists[i], 1);
        CLEANUP(buf_finish) struct buf seen;
        buf_init(&seen, 1000);
        struct s3_list_options options = {.page_size = 10};
        assert_int_not_equal(s3_list(fixture.s3, &options, note, &seen, &fixture.error), STATUS_OK);
        print_message("%s\n", fixture.error.message);
        end(&fixture);
    }
}

static void a_list_does_not_go_round(void **state)
{
    static const struct script_step steps[] = {{LIST(CONTENTS("a") MORE("t")), 0, true},
                                               {LIST(CONTENTS("b") MORE("t")), 0, true}};
    struct fixture fixture;
    begin(&fixture, steps, 2);
    CLEANUP(buf_finish) struct buf seen;
    buf_init(&seen, 1000);
    struct s3_list_options options = {.page_size = 1};
    assert_int_equal(s3_list(fixture.s3, &options, note, &seen, &fixture.error), STATUS_INTERNAL);
    end(&fixture);
}

/* Two tokens that alternate are new each time. */
static void list_for_ever(const char *contents, uint64_t pages_max, uint64_t pages)
{
    static const char *const tokens[] = {"t", "u"};
    char answers[2][512];
    struct script_step steps[SCRIPT_STEPS_MAX];
    for (size_t i = 0; i < 2; i++)
        snprintf(answers[i], sizeof(answers[i]),
                 LIST("%s<IsTruncated>true</IsTruncated>"
                      "<NextContinuationToken>%s</NextContinuationToken>"),
                 contents, tokens[i]);
    for (size_t i = 0; i < SCRIPT_STEPS_MAX; i++)
        steps[i] = (struct script_step){answers[i % 2], 0, true};
    struct fixture fixture;
    begin(&fixture, steps, SCRIPT_STEPS_MAX);
    CLEANUP(buf_finish) struct buf seen;
    buf_init(&seen, 10000);
    struct s3_list_options options = {.pages_max = pages_max};
    assert_int_equal(s3_list(fixture.s3, &options, note, &seen, &fixture.error), STATUS_INTERNAL);
    assert_int_equal(atomic_load(&fixture.server.requests_seen), pages);
    end(&fixture);
}

static void a_list_does_not_go_on_for_ever(void **state)
{
    list_for_ever("", 0, 100);
    list_for_ever(CONTENTS("a"), 7, 7);
}

static void a_list_ends_where_it_is_to(void **state)
{
    static const struct script_step steps[] = {
        {LIST(CONTENTS("a") CONTENTS("b") CONTENTS("c") MORE("t")), 0, true}};
    struct fixture fixture;
    begin(&fixture, steps, 1);
    CLEANUP(buf_finish) struct buf seen;
    buf_init(&seen, 1000);
    struct s3_list_options options = {.count_max = 2};
    assert_int_equal(s3_list(fixture.s3, &options, note, &seen, &fixture.error), STATUS_OK);
    assert_string_equal((const char *)seen.ptr, "a 5 9 \"e\";b 5 9 \"e\";");
    end(&fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pages_follow_each_other),
        cmocka_unit_test(lists_that_cannot_be_are_errors),
        cmocka_unit_test(a_list_does_not_go_round),
        cmocka_unit_test(a_list_does_not_go_on_for_ever),
        cmocka_unit_test(a_list_ends_where_it_is_to),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
