/*
 * listing.c — what the commands about the catalog share: filters as SQL, and the statement.
 * Runs on a worker. SPDX-License-Identifier: Apache-2.0
 */
#include "flight_sql/listing.h"

#include <string.h>

void listing_append_text(struct buf *sql, struct str text)
{
    buf_append_byte(sql, '\'');
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] == '\'')
            buf_append_byte(sql, '\'');
        buf_append_byte(sql, (uint8_t)text.ptr[i]);
    }
    buf_append_byte(sql, '\'');
}

void listing_append_name(struct buf *sql, const char *column, struct listing_filter filter)
{
    if (!filter.is_present)
        return;
    buf_printf(sql, " AND lower(%s) = lower(", column);
    listing_append_text(sql, filter.text);
    buf_append_text(sql, ")");
}

void listing_append_pattern(struct buf *sql, const char *column, struct listing_filter filter)
{
    if (!filter.is_present)
        return;
    buf_printf(sql, " AND %s ILIKE ", column);
    listing_append_text(sql, filter.text);
    buf_append_text(sql, " ESCAPE '\\'");
}

enum status listing_prepare(struct flight_call *call, const struct buf *sql,
                            uint64_t required_columns, struct query **out_query,
                            struct error *error)
{
    TRY(buf_check(sql, "the filters", error));
    struct engine_result_options wanted;
    TRY(flight_result_options(call, &wanted, error));
    /* The specification gives these schemas: what else a client may wish is not for them. */
    struct engine_result_options options = {.message_bytes_max = wanted.message_bytes_max,
                                            .required_columns = required_columns};
    struct session *session = flight_call_session(call);
    CLEANUP(engine_statement_destroy) struct engine_statement *statement = NULL;
    TRY(engine_prepare(session_engine(session), buf_str(sql), &options, &statement, error));
    TRY(flight_prepare(call, buf_str(sql), statement, out_query, error));
    statement = NULL;
    return STATUS_OK;
}

static struct listing_filter filter_of(const void *command, const struct listing_column *column)
{
    const char *start = command;
    int presence = 1;
    if (column->is_optional)
        memcpy(&presence, start + column->presence_offset, sizeof(presence));
    if (presence == 0)
        return (struct listing_filter){.is_present = false};
    const char *text;
    memcpy(&text, start + column->value_offset, sizeof(text));
    return (struct listing_filter){.is_present = true, .text = str_of(text)};
}

enum status listing_plan(struct flight_call *call, const struct listing *listing,
                         struct slice value, struct flight_plan *out_plan, struct error *error)
{
    CLEANUP(arena_finish) struct arena arena;
    arena_init(&arena);
    void *command;
    TRY(proto_unpack(&arena, listing->descriptor, value, &command, error));
    CLEANUP(buf_finish) struct buf sql;
    buf_init(&sql, LISTING_SQL_BYTES_MAX);
    buf_append_text(&sql, listing->sql);
    for (size_t i = 0; i < LISTING_COLUMNS_MAX && listing->columns[i].name; i++)
        listing_append_name(&sql, listing->columns[i].name,
                            filter_of(command, &listing->columns[i]));
    buf_printf(&sql, " ORDER BY %s", listing->order);
    return listing_prepare(call, &sql, listing->required_columns, &out_plan->query, error);
}
