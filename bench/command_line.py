"""What the command line costs: a statement as a process of its own, a large result as a CSV file.

SPDX-License-Identifier: Apache-2.0
"""
import os
import statistics
import subprocess
import sys
import time

from context import MEBIBYTE, TABLE
from measuring import Measure, client_cpu, watched
from processes import CALL_SECONDS, ENVIRONMENT, VOLLEY

STARTS = 50
COPY = """
import sys, time
import duckdb
database, table, target = sys.argv[1:]
with duckdb.connect(database, read_only=True) as connection:
    start = time.perf_counter()
    connection.execute("SET enable_progress_bar = false")
    connection.sql(table).write_csv(target)
    print(time.perf_counter() - start)
"""


def command(server, *words):
    return [str(VOLLEY), "sql", "--server", f"grpc://{server.addresses['flight']}", *words]


def one_statement(context):
    """`volley sql 'SELECT 1'`: from the fork to the exit, on a running server."""

    def run(contestant):
        server = context.server(contestant)
        times = []
        for _ in range(context.scaled(STARTS)):
            start = time.perf_counter()
            subprocess.run(command(server, "SELECT 1"), check=True, stdout=subprocess.DEVNULL,
                           env=ENVIRONMENT, timeout=CALL_SECONDS)
            times.append(1000 * (time.perf_counter() - start))
        times.sort()
        return {"seconds": sum(times) / 1000, "p50_ms": statistics.median(times),
                "p99_ms": times[len(times) * 99 // 100]}

    return Measure(
        "cli-start", "volley sql 'SELECT 1' as a process", ["volley"], run, ("p50_ms", "p99_ms"),
        [("p50, ms", "p50_ms", None, "<=", 25)])


def peak_bytes(process):
    """The most resident memory of a process, read until it ends."""
    peak = 0
    while process.poll() is None:
        try:
            with open(f"/proc/{process.pid}/status", encoding="ascii") as status:
                lines = [line for line in status if line.startswith("VmHWM")]
        except OSError:
            break
        peak = int(lines[0].split()[1]) * 1024 if lines else peak
        time.sleep(0.01)
    return peak


def csv_file(context):
    """The whole table as a CSV file: over a server, and by DuckDB's own writer in process."""
    target = context.folder / "table.csv"

    def write_by_volley(server):
        sample = {}
        with open(target, "wb") as output, client_cpu(sample):
            start = time.perf_counter()
            process = subprocess.Popen(command(server, "--format", "csv", TABLE), stdout=output,
                                       env=ENVIRONMENT)
            sample["client_mib"] = peak_bytes(process) / MEBIBYTE
            code = process.wait(CALL_SECONDS)
            sample["seconds"] = time.perf_counter() - start
        if code != 0:
            raise RuntimeError(f"volley sql ended with {code}")
        return sample

    def run(contestant):
        target.unlink(missing_ok=True)
        if contestant == "volley":
            server = context.server("volley")
            sample = watched(server, lambda: write_by_volley(server))
        else:
            sample = {}
            with client_cpu(sample):
                printed = subprocess.run(
                    [sys.executable, "-c", COPY, context.copy_of_table("in-process"), TABLE, target],
                    check=True, capture_output=True, text=True, timeout=CALL_SECONDS).stdout
            sample |= {"seconds": float(printed), "server_cpu": sample["client_cpu"]}
        sample["gigabytes"] = os.path.getsize(target) / 1e9
        target.unlink()
        return sample

    return Measure(
        "cli-csv", f"{context.rows:,} rows x 16 columns to a CSV file, volley sql against duckdb in process",
        ["volley", "in-process"], run,
        ("seconds", "mb_per_second", "client_cpu", "server_cpu_per_gb", "client_mib"),
        [("MB/s", "mb_per_second", None, ">=", 250),
         ("peak RSS of the client, MiB", "client_mib", None, "<", 64),
         ("wall time against DuckDB in process", "seconds", "in-process", "<=", 1.0)], rounds_max=3)


def all_measures(context):
    return [one_statement(context), csv_file(context)]
