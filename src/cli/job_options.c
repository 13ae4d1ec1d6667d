/*
 * job_options.c — the words of `volley job`, their flags and how many arguments each takes.
 *
 * Runs on: the main thread. Owns: nothing; texts are the command line's. SPDX-License-Identifier: Apache-2.0
 */
#include "cli/job_options.h"

#include "base/memory.h"
#include "cli/command.h"
#include "cli/job_call.h"
#include "cli/result.h"

#define TAGS_MAX 64
#define JOBS_MAX 1000
#define LISTED_DEFAULT 20
#define FLAGS_MAX 16
#define DAY_MS (UINT64_C(24) * 3600 * 1000)

const char *const job_cache_names[] = {"use", "refresh", "bypass", NULL};
const char *const job_state_names[] = {"any",    "queued",    "running", "succeeded",
                                       "failed", "cancelled", "expired", NULL};

struct word_facts {
    const char *name;
    const char *needs; /* arguments, in words; NULL: none */
    bool takes_several;
    bool prints_rows; /* in a format */
};

static const struct word_facts words[JOB_WORD_COUNT] = {
    [JOB_SUBMIT] = {"submit", "one SQL statement", false, false},
    [JOB_STATUS] = {"status", "the ID of a job", true, true},
    [JOB_WAIT] = {"wait", "the ID of a job", true, false},
    [JOB_RESULT] = {"result", "the ID of one job", false, true},
    [JOB_CANCEL] = {"cancel", "the ID of a job", true, false},
    [JOB_LIST] = {"list", NULL, false, true},
    [JOB_HISTORY] = {"history", NULL, false, true},
};

bool job_word_prints_rows(enum job_word word)
{
    return words[word].prints_rows;
}

static bool find_word(const char *name, enum job_word *out_word)
{
    for (unsigned i = 0; i < JOB_WORD_COUNT; i++) {
        if (strcmp(words[i].name, name) == 0) {
            *out_word = (enum job_word)i;
            return true;
        }
    }
    return false;
}

static bool check_arguments(const struct job_options *options)
{
    const struct word_facts *word = &words[options->word];
    size_t count = options->rest.count;
    bool fits = word->needs ? count == 1 || (count > 1 && word->takes_several) : count == 0;
    if (!fits) {
        cli_complain("job %s needs %s", word->name, word->needs ? word->needs : "no argument");
        return false;
    }
    for (size_t i = 0; i < count && options->word != JOB_SUBMIT; i++) {
        if (!job_is_id(str_of(options->rest.items[i]))) {
            cli_complain("'%s' is no ID of a job; volley job list shows them",
                         options->rest.items[i]);
            return false;
        }
    }
    return true;
}

/* The flags of the word; *out_count of them go into `table`. */
static void add_flags(struct job_options *options, struct option *table, size_t *count)
{
    const struct option submit_flags[] = {
        {.name = "priority",
         .kind = OPTION_NUMBER,
         .target = &options->priority,
         .min = 1,
         .max = 5},
        {.name = "slots", .kind = OPTION_NUMBER, .target = &options->slots, .min = 1, .max = 1000},
        {.name = "run-timeout",
         .kind = OPTION_DURATION,
         .target = &options->timeout_ms,
         .min = 1,
         .max = 30 * DAY_MS},
        {.name = "result-cache",
         .kind = OPTION_CHOICE,
         .target = &options->cache,
         .choices = job_cache_names},
        {.name = "engine", .kind = OPTION_TEXT, .target = &options->engine},
        {.name = "add-tag", .kind = OPTION_LIST, .target = &options->tags},
        {.name = "key", .kind = OPTION_TEXT, .target = &options->key},
        {.name = "wait", .kind = OPTION_SWITCH, .target = &options->waits},
    };
    const struct option wait_flags[] = {
        {.name = "timeout",
         .kind = OPTION_DURATION,
         .target = &options->wait_ms,
         .min = 1,
         .max = 30 * DAY_MS},
    };
    const struct option list_flags[] = {
        {.name = "state",
         .kind = OPTION_CHOICE,
         .target = &options->state,
         .choices = job_state_names},
        {.name = "tag", .kind = OPTION_TEXT, .target = &options->tag},
        {.name = "limit",
         .letter = "n",
         .kind = OPTION_NUMBER,
         .target = &options->limit,
         .min = 1,
         .max = JOBS_MAX},
    };
    const struct option format = {.name = "format",
                                  .letter = "f",
                                  .kind = OPTION_CHOICE,
                                  .target = &options->format,
                                  .choices = result_format_names};
    const struct option *flags = options->word == JOB_SUBMIT ? submit_flags
                                 : options->word == JOB_WAIT ? wait_flags
                                                             : list_flags;
    size_t flag_count = options->word == JOB_SUBMIT ? ARRAY_COUNT(submit_flags)
                        : options->word == JOB_WAIT ? ARRAY_COUNT(wait_flags)
                        : options->word >= JOB_LIST ? ARRAY_COUNT(list_flags)
                                                    : 0;
    for (size_t i = 0; i < flag_count; i++)
        table[(*count)++] = flags[i];
    if (job_word_prints_rows(options->word))
        table[(*count)++] = format;
}

bool job_options_read(struct job_options *options, char *const *arguments, size_t count,
                      struct arena *arena)
{
    *options = (struct job_options){.priority = 1, .slots = 1, .limit = LISTED_DEFAULT};
    if (count == 0 || !find_word(arguments[0], &options->word)) {
        cli_complain("job needs one of the words submit, status, wait, result, cancel, list, "
                     "history");
        return false;
    }
    const struct option server_flags[] = {SERVER_OPTIONS(&options->server, arena)};
    struct option table[FLAGS_MAX];
    memcpy(table, server_flags, sizeof(server_flags));
    size_t table_count = ARRAY_COUNT(server_flags);
    options->tags.items = ARENA_NEW_ARRAY(arena, const char *, TAGS_MAX);
    options->tags.capacity = TAGS_MAX;
    options->rest.items = ARENA_NEW_ARRAY(arena, const char *, count);
    options->rest.capacity = count;
    add_flags(options, table, &table_count);
    struct error error = ERROR_NONE;
    if (options_read(table, table_count, arguments + 1, count - 1, &options->rest, &error) !=
        STATUS_OK) {
        (void)cli_fail(CLI_USAGE, &error);
        return false;
    }
    return check_arguments(options);
}
