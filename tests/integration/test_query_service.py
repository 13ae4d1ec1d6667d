"""/query/...: the routes of the older query service, with raw HTTP, httpx and curl.

SPDX-License-Identifier: Apache-2.0
"""
import http.client
import io
import json
import subprocess
import time
import uuid
from concurrent.futures import ThreadPoolExecutor

import httpx
import pyarrow
import pyarrow.csv
import pyarrow.ipc
import pyarrow.parquet
import pytest
from harness import COMPUTING, wait_until
from job_calls import TIME, expect_error, post

pytestmark = pytest.mark.timeout(60)
LARGE = "SELECT i, 'row ' || i AS name FROM range(20000) t(i)"


def submit(server, sql, wait=10, **options):
    parameters = "&".join(f"{name.replace('_', '-')}={value}" for name, value in options.items())
    answer = post(server, f"/query/submit?wait={wait}&{parameters}", {"sql": sql})
    assert answer.status == 200, answer.text
    return answer.json


def status(server, job_id):
    answer = server.request("GET", f"/query/status/{job_id}")
    assert answer.status == 200, answer.text
    return answer.json


# --- submitting ------------------------------------------------------------------------------------


def test_new_work_is_a_job_that_becomes_ready(server):
    mark = uuid.uuid4().hex
    answer = post(server, "/query/submit", {"sql": f"SELECT 1 AS c_{mark}"})
    assert answer.status == 200
    assert answer.json == {"job_id": answer.json["job_id"], "status": "pending", "ready": False,
                           "source": "execution"}
    job_id = answer.json["job_id"]
    assert str(uuid.UUID(job_id)) == job_id
    done = wait_until(lambda: (now := status(server, job_id))["status"] != "pending" and now)
    assert done["status"] == "ready"
    assert done["row_count"] == 1
    assert done["error"] is None
    assert done["progress"] == 1
    assert TIME.fullmatch(done["created_at"]) and TIME.fullmatch(done["completed_at"])
    assert done["created_at"] <= done["completed_at"]


def test_a_client_that_waits_gets_a_large_result_as_a_job_that_is_ready(server):
    answer = submit(server, LARGE, result_cache="bypass")
    assert answer["status"] == "ready" and answer["ready"] is True
    assert answer["format"] == "arrow" and answer["row_count"] == 20000
    assert "data" not in answer


@pytest.mark.parametrize("header", ["wait=10", "respond-async, wait=10", "WAIT = 10; x=1"])
def test_prefer_wait_waits_too(server, header):
    answer = post(server, "/query/submit", {"sql": "SELECT 7 AS n"}, {"prefer": header})
    assert answer.json["status"] == "ready", answer.text


def test_a_wait_that_is_over_first_answers_pending(server):
    sql = COMPUTING.format(mark="m_" + uuid.uuid4().hex)
    began = time.monotonic()
    answer = submit(server, sql, wait=0.2)
    assert answer["status"] == "pending" and answer["ready"] is False
    assert time.monotonic() - began >= 0.2
    assert status(server, answer["job_id"])["status"] == "pending"
    assert server.request("DELETE", f"/jobs/{answer['job_id']}").status == 200
    done = wait_until(lambda: (now := status(server, answer["job_id"]))["status"] != "pending" and now)
    assert (done["status"], done["error_code"]) == ("error", "QUERY_CANCELLED")
    assert "cancelled" in done["error"]


def test_a_wait_ends_when_another_client_stops_the_job(server):
    mark = "m_" + uuid.uuid4().hex
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(submit, server, COMPUTING.format(mark=mark), 30)
        (job,) = wait_until(lambda: [row for row in server.request("GET", "/jobs?status=running").json["jobs"]
                                     if mark in row["sql"]])
        assert server.request("DELETE", f"/jobs/{job['job_id']}").status == 200
        answer = waiting.result(20)
    assert (answer["status"], answer["ready"], answer["error_code"]) == ("error", False, "QUERY_CANCELLED")


def test_a_client_that_leaves_while_it_waits_leaves_its_job_alone(server):
    mark = "m_" + uuid.uuid4().hex
    sql = f"SELECT count(*) AS {mark} FROM range(30000000) t(i) WHERE i % 7 = 3"

    def states():
        return [row["status"] for row in server.request("GET", "/jobs").json["jobs"] if mark in row["sql"]]

    client = http.client.HTTPConnection(*server.http_address, timeout=20)
    client.request("POST", "/query/submit?wait=30", json.dumps({"sql": sql + " AND i % 11 = 1"}),
                   {"content-type": "application/json"})
    wait_until(states, what="a job of the statement")
    client.close()
    wait_until(lambda: states() == ["completed"])


def test_a_fault_of_the_statement_is_in_the_status(server):
    answer = submit(server, "SELECT * FROM no_table_of_that_name")
    assert answer["status"] == "error" and answer["ready"] is False
    assert answer["error_code"] == "TABLE_NOT_FOUND"
    now = status(server, answer["job_id"])
    assert now["status"] == "error" and now["format"] is None and now["row_count"] is None
    assert "no_table_of_that_name" in now["error"]
    expect_error(server.request("GET", f"/query/download/{answer['job_id']}"), 404, "RESULT_NOT_READY",
                 "Result not available")


def test_a_syntax_error_is_refused_at_once(server):
    answer = post(server, "/query/submit", {"sql": "SELEC 1"})
    assert "SELEC" in expect_error(answer, 400, "QUERY_SYNTAX_ERROR")["detail"]


def test_a_statement_without_rows_is_ready_with_none(server):
    table = "t_" + uuid.uuid4().hex
    for sql in (f"CREATE TABLE {table} (a INTEGER)", f"INSERT INTO {table} VALUES (1), (2)"):
        assert submit(server, sql)["status"] == "ready"
    assert server.value(f"SELECT count(*) FROM {table}") == 2


@pytest.mark.parametrize("body, location, kind", [
    ({}, ["body", "sql"], "missing"),
    ({"sql": None}, ["body", "sql"], "missing"),
    ({"sql": ""}, ["body", "sql"], "string_too_short"),
    ({"sql": " \n\t"}, ["body", "sql"], "string_too_short"),
    ({"sql": 1}, ["body", "sql"], "string_type"),
    ({"sql": ["SELECT 1"]}, ["body", "sql"], "string_type"),
    ("", ["body"], "missing"),
    ("{", ["body"], "json_invalid"),
    ("SELECT 1", ["body"], "json_invalid"),
    ("[]", ["body"], "model_attributes_type"),
    ("null", ["body"], "model_attributes_type"),
    (b'{"sql": "\xff"}', ["body"], "json_invalid"),
    ('{"sql": "SELECT 1", "sql": "SELECT 2"}', ["body"], "json_invalid"),
    ("[" * 70 + "]" * 70, ["body"], "json_invalid"),
])
@pytest.mark.parametrize("path", ["/query/submit", "/query/schema", "/query/metadata"])
def test_a_body_that_is_wrong_is_told_by_field(server, path, body, location, kind):
    answer = expect_error(post(server, path, body), 422, "VALIDATION_ERROR")
    (fault,) = answer["errors"]
    assert fault["loc"] == location and fault["type"] == kind and fault["msg"]


@pytest.mark.parametrize("query", ["wait=x", "wait=-1", "wait=3601", "wait=nan", "result-cache=maybe"])
def test_parameters_that_are_wrong_are_told(server, query):
    answer = post(server, f"/query/submit?{query}", {"sql": "SELECT 1"})
    (fault,) = expect_error(answer, 422, "VALIDATION_ERROR")["errors"]
    assert fault["loc"] == ["query", query.split("=")[0]]


def test_bodies_of_other_types_and_sizes_are_refused(server):
    answer = server.request("POST", "/query/submit", "<sql/>", {"content-type": "application/xml"})
    expect_error(answer, 415, "UNSUPPORTED_MEDIA_TYPE")
    values = "[" + ",".join(["0"] * 140000) + "]"
    expect_error(post(server, "/query/submit", values), 413, "PAYLOAD_TOO_LARGE")
    get = server.request("GET", "/query/submit")
    expect_error(get, 405, "METHOD_NOT_ALLOWED")
    assert get.headers["allow"] == "POST"
    put = server.request("PUT", "/query/schema", "{}")
    expect_error(put, 405, "METHOD_NOT_ALLOWED")
    assert "POST" in put.headers["allow"]


# --- status and download ---------------------------------------------------------------------------


def test_unknown_jobs_have_the_sentences_of_the_service(server):
    for path, detail in [("/query/status/{}", "Job ID not found"),
                         ("/query/download/{}", "Result not available"),
                         ("/query/{}", "Job not found"), ("/query/{}/result", "Job not found"),
                         ("/query/{}/schema", "Job not found"), ("/query/{}/results", "Job not found")]:
        for job_id in (uuid.uuid4(), "x", "%2F"):
            expect_error(server.request("GET", path.format(job_id)), 404, "JOB_NOT_FOUND", detail)


@pytest.fixture(scope="module")
def large(server):
    return submit(server, LARGE, result_cache="bypass")["job_id"]


def test_a_download_is_an_arrow_stream_with_its_length_and_name(server, large):
    answer = server.request("GET", f"/query/download/{large}")
    assert answer.status == 200
    assert answer.media_type == "application/vnd.apache.arrow.stream"
    assert answer.headers["content-disposition"] == f'attachment; filename="{large}.arrow"'
    assert int(answer.headers["content-length"]) == len(answer.body)
    table = pyarrow.ipc.open_stream(answer.body).read_all()
    assert table.num_rows == 20000
    assert table.column("name")[19999].as_py() == "row 19999"
    head = server.request("HEAD", f"/query/download/{large}")
    assert head.headers["content-length"] == answer.headers["content-length"] and head.body == b""


@pytest.mark.parametrize("wish", ["?format={}", "accept"])
@pytest.mark.parametrize("name, media_type, read", [
    ("arrow", "application/vnd.apache.arrow.stream", lambda b: pyarrow.ipc.open_stream(b).read_all()),
    ("arrow-file", "application/vnd.apache.arrow.file", lambda b: pyarrow.ipc.open_file(b).read_all()),
    ("csv", "text/csv", lambda b: pyarrow.csv.read_csv(io.BytesIO(b))),
    ("parquet", "application/vnd.apache.parquet", lambda b: pyarrow.parquet.read_table(io.BytesIO(b))),
    ("json", "application/json", lambda b: pyarrow.Table.from_pylist(json.loads(b)["data"])),
    ("ndjson", "application/x-ndjson",
     lambda b: pyarrow.Table.from_pylist([json.loads(line) for line in b.splitlines()])),
])
def test_a_download_in_every_format(server, large, wish, name, media_type, read):
    path = f"/query/download/{large}"
    if wish == "accept":
        answer = server.request("GET", path, headers={"accept": media_type})
    else:
        answer = server.request("GET", path + wish.format(name))
    assert answer.status == 200, answer.text
    assert answer.media_type == media_type
    ending = name.split("-")[0]
    assert answer.headers["content-disposition"] == f'attachment; filename="{large}.{ending}"'
    table = read(answer.body)
    assert table.column_names == ["i", "name"] and table.num_rows == 20000
    assert sum(table.column("i").to_pylist()) == 20000 * 19999 // 2


def test_a_download_goes_on_where_it_broke(server, large):
    path = f"/query/download/{large}"
    whole = server.request("GET", path)
    tag = whole.headers["etag"]
    rest = server.request("GET", path, headers={"range": "bytes=1000-", "if-range": tag})
    assert rest.status == 206 and whole.body[1000:] == rest.body
    assert server.request("GET", path, headers={"if-none-match": tag}).status == 304
    some = server.request("GET", path + "?format=csv&columns=name&offset=5&limit=2")
    assert some.text.split() == ["name", "row", "5", "row", "6"]


@pytest.mark.parametrize("query, http_status", [
    ("format=xml", 406), ("limit=x", 422), ("limit=-1", 422), ("columns=nothing", 422), ("int64=x", 422)])
def test_a_download_that_cannot_be_is_refused(server, large, query, http_status):
    answer = server.request("GET", f"/query/download/{large}?{query}")
    assert answer.status == http_status and answer.json["detail"]


def test_a_job_of_another_route_is_known_here(server):
    job_id = post(server, "/queries", {"sql": "SELECT 5 AS five"}).json["job_id"]
    done = wait_until(lambda: (now := status(server, job_id))["status"] == "ready" and now)
    assert done["row_count"] == 1


# --- columns, not run ------------------------------------------------------------------------------

TYPES = {
    "BOOLEAN": "bool", "TINYINT": "int8", "SMALLINT": "int16", "INTEGER": "int32", "BIGINT": "int64",
    "UTINYINT": "uint8", "USMALLINT": "uint16", "UINTEGER": "uint32", "UBIGINT": "uint64",
    "HUGEINT": "decimal128(38, 0)", "FLOAT": "float", "DOUBLE": "double",
    "DECIMAL(10, 2)": "decimal128(10, 2)", "VARCHAR": "string", "BLOB": "binary", "DATE": "date32[day]",
    "TIME": "time64[us]", "TIMESTAMP": "timestamp[us]", "TIMESTAMP_S": "timestamp[s]",
    "TIMESTAMP_MS": "timestamp[ms]", "TIMESTAMP_NS": "timestamp[ns]",
    "TIMESTAMPTZ": "timestamp[us, tz=UTC]",
}


def test_the_columns_of_every_type_are_spelled_as_pyarrow_prints_them(server):
    types = [*TYPES, "UUID", "INTERVAL", "INTEGER[]", "INTEGER[3]", "VARCHAR[][]",
             "STRUCT(a INTEGER, b VARCHAR[])", "MAP(VARCHAR, BIGINT)", "UNION(n INTEGER, s VARCHAR)",
             "ENUM('x', 'y')", "BIT", "TIMETZ", "UHUGEINT", "JSON"]
    sql = "SELECT " + ", ".join(f"NULL::{name} AS c{i}" for i, name in enumerate(types)) + ", NULL AS last"
    answer = post(server, "/query/schema", {"sql": sql})
    assert answer.status == 200, answer.text
    columns = answer.json["columns"]
    stream = server.query(sql, "arrow").body
    fields = pyarrow.ipc.open_stream(stream).schema
    for name, wanted, column, field in zip(types, TYPES.values(), columns, fields, strict=False):
        assert column["type"] == wanted, name
    for column, field in zip(columns, fields, strict=True):
        storage = getattr(field.type, "storage_type", field.type)
        assert column == {"name": field.name, "type": str(storage)}


def test_asking_for_columns_runs_nothing(server):
    table = "t_" + uuid.uuid4().hex
    server.rows(f"CREATE TABLE {table} AS SELECT 1 AS a, 'x' AS b")
    began = time.monotonic()
    answer = post(server, "/query/schema", {"sql": COMPUTING.format(mark="many")})
    assert answer.json == {"columns": [{"name": "many", "type": "int64"}]}
    assert post(server, "/query/schema", {"sql": f"DELETE FROM {table} RETURNING b"}).json == {
        "columns": [{"name": "b", "type": "string"}]}
    assert post(server, "/query/schema", {"sql": f"DROP TABLE {table}"}).json == {"columns": []}
    assert server.value(f"SELECT count(*) FROM {table}") == 1
    assert time.monotonic() - began < 20


@pytest.mark.parametrize("sql, http_status, code", [
    ("SELEC", 400, "QUERY_SYNTAX_ERROR"), ("SELECT * FROM nothing_here", 404, "TABLE_NOT_FOUND"),
    ("SELECT nothing", 400, "INVALID_SQL"), ("SELECT ?", 400, "INVALID_SQL"),
    ("INSTALL httpfs", 403, "STATEMENT_NOT_ALLOWED"),
])
def test_columns_of_what_cannot_run(server, sql, http_status, code):
    expect_error(post(server, "/query/schema", {"sql": sql}), http_status, code)


# --- the queue, the later names --------------------------------------------------------------------


def test_the_queue_has_its_three_figures(server):
    answer = server.request("GET", "/system/queue")
    assert answer.json == {"executor_queue_depth": 0, "active_workers": answer.json["active_workers"],
                           "max_workers": 4}


def test_the_later_names_are_the_same_jobs(server):
    answer = post(server, "/query", {"sql": "SELECT i FROM range(3) t(i) -- later"})
    assert answer.status == 200
    assert answer.json["status"] in ("pending", "ready") and answer.json["format"] in ("arrow", "json.gz")
    assert answer.json["request_id"] == answer.headers["x-request-id"]
    job_id = answer.json["job_id"]
    wait_until(lambda: server.request("GET", f"/query/{job_id}").json["status"] == "ready")
    result = server.request("GET", f"/query/{job_id}/result")
    assert pyarrow.ipc.open_stream(result.body).read_all().to_pydict() == {"i": [0, 1, 2]}
    assert server.request("GET", f"/query/{job_id}/schema").json == {
        "columns": [{"name": "i", "type": "int64"}]}
    rows = server.request("GET", f"/query/{job_id}/results?limit=2&offset=1").json
    assert rows == {"job_id": job_id, "columns": [{"name": "i", "type": "int64"}], "row_count": 3,
                    "truncated": False, "data": [{"i": 1}, {"i": 2}]}
    assert server.request("GET", f"/query/{job_id}/results?limit=1").json["truncated"] is True


def test_the_later_names_of_a_job_that_is_not_ready(server):
    job_id = post(server, "/query", {"sql": COMPUTING.format(mark="m_" + uuid.uuid4().hex)}).json["job_id"]
    for path in ("result", "schema", "results"):
        expect_error(server.request("GET", f"/query/{job_id}/{path}"), 400, "RESULT_NOT_READY",
                     "Query not ready")
    expect_error(server.request("GET", f"/query/download/{job_id}"), 404, "RESULT_NOT_READY",
                 "Result not available")
    assert server.request("DELETE", f"/jobs/{job_id}").status == 200


# --- other clients ---------------------------------------------------------------------------------


def test_httpx_and_curl_go_the_same_way(server, tmp_path):
    with httpx.Client(base_url=server.http_url, http2=False, timeout=20) as client:
        job_id = client.post("/query/submit?wait=10", json={"sql": LARGE}).json()["job_id"]
        assert client.get(f"/query/status/{job_id}").json()["status"] == "ready"
        with client.stream("GET", f"/query/download/{job_id}") as response:
            table = pyarrow.ipc.open_stream(b"".join(response.iter_bytes())).read_all()
    assert table.num_rows == 20000
    for version in ("--http1.1", "--http2-prior-knowledge"):
        done = subprocess.run(
            ["curl", "-sS", version, "-m", "20", "-OJ", f"{server.http_url}/query/download/{job_id}"],
            cwd=tmp_path, capture_output=True, text=True, timeout=30, check=False)
        assert done.returncode == 0, done.stderr
        file = tmp_path / f"{job_id}.arrow"
        assert pyarrow.ipc.open_stream(file.read_bytes()).read_all().equals(table)
        file.unlink()
    form = subprocess.run(["curl", "-sS", "-m", "20", "-d", '{"sql":"SELECT 1"}',
                           f"{server.http_url}/query/schema"], capture_output=True, timeout=30, check=True)
    assert json.loads(form.stdout) == {"columns": [{"name": "1", "type": "int32"}]}


def test_twenty_clients_at_once_get_each_its_own(server):
    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(lambda n: submit(server, f"SELECT {n} + {n} AS twice"), range(20)))
    for n, answer in enumerate(answers):
        rows = server.request("GET", f"/query/{answer['job_id']}/results").json["data"]
        assert rows == [{"twice": 2 * n}]
    assert len({answer["job_id"] for answer in answers}) == 20
