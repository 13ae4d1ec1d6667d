"""A statement sees the data of the moment it runs, however long ago it was prepared.

The engine prunes a plan by the statistics it finds when it prepares, so a plan kept over a change would
miss rows. SPDX-License-Identifier: Apache-2.0
"""
import adbc_driver_flightsql.dbapi as dbapi
import pyarrow.flight
import pytest

ABOVE = "SELECT count(*) AS n FROM {table} WHERE i > 1000"
ROWS = "SELECT i FROM {table} WHERE i > 1000"
FEW = "SELECT i FROM {table} WHERE i > 1000 LIMIT 3"


@pytest.fixture
def table(server, request):
    name = "stale_" + request.node.name.split("[")[0]
    server.query(f"CREATE OR REPLACE TABLE {name} AS SELECT range AS i FROM range(100)", "json")
    return name


def insert(server, table):
    response = server.query(f"INSERT INTO {table} VALUES (5000)", "json")
    assert response.status == 200, response.json


def connect(server):
    return dbapi.connect(server.flight_url, autocommit=True)


@pytest.mark.parametrize("sql", [ABOVE, ROWS, FEW])
def test_a_ticket_taken_before_a_write(server, table, sql):
    client = pyarrow.flight.connect(server.flight_url)
    descriptor = pyarrow.flight.FlightDescriptor.for_command(sql.format(table=table).encode())
    info = client.get_flight_info(descriptor)
    insert(server, table)
    got = client.do_get(info.endpoints[0].ticket).read_all()
    assert got.column(0).to_pylist() == ([1] if sql == ABOVE else [5000])


@pytest.mark.parametrize("sql", [ABOVE, ROWS, FEW])
def test_a_handle_prepared_before_a_write(server, table, sql):
    with connect(server) as connection, connection.cursor() as cursor:
        statement = cursor.adbc_statement
        statement.set_sql_query(sql.format(table=table))
        statement.prepare()
        insert(server, table)
        handle, _ = statement.execute_query()
        got = pyarrow.RecordBatchReader._import_from_c(handle.address).read_all()
        assert got.column(0).to_pylist() == ([1] if sql == ABOVE else [5000])


def test_the_same_text_again_after_a_write(server, table):
    for expected in range(3):
        for _ in range(3):
            assert server.query(ABOVE.format(table=table), "json").json["data"] == [{"n": expected}]
        insert(server, table)


def test_a_write_before_a_read_in_one_text(server, table):
    text = f"INSERT INTO {table} VALUES (7000); " + ROWS.format(table=table)
    assert server.query(text, "json").json["data"] == [{"i": 7000}]


def test_an_update_prepared_before_an_insert(server, table):
    with connect(server) as connection, connection.cursor() as cursor:
        statement = cursor.adbc_statement
        statement.set_sql_query(f"UPDATE {table} SET i = i + 1 WHERE i > 1000")
        statement.prepare()
        insert(server, table)
        assert statement.execute_update() == 1


def test_columns_follow_the_catalog(server, table):
    sql = f"SELECT * FROM {table} LIMIT 1"
    assert server.query(sql, "json").json["data"] == [{"i": 0}]
    server.query(f"ALTER TABLE {table} ADD COLUMN j INTEGER DEFAULT 7", "json")
    assert server.query(sql, "json").json["data"] == [{"i": 0, "j": 7}]


def test_now_is_not_kept(server):
    first = server.query("SELECT now() AS at", "json").json["data"]
    assert server.query("SELECT now() AS at", "json").json["data"] != first


def test_a_rolled_back_write_is_not_seen(server, table):
    with connect(server) as connection, connection.cursor() as cursor:
        cursor.execute("BEGIN")
        cursor.execute(f"INSERT INTO {table} VALUES (9000)")
        cursor.execute(ABOVE.format(table=table))
        assert cursor.fetchall() == [(1,)]
        assert server.query(ABOVE.format(table=table), "json").json["data"] == [{"n": 0}]
        cursor.execute("ROLLBACK")
    assert server.query(ABOVE.format(table=table), "json").json["data"] == [{"n": 0}]
