"""HTTP/2 by hand: frames and header blocks, for tests that send what no library would.

SPDX-License-Identifier: Apache-2.0
"""
import struct

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PUSH_PROMISE, PING, GOAWAY, WINDOW_UPDATE, \
    CONTINUATION = range(10)
END_STREAM, ACK, END_HEADERS, PADDED = 1, 1, 4, 8
INITIAL_WINDOW_SIZE = 4
CANCEL = struct.pack(">I", 8)
FLIGHT = "/arrow.flight.protocol.FlightService/"


def frame(kind, flags, stream, payload=b""):
    return struct.pack(">I", len(payload))[1:] + bytes([kind, flags]) + struct.pack(">I", stream) + payload


def settings(**values):
    """A SETTINGS frame; names are those of this module in lower case."""
    ids = {"initial_window_size": INITIAL_WINDOW_SIZE}
    return frame(SETTINGS, 0, 0, b"".join(
        struct.pack(">HI", ids[name], value) for name, value in values.items()))


def window_update(stream, size):
    return frame(WINDOW_UPDATE, 0, stream, struct.pack(">I", size))


def literal(name, value):
    """A header field of HPACK that is not put into the table."""

    def length(text):
        if len(text) < 127:
            return bytes([len(text)])
        rest, out = len(text) - 127, bytearray([127])
        while rest > 127:
            out.append(rest & 127 | 128)
            rest >>= 7
        return bytes(out) + bytes([rest])

    return b"\0" + b"".join(length(text) + text.encode() for text in (name, value))


def header_block(method, path, **fields):
    pairs = [(":method", method), (":scheme", "http"), (":path", path), (":authority", "localhost"),
             *((name.replace("_", "-"), value) for name, value in fields.items())]
    return b"".join(literal(name, value) for name, value in pairs)


def grpc_headers(method):
    """The header block of a call of the Flight service."""
    return header_block("POST", FLIGHT + method, content_type="application/grpc", te="trailers")


def grpc_message(body):
    return b"\0" + struct.pack(">I", len(body)) + body
