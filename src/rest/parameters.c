/*
 * parameters.c — query parameters and the headers that stand for them; those that a route does not read are
 * refused, not passed over.
 *
 * Runs on the loop or a worker. SPDX-License-Identifier: Apache-2.0
 */
#include "rest/rest_private.h"

#include "base/checked.h"

static bool is_known(struct str name, const char *const *names, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (str_equal(name, str_of(names[i])))
            return true;
    }
    return false;
}

static enum status refuse(struct arena *arena, struct str name, const char *const *names,
                          size_t count, struct error *error)
{
    struct str known = STR_EMPTY;
    for (size_t i = 0; i < count; i++)
        known = arena_printf(arena, "%.*s%s%s", STR_ARGS(known), i > 0 ? ", " : "", names[i]);
    return error_set_code(error, STATUS_INVALID_ARGUMENT, "VALIDATION_ERROR",
                          "unknown query parameter '%.*s'; the parameters are %.*s",
                          (int)size_min(name.len, 64), name.ptr, STR_ARGS(known));
}

enum status rest_check_parameters(const struct http_request *input, const char *const *names,
                                  size_t count, struct error *error)
{
    struct str rest = input->query;
    while (rest.len > 0) {
        struct str value = str_split(&rest, '&');
        struct str name = str_split(&value, '=');
        if (name.len == 0 && value.len == 0)
            continue;
        TRY(http_percent_decode(input->arena, name, true, &name, error));
        TRY(http_percent_decode(input->arena, value, true, &value, error));
        if (!is_known(name, names, count))
            return refuse(input->arena, name, names, count, error);
    }
    return STATUS_OK;
}

struct str rest_option(const struct rest_exchange *exchange, const char *name)
{
    struct str text;
    if (http_query_get(exchange->input, str_of(name), &text))
        return str_trim(text);
    struct str header = arena_printf(exchange->input->arena, "volley-%s", name);
    return str_trim(http_headers_get(&exchange->input->headers, header));
}

enum status rest_read_int64(struct rest_exchange *exchange, struct error *error)
{
    struct str text;
    if (!http_query_get(exchange->input, STR("int64"), &text))
        return STATUS_OK;
    exchange->reply.integers_as_text = str_equal(text, STR("string"));
    if (exchange->reply.integers_as_text || str_equal(text, STR("number")))
        return STATUS_OK;
    return error_set_code(error, STATUS_INVALID_ARGUMENT, "VALIDATION_ERROR",
                          "parameter int64 takes string or number, not '%.*s'",
                          (int)size_min(text.len, 64), text.ptr ? text.ptr : "");
}
