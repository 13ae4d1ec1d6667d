"""What the transport costs: small calls, small responses, idle connections, TLS, fairness.

Clients are h2load and the small programs of bench/native and bench/peers/go; the servers answer without
SQL, but for the query beside idle connections.

SPDX-License-Identifier: Apache-2.0
"""
import json
import re
import shutil
import subprocess
import sys
import time
import urllib.request

import web_peers
from context import AGAIN_BYTES, numbers
from measuring import (CHECK_PATH, GRPC_HEADERS, MEBIBYTE, Measure, empty_message, h2load,
                       small_grpc_calls, watched)
from processes import ENVIRONMENT, REPOSITORY, allow_descriptors, run_json

IDLE_CONNECTIONS = 10_000
# 10,000 on both sides, in two processes, and some for the rest.
DESCRIPTORS = 12_000
BULK_SECONDS = 4
BULK_STREAMS = 64
BULK_ROWS = 1_000_000
TLS_RUNS = 3


def health_check(context, connections, streams):
    """grpc.health.v1.Health/Check, which every gRPC library can serve."""

    def run(contestant):
        server = context.server("volley-small" if contestant == "volley" else contestant)
        calls = context.scaled(100000 if contestant == "volley" else 40000)
        return small_grpc_calls(context, server, CHECK_PATH, calls, connections, streams)

    go_goal, rust_goal = (6.0, 4.0) if streams > 1 else (2.2, 1.3)
    own_goal = 3 if streams > 1 else 12
    goals = [("server CPU per call, us", "server_us_per_call", None, "<=", own_goal),
             ("server CPU per call against grpc-go", "server_us_per_call", "grpc-go", "less", go_goal),
             ("server CPU per call against tonic", "server_us_per_call", "tonic", "less", rust_goal),
             ("p99 against grpc-go", "p99_us", "grpc-go", "<=", 1.0),
             ("p99 against tonic", "p99_us", "tonic", "<=", 1.0)]
    return Measure(
        f"check-{connections}x{streams}",
        f"Small call (grpc.health.v1.Health/Check), {connections} connections x {streams} streams",
        context.those_here("volley", "grpc-go", "tonic", "grpc-c++"), run,
        ("per_second", "server_us_per_call", "p50_us", "p99_us", "client_cpu"), goals)


def small_response(context, version, streams, is_logged):
    """GET of one small fixed body on 16 connections, `streams` at a time on each."""
    options = ("-c", 16, "--h1") if version == "h1" else ("-c", 16, "-m", streams)

    def run(contestant):
        instance = contestant + ("-logged" if is_logged else "")
        if contestant == "volley":
            instance = "volley-small" if is_logged else "volley-quiet"
        server = context.server(instance)
        address = server.addresses["http" if contestant == "volley" else version]
        sample = h2load(context, server, f"http://{address}{web_peers.PATH}", context.scaled(100000),
                        *options)
        sample["per_cpu_second"] = sample["calls"] / sample["server_cpu"]
        return sample

    protocol = "HTTP/1.1, 16 connections"
    if version == "h2":
        protocol = f"HTTP/2, 16 connections x {streams} streams"
    name = version if streams == 1 else f"{version}x{streams}"
    goals = [(f"requests per CPU second against {peer}", "per_cpu_second", peer, ">=", 0.9)
             for peer in ("nginx", "h2o")]
    return Measure(
        name + ("-logged" if is_logged else ""),
        f"Small response over {protocol}, {'with' if is_logged else 'without'} an access log",
        context.those_here("volley", "nginx", "h2o"), run,
        ("per_second", "per_cpu_second", "server_us_per_call", "p50_us", "p99_us", "client_cpu"), goals)


class Idlers:
    """Idle connections, each after one call; closed at the end of the block."""

    def __init__(self, context, port, count, *options):
        command = [context.built / "idle", port, count, *options]
        self.process = subprocess.Popen([str(part) for part in command], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def __enter__(self):
        if self.process.stdout.readline() != "ready\n":
            self.process.kill()
            raise RuntimeError(f"idle connections: {self.process.communicate()[1][-500:]}")
        time.sleep(1)
        return self

    def __exit__(self, *_):
        self.process.communicate()


def query_cost(context, server):
    """Server CPU microseconds of one SELECT 1 by the Go client on 16 connections."""
    calls = context.scaled(6000)
    sample = watched(server, lambda: run_json(context.built / "client", server.addresses["flight"], 16,
                                              calls, "SELECT 1"))
    return 1e6 * sample["server_cpu"] / sample["calls"]


def fresh_server(context, contestant, purpose):
    name = f"volley-{purpose}" if contestant == "volley" else contestant
    if name in context.servers:
        context.servers.pop(name).stop()
        shutil.rmtree(context.folder / name, ignore_errors=True)
    return context.server(name)


def idle_connections(context):
    """Memory of idle HTTP/2 connections, and what a query costs beside them."""
    count = min(IDLE_CONNECTIONS, allow_descriptors(DESCRIPTORS) - 500)

    def run(contestant):
        server = fresh_server(context, contestant, "idle")
        port = server.addresses["flight"].rpartition(":")[2]
        alone = beside = query_cost(context, server) if contestant == "volley" else 0
        before = server.memory()
        with Idlers(context, port, count):
            after = server.memory()
            if contestant == "volley":
                beside = (query_cost(context, server) + query_cost(context, server)) / 2
        sample = {"kib_per_connection": (after - before) / 1024 / count, "all_mib": after / MEBIBYTE}
        if contestant == "volley":
            # The server warms up meanwhile: what is alone is taken before and after.
            alone = (alone + query_cost(context, server)) / 2
            sample |= {"query_alone_us": alone, "query_beside_us": beside, "beside": beside / alone}
        return sample

    return Measure(
        "idle", f"{count:,} idle HTTP/2 connections, each after one call",
        context.those_here("volley", "grpc-go", "tonic", "grpc-c++"), run,
        ("kib_per_connection", "all_mib", "query_alone_us", "query_beside_us"),
        [("memory per connection, KiB", "kib_per_connection", None, "<", 40),
         ("server CPU of SELECT 1 beside them, against without", "beside", None, "<=", 1.1)],
        rounds_max=2)


def idle_tls_connections(context):
    """Memory of idle TLS connections."""
    count = min(IDLE_CONNECTIONS, allow_descriptors(DESCRIPTORS) - 500)

    def run(contestant):
        server = fresh_server(context, contestant, "tls")
        port = server.addresses["tls"].rpartition(":")[2]
        before, cpu = server.memory(), server.cpu()
        with Idlers(context, port, count, "tls"):
            after = server.memory()
            return {"kib_per_connection": (after - before) / 1024 / count,
                    "all_mib": after / MEBIBYTE, "calls": count, "server_cpu": server.cpu() - cpu}

    return Measure(
        "idle-tls", f"{count:,} idle HTTP/2 connections over TLS 1.3, each after one call",
        ["volley"], run, ("kib_per_connection", "all_mib", "server_us_per_call"),
        [("memory of the server, MiB", "all_mib", None, "<=", 320)], rounds_max=2)


def cipher_cost():
    """CPU seconds for one gigabyte of AES-128-GCM in blocks of 16 KiB, by `openssl speed`."""
    output = subprocess.run(
        ["openssl", "speed", "-evp", "aes-128-gcm", "-bytes", "16384", "-seconds", "1"],
        capture_output=True, text=True, check=True, timeout=60).stdout
    thousands = re.search(r"^AES-128-GCM\s+([\d.]+)k", output, re.M)
    return 1e6 / float(thousands.group(1))


def finished_ticket(context, server):
    """A file with the gRPC message of a DoGet whose result is finished, and the result's bytes."""
    path = context.folder / f"ticket-{server.name}"
    output = run_json(sys.executable, "-W", "ignore", REPOSITORY / "bench" / "clients" / "ticket.py",
                      server.addresses["flight"], numbers(AGAIN_BYTES // 32), path)
    return path, output["bytes"]


def tls_download(context):
    """A finished 1 GiB result over TLS 1.3 with AES-128-GCM and without TLS, same server and client."""
    primed = {}

    def download(server, body, gigabytes, url):
        sample = h2load(context, server, f"{url}/arrow.flight.protocol.FlightService/DoGet", TLS_RUNS,
                        "-c", 1, "-m", 1, "-w", 24, "-W", 26, "-d", body, "--tls13-ciphers",
                        "TLS_AES_128_GCM_SHA256", *GRPC_HEADERS)
        sample["gigabytes"] = TLS_RUNS * gigabytes
        return sample

    def run(contestant):
        server = context.server("volley-tls-bulk")
        if server not in primed:
            primed[server] = finished_ticket(context, server)
        body, size = primed[server]
        plain = download(server, body, size / 1e9, f"http://{server.addresses['flight']}")
        sample = download(server, body, size / 1e9, f"https://{server.addresses['tls']}")
        del sample["calls"]
        sample["plain_cpu_per_gb"] = plain["server_cpu"] / plain["gigabytes"]
        sample["cipher_cpu_per_gb"] = cipher_cost()
        over = sample["server_cpu"] / sample["gigabytes"] - sample["plain_cpu_per_gb"]
        sample["over_cipher"] = over / sample["cipher_cpu_per_gb"]
        return sample

    return Measure(
        "tls", "The same result read again over TLS 1.3 (AES-128-GCM): 4 x int64, 1 GiB",
        ["volley"], run, ("gb_per_second", "server_cpu_per_gb", "plain_cpu_per_gb", "cipher_cpu_per_gb",
                          "over_cipher", "client_cpu"),
        [("what TLS adds, as a multiple of what `openssl speed` says of the cipher", "over_cipher", None,
          "<=", 1.25)])


def check_durations(server):
    """Cumulative counts of the health check's duration in the server, by upper bound in seconds."""
    url = f"http://{server.addresses['http']}/metrics"
    with urllib.request.urlopen(url, timeout=30) as response:
        text = response.read().decode()
    rows = re.findall(r'^volley_call_duration_seconds_bucket\{method="grpc\.health\.v1\.Health/Check",'
                      r'le="([^"]+)"\} (\d+)', text, re.M)
    return {float(bound): int(count) for bound, count in rows}


def p99_ms(before, after):
    """Of what was observed between two readings; linear within a bucket."""
    counts = [(bound, count - before.get(bound, 0)) for bound, count in sorted(after.items())]
    wanted = 0.99 * counts[-1][1]
    low, below = 0.0, 0
    for bound, count in counts:
        if count >= wanted and count > below:
            return 1000 * (low + (bound - low) * (wanted - below) / (count - below))
        low, below = bound, count
    raise RuntimeError("no small call was observed")


def fairness(context, connections):
    """Small calls beside 64 downloads: how long the server takes for them, by its own histogram."""
    streams = BULK_STREAMS // connections
    seconds = 1 if context.quick else BULK_SECONDS

    def run(contestant):
        server = context.server("volley-bulk")
        # The downloads' client yields to the server, as one on another machine would.
        command = ["nice", "-n", "10", context.built / "bulk", server.addresses["flight"], connections,
                   streams, seconds, numbers(BULK_ROWS)]
        with subprocess.Popen([str(part) for part in command], env=ENVIRONMENT, text=True,
                              stdin=subprocess.PIPE, stdout=subprocess.PIPE) as bulk:
            if bulk.stdout.readline() != "primed\n":
                raise RuntimeError("the bulk client did not start")
            before = check_durations(server)

            def downloads():
                bulk.stdin.write("\n")
                bulk.stdin.flush()
                if connections > 1:
                    subprocess.run(
                        ["h2load", "-D", str(seconds), "-c", "1", "-m", "1", "--rps", "1000", "-d",
                         empty_message(context), *GRPC_HEADERS,
                         f"http://{server.addresses['flight']}{CHECK_PATH}"],
                        check=True, capture_output=True, timeout=60)
                return json.loads(bulk.stdout.readline())

            sample = watched(server, downloads)
        after = check_durations(server)
        sample["p99_in_server_ms"] = p99_ms(before, after)
        sample["small_calls"] = after[float("inf")] - before.get(float("inf"), 0)
        return sample

    where = "on the same connection" if connections == 1 else "on a connection of their own"
    return Measure(
        f"fair-{connections}x{streams}",
        f"Small calls {where} beside {BULK_STREAMS} downloads on {connections} connections",
        ["volley"], run, ("gb_per_second", "server_cpu_per_gb", "small_calls", "p99_in_server_ms"),
        [("p99 of a small call's time in the server, ms", "p99_in_server_ms", None, "<", 2)])


def all_measures(context):
    if not shutil.which("h2load"):
        return []
    measures = [health_check(context, *shape) for shape in ((1, 64), (16, 1), (64, 1))]
    measures += [small_response(context, *shape, is_logged)
                 for is_logged in (False, True) for shape in (("h1", 1), ("h2", 1), ("h2", 16))]
    return [*measures, idle_connections(context), idle_tls_connections(context), tls_download(context),
            fairness(context, 1), fairness(context, BULK_STREAMS)]
