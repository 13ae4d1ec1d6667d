"""Cached results of jobs: that they serve, and that a stale one never does, whoever wrote by whichever door.

SPDX-License-Identifier: Apache-2.0
"""
import gzip
import hashlib
import io
import json
import os
import select
import time
import uuid

import adbc_driver_flightsql.dbapi
import pyarrow
import pyarrow.ipc
import pytest
from harness import wait_until
from s3_service import ACCESS_KEY, BUCKET, SECRET_KEY, Fault, FaultyProxy, S3Service
from test_query_service import submit

pytestmark = pytest.mark.timeout(60)
LARGE = "SELECT i, 'row ' || i AS name FROM range(40000) t(i)"


def source(server, sql, **options):
    answer = submit(server, sql, **options)
    assert answer["status"] == "ready", answer
    return answer["source"]


def rows(server, sql):
    answer = submit(server, sql)
    return answer["source"], answer["data"]


@pytest.fixture
def table(server):
    name = "t_" + uuid.uuid4().hex
    server.query(f"CREATE TABLE {name} AS SELECT 1 AS a")
    yield name
    server.query(f"DROP TABLE IF EXISTS {name} CASCADE")


def cached(server, sql):
    """Runs it until it is cached; the rows."""
    submit(server, sql)
    kind, data = rows(server, sql)
    assert kind == "cache"
    return data


# --- serving -----------------------------------------------------------------------------------------


def test_the_same_statement_is_run_once(server, table):
    sql = f"SELECT a, a + 1 AS b FROM {table}"
    assert rows(server, sql) == ("execution", [{"a": 1, "b": 2}])
    assert rows(server, sql) == ("cache", [{"a": 1, "b": 2}])
    assert rows(server, f"\n {sql} ; ") == ("cache", [{"a": 1, "b": 2}])
    first = submit(server, sql)
    second = submit(server, sql)
    assert first["job_id"] != second["job_id"]


def test_clients_may_refresh_and_bypass(server, table):
    sql = f"SELECT a FROM {table}"
    assert source(server, sql, result_cache="bypass") == "execution"
    assert source(server, sql) == "execution"
    assert source(server, sql, result_cache="bypass") == "execution"
    assert source(server, sql, result_cache="refresh") == "execution"
    assert source(server, sql) == "cache"


@pytest.mark.parametrize("sql", [
    "SELECT random() AS r", "SELECT now() AS n", "SELECT uuid() AS u", "SHOW TABLES",
    "SELECT count(*) AS n FROM duckdb_tables()", "SELECT count(*) AS n FROM volley.jobs"])
def test_what_changes_by_itself_is_run_each_time(server, sql):
    assert [source(server, sql) for _ in range(3)] == ["execution"] * 3


# --- never stale -------------------------------------------------------------------------------------


def by_http(server, table):
    server.query(f"INSERT INTO {table} VALUES (2)")


def by_job(server, table):
    submit(server, f"INSERT INTO {table} VALUES (2)")


def by_text_with_a_transaction(server, table):
    server.query(f"BEGIN; INSERT INTO {table} VALUES (2); COMMIT")


def by_upload(server, table):
    path = f"/tables/{table}/data?format=csv"
    answer = server.request("POST", path, "a\n2\n", {"content-type": "text/csv"})
    assert answer.status == 200, answer.text


def by_flight_sql(server, table):
    with server.adbc() as connection, connection.cursor() as cursor:
        cursor.execute(f"INSERT INTO {table} VALUES (2)")
        connection.commit()


def by_prepared_rows(server, table):
    with server.adbc() as connection, connection.cursor() as cursor:
        cursor.executemany(f"INSERT INTO {table} VALUES (?)", [[2]])
        connection.commit()


def by_ingest(server, table):
    with server.adbc() as connection, connection.cursor() as cursor:
        cursor.adbc_ingest(table, pyarrow.table({"a": pyarrow.array([2], pyarrow.int32())}), mode="append")
        connection.commit()


WRITERS = [by_http, by_job, by_text_with_a_transaction, by_upload, by_flight_sql, by_prepared_rows, by_ingest]


@pytest.mark.parametrize("write", WRITERS, ids=lambda write: write.__name__)
def test_a_write_by_any_door_is_seen(server, table, write):
    view = f"v_{table}"
    server.query(f"CREATE VIEW {view} AS SELECT a FROM {table}")
    sql = f"SELECT sum(a)::INTEGER AS n FROM {view}"
    try:
        assert cached(server, sql) == [{"n": 1}]
        write(server, table)
        assert rows(server, sql) == ("execution", [{"n": 3}])
        assert rows(server, sql) == ("cache", [{"n": 3}])
    finally:
        server.query(f"DROP VIEW {view}")


def test_a_transaction_counts_when_it_commits(server, table):
    sql = f"SELECT sum(a)::INTEGER AS n FROM {table}"
    with adbc_driver_flightsql.dbapi.connect(server.flight_url) as connection, connection.cursor() as cursor:
        cursor.execute(f"UPDATE {table} SET a = 5")
        assert cached(server, sql) == [{"n": 1}]
        connection.commit()
        assert rows(server, sql) == ("execution", [{"n": 5}])
        cursor.execute(f"UPDATE {table} SET a = 7")
        assert cached(server, sql) == [{"n": 5}]
        connection.rollback()
        assert submit(server, sql)["data"] == [{"n": 5}]


@pytest.mark.parametrize("change", [
    "CREATE OR REPLACE VIEW {view} AS SELECT 9 AS n",
    "EXPLAIN ANALYZE CREATE OR REPLACE VIEW {view} AS SELECT 9 AS n",
    "ALTER TABLE {table} RENAME a TO z; CREATE OR REPLACE VIEW {view} AS SELECT 9 AS n",
    "DROP TABLE {table}; CREATE TABLE {table} AS SELECT 9 AS n"])
def test_definitions_count(server, table, change):
    view = f"v_{table}"
    server.query(f"CREATE VIEW {view} AS SELECT * FROM {table}")
    try:
        cached(server, f"SELECT * FROM {view}")
        server.query(change.format(table=table, view=view))
        if "DROP" in change:
            server.query(f"CREATE OR REPLACE VIEW {view} AS SELECT * FROM {table}")
        assert rows(server, f"SELECT * FROM {view}") == ("execution", [{"n": 9}])
    finally:
        server.query(f"DROP VIEW {view}")


def test_a_write_while_the_statement_runs_counts(server, table):
    mark = "m_" + uuid.uuid4().hex
    sql = f"SELECT (SELECT sum(a)::INTEGER FROM {table}) AS n, count(*) AS c FROM range(60000000) t(i) " \
          f"WHERE hash(i) % 7 < 9 AND '{mark}' <> ''"
    began = submit(server, sql, wait=0)
    wait_until(lambda: server.running(mark))
    server.query(f"INSERT INTO {table} VALUES (2)")
    wait_until(lambda: server.request("GET", f"/query/status/{began['job_id']}").json["status"] == "ready")
    assert submit(server, sql)["data"][0]["n"] == 3


def test_datasets_count_by_what_they_hold(server):
    name = "d_" + uuid.uuid4().hex
    csv = {"content-type": "text/csv"}
    assert server.request("PUT", f"/v1/datasets/{name}", "a\n1\n", csv).status in (200, 201)
    sql = f"SELECT sum(a)::INTEGER AS n FROM dataset.{name}"
    assert cached(server, sql) == [{"n": 1}]
    assert server.request("POST", f"/v1/datasets/{name}", "a\n2\n", csv).status in (200, 201)
    assert rows(server, sql) == ("execution", [{"n": 3}])
    assert server.request("PUT", f"/v1/datasets/{name}", "a\n5\n", csv).status in (200, 201)
    assert rows(server, sql) == ("execution", [{"n": 5}])
    assert server.request("DELETE", f"/v1/datasets/{name}").status in (200, 204)
    assert submit(server, sql)["status"] == "error"


def test_files_count_by_size_and_time(start_server, tmp_path):
    path = tmp_path / "numbers.csv"

    def write(text, age):
        path.write_text(text)
        os.utime(path, (time.time() - age, time.time() - age))

    write("a\n1\n", 100)
    server = start_server(str(path))
    sql = "SELECT sum(a)::INTEGER AS n FROM numbers"
    assert cached(server, sql) == [{"n": 1}]
    write("a\n2\n", 50)
    assert rows(server, sql) == ("execution", [{"n": 2}])
    write("a\n2\n7\n", 40)
    assert rows(server, sql) == ("execution", [{"n": 9}])


def test_a_restart_forgets_what_was_cached(start_server, tmp_path):
    flags = ("--database", str(tmp_path / "own.duckdb"))
    folder = tmp_path / "server"
    folder.mkdir()
    server = start_server(*flags, folder=folder)
    server.query("CREATE TABLE t AS SELECT 1 AS a")
    assert cached(server, "SELECT a FROM t") == [{"a": 1}]
    kept = submit(server, LARGE)["job_id"]
    server.stop()
    import duckdb

    with duckdb.connect(str(tmp_path / "own.duckdb")) as other:
        other.execute("UPDATE t SET a = 2")
    server = start_server(*flags, folder=folder)
    assert rows(server, "SELECT a FROM t") == ("execution", [{"a": 2}])
    answer = server.request("GET", f"/query/download/{kept}")
    assert answer.status == 200, answer.text
    assert pyarrow.ipc.open_stream(answer.body).read_all().num_rows == 40000


# --- memory ------------------------------------------------------------------------------------------


def test_a_large_result_that_nobody_reads_holds_neither_memory_nor_a_slot(start_server):
    server = start_server("--dataset-memory", "32MiB", "--query-slots", "1", "--result-store", "memory",
                          "--kept-results-max", "1GiB")
    submit(server, "SELECT 1 AS warm")
    before = server.resident_bytes()
    answer = submit(server, "SELECT i, i * 3 AS j FROM range(16000000) t(i)", wait=30)
    assert answer["status"] == "ready" and answer["row_count"] == 16000000
    assert source(server, "SELECT 2 AS n") == "execution"
    assert server.resident_bytes("RssAnon") - before < 150 << 20
    assert len(server.request("GET", f"/query/download/{answer['job_id']}").body) > 256000000
    assert server.resident_bytes() - before < 150 << 20


# --- S3 ----------------------------------------------------------------------------------------------


@pytest.fixture
def s3(client_program, tmp_path):
    service = S3Service(client_program("versitygw", "the S3 server"), tmp_path)
    yield service
    service.stop()


def s3_environment(url):
    return {"FLIGHT_S3_ENDPOINT_URL": url, "FLIGHT_S3_ACCESS_KEY": ACCESS_KEY,
            "FLIGHT_S3_SECRET_KEY": SECRET_KEY, "FLIGHT_S3_BUCKET": BUCKET}


def test_results_are_put_into_the_bucket_and_come_back(start_server, s3, tmp_path):
    folder = tmp_path / "server"
    folder.mkdir()
    server = start_server(env=s3_environment(s3.url), folder=folder)
    small = "SELECT 1 AS a, 'x' AS b"
    submit(server, small)
    job = submit(server, LARGE)["job_id"]
    objects = s3.objects / BUCKET / "query-cache"

    def of(sql, ending):
        return objects / (hashlib.sha256(sql.encode()).hexdigest() + ending)

    wait_until(lambda: server.metrics().get('volley_result_uploads_total{outcome="done"}', 0) >= 2)
    assert json.loads(gzip.decompress(of(small, ".json.gz").read_bytes())) == [{"a": 1, "b": "x"}]
    assert pyarrow.ipc.open_stream(of(LARGE, ".arrow").read_bytes()).read_all().num_rows == 40000
    server.stop()
    server = start_server(env=s3_environment(s3.url), folder=folder)
    answer = server.request("GET", f"/query/download/{job}")
    assert answer.status == 200, answer.text
    table = pyarrow.ipc.open_stream(io.BytesIO(answer.body)).read_all()
    assert table.column("i").to_pylist() == list(range(40000))
    server.stop()
    # Somebody else's object of that name is not the job's result.
    of(LARGE, ".arrow").write_bytes(b"something else")
    server = start_server(env=s3_environment(s3.url), folder=folder)
    assert server.request("GET", f"/query/download/{job}").status in (404, 410)


def test_readers_that_wait_for_s3_hold_up_no_others(start_server, s3, tmp_path):
    folder = tmp_path / "server"
    folder.mkdir()
    server = start_server(env=s3_environment(s3.url), folder=folder)
    job = submit(server, LARGE)["job_id"]
    wait_until(lambda: server.metrics().get('volley_result_uploads_total{outcome="done"}', 0) >= 1)
    server.stop()
    proxy = FaultyProxy(s3.port)
    server = start_server("--worker-threads", "2", env=s3_environment(proxy.url), folder=folder)
    wait_until(lambda: server.request("GET", "/files/discovery/status").json["last_updated"],
               what="the first scan")
    proxy.faults = [Fault(hang=True)] * 20
    proxy.hang_up()
    before = proxy.connections
    paths = [f"/query/download/{job}", f"/jobs/{job}/result", f"/v1/jobs/{job}/result",
             f"/query/{job}/schema"]
    readers = [server.socket() for _ in paths * 2]
    for reader, path in zip(readers, paths * 2):
        reader.sendall(f"GET {path} HTTP/1.1\r\nhost: localhost\r\n\r\n".encode())
    wait_until(lambda: proxy.connections > before, what="a reader at S3")
    for _ in range(5):
        assert server.value("SELECT 1") == 1 and server.request("GET", "/jobs").status == 200
    assert not select.select(readers, [], [], 0)[0]
    for reader in readers[1:]:
        reader.close()
    proxy.faults = []
    proxy.hang_up()
    assert readers[0].recv(15) == b"HTTP/1.1 200 OK"
    readers[0].close()
    for path in paths:
        assert server.request("GET", path).status == 200, path


def test_without_an_answer_of_s3_jobs_go_on(start_server):
    server = start_server(env=s3_environment("http://127.0.0.1:9"))
    answer = submit(server, LARGE)
    assert answer["status"] == "ready"
    assert server.request("GET", f"/query/download/{answer['job_id']}").status == 200
    wait_until(lambda: server.metrics().get('volley_result_uploads_total{outcome="failed"}', 0) >= 1)
    wait_until(lambda: "result_upload_failed" in server.log)
