"""Jobs across the end of the process: kill -9 among submissions, cancels and running statements.

Every job that was acknowledged is there after the restart and ends in exactly one final state, its result
whole; what was told as final once never changes.

SPDX-License-Identifier: Apache-2.0
"""
import collections
import contextlib
import http.client
import json
import random
import sqlite3
import threading
import time

from harness import wait_until

FINAL = ("completed", "failed", "cancelled")
CLIENTS = 8
ROUNDS = 3
SECONDS_EACH = 0.8


class Client(threading.Thread):
    """Submits jobs over one connection until the server is gone; cancels some; notes what it was told."""

    def __init__(self, server, number, round_number, told):
        super().__init__(daemon=True)
        self.server, self.number, self.round, self.told = server, number, round_number, told
        self.random = random.Random(100 * round_number + number)
        self.submitted = {}  # id: the value that its one row has
        self.cancelled = set()

    def call(self, method, path, body=None):
        headers = {"content-type": "application/json"} if body else {}
        self.connection.request(method, path, json.dumps(body) if body else None, headers)
        response = self.connection.getresponse()
        return response.status, json.loads(response.read())

    def run(self):
        host, port = self.server.http_address
        self.connection = http.client.HTTPConnection(host, port, timeout=20)
        with contextlib.suppress(OSError, http.client.HTTPException, json.JSONDecodeError):
            for count in range(100000):
                self.submit(count)
                if self.random.random() < 0.3:
                    self.cancel()
                if self.random.random() < 0.2:
                    self.look()

    def submit(self, count):
        value = (self.round * CLIENTS + self.number) * 100000 + count
        length = 3000000 if self.random.random() < 0.05 else 10
        sql = f"SELECT {value} AS v, count(*) AS n FROM range({length}) t(i) WHERE hash(i + {value}) % 2 < 9"
        status, answer = self.call("POST", "/queries", {"sql": sql, "priority": 1 + count % 5})
        if status == 200:
            self.submitted[answer["job_id"]] = (value, length)

    def cancel(self):
        job = list(self.submitted)[-1]
        status, _ = self.call("DELETE", f"/jobs/{job}")
        if status == 200:
            self.cancelled.add(job)

    def look(self):
        job = self.random.choice(list(self.submitted))
        status, answer = self.call("GET", f"/jobs/{job}")
        if status == 200 and answer["status"] in FINAL:
            self.told.setdefault(job, set()).add(answer["status"])


def submit_and_kill(server, round_number, told):
    clients = [Client(server, number, round_number, told) for number in range(CLIENTS)]
    for client in clients:
        client.start()
    time.sleep(SECONDS_EACH)
    server.kill()
    for client in clients:
        client.join(30)
        assert not client.is_alive()
    submitted = {job: value for client in clients for job, value in client.submitted.items()}
    return submitted, set().union(*(client.cancelled for client in clients))


def states(server):
    with sqlite3.connect(f"file:{server.data_dir}/job_registry.db?mode=ro", uri=True) as database:
        return dict(database.execute("SELECT job_id, status FROM jobs"))


def ran_at_two_ends(server):
    with sqlite3.connect(f"file:{server.data_dir}/job_registry.db?mode=ro", uri=True) as database:
        sql = "SELECT count(*) FROM jobs WHERE error_code = 'SERVER_RESTARTED' AND attempts = 2"
        return database.execute(sql).fetchone()[0]


def over(server):
    facts = server.request("GET", "/status").json
    return facts["queued_jobs"] == 0 and facts["running_jobs"] == 0


def test_every_acknowledged_job_ends_once(start_server):
    """Three rounds of submissions, each ended by kill -9; the last server runs what is left."""
    submitted, cancelled, told = {}, set(), {}
    server = start_server()
    for round_number in range(ROUNDS):
        jobs, stopped = submit_and_kill(server, round_number, told)
        assert len(jobs) > 20, "a round has to submit something"
        submitted.update(jobs)
        cancelled |= stopped
        server = start_server(folder=server.folder)
        assert set(submitted) <= set(states(server)), "an acknowledged job is gone"
    wait_until(lambda: over(server), 60, "the end of all jobs")

    final = wait_until(lambda: (found := states(server)) and all(
        found[job] in ("succeeded", "failed", "cancelled") for job in submitted) and found,
        20, "a final state of every job")
    names = {"succeeded": "completed", "failed": "failed", "cancelled": "cancelled"}
    for job, seen in told.items():
        assert seen == {names[final[job]]}, f"{job} was {seen} and became {final[job]}"
    for job in cancelled:
        assert final[job] == "cancelled"
    counts = collections.Counter(final[job] for job in submitted)
    assert counts["failed"] == ran_at_two_ends(server), counts  # all of them read: others run again
    assert counts["succeeded"] > 0

    chooser = random.Random(1)
    for job in chooser.sample(sorted(job for job in submitted if final[job] == "succeeded"), 20):
        response = server.request("GET", f"/jobs/{job}/result")
        if response.status == 410:  # of an earlier process, and not kept
            continue
        value, length = submitted[job]
        assert response.status == 200, response.text
        assert response.json["result"]["data"] == [{"v": value, "n": length}]


def test_the_listing_and_the_counters_agree_after_a_crash(start_server):
    server = start_server()
    submitted, _ = submit_and_kill(server, 9, {})
    server = start_server(folder=server.folder)
    wait_until(lambda: over(server), 60, "the end of all jobs")
    listed = []
    while True:
        page = server.request("GET", f"/jobs?limit=1000&offset={len(listed)}").json
        if not page["jobs"]:
            break
        listed += [job["job_id"] for job in page["jobs"]]
    assert len(listed) == len(set(listed)) == page["total"]
    assert set(submitted) <= set(listed)


def test_a_statement_that_changes_something_is_not_run_twice(start_server, tmp_path):
    """It was running when the process ended: whether it took effect is unknown, so it fails and says why."""
    server = start_server("--database", tmp_path / "d.duckdb")
    server.query("CREATE TABLE t (i BIGINT)")
    sql = ("INSERT INTO t SELECT count(*) FROM range(3000000) a(i), range(3000000) b(i)"
           " WHERE a.i * b.i % 7 = 3")
    body = json.dumps({"sql": sql}).encode()
    job = server.request("POST", "/queries", body, {"content-type": "application/json"}).json["job_id"]
    wait_until(lambda: server.request("GET", f"/jobs/{job}").json["status"] == "running")
    wait_until(lambda: states(server)[job] == "running")
    server.kill()
    server = start_server("--database", tmp_path / "d.duckdb", folder=server.folder)
    answer = server.request("GET", f"/jobs/{job}").json
    assert answer["status"] == "failed"
    assert answer["error_code"] == "SERVER_RESTARTED"
    assert server.request("GET", "/status").json["failed_jobs"] == 1
    assert 'volley_jobs{state="failed"} 1\n' in server.request("GET", "/metrics").text
    assert server.value("SELECT count(*) FROM t") == 0
