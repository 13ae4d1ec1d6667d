/*
 * put_options.h — what `volley put` was asked for.
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include "base/arena.h"
#include "cli/input.h"
#include "cli/options.h"

/* "upsert", "create", "append", "replace". */
enum put_mode { PUT_UPSERT, PUT_CREATE, PUT_APPEND, PUT_REPLACE };
extern const char *const put_mode_names[];
extern const char *const put_durability_names[];

struct put_options {
    struct server_options server;
    const char *const *files; /* "-": standard input */
    size_t file_count;
    struct str name; /* empty: the server chooses an id */
    enum put_mode mode;
    struct str ttl;        /* empty: the server's */
    struct str durability; /* the same */
    enum input_format format;
    bool is_unfinished;
    uint64_t retries;
    bool quiet;
};

/* For `--format`: a choice, and what it means. */
extern const char *const put_format_names[];
#define PUT_FORMAT_NOT_GIVEN 8
enum input_format put_format_of_choice(unsigned choice);
/* Whether a word where a name belongs is a file that is there: "report.parquet". */
bool put_word_is_file(const char *word);
bool put_reads_standard_input_once(const char *const *files, size_t count);

/* Reads the arguments. INVALID_ARGUMENT telling what would be right. */
MUST_CHECK enum status put_options_read(struct put_options *options, struct arena *arena,
                                        char *const *arguments, size_t count, struct error *error);
