"""Datasets over Flight: put and kept, and what is refused.

SPDX-License-Identifier: Apache-2.0
"""
import datetime
import json
import uuid

import grpc
import pyarrow as pa
import pyarrow.flight as fl
import pytest
from dataset_calls import act, command, get, name, numbers, path, put, put_batches
from flight_calls import SERVICE, command_descriptor, path_descriptor, raw
from flight_sql import field


def test_every_batch_is_kept_as_it_was(flight):
    place = name()
    batches = [numbers(first, rows).to_batches()[0] for first, rows in ((0, 3), (3, 1), (4, 500))]
    empty = numbers(0, 1).to_batches()[0].slice(0, 0)
    answer = json.loads(put_batches(flight, path(place), batches[0].schema, [*batches, empty]))
    assert (answer["rows"], answer["batches"]) == (504, 4)
    assert (answer["total_rows"], answer["total_batches"]) == (504, 4)
    assert (answer["path"], answer["durability"]) == (place, "memory")
    uuid.UUID(answer["id"])
    left = datetime.datetime.fromisoformat(
        answer["expires_at"]) - datetime.datetime.now(datetime.timezone.utc)
    assert datetime.timedelta(minutes=59) < left <= datetime.timedelta(hours=1)
    found = [chunk.data for chunk in flight.do_get(fl.Ticket(place))]
    assert [batch.num_rows for batch in found] == [3, 1, 500, 0]
    assert pa.Table.from_batches(found).equals(numbers(0, 504))


def test_store_answers_the_id_alone(flight, server):
    table = numbers(0, 2500)
    batch_id = put(flight, command(b"store"), table)
    assert str(uuid.UUID(batch_id)) == batch_id
    for ticket in (batch_id, f"batch/{batch_id}", {"path": batch_id}, {"path": ["batch", batch_id]}):
        assert get(flight, ticket).equals(table)
    for descriptor in (command(batch_id.encode()), path("batch", batch_id), command({"path": batch_id})):
        info = flight.get_flight_info(descriptor)
        assert info.total_records == 2500
        assert get(flight, info.endpoints[0].ticket).equals(table)
    (facts,) = act(flight, "stats", batch_id.encode())
    assert facts["durability"] == "process" and "path" not in facts


def test_an_id_of_the_clients_own(flight):
    batch_id = name("mine") + ".out"
    answer = put(flight, path("batch", batch_id), numbers(0, 10))
    assert answer["id"] == batch_id and answer["durability"] == "process"
    assert get(flight, batch_id).num_rows == 10
    answer = put(flight, path("batch", batch_id), numbers(10, 5))
    assert answer["total_rows"] == 15


def test_without_data_dir_nothing_is_durable(start_server):
    server = start_server("--data-dir", "none")
    schema = pa.schema([("i", pa.int64())])
    first = field(1, command_descriptor(b"store")) + field(2, pa_header(schema))
    with grpc.insecure_channel("{}:{}".format(*server.flight_address)) as channel:
        call = channel.stream_stream(SERVICE + "DoPut")(iter([first]), timeout=60)
        assert len(list(call)) == 1
        assert dict(call.trailing_metadata())["volley-durability"] == "memory"
    with server.flight() as client:
        assert put(client, path("a"), numbers(0, 3), durability="disk")["durability"] == "memory"


def pa_header(schema):
    """The bare Message of a schema: what FlightData carries as data_header."""
    return schema.serialize().to_pybytes()[8:]


def test_modes(flight):
    place = name()
    with pytest.raises(pa.ArrowKeyError, match=f"no dataset '{place}' to append to"):
        put(flight, path(place), numbers(0, 1), mode="append")
    assert put(flight, path(place), numbers(0, 5), mode="create")["total_rows"] == 5
    with pytest.raises(pa.ArrowException, match="exists already"):
        put(flight, path(place), numbers(0, 1), mode="create")
    assert put(flight, path(place), numbers(5, 5))["total_rows"] == 10
    assert put(flight, path(place), numbers(10, 5), mode="append")["total_rows"] == 15
    assert get(flight, place).equals(numbers(0, 15))
    assert put(flight, path(place), numbers(7, 2), mode="replace")["total_rows"] == 2
    assert get(flight, place).equals(numbers(7, 2))


def test_modes_by_app_metadata_and_by_descriptor(flight):
    place = name()
    put(flight, path(place), numbers(0, 5), metadata={
        "mode": "create", "ttl": "10m", "durability": "process"})
    (facts,) = act(flight, "stats", place.encode())
    assert (facts["ttl_seconds"], facts["durability"]) == (600, "process")
    put(flight, path(place), numbers(0, 6), metadata={"mode": "replace", "ttl": 90})
    (facts,) = act(flight, "stats", place.encode())
    assert (facts["ttl_seconds"], facts["rows"]) == (90, 6)
    put(flight, command({"path": place, "mode": "replace"}), numbers(0, 7))
    assert get(flight, place).num_rows == 7
    # The nearest to the data counts most.
    put(flight, command({"path": place, "mode": "create"}),
        numbers(0, 8), metadata={"mode": "replace"}, mode="append")
    assert get(flight, place).num_rows == 8


@pytest.mark.parametrize("metadata, message", [
    (b"hello", "must be a JSON object"),
    (b"[1]", "must be a JSON object"),
    (b'{"mode": "overwrite"}', "option mode takes create, append, replace"),
    (b'{"mode": 1}', "mode.*must be a string"),
    (b'{"ttl": 0}', "option ttl takes a time"),
    (b'{"ttl": "soon"}', "option ttl takes a time"),
    (b'{"durability": "tape"}', "option durability takes memory, process or disk"),
    (b'{"mood": "append"}', "unknown field 'mood'"),
    (b"\xff\xfe", "must be a JSON object"),
])
def test_wrong_app_metadata(flight, metadata, message):
    place = name()
    with pytest.raises(pa.ArrowInvalid, match=message):
        put(flight, path(place), numbers(0, 1), metadata=metadata)
    assert act(flight, "has", place.encode()) == [{"exists": False}]


def test_metadata_of_batches_is_the_clients_own(flight):
    place = name()
    table = numbers(0, 3)
    writer, reader = flight.do_put(path(place), table.schema)
    with writer:
        for number, batch in enumerate(table.to_batches(max_chunksize=1)):
            writer.write_with_metadata(batch, f"part {number}".encode())
        writer.write_metadata(b"the end")
        writer.done_writing()
        assert json.loads(reader.read().to_pybytes())["rows"] == 3


@pytest.mark.parametrize("metadata", [b'{"seq": 1}', b"{not JSON", b'{"mode": "replace", "seq": {"a": []}}',
                                      b'{"x": "' + b"y" * 100_000 + b'"}'])
def test_metadata_of_the_first_batch_may_be_the_clients_own(flight, metadata):
    place = name()
    put(flight, path(place), numbers(0, 5))
    writer, reader = flight.do_put(path(place), numbers(0, 1).schema)
    with writer:
        writer.write_with_metadata(numbers(0, 3).to_batches()[0], metadata)
        writer.done_writing()
        total = json.loads(reader.read().to_pybytes())["total_rows"]
    assert total == (3 if b"replace" in metadata else 8)


@pytest.mark.parametrize("wish, value", [("mode", "x"), ("ttl", "-1"), ("durability", "x")])
def test_wrong_options(flight, wish, value):
    with pytest.raises(pa.ArrowInvalid, match=f"option {wish} takes"):
        put(flight, path(name()), numbers(0, 1), **{wish: value})


def test_wrong_descriptors(flight, server):
    table = numbers(0, 1)
    for descriptor, message in [
        (command(b"SELECT 1"), "DoPut takes a PATH"),
        (command({"sql": "SELECT 1"}), "unknown field 'sql'"),
        (command({"path": 7}), "field 'path' is required"),
        (path("a", ""), "empty element"),
        (path("batch", "a b"), "cannot be a batch id"),
        (path("batch", ".x"), "cannot be a batch id"),
    ]:
        with pytest.raises(pa.ArrowInvalid, match=message):
            put(flight, descriptor, table)
    with pytest.raises(NotImplementedError, match="live tables"):
        put(flight, path("live", "t"), table)
    with pytest.raises(NotImplementedError, match="queues"):
        put(flight, command(b"store"), table, queue="q")
    for first, message in [
        (b"", "no descriptor"),
        (field(2, pa_header(table.schema)), "no descriptor"),
        (field(1, field(1, 1)), "Missing path"),
        (field(1, b""), "no type"),
        (field(1, path_descriptor("x")), "no schema"),
        (field(1, path_descriptor("x")) + field(2, b"garbage"), ""),
        (field(1, path_descriptor("x")) + field(1000, b"12345678"), "no data_header"),
    ]:
        with pytest.raises(grpc.RpcError) as refused:
            raw(server, "DoPut", first)
        assert refused.value.code() == grpc.StatusCode.INVALID_ARGUMENT, first
        assert message in refused.value.details()


def test_a_put_without_batches_is_an_empty_dataset(flight):
    place = name()
    answer = put(flight, path(place), numbers(0, 0))
    assert (answer["rows"], answer["batches"]) == (0, 0)
    assert get(flight, place).equals(numbers(0, 0))
    info = flight.get_flight_info(path(place))
    assert (info.total_records, info.total_bytes) == (0, 0)


@pytest.mark.parametrize("other, message", [
    (pa.schema([("i", pa.int32()), ("s", pa.string())]), "field 'i' has type int64.*int32"),
    (pa.schema([("i", pa.int64()), ("t", pa.string())]), "field 1 is 's' in the dataset, but 't'"),
    (pa.schema([("i", pa.int64())]), "has 2 fields, but what was put has 1"),
    (pa.schema([pa.field("i", pa.int64(), nullable=False), ("s", pa.string())]), "field 'i'.*nullable=true"),
])
def test_a_changed_schema_is_refused(flight, other, message):
    place = name()
    put(flight, path(place), numbers(0, 5))
    with pytest.raises(pa.ArrowInvalid, match=message):
        put_batches(flight, path(place), other, [pa.RecordBatch.from_pylist([], schema=other)])
    assert get(flight, place).equals(numbers(0, 5))


def test_dictionaries_and_nested_columns(flight):
    place = name()
    table = pa.table({
        "d": pa.array(["a", "b", "a", None], pa.dictionary(pa.int8(), pa.string())),
        "l": pa.array([[1, 2], [], None, [3]], pa.list_(pa.int32())),
        "m": pa.array([{"x": 1, "y": "p"}, None, {"x": None, "y": "q"}, {"x": 4, "y": None}]),
    })
    put(flight, path(place), table, rows=2)
    assert get(flight, place).to_pydict() == table.to_pydict()
    assert get(flight, {"path": place, "columns": ["l", "d"], "from": 1}).to_pydict() == {
        "l": [[], None, [3]], "d": ["b", "a", None]}


def test_one_message_is_bounded(start_server):
    server = start_server("--max-receive-message", "1MiB")
    with server.flight() as client:
        with pytest.raises(pa.ArrowException, match="max-receive-message|at most|larger"):
            put(client, path("big"), numbers(0, 200_000), rows=200_000)
        assert act(client, "list") == []
        assert put(client, path("small"), numbers(0, 200_000), rows=10_000)["rows"] == 200_000
