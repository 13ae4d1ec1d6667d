"""Datasets in SQL: what clients put with DoPut is read by name, joined, copied into tables and changed
between prepare and run; Arrow files of the command line are tables.

SPDX-License-Identifier: Apache-2.0
"""
import datetime
import decimal
import uuid

import pyarrow
import pyarrow.feather
import pyarrow.flight
import pytest
from harness import Background

UTC = datetime.timezone.utc


def put(server, path, table, mode=None, chunk_rows=None):
    """DoPut to a path; every put of these tests replaces what was there unless it says how."""
    descriptor = pyarrow.flight.FlightDescriptor.for_path(*path.split("/"))
    headers = [(b"volley-mode", (mode or "replace").encode())]
    with server.flight() as client:
        options = pyarrow.flight.FlightCallOptions(headers=headers)
        writer, reader = client.do_put(descriptor, table.schema, options)
        with writer:
            writer.write_table(table, max_chunksize=chunk_rows)
            writer.done_writing()
            while reader.read() is not None:
                pass


def drop(server, path):
    with server.flight() as client:
        list(client.do_action(pyarrow.flight.Action("drop", path.encode())))


def fetch(server, sql):
    """The rows of a statement, over Flight."""
    with server.flight() as client:
        info = client.get_flight_info(pyarrow.flight.FlightDescriptor.for_command(sql.encode()))
        return client.do_get(info.endpoints[0].ticket).read_all()


def refusal(server, sql):
    """The problem document of a statement that fails."""
    response = server.query(sql, "json")
    assert response.status >= 400, response.text
    return response.json


@pytest.fixture
def orders(server, request):
    """A dataset of 30,000 rows in three batches: i, s; its path has two elements."""
    path = "sql/" + request.node.name.split("[")[0]
    put(server, path, numbers(30000), chunk_rows=10000)
    return path


def numbers(rows, column="i"):
    return pyarrow.table({
        column: pyarrow.array(range(rows), pyarrow.int64()),
        "s": pyarrow.array([f"a text of row {i}" for i in range(rows)]),
    })


def name_of(path):
    return "dataset." + ".".join(f'"{element}"' for element in path.split("/"))


# --- types ------------------------------------------------------------------------------------------

DAY = datetime.date(2024, 2, 29)
NOON = datetime.datetime(2024, 2, 29, 12, 30, 15)
LONG = "longer than twelve bytes: ü"
TYPES = [
    (pyarrow.bool_(), [True, None, False]),
    *[(type, [0, None, 127]) for type in (
        pyarrow.int8(), pyarrow.int16(), pyarrow.int32(), pyarrow.int64(),
        pyarrow.uint8(), pyarrow.uint16(), pyarrow.uint32(), pyarrow.uint64())],
    (pyarrow.float16(), [0.5, None, -2.0]),
    (pyarrow.float32(), [0.5, None, -2.0]),
    (pyarrow.float64(), [0.1, None, 1e300]),
    *[(type, ["", None, "x", "twelve bytes", LONG]) for type in (
        pyarrow.string(), pyarrow.large_string(), pyarrow.string_view(),
        pyarrow.dictionary(pyarrow.int8(), pyarrow.string()),
        pyarrow.dictionary(pyarrow.uint32(), pyarrow.large_string()))],
    *[(type, [b"", None, b"\x00", LONG.encode()]) for type in (
        pyarrow.binary(), pyarrow.large_binary(), pyarrow.binary_view())],
    (pyarrow.binary(3), [b"abc", None, b"\x00\x01\x02"]),
    (pyarrow.date32(), [DAY, None]),
    (pyarrow.date64(), [DAY, None]),
    *[(type, [NOON.time(), None]) for type in (
        pyarrow.time32("s"), pyarrow.time32("ms"), pyarrow.time64("us"))],
    *[(pyarrow.timestamp(unit), [NOON, None, datetime.datetime(1969, 12, 31)]) for unit in (
        "s", "ms", "us")],
    *[(pyarrow.timestamp(unit, "UTC"), [NOON.replace(tzinfo=UTC), None]) for unit in ("s", "ms", "us")],
    (pyarrow.decimal128(5, 2), [decimal.Decimal("999.99"), None, decimal.Decimal("-0.01")]),
    (pyarrow.decimal128(38, 10), [decimal.Decimal("1.5"), None]),
    (pyarrow.decimal256(38, 10), [decimal.Decimal("1.5"), None]),
    (pyarrow.list_(pyarrow.int32()), [[1, None, 2], None, [], [3]]),
    (pyarrow.large_list(pyarrow.string()), [[LONG, None], None, [""]]),
    (pyarrow.list_view(pyarrow.int32()), [[1, None, 2], None, [], [3]]),
    (pyarrow.list_(pyarrow.int16(), 2), [[1, 2], None, [None, 4]]),
    (pyarrow.struct([("a", pyarrow.int8()), ("b", pyarrow.list_(pyarrow.string()))]),
     [{"a": 1, "b": [LONG]}, None, {"a": None, "b": None}]),
    (pyarrow.map_(pyarrow.string(), pyarrow.int64()), [[("k", 1), (LONG, None)], None, []]),
    (pyarrow.list_(pyarrow.list_(pyarrow.struct([("x", pyarrow.string())]))),
     [[[{"x": LONG}, None], None, []], None]),
]


@pytest.mark.parametrize("type, values", TYPES, ids=lambda value: str(value)[:60])
def test_values_of_each_type(server, type, values):
    """What was put is what a statement gives, also by way of a table of the engine's own."""
    array = pyarrow.array(values * 3, type)
    put(server, "sql/types", pyarrow.table({"v": array}), chunk_rows=len(values) + 1)
    expected = pyarrow.array(values * 3, type).to_pylist()
    assert fetch(server, "FROM dataset.sql.types").column(0).to_pylist() == expected
    server.query("CREATE OR REPLACE TABLE of_types AS FROM dataset.sql.types")
    assert fetch(server, "FROM of_types").column(0).to_pylist() == expected
    # A slice of a larger array: nothing begins at a byte's edge.
    put(server, "sql/types", pyarrow.table({"v": array}).slice(1, len(values)))
    assert (fetch(server, "FROM dataset.sql.types").column(0).to_pylist()
            == expected[1:len(values) + 1])


def test_values_that_the_engine_converts(server):
    table = pyarrow.table({
        "nothing": pyarrow.nulls(2),
        "wide": pyarrow.array([decimal.Decimal(10) ** 60, None], pyarrow.decimal256(70, 2)),
        "lasting": pyarrow.array([datetime.timedelta(hours=1), None], pyarrow.duration("ms")),
        "nanoseconds": pyarrow.array([1_000_000_001, None], pyarrow.timestamp("ns")),
        "zoned": pyarrow.array([1_000_000_001, None], pyarrow.timestamp("ns", "Europe/Berlin")),
        "time": pyarrow.array([1, None], pyarrow.time64("ns")),
        "months": pyarrow.array([(1, 2, 3000), None], pyarrow.month_day_nano_interval()),
        "runs": pyarrow.RunEndEncodedArray.from_arrays(
            pyarrow.array([1, 2], pyarrow.int32()), pyarrow.array(["run", None])),
        "id": pyarrow.array([uuid.UUID(int=1).bytes, None], pyarrow.uuid()),
        "sparse": pyarrow.UnionArray.from_sparse(
            pyarrow.array([0, 1], pyarrow.int8()), [pyarrow.array([1, 2]), pyarrow.array(["a", LONG])]),
        "dense": pyarrow.UnionArray.from_dense(
            pyarrow.array([1, 0], pyarrow.int8()), pyarrow.array([0, 0], pyarrow.int32()),
            [pyarrow.array([1]), pyarrow.array([LONG])]),
    })
    put(server, "sql/converted", table)
    columns = ", ".join(f'"{name}"::VARCHAR AS "{name}"' for name in table.column_names)
    first, second = server.rows(f"SELECT {columns} FROM dataset.sql.converted")
    assert first == {
        "nothing": None,
        "wide": "1" + "0" * 60 + ".00",
        "lasting": "01:00:00",
        "nanoseconds": "1970-01-01 00:00:01.000000001",
        "zoned": "1970-01-01 00:00:01+00",
        "time": "00:00:00.000000001",
        "months": "1 month 2 days 00:00:00.000003",
        "runs": "run",
        "id": str(uuid.UUID(int=1)),
        "sparse": "1",
        "dense": LONG,
    }
    assert {name for name, value in second.items() if value is not None} == {"sparse", "dense"}


def test_a_type_that_the_engine_has_not(server):
    put(server, "sql/odd", pyarrow.table({"bad": pyarrow.array([{}], pyarrow.struct([]))}))
    answer = refusal(server, "FROM dataset.sql.odd")
    assert "column 'bad'" in answer["detail"]


def test_columns_of_one_name(server):
    table = pyarrow.Table.from_arrays([pyarrow.array([1]), pyarrow.array([2]), pyarrow.array([3])],
                                      names=["a", "A", ""])
    put(server, "sql/twice", table)
    assert list(server.rows("FROM dataset.sql.twice")[0].values()) == [1, 2, 3]


# --- statements -------------------------------------------------------------------------------------

def test_by_path_and_by_id(server, orders):
    (row,) = [row for row in server.rows("SELECT id, path FROM volley.datasets WHERE kind = 'kept'")
              if row["path"] == orders]
    for source in (name_of(orders), f"batch('{orders}')", f"batch('{row['id']}')"):
        assert server.value(f"SELECT count(*) FROM {source}") == 30000
    last = orders.split("/")[-1]
    assert server.value(f'SELECT "{last}".s FROM {name_of(orders)} WHERE i = 7') == "a text of row 7"


def test_joins(server, orders):
    server.query("CREATE OR REPLACE TABLE joined AS SELECT range AS i FROM range(10)")
    assert server.rows(f"SELECT s FROM joined JOIN {name_of(orders)} USING (i) WHERE i > 8") == [
        {"s": "a text of row 9"}]
    assert server.value(f"SELECT count(*) FROM {name_of(orders)} a, {name_of(orders)} b"
                        " WHERE a.i = b.i + 1") == 29999


def test_tables_and_views_of_it(server, orders):
    server.query(f"CREATE OR REPLACE TABLE made AS FROM {name_of(orders)}")
    response = server.query(f"INSERT INTO made FROM batch('{orders}') WHERE i < 10", "json")
    assert response.status == 200, response.text
    assert server.value("SELECT count(*) FROM made") == 30010
    server.query(f"CREATE OR REPLACE VIEW seen_orders AS SELECT i FROM {name_of(orders)}")
    assert server.value("SELECT max(i) FROM seen_orders") == 29999
    put(server, orders, numbers(5), "append")
    assert server.value("SELECT count(*) FROM seen_orders") == 30005


def test_the_rows_keep_their_order(server, orders):
    assert fetch(server, f"SELECT i FROM {name_of(orders)}").column(0).to_pylist() == list(range(30000))


def test_an_error_is_about_what_was_sent(server, orders):
    sql = f"SELECT i FROM {name_of(orders)} WHERE\n  missing = 1"
    answer = refusal(server, sql)
    assert answer["position"] == sql.index("missing")
    answer = refusal(server, f"SELECT missing FROM {name_of(orders)}")
    assert 'FROM dataset."sql"' in answer["detail"] and "batch(" not in answer["detail"]


def test_a_dataset_that_is_not_there(server):
    answer = refusal(server, 'SELECT 1 FROM dataset."no"."such"')
    assert (answer["status"], answer["code"]) == (404, "NOT_FOUND")
    assert "'no/such'" in answer["detail"] and answer["position"] == 14
    with pytest.raises(pyarrow.ArrowKeyError, match="there is no dataset 'nothing'"):
        fetch(server, "FROM batch('nothing')")


def test_a_statement_prepared_before_a_change(server, orders):
    with server.adbc() as connection, connection.cursor() as cursor:
        statement = cursor.adbc_statement
        statement.set_sql_query(f"SELECT count(*) AS n FROM {name_of(orders)} WHERE i >= 0")
        statement.prepare()

        def execute():
            handle, _ = statement.execute_query()
            return pyarrow.RecordBatchReader._import_from_c(handle.address).read_all().to_pylist()

        assert execute() == [{"n": 30000}]
        put(server, orders, numbers(1000), "append")
        assert execute() == [{"n": 31000}]
        put(server, orders, numbers(7))
        assert execute() == [{"n": 7}]
        drop(server, orders)
        with pytest.raises(Exception, match=f"there is no dataset '{orders}'"):
            execute()
        put(server, orders, numbers(3))
        assert execute() == [{"n": 3}]


def test_a_ticket_taken_before_a_replacement(server, orders):
    """The schema was announced: a dataset with other columns is refused, not read as something else."""
    with server.flight() as client:
        command = f"FROM {name_of(orders)}".encode()
        info = client.get_flight_info(pyarrow.flight.FlightDescriptor.for_command(command))
        put(server, orders, numbers(5, "other"))
        with pytest.raises(pyarrow.flight.FlightError, match="changed after the statement was prepared"):
            client.do_get(info.endpoints[0].ticket).read_all()


def test_the_same_text_over_other_columns(server, orders):
    for column in ("i", "other", "i"):
        put(server, orders, numbers(4, column))
        for _ in range(3):
            assert list(server.rows(f"FROM {name_of(orders)} LIMIT 1")[0]) == [column, "s"]


def test_a_drop_does_not_cut_a_running_statement(server):
    put(server, "sql/long", numbers(300000), chunk_rows=5000)
    with server.flight() as client:
        command = pyarrow.flight.FlightDescriptor.for_command(b"FROM dataset.sql.long ORDER BY i + 1")
        reader = client.do_get(client.get_flight_info(command).endpoints[0].ticket)
        first = reader.read_chunk().data
        drop(server, "sql/long")
        rest = reader.read_all()
    assert first.num_rows + rest.num_rows == 300000


def test_many_at_once(server):
    """Statements over one dataset while it is replaced: each sees one of them as a whole."""
    put(server, "sql/busy", numbers(20000), chunk_rows=1000)

    def count():
        return [server.rows("SELECT count(*) AS n, max(i) AS m FROM dataset.sql.busy")[0]
                for _ in range(10)]

    def replace():
        for rows in (10000, 20000) * 5:
            put(server, "sql/busy", numbers(rows), chunk_rows=1000)

    tasks = [Background(count) for _ in range(4)] + [Background(replace)]
    for rows in [task.outcome() for task in tasks][:4]:
        assert all(row["m"] == row["n"] - 1 and row["n"] in (10000, 20000) for row in rows)


def test_what_is_known_of_a_dataset(server, orders):
    (row,) = server.rows(f"FROM volley.datasets WHERE path = '{orders}'")
    assert (row["kind"], row["state"], row["durability"]) == ("kept", "complete", "memory")
    assert (row["batches"], row["rows"], row["ttl_seconds"]) == (3, 30000, 3600)
    assert row["memory_bytes"] >= row["bytes"] > 30000 * 8 and row["disk_bytes"] == 0


# --- files of the command line ----------------------------------------------------------------------

def write_files(folder, table):
    with pyarrow.OSFile(str(folder / "a file.arrow"), "wb") as sink:
        with pyarrow.ipc.new_file(sink, table.schema) as writer:
            writer.write_table(table, max_chunksize=1000)
    with pyarrow.OSFile(str(folder / "stream.arrows"), "wb") as sink:
        with pyarrow.ipc.new_stream(sink, table.schema) as writer:
            writer.write_table(table)
    pyarrow.feather.write_feather(table, str(folder / "packed.feather"), compression="zstd")
    content = (folder / "stream.arrows").read_bytes()
    (folder / "open.ipc").write_bytes(content[:-8])  # without its end
    return content


def test_arrow_files_are_tables(start_server, tmp_path):
    table = numbers(30000).append_column(
        "d", pyarrow.array(["x", None, "y"] * 10000).dictionary_encode())
    write_files(tmp_path, table)
    names = ("a file.arrow", "stream.arrows", "packed.feather", "open.ipc")
    own = start_server(*[tmp_path / name for name in names])
    for view in ("a_file", "stream", "packed", "open"):
        assert fetch(own, f"FROM {view}").to_pylist() == table.to_pylist()
    assert own.value('SELECT count(*) FROM dataset."a file"') == 30000
    assert own.value("SELECT count(*) FROM stream JOIN packed USING (i) WHERE stream.d = 'x'") == 10000
    with own.flight() as client:
        descriptor = pyarrow.flight.FlightDescriptor.for_path("stream")
        info = client.get_flight_info(descriptor)
        assert client.do_get(info.endpoints[0].ticket).read_all().num_rows == 30000


@pytest.mark.parametrize("name, size, reason", [
    ("cut.arrows", 5000, "ends in the middle of a message"),
    ("empty.arrow", 0, "holds no schema"),
])
def test_a_file_that_is_none_stops_the_start(volley, tmp_path, name, size, reason):
    content = write_files(tmp_path, numbers(1000))
    (tmp_path / name).write_bytes(content[:size])
    result = volley("serve", "--flight-addr", "127.0.0.1:0", "--http-addr", "127.0.0.1:0",
                    "--data-dir", "none", name)
    assert result.returncode != 0 and name in result.stderr and reason in result.stderr


def test_files_beside_a_database(start_server, tmp_path):
    """The user's own database file gets no view of them."""
    write_files(tmp_path, numbers(10))
    database = tmp_path / "mine.db"
    own = start_server("--database", database, tmp_path / "stream.arrows")
    assert own.value("SELECT count(*) FROM stream") == 10
    own.query("CREATE TABLE t AS FROM stream")
    own.stop()
    again = start_server("--database", database)
    assert again.value("SELECT count(*) FROM t") == 10
    assert refusal(again, "FROM stream")["status"] == 404
