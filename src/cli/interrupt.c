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
    int stop; /* an eventfd */
    struct thread *thread;
    _Atomic(struct grpc_client *) client;
    atomic_bool happened;
};

static void on_signal(struct interrupt *interrupt)
{
    struct signalfd_siginfo signal;
    if (read(interrupt->signals, &signal, sizeof(signal)) != (ssize_t)sizeof(signal))
        return;
    struct grpc_client *client = atomic_load(&interrupt->client);
    if (atomic_exchange(&interrupt->happened, true) || !client)
        _exit(CLI_INTERRUPTED);
    grpc_client_interrupt(client);
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
    if (interrupt->signals < 0 || interrupt->stop < 0)
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
    free(interrupt);
}

void interrupt_set_client(struct interrupt *interrupt, struct grpc_client *client)
{
    atomic_store(&interrupt->client, client);
}

bool interrupt_happened(const struct interrupt *interrupt)
{
    return atomic_load(&interrupt->happened);
}
