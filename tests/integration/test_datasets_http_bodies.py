"""Datasets over HTTP: bodies that are wrong, cut, slow, coded, too large.

SPDX-License-Identifier: Apache-2.0
"""
import http.client
import io
import json
import socket

import pyarrow as pa
import pyarrow.ipc
import pytest
from dataset_http import ROWS, STREAM, drop, file_of, path, put, read_stream, stream_of  # noqa: F401
from harness import wait_until


@pytest.mark.parametrize("make", [
    lambda: b"", lambda: b"ARROW", lambda: b"ARROW1\0\0", lambda: b"\xff" * 100, lambda: b"id,name\n1,a\n",
    lambda: stream_of(ROWS)[:-300], lambda: stream_of(ROWS)[:20], lambda: file_of(ROWS)[:-1],
    lambda: file_of(ROWS)[:3000],
    lambda: stream_of(ROWS).replace(b"\x10\0\0\0\0\0", b"\x10\xff\xff\xff\x7f\0"),
])
def test_hostile_bodies_leave_nothing(server, path, make):
    answer = put(server, path, make())
    assert answer.status in (413, 422), answer.text
    assert answer.json["code"] in ("DATA_VALIDATION_FAILED", "PAYLOAD_TOO_LARGE")
    assert server.request("GET", path).status == 404


def test_a_stream_without_its_end_marker_is_taken(server, path):
    assert put(server, path, stream_of(ROWS)[:-8]).status == 201
    assert read_stream(server.request("GET", path).body) == ROWS
    drop(server, path)


def test_other_types_are_refused_before_the_body(server, path):
    with socket.create_connection(server.http_address) as connection:
        connection.sendall(f"PUT {path} HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: image/png\r\n"
                           "expect: 100-continue\r\n"
                           "content-length: 1000000\r\n\r\n".encode())
        reply = connection.recv(65536)
    assert reply.startswith(b"HTTP/1.1 415") and b"apache.arrow.stream" in reply


def test_expect_continue(server, path):
    body = stream_of(ROWS)
    with socket.create_connection(server.http_address) as connection:
        connection.sendall(f"PUT {path} HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: {STREAM}\r\n"
                           f"expect: 100-continue\r\ncontent-length: {len(body)}\r\n\r\n".encode())
        assert connection.recv(65536).startswith(b"HTTP/1.1 100")
        connection.sendall(body)
        assert connection.recv(65536).startswith(b"HTTP/1.1 201")
    drop(server, path)


def test_half_a_body_leaves_nothing(server, path):
    body = stream_of(ROWS)
    with socket.create_connection(server.http_address) as connection:
        connection.sendall(f"PUT {path} HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: {STREAM}\r\n"
                           f"content-length: {len(body)}\r\n\r\n".encode())
        connection.sendall(body[: len(body) // 2])
    with socket.create_connection(server.http_address) as connection:
        connection.sendall(f"PUT {path} HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: {STREAM}\r\n"
                           "transfer-encoding: chunked\r\n\r\n".encode())
        # A whole Arrow stream, but not a whole body.
        connection.sendall(f"{len(body):x}\r\n".encode() + body + b"\r\n")
    wait_until(lambda: server.request("GET", "/health").status == 200)
    assert server.request("GET", path).status == 404


def test_slow_and_chunked(server, path):
    body = stream_of(ROWS)

    def pieces():
        for at in range(0, len(body), 997):
            yield body[at:at + 997]

    connection = http.client.HTTPConnection(*server.http_address, timeout=30)
    connection.request("PUT", path, pieces(), {"content-type": STREAM}, encode_chunked=True)
    answer = connection.getresponse()
    assert answer.status == 201 and json.loads(answer.read())["rows"] == 1000
    connection.close()
    with socket.create_connection(server.http_address) as raw:
        raw.sendall(f"POST {path} HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: {STREAM}\r\n"
                    "transfer-encoding: chunked\r\n\r\n".encode())
        for byte in body[:500]:
            raw.sendall(b"1\r\n" + bytes([byte]) + b"\r\n")
        rest = body[500:]
        raw.sendall(f"{len(rest):x}\r\n".encode() + rest + b"\r\n0\r\n\r\n")
        assert raw.recv(65536).startswith(b"HTTP/1.1 200")
    assert read_stream(server.request("GET", path).body) == pa.concat_tables([ROWS, ROWS])
    drop(server, path)


@pytest.mark.parametrize("coding", ["gzip", "zstd", "deflate"])
def test_coded_bodies(server, path, coding):
    from test_http_content import pack
    body = pack(coding, stream_of(ROWS))
    assert put(server, path, body, **{"content-encoding": coding}).status == 201
    assert read_stream(server.request("GET", path).body) == ROWS
    cut = put(server, path + "x", body[:-3], **{"content-encoding": coding})
    assert cut.status == 422 and server.request("GET", path + "x").status == 404
    drop(server, path)


def test_an_unknown_coding(server, path):
    answer = put(server, path, b"x", **{"content-encoding": "br"})
    assert answer.status == 415 and "zstd" in answer.headers["accept-encoding"]


def test_compressed_buffers(server, path):
    sink = io.BytesIO()
    for codec in ("lz4", "zstd"):
        sink = io.BytesIO()
        options = pyarrow.ipc.IpcWriteOptions(compression=codec)
        with pyarrow.ipc.new_stream(sink, ROWS.schema, options=options) as out:
            out.write_table(ROWS)
        assert put(server, path, sink.getvalue()).status in (200, 201)
        assert read_stream(server.request("GET", path).body) == ROWS
    drop(server, path)


def test_datasets_grow_over_what_memory_has(start_server):
    server = start_server("--dataset-memory", "32MiB")
    table = pa.table({"v": pa.array(range(1 << 20), pa.int64())})
    body = stream_of(table, 1 << 17)
    for _ in range(6):
        assert put(server, "/v1/datasets/large", body, method="POST").status in (200, 201)
    got = server.request("GET", "/v1/datasets/large")
    assert read_stream(got.body).num_rows == 6 << 20


def test_bounds(start_server):
    server = start_server("--dataset-bytes-max", "100000")
    answer = put(server, "/v1/datasets/a", stream_of(pa.table({"v": pa.array(range(100000))})))
    assert answer.status == 429 and "--dataset-bytes-max" in answer.json["detail"], answer.text
    assert answer.json["code"] == "RESOURCE_EXHAUSTED"
    assert server.request("GET", "/v1/datasets/a").status == 404


def test_messages_are_bounded(start_server):
    server = start_server("--max-receive-message", "1MiB")
    table = pa.table({"v": pa.array(range(200000), pa.int64())})
    answer = put(server, "/v1/datasets/a", stream_of(table, 200000))
    assert answer.status == 413 and answer.json["code"] == "PAYLOAD_TOO_LARGE", answer.text
    assert str(1 << 20) in answer.json["detail"]
    assert put(server, "/v1/datasets/a", stream_of(table, 100000)).status == 201
