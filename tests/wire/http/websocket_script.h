/*
 * websocket_script.h — WebSocket frames as text, written and read by hand, so that broken ones can be
 * made.
 *
 * A script is frames separated by '|'. A frame is a letter, how often its payload is repeated, and the
 * payload: "T:hello", "T*70000:x". Letters: T text, B binary, C continuation, P PING, O PONG, X Close; in
 * lower case without FIN. '!' before it: not masked; a digit 0 to 7 before it: reserved bits. A Close's
 * payload is "1000 reason" or empty. "=8105" is bytes in hexadecimal. "%e2" in a payload is a byte.
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include "base/buf.h"
#include "peer.h"

#define SCRIPT_OPENING                                                                             \
    "GET /ws HTTP/1.1\r\nHost: test\r\nUpgrade: WebSocket\r\nConnection: keep-alive, Upgrade\r\n"  \
    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
#define SCRIPT_OPENED                                                                              \
    "HTTP/1.1 101 Switching Protocols\r\nsec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"   \
    "connection: Upgrade\r\nupgrade: websocket\r\n\r\n"

/* Appends the bytes of a client's frames. */
void script_write(const char *script, struct buf *out);
/* Appends a server's frames as a script; a Close without its reason; a payload over 100 bytes of one
 * letter as repetition. */
void script_read(struct str bytes, struct buf *out);

/* Has the peer open a WebSocket over HTTP/1.1. */
void script_open(struct peer *peer);
/* Sends a script `step` bytes at a time, while the connection is open. */
void script_send(struct peer *peer, const char *script, size_t step);
/* Asserts what the server sent since the last call; `sent` is named if it is something else. */
void script_expect(struct peer *peer, const char *expected, const char *sent);
