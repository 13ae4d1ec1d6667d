/*
 * completion.c — `volley completion`: the script of a shell, for those who install by hand; and the names of
 * servers, which the scripts ask for.
 *
 * Runs on: the main thread. Owns: nothing beyond a call.
 * Not done here: the scripts (completion_bash.c, completion_zsh.c, completion_fish.c).
 * SPDX-License-Identifier: Apache-2.0
 */
#include "cli/completion.h"
#include "cli/command.h"

#include "base/memory.h"
#include "settings/profiles.h"

#include <ctype.h>
#include <stdio.h>

#define SCRIPT_MAX ((size_t)1 << 20)

const struct completion_shell completion_shells[] = {
    {"bash", "volley", completion_write_bash},
    {"zsh", "_volley", completion_write_zsh},
    {"fish", "volley.fish", completion_write_fish},
};
const size_t completion_shell_count = ARRAY_COUNT(completion_shells);

/* One a line; those that a shell would have to quote are left out. */
static void print_servers(void)
{
    CLEANUP(arena_finish) struct arena arena;
    CLEANUP(buf_finish) struct buf names;
    arena_init(&arena);
    buf_init(&names, SCRIPT_MAX);
    profiles_names(&arena, profiles_path(&arena), &names);
    struct str left = buf_str(&names);
    while (left.len > 0) {
        struct str name = str_split(&left, '\n');
        bool is_plain = true;
        for (size_t i = 0; i < name.len && is_plain; i++)
            is_plain =
                isalnum((unsigned char)name.ptr[i]) || str_find(STR("._-+@"), name.ptr[i]) >= 0;
        if (is_plain)
            (void)printf("%.*s\n", STR_ARGS(name));
    }
}

enum exit_code cli_completion(char *const *arguments, size_t count)
{
    for (size_t i = 0; i < completion_shell_count && count == 1; i++) {
        if (!str_equal(str_of(arguments[0]), str_of(completion_shells[i].name)))
            continue;
        CLEANUP(buf_finish) struct buf script;
        buf_init(&script, SCRIPT_MAX);
        completion_shells[i].write(&script);
        (void)fwrite(script.ptr, 1, script.len, stdout);
        return CLI_FINE;
    }
    if (count == 1 && str_equal(str_of(arguments[0]), STR("servers"))) {
        print_servers();
        return CLI_FINE;
    }
    cli_complain("completion needs the name of a shell: bash, zsh or fish");
    return CLI_USAGE;
}
