/*
 * sample_batch.c — batches for tests.
 *
 * They are generated field by field from a small random number generator, so that a seed says everything
 * about them. SPDX-License-Identifier: Apache-2.0
 */
#include "sample.h"

#include <assert.h>

#include "arrow/column.h"
#include "arrow/layout.h"
#include "base/checked.h"
#include "base/memory.h"

struct generator {
    uint64_t state;
    const struct arrow_schema *schema;
    struct arrow_node *nodes;
    struct slice *buffers;
    size_t node;
    size_t buffer;
};

static uint64_t next_random(struct generator *generator)
{
    generator->state += UINT64_C(0x9E3779B97F4A7C15);
    uint64_t mixed = generator->state;
    mixed = (mixed ^ mixed >> 30) * UINT64_C(0xBF58476D1CE4E5B9);
    mixed = (mixed ^ mixed >> 27) * UINT64_C(0x94D049BB133111EB);
    return mixed ^ mixed >> 31;
}

static int64_t random_below(struct generator *generator, int64_t end)
{
    return (int64_t)(next_random(generator) % (uint64_t)end);
}

static struct slice random_bytes_slice(struct generator *generator, size_t size)
{
    struct buffer *buffer = buffer_create(size_max(size, 1));
    for (size_t i = 0; i < size; i++)
        buffer->data[i] = (uint8_t)next_random(generator);
    return slice_make(buffer->data, size, buffer);
}

static struct slice make_validity(struct generator *generator, struct arrow_node *node,
                                  bool has_nulls)
{
    if (!has_nulls || node->length == 0)
        return SLICE_EMPTY;
    struct slice bits = random_bytes_slice(generator, ((size_t)node->length + 7) / 8);
    for (int64_t i = 0; i < node->length; i++)
        node->null_count += !((bits.ptr[i >> 3] >> (i & 7)) & 1);
    if (node->null_count == 0)
        slice_finish(&bits);
    return node->null_count == 0 ? SLICE_EMPTY : bits;
}

static int64_t offset_step(struct generator *generator)
{
    return random_below(generator, 4) == 0 ? 0 : random_below(generator, 9);
}

static struct slice make_offsets(struct generator *generator, int64_t length, size_t width,
                                 int64_t *out_end)
{
    *out_end = 0;
    if (length == 0)
        return SLICE_EMPTY;
    struct buffer *buffer = buffer_create(((size_t)length + 1) * width);
    for (int64_t i = 0; i <= length; i++) {
        memcpy(buffer->data + (size_t)i * width, out_end, width);
        if (i < length)
            *out_end += offset_step(generator);
    }
    return slice_make(buffer->data, ((size_t)length + 1) * width, buffer);
}

static struct slice make_text(struct generator *generator, size_t size)
{
    static const char letters[] = "ab \"\\,\n\t{}cdefgh0";
    struct buffer *buffer = buffer_create(size_max(size, 1));
    for (size_t i = 0; i < size; i++)
        buffer->data[i] = (uint8_t)letters[next_random(generator) % (sizeof(letters) - 1)];
    return slice_make(buffer->data, size, buffer);
}

static int64_t unit_per_second(enum arrow_unit unit)
{
    static const int64_t units[] = {1, 1000, 1000000, 1000000000};
    return units[unit];
}

static void put_value(struct generator *generator, const struct arrow_field *field, uint8_t *at,
                      size_t width)
{
    int64_t value[4] = {0};
    if (field->is_dictionary)
        value[0] = random_below(generator, SAMPLE_DICTIONARY_ROWS);
    else if (field->type == ARROW_TIME)
        value[0] = random_below(generator, 86400 * unit_per_second(field->unit));
    else if (field->type == ARROW_TIMESTAMP)
        value[0] =
            (random_below(generator, 8000000000) - 4000000000) * unit_per_second(field->unit);
    else if (field->type == ARROW_DATE && field->unit == ARROW_MILLISECOND)
        value[0] = (random_below(generator, 80000) - 40000) * 86400000;
    else if (field->type == ARROW_DATE)
        value[0] = random_below(generator, 80000) - 40000;
    else if (field->type == ARROW_DECIMAL && field->precision < 20) {
        value[0] = random_below(generator, 199999) - 99999;
        value[1] = value[2] = value[3] = value[0] >> 63;
    } else if (field->type == ARROW_DECIMAL) {
        value[0] = (int64_t)next_random(generator);
        value[1] = (int64_t)next_random(generator) >> 2;
        value[2] = value[3] = value[1] >> 63;
    } else if (field->type == ARROW_FLOAT && random_below(generator, 2)) {
        double number = (double)random_below(generator, 100000) / 100;
        float single = (float)number;
        memcpy(value, field->bit_width == 64 ? (void *)&number : (void *)&single, width);
    } else {
        for (size_t i = 0; i < 4; i++)
            value[i] = (int64_t)next_random(generator);
    }
    memcpy(at, value, width);
}

static struct slice make_fixed(struct generator *generator, const struct arrow_field *field,
                               int64_t length)
{
    size_t width = arrow_field_width(field);
    size_t size = (size_t)length * width;
    struct buffer *buffer = buffer_create(size_max(size, 1));
    for (int64_t i = 0; i < length; i++)
        put_value(generator, field, buffer->data + (size_t)i * width, width);
    return slice_make(buffer->data, size, buffer);
}

#define VIEW_VALUES_MAX 40

/* Long values are anywhere in the bytes, and may share them. */
static struct slice make_views(struct generator *generator, int64_t length, struct slice *out_bytes)
{
    *out_bytes = make_text(generator, length > 0 ? (size_t)length * 8 + VIEW_VALUES_MAX : 0);
    struct buffer *buffer = buffer_create(size_max((size_t)length * ARROW_VIEW_BYTES, 1));
    struct arrow_view *views = (struct arrow_view *)(void *)buffer->data;
    for (int64_t i = 0; i < length; i++) {
        size_t size = (size_t)random_below(generator, VIEW_VALUES_MAX);
        size_t offset = (size_t)random_below(generator, (int64_t)(out_bytes->len - size));
        views[i] = (struct arrow_view){.size = (int32_t)size};
        memcpy(views[i].inlined, out_bytes->ptr + offset,
               size <= ARROW_VIEW_INLINE_MAX ? size : ARROW_VIEW_PREFIX);
        if (size > ARROW_VIEW_INLINE_MAX)
            views[i].offset = (int32_t)offset;
    }
    return slice_make(buffer->data, (size_t)length * ARROW_VIEW_BYTES, buffer);
}

/* List views of a child with CHILD_ROWS values a row, in any order. */
#define CHILD_ROWS 2

static struct slice make_starts(struct generator *generator, int64_t length, size_t width,
                                struct slice *out_sizes)
{
    size_t size = (size_t)length * width;
    struct buffer *starts = buffer_create(size_max(size, 1));
    struct buffer *sizes = buffer_create(size_max(size, 1));
    for (int64_t i = 0; i < length; i++) {
        int64_t start = random_below(generator, length * CHILD_ROWS + 1);
        int64_t count = random_below(generator, length * CHILD_ROWS - start + 1) % 5;
        memcpy(starts->data + (size_t)i * width, &start, width);
        memcpy(sizes->data + (size_t)i * width, &count, width);
    }
    *out_sizes = slice_make(sizes->data, size, sizes);
    return slice_make(starts->data, size, starts);
}

static struct slice make_type_ids(struct generator *generator, const struct arrow_field *field,
                                  int64_t length)
{
    struct slice ids = random_bytes_slice(generator, (size_t)length);
    uint8_t *bytes = ids.owner->data;
    for (int64_t i = 0; i < length; i++)
        bytes[i] = (uint8_t)field->type_ids[bytes[i] % field->child_count];
    return ids;
}

static struct slice make_dense_offsets(const struct arrow_field *field, const uint8_t *type_ids,
                                       int64_t length, int64_t counts[128])
{
    struct buffer *buffer = buffer_create(size_max((size_t)length * 4, 1));
    for (int64_t i = 0; i < length; i++) {
        memcpy(buffer->data + 4 * i, &counts[type_ids[i]], 4);
        counts[type_ids[i]]++;
    }
    return slice_make(buffer->data, (size_t)length * 4, buffer);
}

/* Runs that end after the last row do so by a little. Returns how many there are. */
static int64_t make_run_ends(struct generator *generator, const struct arrow_field *field,
                             int64_t length)
{
    size_t width = arrow_field_width(&field->children[0]);
    struct buffer *buffer = buffer_create((size_t)length * width + 1);
    int64_t count = 0;
    for (int64_t end = 0; end < length; count++) {
        end += random_below(generator, 4) + 1;
        memcpy(buffer->data + (size_t)count * width, &end, width);
    }
    generator->nodes[generator->node++].length = count;
    generator->buffers[generator->buffer + 1] =
        slice_make(buffer->data, (size_t)count * width, buffer);
    generator->buffer += 2;
    return count;
}

static void generate(struct generator *generator, const struct arrow_field *field, int64_t length,
                     bool has_nulls)
{
    const struct arrow_layout *layout = arrow_field_layout(field);
    struct arrow_node *node = &generator->nodes[generator->node++];
    struct slice *buffers = &generator->buffers[generator->buffer];
    int64_t end = length;
    int64_t counts[128] = {0};
    generator->buffer += layout->count;
    *node = (struct arrow_node){.length = length};
    for (size_t i = 0; i < layout->count; i++) {
        switch ((enum arrow_role)layout->roles[i]) {
        case ARROW_ROLE_VALIDITY:
            buffers[i] = make_validity(generator, node, has_nulls && field->nullable);
            break;
        case ARROW_ROLE_FIXED:
            buffers[i] = make_fixed(generator, field, length);
            break;
        case ARROW_ROLE_BITS:
            buffers[i] = random_bytes_slice(generator, ((size_t)length + 7) / 8);
            break;
        case ARROW_ROLE_OFFSETS:
            buffers[i] = make_offsets(generator, length, 4, &end);
            break;
        case ARROW_ROLE_LARGE_OFFSETS:
            buffers[i] = make_offsets(generator, length, 8, &end);
            break;
        case ARROW_ROLE_BYTES:
            buffers[i] = make_text(generator, (size_t)end);
            break;
        case ARROW_ROLE_TYPE_IDS:
            buffers[i] = make_type_ids(generator, field, length);
            break;
        case ARROW_ROLE_UNION_OFFSETS:
            buffers[i] = make_dense_offsets(field, buffers[0].ptr, length, counts);
            break;
        case ARROW_ROLE_VIEWS:
            buffers[i] = make_views(generator, length, &buffers[i + 1]);
            break;
        case ARROW_ROLE_STARTS:
        case ARROW_ROLE_LARGE_STARTS:
            buffers[i] = make_starts(
                generator, length, layout->roles[i] == ARROW_ROLE_STARTS ? 4 : 8, &buffers[i + 1]);
            end = length * CHILD_ROWS;
            break;
        case ARROW_ROLE_VIEW_BYTES:
        case ARROW_ROLE_SIZES:
        case ARROW_ROLE_LARGE_SIZES:
            break;
        }
    }
    if (field->is_dictionary)
        return;
    if (field->type == ARROW_RUN_END_ENCODED) {
        generate(generator, &field->children[1], make_run_ends(generator, field, length),
                 has_nulls);
        return;
    }
    if (field->type == ARROW_NULL)
        node->null_count = length;
    if (field->type == ARROW_FIXED_LIST)
        end = length * field->list_size;
    for (size_t i = 0; i < field->child_count; i++)
        generate(generator, &field->children[i],
                 field->type == ARROW_UNION && field->is_dense ? counts[field->type_ids[i]] : end,
                 has_nulls && field->type != ARROW_MAP);
}

struct arrow_batch *sample_batch_create(struct arrow_schema *schema, int64_t rows, uint64_t seed)
{
    struct generator generator = {
        .state = seed,
        .schema = schema,
        .nodes = NEW_ARRAY(struct arrow_node, schema->node_count + 1),
        .buffers = NEW_ARRAY(struct slice, schema->buffer_count + 1),
    };
    for (size_t i = 0; i < schema->field_count; i++)
        generate(&generator, &schema->fields[i], rows, (i + seed) % 2 == 1);
    assert(generator.node == schema->node_count && generator.buffer == schema->buffer_count);
    struct arrow_batch *batch =
        arrow_batch_create(schema, rows, generator.nodes, generator.buffers);
    free(generator.nodes);
    free(generator.buffers);
    return batch;
}

bool sample_batches_equal(const struct arrow_batch *a, const struct arrow_batch *b)
{
    if (a->rows != b->rows || !arrow_schema_equal(a->schema, b->schema))
        return false;
    for (size_t i = 0; i < a->schema->node_count; i++) {
        if (memcmp(&a->nodes[i], &b->nodes[i], sizeof(a->nodes[i])) != 0)
            return false;
    }
    for (size_t i = 0; i < a->schema->buffer_count; i++) {
        if (!str_equal(slice_str(a->buffers[i]), slice_str(b->buffers[i])))
            return false;
    }
    return true;
}
