/*
 * thread.c — starting and joining threads.
 *
 * Threads start with all signals blocked: signals go to the thread that asks for them, the
 * composition root's.
 *
 * Runs on: any thread. Owns: a struct thread from thread_start to thread_join. Not done here: the
 * number of cores (cores.c).
 * SPDX-License-Identifier: Apache-2.0
 */
#include "event/thread.h"

#include "base/memory.h"

#include <assert.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>

struct thread {
    pthread_t handle;
    char name[16];
    void (*run)(void *argument);
    void *argument;
};

static void *thread_main(void *argument)
{
    struct thread *thread = argument;
    pthread_setname_np(pthread_self(), thread->name);
    thread->run(thread->argument);
    return NULL;
}

static int create_without_signals(struct thread *thread, const pthread_attr_t *attributes)
{
    sigset_t all;
    sigset_t previous;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &previous);
    int result = pthread_create(&thread->handle, attributes, thread_main, thread);
    pthread_sigmask(SIG_SETMASK, &previous, NULL);
    return result;
}

enum status thread_start(const char *name, size_t stack_bytes, void (*run)(void *argument),
                         void *argument, struct thread **out_thread, struct error *error)
{
    struct thread *thread = NEW(struct thread);
    snprintf(thread->name, sizeof(thread->name), "%s", name);
    thread->run = run;
    thread->argument = argument;
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    int result = stack_bytes > 0 ? pthread_attr_setstacksize(&attributes, stack_bytes) : 0;
    if (result == 0)
        result = create_without_signals(thread, &attributes);
    pthread_attr_destroy(&attributes);
    if (result != 0) {
        free(thread);
        return error_set_errno(error, result, "cannot start the thread '%s'", name);
    }
    *out_thread = thread;
    return STATUS_OK;
}

void thread_join(struct thread *thread)
{
    if (!thread)
        return;
    int result = pthread_join(thread->handle, NULL);
    assert(result == 0);
    free(thread);
}
