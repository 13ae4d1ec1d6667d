/*
 * ipc_decode_dictionary.c — dictionary messages: first values, more values, other values.
 *
 * The values of each dictionary column are one batch, at first without rows: that is enough for a column
 * of nulls. More of them (a delta) make a longer batch that shares what was there; other ones (a
 * replacement) take its place. What is in the values of another dictionary must come before it; when it
 * grows, the outer values stay and refer to what it became, when it is replaced they are gone until they
 * come again. All that ever came counts against one limit, and each column that
 * shares a dictionary counts as if it had its own, since it is sent on that way. One thread at a time.
 * Follows Arrow Columnar.rst, "Dictionary Messages". SPDX-License-Identifier: Apache-2.0
 */
#include "arrow/ipc_decoder.h"

#include "arrow/ipc_format.h"

struct dictionary_message {
    int64_t id;
    bool is_delta;
    struct flat_table values;
};

static bool batches_equal(const struct arrow_batch *a, const struct arrow_batch *b)
{
    const struct arrow_schema *schema = a->schema;
    if (a->rows != b->rows || memcmp(a->nodes, b->nodes, schema->node_count * sizeof(*a->nodes)))
        return false;
    for (size_t i = 0; i < schema->buffer_count; i++) {
        if (!str_equal(slice_str(a->buffers[i]), slice_str(b->buffers[i])))
            return false;
    }
    return true;
}

/* The first column that uses a dictionary, by the id it came with; dictionary_count: none. */
static size_t find_dictionary(const struct ipc_decoder *decoder, int64_t id)
{
    size_t index = 0;
    while (index < decoder->announced.schema->dictionary_count &&
           decoder->announced.dictionary_ids[index] != id)
        index++;
    return index;
}

static enum status charge(struct ipc_decoder *decoder, size_t bytes, struct error *error)
{
    if (bytes > decoder->dictionary_bytes_left)
        return error_set(error, STATUS_RESOURCE_EXHAUSTED,
                         "Arrow stream: its dictionaries take more than %zu bytes",
                         decoder->limits.dictionary_bytes_max);
    decoder->dictionary_bytes_left -= bytes;
    decoder->uncharged_bytes += bytes;
    return STATUS_OK;
}

/* --- schemas ------------------------------------------------------------------------------------ */

/* How many dictionaries are within the values of one; they stand before it. */
static size_t count_inner(const struct ipc_decoder *decoder, size_t index)
{
    return decoder->announced.schema->dictionaries[index]->schema->dictionary_count;
}

/* The schema of a dictionary's values, with the dictionaries within them as they are now. */
static struct arrow_schema *create_values_schema(const struct ipc_decoder *decoder, size_t index)
{
    struct arrow_schema *announced = decoder->announced.schema->dictionaries[index]->schema;
    size_t inner = count_inner(decoder, index);
    if (inner == 0)
        return arrow_schema_ref(announced);
    return arrow_schema_with_dictionaries(announced, &decoder->dictionaries[index - inner]);
}

/* About what a schema object takes: the fields and their texts twice, encoded and not. */
static size_t measure_schema(const struct arrow_schema *schema)
{
    return sizeof(*schema) + schema->node_count * sizeof(struct arrow_field) +
           2 * schema->message.len;
}

void ipc_decoder_complete_schema(struct ipc_decoder *decoder)
{
    if (decoder->schema && !decoder->schema_is_stale)
        return;
    arrow_schema_unref(decoder->schema);
    decoder->schema =
        arrow_schema_with_dictionaries(decoder->announced.schema, decoder->dictionaries);
    decoder->schema_is_stale = false;
    decoder->uncharged_bytes += measure_schema(decoder->schema);
}

/* --- values ------------------------------------------------------------------------------------- */

static void set_values(struct ipc_decoder *decoder, size_t index, struct arrow_batch *values)
{
    arrow_batch_unref(decoder->dictionaries[index]);
    decoder->dictionaries[index] = values;
}

/* Outer dictionaries stand behind those within them; the nearest first. */
static void update_outer(struct ipc_decoder *decoder, size_t index, bool is_delta)
{
    const struct arrow_schema *announced = decoder->announced.schema;
    for (size_t outer = index + 1; outer < announced->dictionary_count; outer++) {
        if (outer - count_inner(decoder, outer) > index)
            continue;
        const struct arrow_batch *values =
            is_delta ? decoder->dictionaries[outer] : announced->dictionaries[outer];
        CLEANUP(arrow_schema_unref)
        struct arrow_schema *schema = create_values_schema(decoder, outer);
        set_values(decoder, outer, arrow_batch_with_schema(values, schema));
    }
}

/* `values` for each column that uses the dictionary. */
static enum status keep_values(struct ipc_decoder *decoder,
                               const struct dictionary_message *message, struct arrow_batch *values,
                               size_t bytes, struct error *error)
{
    for (size_t i = 0; i < decoder->announced.schema->dictionary_count; i++) {
        if (decoder->announced.dictionary_ids[i] != message->id)
            continue;
        TRY(charge(decoder, bytes, error));
        set_values(decoder, i, arrow_batch_ref(values));
        update_outer(decoder, i, message->is_delta);
    }
    decoder->schema_is_stale = true;
    return STATUS_OK;
}

static enum status take_values(struct ipc_decoder *decoder,
                               const struct dictionary_message *message, struct arrow_batch *values,
                               struct error *error)
{
    struct arrow_batch *kept = decoder->dictionaries[find_dictionary(decoder, message->id)];
    if (!message->is_delta) {
        if (kept->schema == values->schema && batches_equal(kept, values))
            return STATUS_OK;
        if (kept->rows > 0 && decoder->refuses_replacements)
            return error_set(error, STATUS_INVALID_ARGUMENT,
                             "Arrow file: dictionary %lld is replaced, which only streams may do",
                             (long long)message->id);
        return keep_values(decoder, message, values, values->memory_bytes, error);
    }
    size_t bytes;
    CLEANUP(arrow_batch_unref) struct arrow_batch *grown = arrow_batch_grow(kept, values, &bytes);
    if (!grown)
        return error_set(error, STATUS_RESOURCE_EXHAUSTED,
                         "Arrow stream: dictionary %lld is too long for its type",
                         (long long)message->id);
    /* Its message is charged as well: whoever sends many small ones pays for each. */
    return keep_values(decoder, message, grown, bytes + values->memory_bytes, error);
}

void ipc_decoder_refuse_replacements(struct ipc_decoder *decoder)
{
    decoder->refuses_replacements = true;
}

enum status ipc_decoder_take_dictionary(struct ipc_decoder *decoder, struct ipc_message *message,
                                        struct slice body, struct error *error)
{
    const struct flat_table *header = &message->header;
    const struct dictionary_message dictionary = {
        .id = flat_table_scalar(header, IPC_DICTIONARY_BATCH_ID, 8, 0),
        .is_delta = flat_table_scalar(header, IPC_DICTIONARY_BATCH_IS_DELTA, 1, 0) != 0,
        .values = flat_table_child(header, IPC_DICTIONARY_BATCH_VALUES),
    };
    TRY(flat_reader_check(&message->reader, error));
    size_t index = find_dictionary(decoder, dictionary.id);
    if (index == decoder->announced.schema->dictionary_count ||
        !flat_table_is_present(&dictionary.values))
        return error_set(error, STATUS_INVALID_ARGUMENT,
                         "Arrow stream: dictionary %lld is of no column, or empty",
                         (long long)dictionary.id);
    CLEANUP(arrow_schema_unref) struct arrow_schema *schema = create_values_schema(decoder, index);
    const struct ipc_batch_source source = {
        .limits = &decoder->limits,
        .schema = schema,
        .decompressor = &decoder->decompressor,
        .body = body,
        .is_mapped = decoder->is_mapped,
    };
    CLEANUP(arrow_batch_unref) struct arrow_batch *values = NULL;
    TRY(ipc_parse_batch(&source, &dictionary.values, &values, error));
    return take_values(decoder, &dictionary, values, error);
}
