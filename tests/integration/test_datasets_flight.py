"""Datasets over Flight: put, found, read in parts, listed, renewed, dropped, exchanged.

SPDX-License-Identifier: Apache-2.0
"""
import contextlib
import datetime
import json
import uuid

import grpc
import pyarrow as pa
import pyarrow.flight as fl
import pytest
from flight_calls import (CANCELLED, NOT_CANCELLABLE, SERVICE, Poll, cancel, command_descriptor, options,
                          path_descriptor, raw)
from flight_sql import field, fields, query_descriptor
from harness import COMPUTING, STREAMING, Background, wait_until


def numbers(first, count):
    return pa.table({"i": pa.array(range(first, first + count), pa.int64()),
                     "s": pa.array([f"text {n}" for n in range(first, first + count)], pa.string())})


def path(*elements):
    return fl.FlightDescriptor.for_path(*elements)


def command(content):
    return fl.FlightDescriptor.for_command(content if isinstance(content, bytes) else json.dumps(content))


def put_batches(client, descriptor, schema, batches, metadata=None, call_options=None):
    """DoPut; returns the bytes of its one answer."""
    writer, reader = client.do_put(descriptor, schema, options=call_options)
    with writer:
        if metadata is not None:
            writer.write_metadata(metadata if isinstance(metadata, bytes)
                                  else json.dumps(metadata).encode())
        for batch in batches:
            writer.write_batch(batch)
        writer.done_writing()
        answer = reader.read()
        assert reader.read() is None
    return answer.to_pybytes()


def put(client, descriptor, table, rows=1000, metadata=None, **wishes):
    batches = table.to_batches(max_chunksize=rows)
    answer = put_batches(client, descriptor, table.schema, batches, metadata, options(**wishes))
    return answer.decode() if descriptor.command == b"store" else json.loads(answer)


def get(client, ticket, **wishes):
    if not isinstance(ticket, fl.Ticket):
        ticket = fl.Ticket(ticket if isinstance(ticket, (bytes, str)) else json.dumps(ticket))
    return client.do_get(ticket, options(**wishes)).read_all()


def act(client, name, body=b""):
    """All results of an action, as JSON."""
    body = body if isinstance(body, bytes) else json.dumps(body).encode()
    return [json.loads(result.body.to_pybytes()) for result in client.do_action((name, body))]


def name(prefix="t"):
    return f"{prefix}-{uuid.uuid4()}"


# --- putting ---------------------------------------------------------------------------------------


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


# --- looking ---------------------------------------------------------------------------------------


def test_info_is_filled(flight):
    place = ["a b", name(), "c/d%"]
    answer = put(flight, path(*place), numbers(0, 2500))
    info = flight.get_flight_info(path(*place))
    assert info.schema.equals(numbers(0, 0).schema)
    assert (info.total_records, info.ordered, info.app_metadata) == (2500, True, answer["id"].encode())
    assert info.total_bytes > 2500 * 8
    assert info.descriptor.path == [element.encode() for element in place]
    (endpoint,) = info.endpoints
    assert endpoint.locations == []
    assert endpoint.expiration_time is not None
    assert flight.get_schema(path(*place)).schema.equals(numbers(0, 0).schema)
    # What is put later is not part of what was announced.
    put(flight, path(*place), numbers(2500, 10))
    assert get(flight, endpoint.ticket).num_rows == 2500
    assert flight.get_flight_info(path(*place)).total_records == 2510


def test_info_of_a_part(flight):
    place = name()
    put(flight, path(place), numbers(0, 2500))
    descriptor = command({"path": [place], "columns": ["s"], "from": 990, "limit": 20})
    info = flight.get_flight_info(descriptor)
    assert (info.total_records, info.total_bytes) == (20, -1)
    assert info.schema.names == flight.get_schema(descriptor).schema.names == ["s"]
    assert get(flight, info.endpoints[0].ticket).equals(numbers(990, 20).select(["s"]))


@pytest.mark.parametrize("ticket, message", [
    (b"nothing/here", "dataset 'nothing/here' expired or never existed"),
    (b"market_data", "dataset 'market_data' expired or never existed"),
    (str(uuid.UUID(int=5)).encode(), "00000000-0000-0000-0000-000000000005"),
    (b'{"path": ["no", "such/place"]}', "no/such%2Fplace"),
    (b".input-x", "expired or never existed"),
])
def test_unknown_names(flight, ticket, message):
    with pytest.raises(pa.ArrowKeyError, match=message):
        get(flight, ticket)
    with pytest.raises(pa.ArrowKeyError, match=message):
        flight.get_flight_info(command(ticket))
    with pytest.raises(pa.ArrowKeyError, match=message):
        flight.get_schema(command(ticket))


def test_unknown_paths(flight):
    for elements in (["live", "t"], ["batch", "t"], ["t"]):
        with pytest.raises(pa.ArrowKeyError, match="t' expired or never existed"):
            flight.get_flight_info(path(*elements))
    with pytest.raises(pa.ArrowInvalid, match="command of DoPut"):
        flight.get_flight_info(command(b"store"))


# --- reading in parts ------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def place(server):
    """A dataset of 10,000 rows in batches of 999."""
    elements = name("parts")
    with server.flight() as client:
        put(client, path(elements), numbers(0, 10_000), rows=999)
    return elements


@pytest.mark.parametrize("first, limit", [(0, 0), (0, 1), (998, 2),
                         (999, 999), (5000, None), (9999, 5), (10_000, 1), (2**62, 2**62)])
def test_row_ranges(flight, place, first, limit):
    ticket = {"path": place, "from": first, **({} if limit is None else {"limit": limit})}
    expected = numbers(0, 10_000).slice(min(first, 10_000), limit)
    assert get(flight, ticket).equals(expected)


def test_columns(flight, place):
    assert get(flight, {"path": place, "columns": ["s", "i"]}).equals(numbers(0, 10_000).select(["s", "i"]))
    for columns, message in [(["x"], "no column 'x'"), (["i", "i"], "twice"),
                              ([], "at least one"), ("i", "list")]:
        with pytest.raises(pa.ArrowInvalid, match=message):
            get(flight, {"path": place, "columns": columns})


def test_parts_of_statements(flight):
    sql = "SELECT i, i * 2 AS j FROM range(100000) t(i) ORDER BY i"
    ticket = {"sql": sql, "columns": ["j"], "from": 70_000, "limit": 3}
    assert get(flight, ticket).to_pydict() == {"j": [140_000, 140_002, 140_004]}
    info = flight.get_flight_info(command(ticket))
    assert info.schema.names == ["j"]
    assert get(flight, info.endpoints[0].ticket).to_pydict() == {"j": [140_000, 140_002, 140_004]}


@pytest.mark.parametrize("count", [1, 2, 7, 64])
def test_parallel_endpoints(flight, place, count):
    info = flight.get_flight_info(path(place), options(parallel_endpoints=count))
    assert len(info.endpoints) == count and info.ordered and info.total_records == 10_000
    parts = [get(flight, endpoint.ticket) for endpoint in info.endpoints]
    assert max(part.num_rows for part in parts) - min(part.num_rows for part in parts) <= 1
    assert pa.concat_tables(parts).equals(numbers(0, 10_000))


def test_parallel_endpoints_of_a_part(flight, place):
    info = flight.get_flight_info(
        command({"path": place, "from": 2000, "limit": 10}), options(parallel_endpoints=3))
    assert [get(flight, endpoint.ticket)["i"].to_pylist() for endpoint in info.endpoints] == [
        [2000, 2001, 2002], [2003, 2004, 2005], [2006, 2007, 2008, 2009]]
    info = flight.get_flight_info(command({"path": place, "limit": 2}), options(parallel_endpoints=5))
    assert sum(get(flight, endpoint.ticket).num_rows for endpoint in info.endpoints) == 2
    for wrong in (0, 65, "many"):
        with pytest.raises(pa.ArrowInvalid, match="parallel-endpoints takes a number from 1 to 64"):
            flight.get_flight_info(path(place), options(parallel_endpoints=wrong))


def test_large_batches_are_cut_to_messages(flight):
    place = name()
    table = pa.table({"i": pa.array(range(1_000_000), pa.int64())})
    put(flight, path(place), table, rows=1_000_000)
    for wishes, bound in (({}, 2 << 20), ({"max_message_bytes": 500_000}, 500_000)):
        sizes = [chunk.data.nbytes for chunk in flight.do_get(fl.Ticket(place), options(**wishes))]
        assert max(sizes) <= bound and sum(sizes) == 8_000_000
    (size,) = [chunk.data.nbytes for chunk in flight.do_get(
        fl.Ticket(place), options(max_message_bytes=9_000_000))]
    assert size == 8_000_000
    assert get(flight, place).equals(table)


@pytest.mark.parametrize("compression", ["lz4", "zstd", "none"])
def test_compression(flight, server, compression):
    table = pa.table({"i": pa.array([n // 1000 for n in range(500_000)], pa.int64()),
                      "s": [f"the same text {n % 3}" for n in range(500_000)],
                      "n": pa.array([None] * 500_000, pa.int32())})
    where = path(name("compressed"))
    put(flight, where, table, rows=100_000)
    ticket = flight.get_flight_info(where).endpoints[0].ticket
    assert get(flight, ticket.ticket, compression=compression).equals(table)
    sent = sum(map(len, raw(server, "DoGet", field(1, ticket.ticket),
               metadata=[("volley-compression", compression)])))
    assert sent < table.nbytes / 5 if compression != "none" else sent > table.nbytes
    options = fl.FlightCallOptions(headers=[(b"volley-compression", compression.encode())])
    sql = fl.Ticket(b"SELECT i, i // 1000 AS k FROM range(300000) t(i)")
    assert flight.do_get(sql, options).read_all()["i"].to_pylist() == list(range(300_000))


def test_unknown_compression(flight):
    options = fl.FlightCallOptions(headers=[(b"volley-compression", b"gzip")])
    with pytest.raises(pa.ArrowInvalid, match="compression takes lz4, zstd or none"):
        flight.do_get(fl.Ticket(b"SELECT 1"), options).read_all()


def test_tickets_cannot_be_forged(flight, place):
    (endpoint,) = flight.get_flight_info(path(place)).endpoints
    ticket = endpoint.ticket.ticket
    at = ticket.index(b"v1:")
    for position in (at + 3, at + 40, len(ticket) - 1):
        changed = bytearray(ticket)
        changed[position] ^= 1
        with pytest.raises(pa.ArrowInvalid, match="not issued by this server"):
            get(flight, bytes(changed))
    with pytest.raises(pa.ArrowInvalid):
        get(flight, ticket[:-1])
    with pytest.raises(pa.ArrowInvalid, match="not issued by this server"):
        get(flight, ticket[at:])


# --- life ------------------------------------------------------------------------------------------


def test_list_flights(start_server):
    server = start_server()
    with server.flight() as client:
        assert list(client.list_flights()) == []
        for elements in (["a", "x"], ["a", "y"], ["b"]):
            put(client, path(*elements), numbers(0, 10))
        batch_id = put(client, command(b"store"), numbers(0, 4))
        get(client, {"sql": "SELECT 1"})

        def found(criteria=b""):
            return [[element.decode() for element in info.descriptor.path]
                                    for info in client.list_flights(criteria)]

        assert found() == [["a", "x"], ["a", "y"], ["b"], ["batch", batch_id]]
        assert found(b"a/") == found(b'{"prefix": "a/"}') == [["a", "x"], ["a", "y"]]
        assert found(b"batch/") == [["batch", batch_id]]
        assert found(b"{}") == found()
        assert found(b"zzz") == []
        with pytest.raises(pa.ArrowInvalid, match="unknown field 'suffix'"):
            found(b'{"suffix": "x"}')
        for info in client.list_flights():
            assert get(client, info.endpoints[0].ticket).num_rows == info.total_records
            assert client.get_flight_info(info.descriptor).total_records == info.total_records


def test_actions(flight):
    place, other = name(), name()
    batch_id = put(flight, command(b"store"), numbers(0, 4))
    put(flight, path(place, "x"), numbers(0, 5))
    for kind in ("has", "has_batch"):
        assert act(flight, kind, batch_id.encode()) == [{"exists": True}]
        assert act(flight, kind, {"batch_id": batch_id}) == [{"exists": True}]
        assert act(flight, kind, {"path": [place, "x"]}) == [{"exists": True}]
        assert act(flight, kind, f"{place}/x".encode()) == [{"exists": True}]
        assert act(flight, kind, other.encode()) == [{"exists": False}]
    for kind in ("list", "list_batches"):
        listed = {row["batch_id"]: row for row in act(flight, kind)}
        assert (listed[batch_id]["rows"], listed[batch_id]["batches"]) == (4, 1)
        assert [row["path"] for row in act(flight, kind, {"prefix": place})] == [f"{place}/x"]
    (life,) = act(flight, "update_batch_ttl", {"batch_id": batch_id, "ttl_seconds": 120})
    assert (life["batch_id"], life["ttl_seconds"]) == (batch_id, 120)
    assert act(flight, "stats", batch_id.encode())[0]["expires_at"] == life["expires_at"]
    (life,) = act(flight, "set-ttl", {"path": [place, "x"], "ttl": "2h"})
    assert (life["path"], life["ttl_seconds"]) == (f"{place}/x", 7200)
    (sums,) = act(flight, "stats")
    assert sums["datasets"] >= 2 and sums["rows"] >= 9
    for kind, which in (("delete_batch", batch_id.encode()), ("drop", {"path": [place, "x"]})):
        assert act(flight, kind, which)[0]["deleted"] is True
        with pytest.raises(pa.ArrowKeyError, match="expired or never existed"):
            act(flight, kind, which)
    names = {action.type: action.description for action in flight.list_actions()}
    for kind in ("list", "has", "drop", "set-ttl", "stats", "list_batches", "has_batch", "delete_batch",
                 "update_batch_ttl", "CancelFlightInfo", "RenewFlightEndpoint"):
        assert names[kind]


@pytest.mark.parametrize("action, body, message", [
    ("has", b"", "the name is empty"),
    ("has", b"\xff", "not UTF-8"),
    ("has", b'{"path": 7}', "field 'path' is required"),
    ("has", b'{"id": "x"}', "unknown field 'id'"),
    ("update_batch_ttl", b"x", None),
    ("update_batch_ttl", b'{"batch_id": "x", "ttl_seconds": -1}', "option ttl takes"),
    ("update_batch_ttl", b'{"batch_id": "x", "ttl_seconds": "1m"}', "must be a number"),
    ("list", b'{"prefix": 1}', "must be a string"),
    ("no-such-action", b"", "unknown action 'no-such-action'"),
])
def test_wrong_actions(flight, action, body, message):
    error = pa.ArrowInvalid if message else pa.ArrowKeyError
    with pytest.raises(error, match=message or "never existed"):
        list(flight.do_action((action, body)))


def test_a_ttl_is_required(flight):
    place = name()
    put(flight, path(place), numbers(0, 1))
    with pytest.raises(pa.ArrowInvalid, match="'ttl' or 'ttl_seconds' is required"):
        act(flight, "set-ttl", place.encode())


def test_results_are_not_datasets_to_drop(flight):
    info = flight.get_flight_info(query_descriptor("SELECT 1 AS x"))
    for action in ("drop", "has", "stats"):
        with pytest.raises(pa.ArrowInvalid, match="result of a statement"):
            act(flight, action, info.app_metadata)


def test_expiry(flight):
    place = name()
    put(flight, path(place), numbers(0, 1), ttl="300ms")
    wait_until(lambda: act(flight, "has", place.encode()) == [{"exists": False}], what="the expiry")
    with pytest.raises(pa.ArrowKeyError, match="expired"):
        get(flight, place)


def test_what_is_over_is_not_counted(start_server):
    with start_server().flight() as client:
        put(client, path("stays"), numbers(0, 5))
        for number in range(20):
            put(client, path(f"goes-{number}"), numbers(0, 7), ttl="1ms")
        wait_until(lambda: act(client, "has", b"goes-19") == [{"exists": False}], what="the end of them all")
        (sums,) = act(client, "stats")
        assert (sums["datasets"], sums["rows"]) == (1, 5)


def test_expiry_does_not_cut_a_read(flight, server):
    place = name()
    table = pa.table({"i": pa.array(range(4_000_000), pa.int64())})
    put(flight, path(place), table, rows=100_000, ttl="700ms")
    reader = flight.do_get(fl.Ticket(place))
    first = reader.read_chunk().data
    wait_until(lambda: act(flight, "has", place.encode()) == [{"exists": False}], what="the expiry")
    rest = reader.read_all()
    assert pa.Table.from_batches([first, *rest.to_batches()]).equals(table)


def test_replacing_does_not_cut_a_read(flight):
    place = name()
    table = pa.table({"i": pa.array(range(4_000_000), pa.int64())})
    put(flight, path(place), table, rows=100_000)
    reader = flight.do_get(fl.Ticket(place))
    first = reader.read_chunk().data
    put(flight, path(place), numbers(0, 1), mode="replace")
    assert first.num_rows + reader.read_all().num_rows == table.num_rows
    assert get(flight, place).num_rows == 1


def renew(client, endpoint):
    (result,) = client.do_action(("RenewFlightEndpoint", field(1, endpoint.serialize())))
    return fl.FlightEndpoint.deserialize(result.body.to_pybytes())


def test_renew_endpoint(flight):
    place = name()
    put(flight, path(place), numbers(0, 3), ttl="5m")
    (endpoint,) = flight.get_flight_info(path(place)).endpoints
    renewed = renew(flight, endpoint)
    assert renewed.ticket == endpoint.ticket
    assert renewed.expiration_time.as_py() > endpoint.expiration_time.as_py()
    info = flight.get_flight_info(query_descriptor("SELECT 42 AS x"))
    (endpoint,) = info.endpoints
    assert get(flight, endpoint.ticket).num_rows == 1
    renewed = renew(flight, endpoint)
    assert renewed.expiration_time.as_py() >= endpoint.expiration_time.as_py()
    act(flight, "drop", place.encode())
    for ticket in (b"no SQL please", b'{"sql": "SELECT 1"}', b"store", b"v1:x", b"\xff\xfe", b'{"path": 1}'):
        with pytest.raises(pa.ArrowInvalid):
            renew(flight, fl.FlightEndpoint(ticket, []))
    with pytest.raises(pa.ArrowKeyError, match="'nonsense'"):
        renew(flight, fl.FlightEndpoint("nonsense", []))
    for wrong in (field(1, b""), b""):
        with pytest.raises(pa.ArrowInvalid):
            list(flight.do_action(("RenewFlightEndpoint", wrong)))


def test_renew_by_a_plain_ticket(flight):
    place = name()
    batch_id = put(flight, path(place, "x"), numbers(0, 3), ttl="5m")["id"]
    for ticket in (batch_id, f"{place}/x", json.dumps({"path": [place, "x"]}), f"batch/{batch_id}"):
        before = act(flight, "stats", batch_id.encode())[0]["expires_at"]
        renewed = renew(flight, fl.FlightEndpoint(ticket, []))
        assert renewed.ticket == fl.Ticket(ticket)
        assert act(flight, "stats", batch_id.encode())[0]["expires_at"] > before
    info = flight.get_flight_info(query_descriptor("SELECT 42 AS x"))
    assert get(flight, info.endpoints[0].ticket).num_rows == 1
    assert renew(flight, fl.FlightEndpoint(info.app_metadata, [])).expiration_time is not None


def test_cancel_flight_info(flight, server):
    info = flight.get_flight_info(query_descriptor(COMPUTING.format(mark="cancelled_by_info")))
    reading = Background(lambda: list(flight.do_get(info.endpoints[0].ticket)))
    wait_until(lambda: server.statements("cancelled_by_info", ("running",)), what="the statement to run")
    assert cancel(flight, info) == CANCELLED
    assert cancel(flight, info) == CANCELLED
    with pytest.raises(fl.FlightCancelledError, match="CancelFlightInfo"):
        reading.outcome()
    done = flight.get_flight_info(query_descriptor("SELECT 1 AS x"))
    get(flight, done.endpoints[0].ticket)
    assert cancel(flight, done) == NOT_CANCELLABLE
    place = name()
    put(flight, path(place), numbers(0, 1))
    assert cancel(flight, flight.get_flight_info(path(place))) == NOT_CANCELLABLE
    with pytest.raises(pa.ArrowInvalid, match="no FlightInfo"):
        list(flight.do_action(("CancelFlightInfo", b"")))


# --- polling ---------------------------------------------------------------------------------------


def test_poll_of_a_statement(server, flight):
    sql = COMPUTING.format(mark="polled_statement")
    first = Poll(server, command_descriptor(json.dumps({"sql": sql})))
    assert first.descriptor is not None and first.info.total_records == -1
    second = Poll(server, first.descriptor)
    assert second.descriptor == first.descriptor
    assert [endpoint.ticket for endpoint in second.info.endpoints] == [
        endpoint.ticket for endpoint in first.info.endpoints]
    assert second.progress is None or 0 <= second.progress <= 1
    assert server.running("polled_statement")
    assert cancel(flight, second.info) == CANCELLED
    with pytest.raises(grpc.RpcError) as stopped:
        Poll(server, first.descriptor)
    assert stopped.value.code() == grpc.StatusCode.CANCELLED


def test_poll_to_the_end(server, flight):
    descriptor = command_descriptor(query_descriptor("SELECT i FROM range(1000) t(i)").command)
    poll = Poll(server, descriptor)
    while poll.descriptor is not None:
        poll = Poll(server, poll.descriptor)
    assert poll.progress == 1 and poll.info.total_records == 1000
    assert get(flight, poll.info.endpoints[0].ticket).num_rows == 1000


def test_poll_of_an_update(server):
    table = name("polled").replace("-", "_")
    sql = f"CREATE TABLE {table} AS SELECT i FROM range(17) t(i)"
    poll = Poll(server, command_descriptor(query_descriptor(sql).command))
    while poll.descriptor is not None:
        poll = Poll(server, poll.descriptor)
    assert server.value(f"SELECT count(*) FROM {table}") == 17


def test_poll_while_the_result_grows(server, flight):
    poll = Poll(server, command_descriptor(STREAMING.format(mark="polled_stream")))
    assert poll.descriptor is not None
    reader = flight.do_get(poll.info.endpoints[0].ticket)
    assert reader.read_chunk().data.num_rows > 0
    assert Poll(server, poll.descriptor).descriptor is not None
    reader.cancel()
    wait_until(lambda: not server.running("polled_stream"), what="the end of the abandoned statement")


def test_poll_of_a_dataset_is_complete_at_once(server, flight):
    place = name()
    put(flight, path(place), numbers(0, 12))
    poll = Poll(server, path_descriptor(place))
    assert poll.descriptor is None and poll.progress == 1
    assert poll.info.total_records == 12
    assert get(flight, poll.info.endpoints[0].ticket).equals(numbers(0, 12))


def test_poll_of_nothing(server):
    for descriptor, code in ((path_descriptor(name()), grpc.StatusCode.NOT_FOUND),
                             (command_descriptor("SELECT nothing"), grpc.StatusCode.INVALID_ARGUMENT)):
        with pytest.raises(grpc.RpcError) as refused:
            Poll(server, descriptor)
        assert refused.value.code() == code


# --- exchange --------------------------------------------------------------------------------------


def exchange(client, sql, table, rows=1000):
    """Writes everything, then reads everything."""
    writer, reader = client.do_exchange(command({"sql": sql}))
    with writer:
        writer.begin(table.schema)
        for batch in table.to_batches(max_chunksize=rows):
            writer.write_batch(batch)
        writer.done_writing()
        return reader.read_all()


@pytest.mark.parametrize("sql, expected", [
    ("SELECT sum(i)::BIGINT AS x, count(*) AS n FROM input", {"x": [12497500], "n": [5000]}),
    ("FROM input WHERE i < 2", {"i": [0, 1], "s": ["text 0", "text 1"]}),
    ("WITH a AS (SELECT i FROM input WHERE i > 4997), b AS (FROM a)"
     " SELECT a.i FROM a JOIN b USING (i) ORDER BY i",
     {"i": [4998, 4999]}),
    ("WITH RECURSIVE t(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM t WHERE n < 3)"
     " SELECT n, (SELECT count(*) FROM input) AS c FROM t ORDER BY n", {"n": [1, 2, 3], "c": [5000] * 3}),
    ("SELECT count(*) AS n FROM INPUT a, \"input\" b WHERE a.i = b.i", {"n": [5000]}),
    ("SELECT 7 AS x", {"x": [7]}),
    ("SELECT i FROM input WHERE false", {"i": []}),
])
def test_exchange(flight, sql, expected):
    assert exchange(flight, sql, numbers(0, 5000)).to_pydict() == expected


def test_exchange_into_a_table(flight, server):
    table = name("exchanged").replace("-", "_")
    server.query(f"CREATE TABLE {table}(i BIGINT, s VARCHAR)")
    exchange(flight, f"INSERT INTO {table} SELECT * FROM input", numbers(0, 5000))
    assert server.value(f"SELECT count(DISTINCT s) FROM {table}") == 5000


def test_exchange_of_much_that_is_not_read_meanwhile(flight):
    table = pa.table({"i": pa.array(range(4_000_000), pa.int64())})
    result = exchange(flight, "SELECT i, i + 1 AS j FROM input", table, rows=100_000)
    assert result.num_rows == 4_000_000 and result["j"][-1].as_py() == 4_000_000


def test_exchange_answers_the_schema_before_the_data(flight):
    table = numbers(0, 10)
    writer, reader = flight.do_exchange(command({"sql": "SELECT i * 2 AS d FROM input"}))
    with writer:
        writer.begin(table.schema)
        assert reader.schema.names == ["d"]
        writer.write_table(table)
        writer.done_writing()
        assert reader.read_all()["d"].to_pylist() == [2 * i for i in range(10)]


def test_exchange_answers_while_the_client_sends(flight):
    table = numbers(0, 100_000)
    writer, reader = flight.do_exchange(command({"sql": "SELECT i * 2 AS d FROM input"}))
    with writer:
        writer.begin(table.schema)
        received = 0
        for round_number in range(1, 6):
            writer.write_table(table)
            writer.write_table(table)
            # What is in the making may lack the rows of the last batches.
            while received < (round_number - 1) * 200_000 + 50_000:
                received += reader.read_chunk().data.num_rows
        writer.done_writing()
        received += sum(chunk.data.num_rows for chunk in reader)
    assert received == 1_000_000


def test_exchange_with_more_input_than_the_statement_needs(flight):
    writer, reader = flight.do_exchange(command({"sql": "SELECT i FROM input LIMIT 3"}))
    table = numbers(0, 10_000)
    with writer:
        writer.begin(table.schema)
        writer.write_table(table)
        assert reader.read_chunk().data.num_rows == 3
        for _ in range(20):
            writer.write_table(table)
        writer.done_writing()
        with pytest.raises(StopIteration):
            reader.read_chunk()


def test_exchange_with_itself(flight):
    table = numbers(0, 200_000)
    joined = exchange(
    flight,
    "SELECT count(*) AS n FROM input a JOIN input b USING (i)",
    table,
     rows=10_000)
    assert joined["n"].to_pylist() == [200_000]


def test_an_exchange_that_breaks_off_changes_nothing(flight, server):
    table = name("half").replace("-", "_")
    server.query(f"CREATE TABLE {table}(i BIGINT, s VARCHAR)")
    writer, reader = flight.do_exchange(command({"sql": f"INSERT INTO {table} SELECT * FROM input"}))
    writer.begin(numbers(0, 1).schema)
    for _ in range(10):
        writer.write_table(numbers(0, 100_000))
    running = ("SELECT count(*) FROM volley.queries WHERE state = 'running'"
               f" AND sql LIKE '%INTO {table}%' AND sql NOT LIKE '%volley.queries%'")
    wait_until(lambda: server.value(running) == 1, what="the statement to run")
    reader.cancel()
    wait_until(lambda: server.value(running) == 0, what="the statement's end")
    assert server.value(f"SELECT count(*) FROM {table}") == 0
    with contextlib.suppress(pa.ArrowException):
        writer.close()


def test_an_exchange_ends_at_its_statement_s_time(flight):
    options = fl.FlightCallOptions(headers=[(b"volley-timeout-ms", b"300")])
    writer, reader = flight.do_exchange(command({"sql": "SELECT sum(i) FROM input"}), options)
    writer.begin(numbers(0, 1).schema)
    with pytest.raises(fl.FlightTimedOutError, match="time-out is 0.3 s"):
        reader.read_chunk()
    with contextlib.suppress(pa.ArrowException):
        writer.close()


def test_an_exchange_or_ingest_that_brings_nothing_gives_its_slot_back(start_server):
    server = start_server("--input-idle-timeout", "300ms", "--query-slots", "1")
    server.query("CREATE TABLE filled(i BIGINT)")
    with server.flight() as client:
        writer, reader = client.do_exchange(command({"sql": "INSERT INTO filled SELECT i FROM input"}))
        writer.begin(numbers(0, 1).schema)
        writer.write_table(numbers(0, 10))
        with pytest.raises(fl.FlightTimedOutError, match="no rows came for 300 ms.*input-idle-timeout"):
            reader.read_chunk()
        with contextlib.suppress(pa.ArrowException):
            writer.close()
    assert server.value("SELECT count(*) FROM filled") == 0


def test_exchange_with_dictionaries(flight):
    table = pa.table({"d": pa.array(["a", "b", "a"]).dictionary_encode()})
    assert exchange(flight, "SELECT d, count(*) AS n FROM input GROUP BY d ORDER BY d",
                    table).to_pydict() == { "d": ["a", "b"], "n": [2, 1]}


def test_exchange_tells_faults_before_the_data(flight):
    writer, reader = flight.do_exchange(command({"sql": "SELECT i,\n  nope FROM input"}))
    writer.begin(numbers(0, 1).schema)
    with pytest.raises(pa.ArrowInvalid, match="nope") as refused:
        reader.read_all()
    assert "LINE 2:   nope FROM input\n          ^" in str(refused.value)
    assert "batch(" not in str(refused.value)
    with contextlib.suppress(pa.ArrowException):
        writer.close()


def test_exchange_fails_at_run_time(flight):
    with pytest.raises(pa.ArrowInvalid, match="Could not convert") as failure:
        exchange(flight, "SELECT s::INTEGER FROM input", numbers(0, 10))
    assert "LINE 1: SELECT s::INTEGER FROM input\n" in str(failure.value)


@pytest.mark.parametrize("descriptor, message", [
    (command({"path": "x"}), "DoExchange takes"),
    (command(b"store"), "DoExchange takes"),
    (path("x"), "DoExchange takes"),
    (command({"sql": "FROM input", "limit": 3}), "DoExchange takes 'sql' alone"),
    (command({"sql": ""}), None),
])
def test_wrong_exchanges(flight, descriptor, message):
    with pytest.raises(pa.ArrowInvalid, match=message):
        writer, reader = flight.do_exchange(descriptor)
        writer.begin(numbers(0, 1).schema)
        writer.done_writing()
        reader.read_all()


def test_exchange_leaves_nothing(start_server):
    server = start_server()

    def live():
        return server.metrics()['volley_live_objects{kind="dataset"}']

    with server.flight() as flight:
        before = live()
        for count in range(1, 4):
            exchange(flight, "SELECT count(*) FROM input", numbers(0, 1000))
            # The result stays for a while, the input does not.
            wait_until(lambda count=count: live() == before + count, what="the end of the input")
        writer, reader = flight.do_exchange(command({"sql": "FROM input"}))
        writer.begin(numbers(0, 1).schema)
        writer.write_table(numbers(0, 1000))
        wait_until(lambda: live() == before + 5, what="the input to come")
        reader.cancel()
        wait_until(lambda: live() <= before + 4, what="the end of the input")
        with contextlib.suppress(pa.ArrowException):
            writer.close()


def test_the_input_of_an_exchange_is_its_own(flight, server):
    sql = "WITH x AS (FROM input) SELECT i, '%s' AS t FROM x" % name()
    writer, reader = flight.do_exchange(command({"sql": sql}))
    with writer:
        writer.begin(numbers(0, 1).schema)
        assert reader.schema.names == ["i", "t"]
        (shown,) = server.statements(sql)
        assert shown["sql"] == sql
        ours = "'%MATERIALIZED (FROM batch(''.input-' || '%'"
        assert server.value(f"SELECT count(*) FROM volley.queries WHERE sql LIKE {ours}") == 0
        writer.done_writing()


# Names that begin with a dot are private only where the server made them.
@pytest.mark.parametrize("place", [".x", ".input-1"])
def test_a_path_may_begin_with_a_dot(flight, server, place):
    place += name()
    put(flight, path(place), numbers(0, 3))
    assert get(flight, place).num_rows == get(flight, {"path": place}).num_rows == 3
    assert get(flight, {"path": [place]}).num_rows == 3
    assert flight.get_flight_info(path(place)).total_records == 3
    assert act(flight, "has", place.encode()) == [{"exists": True}]
    assert server.value(f"SELECT count(*) FROM batch('{place}')") == 3
    assert act(flight, "drop", {"path": place})[0]["path"] == place
