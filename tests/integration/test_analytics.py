"""/queries, /jobs, /history, /status, /examples: the routes of the analytics service.

SPDX-License-Identifier: Apache-2.0
"""
import datetime
import json
import re
import subprocess
import urllib.parse
import uuid
from concurrent.futures import ThreadPoolExecutor

import httpx
import pyarrow.ipc
import pytest
import websockets.exceptions
from harness import COMPUTING, wait_until
from http2_frames import DATA, END_HEADERS, HEADERS, PREFACE, frame, literal, settings
from websockets.sync.client import connect

pytestmark = pytest.mark.timeout(60)
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z")
JOB_MEMBERS = {
    "job_id", "sql", "engine", "status", "priority", "created_at", "started_at", "completed_at",
    "execution_time", "progress", "queue_position", "elapsed_time", "estimated_slots", "slots_used",
    "rows_returned", "error", "error_code"}


def post(server, path, body):
    text = body if isinstance(body, str) else json.dumps(body)
    return server.request("POST", path, text, {"content-type": "application/json"})


def submit(server, sql, **fields):
    answer = post(server, "/queries", {"sql": sql, **fields})
    assert answer.status == 200, answer.text
    return answer.json["job_id"]


def job(server, job_id):
    answer = server.request("GET", f"/jobs/{job_id}")
    assert answer.status == 200, answer.text
    return answer.json


def finished(server, job_id):
    return wait_until(lambda: (now := job(server, job_id))["status"] not in ("queued", "running") and now)


def run(server, sql, **fields):
    """The result object of a job that has run."""
    job_id = submit(server, sql, **fields)
    finished(server, job_id)
    return server.request("GET", f"/jobs/{job_id}/result").json


def expect_error(answer, http_status, code):
    assert answer.status == http_status, answer.text
    assert answer.media_type == "application/json"
    assert answer.json["error_code"] == code and answer.json["detail"]
    assert TIME.fullmatch(answer.json["timestamp"])
    return answer.json


@pytest.fixture
def endless(server):
    """Ids of jobs that run until they are stopped."""
    ids = []

    def start(**fields):
        ids.append(submit(server, COMPUTING.format(mark="m_" + uuid.uuid4().hex), **fields))
        return ids[-1]

    yield start
    for job_id in ids:
        server.request("DELETE", f"/jobs/{job_id}")


# --- submitting ------------------------------------------------------------------------------------


def test_a_statement_is_queued_and_completes(server):
    answer = post(server, "/queries", {"sql": "SELECT 42 AS answer", "priority": 2, "estimated_slots": 3,
                                       "max_execution_time": 60, "engine": "duckdb"})
    assert answer.status == 200
    assert answer.json["status"] == "queued" and answer.json["message"]
    assert "estimated_completion_time" in answer.json
    job_id = answer.json["job_id"]
    assert str(uuid.UUID(job_id)) == job_id
    now = finished(server, job_id)
    assert JOB_MEMBERS <= now.keys()
    assert (now["status"], now["priority"], now["estimated_slots"]) == ("completed", 2, 3)
    assert (now["engine"], now["sql"], now["rows_returned"]) == ("duckdb", "SELECT 42 AS answer", 1)
    assert now["progress"] == 1 and now["queue_position"] is None and now["error"] is None
    times = [now["created_at"], now["started_at"], now["completed_at"]]
    assert all(map(TIME.fullmatch, times)) and times == sorted(times)
    assert 0 <= now["execution_time"] <= now["elapsed_time"]


@pytest.mark.parametrize("body, faults", [
    ({}, {"sql": "missing"}),
    ({"sql": "", "priority": 0}, {"sql": "string_too_short", "priority": "greater_than_equal"}),
    ({"sql": 1, "engine": 2}, {"sql": "string_type", "engine": "string_type"}),
    ({"sql": "SELECT 1", "priority": 6}, {"priority": "less_than_equal"}),
    ({"sql": "SELECT 1", "priority": "high"}, {"priority": "int_type"}),
    ({"sql": "SELECT 1", "priority": 1.5}, {"priority": "int_type"}),
    ({"sql": "SELECT 1", "estimated_slots": 0}, {"estimated_slots": "greater_than_equal"}),
    ({"sql": "SELECT 1", "estimated_slots": 11}, {"estimated_slots": "less_than_equal"}),
    ({"sql": "SELECT 1", "max_execution_time": 0}, {"max_execution_time": "greater_than_equal"}),
    ({"sql": "SELECT 1", "max_execution_time": 86401}, {"max_execution_time": "less_than_equal"}),
    ({"sql": "SELECT 1", "engine": "", "estimated_slots": True},
     {"engine": "string_too_short", "estimated_slots": "int_type"}),
    ([], {None: "model_attributes_type"}),
    ("nothing", {None: "json_invalid"}),
])
def test_every_field_that_is_wrong_is_named(server, body, faults):
    answer = expect_error(post(server, "/queries", body), 422, "VALIDATION_ERROR")
    told = {(error["loc"] + [None])[1]: error["type"] for error in answer["errors"]}
    assert told == faults
    for name in faults:
        assert name is None or name in answer["detail"]


def test_a_result_that_is_there_already_is_queued_to_its_client_too(server):
    sql = f"SELECT '{uuid.uuid4()}' AS once"
    job_ids = set()
    for _ in range(3):
        answer = post(server, "/queries", {"sql": sql})
        assert (answer.status, answer.json["status"]) == (200, "queued")
        assert finished(server, answer.json["job_id"])["status"] == "completed"
        job_ids.add(answer.json["job_id"])
    assert len(job_ids) == 3


def test_what_the_service_does_not_know_is_passed_over(server):
    assert post(server, "/queries", {"sql": "SELECT 1", "session": 5}).status == 200
    assert server.request("GET", "/jobs?limit=1&_=12345").status == 200


def test_unknown_engines_and_bad_statements(server):
    assert "db2" in expect_error(post(server, "/queries", {"sql": "SELECT 1", "engine": "db2"}), 400,
                                 "UNKNOWN_ENGINE")["detail"]
    expect_error(post(server, "/queries", {"sql": "SELEC 1"}), 400, "QUERY_SYNTAX_ERROR")
    expect_error(post(server, "/queries", {"sql": "BEGIN; SELECT 1"}), 422, "VALIDATION_ERROR")
    result = run(server, "SELECT * FROM no_such_table_here")
    assert (result["status"], result["result"], result["error_code"]) == ("failed", None, "TABLE_NOT_FOUND")
    assert "no_such_table_here" in result["error"]


def test_a_job_that_runs_too_long_is_stopped(server):
    job_id = submit(server, COMPUTING.format(mark="m_" + uuid.uuid4().hex), max_execution_time=1)
    now = finished(server, job_id)
    assert (now["status"], now["error_code"]) == ("failed", "QUERY_TIMEOUT")
    assert now["execution_time"] >= 1


def test_a_statement_runs_once(server):
    table = "t_" + uuid.uuid4().hex
    server.rows(f"CREATE TABLE {table} (a INTEGER)")
    result = run(server, f"INSERT INTO {table} VALUES (1)")
    assert result["status"] == "completed" and result["result"]["data"] == []
    assert server.value(f"SELECT count(*) FROM {table}") == 1


# --- watching and stopping -------------------------------------------------------------------------


def test_a_running_job_is_seen_and_stopped(server, endless):
    job_id = endless()
    now = wait_until(lambda: (now := job(server, job_id))["status"] == "running" and now)
    assert now["started_at"] and now["completed_at"] is None and now["execution_time"] is None
    assert 0 <= now["progress"] <= 1 and now["slots_used"] == 1 and now["elapsed_time"] >= 0
    unfinished = server.request("GET", f"/jobs/{job_id}/result")
    assert unfinished.status == 202
    assert unfinished.json["detail"] == f"Job {job_id} is not yet completed"
    answer = server.request("DELETE", f"/jobs/{job_id}")
    assert answer.status == 200
    assert (answer.json["job_id"], answer.json["status"]) == (job_id, "cancelled")
    now = finished(server, job_id)
    assert (now["status"], now["error_code"]) == ("cancelled", "QUERY_CANCELLED")
    again = server.request("DELETE", f"/jobs/{job_id}")
    assert again.status == 409 and "cancelled" in again.json["detail"]
    result = server.request("GET", f"/jobs/{job_id}/result").json
    assert (result["status"], result["result"]) == ("cancelled", None)


def test_unknown_jobs(server):
    for method, path in [("GET", "/jobs/{}"), ("GET", "/jobs/{}/result"), ("DELETE", "/jobs/{}")]:
        for job_id in (uuid.uuid4(), "x"):
            answer = server.request(method, path.format(job_id))
            assert str(job_id) in expect_error(answer, 404, "JOB_NOT_FOUND")["detail"]


def test_a_job_submitted_by_the_other_service_is_stopped_here(server):
    body = json.dumps({"sql": COMPUTING.format(mark="m_" + uuid.uuid4().hex)})
    job_id = server.request("POST", "/query/submit", body).json["job_id"]
    assert server.request("DELETE", f"/jobs/{job_id}").status == 200
    assert finished(server, job_id)["status"] == "cancelled"


def socket_url(server, job_id):
    return "ws://{}:{}/ws/jobs/{}".format(*server.http_address, job_id)


def test_a_websocket_tells_of_each_change_and_ends_with_the_job(server, endless):
    job_id = endless()
    with connect(socket_url(server, job_id), compression=None) as socket:
        first = json.loads(socket.recv(10))
        assert first["job_id"] == job_id and first["status"] in ("queued", "running")
        socket.send("what a client says is passed over")
        server.request("DELETE", f"/jobs/{job_id}")
        states = [first["status"]]
        with pytest.raises(websockets.exceptions.ConnectionClosedOK):
            while True:
                states.append(json.loads(socket.recv(10))["status"])
    assert states[-1] == "cancelled" and set(states) <= {"queued", "running", "cancelled"}


def test_a_websocket_of_a_job_that_is_over_tells_it_once(server):
    job_id = submit(server, "SELECT 1")
    finished(server, job_id)
    with connect(socket_url(server, job_id), compression=None) as socket:
        assert json.loads(socket.recv(10))["status"] == "completed"
        with pytest.raises(websockets.exceptions.ConnectionClosedOK):
            socket.recv(10)


def test_those_who_watch_get_the_beginning_of_a_long_statement(server):
    sql = "SELECT 1 /* " + "é" * 300000 + " */"
    job_id = submit(server, sql)
    assert finished(server, job_id)["sql"] == sql
    with connect(socket_url(server, job_id), compression=None) as socket:
        assert json.loads(socket.recv(10))["sql"] == sql[:12 + (16384 - 12) // 2]
    events = server.request("GET", f"/v1/jobs/{job_id}/events")
    assert events.status == 200 and 16000 < len(events.body) < 40000


def read_frames(connection, until):
    """Frames of HTTP/2 as (kind, flags, stream, payload), until `until` is true of one."""
    received = b""
    while True:
        while len(received) < 9 or len(received) < 9 + int.from_bytes(received[:3], "big"):
            received += connection.recv(65536) or pytest.fail("the connection ended")
        size = int.from_bytes(received[:3], "big")
        one = received[3], received[4], int.from_bytes(received[5:9], "big"), received[9:9 + size]
        received = received[9 + size:]
        yield one
        if until(one):
            return


def test_a_websocket_over_http2(server):
    job_id = submit(server, "SELECT 1 AS h2")
    finished(server, job_id)
    fields = [(":method", "CONNECT"), (":protocol", "websocket"), (":scheme", "http"),
              (":path", f"/ws/jobs/{job_id}"), (":authority", "localhost"), ("sec-websocket-version", "13")]
    head = b"".join(literal(name, value) for name, value in fields)
    with server.socket() as connection:
        connection.sendall(PREFACE + settings() + frame(HEADERS, END_HEADERS, 1, head))
        got = list(read_frames(connection, lambda one: one[0] == DATA and b"}" in one[3]))
    assert [one[3][0] for one in got if one[0] == HEADERS] == [0x88]  # :status 200
    text = b"".join(one[3] for one in got if one[0] == DATA)
    assert json.loads(text[text.index(b"{"):text.rindex(b"}") + 1])["status"] == "completed"


def test_a_tunnel_to_what_is_no_websocket_is_refused(server):
    fields = [(":method", "CONNECT"), (":protocol", "websocket"), (":scheme", "http"), (":path", "/health"),
              (":authority", "localhost"), ("sec-websocket-version", "13")]
    head = b"".join(literal(name, value) for name, value in fields)
    with server.socket() as connection:
        connection.sendall(PREFACE + settings() + frame(HEADERS, END_HEADERS, 1, head))
        got = list(read_frames(connection, lambda one: one[0] == DATA))
    assert b"METHOD_NOT_ALLOWED" in got[-1][3]


def test_what_is_no_websocket(server):
    with pytest.raises(websockets.exceptions.InvalidStatus) as refused:
        connect(socket_url(server, uuid.uuid4()), compression=None)
    assert refused.value.response.status_code == 404
    job_id = submit(server, "SELECT 1")
    plain = server.request("GET", f"/ws/jobs/{job_id}")
    assert "Sec-WebSocket-Version: 13" in expect_error(plain, 426, "VALIDATION_ERROR")["detail"]
    assert plain.headers["sec-websocket-version"] == "13" and plain.headers["upgrade"] == "websocket"
    assert server.request("HEAD", f"/ws/jobs/{job_id}").status == 426


def test_a_websocket_of_a_foreign_page_is_refused(server):
    job_id = submit(server, "SELECT 1")
    with pytest.raises(websockets.exceptions.InvalidStatus) as refused:
        connect(socket_url(server, job_id), compression=None, origin="https://elsewhere.example")
    assert refused.value.response.status_code == 403


# --- results ---------------------------------------------------------------------------------------


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
    ("format=xml", ["format"]), ("int64=text", ["int64"])])
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


# --- lists -----------------------------------------------------------------------------------------


def test_jobs_are_listed_newest_first_with_their_total(server):
    ids = [submit(server, f"SELECT {n} AS listed") for n in range(3)]
    for job_id in ids:
        finished(server, job_id)
    answer = server.request("GET", "/jobs?limit=3").json
    assert [row["job_id"] for row in answer["jobs"]] == ids[::-1]
    assert all(row["source"] == "completed" and JOB_MEMBERS <= row.keys() for row in answer["jobs"])
    assert answer["total"] >= 3
    second = server.request("GET", "/jobs?limit=1&offset=1").json
    assert [row["job_id"] for row in second["jobs"]] == [ids[1]]
    assert server.request("GET", "/jobs?engine=duckdb&limit=1").json["total"] == answer["total"]
    assert server.request("GET", "/jobs?engine=other").json == {
        "jobs": [], "total": 0, "next_page_token": None}


@pytest.mark.parametrize("path, name", [("/jobs", "jobs"), ("/history", "history")])
def test_a_list_of_jobs_leads_on(server, path, name):
    ids = [submit(server, f"SELECT {n} AS led_on") for n in range(5)]
    for job_id in ids:
        finished(server, job_id)
    seen, link = [], f"{path}?limit=2"
    while len(seen) < 5:
        page = server.request("GET", link)
        seen += [row["job_id"] for row in page.json[name]]
        link = re.fullmatch(r'<(.*)>; rel="next"', page.headers["link"]).group(1)
        assert f"page_token={page.json['next_page_token']}" in urllib.parse.unquote(link)
        finished(server, submit(server, "SELECT 'it pushes none of them over to the next page'"))
    assert seen[:5] == ids[::-1]
    refused = expect_error(server.request("GET", f"{path}?page_token=zz"), 422, "VALIDATION_ERROR")
    assert refused["errors"][0]["loc"] == ["query", "page_token"]


def test_a_page_of_long_statements_ends_early_and_leads_on(start_server):
    server = start_server()
    size = 3 << 20
    ids = [submit(server, f"SELECT {n} /*{'x' * size}*/") for n in range(4)]
    for job_id in ids:
        finished(server, job_id)
    seen, token = [], ""
    while token is not None:
        page = server.request("GET", f"/jobs?limit=100{token and '&page_token=' + token}").json
        assert 0 < len(page["jobs"]) < 4 and page["total"] == 4
        seen += [row["job_id"] for row in page["jobs"]]
        token = page["next_page_token"]
    assert seen == ids[::-1]


def test_jobs_by_state(server, endless):
    running = endless()
    listed = wait_until(lambda: [row for row in server.request("GET", "/jobs?status=running").json["jobs"]
                                 if row["job_id"] == running])
    assert all((row["status"], row["source"]) == ("running", "running") for row in listed)
    failed = submit(server, "SELECT * FROM nothing_of_that_name")
    finished(server, failed)
    newest = "/jobs?status=failed&limit=1"
    wait_until(lambda: server.request("GET", newest).json["jobs"][0]["job_id"] == failed)
    assert running not in [row["job_id"] for row in server.request("GET", "/history").json["history"]]
    assert server.request("GET", "/history?limit=1").json["history"][0]["job_id"] == failed


@pytest.mark.parametrize("path, names", [
    ("/jobs?limit=0", ["limit"]), ("/jobs?limit=1001", ["limit"]),
    ("/jobs?limit=ten&offset=-1", ["limit", "offset"]),
    ("/jobs?status=done", ["status"]), ("/jobs?status=done&limit=0", ["status", "limit"]),
    ("/history?limit=0", ["limit"])])
def test_lists_that_cannot_be(server, path, names):
    answer = expect_error(server.request("GET", path), 422, "VALIDATION_ERROR")
    assert sorted(fault["loc"][1] for fault in answer["errors"]) == sorted(names)


def test_a_batch_reports_each_member(server):
    answer = post(server, "/queries/batch", [
        {"sql": "SELECT 1 AS one"}, {"sql": "SELEC"}, {"priority": 9}, 5,
        {"sql": "SELECT 2", "engine": "none"}, {"sql": "SELECT 'ä' || " + "'x'" * 80}])
    assert answer.status == 200
    assert str(uuid.UUID(answer.json["batch_id"])) == answer.json["batch_id"]
    members = answer.json["jobs"]
    assert [member["status"] for member in members] == ["submitted", *["failed"] * 4, "submitted"]
    assert (answer.json["submitted_jobs"], answer.json["failed_jobs"]) == (2, 4)
    assert [member.get("error_code") for member in members] == [
        None, "QUERY_SYNTAX_ERROR", "VALIDATION_ERROR", "VALIDATION_ERROR", "UNKNOWN_ENGINE", None]
    places = {tuple(fault["loc"]) for fault in members[2]["errors"]}
    assert places == {("body", 2, "sql"), ("body", 2, "priority")}
    assert len(members[5]["sql_preview"]) == 100
    assert finished(server, members[0]["job_id"])["status"] == "completed"


@pytest.mark.parametrize("body", [[], {}, "x", [{"sql": "SELECT 1"}] * 21])
def test_batches_that_cannot_be(server, body):
    expect_error(post(server, "/queries/batch", body), 422, "VALIDATION_ERROR")


# --- validating ------------------------------------------------------------------------------------


def validate(server, sql):
    answer = post(server, "/queries/validate", {"sql": sql})
    assert answer.status == 200, answer.text
    assert {"valid", "estimated_bytes_processed", "estimated_rows_scanned", "estimated_execution_time_ms",
            "affected_tables", "query_type", "warnings", "errors", "suggestion"} <= answer.json.keys()
    return answer.json


@pytest.fixture(scope="module")
def table(server):
    name = "v_" + uuid.uuid4().hex
    server.rows(f"CREATE TABLE {name} AS SELECT i AS n, 'text' AS t FROM range(20000) r(i)")
    return name


def test_a_good_statement_is_valid_with_its_cost(server, table):
    told = validate(server, f"SELECT n, count(*) FROM {table} WHERE n > 5 GROUP BY n LIMIT 10")
    assert (told["valid"], told["errors"], told["warnings"]) == (True, [], [])
    assert told["query_type"] == "SELECT" and told["affected_tables"] == [table]
    assert 0 < told["estimated_rows_scanned"] <= 20000 and told["estimated_bytes_processed"] > 0
    assert told["estimated_execution_time_ms"] >= 10
    assert told["message"].startswith("This query will process ")


def test_warnings_tell_of_wide_and_long_reads(server, table):
    told = validate(server, f"SELECT * FROM {table}")
    assert len(told["warnings"]) == 3 and told["suggestion"]
    assert told["estimated_rows_scanned"] == 20000


@pytest.mark.parametrize("sql, kind", [
    ("INSERT INTO {} VALUES (1, 'x')", "INSERT"), ("UPDATE {} SET n = 0", "UPDATE"),
    ("DELETE FROM {} WHERE n = 1", "DELETE"), ("CREATE TABLE other_{} (a INTEGER)", "CREATE"),
    ("DROP TABLE {}", "DROP"), ("ALTER TABLE {} ADD COLUMN z INTEGER", "ALTER"),
    ("WITH w AS (SELECT 1 AS a) SELECT a FROM w", "WITH"), ("-- why\nSHOW TABLES", "OTHER")])
def test_the_kind_of_a_statement_which_is_not_run(server, table, sql, kind):
    told = validate(server, sql.format(table))
    assert (told["valid"], told["query_type"]) == (True, kind), told
    if kind in ("INSERT", "UPDATE", "DELETE"):
        assert table in told["affected_tables"]
    assert server.value(f"SELECT count(*) FROM {table} WHERE n > 0") == 19999
    assert server.value(f"SELECT count(*) FROM information_schema.columns WHERE table_name = '{table}'") == 2


@pytest.mark.parametrize("sql, word", [
    ("SELEC 1", "SELEC"), ("SELECT nn FROM {}", "nn"), ("SELECT * FROM {}x", "does not exist")])
def test_a_statement_that_would_not_run_is_told_why(server, table, sql, word):
    told = validate(server, sql.format(table))
    assert told["valid"] is False and word in told["errors"][0] == told["message"]
    if "x" in sql:
        assert table in told["suggestion"]


def test_validating_checks_its_fields(server):
    answer = post(server, "/queries/validate", {"sql": "", "engine": 1})
    assert len(expect_error(answer, 422, "VALIDATION_ERROR")["errors"]) == 2
    answer = post(server, "/queries/validate", {"sql": "SELECT 1", "engine": "db2"})
    expect_error(answer, 400, "UNKNOWN_ENGINE")


# --- the server ------------------------------------------------------------------------------------


def test_status_counts_slots_and_jobs(server, endless):
    before = server.request("GET", "/status").json
    assert before["total_slots"] == 8 and before["engines"]["duckdb"] == "available"
    assert before["registry"]["durable"] is True and before["registry"]["works"] is True
    assert before["registry"]["path"].endswith("job_registry.db")
    running = endless(estimated_slots=3)
    wait_until(lambda: job(server, running)["status"] == "running")
    now = server.request("GET", "/status").json
    assert now["available_slots"] < before["total_slots"] and now["running_jobs"] >= 1
    server.request("DELETE", f"/jobs/{running}")
    finished(server, running)
    after = server.request("GET", "/status").json
    assert after["completed_jobs"] >= before["completed_jobs"]


def test_health_has_both_services_facts(server):
    answer = server.request("GET", "/health")
    assert answer.status == 200
    health = answer.json
    assert health["status"] == "healthy" and health["engines"] == {"duckdb": True, "clickhouse": False}
    assert {"timestamp", "version", "uptime_seconds", "memory_usage", "cpu_count", "load_avg",
            "system"} <= health.keys()


def test_status_tells_that_the_registry_is_in_memory(start_server):
    own = start_server("--data-dir", "none")
    assert own.request("GET", "/status").json["registry"] == {"path": None, "durable": False, "works": True}
    assert run(own, "SELECT 1 AS n")["result"]["data"] == [{"n": 1}]


def test_root_is_for_programs_and_for_people(server):
    answer = server.request("GET", "/").json
    assert answer["service"] == "volley" and answer["status"] == "running"
    assert answer["available_engines"] == ["duckdb"] and TIME.fullmatch(answer["timestamp"])
    page = server.request("GET", "/", headers={"accept": "text/html"})
    assert page.media_type == "text/html"


@pytest.mark.parametrize("environment", ["development", "production"])
def test_examples_run_as_shown(start_server, environment):
    own = start_server(env={"ENVIRONMENT": environment})
    examples = own.request("GET", "/examples").json["examples"]
    assert len(examples) == 3
    for example in examples:
        assert {"name", "sql", "engine", "description"} == example.keys()
        result = run(own, example["sql"], engine=example["engine"])
        assert result["status"] == "completed" and result["result"]["data"], example
    taxi = own.rows("SELECT table_name FROM information_schema.tables WHERE table_name LIKE '%taxi'")
    assert sorted(row["table_name"] for row in taxi) == (
        ["nyc_taxi", "taxi"] if environment == "development" else [])


def test_httpx_follows_a_job(server):
    with httpx.Client(base_url=server.http_url, timeout=20) as client:
        job_id = client.post("/queries", json={"sql": "SELECT 3 AS n"}).json()["job_id"]
        wait_until(lambda: client.get(f"/jobs/{job_id}").json()["status"] == "completed")
        assert client.get(f"/jobs/{job_id}/result").json()["result"]["data"] == [{"n": 3}]
        created = client.get(f"/jobs/{job_id}").json()["created_at"]
        assert datetime.datetime.fromisoformat(created).tzinfo == datetime.timezone.utc


def test_jobs_of_many_clients_all_end(server):
    with ThreadPoolExecutor(16) as pool:
        ids = list(pool.map(lambda n: submit(server, f"SELECT {n} AS n", priority=1 + n % 5), range(48)))
    for n, job_id in enumerate(ids):
        assert finished(server, job_id)["status"] == "completed"
        assert server.request("GET", f"/jobs/{job_id}/result").json["result"]["data"] == [{"n": n}]
