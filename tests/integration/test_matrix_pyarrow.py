"""The matrix of clients, pyarrow: Arrow's C++ client, with Flight SQL's messages packed by hand.

SPDX-License-Identifier: Apache-2.0
"""
import flight_sql
import pyarrow as pa
import pyarrow.flight
import pytest
from flight_sql import field, fields, packed, prepared_descriptor, query, query_descriptor, update
from harness import COMPUTING, Background, wait_until

APPEND, CREATE, REPLACE, FAIL = (0, 2), (1, 1), (1, 3), (2, 2)  # if_not_exist, if_exists


def shows(feature):
    return pytest.mark.client("pyarrow", feature)


def rows(count):
    return pa.table({"i": pa.array(range(count), pa.int64()),
                     "s": [None if i % 10 == 9 else f"row {i}" for i in range(count)]})


def put(client, descriptor, table):
    """Sends all rows, then reads: the metadata of the answer."""
    writer, reader = client.do_put(descriptor, table.schema)
    with writer:
        writer.write_table(table)
        writer.done_writing()
        answer = reader.read()
    return answer.to_pybytes() if answer else b""


def command(name, message=b""):
    return pyarrow.flight.FlightDescriptor.for_command(packed(name, message))


def listed(client, name, message=b""):
    info = client.get_flight_info(command(name, message))
    return client.do_get(info.endpoints[0].ticket).read_all()


def act(client, name, message=b""):
    (result,) = client.do_action((name, message))
    return result.body.to_pybytes()


@shows("connect")
def test_connect(server):
    with server.flight() as client:
        token = client.authenticate_basic_token("anyone", "any:thing")
        options = pyarrow.flight.FlightCallOptions(headers=[token])
        assert query(client, "SELECT 1 AS one", options)["one"].to_pylist() == [1]
        assert "BeginTransaction" in {action.type for action in client.list_actions()}


@shows("query")
def test_query(flight):
    sql = "SELECT i, 'v' || i AS s FROM range(3) t(i)"
    info = flight.get_flight_info(query_descriptor(sql))
    for _ in range(2):
        table = flight.do_get(info.endpoints[0].ticket).read_all()
        assert table.to_pydict() == {"i": [0, 1, 2], "s": ["v0", "v1", "v2"]}
    assert info.schema == flight.get_schema(query_descriptor(sql)).schema == table.schema
    assert query(flight, "SELECT 1 AS a WHERE false").schema == pa.schema([("a", pa.int32())])


@shows("update and DDL")
def test_update(flight):
    assert update(flight, "CREATE OR REPLACE TABLE pa_rows (i INTEGER)") == -1
    assert update(flight, "INSERT INTO pa_rows SELECT * FROM range(10)") == 10
    assert update(flight, "DELETE FROM pa_rows WHERE i < 4") == 4
    assert update(flight, "DROP TABLE pa_rows") == -1


@shows("parameters")
def test_parameters(flight):
    handle, schema, parameters = flight_sql.prepare(flight, "SELECT ?::BIGINT + 1 AS n, ?::VARCHAR AS s")
    assert pa.ipc.read_schema(pa.py_buffer(schema)).names == ["n", "s"]
    assert pa.ipc.read_schema(pa.py_buffer(parameters)).types == [pa.int64(), pa.utf8()]
    for start in range(3):
        answer = put(flight, prepared_descriptor(handle), rows(5).slice(start, 1))
        handle = fields(answer).get(1, [handle])[0]
        info = flight.get_flight_info(prepared_descriptor(handle))
        found = flight.do_get(info.endpoints[0].ticket).read_all().to_pydict()
        assert found == {"n": [start + 1], "s": [f"row {start}"]}
    flight_sql.close_prepared(flight, handle)
    with pytest.raises(pa.ArrowException):
        flight.get_flight_info(prepared_descriptor(handle))


@shows("batch bind")
def test_batch(flight):
    update(flight, "CREATE OR REPLACE TABLE pa_batch (i BIGINT, s VARCHAR)")
    handle, _, _ = flight_sql.prepare(flight, "INSERT INTO pa_batch VALUES (?, ?)")
    for _ in range(2):
        assert fields(put(flight, prepared_descriptor(handle, update=True), rows(10_000)))[1] == [10_000]
    flight_sql.close_prepared(flight, handle)
    assert query(flight, "SELECT count(*) AS n, count(s) AS s FROM pa_batch").to_pydict() == {
        "n": [20_000], "s": [18_000]}


@shows("ingest")
def test_ingest(flight):
    update(flight, "DROP TABLE IF EXISTS pa_ingest")

    def ingest(mode, count):
        message = field(1, field(1, mode[0]) + field(2, mode[1])) + field(2, "pa_ingest")
        return fields(put(flight, command("CommandStatementIngest", message), rows(count)))[1]

    with pytest.raises(pa.ArrowKeyError, match="pa_ingest"):
        ingest(FAIL, 1)
    assert ingest(CREATE, 100) == [100]
    with pytest.raises(pa.ArrowException, match="pa_ingest"):
        ingest(CREATE, 1)
    assert ingest(FAIL, 10) == [10]
    assert query(flight, "SELECT count(*) AS n FROM pa_ingest")["n"].to_pylist() == [110]
    assert ingest(REPLACE, 5) == [5]
    assert query(flight, "SELECT count(*) AS n FROM pa_ingest")["n"].to_pylist() == [5]


@shows("transactions")
def test_transactions(flight):
    update(flight, "CREATE OR REPLACE TABLE pa_tx (i INTEGER)")
    for action, count in ((2, 0), (1, 1)):
        begun = act(flight, "BeginTransaction", packed("ActionBeginTransactionRequest", b""))
        transaction = flight_sql.unpacked(begun)[1][1][0]
        message = field(1, "INSERT INTO pa_tx VALUES (1)") + field(2, transaction)
        writer, reader = flight.do_put(command("CommandStatementUpdate", message), pa.schema([]))
        with writer:
            assert fields(reader.read().to_pybytes())[1] == [1]
        list(flight.do_action(("EndTransaction", packed(
            "ActionEndTransactionRequest", field(1, transaction) + field(2, action)))))
        assert query(flight, "SELECT count(*) AS n FROM pa_tx")["n"].to_pylist() == [count]


@shows("metadata")
def test_metadata(flight):
    for sql in ("CREATE SCHEMA IF NOT EXISTS pa_meta", "DROP TABLE IF EXISTS pa_meta.child",
                "CREATE OR REPLACE TABLE pa_meta.parent (a INTEGER PRIMARY KEY)",
                "CREATE TABLE pa_meta.child (i BIGINT, a INTEGER REFERENCES pa_meta.parent (a))"):
        update(flight, sql)
    assert "memory" in listed(flight, "CommandGetCatalogs")["catalog_name"].to_pylist()
    assert listed(flight, "CommandGetDbSchemas", field(2, "pa_meta")).num_rows == 1
    assert "TABLE" in listed(flight, "CommandGetTableTypes")["table_type"].to_pylist()
    tables = listed(flight, "CommandGetTables", field(2, "pa_meta") + field(5, 1))
    assert tables["table_name"].to_pylist() == ["child", "parent"]
    schema = pa.ipc.read_schema(pa.py_buffer(tables["table_schema"][0].as_py()))
    assert (schema.names, schema.types) == (["i", "a"], [pa.int64(), pa.int32()])
    parent, child = (field(2, "pa_meta") + field(3, name) for name in ("parent", "child"))
    assert listed(flight, "CommandGetPrimaryKeys", parent)["column_name"].to_pylist() == ["a"]
    for name, message in (("Exported", parent), ("Imported", child)):
        keys = listed(flight, f"CommandGet{name}Keys", message)
        assert keys["pk_table_name"].to_pylist() == ["parent"]
        assert keys["fk_table_name"].to_pylist() == ["child"]
    assert listed(flight, "CommandGetXdbcTypeInfo").num_rows > 10
    assert listed(flight, "CommandGetSqlInfo").num_rows > 50


@shows("cancel")
def test_cancel_flight_info(server, flight):
    info = flight.get_flight_info(query_descriptor(COMPUTING.format(mark="pa_cancel")))
    reading = Background(lambda: list(flight.do_get(info.endpoints[0].ticket)))
    wait_until(lambda: server.statements("pa_cancel", ("running",)), what="the statement's start")
    answer = act(flight, "CancelFlightInfo", field(1, info.serialize()))
    assert fields(answer)[1][0] in (1, 2)
    with pytest.raises(pyarrow.flight.FlightCancelledError):
        reading.outcome()


@shows("cancel")
def test_cancel_a_reader(server, flight):
    info = flight.get_flight_info(query_descriptor("SELECT i AS pa_leave FROM range(1000000000) t(i)"))
    reader = flight.do_get(info.endpoints[0].ticket)
    reader.read_chunk()
    reader.cancel()
    wait_until(lambda: not server.running("pa_leave"), what="the statement's end")


@shows("session options")
def test_session_options(server):
    with server.flight() as client:
        update(client, "CREATE SCHEMA IF NOT EXISTS pa_session")
        update(client, "CREATE OR REPLACE TABLE pa_session.only_there (i INTEGER)")
        value = field(1, "pa_session")  # SessionOptionValue.string_value
        act(client, "SetSessionOptions", field(1, field(1, "schema") + field(2, value)))
        assert query(client, "SELECT count(*) AS n FROM only_there")["n"].to_pylist() == [0]
        assert b"pa_session" in act(client, "GetSessionOptions")
        assert fields(act(client, "CloseSession"))[1][0] in (1, 2)


@shows("large result")
def test_a_million_rows(flight):
    table = query(flight, "SELECT i, 'text ' || i AS s FROM range(1000000) t(i)")
    table.validate(full=True)
    assert table.num_rows == 1_000_000
    assert table["i"].combine_chunks().to_numpy().sum() == 499_999_500_000


@shows("errors")
@pytest.mark.parametrize(("sql", "error", "text"), [
    ("SELEC 1", pa.ArrowInvalid, "SELEC"),
    ("FROM pa_no_such_table", pa.ArrowKeyError, "pa_no_such_table"),
    ("CREATE SCHEMA main", pa.ArrowException, "main"),
    ("INSTALL httpfs", pyarrow.flight.FlightUnauthorizedError, "allow-statements"),
])
def test_errors(flight, sql, error, text):
    with pytest.raises(error, match=text):
        query(flight, sql)
    with pytest.raises(error, match=text):
        update(flight, sql)
