"""Calls of Flight for the tests, by their bytes where no client offers them.

SPDX-License-Identifier: Apache-2.0
"""
import struct

import grpc
import pyarrow.flight as fl
from flight_sql import field, fields, read_varint

SERVICE = "/arrow.flight.protocol.FlightService/"
CANCELLED, CANCELLING, NOT_CANCELLABLE = 1, 2, 3


def options(**metadata):
    return fl.FlightCallOptions(headers=[
        (f"volley-{name.replace('_', '-')}".encode(), str(value).encode())
        for name, value in metadata.items()])


def raw(server, method, *messages, metadata=(), timeout=60):
    """A call by its bytes: the response messages, as a list."""
    with grpc.insecure_channel("{}:{}".format(*server.flight_address)) as channel:
        call = channel.stream_stream(SERVICE + method)
        return list(call(iter(messages), metadata=metadata, timeout=timeout))


def path_descriptor(*elements):
    return field(1, 1) + b"".join(field(3, element) for element in elements)


def command_descriptor(content):
    return field(1, 2) + field(2, content)


def cancel(client, info):
    (result,) = client.do_action(("CancelFlightInfo", field(1, info.serialize())))
    return fields(result.body.to_pybytes())[1][0]


class Poll:
    """A PollInfo, taken apart."""

    def __init__(self, server, descriptor, metadata=()):
        (message,) = raw(server, "PollFlightInfo", descriptor, metadata=metadata)
        found = fields_with_doubles(message)
        self.info = fl.FlightInfo.deserialize(found[1])
        self.descriptor = found.get(2)
        self.progress = found.get(3)


def fields_with_doubles(message):
    """PollInfo's fields; `progress` is a double, which flight_sql.fields does not read."""
    found, position = {}, 0
    while position < len(message):
        key, position = read_varint(message, position)
        if key & 7 == 1:
            (value,) = struct.unpack_from("<d", message, position)
            position += 8
        else:
            length, position = read_varint(message, position)
            value, position = message[position:position + length], position + length
        found[key >> 3] = value
    return found
