"""What it costs to write rows as text: a million rows of 16 columns over HTTP, and by DuckDB's own COPY.

SPDX-License-Identifier: Apache-2.0
"""
import subprocess
import sys
import time

from measuring import Measure, client_cpu, watched
from processes import CALL_SECONDS, ENVIRONMENT

ROWS = 1_000_000
# database, statement, format: what COPY writes, and the processor time of the process without its start.
COPY = """
import os, resource, sys, duckdb
connection = duckdb.connect(sys.argv[1], read_only=True)
connection.execute("PRAGMA disable_progress_bar")
connection.execute(sys.argv[2] + " LIMIT 1000").fetchall()
def spent():
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime
start = spent()
connection.execute(f"COPY ({sys.argv[2]}) TO '{sys.argv[4]}' (FORMAT {sys.argv[3]})")
print(spent() - start, os.path.getsize(sys.argv[4]))
"""


def text_rows(context, name, goal):
    rows = min(ROWS, context.rows)
    # By row number: with LIMIT the engine joins what it has left out.
    sql = f"FROM lineitem WHERE rowid < {rows}"

    def copy():
        target = context.folder / f"rows.{name}"
        start = time.perf_counter()
        output = subprocess.run(
            [sys.executable, "-c", COPY, context.copy_of_table("in-process"), sql, name, target],
            check=True, capture_output=True, text=True, timeout=CALL_SECONDS).stdout.split()
        target.unlink()
        return {"seconds": time.perf_counter() - start, "server_cpu": float(output[0]),
                "gigabytes": int(output[1]) / 1e9}

    def run(contestant):
        sample = copy() if contestant == "in-process" else read(context.server(contestant))
        if sample["gigabytes"] * 1e9 < rows * 100:
            raise RuntimeError(f"{sample['gigabytes']} GB are no {rows} rows")
        sample["mb_per_cpu_second"] = 1000 * sample["gigabytes"] / sample["server_cpu"]
        return sample

    def read(server):
        url = f"http://{server.addresses['http']}/v1/query?format={name}"

        def receive():
            sample = {}
            start = time.perf_counter()
            with client_cpu(sample):
                size = subprocess.run(
                    ["curl", "-sS", "-o", "/dev/null", "-w", "%{size_download}", url, "-d", sql],
                    check=True, capture_output=True, text=True, env=ENVIRONMENT,
                    timeout=CALL_SECONDS).stdout
            sample["seconds"] = time.perf_counter() - start
            sample["gigabytes"] = int(size) / 1e9
            return sample

        return watched(server, receive)

    return Measure(
        f"rows-{name}",
        f"{rows:,} rows x 16 columns as {name.upper()} over HTTP; `in-process` is DuckDB's COPY",
        ["volley", "in-process"], run, ("seconds", "mb_per_second", "mb_per_cpu_second", "peak_mib"),
        [("MB/s of one core, the engine's part included", "mb_per_cpu_second", None, ">=", goal),
         ("the same against DuckDB's COPY", "mb_per_cpu_second", "in-process", ">=", 1.0)])


def all_measures(context):
    return [text_rows(context, "json", 150), text_rows(context, "csv", 250)]
