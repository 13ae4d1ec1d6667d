/*
 * ipc_format.h — numbers of the IPC format: slots of its tables, kinds, codes.
 *
 * Private to the module. Source: Arrow format/Message.fbs, Schema.fbs.
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include <stdint.h>

enum { IPC_VERSION_V4 = 3, IPC_VERSION_V5 = 4 };

/* Slots. A union takes two: its kind and its table. */
enum { IPC_MESSAGE_VERSION, IPC_MESSAGE_KIND, IPC_MESSAGE_HEADER, IPC_MESSAGE_BODY_LENGTH };
enum { IPC_SCHEMA_ENDIANNESS, IPC_SCHEMA_FIELDS, IPC_SCHEMA_METADATA };
enum {
    IPC_FIELD_NAME,
    IPC_FIELD_NULLABLE,
    IPC_FIELD_TYPE_KIND,
    IPC_FIELD_TYPE,
    IPC_FIELD_DICTIONARY,
    IPC_FIELD_CHILDREN,
    IPC_FIELD_METADATA,
};
enum { IPC_DICTIONARY_ID, IPC_DICTIONARY_INDEX_TYPE, IPC_DICTIONARY_IS_ORDERED };
enum {
    IPC_BATCH_LENGTH,
    IPC_BATCH_NODES,
    IPC_BATCH_BUFFERS,
    IPC_BATCH_COMPRESSION,
    IPC_BATCH_VARIADIC_COUNTS,
};
enum { IPC_DICTIONARY_BATCH_ID, IPC_DICTIONARY_BATCH_VALUES, IPC_DICTIONARY_BATCH_IS_DELTA };
enum { IPC_COMPRESSION_CODEC, IPC_COMPRESSION_METHOD };

enum { IPC_FOOTER_VERSION, IPC_FOOTER_SCHEMA, IPC_FOOTER_DICTIONARIES, IPC_FOOTER_BATCHES };

/* Kinds of message. */
enum { IPC_KIND_SCHEMA = 1, IPC_KIND_DICTIONARY = 2, IPC_KIND_BATCH = 3, IPC_KIND_TENSOR = 4 };
enum { IPC_PRECISION_HALF, IPC_PRECISION_SINGLE, IPC_PRECISION_DOUBLE };
enum { IPC_DATE_DAY, IPC_DATE_MILLISECOND };
enum { IPC_CODEC_NONE = -1, IPC_CODEC_LZ4_FRAME, IPC_CODEC_ZSTD };

/* Before each message of a stream: continuation marker and metadata length. */
#define IPC_PREFIX_BYTES 8
#define IPC_CONTINUATION 0xFFFFFFFFu
#define IPC_ALIGNMENT 8

/* A file: what it begins and ends with, and a Block of its footer. */
#define IPC_FILE_MAGIC "ARROW1"
#define IPC_FILE_MAGIC_BYTES 6
#define IPC_FILE_HEAD_BYTES 8 /* padded */
#define IPC_FILE_BLOCKS_MAX ((size_t)2000000)
struct ipc_block {
    int64_t offset;
    int32_t metadata_bytes; /* prefix and padding included */
    int32_t padding;
    int64_t body_bytes;
};
