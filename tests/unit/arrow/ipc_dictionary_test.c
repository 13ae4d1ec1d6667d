/*
 * ipc_dictionary_test.c — dictionaries that come, are replaced, are in each other, or should not be there.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "arrow/ipc.h"
#include "arrow/ipc_encode.h"
#include "base/memory.h"
#include "column_case.h"
#include "sample.h"

static struct slice join_body(const struct arrow_batch *batch)
{
    CLEANUP(slices_finish) struct slices parts;
    slices_init(&parts);
    ipc_append_body(&parts, batch);
    return slices_join(&parts);
}

static enum status feed(struct ipc_decoder *decoder, struct slice message, struct slice body,
                        struct arrow_batch **out_batch)
{
    struct error error = ERROR_NONE;
    enum status status = ipc_decode(decoder, message, body, out_batch, &error);
    assert_true(status == STATUS_OK || (error.status == status && error.message[0]));
    return status;
}

static enum status feed_values(struct ipc_decoder *decoder, int64_t id, bool is_delta,
                               const struct arrow_batch *values)
{
    CLEANUP(slice_finish)
    struct slice message = ipc_encode_dictionary_header(id, is_delta, values);
    CLEANUP(slice_finish) struct slice body = join_body(values);
    struct arrow_batch *none = NULL;
    enum status status = feed(decoder, message, body, &none);
    assert_null(none);
    return status;
}

static struct ipc_decoder *open_decoder(const struct arrow_schema *schema,
                                        const struct ipc_limits *limits)
{
    struct ipc_decoder *decoder = ipc_decoder_create(limits);
    struct arrow_batch *none = NULL;
    assert_int_equal(feed(decoder, schema->message, SLICE_EMPTY, &none), STATUS_OK);
    return decoder;
}

/* --- streams ---------------------------------------------------------------------------------------- */

static void fill_dictionary(struct arrow_schema *schema, struct arrow_field *field)
{
    field->is_dictionary = true;
    field->dictionary_bit_width = 8;
}

static struct arrow_batch *create_indices(struct arrow_schema *schema, int8_t a, int8_t b)
{
    const int8_t indices[] = {a, b};
    const struct arrow_node node = {2, 0};
    struct slice buffers[] = {SLICE_EMPTY, slice_copy(indices, 2)};
    return arrow_batch_create(schema, 2, &node, buffers);
}

static enum status feed_indices(struct ipc_decoder *decoder, struct arrow_schema *schema, int8_t a,
                                int8_t b, struct arrow_batch **out)
{
    CLEANUP(arrow_batch_unref) struct arrow_batch *batch = create_indices(schema, a, b);
    CLEANUP(slice_finish) struct slice body = join_body(batch);
    return feed(decoder, batch->header, body, out);
}

/* The sample's dictionaries have 11 values. */
static void batches_see_the_values_of_their_time(void **state)
{
    CLEANUP(arrow_schema_unref)
    struct arrow_schema *schema = sample_schema_of(STR("x"), ARROW_UTF8, fill_dictionary);
    const struct arrow_batch *values = schema->dictionaries[0];
    CLEANUP(ipc_decoder_destroy)
    struct ipc_decoder *decoder = open_decoder(schema, &ipc_limits_default);
    CLEANUP(arrow_batch_unref) struct arrow_batch *first = NULL;
    CLEANUP(arrow_batch_unref) struct arrow_batch *same = NULL;
    CLEANUP(arrow_batch_unref) struct arrow_batch *grown = NULL;
    CLEANUP(arrow_batch_unref) struct arrow_batch *replaced = NULL;
    assert_int_equal(feed_values(decoder, 0, false, values), STATUS_OK);
    assert_int_equal(feed_indices(decoder, schema, 0, 10, &first), STATUS_OK);
    /* The same values again change nothing. */
    assert_int_equal(feed_values(decoder, 0, false, values), STATUS_OK);
    assert_int_equal(feed_indices(decoder, schema, 1, 2, &same), STATUS_OK);
    assert_ptr_equal(first->schema, same->schema);
    assert_int_equal(feed_values(decoder, 0, true, values), STATUS_OK);
    assert_int_equal(feed_indices(decoder, schema, 11, 21, &grown), STATUS_OK);
    assert_int_equal(grown->schema->dictionaries[0]->rows, 22);
    assert_int_equal(first->schema->dictionaries[0]->rows, 11);
    CLEANUP(arrow_batch_unref)
    struct arrow_batch *few = arrow_batch_slice(schema->dictionaries[0], 5, 3);
    assert_int_equal(feed_values(decoder, 0, false, few), STATUS_OK);
    assert_int_equal(feed_indices(decoder, schema, 0, 2, &replaced), STATUS_OK);
    assert_int_equal(replaced->schema->dictionaries[0]->rows, 3);
    CLEANUP(arrow_batch_unref) struct arrow_batch *beyond = NULL;
    assert_int_equal(feed_indices(decoder, schema, 0, 3, &beyond), STATUS_INVALID_ARGUMENT);
}

static void nulls_need_no_dictionary(void **state)
{
    CLEANUP(arrow_schema_unref)
    struct arrow_schema *schema = sample_schema_of(STR("x"), ARROW_UTF8, fill_dictionary);
    const struct arrow_node node = {2, 2};
    const uint8_t nothing[8] = {0};
    struct slice buffers[] = {slice_copy(nothing, 1), slice_copy("\x63\x9D", 2)};
    CLEANUP(arrow_batch_unref)
    struct arrow_batch *batch = arrow_batch_create(schema, 2, &node, buffers);
    CLEANUP(ipc_decoder_destroy)
    struct ipc_decoder *decoder = open_decoder(schema, &ipc_limits_default);
    CLEANUP(slice_finish) struct slice body = join_body(batch);
    CLEANUP(arrow_batch_unref) struct arrow_batch *decoded = NULL;
    assert_int_equal(feed(decoder, batch->header, body, &decoded), STATUS_OK);
    /* What stood below the nulls leads nowhere any more. */
    assert_memory_equal(decoded->buffers[1].ptr, "\0\0", 2);
    case_read_completely(decoded);
    CLEANUP(arrow_batch_unref) struct arrow_batch *other = NULL;
    assert_int_equal(feed_indices(decoder, schema, 0, 0, &other), STATUS_INVALID_ARGUMENT);
}

static void what_changed_is_sent(void **state)
{
    CLEANUP(arrow_schema_unref)
    struct arrow_schema *schema = sample_schema_of(STR("x"), ARROW_UTF8, fill_dictionary);
    struct arrow_batch *values = schema->dictionaries[0];
    size_t bytes;
    CLEANUP(arrow_batch_unref) struct arrow_batch *grown = arrow_batch_grow(values, values, &bytes);
    CLEANUP(arrow_batch_unref) struct arrow_batch *other = arrow_batch_slice(values, 0, 3);
    CLEANUP(arrow_schema_unref)
    struct arrow_schema *larger = arrow_schema_with_dictionaries(schema, &grown);
    CLEANUP(arrow_schema_unref)
    struct arrow_schema *replaced = arrow_schema_with_dictionaries(schema, &other);
    assert_int_equal(ipc_dictionary_next(schema, NULL, 0), 0);
    assert_int_equal(ipc_dictionary_next(schema, schema, 0), 1);
    assert_int_equal(ipc_dictionary_next(larger, schema, 0), 0);
    assert_int_equal(ipc_dictionary_next(larger, schema, 1), 1);
    CLEANUP(arrow_batch_unref) struct arrow_batch *delta = NULL;
    CLEANUP(slice_finish) struct slice message = ipc_dictionary_update(larger, schema, 0, &delta);
    assert_int_equal(delta->rows, 11);
    /* Less than before is another dictionary, and so is what does not begin with it. */
    CLEANUP(arrow_batch_unref) struct arrow_batch *all = NULL;
    CLEANUP(slice_finish) struct slice back = ipc_dictionary_update(schema, larger, 0, &all);
    assert_ptr_equal(all, values);
    CLEANUP(arrow_batch_unref) struct arrow_batch *few = NULL;
    CLEANUP(slice_finish) struct slice anew = ipc_dictionary_update(replaced, schema, 0, &few);
    assert_ptr_equal(few, other);
}

/* A stream of batches with schema objects of all kinds is read as what it was. */
static void streams_follow_their_batches(void **state)
{
    CLEANUP(arrow_schema_unref)
    struct arrow_schema *schema = sample_schema_of(STR("x"), ARROW_UTF8, fill_dictionary);
    struct arrow_batch *values = schema->dictionaries[0];
    size_t bytes;
    CLEANUP(arrow_batch_unref) struct arrow_batch *grown = arrow_batch_grow(values, values, &bytes);
    CLEANUP(arrow_schema_unref)
    struct arrow_schema *larger = arrow_schema_with_dictionaries(schema, &grown);
    struct arrow_schema *const order[] = {schema, larger, larger, schema, larger};
    CLEANUP(slices_finish) struct slices stream;
    slices_init(&stream);
    ipc_append_encapsulated(&stream, schema->message);
    struct arrow_batch *batches[5];
    for (size_t i = 0; i < 5; i++) {
        batches[i] = create_indices(order[i], (int8_t)i, (int8_t)(order[i] == larger ? 21 : 10));
        ipc_stream_batch_after(&stream, batches[i], i == 0 ? NULL : order[i - 1]);
    }
    ipc_stream_end(&stream);
    CLEANUP(ipc_stream_reader_destroy)
    struct ipc_stream_reader *reader = ipc_stream_reader_create(&ipc_limits_default);
    for (size_t i = 0; i < stream.count; i++)
        ipc_stream_reader_feed_slice(reader, slice_ref(*slices_at(&stream, i)));
    for (size_t i = 0; i < 5; i++) {
        enum ipc_stream_step step;
        CLEANUP(arrow_batch_unref) struct arrow_batch *batch = NULL;
        assert_int_equal(ipc_stream_reader_next(reader, &step, &batch, NULL), STATUS_OK);
        assert_int_equal(step, IPC_STREAM_BATCH);
        case_assert_same_rows(batch, batches[i]);
        arrow_batch_unref(batches[i]);
    }
}

/* --- hostile ---------------------------------------------------------------------------------------- */

static void messages_are_checked(void **state)
{
    CLEANUP(arrow_schema_unref)
    struct arrow_schema *schema = sample_schema_of(STR("x"), ARROW_UTF8, fill_dictionary);
    CLEANUP(arrow_schema_unref)
    struct arrow_schema *numbers = sample_schema_of(STR("x"), ARROW_BOOL, NULL);
    CLEANUP(arrow_batch_unref) struct arrow_batch *bools = sample_batch_create(numbers, 3, 0);
    struct ipc_decoder *decoder = open_decoder(schema, &ipc_limits_default);
    assert_int_equal(feed_values(decoder, 1, false, schema->dictionaries[0]),
                     STATUS_INVALID_ARGUMENT);
    ipc_decoder_destroy(decoder);
    /* Values of another type: another number of buffers. */
    decoder = open_decoder(schema, &ipc_limits_default);
    assert_int_equal(feed_values(decoder, 0, false, bools), STATUS_INVALID_ARGUMENT);
    ipc_decoder_destroy(decoder);
    /* Before the schema. */
    decoder = ipc_decoder_create(&ipc_limits_default);
    assert_int_equal(feed_values(decoder, 0, false, schema->dictionaries[0]),
                     STATUS_INVALID_ARGUMENT);
    ipc_decoder_destroy(decoder);
}

static size_t feed_until_refused(bool is_delta, size_t dictionary_bytes_max)
{
    CLEANUP(arrow_schema_unref)
    struct arrow_schema *schema = sample_schema_of(STR("x"), ARROW_UTF8, fill_dictionary);
    struct ipc_limits limits = ipc_limits_default;
    limits.dictionary_bytes_max = dictionary_bytes_max;
    CLEANUP(ipc_decoder_destroy) struct ipc_decoder *decoder = open_decoder(schema, &limits);
    size_t count = 0;
    for (enum status status = STATUS_OK; status == STATUS_OK; count++) {
        CLEANUP(arrow_batch_unref)
        struct arrow_batch *values = sample_batch_create(schema->dictionaries[0]->schema, 5, count);
        status = feed_values(decoder, 0, is_delta, values);
        if (status != STATUS_OK)
            assert_int_equal(status, STATUS_RESOURCE_EXHAUSTED);
        assert_true(count < 100000);
    }
    return count;
}

static void dictionaries_for_ever_are_refused(void **state)
{
    assert_true(feed_until_refused(false, (size_t)1 << 20) > 100);
    assert_true(feed_until_refused(true, (size_t)1 << 20) > 100);
    assert_int_equal(feed_until_refused(false, 10), 1);
}

/* What a batch needs is charged to the first one that needs it. */
static void dictionaries_are_charged(void **state)
{
    CLEANUP(arrow_schema_unref)
    struct arrow_schema *schema = sample_schema_of(STR("x"), ARROW_UTF8, fill_dictionary);
    CLEANUP(ipc_decoder_destroy)
    struct ipc_decoder *decoder = open_decoder(schema, &ipc_limits_default);
    CLEANUP(arrow_batch_unref)
    struct arrow_batch *values = sample_batch_create(schema->dictionaries[0]->schema, 100000, 0);
    CLEANUP(arrow_batch_unref) struct arrow_batch *first = NULL;
    CLEANUP(arrow_batch_unref) struct arrow_batch *second = NULL;
    assert_int_equal(feed_values(decoder, 0, false, values), STATUS_OK);
    assert_int_equal(feed_indices(decoder, schema, 0, 1, &first), STATUS_OK);
    assert_int_equal(feed_indices(decoder, schema, 0, 1, &second), STATUS_OK);
    assert_true(first->memory_bytes > values->body_bytes);
    assert_in_range(first->dictionary_bytes, values->body_bytes, first->memory_bytes);
    assert_int_equal(second->dictionary_bytes, 0);
    assert_true(second->memory_bytes < 10000);
}

/* --- dictionaries in dictionaries --------------------------------------------------------------------- */

static void fill_nested(struct arrow_schema *schema, struct arrow_field *field)
{
    arrow_field_add_children(schema, field, 1);
    arrow_field_init(schema, &field->children[0], STR("inner"), ARROW_UTF8);
    fill_dictionary(schema, &field->children[0]);
    fill_dictionary(schema, field);
}

/* Structs of indices into the inner dictionary. */
static struct arrow_batch *create_outer(const struct arrow_schema *schema, int8_t a, int8_t b)
{
    const int8_t indices[] = {a, b};
    const struct arrow_node nodes[] = {{2, 0}, {2, 0}};
    struct slice buffers[] = {SLICE_EMPTY, SLICE_EMPTY, slice_copy(indices, 2)};
    return arrow_batch_create(schema->dictionaries[1]->schema, 2, nodes, buffers);
}

static enum status feed_outer(struct ipc_decoder *decoder, const struct arrow_schema *schema,
                              int8_t a, int8_t b)
{
    CLEANUP(arrow_batch_unref) struct arrow_batch *outer = create_outer(schema, a, b);
    return feed_values(decoder, 1, false, outer);
}

static void inner_dictionaries_come_first(void **state)
{
    CLEANUP(arrow_schema_unref)
    struct arrow_schema *schema = sample_schema_of(STR("x"), ARROW_STRUCT, fill_nested);
    const struct arrow_batch *inner = schema->dictionaries[0];
    struct ipc_decoder *decoder = open_decoder(schema, &ipc_limits_default);
    assert_int_equal(feed_outer(decoder, schema, 0, 1), STATUS_INVALID_ARGUMENT);
    ipc_decoder_destroy(decoder);
    decoder = open_decoder(schema, &ipc_limits_default);
    CLEANUP(arrow_batch_unref) struct arrow_batch *batch = NULL;
    assert_int_equal(feed_values(decoder, 0, false, inner), STATUS_OK);
    assert_int_equal(feed_outer(decoder, schema, 0, 10), STATUS_OK);
    assert_int_equal(feed_indices(decoder, schema, 0, 1, &batch), STATUS_OK);
    case_read_completely(batch);
    /* The inner one grows: the outer one stays. */
    assert_int_equal(feed_values(decoder, 0, true, inner), STATUS_OK);
    CLEANUP(arrow_batch_unref) struct arrow_batch *after = NULL;
    assert_int_equal(feed_indices(decoder, schema, 0, 1, &after), STATUS_OK);
    case_assert_same_rows(batch, after);
    assert_int_equal(feed_outer(decoder, schema, 11, 21), STATUS_OK);
    /* It is replaced by a shorter one: the outer one has to come again. */
    CLEANUP(arrow_batch_unref)
    struct arrow_batch *few = arrow_batch_slice(schema->dictionaries[0], 0, 2);
    assert_int_equal(feed_values(decoder, 0, false, few), STATUS_OK);
    CLEANUP(arrow_batch_unref) struct arrow_batch *lost = NULL;
    assert_int_equal(feed_indices(decoder, schema, 0, 1, &lost), STATUS_INVALID_ARGUMENT);
    ipc_decoder_destroy(decoder);
}

/* --- projection --------------------------------------------------------------------------------------- */

static void projections_have_the_dictionaries_of_their_batch(void **state)
{
    CLEANUP(arrow_schema_unref)
    struct arrow_schema *schema = sample_schema_of(STR("x"), ARROW_UTF8, fill_dictionary);
    struct arrow_batch *values = schema->dictionaries[0];
    CLEANUP(arrow_batch_unref) struct arrow_batch *few = arrow_batch_slice(values, 0, 3);
    CLEANUP(arrow_schema_unref)
    struct arrow_schema *other = arrow_schema_with_dictionaries(schema, &few);
    CLEANUP(arrow_batch_unref) struct arrow_batch *batch = create_indices(other, 0, 2);
    const size_t column = 0;
    CLEANUP(arrow_schema_unref)
    struct arrow_schema *part = arrow_schema_project(schema, &column, 1);
    CLEANUP(arrow_batch_unref)
    struct arrow_batch *projected = arrow_batch_project(batch, part, &column, 1);
    assert_ptr_equal(projected->schema->dictionaries[0], few);
    case_assert_same_rows(projected, batch);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(batches_see_the_values_of_their_time),
        cmocka_unit_test(nulls_need_no_dictionary),
        cmocka_unit_test(what_changed_is_sent),
        cmocka_unit_test(streams_follow_their_batches),
        cmocka_unit_test(messages_are_checked),
        cmocka_unit_test(dictionaries_for_ever_are_refused),
        cmocka_unit_test(dictionaries_are_charged),
        cmocka_unit_test(inner_dictionaries_come_first),
        cmocka_unit_test(projections_have_the_dictionaries_of_their_batch),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
