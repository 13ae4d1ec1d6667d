/*
 * test_service.h — a gRPC service whose methods do what a test asks for.
 *
 *   Empty, BlockingEmpty   unary: an empty response
 *   Echo                   unary: the request
 *   Sizes                  download: "3,0,5" is answered by messages of 3, 0 and 5 bytes
 *   Flood                  download: messages of 1 MiB without end
 *   Stall                  download: nothing, ever
 *   Sum                    upload: the number of bytes of all messages, as text
 *   PingPong               exchange: each message comes back
 *   Fail                   download: "5 2 gone" is answered by 2 messages and status 5 "gone"
 *   FailUpload             exchange: fails with RESOURCE_EXHAUSTED at the first message
 *   Metadata               unary: header x-initial and trailer x-trailing-bin come back
 *   Sleep                  unary, blocking: returns when the call is cancelled
 *   Counts                 unary: "opened cancelled closed" of all calls so far, without its own
 *
 * All under /test.Service/. SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include <stdatomic.h>

#include "event/lock.h"
#include "grpc/service.h"

struct test_service {
    atomic_int opened;
    atomic_int cancelled;
    atomic_int closed;
    struct lock lock; /* guards the calls of Sleep */
    struct condition changed;
};

void test_service_init(struct test_service *service);
void test_service_finish(struct test_service *service);
struct grpc_service_table test_service_table(struct test_service *service);
