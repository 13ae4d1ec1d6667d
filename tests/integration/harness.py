"""Starts the built program for a test, talks to it, and ends it with the checks every test wants.

A Server is one `volley serve` process on free loopback ports with its own folder. stop() sends
SIGTERM and demands exit code 0 and a log without any sanitizer report; the fixtures call it.

SPDX-License-Identifier: Apache-2.0
"""
import contextlib
import http.client
import json
import os
import re
import signal
import socket
import subprocess
import threading
import time

import adbc_driver_flightsql.dbapi
import pyarrow.flight

START_SECONDS = 60
STOP_SECONDS = 60
SANITIZER_REPORT = re.compile(
    r"(AddressSanitizer|LeakSanitizer|UndefinedBehaviorSanitizer|ThreadSanitizer|runtime error:)"
)
# With more than one engine thread TSan sees races within the engine's library, which it does not understand.
KEPT_ENVIRONMENT = ("PATH", "HOME", "TMPDIR", "LANG", "ASAN_OPTIONS", "UBSAN_OPTIONS",
                    "TSAN_OPTIONS", "VOLLEY_ENGINE_THREADS")

# Minutes of work, and one that streams for as long as somebody reads.
COMPUTING = (
    "SELECT count(*) AS {mark} FROM range(3000000) a(i), range(3000000) b(i)"
    " WHERE a.i * b.i % 7 = 3"
)
STREAMING = "SELECT i AS {mark}, repeat('x', 100) AS s FROM range(1000000000) t(i)"


def wait_until(condition, seconds=20, what="the condition"):
    """Asks again until `condition` is true and returns its value; fails after `seconds`."""
    end = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"{what} was not met within {seconds} s")
        time.sleep(0.01)


def clean_environment(extra=None):
    """What a test process inherits: nothing that the program could take for a setting."""
    kept = {name: os.environ[name] for name in KEPT_ENVIRONMENT if name in os.environ}
    return {**kept, "ENVIRONMENT": "production", **(extra or {})}


class Background(threading.Thread):
    """Runs a call and keeps its result or exception."""

    def __init__(self, call):
        super().__init__(daemon=True)
        self.call, self.result, self.error = call, None, None
        self.start()

    def run(self):
        try:
            self.result = self.call()
        except BaseException as error:  # noqa: BLE001
            self.error = error

    def outcome(self, seconds=30):
        self.join(seconds)
        assert not self.is_alive(), "the call did not return"
        if self.error is not None:
            raise self.error
        return self.result


class Response:
    """A complete HTTP response."""

    def __init__(self, status, headers, body):
        self.status = status
        self.headers = headers
        self.body = body

    @property
    def text(self):
        return self.body.decode()

    @property
    def json(self):
        return json.loads(self.body)

    @property
    def media_type(self):
        return self.headers.get("content-type", "").split(";")[0].strip()


class Server:
    """One running `volley serve`."""

    def __init__(self, binary, folder, arguments=(), environment=None, addresses=True):
        self.folder = folder
        self.data_dir = folder / "data"
        self.log_path = folder / "volley.log"
        self.addresses_path = folder / "addresses.json"
        command = [str(binary), "serve", "--data-dir", str(self.data_dir)]
        if addresses:
            command += ["--flight-addr", "127.0.0.1:0", "--http-addr", "127.0.0.1:0"]
        command += ["--addresses-file", str(self.addresses_path), *map(str, arguments)]
        self.addresses_path.unlink(missing_ok=True)
        self.log_file = open(self.log_path, "ab")
        self.process = subprocess.Popen(
            command, cwd=folder, env=clean_environment(environment), stdin=subprocess.DEVNULL,
            stdout=self.log_file, stderr=self.log_file,
        )
        self.expected_exit = 0

    def wait_ready(self):
        """Waits for the addresses file; a server that ended instead is reported with its log."""

        def written():
            if self.process.poll() is not None:
                raise AssertionError(f"volley ended with {self.process.returncode}:\n{self.log}")
            with contextlib.suppress(FileNotFoundError, json.JSONDecodeError):
                return json.loads(self.addresses_path.read_text())
            return None

        try:
            self.addresses = wait_until(written, START_SECONDS, "the addresses file")
        except AssertionError:
            self.kill()
            raise
        return self

    @property
    def log(self):
        return self.log_path.read_text(errors="replace")

    @staticmethod
    def _split(address):
        host, _, port = address.removeprefix("tcp://").removeprefix("tls://").rpartition(":")
        return host, int(port)

    @property
    def flight_address(self):
        return self._split(self.addresses["flight"][0])

    @property
    def http_address(self):
        return self._split(self.addresses["http"][0])

    @property
    def flight_url(self):
        return "grpc://{}:{}".format(*self.flight_address)

    @property
    def http_url(self):
        return "http://{}:{}".format(*self.http_address)

    @property
    def pid(self):
        return self.process.pid

    def flight(self, **options):
        return pyarrow.flight.connect(self.flight_url, **options)

    def adbc(self, **options):
        options.setdefault("autocommit", True)
        return adbc_driver_flightsql.dbapi.connect(self.flight_url, **options)

    def socket(self, door="http", seconds=30):
        address = self.http_address if door == "http" else self.flight_address
        return socket.create_connection(address, timeout=seconds)

    def open_request(self, method, path, body=None, headers=None, seconds=60):
        """Sends a request; returns (connection, response) with the body not yet read."""
        connection = http.client.HTTPConnection(*self.http_address, timeout=seconds)
        connection.request(method, path, body=body, headers=headers or {})
        return connection, connection.getresponse()

    def request(self, method, path, body=None, headers=None, seconds=60):
        connection, response = self.open_request(method, path, body, headers, seconds)
        with contextlib.closing(connection):
            content = response.read()
        return Response(response.status, response.headers, content)

    def query(self, sql, format=None, headers=None, parameters="", seconds=60):
        """POST /v1/query with plain SQL."""
        path = "/v1/query" + (f"?format={format}" if format else "?") + parameters
        sent = {"content-type": "text/plain", **(headers or {})}
        return self.request("POST", path.rstrip("?"), sql.encode(), sent, seconds)

    def rows(self, sql):
        """The rows of a statement as a list of objects, over HTTP."""
        response = self.query(sql, "ndjson")
        assert response.status == 200, response.text
        return [json.loads(line) for line in response.text.splitlines()]

    def value(self, sql):
        """The one value of a statement."""
        (row,) = self.rows(sql)
        (value,) = row.values()
        return value

    def metrics(self):
        """/metrics as a dict of `name{labels}` to value."""
        samples = {}
        for line in self.request("GET", "/metrics").text.splitlines():
            if line and not line.startswith("#"):
                name, _, value = line.rpartition(" ")
                samples[name] = float(value)
        return samples

    def statements(self, text="", states=("prepared", "queued", "running")):
        """The statements that contain `text` and are in one of these states; takes no query slot."""
        found = self.request("GET", "/v1/queries").json["queries"]
        return [row for row in found if row["state"] in states and text in row["sql"]]

    def running(self, text=""):
        """Ids of the statements that contain `text` and are not over."""
        return [row["id"] for row in self.statements(text)]

    def resident_bytes(self, field="VmRSS"):
        with open(f"/proc/{self.pid}/status", encoding="ascii") as status:
            for line in status:
                if line.startswith(field + ":"):
                    return int(line.split()[1]) * 1024
        raise AssertionError(f"/proc has no {field}")

    def terminate(self):
        self.process.send_signal(signal.SIGTERM)

    def wait(self, seconds=STOP_SECONDS):
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"volley did not end within {seconds} s:\n{self.log[-4000:]}") from None

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self.log_file.close()

    def stop(self):
        """Ends the server as an operator would and checks what it left behind."""
        if self.process.poll() is None:
            self.terminate()
        code = self.wait()
        self.log_file.close()
        log = self.log
        assert not SANITIZER_REPORT.search(log), log[-8000:]
        assert code == self.expected_exit, f"exit code {code}\n{log[-4000:]}"


def run(binary, *arguments, input=None, environment=None, folder=None, seconds=60):
    """Runs a command of the program to its end; stdout and stderr as text."""
    result = subprocess.run(
        [str(binary), *map(str, arguments)], input=input, capture_output=True, text=True,
        timeout=seconds, env=clean_environment(environment), cwd=folder, check=False,
    )
    assert not SANITIZER_REPORT.search(result.stderr), result.stderr
    return result
