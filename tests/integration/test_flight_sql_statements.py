"""Statements of every kind over Flight SQL and HTTP: texts of several, what is known late, what runs once.

SPDX-License-Identifier: Apache-2.0
"""
import json

import adbc_driver_manager
import flight_calls
import flight_sql
import pyarrow as pa
import pyarrow.flight
import pytest
from flight_calls import Poll
from harness import COMPUTING, STREAMING, Background, wait_until

# Its columns are known after its first statement, which takes minutes.
LATE = "CREATE TEMP TABLE late AS " + COMPUTING + "; SELECT * FROM late"


def get(client, info):
    (endpoint,) = info.endpoints
    return client.do_get(endpoint.ticket).read_all()


def sql_ticket(sql, **more):
    return pyarrow.flight.Ticket(json.dumps({"sql": sql, **more}).encode())


def run_prepared(client, sql):
    handle, dataset_schema, _ = flight_sql.prepare(client, sql)
    assert dataset_schema is None
    table = get(client, client.get_flight_info(flight_sql.prepared_descriptor(handle)))
    assert get(client, client.get_flight_info(flight_sql.prepared_descriptor(handle))).equals(table)
    flight_sql.close_prepared(client, handle)
    return table


WAYS = {
    "statement": flight_sql.query,
    "prepared": run_prepared,
    "ticket": lambda client, sql: client.do_get(sql_ticket(sql)).read_all(),
}

LATE_TEXTS = {
    "table": ("CREATE OR REPLACE TEMP TABLE t AS SELECT 7 AS i, 'x' AS s; SELECT * FROM t",
              [{"i": 7, "s": "x"}]),
    "pivot of a table": ("CREATE OR REPLACE TEMP TABLE t AS SELECT i % 2 AS a, i FROM range(4) r(i);"
                         " PIVOT t ON a USING max(i) GROUP BY i ORDER BY i LIMIT 1",
                         [{"i": 0, "0": 0, "1": None}]),
    "returning": ("CREATE OR REPLACE TEMP TABLE t (i INTEGER); INSERT INTO t VALUES (1), (2);"
                  " UPDATE t SET i = i + 1 RETURNING i", [{"i": 2}, {"i": 3}]),
    "variable": ("SET VARIABLE v = 5; SELECT getvariable('v') AS v", [{"v": 5}]),
    "pivot": ("PIVOT (SELECT i % 3 AS k, i % 2 AS g, i AS v FROM range(6) r(i)) ON k USING max(v)"
              " GROUP BY g ORDER BY g",
              [{"g": 0, "0": 0, "1": 4, "2": 2}, {"g": 1, "0": 3, "1": 1, "2": 5}]),
    "no rows": ("CREATE OR REPLACE TEMP TABLE t (i INTEGER, s VARCHAR); SELECT * FROM t", []),
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("text", LATE_TEXTS)
def test_columns_that_are_known_late(server, way, text):
    sql, rows = LATE_TEXTS[text]
    with server.flight() as client:
        assert WAYS[way](client, sql).to_pylist() == rows


@pytest.mark.parametrize("text", LATE_TEXTS)
def test_columns_that_are_known_late_over_http(server, text):
    sql, rows = LATE_TEXTS[text]
    assert server.rows(sql) == rows
    response = server.query(sql, "arrow")
    assert pa.ipc.open_stream(response.body).read_all().to_pylist() == rows


def test_adbc_reads_what_a_text_defines(server):
    with server.adbc() as connection, connection.cursor() as cursor:
        cursor.execute("CREATE TEMP TABLE defined AS SELECT i FROM range(3) t(i); SELECT * FROM defined")
        assert cursor.fetchall() == [(0,), (1,), (2,)]
        cursor.execute("PIVOT defined ON i USING count(*)")
        assert cursor.fetchone() is not None


def test_http_tells_a_failure_before_the_columns_are_known(server):
    response = server.query("CREATE TEMP TABLE t (i INTEGER);\nSELECT nix FROM t", "json")
    assert response.status == 400
    assert "statement 2 of 2" in response.json["detail"]
    assert response.json["position"] == len("CREATE TEMP TABLE t (i INTEGER);\nSELECT ")


def test_the_schema_of_a_text_that_would_have_to_run(flight):
    for sql in ("CREATE TABLE looked_at (i INTEGER); SELECT * FROM looked_at",
                "PIVOT (SELECT 1 AS a) ON a"):
        with pytest.raises(pa.ArrowInvalid, match="known only while it runs"):
            flight.get_schema(flight_sql.query_descriptor(sql))
    with pytest.raises(KeyError):
        flight_sql.query(flight, "SELECT * FROM looked_at")
    with pytest.raises(pa.ArrowInvalid, match="known only while it runs"):
        flight.do_get(sql_ticket("PIVOT (SELECT 1 AS a) ON a", columns=["1"])).read_all()


def test_late_columns_of_an_exchange_are_refused(flight):
    descriptor = pyarrow.flight.FlightDescriptor.for_command(
        json.dumps({"sql": "PIVOT input ON i USING count(*)"}).encode())
    writer, reader = flight.do_exchange(descriptor)
    with pytest.raises(pa.ArrowInvalid, match="known only while it runs"), writer:
        writer.begin(pa.schema([("i", pa.int64())]))
        writer.write_batch(pa.record_batch({"i": [1, 2]}))
        writer.done_writing()
        reader.read_all()


# --- stopping what is not known yet -----------------------------------------------------------------


def calls(client, way, mark):
    sql = LATE.format(mark=mark)
    if way == "info":
        return lambda options=None: client.get_flight_info(flight_sql.query_descriptor(sql), options)
    return lambda options=None: client.do_get(sql_ticket(sql), options).read_all()


@pytest.mark.parametrize("way", ["info", "ticket"])
def test_a_deadline_passes_before_the_columns_are_known(server, flight, way):
    mark = f"late_deadline_{way}"
    with pytest.raises(pyarrow.flight.FlightTimedOutError):
        calls(flight, way, mark)(pyarrow.flight.FlightCallOptions(timeout=0.5))
    wait_until(lambda: not server.running(mark))


@pytest.mark.parametrize("way", ["info", "ticket"])
def test_an_operator_stops_it_before_the_columns_are_known(server, flight, way):
    mark = f"late_operator_{way}"
    waits = Background(calls(flight, way, mark))
    wait_until(lambda: server.statements(mark, ("running",)))
    (identifier,) = server.running(mark)
    # Until then nobody can read it, by whatever name.
    for descriptor in (pyarrow.flight.FlightDescriptor.for_path("batch", identifier),
                       pyarrow.flight.FlightDescriptor.for_command(identifier.encode())):
        with pytest.raises(pa.ArrowInvalid, match="not known yet"):
            flight.get_flight_info(descriptor)
    assert server.request("GET", f"/v1/queries/{identifier}/result").status == 409
    reads = Background(lambda: flight.do_get(pyarrow.flight.Ticket(identifier.encode())).read_all())
    server.request("DELETE", f"/v1/queries/{identifier}")
    for waiting in (waits, reads):
        with pytest.raises(pyarrow.flight.FlightCancelledError):
            waiting.outcome()
    assert server.request("GET", f"/v1/queries/{identifier}/result").status in (404, 409)


def test_an_http_client_leaves_before_the_columns_are_known(server):
    socket = server.socket()
    sql = LATE.format(mark="late_leaves").encode()
    socket.sendall(b"POST /v1/query HTTP/1.1\r\nhost: localhost\r\ncontent-type: text/plain\r\n"
                   b"content-length: %d\r\n\r\n%s" % (len(sql), sql))
    wait_until(lambda: server.statements("late_leaves", ("running",)))
    socket.close()
    wait_until(lambda: not server.running("late_leaves"))


def test_the_rows_of_a_late_text_can_be_left(start_server):
    server = start_server("--result-memory", "8MiB")
    flight = server.flight()
    sql = f"CREATE TEMP TABLE anything (i INTEGER); {STREAMING.format(mark='late_stream')}"
    info = flight.get_flight_info(flight_sql.query_descriptor(sql))
    reader = flight.do_get(info.endpoints[0].ticket)
    assert reader.read_chunk().data.num_rows > 0
    reader.cancel()
    wait_until(lambda: not server.running("late_stream"))
    flight.close()


def test_what_waits_for_its_columns_keeps_no_worker(start_server):
    server = start_server("--query-slots", "1", "--worker-threads", "1")
    with server.flight() as one, server.flight() as two:
        sql = LATE.format(mark="late_waits")
        waits = Background(lambda: one.get_flight_info(flight_sql.query_descriptor(sql)))
        wait_until(lambda: server.statements("late_waits", ("running",)))
        two.get_flight_info(flight_sql.query_descriptor("SELECT 1"))
        (identifier,) = server.running("late_waits")
        server.request("DELETE", f"/v1/queries/{identifier}")
        with pytest.raises(pyarrow.flight.FlightCancelledError):
            waits.outcome()
        assert flight_sql.query(one, "SELECT 1 AS a").to_pylist() == [{"a": 1}]


def test_polling_a_late_text(server, flight):
    sql = ("CREATE TABLE polled_late AS SELECT count(*) AS c FROM range(10000) a(i), range(10000) b(i)"
           " WHERE a.i * b.i % 7 = 3; SELECT * FROM polled_late")
    poll = Poll(server, flight_sql.query_descriptor(sql).serialize())
    assert poll.descriptor is not None and poll.info.total_records == -1 and not poll.info.endpoints
    while poll.descriptor is not None:
        poll = Poll(server, poll.descriptor)
    assert get(flight, poll.info).num_rows == 1
    assert server.value("SELECT count(*) FROM polled_late") == 1


# --- several statements -----------------------------------------------------------------------------


def test_a_text_is_one_transaction(server, flight):
    flight_sql.update(flight, "CREATE TABLE together (i INTEGER); INSERT INTO together VALUES (1)")
    for sql in ("INSERT INTO together VALUES (2); SELECT * FROM nowhere",
                "INSERT INTO together VALUES (2); CREATE TABLE together (i INTEGER); SELECT 1",
                "INSERT INTO together VALUES (2); ALTER TABLE together ADD j INTEGER; SELECT 'x'::DATE",
                "BEGIN; INSERT INTO together VALUES (2); SELECT * FROM nowhere; COMMIT"):
        with pytest.raises((KeyError, pa.ArrowException), match=r"statement \d of \d"):
            flight_sql.query(flight, sql)
        assert flight_sql.query(flight, "FROM together").to_pylist() == [{"i": 1}]
    # Its own COMMIT counts: what comes behind it is another matter.
    with pytest.raises(KeyError, match="statement 4 of 4"):
        flight_sql.query(flight, "BEGIN; INSERT INTO together VALUES (2); COMMIT; SELECT * FROM nowhere")
    assert server.value("SELECT count(*) FROM together") == 2
    assert flight_sql.query(flight, "INSERT INTO together VALUES (3); SELECT count(*) c FROM together"
                            )["c"].to_pylist() == [3]


def test_the_last_statement_counts(flight):
    assert flight_sql.update(flight, "CREATE TABLE counts_last (i INTEGER);"
                                     "INSERT INTO counts_last VALUES (1), (2)") == 2
    assert flight_sql.update(flight, "INSERT INTO counts_last VALUES (3); DROP TABLE counts_last") == -1


# --- effects, once -----------------------------------------------------------------------------------


@pytest.mark.parametrize(("sql", "count"), [
    ("INSERT INTO {t} VALUES (1), (2)", 2),
    ("INSERT INTO {t} VALUES (1), (2) RETURNING i", 2),
    ("INSERT INTO {t} VALUES (1); INSERT INTO {t} VALUES (2); SELECT 1 AS one", 1),
    ("CREATE TABLE {t}_other (i INTEGER); INSERT INTO {t} VALUES (1), (2); SELECT * FROM {t}_other", 0),
    ("BEGIN; INSERT INTO {t} VALUES (1), (2); COMMIT", -1),
    ("EXPLAIN ANALYZE INSERT INTO {t} VALUES (1), (2)", 1),
], ids=["insert", "returning", "select", "late", "committed", "analyzed"])
def test_effects_take_place_once(server, sql, count, request):
    table = "once_" + request.node.callspec.id
    with server.flight() as client:
        flight_sql.update(client, f"CREATE TABLE {table} (i INTEGER)")
        info = client.get_flight_info(flight_sql.query_descriptor(sql.format(t=table)))
        assert info.total_records == count
        assert server.value(f"SELECT count(*) FROM {table}") == 2  # before anybody fetches
        tables = [get(client, info) for _ in range(3)]
        assert tables[0].equals(tables[1]) and tables[0].equals(tables[2])
        with server.flight() as other:
            assert get(other, info).equals(tables[0])
    assert server.value(f"SELECT count(*) FROM {table}") == 2


def test_an_effect_that_is_polled_takes_place_once(server, flight):
    flight_sql.update(flight, "CREATE OR REPLACE TABLE polled_once (i INTEGER)")
    descriptor = flight_sql.query_descriptor("INSERT INTO polled_once VALUES (1)").serialize()
    poll = Poll(server, descriptor)
    following = poll.descriptor or flight_calls.command_descriptor(poll.info.app_metadata)
    assert [Poll(server, following).descriptor for _ in range(2)] == [None, None]
    get(flight, poll.info)
    assert server.value("SELECT count(*) FROM polled_once") == 1


def test_execute_of_a_definition_acts(server):
    with server.adbc() as connection, connection.cursor() as cursor:
        cursor.execute("CREATE TABLE acted (i INTEGER)")
        assert cursor.rowcount == -1
        assert server.value("SELECT count(*) FROM acted") == 0
        cursor.execute("INSERT INTO acted VALUES (1), (2)")
        assert server.value("SELECT count(*) FROM acted") == 2
        cursor.execute("DROP TABLE acted")
        with pytest.raises(adbc_driver_manager.Error):
            cursor.execute("SELECT * FROM acted")


# --- statements that only look ------------------------------------------------------------------------


@pytest.mark.parametrize("sql", [
    "EXPLAIN SELECT 1", "EXPLAIN ANALYZE SELECT 1", "EXPLAIN (FORMAT json) SELECT 1",
    "SHOW TABLES", "SHOW ALL TABLES", "SHOW DATABASES", "DESCRIBE looked", "SHOW looked",
    "SUMMARIZE looked", "PRAGMA show_tables", "PRAGMA table_info('looked')", "PRAGMA table_info(looked)",
    "pragma Storage_Info('looked')", "PRAGMA database_size", "PRAGMA version", "PRAGMA platform",
    "PRAGMA database_list", "PRAGMA collations", "PRAGMA functions", "PRAGMA user_agent",
    "PRAGMA show_tables_expanded", "PRAGMA metadata_info", "PRAGMA show_databases",
])
def test_statements_that_only_look(server, sql):
    with server.flight() as client:
        if flight_sql.query(client, "SELECT count(*) c FROM duckdb_tables() WHERE table_name = 'looked'"
                            )["c"].to_pylist() == [0]:
            flight_sql.update(client, "CREATE TABLE looked AS SELECT 1 AS i, 'x' AS s")
        descriptor = flight_sql.query_descriptor(sql)
        schema = client.get_schema(descriptor).schema
        table = get(client, client.get_flight_info(descriptor))
        assert table.schema.equals(schema) and table.num_columns > 0
        assert table.num_rows > 0 or "metadata" in sql


@pytest.mark.parametrize("sql", [
    "PRAGMA threads=3", "PRAGMA memory_limit='1GB'", "PRAGMA enable_profiling", "PRAGMA threads",
    "SELECT 1; PRAGMA disable_optimizer", "PRAGMA import_database('/tmp')", "CALL pragma_version()",
])
def test_pragmas_that_change_something_are_refused(flight, sql):
    with pytest.raises(pyarrow.flight.FlightUnauthorizedError, match="not allowed"):
        flight_sql.query(flight, sql)


# --- texts --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("sql", [
    "SELECT 1 AS a;", ";;SELECT 1 AS a;;;", "-- first\nSELECT 1 AS a -- last",
    "/* a /* nested */ comment; */ SELECT 1 AS a", "\ufeffSELECT 1 AS a", "SELECT 1 AS a\r\n;\r\n",
    "SELECT /* ' */ 1 AS a -- '", "\n\n  SELECT\t1\fAS a", "SELECT 1\u00a0AS a",
])
def test_texts_around_a_statement(server, flight, sql):
    assert flight_sql.query(flight, sql).to_pylist() == [{"a": 1}]
    assert server.rows(sql) == [{"a": 1}]


@pytest.mark.parametrize("sql", ["", "  ", ";", "-- nothing", "/* nothing */ ;", "\ufeff", "/* a /* b */"])
def test_texts_without_a_statement(server, flight, sql):
    with pytest.raises(pa.ArrowInvalid, match="no statement"):
        flight_sql.query(flight, sql)
    with pytest.raises(pa.ArrowInvalid, match="no statement"):
        flight_sql.prepare(flight, sql)
    assert server.query(sql, "json").status in (400, 422)


def test_a_comment_without_an_end(flight):
    with pytest.raises(pa.ArrowInvalid, match="unterminated"):
        flight_sql.query(flight, "SELECT 1 AS a /* open")


def test_bytes_that_are_no_text(server):
    assert "zero byte" in server.query("SELECT '\0'", "json").json["detail"]
    response = server.request("POST", "/v1/query", b"SELECT '\xff'", {"content-type": "text/plain"})
    assert response.status == 400 and "UTF-8" in response.json["detail"]


SQL_BYTES_MAX = 10 << 20


def test_ten_mebibytes_of_text(server, flight):
    literal = "SELECT length('{}') AS n"
    length = SQL_BYTES_MAX - len(literal.format(""))
    sql = literal.format("x" * length)
    assert len(sql) == SQL_BYTES_MAX
    assert flight_sql.query(flight, sql).to_pylist() == [{"n": length}]
    assert server.value(sql) == length
    handle, _, _ = flight_sql.prepare(flight, sql)
    info = flight.get_flight_info(flight_sql.prepared_descriptor(handle))
    assert get(flight, info).to_pylist() == [{"n": length}]
    for too_long in (sql + " ", sql + " " * 1000000):
        with pytest.raises(pa.ArrowInvalid, match="10485760 are the limit: put rows by"):
            flight_sql.query(flight, too_long)
        assert server.query(too_long, "json").status in (400, 413)


def test_ten_mebibytes_of_values(flight):
    flight_sql.update(flight, "CREATE TABLE large_text (i INTEGER, s VARCHAR)")
    start = "INSERT INTO large_text VALUES "
    row = "({}, '" + "y" * 1000 + "')"
    rows = (SQL_BYTES_MAX - len(start)) // len(row.format(10000) + ",")
    sql = start + ",".join(row.format(i) for i in range(rows))
    assert SQL_BYTES_MAX - 50000 < len(sql) <= SQL_BYTES_MAX
    assert flight_sql.update(flight, sql) == rows
    assert flight_sql.query(flight, "SELECT sum(length(s)) AS n FROM large_text"
                            )["n"].to_pylist() == [1000 * rows]


def test_texts_that_would_keep_the_planner_busy(flight):
    for sql, reason in (("SELECT " + ", ".join("1" for _ in range(10001)), "10000 columns"),
                        ("; ".join("SELECT 1" for _ in range(1001)), "1000 statements"),
                        ("SELECT " + "(" * 501 + "1" + ")" * 501, "500 brackets")):
        with pytest.raises(pa.ArrowInvalid, match=reason):
            flight_sql.query(flight, sql)
