"""Datasets over Flight: listed, renewed, expired, replaced, dropped, cancelled.

SPDX-License-Identifier: Apache-2.0
"""
import json

import pyarrow as pa
import pyarrow.flight as fl
import pytest
from dataset_calls import act, command, get, name, numbers, path, put
from flight_calls import CANCELLED, NOT_CANCELLABLE, cancel
from flight_sql import field, query_descriptor
from harness import COMPUTING, Background, wait_until


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
