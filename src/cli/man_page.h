/*
 * man_page.h — the manual: volley(1), a page for each command, volley.yaml(5).
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include "base/buf.h"
#include "cli/commands.h"

void man_page_write_program(struct buf *out);
void man_page_write_command(const struct command *command, struct buf *out);
void man_page_write_settings(struct buf *out);
