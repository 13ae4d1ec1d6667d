/*
 * flight_sql.h — Flight SQL as tables for flight: commands by type name, actions by name.
 *
 * One file per command family. Functions run on workers. Source: format/FlightSql.proto of apache/arrow.
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include "flight/flight.h"
#include "proto/proto.h"

extern const struct flight_command_table flight_sql_commands;
extern const struct flight_action_table flight_sql_actions;

/* query.c */
enum status flight_sql_plan_query(struct flight_call *call, struct slice value,
                                  struct flight_plan *out_plan, struct error *error);
/* update.c */
enum status flight_sql_put_update(struct flight_call *call, struct slice value,
                                  struct query **out_query, struct error *error);
/* prepared.c */
enum status flight_sql_plan_prepared(struct flight_call *call, struct slice value,
                                     struct flight_plan *out_plan, struct error *error);
enum status flight_sql_put_prepared(struct flight_call *call, struct slice value,
                                    struct query **out_query, struct error *error);
/* Runs what a handle stands for with `rows` (NULL: none) for its parameters. */
enum status flight_sql_execute_prepared(struct flight_call *call, struct prepared_use *use,
                                        const struct parameter_rows *rows, struct query **out_query,
                                        struct error *error);
enum status flight_sql_create_prepared(struct flight_call *call, struct slice body,
                                       struct slice *out_body, bool *out_has_body,
                                       struct error *error);
enum status flight_sql_close_prepared(struct flight_call *call, struct slice body,
                                      struct slice *out_body, bool *out_has_body,
                                      struct error *error);
/* ingest.c */
enum status flight_sql_put_ingest(struct flight_call *call, struct slice value,
                                  const struct arrow_schema *schema, struct str input_id,
                                  struct query **out_query, struct error *error);
/* prepared_rows.c */
enum status flight_sql_bind_prepared(struct flight_call *call, struct slice value,
                                     struct parameter_rows *rows, struct query **out_query,
                                     struct slice *out_metadata, struct error *error);
enum status flight_sql_put_prepared_rows(struct flight_call *call, struct slice value,
                                         struct parameter_rows *rows, struct query **out_query,
                                         struct slice *out_metadata, struct error *error);
enum status flight_sql_streams_prepared(struct flight_call *call, struct slice value,
                                        const struct arrow_schema *schema, bool *out_streams,
                                        struct error *error);
enum status flight_sql_stream_prepared(struct flight_call *call, struct slice value,
                                       const struct arrow_schema *schema, struct str input_id,
                                       struct query **out_query, struct error *error);
/* sql_info.c */
enum status flight_sql_plan_sql_info(struct flight_call *call, struct slice value,
                                     struct flight_plan *out_plan, struct error *error);
enum status flight_sql_fetch_sql_info(struct flight_call *call, struct slice value,
                                      struct arrow_batch **out_batch, struct error *error);

/* tables.c */
enum status flight_sql_plan_catalogs(struct flight_call *call, struct slice value,
                                     struct flight_plan *out_plan, struct error *error);
enum status flight_sql_plan_schemas(struct flight_call *call, struct slice value,
                                    struct flight_plan *out_plan, struct error *error);
enum status flight_sql_plan_tables(struct flight_call *call, struct slice value,
                                   struct flight_plan *out_plan, struct error *error);
enum status flight_sql_fetch_tables(struct flight_call *call, struct slice value,
                                    struct arrow_batch **out_batch, struct error *error);
enum status flight_sql_plan_table_types(struct flight_call *call, struct slice value,
                                        struct flight_plan *out_plan, struct error *error);
/* keys.c */
enum status flight_sql_plan_primary_keys(struct flight_call *call, struct slice value,
                                         struct flight_plan *out_plan, struct error *error);
enum status flight_sql_plan_exported_keys(struct flight_call *call, struct slice value,
                                          struct flight_plan *out_plan, struct error *error);
enum status flight_sql_plan_imported_keys(struct flight_call *call, struct slice value,
                                          struct flight_plan *out_plan, struct error *error);
enum status flight_sql_plan_cross_reference(struct flight_call *call, struct slice value,
                                            struct flight_plan *out_plan, struct error *error);
/* type_info.c */
enum status flight_sql_plan_type_info(struct flight_call *call, struct slice value,
                                      struct flight_plan *out_plan, struct error *error);

/* transactions.c */
enum status flight_sql_begin_transaction(struct flight_call *call, struct slice body,
                                         struct query **out_query, struct error *error);
enum status flight_sql_name_transaction(struct flight_call *call, struct slice *out_body,
                                        bool *out_has_body, struct error *error);
enum status flight_sql_end_transaction(struct flight_call *call, struct slice body,
                                       struct query **out_query, struct error *error);
enum status flight_sql_forget_transaction(struct flight_call *call, struct slice *out_body,
                                          bool *out_has_body, struct error *error);
enum status flight_sql_refuse_savepoint(struct flight_call *call, struct slice body,
                                        struct slice *out_body, bool *out_has_body,
                                        struct error *error);
enum status flight_sql_refuse_substrait(struct flight_call *call, struct slice body,
                                        struct slice *out_body, bool *out_has_body,
                                        struct error *error);
/* The transaction id of a command, where there is one, must be that of the session's transaction. */
enum status flight_sql_check_transaction(struct flight_call *call, bool present,
                                         ProtobufCBinaryData id, struct error *error);
/* cancel.c */
enum status flight_sql_cancel_query(struct flight_call *call, struct slice body,
                                    struct slice *out_body, bool *out_has_body,
                                    struct error *error);
