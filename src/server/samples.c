/*
 * samples.c — sample data as SQL.
 *
 * `taxi` has the schema of the New York yellow-taxi trips of 2025 and is generated: each value comes from
 * the row's number by integer mixing, amounts are whole cents divided by 100, so that sums are the same
 * everywhere. Integer products stay below 2^63. `flights` holds three million real flights from a
 * Parquet file that set-up fetched.
 *
 * Threads: the composition root's. SPDX-License-Identifier: Apache-2.0
 */
#include "server/samples.h"

#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/memory.h"

#define TAXI_ROWS_DEVELOPMENT 100000
#define TAXI_ROWS_DEMO 1000000
#define STATEMENTS_MAX 8

/* Two rounds of multiply and xor-shift in 31 bits. */
static const char mix_macro[] =
    "CREATE TEMP MACRO volley_mix(i, salt) AS "
    "(xor((xor(((i + salt * 7919) * 1103515245 + salt * 12345) % 2147483648, "
    "(((i + salt * 7919) * 1103515245 + salt * 12345) % 2147483648) >> 13) * 1274126177) % "
    "2147483648, "
    "((xor(((i + salt * 7919) * 1103515245 + salt * 12345) % 2147483648, "
    "(((i + salt * 7919) * 1103515245 + salt * 12345) % 2147483648) >> 13) * 1274126177) % "
    "2147483648) "
    ">> 16))";

/* %d: rows. Distances are hundredths of a mile, fares follow from them, times of 2025. */
static const char taxi_table[] =
    "CREATE TABLE taxi AS WITH draw AS (SELECT i, "
    "1735689600 + volley_mix(i, 1) %% 31536000 AS start, "
    "20 + volley_mix(i, 2) %% 480 + CASE WHEN volley_mix(i, 3) %% 20 = 0 "
    "THEN volley_mix(i, 4) %% 1800 ELSE 0 END AS hundredths, "
    "volley_mix(i, 5) %% 100 AS payment_draw, volley_mix(i, 6) %% 100 AS rate_draw, "
    "volley_mix(i, 7) AS pickup_draw, volley_mix(i, 8) AS dropoff_draw, "
    "volley_mix(i, 9) %% 100 AS people_draw, volley_mix(i, 10) AS tip_draw, "
    "volley_mix(i, 11) AS pace_draw FROM range(%d) AS numbers(i)), "
    "trip AS (SELECT *, 240 + hundredths * (3 + pace_draw %% 5) AS seconds, "
    "300 + hundredths * 35 // 10 * 10 // 10 + (pace_draw %% 400) AS fare, "
    "CASE WHEN (start // 3600) %% 24 BETWEEN 16 AND 19 THEN 250 "
    "WHEN (start // 3600) %% 24 >= 20 THEN 100 ELSE 0 END AS extra_cents, "
    "CASE WHEN rate_draw < 94 THEN 1 WHEN rate_draw < 98 THEN 2 WHEN rate_draw < 99 THEN 3 ELSE 5 "
    "END "
    "AS rate, CASE WHEN payment_draw < 72 THEN 1 WHEN payment_draw < 92 THEN 2 "
    "WHEN payment_draw < 97 THEN 0 WHEN payment_draw < 98 THEN 3 ELSE 4 END AS payment FROM draw), "
    "money AS (SELECT *, CASE WHEN payment = 1 THEN fare * (tip_draw %% 30) // 100 ELSE 0 END "
    "AS tip, CASE WHEN rate = 2 OR tip_draw %% 40 = 0 THEN 694 ELSE 0 END AS tolls, "
    "CASE WHEN pickup_draw %% 4 = 0 THEN 0 ELSE 250 END AS congestion, "
    "CASE WHEN pickup_draw %% 23 = 0 THEN 175 ELSE 0 END AS airport, "
    "CASE WHEN pickup_draw %% 3 = 0 THEN 0 ELSE 75 END AS cbd FROM trip) "
    "SELECT CASE WHEN i %% 50 = 0 THEN 6 WHEN i %% 3 = 0 THEN 1 ELSE 2 END::INTEGER AS VendorID, "
    "make_timestamp(start * 1000000) AS tpep_pickup_datetime, "
    "make_timestamp((start + seconds) * 1000000) AS tpep_dropoff_datetime, "
    "CASE WHEN payment = 0 THEN NULL WHEN people_draw < 75 THEN 1 WHEN people_draw < 90 THEN 2 "
    "ELSE 3 + people_draw %% 4 END::BIGINT AS passenger_count, "
    "hundredths / 100 AS trip_distance, "
    "CASE WHEN payment = 0 THEN NULL ELSE rate END::BIGINT AS RatecodeID, "
    "CASE WHEN payment = 0 THEN NULL WHEN i %% 200 = 0 THEN 'Y' ELSE 'N' END AS "
    "store_and_fwd_flag, "
    "(1 + pickup_draw %% 263)::INTEGER AS PULocationID, "
    "(1 + dropoff_draw %% 263)::INTEGER AS DOLocationID, payment::BIGINT AS payment_type, "
    "fare / 100 AS fare_amount, extra_cents / 100 AS extra, 50 / 100 AS mta_tax, "
    "tip / 100 AS tip_amount, tolls / 100 AS tolls_amount, 100 / 100 AS improvement_surcharge, "
    "(fare + extra_cents + 50 + tip + tolls + 100 + congestion + airport + cbd) / 100 AS "
    "total_amount, "
    "congestion / 100 AS congestion_surcharge, airport / 100 AS Airport_fee, "
    "cbd / 100 AS cbd_congestion_fee FROM money ORDER BY i";

static const char taxi_view[] = "CREATE VIEW nyc_taxi AS SELECT * FROM taxi";

/* Where the flights may lie, from the folder of the program: as built, as installed. */
static const char *const flights_places[] = {"../.cache/data/flights.parquet",
                                             "../share/volley/flights.parquet"};

static bool find_flights(char path[PATH_MAX])
{
    char program[PATH_MAX];
    ssize_t size = readlink("/proc/self/exe", program, sizeof(program) - 1);
    if (size <= 0)
        return false;
    program[size] = '\0';
    const char *folder = dirname(program);
    for (size_t i = 0; i < ARRAY_COUNT(flights_places); i++) {
        char candidate[PATH_MAX + 64];
        snprintf(candidate, sizeof(candidate), "%s/%s", folder, flights_places[i]);
        if (realpath(candidate, path))
            return true;
    }
    return false;
}

/* A file's name as an SQL string. */
static void append_quoted(struct buf *out, const char *text)
{
    buf_append_byte(out, '\'');
    for (; *text; text++) {
        if (*text == '\'')
            buf_append_byte(out, '\'');
        buf_append_byte(out, (uint8_t)*text);
    }
    buf_append_byte(out, '\'');
}

static enum status flights_statement(char **out_statement, struct error *error)
{
    char path[PATH_MAX];
    if (!find_flights(path))
        return error_set(error, STATUS_NOT_FOUND,
                         "the file of the sample table `flights` is missing; `make run` or "
                         "tools/fetch_flights.sh fetches it, or start without --demo");
    CLEANUP(buf_finish) struct buf sql;
    buf_init(&sql, 2 * PATH_MAX + 256);
    buf_append_text(&sql,
                    "CREATE TABLE flights AS SELECT date, delay, distance, origin, destination "
                    "FROM read_parquet(");
    append_quoted(&sql, path);
    buf_append_byte(&sql, ')');
    *out_statement = buf_steal(&sql);
    return STATUS_OK;
}

static char *taxi_statement(int rows)
{
    CLEANUP(buf_finish) struct buf sql;
    buf_init(&sql, sizeof(taxi_table) + 64);
    buf_printf(&sql, taxi_table, rows);
    return buf_steal(&sql);
}

enum status samples_statements(const struct settings *settings, char ***out_statements,
                               struct error *error)
{
    bool in_memory = str_equal(settings->database, STR(":memory:"));
    bool development = str_equal(settings->environment, STR("development"));
    *out_statements = NULL;
    if (settings->demo && !in_memory)
        return error_set(error, STATUS_INVALID_ARGUMENT,
                         "--demo makes sample tables and needs the database :memory:, not %.*s",
                         STR_ARGS(settings->database));
    if (!in_memory || settings->read_only || (!settings->demo && !development))
        return STATUS_OK;
    CLEANUP(samples_free) char **statements = NEW_ARRAY(char *, STATEMENTS_MAX);
    size_t count = 0;
    statements[count++] = str_copy(str_of(mix_macro));
    statements[count++] = taxi_statement(settings->demo ? TAXI_ROWS_DEMO : TAXI_ROWS_DEVELOPMENT);
    statements[count++] = str_copy(str_of(taxi_view));
    if (settings->demo)
        TRY(flights_statement(&statements[count++], error));
    *out_statements = STEAL(statements);
    return STATUS_OK;
}

void samples_free(char **statements)
{
    for (size_t i = 0; statements && statements[i]; i++)
        free(statements[i]);
    free(statements);
}
