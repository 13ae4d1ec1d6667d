/*
 * docs.c — `volley docs FOLDER`: writes the man pages and the completion scripts as files, for the build.
 *
 * Runs on: the main thread. Owns: nothing beyond a call.
 * Not done here: what is in them (man_page.c, completion_*.c).
 * SPDX-License-Identifier: Apache-2.0
 */
#include "cli/command.h"
#include "cli/completion.h"
#include "cli/man_page.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define DOCUMENT_MAX ((size_t)1 << 20)
#define PATH_MAX_BYTES 4096

struct folder {
    const char *path;
    struct buf document;
};

/* Writes the document under a name and empties it. */
static enum status write_document(struct folder *folder, const char *name, struct error *error)
{
    CLEANUP(buf_finish) struct buf path;
    buf_init(&path, PATH_MAX_BYTES);
    buf_printf(&path, "%s/%s", folder->path, name);
    TRY(buf_check(&path, "the path", error));
    TRY(buf_check(&folder->document, name, error));
    FILE *file = fopen((const char *)path.ptr, "we");
    if (!file)
        return error_set(error, STATUS_INTERNAL, "cannot write %s: %s", (const char *)path.ptr,
                         strerror(errno));
    bool is_whole =
        fwrite(folder->document.ptr, 1, folder->document.len, file) == folder->document.len;
    is_whole = fclose(file) == 0 && is_whole;
    buf_clear(&folder->document);
    if (!is_whole)
        return error_set(error, STATUS_INTERNAL, "cannot write %s whole", (const char *)path.ptr);
    return STATUS_OK;
}

static enum status write_command_page(struct folder *folder, const struct command *command,
                                      struct error *error)
{
    CLEANUP(buf_finish) struct buf name;
    buf_init(&name, PATH_MAX_BYTES);
    buf_printf(&name, "volley-%s.1", command->name);
    man_page_write_command(command, &folder->document);
    return write_document(folder, (const char *)name.ptr, error);
}

static enum status write_all(struct folder *folder, struct error *error)
{
    man_page_write_program(&folder->document);
    TRY(write_document(folder, "volley.1", error));
    man_page_write_settings(&folder->document);
    TRY(write_document(folder, "volley.yaml.5", error));
    for (size_t i = 0; i < commands_count; i++) {
        if (commands_table[i].summary)
            TRY(write_command_page(folder, &commands_table[i], error));
    }
    for (size_t i = 0; i < completion_shell_count; i++) {
        completion_shells[i].write(&folder->document);
        TRY(write_document(folder, completion_shells[i].file, error));
    }
    return STATUS_OK;
}

enum exit_code cli_docs(char *const *arguments, size_t count)
{
    if (count != 1) {
        cli_complain("docs needs the FOLDER to write man pages and completion scripts to");
        return CLI_USAGE;
    }
    struct folder folder = {.path = arguments[0]};
    struct error error = ERROR_NONE;
    buf_init(&folder.document, DOCUMENT_MAX);
    enum status status = write_all(&folder, &error);
    buf_finish(&folder.document);
    return status == STATUS_OK ? CLI_FINE : cli_fail(CLI_FAILED, &error);
}
