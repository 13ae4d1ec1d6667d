/*
 * session_actions.c — SetSessionOptions, GetSessionOptions, CloseSession.
 *
 * Each option of a request is set by itself, in the order of the table, so that a schema is looked for in the
 * catalog that came with it; the answer has those that were not set. Telling and closing ask the engine
 * for nothing that could take long.
 *
 * Runs on: a worker. Owns: nothing. Leaves out: which options there are (option_table.c), what they mean.
 * Source: Flight.proto, "SetSessionOptionsRequest" and what follows. SPDX-License-Identifier: Apache-2.0
 */
#include "flight/flight_private.h"

#include "base/buf.h"
#include "base/memory.h"
#include "flight/option_table.h"

/* Options of one request: more than there are names for, as some clients send all that they know. */
#define REQUEST_OPTIONS_MAX 1000
#define VALUE_BYTES_MAX 1024

CLEANUP_FUNCTION(char *, free)

/* --- SetSessionOptions ---------------------------------------------------------------------------- */

/* A value as text, empty for none; false for one of no option's type. */
static bool value_text(struct arena *arena, const Flight__SessionOptionValue *value,
                       struct str *out_text)
{
    *out_text = STR_EMPTY;
    switch (value ? value->option_value_case : 0) {
    case FLIGHT__SESSION_OPTION_VALUE__OPTION_VALUE_STRING_VALUE:
        *out_text = str_trim(str_of(value->string_value));
        return out_text->len <= VALUE_BYTES_MAX;
    case FLIGHT__SESSION_OPTION_VALUE__OPTION_VALUE_BOOL_VALUE:
        *out_text = value->bool_value ? STR("on") : STR("off");
        return true;
    case FLIGHT__SESSION_OPTION_VALUE__OPTION_VALUE_INT64_VALUE:
        *out_text = arena_printf(arena, "%lld", (long long)value->int64_value);
        return true;
    case FLIGHT__SESSION_OPTION_VALUE__OPTION_VALUE_DOUBLE_VALUE:
        *out_text = arena_printf(arena, "%.17g", value->double_value);
        return true;
    case FLIGHT__SESSION_OPTION_VALUE__OPTION_VALUE_STRING_LIST_VALUE:
        return false;
    default:
        return true;
    }
}

static enum status set_option(struct flight_call *call, size_t option, struct str value,
                              struct error *error)
{
    if (option < ENGINE_SESSION_SETTING_COUNT)
        return engine_session_set(session_engine(call->session),
                                  (enum engine_session_setting)option, value, error);
    if (value.len > 0)
        TRY(option_check(option, value, error));
    session_set_option(call->session, option, value);
    return STATUS_OK;
}

struct assignment {
    const Flight__SetSessionOptionsRequest__SessionOptionsEntry *entry;
    size_t option;
    bool is_known;
};

struct set_result {
    Flight__SetSessionOptionsResult__ErrorsEntry **errors;
    size_t count;
    bool catalog_failed;
};

static void add_error(struct arena *arena, struct set_result *result, char *name, int value)
{
    Flight__SetSessionOptionsResult__ErrorsEntry *entry =
        ARENA_NEW(arena, Flight__SetSessionOptionsResult__ErrorsEntry);
    Flight__SetSessionOptionsResult__Error *code =
        ARENA_NEW(arena, Flight__SetSessionOptionsResult__Error);
    flight__set_session_options_result__error__init(code);
    flight__set_session_options_result__errors_entry__init(entry);
    code->value = (Flight__SetSessionOptionsResult__ErrorValue)value;
    entry->key = name;
    entry->value = code;
    result->errors[result->count++] = entry;
}

static int code_of(enum status status)
{
    bool is_value = status == STATUS_INVALID_ARGUMENT || status == STATUS_NOT_FOUND ||
                    status == STATUS_PERMISSION_DENIED;
    return is_value ? FLIGHT__SET_SESSION_OPTIONS_RESULT__ERROR_VALUE__INVALID_VALUE
                    : FLIGHT__SET_SESSION_OPTIONS_RESULT__ERROR_VALUE__ERROR;
}

static void assign(struct flight_call *call, struct arena *arena,
                   const struct assignment *assignment, struct set_result *result)
{
    struct str text;
    char *name = assignment->entry->key;
    struct error unsent = ERROR_NONE;
    if (!value_text(arena, assignment->entry->value, &text)) {
        add_error(arena, result, name,
                  FLIGHT__SET_SESSION_OPTIONS_RESULT__ERROR_VALUE__INVALID_VALUE);
        return;
    }
    if (assignment->option == SESSION_SCHEMA && result->catalog_failed) {
        add_error(arena, result, name, FLIGHT__SET_SESSION_OPTIONS_RESULT__ERROR_VALUE__ERROR);
        return;
    }
    enum status status = set_option(call, assignment->option, text, &unsent);
    if (status == STATUS_OK)
        return;
    result->catalog_failed = result->catalog_failed || assignment->option == SESSION_CATALOG;
    add_error(arena, result, name, code_of(status));
}

/* In the order of the table, which has the catalog before the schema. */
static void assign_all(struct flight_call *call, struct arena *arena,
                       const struct assignment *assignments, size_t count,
                       struct set_result *result)
{
    for (size_t option = 0; option < option_count(); option++)
        for (size_t i = 0; i < count; i++)
            if (assignments[i].is_known && assignments[i].option == option)
                assign(call, arena, &assignments[i], result);
    for (size_t i = 0; i < count; i++)
        if (!assignments[i].is_known)
            add_error(arena, result, assignments[i].entry->key,
                      FLIGHT__SET_SESSION_OPTIONS_RESULT__ERROR_VALUE__INVALID_NAME);
}

static enum status set_session_options(struct flight_call *call, struct slice body,
                                       struct slice *out_body, bool *out_has_body,
                                       struct error *error)
{
    CLEANUP(arena_finish) struct arena arena;
    arena_init(&arena);
    Flight__SetSessionOptionsRequest *request;
    TRY(proto_unpack(&arena, &flight__set_session_options_request__descriptor, body, &request,
                     error));
    size_t count = request->n_session_options;
    if (count > REQUEST_OPTIONS_MAX)
        return error_set(error, STATUS_INVALID_ARGUMENT,
                         "the request has %zu options; %d are the limit", count,
                         REQUEST_OPTIONS_MAX);
    struct assignment *assignments = ARENA_NEW_ARRAY(&arena, struct assignment, count + 1);
    struct set_result done = {
        .errors =
            ARENA_NEW_ARRAY(&arena, Flight__SetSessionOptionsResult__ErrorsEntry *, count + 1)};
    for (size_t i = 0; i < count; i++) {
        assignments[i].entry = request->session_options[i];
        assignments[i].is_known =
            option_find(str_of(request->session_options[i]->key), &assignments[i].option);
    }
    assign_all(call, &arena, assignments, count, &done);
    Flight__SetSessionOptionsResult result = FLIGHT__SET_SESSION_OPTIONS_RESULT__INIT;
    result.errors = done.errors;
    result.n_errors = done.count;
    *out_body = proto_pack(&result);
    *out_has_body = true;
    return STATUS_OK;
}

/* --- GetSessionOptions ---------------------------------------------------------------------------- */

static void add_value(struct arena *arena, Flight__GetSessionOptionsResult *result, size_t option,
                      struct str text)
{
    Flight__GetSessionOptionsResult__SessionOptionsEntry *entry =
        ARENA_NEW(arena, Flight__GetSessionOptionsResult__SessionOptionsEntry);
    Flight__SessionOptionValue *value = ARENA_NEW(arena, Flight__SessionOptionValue);
    flight__get_session_options_result__session_options_entry__init(entry);
    flight__session_option_value__init(value);
    if (option >= ENGINE_SESSION_SETTING_COUNT && str_to_i64(text, &value->int64_value)) {
        value->option_value_case = FLIGHT__SESSION_OPTION_VALUE__OPTION_VALUE_INT64_VALUE;
    } else {
        value->option_value_case = FLIGHT__SESSION_OPTION_VALUE__OPTION_VALUE_STRING_VALUE;
        value->string_value = (char *)arena_copy(arena, text).ptr;
    }
    entry->key = (char *)option_name(option);
    entry->value = value;
    result->session_options[result->n_session_options++] = entry;
}

static enum status get_session_options(struct flight_call *call, struct slice body,
                                       struct slice *out_body, bool *out_has_body,
                                       struct error *error)
{
    CLEANUP(arena_finish) struct arena arena;
    arena_init(&arena);
    Flight__GetSessionOptionsResult result = FLIGHT__GET_SESSION_OPTIONS_RESULT__INIT;
    result.session_options = ARENA_NEW_ARRAY(
        &arena, Flight__GetSessionOptionsResult__SessionOptionsEntry *, option_count());
    for (size_t i = 0; i < ENGINE_SESSION_SETTING_COUNT; i++) {
        CLEANUP(free)
        char *value =
            engine_session_value(session_engine(call->session), (enum engine_session_setting)i);
        add_value(&arena, &result, i, str_of(value));
    }
    for (size_t i = ENGINE_SESSION_SETTING_COUNT; i < option_count(); i++) {
        struct str value = option_set_value(call->options, i);
        if (value.len > 0)
            add_value(&arena, &result, i, value);
    }
    *out_body = proto_pack(&result);
    *out_has_body = true;
    return STATUS_OK;
}

/* --- CloseSession --------------------------------------------------------------------------------- */

static enum status close_session(struct flight_call *call, struct slice body,
                                 struct slice *out_body, bool *out_has_body, struct error *error)
{
    Flight__CloseSessionResult result = FLIGHT__CLOSE_SESSION_RESULT__INIT;
    bool has_ended = sessions_close(call->flight->options.sessions, call->session);
    if (http_headers_get(&call->call->metadata, STR("authorization")).len == 0)
        sessions_take_cookie_back(call->call);
    result.status = has_ended ? FLIGHT__CLOSE_SESSION_RESULT__STATUS__CLOSED
                              : FLIGHT__CLOSE_SESSION_RESULT__STATUS__CLOSING;
    *out_body = proto_pack(&result);
    *out_has_body = true;
    return STATUS_OK;
}

const struct flight_action flight_session_actions[] = {
    {.name = "SetSessionOptions",
     .description = "Sets options of the session; body: SetSessionOptionsRequest",
     .makes_state = true,
     .run = set_session_options},
    {.name = "GetSessionOptions",
     .description = "Tells the options of the session; body: GetSessionOptionsRequest",
     .run = get_session_options},
    {.name = "CloseSession",
     .description = "Ends the session, its transaction, temporary tables and bearer; body: "
                    "CloseSessionRequest",
     .run = close_session},
};
const size_t flight_session_action_count = ARRAY_COUNT(flight_session_actions);
