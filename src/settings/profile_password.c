/*
 * profile_password.c — a profile's password, from its file or by its command.
 *
 * The command is one of the shell, with the terminal as it is, so that it may ask. A password is one line.
 *
 * Runs on: the main thread of a client, before Ctrl-C is watched. Owns: the file or pipe while it reads.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "settings/profiles.h"

#include "base/memory.h"

#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/wait.h>

#define PASSWORD_BYTES_MAX 1024

/* The first line, and everything behind it is read, so that who writes it is not disturbed. */
static enum status read_line(FILE *stream, struct arena *arena, struct str *out_line,
                             struct error *error)
{
    char bytes[PASSWORD_BYTES_MAX + 2];
    size_t size = fread(bytes, 1, sizeof(bytes) - 1, stream);
    for (char rest[PASSWORD_BYTES_MAX]; fread(rest, 1, sizeof(rest), stream) > 0;)
        continue;
    struct str text = str_make(bytes, size);
    struct str line = str_split(&text, '\n');
    if (line.len > 0 && line.ptr[line.len - 1] == '\r')
        line.len--;
    if (ferror(stream))
        return error_set_errno(error, errno, "cannot be read");
    if (line.len == 0)
        return error_set(error, STATUS_INVALID_ARGUMENT, "the first line is empty");
    if (line.len > PASSWORD_BYTES_MAX)
        return error_set(error, STATUS_INVALID_ARGUMENT, "the first line is longer than %d bytes",
                         PASSWORD_BYTES_MAX);
    *out_line = arena_copy(arena, line);
    return STATUS_OK;
}

static enum status prefix(struct str what, struct error *error)
{
    struct error plain = *error;
    return error_set(error, plain.status, "%.*s: %s", STR_ARGS(what), plain.message);
}

static enum status read_open_file(FILE *file, struct arena *arena, struct str path,
                                  struct str *out_password, struct error *error)
{
    struct stat facts;
    if (fstat(fileno(file), &facts) != 0)
        return error_set_errno(error, errno, "%.*s", STR_ARGS(path));
    if (S_ISREG(facts.st_mode) && (facts.st_mode & (S_IRWXG | S_IRWXO)) != 0)
        return error_set(error, STATUS_PERMISSION_DENIED,
                         "others may read the password in %.*s; chmod 600 it", STR_ARGS(path));
    return read_line(file, arena, out_password, error) == STATUS_OK ? STATUS_OK
                                                                    : prefix(path, error);
}

static enum status read_file(struct arena *arena, struct str path, struct str *out_password,
                             struct error *error)
{
    FILE *file = fopen(path.ptr, "re");
    if (!file)
        return error_set_errno(error, errno, "password-file %.*s", STR_ARGS(path));
    enum status status = read_open_file(file, arena, path, out_password, error);
    (void)fclose(file);
    return status;
}

static enum status run_command(struct arena *arena, const struct profile *profile,
                               struct str *out_password, struct error *error)
{
    FILE *pipe = popen(profile->password_command.ptr, "re");
    if (!pipe)
        return error_set_errno(error, errno, "password-command");
    struct error failure = ERROR_NONE;
    enum status status = read_line(pipe, arena, out_password, &failure);
    int code = pclose(pipe);
    if (code != 0)
        return error_set(error, STATUS_INVALID_ARGUMENT,
                         "the password-command of '%.*s' ended with %s %d", STR_ARGS(profile->name),
                         WIFSIGNALED(code) ? "signal" : "code",
                         WIFSIGNALED(code) ? WTERMSIG(code) : WEXITSTATUS(code));
    if (status == STATUS_OK)
        return STATUS_OK;
    (void)error_copy(error, &failure);
    return prefix(STR("password-command"), error);
}

enum status profile_password(struct arena *arena, const struct profile *profile,
                             struct str *out_password, struct error *error)
{
    *out_password = STR_EMPTY;
    if (profile->password_file.len > 0)
        return read_file(arena, profile->password_file, out_password, error);
    if (profile->password_command.len > 0)
        return run_command(arena, profile, out_password, error);
    return STATUS_OK;
}
