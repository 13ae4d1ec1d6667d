"""Flight from a web page: gRPC-Web on every port, for the pages that cors-origins lists.

SPDX-License-Identifier: Apache-2.0
"""
import base64

import pytest

PAGE = "http://localhost:3000"  # listed by default
EVIL = "http://evil.example"
FLIGHT = "/arrow.flight.protocol.FlightService/"
EMPTY = b"\0\0\0\0\0"


def frames(body):
    """(flag, message) of each frame."""
    while body:
        size = int.from_bytes(body[1:5], "big")
        yield body[0], body[5:5 + size]
        body = body[5 + size:]


def call(server, method, body, kind="application/grpc-web+proto", **headers):
    return server.request("POST", FLIGHT + method, body, {"content-type": kind, **headers})


def test_a_page_calls_flight(server):
    answer = call(server, "ListActions", EMPTY, origin=PAGE)
    assert answer.status == 200
    assert answer.headers["access-control-allow-origin"] == PAGE
    assert answer.headers["access-control-allow-credentials"] == "true"
    received = list(frames(answer.body))
    assert len(received) > 2
    assert {flag for flag, _ in received[:-1]} == {0}
    assert received[-1] == (0x80, b"grpc-status: 0\r\n")


def test_a_page_calls_flight_in_text(server):
    answer = call(server, "ListActions", base64.b64encode(EMPTY), "application/grpc-web-text", origin=PAGE)
    body = b"".join(base64.b64decode(answer.body[at:at + 4]) for at in range(0, len(answer.body), 4))
    assert list(frames(body))[-1] == (0x80, b"grpc-status: 0\r\n")


def test_a_failure_tells_its_details(server):
    answer = call(server, "DoGet", b"\0\0\0\0\x04\x0a\x02no", origin=PAGE)
    assert answer.status == 200
    assert answer.headers["grpc-status"] != "0"
    assert answer.headers["grpc-message"]
    assert "grpc-status-details-bin" in answer.headers["access-control-expose-headers"]


@pytest.mark.parametrize("origin", [EVIL, "null", "https://localhost:3000"])
@pytest.mark.parametrize("kind", ["application/grpc-web", "application/grpc-web-text"])
def test_a_foreign_page_may_not(server, origin, kind):
    answer = call(server, "ListActions", EMPTY, kind, origin=origin)
    assert answer.status == 403
    assert "cors-origins" in answer.text
    assert "access-control-allow-origin" not in answer.headers


def test_a_name_turned_to_loopback_may_not(server):
    answer = call(server, "ListActions", EMPTY, host="evil.example", origin=EVIL)
    assert answer.status == 403
    assert call(server, "ListActions", EMPTY, host="evil.example").status == 403


@pytest.mark.parametrize("path", [FLIGHT + "DoGet", "/v1/query"])
def test_preflights(server, path):
    asks = {"access-control-request-method": "POST",
            "access-control-request-headers": "content-type,x-grpc-web,authorization,volley-timeout"}
    answer = server.request("OPTIONS", path, headers={"origin": PAGE, **asks})
    assert answer.status == 204
    assert answer.headers["access-control-allow-origin"] == PAGE
    assert "POST" in answer.headers["access-control-allow-methods"]
    assert "volley-timeout" in answer.headers["access-control-allow-headers"]
    assert int(answer.headers["access-control-max-age"]) > 0
    answer = server.request("OPTIONS", path, headers={"origin": EVIL, **asks})
    assert answer.status == 204
    assert not [name for name in answer.headers if name.lower().startswith("access-control-")]


def test_any_page_without_credentials(start_server):
    server = start_server("--cors-origins", "*")
    answer = call(server, "ListActions", EMPTY, origin="http://any.example")
    assert answer.status == 200
    assert answer.headers["access-control-allow-origin"] == "*"
    assert "access-control-allow-credentials" not in answer.headers
