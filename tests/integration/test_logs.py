"""One structured line per call, without the literals of its SQL.

SPDX-License-Identifier: Apache-2.0
"""
import json

import flight_sql
from harness import wait_until


def lines(server, **wanted):
    """Log lines (JSON, since the log is no terminal) with these fields."""
    found = []
    for line in server.log.splitlines():
        if line.startswith("{"):
            row = json.loads(line)
            if all(row.get(name) == value for name, value in wanted.items()):
                found.append(row)
    return found


def test_a_call_over_http(server):
    answer = server.query("SELECT 'top secret' AS v, 12345 AS n", "json",
                          {"x-request-id": "log-test-1"})
    assert answer.status == 200
    (line,) = wait_until(lambda: lines(server, id="log-test-1"))
    assert (line["method"], line["path"]) == ("POST", "/v1/query")
    assert line["peer"].startswith("127.0.0.1:")
    assert line["rows"] == 1
    assert line["bytes_sent"] > 0
    assert line["ms"] >= 0
    assert (line["http_status"], line["status"]) == (200, "OK")
    assert line["statement"]
    assert "top secret" not in server.log
    assert "12345" not in json.dumps(line)


def test_literals_do_not_change_the_fingerprint(server):
    for number in (1, 2):
        server.query(f"SELECT {number} AS v, 'x{number}' AS s", "json",
                     {"x-request-id": f"fingerprint-{number}"})
    prints = [wait_until(lambda n=n: lines(server, id=f"fingerprint-{n}"))[0]["statement"]
              for n in (1, 2)]
    assert prints[0] == prints[1]


def test_a_flight_call(server, flight):
    flight_sql.query(flight, "SELECT 1 AS logged_over_flight")
    assert wait_until(lambda: [line for line in lines(server) if "DoGet" in line.get("method", "")
                               and line.get("rows") == 1])


def test_a_failed_call_has_its_status(server):
    server.query("SELEC", "json", {"x-request-id": "failing-call"})
    (line,) = wait_until(lambda: lines(server, id="failing-call"))
    assert (line["http_status"], line["status"]) == (400, "QUERY_SYNTAX_ERROR")


def test_text_format(start_server):
    server = start_server("--log-format", "text")
    server.query("SELECT 1", "json", {"x-request-id": "as-text"})
    wait_until(lambda: "as-text" in server.log)
    assert not any(line.startswith("{") for line in server.log.splitlines())


def test_level(start_server):
    server = start_server("--log-level", "error")
    server.query("SELECT 1", "json", {"x-request-id": "not-logged"})
    server.stop()
    assert "not-logged" not in server.log
