/*
 * settings.h — what the operator chose: one immutable struct, filled from one table.
 *
 * Each setting is a row of the table in table.c. Its value comes from the first of these that has it:
 * flag, environment, `.env` in the working directory, YAML file (`config`), default. A wrong value is
 * refused with the setting's name, the value, where it came from and what is allowed.
 *
 * Threads: any; a loaded struct settings never changes. Owns: all texts it points to.
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/str.h"

/* A list of texts, each NUL-terminated. */
struct settings_list {
    const struct str *items;
    size_t count;
};

/* As enum tls_client_auth. */
enum settings_client_auth {
    SETTINGS_CLIENT_AUTH_NONE,
    SETTINGS_CLIENT_AUTH_REQUEST,
    SETTINGS_CLIENT_AUTH_REQUIRE,
};

enum settings_result_store {
    SETTINGS_RESULT_STORE_AUTO,
    SETTINGS_RESULT_STORE_MEMORY,
    SETTINGS_RESULT_STORE_DISK,
    SETTINGS_RESULT_STORE_S3,
};
enum settings_registry_sync { SETTINGS_REGISTRY_SYNC_NORMAL, SETTINGS_REGISTRY_SYNC_FULL };
enum settings_restart_jobs { SETTINGS_RESTART_JOBS_RERUN, SETTINGS_RESTART_JOBS_FAIL };

enum settings_log_format { SETTINGS_LOG_AUTO, SETTINGS_LOG_TEXT, SETTINGS_LOG_JSON };

/* As enum s3_addressing. */
enum settings_s3_addressing {
    SETTINGS_S3_AUTO,
    SETTINGS_S3_PATH,
    SETTINGS_S3_VIRTUAL_HOST,
};

/* What clients may do to the transport; docs/transport.md says what follows when they do more. */
struct settings_limits {
    uint64_t header_bytes;
    uint64_t header_count;
    uint64_t header_timeout_ms;
    uint64_t body_bytes_per_second; /* at least; 0: none */
    uint64_t body_grace_ms;
    uint64_t tls_key_updates;
    uint64_t connection_requests;
    uint64_t received_bytes;
    uint64_t stream_window_bytes;
    uint64_t connection_window_bytes;
    uint64_t streams;
    uint64_t continuations;
    uint64_t settings_frames;
    uint64_t settings_entries;
    uint64_t pings;
    uint64_t ping_strikes;
    uint64_t ping_interval_ms;
    uint64_t client_resets;
    uint64_t server_resets;
    uint64_t priority_frames;
    uint64_t empty_data;
    uint64_t tiny_data;
    uint64_t window_updates;
    uint64_t unknown_frames;
    uint64_t control_queue;
    uint64_t frame_bytes;
    uint64_t stream_queue_bytes;
    uint64_t connection_queue_bytes;
    uint64_t queued_bytes;
    uint64_t write_stall_timeout_ms;
    uint64_t idle_timeout_ms; /* 0: none; so are the following */
    uint64_t keepalive_time_ms;
    uint64_t keepalive_timeout_ms;
    uint64_t connection_age_ms;
    uint64_t connection_age_grace_ms;
};

/* The values. Texts are NUL-terminated after their len; an optional text that is not set is empty. */
struct settings {
    struct settings_list
        flight_addr; /* [tls://|tcp://]host:port[?...] or unix:/path; never empty */
    struct settings_list http_addr;
    struct settings_list metrics_addr; /* empty: none */
    bool docs;                         /* /docs, /redoc, /openapi.json */
    struct str addresses_file;         /* empty: none */
    struct str advertise;              /* location of endpoints; empty: endpoints carry none */
    struct settings_list cors_origins;
    bool allow_anonymous;
    uint64_t max_connections;
    uint64_t max_connections_per_address;

    struct settings_list tls_cert; /* as many as keys */
    struct settings_list tls_key;
    struct str tls_ca;        /* empty: none */
    unsigned tls_client_auth; /* enum settings_client_auth */
    uint64_t tls_handshake_timeout_ms;

    struct str database; /* ":memory:" or a file */
    struct str data_dir; /* empty: none (`none`) */
    struct settings_list allowed_paths;
    struct settings_list allow_statements; /* rules of the statement gate that are switched off */
    bool read_only;
    bool connection_sessions;
    uint64_t session_timeout_ms;
    uint64_t transaction_timeout_ms;
    uint64_t max_sessions;
    uint64_t max_prepared_statements; /* of one session */
    bool demo;

    uint64_t query_slots;
    uint64_t query_queue; /* queries that may wait for a slot */
    uint64_t query_timeout_ms;
    uint64_t max_concurrent_jobs;
    uint64_t query_workers; /* jobs of /query/submit that run at once */
    uint64_t job_queue;     /* jobs that may wait */
    uint64_t max_user_jobs; /* of one user that run at once; 0: no bound */
    unsigned restart_jobs;  /* enum settings_restart_jobs */
    uint64_t result_ttl_ms; /* of jobs and their results */
    unsigned result_store;  /* enum settings_result_store */
    uint64_t json_row_threshold;
    uint64_t kept_results_bytes_max; /* 0: chosen */
    uint64_t input_idle_timeout_ms;
    uint64_t dataset_ttl_ms;
    uint64_t batch_ttl_ms; /* of datasets that clients put */
    uint64_t batch_rows;   /* 0: chosen by the size of the rows */
    uint64_t max_message_bytes;
    uint64_t max_receive_message_bytes;
    uint64_t drain_timeout_ms;

    struct str registry_path; /* empty: in data_dir, or in memory without one */
    unsigned registry_sync;   /* enum settings_registry_sync */
    uint64_t history_retention_ms;
    struct str attached_registry; /* empty: none */

    struct settings_limits limits;

    struct str s3_bucket; /* of results */
    struct str s3_region;
    struct str s3_endpoint; /* empty: Amazon's */
    struct str s3_access_key;
    struct str s3_secret_key;
    struct str s3_session_token;
    unsigned s3_addressing;  /* enum s3_addressing of s3/s3.h */
    struct str s3_ca_file;   /* empty: the system's */
    struct str files_bucket; /* whose files are registered; empty: s3_bucket, and so on */
    struct str files_region;
    struct str files_endpoint;
    struct str files_access_key;
    struct str files_secret_key;
    uint64_t files_scan_interval_ms; /* 0: only when asked for */

    struct str clickhouse_host; /* empty: there is no such engine */
    uint64_t clickhouse_port;
    struct str clickhouse_user;
    struct str clickhouse_password;
    struct str clickhouse_password_file; /* empty: clickhouse_password */
    struct str clickhouse_database;      /* empty: the user's */
    bool clickhouse_tls;
    struct str clickhouse_ca_file; /* empty: the system's */

    uint64_t query_memory_bytes;
    uint64_t dataset_memory_bytes;
    uint64_t result_memory_bytes;
    struct str spill_dir;             /* empty: `spill` in data_dir, or nowhere without one */
    uint64_t spill_disk_bytes;        /* 0: half of what is free there */
    uint64_t dataset_bytes_max;       /* of one dataset; 0: no bound of its own */
    uint64_t owner_dataset_bytes_max; /* of one user's datasets; 0: no bound of its own */
    uint64_t engine_threads;
    uint64_t io_threads;
    uint64_t worker_threads;

    struct str environment;
    unsigned log_level;  /* enum log_level of base/log.h */
    unsigned log_format; /* enum settings_log_format */
    struct str config;   /* the YAML file; empty: none */

    struct settings_list files;    /* arguments that are not flags */
    struct settings_list warnings; /* sentences for standard error */
};

/* The machine as far as defaults depend on it (machine.h). */
struct machine;

struct settings_input {
    char *const *arguments; /* after the command's name */
    size_t argument_count;
    char *const *environment;      /* NAME=VALUE, ends with NULL; NULL: none */
    const char *dotenv_path;       /* NULL: not read; a missing file is no error */
    const struct machine *machine; /* NULL: measured */
};

/* Reads all sources. INVALID_ARGUMENT for anything the operator has to correct. */
MUST_CHECK enum status settings_load(const struct settings_input *input,
                                     const struct settings **out_settings, struct error *error);
void settings_destroy(const struct settings *settings);
CLEANUP_FUNCTION(const struct settings *, settings_destroy)

/* One setting as people see it. */
struct settings_entry {
    struct str section;
    struct str name;
    struct str value;  /* canonical text; lists joined by commas; secrets as "***" */
    bool reads_back;   /* the value is one that the setting takes: not a secret, not "nothing" */
    struct str origin; /* "flag --x", "environment X", ".env line 3", "volley.yaml:7", "default" */
    struct str default_value; /* as documented: "50%", "cores" */
    struct str type;          /* "integer", "size", ... */
    struct str help;
    bool reloadable;
};
/* Calls `visit` for each setting, in the table's order. */
void settings_visit(const struct settings *settings,
                    void (*visit)(void *context, const struct settings_entry *entry),
                    void *context);

/* The flags, for `volley serve --help`. */
void settings_write_help(struct buf *out);
/* docs/settings.md. */
void settings_write_docs(struct buf *out);
