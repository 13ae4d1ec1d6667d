"""Results of Flight SQL: several endpoints, polling, stopping, renewing, and the options of one call.

SPDX-License-Identifier: Apache-2.0
"""
import contextlib
import json

import grpc
import pyarrow as pa
import pyarrow.flight as fl
import pytest
from flight_calls import CANCELLED, NOT_CANCELLABLE, Poll, cancel, command_descriptor, options
from flight_sql import (fields, packed, prepare, prepared_descriptor, query, query_descriptor, update)
from harness import COMPUTING, STREAMING, Background, wait_until

ROWS = 1_000_000
MANY = f"SELECT i, 'text ' || i AS s FROM range({ROWS}) t(i)"


def divided(client, sql, count, **wishes):
    """The tickets of a result that is read in parts."""
    info = client.get_flight_info(query_descriptor(sql), options(parallel_endpoints=count, **wishes))
    assert len(info.endpoints) == count
    return [endpoint.ticket for endpoint in info.endpoints]


def sorted_numbers(tables):
    numbers = pa.concat_arrays([chunk for table in tables for chunk in table["i"].chunks])
    return numbers.sort().to_pylist()


# --- several endpoints -------------------------------------------------------------------------------


def test_one_endpoint_unless_more_are_asked_for(flight):
    info = flight.get_flight_info(query_descriptor("SELECT 1"))
    (endpoint,) = info.endpoints
    assert endpoint.locations == [] and endpoint.expiration_time is not None
    assert info.app_metadata.decode() in endpoint.ticket.ticket.decode(errors="replace")
    for wrong in ("0", "65", "many", "-1"):
        with pytest.raises(pa.ArrowInvalid, match="parallel-endpoints takes a number from 1 to 64"):
            flight.get_flight_info(query_descriptor("SELECT 1"), options(parallel_endpoints=wrong))


@pytest.mark.parametrize("count", [2, 4, 64])
def test_endpoints_read_at_once_are_the_result(server, flight, count):
    tickets = divided(flight, MANY, count)

    def read(ticket):
        with server.flight() as client:
            return client.do_get(ticket).read_all()

    reading = [Background(lambda ticket=ticket: read(ticket)) for ticket in tickets]
    parts = [each.outcome() for each in reading]
    assert sorted_numbers(parts) == list(range(ROWS))
    assert sum(part.num_rows > 0 for part in parts) > 1


def test_endpoints_read_one_after_the_other(flight):
    info = flight.get_flight_info(query_descriptor(MANY), options(parallel_endpoints=3))
    assert not info.ordered and info.total_records == -1
    parts = [flight.do_get(endpoint.ticket).read_all() for endpoint in info.endpoints]
    assert sorted_numbers(parts) == list(range(ROWS))
    # A ticket gives the same rows again, whoever else reads.
    for endpoint, part in zip(info.endpoints, parts):
        assert flight.do_get(endpoint.ticket).read_all().equals(part)


def test_an_endpoint_that_nobody_reads_holds_the_others_up_within_bounds(start_server):
    server = start_server("--result-memory", "16MiB", "--query-timeout", "60s")
    with server.flight() as client:
        sql = "SELECT i, repeat('x', 100) AS s FROM range(2000000) t(i)"
        tickets = divided(client, sql, 4)
        parts = [client.do_get(ticket).read_all() for ticket in tickets[:3]]
        assert server.metrics()['volley_dataset_bytes{where="memory"}'] < 64 << 20
        parts.append(client.do_get(tickets[3]).read_all())
        assert sorted_numbers(parts) == list(range(2_000_000))
        with pytest.raises(pa.ArrowKeyError, match="result expired"):
            client.do_get(tickets[0]).read_all()


def test_a_reader_that_leaves_may_come_back(flight):
    tickets = divided(flight, MANY, 2)
    reader = flight.do_get(tickets[0])
    first = reader.read_chunk().data
    reader.cancel()
    second = flight.do_get(tickets[1]).read_all()
    again = flight.do_get(tickets[0]).read_all()
    assert again.to_batches()[0].equals(first)
    assert sorted_numbers([again, second]) == list(range(ROWS))


def test_the_last_reader_to_leave_ends_the_statement(server, flight):
    tickets = divided(flight, STREAMING.format(mark="left_by_all"), 2)
    one, other = (flight.do_get(ticket) for ticket in tickets)
    one.read_chunk()
    other.read_chunk()
    one.cancel()
    for _ in range(3):
        other.read_chunk()
    assert server.running("left_by_all")
    other.cancel()
    wait_until(lambda: not server.running("left_by_all"), what="the end of the statement")


def test_a_small_result_and_none_have_as_many_endpoints(flight):
    parts = [flight.do_get(ticket).read_all() for ticket in divided(flight, "SELECT 7 AS i", 5)]
    assert [part.num_rows for part in parts] == [1, 0, 0, 0, 0]
    assert {part.schema for part in parts} == {parts[0].schema}
    for part in (flight.do_get(ticket).read_all() for ticket in divided(flight, "SELECT 1 AS i LIMIT 0", 3)):
        assert part.num_rows == 0


def test_a_failure_reaches_every_endpoint(flight):
    tickets = divided(flight, "SELECT i, error('late') FROM range(1000) t(i) WHERE i > 900", 2)
    for ticket in tickets:
        with pytest.raises(pa.ArrowException, match="late"):
            flight.do_get(ticket).read_all()


def test_a_finished_result_is_divided_in_order(flight):
    info = flight.get_flight_info(query_descriptor(MANY))
    whole = flight.do_get(info.endpoints[0].ticket).read_all()
    by_id = fl.FlightDescriptor.for_command(info.app_metadata)
    info = flight.get_flight_info(by_id, options(parallel_endpoints=4))
    assert info.ordered and len(info.endpoints) == 4 and info.total_records == ROWS
    parts = [flight.do_get(endpoint.ticket).read_all() for endpoint in info.endpoints]
    assert [part.num_rows for part in parts] == [ROWS // 4] * 4
    assert pa.concat_tables(parts).equals(whole)


def test_rows_of_a_part_are_not_divided(flight):
    descriptor = fl.FlightDescriptor.for_command(json.dumps({"sql": MANY, "from": 10, "limit": 5}).encode())
    info = flight.get_flight_info(descriptor, options(parallel_endpoints=4))
    (endpoint,) = info.endpoints
    assert flight.do_get(endpoint.ticket).read_all()["i"].to_pylist() == [10, 11, 12, 13, 14]


def test_endpoints_of_columns_of_a_prepared_statement_and_of_returning(flight):
    descriptor = fl.FlightDescriptor.for_command(json.dumps({"sql": MANY, "columns": ["i"]}).encode())
    info = flight.get_flight_info(descriptor, options(parallel_endpoints=2))
    parts = [flight.do_get(endpoint.ticket).read_all() for endpoint in info.endpoints]
    assert parts[0].column_names == ["i"] and sorted_numbers(parts) == list(range(ROWS))

    handle, _, _ = prepare(flight, MANY)
    info = flight.get_flight_info(prepared_descriptor(handle), options(parallel_endpoints=2))
    parts = [flight.do_get(endpoint.ticket).read_all() for endpoint in info.endpoints]
    assert sorted_numbers(parts) == list(range(ROWS))

    update(flight, "CREATE OR REPLACE TABLE divided_rows (i BIGINT)")
    sql = "INSERT INTO divided_rows SELECT i FROM range(200000) t(i) RETURNING i"
    info = flight.get_flight_info(query_descriptor(sql), options(parallel_endpoints=2))
    parts = [flight.do_get(endpoint.ticket).read_all() for endpoint in info.endpoints]
    assert sorted_numbers(parts) == list(range(200_000))
    assert query(flight, "SELECT count(*) AS n FROM divided_rows")["n"].to_pylist() == [200_000]


def test_adbc_reads_all_endpoints(server):
    header = {"adbc.flight.sql.rpc.call_header.volley-parallel-endpoints": "4"}
    with server.adbc(db_kwargs=header) as connection, connection.cursor() as cursor:
        cursor.execute(MANY)
        assert sorted_numbers([cursor.fetch_arrow_table()]) == list(range(ROWS))
