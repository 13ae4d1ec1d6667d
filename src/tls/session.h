/*
 * session.h — TLS for one connection: ciphertext in, plaintext out, and the other way; no socket.
 *
 *      shaking --(handshake)--> open --(close_notify of the peer)--> input over
 *         \________________________\--> failed: an alert may still wait to be sent
 *
 * Feed what was read, read plaintext until there is none, and send what is pending; plaintext to send
 * is encrypted in batches. Input is taken completely each time, and between calls an idle session holds
 * no buffer.
 *
 * Threads: one; the context is shared. SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include <sys/uio.h>

#include "base/str.h"
#include "tls/buffers.h"
#include "tls/context.h"

struct tls_session;

/* Why a session failed. */
enum tls_failure {
    TLS_FAILURE_NONE,
    TLS_FAILURE_PLAINTEXT, /* the peer does not speak TLS */
    TLS_FAILURE_HANDSHAKE, /* no common ground, or a certificate is not trusted */
    TLS_FAILURE_RECORD,    /* wrong bytes later on */
    TLS_FAILURE_BUDGET,    /* the peer asks for new keys again and again, or for a new handshake */
};

/* What both sides agreed to speak (ALPN). */
enum tls_protocol { TLS_PROTOCOL_NONE, TLS_PROTOCOL_HTTP1, TLS_PROTOCOL_HTTP2 };

/* `context` gets a reference of its own; `buffers` outlive the session. */
MUST_CHECK enum status tls_session_create_server(struct tls_context *context,
                                                 struct tls_buffers *buffers,
                                                 struct tls_session **out_session,
                                                 struct error *error);
/* `host` (a name or an IP address) is whom the server has to prove to be; `wanted` is offered. The first
 * message is pending at once. */
MUST_CHECK enum status tls_session_create_client(struct tls_context *context,
                                                 struct tls_buffers *buffers, const char *host,
                                                 enum tls_protocol wanted,
                                                 struct tls_session **out_session,
                                                 struct error *error);
void tls_session_destroy(struct tls_session *session);
CLEANUP_FUNCTION(struct tls_session *, tls_session_destroy)

/* Gives ciphertext to tls_session_shake and tls_session_read, which take it before they return 0 or
 * false; it must stay until then. */
void tls_session_feed(struct tls_session *session, const uint8_t *bytes, size_t size);
/* Goes on with the handshake; true when it is complete. */
bool tls_session_shake(struct tls_session *session);
/* Plaintext into `out`: how much, 0 when there is no more for now, for ever or because of a failure. */
size_t tls_session_read(struct tls_session *session, uint8_t *out, size_t capacity);
/* Encrypts up to TLS_BATCH_BYTES from the front of `iovecs`; returns how many bytes it took. Only while
 * the session is open and nothing is pending. */
size_t tls_session_write(struct tls_session *session, const struct iovec *iovecs, size_t count);
/* Tells the peer that nothing more comes (close_notify), if the session is open. */
void tls_session_shut(struct tls_session *session);

/* Ciphertext to be sent; its length is 0 when there is none. */
struct iovec tls_session_pending(const struct tls_session *session);
/* The first `size` bytes of it have left. */
void tls_session_sent(struct tls_session *session, size_t size);

/* The handshake is complete and nothing failed. */
bool tls_session_is_open(const struct tls_session *session);
/* The peer sent close_notify. */
bool tls_session_is_ended(const struct tls_session *session);
enum tls_failure tls_session_failure(const struct tls_session *session);
/* In words; "" while nothing failed. */
const char *tls_session_failure_text(const struct tls_session *session);
enum tls_protocol tls_session_protocol(const struct tls_session *session);
/* True when the handshake went on from an earlier session of the client. */
bool tls_session_is_resumed(const struct tls_session *session);
/* The subject of the peer's certificate, which was verified, as RFC 2253 writes it; NULL without one.
 * free() releases it. */
char *tls_session_peer_subject(const struct tls_session *session);
