/*
 * commands.c — the commands: every name, flag, help text and example stands here once.
 *
 * Dispatch (command.c), --help (help.c), man pages and completion (docs.c) read this table. What a flag does
 * is in the options table of its command (options.h); a test compares the names there and here, and runs
 * every example.
 *
 * Runs on: any thread; constant. Owns: nothing.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "cli/commands.h"
#include "cli/get_options.h"
#include "cli/load_options.h"
#include "cli/put_options.h"
#include "cli/result.h"

#include "base/memory.h"

#define TEXTS(...) ((const char *const[]){__VA_ARGS__, NULL})
#define FLAGS(...) ((const struct command_flag[]){__VA_ARGS__, {.name = NULL}})
#define WORDS(...) ((const struct command_word[]){__VA_ARGS__, {.name = NULL}})

const struct command_flag commands_server_flags[] = {
    {.name = "server",
     .value = "URL",
     .help = "grpc://HOST:PORT, grpc+tls://HOST:PORT, grpc+unix:///PATH, http:// or "
             "https://HOST:PORT, or "
             "the NAME of a server in client.yaml",
     .fallback = "$VOLLEY_SERVER, else its default, else grpc://127.0.0.1:50052"},
    {.name = "tls-ca",
     .value = "FILE",
     .help = "whom a server with TLS may be certified by",
     .fallback = "the system's"},
    {.name = "tls-cert",
     .value = "FILE",
     .help = "a certificate of one's own, for servers that ask for it"},
    {.name = "tls-key", .value = "FILE", .help = "its private key"},
    {.name = "tls-insecure",
     .help = "take any certificate: anybody between can read and change all"},
    {.name = NULL},
};

const char *const commands_examples[] = {
    "volley serve --demo",
    "volley sql 'SELECT origin, avg(delay) FROM flights GROUP BY ALL LIMIT 5'",
    NULL,
};

const char commands_exit_codes[] = "Exit codes: 0 fine, 1 failed, 2 wrong usage or setting, 3 "
                                   "cannot bind or reach, 4 the statement "
                                   "failed, 130 interrupted.";

#define RESULT_FORMAT                                                                              \
    {                                                                                              \
        .name = "format", .letter = "f", .value = "FORMAT", .choices = result_format_names,        \
        .fallback = "table"                                                                        \
    }
#define FORMATS_OF_FILES                                                                           \
    "Arrow files and streams are told by their content, Parquet, CSV, TSV, JSON and NDJSON by "    \
    "their "                                                                                       \
    "names or --format; FILE - is standard input."

const struct command commands_table[] = {
    {
        .name = "serve",
        .synopsis = "[FILE...] [flags]",
        .summary = "run a server; each FILE (Parquet, Arrow, CSV, JSON) becomes a view",
        .flags =
            FLAGS({.name = "print-config",
                   .help = "print a commented file of settings for --config, and serve nothing"}),
        .takes_settings = true,
        .takes_files = true,
        .notes = "Every flag is also an environment variable (VOLLEY_QUERY_SLOTS), a line of .env "
                 "and a key "
                 "of the --config file; volley config show --origin tells what is in force. "
                 "SIGTERM lets "
                 "running calls end, SIGHUP reads certificates again.",
        .examples = TEXTS("volley serve --demo", "volley serve flights.parquet",
                          "volley serve --print-config --query-slots 4 > volley.yaml",
                          "volley serve --database shop.duckdb --read-only"),
        .run = cli_serve,
    },
    {
        .name = "sql",
        .synopsis = "[SQL...] [-f FILE] [-o FILE] [-v NAME=VALUE] [--format FORMAT] [--server URL]",
        .summary = "run statements and print their results; a shell at a terminal",
        .about =
            "Statements come from the arguments, from a file or from standard input, separated by "
            "semicolons; they run in order until one fails. Results go to standard output. Without "
            "them, at a terminal, the shell begins: \\? tells its commands.",
        .flags = FLAGS({.name = "command",
                        .letter = "c",
                        .value = "SQL",
                        .help = "the same as SQL without it; may be given again"},
                       {.name = "file",
                        .letter = "f",
                        .value = "FILE",
                        .help = "read statements from FILE (- is standard input)"},
                       {.name = "variable",
                        .letter = "v",
                        .value = "NAME=VALUE",
                        .help = ":NAME, :'NAME' (a text) and :\"NAME\" (a name) in statements; "
                                "ON_ERROR_STOP=0 goes on after a statement that failed"},
                       {.name = "format",
                        .value = "FORMAT",
                        .choices = result_format_names,
                        .fallback = "table"},
                       {.name = "output",
                        .letter = "o",
                        .value = "FILE",
                        .help = "results go to FILE, made anew, in the format of its name if "
                                "--format names no other"}),
        .takes_server = true,
        .notes = "Exit codes: 3 the server cannot be reached, 4 a statement failed, 130 Ctrl-C.",
        .examples = TEXTS("volley sql 'SELECT origin, count(*) FROM flights GROUP BY ALL'",
                          "volley sql --format csv -f report.sql > report.csv",
                          "volley sql -c 'FROM flights' -o flights.parquet"),
        .run = cli_sql,
    },
    {
        .name = "put",
        .synopsis = "FILE... NAME [flags]",
        .summary = "keep files or standard input as a dataset",
        .about = FORMATS_OF_FILES " The dataset's name (or, without NAME, its id) is printed. All "
                                  "Arrow files together are one put: "
                                  "others see all of it or nothing. Of other formats each file is "
                                  "one, appended to those before it.",
        .flags = FLAGS({.name = "mode",
                        .value = "MODE",
                        .help = "upsert makes or appends",
                        .choices = put_mode_names,
                        .fallback = "upsert"},
                       {.name = "ttl",
                        .value = "TIME",
                        .help = "how long it is kept, as 10m or 7d",
                        .fallback = "the server's"},
                       {.name = "durability",
                        .value = "D",
                        .help = "process survives a crash of the server, disk one of the machine",
                        .choices = put_durability_names,
                        .fallback = "the server's"},
                       {.name = "new", .help = "no NAME follows: the server chooses an id"},
                       {.name = "format",
                        .letter = "f",
                        .value = "FORMAT",
                        .choices = put_format_names,
                        .fallback = "by content and name"},
                       {.name = "unfinished",
                        .help = "take an Arrow stream that was cut off, as far as it is whole"},
                       {.name = "retries",
                        .value = "N",
                        .help = "how often a put that broke off begins again; a pipe never",
                        .fallback = "8"},
                       {.name = "quiet", .letter = "q", .help = "no progress"}),
        .takes_server = true,
        .takes_files = true,
        .notes = "Ctrl-C leaves nothing on the server.",
        .examples =
            TEXTS("volley put trips.parquet trips",
                  "volley put --mode replace --ttl 7d january.arrow february.arrow 2026/trips",
                  "volley sql --format arrow 'FROM flights' | volley put - flights-copy"),
        .run = cli_put,
    },
    {
        .name = "load",
        .synopsis = "FILE... TABLE [flags]",
        .summary = "load files or standard input into a table",
        .about = FORMATS_OF_FILES " All files are one statement: they are in the table as a whole "
                                  "or not at all. Columns go to those "
                                  "of their names.",
        .flags =
            FLAGS({.name = "mode",
                   .value = "MODE",
                   .help = "create-append makes or appends",
                   .choices = load_mode_names,
                   .fallback = "create-append"},
                  {.name = "schema",
                   .value = "S",
                   .help = "where the table is; TABLE may also be S.TABLE or C.S.TABLE"},
                  {.name = "catalog", .value = "C", .help = "the same"},
                  {.name = "format",
                   .letter = "f",
                   .value = "FORMAT",
                   .choices = put_format_names,
                   .fallback = "by content and name"},
                  {.name = "temporary",
                   .help = "a table of the session, which goes with it: of use where sessions "
                           "outlive a connection, and to \\load in the shell"},
                  {.name = "unfinished",
                   .help = "take an Arrow stream that was cut off, as far as it is whole"},
                  {.name = "retries",
                   .value = "N",
                   .help = "how often a load that broke off begins again; a pipe never",
                   .fallback = "8"},
                  {.name = "quiet", .letter = "q", .help = "neither progress nor the summary"}),
        .takes_server = true,
        .takes_files = true,
        .notes = "Ctrl-C leaves nothing on the server.",
        .examples = TEXTS("volley load trips.parquet trips",
                          "volley load --mode replace january.arrow february.arrow main.trips",
                          "generate-rows | volley load --format ndjson - events"),
        .run = cli_load,
    },
    {
        .name = "get",
        .synopsis = "NAME [-o FILE] [flags]",
        .summary = "write a dataset or result to a file, a pipe or the terminal",
        .about =
            "NAME is a dataset's name or id, or the id of a result. Without -o it goes to standard "
            "output: as a table on a terminal, else as an Arrow stream.",
        .flags =
            FLAGS({.name = "output",
                   .letter = "o",
                   .value = "FILE",
                   .help = "written beside it as FILE.*.part, and renamed when it is whole"},
                  {.name = "format",
                   .letter = "f",
                   .value = "FORMAT",
                   .help = "arrow is a stream",
                   .choices = get_format_names,
                   .fallback = "by FILE's name, else arrow-file"},
                  {.name = "columns",
                   .value = "A,B",
                   .help = "these columns, in this order; \"a,b\" quotes a name"},
                  {.name = "rows",
                   .value = "FIRST-LAST",
                   .help = "these rows, counted from 0; FIRST- to the end, -N the last N"},
                  {.name = "limit", .value = "N", .help = "at most so many rows"},
                  {.name = "parallel",
                   .value = "N",
                   .help = "read through N connections; the order stays",
                   .fallback = "1"},
                  {.name = "retries",
                   .value = "N",
                   .help = "how often in a row a broken connection is made again; it goes on "
                           "behind the last row",
                   .fallback = "8"},
                  {.name = "resume", .help = "go on with what an earlier run left of FILE (Arrow)"},
                  {.name = "quiet", .letter = "q", .help = "no progress"}),
        .takes_server = true,
        .notes = "After Ctrl-C or a failure FILE is as it was. What came of an Arrow stream or "
                 "file stays in "
                 "FILE.*.part for --resume; other formats and a full disk leave nothing.",
        .examples = TEXTS(
            "volley get trips", "volley get trips -o trips.parquet",
            "volley get 2026/trips --columns id,fare --rows 0-999 --format csv | sort -t, -k2"),
        .run = cli_get,
    },
    {
        .name = "list",
        .synopsis = "[PREFIX] [--format FORMAT] [--server URL]",
        .summary = "show the datasets that are kept",
        .flags = FLAGS(RESULT_FORMAT),
        .takes_server = true,
        .examples = TEXTS("volley list 2026/", "volley list --format ndjson"),
        .run = cli_list,
    },
    {
        .name = "drop",
        .synopsis = "NAME... [--ttl TIME] [--server URL]",
        .summary = "drop datasets, now or after a time",
        .about = "Who reads a dataset that is dropped reads it to its end.",
        .flags =
            FLAGS({.name = "ttl",
                   .value = "TIME",
                   .help = "not now but so long from now on, as 10m or 7d: a dataset's time begins "
                           "anew"}),
        .takes_server = true,
        .examples = TEXTS("volley drop 2026/trips flights-copy", "volley drop --ttl 7d trips"),
        .run = cli_drop,
    },
    {
        .name = "bench",
        .synopsis = "[--connections N] [--duration TIME] [--rows-only] [--json] SQL",
        .summary = "measure latency and throughput of a statement",
        .about = "Each connection runs the statement again and again until the time is over.",
        .flags =
            FLAGS({.name = "connections",
                   .letter = "c",
                   .value = "N",
                   .help = "connections, each with a thread of its own",
                   .fallback = "1"},
                  {.name = "duration",
                   .letter = "d",
                   .value = "TIME",
                   .help = "how long to measure",
                   .fallback = "5s"},
                  {.name = "rows-only", .help = "count rows without checking and decoding batches"},
                  {.name = "json", .help = "print one JSON object"}),
        .takes_server = true,
        .examples = TEXTS("volley bench --connections 16 --duration 1s 'SELECT 1'",
                          "volley bench --duration 1s --json 'FROM flights LIMIT 100000'"),
        .run = cli_bench,
    },
    {
        .name = "status",
        .synopsis = "[--format FORMAT] [--server URL]",
        .summary = "show how a server is: queries, sessions, datasets, memory, disk",
        .flags = FLAGS(RESULT_FORMAT),
        .takes_server = true,
        .notes =
            "Exit code 1 when the server answers that it is not well, 3 when it does not answer.",
        .examples = TEXTS("volley status", "volley status --server prod --format json"),
        .run = cli_status,
    },
    {
        .name = "top",
        .synopsis = "[--interval TIME] [--once] [--server URL]",
        .summary = "watch queries, datasets, sessions, memory and rates; kill from it",
        .about = "Tab goes from queries to datasets and sessions, the arrows select, k kills the "
                 "query that is selected, p pauses, q leaves. Without a terminal, and with --once, "
                 "it prints one picture.",
        .flags = FLAGS({.name = "interval",
                        .letter = "i",
                        .value = "TIME",
                        .help = "how often the server is asked",
                        .fallback = "2s"},
                       {.name = "once", .help = "print one picture and end"}),
        .takes_server = true,
        .examples = TEXTS("volley top", "volley top --once --server prod"),
        .run = cli_top,
    },
    {
        .name = "job",
        .synopsis = "submit [flags] SQL | status ID... | wait ID... | result ID | cancel ID... | "
                    "list | history",
        .summary = "submit statements as jobs, watch them, fetch their results",
        .about = "A job runs without anybody waiting for it. Its record survives the server's end, "
                 "and its result stays for a while.",
        .words = WORDS(
            {.name = "submit", .arguments = "SQL", .help = "submit a statement; prints the ID"},
            {.name = "status", .arguments = "ID...", .help = "how jobs are"},
            {.name = "wait", .arguments = "ID...", .help = "wait until jobs are over"},
            {.name = "result", .arguments = "ID", .help = "print the rows of a finished job"},
            {.name = "cancel", .arguments = "ID...", .help = "stop jobs that wait or run"},
            {.name = "list", .help = "the newest jobs"},
            {.name = "history", .help = "the newest jobs that are over"}),
        .flags = FLAGS(
            {.name = "priority",
             .value = "N",
             .help = "of submit: 1 runs first, 5 last",
             .fallback = "1"},
            {.name = "slots",
             .value = "N",
             .help = "of submit: how many of the server's slots the job takes",
             .fallback = "1"},
            {.name = "run-timeout",
             .value = "TIME",
             .help = "of submit: how long the job may run",
             .fallback = "the server's query-timeout"},
            {.name = "result-cache",
             .value = "HOW",
             .help = "of submit: whether an earlier result may serve",
             .choices = TEXTS("use", "refresh", "bypass"),
             .fallback = "use"},
            {.name = "engine",
             .value = "NAME",
             .help = "of submit: the engine that runs it",
             .choices = TEXTS("duckdb", "clickhouse"),
             .fallback = "duckdb"},
            {.name = "add-tag", .value = "TAG", .help = "of submit: to find it by; repeatable"},
            {.name = "key",
             .value = "TEXT",
             .help = "of submit: a second submission with this key is the same job"},
            {.name = "wait", .help = "of submit: wait until it is over, too"},
            {.name = "timeout",
             .value = "TIME",
             .help = "of wait: how long",
             .fallback = "until they are over"},
            {.name = "state",
             .value = "STATE",
             .help = "of list and history: jobs of this state",
             .choices =
                 TEXTS("any", "queued", "running", "succeeded", "failed", "cancelled", "expired"),
             .fallback = "any"},
            {.name = "tag", .value = "TAG", .help = "of list and history: jobs that have it"},
            {.name = "limit",
             .letter = "n",
             .value = "N",
             .help = "of list and history: how many jobs",
             .fallback = "20"},
            RESULT_FORMAT),
        .takes_server = true,
        .notes = "Exit code 4 when a job that was waited for failed or was cancelled, and when a "
                 "statement is refused.",
        .examples = TEXTS("volley job submit --wait 'SELECT count(*) FROM flights'",
                          "volley job list --state running", "volley job history --format json",
                          "volley job result $(volley job submit --wait 'SELECT 42 AS n')"),
        .run = cli_job,
    },
    {
        .name = "kill",
        .synopsis = "ID [--server URL]",
        .summary = "stop a running statement (see SELECT * FROM volley.queries)",
        .takes_server = true,
        .examples = TEXTS("volley sql 'SELECT id, state, sql FROM volley.queries'",
                          "volley kill 6f1e0d5c9b7a4e3f"),
        .run = cli_kill,
    },
    {
        .name = "config",
        .synopsis = "show [--origin] [flags of serve] | check [FILE]",
        .summary = "print the settings in force, or check a file of settings",
        .words = WORDS({.name = "show", .help = "print every setting as YAML that --config reads"},
                       {.name = "check", .help = "check all sources that volley serve would read"},
                       {.name = "check", .arguments = "FILE", .help = "check one YAML file"}),
        .flags = FLAGS({.name = "origin", .help = "of show: where each value came from, too"}),
        .takes_files = true,
        .examples =
            TEXTS("volley config show --origin", "volley config show --query-slots 4 > volley.yaml",
                  "volley config check volley.yaml"),
        .run = cli_config,
    },
    {
        .name = "completion",
        .synopsis = "bash|zsh|fish|servers",
        .summary = "print what has a shell complete commands, flags and values",
        .about = "Packages and make install put these scripts where the shells find them.",
        .words = WORDS({.name = "bash", .help = "for bash 4 and newer"},
                       {.name = "zsh", .help = "for zsh"}, {.name = "fish", .help = "for fish"},
                       {.name = "servers", .help = "the names of servers in client.yaml"}),
        .examples = TEXTS("source <(volley completion bash)",
                          "volley completion fish > ~/.config/fish/completions/volley.fish"),
        .run = cli_completion,
    },
    {
        .name = "docs",
        .synopsis = "FOLDER",
        .examples = TEXTS("volley docs build/docs"),
        .run = cli_docs,
    },
    {
        .name = "version",
        .synopsis = "",
        .summary = "print the version and the libraries it was built with",
        .examples = TEXTS("volley version"),
        .run = cli_version,
    },
};
const size_t commands_count = ARRAY_COUNT(commands_table);

const struct command *commands_find(struct str name)
{
    for (size_t i = 0; i < commands_count; i++) {
        if (str_equal(name, str_of(commands_table[i].name)))
            return &commands_table[i];
    }
    return NULL;
}
