/*
 * load_table.h — rows into a table of a server: as Arrow by one ingest, or from a dataset by SQL.
 *
 * Threads: the client's. SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include "cli/load_options.h"
#include "proto/flight.h"

/* The mode that create-append comes to, by whether the table is there: a plain append and a plain create are
 * stored by several threads. Other modes as they are. */
enum load_mode load_table_mode(struct grpc_client *client, const struct load_options *options);
/* The descriptor of an ingest, in the arena. */
Flight__FlightDescriptor *load_table_descriptor(struct arena *arena,
                                                const struct load_options *options);
/* The rows that an ingest's answer tells. */
MUST_CHECK enum status load_table_ingested_rows(struct str answer, uint64_t *out_rows,
                                                struct error *error);
/* Takes the rows of `source` ("dataset.x") into the table. */
MUST_CHECK enum status load_table_from(struct grpc_client *client,
                                       const struct load_options *options, const char *source,
                                       struct error *error);
