/*
 * failure.c — OpenSSL's error queue as text.
 *
 * The first error of the queue names the cause and later ones where it was met, except that a missing
 * file comes as a system error. Texts are OpenSSL's own reasons.
 *
 * Any thread; the queue belongs to the thread. Owns nothing. SPDX-License-Identifier: Apache-2.0
 */
#include "tls/failure.h"

#include <openssl/err.h>
#include <stdio.h>
#include <string.h>

static void reason_text(unsigned long code, char out[TLS_FAILURE_TEXT_SIZE])
{
    if (code == 0) {
        (void)snprintf(out, TLS_FAILURE_TEXT_SIZE, "unknown reason");
        return;
    }
    if (ERR_SYSTEM_ERROR(code)) {
        (void)snprintf(out, TLS_FAILURE_TEXT_SIZE, "%s", strerror(ERR_GET_REASON(code)));
        return;
    }
    const char *reason = ERR_reason_error_string(code);
    if (reason)
        (void)snprintf(out, TLS_FAILURE_TEXT_SIZE, "%s", reason);
    else
        (void)snprintf(out, TLS_FAILURE_TEXT_SIZE, "OpenSSL error %lx", code);
}

void tls_failure_text(char out[TLS_FAILURE_TEXT_SIZE])
{
    reason_text(ERR_peek_error(), out);
    ERR_clear_error();
}

enum status tls_failure_of_file(const char *what, const char *file, struct error *error)
{
    char reason[TLS_FAILURE_TEXT_SIZE];
    tls_failure_text(reason);
    return error_set(error, STATUS_INVALID_ARGUMENT, "%s %s: %s", what, file, reason);
}
