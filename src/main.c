/*
 * main.c — the program's entry: everything else is a command of cli.
 *
 * Runs on: the main thread. Owns: nothing.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "cli/command.h"

int main(int argc, char **argv)
{
    size_t count = argc > 0 ? (size_t)argc - 1 : 0;
    return (int)cli_run(argv + 1, count);
}
