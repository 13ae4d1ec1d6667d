/*
 * failure.h — what OpenSSL says went wrong, as a sentence.
 *
 * Private to tls. SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include "base/cleanup.h"

#define TLS_FAILURE_TEXT_SIZE 256

/* The reason of this thread's latest OpenSSL error; empties the queue. */
void tls_failure_text(char out[TLS_FAILURE_TEXT_SIZE]);
/* Fills `error` with INVALID_ARGUMENT "<what> <file>: <reason>"; empties the queue. */
enum status tls_failure_of_file(const char *what, const char *file, struct error *error);
