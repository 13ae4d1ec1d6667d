"""Which web pages may use the HTTP door, and clients that leave while the server works for them.

SPDX-License-Identifier: Apache-2.0
"""
import contextlib
import http.client
import json
import socket
import struct

import pytest
from harness import wait_until

# Seconds of work while it is prepared: the expression is folded then.
SLOW_TO_PREPARE = (
    "SELECT list_sum(list_transform(range(30000000), lambda x: x * x % 7)) AS slow_prepare"
)
EVIL = "http://evil.example"


def query_request(server, sql, path="/v1/query"):
    body = sql.encode()
    head = (f"POST {path} HTTP/1.1\r\nhost: localhost\r\ncontent-type: text/plain\r\n"
            f"content-length: {len(body)}\r\n\r\n")
    return head.encode() + body


def leave(connection):
    """Closes with a reset, so that the server learns it at once."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


def test_clients_that_leave_before_a_worker_has_time(start_server):
    server = start_server("--worker-threads", "2")
    busy = []
    with contextlib.ExitStack() as stack:
        for _ in range(2):
            connection = stack.enter_context(server.socket())
            connection.sendall(query_request(server, SLOW_TO_PREPARE))
            busy.append(connection)
        for number in range(1000):
            connection = server.socket()
            connection.sendall(query_request(server, f"SELECT {number} AS left_early"))
            leave(connection)
        # Needs no worker, so it answers although all are taken.
        assert server.request("GET", "/health", seconds=30).status == 200
        for connection in busy:
            leave(connection)
    assert server.value("SELECT 42 AS still_here") == 42
    wait_until(lambda: not server.running("left_early") and not server.running("slow_prepare"),
               what="the end of what nobody waits for")
    assert server.process.poll() is None


def test_a_client_that_leaves_while_its_statement_is_prepared(start_server):
    server = start_server("--worker-threads", "1")
    for _ in range(3):
        connection = server.socket()
        connection.sendall(query_request(server, SLOW_TO_PREPARE, "/v1/query?format=csv"))
        leave(connection)
    assert server.value("SELECT 1") == 1
    wait_until(lambda: not server.running("slow_prepare"), what="the end of the statements")


def test_a_server_ends_while_clients_left_and_workers_work(start_server):
    server = start_server("--worker-threads", "1")
    for _ in range(20):
        connection = server.socket()
        connection.sendall(query_request(server, SLOW_TO_PREPARE))
        leave(connection)
    server.stop()


@pytest.mark.parametrize("origin", [EVIL, "null", "https://localhost"])
@pytest.mark.parametrize(("method", "path"), [("POST", "/v1/query"), ("DELETE", "/v1/queries/x")])
def test_a_foreign_page_has_no_effect(server, method, path, origin):
    answer = server.request(method, path, b"CREATE TABLE from_a_page (i INTEGER)",
                            {"content-type": "text/plain", "origin": origin})
    assert (answer.status, answer.json["code"]) == (403, "PERMISSION_DENIED")
    assert "cors-origins" in answer.json["detail"]
    assert "access-control-allow-origin" not in answer.headers
    assert server.value("SELECT count(*) FROM duckdb_tables() WHERE table_name = 'from_a_page'") == 0


def test_pages_that_may(server):
    own = {"origin": server.http_url}
    listed = {"origin": "http://localhost:3000"}
    assert server.query("SELECT 1", "csv", headers=own).status == 200
    answer = server.query("SELECT 1", "csv", headers=listed)
    assert (answer.status, answer.headers["access-control-allow-origin"]) == (200, listed["origin"])
    assert server.request("GET", "/health", headers={"origin": EVIL}).status == 200


def test_an_operator_lists_origins(start_server):
    server = start_server("--cors-origins", "http://app.example")
    assert server.query("SELECT 1", headers={"origin": "http://app.example"}).status == 200
    assert server.query("SELECT 1", headers={"host": "app.example"}).status == 200
    assert server.query("SELECT 1", headers={"origin": "http://localhost:3000"}).status == 403


@pytest.mark.parametrize("host", ["localhost", "localhost:99", "127.0.0.1", "[::1]:8000"])
def test_names_of_loopback(server, host):
    assert server.request("GET", "/v1/queries", headers={"host": host}).status == 200


@pytest.mark.parametrize("host", ["evil.example", "evil.example:8000", "127.0.0.1.evil.example"])
@pytest.mark.parametrize("path", ["/v1/queries", "/health", "/no/such/path"])
def test_a_name_turned_to_loopback_is_refused(server, path, host):
    answer = server.request("GET", path, headers={"host": host})
    assert answer.status == 403
    assert host in answer.text


def test_http_1_0_needs_no_host(server):
    with server.socket() as connection:
        connection.sendall(b"GET /healthz HTTP/1.0\r\n\r\n")
        response = http.client.HTTPResponse(connection)
        response.begin()
        assert response.status == 200


def test_the_page_repeats_nothing_of_the_request(start_server):
    server = start_server("--cors-origins", "*")
    page = server.request("GET", "/", headers={"accept": "text/html"})
    assert page.status == 200
    for host in ("a&'b", "<script>"):
        answer = server.request("GET", f"/?{host}", headers={"accept": "text/html", "host": host})
        assert (answer.status, answer.body) == (200, page.body)


@pytest.mark.parametrize("query", ["fromat=csv", "format=csv&x=1", "timeout_ms=5", "=1", "Format=csv"])
def test_unknown_parameters_are_refused(server, query):
    answer = server.request("POST", f"/v1/query?{query}", b"SELECT 1")
    assert (answer.status, answer.json["code"]) == (422, "VALIDATION_ERROR")
    for known in ("format", "int64", "timeout-ms", "priority", "slots", "max-message-bytes", "dictionaries",
                  "timestamp-unit"):
        assert known in answer.json["detail"]


@pytest.mark.parametrize("query", ["format=csv", "int64=string", "timeout-ms=1000&", "&&format=json",
                                   "%66ormat=csv", "max-message-bytes=100000", "dictionaries=off",
                                   "timestamp-unit=ms", "priority=5&slots=1000", ""])
def test_known_parameters_are_taken(server, query):
    assert server.request("POST", f"/v1/query?{query}", b"SELECT 1").status == 200


@pytest.mark.parametrize("query", ["format=cs%", "format=%zz", "for%mat=csv", "%4", "int64=%C"])
def test_broken_escapes_are_refused(server, query):
    answer = server.request("POST", f"/v1/query?{query}", b"SELECT 1")
    assert (answer.status, answer.json["code"]) == (422, "VALIDATION_ERROR")
    assert "percent escape" in answer.json["detail"]


def test_the_format_in_the_body(server):
    body = json.dumps({"sql": "SELECT 7 AS v", "format": "csv"}).encode()
    sent = {"content-type": "application/json", "accept": "application/json"}
    assert server.request("POST", "/v1/query", body, sent).body == b"v\r\n7\r\n"
    answer = server.request("POST", "/v1/query?format=ndjson", body, sent)
    assert answer.body == b'{"v":7}\n'


@pytest.mark.parametrize(("format", "status"), [("xml", 406), (1, 422), (["csv"], 422)])
def test_a_wrong_format_in_the_body(server, format, status):
    body = json.dumps({"sql": "SELECT 1", "format": format}).encode()
    answer = server.request("POST", "/v1/query", body, {"content-type": "application/json"})
    assert answer.status == status


@pytest.mark.parametrize("type", ["INTEGER", "VARCHAR", "INTEGER[]", "BLOB"])
def test_null_of_a_single_csv_column_is_no_empty_line(server, type):
    answer = server.query(f"SELECT NULL::{type} AS v FROM range(2)", "csv")
    assert answer.body == b'v\r\n""\r\n""\r\n'


def test_null_among_csv_columns_stays_empty(server):
    assert server.query("SELECT NULL AS a, NULL AS b", "csv").body == b"a,b\r\n,\r\n"
