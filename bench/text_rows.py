"""What it costs a server to write rows as text: a million rows of 16 columns over HTTP.

SPDX-License-Identifier: Apache-2.0
"""
import subprocess
import time

from measuring import Measure, client_cpu, watched
from processes import CALL_SECONDS, ENVIRONMENT

ROWS = 1_000_000


def text_rows(context, name, goal):
    rows = min(ROWS, context.rows)
    # By row number: with LIMIT the engine joins what it has left out.
    sql = f"FROM lineitem WHERE rowid < {rows}"

    def run(contestant):
        server = context.server(contestant)
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

        sample = watched(server, receive)
        if sample["gigabytes"] * 1e9 < rows * 100:
            raise RuntimeError(f"{sample['gigabytes']} GB are no {rows} rows")
        sample["mb_per_cpu_second"] = 1000 * sample["gigabytes"] / sample["server_cpu"]
        return sample

    return Measure(
        f"rows-{name}", f"{rows:,} rows x 16 columns as {name.upper()} over HTTP", ["volley"], run,
        ("seconds", "mb_per_second", "mb_per_cpu_second", "peak_mib"),
        [("MB/s of one core, the engine's part included", "mb_per_cpu_second", None, ">=", goal)])


def all_measures(context):
    return [text_rows(context, "json", 150), text_rows(context, "csv", 250)]
