"""DoExchange: a table and a statement in, its rows out at once.

SPDX-License-Identifier: Apache-2.0
"""
import contextlib

import pyarrow as pa
import pyarrow.flight as fl
import pytest
from dataset_calls import act, command, get, name, numbers, path, put
from flight_calls import options
from harness import wait_until


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
