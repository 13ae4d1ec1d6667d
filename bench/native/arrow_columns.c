/*
 * arrow_columns.c — the columns that arrow_bench decodes: each body is larger than the caches.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "arrow_columns.h"

#include "arrow/column.h"
#include "base/memory.h"

#include <string.h>

#define BODY_BYTES ((size_t)32 << 20)

struct column {
    int64_t rows;
    struct arrow_node nodes[COLUMN_NODES_MAX];
    struct slice buffers[COLUMN_BUFFERS_MAX];
};

static uint64_t next_random(uint64_t *state)
{
    *state = *state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return *state >> 33;
}

static uint8_t *make(struct column *column, size_t index, size_t size)
{
    struct buffer *buffer = buffer_create(size);
    memset(buffer->data, 0, size);
    column->buffers[index] = slice_make(buffer->data, size, buffer);
    return buffer->data;
}

static void make_nulls(struct column *column)
{
    uint64_t state = 1;
    uint8_t *bits = make(column, 0, ((size_t)column->rows + 7) / 8);
    for (int64_t i = 0; i < column->rows; i++) {
        bool valid = next_random(&state) % 10 != 0;
        bits[i / 8] |= (uint8_t)(valid << (i % 8));
        column->nodes[0].null_count += !valid;
    }
}

static void make_int64(struct column *column, int argument)
{
    uint64_t state = 3;
    column->rows = (int64_t)(BODY_BYTES / 8);
    int64_t *values = (int64_t *)(void *)make(column, 1, BODY_BYTES);
    for (int64_t i = 0; i < column->rows; i++)
        values[i] = (int64_t)(next_random(&state) % 100000);
    if (argument)
        make_nulls(column);
}

static void make_decimal(struct column *column, int argument)
{
    size_t width = (size_t)argument / 8;
    column->rows = (int64_t)(BODY_BYTES / width);
    uint8_t *values = make(column, 1, BODY_BYTES);
    for (int64_t i = 0; i < column->rows; i++)
        memset(values + (size_t)i * width, i % 2 ? 0xFF : 0, width);
}

static void make_indices(struct column *column, int argument)
{
    uint64_t state = 5;
    column->rows = (int64_t)(BODY_BYTES / 4);
    int32_t *values = (int32_t *)(void *)make(column, 1, BODY_BYTES);
    for (int64_t i = 0; i < column->rows; i++)
        values[i] = (int32_t)(next_random(&state) % 11);
    if (argument)
        make_nulls(column);
}

static const char *const words[] = {
    "The quick brown fox jumps over the lazy dog, and over a number of other things again. ",
    "Zwölf Boxkämpfer jagen Viktor quer über den großen Sylter Deich; dafür gab es Öl. ",
    "色は匂へど散りぬるを我が世誰ぞ常ならむ有為の奥山今日越えて浅き夢見じ酔ひもせず",
    "😀😁😂🤣😃😄😅😆😉😊😋😎😍😘😗😙😚🙂🤗🤩🤔",
};

/* Length of the character at a place of a text. */
static size_t character_bytes(const char *at)
{
    uint8_t byte = (uint8_t)*at;
    return byte < 0x80 ? 1 : byte < 0xE0 ? 2 : byte < 0xF0 ? 3 : 4;
}

/* Values of about 1 to 2 * `length` bytes of words[kind]. */
static void make_text(struct column *column, int length, size_t kind)
{
    uint64_t state = 7;
    const char *text = words[kind];
    column->rows = (int64_t)(BODY_BYTES / (size_t)(length + 4));
    int32_t *offsets = (int32_t *)(void *)make(column, 1, ((size_t)column->rows + 1) * 4);
    uint8_t *bytes = make(column, 2, (size_t)column->rows * (2 * (size_t)length + 4));
    size_t at = 0;
    size_t from = 0;
    for (int64_t i = 0; i < column->rows; i++) {
        size_t end = at + 1 + next_random(&state) % (2 * (uint64_t)length - 1);
        while (at < end) {
            size_t size = character_bytes(text + from);
            memcpy(bytes + at, text + from, size);
            at += size;
            from = text[from + size] ? from + size : 0;
        }
        offsets[i + 1] = (int32_t)at;
        if (next_random(&state) % 4 == 0)
            from = 0;
    }
    column->buffers[2].len = at;
}

static void make_ascii(struct column *column, int argument)
{
    make_text(column, argument, 0);
}

static void make_german(struct column *column, int argument)
{
    make_text(column, argument, 1);
}

static void make_japanese(struct column *column, int argument)
{
    make_text(column, argument, 2);
}

static void make_faces(struct column *column, int argument)
{
    make_text(column, argument, 3);
}

static void make_ascii_with_nulls(struct column *column, int argument)
{
    make_text(column, argument, 0);
    make_nulls(column);
}

static void make_views(struct column *column, int argument)
{
    struct column text = {.rows = 0};
    make_text(&text, argument, 0);
    column->rows = text.rows;
    column->buffers[2] = text.buffers[2];
    const int32_t *offsets = (const int32_t *)(const void *)text.buffers[1].ptr;
    struct arrow_view *views =
        (struct arrow_view *)(void *)make(column, 1, (size_t)text.rows * sizeof(*views));
    for (int64_t i = 0; i < text.rows; i++) {
        const uint8_t *value = text.buffers[2].ptr + offsets[i];
        int32_t size = offsets[i + 1] - offsets[i];
        views[i].size = size;
        memcpy(views[i].inlined, value, size <= ARROW_VIEW_INLINE_MAX ? (size_t)size : 4);
        if (size > ARROW_VIEW_INLINE_MAX)
            views[i].offset = offsets[i];
    }
    slice_finish(&text.buffers[1]);
}

static void make_list(struct column *column, int argument)
{
    column->rows = (int64_t)(BODY_BYTES / 16);
    int32_t *offsets = (int32_t *)(void *)make(column, 1, ((size_t)column->rows + 1) * 4);
    for (int64_t i = 0; i <= column->rows; i++)
        offsets[i] = (int32_t)(i * argument);
    column->nodes[1].length = column->rows * argument;
    make(column, 3, (size_t)column->nodes[1].length * 4);
}

/* --- fields ------------------------------------------------------------------------------------- */

static void fill_int64(struct arrow_schema *schema, struct arrow_field *field)
{
    field->bit_width = 64;
    field->is_signed = true;
}

static void fill_decimal128(struct arrow_schema *schema, struct arrow_field *field)
{
    field->bit_width = 128;
    field->precision = 38;
}

static void fill_decimal256(struct arrow_schema *schema, struct arrow_field *field)
{
    field->bit_width = 256;
    field->precision = 76;
}

static void fill_time(struct arrow_schema *schema, struct arrow_field *field)
{
    field->bit_width = 64;
    field->unit = ARROW_MICROSECOND;
}

static void fill_dictionary(struct arrow_schema *schema, struct arrow_field *field)
{
    field->is_dictionary = true;
    field->dictionary_bit_width = 32;
}

static void fill_list(struct arrow_schema *schema, struct arrow_field *field)
{
    arrow_field_add_children(schema, field, 1);
    arrow_field_init(schema, &field->children[0], STR("item"), ARROW_INT);
    field->children[0].bit_width = 32;
}

static const struct column_case {
    const char *name;
    enum arrow_type type;
    void (*fill)(struct arrow_schema *schema, struct arrow_field *field);
    void (*make)(struct column *column, int argument);
    int argument;
} cases[] = {
    {"fixed int64", ARROW_INT, fill_int64, make_int64, 0},
    {"fixed int64, nulls", ARROW_INT, fill_int64, make_int64, 1},
    {"fixed time64", ARROW_TIME, fill_time, make_int64, 0},
    {"fixed decimal128", ARROW_DECIMAL, fill_decimal128, make_decimal, 128},
    {"fixed decimal256", ARROW_DECIMAL, fill_decimal256, make_decimal, 256},
    {"fixed dictionary index", ARROW_UTF8, fill_dictionary, make_indices, 0},
    {"fixed dictionary index, nulls", ARROW_UTF8, fill_dictionary, make_indices, 1},
    {"list of int32, 3 each", ARROW_LIST, fill_list, make_list, 3},
    {"utf8 ASCII, 5 bytes", ARROW_UTF8, NULL, make_ascii, 5},
    {"utf8 ASCII, 12 bytes", ARROW_UTF8, NULL, make_ascii, 12},
    {"utf8 ASCII, 12 bytes, nulls", ARROW_UTF8, NULL, make_ascii_with_nulls, 12},
    {"utf8 ASCII, 100 bytes", ARROW_UTF8, NULL, make_ascii, 100},
    {"utf8 German, 12 bytes", ARROW_UTF8, NULL, make_german, 12},
    {"utf8 German, 100 bytes", ARROW_UTF8, NULL, make_german, 100},
    {"utf8 Japanese, 30 bytes", ARROW_UTF8, NULL, make_japanese, 30},
    {"utf8 emoji, 30 bytes", ARROW_UTF8, NULL, make_faces, 30},
    {"binary, 12 bytes", ARROW_BINARY, NULL, make_german, 12},
    {"view ASCII, 8 bytes", ARROW_UTF8_VIEW, NULL, make_views, 8},
    {"view ASCII, 30 bytes", ARROW_UTF8_VIEW, NULL, make_views, 30},
};

size_t column_case_count(void)
{
    return ARRAY_COUNT(cases);
}

const char *column_case_name(size_t index)
{
    return cases[index].name;
}

/* --- schemas and batches ------------------------------------------------------------------------ */

#define DICTIONARY_ROWS 11

static struct arrow_batch *create_dictionary(void)
{
    static const char letters[] = "abcdefghijk";
    CLEANUP(arrow_schema_unref) struct arrow_schema *schema = arrow_schema_create(1);
    arrow_field_init(schema, &schema->fields[0], STR("x"), ARROW_UTF8);
    arrow_schema_seal(schema, NULL);
    int32_t offsets[DICTIONARY_ROWS + 1];
    for (int32_t i = 0; i <= DICTIONARY_ROWS; i++)
        offsets[i] = i;
    const struct arrow_node node = {DICTIONARY_ROWS, 0};
    struct slice buffers[] = {SLICE_EMPTY, slice_copy(offsets, sizeof(offsets)),
                              slice_copy(letters, DICTIONARY_ROWS)};
    return arrow_batch_create(schema, DICTIONARY_ROWS, &node, buffers);
}

struct arrow_schema *column_case_schema(size_t index)
{
    struct arrow_schema *schema = arrow_schema_create(1);
    arrow_field_init(schema, &schema->fields[0], STR("x"), cases[index].type);
    if (cases[index].fill)
        cases[index].fill(schema, &schema->fields[0]);
    struct arrow_batch *dictionary = schema->fields[0].is_dictionary ? create_dictionary() : NULL;
    arrow_schema_seal(schema, dictionary ? &dictionary : NULL);
    return schema;
}

struct arrow_batch *column_case_batch(size_t index, struct arrow_schema *schema)
{
    struct column column = {0};
    cases[index].make(&column, cases[index].argument);
    column.nodes[0].length = column.rows;
    return arrow_batch_create(schema, column.rows, column.nodes, column.buffers);
}
