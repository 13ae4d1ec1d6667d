"""Errors at the doors: details of gRPC and HTTP, what ADBC and pyarrow hand out, and the page's table.

SPDX-License-Identifier: Apache-2.0
"""
import pathlib
import re

import flight_sql
import grpc
import pyarrow as pa
import pyarrow.flight
import pytest
from flight_calls import raw
from harness import Server

ROOT = pathlib.Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def server(binary, tmp_path_factory):
    own = Server(binary, tmp_path_factory.mktemp("errors")).wait_ready()
    with own.flight() as client:
        for statement in ("CREATE TABLE trades (id INTEGER PRIMARY KEY, price DOUBLE)",
                          "CREATE SCHEMA sales"):
            flight_sql.update(client, statement)
    yield own
    own.stop()


def error_info(details):
    """(reason, metadata) of the ErrorInfo in a google.rpc.Status or in an Any."""
    found = flight_sql.fields(details)
    packed = found[3][0] if 3 in found else details
    outer = flight_sql.fields(packed)
    assert outer[1][0] == b"type.googleapis.com/google.rpc.ErrorInfo"
    info = flight_sql.fields(outer[2][0])
    entries = [flight_sql.fields(entry) for entry in info.get(3, [])]
    return info[1][0].decode(), {e[1][0].decode(): e[2][0].decode() for e in entries}


def details_of(error):
    """What ADBC hands out; its names are bytes or text, by version."""
    return {key.decode() if isinstance(key, bytes) else key: value for key, value in error.details}


CASES = [
    ("SELECT price,\n  pric FROM trades", "INVALID_SQL", 400,
     {"sqlstate": "42703", "position": "16", "line": "2", "column": "3", "nearest": "price"}),
    ("FROM sale.orders", "TABLE_NOT_FOUND", 404,
     {"sqlstate": "3F000", "position": "5", "line": "1", "column": "6", "nearest": "sales"}),
    ("SELECT '\u00fc', 1 +", "QUERY_SYNTAX_ERROR", 400,
     {"sqlstate": "42601", "position": "16", "line": "1", "column": "16"}),
    ("SELECT (i || 'x')::INTEGER FROM range(3) t(i)", "INVALID_SQL", 400,
     {"sqlstate": "22P02", "position": "17", "line": "1", "column": "18"}),
    ("INSERT INTO trades VALUES (1, 1), (1, 2)", "DATA_VALIDATION_FAILED", 422,
     {"sqlstate": "23505"}),
    ("CREATE TABLE trades (i INTEGER)", "ALREADY_EXISTS", 409, {"sqlstate": "42P07"}),
    ("ATTACH 'x.db'", "STATEMENT_NOT_ALLOWED", 403,
     {"sqlstate": "42501", "position": "0", "line": "1", "column": "1"}),
]


@pytest.mark.parametrize("sql,code,http_status,facts", CASES, ids=[case[1] for case in CASES])
def test_both_doors_tell_the_same(server, sql, code, http_status, facts):
    with server.adbc() as connection, connection.cursor() as cursor:
        with pytest.raises(Exception) as caught:
            cursor.execute(sql)
            cursor.fetchall()
    details = details_of(caught.value)
    assert error_info(details["grpc-status-details-bin"]) == (code, facts)
    assert details["volley-error-code"] == code.encode()
    assert details["volley-sqlstate"] == facts["sqlstate"].encode()

    answer = server.query(sql, "ndjson")
    assert answer.status == http_status and answer.media_type == "application/problem+json"
    problem = answer.json
    assert problem["code"] == code and problem["status"] == http_status
    for name in ("sqlstate", "position", "line", "column", "nearest"):
        assert str(problem.get(name)) == facts.get(name, "None"), (name, problem)
    if "line" in facts:
        assert f"\n\nLINE {facts['line']}: " in problem["detail"]


def test_the_older_form_has_the_code_of_the_same_table(server):
    answer = server.request("POST", "/tables/trads/data", b"id\n1\n",
                            {"content-type": "text/csv"})
    assert (answer.status, answer.json["error_code"]) == (404, "TABLE_NOT_FOUND")


def test_pyarrow_gets_the_kind_and_the_message(server):
    with server.flight() as client:
        with pytest.raises(pa.ArrowInvalid, match="pric"):
            flight_sql.query(client, "SELECT pric FROM trades")
        with pytest.raises(pa.ArrowKeyError, match='Did you mean "trades"'):
            flight_sql.query(client, "FROM trade")


def test_an_error_behind_rows_has_its_place(server):
    sql = "SELECT CASE WHEN i < 500000 THEN '1' ELSE 'x' END::INTEGER FROM range(500001) t(i)"
    with server.adbc() as connection, connection.cursor() as cursor:
        cursor.execute(sql)
        with pytest.raises(Exception) as caught:
            cursor.fetch_arrow_table()
    code, facts = error_info(details_of(caught.value)["grpc-status-details-bin"])
    assert (code, facts["sqlstate"], facts["line"]) == ("INVALID_SQL", "22P02", "1")


def test_a_long_message_fits_every_client(server):
    """Percent-encoding makes three bytes of each: still one whole answer."""
    with server.adbc() as connection, connection.cursor() as cursor:
        with pytest.raises(Exception) as caught:
            cursor.execute("SELECT error(repeat('\u00e9\n', 100000))")
            cursor.fetchall()
    assert "\u00e9\n\u00e9" in str(caught.value) and len(str(caught.value)) < 2000


def program_rows():
    source = (ROOT / "src/base/error_codes.c").read_text()
    rows = re.findall(r'\{"(\w+)", STATUS_(\w+), (\d+), ("\w+"|NULL)\}', source)
    return [(name, status, http, None if state == "NULL" else state.strip('"'))
            for name, status, http, state in rows if name != "OK"]


@pytest.mark.parametrize("method,message", [
    ("GetFlightInfo", b""), ("GetFlightInfo", b"\xff"), ("DoAction", flight_sql.field(1, "nope")),
    ("DoAction", flight_sql.field(1, "CancelFlightInfo"))])
def test_what_is_no_sql_is_told_as_such(server, method, message):
    with pytest.raises(grpc.RpcError) as caught:
        raw(server, method, message)
    assert caught.value.code() == grpc.StatusCode.INVALID_ARGUMENT
    trailers = dict(caught.value.trailing_metadata())
    assert error_info(trailers["grpc-status-details-bin"]) == ("VALIDATION_ERROR",
                                                              {"sqlstate": "22023"})
    assert trailers["volley-error-code"] == "VALIDATION_ERROR"
    assert trailers["volley-sqlstate"] == "22023"


@pytest.mark.parametrize("sql", ["SELECT " + "||".join(["'a'"] * 300),
                                 "SELECT * FROM " + "(SELECT * FROM " * 300 + "range(3)" + ")" * 300])
def test_what_is_too_deep_is_told_with_advice_that_helps(server, sql):
    problem = server.query(sql, "ndjson").json
    assert problem["code"] == "INVALID_SQL" and "limit of 250 exceeded" in problem["detail"]
    assert "put brackets" in problem["detail"] and "max_expression_depth" not in problem["detail"]
    halves = "(" + "||".join(["'a'"] * 150) + ")"
    assert server.query(f"SELECT {halves} || {halves}", "ndjson").status == 200


def test_the_page_has_the_programs_table():
    page = (ROOT / "docs/flight-sql.md").read_text()
    rows = re.findall(r"^\| `(\w+)` \| (\w+) \| (\d{3}) \| (?:`(\w+)`)? *\| .+ \|$", page, re.M)
    assert [(name, status, http, state or None) for name, status, http, state in rows] \
        == program_rows()


def test_every_code_of_the_program_is_in_the_table():
    known = {row[0] for row in program_rows()}
    pattern = re.compile(r'error_set_code\(\s*[^,;]+,\s*[^,;]+,\s*"(\w+)"')
    used = {code for path in (ROOT / "src").rglob("*.c") for code in pattern.findall(path.read_text())}
    assert len(used) > 15 and used <= known, used - known


def test_a_statement_of_foreign_letters_alone_is_a_syntax_error(flight):
    for sql in ("SELECT 1; \u65e5\u672c", "SELECT 1; \u00e9 ; SELECT 2"):
        with pytest.raises(pa.ArrowInvalid, match="statement 2 of|[Ss]yntax"):
            flight_sql.query(flight, sql)


def test_what_a_client_wrote_does_not_stop_the_engine(start_server):
    server = start_server()
    wrapper = "Attempting to execute an unsuccessful or closed pending query result"
    with server.flight() as client:
        for sql in ("SELECT CAST('database has been invalidated' AS INTEGER)",
                    "SELECT error('FATAL Error: database has been invalidated')",
                    f"SELECT error('{wrapper}\nError: FATAL Error: database has been invalidated')",
                    'FROM "database has been invalidated"'):
            with pytest.raises(pa.ArrowException):
                flight_sql.query(client, sql)
            assert flight_sql.query(client, "SELECT 1 AS i")["i"].to_pylist() == [1]
