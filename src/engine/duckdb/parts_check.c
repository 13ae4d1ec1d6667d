/*
 * parts_check.c — what the words of a statement show to be forbidden: COPY .. TO, settings that other
 * sessions would feel, changes to the server's own catalogs.
 *
 * Any thread; owns nothing. SPDX-License-Identifier: Apache-2.0
 */
#include <ctype.h>

#include "base/nearest.h"
#include "engine/duckdb/part_maker.h"
#include "engine/error_place.h"

/* Words looked at when the target of CREATE, DROP, ... is searched. */
#define TARGET_WORDS_MAX 24

/* Settings that are each session's own. */
static const char *const session_settings[] = {
    "timezone",
    "calendar",
    "schema",
    "search_path",
    "integer_division",
    "ieee_floating_point_ops",
    "scalar_subquery_error_on_multiple_rows",
    "order_by_non_integer_literal",
    "pivot_limit",
    "explain_output",
    NULL,
};

static enum status refuse(const struct part_maker *maker, const char *rule,
                          const struct sql_token *token, const char *what)
{
    if (gate_allows(maker->engine->allowed_rules, maker->engine->allowed_rule_count, rule))
        return STATUS_OK;
    error_set_code(maker->error, STATUS_PERMISSION_DENIED, "STATEMENT_NOT_ALLOWED",
                   "%s: rule '%s'; the setting allow-statements=%s would allow it", what, rule,
                   rule);
    if (maker->error)
        maker->error->position = (int64_t)token->offset;
    return STATUS_PERMISSION_DENIED;
}

static enum status check_copy(const struct part_maker *maker)
{
    size_t depth = 0;
    for (size_t i = 1; i < maker->token_count; i++) {
        const struct sql_token *token = token_at(maker, i);
        depth += token_is_symbol(token, '(');
        depth -= depth && token_is_symbol(token, ')');
        if (depth)
            continue;
        if (token_is_word(token, "to"))
            return refuse(maker, "copy-to", token, "COPY .. TO writes files of the server");
        if (!token_is_word(token, "from"))
            continue;
        const struct sql_token *source = token_at(maker, i + 1);
        if (token_is_word(source, "database"))
            return refuse(maker, "attach", source, "COPY FROM DATABASE is not allowed");
        if (source->kind != SQL_STRING)
            return refuse(maker, "copy-from", source,
                          "COPY .. FROM takes the path of a file, as a text in single quotes");
        return STATUS_OK;
    }
    return STATUS_OK;
}

bool setting_is_of_session(const struct sql_token *name)
{
    for (const char *const *setting = session_settings; *setting; setting++)
        if (token_is_name(name, *setting))
            return true;
    return false;
}

/* RESET x, SET x = DEFAULT. */
static bool is_reset(const struct part_maker *maker)
{
    const struct sql_token *last = token_at(maker, maker->token_count - 1);
    return token_is_word(token_at(maker, 0), "reset") || token_is_word(last, "default");
}

/* The session's setting that was probably meant. */
static void offer_setting(struct error *error, struct str name)
{
    char lower[64];
    if (name.len > sizeof(lower))
        return;
    for (size_t i = 0; i < name.len; i++)
        lower[i] = (char)tolower((unsigned char)name.ptr[i]);
    struct nearest nearest;
    nearest_init(&nearest, str_make(lower, name.len));
    for (const char *const *setting = session_settings; *setting; setting++)
        nearest_offer(&nearest, str_of(*setting));
    error_nearest_set(error, nearest.best);
}

/* SET and RESET: the setting's name, past SESSION, LOCAL and the like. */
static enum status check_setting(struct part_maker *maker)
{
    size_t index = 1;
    const struct sql_token *name = token_at(maker, index);
    if (token_is_word(name, "global"))
        return refuse(maker, "settings", name, "SET GLOBAL changes other sessions");
    if (token_is_word(name, "session") || token_is_word(name, "local"))
        name = token_at(maker, ++index);
    maker->part->makes_state = true;
    maker->part->sets_path = token_is_name(name, "schema") || token_is_name(name, "search_path");
    bool is_variable =
        token_is_word(name, "variable") && token_at(maker, index + 1)->kind == SQL_WORD;
    bool is_zone = token_is_word(name, "time") && token_is_word(token_at(maker, index + 1), "zone");
    maker->part->sets_zone = is_zone || token_is_name(name, "timezone");
    maker->part->resets_zone = maker->part->sets_zone && is_reset(maker);
    if (is_variable || is_zone || setting_is_of_session(name))
        return STATUS_OK;
    enum status status =
        refuse(maker, "settings", name,
               "this setting is not a session's own (those are TimeZone, Calendar, schema, "
               "search_path, integer_division, ieee_floating_point_ops, "
               "scalar_subquery_error_on_multiple_rows, order_by_non_integer_literal, "
               "pivot_limit, explain_output, and SET VARIABLE)");
    if (status != STATUS_OK && maker->error)
        offer_setting(maker->error, name->text);
    return status;
}

static bool text_names_catalog(const struct sql_token *token)
{
    struct str rest = token->text;
    struct str name = STR(CATALOG_NAME);
    for (; rest.len >= name.len; rest = str_slice(rest, 1, rest.len))
        if (str_starts_with_nocase(rest, name))
            return true;
    return false;
}

/* USE and SET search_path: not into the server's catalog. */
static enum status check_path(const struct part_maker *maker)
{
    for (size_t i = 1; i < maker->token_count; i++)
        if (text_names_catalog(token_at(maker, i)))
            return refuse(maker, "server-catalog", token_at(maker, i),
                          "catalog '" CATALOG_NAME "' belongs to the server");
    return STATUS_OK;
}

/* CREATE, DROP, ALTER, COMMENT, ...: what stands before the definition's body is its target. */
static enum status check_target(struct part_maker *maker)
{
    bool may_be_type =
        token_is_word(token_at(maker, 0), "drop") || token_is_word(token_at(maker, 0), "alter");
    if (token_is_word(token_at(maker, 1), "database"))
        return refuse(maker, "attach", token_at(maker, 1),
                      "databases are opened and named by the operator");
    for (size_t i = 1; i < maker->token_count && i < TARGET_WORDS_MAX; i++) {
        const struct sql_token *token = token_at(maker, i);
        if (token_is_symbol(token, '(') || token_is_word(token, "as") || token_is_word(token, "is"))
            break;
        if (token_is_word(token, "temp") || token_is_word(token, "temporary") ||
            token_is_name(token, "temp"))
            maker->part->makes_state = true;
        if (token_is_name(token, CATALOG_NAME) || token_is_name(token, SHARED_CATALOG_NAME))
            return refuse(maker, "server-catalog", token,
                          "catalog '" CATALOG_NAME "' belongs to the server");
        may_be_type = may_be_type || token_is_word(token, "type");
        if (may_be_type && token_is_name(token, ZONE_TYPE_NAME))
            return refuse(maker, "server-catalog", token, "type TIME_ZONE belongs to the server");
    }
    return STATUS_OK;
}

/* SAVEPOINT x, RELEASE x, ROLLBACK TO x. */
static bool is_savepoint(const struct part_maker *maker)
{
    static const char *const words[] = {"savepoint", "release", NULL};
    bool is_rollback = token_is_word(token_at(maker, 0), "rollback");
    return token_is_one_of(token_at(maker, 0), words) ||
           (is_rollback &&
            (token_is_word(token_at(maker, 1), "to") || token_is_word(token_at(maker, 2), "to")));
}

enum status part_check(struct part_maker *maker)
{
    const struct sql_token *first = token_at(maker, 0);
    struct part *part = maker->part;
    if (is_savepoint(maker)) {
        error_set_sqlstate(
            maker->error, "0A000",
            "there are no savepoints; a transaction is committed or rolled back as a "
            "whole");
        if (maker->error)
            maker->error->position = (int64_t)first->offset;
        return STATUS_UNIMPLEMENTED;
    }
    if (token_is_word(first, "copy"))
        return check_copy(maker);
    if (token_is_word(first, "use")) {
        part->makes_state = true;
        part->sets_path = true;
        return check_path(maker);
    }
    if (token_is_word(first, "set") || token_is_word(first, "reset")) {
        TRY(check_setting(maker));
        return part->sets_path ? check_path(maker) : STATUS_OK;
    }
    if (token_is_word(first, "pragma"))
        return STATUS_OK;
    return part_class_of_word(first) == PART_DEFINITION ? check_target(maker) : STATUS_OK;
}
