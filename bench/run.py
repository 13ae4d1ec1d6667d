#!/usr/bin/env python3
"""`make bench`: Volley and its peers, measured in turns, several rounds, medians as ratios.

usage: run.py [--rounds N] [--only NAME,...] [--quick] [--no-docs] [--list]

Starts every server on loopback when it is first needed, runs each measure for each contestant once a
round (the order turns round every second round), and writes all samples to .cache/bench/results.json
and the tables to the generated part of docs/performance.md. --quick is one small round to see that
everything works; --only takes measures by name and leaves docs alone, as --no-docs does; --list tells
the names. Ctrl-C after a whole round ends the run with what it has. VOLLEY_BINARY measures another
build than build/volley.

SPDX-License-Identifier: Apache-2.0
"""
import argparse
import json
import os
import platform
import re
import signal
import subprocess
import sys
from importlib import metadata

import measures
import report
import web_peers
from context import CACHE, Context
from processes import REPOSITORY, VOLLEY

DOCUMENT = REPOSITORY / "docs" / "performance.md"


def touch_memory():
    """Writes to memory once, in a process of its own: a virtual machine's first use of a page costs
    ten times as much as every later one, and no measure shall pay for it."""
    program = ("import mmap, os; free = os.sysconf('SC_AVPHYS_PAGES') * 4096;"
               "size = min(free // 2, 12 << 30) & ~4095; memory = mmap.mmap(-1, size);"
               "memory[::4096] = bytes(size // 4096)")
    subprocess.run([sys.executable, "-c", program], check=True, timeout=300)


def machine():
    with open("/proc/cpuinfo", encoding="utf-8") as cpuinfo:
        models = {line.partition(":")[2].strip() for line in cpuinfo if line.startswith("model name")}
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") >> 30
    return f"{os.cpu_count()} x {', '.join(models) or platform.machine()}, {memory} GiB"


def printed(*command):
    """The first line that a program prints about itself."""
    try:
        result = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError:
        return ""
    return next(iter((result.stdout + result.stderr).splitlines()), "").strip()


def versions():
    names = ("pyarrow", "duckdb", "adbc-driver-flightsql", "roapi")
    known = []
    for name in names:
        try:
            known.append(f"{name} {metadata.version(name)}")
        except metadata.PackageNotFoundError:
            known.append(f"{name} absent")
    modules = (REPOSITORY / "bench" / "peers" / "go" / "go.mod").read_text()
    for name, module in (("arrow-go", "apache/arrow-go/v18"), ("grpc-go", "google.golang.org/grpc")):
        known.append(f"{name} {re.search(rf'{module} (v[0-9.]+)', modules).group(1)}")
    own = printed(VOLLEY, "version")
    tonic = CACHE / "bench" / "tonic.version"
    known += [f"tonic {tonic.read_text().strip()}"] if tonic.exists() else []
    known.append(f"grpc-c++ {printed('pkg-config', '--modversion', 'grpc++')}")
    for name in web_peers.PROGRAMS:
        program = web_peers.find(CACHE / "bench", name)
        found = re.search(r"[0-9.]{3,}", printed(program, "-v")) if program else None
        known += [f"{name} {found.group()}"] if found else []
    return "Versions: " + ", ".join(filter(None, [own, *known])) + "."


def one_round(chosen, number):
    for measure in chosen:
        if measure.rounds_max is not None and number >= measure.rounds_max:
            continue
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
    parser.add_argument("--list", action="store_true")
    arguments = parser.parse_args()
    rounds = 1 if arguments.quick else arguments.rounds
    # No server shall outlive a run that is stopped.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    context = Context(arguments.quick)
    try:
        chosen = measures.all_measures(context)
        names = [measure.name for measure in chosen]
        if arguments.list:
            print(*names, sep="\n")
            return 0
        if arguments.only:
            wanted = arguments.only.split(",")
            unknown = set(wanted) - set(names)
            if unknown:
                parser.error(f"no such measure: {', '.join(sorted(unknown))}; --list tells them")
            chosen = [measure for measure in chosen if measure.name in wanted]
        elif not arguments.quick:
            touch_memory()
        done = 0
        try:
            while done < rounds:
                print(f"round {done + 1} of {rounds}", flush=True)
                one_round(chosen, done)
                done += 1
        except KeyboardInterrupt:
            if done == 0:
                raise
            print(f"stopped after {done} whole rounds", flush=True)
    finally:
        context.stop()
    section = report.render(chosen, done, machine(), versions())
    print(section)
    results = {measure.name: measure.samples for measure in chosen}
    (CACHE / "bench" / "results.json").write_text(json.dumps(results, indent=1))
    if not (arguments.quick or arguments.no_docs or arguments.only):
        document = DOCUMENT.read_text() if DOCUMENT.exists() else "# Performance\n"
        DOCUMENT.write_text(report.replace_section(document, section))
    return 0


if __name__ == "__main__":
    sys.exit(main())
