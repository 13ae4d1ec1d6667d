/*
 * ipc_dictionary.c — the dictionaries of a stream: which to send before a batch, and streams as a whole.
 *
 * The values of dictionary columns belong to the schema object of a batch. Whoever sends batches
 * remembers the schema of the last one; before a batch with another schema object those dictionaries go
 * out that differ, as a delta where they only grew. Any thread. Owns nothing. Dictionaries are never
 * compressed: some readers cannot take that. Follows Arrow Columnar.rst, "Dictionary Messages".
 * SPDX-License-Identifier: Apache-2.0
 */
#include "arrow/ipc.h"
#include "arrow/ipc_encode.h"

#include <assert.h>

/* What a receiver has of a dictionary; NULL: nothing. */
static struct arrow_batch *find_sent(const struct arrow_schema *sent, size_t index)
{
    return sent ? sent->dictionaries[index] : NULL;
}

static bool is_known(const struct arrow_batch *values, const struct arrow_batch *sent)
{
    if (!sent || values == sent)
        return values == sent;
    return values->rows == sent->rows && arrow_batch_grew_from(values, sent);
}

size_t ipc_dictionary_next(const struct arrow_schema *schema, const struct arrow_schema *sent,
                           size_t from)
{
    assert(!sent || sent->dictionary_count == schema->dictionary_count);
    size_t index = from;
    while (index < schema->dictionary_count &&
           is_known(schema->dictionaries[index], find_sent(sent, index)))
        index++;
    return index;
}

struct slice ipc_dictionary_update(const struct arrow_schema *schema,
                                   const struct arrow_schema *sent, size_t index,
                                   struct arrow_batch **out_values)
{
    assert(index < schema->dictionary_count);
    struct arrow_batch *values = schema->dictionaries[index];
    const struct arrow_batch *before = find_sent(sent, index);
    bool is_delta = before && before->rows < values->rows && arrow_batch_grew_from(values, before);
    int64_t first = is_delta ? before->rows : 0;
    *out_values = arrow_batch_slice(values, first, values->rows - first);
    return ipc_encode_dictionary_header((int64_t)index, is_delta, *out_values);
}

struct slice ipc_dictionary_message(const struct arrow_schema *schema, size_t index)
{
    assert(index < schema->dictionary_count);
    return ipc_encode_dictionary_header((int64_t)index, false, schema->dictionaries[index]);
}

/* --- streams ------------------------------------------------------------------------------------ */

void ipc_stream_dictionaries(struct slices *out, const struct arrow_schema *schema,
                             const struct arrow_schema *sent)
{
    if (schema == sent)
        return;
    for (size_t i = 0; (i = ipc_dictionary_next(schema, sent, i)) < schema->dictionary_count; i++) {
        CLEANUP(arrow_batch_unref) struct arrow_batch *values = NULL;
        CLEANUP(slice_finish)
        struct slice message = ipc_dictionary_update(schema, sent, i, &values);
        ipc_append_encapsulated(out, message);
        ipc_append_body(out, values);
    }
}

void ipc_stream_begin(struct slices *out, const struct arrow_schema *schema)
{
    ipc_append_encapsulated(out, schema->message);
    ipc_stream_dictionaries(out, schema, NULL);
}

void ipc_stream_batch(struct slices *out, const struct arrow_batch *batch)
{
    ipc_append_encapsulated(out, batch->header);
    ipc_append_body(out, batch);
}

void ipc_stream_batch_after(struct slices *out, const struct arrow_batch *batch,
                            const struct arrow_schema *sent)
{
    ipc_stream_dictionaries(out, batch->schema, sent);
    ipc_stream_batch(out, batch);
}
