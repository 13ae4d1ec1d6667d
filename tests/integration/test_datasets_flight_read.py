"""Datasets over Flight: found, and read whole and in parts.

SPDX-License-Identifier: Apache-2.0
"""
import uuid

import pyarrow as pa
import pyarrow.flight as fl
import pytest
from dataset_calls import act, command, get, name, numbers, path, put
from flight_calls import options, raw
from flight_sql import field


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


def test_a_name_like_it_is_asked_for(flight):
    place = name("sales")
    put(flight, path("regions", place), numbers(0, 10))
    wrong = f"regions/{place}x"
    question = f"dataset '{wrong}' expired or never existed; did you mean 'regions/{place}'"
    with pytest.raises(pa.ArrowKeyError, match=question):
        get(flight, wrong)
    with pytest.raises(pa.ArrowKeyError, match=question):
        get(flight, {"path": wrong.split("/")})
    with pytest.raises(pa.ArrowKeyError, match=question):
        flight.get_flight_info(path(*wrong.split("/")))
    with pytest.raises(pa.ArrowKeyError, match=question):
        act(flight, "drop", wrong.encode())


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
