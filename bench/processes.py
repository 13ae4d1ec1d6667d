"""The processes of a benchmark: servers whose CPU and memory are read from outside, and clients.

SPDX-License-Identifier: Apache-2.0
"""
import contextlib
import http.client
import json
import os
import resource
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent
VOLLEY = Path(os.environ.get("VOLLEY_BINARY", REPOSITORY / "build" / "volley"))
START_SECONDS = 90
CALL_SECONDS = 120
# Nothing of this shell may be taken for a setting of a server.
ENVIRONMENT = {name: os.environ[name] for name in ("PATH", "HOME", "TMPDIR") if name in os.environ}
ENVIRONMENT["ENVIRONMENT"] = "production"


def wait_for(condition, what):
    end = time.monotonic() + START_SECONDS
    while time.monotonic() < end:
        value = condition()
        if value:
            return value
        time.sleep(0.02)
    raise RuntimeError(f"{what} did not happen within {START_SECONDS} s")


def free_ports(count):
    """A port whose `count` - 1 successors are free too."""
    while True:
        with contextlib.ExitStack() as probes:
            first = probes.enter_context(socket.socket())
            first.bind(("127.0.0.1", 0))
            port = first.getsockname()[1]
            try:
                for offset in range(1, count):
                    probes.enter_context(socket.socket()).bind(("127.0.0.1", port + offset))
            except OSError:
                continue
            return port


def allow_descriptors(wanted):
    """Raises the limit of open files, which children inherit; returns what it is then."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    for limit in (max(wanted, hard), hard):
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))
            break
    return resource.getrlimit(resource.RLIMIT_NOFILE)[0]


def process_and_children(pid):
    """The ids of a process and of all below it."""
    found = [pid]
    for listed in Path(f"/proc/{pid}/task").glob("*/children"):
        with contextlib.suppress(OSError):
            for child in listed.read_text(encoding="ascii").split():
                found += process_and_children(int(child))
    return found


class Server:
    """A server process: CPU seconds, memory, addresses."""

    def __init__(self, name, command, folder, prints_port=False):
        self.name = name
        self.addresses = {}
        folder.mkdir(parents=True, exist_ok=True)
        self.log_path = folder / f"{name}.log"
        with open(self.log_path, "wb") as log:
            self.process = subprocess.Popen(
                [str(part) for part in command], env=ENVIRONMENT, cwd=folder, stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE if prints_port else log, stderr=log)

    def read_port(self, door="flight"):
        """For servers that print their port as their first line."""
        line = self.process.stdout.readline().strip()
        if not line:
            raise RuntimeError(f"{self.name} did not start: {self.log_path.read_text()[-2000:]}")
        self.addresses[door] = f"127.0.0.1:{int(line)}"
        return self

    def cpu(self):
        """CPU seconds so far of all threads, those of worker processes too, in nanosecond resolution."""
        return sum(time.clock_gettime((~pid << 3) | 2)
                   for pid in process_and_children(self.process.pid))

    def memory(self, field="VmRSS"):
        """Bytes; VmRSS now, or VmHWM the highest since reset_peak."""
        with open(f"/proc/{self.process.pid}/status", encoding="ascii") as status:
            for line in status:
                if line.startswith(field):
                    return int(line.split()[1]) * 1024
        return 0

    def reset_peak(self):
        with contextlib.suppress(OSError):
            Path(f"/proc/{self.process.pid}/clear_refs").write_text("5")

    def stop(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()


def start_volley(folder, name, *arguments, flight="127.0.0.1:0", http="127.0.0.1:0", wait=True):
    """`volley serve` with default settings but for addresses, folder and what is given."""
    addresses = folder / f"{name}.addresses"
    addresses.unlink(missing_ok=True)
    command = [VOLLEY, "serve", "--flight-addr", flight, "--http-addr", http, "--addresses-file",
               addresses, "--data-dir", folder / name, *arguments]
    server = Server(name, command, folder)
    if not wait:
        return server

    def written():
        if server.process.poll() is not None:
            raise RuntimeError(f"volley did not start: {server.log_path.read_text()[-2000:]}")
        with contextlib.suppress(OSError, json.JSONDecodeError):
            return json.loads(addresses.read_text())
        return None

    found = wait_for(written, f"the start of {name}")
    server.addresses = {door: found[door][0] for door in ("flight", "http")}
    for address in found["flight"]:
        if address.startswith("tls://"):
            server.addresses["tls"] = address.removeprefix("tls://")
    return server


def start_python(folder, name, program, *arguments):
    command = [sys.executable, REPOSITORY / "bench" / "peers" / program, *arguments]
    return Server(name, command, folder, prints_port=True).read_port()


def start_roapi(folder, parquet, port):
    """roapi with the table in memory."""
    program = Path(sys.executable).parent / "roapi"
    server = Server("roapi", [program, "--addr-http", f"127.0.0.1:{port}", "--addr-flight-sql",
                              f"127.0.0.1:{port + 1}", "--response-format", "ArrowStream",
                              "--table", f"lineitem={parquet}"], folder)
    server.addresses = {"http": f"127.0.0.1:{port}", "flight": f"127.0.0.1:{port + 1}"}

    def answers():
        if server.process.poll() is not None:
            raise RuntimeError(f"roapi did not start: {server.log_path.read_text()[-2000:]}")
        with contextlib.suppress(OSError):
            post(server.addresses["http"], "/api/sql", "SELECT 1")
            return True
        return False

    wait_for(answers, "the start of roapi")
    return server


def post(address, path, body):
    host, _, port = address.rpartition(":")
    connection = http.client.HTTPConnection(host, int(port), timeout=CALL_SECONDS)
    with contextlib.closing(connection):
        connection.request("POST", path, body)
        response = connection.getresponse()
        return response.status, response.read()


def run_json(*command):
    """Runs a client to its end; the JSON object of its last line."""
    result = subprocess.run([str(part) for part in command], env=ENVIRONMENT, capture_output=True,
                            text=True, timeout=CALL_SECONDS, check=False)
    if result.returncode != 0:
        raise RuntimeError(f"{command[:4]}: {result.stderr[-2000:]}")
    return json.loads(result.stdout.splitlines()[-1])
