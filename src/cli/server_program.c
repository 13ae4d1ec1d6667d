/*
 * server_program.c — hands over to the program that serves.
 *
 * The engine's library alone takes longer to load than a command for a running server lasts, so that what
 * needs it is a program of its own. It lies beside this one, where both were built, or in the libexec folder
 * of the prefix, where they are installed. It takes the place of this process: signals, the process's number
 * and its descriptors stay what they were.
 *
 * Runs on: the main thread, which must be the only one. Owns: nothing.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "cli/server_program.h"

#include "base/arena.h"
#include "base/memory.h"

#include <errno.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>

static const char *const places[] = {"volley-server", "../libexec/volley-server"};

/* The folder of this program, with a slash at its end. */
static enum status find_folder(char folder[PATH_MAX], struct error *error)
{
    ssize_t length = readlink("/proc/self/exe", folder, PATH_MAX - 1);
    if (length <= 0)
        return error_set_errno(error, errno, "cannot find the folder of this program");
    folder[length] = '\0';
    char *slash = strrchr(folder, '/');
    slash[1] = '\0';
    return STATUS_OK;
}

static char **prepare_arguments(struct arena *arena, const char *command, char *const *arguments,
                                size_t count)
{
    char **all = ARENA_NEW_ARRAY(arena, char *, count + 3);
    all[0] = program_invocation_name; /* what the server tells people to type */
    all[1] = (char *)(uintptr_t)arena_copy(arena, str_of(command)).ptr;
    for (size_t i = 0; i < count; i++)
        all[2 + i] = arguments[i];
    all[2 + count] = NULL;
    return all;
}

static enum status become(const char *command, char *const *arguments, size_t count,
                          struct error *error)
{
    char folder[PATH_MAX];
    CLEANUP(arena_finish) struct arena arena;
    arena_init(&arena);
    TRY(find_folder(folder, error));
    char **all = prepare_arguments(&arena, command, arguments, count);
    for (size_t i = 0; i < ARRAY_COUNT(places); i++) {
        struct str path = arena_printf(&arena, "%s%s", folder, places[i]);
        (void)execv(path.ptr, all);
        if (errno != ENOENT)
            return error_set_errno(error, errno, "cannot start %s", path.ptr);
    }
    return error_set(error, STATUS_NOT_FOUND,
                     "cannot find volley-server, the program that serves: it belongs into %s or "
                     "%s../libexec",
                     folder, folder);
}

enum exit_code server_program_run(const char *command, char *const *arguments, size_t count)
{
    struct error error = ERROR_NONE;
    enum status status = become(command, arguments, count, &error);
    return status == STATUS_OK ? CLI_FINE : cli_fail(CLI_FAILED, &error);
}
