"""WebSocket and Server-Sent Events with clients that other people wrote, against the test server.

VOLLEY_HTTP_TEST_SERVER names the program built from tests/wire/http/test_server.c; without it the one in
the build directory of VOLLEY_BINARY is taken, or the one in build-check beside it.

SPDX-License-Identifier: Apache-2.0
"""
import os
import pathlib
import socket
import subprocess

import pytest
from harness import clean_environment
from websockets.exceptions import ConnectionClosedError, ConnectionClosedOK, InvalidStatus
from websockets.sync.client import connect

pytestmark = pytest.mark.timeout(60)
PROGRAM = pathlib.Path("tests/wire/http/http_test_server")


def find_program():
    named = os.environ.get("VOLLEY_HTTP_TEST_SERVER")
    if named:
        return named
    build = pathlib.Path(os.environ.get("VOLLEY_BINARY", "/nowhere/volley")).parent
    for candidate in (build / PROGRAM, build.parent / "build-check" / PROGRAM):
        if candidate.is_file():
            return str(candidate)
    return None


class Server:
    def __init__(self, *arguments):
        program = find_program()
        if program is None:
            pytest.skip("http_test_server is not built")
        self.process = subprocess.Popen([program, "127.0.0.1:0", *arguments], text=True,
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        env=clean_environment())
        self.address = self.process.stdout.readline().strip()

    def connect(self, path="/ws", **options):
        return connect(f"ws://{self.address}{path}", compression=None, max_size=None, **options)

    def drain(self):
        self.process.stdin.close()

    def finish(self):
        if not self.process.stdin.closed:
            self.drain()
        assert self.process.stdout.read().strip() == "alive 0 0"
        assert self.process.wait(timeout=30) == 0


@pytest.fixture
def server():
    server = Server()
    yield server
    server.finish()


def test_echoes_messages_of_every_size(server):
    with server.connect() as client:
        for size in (0, 1, 125, 126, 65535, 65536, 1 << 20):
            text = "é" * (size // 2)
            client.send(text)
            assert client.recv() == text
            body = os.urandom(size)
            client.send(body)
            assert client.recv() == body


def test_puts_fragments_together(server):
    with server.connect() as client:
        client.send(["frag", "ments ", "", "of text ☺"])
        assert client.recv() == "fragments of text ☺"
        client.send(iter([b"\x00", b"\xff" * 70000]))
        assert client.recv() == b"\x00" + b"\xff" * 70000


def test_sends_large_messages_in_fragments(server):
    with server.connect() as client:
        client.send("big")
        parts = list(client.recv_streaming())
        assert "".join(parts) == "b" * 100000
        assert len(parts) == 2


def test_answers_pings_and_agrees_on_a_subprotocol(server):
    with server.connect(subprotocols=["echo.v1", "echo.v2"]) as client:
        assert client.subprotocol == "echo.v2"
        assert client.ping(b"payload").wait(5)
        assert client.response.headers["x-request-id"]


def test_closes_in_turn(server):
    with server.connect() as client:
        client.close(3001, "done")
        assert client.close_code == 3001
    with server.connect() as client:
        client.send("bye")
        with pytest.raises(ConnectionClosedOK):
            client.recv()
        assert (client.close_code, client.close_reason) == (1000, "bye")


def test_refuses_a_message_that_is_too_large(server):
    with server.connect() as client:
        with pytest.raises(ConnectionClosedError):
            client.send(b"x" * ((1 << 20) + 1))
            client.recv()
        assert client.close_code == 1009


def test_refuses_text_that_is_not_utf8(server):
    with server.connect() as client:
        with client.send_context():
            client.protocol.send_text(b"\xff")
        with pytest.raises(ConnectionClosedError):
            client.recv()
        assert client.close_code == 1007


def test_bounds_what_a_slow_reader_costs(server):
    """The flood is held back while the client does not read, and all of it is whole afterwards."""
    with server.connect() as client:
        client.send("flood")
        for _ in range(500):
            assert client.recv() == "f" * 100000


def test_says_goodbye_when_it_drains():
    server = Server()
    with server.connect() as client:
        client.send("hello")
        assert client.recv() == "hello"
        server.drain()
        with pytest.raises(ConnectionClosedOK):
            client.recv()
        assert client.close_code == 1001
    server.finish()


def test_gives_a_dead_peer_up():
    server = Server("50")
    address, port = server.address.split(":")
    request = ("GET /ws HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
               "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")
    with socket.create_connection((address, int(port))) as peer, server.connect() as client:
        peer.sendall(request.encode())
        received = b""
        with pytest.raises(ConnectionError):
            while True:
                part = peer.recv(65536)
                received += part
                if not part:
                    raise ConnectionError
        assert received.endswith(b"\r\n\r\n\x89\x00")
        client.send("its neighbour lives")
        assert client.recv() == "its neighbour lives"
    server.finish()


def test_refuses_what_is_no_handshake(server):
    with pytest.raises(InvalidStatus) as refusal:
        server.connect(path="/nothing")
    assert refusal.value.response.status_code == 404


def read_events(address, headers=()):
    """The events of curl's output until the stream ends."""
    command = ["curl", "-sN", *[word for header in headers for word in ("-H", header)],
               f"http://{address}/events?3"]
    output = subprocess.run(command, check=True, capture_output=True, text=True, timeout=30).stdout
    blocks = [block.splitlines() for block in output.split("\n\n")]
    return [block for block in blocks if block and not block[0].startswith(":")]


def test_streams_events(server):
    events = read_events(server.address)
    assert [event[0] for event in events] == ["id: 1", "id: 2", "id: 3"]
    assert events[0][1:] == ["event: count", "data: event 1", "data: second line"]
    events = read_events(server.address, ["Last-Event-ID: 3"])
    assert [event[0] for event in events] == ["id: 4", "id: 5", "id: 6"]


def test_ends_event_streams_when_it_drains():
    server = Server()
    process = subprocess.Popen(["curl", "-sN", f"http://{server.address}/events"],
                               stdout=subprocess.PIPE, text=True)
    lines = iter(process.stdout.readline, "")
    assert next(line for line in lines if line.startswith("id:")) == "id: 1\n"
    server.drain()
    assert process.wait(timeout=10) == 0
    server.finish()
