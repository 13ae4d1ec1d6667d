"""What hostile and broken clients do, each a function of a server and a number of rounds.

All connect from 127.0.0.2, so that a bound of connections per address is theirs alone. What the
server answers is theirs to lose: only pipelined requests, which are legal, must be answered whole.

SPDX-License-Identifier: Apache-2.0
"""
import contextlib
import gzip
import random
import socket
import ssl
import struct
import subprocess
import sys

import flight_sql
from harness import STREAMING
from http2_frames import (
    ACK, CANCEL, CONTINUATION, DATA, END_HEADERS, END_STREAM, HEADERS, PING, PREFACE, PRIORITY,
    RST_STREAM, SETTINGS, frame, grpc_headers, grpc_message, header_block, literal, settings,
    window_update,
)

IP_BIND_ADDRESS_NO_PORT = 24  # of linux/in.h
HOST = b"host: localhost\r\n"
LIST_ACTIONS = frame(HEADERS, END_HEADERS | END_STREAM, 1, grpc_headers("ListActions"))
JUNK = (
    b"POST /v1/query HTTP/1.1\r\n" + HOST +
    b"content-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
    b"POST /v1/query HTTP/1.1\r\n" + HOST + b"content-length: 5\r\ncontent-length: 6\r\n\r\nSELECT",
    b"POST /v1/query HTTP/1.1\r\n" + HOST + b"transfer-encoding: xchunked\r\n\r\n0\r\n\r\n",
    b"POST /v1/query HTTP/1.1\r\n" + HOST + b"transfer-encoding: chunked\r\n\r\nfffffffffffffffff\r\n",
    b"GET / HTTP/1.1\r\n" + HOST + b"x-a: b\r\n folded: c\r\n\r\n",
    b"GET / HTTP/1.1\r\n" + HOST + b"content-length : 5\r\n\r\n",
    b"GET / HTTP/1.1\n" + HOST + b"\n\n",
    b"\x16\x03\x01\x00\xc8\x01\x00\x00\xc4\x03\x03" + b"\0" * 100,
    b"SSH-2.0-OpenSSH_9.2p1 Debian\r\n",
)


@contextlib.contextmanager
def hostile(server, door="flight", receive_bytes=None):
    """A connection whose failures are expected: the server may close it at any time.

    `door` is "http", "flight", or "tls", which is the second Flight address.
    """
    address = {"http": server.http_address, "flight": server.flight_address}.get(door)
    if door == "tls":
        host, _, port = server.addresses["flight"][1].removeprefix("tls://").rpartition(":")
        address = host, int(port)
    with socket.socket() as connection:
        if receive_bytes:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
        connection.settimeout(60)
        connection.setsockopt(socket.IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1)
        connection.bind(("127.0.0.2", 0))
        connection.connect(address)
        with contextlib.suppress(OSError):
            yield connection


def read_to_end(connection):
    while connection.recv(1 << 18):
        pass


def half_close_and_read(connection):
    connection.shutdown(socket.SHUT_WR)
    read_to_end(connection)


def rapid_reset(server, rounds):
    for _ in range(rounds):
        with hostile(server) as connection:
            connection.sendall(PREFACE + settings())
            for stream in range(1, 16001, 2):
                connection.sendall(
                    frame(HEADERS, END_HEADERS, stream, grpc_headers("DoGet"))
                    + frame(RST_STREAM, 0, stream, CANCEL))
            half_close_and_read(connection)


def made_you_reset(server, rounds):
    for number in range(rounds):
        offence = (window_update, lambda stream, _: frame(DATA, 0, stream, b"x"),
                   lambda stream, _: frame(PRIORITY, 0, stream, struct.pack(">IB", stream, 1)))[number % 3]
        with hostile(server) as connection:
            connection.sendall(PREFACE + settings())
            for stream in range(1, 4001, 2):
                connection.sendall(
                    frame(HEADERS, END_HEADERS | END_STREAM, stream, grpc_headers("ListActions"))
                    + offence(stream, 0))
            half_close_and_read(connection)


def control_frame_floods(server, rounds):
    floods = (frame(PING, 0, 0, b"12345678"), frame(SETTINGS, 0, 0), frame(SETTINGS, ACK, 0),
              window_update(0, 1), frame(DATA, 0, 1), frame(PRIORITY, 0, 9, b"\0\0\0\0\1"),
              frame(0xBB, 0, 0, b"unknown"))
    for number in range(rounds):
        with hostile(server) as connection:
            connection.sendall(PREFACE + settings() + frame(
                HEADERS, END_HEADERS, 1, grpc_headers("DoPut")))
            for _ in range(20):
                connection.sendall(floods[number % len(floods)] * 500)
            half_close_and_read(connection)


def oversized_headers(server, rounds):
    fill = literal("x-fill", "v" * 1000)
    for number in range(rounds):
        with hostile(server) as connection:
            connection.sendall(PREFACE + settings() + frame(HEADERS, 0, 1, header_block("GET", "/")))
            for _ in range(60):
                connection.sendall(frame(CONTINUATION, 0, 1, fill * (number % 12)))
            half_close_and_read(connection)
        with hostile(server, "http") as connection:
            connection.sendall(b"GET / HTTP/1.1\r\n" + HOST + b"x-fill: " + b"v" * 200_000)
            half_close_and_read(connection)


def half_messages(server, rounds):
    query = flight_sql.query_descriptor("SELECT 1").serialize()
    whole = (PREFACE + settings() + frame(HEADERS, END_HEADERS, 1, grpc_headers("GetFlightInfo"))
             + frame(DATA, END_STREAM, 1, grpc_message(query)))
    for number in range(rounds):
        with hostile(server) as connection:
            connection.sendall(whole[:1 + number * 13 % (len(whole) - 1)])
            if number % 2:
                half_close_and_read(connection)
        with hostile(server) as connection:
            connection.sendall(
                PREFACE + settings() + frame(HEADERS, END_HEADERS, 1, grpc_headers("GetFlightInfo"))
                + frame(DATA, END_STREAM, 1, grpc_message(query)[:number % len(query)]))
            half_close_and_read(connection)


def windows(server, rounds):
    """Windows of nothing, of one byte, and over the largest."""
    for number in range(rounds):
        with hostile(server) as connection:
            connection.sendall(PREFACE + settings(initial_window_size=number % 2) + LIST_ACTIONS)
            for _ in range(40):
                connection.sendall(window_update(1, 1))
            if number % 3 == 0:
                connection.sendall(window_update(0, 0x7FFFFFFF) + window_update(1, 0x7FFFFFFF))
                read_to_end(connection)


def slow_readers(server, rounds):
    for number in range(rounds):
        sql = STREAMING.format(mark="slow_reader").encode()
        with hostile(server, "http", 4096) as connection:
            connection.sendall(b"POST /v1/query?format=csv HTTP/1.1\r\n" + HOST
                               + b"content-length: %d\r\n\r\n" % len(sql) + sql)
            for _ in range(20):
                connection.recv(512)
            if number % 2:  # ends by a reset: unread bytes are there
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def churn(server, rounds):
    for number in range(rounds):
        with hostile(server, "http" if number % 2 else "flight") as connection:
            if number % 3 == 1:
                connection.sendall(PREFACE[:number % len(PREFACE)])
            if number % 3 == 2:
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def cancelled_downloads(server, rounds):
    with server.flight() as client:
        for number in range(rounds):
            info = client.get_flight_info(flight_sql.query_descriptor(STREAMING.format(mark="cancelled")))
            reader = client.do_get(info.endpoints[0].ticket)
            for _ in range(number % 4):
                reader.read_chunk()
            reader.cancel()


def aborted_uploads(server, rounds):
    update = flight_sql.update_descriptor("SELECT 1").serialize()
    message = grpc_message(flight_sql.field(1, update) + flight_sql.field(1000, b"x" * 5000))
    endings = (frame(RST_STREAM, 0, 1, CANCEL), frame(DATA, END_STREAM, 1), b"")
    for number in range(rounds):
        with hostile(server) as connection:
            connection.sendall(
                PREFACE + settings() + frame(HEADERS, END_HEADERS, 1, grpc_headers("DoPut"))
                + frame(DATA, 0, 1, message[:number * 97 % len(message)]) + endings[number % 3])
            if number % 2:
                half_close_and_read(connection)


def decompression_bombs(server, rounds):
    bomb = gzip.compress(bytes(8 << 20))
    message = b"\1" + struct.pack(">I", len(bomb)) + bomb
    headers = grpc_headers("GetFlightInfo") + literal("grpc-encoding", "gzip")
    for _ in range(rounds):
        with hostile(server) as connection:
            connection.sendall(PREFACE + settings() + frame(HEADERS, END_HEADERS, 1, headers)
                               + frame(DATA, END_STREAM, 1, message))
            half_close_and_read(connection)
        with hostile(server, "http") as connection:
            connection.sendall(b"POST /v1/query HTTP/1.1\r\n" + HOST + b"content-encoding: gzip\r\n"
                               b"content-length: %d\r\n\r\n" % len(bomb) + bomb)
            half_close_and_read(connection)


def handshakes(server, rounds):
    """TLS that is cut off, spoiled, or left unused."""
    context = ssl._create_unverified_context()
    context.set_alpn_protocols(["h2"])
    hello = ssl.MemoryBIO()
    with contextlib.suppress(ssl.SSLWantReadError):
        context.wrap_bio(ssl.MemoryBIO(), hello).do_handshake()
    hello = hello.read()
    for number in range(rounds):
        with hostile(server, "tls") as connection:
            if number % 4 == 0:
                connection.sendall(hello[:number % len(hello)])
            elif number % 4 == 1:
                connection.sendall(hello + b"x" * (number % 50))
                half_close_and_read(connection)
            else:
                secure = context.wrap_socket(connection)
                secure.sendall(PREFACE + settings() + LIST_ACTIONS)
                if number % 4 == 3:  # goes on in the clear
                    socket.socket.sendall(secure, b"junk" * number)
                secure.recv(10)


def abandoned_events(server, rounds):
    for number in range(rounds):
        with hostile(server, "http") as connection:
            connection.sendall(b"GET /v1/queries/events HTTP/1.1\r\n" + HOST + b"\r\n")
            if number % 2:
                connection.recv(100)


def pipelining(server, rounds):
    request = b"GET /healthz HTTP/1.1\r\n" + HOST + b"\r\n"
    last = b"GET /healthz HTTP/1.1\r\n" + HOST + b"connection: close\r\n\r\n"
    for number in range(rounds):
        answer = bytearray()
        with hostile(server, "http") as connection:
            connection.sendall(request * 49 + last)
            while part := connection.recv(1 << 16):
                answer += part
        assert answer.count(b"HTTP/1.1 200 ") == 50, bytes(answer[:500])
        with hostile(server, "http") as connection:
            connection.sendall(request * 20 + JUNK[number % len(JUNK)] + request * 20)
            half_close_and_read(connection)


def junk(server, rounds):
    source = random.Random(rounds)
    for number in range(rounds):
        for sent in (JUNK[number % len(JUNK)], source.randbytes(source.randrange(1, 4000)),
                     PREFACE + source.randbytes(source.randrange(1, 4000))):
            with hostile(server, "http" if number % 2 else "flight") as connection:
                connection.sendall(sent)
                half_close_and_read(connection)


KILLED = """
import socket, sys
connection = socket.create_connection((sys.argv[1], int(sys.argv[2])))
sql = sys.argv[3].encode()
connection.sendall(b"POST /v1/query?format=csv HTTP/1.1\\r\\nhost: localhost\\r\\n"
                   b"content-length: %d\\r\\n\\r\\n"
                   % len(sql) + sql)
connection.recv(4096)
print("reading", flush=True)
while connection.recv(4096):
    pass
"""


def killed_clients(server, rounds):
    for _ in range(rounds):
        with subprocess.Popen(
            [sys.executable, "-S", "-c", KILLED, *map(str, server.http_address),
             STREAMING.format(mark="killed")], stdout=subprocess.PIPE,
        ) as client:
            assert client.stdout.readline() == b"reading\n"
            client.kill()


# Each with the rounds of one soak.
ABUSES = (
    (rapid_reset, 12), (made_you_reset, 60), (control_frame_floods, 350), (oversized_headers, 150),
    (half_messages, 1500), (windows, 150), (slow_readers, 40), (churn, 4000),
    (cancelled_downloads, 60), (aborted_uploads, 1500), (pipelining, 150), (junk, 800),
    (killed_clients, 12), (decompression_bombs, 12), (handshakes, 300), (abandoned_events, 200),
)
