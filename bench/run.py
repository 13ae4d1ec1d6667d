#!/usr/bin/env python3
"""`make bench`: Volley and its peers, measured in turns, several rounds, medians as ratios.

usage: run.py [--rounds N] [--only NAME,...] [--quick] [--no-docs]

Starts every server once, on loopback, runs each measure for each contestant once a round (the order
turns round every second round), and writes all samples to .cache/bench/results.json and the tables to
the generated part of docs/performance.md. --quick is one small round to see that everything works.

SPDX-License-Identifier: Apache-2.0
"""
import argparse
import json
import os
import platform
import shutil
import socket
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import duckdb
import lineitem
import measures
import report
from processes import REPOSITORY, Server, start_python, start_roapi, start_volley

CACHE = Path(os.environ.get("VOLLEY_CACHE", REPOSITORY / ".cache"))
DOCUMENT = REPOSITORY / "docs" / "performance.md"


class Context:
    """What the measures share: folders, copies of the table, running servers."""

    def __init__(self, quick):
        self.quick = quick
        self.built = CACHE / "bench"
        self.folder = CACHE / "bench" / "run"
        self.servers = {}
        self.copies = {}
        self.rows = 1_000_000 if quick else lineitem.ROWS

    def scaled(self, count):
        return max(count // 20, 64) if self.quick else count

    def start(self):
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(parents=True)
        name = "lineitem-quick" if self.quick else "lineitem"
        database, parquet = lineitem.make(self.built / name, self.rows)
        self.table_gigabytes = arrow_bytes(database, self.rows) / 1e9
        for user in ("volley", "in-process", "standin"):
            self.copies[user] = self.folder / f"table-{user}.duckdb"
            shutil.copy(database, self.copies[user])
        folder = self.folder
        self.servers["volley"] = start_volley(folder, "volley", "--database", self.copies["volley"])
        self.servers["volley-again"] = start_volley(folder, "volley-again")
        self.servers["volley-insert"] = start_volley(
            folder, "volley-insert", "--database", folder / "insert-volley.duckdb")
        self.servers["standin"] = start_python(folder, "standin", "standin.py", self.copies["standin"])
        self.servers["standin-insert"] = start_python(
            folder, "standin-insert", "standin.py", folder / "insert-standin.duckdb")
        size = str(measures.AGAIN_BYTES)
        self.servers["pyarrow"] = start_python(folder, "pyarrow", "pyarrow_server.py", size)
        for server, program in (("arrow-go", ["server"]), ("raw", ["raw", "serve"])):
            command = [self.built / program[0], *program[1:], size]
            self.servers[server] = Server(server, command, folder, prints_port=True).read_port()
        roapi = start_roapi(folder, parquet, free_ports())
        if roapi:
            self.servers["roapi"] = roapi

    def warm(self):
        """One read of the table per server, so that no measure pays for cold caches."""
        for name in ("volley", "standin", "roapi"):
            if name in self.servers:
                measures.fetch(self, "sql", self.servers[name].addresses["flight"], measures.TABLE)

    def stop(self):
        for server in self.servers.values():
            server.stop()
        shutil.rmtree(self.folder, ignore_errors=True)


def touch_memory():
    """Writes to memory once, in a process of its own: a virtual machine's first use of a page costs
    ten times as much as every later one, and no measure shall pay for it."""
    program = ("import mmap, os; free = os.sysconf('SC_AVPHYS_PAGES') * 4096;"
               "size = min(free // 2, 12 << 30) & ~4095; memory = mmap.mmap(-1, size);"
               "memory[::4096] = bytes(size // 4096)")
    subprocess.run([sys.executable, "-c", program], check=True, timeout=300)


def free_ports():
    """A port whose successor is free too."""
    while True:
        with socket.socket() as one, socket.socket() as two:
            one.bind(("127.0.0.1", 0))
            port = one.getsockname()[1]
            try:
                two.bind(("127.0.0.1", port + 1))
            except OSError:
                continue
            return port


def arrow_bytes(database, rows):
    """Bytes of the whole table as Arrow, from its first row group."""
    with duckdb.connect(str(database), read_only=True) as connection:
        reader = connection.execute(measures.TABLE).fetch_record_batch(122_880)
        batch = reader.read_next_batch()
        return batch.nbytes * rows / batch.num_rows


def machine():
    with open("/proc/cpuinfo", encoding="utf-8") as cpuinfo:
        models = {line.partition(":")[2].strip() for line in cpuinfo if line.startswith("model name")}
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") >> 30
    return f"{os.cpu_count()} x {', '.join(models) or platform.machine()}, {memory} GiB"


def versions():
    names = ("pyarrow", "duckdb", "adbc-driver-flightsql", "roapi")
    known = []
    for name in names:
        try:
            known.append(f"{name} {metadata.version(name)}")
        except metadata.PackageNotFoundError:
            known.append(f"{name} absent")
    modules = (REPOSITORY / "bench" / "peers" / "go" / "go.mod").read_text()
    for line in modules.splitlines():
        if "apache/arrow-go" in line:
            known.append("arrow-go " + line.split()[-1])
    own = subprocess.run([REPOSITORY / "build" / "volley", "version"], capture_output=True, text=True,
                         check=False).stdout.strip().splitlines()
    return "Versions: " + ", ".join([*(own[:1]), *known]) + "."


def one_round(chosen, number):
    for measure in chosen:
        order = measure.contestants if number % 2 == 0 else measure.contestants[::-1]
        for contestant in order:
            try:
                sample = report.complete(measure.run(contestant))
            except (RuntimeError, OSError, subprocess.SubprocessError) as error:
                print(f"  {measure.name} {contestant}: FAILED: {error}", flush=True)
                if contestant == "volley":
                    raise
                continue
            measure.samples[contestant].append(sample)
            shown = ", ".join(f"{name} {sample[name]:.4g}" for name in measure.show if name in sample)
            print(f"  {measure.name} {contestant}: {shown}", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", default="")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--no-docs", action="store_true")
    arguments = parser.parse_args()
    rounds = 1 if arguments.quick else arguments.rounds
    context = Context(arguments.quick)
    try:
        if not arguments.quick:
            touch_memory()
        context.start()
        context.warm()
        chosen = measures.all_measures(context)
        if arguments.only:
            wanted = arguments.only.split(",")
            chosen = [measure for measure in chosen if measure.name in wanted]
        for number in range(rounds):
            print(f"round {number + 1} of {rounds}", flush=True)
            one_round(chosen, number)
    finally:
        context.stop()
    section = report.render(chosen, rounds, machine(), versions())
    print(section)
    results = {measure.name: measure.samples for measure in chosen}
    (CACHE / "bench" / "results.json").write_text(json.dumps(results, indent=1))
    if not (arguments.quick or arguments.no_docs or arguments.only):
        document = DOCUMENT.read_text() if DOCUMENT.exists() else "# Performance\n"
        DOCUMENT.write_text(report.replace_section(document, section))
    return 0


if __name__ == "__main__":
    sys.exit(main())
