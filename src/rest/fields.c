/*
 * fields.c — holds a request's query string and JSON body against the tables of its route.
 *
 * A value comes from JSON with a type, or from a query string, a header or a fallback as text; each type
 * has a reader for both. On the routes under /v1 what no table names is a fault; on those of the older
 * services it is passed over, as those services do.
 *
 * Runs on the loop or a worker, one at a time. Owns nothing: the document is the exchange's.
 * Contracts section 2. SPDX-License-Identifier: Apache-2.0
 */
#include "rest/fields.h"

#include "base/checked.h"
#include "base/memory.h"

#include <assert.h>
#include <inttypes.h>
#include <math.h>

/* One value on its way into the struct. */
struct place {
    struct rest_faults *faults;
    const char *where;
    ptrdiff_t index;
    const struct rest_field *field;
    void *target;
};

static const char *noun(const struct place *place)
{
    return strcmp(place->where, "query") == 0 ? "parameter" : "field";
}

#define FAULT(place, type, ...)                                                                    \
    rest_fault_add((place)->faults, (place)->where, (place)->index, (place)->field->name, type,    \
                   __VA_ARGS__)

static bool has_bounds(const struct rest_field *field)
{
    return field->min != 0 || field->max != 0;
}

/* An upper bound of 0 beside a lower one above it is none; neither is INT64_MAX. */
static bool has_max(const struct rest_field *field)
{
    return has_bounds(field) && field->max >= field->min && field->max != INT64_MAX;
}

static void take_text(const struct place *place, struct str text)
{
    const struct rest_field *field = place->field;
    size_t size = str_trim(text).len;
    if (has_bounds(field) && size < (size_t)field->min)
        FAULT(place, "string_too_short", "%s '%s' must not be empty", noun(place), field->name);
    else if (has_max(field) && text.len > (size_t)field->max)
        FAULT(place, "string_too_long", "%s '%s' may have %" PRId64 " bytes, not %zu", noun(place),
              field->name, field->max, text.len);
    else
        *(struct str *)place->target = text;
}

/* True when a number is within the bounds of its field. */
static bool check_bounds(const struct place *place, double value)
{
    const struct rest_field *field = place->field;
    bool is_low = has_bounds(field) && value < (double)field->min;
    bool is_high = has_max(field) && value > (double)field->max;
    if (!is_low && !is_high)
        return true;
    const char *type = is_low ? "greater_than_equal" : "less_than_equal";
    if (has_max(field))
        FAULT(place, type, "%s '%s' must be %" PRId64 " to %" PRId64 ", not %.15g", noun(place),
              field->name, field->min, field->max, value);
    else
        FAULT(place, type, "%s '%s' must be at least %" PRId64 ", not %.15g", noun(place),
              field->name, field->min, value);
    return false;
}

static void take_integer(const struct place *place, int64_t value)
{
    if (check_bounds(place, (double)value))
        *(int64_t *)place->target = value;
}

static void take_number(const struct place *place, double value)
{
    if (!isfinite(value))
        FAULT(place, "finite_number", "%s '%s' must be a finite number", noun(place),
              place->field->name);
    else if (check_bounds(place, value))
        *(double *)place->target = value;
}

static void take_choice(const struct place *place, struct str text)
{
    const struct rest_field *field = place->field;
    CLEANUP(buf_finish) struct buf names;
    buf_init(&names, 1024);
    for (unsigned i = 0; field->choices[i]; i++) {
        if (str_equal(text, str_of(field->choices[i]))) {
            *(unsigned *)place->target = i;
            return;
        }
        buf_printf(&names, "%s%s", i > 0 ? ", " : "", field->choices[i]);
    }
    FAULT(place, "enum", "%s '%s' must be one of %.*s, not '%.*s'", noun(place), field->name,
          STR_ARGS(buf_str(&names)), (int)size_min(text.len, 64), text.ptr ? text.ptr : "");
}

/* --- as text ----------------------------------------------------------------------------------- */

static void take_bool_text(const struct place *place, struct str text)
{
    static const char *const words[] = {"false", "true", "0", "1", "no", "yes"};
    for (size_t i = 0; i < ARRAY_COUNT(words); i++) {
        if (str_equal_nocase(text, str_of(words[i]))) {
            *(bool *)place->target = i % 2 == 1;
            return;
        }
    }
    FAULT(place, "bool_parsing", "%s '%s' must be true or false, not '%.*s'", noun(place),
          place->field->name, (int)size_min(text.len, 64), text.ptr ? text.ptr : "");
}

static void refuse_number_text(const struct place *place, const char *type, const char *what,
                               struct str text)
{
    FAULT(place, type, "%s '%s' must be %s, not '%.*s'", noun(place), place->field->name, what,
          (int)size_min(text.len, 64), text.ptr ? text.ptr : "");
}

/* What JSON texts are by their nature. */
static bool is_whole_text(struct str text)
{
    return str_is_utf8(text) && str_find(text, '\0') < 0;
}

static void take_from_text(const struct place *place, struct str text)
{
    int64_t integer;
    double number;
    switch (place->field->type) {
    case REST_TEXT:
        if (is_whole_text(text))
            take_text(place, text);
        else
            FAULT(place, "string_unicode", "%s '%s' must be UTF-8 without NUL", noun(place),
                  place->field->name);
        break;
    case REST_INTEGER:
        if (str_to_i64(text, &integer))
            take_integer(place, integer);
        else
            refuse_number_text(place, "int_parsing", "a whole number", text);
        break;
    case REST_NUMBER:
        if (str_to_double(text, &number))
            take_number(place, number);
        else
            refuse_number_text(place, "float_parsing", "a number", text);
        break;
    case REST_BOOL:
        take_bool_text(place, text);
        break;
    case REST_CHOICE:
        take_choice(place, text);
        break;
    case REST_FORMAT:
        break;
    default:
        assert(false && "a field of this type is not read");
    }
}

/* --- as JSON ----------------------------------------------------------------------------------- */

static void refuse_type(const struct place *place, const char *type, const char *what)
{
    FAULT(place, type, "field '%s' must be %s", place->field->name, what);
}

static void take_integer_value(const struct place *place, const struct json_value *value)
{
    int64_t integer;
    double number;
    if (json_value_integer(value, &integer))
        take_integer(place, integer);
    else if (json_value_number(value, &number) && number == nearbyint(number) &&
             fabs(number) < 9e15)
        take_integer(place, (int64_t)number);
    else
        refuse_type(place, "int_type", "a whole number");
}

static void take_from_value(const struct place *place, const struct json_value *value)
{
    struct str text;
    double number;
    switch (place->field->type) {
    case REST_TEXT:
    case REST_CHOICE:
        if (!json_value_text(value, &text))
            refuse_type(place, "string_type", "a string");
        else if (place->field->type == REST_TEXT)
            take_text(place, text);
        else
            take_choice(place, text);
        break;
    case REST_INTEGER:
        take_integer_value(place, value);
        break;
    case REST_NUMBER:
        if (json_value_number(value, &number))
            take_number(place, number);
        else
            refuse_type(place, "float_type", "a number");
        break;
    case REST_BOOL:
        if (!json_value_bool(value, place->target))
            refuse_type(place, "bool_type", "true or false");
        break;
    case REST_VALUE:
        if (json_value_is_object(value) || json_value_is_array(value))
            *(const struct json_value **)place->target = value;
        else
            refuse_type(place, "dict_type", "an object or a list");
        break;
    default:
        assert(false && "a field of this type is not read");
    }
}

/* --- tables ------------------------------------------------------------------------------------ */

static void take_absent(const struct place *place)
{
    if (place->field->required)
        FAULT(place, "missing", "%s '%s' is required", noun(place), place->field->name);
    else if (place->field->fallback)
        take_from_text(place, str_of(place->field->fallback));
}

static bool is_known(const struct rest_object *object, struct str name)
{
    for (size_t i = 0; i < object->count; i++) {
        if (str_equal(name, str_of(object->fields[i].name)))
            return true;
    }
    return false;
}

static void refuse_unknown(const struct rest_object *object, const char *where, ptrdiff_t index,
                           struct str name, struct rest_faults *faults)
{
    CLEANUP(buf_finish) struct buf names;
    buf_init(&names, 1024);
    for (size_t i = 0; i < object->count; i++)
        buf_printf(&names, "%s%s", i > 0 ? ", " : "", object->fields[i].name);
    const char *what = strcmp(where, "query") == 0 ? "query parameter" : "field";
    struct str shown = arena_copy(faults->arena, str_slice(name, 0, 64));
    rest_fault_add(faults, where, index, shown.ptr, "extra_forbidden",
                   "unknown %s '%s'; the %ss are %.*s", what, shown.ptr, what,
                   STR_ARGS(buf_str(&names)));
}

struct unknown_members {
    const struct rest_object *object;
    ptrdiff_t index;
    struct rest_faults *faults;
};

static void check_member(void *context, struct str name)
{
    const struct unknown_members *check = context;
    if (!is_known(check->object, name))
        refuse_unknown(check->object, "body", check->index, name, check->faults);
}

void rest_object_read(const struct rest_object *object, const struct json_value *value,
                      ptrdiff_t index, bool is_strict, void *out, struct rest_faults *faults)
{
    if (!json_value_is_object(value)) {
        rest_fault_add(faults, "body", index, NULL, "model_attributes_type",
                       "%s must be an object with the field '%s'",
                       index < 0 ? "the body" : "each member of the list", object->fields[0].name);
        return;
    }
    for (size_t i = 0; i < object->count; i++) {
        const struct rest_field *field = &object->fields[i];
        const struct place place = {faults, "body", index, field, (char *)out + field->offset};
        const struct json_value *member = json_member(value, field->name);
        if (!member || json_value_is_null(member))
            take_absent(&place);
        else
            take_from_value(&place, member);
    }
    struct unknown_members check = {object, index, faults};
    if (is_strict)
        json_visit_members(value, check_member, &check);
}

/* --- the query string -------------------------------------------------------------------------- */

static bool find_parameter(const struct rest_exchange *exchange, const struct rest_field *field,
                           struct str *out_text)
{
    if (http_query_get(exchange->input, str_of(field->name), out_text))
        return true;
    if (!field->is_option)
        return false;
    struct str header = arena_printf(exchange->input->arena, "volley-%s", field->name);
    *out_text = str_trim(http_headers_get(&exchange->input->headers, header));
    return out_text->len > 0;
}

/* What the table does not have, and what cannot be read. */
static void check_query(const struct rest_exchange *exchange, const struct rest_object *object,
                        struct rest_faults *faults)
{
    struct arena *arena = exchange->input->arena;
    struct str rest = exchange->input->query;
    while (rest.len > 0) {
        struct str value = str_split(&rest, '&');
        struct str name = str_split(&value, '=');
        struct error error = ERROR_NONE;
        if (http_percent_decode(arena, name, true, &name, &error) != STATUS_OK ||
            http_percent_decode(arena, value, true, &value, &error) != STATUS_OK)
            rest_fault_add(faults, "query", -1, NULL, "value_error", "%s", error.message);
        else if (name.len > 0 && exchange->route->problem_json && !is_known(object, name))
            refuse_unknown(object, "query", -1, name, faults);
    }
}

static void read_query(const struct rest_exchange *exchange, const struct rest_object *object,
                       void *out, struct rest_faults *faults)
{
    check_query(exchange, object, faults);
    for (size_t i = 0; i < object->count; i++) {
        const struct rest_field *field = &object->fields[i];
        const struct place place = {faults, "query", -1, field, (char *)out + field->offset};
        struct str text;
        if (find_parameter(exchange, field, &text))
            take_from_text(&place, text);
        else
            take_absent(&place);
    }
}

/* --- the body ---------------------------------------------------------------------------------- */

/* curl -d sends the last two, or a client without care. */
static bool is_json_type(struct str type)
{
    return type.len == 0 || str_equal_nocase(type, STR("application/json")) ||
           str_ends_with(type, STR("+json")) || str_equal_nocase(type, STR("text/plain")) ||
           str_equal_nocase(type, STR("application/x-www-form-urlencoded"));
}

static enum status check_type(const struct rest_exchange *exchange, struct error *error)
{
    struct str value = http_headers_get(&exchange->input->headers, STR("content-type"));
    struct str type = str_trim(str_split(&value, ';'));
    if (is_json_type(type))
        return STATUS_OK;
    return error_set_code(error, STATUS_INVALID_ARGUMENT, "UNSUPPORTED_MEDIA_TYPE",
                          "content-type '%.*s' is not taken; send application/json",
                          (int)size_min(type.len, 128), type.ptr);
}

/* The JSON of the body, in *out_value; NULL when it is faulty, which is noted. */
static enum status parse_body(struct rest_exchange *exchange, const struct json_value **out_value,
                              struct rest_faults *faults, struct error *error)
{
    *out_value = NULL;
    TRY(check_type(exchange, error));
    struct str text = buf_str(&exchange->body);
    struct error fault = ERROR_NONE;
    if (str_trim(text).len == 0) {
        rest_fault_add(faults, "body", -1, NULL, "missing", "the request needs a JSON body");
    } else if (json_parse(text, REST_BODY_BYTES_MAX, &exchange->document, &fault) == STATUS_OK) {
        *out_value = json_root(exchange->document);
    } else if (fault.status == STATUS_RESOURCE_EXHAUSTED) {
        return error_set_code(error, STATUS_RESOURCE_EXHAUSTED, "PAYLOAD_TOO_LARGE", "%s",
                              fault.message);
    } else {
        rest_fault_add(faults, "body", -1, NULL, "json_invalid", "%s", fault.message);
    }
    return STATUS_OK;
}

enum status rest_request_read(struct rest_exchange *exchange, void *parameters, void *body,
                              struct error *error)
{
    const struct rest_route *route = exchange->route;
    struct rest_faults *faults = rest_exchange_faults(exchange);
    if (route->parameters)
        read_query(exchange, route->parameters, parameters, faults);
    if (route->body) {
        const struct json_value *value;
        TRY(parse_body(exchange, &value, faults, error));
        if (value)
            rest_object_read(route->body, value, -1, route->problem_json, body, faults);
    }
    return rest_faults_check(faults, error);
}

enum status rest_request_read_list(struct rest_exchange *exchange,
                                   const struct json_value **out_list, struct error *error)
{
    struct rest_faults *faults = rest_exchange_faults(exchange);
    TRY(parse_body(exchange, out_list, faults, error));
    size_t count = json_value_count(*out_list);
    size_t items_max = exchange->route->body->items_max;
    if (*out_list && !json_value_is_array(*out_list))
        rest_fault_add(faults, "body", -1, NULL, "list_type", "the body must be a list of objects");
    else if (*out_list && (count == 0 || count > items_max))
        rest_fault_add(faults, "body", -1, NULL, count == 0 ? "too_short" : "too_long",
                       "the list must have 1 to %zu members, not %zu", items_max, count);
    return rest_faults_check(faults, error);
}
