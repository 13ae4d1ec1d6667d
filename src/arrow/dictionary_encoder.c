/*
 * dictionary_encoder.c — finds the distinct values of text columns, batch by batch.
 *
 * Each column has a table of the values that its dictionary has, by their hash. A batch's new values are put
 * behind them (arrow_batch_grow), so that a reader needs to be sent only those. Where a dictionary would grow
 * beyond its bound, it begins anew with what the batch needs: a column without repetition costs its own
 * size in values and as many indices, and no memory beyond it.
 *
 * The batch that comes back owns one buffer for all its columns: what the plain one had is free again.
 *
 * Runs on the thread that seals batches. Owns the tables and the last schema. Leaves out nested columns.
 * Source: Arrow Columnar.rst, "Dictionary-encoded Layout". SPDX-License-Identifier: Apache-2.0
 */
#include "arrow/dictionary_encoder.h"

#include <assert.h>
#include <string.h>

#include "arrow/column.h"
#include "arrow/layout.h"
#include "base/checked.h"
#include "base/memory.h"

#define SLOTS_MIN 64

/* The dictionary of one column. */
struct text_dictionary {
    size_t column; /* of the top level */
    struct arrow_batch *values;
    /* The same values, and those of the batch at hand behind them. */
    int32_t *ends; /* of each value in `bytes` */
    size_t count;
    size_t capacity;
    uint8_t *bytes;
    size_t bytes_size;
    size_t bytes_capacity;
    uint32_t *slots; /* number of a value + 1, by its hash; 0: free */
    size_t slot_count;
};

struct dictionary_encoder {
    struct arrow_schema *plain;
    struct arrow_schema *encoded; /* with the dictionaries of the last batch */
    struct arrow_schema *values;  /* of a dictionary: one column of text */
    struct buffer_pool *pool;
    size_t dictionary_bytes_max;
    struct text_dictionary *dictionaries;
    size_t dictionary_count;
};

/* --- life ----------------------------------------------------------------------------------------- */

static bool is_encoded(const struct dictionary_encoder *encoder, size_t column)
{
    return encoder->encoded->fields[column].is_dictionary &&
           !encoder->plain->fields[column].is_dictionary;
}

static struct arrow_batch *make_values(struct dictionary_encoder *encoder,
                                       const struct text_dictionary *dictionary, size_t first);

static void forget(struct dictionary_encoder *encoder, struct text_dictionary *dictionary)
{
    dictionary->count = 0;
    dictionary->bytes_size = 0;
    memset(dictionary->slots, 0, dictionary->slot_count * sizeof(*dictionary->slots));
    arrow_batch_unref(dictionary->values);
    dictionary->values = make_values(encoder, dictionary, 0);
}

static struct arrow_schema *make_values_schema(void)
{
    struct arrow_schema *schema = arrow_schema_create(1);
    arrow_field_init(schema, &schema->fields[0], STR("value"), ARROW_UTF8);
    arrow_schema_seal(schema, NULL);
    return schema;
}

struct dictionary_encoder *dictionary_encoder_create(struct arrow_schema *plain,
                                                     struct arrow_schema *encoded,
                                                     struct buffer_pool *pool,
                                                     size_t dictionary_bytes_max)
{
    assert(plain->field_count == encoded->field_count);
    struct dictionary_encoder *encoder = NEW(struct dictionary_encoder);
    encoder->plain = arrow_schema_ref(plain);
    encoder->encoded = arrow_schema_ref(encoded);
    encoder->values = make_values_schema();
    encoder->pool = pool;
    encoder->dictionary_bytes_max = dictionary_bytes_max;
    encoder->dictionaries = NEW_ARRAY(struct text_dictionary, plain->field_count + 1);
    for (size_t i = 0; i < plain->field_count; i++) {
        if (!is_encoded(encoder, i))
            continue;
        struct text_dictionary *dictionary = &encoder->dictionaries[encoder->dictionary_count++];
        dictionary->column = i;
        dictionary->slot_count = SLOTS_MIN;
        dictionary->slots = NEW_ARRAY(uint32_t, SLOTS_MIN);
        forget(encoder, dictionary);
    }
    return encoder;
}

void dictionary_encoder_destroy(struct dictionary_encoder *encoder)
{
    if (!encoder)
        return;
    for (size_t i = 0; i < encoder->dictionary_count; i++) {
        arrow_batch_unref(encoder->dictionaries[i].values);
        free(encoder->dictionaries[i].ends);
        free(encoder->dictionaries[i].bytes);
        free(encoder->dictionaries[i].slots);
    }
    free(encoder->dictionaries);
    arrow_schema_unref(encoder->plain);
    arrow_schema_unref(encoder->encoded);
    arrow_schema_unref(encoder->values);
    free(encoder);
}

/* --- the table ------------------------------------------------------------------------------------ */

static struct str value_at(const struct text_dictionary *dictionary, size_t number)
{
    size_t start = number > 0 ? (size_t)dictionary->ends[number - 1] : 0;
    return str_make(dictionary->bytes + start, (size_t)dictionary->ends[number] - start);
}

/* The slot of a value, or the free one where it belongs. */
static uint32_t *find_slot(const struct text_dictionary *dictionary, struct str value)
{
    size_t mask = dictionary->slot_count - 1;
    size_t at = (size_t)str_hash(value) & mask;
    while (dictionary->slots[at] > 0 &&
           !str_equal(value_at(dictionary, dictionary->slots[at] - 1), value))
        at = (at + 1) & mask;
    return &dictionary->slots[at];
}

static void grow_table(struct text_dictionary *dictionary)
{
    free(dictionary->slots);
    dictionary->slot_count *= 2;
    dictionary->slots = NEW_ARRAY(uint32_t, dictionary->slot_count);
    for (size_t i = 0; i < dictionary->count; i++)
        *find_slot(dictionary, value_at(dictionary, i)) = (uint32_t)i + 1;
}

static void add_value(struct text_dictionary *dictionary, struct str value)
{
    if (dictionary->count == dictionary->capacity) {
        dictionary->capacity = dictionary->capacity * 2 + SLOTS_MIN;
        dictionary->ends =
            memory_resize(dictionary->ends, dictionary->capacity, sizeof(*dictionary->ends));
    }
    size_t size = dictionary->bytes_size + value.len;
    assert(size <= INT32_MAX);
    if (size > dictionary->bytes_capacity) {
        dictionary->bytes_capacity = size_max(size, dictionary->bytes_capacity * 2);
        dictionary->bytes = memory_resize(dictionary->bytes, dictionary->bytes_capacity, 1);
    }
    if (value.len > 0)
        memcpy(dictionary->bytes + dictionary->bytes_size, value.ptr, value.len);
    dictionary->bytes_size = size;
    dictionary->ends[dictionary->count++] = (int32_t)size;
}

/* The number of a value, which is added where it is new. */
static size_t number_of(struct text_dictionary *dictionary, struct str value)
{
    uint32_t *slot = find_slot(dictionary, value);
    if (*slot > 0)
        return *slot - 1;
    add_value(dictionary, value);
    *slot = (uint32_t)dictionary->count;
    if (dictionary->count * 2 > dictionary->slot_count)
        grow_table(dictionary);
    return dictionary->count - 1;
}

/* --- one column ------------------------------------------------------------------------------------ */

/* False when the dictionary outgrew its bound, and would not if it began with this batch. */
static bool encode_rows(const struct dictionary_encoder *encoder,
                        struct text_dictionary *dictionary, const struct arrow_column *column,
                        int32_t *indices)
{
    bool is_fresh = dictionary->count == 0;
    for (int64_t i = 0; i < column->length; i++) {
        indices[i] = 0;
        if (arrow_column_is_null(column, i))
            continue;
        struct str value = arrow_column_bytes(column, i);
        if (!is_fresh && value.len > INT32_MAX - dictionary->bytes_size)
            return false;
        indices[i] = (int32_t)number_of(dictionary, value);
        size_t bytes = dictionary->bytes_size + dictionary->count * sizeof(int32_t);
        if (bytes > encoder->dictionary_bytes_max && !is_fresh)
            return false;
    }
    return true;
}

/* The values from number `first` on as a batch. */
static struct arrow_batch *make_values(struct dictionary_encoder *encoder,
                                       const struct text_dictionary *dictionary, size_t first)
{
    size_t count = dictionary->count - first;
    size_t start = first > 0 ? (size_t)dictionary->ends[first - 1] : 0;
    size_t size = dictionary->bytes_size - start;
    size_t offsets_size = align_up((count + 1) * sizeof(int32_t), BUFFER_ALIGNMENT);
    struct buffer *buffer = buffer_create(offsets_size + size);
    int32_t *offsets = (int32_t *)(void *)buffer->data;
    offsets[0] = 0;
    for (size_t i = 0; i < count; i++)
        offsets[i + 1] = dictionary->ends[first + i] - (int32_t)start;
    if (size > 0)
        memcpy(buffer->data + offsets_size, dictionary->bytes + start, size);
    struct arrow_node node = {.length = (int64_t)count};
    struct slice buffers[] = {
        SLICE_EMPTY,
        slice_make(buffer->data, (count + 1) * sizeof(int32_t), buffer),
        size > 0 ? slice_make(buffer->data + offsets_size, size, buffer_ref(buffer)) : SLICE_EMPTY,
    };
    return arrow_batch_create(encoder->values, node.length, &node, buffers);
}

/* Puts what is new behind the values; returns the bytes allocated for it. */
static size_t grow_values(struct dictionary_encoder *encoder, struct text_dictionary *dictionary)
{
    size_t known = (size_t)dictionary->values->rows;
    size_t bytes = 0;
    if (dictionary->count == known)
        return 0;
    CLEANUP(arrow_batch_unref)
    struct arrow_batch *more = make_values(encoder, dictionary, known);
    struct arrow_batch *grown = arrow_batch_grow(dictionary->values, more, &bytes);
    assert(grown); /* the bytes fit 31 bits: add_value */
    arrow_batch_unref(dictionary->values);
    dictionary->values = grown;
    return bytes;
}

/* --- batches --------------------------------------------------------------------------------------- */

/* The batch under construction: its columns lie side by side in one buffer. */
struct packing {
    struct buffer *body;
    size_t used;
    struct slice *buffers;
    size_t count;
};

static uint8_t *pack(struct packing *packing, const void *bytes, size_t size)
{
    struct slice *slice = &packing->buffers[packing->count++];
    *slice = SLICE_EMPTY;
    if (size == 0)
        return NULL;
    uint8_t *place = packing->body->data + packing->used;
    if (bytes)
        memcpy(place, bytes, size);
    packing->used += align_up(size, BUFFER_ALIGNMENT);
    *slice = slice_make(place, size, buffer_ref(packing->body));
    return place;
}

/* Bytes that all columns need: of an encoded one validity and indices. */
static size_t packed_bytes(const struct dictionary_encoder *encoder,
                           const struct arrow_batch *batch)
{
    size_t size = BUFFER_ALIGNMENT;
    for (size_t i = 0; i < encoder->plain->buffer_count; i++)
        size += align_up(batch->buffers[i].len, BUFFER_ALIGNMENT);
    size_t indices = align_up((size_t)batch->rows * sizeof(int32_t), BUFFER_ALIGNMENT);
    return size + encoder->dictionary_count * indices;
}

static size_t count_buffers(const struct arrow_field *field)
{
    size_t count = arrow_field_layout(field)->count;
    for (size_t i = 0; i < arrow_field_column_count(field); i++)
        count += count_buffers(&field->children[i]);
    return count;
}

static void pack_indices(struct dictionary_encoder *encoder, struct text_dictionary *dictionary,
                         const struct arrow_column *column, const struct slice *validity,
                         struct packing *packing)
{
    pack(packing, validity->ptr, validity->len);
    int32_t *indices =
        (int32_t *)(void *)pack(packing, NULL, (size_t)column->length * sizeof(int32_t));
    if (encode_rows(encoder, dictionary, column, indices))
        return;
    forget(encoder, dictionary);
    bool fits = encode_rows(encoder, dictionary, column, indices);
    assert(fits);
}

static void pack_columns(struct dictionary_encoder *encoder, const struct arrow_batch *batch,
                         const struct arrow_column *columns, struct packing *packing)
{
    size_t next = 0; /* buffer of the plain batch */
    struct text_dictionary *dictionary = encoder->dictionaries;
    for (size_t i = 0; i < encoder->plain->field_count; i++) {
        size_t count = count_buffers(&encoder->plain->fields[i]);
        if (is_encoded(encoder, i)) {
            pack_indices(encoder, dictionary++, &columns[i], &batch->buffers[next], packing);
        } else {
            for (size_t k = next; k < next + count; k++)
                pack(packing, batch->buffers[k].ptr, batch->buffers[k].len);
        }
        next += count;
    }
}

/* Has the encoder's schema carry the present values; returns the bytes that they were given. */
static size_t take_values(struct dictionary_encoder *encoder)
{
    struct arrow_schema *schema = encoder->encoded;
    struct arrow_batch **all = NEW_ARRAY(struct arrow_batch *, schema->dictionary_count + 1);
    memcpy(all, schema->dictionaries, schema->dictionary_count * sizeof(struct arrow_batch *));
    size_t bytes = 0;
    bool changed = false;
    for (size_t i = 0; i < encoder->dictionary_count; i++) {
        struct text_dictionary *dictionary = &encoder->dictionaries[i];
        bytes += grow_values(encoder, dictionary);
        size_t index = schema->fields[dictionary->column].dictionary_index;
        changed |= all[index] != dictionary->values;
        all[index] = dictionary->values;
    }
    if (changed) {
        encoder->encoded = arrow_schema_with_dictionaries(schema, all);
        arrow_schema_unref(schema);
    }
    free(all);
    return bytes;
}

struct arrow_batch *dictionary_encoder_encode(struct dictionary_encoder *encoder,
                                              struct arrow_batch *plain)
{
    CLEANUP(arrow_batch_unref) struct arrow_batch *batch = plain;
    CLEANUP(arena_finish) struct arena arena;
    arena_init(&arena);
    size_t size = packed_bytes(encoder, batch);
    struct packing packing = {
        .body = encoder->pool ? buffer_pool_take(encoder->pool, size) : buffer_create(size),
        .buffers = ARENA_NEW_ARRAY(&arena, struct slice, encoder->plain->buffer_count + 1),
    };
    pack_columns(encoder, batch, arrow_columns_open(batch, &arena), &packing);
    size_t dictionary_bytes = take_values(encoder);
    struct arrow_batch *encoded = arrow_batch_create_sharing(
        encoder->encoded, batch->rows, batch->nodes, packing.buffers, packing.body->size);
    buffer_unref(packing.body);
    encoded->dictionary_bytes = dictionary_bytes;
    encoded->memory_bytes += dictionary_bytes;
    return encoded;
}
