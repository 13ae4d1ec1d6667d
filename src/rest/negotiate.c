/*
 * negotiate.c — in which format a result leaves.
 *
 * `?format=` wins over the body's `format`, that over `Accept`; without a wish a result is JSON and a
 * dataset an Arrow stream. Among the types of an Accept header the one with the highest weight wins, the
 * first of equals. Runs on the loop or a worker.
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
    {"parquet", REST_PARQUET, "application/vnd.apache.parquet"},
};

/* What a route offers: the formats of the table but the last one, or all. */
struct offer {
    size_t count;
    enum rest_format usual; /* without a wish */
};
static const struct offer result_offer = {.count = ARRAY_COUNT(formats) - 1, .usual = REST_JSON};
static const struct offer dataset_offer = {.count = ARRAY_COUNT(formats), .usual = REST_ARROW};

bool rest_format_find(struct str text, enum rest_format *out)
{
    for (size_t i = 0; i < ARRAY_COUNT(formats); i++) {
        if (str_equal(text, str_of(formats[i].name)) ||
            str_equal_nocase(text, str_of(formats[i].media_type))) {
            *out = formats[i].format;
            return true;
        }
    }
    return false;
}

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

/* What a range of Accept stands for: the usual format where that is covered, else the first one that is. */
static bool find_covered(const struct offer *offer, struct str range, enum rest_format *out)
{
    *out = offer->usual;
    if (range_covers(range, str_of(rest_format_media_type(offer->usual))))
        return true;
    for (size_t i = 0; i < offer->count; i++) {
        *out = formats[i].format;
        if (range_covers(range, str_of(formats[i].media_type)))
            return true;
    }
    return false;
}

static enum status refuse(const struct offer *offer, const char *what, struct str text,
                          bool as_types, struct error *error)
{
    CLEANUP(buf_finish) struct buf list;
    buf_init(&list, ERROR_MESSAGE_MAX);
    for (size_t i = 0; i < offer->count; i++)
        buf_printf(&list, "%s%s", i > 0 ? ", " : "",
                   as_types ? formats[i].media_type : formats[i].name);
    return error_set_code(error, STATUS_INVALID_ARGUMENT, "NOT_ACCEPTABLE",
                          "%s '%.*s'; the %s are %.*s", what, STR_ARGS(str_slice(text, 0, 256)),
                          as_types ? "types" : "formats", STR_ARGS(buf_str(&list)));
}

static enum status negotiate_accept(const struct offer *offer, struct str accept,
                                    enum rest_format *out, struct error *error)
{
    double best = 0;
    struct str rest = accept;
    while (rest.len > 0) {
        struct str member = str_split(&rest, ',');
        struct str range = str_trim(str_split(&member, ';'));
        double weight = range_weight(member);
        enum rest_format format;
        if (weight <= best || !find_covered(offer, range, &format))
            continue;
        *out = format;
        best = weight;
    }
    return best > 0 ? STATUS_OK : refuse(offer, "cannot answer with", accept, true, error);
}

static enum status find_format(const struct offer *offer, struct str name, enum rest_format *out,
                               struct error *error)
{
    for (size_t i = 0; i < offer->count; i++) {
        if (str_equal(name, str_of(formats[i].name))) {
            *out = formats[i].format;
            return STATUS_OK;
        }
    }
    return refuse(offer, "unknown format", name, false, error);
}

static enum status negotiate(const struct rest_exchange *exchange, const struct offer *offer,
                             struct str body_format, enum rest_format *out, struct error *error)
{
    struct str name;
    /* A wrong one is told even where another wish wins. */
    if (body_format.len > 0)
        TRY(find_format(offer, body_format, out, error));
    if (http_query_get(exchange->input, STR("format"), &name))
        return find_format(offer, name, out, error);
    if (body_format.len > 0)
        return STATUS_OK;
    struct str accept = http_headers_get(&exchange->input->headers, STR("accept"));
    if (str_trim(accept).len == 0) {
        *out = offer->usual;
        return STATUS_OK;
    }
    return negotiate_accept(offer, accept, out, error);
}

enum status rest_negotiate(const struct rest_exchange *exchange, struct str body_format,
                           enum rest_format *out, struct error *error)
{
    return negotiate(exchange, &result_offer, body_format, out, error);
}

enum status rest_negotiate_dataset(const struct rest_exchange *exchange, enum rest_format *out,
                                   struct error *error)
{
    return negotiate(exchange, &dataset_offer, STR_EMPTY, out, error);
}
