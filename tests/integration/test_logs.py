"""One structured line per call, without the literals of its SQL.

SPDX-License-Identifier: Apache-2.0
"""
import json

import flight_sql
import pyarrow as pa
import pytest
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


SECRETS = [
    "SELECT 'topsecret'::INTEGER",
    "SELECT no_such_column, 'topsecret', 424242",
    "SELECT error('topsecret' || 424242)",
    "FROM 'topsecret424242.csv'",
    "FROM batch('topsecret424242')",
    "SELECT 'topsecret'::TIME_ZONE",
    "SELECT 424242 AS a FROM taxi WHERE topsecret(",
    "SELECT range + 'topsecret' FROM range(3)",
    "CREATE TEMP TABLE s (k VARCHAR PRIMARY KEY); INSERT INTO s VALUES ('topsecret'), ('topsecret')",
    "COPY (SELECT 'topsecret') TO 'topsecret'",
    "SET memory_limit = '424242TB'",
    '{"sql" "topsecret 424242"}',
]


def of_calls(server, identifier):
    """The lines of a call's log as they are, so that nothing hides in an unknown field."""
    return [line for line in server.log.splitlines() if f'"id":"{identifier}"' in line]


@pytest.mark.parametrize("sql", SECRETS)
def test_a_failed_statement_is_logged_without_its_literals(server, sql, request):
    identifier = f"secret-{SECRETS.index(sql)}"
    answer = server.query(sql, "json", {"x-request-id": identifier})
    assert answer.status >= 400
    (line,) = wait_until(lambda: of_calls(server, identifier))
    assert "topsecret" not in line and "424242" not in line
    assert json.loads(line)["error"]
    if not sql.startswith("{"):
        assert json.loads(line)["statement"], "a statement that failed has its fingerprint, too"


def failed_flight_calls(server):
    return [line for line in lines(server) if "FlightService" in line.get("method", "") and "error" in line]


@pytest.mark.parametrize("sql", [sql for sql in SECRETS if not sql.startswith("{")])
def test_a_failed_statement_over_flight_is_logged_without_its_literals(server, flight, sql):
    before = len(failed_flight_calls(server))
    with pytest.raises(pa.ArrowException):
        flight_sql.query(flight, sql.replace("topsecret", "flightsecret").replace("424242", "434343"))
    wait_until(lambda: len(failed_flight_calls(server)) > before)
    assert "flightsecret" not in server.log and "434343" not in server.log
    assert failed_flight_calls(server)[-1]["statement"]


def test_debugging_logs_all_of_an_error(start_server):
    server = start_server("--log-level", "debug")
    server.query("SELECT 'not secret here'::INTEGER", "json", {"x-request-id": "debugged"})
    (line,) = wait_until(lambda: lines(server, id="debugged"))
    assert "not secret here" in line["error"]


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
