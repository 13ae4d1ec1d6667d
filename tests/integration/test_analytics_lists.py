"""/jobs, /history in pages, and /queries/batch: many jobs at once.

SPDX-License-Identifier: Apache-2.0
"""
import re
import urllib.parse
import uuid

import pytest
from harness import wait_until
from job_calls import JOB_MEMBERS, endless, expect_error, finished, post, submit  # noqa: F401

pytestmark = pytest.mark.timeout(60)


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
