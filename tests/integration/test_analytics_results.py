"""/jobs/{id}/result: rows in pages and formats, and how they came about.

SPDX-License-Identifier: Apache-2.0
"""
import json
import subprocess
import uuid

import pyarrow.ipc
import pytest
from job_calls import expect_error, finished, run, submit

pytestmark = pytest.mark.timeout(60)


@pytest.fixture(scope="module")
def large(server):
    job_id = submit(server, "SELECT i, i * 0.5 AS half, 'r' || i AS name FROM range(25000) t(i)")
    finished(server, job_id)
    return job_id


def test_a_result_has_rows_columns_and_how_it_ran(server):
    answer = run(server, "SELECT 1 AS a, 'x' AS b, NULL AS c UNION ALL SELECT 2, 'y', NULL ORDER BY a")
    assert answer["status"] == "completed" and answer["error"] is None
    result = answer["result"]
    assert result["columns"] == [{"name": "a", "type": "int32"}, {"name": "b", "type": "string"},
                                 {"name": "c", "type": "int32"}]
    assert result["data"] == [{"a": 1, "b": "x", "c": None}, {"a": 2, "b": "y", "c": None}]
    assert (result["rows"], result["truncated"], result["engine"]) == (2, False, "duckdb")
    assert result["execution_time"] == answer["execution_stats"]["execution_time"] >= 0
    assert answer["execution_stats"]["engine"] == "duckdb"
    assert answer["execution_stats"]["rows_processed"] == 2
    assert result["performance_metrics"]["rows_processed"] == 2
    assert "PROJECTION" in result["query_plan"] or "DUMMY_SCAN" in result["query_plan"]


def test_a_plan_is_shown_and_not_run(server):
    assert "RANGE" in run(server, "SELECT i FROM range(7) t(i)")["result"]["query_plan"]
    table = "t_" + uuid.uuid4().hex
    server.rows(f"CREATE TABLE {table} (a INTEGER)")
    assert "INSERT" in run(server, f"INSERT INTO {table} VALUES (1) RETURNING a")["result"]["query_plan"]
    assert server.value(f"SELECT count(*) FROM {table}") == 1


def test_names_that_stand_twice_are_told_as_the_rows_have_them(server):
    result = run(server, "SELECT 1 AS a, 2 AS a")["result"]
    assert [column["name"] for column in result["columns"]] == ["a", "a_1"]
    assert result["data"] == [{"a": 1, "a_1": 2}]


def test_pages_of_a_result(server, large):
    whole = server.request("GET", f"/jobs/{large}/result").json["result"]
    assert (whole["rows"], len(whole["data"]), whole["truncated"]) == (10000, 10000, True)
    assert whole["total_rows"] == 25000
    page = server.request("GET", f"/jobs/{large}/result?limit=3&offset=24998").json["result"]
    assert [row["i"] for row in page["data"]] == [24998, 24999]
    assert (page["rows"], page["truncated"]) == (2, False)
    everything = server.request("GET", f"/jobs/{large}/result?limit=30000").json["result"]
    assert (everything["rows"], everything["truncated"]) == (25000, False)
    for beyond in ("offset=25000", "limit=0&offset=25000", "offset=9223372036854775807"):
        none = server.request("GET", f"/jobs/{large}/result?{beyond}").json["result"]
        assert (none["rows"], none["data"], none["truncated"]) == (0, [], False)


@pytest.mark.parametrize("query, names", [
    ("limit=-1", ["limit"]), ("limit=x&offset=y", ["limit", "offset"]), ("offset=-1", ["offset"]),
    ("int64=text", ["int64"])])
def test_pages_that_cannot_be(server, large, query, names):
    answer = expect_error(server.request("GET", f"/jobs/{large}/result?{query}"), 422, "VALIDATION_ERROR")
    assert [fault["loc"] for fault in answer["errors"]] == [["query", name] for name in names]


def test_a_result_in_other_formats_has_all_its_rows(server, large):
    path = f"/jobs/{large}/result"
    stream = server.request("GET", path + "?format=arrow").body
    assert pyarrow.ipc.open_stream(stream).read_all().num_rows == 25000
    lines = server.request("GET", path, headers={"accept": "application/x-ndjson"}).text.splitlines()
    assert len(lines) == 25000 and json.loads(lines[7]) == {"i": 7, "half": 3.5, "name": "r7"}
    assert len(server.request("GET", path + "?format=csv").text.splitlines()) == 25001
    assert server.request("GET", path + "?format=json").json["rows"] == 25000
    as_text = server.request("GET", path + "?limit=1&int64=string").json["result"]
    assert as_text["data"][0]["i"] == "0"


@pytest.mark.parametrize("coding", ["gzip", "zstd", "identity"])
def test_results_shrink_on_the_way(server, large, coding):
    done = subprocess.run(
        ["curl", "-sS", "-m", "20", "-D", "-", "-o", "/dev/null", "-w", "%{size_download}",
         "-H", f"accept-encoding: {coding}", f"{server.http_url}/jobs/{large}/result?limit=25000"],
        capture_output=True, text=True, timeout=30, check=True)
    head, _, size = done.stdout.rpartition("\n")
    plain = len(server.request("GET", f"/jobs/{large}/result?limit=25000").body)
    if coding == "identity":
        assert "content-encoding" not in head and int(size) == plain
    else:
        assert f"content-encoding: {coding}" in head.lower() and int(size) < plain / 2
