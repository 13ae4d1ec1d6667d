"""Transactions, statements with an effect, and calls that end early, over Flight SQL.

SPDX-License-Identifier: Apache-2.0
"""
import flight_sql
import pyarrow as pa
import pyarrow.flight
import pytest
from harness import COMPUTING, Background, wait_until


def count(client, table):
    return flight_sql.query(client, f"SELECT count(*) c FROM {table}")["c"].to_pylist()[0]


def fetch(client, info):
    return client.do_get(info.endpoints[0].ticket).read_all()


def test_a_select_in_a_transaction_sees_what_was_true_when_it_was_sent(flight):
    flight_sql.update(flight, "CREATE TABLE seen (i INTEGER)")
    flight_sql.update(flight, "INSERT INTO seen VALUES (1), (2)")
    flight_sql.update(flight, "BEGIN")
    flight_sql.update(flight, "DELETE FROM seen")
    info = flight.get_flight_info(flight_sql.query_descriptor("SELECT count(*) c FROM seen"))
    flight_sql.update(flight, "ROLLBACK")
    assert fetch(flight, info)["c"].to_pylist() == [0]
    assert count(flight, "seen") == 2


def test_get_schema_starts_nothing_and_leaves_nothing(server):
    with server.flight() as client:
        flight_sql.update(client, "CREATE SEQUENCE schema_numbers")
        flight_sql.update(client, "BEGIN")
        for _ in range(50):
            schema = client.get_schema(
                flight_sql.query_descriptor("SELECT nextval('schema_numbers') AS only_schema"))
            assert schema.schema.names == ["only_schema"]
        flight_sql.update(client, "COMMIT")
        numbers = flight_sql.query(client, "SELECT nextval('schema_numbers') AS v")
        assert numbers["v"].to_pylist() == [1]

    def left():
        return not server.statements("only_schema", ("prepared", "queued", "running"))

    wait_until(left, what="the end of the statements that were only looked at")


def test_a_large_returning_result_is_answered_before_its_end(start_server):
    server = start_server("--result-memory", "4MiB")
    rows = 400_000
    sql = (f"INSERT INTO wide SELECT i, repeat('x', 100) FROM range({rows}) t(i)"
           " RETURNING i, s")
    with server.flight() as client:
        flight_sql.update(client, "CREATE TABLE wide (i BIGINT, s VARCHAR)")
        asking = Background(lambda: client.get_flight_info(flight_sql.query_descriptor(sql)))
        info = asking.outcome(60)
        assert info.total_records == -1
        assert info.total_bytes == -1
        table = fetch(client, info)
        assert table.num_rows == rows
        assert len(set(table["i"].to_pylist())) == rows
        wait_until(lambda: count(client, "wide") == rows, what="the end of the INSERT")


def test_a_small_returning_result_is_answered_with_its_totals(flight):
    flight_sql.update(flight, "CREATE TABLE small_returning (i INTEGER)")
    info = flight.get_flight_info(flight_sql.query_descriptor(
        "INSERT INTO small_returning SELECT i FROM range(5) t(i) RETURNING i"))
    assert info.total_records == 5
    assert fetch(flight, info).num_rows == 5


SLOW_INSERT = ("INSERT INTO {table} SELECT a.i FROM range(3000000) a(i), range(3000000) b(i)"
               " WHERE a.i * b.i % 7 = 3 AND a.i + b.i < -1")


@pytest.mark.parametrize("timeout", [0.002, 0.02, 0.5])
@pytest.mark.parametrize("door", ["put", "info"])
def test_an_update_whose_call_passed_its_deadline_does_not_stay(server, door, timeout):
    table = f"late_{door}_{int(timeout * 1000)}"
    with server.flight() as client:
        flight_sql.update(client, f"CREATE TABLE {table} (i BIGINT)")
        options = pyarrow.flight.FlightCallOptions(timeout=timeout)
        sql = SLOW_INSERT.format(table=table)
        with pytest.raises((pyarrow.flight.FlightTimedOutError, pa.ArrowException)):
            if door == "put":
                flight_sql.update(client, sql, options)
            else:
                client.get_flight_info(flight_sql.query_descriptor(sql), options)

        def over():
            return not server.statements(f"INTO {table} SELECT", ("prepared", "queued", "running"))

        wait_until(over, what="the end of the insert")
        assert count(client, table) == 0


def test_a_reader_that_leaves_at_once_does_not_stop_the_others(flight):
    sql = "SELECT i, repeat('y', 200) AS s FROM range(600000) t(i)"
    for _ in range(5):
        info = flight.get_flight_info(flight_sql.query_descriptor(sql))
        ticket = info.endpoints[0].ticket
        kept = flight.do_get(ticket)
        first = kept.read_chunk().data.num_rows
        for _ in range(5):
            flight.do_get(ticket).cancel()
        assert kept.read_all().num_rows == 600000 - first


def test_a_select_in_a_transaction_can_be_stopped_before_it_is_read(server):
    mark = "unread_computing"
    with server.flight() as client:
        flight_sql.update(client, "BEGIN")
        info = client.get_flight_info(flight_sql.query_descriptor(COMPUTING.format(mark=mark)))
        (running,) = wait_until(lambda: server.statements(mark, ("queued", "running")),
                                what="the start inside the transaction")
        assert server.request("DELETE", f"/v1/queries/{running['id']}").status == 200
        # Not read_all: pyarrow takes the server's CANCELLED for an interrupt from the keyboard.
        with pytest.raises(pyarrow.flight.FlightCancelledError):
            for _ in client.do_get(info.endpoints[0].ticket):
                pass


def test_a_handle_survives_an_execution_that_was_refused(flight):
    handle, _, _ = flight_sql.prepare(flight, "SELECT 7 AS seven")
    refused = pyarrow.flight.FlightCallOptions(headers=[(b"volley-timeout-ms", b"soon")])
    for _ in range(3):
        with pytest.raises(pa.ArrowInvalid, match="timeout-ms"):
            flight.get_flight_info(flight_sql.prepared_descriptor(handle), refused)
        info = flight.get_flight_info(flight_sql.prepared_descriptor(handle))
        assert fetch(flight, info)["seven"].to_pylist() == [7]
    flight_sql.close_prepared(flight, handle)


def test_a_handle_that_was_only_looked_at_still_runs(flight):
    handle, _, _ = flight_sql.prepare(flight, "SELECT 8 AS eight")
    descriptor = flight_sql.prepared_descriptor(handle)
    assert flight.get_schema(descriptor).schema.names == ["eight"]
    assert fetch(flight, flight.get_flight_info(descriptor))["eight"].to_pylist() == [8]
    flight_sql.close_prepared(flight, handle)
