/*
 * standard_output.c — what every command with a result does around it.
 *
 * Runs on: the main thread. Owns: the output while `write` runs. SPDX-License-Identifier: Apache-2.0
 */
#include "cli/standard_output.h"

#include "cli/layout.h"
#include "cli/result.h"

#include <signal.h>
#include <unistd.h>

bool standard_output_takes(unsigned format)
{
    if (!result_format_at(format)->binary || !isatty(STDOUT_FILENO))
        return true;
    cli_complain("--format %s is not for a terminal; redirect it to a file",
                 result_format_names[format]);
    return false;
}

enum exit_code standard_output_write(unsigned format,
                                     enum exit_code (*write)(const void *context,
                                                             struct output *output),
                                     const void *context)
{
    if (!standard_output_takes(format))
        return CLI_USAGE;
    layout_prepare();
    (void)signal(SIGPIPE, SIG_IGN);
    struct output output;
    output_init(&output, STDOUT_FILENO);
    enum exit_code code = write(context, &output);
    output_finish(&output);
    layout_finish();
    return code;
}
