/*
 * colour.c — colours are for terminals, and for those who want them.
 *
 * Runs on: any thread. Owns: nothing. Source: no-color.org. SPDX-License-Identifier: Apache-2.0
 */
#include "cli/colour.h"

#include "base/str.h"

#include <stdlib.h>
#include <unistd.h>

bool colour_is_on(int fd)
{
    const char *forbidden = getenv("NO_COLOR");
    const char *terminal = getenv("TERM");
    return isatty(fd) && !(forbidden && *forbidden) && terminal &&
           !str_equal(str_of(terminal), STR("dumb"));
}
