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

/* Batches of one stream may have schema objects with other dictionaries than the one before (batch->schema !=
 * sent), equal otherwise: a schema that is known before its dictionaries came has empty ones. Then those go
 * out first that the receiver does not have: from index 0 on, the first at or behind `from`, or
 * dictionary_count. `sent`: the schema object of the batch before, NULL when only the schema's message
 * went out. */
size_t ipc_dictionary_next(const struct arrow_schema *schema, const struct arrow_schema *sent,
                           size_t from);
/* Its bare message: a delta where the receiver has the beginning, else all values. *out_values (one
 * reference) is the batch whose ipc_append_body is the body. */
struct slice ipc_dictionary_update(const struct arrow_schema *schema,
                                   const struct arrow_schema *sent, size_t index,
                                   struct arrow_batch **out_values);

/* A whole stream: schema and dictionaries, batches, end of stream. */
void ipc_stream_begin(struct slices *out, const struct arrow_schema *schema);
void ipc_stream_batch(struct slices *out, const struct arrow_batch *batch);
/* The same behind what the batch needs of other dictionaries; `sent` as above (the schema that the stream
 * began with, then that of the batch before). */
void ipc_stream_batch_after(struct slices *out, const struct arrow_batch *batch,
                            const struct arrow_schema *sent);
/* What of that comes before the batch. */
void ipc_stream_dictionaries(struct slices *out, const struct arrow_schema *schema,
                             const struct arrow_schema *sent);
void ipc_stream_end(struct slices *out);
/* What ipc_stream_batch appends, in bytes. */
size_t ipc_batch_bytes(const struct arrow_batch *batch);

/* Bodies compressed buffer by buffer. */
enum ipc_compression { IPC_COMPRESSION_LZ4, IPC_COMPRESSION_ZSTD };
struct ipc_compressor;
/* `level` is the format's own; 0: a fast one. One thread at a time. */
struct ipc_compressor *ipc_compressor_create(enum ipc_compression compression, int level);
void ipc_compressor_destroy(struct ipc_compressor *compressor);
CLEANUP_FUNCTION(struct ipc_compressor *, ipc_compressor_destroy)
/* The bare RecordBatch message of a batch and its compressed body, appended to `out_body`. Buffers that
 * hardly get smaller go by reference as they are. Dictionary messages are never compressed: some readers
 * cannot take that. RESOURCE_EXHAUSTED when the library finds no memory. */
MUST_CHECK enum status ipc_compress_batch(struct ipc_compressor *compressor,
                                          const struct arrow_batch *batch,
                                          struct slice *out_message, struct slices *out_body,
                                          struct error *error);

/* A whole file: the stream's messages between a magic text and a footer that tells where each batch is. */
struct ipc_file {
    struct arrow_schema *schema;
    uint64_t position;          /* in the file, behind what was appended or noted */
    struct arrow_schema *grown; /* of the last batch, if not `schema` */
    bool misses_dictionary;     /* a batch needs one that the file does not have */
    struct buf dictionaries;    /* Blocks of the footer */
    struct buf batches;
};
void ipc_file_begin(struct ipc_file *file, struct slices *out, struct arrow_schema *schema);
void ipc_file_batch(struct ipc_file *file, struct slices *out, const struct arrow_batch *batch);
/* The batch comes next, and somebody else appends it. */
void ipc_file_note_batch(struct ipc_file *file, const struct arrow_batch *batch);
/* The same of one that stands there already, by the bytes of its message (prefix and padding included) and of
 * its body. */
void ipc_file_note_written(struct ipc_file *file, size_t message_bytes, size_t body_bytes);
/* RESOURCE_EXHAUSTED when there are more batches than a footer may list (2 million), FAILED_PRECONDITION
 * when a batch came whose dictionaries were replaced (or, noted, grew): a file cannot have that. */
MUST_CHECK enum status ipc_file_end(struct ipc_file *file, struct slices *out, struct error *error);
void ipc_file_finish(struct ipc_file *file);

/* --- in -------------------------------------------------------------------------------------- */

/* To be copied from ipc_limits_default and changed. */
struct ipc_limits {
    size_t metadata_bytes_max;       /* 4 MiB: of a schema */
    size_t batch_metadata_bytes_max; /* 1 MiB: of any other message */
    size_t body_bytes_max;           /* 256 MiB */
    uint64_t messages_max;           /* 2^24 per stream */
    int64_t rows_max;                /* 2^24 per batch */
    size_t decoded_bytes_max;    /* 1 GiB per batch once decompressed; nor more than 1 MiB and 1000
                                        times its body */
    int64_t cells_max;           /* 2^31: rows times fields; values of list views in all */
    size_t fields_max;           /* 10,000, nested ones included; no more */
    size_t depth_max;            /* 64; no more */
    size_t dictionary_bytes_max; /* 256 MiB: of all dictionaries of a stream, old ones included */
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
/* Whether a message is a record batch whose body is not compressed. */
bool ipc_message_is_plain_batch(struct slice metadata);
/* For bodies that are parts of mapped files: batches refer to them however small they are, and are not
 * charged with them (memory_bytes). */
void ipc_decoder_use_mappings(struct ipc_decoder *decoder);
/* The schema received, or NULL before it came. Not a new reference: with dictionary columns it lives until
 * the next message. Then it has empty dictionaries until the first batch, and later is that of the last
 * batch. Batches of one stream have other schema objects when dictionaries grew or were replaced. */
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
/* Takes over a slice. A body that lies in it as a whole is not copied, but for a small part of it: what its
 * batch keeps is the slice's owner. */
void ipc_stream_reader_feed_slice(struct ipc_stream_reader *reader, struct slice bytes);
/* As ipc_decoder_use_mappings. */
void ipc_stream_reader_use_mappings(struct ipc_stream_reader *reader);
enum ipc_stream_step { IPC_STREAM_BATCH, IPC_STREAM_MORE, IPC_STREAM_END };
/* The next batch; or MORE: feed first; or END: the end-of-stream marker was read. */
MUST_CHECK enum status ipc_stream_reader_next(struct ipc_stream_reader *reader,
                                              enum ipc_stream_step *out_step,
                                              struct arrow_batch **out_batch, struct error *error);
/* True at the beginning and behind each message: no part of one waits. */
bool ipc_stream_reader_is_between(const struct ipc_stream_reader *reader);
/* What waits for its message to be whole. */
size_t ipc_stream_reader_waiting_bytes(const struct ipc_stream_reader *reader);
struct arrow_schema *ipc_stream_reader_schema(const struct ipc_stream_reader *reader);

/* Reads a whole file, whose batches are where its footer says. */
struct ipc_file_reader;
/* Whether bytes (8 of them do) are the beginning of a file, not of a stream. */
bool ipc_is_file(struct str beginning);
/* `file` are all its bytes, at an address that is a multiple of 8; its reference stays the caller's. Batches
 * refer to it and are not charged with it when it `is_mapping`; else small ones are copied out of it.
 * Reads footer and dictionaries. INVALID_ARGUMENT when it is no such file. */
MUST_CHECK enum status ipc_file_reader_open(struct slice file, bool is_mapping,
                                            const struct ipc_limits *limits,
                                            struct ipc_file_reader **out_reader,
                                            struct error *error);
void ipc_file_reader_close(struct ipc_file_reader *reader);
CLEANUP_FUNCTION(struct ipc_file_reader *, ipc_file_reader_close)
struct arrow_schema *ipc_file_reader_schema(const struct ipc_file_reader *reader);
size_t ipc_file_reader_batch_count(const struct ipc_file_reader *reader);
/* Reads and validates a batch, in any order. One thread at a time. */
MUST_CHECK enum status ipc_file_reader_batch(struct ipc_file_reader *reader, size_t index,
                                             struct arrow_batch **out_batch, struct error *error);
