/*
 * ipc.h — Arrow IPC: messages out as scatter lists, messages in with full validation.
 *
 * Encoding copies no body: a batch's header was made with it, and its body is a list of slices with
 * padding between them. Decoding trusts nothing: every length, offset, count and value that a later
 * reader would follow is checked before a batch exists.
 *
 * Source: Arrow format/Message.fbs, Columnar.rst; reliability notes on hostile input.
 * Threads: any; a decoder belongs to one at a time. SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include "arrow/batch.h"
#include "base/buf.h"

/* --- out ------------------------------------------------------------------------------------- */

/* The encapsulated form of a bare message (continuation marker, length, padding), as FlightInfo.schema
 * and streams carry it. */
void ipc_append_encapsulated(struct slices *out, struct slice message);
/* The encapsulated Schema message of a schema, contiguous. */
struct slice ipc_encapsulated_schema(const struct arrow_schema *schema);
/* The body of a batch: its buffers by reference, each padded to 8 bytes; body_bytes in all. */
void ipc_append_body(struct slices *out, const struct arrow_batch *batch);
/* The bare DictionaryBatch message for schema->dictionaries[index]; its body is ipc_append_body of
 * that batch. */
struct slice ipc_dictionary_message(const struct arrow_schema *schema, size_t index);

/* A whole stream: schema and dictionaries, batches, end of stream. */
void ipc_stream_begin(struct slices *out, const struct arrow_schema *schema);
void ipc_stream_batch(struct slices *out, const struct arrow_batch *batch);
void ipc_stream_end(struct slices *out);
/* What ipc_stream_batch appends, in bytes. */
size_t ipc_batch_bytes(const struct arrow_batch *batch);

/* A whole file: the stream's messages between a magic text and a footer that tells where each batch is. */
struct ipc_file {
    const struct arrow_schema *schema; /* the caller's */
    uint64_t position;                 /* in the file, behind what was appended or noted */
    struct buf dictionaries;           /* Blocks of the footer */
    struct buf batches;
};
void ipc_file_begin(struct ipc_file *file, struct slices *out, const struct arrow_schema *schema);
void ipc_file_batch(struct ipc_file *file, struct slices *out, const struct arrow_batch *batch);
/* The batch comes next, and somebody else appends it. */
void ipc_file_note_batch(struct ipc_file *file, const struct arrow_batch *batch);
/* RESOURCE_EXHAUSTED when there are more batches than a footer may list (2 million). */
MUST_CHECK enum status ipc_file_end(struct ipc_file *file, struct slices *out, struct error *error);
void ipc_file_finish(struct ipc_file *file);

/* --- in -------------------------------------------------------------------------------------- */

struct ipc_limits {
    size_t metadata_bytes_max; /* 4 MiB */
    size_t body_bytes_max;     /* 256 MiB */
    int64_t rows_max;          /* 2^24 per batch */
    size_t decoded_bytes_max;  /* 1 GiB per batch after decompression */
};
extern const struct ipc_limits ipc_limits_default;

struct ipc_decoder;

struct ipc_decoder *ipc_decoder_create(const struct ipc_limits *limits);
void ipc_decoder_destroy(struct ipc_decoder *decoder);
CLEANUP_FUNCTION(struct ipc_decoder *, ipc_decoder_destroy)

/* Takes one message: bare metadata and its body (FlightData's two parts; body may be empty), whose
 * references stay the caller's; a body without owner is copied. A record
 * batch comes back in *out_batch (one reference; its buffers refer to the body's owner where they are
 * aligned, else they were copied); schema and dictionary messages are kept and *out_batch is NULL.
 * INVALID_ARGUMENT naming the field and the fault; UNIMPLEMENTED for types and features not taken;
 * RESOURCE_EXHAUSTED past a limit. After an error the decoder accepts nothing more. */
MUST_CHECK enum status ipc_decode(struct ipc_decoder *decoder, struct slice metadata,
                                  struct slice body, struct arrow_batch **out_batch,
                                  struct error *error);
/* How long the body of a message is, by its bare metadata. INVALID_ARGUMENT when that is none. */
MUST_CHECK enum status ipc_message_body_bytes(struct slice metadata, size_t *out_bytes,
                                              struct error *error);
/* The schema received, or NULL before it came. Not a new reference; lives as long as the decoder. With
 * dictionary columns: until the first batch a schema with empty dictionaries, then the one with their
 * values, which is also the batches' schema. */
struct arrow_schema *ipc_decoder_schema(const struct ipc_decoder *decoder);

/* An encapsulated Schema message (FlightInfo.schema, dataset_schema); dictionaries are empty. */
MUST_CHECK enum status ipc_decode_schema(struct slice encapsulated,
                                         struct arrow_schema **out_schema, struct error *error);

/* Cuts a byte stream of encapsulated messages into messages for ipc_decode. Feed bytes as they come. */
struct ipc_stream_reader;
struct ipc_stream_reader *ipc_stream_reader_create(const struct ipc_limits *limits);
void ipc_stream_reader_destroy(struct ipc_stream_reader *reader);
CLEANUP_FUNCTION(struct ipc_stream_reader *, ipc_stream_reader_destroy)
/* Appends bytes (copied). */
void ipc_stream_reader_feed(struct ipc_stream_reader *reader, const uint8_t *bytes, size_t size);
enum ipc_stream_step { IPC_STREAM_BATCH, IPC_STREAM_MORE, IPC_STREAM_END };
/* The next batch; or MORE: feed first; or END: the end-of-stream marker was read. */
MUST_CHECK enum status ipc_stream_reader_next(struct ipc_stream_reader *reader,
                                              enum ipc_stream_step *out_step,
                                              struct arrow_batch **out_batch, struct error *error);
struct arrow_schema *ipc_stream_reader_schema(const struct ipc_stream_reader *reader);
