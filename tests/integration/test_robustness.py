"""What comes from the network costs its sender one call or one connection, never the server.

SPDX-License-Identifier: Apache-2.0
"""
import contextlib
import random
import re
import socket
import struct
import subprocess
import sys

import flight_sql
import pyarrow as pa
import pyarrow.flight
import pytest
from harness import STREAMING, wait_until
from http2_frames import (
    CONTINUATION, DATA, HEADERS, PING, PREFACE, RST_STREAM, SETTINGS, frame, grpc_headers, literal,
)


def alive(server):
    assert server.process.poll() is None, server.log[-4000:]
    assert server.value("SELECT 1") == 1


def drain(connection):
    """Reads until the server closes; the bytes it sent."""
    received = bytearray()
    with contextlib.suppress(OSError):
        while part := connection.recv(65536):
            received += part
    return bytes(received)


def close_input(connection):
    with contextlib.suppress(OSError):
        connection.shutdown(socket.SHUT_WR)


def exchange(server, sent, door="http"):
    """Sends bytes, half-closes, and returns what came back until the server closed."""
    with server.socket(door) as connection:
        with contextlib.suppress(OSError):
            connection.sendall(sent)
        close_input(connection)
        return drain(connection)


@pytest.mark.parametrize("door", ["http", "flight"])
@pytest.mark.parametrize("seed", range(8))
def test_random_bytes(server, door, seed):
    source = random.Random(seed)
    exchange(server, source.randbytes(source.randrange(1, 20000)), door)
    exchange(server, PREFACE + source.randbytes(source.randrange(1, 20000)), door)
    alive(server)


@pytest.mark.parametrize("seed", range(8))
def test_random_frames(server, seed):
    source = random.Random(seed)
    sent = PREFACE + frame(SETTINGS, 0, 0)
    for _ in range(200):
        sent += frame(source.randrange(12), source.randrange(256), source.randrange(8),
                      source.randbytes(source.randrange(40)))
    exchange(server, sent, "flight")
    alive(server)


def test_half_of_everything(start_server):
    server = start_server("--header-timeout", "200ms")
    head = PREFACE + frame(SETTINGS, 0, 0)
    head += frame(HEADERS, 4, 1, grpc_headers("GetFlightInfo"))
    descriptor = flight_sql.packed("CommandStatementQuery", flight_sql.field(1, "SELECT 1"))
    message = flight_sql.field(1, 2) + flight_sql.field(2, descriptor)
    whole = head + frame(DATA, 1, 1, b"\0" + struct.pack(">I", len(message)) + message)
    for cut in range(1, len(whole), 7):
        exchange(server, whole[:cut], "flight")
    assert b"\0" in exchange(server, whole, "flight")
    alive(server)


@pytest.mark.parametrize("size", [0xFFFFFFFF, 1 << 30, 65 << 20])
def test_announced_message_size_allocates_nothing(server, size):
    before = server.resident_bytes()
    sent = PREFACE + frame(SETTINGS, 0, 0)
    sent += frame(HEADERS, 4, 1, grpc_headers("GetFlightInfo"))
    sent += frame(DATA, 0, 1, b"\0" + struct.pack(">I", size) + b"x" * 100)
    with contextlib.ExitStack() as stack:
        for _ in range(20):
            connection = stack.enter_context(server.socket("flight"))
            connection.sendall(sent)
        alive(server)
        assert server.resident_bytes() - before < 64 << 20


def test_continuation_flood(server):
    before = server.resident_bytes()
    with server.socket("flight") as connection:
        with contextlib.suppress(OSError):
            connection.sendall(PREFACE + frame(SETTINGS, 0, 0) + frame(HEADERS, 0, 1, b""))
            for _ in range(2000):
                connection.sendall(frame(CONTINUATION, 0, 1, literal("x-a", "b" * 100)) * 10)
        drain(connection)
    assert server.resident_bytes() - before < 32 << 20
    alive(server)


def test_rapid_reset(server):
    with server.socket("flight") as connection:
        headers = grpc_headers("ListActions")
        with contextlib.suppress(OSError):
            connection.sendall(PREFACE + frame(SETTINGS, 0, 0))
            for number in range(20000):
                stream = 2 * number + 1
                connection.sendall(frame(HEADERS, 5, stream, headers)
                                   + frame(RST_STREAM, 0, stream, struct.pack(">I", 8)))
        close_input(connection)
        drain(connection)
    alive(server)


@pytest.mark.parametrize("payload", [b"\0" * 8])
def test_ping_and_settings_floods(server, payload):
    before = server.resident_bytes()
    for flood in (frame(PING, 0, 0, payload), frame(SETTINGS, 0, 0)):
        with server.socket("flight") as connection:
            connection.settimeout(2)
            with contextlib.suppress(OSError):
                connection.sendall(PREFACE + frame(SETTINGS, 0, 0))
                for _ in range(100):
                    connection.sendall(flood * 1000)
    assert server.resident_bytes() - before < 32 << 20
    alive(server)


def test_too_many_headers_cost_one_stream(server):
    many = b"".join(literal(f"x-{number}", "v") for number in range(2000))
    head = "GET /healthz HTTP/1.1\r\nhost: localhost\r\n" + "".join(
        f"x-{number}: v\r\n" for number in range(2000)) + "\r\n"
    assert b" 431 " in exchange(server, head.encode())[:40]
    block = grpc_headers("ListActions") + many
    parts = [block[start:start + 16000] for start in range(0, len(block), 16000)]
    sent = PREFACE + frame(SETTINGS, 0, 0) + frame(HEADERS, 1, 1, parts[0])
    for number, part in enumerate(parts[1:], 2):
        sent += frame(CONTINUATION, 4 if number == len(parts) else 0, 1, part)
    exchange(server, sent, "flight")
    alive(server)


SMUGGLING = {
    "length and chunked": "content-length: 5\r\ntransfer-encoding: chunked\r\n",
    "two lengths": "content-length: 5\r\ncontent-length: 6\r\n",
    "list of lengths": "content-length: 5, 5\r\n",
    "signed length": "content-length: +5\r\n",
    "unknown coding": "transfer-encoding: xchunked\r\n",
    "space before colon": "content-length : 5\r\n",
    "folded": "x-a: b\r\n c: d\r\ncontent-length: 5\r\n",
    "bare line feed": "x-a: b\ncontent-length: 5\r\n",
    "bare carriage return": "x-a: b\rc: d\r\n",
    "null byte": "x-a: b\0c\r\n",
}


@pytest.mark.parametrize("form", SMUGGLING, ids=lambda form: form.replace(" ", "-"))
def test_smuggling_forms_are_refused(server, form):
    sent = f"POST /v1/query HTTP/1.1\r\nhost: localhost\r\n{SMUGGLING[form]}\r\nSELECT 1\r\n\r\n"
    answer = exchange(server, sent.encode("latin-1"))
    assert answer == b"" or answer.startswith((b"HTTP/1.1 4", b"HTTP/1.1 501")), answer
    assert len(re.findall(rb"^HTTP/1\.1 \d", answer, re.MULTILINE)) <= 1


HOST = "host: localhost\r\n"
POST = f"POST /v1/query HTTP/1.1\r\n{HOST}"


@pytest.mark.parametrize(
    "sent",
    ["GET / HTTP/1.1\r\n\r\n", f"GET / HTTP/3.0\r\n{HOST}\r\n", f"GET  / HTTP/1.1\r\n{HOST}\r\n",
     f"GET /\x01 HTTP/1.1\r\n{HOST}\r\n", "G" * 100_000, "GET /" + "a" * 100_000 + " HTTP/1.1\r\n",
     POST + "transfer-encoding: chunked\r\n\r\nZZ\r\n",
     POST + "transfer-encoding: chunked\r\n\r\nffffffffffffffff1\r\n",
     POST + "content-length: 99999999999999999999\r\n\r\n"],
)
def test_malformed_requests(server, sent):
    answer = exchange(server, sent.encode("latin-1"))
    assert answer == b"" or answer.startswith((b"HTTP/1.1 4", b"HTTP/1.1 5")), answer[:100]
    alive(server)


def test_bodies_that_are_no_utf8(server):
    headers = {"content-type": "text/plain"}
    answer = server.request("POST", "/v1/query", b"SELECT '\xff\xfe' AS v", headers)
    assert answer.status == 400
    answer = server.request("POST", "/v1/query", b"SELECT 'a\0b' AS v", headers)
    assert answer.status in (200, 400)
    alive(server)


def test_a_tls_client_on_a_plain_port_is_turned_away(server):
    hello = bytes.fromhex("16030100c8010000c40303") + b"\0" * 189
    assert exchange(server, hello, "flight") == b""
    alive(server)


def test_slow_head_is_closed(start_server):
    server = start_server("--header-timeout", "500ms")
    with server.socket() as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nhost")
        drain(connection)
    with server.socket("flight") as connection:
        connection.sendall(PREFACE[:10])
        drain(connection)
    alive(server)


def test_garbage_in_flight_messages(server):
    rng = random.Random(1)
    with server.flight() as client:
        for size in (0, 1, 5, 100, 10000):
            descriptor = pyarrow.flight.FlightDescriptor.for_command(rng.randbytes(size))
            with pytest.raises(pa.ArrowException):
                client.get_flight_info(descriptor)
            with pytest.raises(pa.ArrowException):
                client.do_get(pyarrow.flight.Ticket(rng.randbytes(size))).read_all()
            with pytest.raises(pa.ArrowException):
                list(client.do_action((f"no-{size}", rng.randbytes(size))))
        packed = flight_sql.packed("CommandStatementQuery", b"\x0a\xff\xff\xff\xff\x0f")
        with pytest.raises(pa.ArrowException):
            client.get_flight_info(pyarrow.flight.FlightDescriptor.for_command(packed))
        assert flight_sql.query(client, "SELECT 1 AS v")["v"].to_pylist() == [1]
    alive(server)


def test_a_client_that_is_killed_leaves_nothing(server, tmp_path):
    program = tmp_path / "reader.py"
    program.write_text(
        "import sys\nimport pyarrow.flight as f\nc = f.connect(sys.argv[1])\n"
        "d = f.FlightDescriptor.for_command(bytes.fromhex(sys.argv[2]))\n"
        "r = c.do_get(c.get_flight_info(d).endpoints[0].ticket)\nr.read_chunk()\n"
        "print('reading', flush=True)\nsys.stdin.read()\n")
    command = flight_sql.query_descriptor(STREAMING.format(mark="killed_client")).command.hex()
    with subprocess.Popen([sys.executable, program, server.flight_url, command],
                          stdin=subprocess.PIPE, stdout=subprocess.PIPE) as client:
        assert client.stdout.readline() == b"reading\n"
        assert server.running("killed_client")
        client.kill()
    wait_until(lambda: not server.running("killed_client"), what="the end of its query")


def test_five_hundred_connections(start_server):
    server = start_server("--query-queue", "1000")
    with contextlib.ExitStack() as stack:
        connections = [stack.enter_context(server.socket()) for _ in range(500)]
        request = (b"POST /v1/query?format=csv HTTP/1.1\r\nhost: localhost\r\n"
                   b"content-length: 13\r\n\r\nSELECT 3 AS v")
        for connection in connections:
            connection.sendall(request)
        for connection in connections:
            received = b""
            while b"3\r\n" not in received.partition(b"\r\n\r\n")[2]:
                part = connection.recv(4096)
                assert part, received
                received += part
            assert received.startswith(b"HTTP/1.1 200")
    alive(server)


def test_connections_beyond_the_limit_of_descriptors_do_not_stop_the_server(server):
    with contextlib.ExitStack() as stack:
        for _ in range(1500):
            stack.enter_context(server.socket())
        alive(server)
    alive(server)


def test_nothing_is_left_behind(server):
    """Runs after the tests above in this file: calls, and statements that were started, are over."""
    calls = 'volley_live_objects{kind="call"}'
    wait_until(lambda: server.metrics()[calls] == 0, what="the end of all calls")
    wait_until(lambda: not server.statements("", ("queued", "running")), what="the end of statements")
