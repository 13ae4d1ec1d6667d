/*
 * support.h — load settings from given sources on a machine of known size.
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include "base/memory.h"
#include "settings/machine.h"
#include "settings/settings.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#define WORDS_MAX 32

/* Sources as lists that end with NULL. */
struct sources {
    const char *flags[WORDS_MAX];
    const char *environment[WORDS_MAX];
    const char *dotenv; /* the file's text; NULL: no file */
};

static const struct machine test_machine = {
    .cores = 6,
    .memory_bytes = UINT64_C(8) << 30,
    .home = {"/home/ada", 9},
};

/* A temporary file with this text; the caller removes it. */
static inline void write_file(char path[32], const char *text, size_t size)
{
    (void)snprintf(path, 32, "/tmp/settings-XXXXXX");
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, size), (ssize_t)size);
    assert_int_equal(close(fd), 0);
}

static inline enum status try_load(struct sources sources, const struct settings **out_settings,
                                   struct error *error)
{
    size_t count = 0;
    while (sources.flags[count])
        count++;
    char path[32] = "/nonexistent/.env";
    if (sources.dotenv)
        write_file(path, sources.dotenv, strlen(sources.dotenv));
    struct settings_input input = {
        .arguments = (char *const *)sources.flags,
        .argument_count = count,
        .environment = (char *const *)sources.environment,
        .dotenv_path = path,
        .machine = &test_machine,
    };
    enum status status = settings_load(&input, out_settings, error);
    if (sources.dotenv)
        (void)unlink(path);
    return status;
}

/* Fails the test when loading fails. */
static inline const struct settings *load(struct sources sources)
{
    const struct settings *settings = NULL;
    struct error error = ERROR_NONE;
    if (try_load(sources, &settings, &error) != STATUS_OK)
        fail_msg("%s", error.message);
    return settings;
}

/* Fails the test unless loading is refused with a message that holds `part`. */
static inline void refuse(struct sources sources, const char *part)
{
    const struct settings *settings = NULL;
    struct error error = ERROR_NONE;
    enum status status = try_load(sources, &settings, &error);
    if (status == STATUS_OK)
        settings_destroy(settings);
    assert_int_equal(status, STATUS_INVALID_ARGUMENT);
    if (!strstr(error.message, part))
        fail_msg("'%s' does not hold '%s'", error.message, part);
}

#define assert_text(text, literal)                                                                 \
    do {                                                                                           \
        struct str text_ = (text);                                                                 \
        if (!str_equal(text_, STR(literal)))                                                       \
            fail_msg("'%.*s' is not '%s'", STR_ARGS(text_), literal);                              \
    } while (0)

struct find_entry {
    const char *name;
    char value[512];
    char origin[256];
};

static inline void find_entry(void *context, const struct settings_entry *entry)
{
    struct find_entry *find = (struct find_entry *)context;
    if (!str_equal(entry->name, str_of(find->name)))
        return;
    (void)snprintf(find->value, sizeof(find->value), "%.*s", STR_ARGS(entry->value));
    (void)snprintf(find->origin, sizeof(find->origin), "%.*s", STR_ARGS(entry->origin));
}

/* The setting's value and origin as people see them. */
static inline void assert_entry(const struct settings *settings, const char *name,
                                const char *value, const char *origin)
{
    struct find_entry find = {.name = name};
    settings_visit(settings, find_entry, &find);
    assert_string_equal(find.value, value);
    assert_string_equal(find.origin, origin);
}
