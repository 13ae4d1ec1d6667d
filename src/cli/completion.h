/*
 * completion.h — scripts that have bash, zsh and fish complete commands, flags and values.
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include "base/buf.h"

void completion_write_bash(struct buf *out);
void completion_write_zsh(struct buf *out);
void completion_write_fish(struct buf *out);

/* `volley completion SHELL` for these. */
struct completion_shell {
    const char *name;
    const char *file; /* by which the shell finds it */
    void (*write)(struct buf *out);
};
extern const struct completion_shell completion_shells[];
extern const size_t completion_shell_count;
