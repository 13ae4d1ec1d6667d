/*
 * routes.c — the table of routes, and the look-up in it.
 *
 * The table is short, so a look-up walks it; of patterns that match alike the first counts, but one without
 * a parameter always goes before those with one, whatever its method is. A pattern may have one parameter: a
 * whole segment in braces, or all that follow. Runs on the loop.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "rest/analytics.h"
#include "rest/catalog.h"
#include "rest/explain.h"
#include "rest/files.h"
#include "rest/jobs_v1.h"
#include "rest/query_service.h"
#include "rest/route_tables.h"

#include "base/memory.h"

/* clang-format off */
const struct rest_route rest_routes[] = {
    {.method = "GET", .pattern = "/", .handle = rest_root,
     .replies = rest_root_replies,
     .summary = "The service and its engines"},
    {.method = "GET", .pattern = "/favicon.svg", .handle = rest_favicon,
     .is_page = true,
     .summary = "The icon of the start page"},
    {.method = "GET", .pattern = "/openapi.json", .handle = rest_openapi,
     .summary = "This document"},
    {.method = "GET", .pattern = "/docs", .handle = rest_docs,
     .is_page = true,
     .summary = "This API to read and to try (Swagger UI)"},
    {.method = "GET", .pattern = "/docs/{file}", .handle = rest_docs_file, .blocking = true,
     .is_page = true,
     .summary = "What the pages of the API load"},
    {.method = "GET", .pattern = "/redoc", .handle = rest_redoc,
     .is_page = true,
     .summary = "This API to read (ReDoc)"},
    {.method = "GET", .pattern = "/health", .handle = rest_health, .is_exported = true,
     .replies = rest_health_replies,
     .summary = "Health, with facts about the host"},
    {.method = "GET", .pattern = "/healthz", .handle = rest_healthz, .is_exported = true,
     .replies = rest_ready_replies,
     .summary = "Whether the process lives"},
    {.method = "GET", .pattern = "/readyz", .handle = rest_readyz, .is_exported = true,
     .replies = rest_ready_replies,
     .summary = "Whether the server takes work; 503 while it drains"},
    {.method = "GET", .pattern = "/metrics", .handle = rest_metrics_text, .is_exported = true,
     .replies = rest_metrics_replies,
     .summary = "Metrics in Prometheus text format"},
    {.method = "POST", .pattern = "/query/submit", .handle = rest_query_submit, .blocking = true,
     .takes_body = true, .parameters = &rest_submit_parameters, .body = &rest_sql_request_object,
     .replies = rest_submit_replies, .summary = "Run a statement as a job, or answer from the cache"},
    {.method = "GET", .pattern = "/query/status/{id}", .handle = rest_query_status,
     .blocking = true, .replies = rest_query_status_replies, .summary = "Where a job stands"},
    {.method = "GET", .pattern = "/query/download/{id}", .handle = rest_query_download,
     .blocking = true, .parameters = &rest_download_parameters, .replies = rest_download_replies,
     .summary = "The rows of a job"},
    {.method = "POST", .pattern = "/query/schema", .handle = rest_query_schema, .blocking = true,
     .takes_body = true, .body = &rest_sql_request_object, .replies = rest_query_schema_replies,
     .summary = "The columns of a statement, which is not run"},
    {.method = "POST", .pattern = "/query/metadata", .handle = rest_query_metadata,
     .blocking = true, .takes_body = true, .body = &rest_sql_request_object,
     .replies = rest_query_metadata_replies,
     .summary = "The columns of a statement, and what the cache has of it"},
    {.method = "GET", .pattern = "/system/queue", .handle = rest_system_queue,
     .replies = rest_system_queue_replies, .summary = "How busy the workers of /query are"},
    {.method = "POST", .pattern = "/query", .handle = rest_query_submit, .blocking = true,
     .takes_body = true, .parameters = &rest_submit_parameters, .body = &rest_sql_request_object,
     .replies = rest_submit_replies, .summary = "Run a statement as a job"},
    {.method = "GET", .pattern = "/query/{id}", .handle = rest_query_status, .blocking = true,
     .replies = rest_query_status_replies, .summary = "Where a job stands"},
    {.method = "GET", .pattern = "/query/{id}/result", .handle = rest_query_download,
     .blocking = true, .parameters = &rest_download_parameters, .replies = rest_download_replies,
     .summary = "The rows of a job, as Arrow unless asked otherwise"},
    {.method = "GET", .pattern = "/query/{id}/schema", .handle = rest_query_job_schema,
     .blocking = true, .replies = rest_query_schema_replies, .summary = "The columns of a job's result"},
    {.method = "GET", .pattern = "/query/{id}/results", .handle = rest_query_job_rows,
     .blocking = true, .parameters = &rest_page_parameters, .replies = rest_query_rows_replies,
     .summary = "The rows of a job as JSON, page by page"},
    {.method = "POST", .pattern = "/queries", .handle = rest_queries_submit, .blocking = true,
     .takes_body = true, .body = &rest_job_request_object, .replies = rest_job_submit_replies,
     .summary = "Queue a statement as a job"},
    {.method = "POST", .pattern = "/queries/batch", .handle = rest_queries_batch, .blocking = true,
     .takes_body = true, .body = &rest_job_batch_object, .replies = rest_job_batch_replies,
     .summary = "Queue up to 20 statements"},
    {.method = "POST", .pattern = "/queries/validate", .handle = rest_queries_validate,
     .blocking = true, .takes_body = true, .body = &rest_validate_request_object,
     .replies = rest_validate_replies,
     .summary = "Whether a statement would run, and what it would cost"},
    {.method = "GET", .pattern = "/jobs", .handle = rest_jobs_list, .blocking = true,
     .parameters = &rest_jobs_parameters, .replies = rest_jobs_replies,
     .summary = "Jobs, the newest first"},
    {.method = "GET", .pattern = "/jobs/{id}", .handle = rest_job_get, .blocking = true,
     .replies = rest_job_replies, .summary = "A job: its state and progress"},
    {.method = "DELETE", .pattern = "/jobs/{id}", .handle = rest_job_cancel, .blocking = true,
     .replies = rest_job_cancel_replies, .summary = "Stop a job that waits or runs"},
    {.method = "GET", .pattern = "/jobs/{id}/result", .handle = rest_job_rows, .blocking = true,
     .parameters = &rest_job_result_parameters, .replies = rest_job_result_replies,
     .summary = "The rows of a job and how it ran"},
    {.method = "GET", .pattern = "/ws/jobs/{id}", .handle = rest_job_socket, .blocking = true,
     .is_websocket = true, .summary = "A job each time it changes (WebSocket)"},
    {.method = "GET", .pattern = "/history", .handle = rest_history, .blocking = true,
     .parameters = &rest_history_parameters, .replies = rest_history_replies,
     .summary = "Jobs that are over, the newest first"},
    {.method = "GET", .pattern = "/status", .handle = rest_status, .replies = rest_status_replies,
     .summary = "Slots, jobs and engines"},
    {.method = "GET", .pattern = "/examples", .handle = rest_examples,
     .replies = rest_examples_replies, .summary = "Statements that run as they stand"},
    {.method = "GET", .pattern = "/files/registry", .handle = rest_files_list, .blocking = true,
     .parameters = &rest_files_parameters, .replies = rest_files_replies,
     .summary = "The files of a bucket, as the last scan found them"},
    {.method = "GET", .pattern = "/files/registry/count", .handle = rest_files_count,
     .blocking = true, .replies = rest_files_count_replies,
     .summary = "How many files there are, by type"},
    {.method = "GET", .pattern = "/files/registry/types", .handle = rest_files_types,
     .blocking = true,
     .summary = "The types of files that there are"},
    {.method = "POST", .pattern = "/files/discovery/scan", .handle = rest_files_scan,
     .blocking = true, .replies = rest_files_scan_replies,
     .summary = "Have the bucket scanned now"},
    {.method = "GET", .pattern = "/files/discovery/status", .handle = rest_files_status,
     .blocking = true, .replies = rest_files_status_replies,
     .summary = "What bucket is scanned, and when it was"},
    {.method = "POST", .pattern = "/v1/query", .handle = rest_query, .blocking = true,
     .takes_body = true, .problem_json = true,
     .parameters = &rest_query_parameters, .body = &rest_query_body,
     .body_types = rest_query_body_types, .replies = rest_rows_replies,
     .summary = "Run a statement and stream its rows"},
    {.method = "POST", .pattern = "/v1/query/explain", .handle = rest_query_explain,
     .blocking = true, .takes_body = true, .problem_json = true, .body = &rest_explain_body,
     .replies = rest_explain_replies,
     .summary = "What is known of a statement without running it"},
    {.method = "GET", .pattern = "/v1/catalog", .handle = rest_catalog, .blocking = true,
     .problem_json = true, .parameters = &rest_catalog_parameters,
     .replies = rest_catalog_replies, .summary = "Catalogs, schemas, tables, columns"},
    {.method = "GET", .pattern = "/v1/examples", .handle = rest_examples, .problem_json = true,
     .replies = rest_examples_replies, .summary = "Statements that run as they stand"},
    {.method = "GET", .pattern = "/v1/files", .handle = rest_local_files,
     .blocking = true, .problem_json = true, .parameters = &rest_local_files_parameters,
     .replies = rest_local_files_replies,
     .summary = "Files that SQL may read"},
    {.method = "GET", .pattern = "/v1/system/{view}", .handle = rest_system_view,
     .blocking = true, .problem_json = true, .parameters = &rest_system_parameters,
     .replies = rest_system_replies, .summary = "What the server shows of itself"},
    {.method = "GET", .pattern = "/explorer", .handle = rest_explorer, .blocking = true,
     .parameters = &rest_explorer_parameters, .replies = rest_explorer_replies,
     .summary = "Datasets and tables of an engine"},
    {.method = "GET", .pattern = "/schemas/{dataset}", .handle = rest_explorer_dataset,
     .blocking = true, .parameters = &rest_explorer_parameters,
     .replies = rest_explorer_dataset_replies, .summary = "Tables of a dataset"},
    {.method = "GET", .pattern = "/schemas", .handle = rest_explorer, .blocking = true,
     .parameters = &rest_explorer_parameters, .replies = rest_explorer_replies,
     .summary = "Datasets and tables of an engine"},
    {.method = "GET", .pattern = "/v1/queries", .handle = rest_queries_list, .problem_json = true,
     .replies = rest_queries_replies,
     .summary = "Statements that wait, run or ended lately"},
    {.method = "GET", .pattern = "/v1/queries/events", .handle = rest_queries_events,
     .problem_json = true, .replies = rest_queries_events_replies,
     .summary = "Statements that wait or run, each time that changes (SSE)"},
    {.method = "GET", .pattern = "/v1/queries/{id}/result", .handle = rest_query_result,
     .blocking = true, .problem_json = true, .parameters = &rest_result_parameters,
     .replies = rest_result_replies,
     .summary = "The rows of a statement that is done"},
    {.method = "DELETE", .pattern = "/v1/queries/{id}", .handle = rest_queries_delete,
     .problem_json = true, .replies = rest_query_stop_replies,
     .summary = "Stop a statement"},
    {.method = "POST", .pattern = "/v1/jobs", .handle = rest_v1_jobs_submit, .blocking = true,
     .takes_body = true, .problem_json = true, .parameters = &rest_v1_submit_parameters,
     .body = &rest_v1_submit_body, .replies = rest_v1_submit_replies,
     .summary = "Submit a statement as a job"},
    {.method = "GET", .pattern = "/v1/jobs", .handle = rest_v1_jobs_list, .blocking = true,
     .problem_json = true, .parameters = &rest_v1_list_parameters, .replies = rest_v1_list_replies,
     .summary = "Jobs, the newest first, page by page"},
    {.method = "GET", .pattern = "/v1/jobs/{id}", .handle = rest_v1_job_get, .blocking = true,
     .problem_json = true, .parameters = &rest_v1_job_parameters, .replies = rest_v1_job_replies,
     .summary = "A job: state, progress, estimates"},
    {.method = "DELETE", .pattern = "/v1/jobs/{id}", .handle = rest_v1_job_cancel,
     .blocking = true, .problem_json = true, .replies = rest_v1_cancel_replies,
     .summary = "Cancel a job that waits or runs"},
    {.method = "GET", .pattern = "/v1/jobs/{id}/result", .handle = rest_v1_job_result,
     .blocking = true, .problem_json = true, .parameters = &rest_v1_result_parameters,
     .replies = rest_v1_result_replies, .summary = "The rows of a job, also while they come"},
    {.method = "GET", .pattern = "/v1/jobs/{id}/events", .handle = rest_v1_job_events,
     .blocking = true, .problem_json = true, .replies = rest_v1_events_replies,
     .summary = "A job each time it changes (SSE)"},
    {.method = "GET", .pattern = "/v1/datasets", .handle = rest_datasets_list, .blocking = true,
     .problem_json = true, .parameters = &rest_datasets_parameters, .replies = rest_datasets_replies,
     .summary = "The datasets that are kept, page by page"},
    {.method = "GET", .pattern = "/v1/datasets/{path...}", .handle = rest_dataset_get,
     .blocking = true, .problem_json = true, .parameters = &rest_dataset_get_parameters,
     .replies = rest_dataset_get_replies,
     .summary = "The rows of a dataset"},
    {.method = "PUT", .pattern = "/v1/datasets/{path...}", .begin = rest_dataset_begin,
     .receive = rest_dataset_receive, .handle = rest_dataset_put, .problem_json = true,
     .parameters = &rest_dataset_put_parameters, .body_types = rest_dataset_body_types,
     .replies = rest_dataset_put_replies,
     .summary = "Make or replace a dataset"},
    {.method = "POST", .pattern = "/v1/datasets/{path...}", .begin = rest_dataset_begin,
     .receive = rest_dataset_receive, .handle = rest_dataset_put, .problem_json = true,
     .parameters = &rest_dataset_put_parameters, .body_types = rest_dataset_body_types,
     .replies = rest_dataset_put_replies,
     .summary = "Append to a dataset, or make it"},
    {.method = "PATCH", .pattern = "/v1/datasets/{path...}", .handle = rest_dataset_change,
     .blocking = true, .takes_body = true, .problem_json = true,
     .body = &rest_dataset_change_body, .replies = rest_dataset_change_replies,
     .summary = "Change how long a dataset is kept"},
    {.method = "DELETE", .pattern = "/v1/datasets/{path...}", .handle = rest_dataset_delete,
     .blocking = true, .problem_json = true, .replies = rest_dataset_delete_replies,
     .summary = "Drop a dataset"},
    {.method = "POST", .pattern = "/tables/{name}/data", .begin = rest_table_begin,
     .receive = rest_dataset_receive, .handle = rest_table_data,
     .parameters = &rest_table_parameters, .body_types = rest_dataset_body_types,
     .replies = rest_table_replies,
     .summary = "Insert the rows of a file into a table"},
};
/* clang-format on */
const size_t rest_route_count = ARRAY_COUNT(rest_routes);

bool rest_pattern_is_open(struct str pattern)
{
    return str_ends_with(pattern, STR("...}"));
}

/* True when `path` has the shape of `pattern`; the parameter's text as sent in *out_parameter. */
static bool pattern_matches(struct str pattern, struct str path, struct str *out_parameter)
{
    ptrdiff_t brace = str_find(pattern, '{');
    if (brace < 0)
        return str_equal(pattern, path);
    struct str prefix = str_slice(pattern, 0, (size_t)brace);
    struct str suffix = str_slice(pattern, (size_t)str_find(pattern, '}') + 1, pattern.len);
    if (!str_starts_with(path, prefix) || !str_ends_with(path, suffix) ||
        path.len <= prefix.len + suffix.len)
        return false;
    struct str value = str_slice(path, prefix.len, path.len - suffix.len);
    if (str_find(value, '/') >= 0 && !rest_pattern_is_open(pattern))
        return false;
    *out_parameter = value;
    return true;
}

static struct str append_method(struct arena *arena, struct str list, const char *method)
{
    if (list.len == 0)
        return arena_printf(arena, "%s", method);
    return arena_printf(arena, "%.*s, %s", STR_ARGS(list), method);
}

/* True when a pattern is the path itself: then nobody else's parameter takes it. */
static bool is_literal_path(struct str path)
{
    for (size_t i = 0; i < rest_route_count && str_find(path, '{') < 0; i++) {
        if (str_equal(str_of(rest_routes[i].pattern), path))
            return true;
    }
    return false;
}

const struct rest_route *rest_route_find(struct arena *arena, struct str method, struct str path,
                                         struct str *out_parameter, struct str *out_allow)
{
    struct str wanted = str_equal(method, STR("HEAD")) ? STR("GET") : method;
    bool is_literal = is_literal_path(path);
    *out_allow = STR_EMPTY;
    for (size_t i = 0; i < rest_route_count; i++) {
        const struct rest_route *route = &rest_routes[i];
        struct str pattern = str_of(route->pattern);
        struct str parameter = STR_EMPTY;
        if ((is_literal && str_find(pattern, '{') >= 0) ||
            !pattern_matches(pattern, path, &parameter))
            continue;
        if (str_equal(str_of(route->method), wanted)) {
            *out_parameter = parameter;
            return route;
        }
        *out_allow = append_method(arena, *out_allow, route->method);
        if (strcmp(route->method, "GET") == 0)
            *out_allow = append_method(arena, *out_allow, "HEAD");
    }
    return NULL;
}
