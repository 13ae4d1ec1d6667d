/*
 * work.c — work that goes on for requests that are over.
 *
 * A client that resets a stream has its request closed at once, but a worker that is in the middle of
 * it cannot stop as fast. Such work stays on the connection's account until its handler says that it is
 * over; a connection that ends first is forgotten by its works.
 *
 * Runs on the connection's loop. Owns the works. Leaves out: the limit (http2_receive.c).
 * SPDX-License-Identifier: Apache-2.0
 */
#include "http/connection.h"

#include "base/memory.h"

#include <assert.h>

struct http_work {
    struct list link;                   /* http_connection.works */
    struct http_connection *connection; /* NULL: gone */
    struct loop *loop;
};

struct http_work *http_work_begin(struct http_request *request)
{
    struct http_connection *connection = http_stream_of(request)->connection;
    assert(loop_is_current(request->loop));
    struct http_work *work = NEW(struct http_work);
    work->connection = connection;
    work->loop = request->loop;
    list_append(&connection->works, &work->link);
    connection->work_count++;
    return work;
}

void http_work_end(struct http_work *work)
{
    if (!work)
        return;
    assert(loop_is_current(work->loop));
    list_remove(&work->link);
    if (work->connection)
        work->connection->work_count--;
    free(work);
}

void http_connection_forget_works(struct http_connection *connection)
{
    LIST_FOR_EACH (work, &connection->works, struct http_work, link) {
        work->connection = NULL;
        list_remove(&work->link);
    }
    connection->work_count = 0;
}
