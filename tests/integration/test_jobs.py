"""Jobs as such: their order and bounds, their plan, and what SQL sees of them.

SPDX-License-Identifier: Apache-2.0
"""
import pytest
from harness import wait_until
from job_calls import endless_sql, finished, job, post, submit

pytestmark = pytest.mark.timeout(60)


def test_sql_reads_the_result_of_a_job(server):
    job_id = submit(server, "SELECT i, i * 2 AS twice FROM range(1000) t(i)")
    finished(server, job_id)
    totals = f"SELECT sum(twice) AS s, count(*) AS n FROM job('{job_id}')"
    assert server.rows(totals) == [{"s": 999000, "n": 1000}]
    assert server.rows(f"SELECT twice FROM job('{job_id}') WHERE i = 7") == [{"twice": 14}]


def test_sql_does_not_read_what_is_no_result(server):
    missing = server.query("SELECT * FROM job('00000000-0000-4000-8000-00000000abcd')")
    assert missing.status == 404 and missing.json["code"] == "JOB_NOT_FOUND"
    failed = submit(server, "SELECT * FROM no_such_table")
    finished(server, failed)
    answer = server.query(f"SELECT * FROM job('{failed}')")
    assert answer.json["code"] == "TABLE_NOT_FOUND"
    running = submit(server, endless_sql())
    wait_until(lambda: job(server, running)["status"] == "running")
    answer = server.query(f"SELECT * FROM job('{running}')")
    assert answer.json["code"] == "RESULT_NOT_READY"
    server.request("DELETE", f"/jobs/{running}")


def test_sql_sees_the_jobs(server):
    job_id = submit(server, "SELECT 'seen' AS mark", priority=3)
    finished(server, job_id)
    rows = server.rows(f"SELECT state, door, priority, rows, error FROM volley.jobs WHERE id = '{job_id}'")
    assert rows == [{"state": "succeeded", "door": "queries", "priority": 3, "rows": 1, "error": None}]


def test_a_result_tells_the_plan(server):
    job_id = submit(server, "SELECT count(*) FROM range(10) t(i) WHERE i > 3;")
    finished(server, job_id)
    plan = server.request("GET", f"/jobs/{job_id}/result").json["result"]["query_plan"]
    assert "AGGREGATE" in plan.upper() and "RANGE" in plan.upper()
    several = submit(server, "SELECT 1; SELECT 2")
    finished(server, several)
    assert server.request("GET", f"/jobs/{several}/result").json["result"]["query_plan"] is None


def test_the_order_is_that_of_the_priorities(start_server):
    server = start_server("--max-concurrent-jobs", "1")
    blocker = submit(server, endless_sql())
    wait_until(lambda: job(server, blocker)["status"] == "running")
    waiting = [submit(server, f"SELECT {i}", priority=priority) for i, priority in enumerate((5, 3, 1, 1))]
    assert [job(server, job_id)["queue_position"] for job_id in waiting] == [4, 3, 1, 2]
    server.request("DELETE", f"/jobs/{waiting[2]}")
    assert job(server, waiting[3])["queue_position"] == 1
    server.request("DELETE", f"/jobs/{blocker}")
    started = [finished(server, waiting[i])["started_at"] for i in (3, 1, 0)]
    assert started == sorted(started)


def test_a_full_queue_is_told_and_statements_get_their_turn(start_server):
    server = start_server("--query-slots", "2", "--job-queue", "2")
    blockers = [submit(server, endless_sql()) for _ in range(2)]
    for job_id in blockers:
        wait_until(lambda: job(server, job_id)["status"] == "running")
    waiting = [submit(server, f"SELECT {i}") for i in range(2)]
    refused = post(server, "/queries", {"sql": "SELECT 3"})
    assert refused.status == 429 and refused.json["error_code"] == "QUEUE_FULL"
    assert int(refused.headers["retry-after"]) >= 1
    server.request("DELETE", f"/jobs/{blockers[0]}")
    assert server.value("SELECT 1") == 1
    for job_id in waiting:
        assert finished(server, job_id)["status"] == "completed"
    server.request("DELETE", f"/jobs/{blockers[1]}")
    metrics = server.metrics()
    assert metrics['volley_jobs{state="succeeded"}'] == 2 and metrics['volley_jobs{state="cancelled"}'] == 2


def test_a_wide_job_runs_alone(start_server):
    server = start_server("--query-slots", "2")
    wide = submit(server, endless_sql(), estimated_slots=8)
    wait_until(lambda: job(server, wide)["status"] == "running")
    assert server.request("GET", "/status").json["available_slots"] == 0
    narrow = submit(server, "SELECT 1")
    assert job(server, narrow)["status"] == "queued"
    server.request("DELETE", f"/jobs/{wide}")
    assert finished(server, narrow)["status"] == "completed"
