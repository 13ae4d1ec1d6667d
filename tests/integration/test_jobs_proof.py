"""Many clients, cancels at any moment, kill -9 again and again: every job that was acknowledged ends once.

The gate runs a small one; VOLLEY_PROOF=full has 50 clients submit 10,000 jobs through three restarts.

SPDX-License-Identifier: Apache-2.0
"""
import http.client
import json
import os
import random
import sqlite3
import threading
import time

import pytest
from harness import wait_until

FULL = os.environ.get("VOLLEY_PROOF") == "full"
CLIENTS, JOBS, KILLS = (50, 10_000, 3) if FULL else (8, 240, 2)
FINAL = {"completed", "failed", "cancelled"}
LARGE_ROWS = 12_000  # beyond what is answered as JSON
SECONDS = 600 if FULL else 60


class Submitted:
    """A job that was acknowledged, and what may come of it."""

    def __init__(self, kind, number):
        self.kind, self.number = kind, number
        self.is_cancelled = False  # somebody asked for it
        self.id = None

    @property
    def sql(self):
        return {
            "small": f"SELECT {self.number} AS n",
            "large": f"SELECT i + {self.number} AS n FROM range({LARGE_ROWS}) t(i)",
            "slow": f"SELECT sum(i * {self.number}) AS n FROM range(3000000) t(i)",
            "insert": f"INSERT INTO proof VALUES ({self.number})",
        }[self.kind]

    def check_rows(self, rows):
        if self.kind == "small":
            assert rows == [{"n": self.number}]
        elif self.kind == "slow":
            assert rows == [{"n": self.number * 3_000_000 * 2_999_999 // 2}]
        elif self.kind == "large":
            assert len(rows) == LARGE_ROWS
            assert rows[0] == {"n": self.number} and rows[-1] == {"n": self.number + LARGE_ROWS - 1}


class Crowd:
    """The clients of one server that dies now and then."""

    def __init__(self, server):
        self.server = server
        self.lock = threading.Lock()
        self.acknowledged = []
        self.next_number = 0
        self.failures = []

    def request(self, method, path, body=None):
        """(status, parsed body); None when the server is not there or went meanwhile."""
        try:
            connection = http.client.HTTPConnection(*self.server.http_address, timeout=30)
            try:
                connection.request(method, path, body and json.dumps(body),
                                   {"content-type": "application/json"})
                response = connection.getresponse()
                return response.status, json.loads(response.read())
            finally:
                connection.close()
        except (OSError, http.client.HTTPException, ValueError):
            time.sleep(0.05)
            return None

    def submit(self, job):
        body = {"sql": job.sql, "priority": job.number % 5 + 1, "estimated_slots": job.number % 3 + 1}
        answer = self.request("POST", "/queries", body)
        if answer is None or answer[0] in (429, 503):
            return False
        assert answer[0] == 200, answer
        job.id = answer[1]["job_id"]
        with self.lock:
            self.acknowledged.append(job)
        return True

    def cancel(self, job):
        job.is_cancelled = True
        answer = self.request("DELETE", f"/jobs/{job.id}")
        assert answer is None or answer[0] in (200, 409, 503), answer

    def work(self, seed):
        chance = random.Random(seed)
        try:
            while True:
                with self.lock:
                    if self.next_number >= JOBS:
                        return
                    self.next_number += 1
                    number = self.next_number
                kind = chance.choice(("small", "small", "small", "large", "slow", "insert"))
                job = Submitted(kind, number)
                if self.submit(job) and chance.random() < 0.15:
                    time.sleep(chance.random() * 0.05)
                    self.cancel(job)
        except BaseException as error:  # noqa: BLE001
            self.failures.append(error)

    def ended(self, job):
        """The job's answer once it is in a final state, else None."""
        answer = self.request("GET", f"/jobs/{job.id}")
        if answer is None:
            return None
        assert answer[0] == 200, (job.sql, answer)
        return answer[1] if answer[1]["status"] in FINAL else None


def check_end(crowd, job):
    facts = wait_until(lambda: crowd.ended(job), SECONDS, f"the end of job {job.id} ({job.sql})")
    assert facts["completed_at"], facts
    if facts["status"] == "cancelled":
        assert job.is_cancelled, facts
    elif facts["status"] == "failed":
        assert facts["error_code"] == "SERVER_RESTARTED", facts
        assert job.kind == "insert" or "each run" in facts["error"], facts
    elif job.kind != "insert":
        status, answer = crowd.request("GET", f"/jobs/{job.id}/result?limit=100000")
        assert status == 200, answer
        job.check_rows(answer["result"]["data"])
    return facts["status"]


def check_registry(path, crowd, ends):
    """One row for each job, in the state that was told."""
    with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as registry:
        found = dict(registry.execute("SELECT job_id, count(*) FROM jobs GROUP BY job_id"))
    assert all(found.get(job.id) == 1 for job in crowd.acknowledged)
    again = {job.id: crowd.ended(job)["status"] for job in crowd.acknowledged[:: max(1, len(ends) // 200)]}
    assert all(ends[job_id] == status for job_id, status in again.items())


@pytest.mark.timeout(3 * SECONDS)
def test_every_acknowledged_job_ends_once(start_server, tmp_path):
    arguments = ("--database", tmp_path / "proof.db", "--query-queue", "1000")
    server = start_server(*arguments)
    server.query("CREATE TABLE proof(n BIGINT)")
    crowd = Crowd(server)
    threads = [threading.Thread(target=crowd.work, args=(seed,), daemon=True) for seed in range(CLIENTS)]
    for thread in threads:
        thread.start()
    for kill in range(KILLS):
        wait_until(lambda: crowd.next_number > (kill + 1) * JOBS // (KILLS + 1) or crowd.failures, SECONDS)
        crowd.server.kill()
        crowd.server = start_server(*arguments, folder=server.folder)
    for thread in threads:
        thread.join(SECONDS)
        assert not thread.is_alive()
    assert not crowd.failures, crowd.failures[:3]
    ends = {job.id: check_end(crowd, job) for job in crowd.acknowledged}
    assert len(ends) == len(crowd.acknowledged) > JOBS // 2
    assert {"completed", "cancelled"} <= set(ends.values())
    check_registry(server.data_dir / "job_registry.db", crowd, ends)
    rows = {row["n"]: row["times"] for row in
            crowd.server.rows("SELECT n, count(*) AS times FROM proof GROUP BY n")}
    assert set(rows.values()) == {1}
    done = {job.number for job in crowd.acknowledged if job.kind == "insert" and ends[job.id] == "completed"}
    assert done <= set(rows)
    wait_until(lambda: crowd.server.value("SELECT count(*) FROM volley.queries WHERE state = 'running'") == 1)
