/*
 * error_codes.h — the one table of errors: code, status, HTTP status and SQLSTATE.
 *
 * Every door writes errors from it: gRPC its trailers, HTTP its bodies. Threads: any; a constant.
 * Source: ISO/IEC 9075-2 SQLSTATE classes, with the subclasses that PostgreSQL's drivers know.
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include "base/error.h"

struct error_code {
    const char *name; /* what a program compares: "TABLE_NOT_FOUND" */
    enum status status;
    unsigned http_status;
    const char *sqlstate; /* five letters; NULL where SQL has no say */
};

/* Never NULL. The row with the error's SQLSTATE and code; else the first with its code and status, with its
 * code, with its status. */
const struct error_code *error_code_of(const struct error *error);
/* The first row with that SQLSTATE, which must be in the table. */
const struct error_code *error_code_of_sqlstate(const char *sqlstate);
/* All rows. */
const struct error_code *error_codes(size_t *out_count);

/* The code, never NULL, and the SQLSTATE, NULL for none: the error's own or the table's. */
const char *error_code_name(const struct error *error);
const char *error_sqlstate(const struct error *error);
