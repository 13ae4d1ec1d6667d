"""Requests to the routes that run jobs, /queries and /jobs, for the tests.

SPDX-License-Identifier: Apache-2.0
"""
import json
import re
import uuid

import pytest
from harness import COMPUTING, wait_until

TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z")
JOB_MEMBERS = {
    "job_id", "sql", "engine", "status", "priority", "created_at", "started_at", "completed_at",
    "execution_time", "progress", "queue_position", "elapsed_time", "estimated_slots", "slots_used",
    "rows_returned", "error", "error_code"}


def post(server, path, body, headers=None):
    text = body if isinstance(body, (bytes, str)) else json.dumps(body)
    return server.request("POST", path, text, {"content-type": "application/json", **(headers or {})})


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


def expect_error(answer, http_status, code, detail=None):
    assert answer.status == http_status, answer.text
    assert answer.media_type == "application/json"
    assert answer.json["error_code"] == code and answer.json["detail"]
    assert TIME.fullmatch(answer.json["timestamp"])
    if detail is not None:
        assert answer.json["detail"] == detail
    return answer.json


def endless_sql():
    """A statement that runs until it is stopped, like no other."""
    return COMPUTING.format(mark="m_" + uuid.uuid4().hex)


@pytest.fixture
def endless(server):
    """Ids of jobs that run until they are stopped."""
    ids = []

    def start(**fields):
        ids.append(submit(server, endless_sql(), **fields))
        return ids[-1]

    yield start
    for job_id in ids:
        server.request("DELETE", f"/jobs/{job_id}")
