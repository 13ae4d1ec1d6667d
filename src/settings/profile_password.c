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
#include "base/program.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

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

static enum status read_output(struct arena *arena, const char *command, int *out_code,
                               struct str *out_password, struct error *error)
{
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0)
        return error_set_errno(error, errno, "password-command");
    int pid = program_start(command, -1, ends[1]);
    (void)close(ends[1]);
    FILE *file = fdopen(ends[0], "re");
    if (pid == 0 || !file) {
        (void)error_set_errno(error, errno, "password-command");
        (void)(file ? fclose(file) : close(ends[0]));
        *out_code = pid > 0 ? program_wait(pid) : 0;
        return error->status;
    }
    enum status status = read_line(file, arena, out_password, error);
    (void)fclose(file);
    *out_code = program_wait(pid);
    return status;
}

static enum status run_command(struct arena *arena, const struct profile *profile,
                               struct str *out_password, struct error *error)
{
    struct error failure = ERROR_NONE;
    int code = 0;
    enum status status =
        read_output(arena, profile->password_command.ptr, &code, out_password, &failure);
    if (code != 0)
        return error_set(error, STATUS_INVALID_ARGUMENT,
                         "the password-command of '%.*s' ended with code %d",
                         STR_ARGS(profile->name), code);
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
