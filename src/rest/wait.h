/*
 * wait.h — an exchange that waits for its job, without holding a thread.
 *
 * Private to rest. SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include "rest/rest_private.h"

/* Of ?wait= and Prefer: wait=. */
#define REST_WAIT_SECONDS_MAX 3600

/* By a handler, on a worker: after it returned the exchange waits until exchange->job is over, at most
 * `wait_ms`; then `resume` makes the reply, on a worker. */
void rest_wait_for_job(struct rest_exchange *exchange, uint64_t wait_ms,
                       enum status (*resume)(struct rest_exchange *exchange, struct error *error));

/* The same until `is_enough` says of the job that it is, on the loop; that it is over is enough, too. */
void rest_wait_until(struct rest_exchange *exchange, uint64_t wait_ms,
                     bool (*is_enough)(struct job *job),
                     enum status (*resume)(struct rest_exchange *exchange, struct error *error));

/* How long the client would wait: `seconds` (of a parameter; below 0: not given), else what a header
 * `Prefer: wait=` says; 0: not at all. */
uint64_t rest_wait_wish_ms(const struct rest_exchange *exchange, double seconds);
