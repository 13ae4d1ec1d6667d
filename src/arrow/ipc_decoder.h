/*
 * ipc_decoder.h — the state of a decoder, as its parts and the reader of files see it.
 *
 * Private to the module. SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include "arrow/ipc_decode.h"

struct ipc_decoder {
    struct ipc_limits limits;
    bool failed;
    bool is_mapped;                    /* bodies are parts of mappings */
    bool refuses_replacements;         /* of dictionaries */
    struct ipc_schema announced;       /* schema NULL: none came */
    struct arrow_schema *schema;       /* of the last batch; NULL: none was made */
    bool schema_is_stale;              /* dictionaries came since it was made */
    struct arrow_batch **dictionaries; /* as they are now, by index; without rows: did not come */
    uint64_t messages_left;
    size_t dictionary_bytes_left;
    size_t uncharged_bytes; /* of dictionaries and schemas that no batch has been charged with */
    struct ipc_decompressor decompressor;
};

MUST_CHECK enum status ipc_decoder_take_schema(struct ipc_decoder *decoder,
                                               const struct flat_table *table,
                                               size_t metadata_bytes, struct error *error);
void ipc_decoder_refuse_replacements(struct ipc_decoder *decoder);
MUST_CHECK enum status ipc_decoder_take_dictionary(struct ipc_decoder *decoder,
                                                   struct ipc_message *message, struct slice body,
                                                   struct error *error);
/* Makes the schema of the batches that come, with the dictionaries as they are now. */
void ipc_decoder_complete_schema(struct ipc_decoder *decoder);
