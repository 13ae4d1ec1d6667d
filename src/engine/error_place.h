/*
 * error_place.h — where in a statement's text an error is: line and column, and the excerpt people see.
 * Threads: any; no state. SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include "base/buf.h"
#include "base/error.h"
#include "base/str.h"

/* What ends a message that has a place: an empty line, "LINE n: <excerpt>", and a caret below. */
#define ERROR_PLACE_MARK "\n\nLINE "
/* Appends the excerpt and the caret as the engine writes them, without the empty line. */
void error_place_append(struct buf *message, struct str sql, size_t position);
/* Sets line and column from the error's position in `sql`. */
void error_place_count(struct error *error, struct str sql);
/* Sets the position and makes the message end with its place; what stood behind `insertion` before gives
 * way. `insertion` (may be empty) is put between message and place. */
void error_place_set(struct error *error, struct str sql, size_t position, struct str insertion);
/* For an error of a text that is not the client's: places in it mean nothing. */
void error_place_hide(struct error *error);
/* Sets the name that was probably meant; one that is too long is left out. */
void error_nearest_set(struct error *error, struct str name);
/* Puts a text behind the message and before its place, if it has one. */
void error_place_insert(struct error *error, struct str insertion);
