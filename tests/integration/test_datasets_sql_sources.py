"""Datasets as sources of SQL, from outside: names as clients write them, every kind of statement, datasets
on disk and spilled, and conditions that leave rows out.

SPDX-License-Identifier: Apache-2.0
"""
import re

import pyarrow
import pyarrow.flight
import pytest
from harness import wait_until


def put(server, path, table, chunk_rows=None, **wishes):
    """DoPut to a path, which replaces what was there."""
    descriptor = pyarrow.flight.FlightDescriptor.for_path(*path)
    wishes = {"mode": "replace", **wishes}
    headers = [(f"volley-{name}".encode(), value.encode()) for name, value in wishes.items()]
    with server.flight() as client:
        options = pyarrow.flight.FlightCallOptions(headers=headers)
        writer, reader = client.do_put(descriptor, table.schema, options)
        with writer:
            writer.write_table(table, max_chunksize=chunk_rows)
            writer.done_writing()
            while reader.read() is not None:
                pass


def numbers(rows, first=0):
    return pyarrow.table({
        "i": pyarrow.array(range(first, first + rows), pyarrow.int64()),
        "s": [f"a text of row {i}" for i in range(first, first + rows)],
    })


def fetch(server, sql):
    """The rows of a statement, over ADBC."""
    with server.adbc() as connection, connection.cursor() as cursor:
        cursor.execute(sql)
        return [tuple(row.values()) for row in cursor.fetch_arrow_table().to_pylist()]


def refusal(server, sql):
    response = server.query(sql, "json")
    assert response.status >= 400, response.text
    return response.json


def scanned_rows(server, sql):
    """What the scan gave to the operators above it."""
    ((_, plan),) = fetch(server, "EXPLAIN ANALYZE " + sql)
    scan = plan[plan.index("TABLE_SCAN"):]
    return int(re.search(r"([\d,]+) rows?\b", scan).group(1).replace(",", ""))


@pytest.fixture(scope="module")
def facts(server):
    """30,000 rows in three batches, under a name of two elements."""
    put(server, ["sources", "facts"], numbers(30000), chunk_rows=10000)
    return "dataset.sources.facts"


# --- names ------------------------------------------------------------------------------------------

@pytest.mark.parametrize("path, name", [
    (["we ird", "it's \"q\""], 'dataset."we ird"."it\'s ""q"""'),
    (["a/b", "50%"], 'dataset."a/b"."50%"'),
    (["grün", "雪"], "dataset.grün.雪"),
    (["select", "from"], 'dataset."select"."from"'),
    (["one"], "dataset.one"),
    (["deep"] * 9, "dataset" + ".deep" * 9),
    (["-- x", "/* y */; '"], "dataset.\"-- x\".\"/* y */; '\""),
])
def test_names_that_need_quotes(server, path, name):
    put(server, path, numbers(3))
    assert fetch(server, f"SELECT count(*), max(i) FROM {name}") == [(3, 2)]
    assert fetch(server, f"SELECT x.i FROM {name} AS x WHERE x.i > 1") == [(2,)]


def test_case_counts_only_where_it_tells_two_apart(server):
    put(server, ["Case", "Orders"], numbers(3))
    assert fetch(server, "SELECT count(*) FROM DATASET.case.ORDERS WHERE orders.I >= 0") == [(3,)]
    put(server, ["case", "orders"], numbers(4))
    assert fetch(server, "SELECT count(*) FROM dataset.Case.Orders") == [(3,)]
    assert fetch(server, "SELECT count(*) FROM dataset.case.orders") == [(4,)]
    assert refusal(server, "SELECT count(*) FROM dataset.CASE.orders")["status"] == 404


def test_the_nearest_name_is_told(server):
    put(server, ["near", "customers"], numbers(1))
    for source in ("dataset.near.custmers", "batch('near/custmers')"):
        answer = refusal(server, f"SELECT 1 FROM {source}")
        assert (answer["status"], answer["code"]) == (404, "NOT_FOUND")
        assert "'near/custmers'" in answer["detail"]
        assert "did you mean 'near/customers'?" in answer["detail"]


def test_a_table_of_the_same_name(server):
    put(server, ["twin"], numbers(5))
    server.query("CREATE OR REPLACE TABLE twin AS SELECT 42 AS i")
    assert fetch(server, "SELECT i FROM twin") == [(42,)]
    assert fetch(server, "SELECT count(*) FROM dataset.twin") == [(5,)]
    assert fetch(server, "SELECT t.i, max(d.i) FROM twin t, dataset.twin d GROUP BY 1") == [(42, 4)]
    server.query("DROP TABLE twin")
    assert refusal(server, "SELECT i FROM twin")["status"] == 404
    assert fetch(server, "SELECT count(*) FROM dataset.twin") == [(5,)]


# --- statements -------------------------------------------------------------------------------------

@pytest.mark.parametrize("sql, rows", [
    ("WITH a AS (FROM {0}), b AS (SELECT i FROM a WHERE i < 5) SELECT sum(b.i) FROM b JOIN a USING (i)",
     [(10,)]),
    ("SELECT (SELECT max(i) FROM {0}), EXISTS (FROM {0} WHERE i = 4)", [(29999, True)]),
    ("SELECT i FROM {0} WHERE i IN (SELECT i + 1 FROM {0} WHERE i = 4)", [(5,)]),
    ("SELECT i FROM {0} UNION ALL SELECT -i FROM {0} ORDER BY 1 LIMIT 1", [(-29999,)]),
    ("SELECT count(*) FROM {0} a, {0} b WHERE a.i = b.i AND b.i < 100", [(100,)]),
    ("SELECT column_name, column_type FROM (DESCRIBE {0})", [("i", "BIGINT"), ("s", "VARCHAR")]),
    ("SELECT max FROM (SUMMARIZE {0}) LIMIT 1", [("29999",)]),
    ("PIVOT (SELECT i % 2 AS odd FROM {0}) ON odd IN (0, 1) USING count(*)", [(15000, 15000)]),
    ("SELECT count(*) FROM {0} TABLESAMPLE 7 ROWS", [(7,)]),
    ("SELECT i, row_number() OVER (ORDER BY i DESC) FROM {0} QUALIFY row_number() OVER (ORDER BY i DESC) = 2",
     [(29998, 2)]),
    ("FROM x : {0} SELECT count(*)", [(30000,)]),
    ("SELECT count(COLUMNS(*)) FROM {0}", [(30000, 30000)]),
])
def test_statements(server, facts, sql, rows):
    assert fetch(server, sql.format(facts)) == rows


def test_views_find_the_dataset_of_the_name(server):
    put(server, ["viewed"], numbers(10))
    server.query("CREATE OR REPLACE VIEW over_it AS SELECT * FROM dataset.viewed WHERE i >= 5")
    assert fetch(server, "SELECT count(*) FROM over_it WHERE i < 8") == [(3,)]
    put(server, ["viewed"], numbers(10, first=5))
    assert fetch(server, "SELECT count(*), min(i) FROM over_it") == [(10, 5)]
    put(server, ["viewed"], pyarrow.table({"other": [1]}))
    assert '"i" not found' in refusal(server, "FROM over_it")["detail"]


def test_tables_are_filled_and_changed_from_it(server, facts):
    server.query(f"CREATE OR REPLACE TABLE filled AS FROM {facts} WHERE i < 10")
    with server.adbc() as connection, connection.cursor() as cursor:
        assert cursor.adbc_statement is not None
        cursor.execute(f"INSERT INTO filled SELECT i, s FROM {facts} WHERE i BETWEEN 10 AND 19")
        cursor.execute(f"UPDATE filled SET s = d.s || '!' FROM {facts} d WHERE d.i = filled.i AND d.i > 17")
        cursor.execute(f"DELETE FROM filled USING {facts} d WHERE d.i = filled.i AND d.i < 5")
        cursor.execute(f"MERGE INTO filled USING (FROM {facts} WHERE i = 99) d ON d.i = filled.i "
                       "WHEN NOT MATCHED THEN INSERT")
    assert fetch(server, "SELECT count(*), min(i), max(i), count(*) FILTER (s LIKE '%!') FROM filled") == [
        (16, 5, 99, 2)]


def test_a_column_that_sql_cannot_hold(server):
    """It is refused where it is read, by name and type, and does not stand in the way of the others."""
    put(server, ["unreadable"], pyarrow.table({
        "good": [1, 2],
        "bad": pyarrow.array([{}, None], pyarrow.struct([])),
        "deep": pyarrow.array([[{}], None], pyarrow.list_(pyarrow.struct([]))),
    }))
    assert fetch(server, "SELECT sum(good), count(*) FROM dataset.unreadable") == [(3, 2)]
    assert fetch(server, "SELECT * EXCLUDE (bad, deep) FROM dataset.unreadable") == [(1,), (2,)]
    for sql, column in (("FROM dataset.unreadable", "column 'bad' of type struct<>"),
                        ("SELECT deep FROM dataset.unreadable", "column 'deep' of type list<")):
        assert column in refusal(server, sql)["detail"]


# --- conditions -------------------------------------------------------------------------------------

def test_conditions_leave_rows_out(server, facts):
    assert scanned_rows(server, f"SELECT s FROM {facts}") == 30000
    assert scanned_rows(server, f"SELECT s FROM {facts} WHERE i < 100") == 2048
    assert scanned_rows(server, f"SELECT s FROM {facts} WHERE i > 100000 AND s LIKE '%x%'") == 0
    assert scanned_rows(server, f"SELECT i FROM {facts} f WHERE f.s = 'no such text'") == 0
    assert scanned_rows(server, "SELECT i FROM batch('sources/facts') WHERE 5 > i") == 2048
    assert scanned_rows(server, f"SELECT i FROM {facts} WHERE i < 100 OR s = 'x'") == 30000


def test_only_the_columns_that_are_named_are_filled(server, facts):
    """EXPLAIN shows what the scan is asked for."""
    ((_, plan),) = fetch(server, f"EXPLAIN SELECT i FROM {facts}")
    assert "Projections: i" in plan
    ((_, plan),) = fetch(server, f"EXPLAIN SELECT count(*) FROM {facts} WHERE s = 'x'")
    assert "Projections: s" in plan


# --- where the batches are --------------------------------------------------------------------------

def test_spilled_batches(start_server):
    own = start_server("--dataset-memory", "16MiB")
    table = numbers(1_000_000)
    put(own, ["big"], table, chunk_rows=20000)
    (row,) = own.rows("SELECT bytes, memory_bytes, disk_bytes FROM volley.datasets WHERE path = 'big'")
    assert row["bytes"] > 24 << 20 and row["disk_bytes"] > 0
    for _ in range(2):
        assert fetch(own, "SELECT count(*), sum(i), count(DISTINCT s) FROM dataset.big") == [
            (1_000_000, 499999500000, 1_000_000)]
    assert fetch(own, "SELECT i FROM dataset.big WHERE s = 'a text of row 777777'") == [(777777,)]
    own.query("CREATE TABLE copied AS FROM dataset.big")
    assert own.value("SELECT count(*) FROM copied c JOIN dataset.big b USING (i, s)") == 1_000_000


@pytest.mark.parametrize("durability", ["process", "disk"])
def test_after_a_restart(start_server, tmp_path, durability):
    own = start_server(folder=tmp_path)
    put(own, ["kept", "safe"], numbers(5000), chunk_rows=1000, durability=durability)
    put(own, ["kept", "gone"], numbers(5))
    own.query("CREATE TABLE t AS FROM dataset.kept.safe")
    own.kill()
    again = start_server(folder=tmp_path)
    assert fetch(again, "SELECT count(*), max(s) FROM dataset.kept.safe WHERE i < 100") == [
        (100, "a text of row 99")]
    assert again.rows("SELECT path, durability FROM volley.datasets WHERE kind = 'kept'") == [
        {"path": "kept/safe", "durability": durability}]
    assert "'kept/gone'" in refusal(again, "FROM dataset.kept.gone")["detail"]


def test_an_expired_dataset(server):
    put(server, ["short"], numbers(5), ttl="1s")
    statement = "SELECT count(*) FROM dataset.short"
    with server.adbc() as connection, connection.cursor() as cursor:
        cursor.adbc_prepare(statement)
        cursor.execute(statement)
        assert cursor.fetchall() == [(5,)]
        wait_until(lambda: not server.rows("FROM volley.datasets WHERE path = 'short'"), 10, "expiry")
        with pytest.raises(Exception, match="there is no dataset 'short'"):
            cursor.execute(statement)
            cursor.fetchall()


def test_a_long_scan_outlives_its_dataset(server):
    put(server, ["dying"], numbers(300000), chunk_rows=5000, ttl="1s")
    with server.flight() as client:
        command = pyarrow.flight.FlightDescriptor.for_command(b"SELECT i, s FROM dataset.dying")
        reader = client.do_get(client.get_flight_info(command).endpoints[0].ticket)
        first = reader.read_chunk().data
        wait_until(lambda: not server.rows("FROM volley.datasets WHERE path = 'dying'"), 10, "expiry")
        rest = reader.read_all()
    assert first.num_rows + rest.num_rows == 300000
    assert rest.column(1)[-1].as_py() == "a text of row 299999"
