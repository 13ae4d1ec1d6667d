/*
 * negotiate.c — in which format a result leaves.
 *
 * `?format=` wins over the body's `format`, that over `Accept`; without a wish it is JSON. Among the
 * types of an Accept header the one with the highest weight wins, the first of equals. Runs on the loop
 * or a worker.
 * Source: RFC 9110 section 12.5.1. SPDX-License-Identifier: Apache-2.0
 */
#include "rest/rest_private.h"

#include "base/memory.h"

static const struct {
    const char *name;
    enum rest_format format;
    const char *media_type;
} formats[] = {
    {"json", REST_JSON, "application/json"},
    {"arrow", REST_ARROW, "application/vnd.apache.arrow.stream"},
    {"arrow-file", REST_ARROW_FILE, "application/vnd.apache.arrow.file"},
    {"ndjson", REST_NDJSON, "application/x-ndjson"},
    {"csv", REST_CSV, "text/csv"},
};

const char *rest_format_media_type(enum rest_format format)
{
    for (size_t i = 0; i < ARRAY_COUNT(formats); i++) {
        if (formats[i].format == format)
            return formats[i].media_type;
    }
    return NULL;
}

const char *rest_format_name(enum rest_format format)
{
    for (size_t i = 0; i < ARRAY_COUNT(formats); i++) {
        if (formats[i].format == format)
            return formats[i].name;
    }
    return NULL;
}

/* True when a range of Accept ("text/csv", "text/" with a star, star/star) covers a media type. */
static bool range_covers(struct str range, struct str media_type)
{
    if (str_equal(range, STR("*/*")))
        return true;
    if (str_ends_with(range, STR("/*"))) {
        struct str prefix = str_slice(range, 0, range.len - 1);
        return str_starts_with_nocase(media_type, prefix);
    }
    return str_equal_nocase(range, media_type);
}

/* The weight of one member of Accept: its q parameter, 1 without. */
static double range_weight(struct str parameters)
{
    while (parameters.len > 0) {
        struct str parameter = str_trim(str_split(&parameters, ';'));
        double weight;
        if (str_starts_with_nocase(parameter, STR("q=")) &&
            str_to_double(str_slice(parameter, 2, parameter.len), &weight))
            return weight;
    }
    return 1.0;
}

static enum status negotiate_accept(struct str accept, enum rest_format *out, struct error *error)
{
    double best = 0;
    struct str rest = accept;
    while (rest.len > 0) {
        struct str member = str_split(&rest, ',');
        struct str range = str_trim(str_split(&member, ';'));
        double weight = range_weight(member);
        if (weight <= best)
            continue;
        for (size_t i = 0; i < ARRAY_COUNT(formats); i++) {
            if (range_covers(range, str_of(formats[i].media_type))) {
                *out = formats[i].format;
                best = weight;
                break;
            }
        }
    }
    if (best > 0)
        return STATUS_OK;
    return error_set_code(error, STATUS_INVALID_ARGUMENT, "NOT_ACCEPTABLE",
                          "cannot answer with '%.*s'; the types are application/json, "
                          "application/vnd.apache.arrow.stream, "
                          "application/vnd.apache.arrow.file, application/x-ndjson, text/csv",
                          STR_ARGS(accept));
}

static enum status find_format(struct str name, enum rest_format *out, struct error *error)
{
    for (size_t i = 0; i < ARRAY_COUNT(formats); i++) {
        if (str_equal(name, str_of(formats[i].name))) {
            *out = formats[i].format;
            return STATUS_OK;
        }
    }
    return error_set_code(
        error, STATUS_INVALID_ARGUMENT, "NOT_ACCEPTABLE",
        "unknown format '%.*s'; the formats are json, arrow, arrow-file, ndjson, csv",
        STR_ARGS(name));
}

enum status rest_negotiate(const struct rest_exchange *exchange, struct str body_format,
                           enum rest_format *out, struct error *error)
{
    struct str name;
    if (http_query_get(exchange->input, STR("format"), &name))
        return find_format(name, out, error);
    if (body_format.len > 0)
        return find_format(body_format, out, error);
    struct str accept = http_headers_get(&exchange->input->headers, STR("accept"));
    if (str_trim(accept).len == 0) {
        *out = REST_JSON;
        return STATUS_OK;
    }
    return negotiate_accept(accept, out, error);
}
