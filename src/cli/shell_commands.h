/*
 * shell_commands.h — what a command of the shell runs: the functions behind the table of shell_commands.c.
 *
 * Each gets the rest of its line. INVALID_ARGUMENT for one it does not take.
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include "cli/shell.h"

/* shell_settings.c */
enum status shell_run_timing(struct shell *shell, struct str argument, struct error *error);
enum status shell_run_expanded(struct shell *shell, struct str argument, struct error *error);
enum status shell_run_types(struct shell *shell, struct str argument, struct error *error);
enum status shell_run_pager(struct shell *shell, struct str argument, struct error *error);
enum status shell_run_limit(struct shell *shell, struct str argument, struct error *error);
enum status shell_run_format(struct shell *shell, struct str argument, struct error *error);
enum status shell_run_output(struct shell *shell, struct str argument, struct error *error);
enum status shell_run_read(struct shell *shell, struct str argument, struct error *error);
enum status shell_run_load(struct shell *shell, struct str argument, struct error *error);
enum status shell_run_set(struct shell *shell, struct str argument, struct error *error);
enum status shell_run_unset(struct shell *shell, struct str argument, struct error *error);
enum status shell_run_echo(struct shell *shell, struct str argument, struct error *error);

/* shell_statement.c */
enum status shell_run_go(struct shell *shell, struct str argument, struct error *error);
enum status shell_run_go_expanded(struct shell *shell, struct str argument, struct error *error);
enum status shell_run_reset(struct shell *shell, struct str argument, struct error *error);
enum status shell_run_print(struct shell *shell, struct str argument, struct error *error);
enum status shell_run_watch(struct shell *shell, struct str argument, struct error *error);
enum status shell_run_shell(struct shell *shell, struct str argument, struct error *error);
enum status shell_run_edit(struct shell *shell, struct str argument, struct error *error);
