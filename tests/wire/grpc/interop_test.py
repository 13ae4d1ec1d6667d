"""The gRPC server against the gRPC C core (grpcio), without generated code.

    VOLLEY_GRPC_TEST_SERVER=PATH pytest interop_test.py

SPDX-License-Identifier: Apache-2.0
"""

import base64
import contextlib
import http.client
import os
import pathlib
import re
import shutil
import socket
import subprocess
import threading
import time

import pytest

grpc = pytest.importorskip("grpc")

SERVER = os.environ.get("VOLLEY_GRPC_TEST_SERVER")
pytestmark = pytest.mark.skipif(not SERVER, reason="VOLLEY_GRPC_TEST_SERVER is not set")
SPECIAL = "\t\ntest with whitespace\r\nand Unicode BMP ☺ and non-BMP \U0001f608\t\n"


@contextlib.contextmanager
def server():
    process = subprocess.Popen([SERVER, "127.0.0.1:0"], stdin=subprocess.PIPE,
                               stdout=subprocess.PIPE, text=True)
    yield process, process.stdout.readline().strip()
    process.stdin.close()
    assert process.stdout.read().strip() == "alive 0"
    assert process.wait(timeout=10) == 0


@pytest.fixture(scope="module")
def address():
    with server() as (_, bound):
        yield bound


@pytest.fixture(scope="module")
def channel(address):
    options = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]
    with grpc.insecure_channel(address, options) as channel:
        yield channel


def unary(channel, name):
    return channel.unary_unary("/test.Service/" + name)


def download(channel, name):
    return channel.unary_stream("/test.Service/" + name)


def counts(channel):
    opened, cancelled, closed = unary(channel, "Counts")(b"").split()
    return int(opened), int(cancelled), int(closed)


def wait_until_open(channel, expected):
    while True:
        opened, _, closed = counts(channel)
        if opened - closed == expected:
            return
        time.sleep(0.001)


def wait_until_idle(channel):
    for _ in range(1000):
        opened, cancelled, closed = counts(channel)
        if opened == closed:
            return cancelled
        time.sleep(0.01)
    pytest.fail(f"{opened - closed} calls were not closed")


def failure(call, *arguments, **keywords):
    with pytest.raises(grpc.RpcError) as caught:
        response = call(*arguments, **keywords)
        if not isinstance(response, bytes):
            list(response)
    return caught.value


def test_empty_unary(channel):
    assert unary(channel, "Empty")(b"") == b""
    assert unary(channel, "BlockingEmpty")(b"") == b""


@pytest.mark.parametrize("size", [0, 1, 271828, 10_000_000])
def test_echo(channel, size):
    message = os.urandom(size)
    assert unary(channel, "Echo")(message) == message


def test_upload(channel):
    call = channel.stream_unary("/test.Service/Sum")
    assert call(bytes(n) for n in (27182, 8, 1828, 45904)) == b"74922"
    assert call(iter([])) == b"0"
    assert call(bytes(100_000) for _ in range(500)) == b"50000000"


def test_download(channel):
    sizes = [31415, 9, 2653, 58979, 0]
    responses = download(channel, "Sizes")(",".join(map(str, sizes)).encode())
    assert [len(response) for response in responses] == sizes
    assert list(download(channel, "Sizes")(b"")) == []


def test_download_of_large_messages(channel):
    responses = download(channel, "Sizes")(b"20000000,1,20000000")
    assert [len(response) for response in responses] == [20000000, 1, 20000000]


def test_ping_pong(channel):
    ready = threading.Semaphore(1)
    sizes = [27182, 8, 1828, 45904, 0, 1]

    def requests():
        for size in sizes:
            ready.acquire()
            yield bytes(size)

    received = []
    for response in channel.stream_stream("/test.Service/PingPong")(requests()):
        received.append(len(response))
        ready.release()
    assert received == sizes


def test_empty_exchange(channel):
    assert list(channel.stream_stream("/test.Service/PingPong")(iter([]))) == []


@pytest.mark.parametrize("count", [0, 2])
@pytest.mark.parametrize("code", [code for code in grpc.StatusCode if code.value[0]])
def test_every_status(channel, code, count):
    call = download(channel, "Fail")(f"{code.value[0]} {count} it is {code.name}".encode())
    received = []
    with pytest.raises(grpc.RpcError) as caught:
        for message in call:
            received.append(message)
    assert len(received) == count
    assert caught.value.code() == code
    assert caught.value.details() == f"it is {code.name}"


@pytest.mark.parametrize("message", [SPECIAL, "100%", "a" * 1000, ""])
def test_status_messages(channel, message):
    error = failure(download(channel, "Fail"), b"5 0 " + message.encode())
    assert error.details() == message


def test_long_status_message_is_cut(channel):
    error = failure(download(channel, "Fail"), b"5 0 " + b"\xe2\x98\xba" * 7000)
    assert error.code() == grpc.StatusCode.NOT_FOUND
    assert set(error.details()) == {"☺"}


def test_unknown_methods(channel):
    error = failure(unary(channel, "Nope"), b"")
    assert error.code() == grpc.StatusCode.UNIMPLEMENTED
    assert "Nope" in error.details()
    assert failure(channel.unary_unary("/x/y"), b"").code() == grpc.StatusCode.UNIMPLEMENTED


def test_metadata(channel):
    raw = bytes(range(256))
    _, call = unary(channel, "Metadata").with_call(
        b"", metadata=[("x-initial", "text here"), ("x-trailing-bin", raw)])
    assert ("x-initial", "text here") in [tuple(item) for item in call.initial_metadata()]
    assert ("x-trailing-bin", raw) in [tuple(item) for item in call.trailing_metadata()]


def test_cardinality(channel):
    sends_many = channel.stream_unary("/test.Service/Echo")
    assert failure(sends_many, iter([])).code() == grpc.StatusCode.UNIMPLEMENTED
    assert failure(sends_many, iter([b"a", b"b"])).code() == grpc.StatusCode.UNIMPLEMENTED
    assert sends_many(iter([b"a"])) == b"a"


def test_message_over_the_limit(channel):
    error = failure(unary(channel, "Echo"), bytes((64 << 20) + 1))
    assert error.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
    assert unary(channel, "Empty")(b"") == b""


@pytest.mark.parametrize("compression", [grpc.Compression.Gzip, grpc.Compression.Deflate])
@pytest.mark.parametrize("size", [0, 1, 1000, 100_000, 900_000, 15_000_000])
def test_compression(channel, compression, size):
    """Requests come compressed; responses of up to 1 MiB leave so."""
    message = (b"all work and no play " * (size // 20 + 1))[:size]
    assert unary(channel, "Echo")(message, compression=compression) == message
    noise = os.urandom(size)
    assert unary(channel, "Echo")(noise, compression=compression) == noise


def test_compressed_streams(channel):
    messages = [bytes(n * 1000) for n in range(50)]
    call = channel.stream_stream("/test.Service/PingPong")
    assert list(call(iter(messages), compression=grpc.Compression.Gzip)) == messages


def test_compressed_message_over_the_limit(channel):
    for size in ((64 << 20) + 1, 100 << 20):
        error = failure(unary(channel, "Echo"), bytes(size), compression=grpc.Compression.Gzip)
        assert error.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
    # Less than that, but more than 100:1.
    error = failure(unary(channel, "Echo"), bytes(40 << 20), compression=grpc.Compression.Gzip)
    assert error.code() == grpc.StatusCode.RESOURCE_EXHAUSTED


def test_small_calls_beside_a_large_compressed_one(channel):
    large = os.urandom(1 << 20) * 30
    future = unary(channel, "Echo").future(large, compression=grpc.Compression.Gzip)
    while not future.done():
        assert unary(channel, "Echo")(b"small", timeout=5) == b"small"
    assert future.result() == large


def test_status_details(channel):
    error = failure(download(channel, "Fail"), b"5 0 gone")
    details = dict(error.trailing_metadata())["grpc-status-details-bin"]
    assert details.startswith(b"\x08\x05\x12\x04gone\x1a"), "code, message, then the reason"
    for part in (b"google.rpc.ErrorInfo", b"NOT_FOUND", b"42704"):
        assert part in details


def test_early_failure_of_an_upload(channel):
    call = channel.stream_stream("/test.Service/FailUpload")
    error = failure(call, (bytes(1 << 20) for _ in range(100)))
    assert error.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
    assert error.details() == "no room"


@pytest.mark.parametrize("name", ["Stall", "Flood", "Sleep"])
def test_deadlines(channel, name):
    before = wait_until_idle(channel)
    call = channel.unary_stream("/test.Service/" + name)(b"", timeout=0.2)
    started = time.monotonic()
    with pytest.raises(grpc.RpcError) as caught:
        for _ in call:
            if name == "Flood":
                time.sleep(1)  # a client that does not read
    assert caught.value.code() == grpc.StatusCode.DEADLINE_EXCEEDED
    assert time.monotonic() - started < 5
    assert wait_until_idle(channel) == before + 1


@pytest.mark.parametrize("name", ["Stall", "Flood", "Sleep"])
def test_cancel(channel, name):
    before = wait_until_idle(channel)
    call = channel.unary_stream("/test.Service/" + name)(b"")
    if name == "Flood":
        for _ in range(10):
            next(call)
    else:
        wait_until_open(channel, 1)
    call.cancel()
    assert wait_until_idle(channel) == before + 1


def test_disconnect(address, channel):
    before = wait_until_idle(channel)
    with grpc.insecure_channel(address, [("grpc.use_local_subchannel_pool", 1)]) as other:
        calls = [download(other, name)(b"") for name in ("Stall", "Flood", "Sleep")]
        next(calls[1])
        wait_until_open(channel, 3)
    assert wait_until_idle(channel) == before + 3


def test_many_calls_at_once(channel):
    calls = [unary(channel, "Echo").future(str(n).encode()) for n in range(2000)]
    assert [call.result() for call in calls] == [str(n).encode() for n in range(2000)]


def test_health(channel):
    check = channel.unary_unary("/grpc.health.v1.Health/Check")
    assert check(b"") == b"\x08\x01"
    assert check(b"\x0a\x0ctest.Service") == b"\x08\x01"
    assert failure(check, b"\x0a\x03foo").code() == grpc.StatusCode.NOT_FOUND
    assert b"\x0a\x0ctest.Service\x12\x02\x08\x01" in channel.unary_unary(
        "/grpc.health.v1.Health/List")(b"")


def test_health_watch(channel):
    call = channel.unary_stream("/grpc.health.v1.Health/Watch")(b"\x0a\x03foo")
    assert next(call) == b"\x08\x03"
    # It stays open: the next answer comes with the client's cancel.
    threading.Timer(0.1, call.cancel).start()
    with pytest.raises(grpc.RpcError) as caught:
        next(call)
    assert caught.value.code() == grpc.StatusCode.CANCELLED


def test_health_watch_sees_the_drain():
    with server() as (process, bound), grpc.insecure_channel(bound) as channel:
        watch = channel.unary_stream("/grpc.health.v1.Health/Watch")(b"")
        assert next(watch) == b"\x08\x01"
        # It keeps the connection open as long as another call does.
        reflection = channel.stream_stream(REFLECTION)(iter([]))
        assert list(reflection) == []
        process.stdin.write("d")
        process.stdin.flush()
        assert next(watch) == b"\x08\x02"
        with pytest.raises(grpc.RpcError) as caught:
            next(watch)
        assert caught.value.code() == grpc.StatusCode.UNAVAILABLE


# --- reflection ---


REFLECTION = "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo"


def fields(message):
    """(number, value) of each field: integers of varints, bytes of the others."""
    at = 0

    def varint():
        nonlocal at
        value = shift = 0
        while True:
            byte = message[at]
            at += 1
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                return value
            shift += 7

    while at < len(message):
        tag = varint()
        if tag & 7 == 0:
            yield tag >> 3, varint()
            continue
        assert tag & 7 == 2
        size = varint()
        yield tag >> 3, message[at:at + size]
        at += size


def question(kind, text):
    return bytes([kind << 3 | 2, len(text)]) + text.encode()


@pytest.mark.parametrize("version", ["v1", "v1alpha"])
def test_reflection(channel, version):
    call = channel.stream_stream(
        f"/grpc.reflection.{version}.ServerReflection/ServerReflectionInfo")
    questions = [question(7, "*"), question(4, "arrow.flight.protocol.FlightService.DoGet"),
                 question(3, "FlightSql.proto"), question(3, "nope.proto"), question(4, "nope")]
    answers = [dict(fields(answer)) for answer in call(iter(questions))]
    assert [answer[2] for answer in answers] == questions
    names = [dict(fields(service))[1] for _, service in fields(answers[0][6])]
    assert names[0] == b"test.Service"
    assert f"grpc.reflection.{version}.ServerReflection".encode() in names
    files = [dict(fields(file)) for _, file in fields(answers[1][4])]
    assert [file[1] for file in files] == [b"Flight.proto", b"google/protobuf/timestamp.proto"]
    assert files[0][2] == b"arrow.flight.protocol"
    assert dict(fields(dict(fields(answers[2][4]))[1]))[1] == b"FlightSql.proto"
    for answer in answers[3:]:
        assert dict(fields(answer[7]))[1] == grpc.StatusCode.NOT_FOUND.value[0]


# --- gRPC-Web ---


def web_call(address, method, body, kind="application/grpc-web", **headers):
    """Status, headers and decoded body of a call over HTTP/1.1."""
    connection = http.client.HTTPConnection(address)
    headers = {name.replace("_", "-"): value for name, value in headers.items()}
    connection.request("POST", f"/test.Service/{method}", body, {"content-type": kind, **headers})
    response = connection.getresponse()
    body = response.read()
    connection.close()
    return response, body


def frames(body):
    """(flag, bytes) of each frame."""
    while body:
        size = int.from_bytes(body[1:5], "big")
        assert len(body) >= 5 + size
        yield body[0], body[5:5 + size]
        body = body[5 + size:]


def frame(message):
    return b"\0" + len(message).to_bytes(4, "big") + message


def test_web_binary(address):
    message = os.urandom(100_000)
    response, body = web_call(address, "Echo", frame(message))
    assert response.status == 200
    assert response.headers["content-type"] == "application/grpc-web"
    assert list(frames(body)) == [(0, message), (0x80, b"grpc-status: 0\r\n")]


def decode_text(body):
    """Base64 of pieces that are padded each by itself."""
    pieces = re.findall(rb"[^=]+=*", body)
    return b"".join(base64.b64decode(piece, validate=True) for piece in pieces)


def test_web_text(address):
    request = base64.b64encode(frame(b"3,0,300000"))
    response, body = web_call(address, "Sizes", request, "application/grpc-web-text+proto")
    assert response.headers["content-type"] == "application/grpc-web-text+proto"
    received = list(frames(decode_text(body)))
    assert [(flag, len(part)) for flag, part in received[:3]] == [(0, 3), (0, 0), (0, 300000)]
    assert received[3:] == [(0x80, b"grpc-status: 0\r\n")]


def test_web_failure_in_headers(address):
    response, body = web_call(address, "Nope", frame(b""))
    assert (response.status, response.headers["grpc-status"], body) == (200, "12", b"")


def test_web_failure_after_messages(address):
    _, body = web_call(address, "Fail", frame(b"5 1 gone \xe2\x98\xba"))
    received = list(frames(body))
    assert received[0] == (0, b"message")
    assert received[1][0] == 0x80
    assert received[1][1].startswith(b"grpc-status: 5\r\ngrpc-message: gone %E2%98%BA\r\n")


def test_web_pages(address):
    page = {"origin": "http://app.example"}
    response, _ = web_call(address, "Empty", frame(b""), **page)
    assert response.headers["access-control-allow-origin"] == "http://app.example"
    assert "grpc-status" in response.headers["access-control-expose-headers"]
    response, _ = web_call(address, "Empty", frame(b""), origin="http://evil.example")
    assert response.status == 403
    assert "access-control-allow-origin" not in response.headers
    response, _ = web_call(address, "Empty", frame(b""), host="evil.example")
    assert response.status == 403
    connection = http.client.HTTPConnection(address)
    connection.request("OPTIONS", "/test.Service/Empty", headers={
        "access-control-request-method": "POST",
        "access-control-request-headers": "content-type,x-grpc-web,grpc-timeout", **page})
    response = connection.getresponse()
    assert response.status == 204
    assert "POST" in response.headers["access-control-allow-methods"]
    assert "x-grpc-web" in response.headers["access-control-allow-headers"]
    connection.close()


def test_web_from_javascript(address):
    node = shutil.which("node")
    if not node:
        pytest.skip("node is not installed")
    script = pathlib.Path(__file__).with_name("web_client.mjs")
    result = subprocess.run([node, script, f"http://{address}"], capture_output=True, text=True,
                            timeout=60, check=False)
    assert result.returncode == 0, result.stderr


def test_http1_is_answered(address):
    host, port = address.rsplit(":", 1)
    with socket.create_connection((host, int(port))) as connection:
        connection.sendall(b"POST /test.Service/Empty HTTP/1.1\r\nhost: a\r\n"
                           b"content-type: application/grpc\r\ncontent-length: 0\r\n\r\n")
        assert connection.recv(1000).startswith(b"HTTP/1.1 505 ")
