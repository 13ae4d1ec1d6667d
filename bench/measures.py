"""What is measured: each measure runs once a round for each contestant and returns one sample.

A sample is a dict of numbers; `seconds` is wall time, `server_cpu` the server's CPU seconds,
`client_cpu` the client's, `gigabytes` and `calls` what was moved, `peak_mib` the server's peak
resident memory during the run.

SPDX-License-Identifier: Apache-2.0
"""
import json
import shutil
import socket
import subprocess
import sys
import time

import command_line
import datasets
import jobs
import objects
import sql_calls
import sql_control
import text_rows
import transport
from context import AGAIN_BYTES, FETCH, TABLE, numbers
from measuring import MEBIBYTE, Measure, client_cpu, watched
from processes import CALL_SECONDS, ENVIRONMENT, REPOSITORY, post, run_json, start_volley

CONNECTIONS = 16
INSERTS = 1000


def stream_table(context):
    """The whole table, DuckDB to a pyarrow client."""

    def run(contestant):
        if contestant == "in-process":
            sample = context.fetch("duckdb", context.copy_of_table("in-process"), TABLE)
            sample["server_cpu"] = sample.pop("client_cpu")
        else:
            server = context.server(contestant)
            sample = watched(server, lambda: context.fetch("sql", server.addresses["flight"], TABLE))
        if sample["rows"] != context.rows:
            raise RuntimeError(f"{contestant}: {sample['rows']} rows of {context.rows}")
        sample["gigabytes"] = context.table_gigabytes
        return sample

    contestants = context.those_here("volley", "in-process", "standin", "roapi")
    return Measure(
        "table", "10,000,000 rows x 16 columns from DuckDB to a pyarrow client over Flight SQL",
        contestants, run, ("seconds", "gb_per_second", "server_cpu_per_gb", "client_cpu", "batches",
                           "peak_mib"),
        [("wall time against DuckDB in process", "seconds", "in-process", "<=", 1.0),
         ("times faster than the stand-in", "seconds", "standin", "faster", 1.8),
         ("server CPU-s/GB", "server_cpu_per_gb", None, "<=", 0.8)])


def read_again(context, batch_bytes):
    """A finished 1 GiB result of 4 x int64, read once more."""
    rows = batch_bytes // 32

    def run(contestant):
        if contestant == "raw send":
            server = context.server("raw")
            port = server.addresses["flight"].rpartition(":")[2]

            def receive():
                sample = {}
                start = time.perf_counter()
                with client_cpu(sample):
                    subprocess.run([context.built / "raw", "fetch", port], check=True,
                                   capture_output=True, timeout=CALL_SECONDS)
                sample["seconds"] = time.perf_counter() - start
                return sample

            sample = watched(server, receive)
        elif contestant == "volley":
            server = context.server("volley-again")
            # Whole vectors of 2048 rows: a little less than 1 MiB, exactly 64 KiB.
            limit = batch_bytes if batch_bytes >= MEBIBYTE else batch_bytes + 2048
            header = f"volley-max-message-bytes={limit}"
            address = server.addresses["flight"]
            sample = watched_after_priming(context, server, address, header)
        else:
            server = context.server(contestant)
            address = server.addresses["flight"]
            sample = watched(server, lambda: context.fetch("ticket", address, str(rows)))
        sample["gigabytes"] = AGAIN_BYTES / 1e9
        return sample

    size = f"{batch_bytes >> 10} KiB" if batch_bytes < MEBIBYTE else f"{batch_bytes >> 20} MiB"
    goals = [("server CPU-s/GB against the pyarrow server", "server_cpu_per_gb", "pyarrow", "less",
              1.6 if batch_bytes >= MEBIBYTE else 2.5)]
    if batch_bytes >= MEBIBYTE:
        goals += [("server CPU-s/GB against arrow-go", "server_cpu_per_gb", "arrow-go", "less", 3.0),
                  ("server CPU-s/GB against a raw send", "server_cpu_per_gb", "raw send", "<=", 1.2),
                  ("GB/s against the pyarrow server", "gb_per_second", "pyarrow", ">=", 1.4)]
    contestants = ["volley", "pyarrow", "arrow-go"] + (
        ["raw send"] if batch_bytes >= MEBIBYTE else [])
    return Measure(
        f"again-{batch_bytes}", f"The same result read again: 4 x int64, 1 GiB, {size} batches",
        contestants, run, ("gb_per_second", "server_cpu_per_gb", "client_cpu", "batches", "peak_mib"),
        goals)


def watched_after_priming(context, server, address, header):
    """The client runs the query first; only its second read counts, so the client reports when."""
    command = [sys.executable, "-W", "ignore", FETCH, context.built / "libdrain.so", "again", address,
               numbers(AGAIN_BYTES // 32), header]
    with subprocess.Popen([str(part) for part in command], env=ENVIRONMENT,
                          stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as client:
        if client.stdout.readline() != "primed\n":
            raise RuntimeError("the priming read failed")

        def second():
            client.stdin.write("\n")
            client.stdin.flush()
            return json.loads(client.stdout.readline())

        return watched(server, second)


def select_one(context):
    """GetFlightInfo + DoGet of SELECT 1 by the Go client on 16 connections."""

    def run(contestant):
        server = context.server(contestant)
        sample = watched(server, lambda: run_json(
            context.built / "client", server.addresses["flight"], CONNECTIONS,
            context.scaled(20000 if contestant == "volley" else 4000), "SELECT 1"))
        return sample

    contestants = context.those_here("volley", "standin", "roapi")
    return Measure(
        "select-1", f"SELECT 1 (GetFlightInfo + DoGet), Go client, {CONNECTIONS} connections",
        contestants, run, ("per_second", "server_us_per_call", "p50_us", "p99_us", "client_cpu"),
        [("server CPU per query, us", "server_us_per_call", None, "<=", 200),
         ("queries/s", "per_second", None, ">=", 5000)])


def http_download(context):
    """The table as an Arrow stream over HTTP to curl."""

    def run(contestant):
        server = context.server(contestant)
        path = "/v1/query?format=arrow" if contestant == "volley" else "/api/sql"
        url = f"http://{server.addresses['http']}{path}"
        resident = server.memory()

        def load():
            sample = {}
            with client_cpu(sample):
                output = subprocess.run(
                    ["curl", "-sS", "--fail", "-o", "/dev/null", "--data", TABLE, "-H",
                     "accept: application/vnd.apache.arrow.stream", "-w",
                     "%{time_starttransfer} %{time_total} %{size_download}", url],
                    capture_output=True, text=True, check=True, timeout=CALL_SECONDS).stdout.split()
            sample |= {"first_ms": float(output[0]) * 1000, "seconds": float(output[1]),
                       "gigabytes": float(output[2]) / 1e9}
            return sample

        sample = watched(server, load)
        sample["above_mib"] = sample["peak_mib"] - resident / MEBIBYTE
        return sample

    contestants = context.those_here("volley", "roapi")
    return Measure(
        "http", "POST /v1/query of the table as Arrow to curl", contestants, run,
        ("mb_per_second", "first_ms", "server_cpu_per_gb", "client_cpu", "above_mib", "peak_mib"),
        [("MB/s", "mb_per_second", None, ">=", 600), ("first byte, ms", "first_ms", None, "<", 50),
         ("peak RSS above the table, MiB", "above_mib", None, "<", 300)])


def single_inserts(context, call, title, goals):
    """Single-row INSERTs through ADBC into a database file."""

    def run(contestant):
        server = context.server(f"{contestant}-insert")
        sample = watched(server, lambda: run_json(
            sys.executable, REPOSITORY / "bench" / "clients" / "insert.py",
            server.addresses["flight"], context.scaled(INSERTS), call))
        if sample["rows"] != context.scaled(INSERTS):
            raise RuntimeError(f"{contestant}: {sample['rows']} rows")
        sample["per_second"] = sample["rows"] / sample["seconds"]
        sample["calls"] = sample["rows"]
        return sample

    return Measure(
        f"inserts-{call}", f"{INSERTS:,} single-row INSERTs through ADBC's {title}, "
        "each committed to a database file",
        ["volley", "standin"], run, ("per_second", "server_us_per_call", "client_cpu"), goals)


def start_up(context):
    """From exec to the first answered query; then the memory of the idle server."""

    def run(contestant):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            address = "{}:{}".format(*probe.getsockname())
        start = time.perf_counter()
        server = start_volley(context.folder, "volley-start", http=address, wait=False)
        try:
            while True:
                try:
                    status, _ = post(address, "/v1/query", "SELECT 1")
                except OSError:
                    if time.perf_counter() - start > 30:
                        raise
                    time.sleep(0.001)
                    continue
                break
            seconds = time.perf_counter() - start
            if status != 200:
                raise RuntimeError(f"the first query answered {status}")
            return {"seconds": seconds, "start_ms": seconds * 1000,
                    "idle_mib": server.memory() / MEBIBYTE}
        finally:
            server.stop()
            shutil.rmtree(context.folder / "volley-start", ignore_errors=True)

    return Measure(
        "start", "Start to the first answered query, and idle memory (ENVIRONMENT=production)",
        ["volley"], run, ("start_ms", "idle_mib"),
        [("start to first answer, ms", "start_ms", None, "<", 150),
         ("idle RSS, MiB", "idle_mib", None, "<", 100)])


def all_measures(context):
    measures = [stream_table(context), read_again(context, MEBIBYTE), read_again(context, 64 << 10),
                select_one(context)]
    if shutil.which("curl"):
        measures.append(http_download(context))
        measures += text_rows.all_measures(context)
    measures += [
        single_inserts(context, "execute", "cursor.execute (4 calls)",
                       [("rows/s against the stand-in", "per_second", "standin", ">=", 3.0)]),
        single_inserts(context, "update", "StatementExecuteUpdate (1 call)",
                       [("rows/s, three times the stand-in's 258", "per_second", None, ">=", 774)]),
        start_up(context)]
    measures += sql_calls.all_measures(context) + sql_control.all_measures(context)
    measures += command_line.all_measures(context) + objects.all_measures(context)
    return [*measures, *jobs.all_measures(context), *datasets.all_measures(context),
            *transport.all_measures(context)]
