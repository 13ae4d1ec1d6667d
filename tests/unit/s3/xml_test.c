/*
 * xml_test.c — S3's XML is read; what is none, or too much, is refused.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/memory.h"
#include "s3/xml.h"

static enum status note(void *context, struct str path, struct str value, struct error *error)
{
    buf_printf(context, "%.*s=%.*s;", STR_ARGS(path), STR_ARGS(value));
    return STATUS_OK;
}

static enum status stop(void *context, struct str path, struct str value, struct error *error)
{
    return error_set(error, STATUS_CANCELLED, "enough");
}

static enum status read(struct str text, struct buf *seen)
{
    struct error error = ERROR_NONE;
    buf_init(seen, 65536);
    return xml_read(text, note, seen, &error);
}

static void elements_come_with_path_and_text(void **state)
{
    CLEANUP(buf_finish) struct buf seen;
    assert_int_equal(
        read(STR("\n<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<!-- a --><E xmlns='u'>"
                 "<Code>No&amp;Such&lt;&#65;&#x42;</Code>\n <Empty/><M a=\"1\" >x</M ></E>\n"),
             &seen),
        STATUS_OK);
    assert_string_equal((const char *)seen.ptr, "E/Code=No&Such<AB;E/Empty=;E/M=x;E=;");
}

static void code_points_of_all_lengths(void **state)
{
    CLEANUP(buf_finish) struct buf seen;
    assert_int_equal(read(STR("<E>&#xe4;&#x20ac;&#x1F600;</E>"), &seen), STATUS_OK);
    assert_string_equal((const char *)seen.ptr, "E=\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80;");
}

static void other_texts_are_refused(void **state)
{
    static const struct str texts[] = {
        {"", 0},
        {"x", 1},
        {"<", 1},
        {"<>", 2},
        {"<E", 2},
        {"<E>", 3},
        {"<E></F>", 7},
        {"</E>", 4},
        {"<E/><F/>", 8},
        {"<E/>x", 5},
        {"<E>&unknown;</E>", 16},
        {"<E>&#0;</E>", 11},
        {"<E>&#xd800;</E>", 15},
        {"<E>&#x110000;</E>", 17},
        {"<E>&#;</E>", 10},
        {"<E>&amp</E>", 11},
        {"<E a></E>", 9},
        {"<E a=1></E>", 11},
        {"<E a=\"1></E>", 12},
        {"<E a='1'b='2'/>", 15},
        {"<!DOCTYPE E [<!ENTITY a \"b\">]><E>&a;</E>", 41},
        {"<E><![CDATA[x]]></E>", 20},
        {"<E><!-- </E>", 12},
        {"<?xml <E/>", 10},
        {"<E>\xff</E>", 8},
        {"<E>\0</E>", 8},
        {"<html><body><p>503<br></body></html>", 36},
    };
    for (size_t i = 0; i < ARRAY_COUNT(texts); i++) {
        CLEANUP(buf_finish) struct buf seen;
        print_message("%.*s\n", STR_ARGS(texts[i]));
        assert_int_equal(read(texts[i], &seen), STATUS_INVALID_ARGUMENT);
    }
}

static void depth_and_length_are_bounded(void **state)
{
    CLEANUP(buf_finish) struct buf seen;
    assert_int_equal(read(STR("<a><a><a><a><a><a><a><a></a></a></a></a></a></a></a></a>"), &seen),
                     STATUS_OK);
    CLEANUP(buf_finish) struct buf deep;
    assert_int_equal(
        read(STR("<a><a><a><a><a><a><a><a><a></a></a></a></a></a></a></a></a></a>"), &deep),
        STATUS_INVALID_ARGUMENT);
    CLEANUP(buf_finish) struct buf text;
    buf_init(&text, 65536);
    buf_append_text(&text, "<E>");
    buf_append_zeros(&text, XML_VALUE_BYTES_MAX + 1);
    memset(text.ptr + 3, 'x', XML_VALUE_BYTES_MAX + 1);
    buf_append_text(&text, "</E>");
    CLEANUP(buf_finish) struct buf large;
    assert_int_equal(read(buf_str(&text), &large), STATUS_RESOURCE_EXHAUSTED);
}

static void a_reader_may_stop(void **state)
{
    struct error error = ERROR_NONE;
    assert_int_equal(xml_read(STR("<E><F/></E>"), stop, NULL, &error), STATUS_CANCELLED);
    assert_string_equal(error.message, "enough");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(elements_come_with_path_and_text),
        cmocka_unit_test(code_points_of_all_lengths),
        cmocka_unit_test(other_texts_are_refused),
        cmocka_unit_test(depth_and_length_are_bounded),
        cmocka_unit_test(a_reader_may_stop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
