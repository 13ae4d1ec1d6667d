"""The session actions of Flight, packed by hand: pyarrow has no functions for them.

SPDX-License-Identifier: Apache-2.0
"""
import struct

import pyarrow.flight
from flight_sql import field, fields, varint

CODES = {0: "UNSPECIFIED", 1: "INVALID_NAME", 2: "INVALID_VALUE", 3: "ERROR"}
STATES = {0: "UNSPECIFIED", 1: "CLOSED", 2: "CLOSING", 3: "NOT_CLOSEABLE"}
COOKIE = "arrow_flight_session_id"


def option_value(value):
    """A SessionOptionValue: None is one without a value, which unsets."""
    if value is None:
        return b""
    if isinstance(value, bool):
        return field(2, int(value))
    if isinstance(value, int):
        return varint(3 << 3 | 1) + struct.pack("<q", value)
    if isinstance(value, float):
        return varint(4 << 3 | 1) + struct.pack("<d", value)
    if isinstance(value, list):
        return field(5, b"".join(field(1, item) for item in value))
    return field(1, value)


def read_value(message):
    if message[:1] == bytes([3 << 3 | 1]):
        return struct.unpack("<q", message[1:])[0]
    return fields(message)[1][0].decode()


def action(client, name, body=b"", options=None):
    (result,) = client.do_action((name, body), options)
    return fields(result.body.to_pybytes())


def set_options(client, wanted, options=None):
    """SetSessionOptions; returns {name: code} of those that were not set."""
    body = b"".join(field(1, field(1, name) + field(2, option_value(value)))
                    for name, value in wanted.items())
    errors = [fields(entry) for entry in action(client, "SetSessionOptions", body, options).get(1, [])]
    return {entry[1][0].decode(): CODES[fields(entry[2][0])[1][0]] for entry in errors}


def get_options(client, options=None):
    entries = [fields(entry) for entry in action(client, "GetSessionOptions", b"", options).get(1, [])]
    return {entry[1][0].decode(): read_value(entry[2][0]) for entry in entries}


def close_session(client, options=None):
    return STATES[action(client, "CloseSession", b"", options).get(1, [0])[0]]


class Cookies(pyarrow.flight.ClientMiddlewareFactory):
    """Keeps cookies as a client with cookie support does; `jar` may be shared by connections."""

    def __init__(self, jar=None):
        super().__init__()
        self.jar = {} if jar is None else jar
        self.received = []

    def start_call(self, info):
        return Cookies.Call(self)

    class Call(pyarrow.flight.ClientMiddleware):
        def __init__(self, factory):
            super().__init__()
            self.factory = factory

        def sending_headers(self):
            cookies = "; ".join(f"{name}={value}" for name, value in self.factory.jar.items())
            return {"cookie": cookies} if cookies else {}

        def received_headers(self, headers):
            for line in headers.get("set-cookie", []):
                self.factory.received.append(line)
                name, _, value = line.split(";")[0].partition("=")
                self.factory.jar.pop(name, None)
                if "max-age=0" not in line.lower():
                    self.factory.jar[name] = value
