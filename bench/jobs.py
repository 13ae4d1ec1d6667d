"""Jobs: how soon a statement is done, how many there can be in a second, and listing a long history of them.

SPDX-License-Identifier: Apache-2.0
"""
import contextlib
import http.client
import json
import sqlite3
import subprocess
import time
from functools import partial

from context import TABLE
from measuring import MEBIBYTE, Measure, client_cpu, h2load, watched
from processes import CALL_SECONDS, start_volley
from sql_control import percentiles

JSON = ("-H", "content-type: application/json", "--h1")
CONNECTIONS = 16
HISTORY = 1_000_000
# Never an earlier result, and never another submission's run.
SUBMISSION = json.dumps({"sql": "SELECT 1", "result_cache": "bypass"})
FILL = """
INSERT INTO jobs (job_id, sql, query_hash, engine, door, is_read, priority, slots, timeout_ms, owner, tags,
    created_us, status, started_us, completed_us, row_count, file_size, from_cache, error_position)
WITH RECURSIVE numbers(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM numbers WHERE i + 1 < :count)
SELECT printf('%08x-0000-4000-8000-%012d', i * 2654435761 & 0xffffffff, i), 'SELECT ' || i,
    printf('%064x', i % 1000), iif(i % 100 = 0, 'clickhouse', 'duckdb'),
    iif(i % 3 = 0, 'query', iif(i % 3 = 1, 'queries', 'v1')), 1, 1, 1, 300000, 'user' || i % 50,
    iif(i % 200 = 0, '["nightly"]', NULL), :now - (:count - i) * 1000,
    iif(i % 20 = 0, 'failed', 'succeeded'), :now - (:count - i) * 1000 + 10, :now - (:count - i) * 1000 + 500,
    1, 8, 0, -1 FROM numbers
"""
# Of a history: what a page of a program asks for, and how.
PAGES = ("/jobs?limit=50", "/jobs?limit=50&status=failed", "/jobs?limit=50&status=failed&engine=clickhouse",
         "/v1/jobs?limit=50&tag=nightly", "/history?limit=50", "/status")


@contextlib.contextmanager
def connected(server):
    host, _, port = server.addresses["http"].rpartition(":")
    connection = http.client.HTTPConnection(host, int(port), timeout=CALL_SECONDS)
    with contextlib.closing(connection):
        yield connection


def call(connection, method, path, body=None):
    """One call of HTTP; how long it took."""
    start = time.perf_counter()
    connection.request(method, path, body, {"content-type": "application/json"} if body else {})
    response = connection.getresponse()
    answer = response.read()
    elapsed = time.perf_counter() - start
    if response.status != 200:
        raise RuntimeError(f"{path}: {response.status} {answer[:200]}")
    return elapsed


def submission(context):
    """One client that submits a statement, waits for its end and submits the next."""

    def run(_):
        server = context.server("volley-jobs")
        count = context.scaled(4000)
        with connected(server) as connection:
            call(connection, "POST", "/v1/jobs?wait=10", SUBMISSION)
            return watched(server, lambda: {"calls": count, **percentiles(
                [call(connection, "POST", "/v1/jobs?wait=10", SUBMISSION) for _ in range(count)])})

    return Measure(
        "job", "a job `SELECT 1` over HTTP from its submission to its end, the registry durable", ["volley"],
        run, ("p50_ms", "p99_ms", "server_us_per_call"),
        [("p50, ms", "p50_ms", None, "<=", 3), ("p99, ms", "p99_ms", None, "<=", 15)])


def by_h2load(context, name, title, path, body, goals):
    """The same submission by 16 clients at once."""

    def run(_):
        server = context.server("volley-jobs")
        file = context.folder / f"{name}.json"
        file.write_text(body)
        with connected(server) as connection:
            call(connection, "POST", path, body)
        return h2load(context, server, f"http://{server.addresses['http']}{path}",
                      context.scaled(40000), "-c", CONNECTIONS, "-d", file, *JSON)

    return Measure(name, title, ["volley"], run,
                   ("per_second", "server_us_per_call", "p50_us", "p99_us"), goals)


def fill(path, count):
    with contextlib.closing(sqlite3.connect(path)) as database:
        database.execute("PRAGMA synchronous = OFF")
        with database:
            database.execute(FILL, {"count": count, "now": time.time_ns() // 1000})
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def history(context):
    """Pages, filters and the counts of a registry with a long history."""

    def start():
        registry = context.folder / "history.db"
        start_volley(context.folder, "volley-history", "--registry-path", registry).stop()
        fill(registry, context.scaled(HISTORY))
        return start_volley(context.folder, "volley-history", "--registry-path", registry)

    def run(_):
        if "volley-history" not in context.servers:
            context.servers["volley-history"] = start()
        server = context.servers["volley-history"]
        count = context.scaled(1000)
        with connected(server) as connection:
            for page in PAGES:
                call(connection, "GET", page)
            return watched(server, lambda: {"calls": count * len(PAGES), **percentiles(
                [call(connection, "GET", page) for _ in range(count) for page in PAGES])})

    return Measure(
        "history", f"a page, a filtered page or the counts of a history of {HISTORY:,} jobs over HTTP",
        ["volley"], run, ("p50_ms", "p99_ms", "server_us_per_call", "peak_mib"),
        [("p99, ms", "p99_ms", None, "<=", 5)])


def result_download(context):
    """The result of a job of 10,000,000 rows, from where results are kept, to curl."""

    def run(_):
        server = context.server("volley")
        job = json.dumps({"sql": TABLE, "timeout_ms": 600_000})
        with connected(server) as connection:
            connection.request("POST", "/v1/jobs?wait=120", job, {"content-type": "application/json"})
            facts = json.loads(connection.getresponse().read())
        if facts["state"] != "succeeded" or facts["rows"] != context.rows:
            raise RuntimeError(f"the job: {facts}")
        url = f"http://{server.addresses['http']}{facts['links']['result']}?format=arrow"
        resident = server.memory()

        def load():
            sample = {}
            with client_cpu(sample):
                output = subprocess.run(
                    ["curl", "-sS", "--fail", "-o", "/dev/null", "-w", "%{time_total} %{size_download}", url],
                    capture_output=True, text=True, check=True, timeout=CALL_SECONDS).stdout.split()
            return sample | {"seconds": float(output[0]), "gigabytes": float(output[1]) / 1e9}

        sample = watched(server, load)
        sample["above_mib"] = sample["peak_mib"] - resident / MEBIBYTE
        return sample

    return Measure(
        "job-result", "The finished result of a job of 10,000,000 rows x 16 columns as Arrow to curl",
        ["volley"], run, ("gb_per_second", "server_cpu_per_gb", "client_cpu", "above_mib"),
        [("GB/s", "gb_per_second", None, ">=", 1.0),
         ("server CPU-s/GB", "server_cpu_per_gb", None, "<=", 0.2),
         ("peak RSS above the start, MiB", "above_mib", None, "<", 64)])


def all_measures(context):
    rate = partial(by_h2load, context)
    return [
        submission(context),
        rate("jobs", f"jobs `SELECT 1` by {CONNECTIONS} clients that each wait for theirs, durable",
             "/v1/jobs?wait=10", SUBMISSION, [("jobs/s", "per_second", None, ">=", 2000)]),
        rate("cached", f"submissions of {CONNECTIONS} clients that a cached result answers",
             "/query/submit?wait=10", json.dumps({"sql": "SELECT 1"}),
             [("per second", "per_second", None, ">=", 8000),
              ("server CPU, us", "server_us_per_call", None, "<=", 150)]),
        rate("json-select-1", f"POST /v1/query of `SELECT 1`, answered in JSON, {CONNECTIONS} connections",
             "/v1/query", json.dumps({"sql": "SELECT 1"}),
             [("per second", "per_second", None, ">=", 5000),
              ("server CPU, us", "server_us_per_call", None, "<=", 200)]),
        history(context),
        result_download(context),
    ]
