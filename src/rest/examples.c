/*
 * examples.c — GET /examples: statements that run as they stand on this server.
 *
 * With the sample data they ask for taxi trips; without it for numbers that the engine makes itself. Runs on
 * the loop. Contracts section 4. SPDX-License-Identifier: Apache-2.0
 */
#include "rest/analytics.h"

#include "base/memory.h"

static const struct rest_example with_samples[] = {
    {"Simple Count", "SELECT count(*) AS total_trips FROM nyc_taxi", "How many trips there are"},
    {"Payment Analysis",
     "SELECT payment_type, count(*) AS trips, avg(fare_amount) AS average_fare, "
     "avg(tip_amount) AS average_tip FROM nyc_taxi GROUP BY payment_type ORDER BY trips DESC",
     "Fares and tips by type of payment"},
    {"Hourly Patterns",
     "SELECT hour(tpep_pickup_datetime) AS hour, count(*) AS trips, "
     "avg(trip_distance) AS average_distance FROM nyc_taxi GROUP BY 1 ORDER BY 1",
     "Trips by hour of the day"},
};

static const struct rest_example without_samples[] = {
    {"Simple Count", "SELECT count(*) AS total FROM range(1000000)", "How many numbers there are"},
    {"Grouping",
     "SELECT i % 5 AS payment_type, count(*) AS trips, avg(i) AS average FROM range(1000000) AS "
     "numbers(i) GROUP BY 1 ORDER BY trips DESC, 1",
     "Counts and means by group"},
    {"Hourly Patterns",
     "SELECT hour(t) AS hour, count(*) AS events FROM generate_series(TIMESTAMP '2025-01-01', "
     "TIMESTAMP '2025-01-31', INTERVAL 7 MINUTE) AS times(t) GROUP BY 1 ORDER BY 1",
     "Events by hour of the day"},
};

const struct rest_example *rest_examples_of(const struct rest *rest, size_t *out_count)
{
    *out_count =
        rest->options.has_samples ? ARRAY_COUNT(with_samples) : ARRAY_COUNT(without_samples);
    return rest->options.has_samples ? with_samples : without_samples;
}

static const struct rest_field example_fields[] = {
    {.name = "name", .type = REST_TEXT, .required = true},
    {.name = "sql", .type = REST_TEXT, .required = true},
    {.name = "engine", .type = REST_TEXT, .required = true},
    {.name = "description", .type = REST_TEXT, .required = true},
};
static const struct rest_object example = {.name = "Example", REST_FIELDS(example_fields)};
static const struct rest_field examples_fields[] = {
    {.name = "examples", .type = REST_LIST, .required = true, .object = &example},
};
static const struct rest_object examples = {.name = "Examples", REST_FIELDS(examples_fields)};
const struct rest_reply_form rest_examples_replies[] = {
    {.http_status = 200, .help = "statements that run as they stand", .object = &examples},
    {0},
};

enum status rest_examples(struct rest_exchange *exchange, struct error *error)
{
    size_t count;
    const struct rest_example *items = rest_examples_of(exchange->rest, &count);
    struct json_writer json;
    json_writer_init(&json, &exchange->reply.text);
    json_write_begin_object(&json);
    json_write_key(&json, "examples");
    json_write_begin_array(&json);
    for (size_t i = 0; i < count; i++) {
        json_write_begin_object(&json);
        json_write_key(&json, "name");
        json_write_text(&json, str_of(items[i].name));
        json_write_key(&json, "sql");
        json_write_text(&json, str_of(items[i].sql));
        json_write_key(&json, "engine");
        json_write_text(&json, str_of(engine_name(exchange->rest->options.engine)));
        json_write_key(&json, "description");
        json_write_text(&json, str_of(items[i].description));
        json_write_end_object(&json);
    }
    json_write_end_array(&json);
    json_write_end_object(&json);
    return STATUS_OK;
}
