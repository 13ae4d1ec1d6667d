"""/query/...: small results inside the answer, results that serve again, and what is told of them.

SPDX-License-Identifier: Apache-2.0
"""
import hashlib
import io
import json
import uuid

import pyarrow.ipc
import pytest
from harness import wait_until
from job_calls import TIME, expect_error, post
from s3_service import ACCESS_KEY, BUCKET, SECRET_KEY, S3Service, fetch_url
from test_query_service import status, submit

pytestmark = pytest.mark.timeout(60)


@pytest.fixture
def mark():
    """A name that makes a statement one of its own."""
    return "c_" + uuid.uuid4().hex


def test_a_small_fresh_result_stands_in_the_answer(server, mark):
    answer = submit(server, f"SELECT i AS {mark}, 'x' || i AS name FROM range(3) t(i)")
    assert answer == {
        "job_id": answer["job_id"], "status": "ready", "ready": True, "source": "execution",
        "format": "json.gz", "row_count": 3,
        "data": [{mark: n, "name": f"x{n}"} for n in range(3)]}
    assert status(server, answer["job_id"])["format"] == "json.gz"


def test_a_small_result_serves_again_at_once(server, mark):
    sql = f"SELECT i AS {mark} FROM range(2) t(i)"
    first = submit(server, sql)
    for same in (sql, f"  {sql} ;\n"):
        again = post(server, "/query/submit", {"sql": same}).json
        assert again == {"job_id": again["job_id"], "status": "ready", "ready": True, "source": "cache",
                         "format": "json.gz", "row_count": 2, "data": [{mark: 0}, {mark: 1}]}
        assert again["job_id"] != first["job_id"]
        assert status(server, again["job_id"])["status"] == "ready"
    for option in ("refresh", "bypass"):
        assert submit(server, sql, result_cache=option)["source"] == "execution"
    with_header = post(server, "/query/submit?wait=10", {"sql": sql}, {"volley-result-cache": "bypass"})
    assert with_header.json["source"] == "execution"


def test_a_large_result_serves_again_without_its_rows(server, mark):
    sql = f"SELECT i AS {mark} FROM range(10001) t(i)"
    assert submit(server, sql)["format"] == "arrow"
    again = post(server, "/query/submit", {"sql": sql}).json
    assert again == {"job_id": again["job_id"], "status": "ready", "ready": True, "source": "cache",
                     "format": "arrow", "row_count": 10001}
    body = server.request("GET", f"/query/download/{again['job_id']}").body
    assert pyarrow.ipc.open_stream(body).read_all().num_rows == 10001


def test_the_row_threshold_is_what_the_setting_says(start_server):
    own = start_server(env={"FLIGHT_QUERY_ROW_THRESHOLD": "5"})
    assert submit(own, "SELECT i FROM range(5) t(i)")["format"] == "json.gz"
    assert submit(own, "SELECT i FROM range(6) t(i)")["format"] == "arrow"


def test_a_result_that_is_not_kept_any_more_is_gone_and_its_job_is_not(start_server):
    own = start_server("--result-ttl", "1s")
    job_id = submit(own, "SELECT 7 AS n")["job_id"]
    path = f"/query/status/{job_id}"
    wait_until(lambda: own.request("GET", path).json["error_code"] == "RESULT_EXPIRED")
    assert own.request("GET", path).json["status"] == "error"
    for path in ("/query/download/{}?format=json", "/query/{}/result", "/query/{}/results",
                 "/query/{}/schema", "/jobs/{}/result"):
        gone = own.request("GET", path.format(job_id))
        assert (gone.status, gone.json["error_code"]) == (410, "RESULT_EXPIRED"), path
    assert own.request("GET", f"/jobs/{job_id}").json["status"] == "completed"


def test_volatile_statements_are_run_each_time(server, mark):
    sql = f"SELECT random() AS {mark}"
    values = {submit(server, sql)["data"][0][mark] for _ in range(3)}
    assert len(values) == 3


def test_a_write_makes_what_was_read_stale(server, mark):
    server.rows(f"CREATE TABLE t_{mark} AS SELECT 1 AS n")
    sql = f"SELECT sum(n) AS total FROM t_{mark}"
    assert submit(server, sql)["data"] == [{"total": 1}]
    assert submit(server, sql)["source"] == "cache"
    server.rows(f"INSERT INTO t_{mark} VALUES (5)")
    after = submit(server, sql)
    assert (after["source"], after["data"]) == ("execution", [{"total": 6}])


def test_a_small_result_is_downloaded_only_as_asked_for(server, mark):
    job_id = submit(server, f"SELECT 1 AS {mark}, 'é' AS s")["job_id"]
    path = f"/query/download/{job_id}"
    for headers in ({}, {"accept": "*/*"}, {"accept": "text/html,*/*;q=0.8"}):
        expect_error(server.request("GET", path, headers=headers), 400, "NOT_ACCEPTABLE",
                     "Only arrow format is supported for download")
    for answer in (server.request("GET", path + "?format=arrow"),
                   server.request("GET", path, headers={"accept": "application/vnd.apache.arrow.stream"})):
        table = pyarrow.ipc.open_stream(io.BytesIO(answer.body)).read_all()
        assert table.to_pylist() == [{mark: 1, "s": "é"}]
        assert answer.headers["content-disposition"].endswith('.arrow"')
    assert server.request("GET", path + "?format=csv").text == f"{mark},s\r\n1,é\r\n"
    answer = server.request("GET", path, headers={"accept": "application/json"})
    assert answer.json["data"] == [{mark: 1, "s": "é"}]
    later = server.request("GET", f"/query/{job_id}/result")
    assert pyarrow.ipc.open_stream(io.BytesIO(later.body)).read_all().num_rows == 1


def test_an_empty_result_is_small(server, mark):
    answer = submit(server, f"SELECT 1 AS {mark} WHERE false")
    assert (answer["format"], answer["row_count"], answer["data"]) == ("json.gz", 0, [])


def test_values_of_every_kind_inside_the_answer(server, mark):
    sql = (f"SELECT 9007199254740993 AS {mark}, 1.50::DECIMAL(4,2) AS d, 'NaN'::DOUBLE AS n,"
           " '\\xff'::BLOB AS b, TIMESTAMPTZ '2020-01-02 03:04:05.678901Z' AS t, [1, NULL] AS l,"
           " {'a': {'b': 1}} AS s, NULL AS z")
    (row,) = submit(server, sql)["data"]
    assert row == {mark: 9007199254740993, "d": 1.5, "n": None, "b": "/w==",
                   "t": "2020-01-02T03:04:05.678901Z", "l": [1, None], "s": {"a": {"b": 1}}, "z": None}


def test_a_megabyte_inside_the_answer(server, mark):
    answer = submit(server, f"SELECT i AS {mark}, repeat('y', 900) AS s FROM range(9000) t(i)")
    assert answer["format"] == "json.gz" and len(answer["data"]) == 9000
    assert answer["data"][8999] == {mark: 8999, "s": "y" * 900}


def test_metadata_of_what_was_not_run(server, mark):
    sql = f"SELECT i AS {mark} FROM range(4) t(i)"
    key = f"query-cache/{hashlib.sha256(sql.encode()).hexdigest()}"
    nothing = post(server, "/query/metadata", {"sql": f"\n{sql};"}).json
    assert nothing == {
        "columns": [{"name": mark, "type": "int64"}], "num_rows": None, "num_columns": 1, "cached": False,
        "file_size": None, "last_modified": None, "key": f"{key}.arrow"}
    submit(server, sql)
    cached = post(server, "/query/metadata", {"sql": sql}).json
    assert cached["cached"] is True and cached["num_rows"] == 4 and cached["file_size"] > 0
    assert cached["key"] == f"{key}.json.gz" and TIME.fullmatch(cached["last_modified"])
    assert cached["columns"] == nothing["columns"] and cached["num_columns"] == 1


def test_metadata_runs_nothing(server, mark):
    answer = post(server, "/query/metadata", {"sql": f"CREATE TABLE t_{mark} (a INTEGER)"}).json
    assert (answer["columns"], answer["num_columns"], answer["cached"]) == ([], 0, False)
    expect_error(post(server, "/query/metadata", {"sql": f"SELECT * FROM t_{mark}"}), 404, "TABLE_NOT_FOUND")
    expect_error(post(server, "/query/metadata", {"sql": ""}), 422, "VALIDATION_ERROR")
    expect_error(post(server, "/query/metadata", json.dumps([1])), 422, "VALIDATION_ERROR")


@pytest.fixture
def with_bucket(client_program, start_server, tmp_path):
    service = S3Service(client_program("versitygw", "the S3 server"), tmp_path)
    yield start_server(env={
        "FLIGHT_S3_ENDPOINT_URL": service.url, "FLIGHT_S3_BUCKET": BUCKET, "FLIGHT_S3_ACCESS_KEY": ACCESS_KEY,
        "FLIGHT_S3_SECRET_KEY": SECRET_KEY, "FLIGHT_S3_REGION": "us-east-1"})
    service.stop()


def test_a_download_leads_to_s3_only_when_asked(with_bucket):
    sql = "SELECT i FROM range(20000) t(i)"
    job_id = submit(with_bucket, sql)["job_id"]
    path = f"/query/download/{job_id}"

    def redirected():
        answer = with_bucket.request("GET", path + "?redirect=1")
        return answer.status == 307 and answer

    answer = wait_until(redirected, what="the upload")
    key = f"query-cache/{hashlib.sha256(sql.encode()).hexdigest()}.arrow"
    assert key in answer.headers["location"]
    status_code, body = fetch_url(answer.headers["location"])[:2]
    assert status_code == 200
    assert pyarrow.ipc.open_stream(body).read_all().num_rows == 20000
    assert with_bucket.request("GET", path).status == 200
    assert with_bucket.request("GET", path + "?redirect=1&limit=5").status == 200
    assert with_bucket.request("GET", path + "?redirect=1&format=csv").status == 200


def test_a_result_that_is_not_in_s3_comes_from_here(server, mark):
    job_id = submit(server, f"SELECT i AS {mark} FROM range(10001) t(i)")["job_id"]
    assert server.request("GET", f"/query/download/{job_id}?redirect=1").status == 200
