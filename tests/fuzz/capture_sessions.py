#!/usr/bin/env python3
"""Records what real clients send, as seeds of http_connection_fuzz.

    VOLLEY_BINARY=build/volley .cache/venv/bin/python tests/fuzz/capture_sessions.py

Each session goes through a recording proxy to a running server; the client's bytes become a file of
tests/fuzz/corpus/http_connection, led by the two bytes that the target takes as its options (most:
whole reads, a TCP socket that takes everything). The first letter of a path tells the target's handler how
to answer. Clients that tools/setup_tests.sh did not build are left out.

SPDX-License-Identifier: Apache-2.0
"""
import contextlib
import os
import socket
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(REPOSITORY / "tests" / "integration"))
CORPUS = REPOSITORY / "tests" / "fuzz" / "corpus" / "http_connection"
CLIENTS = Path(os.environ.get("VOLLEY_CACHE", REPOSITORY / ".cache")) / "clients"
OPTIONS = b"\0\0"
DRAINING = b"\x40\4"  # reads of 64 bytes, and the server drains after the first
GRPC_CALLS = (
    '{"method": "/echo.Service/Unary", "send": [{"hex": "0a03666f6f"}], "metadata": [["x-a-bin", "00ff"]]}',
    '{"method": "/big.Service/Upload", "send": [{"hex": "00", "repeat": 3}], "timeout_ms": 300}',
    '{"method": "/text.Service/Cancel", "send": [{"zeros": 300}], "gzip": true, "cancel_ms": 50}',
)
DRAINED = ("grpc_js", "curl_http2_post")
HAND_MADE = {
    "http1_pipelined": b"".join(
        b"GET /%s HTTP/1.1\r\nhost: a\r\n\r\n" % path for path in (b"text", b"big", b"nobody", b"x")),
    "http1_chunked_pipelined": b"POST /echo HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n"
    b"trailer: x-sum\r\n\r\n5;name=value\r\nhello\r\n3\r\nabc\r\n0\r\nx-sum: 1\r\n\r\n"
    b"HEAD /text HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n",
    "http1_options": b"OPTIONS * HTTP/1.1\r\nhost: a\r\n\r\n"
    b"GET http://a/text?a=1&b=%20 HTTP/1.1\r\nhost: a\r\n\r\n",
    "http10": b"GET /text HTTP/1.0\r\nconnection: keep-alive\r\n\r\nGET /big HTTP/1.0\r\n\r\n",
    "http1_websocket": b"GET /upgrade HTTP/1.1\r\nhost: a\r\nupgrade: websocket\r\nconnection: upgrade\r\n"
    b"sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    b"\x81\x85abcd\x09\x07\x0f\x08\x0e",
}


class Recorder:
    """A proxy in front of an address; `sent` is what its clients sent, of all connections in turn."""

    def __init__(self, address):
        self.address, self.sent = address, bytearray()
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        with contextlib.suppress(OSError):
            while True:
                client, _ = self.listener.accept()
                server = socket.create_connection(self.address)
                threading.Thread(target=self.copy, args=(client, server, self.sent), daemon=True).start()
                threading.Thread(target=self.copy, args=(server, client, bytearray()), daemon=True).start()

    @staticmethod
    def copy(source, target, record):
        with contextlib.suppress(OSError):
            while part := source.recv(65536):
                record += part
                target.sendall(part)
            target.shutdown(socket.SHUT_WR)


def record(address, name, command):
    recorder = Recorder(address)
    subprocess.run([word.replace("PORT", str(recorder.port)) for word in command], timeout=60,
                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)
    recorder.listener.close()
    (CORPUS / name).write_bytes((DRAINING if name in DRAINED else OPTIONS) + recorder.sent)
    print(name, len(recorder.sent))


def grpc_clients(script):
    commands = {"go": [str(CLIENTS / "grpc-go")], "tonic": [str(CLIENTS / "grpc-tonic")],
                "js": ["node", str(CLIENTS / "grpc-js" / "grpc_js.js")],
                "java": ["java", "-cp", f"{CLIENTS}/grpc-java:{CLIENTS}/grpc-java/jars/*", "GrpcJava"]}
    for name, command in commands.items():
        yield f"grpc_{name}", [*command, "127.0.0.1:PORT", script]
    call = ("import grpc\nwith grpc.insecure_channel('127.0.0.1:PORT') as channel:\n"
            "    channel.unary_unary('/echo.Service/Unary').future(b'abc', timeout=1).exception()\n"
            "    channel.stream_stream('/big.Service/Both')(iter([b'a', b'']), timeout=1).code()\n")
    yield "grpc_core", [sys.executable, "-c", call]


def curl_sessions():
    url = "http://127.0.0.1:PORT"
    for version, option in (("1", "--http1.1"), ("2", "--http2-prior-knowledge"), ("1_h2c", "--http2")):
        curl = ["curl", "--silent", option, "--max-time", "5"]
        yield f"curl_http{version}", [*curl, url + "/text?a=1", "--header", "accept-encoding: gzip"]
        yield f"curl_http{version}_post", [*curl, url + "/echo", "--data", "hello" * 20,
                                           "--header", "transfer-encoding: chunked"]
    yield "curl_http1_expect", ["curl", "--silent", url + "/echo", "--data", "hello",
                                "--header", "expect: 100-continue", "--max-time", "5"]
    yield "curl_http1_form", ["curl", "--silent", url + "/echo", "--form", "a=b", "--max-time", "5"]


def main():
    from harness import Server

    CORPUS.mkdir(parents=True, exist_ok=True)
    for name, content in HAND_MADE.items():
        (CORPUS / name).write_bytes(OPTIONS + content)
    with tempfile.TemporaryDirectory() as folder:
        script = Path(folder) / "calls.jsonl"
        script.write_text("\n".join(GRPC_CALLS) + "\n")
        server = Server(os.environ["VOLLEY_BINARY"], Path(folder)).wait_ready()
        try:
            for name, command in (*curl_sessions(), *grpc_clients(str(script))):
                if Path(command[0]).exists() or "/" not in command[0]:
                    record(server.flight_address if name.startswith("grpc") else server.http_address,
                           name, command)
        finally:
            server.kill()


if __name__ == "__main__":
    main()
