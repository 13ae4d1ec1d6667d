/*
 * session_support.h — what tests of sessions do with statements.
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include "base/memory.h"
#include "engine_support.h"

extern struct test_engine engine;

int set_up(void **state);
int tear_down(void **state);
/* The single integer that a query gives in a session. */
int64_t number_in(struct engine_session *session, const char *sql);
enum status status_in(struct engine_session *session, const char *sql);
void execute_in(struct engine_session *session, const char *sql);
