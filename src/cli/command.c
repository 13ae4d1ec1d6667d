/*
 * command.c — which command was meant: dispatch, help, suggestions.
 *
 * Runs on: the main thread. Owns: nothing.
 * Not done here: what a command does (its own file).
 * SPDX-License-Identifier: Apache-2.0
 */
#include "cli/command.h"

#include "base/memory.h"
#include "base/nearest.h"
#include "base/str.h"

#include <stdarg.h>
#include <stdio.h>

static const struct command commands[] = {
    {
        .name = "serve",
        .synopsis = "[FILE...] [flags]",
        .summary = "run a server; each FILE (Parquet, Arrow, CSV, JSON) becomes a view",
        .write_help = cli_serve_help,
        .run = cli_serve,
    },
    {
        .name = "sql",
        .synopsis = "[SQL...] [-f FILE] [-v NAME=VALUE] [--format FORMAT] [--server URL]",
        .summary = "run statements and print their results; a shell at a terminal",
        .help =
            "Statements come from the arguments, from a file or from standard input, separated by\n"
            "semicolons; they run in order until one fails. Results go to standard output. "
            "Without\n"
            "them, at a terminal, the shell begins: \\? tells its commands.\n"
            "\n"
            "  -f, --file FILE     read statements from FILE (- is standard input)\n"
            "  -v, --variable NAME=VALUE\n"
            "                      :NAME, :'NAME' (a text) and :\"NAME\" (a name) in statements;\n"
            "                      ON_ERROR_STOP=0 goes on after a statement that failed\n"
            "  --format FORMAT     table, csv, json, ndjson, arrow, arrow-file or markdown "
            "[table]\n"
            "  --server URL        grpc://HOST:PORT, grpc+tls://HOST:PORT, grpc+unix:///PATH, "
            "http://\n"
            "                      or https://HOST:PORT, or the NAME of a server in "
            "client.yaml\n"
            "                      [$VOLLEY_SERVER, else its default, else "
            "grpc://127.0.0.1:50052]\n"
            "  --tls-ca FILE       whom a server with TLS may be certified by [the system's]\n"
            "  --tls-cert FILE --tls-key FILE\n"
            "                      a certificate of one's own, for servers that ask for it\n"
            "  --tls-insecure      take any certificate: anybody between can read and change all\n"
            "\n"
            "Exit codes: 3 the server cannot be reached, 4 a statement failed, 130 Ctrl-C.\n"
            "\n"
            "  volley sql 'SELECT origin, count(*) FROM flights GROUP BY ALL'\n"
            "  volley sql --format csv -f report.sql > report.csv\n",
        .run = cli_sql,
    },
    {
        .name = "put",
        .synopsis = "FILE... NAME [flags]",
        .summary = "keep files or standard input as a dataset",
        .help =
            "Arrow files and streams are told by their content, Parquet, CSV, JSON and NDJSON by\n"
            "their names or --format; FILE - is standard input. The dataset's name (or, without\n"
            "NAME, its id) is printed. All Arrow files together are one put: others see all of it\n"
            "or nothing. Of other formats each file is one, appended to those before it.\n"
            "\n"
            "  --mode MODE         upsert (make or append), create, append or replace [upsert]\n"
            "  --ttl TIME          how long it is kept, as 10m or 7d [the server's]\n"
            "  --durability D      memory, process (survives a crash of the server) or disk (and\n"
            "                      one of the machine) [the server's]\n"
            "  --new               no NAME follows: the server chooses an id\n"
            "  -f, --format FORMAT arrow, parquet, csv, json or ndjson\n"
            "  --unfinished        take an Arrow stream that was cut off, as far as it is whole\n"
            "  --retries N         how often a put that broke off begins again [8]; a pipe never\n"
            "  -q, --quiet         no progress\n"
            "  --server URL --tls-ca FILE --tls-cert FILE --tls-key FILE --tls-insecure\n"
            "                      as for volley sql\n"
            "\n"
            "Ctrl-C leaves nothing on the server.\n"
            "\n"
            "  volley put trips.parquet trips\n"
            "  volley put --mode replace --ttl 7d january.arrow february.arrow 2026/trips\n"
            "  volley sql --format arrow 'FROM flights' | volley put - flights-copy\n",
        .run = cli_put,
    },
    {
        .name = "load",
        .synopsis = "FILE... TABLE [flags]",
        .summary = "load files or standard input into a table",
        .help =
            "Arrow files and streams are told by their content, Parquet, CSV, JSON and NDJSON by\n"
            "their names or --format; FILE - is standard input. All files are one statement: they\n"
            "are in the table as a whole or not at all. Columns go to those of their names.\n"
            "\n"
            "  --mode MODE         create-append (make or append), create, append or replace\n"
            "                      [create-append]\n"
            "  --schema S --catalog C\n"
            "                      where the table is; TABLE may also be S.TABLE or C.S.TABLE\n"
            "  -f, --format FORMAT arrow, parquet, csv, json or ndjson\n"
            "  -q, --quiet         neither progress nor the summary\n"
            "  --server URL --tls-ca FILE --tls-cert FILE --tls-key FILE --tls-insecure\n"
            "                      as for volley sql\n"
            "\n"
            "Ctrl-C leaves nothing on the server.\n"
            "\n"
            "  volley load trips.parquet trips\n"
            "  volley load --mode replace january.arrow february.arrow main.trips\n"
            "  generate-rows | volley load --format ndjson - events\n",
        .run = cli_load,
    },
    {
        .name = "get",
        .synopsis = "NAME [-o FILE] [flags]",
        .summary = "write a dataset or result to a file, a pipe or the terminal",
        .help =
            "NAME is a dataset's name or id, or the id of a result. Without -o it goes to "
            "standard\n"
            "output: as a table on a terminal, else as an Arrow stream.\n"
            "\n"
            "  -o, --output FILE   written beside it as FILE.*.part, and renamed when it is whole\n"
            "  -f, --format FORMAT arrow (a stream), arrow-file, parquet, csv, json, ndjson, "
            "table\n"
            "                      or markdown [by FILE's name, else arrow-file]\n"
            "  --columns A,B       these columns, in this order; \"a,b\" quotes a name\n"
            "  --rows FIRST-LAST   these rows, counted from 0; FIRST- to the end, -N the last N\n"
            "  --limit N           at most so many rows\n"
            "  --parallel N        read through N connections [1]; the order stays\n"
            "  --retries N         how often in a row a broken connection is made again [8]; it\n"
            "                      goes on behind the last row\n"
            "  --resume            go on with what an earlier run left of FILE (Arrow)\n"
            "  -q, --quiet         no progress\n"
            "  --server URL --tls-ca FILE --tls-cert FILE --tls-key FILE --tls-insecure\n"
            "                      as for volley sql\n"
            "\n"
            "After Ctrl-C or a failure FILE is as it was. What came of an Arrow stream or file\n"
            "stays in FILE.*.part for --resume; other formats and a full disk leave nothing.\n"
            "\n"
            "  volley get trips\n"
            "  volley get trips -o trips.parquet\n"
            "  volley get 2026/trips --columns id,fare --rows 0-999 --format csv | sort -t, -k2\n",
        .run = cli_get,
    },
    {
        .name = "list",
        .synopsis = "[PREFIX] [--format FORMAT]",
        .summary = "show the datasets that are kept",
        .help = "  -f, --format FORMAT table, csv, json, ndjson, arrow, arrow-file or markdown "
                "[table]\n"
                "  --server URL --tls-ca FILE --tls-cert FILE --tls-key FILE --tls-insecure\n"
                "                      as for volley sql\n"
                "\n"
                "  volley list 2026/\n"
                "  volley list --format ndjson\n",
        .run = cli_list,
    },
    {
        .name = "drop",
        .synopsis = "NAME... [--ttl TIME]",
        .summary = "drop datasets, now or after a time",
        .help = "Who reads a dataset that is dropped reads it to its end.\n"
                "\n"
                "  --ttl TIME          not now but so long from now on, as 10m or 7d: a dataset's "
                "time\n"
                "                      begins anew\n"
                "  --server URL --tls-ca FILE --tls-cert FILE --tls-key FILE --tls-insecure\n"
                "                      as for volley sql\n"
                "\n"
                "  volley drop 2026/trips flights-copy\n"
                "  volley drop --ttl 7d trips\n",
        .run = cli_drop,
    },
    {
        .name = "bench",
        .synopsis = "[--connections N] [--duration TIME] [--rows-only] [--json] SQL",
        .summary = "measure latency and throughput of a statement",
        .help = "Each connection runs the statement again and again until the time is over.\n"
                "\n"
                "  --connections N     connections, each with a thread of its own [1]\n"
                "  --duration TIME     how long to measure [5s]\n"
                "  --rows-only         count rows without checking and decoding batches\n"
                "  --json              print one JSON object\n"
                "  --server URL --tls-ca FILE --tls-cert FILE --tls-key FILE --tls-insecure\n"
                "                      as for volley sql\n"
                "\n"
                "  volley bench --connections 16 'SELECT 1'\n",
        .run = cli_bench,
    },
    {
        .name = "status",
        .synopsis = "[--format FORMAT] [--server URL]",
        .summary = "show how a server is: queries, sessions, datasets, memory, disk",
        .help = "Exit code 1 when the server answers that it is not well, 3 when it does not "
                "answer.\n"
                "\n"
                "  -f, --format FORMAT table, csv, json, ndjson, arrow, arrow-file or markdown "
                "[table]\n"
                "  --server URL --tls-ca FILE --tls-cert FILE --tls-key FILE --tls-insecure\n"
                "                      as for volley sql\n"
                "\n"
                "  volley status\n"
                "  volley status --server prod --format json\n",
        .run = cli_status,
    },
    {
        .name = "kill",
        .synopsis = "ID [--server URL]",
        .summary = "stop a running statement (see SELECT * FROM volley.queries)",
        .help = "  --server URL --tls-ca FILE --tls-cert FILE --tls-key FILE --tls-insecure\n"
                "                      as for volley sql\n",
        .run = cli_kill,
    },
    {
        .name = "config",
        .synopsis = "show [--origin] [flags of serve] | check [FILE]",
        .summary = "print the settings in force, or check a file of settings",
        .help = "  show                print every setting as YAML that --config reads\n"
                "  show --origin       and where its value came from\n"
                "  check               check all sources that volley serve would read\n"
                "  check FILE          check one YAML file\n",
        .run = cli_config,
    },
    {
        .name = "version",
        .synopsis = "",
        .summary = "print the version and the libraries it was built with",
        .run = cli_version,
    },
};

void cli_complain(const char *format, ...)
{
    char message[2 * ERROR_MESSAGE_MAX];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(message, sizeof(message), format, arguments);
    va_end(arguments);
    (void)fprintf(stderr, "volley: %s\n", message);
}

enum exit_code cli_connect_exit(const struct error *error)
{
    return error->status == STATUS_UNAVAILABLE ? CLI_UNREACHABLE : CLI_USAGE;
}

enum exit_code cli_fail(enum exit_code code, const struct error *error)
{
    cli_complain("%s", error->message);
    return code;
}

static void print_help(void)
{
    (void)printf(
        "Volley: SQL in, Arrow out. Flight SQL on 127.0.0.1:50052, HTTP on 127.0.0.1:8000.\n"
        "\n"
        "Usage: volley COMMAND [...]\n"
        "\n");
    for (size_t i = 0; i < ARRAY_COUNT(commands); i++)
        (void)printf("  %-9s %s\n", commands[i].name, commands[i].summary);
    (void)printf(
        "\n"
        "  volley serve --demo\n"
        "  volley sql 'SELECT origin, avg(delay) FROM flights GROUP BY ALL LIMIT 5'\n"
        "  curl 'http://127.0.0.1:8000/v1/query?format=csv' -d 'SELECT 42'\n"
        "\n"
        "volley COMMAND --help tells more. Exit codes: 0 fine, 1 failed, 2 wrong usage or\n"
        "setting, 3 cannot bind or reach, 4 the statement failed, 130 interrupted.\n");
}

static void print_command_help(const struct command *command)
{
    (void)printf("volley %s: %s\n\nUsage: volley %s %s\n", command->name, command->summary,
                 command->name, command->synopsis);
    if (command->help)
        (void)printf("\n%s", command->help);
    if (command->write_help)
        command->write_help();
}

static const struct command *find_command(struct str name)
{
    for (size_t i = 0; i < ARRAY_COUNT(commands); i++) {
        if (str_equal(name, str_of(commands[i].name)))
            return &commands[i];
    }
    return NULL;
}

static bool is_help(struct str word)
{
    return str_equal(word, STR("--help")) || str_equal(word, STR("-h")) ||
           str_equal(word, STR("-help"));
}

static bool asks_for_help(char *const *arguments, size_t count)
{
    for (size_t i = 0; i < count && !str_equal(str_of(arguments[i]), STR("--")); i++) {
        if (is_help(str_of(arguments[i])))
            return true;
    }
    return false;
}

static enum exit_code refuse_command(struct str name)
{
    struct nearest nearest;
    nearest_init(&nearest, name);
    for (size_t i = 0; i < ARRAY_COUNT(commands); i++)
        nearest_offer(&nearest, str_of(commands[i].name));
    if (nearest.best.len > 0)
        cli_complain("unknown command '%.*s'; did you mean '%.*s'?", STR_ARGS(name),
                     STR_ARGS(nearest.best));
    else
        cli_complain("unknown command '%.*s'; volley --help lists all", STR_ARGS(name));
    return CLI_USAGE;
}

static enum exit_code run_command(const struct command *command, char *const *arguments,
                                  size_t count)
{
    if (asks_for_help(arguments, count)) {
        print_command_help(command);
        return CLI_FINE;
    }
    return command->run(arguments, count);
}

/* `volley help sql` */
static enum exit_code run_help(char *const *arguments, size_t count)
{
    const struct command *command = count > 0 ? find_command(str_of(arguments[0])) : NULL;
    if (count > 0 && !command)
        return refuse_command(str_of(arguments[0]));
    if (command)
        print_command_help(command);
    else
        print_help();
    return CLI_FINE;
}

enum exit_code cli_run(char *const *arguments, size_t count)
{
    struct str first = count > 0 ? str_of(arguments[0]) : STR("help");
    const struct command *command = find_command(first);
    if (command)
        return run_command(command, arguments + 1, count - 1);
    if (str_equal(first, STR("help")) || is_help(first))
        return run_help(arguments + 1, count > 0 ? count - 1 : 0);
    if (str_equal(first, STR("--version")) || str_equal(first, STR("-version")))
        return cli_version(arguments + 1, count - 1);
    /* Flags without a command are those of serve. */
    if (first.len > 1 && first.ptr[0] == '-')
        return run_command(&commands[0], arguments, count);
    return refuse_command(first);
}
