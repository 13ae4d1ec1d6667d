"""Clients that take more than their share of the transport: cut off and counted, neighbours served.

Each test ends with the gauges of live objects where they were. The frame-level rules have their
transcripts in tests/wire/http; here the whole server is asked.

SPDX-License-Identifier: Apache-2.0
"""
import contextlib
import io
import struct
import time

import flight_sql
import pyarrow as pa
import pyarrow.flight
import pytest
from harness import STREAMING, Background, wait_until
from http2_frames import (
    ACK, CANCEL, DATA, END_HEADERS, END_STREAM, GOAWAY, HEADERS, PING, PREFACE, PRIORITY,
    RST_STREAM, SETTINGS, frame, grpc_headers, grpc_message, header_block, settings, window_update,
)

OPEN = PREFACE + frame(SETTINGS, 0, 0) + frame(SETTINGS, ACK, 0)
LIVE = ("volley_connections", 'volley_live_objects{kind="connection"}',
        'volley_live_objects{kind="call"}', "volley_response_queue_bytes",
        "volley_request_held_bytes")


def strikes(server, budget):
    return server.metrics()[f'volley_budget_strikes_total{{budget="{budget}"}}']


@pytest.fixture
def own_server(start_server):
    """A server whose gauges come back to where they were."""
    started = []

    def start(*arguments, **options):
        server = start_server(*arguments, **options)
        before = server.metrics()
        started.append((server, before))
        return server

    yield start
    for server, before in started:
        def at_rest():
            now = server.metrics()
            return all(now[name] <= before[name] for name in LIVE)
        if server.process.poll() is None:
            wait_until(at_rest, 30, "gauges at rest")


class Peer:
    """A raw HTTP/2 client that reads frames."""

    def __init__(self, server, door="flight", opening=OPEN):
        self.connection = server.socket(door)
        self.buffer = bytearray()
        self.connection.sendall(opening)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.connection.close()

    def send(self, *frames):
        with contextlib.suppress(OSError):
            self.connection.sendall(b"".join(frames))

    def next(self, seconds=20):
        """(type, flags, stream, payload) of the next frame; None at the end."""
        self.connection.settimeout(seconds)
        while True:
            if len(self.buffer) >= 9:
                size = int.from_bytes(self.buffer[:3], "big")
                if len(self.buffer) >= 9 + size:
                    kind, flags = self.buffer[3], self.buffer[4]
                    stream = int.from_bytes(self.buffer[5:9], "big")
                    payload = bytes(self.buffer[9:9 + size])
                    del self.buffer[:9 + size]
                    return kind, flags, stream, payload
            try:
                part = self.connection.recv(1 << 18)
            except ConnectionError:
                return None
            if not part:
                return None
            self.buffer += part

    def goaway(self):
        """Reads to the end; error code and text of the last GOAWAY."""
        last = None
        while read := self.next():
            if read[0] == GOAWAY:
                last = struct.unpack(">I", read[3][4:8])[0], read[3][8:].decode()
        return last


def info_call(stream, sql="SELECT 1"):
    descriptor = flight_sql.packed("CommandStatementQuery", flight_sql.field(1, sql))
    message = flight_sql.field(1, 2) + flight_sql.field(2, descriptor)
    return (frame(HEADERS, END_HEADERS, stream, grpc_headers("GetFlightInfo"))
            + frame(DATA, END_STREAM, stream, grpc_message(message)))


def alive(server):
    assert server.value("SELECT 42 AS a") == 42
    with server.adbc() as connection, connection.cursor() as cursor:
        cursor.execute("SELECT 1")
        assert cursor.fetchall() == [(1,)]


def test_rapid_reset(own_server):
    server = own_server("--max-client-resets", "500")
    with Peer(server) as peer:
        for first in range(1, 20001, 200):
            peer.send(*(info_call(stream) + frame(RST_STREAM, 0, stream, CANCEL)
                        for stream in range(first, first + 200, 2)))
        alive(server)
        assert peer.goaway() == (11, "too_many_resets")
    assert strikes(server, "client_resets") == 1
    alive(server)


def test_cancels_of_a_normal_client_are_no_attack(own_server):
    server = own_server()
    with Peer(server) as peer:
        for stream in range(1, 801, 2):
            peer.send(info_call(stream), frame(RST_STREAM, 0, stream, CANCEL))
        peer.send(info_call(1001))
        answer = wait_until(lambda: [read for read in [peer.next()] if read[2] == 1001], 20)
        assert answer
    assert strikes(server, "client_resets") == 0


OFFENCES = {
    "window update of 0": lambda stream: window_update(stream, 0),
    "window overflow": lambda stream: window_update(stream, 0x7FFFFFFF),
    "short priority": lambda stream: frame(PRIORITY, 0, stream, b"\0\0\0\1"),
    "priority of itself": lambda stream: frame(PRIORITY, 0, stream, struct.pack(">IB", stream, 1)),
    "headers after the end": lambda stream: frame(
        HEADERS, END_HEADERS | END_STREAM, stream, grpc_headers("GetFlightInfo")),
    "data after the end": lambda stream: frame(DATA, 0, stream, b"more bytes"),
}


@pytest.mark.parametrize("offence", OFFENCES)
def test_made_you_reset(own_server, offence):
    server = own_server("--max-server-resets", "20")
    with Peer(server) as peer:
        for stream in range(1, 4001, 2):
            peer.send(info_call(stream, "SELECT count(*) FROM range(1000000)"),
                      OFFENCES[offence](stream))
        assert peer.goaway() is not None
    assert len(server.statements()) <= 256
    alive(server)


@pytest.mark.parametrize("flood, budget", [
    (frame(SETTINGS, 0, 0), "settings"),
    (frame(PING, 0, 0, b"12345678"), "pings"),
    (frame(PRIORITY, 0, 5, b"\0\0\0\0\1"), "priorities"),
    (frame(DATA, 0, 1), "empty_data"),
    (frame(DATA, 0, 1, b"a"), "tiny_data"),
    (window_update(0, 1), "window_updates"),
    (frame(0x4D, 0, 0, b"unknown"), "unknown_frames"),
])
def test_floods(own_server, flood, budget):
    server = own_server()
    before = server.resident_bytes()
    with Peer(server) as peer:
        peer.send(frame(HEADERS, END_HEADERS, 1, grpc_headers("DoExchange")))
        for _ in range(200):
            peer.send(flood * 500)
        alive(server)
        assert peer.goaway()[0] == 11
    assert strikes(server, budget) == 1
    assert server.resident_bytes() - before < 32 << 20


def test_requests_over_the_limit_are_refused(own_server):
    server = own_server("--max-streams", "4")
    with Peer(server) as peer:
        for stream in range(1, 13, 2):
            peer.send(frame(HEADERS, END_HEADERS, stream, grpc_headers("DoExchange")))
        refused = []
        while len(refused) < 2:
            kind, _, stream, payload = peer.next()
            if kind == RST_STREAM:
                refused.append((stream, struct.unpack(">I", payload)[0]))
        assert refused == [(9, 7), (11, 7)]
        peer.send(*(frame(RST_STREAM, 0, stream, CANCEL) for stream in (1, 3, 5, 7)))
        peer.send(info_call(13))
        assert wait_until(lambda: [read for read in [peer.next()] if read[2] == 13], 20)
    assert strikes(server, "streams") == 2


def stream_call(server, peer, stream=1):
    """Starts a DoGet of a result without end."""
    with server.flight() as client:
        descriptor = pa.flight.FlightDescriptor.for_command(
            flight_sql.packed("CommandStatementQuery",
                              flight_sql.field(1, STREAMING.format(mark="a"))))
        ticket = client.get_flight_info(descriptor).endpoints[0].ticket.ticket
    peer.send(frame(HEADERS, END_HEADERS, stream, grpc_headers("DoGet"))
              + frame(DATA, END_STREAM, stream, grpc_message(flight_sql.field(1, ticket))))


def test_a_thousand_pings_during_a_download(own_server):
    server = own_server()
    with Peer(server, opening=PREFACE + settings(initial_window_size=1 << 30)
              + window_update(0, 1 << 30)) as peer:
        stream_call(server, peer)
        acknowledged = sent = received = 0
        while acknowledged < 1000:
            kind, _, stream, payload = peer.next()
            assert kind != GOAWAY, payload
            received += len(payload) if kind == DATA else 0
            acknowledged += kind == PING
            if kind == DATA and sent < 1000:
                peer.send(frame(PING, 0, 0, b"12345678"), window_update(0, len(payload) or 1),
                          window_update(stream, len(payload) or 1))
                sent += 1
        assert received > 0
    assert strikes(server, "pings") == 0


def test_a_reader_that_answers_pings_may_pause(own_server):
    server = own_server("--write-stall-timeout", "1s")
    with Peer(server, opening=PREFACE + settings(initial_window_size=0)) as peer:
        stream_call(server, peer)
        answered = 0
        end = time.monotonic() + 4
        while time.monotonic() < end:
            kind, flags, _, payload = peer.next()
            if kind == PING and not flags & ACK:
                peer.send(frame(PING, ACK, 0, payload))
                answered += 1
        assert answered >= 3
        peer.send(window_update(1, 1000))
        assert wait_until(lambda: [read for read in [peer.next()] if read[0] == DATA], 20)
    assert strikes(server, "write_stall") == 0


def test_a_reader_that_is_gone_is_closed(own_server):
    server = own_server("--write-stall-timeout", "1s")
    with Peer(server, opening=PREFACE + settings(initial_window_size=0)) as peer:
        stream_call(server, peer)
        while peer.next():
            pass
    assert strikes(server, "write_stall") == 1
    wait_until(lambda: not server.statements(), 20, "the end of the statement")


def test_readers_that_do_not_read_hold_bounded_memory(own_server):
    server = own_server("--max-queued-bytes", "32MiB", "--write-stall-timeout", "3s")
    with contextlib.ExitStack() as stack:
        for _ in range(8):
            peer = stack.enter_context(
                Peer(server, opening=PREFACE + settings(initial_window_size=0)))
            stream_call(server, peer)
        alive(server)
        wait_until(lambda: strikes(server, "queued_bytes") > 0, 20, "a strike")
        alive(server)
        # What is allowed, and for each connection a message and what was framed of it.
        assert server.metrics()["volley_response_queue_bytes"] < (32 + 8 * 6) << 20
        wait_until(lambda: not server.statements(), 30, "the end of the statements")
    alive(server)


def test_a_slow_body_is_cut_off(own_server):
    server = own_server("--body-grace", "500ms")
    with server.socket() as slow:
        slow.sendall(b"POST /v1/query HTTP/1.1\r\nhost: localhost\r\ncontent-type: text/plain\r\n"
                     b"content-length: 1000\r\n\r\nSELECT")
        alive(server)
        slow.settimeout(20)
        assert slow.recv(100) == b""
    with Peer(server, "http") as peer:
        peer.send(frame(HEADERS, END_HEADERS, 1, header_block("POST", "/v1/query",
                                                              content_type="text/plain")),
                  frame(DATA, 0, 1, b"SELECT"))
        reset = wait_until(lambda: [read for read in [peer.next()] if read[0] == RST_STREAM], 20)
        assert reset[0][2:] == (1, CANCEL)
        peer.send(frame(PING, 0, 0, b"12345678"))
        assert wait_until(lambda: [read for read in [peer.next()] if read[0] == PING], 20)
    assert strikes(server, "body_rate") == 2


def test_half_a_message_is_cut_off(own_server):
    server = own_server("--body-grace", "500ms")
    with Peer(server) as peer:
        peer.send(frame(HEADERS, END_HEADERS, 1, grpc_headers("DoPut")),
                  frame(DATA, 0, 1, b"\0\0\1\0\0" + b"x" * 100))
        reset = wait_until(lambda: [read for read in [peer.next()] if read[0] == RST_STREAM], 20)
        assert reset[0][2:] == (1, CANCEL)
        peer.send(info_call(3))
        assert wait_until(lambda: [read for read in [peer.next()] if read[2] == 3], 20)
    assert strikes(server, "body_rate") == 1


def hold_half_messages(server):
    half = b"\0\1\0\0\0" + b"x" * 1_000_000  # of 16 MiB
    with contextlib.ExitStack() as stack:
        for _ in range(2):
            peer = stack.enter_context(Peer(server))
            for stream in range(1, 201, 2):
                peer.send(frame(HEADERS, END_HEADERS, stream, grpc_headers("DoPut")),
                          frame(DATA, 0, stream, half[:1_000_000]))
        wait_until(lambda: strikes(server, "received_bytes") > 100, 20, "strikes")
        alive(server)
        assert server.metrics()["volley_request_held_bytes"] < 34 << 20
        return server.resident_bytes()


def test_many_half_messages_are_refused(own_server):
    server = own_server("--max-received-bytes", "32MiB")
    hold_half_messages(server)
    alive(server)


@pytest.mark.release  # a sanitizer keeps what was freed
def test_many_half_messages_hold_bounded_memory(own_server):
    server = own_server("--max-received-bytes", "32MiB")
    before = server.resident_bytes()
    assert hold_half_messages(server) - before < 100 << 20


def test_bodies_of_queries_hold_bounded_memory(own_server):
    server = own_server("--max-received-bytes", "16MiB")
    head = (b"POST /v1/query HTTP/1.1\r\nhost: localhost\r\ncontent-type: text/plain\r\n"
            b"content-length: 10000000\r\n\r\n")
    with contextlib.ExitStack() as stack:
        answers = []
        for _ in range(3):
            connection = stack.enter_context(server.socket())
            connection.sendall(head + b"-" * 7_000_000)
            connection.settimeout(2)
            with contextlib.suppress(TimeoutError):
                answers.append(connection.recv(1000))
        assert len(answers) == 1
        assert answers[0].startswith(b"HTTP/1.1 429 ") and b"\r\nretry-after: 1\r\n" in answers[0]
        alive(server)
    assert strikes(server, "received_bytes") == 1


def test_uploads_that_wait_for_a_message_hold_bounded_memory(own_server):
    server = own_server("--max-received-bytes", "16MiB")
    sink = io.BytesIO()
    table = pa.table({"v": pa.array([bytes(6 << 20)])})
    with pa.ipc.new_stream(sink, table.schema) as out:
        out.write_table(table)
    body = sink.getvalue()
    with contextlib.ExitStack() as stack:
        for number in range(6):
            connection = stack.enter_context(server.socket())
            with contextlib.suppress(OSError):
                connection.sendall(f"PUT /v1/datasets/wait/{number} HTTP/1.1\r\nhost: localhost\r\n"
                                   f"content-length: {len(body)}\r\n\r\n".encode() + body[: 6 << 20])
        wait_until(lambda: strikes(server, "received_bytes") >= 4, 20, "strikes")
        alive(server)
        assert 11 << 20 < server.metrics()["volley_request_held_bytes"] < 18 << 20
    wait_until(lambda: server.metrics()["volley_request_held_bytes"] == 0)


def test_a_quiet_stream_is_left_alone(own_server):
    server = own_server("--body-grace", "300ms", "--header-timeout", "300ms")
    with Peer(server) as peer:
        peer.send(frame(HEADERS, END_HEADERS, 1, grpc_headers("DoPut")))
        time.sleep(1.5)
        peer.send(frame(PING, 0, 0, b"12345678"))
        while (read := peer.next())[0] != PING or not read[1] & ACK:
            assert read[0] not in (RST_STREAM, GOAWAY)
    assert strikes(server, "body_rate") == 0


def test_idle_connections_go_and_come_back(own_server):
    server = own_server("--idle-timeout", "300ms")
    with server.flight() as client:
        for _ in range(3):
            assert len(list(client.list_actions())) > 0
            time.sleep(0.7)
    assert strikes(server, "idle") >= 1


def test_old_connections_go_without_a_failed_call(own_server):
    server = own_server("--max-connection-age", "300ms")

    def call_for_a_while():
        count = 0
        with server.flight() as client:
            end = time.monotonic() + 3
            while time.monotonic() < end:
                assert len(list(client.list_actions())) > 0
                count += 1
        return count

    callers = [Background(call_for_a_while) for _ in range(3)]
    assert all(caller.outcome(60) > 3 for caller in callers)


def test_a_client_that_ends_within_a_head_is_not_waited_for(own_server):
    server = own_server("--header-timeout", "60s")
    with Peer(server) as peer:
        peer.send(frame(HEADERS, 0, 1, grpc_headers("GetFlightInfo"))[:-3])
        peer.connection.shutdown(1)
        end = time.monotonic() + 10
        while peer.next(10):
            pass
        assert time.monotonic() < end
