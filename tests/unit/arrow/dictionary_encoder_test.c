/*
 * dictionary_encoder_test.c — text columns as dictionaries that grow and begin anew.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "arrow/builder.h"
#include "arrow/column.h"
#include "arrow/dictionary_encoder.h"
#include "arrow/ipc.h"

static const struct builder_limits limits = {.rows_max = 100000, .bytes_max = (size_t)1 << 20};

struct scene {
    struct arrow_schema *plain;
    struct arrow_schema *encoded;
    struct batch_builder *builder;
    struct dictionary_encoder *encoder;
};

static struct arrow_schema *make_schema(bool is_encoded, struct arrow_batch *empty)
{
    struct arrow_schema *schema = arrow_schema_create(2);
    arrow_field_init(schema, &schema->fields[0], STR("n"), ARROW_INT);
    schema->fields[0].bit_width = 64;
    schema->fields[0].is_signed = true;
    arrow_field_init(schema, &schema->fields[1], STR("text"), ARROW_UTF8);
    schema->fields[1].is_dictionary = is_encoded;
    schema->fields[1].dictionary_bit_width = 32;
    arrow_schema_seal(schema, is_encoded ? (struct arrow_batch *[]){empty} : NULL);
    return schema;
}

static struct arrow_batch *make_empty(void)
{
    CLEANUP(arrow_schema_unref) struct arrow_schema *schema = arrow_schema_create(1);
    arrow_field_init(schema, &schema->fields[0], STR("value"), ARROW_UTF8);
    arrow_schema_seal(schema, NULL);
    CLEANUP(batch_builder_destroy)
    struct batch_builder *builder = batch_builder_create(schema, NULL, &limits);
    return batch_builder_seal(builder);
}

static struct scene open_scene(size_t dictionary_bytes_max)
{
    struct scene scene = {.plain = make_schema(false, NULL),
                          .encoded = make_schema(true, make_empty())};
    scene.builder = batch_builder_create(scene.plain, NULL, &limits);
    scene.encoder =
        dictionary_encoder_create(scene.plain, scene.encoded, NULL, dictionary_bytes_max);
    return scene;
}

static void close_scene(struct scene *scene)
{
    dictionary_encoder_destroy(scene->encoder);
    batch_builder_destroy(scene->builder);
    arrow_schema_unref(scene->encoded);
    arrow_schema_unref(scene->plain);
}

/* NULL ends the texts; "-" is a null. */
static struct arrow_batch *encode(struct scene *scene, const char *const *texts)
{
    for (size_t i = 0; texts[i]; i++) {
        struct builder_column *text = batch_builder_column(scene->builder, 1);
        builder_append_integer(batch_builder_column(scene->builder, 0), (int64_t)i);
        if (texts[i][0] == '-')
            builder_append_null(text);
        else
            builder_append_bytes(text, str_of(texts[i]));
    }
    return dictionary_encoder_encode(scene->encoder, batch_builder_seal(scene->builder));
}

static void expect_texts(const struct arrow_batch *batch, const char *const *texts)
{
    CLEANUP(arena_finish) struct arena arena;
    arena_init(&arena);
    const struct arrow_column *columns = arrow_columns_open(batch, &arena);
    int64_t row = 0;
    for (; texts[row]; row++) {
        assert_int_equal(arrow_column_integer(&columns[0], row), row);
        bool is_null = texts[row][0] == '-';
        assert_int_equal(arrow_column_is_null(&columns[1], row), is_null);
        if (!is_null)
            assert_true(str_equal(arrow_column_bytes(&columns[1], row), str_of(texts[row])));
    }
    assert_int_equal(batch->rows, row);
}

#define ENCODE(scene, ...) encode(scene, (const char *const[]){__VA_ARGS__, NULL})
#define EXPECT(batch, ...) expect_texts(batch, (const char *const[]){__VA_ARGS__, NULL})

static void test_repeated_values_are_kept_once(void **state)
{
    (void)state;
    struct scene scene = open_scene(1000);
    CLEANUP(arrow_batch_unref)
    struct arrow_batch *batch = ENCODE(&scene, "a", "b", "-", "a", "", "b");
    EXPECT(batch, "a", "b", "-", "a", "", "b");
    assert_int_equal(batch->schema->dictionaries[0]->rows, 3);
    assert_true(batch->dictionary_bytes > 0);
    close_scene(&scene);
}

static void test_dictionary_grows_or_stays(void **state)
{
    (void)state;
    struct scene scene = open_scene(1000);
    CLEANUP(arrow_batch_unref) struct arrow_batch *first = ENCODE(&scene, "a", "b");
    CLEANUP(arrow_batch_unref) struct arrow_batch *same = ENCODE(&scene, "b", "a", "a");
    CLEANUP(arrow_batch_unref) struct arrow_batch *more = ENCODE(&scene, "c", "a");
    EXPECT(first, "a", "b");
    EXPECT(same, "b", "a", "a");
    EXPECT(more, "c", "a");
    assert_ptr_equal(same->schema, first->schema);
    assert_int_equal(same->dictionary_bytes, 0);
    assert_ptr_not_equal(more->schema, first->schema);
    assert_true(
        arrow_batch_grew_from(more->schema->dictionaries[0], first->schema->dictionaries[0]));
    assert_int_equal(more->schema->dictionaries[0]->rows, 3);
    close_scene(&scene);
}

static void test_dictionary_begins_anew_at_its_bound(void **state)
{
    (void)state;
    struct scene scene = open_scene(60);
    CLEANUP(arrow_batch_unref)
    struct arrow_batch *first = ENCODE(&scene, "0123456789", "abcdefghij");
    CLEANUP(arrow_batch_unref)
    struct arrow_batch *second = ENCODE(&scene, "abcdefghij", "ABCDEFGHIJ", "9876543210", "xyz");
    EXPECT(first, "0123456789", "abcdefghij");
    EXPECT(second, "abcdefghij", "ABCDEFGHIJ", "9876543210", "xyz");
    assert_false(
        arrow_batch_grew_from(second->schema->dictionaries[0], first->schema->dictionaries[0]));
    assert_int_equal(second->schema->dictionaries[0]->rows, 4);
    /* What one batch needs is taken whatever its size. */
    CLEANUP(arrow_batch_unref)
    struct arrow_batch *large =
        ENCODE(&scene, "one longer text that is", "above the bound by itself",
               "and another one, which is not shorter");
    assert_int_equal(large->schema->dictionaries[0]->rows, 3);
    close_scene(&scene);
}

static void test_many_values_and_none(void **state)
{
    (void)state;
    struct scene scene = open_scene((size_t)1 << 20);
    CLEANUP(arrow_batch_unref)
    struct arrow_batch *none =
        dictionary_encoder_encode(scene.encoder, batch_builder_seal(scene.builder));
    assert_int_equal(none->rows, 0);
    for (int64_t i = 0; i < 20000; i++) {
        char text[32];
        int size = snprintf(text, sizeof(text), "%lld", (long long)(i % 7000));
        builder_append_integer(batch_builder_column(scene.builder, 0), i);
        builder_append_bytes(batch_builder_column(scene.builder, 1), str_make(text, (size_t)size));
    }
    CLEANUP(arrow_batch_unref)
    struct arrow_batch *batch =
        dictionary_encoder_encode(scene.encoder, batch_builder_seal(scene.builder));
    assert_int_equal(batch->schema->dictionaries[0]->rows, 7000);
    CLEANUP(arena_finish) struct arena arena;
    arena_init(&arena);
    const struct arrow_column *columns = arrow_columns_open(batch, &arena);
    assert_true(str_equal(arrow_column_bytes(&columns[1], 19999), STR("5999")));
    close_scene(&scene);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_repeated_values_are_kept_once),
        cmocka_unit_test(test_dictionary_grows_or_stays),
        cmocka_unit_test(test_dictionary_begins_anew_at_its_bound),
        cmocka_unit_test(test_many_values_and_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
