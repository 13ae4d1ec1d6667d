/*
 * results.h — results of jobs: taken in while they come, kept, brought back, rendered, dropped.
 *
 *      result_intake_begin -> result_intake_dataset (a query appends to it, readers follow) -> result_keep
 *
 * A result is a private dataset (id `.result-<job id>`) that spills to disk and never waits for a reader, so
 * that a slow or absent one holds no query slot. A small one is also a blob of the registry, a large one a
 * durable dataset (tier disk) or an object in S3 (tier s3): from there it comes back when memory has lost
 * it, in this process or the next one. All of them go when their time to live is over, and the oldest
 * ones before that when all together exceed their bound.
 *
 * Threads: any; what blocks says so. SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include "base/buffer.h"
#include "base/log.h"
#include "base/metric.h"
#include "meta/job_record.h"
#include "store/store.h"

struct meta;
struct results;
struct result;
struct result_intake;
struct s3;

/* Where results outlive memory. */
enum result_tier {
    RESULT_TIER_MEMORY, /* nowhere; small ones in the registry */
    RESULT_TIER_DISK,   /* in the data folder */
    RESULT_TIER_S3,     /* in a bucket; in memory meanwhile, and where S3 fails */
};

/* Rows and bytes of a result that the registry keeps as a blob. */
#define RESULT_BLOB_BYTES_MAX ((size_t)256 << 10)
/* A result of few rows is still in Arrow form when it is larger than this. */
#define RESULT_JSON_BYTES_MAX ((size_t)32 << 20)

struct results_options {
    struct store *store;
    struct meta *meta; /* NULL: there is no registry */
    struct s3 *s3;     /* NULL: none */
    enum result_tier tier;
    uint64_t ttl_ms;        /* of a result, from its end */
    uint64_t json_rows_max; /* at or below: the form is gzip JSON, above: Arrow */
    size_t bytes_max; /* all results together, in memory and on disk; 0: no bound of their own */
    struct log *log;  /* may be NULL */
    struct metrics *metrics; /* may be NULL */
};

MUST_CHECK enum status results_create(const struct results_options *options,
                                      struct results **out_results, struct error *error);
/* Ends uploads; no reference to a result may be left. */
void results_destroy(struct results *results);
CLEANUP_FUNCTION(struct results *, results_destroy)
/* Lets go of what is over; to be called every second or so. Never blocks. */
void results_sweep(struct results *results);

/* --- taking in -------------------------------------------------------------------------------- */

/* Makes the open dataset that the job's statement appends to. `schema` NULL: dataset_set_schema gives it. */
MUST_CHECK enum status result_intake_begin(struct results *results, struct str job_id,
                                           struct arrow_schema *schema,
                                           struct result_intake **out_intake, struct error *error);
/* Not a new reference; for query_spec.dataset. The query completes or fails it. */
struct dataset *result_intake_dataset(struct result_intake *intake);
/* After the query is done: makes the result as safe as its tier asks, sets format, rows, bytes, result and
 * columns of `record` (texts go to the arena), and writes it, together with the blob of a small result, as
 * the job's last one (unless there is no registry). A registry that cannot be written now gets the record as
 * soon as it can be; a small result stays in memory then. RESOURCE_EXHAUSTED (STORAGE_FULL) and such for the
 * rows: nothing is kept, the record is not written. Blocks. A reference for the caller. */
MUST_CHECK enum status result_keep(struct result_intake *intake, struct job_record *record,
                                   struct arena *arena, struct result **out_result,
                                   struct error *error);
/* Also takes the dataset back unless result_keep succeeded. */
void result_intake_destroy(struct result_intake *intake);
CLEANUP_FUNCTION(struct result_intake *, result_intake_destroy)

/* --- what is kept ------------------------------------------------------------------------------ */

/* The result that a record tells of (its `result`), one reference. NOT_FOUND, code RESULT_EXPIRED. Does not
 * look whether it can be read. */
MUST_CHECK enum status results_find(struct results *results, const struct job_record *record,
                                    struct result **out_result, struct error *error);
struct result *result_ref(struct result *result);
void result_unref(struct result *result);
CLEANUP_FUNCTION(struct result *, result_unref)

struct result_facts {
    struct str job_id;  /* of the job that ran; these four live as long as the reference */
    struct str where;   /* what its record tells of it: `result` */
    struct str format;  /* "arrow" or "json.gz" */
    struct str columns; /* JSON [{name,type}]; empty: not known */
    int64_t rows;
    int64_t bytes;
    int64_t completed_us;
    int64_t expires_us;
};
void result_facts(struct result *result, struct result_facts *out_facts);
/* True when its time to live is over, or it was dropped. */
bool result_is_over(struct result *result);
/* Has it live for another ttl_ms from now; another job gives it as its own. Blocks for the disk. */
void result_renew(struct result *result);
/* Whether the result that a record names is still to be had, as far as that is known without fetching it.
 * Reads the registry where S3 may have it. */
bool results_have(struct results *results, const struct job_record *record);
/* Whether S3 has one that is not to be had only because this process does not use S3. */
bool results_may_return(struct results *results, const struct job_record *record);
/* Whether some went before their time since it was asked last: to make place, or with the process before. */
bool results_lost_some(struct results *results);
/* Whether its rows have to come from S3. Never blocks for long. */
bool result_is_far(struct result *result);
/* Its rows, one reference to a complete dataset. NOT_FOUND, code RESULT_EXPIRED. Blocks when it comes from
 * the registry or S3. */
MUST_CHECK enum status result_dataset(struct result *result, struct dataset **out_dataset,
                                      struct error *error);
/* Appends a URL with which anyone may read the result's object in S3 as `file_name`, for as long as the
 * result lives but at most `seconds_max`. NOT_FOUND when there is none: the result is small, its upload
 * goes on or failed, the object is another run's by now, S3 does not answer. Blocks. */
MUST_CHECK enum status result_url(struct result *result, uint32_t seconds_max, struct str file_name,
                                  struct buf *out_url, struct error *error);
/* Its rows as a JSON array of objects; of form json.gz only (else FAILED_PRECONDITION). Rendered once. The
 * caller gets a reference to each that it asks for (NULL: not asked for). Blocks when it was not rendered
 * yet. */
MUST_CHECK enum status result_json(struct result *result, struct buffer **out_plain,
                                   struct buffer **out_gzip, struct error *error);
