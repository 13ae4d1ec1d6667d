"""What the pages of docs/ tell people to type, and how a test does so.

A fence is `sh`, `python` or `sql` when it is run, in the order of the page, in one folder and against one
server. Words behind the language change that:

    sh server           commands that serve until they are stopped: each is started, waited for, stopped
    sh terminal         a command for a terminal: it is started in one and left with `q`
    sh no-run: REASON   not run

Other languages (text, yaml, json, ...) are shown and not run. Addresses, hosts and ids that stand in a page
as examples are replaced by those of the test.

SPDX-License-Identifier: Apache-2.0
"""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet
from harness import SANITIZER_REPORT, clean_environment, wait_until
from terminal import Terminal

REPOSITORY = Path(__file__).resolve().parents[2]
FENCE = re.compile(r"^```(\S*)[ \t]*([^\n]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
RUN = ("sh", "python", "sql")

TABLES = """
CREATE TABLE flights AS SELECT DATE '2001-01-01' + (i % 90)::INTEGER AS date, (i % 40)::SMALLINT AS delay,
    (100 + i % 900)::SMALLINT AS distance, ['SEA', 'ORD', 'ATL', 'DFW', 'PHX', 'MDW'][1 + i % 6] AS origin,
    ['LAX', 'JFK', 'SFO'][1 + i % 3] AS destination FROM range(60000) t(i);
CREATE TABLE taxi AS SELECT i % 5 AS payment_type, (i % 700) / 100 AS tip_amount,
    (i % 3000) / 100 AS fare_amount, (i % 4) AS passenger_count FROM range(60000) t(i);
CREATE VIEW nyc_taxi AS FROM taxi;
CREATE TABLE sales (region VARCHAR, amount BIGINT);
CREATE TABLE customers AS SELECT i AS customer_id, 'c' || i AS name FROM range(9) t(i);
"""


class Block:
    def __init__(self, page, line, language, words, text):
        self.page, self.line, self.language, self.words, self.text = page, line, language, words, text

    def __str__(self):
        return f"{self.page}:{self.line}"

    @property
    def is_run(self):
        return self.language in RUN and not self.words.startswith("no-run")


def blocks_of(page):
    text = (REPOSITORY / page).read_text()
    return [
        Block(page, text.count("\n", 0, found.start()) + 1, *found.groups())
        for found in FENCE.finditer(text)
    ]


def commands_of(text):
    """The commands of a shell block: lines, with those that go on behind a backslash put together."""
    lines = text.replace("\\\n", " ").splitlines()
    return [line for line in lines if line.strip() and not line.lstrip().startswith("#")]


class Reader:
    """Somebody who types what a page says, in a folder with the files that pages speak of."""

    def __init__(self, binary, server, folder, certificates=None):
        self.binary, self.server, self.folder = binary, server, folder
        self.replaced = {
            "127.0.0.1:50052": "{}:{}".format(*server.flight_address),
            "localhost:50052": "{}:{}".format(*server.flight_address),
            "127.0.0.1:8000": "{}:{}".format(*server.http_address),
            "localhost:8000": "{}:{}".format(*server.http_address),
        }
        self.names = {}
        self._make_programs()
        self._make_files()
        if certificates:
            for name, path in (("server", certificates.server), ("me", certificates.client)):
                for made, kind in zip(path, ("pem", "key")):
                    shutil.copy(made, folder / f"{name}.{kind}")
            for name in ("clients.pem", "ca.pem"):
                shutil.copy(certificates.ca.path, folder / name)

    def _make_programs(self):
        programs = self.folder / "bin"
        (self.folder / "build").mkdir(parents=True)
        programs.mkdir()
        for place in (programs / "volley", self.folder / "build" / "volley"):
            place.symlink_to(self.binary)
        rows = "SELECT 1::BIGINT AS id, 2.5::DOUBLE AS fare"
        for name, text in (
            ("some-program", f"exec '{self.binary}' sql --format arrow '{rows}'"),
            ("curl", f'exec {shutil.which("curl")} --fail-with-body -sS "$@"'),
            ("generate-rows", 'echo \'{"at": "2026-01-01", "n": 1}\''),
        ):
            (programs / name).write_text(f"#!/bin/sh\n{text}\n")
            (programs / name).chmod(0o755)
        profiles = self.folder / "home" / ".config" / "volley"
        profiles.mkdir(parents=True)
        (self.folder / "home" / ".config" / "fish" / "completions").mkdir(parents=True)
        (profiles / "client.yaml").write_text(f"servers:\n  prod:\n    url: {self.server.flight_url}\n")

    def _make_files(self):
        trips = pa.table({"id": range(2000), "fare": [i / 4 for i in range(2000)]})
        pyarrow.parquet.write_table(trips, self.folder / "trips.parquet")
        for name in ("january.arrow", "february.arrow", "result.arrow"):
            with pa.ipc.new_file(self.folder / name, trips.schema) as writer:
                writer.write_table(trips)
        sales = pa.table({"region": ["north", "south"] * 5, "amount": range(10)})
        pyarrow.parquet.write_table(sales, self.folder / "sales.parquet")
        pyarrow.parquet.write_table(sales, self.folder / "flights.parquet")
        (self.folder / "customers.csv").write_text("customer_id,name\n1,Ann\n2,Ben\n")
        (self.folder / "rows.csv").write_text("region,amount\nwest,7\n")
        (self.folder / "report.sql").write_text("SELECT origin, count(*) AS n FROM flights GROUP BY ALL;\n")
        for name in ("company.duckdb", "shop.duckdb"):
            with duckdb.connect(str(self.folder / name)) as database:
                database.execute("CREATE TABLE orders AS SELECT 1 AS id")

    @property
    def environment(self):
        return clean_environment(
            {
                "PATH": f"{self.folder / 'bin'}:{os.environ['PATH']}",
                "HOME": str(self.folder / "home"),
                "VOLLEY_SERVER": self.server.flight_url,
                "VOLLEY_DATA_DIR": str(self.folder / "data"),
                "VOLLEY_FLIGHT_ADDR": "127.0.0.1:0",
                "VOLLEY_HTTP_ADDR": "127.0.0.1:0",
            }
        )

    def typed(self, text):
        for old, new in self.replaced.items():
            text = text.replace(old, new)
        return text

    def run(self, block):
        if block.language == "python":
            self._run_python(block)
        elif block.language == "sql":
            self.run_shell(["volley", "sql", self.typed(block.text)], block)
        elif block.words == "server":
            for command in commands_of(block.text):
                self.run_server(command, block)
        elif block.words == "terminal":
            for command in commands_of(block.text):
                self.run_terminal(command)
        else:
            self.run_shell(["bash", "-euo", "pipefail", "-c", self.typed(block.text)], block)

    def _run_python(self, block):
        place = str(REPOSITORY / "clients" / "python")
        if place not in sys.path:
            sys.path.append(place)
        source = "\n" * block.line + self.typed(block.text)
        exec(compile(source, str(REPOSITORY / block.page), "exec"), self.names)

    def run_shell(self, words, what):
        result = subprocess.run(
            words,
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=90,
            check=False,
        )
        shown = f"{what}:\n{words[-1]}\n{result.stdout[-2000:]}\n{result.stderr[-4000:]}"
        assert result.returncode == 0, shown
        assert not SANITIZER_REPORT.search(result.stderr), shown
        return result.stdout

    def run_server(self, command, what):
        """Addresses are free ones of the loopback, and the sample data is left out: test_first_minutes.py
        has it. The command is one of a server, nothing around it."""
        command = command.replace(" --demo", "")
        command = re.sub(r"\b0\.0\.0\.0:\d+", "127.0.0.1:0", command)
        addresses = self.folder / "addresses.json"
        addresses.unlink(missing_ok=True)
        log = self.folder / "server.log"
        with open(log, "wb") as output:
            process = subprocess.Popen(
                ["bash", "-c", "exec " + command],
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env={**self.environment, "VOLLEY_ADDRESSES_FILE": str(addresses)},
            )
        try:
            wait_until(lambda: addresses.exists() or process.poll() is not None, 60, f"{what}: {command}")
            assert process.poll() is None, f"{what}: {command}\n{log.read_text()}"
        finally:
            if process.poll() is None:
                process.terminate()
            code = process.wait(60)
        assert code == 0, f"{what}: {command}\n{log.read_text()}"

    def run_terminal(self, command):
        terminal = Terminal(["bash", "-c", "exec " + self.typed(command)], self.folder, self.environment)
        try:
            wait_until(lambda: terminal.read() and len(terminal.shown) > 40, 30, f"a screen of {command}")
            terminal.type("q")
            assert terminal.wait() == 0, terminal.shown
        finally:
            terminal.close()
