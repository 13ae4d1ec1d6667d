"""How soon statements are stopped and what polling costs, by calls of pyarrow's client and of gRPC's own.

SPDX-License-Identifier: Apache-2.0
"""
import contextlib
import json
import struct
import sys
import threading
import time
from concurrent import futures
from pathlib import Path

import grpc
import pyarrow as pa
import pyarrow.flight
from measuring import Measure
from processes import REPOSITORY
from sql_calls import SERVICE, connected

sys.path.insert(0, str(REPOSITORY / "tests" / "integration"))
import flight_sql  # noqa: E402

# Runs for minutes if nobody stops it, and gives no row before its end.
ENDLESS = "SELECT count(*) AS n FROM range(100000000000) a(i) WHERE hash(i) % 7 = {}"
STREAM = "SELECT i, i * 2 AS j FROM range(100000000000 + {}) t(i)"


def percentiles(times):
    times = sorted(times)
    return {"seconds": sum(times), "p50_ms": 1000 * times[len(times) // 2],
            "p99_ms": 1000 * times[len(times) * 99 // 100]}


class Reading:
    """A DoGet in a thread of its own; `seen` counts its batches, `ended` is when it was over."""

    def __init__(self, client, ticket):
        self.reader = client.do_get(ticket)
        self.seen = 0
        self.ended = None
        self.thread = threading.Thread(target=self.read)
        self.thread.start()

    def read(self):
        try:
            for _ in self.reader:
                self.seen += 1
        except (pa.ArrowCancelled, pyarrow.flight.FlightCancelledError):
            self.ended = time.perf_counter()

    def end(self):
        self.thread.join(30)
        if self.ended is None:
            raise RuntimeError("a statement that was stopped did not end as cancelled")
        return self.ended


def wait_until(condition):
    end = time.monotonic() + 30
    while not condition():
        if time.monotonic() > end:
            raise RuntimeError("a statement did not start")
        time.sleep(0.001)


def cancellation(context, is_streaming):
    """From CancelFlightInfo to the end of the statement's DoGet and to the action's answer."""

    def stop_one(client, server, number):
        sql = (STREAM if is_streaming else ENDLESS).format(number)
        info = client.get_flight_info(flight_sql.query_descriptor(sql))
        cpu = server.cpu()
        reading = Reading(client, info.endpoints[0].ticket)
        # One that gives no row runs when it has used the processor.
        wait_until(lambda: reading.seen > 3 if is_streaming else server.cpu() > cpu + 0.005)
        start = time.perf_counter()
        (result,) = client.do_action(("CancelFlightInfo", flight_sql.field(1, info.serialize())))
        answered = time.perf_counter()
        if flight_sql.fields(result.body.to_pybytes())[1] != [1]:
            raise RuntimeError("CancelFlightInfo did not answer CANCELLED")
        return max(answered, reading.end()) - start

    def run(_):
        server = context.server("volley")
        count = 20 if context.quick else 100
        with connected(server) as client:
            return percentiles([stop_one(client, server, number) for number in range(count)])

    name, title = ("streaming", "that streams") if is_streaming else ("running", "that runs")
    return Measure(
        f"cancel-{name}", f"CancelFlightInfo of a statement {title}: until its DoGet has ended and the"
        " action is answered", ["volley"], run, ("p50_ms", "p99_ms"), [("p99, ms", "p99_ms", None, "<=", 50)])


def threads_cpu(server, *names):
    """CPU seconds so far of a server's threads whose name begins with one of these."""
    total = 0
    for task in Path(f"/proc/{server.process.pid}/task").iterdir():
        with contextlib.suppress(OSError):
            if (task / "comm").read_text().startswith(names):
                total += int((task / "schedstat").read_text().split()[0])
    return total / 1e9


def poll_cost(context):
    """Polls of a statement that runs; what it computes is left out of the count."""
    polls = 16

    def run(_):
        server = context.server("volley")
        first = flight_sql.field(1, 2) + flight_sql.field(2, json.dumps({"sql": ENDLESS.format(-1)}))
        with grpc.insecure_channel(server.addresses["flight"]) as channel:
            poll = channel.unary_unary(SERVICE + "PollFlightInfo")
            answer = poll_fields(poll(first, timeout=30))
            before, start = threads_cpu(server, "io", "worker"), time.perf_counter()
            with futures.ThreadPoolExecutor(polls) as pool:
                for _ in range(2):
                    list(pool.map(lambda _: poll(answer[2], timeout=30), range(polls)))
            sample = {"calls": 2 * polls, "seconds": time.perf_counter() - start,
                      "server_cpu": threads_cpu(server, "io", "worker") - before}
            with connected(server) as client:
                list(client.do_action(("CancelFlightInfo", flight_sql.field(1, answer[1]))))
        return sample

    return Measure(
        "poll", f"PollFlightInfo of a statement that runs, {polls} polls at once", ["volley"], run,
        ("server_us_per_call",), [("server CPU per poll, us", "server_us_per_call", None, "<=", 1000)])


def poll_fields(message):
    """The fields of a PollInfo that have a length; flight_sql.fields does not read the double `progress`."""
    found, position = {}, 0
    while position < len(message):
        key, position = flight_sql.read_varint(message, position)
        if key & 7 == 1:
            position += struct.calcsize("<d")
            continue
        length, position = flight_sql.read_varint(message, position)
        found[key >> 3] = message[position:position + length]
        position += length
    return found


def all_measures(context):
    return [cancellation(context, False), cancellation(context, True), poll_cost(context)]
