"""The gRPC server against the gRPC C core (grpcio), without generated code.

    VOLLEY_GRPC_TEST_SERVER=PATH pytest interop_test.py

SPDX-License-Identifier: Apache-2.0
"""

import os
import socket
import subprocess
import threading
import time

import pytest

grpc = pytest.importorskip("grpc")

SERVER = os.environ.get("VOLLEY_GRPC_TEST_SERVER")
pytestmark = pytest.mark.skipif(not SERVER, reason="VOLLEY_GRPC_TEST_SERVER is not set")
SPECIAL = "\t\ntest with whitespace\r\nand Unicode BMP ☺ and non-BMP \U0001f608\t\n"


@pytest.fixture(scope="module")
def address():
    process = subprocess.Popen([SERVER, "127.0.0.1:0"], stdin=subprocess.PIPE,
                               stdout=subprocess.PIPE, text=True)
    yield process.stdout.readline().strip()
    process.stdin.close()
    assert process.stdout.read().strip() == "alive 0"
    assert process.wait(timeout=10) == 0


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


def test_compression_is_refused(channel):
    error = failure(unary(channel, "Echo"), bytes(10000), compression=grpc.Compression.Gzip)
    assert error.code() == grpc.StatusCode.UNIMPLEMENTED


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


def test_http1_is_answered(address):
    host, port = address.rsplit(":", 1)
    with socket.create_connection((host, int(port))) as connection:
        connection.sendall(b"POST /test.Service/Empty HTTP/1.1\r\nhost: a\r\n"
                           b"content-type: application/grpc\r\ncontent-length: 0\r\n\r\n")
        assert connection.recv(1000).startswith(b"HTTP/1.1 505 ")
