/*
 * results_private.h — what the files behind results.h share.
 *
 * Lock order: the table's lock is the innermost; neither lock is held over a call to another module.
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include <stdatomic.h>

#include "base/list.h"
#include "base/map.h"
#include "event/lock.h"
#include "event/workers.h"
#include "jobs/results.h"

#define RESULT_ID_BYTES_MAX 64
/* Results known in memory that the registry or S3 have too; the one used longest ago goes. */
#define RESULTS_RESTORABLE_MAX 4096
/* Of rendered JSON that is kept. */
#define RESULTS_JSON_BYTES_MAX ((size_t)64 << 20)
#define RESULT_DATASET_PREFIX ".result-"
/* Names of blobs in the registry, followed by the job's id. */
#define RESULT_BLOB_PREFIX "result/"
#define RESULT_OBJECT_PREFIX "result-object/"

struct results {
    struct results_options options;
    struct workers *uploaders; /* NULL without S3 */
    struct fetch_cancel *cancel;
    atomic_bool is_closing;
    atomic_bool has_lost_some;
    struct metric *uploads[2]; /* failed, done; NULL without metrics */
    struct metric *restores;
    struct {
        struct lock lock;
        struct map table;        /* id -> struct result, a reference each */
        struct list all;         /* result.listed.link, last used last */
        size_t restorable_count; /* of those */
        size_t kept_bytes;       /* of the others */
        struct list rendered;    /* result.listed.json_link, last rendered last */
        size_t json_bytes;
        struct map returning;      /* ids that a thread brings back just now */
        struct condition returned; /* one of them is through */
    } locked;
};

enum result_where {
    RESULT_IN_MEMORY,   /* and nowhere else */
    RESULT_IN_REGISTRY, /* a blob */
    RESULT_ON_DISK,     /* a durable dataset */
};

struct result {
    atomic_int references;
    struct results *results;
    char id[RESULT_ID_BYTES_MAX + 1];
    char where_text[RESULT_ID_BYTES_MAX + 16];
    enum result_where where;
    char *columns; /* NULL: not known */
    bool is_json;
    int64_t rows;
    int64_t bytes;
    int64_t completed_us;
    atomic_int_fast64_t expires_us;
    atomic_bool is_dropped;
    atomic_bool is_in_s3;
    struct {
        struct lock lock;
        struct condition changed;
        bool is_busy; /* one thread renders it */
        struct buffer *plain;
        struct buffer *gzip;
    } locked;
    struct { /* guarded by the table's lock */
        struct list link;
        struct list json_link;
        size_t json_bytes;
    } listed;
};

struct str result_dataset_id(char out[RESULT_ID_BYTES_MAX + 16], const char *id);
struct str result_blob_key(char out[RESULT_ID_BYTES_MAX + 16], const char *prefix, const char *id);
/* An unlisted result with one reference. */
struct result *result_make(struct results *results, struct str id);
void result_set_where(struct result *result, enum result_where where);
/* Enters it in the table unless one of its id is there; what has to go for it goes. */
void results_enter(struct results *results, struct result *result);
/* Takes the one of that id out of the table: another takes its place. */
void results_leave(struct results *results, struct str id);
/* result_left.c: enters what an earlier process left on disk. */
void results_enter_left(struct results *results);
/* Whether a result of a complete dataset has the form json.gz. */
bool result_has_json_form(const struct results_options *options, const struct dataset_facts *facts);
/* The rendered text has so many bytes from now on; others' may go. */
void results_charge_json(struct result *result, size_t bytes);
/* One thread at a time renders a result. */
void result_occupy(struct result *result);
void result_leave(struct result *result);
/* NOT_FOUND, code RESULT_EXPIRED. */
enum status result_refuse_expired(const char *id, struct error *error);
/* How long it still lives; 0: it is over. */
uint64_t result_ttl_left_ms(struct result *result);

/* --- result_stream.c: a complete dataset as an IPC stream, piece by piece, and back ------------- */

struct result_stream {
    struct dataset *dataset;
    struct dataset_reader *reader;
    struct arrow_schema *sent; /* a reference */
    struct slices pending;
    bool is_begun;
    bool is_over;
};
MUST_CHECK enum status result_stream_open(struct result_stream *stream, struct dataset *dataset,
                                          struct error *error);
void result_stream_finish(struct result_stream *stream);
CLEANUP_IN_PLACE(struct result_stream, result_stream_finish)
/* Makes `pending` not empty, unless the stream is over. */
MUST_CHECK enum status result_stream_fill(struct result_stream *stream, struct error *error);
/* All of it. RESOURCE_EXHAUSTED beyond `size_max`. */
MUST_CHECK enum status result_stream_whole(struct dataset *dataset, size_t size_max,
                                           struct slice *out_bytes, struct error *error);

struct ipc_stream_reader;
/* A dataset that is made of a stream as it comes. */
struct result_return {
    struct result *result;
    struct put *put;
    struct ipc_stream_reader *reader;
};
MUST_CHECK enum status result_return_begin(struct result_return *back, struct result *result,
                                           struct error *error);
MUST_CHECK enum status result_return_feed(struct result_return *back, struct str bytes,
                                          struct error *error);
/* One reference to the dataset. DATA_LOSS when the stream is not whole. */
MUST_CHECK enum status result_return_end(struct result_return *back, struct dataset **out_dataset,
                                         struct error *error);
void result_return_finish(struct result_return *back);
CLEANUP_IN_PLACE(struct result_return, result_return_finish)

/* --- result_objects.c: S3 ------------------------------------------------------------------------ */

MUST_CHECK enum status results_open_objects(struct results *results, struct error *error);
void results_close_objects(struct results *results);
/* Has the result put under that key some time; a failure is a warning. */
void result_upload(struct result *result, struct dataset *dataset, struct str key);
/* One reference to the dataset, if it is there. */
MUST_CHECK enum status result_download(struct result *result, struct dataset **out_dataset,
                                       struct error *error);
