"""/queries, /jobs, /status, /examples: jobs of the analytics service, and what it tells of itself.

SPDX-License-Identifier: Apache-2.0
"""
import datetime
import json
import uuid
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
from harness import COMPUTING, wait_until
from job_calls import JOB_MEMBERS, TIME, endless, expect_error, finished, job, post, run, submit  # noqa: F401

pytestmark = pytest.mark.timeout(60)


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
