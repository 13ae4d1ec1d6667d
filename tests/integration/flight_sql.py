"""Flight SQL commands packed by hand, so that the tests depend on the specification alone.

A command is a google.protobuf.Any: field 1 the type's address, field 2 the message. Only the wire
types that Flight SQL's commands use are here.

SPDX-License-Identifier: Apache-2.0
"""
import pyarrow.flight

TYPE_PREFIX = "type.googleapis.com/arrow.flight.protocol.sql."


def varint(number):
    encoded = bytearray()
    number &= (1 << 64) - 1
    while number > 0x7F:
        encoded.append(number & 0x7F | 0x80)
        number >>= 7
    encoded.append(number)
    return bytes(encoded)


def read_varint(data, position):
    number = shift = 0
    while True:
        byte = data[position]
        number |= (byte & 0x7F) << shift
        position += 1
        shift += 7
        if byte < 0x80:
            return number, position


def field(number, value):
    """One field: int as a varint, str and bytes with their length."""
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    if isinstance(value, str):
        value = value.encode()
    return varint(number << 3 | 2) + varint(len(value)) + value


def fields(data):
    """A message's fields as {number: [values]}; the varint and length-delimited types."""
    found, position = {}, 0
    while position < len(data):
        key, position = read_varint(data, position)
        value, position = read_varint(data, position)
        if key & 7 == 2:
            value, position = data[position:position + value], position + value
        found.setdefault(key >> 3, []).append(value)
    return found


def packed(name, message):
    return field(1, TYPE_PREFIX + name) + field(2, message)


def unpacked(data):
    """(name without the prefix, fields) of a packed Any."""
    outer = fields(data)
    return outer[1][0].decode().removeprefix(TYPE_PREFIX), fields(outer.get(2, [b""])[0])


def query_descriptor(sql):
    command = packed("CommandStatementQuery", field(1, sql))
    return pyarrow.flight.FlightDescriptor.for_command(command)


def update_descriptor(sql):
    command = packed("CommandStatementUpdate", field(1, sql))
    return pyarrow.flight.FlightDescriptor.for_command(command)


def query(client, sql, options=None):
    """Runs a statement over GetFlightInfo and DoGet; returns the table."""
    info = client.get_flight_info(query_descriptor(sql), options)
    (endpoint,) = info.endpoints
    return client.do_get(endpoint.ticket, options).read_all()


def update(client, sql, options=None):
    """Runs a statement over DoPut; returns the record count."""
    empty = pyarrow.schema([])
    writer, reader = client.do_put(update_descriptor(sql), empty, options)
    with writer:
        result = reader.read()
        writer.done_writing()
    count = fields(result.to_pybytes()).get(1, [0])[0]
    return count - (1 << 64) if count >= 1 << 63 else count


def prepare(client, sql, options=None):
    """CreatePreparedStatement; returns (handle, dataset schema bytes or None, parameter schema)."""
    request = packed("ActionCreatePreparedStatementRequest", field(1, sql))
    (result,) = client.do_action(("CreatePreparedStatement", request), options)
    name, found = unpacked(result.body.to_pybytes())
    assert name == "ActionCreatePreparedStatementResult"
    return found[1][0], found.get(2, [None])[0], found.get(3, [None])[0]


def close_prepared(client, handle, options=None):
    request = packed("ActionClosePreparedStatementRequest", field(1, handle))
    list(client.do_action(("ClosePreparedStatement", request), options))


def prepared_descriptor(handle, update=False):
    name = "CommandPreparedStatementUpdate" if update else "CommandPreparedStatementQuery"
    return pyarrow.flight.FlightDescriptor.for_command(packed(name, field(1, handle)))


def bind(client, handle, rows, options=None):
    """Binds the rows of a table or batch to a handle; returns the handle that the server answers."""
    writer, reader = client.do_put(prepared_descriptor(handle), rows.schema, options)
    with writer:
        put(writer, rows)
        writer.done_writing()
        result = reader.read()
    return fields(result.to_pybytes())[1][0]


def put(writer, rows):
    for batch in rows.to_batches() if hasattr(rows, "to_batches") else [rows]:
        writer.write_batch(batch)


def update_prepared(client, handle, rows=None, options=None):
    """Runs a handle as an update with the rows of a table or batch; returns the record count."""
    schema = rows.schema if rows is not None else pyarrow.schema([])
    writer, reader = client.do_put(prepared_descriptor(handle, update=True), schema, options)
    with writer:
        if rows is not None:
            put(writer, rows)
            writer.done_writing()
        result = reader.read()
        if rows is None:
            writer.done_writing()
    count = fields(result.to_pybytes()).get(1, [0])[0]
    return count - (1 << 64) if count >= 1 << 63 else count


def execute_prepared(client, handle, options=None):
    """Runs a handle as a query; returns the table."""
    info = client.get_flight_info(prepared_descriptor(handle), options)
    (endpoint,) = info.endpoints
    return client.do_get(endpoint.ticket, options).read_all()
