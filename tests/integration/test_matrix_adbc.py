"""The matrix of clients, ADBC: the dbapi of the Flight SQL driver, as its users call it.

SPDX-License-Identifier: Apache-2.0
"""
import datetime
import decimal
import threading
import uuid

import adbc_driver_flightsql
import adbc_driver_manager
import pyarrow as pa
import pytest
from harness import COMPUTING

Status = adbc_driver_manager.AdbcStatusCode
HEADER = adbc_driver_flightsql.ConnectionOptions.RPC_CALL_HEADER_PREFIX.value
COOKIES = adbc_driver_flightsql.DatabaseOptions.WITH_COOKIE_MIDDLEWARE.value


def shows(feature):
    return pytest.mark.client("adbc", feature)


@pytest.fixture
def table(adbc):
    """The name of a table of the test's own; dropped after it."""
    name = "adbc_" + uuid.uuid4().hex[:12]
    yield name
    update(adbc, f"DROP TABLE IF EXISTS {name}")


@pytest.fixture
def cursor(adbc):
    with adbc.cursor() as cursor:
        yield cursor


def fetch(connection, sql, parameters=None):
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters)
        return cursor.fetchall()


def update(connection, sql):
    with connection.cursor() as cursor:
        cursor.adbc_statement.set_sql_query(sql)
        return cursor.adbc_statement.execute_update()


def rows(count, first=0):
    return pa.table({"i": pa.array(range(first, first + count), pa.int64()),
                     "s": [None if i % 10 == 9 else f"row {i}" for i in range(first, first + count)]})


@shows("connect")
def test_connect(server):
    with server.adbc(db_kwargs={"username": "anyone", "password": "any:thing"}) as connection:
        information = connection.adbc_get_info()
        assert information["vendor_name"] == "Volley"
        assert information["vendor_version"].startswith("duckdb v")
        assert connection.adbc_get_table_types()


@shows("query")
def test_query(cursor):
    cursor.execute("SELECT i, 'v' || i AS s FROM range(5) t(i)")
    assert [column[0] for column in cursor.description] == ["i", "s"]
    assert cursor.fetchone() == (0, "v0")
    assert cursor.fetchmany(2) == [(1, "v1"), (2, "v2")]
    assert cursor.fetchall() == [(3, "v3"), (4, "v4")]
    assert cursor.fetchone() is None
    cursor.execute("SELECT 1 AS a WHERE false")
    assert cursor.fetch_arrow_table().schema == pa.schema([("a", pa.int32())])
    cursor.execute("SELECT i FROM range(3) t(i)")
    assert cursor.fetch_record_batch().read_all()["i"].to_pylist() == [0, 1, 2]


@shows("query")
def test_partitions(cursor):
    partitions, schema = cursor.adbc_execute_partitions("SELECT i FROM range(10) t(i)")
    assert schema == pa.schema([("i", pa.int64())])
    seen = []
    for partition in partitions:
        cursor.adbc_read_partition(partition)
        seen += [value for (value,) in cursor.fetchall()]
    assert sorted(seen) == list(range(10))


@shows("query")
def test_schema_without_execution(cursor):
    schema = cursor.adbc_execute_schema("SELECT 1::INTEGER AS i, 'x' AS s")
    assert schema == pa.schema([("i", pa.int32()), ("s", pa.utf8())])


@shows("update and DDL")
def test_update_and_definitions(adbc, table):
    assert update(adbc, f"CREATE TABLE {table} (i INTEGER, s VARCHAR)") == -1
    assert update(adbc, f"INSERT INTO {table} VALUES (1, 'a'), (2, 'b'), (3, 'c')") == 3
    assert update(adbc, f"UPDATE {table} SET s = 'z' WHERE i > 1") == 2
    with adbc.cursor() as cursor:
        cursor.execute(f"DELETE FROM {table} WHERE i = 1")  # runs though nothing is fetched
    assert fetch(adbc, f"SELECT count(*) FROM {table}") == [(2,)]


@shows("parameters")
def test_parameters(adbc, table):
    assert fetch(adbc, "SELECT ?::BIGINT + 1, ?::VARCHAR", (41, "x")) == [(42, "x")]
    assert fetch(adbc, "SELECT $1::INTEGER - $2::INTEGER", (5, 3)) == [(2,)]
    update(adbc, f"CREATE TABLE {table} (i INTEGER, s VARCHAR)")
    with adbc.cursor() as cursor:
        for i in range(3):
            cursor.execute(f"INSERT INTO {table} VALUES (?, ?)", (i, f"s{i}"))
    assert fetch(adbc, f"SELECT s FROM {table} WHERE i > ? ORDER BY i", (0,)) == [("s1",), ("s2",)]
    assert fetch(adbc, f"SELECT s FROM {table} WHERE i = ?", (None,)) == []


VALUES = {
    "BOOLEAN": True, "TINYINT": -7, "BIGINT": -(2**62), "UINTEGER": 2**32 - 1, "DOUBLE": -2.5,
    "VARCHAR": "smörgås ☺", "BLOB": b"\x00\xff", "DATE": datetime.date(2024, 2, 29),
    "TIME": datetime.time(12, 34, 56, 789),
    "TIMESTAMP": datetime.datetime(2024, 2, 29, 12, 34, 56, 789),
    "DECIMAL(18, 3)": decimal.Decimal("12345.678"), "INTEGER[]": [1, None, 3],
    "STRUCT(a INTEGER, b VARCHAR)": {"a": 1, "b": "x"},
}


@shows("parameters")
@pytest.mark.parametrize("kind", VALUES)
def test_parameters_of_type(adbc, kind):
    value = VALUES[kind]
    assert fetch(adbc, f"SELECT ?::{kind}", (value,)) == [(value,)]


@shows("parameters")
def test_parameter_schema(cursor):
    schema = cursor.adbc_prepare("SELECT ?::INTEGER, ?::VARCHAR, ?::DATE")
    assert schema.types == [pa.int32(), pa.utf8(), pa.date32()]


@shows("batch bind")
def test_executemany(adbc, table):
    update(adbc, f"CREATE TABLE {table} (i BIGINT, s VARCHAR)")
    with adbc.cursor() as cursor:
        insert = f"INSERT INTO {table} VALUES (?, ?)"
        cursor.executemany(insert, [(i, f"row {i}") for i in range(10_000)])
        assert cursor.rowcount == 10_000
        cursor.executemany(insert, rows(1000))
        assert cursor.rowcount == 1000
        cursor.executemany(f"UPDATE {table} SET s = ? WHERE i = ?", [("new", 1), ("new", 9999)])
        assert cursor.rowcount == 3
    counts = f"SELECT count(*), count(s), count(*) FILTER (s = 'new') FROM {table}"
    assert fetch(adbc, counts) == [(11000, 10900, 3)]


@shows("batch bind")
def test_executemany_is_one_transaction(adbc, table):
    update(adbc, f"CREATE TABLE {table} (i BIGINT PRIMARY KEY)")
    with adbc.cursor() as cursor, pytest.raises(adbc_driver_manager.Error):
        cursor.executemany(f"INSERT INTO {table} VALUES (?)", [(1,), (2,), (1,)])
    assert fetch(adbc, f"SELECT count(*) FROM {table}") == [(0,)]


@shows("ingest")
def test_ingest_in_every_mode(cursor, adbc, table):
    def count():
        return fetch(adbc, f"SELECT count(*), count(s) FROM {table}")

    def refused(mode, status):
        with pytest.raises(adbc_driver_manager.Error, match=table) as caught:
            cursor.adbc_ingest(table, rows(1), mode)
        assert caught.value.status_code == status

    refused("append", Status.NOT_FOUND)
    assert cursor.adbc_ingest(table, rows(100), "create") == 100
    refused("create", Status.ALREADY_EXISTS)
    assert cursor.adbc_ingest(table, rows(10), "append") == 10
    assert cursor.adbc_ingest(table, rows(5).to_reader(), "create_append") == 5
    assert count() == [(115, 104)]
    assert cursor.adbc_ingest(table, rows(7).to_batches()[0], "replace") == 7
    assert count() == [(7, 7)]
    cursor.adbc_ingest(table + "_new", rows(3), "create_append")
    assert fetch(adbc, f"SELECT i FROM {table}_new ORDER BY i") == [(0,), (1,), (2,)]
    update(adbc, f"DROP TABLE {table}_new")


@shows("ingest")
def test_ingest_into_a_schema_and_a_temporary_table(server, table):
    with server.adbc(db_kwargs={COOKIES: "true"}) as connection:
        update(connection, "CREATE SCHEMA IF NOT EXISTS adbc_ingest")
        with connection.cursor() as cursor:
            cursor.adbc_ingest(table, rows(4), "create", db_schema_name="adbc_ingest", catalog_name="memory")
        assert fetch(connection, f"SELECT count(*) FROM adbc_ingest.{table}") == [(4,)]
        update(connection, f"DROP TABLE adbc_ingest.{table}")
        with connection.cursor() as cursor:
            cursor.adbc_ingest(table, rows(6), "create", temporary=True)
        assert fetch(connection, f"SELECT count(*) FROM temp.{table}") == [(6,)]


@shows("ingest")
def test_ingest_of_what_does_not_fit(cursor, adbc, table):
    update(adbc, f"CREATE TABLE {table} (i INTEGER NOT NULL)")
    with pytest.raises(adbc_driver_manager.Error) as caught:
        cursor.adbc_ingest(table, rows(3), "append")
    assert caught.value.status_code == Status.ALREADY_EXISTS  # as ADBC's own tests want it: another schema
    with pytest.raises(adbc_driver_manager.Error):
        cursor.adbc_ingest(table, pa.table({"i": [1, None]}), "append")
    assert fetch(adbc, f"SELECT count(*) FROM {table}") == [(0,)]


@shows("transactions")
def test_transactions(server, table):
    with server.adbc() as outside, server.adbc(autocommit=False) as inside:
        update(outside, f"CREATE TABLE {table} (i INTEGER)")
        inside.commit()
        update(inside, f"INSERT INTO {table} VALUES (1)")
        assert fetch(inside, f"SELECT count(*) FROM {table}") == [(1,)]
        assert fetch(outside, f"SELECT count(*) FROM {table}") == [(0,)]
        inside.rollback()
        assert fetch(inside, f"SELECT count(*) FROM {table}") == [(0,)]
        with inside.cursor() as cursor:
            cursor.executemany(f"INSERT INTO {table} VALUES (?)", [(1,), (2,)])
            cursor.adbc_ingest(table, pa.table({"i": pa.array([3], pa.int32())}), "append")
        inside.commit()
        assert fetch(outside, f"SELECT count(*) FROM {table}") == [(3,)]


@pytest.fixture
def catalog(adbc):
    update(adbc, "CREATE SCHEMA IF NOT EXISTS adbc_objects")
    update(adbc, "DROP TABLE IF EXISTS adbc_objects.child")
    update(adbc, "CREATE OR REPLACE TABLE adbc_objects.parent (a INTEGER PRIMARY KEY,"
           " b DECIMAL(10, 2) NOT NULL)")
    update(adbc, "CREATE TABLE adbc_objects.child (i BIGINT, a INTEGER REFERENCES adbc_objects.parent (a))")
    update(adbc, "CREATE OR REPLACE VIEW adbc_objects.looks AS SELECT 1 AS one")


@shows("metadata")
@pytest.mark.parametrize("depth", ["catalogs", "db_schemas", "tables", "columns", "all"])
def test_get_objects(adbc, catalog, depth):
    found = adbc.adbc_get_objects(depth=depth, db_schema_filter="adbc\\_objects").read_all().to_pylist()
    (memory,) = [row for row in found if row["catalog_name"] == "memory"]
    if depth == "catalogs":
        assert memory["catalog_db_schemas"] is None
        return
    (schema,) = memory["catalog_db_schemas"]
    assert schema["db_schema_name"] == "adbc_objects"
    if depth == "db_schemas":
        assert schema["db_schema_tables"] is None
        return
    tables = {row["table_name"]: row for row in schema["db_schema_tables"]}
    assert {name: row["table_type"] for name, row in tables.items()} == {
        "child": "TABLE", "looks": "VIEW", "parent": "TABLE"}
    if depth == "tables":
        return
    columns = tables["parent"]["table_columns"]
    assert [(column["column_name"], column["ordinal_position"]) for column in columns] == [("a", 1), ("b", 2)]


@shows("metadata")
def test_get_objects_filters(adbc, catalog):
    found = adbc.adbc_get_objects(
        depth="columns", catalog_filter="memory", db_schema_filter="adbc_objects", table_name_filter="par%",
        table_types_filter=["TABLE"], column_name_filter="b").read_all().to_pylist()
    (table,) = found[0]["catalog_db_schemas"][0]["db_schema_tables"]
    assert [column["column_name"] for column in table["table_columns"]] == ["b"]
    none = adbc.adbc_get_objects(depth="tables", catalog_filter="no_such_catalog").read_all()
    assert none.num_rows == 0


@shows("metadata")
def test_get_table_schema(adbc, catalog):
    schema = adbc.adbc_get_table_schema("parent", db_schema_filter="adbc_objects", catalog_filter="memory")
    assert schema == pa.schema([pa.field("a", pa.int32(), False), pa.field("b", pa.decimal128(10, 2), False)])
    with pytest.raises(adbc_driver_manager.Error) as caught:
        adbc.adbc_get_table_schema("no_such_table")
    assert caught.value.status_code == Status.NOT_FOUND


@shows("cancel")
def test_cancel_while_it_computes(cursor, adbc):
    over = threading.Event()

    def cancel():  # again and again: the first time may be before the call that takes long
        while not over.wait(0.3):
            cursor.adbc_cancel()

    thread = threading.Thread(target=cancel)
    thread.start()
    try:
        with pytest.raises(adbc_driver_manager.Error, match="(?i)cancel"):
            cursor.execute(COMPUTING.format(mark="adbc_cancel"))
            cursor.fetchall()
    finally:
        over.set()
        thread.join()
    assert fetch(adbc, "SELECT 1") == [(1,)]


@shows("cancel")
def test_cancel_while_it_streams(cursor, adbc):
    cursor.execute("SELECT i FROM range(1000000000) t(i)")
    reader = cursor.fetch_record_batch()
    reader.read_next_batch()
    cursor.adbc_cancel()
    with pytest.raises((adbc_driver_manager.Error, OSError, pa.ArrowException), match="(?i)cancel"):
        while reader.read_next_batch():
            pass
    assert fetch(adbc, "SELECT 1") == [(1,)]


@shows("session options")
def test_current_catalog_and_schema(server):
    with server.adbc(db_kwargs={COOKIES: "true"}) as connection:
        update(connection, "CREATE SCHEMA IF NOT EXISTS adbc_session")
        update(connection, "CREATE OR REPLACE TABLE adbc_session.only_there (i INTEGER)")
        assert connection.adbc_current_catalog == "memory"
        connection.adbc_current_db_schema = "adbc_session"
        assert connection.adbc_current_db_schema == "adbc_session"
        assert fetch(connection, "SELECT count(*) FROM only_there") == [(0,)]
    with server.adbc() as other, pytest.raises(adbc_driver_manager.Error, match="only_there"):
        fetch(other, "SELECT count(*) FROM only_there")


@shows("session options")
def test_options_of_the_session(server):
    prefix = adbc_driver_flightsql.ConnectionOptions.OPTION_SESSION_OPTION_PREFIX.value
    with server.adbc(db_kwargs={COOKIES: "true"}) as connection:
        connection.adbc_connection.set_options(**{prefix + "row_limit": "3"})
        assert len(fetch(connection, "SELECT i FROM range(10) t(i)")) == 3
        with pytest.raises(adbc_driver_manager.Error, match="no_such_option"):
            connection.adbc_connection.set_options(**{prefix + "no_such_option": "1"})


@shows("session options")
def test_an_option_of_one_call_travels_as_a_header(server):
    header = HEADER + "volley-row-limit"
    with server.adbc(conn_kwargs={header: "4"}) as connection:
        assert len(fetch(connection, "SELECT i FROM range(10) t(i)")) == 4


@shows("poll")
def test_incremental_execution(cursor):
    cursor.adbc_statement.set_options(**{"adbc.statement.exec.incremental": "true"})
    cursor.adbc_statement.set_sql_query("SELECT count(*) AS n FROM range(20000000) t(i) WHERE i % 2 = 1")
    seen = []
    while True:
        partitions, _, _ = cursor.adbc_statement.execute_partitions()
        if not partitions:
            break
        for partition in partitions:
            with cursor._conn.cursor() as other:
                other.adbc_read_partition(partition)
                seen += other.fetchall()
    assert seen == [(10_000_000,)]


@shows("large result")
def test_a_million_rows(cursor):
    cursor.execute("SELECT i, 'text ' || i AS s FROM range(1000000) t(i)")
    table = cursor.fetch_arrow_table()
    table.validate(full=True)
    assert table.num_rows == 1_000_000
    assert table["i"].combine_chunks().to_numpy().sum() == 499_999_500_000


@shows("large result")
def test_partitions_read_by_themselves(server):
    header = HEADER + "volley-parallel-endpoints"
    with server.adbc(conn_kwargs={header: "4"}) as connection, connection.cursor() as cursor:
        partitions, _ = cursor.adbc_execute_partitions("SELECT i FROM range(1000000) t(i)")
        assert len(partitions) == 4
        total = 0
        for partition in partitions:
            cursor.adbc_read_partition(partition)
            total += cursor.fetch_arrow_table().num_rows
        assert total == 1_000_000


@shows("errors")
@pytest.mark.parametrize(
    ("sql", "status", "text"),
    [
        ("SELEC 1", Status.INVALID_ARGUMENT, "SELEC"),
        ("SELECT nope FROM range(1) t(i)", Status.INVALID_ARGUMENT, "nope"),
        ("FROM no_such_table", Status.NOT_FOUND, "no_such_table"),
        ("CREATE SCHEMA main", Status.ALREADY_EXISTS, "main"),
        ("INSTALL httpfs", Status.UNAUTHORIZED, "allow-statements"),
    ],
)
def test_errors(cursor, sql, status, text):
    with pytest.raises(adbc_driver_manager.Error, match=text) as caught:
        cursor.execute(sql)
        cursor.fetchall()
    assert caught.value.status_code == status
