"""/ws/jobs/{id}: a job that is watched over a WebSocket.

SPDX-License-Identifier: Apache-2.0
"""
import json
import uuid

import pytest
import websockets.exceptions
from http2_frames import DATA, END_HEADERS, HEADERS, PREFACE, frame, literal, settings
from job_calls import endless, expect_error, finished, submit  # noqa: F401
from websockets.sync.client import connect

pytestmark = pytest.mark.timeout(60)


def socket_url(server, job_id):
    return "ws://{}:{}/ws/jobs/{}".format(*server.http_address, job_id)


def test_a_websocket_tells_of_each_change_and_ends_with_the_job(server, endless):
    job_id = endless()
    with connect(socket_url(server, job_id), compression=None) as socket:
        first = json.loads(socket.recv(10))
        assert first["job_id"] == job_id and first["status"] in ("queued", "running")
        socket.send("what a client says is passed over")
        server.request("DELETE", f"/jobs/{job_id}")
        states = [first["status"]]
        with pytest.raises(websockets.exceptions.ConnectionClosedOK):
            while True:
                states.append(json.loads(socket.recv(10))["status"])
    assert states[-1] == "cancelled" and set(states) <= {"queued", "running", "cancelled"}


def test_a_websocket_of_a_job_that_is_over_tells_it_once(server):
    job_id = submit(server, "SELECT 1")
    finished(server, job_id)
    with connect(socket_url(server, job_id), compression=None) as socket:
        assert json.loads(socket.recv(10))["status"] == "completed"
        with pytest.raises(websockets.exceptions.ConnectionClosedOK):
            socket.recv(10)


def test_those_who_watch_get_the_beginning_of_a_long_statement(server):
    sql = "SELECT 1 /* " + "é" * 300000 + " */"
    job_id = submit(server, sql)
    assert finished(server, job_id)["sql"] == sql
    with connect(socket_url(server, job_id), compression=None) as socket:
        assert json.loads(socket.recv(10))["sql"] == sql[:12 + (16384 - 12) // 2]
    events = server.request("GET", f"/v1/jobs/{job_id}/events")
    assert events.status == 200 and 16000 < len(events.body) < 40000


def read_frames(connection, until):
    """Frames of HTTP/2 as (kind, flags, stream, payload), until `until` is true of one."""
    received = b""
    while True:
        while len(received) < 9 or len(received) < 9 + int.from_bytes(received[:3], "big"):
            received += connection.recv(65536) or pytest.fail("the connection ended")
        size = int.from_bytes(received[:3], "big")
        one = received[3], received[4], int.from_bytes(received[5:9], "big"), received[9:9 + size]
        received = received[9 + size:]
        yield one
        if until(one):
            return


def test_a_websocket_over_http2(server):
    job_id = submit(server, "SELECT 1 AS h2")
    finished(server, job_id)
    fields = [(":method", "CONNECT"), (":protocol", "websocket"), (":scheme", "http"),
              (":path", f"/ws/jobs/{job_id}"), (":authority", "localhost"), ("sec-websocket-version", "13")]
    head = b"".join(literal(name, value) for name, value in fields)
    with server.socket() as connection:
        connection.sendall(PREFACE + settings() + frame(HEADERS, END_HEADERS, 1, head))
        got = list(read_frames(connection, lambda one: one[0] == DATA and b"}" in one[3]))
    assert [one[3][0] for one in got if one[0] == HEADERS] == [0x88]  # :status 200
    text = b"".join(one[3] for one in got if one[0] == DATA)
    assert json.loads(text[text.index(b"{"):text.rindex(b"}") + 1])["status"] == "completed"


def test_a_tunnel_to_what_is_no_websocket_is_refused(server):
    fields = [(":method", "CONNECT"), (":protocol", "websocket"), (":scheme", "http"), (":path", "/health"),
              (":authority", "localhost"), ("sec-websocket-version", "13")]
    head = b"".join(literal(name, value) for name, value in fields)
    with server.socket() as connection:
        connection.sendall(PREFACE + settings() + frame(HEADERS, END_HEADERS, 1, head))
        got = list(read_frames(connection, lambda one: one[0] == DATA))
    assert b"METHOD_NOT_ALLOWED" in got[-1][3]


def test_what_is_no_websocket(server):
    with pytest.raises(websockets.exceptions.InvalidStatus) as refused:
        connect(socket_url(server, uuid.uuid4()), compression=None)
    assert refused.value.response.status_code == 404
    job_id = submit(server, "SELECT 1")
    plain = server.request("GET", f"/ws/jobs/{job_id}")
    assert "Sec-WebSocket-Version: 13" in expect_error(plain, 426, "VALIDATION_ERROR")["detail"]
    assert plain.headers["sec-websocket-version"] == "13" and plain.headers["upgrade"] == "websocket"
    assert server.request("HEAD", f"/ws/jobs/{job_id}").status == 426


def test_a_websocket_of_a_foreign_page_is_refused(server):
    job_id = submit(server, "SELECT 1")
    with pytest.raises(websockets.exceptions.InvalidStatus) as refused:
        connect(socket_url(server, job_id), compression=None, origin="https://elsewhere.example")
    assert refused.value.response.status_code == 403
