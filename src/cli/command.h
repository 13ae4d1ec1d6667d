/*
 * command.h — running a command: what each of them is given and how it ends.
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include <stddef.h>

#include "base/error.h"

/* How a command ends. */
enum exit_code {
    CLI_FINE = 0,
    CLI_FAILED = 1,
    CLI_USAGE = 2,       /* wrong usage or setting */
    CLI_UNREACHABLE = 3, /* cannot bind or reach */
    CLI_STATEMENT = 4,   /* the statement failed */
    CLI_INTERRUPTED = 130,
};

/* Runs the program: the arguments after its name. */
enum exit_code cli_run(char *const *arguments, size_t count);

/* The commands, by their files. */
enum exit_code cli_serve(char *const *arguments, size_t count);
enum exit_code cli_sql(char *const *arguments, size_t count);
enum exit_code cli_bench(char *const *arguments, size_t count);
enum exit_code cli_put(char *const *arguments, size_t count);
enum exit_code cli_load(char *const *arguments, size_t count);
enum exit_code cli_get(char *const *arguments, size_t count);
enum exit_code cli_list(char *const *arguments, size_t count);
enum exit_code cli_drop(char *const *arguments, size_t count);
enum exit_code cli_status(char *const *arguments, size_t count);
enum exit_code cli_top(char *const *arguments, size_t count);
enum exit_code cli_job(char *const *arguments, size_t count);
enum exit_code cli_kill(char *const *arguments, size_t count);
enum exit_code cli_config(char *const *arguments, size_t count);
enum exit_code cli_completion(char *const *arguments, size_t count);
enum exit_code cli_docs(char *const *arguments, size_t count);
enum exit_code cli_version(char *const *arguments, size_t count);

/* One line on standard error: "volley: <message>". */
void cli_complain(const char *format, ...) PRINTF_LIKE(1, 2);
/* The same with the error's message; returns `code`. */
enum exit_code cli_fail(enum exit_code code, const struct error *error);
/* The code of a server that was not reached, or whose address or certificates were wrongly given. */
enum exit_code cli_connect_exit(const struct error *error);
