"""Malformed Arrow data over Flight: refused with a reason, nothing kept, and the server goes on.

The list of what a message can have wrong is that of docs/arrow.md; here is what only a whole server shows.
SPDX-License-Identifier: Apache-2.0
"""
import json
import struct

import grpc
import pyarrow as pa
import pyarrow.flight as fl
import pytest
from flight_sql import field

NUMBERS = pa.table({"i": pa.array(range(1000), pa.int64())})
# A Schema message without fields whose endianness is Big, which pyarrow does not write.
BIG_ENDIAN = struct.pack("<I6HihBxI4x4HihxxII", 16, 12, 16, 4, 6, 8, 0, 12, 4, 1, 16, 8, 12, 4, 8, 8, 1, 4, 0)


def descriptor(*elements):
    return field(1, fl.FlightDescriptor.for_path(*elements).serialize())


def messages(table, **options):
    """(header, body) of each message of a stream."""
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema, options=pa.ipc.IpcWriteOptions(**options)) as stream:
        stream.write_table(table)
    for message in pa.ipc.MessageReader.open_stream(sink.getvalue()):
        yield message.metadata.to_pybytes(), message.body.to_pybytes() if message.body else b""


def data(header=b"", body=b"", metadata=b""):
    return field(2, header) + (field(3, metadata) if metadata else b"") + field(1000, body)


@pytest.fixture(scope="module")
def put(server):
    """put(messages): the status and the text that a DoPut of these FlightData ends with."""
    with grpc.insecure_channel("{}:{}".format(*server.flight_address),
                               options=[("grpc.max_send_message_length", -1)]) as channel:
        call = channel.stream_stream("/arrow.flight.protocol.FlightService/DoPut")

        def run(stream):
            try:
                return None, b"".join(call(iter(stream), timeout=30)).decode(errors="replace")
            except grpc.RpcError as error:
                return error.code(), error.details()
        yield run


def refused(put, flight, stream, code, words):
    answer = put(stream)
    assert answer[0] == code and words in answer[1], answer
    names = [json.loads(result.body.to_pybytes()).get("path") for result in flight.do_action(("list", b""))]
    assert "hostile" not in names


def test_what_is_sent_is_kept(put, flight):
    """What the others here damage is right before."""
    (schema, _), (header, body) = messages(NUMBERS)
    code, answer = put([descriptor("right") + data(schema), data(header, body)])
    assert code is None and '"rows"' in answer
    assert flight.do_get(fl.Ticket(b'{"path": "right"}')).read_all().equals(NUMBERS)
    list(flight.do_action(("drop", b'{"path": "right"}')))


def test_big_endian(put, flight):
    refused(put, flight, [descriptor("hostile") + data(BIG_ENDIAN)], grpc.StatusCode.UNIMPLEMENTED,
            "its data is big-endian; only little-endian is taken")


def test_headers_without_their_body(put, flight):
    (schema, _), (header, body) = messages(NUMBERS)
    start = descriptor("hostile") + data(schema)
    for wrong in (b"", body[:-8], body + b"\0" * 8):
        refused(put, flight, [start, data(header, wrong)], grpc.StatusCode.INVALID_ARGUMENT,
                f"a body of {len(body)} bytes and {len(wrong)} came")


def test_batches_before_their_schema(put, flight):
    (schema, _), (header, body) = messages(NUMBERS)
    refused(put, flight, [descriptor("hostile") + data(header, body)], grpc.StatusCode.INVALID_ARGUMENT,
            "the first message is not a schema")
    refused(put, flight, [descriptor("hostile") + data(schema), data(schema)],
            grpc.StatusCode.INVALID_ARGUMENT, "a second schema came")


def test_later_descriptors_are_not_looked_at(put, flight):
    (schema, _), (header, body) = messages(NUMBERS)
    code, answer = put([descriptor("first") + data(schema), descriptor("hostile") + data(header, body),
                        field(1, b"\xff\xff") + data(header, body)])
    assert code is None and '"rows"' in answer
    assert flight.do_get(fl.Ticket(b'{"path": "first"}')).read_all().num_rows == 2000
    with pytest.raises(pa.ArrowException, match="hostile"):
        flight.do_get(fl.Ticket(b'{"path": "hostile"}')).read_all()
    list(flight.do_action(("drop", b'{"path": "first"}')))


def test_metadata_is_bounded_with_its_message(start_server):
    server = start_server("--max-receive-message", "1MiB")
    (schema, _), _ = messages(NUMBERS)
    with grpc.insecure_channel("{}:{}".format(*server.flight_address),
                               options=[("grpc.max_send_message_length", -1)]) as channel:
        call = channel.stream_stream("/arrow.flight.protocol.FlightService/DoPut")
        with pytest.raises(grpc.RpcError) as error:
            list(call(iter([descriptor("hostile") + data(schema, metadata=b"x" * (2 << 20))]), timeout=30))
    assert error.value.code() == grpc.StatusCode.RESOURCE_EXHAUSTED


def test_bodies_that_grow_a_thousand_times(put, flight):
    zeros = pa.table({f"c{i}": pa.array(bytes(1 << 20), pa.uint8()) for i in range(40)})
    (schema, _), (header, body) = messages(zeros, compression="zstd")
    assert len(body) < 40_000
    refused(put, flight, [descriptor("hostile") + data(schema), data(header, body)],
            grpc.StatusCode.RESOURCE_EXHAUSTED, "grows more than 1000 times")


def test_text_that_is_no_text(put, flight):
    table = pa.table({"words": pa.array(["äöü"] * 100)})
    (schema, _), (header, body) = messages(table)
    damaged = body.replace("ö".encode(), b"\xc3\xc3")
    refused(put, flight, [descriptor("hostile") + data(schema), data(header, damaged)],
            grpc.StatusCode.INVALID_ARGUMENT, "column 'words' has text that is not valid UTF-8")
