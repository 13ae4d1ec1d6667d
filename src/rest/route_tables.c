/*
 * route_tables.c — parameters, bodies and replies of the routes about the server, queries and datasets.
 *
 * Their handlers read options that SQL, Flight and HTTP share, or bodies of any size, so they read their
 * input themselves; these tables tell the same for OpenAPI. Constants.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "rest/route_tables.h"

#include "base/memory.h"

static const char *const result_formats[] = {"json", "arrow", "arrow-file", "ndjson", "csv", NULL};
static const char *const all_formats[] = {"arrow",  "arrow-file", "parquet", "json",
                                          "ndjson", "csv",        NULL};
static const char *const int64_forms[] = {"string", "number", NULL};
static const char *const flags[] = {"true", "false", NULL};
static const char *const units[] = {"s", "ms", "us", "ns", NULL};
static const char *const on_off[] = {"on", "off", NULL};
static const char *const dictionaries[] = {"auto", "on", "off", NULL};
static const char *const modes[] = {"create", "append", "replace", NULL};
static const char *const durabilities[] = {"memory", "process", "disk", NULL};

const char rest_query_body_types[] = "application/json, text/plain, application/sql";
const char rest_dataset_body_types[] =
    "application/vnd.apache.arrow.stream, application/vnd.apache.arrow.file, "
    "application/vnd.apache.parquet, text/csv, application/json, application/x-ndjson, "
    "multipart/form-data";

#define FORMAT(formats)                                                                            \
    {                                                                                              \
        .name = "format", .type = REST_CHOICE, .choices = (formats),                               \
        .help = "The form of the rows; wins over Accept"                                           \
    }
#define INT64                                                                                      \
    {                                                                                              \
        .name = "int64", .type = REST_CHOICE, .choices = int64_forms,                              \
        .help = "string: 64-bit integers and decimals as texts in JSON"                            \
    }
#define FLAG(field, text)                                                                          \
    {                                                                                              \
        .name = (field), .type = REST_CHOICE, .choices = flags, .help = (text)                     \
    }

/* --- queries ----------------------------------------------------------------------------------- */

static const struct rest_field query_parameters[] = {
    FORMAT(result_formats),
    INT64,
    FLAG("keep", "Keep the result for GET /v1/queries/{id}/result"),
    {.name = "engine", .type = REST_TEXT, .help = "duckdb or clickhouse", .fallback = "duckdb"},
    {.name = "timeout-ms",
     .type = REST_INTEGER,
     .min = 1,
     .max = INT64_MAX,
     .help = "The statement is stopped after so long",
     .example = "60000"},
    {.name = "priority",
     .type = REST_INTEGER,
     .min = 1,
     .max = 5,
     .help = "Of those that wait for slots, 1 first"},
    {.name = "slots",
     .type = REST_INTEGER,
     .min = 1,
     .max = 100000,
     .help = "How many slots the statement takes; more than there are: all"},
    {.name = "max-message-bytes",
     .type = REST_INTEGER,
     .min = 1,
     .max = INT64_MAX,
     .help = "Of one Arrow message, about"},
    {.name = "dictionaries",
     .type = REST_CHOICE,
     .choices = dictionaries,
     .help = "Which columns leave as dictionaries"},
    {.name = "views",
     .type = REST_CHOICE,
     .choices = on_off,
     .help = "Texts and bytes as view types"},
    {.name = "row-limit",
     .type = REST_INTEGER,
     .min = 0,
     .max = INT64_MAX,
     .help = "The result ends after so many rows; 0: all"},
    {.name = "timestamp-unit",
     .type = REST_CHOICE,
     .choices = units,
     .help = "Of TIMESTAMPTZ columns"},
    {.name = "catalog", .type = REST_TEXT, .help = "Where unqualified names are looked for"},
    {.name = "schema", .type = REST_TEXT, .help = "Where unqualified names are looked for"},
    {.name = "time-zone", .type = REST_TEXT, .help = "Of the statement: an IANA name"},
};
const struct rest_object rest_query_parameters = {NULL, REST_FIELDS(query_parameters)};

static const struct rest_field query_body[] = {
    {.name = "sql",
     .type = REST_TEXT,
     .required = true,
     .min = 1,
     .max = INT64_MAX,
     .example = "\"SELECT 42 AS answer\""},
    {.name = "format", .type = REST_CHOICE, .choices = result_formats},
    {.name = "timeout_ms", .type = REST_INTEGER, .min = 1, .max = INT64_MAX, .example = "60000"},
};
const struct rest_object rest_query_body = {"QueryRequest", REST_FIELDS(query_body)};

static const struct rest_field result_parameters[] = {FORMAT(result_formats), INT64};
const struct rest_object rest_result_parameters = {NULL, REST_FIELDS(result_parameters)};

static const struct rest_field query_fields[] = {
    {.name = "id", .type = REST_TEXT, .required = true},
    {.name = "state", .type = REST_TEXT, .required = true},
    {.name = "kind", .type = REST_TEXT, .required = true},
    {.name = "door", .type = REST_TEXT, .required = true},
    {.name = "sql", .type = REST_TEXT, .required = true},
    {.name = "request_id", .type = REST_TEXT, .required = true},
    {.name = "peer", .type = REST_TEXT, .required = true},
    {.name = "created_at", .type = REST_TIME, .required = true, .nullable = true},
    {.name = "started_at", .type = REST_TIME, .required = true, .nullable = true},
    {.name = "ended_at", .type = REST_TIME, .required = true, .nullable = true},
    {.name = "progress", .type = REST_NUMBER, .required = true, .nullable = true},
    {.name = "rows", .type = REST_INTEGER, .required = true},
    {.name = "bytes", .type = REST_INTEGER, .required = true},
    {.name = "error", .type = REST_TEXT, .required = true, .nullable = true},
};
static const struct rest_object query_object = {"Query", REST_FIELDS(query_fields)};
static const struct rest_field queries_fields[] = {
    {.name = "queries", .type = REST_LIST, .required = true, .object = &query_object},
};
static const struct rest_object queries_object = {"QueryList", REST_FIELDS(queries_fields)};
static const struct rest_field stopped_fields[] = {
    {.name = "id", .type = REST_TEXT, .required = true},
    {.name = "state", .type = REST_TEXT, .required = true},
};
static const struct rest_object stopped_object = {"Stopped", REST_FIELDS(stopped_fields)};

const struct rest_reply_form rest_rows_replies[] = {
    {.http_status = 200,
     .is_rows = true,
     .help = "The rows, or what a statement without rows changed"},
    {0},
};
const struct rest_reply_form rest_queries_replies[] = {
    {.http_status = 200, .object = &queries_object, .help = "The statements"},
    {0},
};
const struct rest_reply_form rest_queries_events_replies[] = {
    {.http_status = 200,
     .media_type = "text/event-stream",
     .help = "Events `queries`, each with the whole list"},
    {0},
};
const struct rest_reply_form rest_query_stop_replies[] = {
    {.http_status = 200, .object = &stopped_object, .help = "It is stopped"},
    {0},
};
const struct rest_reply_form rest_result_replies[] = {
    {.http_status = 200, .is_rows = true, .help = "The rows"},
    {.http_status = 206, .is_rows = true, .help = "The range of bytes that was asked for"},
    {.http_status = 304, .help = "The client has them"},
    {0},
};

/* --- datasets and tables ----------------------------------------------------------------------- */

static const struct rest_field datasets_parameters[] = {
    {.name = "prefix", .type = REST_TEXT, .help = "Names that begin so"},
    {.name = "limit",
     .type = REST_INTEGER,
     .min = 1,
     .max = 1000,
     .fallback = "100",
     .help = "On one page"},
    {.name = "page_token", .type = REST_TEXT, .help = "next_page_token of the page before"},
};
const struct rest_object rest_datasets_parameters = {NULL, REST_FIELDS(datasets_parameters)};

static const struct rest_field get_parameters[] = {
    FORMAT(all_formats),
    INT64,
    {.name = "columns",
     .type = REST_TEXT,
     .help = "These columns in this order, separated by commas"},
    {.name = "offset",
     .type = REST_INTEGER,
     .min = 0,
     .max = INT64_MAX,
     .help = "Rows to pass over"},
    {.name = "limit", .type = REST_INTEGER, .min = 0, .max = INT64_MAX, .help = "Rows at most"},
    FLAG("facts", "What is known of the dataset instead of its rows"),
};
const struct rest_object rest_dataset_get_parameters = {NULL, REST_FIELDS(get_parameters)};

#define CSV_PARAMETERS                                                                             \
    FLAG("header", "Whether CSV begins with names"),                                               \
    {                                                                                              \
        .name = "delimiter", .type = REST_TEXT, .min = 1, .max = 1, .help = "Of CSV"               \
    }
static const struct rest_field put_parameters[] = {
    FORMAT(all_formats),
    CSV_PARAMETERS,
    {.name = "mode",
     .type = REST_CHOICE,
     .choices = modes,
     .help = "Whether there has to be one, or none"},
    {.name = "durability",
     .type = REST_CHOICE,
     .choices = durabilities,
     .help = "What it survives"},
    {.name = "ttl", .type = REST_TEXT, .help = "How long it is kept: 10m, 2h, seconds"},
};
const struct rest_object rest_dataset_put_parameters = {NULL, REST_FIELDS(put_parameters)};
static const struct rest_field table_parameters[] = {FORMAT(all_formats), CSV_PARAMETERS};
const struct rest_object rest_table_parameters = {NULL, REST_FIELDS(table_parameters)};

static const struct rest_field change_body[] = {
    {.name = "ttl",
     .type = REST_TEXT,
     .required = true,
     .help = "From now on: 10m, 2h",
     .example = "\"2h\""},
};
const struct rest_object rest_dataset_change_body = {"DatasetChange", REST_FIELDS(change_body)};

static const struct rest_field dataset_fields[] = {
    {.name = "id", .type = REST_TEXT, .required = true},
    {.name = "path", .type = REST_TEXT, .required = true, .nullable = true},
    {.name = "url", .type = REST_TEXT, .required = true},
    {.name = "rows", .type = REST_INTEGER, .required = true},
    {.name = "batches", .type = REST_INTEGER, .required = true},
    {.name = "bytes", .type = REST_INTEGER, .required = true},
    {.name = "durability", .type = REST_TEXT, .required = true},
    {.name = "created_at", .type = REST_TIME, .nullable = true},
    {.name = "expires_at", .type = REST_TIME, .nullable = true},
    {.name = "ttl_seconds", .type = REST_NUMBER},
    {.name = "etag", .type = REST_TEXT},
    {.name = "columns", .type = REST_LIST},
};
static const struct rest_object dataset_object = {"Dataset", REST_FIELDS(dataset_fields)};
static const struct rest_field datasets_fields[] = {
    {.name = "datasets", .type = REST_LIST, .required = true, .object = &dataset_object},
    {.name = "next_page_token", .type = REST_TEXT, .required = true, .nullable = true},
};
static const struct rest_object datasets_object = {"DatasetList", REST_FIELDS(datasets_fields)};

static const struct rest_field put_fields[] = {
    {.name = "id", .type = REST_TEXT, .required = true},
    {.name = "path", .type = REST_TEXT, .nullable = true},
    {.name = "url", .type = REST_TEXT},
    {.name = "rows", .type = REST_INTEGER, .required = true, .help = "Of this request"},
    {.name = "batches", .type = REST_INTEGER, .required = true, .help = "Of this request"},
    {.name = "total_rows", .type = REST_INTEGER, .required = true},
    {.name = "total_batches", .type = REST_INTEGER, .required = true},
    {.name = "total_bytes", .type = REST_INTEGER, .required = true},
    {.name = "durability", .type = REST_TEXT, .required = true},
    {.name = "expires_at", .type = REST_TIME, .nullable = true},
};
static const struct rest_object put_object = {"DatasetPut", REST_FIELDS(put_fields)};
static const struct rest_field inserted_fields[] = {
    {.name = "table", .type = REST_TEXT, .required = true},
    {.name = "format", .type = REST_TEXT, .required = true},
    {.name = "records_inserted", .type = REST_INTEGER, .required = true},
};
static const struct rest_object inserted_object = {"Inserted", REST_FIELDS(inserted_fields)};

const struct rest_reply_form rest_datasets_replies[] = {
    {.http_status = 200, .object = &datasets_object, .help = "A page of datasets"},
    {0},
};
const struct rest_reply_form rest_dataset_get_replies[] = {
    {.http_status = 200,
     .is_rows = true,
     .help = "The rows; with facts=true what is known of them"},
    {.http_status = 206, .is_rows = true, .help = "Some of them, or some of the bytes"},
    {.http_status = 304, .help = "The client has them"},
    {0},
};
const struct rest_reply_form rest_dataset_put_replies[] = {
    {.http_status = 200, .object = &put_object, .help = "There was one before"},
    {.http_status = 201, .object = &put_object, .help = "It is new"},
    {0},
};
const struct rest_reply_form rest_dataset_change_replies[] = {
    {.http_status = 200, .object = &dataset_object, .help = "What is known of it now"},
    {0},
};
const struct rest_reply_form rest_dataset_delete_replies[] = {
    {.http_status = 204, .help = "It is gone"},
    {0},
};
const struct rest_reply_form rest_table_replies[] = {
    {.http_status = 200, .object = &inserted_object, .help = "The rows are in"},
    {0},
};

/* --- the server -------------------------------------------------------------------------------- */

static const struct rest_field root_fields[] = {
    {.name = "service", .type = REST_TEXT, .required = true},
    {.name = "version", .type = REST_TEXT, .required = true},
    {.name = "status", .type = REST_TEXT, .required = true},
    {.name = "timestamp", .type = REST_TIME, .required = true},
    {.name = "available_engines", .type = REST_LIST, .required = true},
    {.name = "addresses", .type = REST_LIST, .required = true},
};
static const struct rest_object root_object = {"Service", REST_FIELDS(root_fields)};
static const struct rest_field health_fields[] = {
    {.name = "status", .type = REST_TEXT, .required = true},
    {.name = "detail", .type = REST_TEXT, .help = "Why it is unhealthy"},
    {.name = "timestamp", .type = REST_TIME, .required = true},
    {.name = "engines", .type = REST_OBJECT, .required = true},
    {.name = "version", .type = REST_TEXT, .required = true},
    {.name = "uptime_seconds", .type = REST_NUMBER, .required = true},
    {.name = "memory_usage", .type = REST_INTEGER, .required = true},
    {.name = "cpu_count", .type = REST_INTEGER, .required = true},
    {.name = "load_avg", .type = REST_LIST, .required = true},
    {.name = "system", .type = REST_TEXT, .required = true},
};
static const struct rest_object health_object = {"Health", REST_FIELDS(health_fields)};
static const struct rest_field state_fields[] = {
    {.name = "status", .type = REST_TEXT, .required = true},
};
static const struct rest_object state_object = {"State", REST_FIELDS(state_fields)};

const struct rest_reply_form rest_root_replies[] = {
    {.http_status = 200, .object = &root_object, .media_type = "application/json, text/html"},
    {0},
};
const struct rest_reply_form rest_health_replies[] = {
    {.http_status = 200, .object = &health_object, .help = "The server can work"},
    {.http_status = 503, .object = &health_object, .help = "It cannot; `detail` tells why"},
    {0},
};
const struct rest_reply_form rest_ready_replies[] = {
    {.http_status = 200, .object = &state_object, .help = "Yes"},
    {.http_status = 503, .object = &state_object, .help = "No, or not any more"},
    {0},
};
const struct rest_reply_form rest_metrics_replies[] = {
    {.http_status = 200,
     .media_type = "text/plain, application/openmetrics-text",
     .help = "All metrics"},
    {0},
};
