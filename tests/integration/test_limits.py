"""Bounds: query slots and their queue, engine memory, result memory, sizes of what is sent.

SPDX-License-Identifier: Apache-2.0
"""
import contextlib

import adbc_driver_manager
import flight_sql
import pyarrow as pa
import pyarrow.flight
import pytest
from harness import COMPUTING, STREAMING, Background, wait_until

MEBIBYTE = 1 << 20


def test_a_full_queue_refuses_with_retry_advice(start_server):
    server = start_server("--query-slots", "1", "--query-queue", "1")
    running = Background(lambda: server.query(COMPUTING.format(mark="holds_slot"), "json"))
    wait_until(lambda: server.statements("holds_slot", ("running",)))
    waiting = Background(lambda: server.query(COMPUTING.format(mark="waits"), "json"))
    wait_until(lambda: server.statements("waits", ("queued",)))
    answer = server.query("SELECT 1", "json")
    assert answer.status == 429
    assert answer.json["code"] == "QUEUE_FULL"
    assert int(answer.headers["retry-after"]) >= 1
    with server.adbc() as connection, connection.cursor() as cursor:
        with pytest.raises(adbc_driver_manager.Error, match="(?i)queue"):
            cursor.execute("SELECT 1")
            cursor.fetchall()
    server.terminate()
    assert {running.outcome().status, waiting.outcome().status} <= {409, 503}


def test_engine_memory_is_bounded_and_its_end_is_an_error(start_server):
    server = start_server("--query-memory", "64MiB")
    answer = server.query("SELECT len(list(i)) FROM range(30000000) t(i)", "json")
    assert answer.status == 429
    assert answer.json["code"] == "RESOURCE_EXHAUSTED"
    assert server.value("SELECT 1") == 1


def test_a_reader_that_stands_still_does_not_hold_its_query_slot(start_server):
    server = start_server("--dataset-memory", "64MiB", "--query-slots", "1")
    rows = 4_000_000
    sql = f"SELECT i, repeat('s', 100) AS s FROM range({rows}) t(i)"
    with server.flight() as client:
        info = client.get_flight_info(flight_sql.query_descriptor(sql))
        reader = client.do_get(info.endpoints[0].ticket)
        first = reader.read_chunk().data
        assert server.value("SELECT 1") == 1
        (result,) = server.rows("SELECT state, disk_bytes FROM volley.datasets WHERE disk_bytes > 0")
        assert result["state"] == "complete"
        rest = reader.read_all()
    table = pa.concat_tables([pa.Table.from_batches([first]), rest])
    assert table.column("i").to_pylist() == list(range(rows))
    assert set(table.column("s").unique().to_pylist()) == {"s" * 100}
    wait_until(lambda: server.value("SELECT sum(disk_bytes) FROM volley.datasets") in (0, None))


def test_a_stalled_reader_costs_its_budget_and_no_more(start_server):
    server = start_server("--dataset-memory", "64MiB", "--io-threads", "1", "--query-slots", "4")
    rows = 4_000_000
    sql = f"SELECT i, repeat('z', 100) AS s FROM range({rows}) t(i)"
    server.value("SELECT 1")
    before = server.resident_bytes()
    with server.flight() as client:
        info = client.get_flight_info(flight_sql.query_descriptor(sql))
        reader = client.do_get(info.endpoints[0].ticket)
        total = reader.read_chunk().data.num_rows
        sizes = []

        def settled():
            sizes.append(sum(row["bytes"] for row in server.rows(
                "SELECT memory_bytes AS bytes FROM volley.datasets")))
            return len(sizes) > 20 and len(set(sizes[-10:])) == 1

        wait_until(settled, what="the producer's stop")
        assert server.resident_bytes() - before < 200 * MEBIBYTE
        for chunk in reader:
            total += chunk.data.num_rows
    assert total == rows


def test_stalled_readers_do_not_stop_others(start_server):
    server = start_server("--io-threads", "1", "--query-slots", "4", "--dataset-memory", "64MiB")
    with contextlib.ExitStack() as stack:
        for number in range(3):
            connection, response = server.open_request(
                "POST", "/v1/query?format=csv", STREAMING.format(mark=f"stalled_{number}"))
            stack.callback(connection.close)
            assert response.read(1)
        for _ in range(20):
            assert server.value("SELECT 2") == 2


def test_results_that_are_not_read_are_bounded_in_all(start_server):
    server = start_server("--dataset-memory", "64MiB")
    server.value("SELECT 1")
    before = server.resident_bytes()
    sql = "SELECT i, repeat('q', 200) AS s FROM range(100000) t(i)"
    with server.flight() as client:
        for _ in range(20):
            info = client.get_flight_info(flight_sql.query_descriptor(sql))
            assert client.do_get(info.endpoints[0].ticket).read_all().num_rows == 100000
    assert server.resident_bytes() - before < 250 * MEBIBYTE


def test_rows_of_an_update_are_not_kept(start_server):
    """The answer of DoPut is a count: nobody can read the rows of RETURNING."""
    server = start_server(
        "--dataset-memory", "16MiB", "--result-memory", "4MiB", "--query-timeout", "30s")
    rows = 1_000_000
    insert = f"INSERT INTO many SELECT i, repeat('x', 100) FROM range({rows}) t(i) RETURNING *"
    with server.flight() as client:
        flight_sql.update(client, "CREATE TABLE many (i BIGINT, s VARCHAR)")
        assert flight_sql.update(client, insert) == rows
        assert flight_sql.update(client, "DELETE FROM many RETURNING *") == rows
    assert server.rows("SELECT * FROM volley.datasets WHERE rows > 1000") == []


def test_statement_text_is_bounded(server):
    answer = server.query("SELECT '" + "x" * (11 * MEBIBYTE) + "'", "json")
    assert answer.status in (400, 413)
    assert server.value("SELECT 1") == 1


def test_deep_nesting_is_refused(server):
    answer = server.query("SELECT " + "(" * 20000 + "1" + ")" * 20000, "json")
    assert answer.status == 400
    assert server.value("SELECT 1") == 1


def test_many_columns(server, flight):
    columns = ", ".join(f"{number} AS c{number}" for number in range(2000))
    assert flight_sql.query(flight, f"SELECT {columns}").num_columns == 2000


def test_a_message_above_the_limit_is_refused_and_the_connection_goes_on(server, flight):
    with pytest.raises(pa.ArrowException):
        flight.get_flight_info(pyarrow.flight.FlightDescriptor.for_command(b"x" * (65 * MEBIBYTE)))
    assert flight_sql.query(flight, "SELECT 1 AS v")["v"].to_pylist() == [1]
