"""Ending the server: calls in flight end, new ones are turned away, a second signal ends at once.

SPDX-License-Identifier: Apache-2.0
"""
import contextlib
import os
import signal
import socket

import flight_sql
import pyarrow.flight
import pytest
from harness import COMPUTING, STREAMING, Background, wait_until


def counting(rows, mark):
    return f"SELECT i AS {mark}, repeat('d', 50) AS s FROM range({rows}) t(i)"


def log_says_draining(server):
    return "drain" in server.log


def test_streams_in_flight_end_well(start_server):
    server = start_server()
    rows = 3_000_000
    with server.flight() as client:
        sql = counting(rows, "drained")
        info = client.get_flight_info(flight_sql.query_descriptor(sql))
        reader = client.do_get(info.endpoints[0].ticket)
        total = reader.read_chunk().data.num_rows
        server.terminate()
        wait_until(lambda: log_says_draining(server), what="the log line of the drain")
        for chunk in reader:
            total += chunk.data.num_rows
    assert total == rows
    assert server.wait() == 0


def test_http_streams_in_flight_end_well(start_server):
    server = start_server()
    rows = 1_000_000
    connection, response = server.open_request(
        "POST", "/v1/query?format=ndjson", counting(rows, "drained"))
    with contextlib.closing(connection):
        lines = response.read(1 << 16).count(b"\n")
        server.terminate()
        while part := response.read(1 << 20):
            lines += part.count(b"\n")
    assert lines == rows
    assert server.wait() == 0


def test_idle_connections_do_not_hold_the_end(start_server):
    server = start_server()
    with server.socket(), server.socket("flight"), server.flight() as client:
        flight_sql.query(client, "SELECT 1")
        server.terminate()
        assert server.wait() == 0


def test_new_connections_are_refused_while_draining(start_server):
    server = start_server("--drain-timeout", "30s")
    with server.flight() as client:
        sql = STREAMING.format(mark="holds_the_drain")
        info = client.get_flight_info(flight_sql.query_descriptor(sql))
        reader = client.do_get(info.endpoints[0].ticket)
        reader.read_chunk()
        server.terminate()

        def refused():
            try:
                server.socket(seconds=1).close()
            except OSError:
                return True
            return False

        wait_until(refused, what="the closed listener")
        reader.cancel()
    assert server.wait() == 0


def test_what_does_not_end_in_time_is_cancelled(start_server):
    server = start_server("--drain-timeout", "500ms")
    waiting = Background(lambda: server.query(COMPUTING.format(mark="too_long"), "json"))
    wait_until(lambda: server.running("too_long"))
    server.terminate()
    assert server.wait() == 0
    with contextlib.suppress(OSError):
        assert waiting.outcome().status in (409, 503)


@pytest.mark.parametrize("first", [signal.SIGTERM, signal.SIGINT])
def test_a_second_signal_ends_at_once(start_server, first):
    server = start_server("--drain-timeout", "600s")
    waiting = Background(lambda: server.query(COMPUTING.format(mark="second_signal"), "json"))
    wait_until(lambda: server.running("second_signal"))
    server.process.send_signal(first)
    wait_until(lambda: log_says_draining(server), what="the log line of the drain")
    server.process.send_signal(first)
    server.expected_exit = server.wait(20)
    with contextlib.suppress(OSError, AssertionError):
        waiting.outcome()


def test_kill_minus_nine_leaves_a_folder_that_starts_again(start_server, tmp_path_factory, tmp_path):
    folder = tmp_path_factory.mktemp("killed")
    database = tmp_path / "durable.db"
    server = start_server("--database", database, folder=folder)
    server.query("CREATE TABLE acknowledged AS SELECT 11 AS v", "json")
    server.kill()
    server = start_server("--database", database, folder=folder)
    assert server.value("SELECT v FROM acknowledged") == 11


def test_readiness_while_draining(start_server):
    server = start_server("--drain-timeout", "30s")
    connection, response = server.open_request(
        "POST", "/v1/query?format=csv", STREAMING.format(mark="readiness"))
    probe, answer = server.open_request("GET", "/readyz")
    answer.read()
    with contextlib.closing(connection), contextlib.closing(probe):
        response.read(10)
        server.terminate()
        wait_until(lambda: log_says_draining(server), what="the log line of the drain")
        with contextlib.suppress(OSError, pyarrow.flight.FlightError):
            probe.request("GET", "/readyz")
            assert probe.getresponse().status == 503
    assert server.wait() == 0


@pytest.mark.parametrize("kind", ["path", "abstract"])
def test_supervisor_is_told(start_server, tmp_path, kind):
    """As systemd has it with Type=notify: one datagram when calls are taken, one when they end."""
    name = str(tmp_path / "notify") if kind == "path" else f"@volley-test-{os.getpid()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as supervisor:
        supervisor.bind(name.replace("@", "\0", 1))
        supervisor.settimeout(20)
        server = start_server(env={"NOTIFY_SOCKET": name})
        assert supervisor.recv(100) == b"READY=1"
        assert server.value("SELECT 1") == 1
        server.terminate()
        assert supervisor.recv(100) == b"STOPPING=1"
        assert server.wait() == 0


@pytest.mark.parametrize("name", ["nowhere", "/nobody/listens"])
def test_a_supervisor_that_is_not_there_is_warned_about(start_server, name):
    server = start_server(env={"NOTIFY_SOCKET": name})
    assert server.value("SELECT 1") == 1
    wait_until(lambda: name in server.log, what="the warning")
