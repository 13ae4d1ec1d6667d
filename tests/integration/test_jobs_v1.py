"""/v1/jobs: submission, waiting, listing, events, and results, also of jobs that run.

SPDX-License-Identifier: Apache-2.0
"""
import contextlib
import io
import json
import re
import urllib.parse

import pyarrow.ipc
import pytest
from harness import COMPUTING, STREAMING, Background, wait_until

JSON = {"content-type": "application/json"}
OVER = ("succeeded", "failed", "cancelled", "expired")


@pytest.fixture(scope="module")
def jobs_server(binary, tmp_path_factory):
    from harness import Server

    own = Server(binary, tmp_path_factory.mktemp("jobs"), ("--query-slots", "4")).wait_ready()
    yield own
    own.stop()


@pytest.fixture
def server(jobs_server):
    """The module's own one, whose jobs are cancelled after each test."""
    yield jobs_server
    for job in jobs_server.request("GET", "/v1/jobs?state=queued,running&limit=1000").json["jobs"]:
        jobs_server.request("DELETE", job["links"]["self"])


def submit(server, sql, parameters="", headers=None, **body):
    return server.request("POST", f"/v1/jobs{parameters}", json.dumps({"sql": sql, **body}),
                          {**JSON, **(headers or {})})


def state(server, job):
    return server.request("GET", job["links"]["self"]).json["state"]


def started(server, sql, **body):
    job = submit(server, sql, **body).json
    wait_until(lambda: state(server, job) == "running", what="running")
    return job


def test_a_submission_is_accepted_and_leads_on(server):
    response = submit(server, "SELECT 42 AS answer")
    assert response.status in (200, 202)
    job = response.json
    assert response.headers["location"] == job["links"]["self"] == f"/v1/jobs/{job['id']}"
    done = server.request("GET", f"/v1/jobs/{job['id']}?wait=20").json
    assert done["state"] == "succeeded" and done["rows"] == 1 and done["error"] is None
    assert done["started_at"] >= done["created_at"] and done["completed_at"] >= done["started_at"]
    rows = server.request("GET", job["links"]["result"] + "?format=ndjson")
    assert rows.text == '{"answer":42}\n'
    assert rows.headers["volley-job-id"] == job["id"]


def test_waiting(server):
    assert submit(server, "SELECT 1", "?wait=20").status == 200
    told = submit(server, "SELECT 2", headers={"prefer": "wait=20"})
    assert told.status == 200 and told.headers["preference-applied"] == "wait=20"
    asked = submit(server, COMPUTING.format(mark="asynchronous"), headers={"prefer": "respond-async"})
    assert asked.status == 202 and asked.headers["preference-applied"] == "respond-async"
    assert asked.headers["retry-after"] == "1"
    late = submit(server, COMPUTING.format(mark="late"), "?wait=0.2")
    assert late.status == 202 and late.json["state"] in ("queued", "running")


def test_what_is_wrong_is_told_at_once(server):
    wrong = submit(server, "SELEC 1")
    assert wrong.status == 400 and wrong.media_type == "application/problem+json"
    assert wrong.json["code"] == "QUERY_SYNTAX_ERROR" and wrong.json["line"] == 1
    faults = submit(server, "SELECT 1", priority=9, slots=0, surprise=1)
    assert faults.status == 422
    assert {fault["loc"][-1] for fault in faults.json["errors"]} == {"priority", "slots", "surprise"}
    assert submit(server, "SELECT 1", "?wate=1").status == 422
    assert server.request("GET", "/v1/jobs/0b0e7a4e").json["code"] == "JOB_NOT_FOUND"
    assert server.request("GET", "/v1/jobs?state=done").status == 422
    assert server.request("GET", "/v1/jobs?limit=0").status == 422


def test_a_failed_job_tells_why(server):
    job = submit(server, "SELECT * FROM no_such_table", "?wait=20").json
    assert job["state"] == "failed" and job["error"]["code"] == "TABLE_NOT_FOUND"
    assert job["error"]["line"] == 1 and job["error"]["position"] > 0
    result = server.request("GET", job["links"]["result"])
    assert result.status == 404 and result.json["code"] == "TABLE_NOT_FOUND"
    late = submit(server, "SELECT 1 / i FROM (VALUES ('x')) t(i)", "?wait=20").json
    assert late["state"] == "failed"


def test_the_same_key_is_the_same_job(server):
    key = {"idempotency-key": "one-two"}
    first = submit(server, "SELECT 7 AS seven", headers=key).json
    again = submit(server, "SELECT 7 AS seven", headers=key).json
    assert again["id"] == first["id"] and again["idempotency_key"] == "one-two"
    assert submit(server, "SELECT 8", headers=key).status == 422
    assert submit(server, "SELECT 7", headers={"idempotency-key": "x" * 300}).status == 422


def test_pages(server):
    tag = {"round": "pages"}
    ids = [submit(server, f"SELECT {i}", "?wait=20", tags=tag).json["id"] for i in range(5)]
    seen, path = [], "/v1/jobs?tag=round%3Dpages&limit=2"
    while path:
        page = server.request("GET", path)
        assert page.status == 200 and len(page.json["jobs"]) <= 2
        seen += [job["id"] for job in page.json["jobs"]]
        link = re.fullmatch(r'<(.*)>; rel="next"', page.headers.get("link", ""))
        assert bool(link) == bool(page.json["next_page_token"])
        if link:
            token = urllib.parse.parse_qs(urllib.parse.urlsplit(link[1]).query)["page_token"]
            assert token == [page.json["next_page_token"]]
        path = link and link[1]
    assert seen == ids[::-1]
    assert server.request("GET", "/v1/jobs?state=succeeded&limit=1").json["jobs"][0]["id"] == ids[-1]
    assert server.request("GET", "/v1/jobs?page_token=nonsense").status in (200, 422)


@pytest.mark.parametrize("tags", [{"a": {"b": "c"}}, {"a": ["b"]}, ["a", ["b"]], [{"a": "b"}], {"a": None},
                                  [None]])
def test_tags_that_are_nested_are_refused(server, tags):
    answer = submit(server, "SELECT 1", tags=tags)
    assert answer.status == 422 and answer.json["code"] == "VALIDATION_ERROR"
    assert [fault["loc"] for fault in answer.json["errors"]] == [["body", "tags"]]


def test_tags_of_each_plain_kind(server):
    tags = {"round": "plain", "number": 1.5, "whole": 3, "truth": True}
    job = submit(server, "SELECT 1", "?wait=20", tags=tags).json
    assert job["tags"] == tags
    for tag in ("round%3Dplain", "whole%3D3"):
        listed = server.request("GET", f"/v1/jobs?tag={tag}").json["jobs"]
        assert [each["id"] for each in listed] == [job["id"]], tag


def test_cancel(server):
    running = started(server, COMPUTING.format(mark="cancelled"))
    answer = server.request("DELETE", running["links"]["self"])
    assert answer.status == 200
    done = wait_until(lambda: state(server, running) in OVER and state(server, running))
    assert done == "cancelled"
    assert server.request("GET", running["links"]["self"]).json["error"]["code"] == "QUERY_CANCELLED"
    assert server.request("DELETE", running["links"]["self"]).status == 409
    assert server.request("GET", running["links"]["result"]).status == 409


def test_all_formats_and_ranges(server):
    job = submit(server, "SELECT i, 'x' || i AS s FROM range(1000) t(i) ORDER BY i", "?wait=20").json
    url = job["links"]["result"]
    whole = server.request("GET", f"{url}?format=arrow")
    table = pyarrow.ipc.open_stream(io.BytesIO(whole.body)).read_all()
    assert table.num_rows == 1000 and table.column("i").to_pylist() == list(range(1000))
    assert server.request("GET", url).body == whole.body
    part = server.request("GET", f"{url}?format=arrow", headers={"range": "bytes=100-199"})
    assert part.status == 206 and part.body == whole.body[100:200]
    rows = server.request("GET", f"{url}?format=csv", headers={"range": "rows=10-11"})
    assert rows.status == 206 and rows.text.splitlines() == ["i,s", "10,x10", "11,x11"]
    assert rows.headers["content-range"] == "rows 10-11/1000"
    assert server.request("GET", f"{url}?format=parquet").body[:4] == b"PAR1"
    assert len(server.request("GET", f"{url}?format=json&limit=3").json["data"]) == 3
    only = server.request("GET", f"{url}?format=ndjson&columns=s&offset=998").text.splitlines()
    assert only == ['{"s":"x998"}', '{"s":"x999"}']
    tag = whole.headers["etag"]
    same = server.request("GET", f"{url}?format=arrow", headers={"if-none-match": tag})
    assert same.status == 304
    assert server.request("GET", f"{url}?format=doc").status == 406


def test_a_statement_without_rows_tells_what_it_changed(server):
    job = submit(server, "CREATE OR REPLACE TABLE made AS SELECT * FROM range(5)", "?wait=20").json
    assert job["state"] == "succeeded"
    assert set(server.request("GET", job["links"]["result"]).json) == {"rows_changed"}
    changed = submit(server, "DELETE FROM made", "?wait=20").json
    assert server.request("GET", changed["links"]["result"]).json == {"rows_changed": 5}


def test_rows_of_a_running_job_are_read_as_they_come(server):
    job = started(server, STREAMING.format(mark="followed"))
    connection, response = server.open_request("GET", job["links"]["result"] + "?format=ndjson")
    with contextlib.closing(connection):
        assert response.status == 200
        lines = [json.loads(response.readline())["followed"] for _ in range(1000)]
    assert lines == list(range(1000))
    assert state(server, job) == "running"
    with_offset = server.open_request("GET", job["links"]["result"] + "?format=csv&offset=7&limit=2")
    with contextlib.closing(with_offset[0]):
        assert [line.split(b",")[0] for line in with_offset[1].read().splitlines()] == [
            b"followed", b"7", b"8"]


def test_a_result_that_is_not_ready_can_be_declined(server):
    job = started(server, COMPUTING.format(mark="declined"))
    declined = server.request("GET", job["links"]["result"] + "?wait=0")
    assert declined.status == 202 and declined.json["state"] == "running"
    assert server.request("GET", job["links"]["result"] + "?wait=0.1").status == 202


def test_a_reader_waits_for_a_job_that_waits(server):
    job = submit(server, "SELECT count(*) AS n FROM range(30000000) t(i) WHERE i % 7 = 3").json
    reader = Background(lambda: server.request("GET", job["links"]["result"] + "?format=ndjson"))
    assert json.loads(reader.outcome().text) == {"n": 4285714}


def test_a_followed_job_that_is_cancelled_breaks_the_response(server):
    job = started(server, STREAMING.format(mark="broken"))
    connection, response = server.open_request("GET", job["links"]["result"] + "?format=arrow")
    with contextlib.closing(connection):
        response.read(100000)
        server.request("DELETE", job["links"]["self"])
        with pytest.raises(Exception, match="Incomplete|closed|reset|chunk"):
            while response.read(1 << 20):
                pass


def events_of(response):
    """The events as (id, name, data), until the response ends."""
    event = {}
    for line in io.TextIOWrapper(response):
        name, _, value = line.rstrip("\n").partition(": ")
        if name in ("id", "event", "data"):
            event[name] = value
        elif line == "\n" and "data" in event:
            yield event["id"], event["event"], json.loads(event["data"])
            event = {}


def test_events(server):
    job = started(server, COMPUTING.format(mark="watched"))
    path = job["links"]["events"]
    connection, response = server.open_request("GET", path)
    with contextlib.closing(connection):
        assert response.headers["content-type"].startswith("text/event-stream")
        events = events_of(response)
        name, first = next(events)[1:]
        assert name == "state" and first["state"] == "running" and first["id"] == job["id"]
        server.request("DELETE", job["links"]["self"])
        *_, last = events
    assert last[1] == "error" and last[2]["state"] == "cancelled"
    seen = server.request("GET", path, headers={"last-event-id": last[0]})
    assert seen.status == 204 and seen.body == b""
    again = list(events_of(io.BytesIO(server.request("GET", path, headers={"last-event-id": "0-0"}).body)))
    assert [event[1] for event in again] == ["error"]
    assert server.request("GET", "/v1/jobs/nothing/events").status == 404


def test_events_of_a_job_that_succeeded(server):
    job = submit(server, "SELECT 1", "?wait=20").json
    (event,) = events_of(io.BytesIO(server.request("GET", job["links"]["events"]).body))
    assert event[1] == "result" and event[2]["rows"] == 1


def test_an_unknown_format_is_the_same_error_at_all_doors(server):
    job = submit(server, "SELECT 1", "?wait=20").json["id"]
    failed = submit(server, "SELECT error('not now')", "?wait=20").json["id"]
    paths = [f"/v1/jobs/{job}/result", f"/jobs/{job}/result", f"/jobs/{failed}/result",
             f"/query/download/{job}",
             f"/query/{job}/result", "/v1/system/queries"]
    for path in paths:
        answer = server.request("GET", f"{path}?format=xml")
        told = answer.json
        assert (answer.status, told.get("code", told.get("error_code"))) == (406, "NOT_ACCEPTABLE"), path
        assert "'xml'" in told["detail"] and "csv" in told["detail"]


def listed(server, state):
    return {each["id"] for each in server.request("GET", f"/v1/jobs?state={state}&limit=1000").json["jobs"]}


def test_a_job_whose_result_is_gone_is_expired_after_a_restart(start_server, tmp_path):
    folder = tmp_path / "server"
    folder.mkdir()
    own = start_server("--result-store", "memory", folder=folder)
    small = submit(own, "SELECT 1 AS a", "?wait=20").json["id"]
    large = submit(own, "SELECT i, 'row ' || i FROM range(40000) t(i)", "?wait=20").json["id"]
    change = submit(own, "CREATE TABLE kept (x INTEGER)", "?wait=20").json["id"]
    assert listed(own, "succeeded") == {small, large, change}
    own.stop()
    own = start_server("--result-store", "memory", folder=folder)
    states = {each: own.request("GET", f"/v1/jobs/{each}").json["state"] for each in (small, large, change)}
    assert states == {small: "succeeded", large: "expired", change: "succeeded"}
    assert own.request("GET", f"/v1/jobs/{large}/result").status == 410
    assert own.request("GET", f"/query/status/{large}").json["status"] == "error"
    assert own.request("GET", f"/jobs/{large}").json["status"] == "completed"
    wait_until(lambda: listed(own, "expired") == {large}, what="the record of what was lost")
    assert listed(own, "succeeded") == {small, change}
    own.stop()
    own = start_server("--result-store", "memory", "--result-ttl", "1ms", folder=folder)
    wait_until(lambda: listed(own, "expired") == {small, large, change} and listed(own, "succeeded") == set())
    assert own.request("GET", f"/v1/jobs/{small}").json["state"] == "expired"
    assert own.metrics()['volley_jobs{state="expired"}'] == 3
    assert own.metrics()['volley_jobs{state="succeeded"}'] == 0


def test_a_job_whose_result_gave_way_is_listed_as_expired(start_server):
    own = start_server("--result-store", "memory", "--kept-results-max", "1MB")
    first, second = (submit(own, f"SELECT i, 'row ' || i FROM range({rows}) t(i)", "?wait=20").json["id"]
                     for rows in (40000, 40001))
    wait_until(lambda: own.request("GET", f"/v1/jobs/{first}").json["state"] == "expired",
               what="place for the second")
    wait_until(lambda: listed(own, "expired") == {first}, what="the record of the first")
    assert listed(own, "succeeded") == {second}
    assert own.metrics()['volley_jobs{state="expired"}'] == 1
    assert own.request("GET", f"/v1/jobs/{first}/result").status == 410


def test_what_is_over_is_not_stopped_at_any_door(server):
    job = submit(server, "SELECT 'it is over'", "?wait=20").json["id"]
    for path in (f"/v1/jobs/{job}", f"/jobs/{job}", f"/v1/queries/{job}"):
        answer = server.request("DELETE", path)
        told = answer.json
        assert (answer.status, told.get("code", told.get("error_code"))) == (409, "FAILED_PRECONDITION"), path


@pytest.mark.parametrize("path", ["/v1/jobs/{}/result?format=csv", "/v1/jobs/{}/result?format=json",
                                  "/jobs/{}/result", "/v1/jobs/{}/result?format=ndjson&wait=20"])
def test_a_row_that_is_too_long_as_text_is_refused(server, path):
    job = submit(server, "SELECT repeat('x', 70000000) AS s", "?wait=20").json
    assert job["state"] == "succeeded"
    assert server.request("GET", path.format(job["id"])).status == 406
    assert len(server.request("GET", f"/v1/jobs/{job['id']}/result?format=arrow").body) > 70000000
