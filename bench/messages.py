"""gRPC messages of Flight in files, for clients that know no Arrow (bench/native/feed.c, h2load).

SPDX-License-Identifier: Apache-2.0
"""
import functools

import pyarrow as pa
import pyarrow.compute
import pyarrow.flight

BYTES_PER_ROW = 32
# The batches of one file; an upload sends the file many times.
FILE_BYTES = 64 << 20
# Of values that are to be compressed: below this, so that 5 of 8 bytes are zero.
SMALL_VALUES = 100_000


def varint(number):
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


def field(number, value):
    """A length-delimited field of a protobuf message."""
    return varint(number << 3 | 2) + varint(len(value)) + value


def grpc_message(*parts):
    return b"\0" + sum(len(part) for part in parts).to_bytes(4, "big") + b"".join(parts)


def flight_data(encapsulated, descriptor=None):
    """A FlightData of an IPC message as pyarrow serializes it: marker, size, header, body."""
    size = int.from_bytes(encapsulated[4:8], "little")
    header, body = bytes(encapsulated[8:8 + size]), encapsulated[8 + size:]
    parts = [field(1, descriptor.serialize())] if descriptor else []
    parts.append(field(2, header))
    if len(body) > 0:
        # data_body is field 1000.
        parts += [varint(1000 << 3 | 2) + varint(len(body)), body]
    return grpc_message(*parts)


@functools.cache
def table(kind):
    """FILE_BYTES of four int64 columns: `counting`, or pseudo-random `small` values."""
    rows = FILE_BYTES // BYTES_PER_ROW
    first = pa.array(range(rows), pa.int64())
    if kind == "small":
        mixed = pa.compute.bit_wise_and(pa.compute.multiply(first, 2654435761), (1 << 40) - 1)
        high = pa.compute.shift_right(mixed, 17)
        first = pa.compute.subtract(high, pa.compute.multiply(pa.compute.divide(high, SMALL_VALUES),
                                                              SMALL_VALUES))
    columns = [pa.compute.add(first, number) for number in range(4)]
    return pa.RecordBatch.from_arrays(columns, list("abcd"))


def batches(kind, batch_bytes):
    """The table in batches of that size, each with memory of its own."""
    values, rows = table(kind), batch_bytes // BYTES_PER_ROW
    return [pa.RecordBatch.from_arrays(
        [pa.concat_arrays([column.slice(start, rows)]) for column in values.columns],
        schema=values.schema) for start in range(0, values.num_rows, rows)]


def serialized(batch, options):
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, batch.schema, options=options) as writer:
        writer.write_batch(batch.slice(0, 0))  # the schema goes with the first batch
        schema_end = sink.tell()
        writer.write_batch(batch)
        batch_end = sink.tell()
    return memoryview(sink.getvalue())[schema_end:batch_end]


def write_upload(folder, name, descriptor, batch_bytes, kind="counting", compression=None):
    """(head, body): the descriptor with the schema, and FILE_BYTES of batches of that size."""
    head, body = folder / f"{name}.head", folder / f"{name}.body"
    if not head.exists():
        options = pa.ipc.IpcWriteOptions(compression=compression)
        with open(body, "wb") as file:
            for batch in batches(kind, batch_bytes):
                file.write(flight_data(serialized(batch, options)))
        head.write_bytes(flight_data(memoryview(table(kind).schema.serialize()), descriptor))
    return head, body


def write_stream(folder, batch_bytes, size):
    """An Arrow IPC stream of `size` bytes of batches in a file."""
    path = folder / f"stream-{batch_bytes}-{size}.arrows"
    if not path.exists():
        made = batches("counting", batch_bytes)
        with pa.OSFile(str(path), "wb") as file, pa.ipc.new_stream(file, made[0].schema) as writer:
            for _ in range(size // FILE_BYTES):
                for batch in made:
                    writer.write_batch(batch)
    return path


def write_ticket(folder, name, text):
    """The body of a DoGet."""
    path = folder / f"{name}.ticket"
    path.write_bytes(grpc_message(pyarrow.flight.Ticket(text).serialize()))
    return path
