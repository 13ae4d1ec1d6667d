"""Flight SQL with nothing but pyarrow.flight and commands packed by hand.

SPDX-License-Identifier: Apache-2.0
"""
import re

import engine_types
import flight_sql
import pyarrow as pa
import pyarrow.flight
import pytest
from doc_pages import REPOSITORY
from harness import wait_until


def test_select_arrives_with_the_announced_schema(flight):
    sql = "SELECT i AS n, 'row ' || i AS text FROM range(3) t(i) ORDER BY i"
    info = flight.get_flight_info(flight_sql.query_descriptor(sql))
    table = flight.do_get(info.endpoints[0].ticket).read_all()
    assert info.schema.equals(table.schema, check_metadata=True)
    assert flight.get_schema(flight_sql.query_descriptor(sql)).schema.equals(table.schema)
    assert table.to_pydict() == {"n": [0, 1, 2], "text": ["row 0", "row 1", "row 2"]}


def test_one_endpoint_without_location_and_a_ticket_that_clients_can_parse(flight):
    info = flight.get_flight_info(flight_sql.query_descriptor("SELECT 1"))
    (endpoint,) = info.endpoints
    assert not endpoint.locations
    name, _ = flight_sql.unpacked(endpoint.ticket.ticket)
    assert name == "TicketStatementQuery"


def test_empty_result_has_its_schema(flight):
    table = flight_sql.query(flight, "SELECT 1::INTEGER AS a, 'x' AS b WHERE false")
    assert table.num_rows == 0
    assert table.schema.names == ["a", "b"]
    assert table.schema.types == [pa.int32(), pa.string()]


def test_large_result_is_complete_ordered_and_cut_by_bytes(flight):
    rows = 1_000_000
    sql = f"SELECT i, i * 2 AS j, 'text number ' || i AS s FROM range({rows}) t(i)"
    info = flight.get_flight_info(flight_sql.query_descriptor(sql))
    expected = 0
    for chunk in flight.do_get(info.endpoints[0].ticket):
        batch = chunk.data
        assert 0 < batch.num_rows <= 65536
        assert batch.nbytes <= 2 << 20
        first = batch.column(0)[0].as_py()
        assert first == expected
        expected += batch.num_rows
        assert batch.column(1)[-1].as_py() == 2 * (expected - 1)
        assert batch.column(2)[-1].as_py() == f"text number {expected - 1}"
    assert expected == rows


def test_result_can_be_read_again_and_by_two_readers_at_once(flight):
    sql = "SELECT i FROM range(300000) t(i)"
    info = flight.get_flight_info(flight_sql.query_descriptor(sql))
    ticket = info.endpoints[0].ticket
    one, two = flight.do_get(ticket), flight.do_get(ticket)
    first = [one.read_chunk().data, two.read_chunk().data]
    assert first[0].equals(first[1])
    assert one.read_all().num_rows == two.read_all().num_rows == 300000 - first[0].num_rows
    assert flight.do_get(ticket).read_all().num_rows == 300000


def test_a_select_runs_once_however_often_it_is_fetched(flight):
    flight_sql.query(flight, "CREATE SEQUENCE once_numbers")
    info = flight.get_flight_info(flight_sql.query_descriptor("SELECT nextval('once_numbers') v"))
    values = [flight.do_get(info.endpoints[0].ticket).read_all()["v"].to_pylist() for _ in "ab"]
    assert values == [[1], [1]]


def test_a_statement_with_an_effect_runs_at_get_flight_info_exactly_once(flight):
    flight_sql.query(flight, "CREATE TABLE effect_once (i INTEGER)")
    flight.get_flight_info(flight_sql.query_descriptor("INSERT INTO effect_once VALUES (1), (2)"))

    def count():
        return flight_sql.query(flight, "SELECT count(*) c FROM effect_once")["c"].to_pylist()

    wait_until(lambda: count() == [2], what="an INSERT that nobody fetches")
    info = flight.get_flight_info(flight_sql.query_descriptor("INSERT INTO effect_once VALUES (3)"))
    for _ in range(3):
        flight.do_get(info.endpoints[0].ticket).read_all()
    assert count() == [3]


def test_update_counts(flight):
    assert flight_sql.update(flight, "CREATE TABLE counted (i INTEGER, s VARCHAR)") == -1
    assert flight_sql.update(flight, "INSERT INTO counted SELECT i, 'x' FROM range(10) t(i)") == 10
    assert flight_sql.update(flight, "UPDATE counted SET s = 'y' WHERE i < 4") == 4
    assert flight_sql.update(flight, "DELETE FROM counted WHERE i >= 8") == 2
    assert flight_sql.update(flight, "DROP TABLE counted") == -1


def test_returning_gives_rows_and_runs_once(flight):
    flight_sql.update(flight, "CREATE TABLE returned (i INTEGER)")
    table = flight_sql.query(flight, "INSERT INTO returned VALUES (7), (8) RETURNING i * 10 AS t")
    assert table["t"].to_pylist() == [70, 80]
    assert flight_sql.query(flight, "SELECT count(*) c FROM returned")["c"].to_pylist() == [2]


def test_several_statements_in_one_text_are_one_transaction(flight):
    with pytest.raises(pa.ArrowException):
        flight_sql.query(flight, "CREATE TABLE half_done (i INTEGER); SELECT 1 / 'x'::INTEGER")
    with pytest.raises(KeyError):
        flight_sql.query(flight, "FROM half_done")


@pytest.mark.parametrize(
    "sql", ["SHOW TABLES", "DESCRIBE SELECT 1 AS a", "EXPLAIN SELECT 1", "SUMMARIZE SELECT 1 AS a",
            "VALUES (1), (2)", "FROM range(3)", "WITH a AS (SELECT 1 x) SELECT x, x FROM a"],
)
def test_every_kind_of_statement_that_returns_rows(flight, sql):
    info = flight.get_flight_info(flight_sql.query_descriptor(sql))
    table = flight.do_get(info.endpoints[0].ticket).read_all()
    assert table.num_columns > 0
    assert info.schema.equals(table.schema)


def documented_types():
    """(SQL type, Arrow type) of each row in the table of docs/arrow.md."""
    page = (REPOSITORY / "docs" / "arrow.md").read_text().split("## What the types of SQL leave as")[1]
    for line in page.split("\n## ")[0].splitlines():
        cells = [re.findall("`([^`]+)`", cell) for cell in line.split("|")[1:3]]
        yield from zip(*cells, strict=True)


@pytest.mark.parametrize("sql,arrow", list(documented_types()))
def test_types_leave_as_documented(flight, sql, arrow):
    (field,) = flight_sql.query(flight, f"SELECT NULL::{sql} AS v").schema
    assert str(engine_types.storage_type(field.type)) == arrow


def test_variant_is_refused_with_advice(flight):
    with pytest.raises(pa.ArrowNotImplementedError, match="cast it, for example to JSON"):
        flight_sql.query(flight, "SELECT 42::VARIANT AS v")


@pytest.mark.parametrize("case", engine_types.CASES, ids=lambda case: case.name)
def test_types(flight, case):
    engine_types.check(flight_sql.query(flight, engine_types.statement(case)), case)


def test_prepared_query_runs_again_and_closes(flight):
    handle, dataset_schema, _ = flight_sql.prepare(flight, "SELECT 42 AS answer")
    schema = pa.ipc.read_schema(pa.py_buffer(dataset_schema))
    for _ in range(2):
        info = flight.get_flight_info(flight_sql.prepared_descriptor(handle))
        table = flight.do_get(info.endpoints[0].ticket).read_all()
        assert table.schema.equals(schema)
        assert table.to_pylist() == [{"answer": 42}]
    flight_sql.close_prepared(flight, handle)
    with pytest.raises(pa.ArrowException):
        flight.get_flight_info(flight_sql.prepared_descriptor(handle))


def test_prepared_update(flight):
    flight_sql.update(flight, "CREATE TABLE prepared_into (i INTEGER)")
    handle, _, _ = flight_sql.prepare(flight, "INSERT INTO prepared_into VALUES (1), (2), (3)")
    writer, reader = flight.do_put(flight_sql.prepared_descriptor(handle, True), pa.schema([]))
    with writer:
        result = flight_sql.fields(reader.read().to_pybytes())
        writer.done_writing()
    assert result[1] == [3]
    flight_sql.close_prepared(flight, handle)
    assert flight_sql.query(flight, "SELECT count(*) c FROM prepared_into")["c"].to_pylist() == [3]


def test_statement_with_a_parameter_says_that_none_was_bound(flight):
    with pytest.raises(pa.ArrowInvalid, match="(?i)parameter"):
        flight_sql.query(flight, "SELECT $1::INTEGER")


def test_sql_info(flight):
    descriptor = pyarrow.flight.FlightDescriptor.for_command(
        flight_sql.packed("CommandGetSqlInfo", b"")
    )
    info = flight.get_flight_info(descriptor)
    table = flight.do_get(info.endpoints[0].ticket).read_all()
    values = dict(zip(table["info_name"].to_pylist(), table["value"].to_pylist()))
    assert values[0] == "Volley"
    assert values[1].startswith("duckdb v1.5")
    assert " volley " in values[1]


def test_list_actions_names_what_works(flight):
    names = {action.type for action in flight.list_actions()}
    assert {"CreatePreparedStatement", "ClosePreparedStatement"} <= names


def test_handshake_gives_a_bearer_that_later_calls_may_carry(flight):
    name, value = flight.authenticate_basic_token("anyone", "any:thing")
    assert name == b"authorization"
    options = pyarrow.flight.FlightCallOptions(headers=[(name, value)])
    assert flight_sql.query(flight, "SELECT 1 AS one", options)["one"].to_pylist() == [1]


def test_unknown_bearer_is_refused(flight):
    options = pyarrow.flight.FlightCallOptions(headers=[(b"authorization", b"Bearer no-such-token")])
    with pytest.raises(pyarrow.flight.FlightUnauthenticatedError):
        flight_sql.query(flight, "SELECT 1", options)


@pytest.mark.parametrize(
    ("sql", "error", "text"),
    [
        ("SELEC 1", pa.ArrowInvalid, "syntax"),
        ("SELECT nope FROM range(1) t(i)", pa.ArrowInvalid, "nope"),
        ("SELECT 'x'::INTEGER", pa.ArrowInvalid, "x"),
        ("FROM no_such_table", pa.ArrowKeyError, "no_such_table"),
        ("CREATE TABLE error_twice (i INTEGER); CREATE TABLE error_twice (i INTEGER)",
         pa.ArrowException, "error_twice"),
        ("", pa.ArrowInvalid, ""),
        ("SELECT 'Grüße' FROM nirgendwo_gr\u00fc\u00dfe", pa.ArrowKeyError, "nirgendwo_grüße"),
    ],
)
def test_errors_carry_code_and_message(flight, sql, error, text):
    with pytest.raises(error, match=f"(?i){text}"):
        flight_sql.query(flight, sql)


def test_error_while_streaming_reaches_the_reader(flight):
    sql = "SELECT CASE WHEN i = 900000 THEN error('too late')::BIGINT ELSE i END FROM range(1000000) t(i)"
    info = flight.get_flight_info(flight_sql.query_descriptor(sql))
    with pytest.raises(pa.ArrowException, match="too late"):
        flight.do_get(info.endpoints[0].ticket).read_all()


@pytest.mark.parametrize(
    "change",
    [
        lambda t: t[:-1],
        lambda t: t[:-1] + bytes([t[-1] ^ 1]),
        lambda t: t[:60],
        lambda t: t[:20],
        lambda t: t[:3],
    ],
)
def test_forged_or_cut_ticket(flight, change):
    info = flight.get_flight_info(flight_sql.query_descriptor("SELECT 1"))
    ticket = pyarrow.flight.Ticket(change(info.endpoints[0].ticket.ticket))
    with pytest.raises(pa.ArrowInvalid, match="altered or cut"):
        flight.do_get(ticket).read_all()


def test_a_query_that_is_put_is_told_where_it_belongs(flight):
    with pytest.raises(pa.ArrowInvalid, match="belongs into GetFlightInfo"):
        writer, _ = flight.do_put(flight_sql.query_descriptor("SELECT 1"), pa.schema([("a", pa.int64())]))
        writer.close()


def test_what_is_not_there_yet_answers_unimplemented_and_names_itself(flight):
    descriptor = pyarrow.flight.FlightDescriptor.for_command(
        flight_sql.packed("CommandStatementSubstraitPlan", b"")
    )
    with pytest.raises(NotImplementedError, match="(?i)substrait"):
        flight.get_flight_info(descriptor)
    live = pyarrow.flight.FlightDescriptor.for_path("live", "market_data")
    with pytest.raises(NotImplementedError, match="(?i)live tables"):
        writer, _ = flight.do_put(live, pa.schema([("a", pa.int64())]))
        writer.close()
    queued = pyarrow.flight.FlightCallOptions(headers=[(b"volley-queue", b"work")])
    store = pyarrow.flight.FlightDescriptor.for_command(b"store")
    with pytest.raises(NotImplementedError, match="(?i)queues"):
        writer, _ = flight.do_put(store, pa.schema([("a", pa.int64())]), queued)
        writer.close()


def test_the_http_port_answers_flight_too(server):
    with pyarrow.flight.connect("grpc://{}:{}".format(*server.http_address)) as client:
        assert flight_sql.query(client, "SELECT 5 AS v")["v"].to_pylist() == [5]


def test_server_state_is_sql(flight):
    for table in ("queries", "sessions", "datasets", "settings", "metrics"):
        assert flight_sql.query(flight, f"SELECT * FROM volley.{table}").num_columns > 0
    running = flight_sql.query(flight, "SELECT sql, state FROM volley.queries")
    assert "running" in running["state"].to_pylist()
