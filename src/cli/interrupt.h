/*
 * interrupt.h — Ctrl-C cancels the statement under way; without one, or a second time, it ends the
 * program with exit code 130, unless that stays.
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include "grpc/client.h"

struct interrupt;

/* Blocks SIGINT on the calling thread, which must be the only one, and watches it on another. */
MUST_CHECK enum status interrupt_start(struct interrupt **out_interrupt, struct error *error);
/* Ends the watch; before the client is closed. */
void interrupt_stop(struct interrupt *interrupt);
CLEANUP_FUNCTION(struct interrupt *, interrupt_stop)
/* From now on Ctrl-C never ends the program: an interactive one. */
void interrupt_stay(struct interrupt *interrupt);
/* Forgets what happened. */
void interrupt_clear(struct interrupt *interrupt);
/* A new statement: what happened before is forgotten, and Ctrl-C interrupts this client from now on. */
void interrupt_begin(struct interrupt *interrupt, struct grpc_client *client);
/* What Ctrl-C interrupts from now on; NULL: nothing. */
void interrupt_set_client(struct interrupt *interrupt, struct grpc_client *client);
/* The same for work of more than one client: `stop` is called once, on the watching thread, and not after
 * another target was set. NULL: nothing. */
void interrupt_set_target(struct interrupt *interrupt, void (*stop)(void *target), void *target);
/* True once Ctrl-C was pressed. */
bool interrupt_happened(const struct interrupt *interrupt);
/* A descriptor that can be read once Ctrl-C was pressed: for those who wait for something else. */
int interrupt_descriptor(const struct interrupt *interrupt);
