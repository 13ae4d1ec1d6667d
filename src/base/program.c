/*
 * program.c — starts programs and waits for them.
 *
 * They get Ctrl-C from the terminal as this process does, which has it blocked: so the mask is emptied for
 * them. Runs on: the main thread. Owns: nothing. SPDX-License-Identifier: Apache-2.0
 */
#include "base/program.h"

#include <errno.h>
#include <signal.h>
#include <spawn.h>
#include <stdint.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

static void set_signals(posix_spawnattr_t *attributes)
{
    sigset_t none;
    sigset_t defaults;
    sigemptyset(&none);
    sigemptyset(&defaults);
    sigaddset(&defaults, SIGPIPE);
    (void)posix_spawnattr_setsigmask(attributes, &none);
    (void)posix_spawnattr_setsigdefault(attributes, &defaults);
    (void)posix_spawnattr_setflags(attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
}

int program_start(const char *command, int input, int output)
{
    pid_t pid = 0;
    posix_spawnattr_t attributes;
    posix_spawn_file_actions_t actions;
    const char *const arguments[] = {"sh", "-c", command, NULL};
    if (posix_spawnattr_init(&attributes) != 0)
        return 0;
    if (posix_spawn_file_actions_init(&actions) != 0) {
        (void)posix_spawnattr_destroy(&attributes);
        return 0;
    }
    set_signals(&attributes);
    if (input >= 0)
        (void)posix_spawn_file_actions_adddup2(&actions, input, STDIN_FILENO);
    if (output >= 0)
        (void)posix_spawn_file_actions_adddup2(&actions, output, STDOUT_FILENO);
    int failed = posix_spawn(&pid, "/bin/sh", &actions, &attributes,
                             (char *const *)(uintptr_t)arguments, environ);
    (void)posix_spawn_file_actions_destroy(&actions);
    (void)posix_spawnattr_destroy(&attributes);
    return failed ? 0 : (int)pid;
}

int program_wait(int pid)
{
    int outcome = 0;
    while (waitpid(pid, &outcome, 0) < 0) {
        if (errno != EINTR)
            return -1;
    }
    return WIFEXITED(outcome) ? WEXITSTATUS(outcome) : 128 + WTERMSIG(outcome);
}

enum status program_run(const char *command, struct error *error)
{
    int pid = program_start(command, -1, -1);
    if (pid == 0)
        return error_set_errno(error, errno, "cannot start a program");
    int code = program_wait(pid);
    return code == 0 ? STATUS_OK
                     : error_set(error, STATUS_UNKNOWN, "the program ended with %d", code);
}
