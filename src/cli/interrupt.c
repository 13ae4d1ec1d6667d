/*
 * interrupt.c — wait for SIGINT on a thread of its own.
 *
 * A signal handler could reach the client only through a global variable; a thread that reads signals
 * from a descriptor needs none. It waits for a signal or for the pipe that interrupt_stop closes.
 *
 * Runs on: its thread, and the main thread for the rest. Owns: the descriptors and the thread.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "cli/interrupt.h"

#include "base/memory.h"
#include "cli/command.h"
#include "event/lock.h"
#include "event/thread.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

struct interrupt {
    int signals;
    int stop;  /* an eventfd */
    int noted; /* an eventfd: written once */
    struct thread *thread;
    atomic_bool happened;
    atomic_bool stays; /* the program does, whatever is under way */
    struct {
        struct lock lock;
        void (*stop)(void *target); /* NULL: nothing is under way */
        void *target;
    } locked;
};

static void stop_client(void *target)
{
    grpc_client_interrupt((struct grpc_client *)target);
}

/* The lock is held while the target stops, so that nobody closes it meanwhile: stopping never waits. */
static bool stop_target(struct interrupt *interrupt)
{
    LOCKED(&interrupt->locked.lock);
    if (!interrupt->locked.stop)
        return false;
    interrupt->locked.stop(interrupt->locked.target);
    return true;
}

static void on_signal(struct interrupt *interrupt)
{
    struct signalfd_siginfo signal;
    if (read(interrupt->signals, &signal, sizeof(signal)) != (ssize_t)sizeof(signal))
        return;
    uint64_t one = 1;
    ssize_t size = write(interrupt->noted, &one, sizeof(one));
    (void)size;
    bool is_second = atomic_exchange(&interrupt->happened, true);
    bool stays = atomic_load(&interrupt->stays);
    if (is_second && !stays)
        _exit(CLI_INTERRUPTED);
    if (!stop_target(interrupt) && !stays)
        _exit(CLI_INTERRUPTED);
}

static void run(void *argument)
{
    struct interrupt *interrupt = (struct interrupt *)argument;
    struct pollfd watched[] = {
        {.fd = interrupt->signals, .events = POLLIN},
        {.fd = interrupt->stop, .events = POLLIN},
    };
    for (;;) {
        int ready = poll(watched, ARRAY_COUNT(watched), -1);
        if (ready < 0 && errno != EINTR)
            return;
        if (ready > 0 && watched[1].revents)
            return;
        if (ready > 0 && watched[0].revents)
            on_signal(interrupt);
    }
}

enum status interrupt_start(struct interrupt **out_interrupt, struct error *error)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    (void)sigprocmask(SIG_BLOCK, &set, NULL);
    CLEANUP(interrupt_stop) struct interrupt *interrupt = NEW(struct interrupt);
    interrupt->signals = signalfd(-1, &set, SFD_CLOEXEC);
    interrupt->stop = eventfd(0, EFD_CLOEXEC);
    interrupt->noted = eventfd(0, EFD_CLOEXEC);
    lock_init(&interrupt->locked.lock);
    if (interrupt->signals < 0 || interrupt->stop < 0 || interrupt->noted < 0)
        return error_set_errno(error, errno, "cannot watch for Ctrl-C");
    TRY(thread_start("interrupt", 0, run, interrupt, &interrupt->thread, error));
    *out_interrupt = STEAL(interrupt);
    return STATUS_OK;
}

void interrupt_stop(struct interrupt *interrupt)
{
    if (!interrupt)
        return;
    uint64_t one = 1;
    if (interrupt->thread && write(interrupt->stop, &one, sizeof(one)) == (ssize_t)sizeof(one))
        thread_join(interrupt->thread);
    if (interrupt->signals >= 0)
        (void)close(interrupt->signals);
    if (interrupt->stop >= 0)
        (void)close(interrupt->stop);
    if (interrupt->noted >= 0)
        (void)close(interrupt->noted);
    lock_finish(&interrupt->locked.lock);
    free(interrupt);
}

void interrupt_stay(struct interrupt *interrupt)
{
    atomic_store(&interrupt->stays, true);
}

void interrupt_clear(struct interrupt *interrupt)
{
    uint64_t count;
    if (atomic_exchange(&interrupt->happened, false)) {
        ssize_t size = read(interrupt->noted, &count, sizeof(count));
        (void)size;
    }
}

void interrupt_begin(struct interrupt *interrupt, struct grpc_client *client)
{
    interrupt_clear(interrupt);
    grpc_client_resume(client);
    interrupt_set_client(interrupt, client);
}

void interrupt_set_client(struct interrupt *interrupt, struct grpc_client *client)
{
    interrupt_set_target(interrupt, client ? stop_client : NULL, client);
}

void interrupt_set_target(struct interrupt *interrupt, void (*stop)(void *target), void *target)
{
    LOCKED(&interrupt->locked.lock);
    interrupt->locked.stop = stop;
    interrupt->locked.target = target;
}

int interrupt_descriptor(const struct interrupt *interrupt)
{
    return interrupt->noted;
}

bool interrupt_happened(const struct interrupt *interrupt)
{
    return atomic_load(&interrupt->happened);
}
