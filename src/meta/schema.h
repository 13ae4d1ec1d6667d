/*
 * schema.h — the tables of the registry and their versions. SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include "meta/connection.h"

/* The version that this program writes. */
extern const unsigned schema_version;

/* Brings the file to version `to`; an empty one gets everything. FAILED_PRECONDITION when it is newer or
 * another program's. */
MUST_CHECK enum status schema_prepare(struct connection *connection, unsigned to,
                                      struct error *error);
