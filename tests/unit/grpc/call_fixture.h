/*
 * call_fixture.h — calls on recorded requests, to methods that do what a probe says and record it.
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include "grpc/call.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/checked.h"
#include "base/memory.h"
#include "event/lock.h"
#include "fake_http.h"

/* What the methods did, and what they are to do. */
struct probe {
    int opened;
    int received;
    int half_closed;
    int asked; /* next */
    int cancelled;
    int closed;
    char messages[256]; /* all that were received, joined by '|' */
    int responses;      /* messages to send */
    struct str response;
    bool wait;    /* next says GRPC_WAIT */
    bool is_full; /* Paced takes no message */
    enum status open_status;
    enum status receive_status;
    enum status half_close_status;
    enum status next_status;
    struct grpc_call *call; /* the latest */
    struct {
        struct lock lock;
        struct condition changed;
        bool hold;    /* receive on a worker does not return */
        bool holding; /* it is there */
    } locked;
};

struct fixture {
    struct loop *loop;
    struct workers *workers;
    struct metrics *metrics;
    struct probe probe;
    struct grpc_handler *handler;
    struct fake_request *fake;
};

/* /test.S/ Unary, Download, Upload, Exchange, BlockingUnary, BlockingExchange, Paced (an exchange). */
#define FIXTURE_METHOD_COUNT 7
extern const struct grpc_method fixture_methods[FIXTURE_METHOD_COUNT];

/* Request messages have at most 50 bytes; the pages of http://app.example are listed. */
int set_up(void **state);
/* At most 4 MiB. */
int set_up_large(void **state);
int tear_down(void **state);

/* A request of the path, which open_call hands to the handler. */
struct fake_request *begin(struct fixture *fixture, const char *path);
void open_call(struct fixture *fixture);
void close_call(struct fixture *fixture, enum http_close why);
#define SEND(fixture, bytes) fake_request_body((fixture)->fake, (bytes), sizeof(bytes) - 1)

void assert_contains(const struct buf *text, const char *part);
void assert_body(const struct fake_request *fake, struct str expected);
/* The call went well: headers, a body, trailers. */
void assert_ok(const struct fixture *fixture);
/* One HEADERS frame with the status. */
void assert_trailers_only(const struct fixture *fixture, enum status status);

/* receive on a worker does not return until it is let go. */
void hold(struct probe *probe, bool on);
void wait_until_held(struct probe *probe);
/* Runs the loop until the worker's result has arrived `count` times in all. */
void run_until_received(struct fixture *fixture, int count);

#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)
#define TEST_LARGE(function) cmocka_unit_test_setup_teardown(function, set_up_large, tear_down)
