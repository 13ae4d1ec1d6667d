"""Uploads whose messages are not what they should be, as bytes: each is refused, and the next is served.

SPDX-License-Identifier: Apache-2.0
"""
import json
import uuid

import grpc
import pyarrow as pa
import pyarrow.flight as fl
import pytest
from flight_sql import field

SERVICE = "/arrow.flight.protocol.FlightService/"
PLAIN = pa.table({"i": pa.array(range(4), pa.int64())})
WORDS = pa.table({"d": pa.array(["a", "b", "a"]).dictionary_encode()})


def parts(table):
    """The IPC messages of a table as FlightData without descriptor: schema, dictionaries, batches."""
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as stream:
        stream.write_table(table)
    return [field(2, message.metadata.to_pybytes()) +
            (field(1000, message.body.to_pybytes()) if message.body else b"")
            for message in pa.ipc.MessageReader.open_stream(sink.getvalue())]


def descriptor(*elements, kind=1):
    return field(1, bytes([8, kind]) + b"".join(field(3, element) for element in elements))


def new_path():
    return descriptor(b"messages", str(uuid.uuid4()).encode())


@pytest.fixture
def put(server):
    """put(messages...): the answers' metadata, or the grpc.RpcError."""
    with grpc.insecure_channel("{}:{}".format(*server.flight_address)) as channel:
        def call(*messages, method="DoPut", timeout=20):
            return list(channel.stream_stream(SERVICE + method)(iter(messages), timeout=timeout))
        yield call


def refused(put, *messages, **options):
    with pytest.raises(grpc.RpcError) as failure:
        put(*messages, **options)
    return failure.value.code(), failure.value.details()


SCHEMA, BATCH = parts(PLAIN)
WORDS_SCHEMA, WORDS_VALUES, WORDS_BATCH = parts(WORDS)
OTHER_BATCH = parts(pa.table({"i": ["x"], "j": [1]}))[1]


@pytest.mark.parametrize("messages, said", [
    ([BATCH], "the first message is not a schema"),
    ([BATCH, SCHEMA], "the first message is not a schema"),
    ([SCHEMA, SCHEMA], "a second schema came"),
    ([SCHEMA, BATCH, SCHEMA], "a second schema came"),
    ([WORDS_VALUES, WORDS_SCHEMA], "the first message is not a schema"),
    ([SCHEMA, WORDS_VALUES], "dictionary"),
    ([SCHEMA, OTHER_BATCH], ""),
    ([SCHEMA, field(1000, b"x" * 64)], "no data_header"),
    ([SCHEMA, field(2, b"\xff" * 40)], ""),
    ([SCHEMA, field(2, b"") + field(1000, b"x")], "no data_header"),
    ([SCHEMA, BATCH[:-8]], ""),
    ([b"\x12\xff\xff\xff\xff\x0f"], ""),
    ([], "the upload has no schema"),
    ([field(3, b"{}")], "the upload has no schema"),
])
@pytest.mark.parametrize("method", ["DoPut", "DoExchange"])
def test_messages_in_disorder(put, method, messages, said):
    first = new_path() if method == "DoPut" else field(
        1, b"\x08\x02" + field(2, json.dumps({"sql": "FROM input"}).encode()))
    head, *others = messages or [b""]
    code, text = refused(put, first + head, *others, method=method)
    assert code == grpc.StatusCode.INVALID_ARGUMENT and said in text


@pytest.mark.parametrize("metadata", [b"not JSON", b"{", b"[]", b'{"mood": "append"}'])
def test_metadata_that_are_no_wishes(put, metadata):
    code, text = refused(put, new_path() + field(3, metadata), SCHEMA)
    assert code == grpc.StatusCode.INVALID_ARGUMENT and ("JSON object" in text or "unknown field" in text)


def exchange_of(sql):
    return field(1, b"\x08\x02" + field(2, json.dumps({"sql": sql}).encode()))


@pytest.mark.parametrize("metadata", [
    b'{"durability": "process"}', b'{"durability": "disk"}', b'{"mode": "append"}', b'{"mode": "replace"}',
    b'{"ttl": "1ms"}', b'{"ttl": "never"}', b"not JSON"])
@pytest.mark.parametrize("place", ["alone", "with the schema", "with a batch"])
def test_the_input_of_an_exchange_has_no_wishes(put, server, metadata, place):
    said = field(3, metadata)
    messages = {"alone": [said, SCHEMA, BATCH], "with the schema": [SCHEMA + said, BATCH],
                "with a batch": [SCHEMA, BATCH + said]}[place]
    head, *others = [exchange_of("SELECT count(*) AS n FROM input"), *messages]
    rows = put(head, *others, method="DoExchange")
    assert len(rows) == 2 and b"\x04\0\0\0\0\0\0\0" in rows[1]
    assert server.value("SELECT 1") == 1


@pytest.mark.parametrize("method", ["DoPut", "DoExchange"])
def test_no_descriptor(put, method):
    code, text = refused(put, SCHEMA, BATCH, method=method)
    assert code == grpc.StatusCode.INVALID_ARGUMENT and "no descriptor" in text
    code, text = refused(put, method=method)
    assert code == grpc.StatusCode.INVALID_ARGUMENT and "without a message" in text


def test_messages_of_metadata_alone(put, flight):
    name = str(uuid.uuid4()).encode()
    (answer,) = put(descriptor(name), field(3, b'{"mode": "create"}'), SCHEMA, field(3, b""), BATCH,
                    field(3, b"between"), b"", BATCH, field(3, b"at the end"))
    assert flight.do_get(fl.Ticket(name)).read_all().num_rows == 8
    assert b'"rows":8' in answer
    assert refused(put, descriptor(name) + field(3, b'{"mode": "create"}') + SCHEMA,
                   BATCH)[0] == grpc.StatusCode.ALREADY_EXISTS


def test_a_descriptor_again_is_passed_over(put, flight):
    name, other = str(uuid.uuid4()).encode(), str(uuid.uuid4()).encode()
    put(descriptor(name) + SCHEMA, descriptor(other) + BATCH)
    assert flight.do_get(fl.Ticket(name)).read_all().num_rows == 4
    with pytest.raises(KeyError):
        flight.do_get(fl.Ticket(other)).read_all()


def test_dictionary_batches(put, flight):
    name = str(uuid.uuid4()).encode()
    put(descriptor(name) + WORDS_SCHEMA, WORDS_VALUES, WORDS_BATCH, WORDS_BATCH)
    assert flight.do_get(fl.Ticket(name)).read_all()["d"].to_pylist() == ["a", "b", "a"] * 2


@pytest.mark.parametrize("elements, said", [
    ([], "Missing path"),
    ([b""], ""),
    ([b"a", b"", b"b"], ""),
    ([b"x"] * 10_000, "64"),
    ([b"x" * 2000], "1024"),
    ([b"\xff\xfe"], ""),
    ([b"a", b"\xc3"], ""),
])
def test_paths_that_are_none(put, flight, elements, said):
    code, text = refused(put, descriptor(*elements) + SCHEMA, BATCH)
    assert code == grpc.StatusCode.INVALID_ARGUMENT and said in text


@pytest.mark.parametrize("element", ["a/b", "100%", "%2F", "tab\there",
                         "ünï 🚀", "..", ".", "a b", "'", '"', "*"])
def test_paths_with_any_characters(put, flight, element):
    name = fl.FlightDescriptor.for_path("odd", element, str(uuid.uuid4()))
    put(field(1, name.serialize()) + SCHEMA, BATCH)
    info = flight.get_flight_info(name)
    assert info.descriptor.path == name.path and info.total_records == 4
    assert flight.do_get(info.endpoints[0].ticket).read_all().equals(PLAIN)
    text = "/".join(part.decode().replace("%", "%25").replace("/", "%2F").replace("\t", "%09")
                    for part in name.path)
    ticket = fl.Ticket(json.dumps({"path": text}).encode())
    assert flight.do_get(ticket).read_all().num_rows == 4
    listed = [found.descriptor.path for found in flight.list_flights(b"odd/")]
    assert name.path in listed


def test_a_path_with_nul(put):
    code, _ = refused(put, descriptor(b"a\0b") + SCHEMA, BATCH)
    assert code == grpc.StatusCode.INVALID_ARGUMENT


@pytest.mark.parametrize("ticket",
    [b"",
    b"\0",
    b"\xff" * 100,
    b"v1:",
    b"v1:x:0-:0+:::",
    b"{",
    b"{}",
    b'{"path":[]}',
    b'{"path":7}',
    b'{"sql":"FROM x","path":"x"}',
    b"[" * 10_000,
    b'{"a":' * 5_000,
    b'{"path":["a"],"limit":-1}',
    b'{"path":["a"],"limit":1e400}',
     b'{"path":["a"],"columns":[]}'])
def test_tickets_that_are_none(flight, ticket):
    with pytest.raises(pa.ArrowInvalid):
        flight.do_get(fl.Ticket(ticket)).read_all()
