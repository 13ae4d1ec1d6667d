/*
 * flight_sql.h — the generated messages of Arrow Flight SQL.
 *
 * An optional field F is a union of one beside `F_presence_case`: text is NULL when absent; to write
 * it, set both the field and its case (the field's number).
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include "proto/proto.h"

#include "flight_sql.pb-c.h"
