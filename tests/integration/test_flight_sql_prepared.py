"""Prepared statements and their parameters: as drivers use them, message by message, and bound badly.

SPDX-License-Identifier: Apache-2.0
"""
import datetime
import decimal
import threading

import adbc_driver_manager
import flight_sql
import grpc
import pyarrow as pa
import pytest
from flight_calls import options
from flight_sql import field

Status = adbc_driver_manager.AdbcStatusCode


def schema_of(encapsulated):
    return pa.ipc.read_schema(pa.py_buffer(encapsulated))


def rows_of(*values, type=None):
    """One column of parameters."""
    return pa.table({"0": pa.array(values, type)})


@pytest.fixture
def table(server, request):
    name = "p_" + "".join(c if c.isalnum() else "_" for c in request.node.name)
    with server.flight() as client:
        flight_sql.update(client, f"CREATE OR REPLACE TABLE {name}"
                          " (i INTEGER PRIMARY KEY, s VARCHAR, d DECIMAL(10,2))")
        flight_sql.update(client, f"INSERT INTO {name} VALUES"
                          " (1, 'one', 1.5), (2, 'two', 2.5), (3, NULL, NULL)")
        yield name
        flight_sql.update(client, f"DROP TABLE IF EXISTS {name}")


def read(client, sql):
    return flight_sql.query(client, sql).to_pylist()


def count(client, table):
    ((row),) = read(client, f"SELECT count(*) AS n FROM {table}")
    return row["n"]


# --- ADBC ---------------------------------------------------------------------------------------------


def test_adbc_query_with_parameters(adbc, table):
    with adbc.cursor() as cursor:
        cursor.execute(f"SELECT s FROM {table} WHERE i = ? OR s = ? ORDER BY i", (1, "two"))
        assert cursor.fetchall() == [("one",), ("two",)]
        cursor.execute(f"SELECT s FROM {table} WHERE i = ?", (3,))
        assert cursor.fetchall() == [(None,)]
        cursor.execute("SELECT $b::INTEGER - $a::INTEGER", pa.record_batch({"a": [1], "b": [10]}))
        assert cursor.fetchone() == (9,)


VALUES = [
    True, -5, 1 << 40, 1.5, "text", "", "a text of more than twelve bytes", b"\x00\xff", None,
    decimal.Decimal("12.345"), decimal.Decimal("-12345678901234567890.5"), datetime.date(2026, 11, 21),
    datetime.time(1, 2, 3, 4), datetime.datetime(2026, 11, 21, 1, 2, 3, 4), [1, None, 3], ["a"],
    {"a": 1, "b": "x"}, datetime.datetime(2026, 11, 21, 1, 2, 3, tzinfo=datetime.timezone.utc),
]


@pytest.mark.parametrize("value", VALUES, ids=repr)
def test_adbc_gets_back_what_it_binds(adbc, value):
    with adbc.cursor() as cursor:
        cursor.execute("SELECT ? AS v", (value,))
        assert cursor.fetchone() == (value,)


def test_adbc_executemany(adbc, table):
    with adbc.cursor() as cursor:
        cursor.executemany(f"INSERT INTO {table} VALUES (?, ?, ?)",
                           [(i, f"s{i}", decimal.Decimal(i) / 4) for i in range(100, 1100)])
        assert cursor.rowcount in (-1, 1000)
        cursor.executemany(f"UPDATE {table} SET s = ? WHERE i = ?", [("x", 100), ("y", 101), ("z", 5)])
        cursor.executemany(f"DELETE FROM {table} WHERE i = ?", [(i,) for i in range(102, 1100)])
        cursor.execute(f"SELECT i, s, d FROM {table} WHERE i >= 100 ORDER BY i")
        assert cursor.fetchall() == [(100, "x", decimal.Decimal("25.00")),
                                     (101, "y", decimal.Decimal("25.25"))]


def test_adbc_executemany_within_a_transaction(adbc_transaction, table):
    with adbc_transaction.cursor() as cursor:
        cursor.executemany(f"INSERT INTO {table} VALUES (?, 'x', 0)", [(i,) for i in range(10, 30)])
        adbc_transaction.rollback()
        cursor.execute(f"SELECT count(*) FROM {table}")
        assert cursor.fetchone() == (3,)
        cursor.executemany(f"INSERT INTO {table} VALUES (?, 'x', 0)", [(i,) for i in range(10, 30)])
        adbc_transaction.commit()
        cursor.execute(f"SELECT count(*) FROM {table}")
        assert cursor.fetchone() == (23,)
        adbc_transaction.commit()


@pytest.fixture
def adbc_transaction(server):
    with server.adbc(autocommit=False) as connection:
        yield connection


def test_adbc_tells_the_parameters(adbc, table):
    with adbc.cursor() as cursor:
        schema = cursor.adbc_prepare(f"SELECT * FROM {table} WHERE i = ? AND d < ? AND ? IS NULL")
        assert [field.type for field in schema] == [pa.int32(), pa.decimal128(10, 2), pa.null()]


def test_adbc_says_what_is_missing(adbc):
    with adbc.cursor() as cursor, pytest.raises(adbc_driver_manager.Error, match="2 are missing"):
        cursor.execute("SELECT ?::INTEGER, ?::INTEGER")


# --- messages -----------------------------------------------------------------------------------------


def test_the_answer_to_creation(flight, table):
    _, dataset_schema, parameters = flight_sql.prepare(flight, f"SELECT s FROM {table} WHERE i = ? AND s = ?")
    assert schema_of(dataset_schema).names == ["s"]
    assert schema_of(parameters).names == ["1", "2"]
    assert schema_of(parameters).types == [pa.int32(), pa.string()]
    _, dataset_schema, parameters = flight_sql.prepare(flight, "SELECT $who AS v")
    assert dataset_schema in (None, b"")
    assert schema_of(parameters).field(0).equals(pa.field("who", pa.null()))
    _, _, parameters = flight_sql.prepare(flight, "SELECT 1")
    assert parameters in (None, b"")


def test_a_handle_is_bound_and_run_again_and_again(flight, table):
    handle, _, _ = flight_sql.prepare(flight, f"SELECT s FROM {table} WHERE i = ?")
    for number, text in ((1, "one"), (2, "two"), (3, None)) * 3:
        assert flight_sql.bind(flight, handle, rows_of(number)) == handle
        for _ in range(2):
            assert flight_sql.execute_prepared(flight, handle).to_pylist() == [{"s": text}]
    assert flight_sql.bind(flight, handle, rows_of(7)) == handle
    assert flight_sql.execute_prepared(flight, handle).num_rows == 0


def test_several_rows_are_several_runs(flight, table):
    handle, _, _ = flight_sql.prepare(flight, f"SELECT i, s FROM {table} WHERE i >= ? ORDER BY i")
    flight_sql.bind(flight, handle, rows_of(3, 2, 9))
    result = flight_sql.execute_prepared(flight, handle)
    assert result["i"].to_pylist() == [3, 2, 3]
    batches = pa.Table.from_batches([pa.record_batch({"0": [1]}), pa.record_batch({"0": [3, 2]})])
    flight_sql.bind(flight, handle, batches)
    assert flight_sql.execute_prepared(flight, handle)["i"].to_pylist() == [1, 2, 3, 3, 2, 3]
    flight_sql.bind(flight, handle, rows_of(type=pa.int64()))
    assert flight_sql.execute_prepared(flight, handle).num_rows == 0


def test_many_executions_at_once(server, flight, table):
    handle, _, _ = flight_sql.prepare(flight, f"SELECT s, i FROM {table} WHERE i <= ? ORDER BY i")
    flight_sql.bind(flight, handle, rows_of(2))
    results = []

    def execute():
        for _ in range(20):
            results.append(flight_sql.execute_prepared(flight, handle)["i"].to_pylist())

    threads = [threading.Thread(target=execute) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert results == [[1, 2]] * 160


def test_bound_first_and_run_without_a_schema(flight, table):
    """As arrow-rs does it."""
    handle, _, _ = flight_sql.prepare(flight, f"INSERT INTO {table} VALUES (?, ?, ?)")
    rows = pa.table({"a": [10, 11], "b": ["x", "y"], "c": [1.0, 2.0]})
    assert flight_sql.bind(flight, handle, rows) == handle
    assert flight_sql.update_prepared(flight, handle) == 2
    with pytest.raises(pa.ArrowException, match="(?i)duplicate key"):
        flight_sql.update_prepared(flight, handle)
    assert count(flight, table) == 5


def test_updates_with_their_rows(flight, table):
    handle, _, _ = flight_sql.prepare(flight, f"UPDATE {table} SET s = $text WHERE i <= $top")
    assert flight_sql.update_prepared(flight, handle, pa.table({"top": [2], "text": ["t"]})) == 2
    assert flight_sql.update_prepared(flight, handle, pa.table({"text": ["u", "v"], "top": [1, 3]})) == 4
    assert [row["s"] for row in read(flight, f"SELECT s FROM {table} ORDER BY i")] == ["v", "v", "v"]
    assert flight_sql.update_prepared(flight, handle, pa.table({"text": pa.array([], pa.string()),
                                                                "top": pa.array([], pa.int32())})) == 0


@pytest.mark.parametrize("sql", ["INSERT INTO {} VALUES (?, ?, 0)",
                                 "INSERT INTO {} SELECT ?, ?, 0"], ids=["bulk", "row by row"])
def test_a_row_that_fails_takes_all_back(flight, table, sql):
    handle, _, _ = flight_sql.prepare(flight, sql.format(table))
    with pytest.raises(pa.ArrowException, match="(?i)duplicate key"):
        flight_sql.update_prepared(flight, handle, pa.table({"a": [10, 11, 1], "b": ["x", "y", "z"]}))
    assert count(flight, table) == 3
    with pytest.raises(pa.ArrowInvalid, match="'x'"):
        flight_sql.update_prepared(flight, handle, pa.table({"a": ["10", "x"], "b": ["x", "y"]}))
    assert count(flight, table) == 3
    assert flight_sql.update_prepared(flight, handle, pa.table({"a": ["10", "11"], "b": ["x", "y"]})) == 2
    assert count(flight, table) == 5


ALIKE = {
    "as it is": (pa.array([10, 11, None], pa.int64()), "?"),
    "text": (pa.array(["10", " 11 ", None]), "?"),
    "large text": (pa.array(["10", "11", None], pa.large_string()), "?"),
    "view": (pa.array(["10", "11", None], pa.string_view()), "?"),
    "dictionary": (pa.array(["10", "11", None]).dictionary_encode(), "?"),
    "decimal": (pa.array([decimal.Decimal("10.4"), decimal.Decimal("11.5"), None], pa.decimal128(9, 1)), "?"),
    "wide decimal": (pa.array([decimal.Decimal(10), decimal.Decimal(11), None], pa.decimal256(40, 0)), "?"),
    "double": (pa.array([10.4, 11.5, None]), "?"),
    "half": (pa.array([10, 11, None], pa.float16()), "?"),
    "bool": (pa.array([True, False, None]), "?"),
    "null": (pa.nulls(3), "?"),
    "expression": (pa.array([10, 11, None], pa.int16()), "coalesce(? * 2, -1) + 1"),
    "cast": (pa.array(["10", "11", None]), "?::INTEGER + 1"),
    "comment": (pa.array([1, 2, None]), "? -- a ) comment\n"),
}


@pytest.mark.parametrize("case", ALIKE)
def test_many_rows_are_the_same_as_one_by_one(flight, case):
    values, expression = ALIKE[case]
    name = "alike_" + case.replace(" ", "_")
    flight_sql.update(flight, f"CREATE OR REPLACE TABLE {name} (i INTEGER, n INTEGER)")
    handle, _, _ = flight_sql.prepare(flight, f"INSERT INTO {name} (n, i) VALUES (?, {expression})")
    rows = pa.table({"0": [0, 1, 2], "1": values})
    assert flight_sql.update_prepared(flight, handle, rows) == 3
    together = read(flight, f"SELECT i FROM {name} ORDER BY n")
    flight_sql.update(flight, f"DELETE FROM {name}")
    for row in range(3):
        assert flight_sql.update_prepared(flight, handle, rows.slice(row, 1)) == 1
    assert read(flight, f"SELECT i FROM {name} ORDER BY n") == together
    flight_sql.update(flight, f"DROP TABLE {name}")


TYPES = {
    "timestamps": [pa.array([0, 10 ** 9], pa.timestamp(unit)) for unit in ("s", "ms", "us", "ns")],
    "instants": [pa.array([0, 10 ** 9], pa.timestamp(unit, "Europe/Berlin"))
                 for unit in ("s", "ms", "us", "ns")],
    "times": [pa.array([0, 3600], pa.time32("s")), pa.array([0, 3600], pa.time64("ns"))],
    "dates": [pa.array([0, 1], pa.date32()), pa.array([0, 86400000], pa.date64())],
    "durations": [pa.array([0, 5], pa.duration("s")), pa.array([pa.MonthDayNano([1, 2, 3000])] * 2)],
    "binary": [pa.array([b"a", b"b"], pa.binary(1)), pa.array([b"a", b""], pa.binary_view())],
    "nested": [pa.array([[1, 2], []]), pa.array([[1, 2], [3, 4]], pa.list_(pa.int32(), 2)),
               pa.array([{"a": [1], "b": None}, {"a": None, "b": "x"}]),
               pa.array([[("k", 1)], []], pa.map_(pa.string(), pa.int32()))],
    "runs": [pa.RunEndEncodedArray.from_arrays([1, 2], ["a", "b"])],
    "union": [pa.UnionArray.from_dense(pa.array([0, 1], pa.int8()), pa.array([0, 0], pa.int32()),
                                       [pa.array([1]), pa.array(["x"])])],
}


@pytest.mark.parametrize("kind", TYPES)
def test_every_arrow_type_is_bound(flight, kind):
    for values in TYPES[kind]:
        handle, _, _ = flight_sql.prepare(flight, "SELECT ? AS v")
        flight_sql.bind(flight, handle, pa.table({"v": values}))
        assert flight_sql.execute_prepared(flight, handle).num_rows == 2, values.type


def test_a_definition_between_is_seen(flight, table):
    handle, _, _ = flight_sql.prepare(flight, f"SELECT * FROM {table} WHERE i = ?")
    flight_sql.bind(flight, handle, rows_of(2))
    flight_sql.update(flight, f"ALTER TABLE {table} ADD COLUMN more INTEGER DEFAULT 5")
    assert flight_sql.execute_prepared(flight, handle)["more"].to_pylist() == [5]
    flight_sql.update(flight, f"ALTER TABLE {table} DROP COLUMN s")
    assert flight_sql.execute_prepared(flight, handle).column_names == ["i", "d", "more"]
    flight_sql.update(flight, f"DROP TABLE {table}")
    with pytest.raises(pa.ArrowException, match="does not exist"):
        flight_sql.execute_prepared(flight, handle)


def test_the_schema_alone(flight, table):
    handle, _, _ = flight_sql.prepare(flight, f"SELECT s FROM {table} WHERE i = ?")
    descriptor = flight_sql.prepared_descriptor(handle)
    assert flight.get_schema(descriptor).schema.names == ["s"]
    flight_sql.bind(flight, handle, rows_of(1))
    assert flight.get_schema(descriptor).schema.names == ["s"]


def test_returning_with_parameters(flight, table):
    handle, _, _ = flight_sql.prepare(flight, f"INSERT INTO {table} VALUES (?, ?, 0) RETURNING i, s")
    flight_sql.bind(flight, handle, pa.table({"a": [10, 11], "b": ["x", "y"]}))
    assert flight_sql.execute_prepared(flight, handle).to_pylist() == [
        {"i": 10, "s": "x"}, {"i": 11, "s": "y"}]


# --- bound badly --------------------------------------------------------------------------------------


@pytest.mark.parametrize(("sql", "rows", "error", "text"), [
    ("SELECT ?::INT, ?::INT", rows_of(1), pa.ArrowInvalid, "1 are missing"),
    ("SELECT ?::INT", pa.table({"a": [1], "b": [2]}), pa.ArrowInvalid, "1 are too many"),
    ("SELECT 1", rows_of(1), pa.ArrowInvalid, "no parameters"),
    ("SELECT $a::INT + $b::INT", pa.table({"a": [1], "c": [2]}), pa.ArrowInvalid, "'b'"),
])
def test_binds_that_do_not_fit(flight, sql, rows, error, text):
    handle, _, _ = flight_sql.prepare(flight, sql)
    with pytest.raises(error, match=text):
        flight_sql.bind(flight, handle, rows)
    with pytest.raises(pa.ArrowException):
        flight_sql.update_prepared(flight, handle, rows)


def test_a_type_that_cannot_be_bound(flight):
    handle, _, _ = flight_sql.prepare(flight, "SELECT ? AS v")
    flight_sql.bind(flight, handle, pa.table({"v": pa.array([{}], pa.struct([]))}))
    with pytest.raises(pa.ArrowInvalid, match="parameter '1' cannot take a value of type struct"):
        flight_sql.execute_prepared(flight, handle)


def test_a_value_that_cannot_be_bound(flight):
    handle, _, _ = flight_sql.prepare(flight, "SELECT ? AS v")
    flight_sql.bind(flight, handle, pa.table({"v": pa.array([1, 1 << 62], pa.timestamp("s", "UTC"))}))
    with pytest.raises(pa.ArrowInvalid, match="row 2 of the parameters: parameter '1'"):
        flight_sql.execute_prepared(flight, handle)
    flight_sql.bind(flight, handle, pa.table({"v": pa.array([[None] * 1_000_001])}))
    with pytest.raises(pa.ArrowInvalid, match="1,000,000"):
        flight_sql.execute_prepared(flight, handle)


def test_a_text_that_nobody_wrote_is_not_shown(flight, table):
    handle, _, _ = flight_sql.prepare(flight, f"INSERT INTO {table}(i) VALUES (?)")
    with pytest.raises(pa.ArrowInvalid, match="out of range") as failure:
        flight_sql.update_prepared(flight, handle, rows_of(100, 1 << 40))
    assert "LINE" not in str(failure.value)


def test_columns_of_many_names_are_found(flight):
    names = [f"a_name_that_is_as_long_as_the_others_{i:05}" for i in range(9000)]
    total = " + ".join(f"${name}::BIGINT" for name in names[:2])
    listed = ", ".join(f"${name}::BIGINT" for name in names)
    handle, _, _ = flight_sql.prepare(flight, f"SELECT {total} AS v WHERE 5 IN ({listed})")
    columns = [pa.array([i]) for i in range(9000)]
    flight_sql.bind(flight, handle, pa.table(columns[::-1], names=[name.upper() for name in names[::-1]]))
    assert flight_sql.execute_prepared(flight, handle).to_pydict() == {"v": [1]}


def test_handles_that_are_not_there(server, flight, table):
    handle, _, _ = flight_sql.prepare(flight, f"SELECT s FROM {table} WHERE i = ?")
    with server.flight() as other:
        for client, unknown in ((flight, b"no such handle"), (flight, b""), (other, handle)):
            for attempt in (lambda: flight_sql.bind(client, unknown, rows_of(1)),
                            lambda: flight_sql.update_prepared(client, unknown, rows_of(1, 2)),
                            lambda: flight_sql.update_prepared(client, unknown),
                            lambda: flight_sql.execute_prepared(client, unknown)):
                with pytest.raises(KeyError, match="no prepared statement"):
                    attempt()
    flight_sql.close_prepared(flight, handle)
    with pytest.raises(KeyError):
        flight_sql.bind(flight, handle, rows_of(1))
    flight_sql.close_prepared(flight, handle)


def test_more_rows_than_are_kept(flight):
    handle, _, _ = flight_sql.prepare(flight, "SELECT length(?)")
    wide = pa.array(["x" * (1 << 20)] * 24)
    rows = pa.Table.from_batches([pa.record_batch({"0": wide})] * 3)
    with pytest.raises(pa.ArrowException, match="64 MiB"):
        flight_sql.bind(flight, handle, rows)
    flight_sql.bind(flight, handle, rows.slice(0, 40))
    other, _, _ = flight_sql.prepare(flight, "SELECT length(?)")
    with pytest.raises(pa.ArrowException, match="64 MiB"):
        flight_sql.bind(flight, other, rows.slice(0, 40))
    flight_sql.close_prepared(flight, handle)
    flight_sql.bind(flight, other, rows.slice(0, 40))
    flight_sql.close_prepared(flight, other)


def test_a_client_that_breaks_off_binds_and_changes_nothing(server, table):
    with server.flight() as client:
        handle, _, _ = flight_sql.prepare(client, f"INSERT INTO {table} VALUES (?, 'x', 0)")
        rows = rows_of(*range(100, 200))
        writer, _ = client.do_put(flight_sql.prepared_descriptor(handle, update=True), rows.schema)
        flight_sql.put(writer, rows)
        flight_sql.put(writer, rows_of(*range(200, 300)))
    with server.flight() as client:
        assert count(client, table) == 3


SERVICE = "/arrow.flight.protocol.FlightService/"


def messages_of(table):
    """The IPC messages of a table as FlightData without descriptor: schema, dictionaries, batches."""
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as stream:
        stream.write_table(table)
    return [field(2, message.metadata.to_pybytes()) +
            (field(1000, message.body.to_pybytes()) if message.body else b"")
            for message in pa.ipc.MessageReader.open_stream(sink.getvalue())]


SCHEMA, BATCH = messages_of(rows_of(50, 51))
LATE_SCHEMA, LATE_BATCH = messages_of(rows_of("50", "51"))


@pytest.mark.parametrize("update", [False, True], ids=["bind", "update"])
@pytest.mark.parametrize("messages", [
    [BATCH], [SCHEMA, SCHEMA], [SCHEMA, BATCH, SCHEMA], [SCHEMA, BATCH, LATE_BATCH], [SCHEMA, BATCH[:-8]],
    [SCHEMA, field(1000, b"x" * 64)], [SCHEMA, field(2, b"\xff" * 40)],
    [SCHEMA, BATCH, BATCH, field(2, b"x")],
    [b"", SCHEMA, BATCH], [SCHEMA[:40]],
], ids=lambda messages: ",".join(str(len(message)) for message in messages))
def test_messages_that_are_no_rows(server, flight, table, update, messages):
    with grpc.insecure_channel("{}:{}".format(*server.flight_address)) as channel:
        request = flight_sql.packed("ActionCreatePreparedStatementRequest",
                                    field(1, f"INSERT INTO {table} VALUES (?, 'x', 0)"))
        (answer,) = channel.unary_stream(SERVICE + "DoAction")(
            field(1, "CreatePreparedStatement") + field(2, request), timeout=20)
        handle = flight_sql.unpacked(flight_sql.fields(answer)[1][0])[1][1][0]
        descriptor = field(1, flight_sql.prepared_descriptor(handle, update).serialize())
        sent = [descriptor + messages[0], *messages[1:]]
        put = channel.stream_stream(SERVICE + "DoPut")
        if messages[0] == b"" and not update:
            assert list(put(iter(sent), timeout=20)), "the schema of a bind may come late"
        else:
            with pytest.raises(grpc.RpcError) as failure:
                list(put(iter(sent), timeout=20))
            assert failure.value.code() == grpc.StatusCode.INVALID_ARGUMENT
    assert count(flight, table) == 3


def test_the_limit_of_handles(server):
    with server.flight() as client:
        handles = []
        with pytest.raises(pa.ArrowException, match="prepared statements; close some"):
            for _ in range(100_000):
                handles.append(flight_sql.prepare(client, "SELECT ?::INTEGER")[0])
                assert len(handles) < 20_000
        flight_sql.close_prepared(client, handles[0])
        flight_sql.prepare(client, "SELECT ?::INTEGER")


@pytest.mark.parametrize("sql", ["SELECT i, 't' AS s FROM range(9) t(i)",
                                 "SELECT i, 't' AS s FROM range(9) t(i) WHERE i < ?"])
def test_each_execution_has_the_options_of_its_call(flight, sql):
    handle, _, _ = flight_sql.prepare(flight, sql)
    if "?" in sql:
        flight_sql.bind(flight, handle, pa.table({"1": [9]}))
    wishes = {"row_limit": 2, "views": "on"}
    for wanted in (wishes, {}, wishes):
        table = flight_sql.execute_prepared(flight, handle, options(**wanted))
        assert table.num_rows == (2 if wanted else 9)
        assert table.schema.field("s").type == (pa.string_view() if wanted else pa.string())


def test_an_error_of_many_rows_names_the_parameter(flight, table):
    handle, _, _ = flight_sql.prepare(flight, f"INSERT INTO {table} (i) VALUES (?)")
    with pytest.raises(pa.ArrowInvalid, match="value 3000000000 .* parameter_1"):
        flight_sql.update_prepared(flight, handle, pa.table({"1": [7, 3000000000]}))
