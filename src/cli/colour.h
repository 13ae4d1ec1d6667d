/*
 * colour.h — whether a terminal is to show colours.
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include <stdbool.h>

/* Marks of text in a terminal that has colours; each ends with COLOUR_END. */
#define COLOUR_ERROR "\x1b[1;31m"
#define COLOUR_HEAD "\x1b[1m"
#define COLOUR_FAINT "\x1b[2m"
#define COLOUR_END "\x1b[0m"

/* A terminal that is not dumb, and nobody said NO_COLOR. */
bool colour_is_on(int fd);
