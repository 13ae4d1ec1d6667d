/*
 * signals.c — what ends the server or changes it while it runs: signals, and an engine that failed.
 *
 * The calling thread waits for signals on a loop of its own. The first SIGTERM or SIGINT drains: no new
 * connections, calls in flight end; after `drain-timeout` what is left is cancelled. A second one ends the
 * process at once. SIGHUP reads settings and certificates again.
 *
 * Owns: the loop and the descriptor of the signals, until the server is taken down.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "server/server_private.h"

#include <errno.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "server/supervisor.h"

static void on_drained(struct loop_task *task)
{
    loop_stop(CONTAINER_OF(task, struct server, drained)->loop);
}

static void on_drain_timeout(struct loop_timer *timer)
{
    struct server *server = CONTAINER_OF(timer, struct server, drain_timer);
    LOG(server->log, LOG_WARNING, "drain timeout",
        LOG_INTEGER("requests_cancelled", http_server_requests(server->http)));
    loop_stop(server->loop);
}

/* A supervisor that cannot be told is no reason not to serve. */
void server_tell_supervisor(const struct server *server, const char *state)
{
    struct error error = ERROR_NONE;
    if (supervisor_tell(state, &error) != STATUS_OK)
        LOG(server->log, LOG_WARNING, "supervisor", LOG_STR("error", str_of(error.message)));
}

static void start_drain(struct server *server)
{
    server_tell_supervisor(server, "STOPPING=1");
    LOG(server->log, LOG_INFO, "draining",
        LOG_INTEGER("requests", http_server_requests(server->http)));
    loop_timer_set(server->loop, &server->drain_timer,
                   clock_now_ns() +
                       server->settings->drain_timeout_ms * NANOSECONDS_PER_MILLISECOND);
    http_server_drain(server->http, &server->drained, server->loop);
}

/* Takes over the settings that may change while the server runs; wrong ones change nothing. The files of
 * certificates are read again in any case. */
static void reload(struct server *server)
{
    http_server_reload_certificates(server->http);
    if (server->exporter)
        http_server_reload_certificates(server->exporter);
    CLEANUP(settings_destroy) const struct settings *settings = NULL;
    struct error error = ERROR_NONE;
    if (server->reload->load(server->reload->context, &settings, &error) != STATUS_OK) {
        LOG(server->log, LOG_ERROR, "settings not reloaded",
            LOG_STR("error", str_of(error.message)));
        return;
    }
    log_set_level(server->log, (enum log_level)settings->log_level);
    LOG(server->log, LOG_INFO, "settings reloaded", LOG_INTEGER("log_level", settings->log_level));
}

static void on_signal(struct loop_watch *watch, unsigned ready)
{
    struct server *server = CONTAINER_OF(watch, struct server, signals);
    struct signalfd_siginfo received;
    if (read(watch->fd, &received, sizeof(received)) != sizeof(received))
        return;
    if (received.ssi_signo == SIGHUP) {
        reload(server);
        return;
    }
    if (atomic_exchange(&server->draining, true))
        _exit(128 + (int)received.ssi_signo);
    start_drain(server);
}

/* An engine that cannot work any more ends the process, so that a supervisor starts a new one. */
static void on_engine_failed(struct loop_task *task)
{
    struct server *server = CONTAINER_OF(task, struct server, engine_failed);
    LOG(server->log, LOG_ERROR, "engine failed", LOG_STR("error", str_of(server->failure.message)));
    if (!atomic_exchange(&server->draining, true))
        start_drain(server);
}

enum status server_watch_signals(struct server *server, struct error *error)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGHUP);
    /* Beyond an operator's limit on file sizes a write shall fail, not the process. */
    if (sigprocmask(SIG_BLOCK, &set, NULL) < 0 || signal(SIGPIPE, SIG_IGN) == SIG_ERR ||
        signal(SIGXFSZ, SIG_IGN) == SIG_ERR)
        return error_set_errno(error, errno, "cannot block signals");
    server->drain_timer = LOOP_TIMER_INIT(on_drain_timeout);
    server->drained = LOOP_TASK_INIT(on_drained);
    server->engine_failed = LOOP_TASK_INIT(on_engine_failed);
    TRY(loop_create(&server->loop, error));
    server->signals.on_ready = on_signal;
    server->signals.fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    if (server->signals.fd < 0)
        return error_set_errno(error, errno, "cannot wait for signals");
    return loop_watch_add(server->loop, &server->signals, LOOP_READ, error);
}
