/*
 * table.c — the settings: every name, type, default, bound and help line stands here once.
 *
 * Flags, environment variables, YAML keys, validation, `--help`, `volley config show` and
 * docs/settings.md all read this table. To add a setting, add a field to struct settings and a row here.
 * Rows are in the order in which people see them, grouped by section.
 *
 * Runs on: any thread; constant. Owns: nothing.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "settings/table.h"

#include "base/log.h"
#include "base/memory.h"

#include <ctype.h>
#include <stdio.h>

#define KIB UINT64_C(1024)
#define MIB (1024 * KIB)
#define GIB (1024 * MIB)
#define TIB (1024 * GIB)
#define SECOND_MS UINT64_C(1000)
#define MINUTE_MS (60 * SECOND_MS)
#define HOUR_MS (60 * MINUTE_MS)
#define DAY_MS (24 * HOUR_MS)

static uint64_t machine_memory(const struct machine *machine)
{
    return machine->memory_bytes;
}

static void default_cores(const struct machine *machine, struct buf *out)
{
    buf_append_u64(out, machine->cores);
}

static void default_twice_cores(const struct machine *machine, struct buf *out)
{
    buf_append_u64(out, 2 * machine->cores);
}

/* systemd may give several folders, separated by colons; the first is the unit's main one. */
static void default_data_dir(const struct machine *machine, struct buf *out)
{
    struct str directories = machine->state_directory;
    if (directories.len > 0) {
        buf_append_str(out, str_split(&directories, ':'));
    } else if (machine->state_home.len > 0) {
        buf_append_str(out, machine->state_home);
        buf_append_text(out, "/volley");
    } else if (machine->home.len > 0) {
        buf_append_str(out, machine->home);
        buf_append_text(out, "/.local/state/volley");
    } else {
        buf_append_text(out, "none");
    }
}

static const char *check_location(struct str value)
{
    bool known =
        str_starts_with(value, STR("grpc://")) || str_starts_with(value, STR("grpc+tcp://")) ||
        str_starts_with(value, STR("grpc+tls://")) || str_starts_with(value, STR("grpc+unix://")) ||
        str_equal(value, STR("arrow-flight-reuse-connection://?"));
    return known ? NULL
                 : "a Flight location such as grpc://host:50052, grpc+tls://host:50052 or "
                   "arrow-flight-reuse-connection://?";
}

static const char *check_origin(struct str value)
{
    bool valid = str_equal(value, STR("*")) || str_starts_with(value, STR("http://")) ||
                 str_starts_with(value, STR("https://"));
    return valid ? NULL : "origins such as https://example.org, separated by commas, or *";
}

static const char *check_rule(struct str value)
{
    for (size_t i = 0; i < value.len; i++) {
        char byte = value.ptr[i];
        if (!islower((unsigned char)byte) && !isdigit((unsigned char)byte) && byte != '-')
            return "names of statement rules, as the message of a refused statement gives them";
    }
    return value.len > 0 ? NULL : "names of statement rules";
}

static const struct setting_choice client_auths[] = {
    {"none", SETTINGS_CLIENT_AUTH_NONE},       {"request", SETTINGS_CLIENT_AUTH_REQUEST},
    {"require", SETTINGS_CLIENT_AUTH_REQUIRE}, {"false", SETTINGS_CLIENT_AUTH_NONE},
    {"true", SETTINGS_CLIENT_AUTH_REQUIRE},    {NULL, 0},
};

static const struct setting_choice registry_syncs[] = {
    {"normal", SETTINGS_REGISTRY_SYNC_NORMAL},
    {"full", SETTINGS_REGISTRY_SYNC_FULL},
    {NULL, 0},
};

static const struct setting_choice result_stores[] = {
    {"auto", SETTINGS_RESULT_STORE_AUTO}, {"memory", SETTINGS_RESULT_STORE_MEMORY},
    {"disk", SETTINGS_RESULT_STORE_DISK}, {"s3", SETTINGS_RESULT_STORE_S3},
    {NULL, 0},
};

static const struct setting_choice restarts[] = {
    {"rerun", SETTINGS_RESTART_JOBS_RERUN},
    {"fail", SETTINGS_RESTART_JOBS_FAIL},
    {NULL, 0},
};

static const char *check_endpoint(struct str value)
{
    bool is_url = str_starts_with(value, STR("http://")) || str_starts_with(value, STR("https://"));
    return is_url ? NULL : "a URL such as http://localhost:9000 or https://s3.example.org";
}

static const struct setting_choice s3_addressings[] = {
    {"auto", SETTINGS_S3_AUTO},
    {"path", SETTINGS_S3_PATH},
    {"virtual-host", SETTINGS_S3_VIRTUAL_HOST},
    {NULL, 0},
};

static const struct setting_choice log_levels[] = {
    {"debug", LOG_DEBUG},
    {"info", LOG_INFO},
    {"warning", LOG_WARNING},
    {"error", LOG_ERROR},
    {"warn", LOG_WARNING},
    {"critical", LOG_ERROR},
    {NULL, 0},
};

static const struct setting_choice log_formats[] = {
    {"auto", SETTINGS_LOG_AUTO},
    {"text", SETTINGS_LOG_TEXT},
    {"json", SETTINGS_LOG_JSON},
    {NULL, 0},
};

#define FIELD(member) .offset = offsetof(struct settings, member)

/* The transport's limits; one line each, as they differ in little. */
#define LIMIT(setting_type, setting_unit, setting_name, field, fallback, low, high, text)          \
    .section = "Limits", .name = (setting_name), .type = (setting_type),                           \
    .offset = offsetof(struct settings, limits.field), .default_text = (fallback), .min = (low),   \
    .max = (high), .unit = (setting_unit), .help = (text)
#define LIMIT_COUNT(...)                                                                           \
    {                                                                                              \
        LIMIT(SETTING_INTEGER, "N", __VA_ARGS__)                                                   \
    }
#define LIMIT_TIME(...)                                                                            \
    {                                                                                              \
        LIMIT(SETTING_DURATION, "TIME", __VA_ARGS__)                                               \
    }
#define LIMIT_SIZE(...)                                                                            \
    {                                                                                              \
        LIMIT(SETTING_SIZE, "SIZE", __VA_ARGS__)                                                   \
    }
#define LIMIT_SHARE(...)                                                                           \
    {                                                                                              \
        LIMIT(SETTING_SIZE, "SIZE", __VA_ARGS__), .whole = machine_memory                          \
    }

const struct setting settings_table[] = {
    {
        .section = "Addresses",
        .name = "flight-addr",
        .type = SETTING_ADDRESS,
        .list = true,
        FIELD(flight_addr),
        .default_text = "127.0.0.1:50052",
        .unit = "HOST:PORT",
        .aliases = {{"ARROW_FLIGHT_PORT", SETTING_PORT}, {"--flight-port", SETTING_PORT}},
        .help = "where Flight and Flight SQL listen; also tls://HOST:PORT and unix:/PATH; port 0 "
                "picks a "
                "free port",
    },
    {
        .section = "Addresses",
        .name = "http-addr",
        .type = SETTING_ADDRESS,
        .list = true,
        FIELD(http_addr),
        .default_text = "127.0.0.1:8000",
        .unit = "HOST:PORT",
        .aliases = {{"FLIGHT_APP_HOST", SETTING_HOST},
                    {"HOST", SETTING_HOST},
                    {"API_HOST", SETTING_HOST},
                    {"FLIGHT_APP_PORT", SETTING_PORT},
                    {"PORT", SETTING_PORT},
                    {"API_PORT", SETTING_PORT},
                    {"--http-port", SETTING_PORT}},
        .help = "where HTTP listens; also tls://HOST:PORT and unix:/PATH; port 0 picks a free port",
    },
    {
        .section = "Addresses",
        .name = "metrics-addr",
        .type = SETTING_ADDRESS,
        .list = true,
        FIELD(metrics_addr),
        .default_help = "none: /metrics on http-addr alone",
        .unit = "HOST:PORT",
        .aliases = {{"FLIGHT_PROMETHEUS_PORT", SETTING_PORT}},
        .help = "where nothing but /metrics and the health of the server is served, for a "
                "monitoring that must not reach more; /metrics stays on http-addr too",
    },
    {
        .section = "Addresses",
        .name = "docs",
        .type = SETTING_BOOLEAN,
        FIELD(docs),
        .default_text = "true",
        .help = "show the HTTP API: /openapi.json, and the pages /docs and /redoc",
    },
    {
        .section = "Addresses",
        .name = "addresses-file",
        .type = SETTING_PATH,
        FIELD(addresses_file),
        .unit = "FILE",
        .help = "write the addresses that were bound to this file, as JSON",
    },
    {
        .section = "Addresses",
        .name = "advertise",
        .type = SETTING_TEXT,
        FIELD(advertise),
        .check = check_location,
        .unit = "URL",
        .help = "location put into Flight endpoints; without it clients stay on their connection",
    },
    {
        .section = "Addresses",
        .name = "cors-origins",
        .type = SETTING_TEXT,
        .list = true,
        FIELD(cors_origins),
        .check = check_origin,
        .default_text = "http://localhost:3000,http://127.0.0.1:3000",
        .none = "none",
        .unit = "ORIGIN",
        .aliases = {{"CORS_ORIGINS", SETTING_WHOLE}, {"FLIGHT_CORS_ORIGINS", SETTING_WHOLE}},
        .help = "web origins (scheme://host:port) whose pages may call the server over HTTP and "
                "gRPC-Web (*: any page, without credentials), also the names by which a proxy on "
                "this machine calls it; none for none",
    },
    {
        .section = "Addresses",
        .name = "allow-anonymous",
        .type = SETTING_BOOLEAN,
        FIELD(allow_anonymous),
        .default_text = "false",
        .help =
            "let addresses beyond this machine be used without authentication: anyone who reaches "
            "them may run SQL",
    },
    {
        .section = "Addresses",
        .name = "max-connections",
        .type = SETTING_INTEGER,
        FIELD(max_connections),
        .default_text = "20000",
        .min = 1,
        .max = 10000000,
        .unit = "N",
        .help =
            "connections of clients at once; one more is closed at once; the limit of open files "
            "may allow fewer",
    },
    {
        .section = "Addresses",
        .name = "max-connections-per-address",
        .type = SETTING_INTEGER,
        FIELD(max_connections_per_address),
        .default_text = "1000",
        .min = 1,
        .max = 10000000,
        .unit = "N",
        .help =
            "the same for one client address (IPv6: its /64 network); this machine's own do not "
            "count",
    },
    {
        .section = "TLS",
        .name = "tls-cert",
        .type = SETTING_PATH,
        .list = true,
        FIELD(tls_cert),
        .unit = "FILE",
        .aliases = {{"GRPC_TLS_CERT_PATH", SETTING_WHOLE}},
        .help =
            "certificate with those that signed it, as PEM; addresses then speak TLS unless they "
            "begin with tcp://; of several the client's host name chooses, the first if none "
            "fits; SIGHUP reads the files again",
    },
    {
        .section = "TLS",
        .name = "tls-key",
        .type = SETTING_PATH,
        .list = true,
        FIELD(tls_key),
        .unit = "FILE",
        .aliases = {{"GRPC_TLS_KEY_PATH", SETTING_WHOLE}},
        .help = "private keys of tls-cert, in the same order, as PEM without a passphrase",
    },
    {
        .section = "TLS",
        .name = "tls-ca",
        .type = SETTING_PATH,
        FIELD(tls_ca),
        .unit = "FILE",
        .aliases = {{"GRPC_TLS_CA_PATH", SETTING_WHOLE}},
        .help = "authorities whose client certificates are good, as PEM",
    },
    {
        .section = "TLS",
        .name = "tls-client-auth",
        .type = SETTING_CHOICE,
        FIELD(tls_client_auth),
        .default_text = "none",
        .choices = client_auths,
        .unit = "WHEN",
        .aliases = {{"GRPC_TLS_CLIENT_AUTH", SETTING_WHOLE}},
        .help =
            "whether clients have to show a certificate of tls-ca; request: those that show one "
            "have to show a good one",
    },
    {
        .section = "TLS",
        .name = "tls-handshake-timeout",
        .type = SETTING_DURATION,
        FIELD(tls_handshake_timeout_ms),
        .default_text = "10s",
        .min = 100,
        .max = 10 * MINUTE_MS,
        .unit = "TIME",
        .help = "a client whose TLS handshake takes longer is disconnected",
    },
    {
        .section = "Data",
        .name = "database",
        .type = SETTING_PATH,
        FIELD(database),
        .default_text = ":memory:",
        .unit = "FILE",
        .aliases = {{"FLIGHT_DB_PATH", SETTING_WHOLE}, {"--db", SETTING_WHOLE}},
        .help = "DuckDB file to open, or :memory:",
    },
    {
        .section = "Data",
        .name = "data-dir",
        .type = SETTING_PATH,
        FIELD(data_dir),
        .default_from = default_data_dir,
        .default_help = "$STATE_DIRECTORY, else $XDG_STATE_HOME/volley, else "
                        "~/.local/state/volley",
        .none = "none",
        .unit = "DIR",
        .aliases = {{"DATA_DIR", SETTING_WHOLE}},
        .help =
            "folder of the server's own files, such as the key that signs tickets; none for none",
    },
    {
        .section = "Data",
        .name = "allowed-paths",
        .type = SETTING_PATH,
        .list = true,
        FIELD(allowed_paths),
        .unit = "PATH",
        .help = "files and folders that SQL may read, besides the files named on the command line",
    },
    {
        .section = "Data",
        .name = "allow-statements",
        .type = SETTING_TEXT,
        .list = true,
        FIELD(allow_statements),
        .check = check_rule,
        .unit = "RULE",
        .help = "statement rules to switch off; a refused statement's message names its rule",
    },
    {
        .section = "Data",
        .name = "read-only",
        .type = SETTING_BOOLEAN,
        FIELD(read_only),
        .default_text = "false",
        .help = "refuse every statement that would change the database",
    },
    {
        .section = "Data",
        .name = "connection-sessions",
        .type = SETTING_BOOLEAN,
        FIELD(connection_sessions),
        .default_text = "true",
        .help = "give each connection a session of its own, for temporary tables and transactions",
    },
    {
        .section = "Data",
        .name = "session-timeout",
        .type = SETTING_DURATION,
        FIELD(session_timeout_ms),
        .default_text = "30m",
        .min = SECOND_MS,
        .max = 24 * DAY_MS,
        .unit = "TIME",
        .help = "a session that no call has used for so long ends, with its transaction, temporary "
                "tables and prepared statements",
    },
    {
        .section = "Data",
        .name = "transaction-timeout",
        .type = SETTING_DURATION,
        FIELD(transaction_timeout_ms),
        .default_text = "10m",
        .min = SECOND_MS,
        .max = 24 * DAY_MS,
        .unit = "TIME",
        .help = "a transaction whose session no call has used for so long is rolled back; its next "
                "statement is told so",
    },
    {
        .section = "Data",
        .name = "max-sessions",
        .type = SETTING_INTEGER,
        FIELD(max_sessions),
        .default_text = "10000",
        .min = 1,
        .max = 1000000,
        .unit = "N",
        .help = "sessions of Flight clients at once; the one unused for the longest makes room for "
                "a new one unless it is in a transaction",
    },
    {
        .section = "Data",
        .name = "max-prepared-statements",
        .type = SETTING_INTEGER,
        FIELD(max_prepared_statements),
        .default_text = "256",
        .min = 1,
        .max = 1000000,
        .unit = "N",
        .help = "prepared statements of one session",
    },
    {
        .section = "Data",
        .name = "demo",
        .type = SETTING_BOOLEAN,
        FIELD(demo),
        .default_text = "false",
        .help = "load the sample tables flights (3,000,000 rows) and taxi (1,000,000 rows)",
    },
    {
        .section = "Queries",
        .name = "query-slots",
        .type = SETTING_INTEGER,
        FIELD(query_slots),
        .default_text = "8",
        .min = 1,
        .max = 1024,
        .unit = "N",
        .aliases = {{"MAX_SLOTS", SETTING_WHOLE}},
        .help = "queries that run at once",
    },
    {
        .section = "Queries",
        .name = "query-queue",
        .type = SETTING_INTEGER,
        FIELD(query_queue),
        .default_text = "100",
        .min = 0,
        .max = 100000,
        .unit = "N",
        .help = "queries that may wait for a slot; one more is refused with retry advice",
    },
    {
        .section = "Queries",
        .name = "query-timeout",
        .type = SETTING_DURATION,
        FIELD(query_timeout_ms),
        .default_text = "300s",
        .min = 1,
        .max = 30 * DAY_MS,
        .unit = "TIME",
        .aliases = {{"DEFAULT_QUERY_TIMEOUT", SETTING_WHOLE},
                    {"QUERY_TIMEOUT_SECONDS", SETTING_WHOLE}},
        .help = "a query that runs longer is stopped",
    },
    {
        .section = "Queries",
        .name = "input-idle-timeout",
        .type = SETTING_DURATION,
        FIELD(input_idle_timeout_ms),
        .default_text = "120s",
        .min = 1,
        .max = 30 * DAY_MS,
        .unit = "TIME",
        .help = "an ingest or exchange whose client sends no rows for so long, while its statement "
                "waits for "
                "them in a query slot, fails",
    },
    {
        .section = "Queries",
        .name = "dataset-ttl",
        .type = SETTING_DURATION,
        FIELD(dataset_ttl_ms),
        .default_text = "600s",
        .min = SECOND_MS,
        .max = 30 * DAY_MS,
        .unit = "TIME",
        .help = "how long a result can be fetched, and fetched again",
    },
    {
        .section = "Queries",
        .name = "batch-ttl",
        .type = SETTING_DURATION,
        FIELD(batch_ttl_ms),
        .default_text = "1h",
        .min = SECOND_MS,
        .max = 3650 * DAY_MS,
        .unit = "TIME",
        .help = "how long a dataset that a client put is kept, unless the client says otherwise",
    },
    {
        .section = "Queries",
        .name = "batch-rows",
        .type = SETTING_INTEGER,
        FIELD(batch_rows),
        .default_help = "16384 to 65536, as fits max-message-bytes",
        .min = 1,
        .max = 1048576,
        .unit = "N",
        .aliases = {{"FLIGHT_BATCH_SIZE", SETTING_WHOLE}},
        .help = "upper bound of the rows in one record batch",
    },
    {
        .section = "Queries",
        .name = "max-message-bytes",
        .type = SETTING_SIZE,
        FIELD(max_message_bytes),
        .default_text = "2MiB",
        .min = 64 * KIB,
        .max = 64 * MIB,
        .unit = "SIZE",
        .help = "record batches are cut so that a message stays below this",
    },
    {
        .section = "Queries",
        .name = "max-receive-message",
        .type = SETTING_SIZE,
        FIELD(max_receive_message_bytes),
        .default_text = "64MiB",
        .min = 64 * KIB,
        .max = 1 * GIB,
        .unit = "SIZE",
        .help = "a larger message from a client is refused",
    },
    {
        .section = "Registry",
        .name = "registry-path",
        .type = SETTING_PATH,
        FIELD(registry_path),
        .default_help = "job_registry.db in data-dir; in memory without one",
        .unit = "FILE",
        .aliases = {{"FLIGHT_REGISTRY_PATH", SETTING_WHOLE}, {"JOB_HISTORY_DB", SETTING_WHOLE}},
        .help = "SQLite file of jobs, their history and small results",
    },
    {
        .section = "Registry",
        .name = "registry-sync",
        .type = SETTING_CHOICE,
        FIELD(registry_sync),
        .default_text = "normal",
        .choices = registry_syncs,
        .unit = "WHEN",
        .help = "what an acknowledged job survives: normal, the end of the process by whatever "
                "means; full, also a loss of power, at the price of a sync for each commit",
    },
    {
        .section = "Registry",
        .name = "history-retention",
        .type = SETTING_DURATION,
        FIELD(history_retention_ms),
        .default_text = "30d",
        .min = MINUTE_MS,
        .max = 3650 * DAY_MS,
        .unit = "TIME",
        .help = "how long a finished job stays in the history",
    },
    {
        .section = "Registry",
        .name = "attached-registry",
        .type = SETTING_PATH,
        FIELD(attached_registry),
        .unit = "FILE",
        .aliases = {{"FLIGHT_REGISTRY_DB", SETTING_WHOLE}},
        .help = "DuckDB file that queries see, read-only, as the catalog registry",
    },
    {
        .section = "Jobs",
        .name = "max-concurrent-jobs",
        .type = SETTING_INTEGER,
        FIELD(max_concurrent_jobs),
        .default_text = "10",
        .min = 1,
        .max = 1024,
        .unit = "N",
        .aliases = {{"MAX_CONCURRENT_JOBS", SETTING_WHOLE}},
        .help = "jobs that run at once, within query-slots",
    },
    {
        .section = "Jobs",
        .name = "query-workers",
        .type = SETTING_INTEGER,
        FIELD(query_workers),
        .default_text = "4",
        .min = 1,
        .max = 1024,
        .unit = "N",
        .aliases = {{"FLIGHT_MAX_WORKERS", SETTING_WHOLE}},
        .help = "jobs of /query/submit that run at once",
    },
    {
        .section = "Jobs",
        .name = "job-queue",
        .type = SETTING_INTEGER,
        FIELD(job_queue),
        .default_text = "10000",
        .min = 1,
        .max = 1000000,
        .unit = "N",
        .help = "jobs that may wait; one more is refused with retry advice",
    },
    {
        .section = "Jobs",
        .name = "max-user-jobs",
        .type = SETTING_INTEGER,
        FIELD(max_user_jobs),
        .default_text = "0",
        .min = 0,
        .max = 1024,
        .unit = "N",
        .help = "jobs of one user that run at once; 0: as many as run",
    },
    {
        .section = "Jobs",
        .name = "restart-jobs",
        .type = SETTING_CHOICE,
        FIELD(restart_jobs),
        .default_text = "rerun",
        .choices = restarts,
        .unit = "WHAT",
        .help = "what becomes of a job that only reads and ran when the server ended; others fail",
    },
    {
        .section = "Jobs",
        .name = "result-ttl",
        .type = SETTING_DURATION,
        FIELD(result_ttl_ms),
        .default_text = "3600s",
        .min = 1,
        .max = 365 * DAY_MS,
        .unit = "TIME",
        .aliases = {{"RESULT_CACHE_TTL_SECONDS", SETTING_WHOLE}},
        .help = "how long a finished job and its result stay; its history stays longer",
    },
    {
        .section = "Jobs",
        .name = "result-store",
        .type = SETTING_CHOICE,
        FIELD(result_store),
        .default_text = "auto",
        .default_help = "s3 where its endpoint or keys are set, else disk with a data-dir",
        .choices = result_stores,
        .unit = "WHERE",
        .help = "where results of jobs outlive memory; small ones are in the registry in any case",
    },
    {
        .section = "Jobs",
        .name = "json-row-threshold",
        .type = SETTING_INTEGER,
        FIELD(json_row_threshold),
        .default_text = "10000",
        .max = 1000000,
        .unit = "N",
        .aliases = {{"FLIGHT_QUERY_ROW_THRESHOLD", SETTING_WHOLE}},
        .help = "results of jobs with more rows are in Arrow form, others gzip JSON",
    },
    {
        .section = "Jobs",
        .name = "kept-results-max",
        .type = SETTING_SIZE,
        FIELD(kept_results_bytes_max),
        .default_text = "0",
        .default_help = "half of dataset-memory and spill-disk together",
        .max = 1024 * TIB,
        .unit = "SIZE",
        .help = "all large results of jobs together: beyond it the ones used longest ago go",
    },
    {
        .section = "Object storage",
        .name = "s3-bucket",
        .type = SETTING_TEXT,
        FIELD(s3_bucket),
        .default_text = "my-query-cache-bucket",
        .unit = "NAME",
        .aliases = {{"FLIGHT_S3_BUCKET", SETTING_WHOLE}},
        .help = "bucket for results of jobs, which must exist",
    },
    {
        .section = "Object storage",
        .name = "s3-region",
        .type = SETTING_TEXT,
        FIELD(s3_region),
        .default_text = "us-east-1",
        .unit = "NAME",
        .aliases = {{"FLIGHT_S3_REGION", SETTING_WHOLE}},
        .help = "region of the bucket",
    },
    {
        .section = "Object storage",
        .name = "s3-endpoint",
        .type = SETTING_TEXT,
        FIELD(s3_endpoint),
        .default_help = "Amazon's of the region",
        .check = check_endpoint,
        .unit = "URL",
        .aliases = {{"FLIGHT_S3_ENDPOINT_URL", SETTING_WHOLE},
                    {"FLIGHT_S3_ENDPOINT", SETTING_WHOLE}},
        .help = "S3 service: http://HOST[:PORT] or https://HOST[:PORT]",
    },
    {
        .section = "Object storage",
        .name = "s3-access-key",
        .type = SETTING_TEXT,
        FIELD(s3_access_key),
        .unit = "KEY",
        .aliases = {{"FLIGHT_S3_ACCESS_KEY", SETTING_WHOLE}},
        .help = "access key; without it those of AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, "
                "else of ~/.aws/credentials",
    },
    {
        .section = "Object storage",
        .name = "s3-secret-key",
        .type = SETTING_TEXT,
        FIELD(s3_secret_key),
        .secret = true,
        .unit = "KEY",
        .aliases = {{"FLIGHT_S3_SECRET_KEY", SETTING_WHOLE}},
        .help = "the secret key that belongs to it",
    },
    {
        .section = "Object storage",
        .name = "s3-session-token",
        .type = SETTING_TEXT,
        FIELD(s3_session_token),
        .secret = true,
        .unit = "TOKEN",
        .help = "session token of keys that last for a while only",
    },
    {
        .section = "Object storage",
        .name = "s3-addressing",
        .type = SETTING_CHOICE,
        FIELD(s3_addressing),
        .default_text = "auto",
        .choices = s3_addressings,
        .unit = "WHERE",
        .help = "whether the bucket is part of the URL's host or path; auto: of the host without "
                "s3-endpoint, of the path with it",
    },
    {
        .section = "Object storage",
        .name = "s3-ca-file",
        .type = SETTING_PATH,
        FIELD(s3_ca_file),
        .default_help = "the system's",
        .unit = "FILE",
        .aliases = {{"AWS_CA_BUNDLE", SETTING_WHOLE}},
        .help = "PEM file of the authorities that S3 services' certificates are verified with",
    },
    {
        .section = "Object storage",
        .name = "files-bucket",
        .type = SETTING_TEXT,
        FIELD(files_bucket),
        .default_help = "s3-bucket",
        .unit = "NAME",
        .aliases = {{"MINIO_BUCKET", SETTING_WHOLE}},
        .help = "bucket whose files are registered for /files/registry",
    },
    {
        .section = "Object storage",
        .name = "files-region",
        .type = SETTING_TEXT,
        FIELD(files_region),
        .default_help = "s3-region",
        .unit = "NAME",
        .aliases = {{"MINIO_REGION", SETTING_WHOLE}},
        .help = "its region",
    },
    {
        .section = "Object storage",
        .name = "files-endpoint",
        .type = SETTING_TEXT,
        FIELD(files_endpoint),
        .default_help = "s3-endpoint",
        .check = check_endpoint,
        .unit = "URL",
        .aliases = {{"MINIO_ENDPOINT", SETTING_WHOLE}},
        .help = "its S3 service",
    },
    {
        .section = "Object storage",
        .name = "files-access-key",
        .type = SETTING_TEXT,
        FIELD(files_access_key),
        .default_help = "s3-access-key",
        .unit = "KEY",
        .aliases = {{"MINIO_ACCESS_KEY", SETTING_WHOLE}},
        .help = "access key for it",
    },
    {
        .section = "Object storage",
        .name = "files-secret-key",
        .type = SETTING_TEXT,
        FIELD(files_secret_key),
        .default_help = "s3-secret-key",
        .secret = true,
        .unit = "KEY",
        .aliases = {{"MINIO_SECRET_KEY", SETTING_WHOLE}},
        .help = "the secret key that belongs to it",
    },
    {
        .section = "Object storage",
        .name = "files-scan-interval",
        .type = SETTING_DURATION,
        FIELD(files_scan_interval_ms),
        .default_text = "300s",
        .min = 0,
        .max = 30 * DAY_MS,
        .unit = "TIME",
        .aliases = {{"FILE_DISCOVERY_INTERVAL", SETTING_WHOLE}},
        .help = "between scans of that bucket; 0 for only when asked for",
    },
    {
        .section = "Resources",
        .name = "query-memory",
        .type = SETTING_SIZE,
        FIELD(query_memory_bytes),
        .default_text = "50%",
        .min = 32 * MIB,
        .max = 1024 * TIB,
        .whole = machine_memory,
        .unit = "SIZE",
        .help = "memory of the query engine; % is of the machine's or the container's memory",
    },
    {
        .section = "Resources",
        .name = "dataset-memory",
        .type = SETTING_SIZE,
        FIELD(dataset_memory_bytes),
        .default_text = "25%",
        .min = 16 * MIB,
        .max = 1024 * TIB,
        .whole = machine_memory,
        .unit = "SIZE",
        .help = "memory of datasets: results that are kept or wait for their reader, and what "
                "clients put",
    },
    {
        .section = "Resources",
        .name = "spill-dir",
        .type = SETTING_PATH,
        FIELD(spill_dir),
        .default_help = "spill in data-dir",
        .unit = "DIR",
        .help = "folder for batches of datasets that memory has no room for",
    },
    {
        .section = "Resources",
        .name = "spill-disk",
        .type = SETTING_SIZE,
        FIELD(spill_disk_bytes),
        .default_help = "half of what is free",
        .min = 1 * MIB,
        .max = 1024 * TIB,
        .unit = "SIZE",
        .help = "disk that datasets may take: batches that were spilled, and datasets that are to "
                "survive the process",
    },
    {
        .section = "Resources",
        .name = "dataset-bytes-max",
        .type = SETTING_SIZE,
        FIELD(dataset_bytes_max),
        .default_text = "0",
        .max = 1024 * TIB,
        .unit = "SIZE",
        .help = "what one dataset that a client puts may hold; 0 for no bound of its own",
    },
    {
        .section = "Resources",
        .name = "owner-dataset-bytes",
        .type = SETTING_SIZE,
        FIELD(owner_dataset_bytes_max),
        .default_text = "0",
        .max = 1024 * TIB,
        .unit = "SIZE",
        .help = "the same for all datasets of one user",
    },
    {
        .section = "Resources",
        .name = "result-memory",
        .type = SETTING_SIZE,
        FIELD(result_memory_bytes),
        .default_text = "10%",
        .min = 4 * MIB,
        .max = 1024 * TIB,
        .whole = machine_memory,
        .unit = "SIZE",
        .help = "what one result may hold before its query waits, and all results read to their "
                "end together; one expected to take more than half of it cannot be read twice",
    },
    {
        .section = "Resources",
        .name = "engine-threads",
        .type = SETTING_INTEGER,
        FIELD(engine_threads),
        .default_from = default_cores,
        .default_help = "cores",
        .min = 1,
        .max = 1024,
        .unit = "N",
        .help = "threads of the query engine",
    },
    {
        .section = "Resources",
        .name = "io-threads",
        .type = SETTING_INTEGER,
        FIELD(io_threads),
        .default_from = default_cores,
        .default_help = "cores",
        .min = 1,
        .max = 1024,
        .unit = "N",
        .help = "threads that serve connections",
    },
    {
        .section = "Resources",
        .name = "worker-threads",
        .type = SETTING_INTEGER,
        FIELD(worker_threads),
        .default_from = default_twice_cores,
        .default_help = "2 x cores",
        .min = 1,
        .max = 4096,
        .unit = "N",
        .help = "threads for work that may block",
    },
    {
        .section = "Resources",
        .name = "drain-timeout",
        .type = SETTING_DURATION,
        FIELD(drain_timeout_ms),
        .default_text = "10s",
        .min = 0,
        .max = HOUR_MS,
        .unit = "TIME",
        .help = "how long calls in flight may go on after SIGTERM or SIGINT",
    },
    LIMIT_SIZE("max-header-bytes", header_bytes, "64KiB", 1 * KIB, 16 * MIB,
               "a request head (names, values and 32 bytes a field); a larger one is refused"),
    LIMIT_COUNT("max-header-count", header_count, "256", 8, 100000,
                "fields of a request head, also parts of a cookie; more are refused"),
    LIMIT_TIME("header-timeout", header_timeout_ms, "10s", 100, 10 * MINUTE_MS,
               "a client whose request head takes longer is disconnected"),
    LIMIT_SIZE("body-min-rate", body_bytes_per_second, "1KiB", 0, 1 * GIB,
               "bytes a second that a request body must bring while it is wanted; 0 for none"),
    LIMIT_TIME("body-grace", body_grace_ms, "10s", 100, HOUR_MS,
               "the time over which the rate of a request body is taken"),
    LIMIT_SHARE("max-received-bytes", received_bytes, "10%", 16 * MIB, 1024 * TIB,
                "request bytes kept in memory, of all connections together; beyond it requests "
                "are refused"),
    LIMIT_SIZE("stream-window", stream_window_bytes, "4MiB", 1, 2 * GIB - 1,
               "request body bytes that a client may send ahead of its reader"),
    LIMIT_SIZE("connection-window", connection_window_bytes, "32MiB", 64 * KIB - 1, 2 * GIB - 1,
               "the same for all requests of an HTTP/2 connection until they are received"),
    LIMIT_COUNT("max-streams", streams, "256", 1, 100000,
                "requests of one HTTP/2 connection at once; one more is refused"),
    LIMIT_COUNT("max-connection-requests", connection_requests, "500000000", 1, 1000000000,
                "requests of one HTTP/2 connection before its client is asked to connect anew"),
    LIMIT_COUNT("max-tls-key-updates", tls_key_updates, "32", 1, 1000000,
                "times that a TLS client may ask for new keys, and one more for each MiB it sends"),
    LIMIT_COUNT("max-continuations", continuations, "8", 0, 250,
                "CONTINUATION frames of a request head"),
    LIMIT_COUNT("max-settings-frames", settings_frames, "32", 4, 1000000,
                "SETTINGS frames at once; a tenth of it more each second, as for the following"),
    LIMIT_COUNT("max-settings-entries", settings_entries, "32", 8, 10000,
                "entries of one SETTINGS frame"),
    LIMIT_COUNT("max-pings", pings, "1000", 10, 1000000, "PING frames at once"),
    LIMIT_TIME("min-ping-interval", ping_interval_ms, "9s", 0, HOUR_MS,
               "between PINGs of a client to which nothing is sent"),
    LIMIT_COUNT("max-ping-strikes", ping_strikes, "2", 0, 1000000,
                "PINGs sooner than that before the client is sent away"),
    LIMIT_COUNT("max-client-resets", client_resets, "5000", 1, 1000000,
                "requests that a client may cancel at once"),
    LIMIT_COUNT("max-server-resets", server_resets, "100", 1, 1000000,
                "requests that may fail at once for errors of protocol"),
    LIMIT_COUNT("max-priority-frames", priority_frames, "100", 1, 1000000,
                "PRIORITY frames at once; they have no effect"),
    LIMIT_COUNT("max-empty-data", empty_data, "10", 1, 1000000,
                "DATA frames without content at once"),
    LIMIT_COUNT("max-tiny-data", tiny_data, "2000", 1, 1000000,
                "DATA frames of less than 5 bytes at once"),
    LIMIT_COUNT("max-window-updates", window_updates, "1000", 100, 1000000,
                "WINDOW_UPDATE frames at once; what is sent earns more"),
    LIMIT_COUNT("max-unknown-frames", unknown_frames, "100", 1, 1000000,
                "frames of unknown types at once"),
    LIMIT_COUNT("max-control-queue", control_queue, "1000", 100, 1000000,
                "answers to such frames that may wait for a client that does not read"),
    LIMIT_SIZE("max-frame-bytes", frame_bytes, "1MiB", 16 * KIB, 16 * MIB - 1,
               "largest DATA frame, both ways"),
    LIMIT_SIZE("max-stream-queue", stream_queue_bytes, "4MiB", 64 * KIB, 1 * GIB,
               "bytes of a response that wait for its client before its query waits"),
    LIMIT_SIZE("max-connection-queue", connection_queue_bytes, "32MiB", 64 * KIB, 16 * GIB,
               "the same for all responses of a connection"),
    LIMIT_SHARE("max-queued-bytes", queued_bytes, "10%", 16 * MIB, 1024 * TIB,
                "the same for all connections together; then those that do not move are closed"),
    LIMIT_TIME("write-stall-timeout", write_stall_timeout_ms, "60s", 100, DAY_MS,
               "a client that takes no byte and answers no PING while bytes wait is disconnected"),
    {LIMIT(SETTING_DURATION, "TIME", "idle-timeout", idle_timeout_ms, "0s", 0, 30 * DAY_MS,
           "a connection without requests is closed after that; 0 for never"),
     .aliases = {{"--max-connection-idle", SETTING_WHOLE}}},
    LIMIT_TIME("keepalive-time", keepalive_time_ms, "2h", 0, 30 * DAY_MS,
               "a client that is silent for so long is sent a PING; 0 for never"),
    LIMIT_TIME("keepalive-timeout", keepalive_timeout_ms, "20s", 100, HOUR_MS,
               "the time for its answer"),
    LIMIT_TIME("max-connection-age", connection_age_ms, "0s", 0, 365 * DAY_MS,
               "an older connection (give or take a tenth) is asked to go; 0 for never"),
    LIMIT_TIME("max-connection-age-grace", connection_age_grace_ms, "0s", 0, 30 * DAY_MS,
               "requests of such a connection are ended after that; 0 for never"),
    {
        .section = "Process",
        .name = "environment",
        .type = SETTING_TEXT,
        FIELD(environment),
        .default_text = "development",
        .unit = "NAME",
        .aliases = {{"ENVIRONMENT", SETTING_WHOLE}},
        .help = "development adds sample data to a :memory: database; production logs json on a "
                "terminal too; any other name does neither",
    },
    {
        .section = "Process",
        .name = "log-level",
        .type = SETTING_CHOICE,
        FIELD(log_level),
        .default_text = "info",
        .choices = log_levels,
        .unit = "LEVEL",
        .reloadable = true,
        .aliases = {{"LOG_LEVEL", SETTING_WHOLE}, {"FLIGHT_LOG_LEVEL", SETTING_WHOLE}},
        .help = "the least severe lines that are logged",
    },
    {
        .section = "Process",
        .name = "log-format",
        .type = SETTING_CHOICE,
        FIELD(log_format),
        .default_text = "auto",
        .choices = log_formats,
        .unit = "FORMAT",
        .aliases = {{"FLIGHT_LOG_FORMAT", SETTING_WHOLE}},
        .help = "auto is text on a terminal, unless environment is production, and json otherwise",
    },
    {
        .section = "Process",
        .name = "config",
        .type = SETTING_PATH,
        FIELD(config),
        .unit = "FILE",
        .help = "YAML file of settings",
    },
};
const size_t settings_table_count = ARRAY_COUNT(settings_table);

const struct setting_yaml_key settings_yaml_keys[] = {
    {"flight.address", "flight-addr"},
    {"flight.tls.cert_file", "tls-cert"},
    {"flight.tls.key_file", "tls-key"},
    {"monitoring.log_level", "log-level"},
};
const size_t settings_yaml_key_count = ARRAY_COUNT(settings_yaml_keys);

const char *const settings_yaml_foreign[] = {"data_generation", "processing", "output", NULL};

const char *const settings_environment_known[] = {"VOLLEY_SERVER", NULL};

static bool same_name(const char *name, struct str wanted)
{
    for (size_t i = 0; i < wanted.len; i++) {
        char byte = wanted.ptr[i] == '_' ? '-' : wanted.ptr[i];
        if (name[i] == '\0' || name[i] != byte)
            return false;
    }
    return name[wanted.len] == '\0';
}

const struct setting *setting_find(struct str name)
{
    for (size_t i = 0; i < settings_table_count; i++) {
        if (same_name(settings_table[i].name, name))
            return &settings_table[i];
    }
    return NULL;
}

struct str setting_variable(const struct setting *setting, char out[SETTING_VARIABLE_SIZE])
{
    int length = snprintf(out, SETTING_VARIABLE_SIZE, "VOLLEY_%s", setting->name);
    for (int i = 0; i < length; i++)
        out[i] = out[i] == '-' ? '_' : (char)toupper((unsigned char)out[i]);
    return str_make(out, (size_t)length);
}

const char *setting_type_name(const struct setting *setting)
{
    static const char *const names[] = {
        [SETTING_TEXT] = "text",       [SETTING_PATH] = "path",     [SETTING_ADDRESS] = "address",
        [SETTING_INTEGER] = "integer", [SETTING_SIZE] = "size",     [SETTING_DURATION] = "duration",
        [SETTING_BOOLEAN] = "boolean", [SETTING_CHOICE] = "choice",
    };
    return names[setting->type];
}
