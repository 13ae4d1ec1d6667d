"""The HTTP door: service routes, POST /v1/query in every format, errors and request ids.

SPDX-License-Identifier: Apache-2.0
"""
import contextlib
import csv
import http.client
import io
import json
import shutil
import subprocess

import pyarrow as pa
import pytest
from harness import wait_until

ARROW = "application/vnd.apache.arrow.stream"
NDJSON = "application/x-ndjson"
LATE_ERROR = (
    "SELECT CASE WHEN i < 2000000 THEN i ELSE error('late failure')::BIGINT END AS i"
    " FROM range(3000000) t(i)"
)


def read_arrow(body):
    with pa.ipc.open_stream(body) as reader:
        return reader.read_all()


def test_root(server):
    answer = server.request("GET", "/")
    assert (answer.status, answer.media_type) == (200, "application/json")
    body = answer.json
    assert body["service"] == "volley"
    assert body["status"] == "running"
    assert body["available_engines"] == ["duckdb"]
    assert body["timestamp"].endswith("Z")


def test_root_for_a_browser(server):
    answer = server.request("GET", "/", headers={"accept": "text/html,application/xhtml+xml,*/*;q=0.8"})
    assert (answer.status, answer.media_type) == (200, "text/html")
    assert "/health" in answer.text


def test_health(server):
    answer = server.request("GET", "/health")
    assert answer.status == 200
    body = answer.json
    assert body["status"] == "healthy"
    assert body["engines"]["duckdb"] is True
    assert {"timestamp", "version", "uptime_seconds", "memory_usage", "cpu_count", "load_avg",
            "system"} <= body.keys()


@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
def test_probes(server, path):
    assert server.request("GET", path).status == 200


def test_metrics(server):
    server.query("SELECT 1", "json")
    answer = server.request("GET", "/metrics")
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    assert "# TYPE volley_calls_total counter" in answer.text
    assert "# TYPE volley_call_duration_seconds histogram" in answer.text
    wait_until(lambda: any(name.startswith("http_requests_total{") and 'endpoint="/v1/query"' in name
                           for name in server.metrics()))


def test_head_has_no_body(server):
    answer = server.request("HEAD", "/health")
    assert (answer.status, answer.body) == (200, b"")


@pytest.mark.parametrize(
    ("format", "accept", "media_type"),
    [
        ("arrow", None, ARROW), ("json", None, "application/json"), ("ndjson", None, NDJSON),
        ("csv", None, "text/csv"), (None, ARROW, ARROW), (None, "application/json", "application/json"),
        (None, NDJSON, NDJSON), (None, "text/csv", "text/csv"),
        (None, f"text/csv;q=0.5, {ARROW}", ARROW), (None, "image/png, text/*;q=0.1", "text/csv"),
        ("csv", ARROW, "text/csv"),
    ],
)
def test_formats(server, format, accept, media_type):
    sql = "SELECT i, 'n' || i AS s FROM range(3) t(i)"
    answer = server.query(sql, format, {"accept": accept} if accept else None)
    assert (answer.status, answer.media_type) == (200, media_type)
    rows = [{"i": 0, "s": "n0"}, {"i": 1, "s": "n1"}, {"i": 2, "s": "n2"}]
    if media_type == ARROW:
        assert read_arrow(answer.body).to_pylist() == rows
    elif media_type == NDJSON:
        assert [json.loads(line) for line in answer.text.splitlines()] == rows
    elif media_type == "text/csv":
        assert answer.body == b"i,s\r\n0,n0\r\n1,n1\r\n2,n2\r\n"
    else:
        assert answer.json["data"] == rows
        assert answer.json["rows"] == 3
        assert answer.json["columns"] == [{"name": "i", "type": "int64"}, {"name": "s", "type": "string"}]


def test_sql_as_json(server):
    body = json.dumps({"sql": "SELECT 'é' AS v"}).encode()
    headers = {"content-type": "application/json", "accept": "application/json"}
    assert server.request("POST", "/v1/query", body, headers).json["data"] == [{"v": "é"}]


@pytest.mark.parametrize("body", [b"", b"{", b'{"sql": 1}', b'{"other": "SELECT 1"}', b"[1]"])
def test_wrong_json_is_refused(server, body):
    answer = server.request("POST", "/v1/query", body, {"content-type": "application/json"})
    assert answer.status in (400, 422)
    assert answer.media_type == "application/problem+json"


def test_exact_numbers_and_texts_in_json(server):
    sql = r"""SELECT 9223372036854775807::BIGINT AS big, 18446744073709551615::UBIGINT AS ubig,
        '12345678901234567890123456789.012345678'::DECIMAL(38, 9) AS dec,
        'NaN'::DOUBLE AS nan, '-inf'::DOUBLE AS inf, 0.1::DOUBLE AS tenth, '\x00\xFF'::BLOB AS bin,
        TIMESTAMPTZ '2024-01-02 03:04:05.6+00' AS at, TIMESTAMP '2024-01-02 03:04:05' AS local,
        DATE '2024-01-02' AS day, TIME '03:04:05' AS time, INTERVAL '1 month 2 days 3 seconds' AS span,
        [1, NULL] AS list, {'a': {'b': 'c'}} AS nested, MAP {'k': 1} AS map, NULL AS nothing,
        'quote " backslash \ tab' || chr(9) || chr(1) AS text"""
    text = server.query(sql, "ndjson").text
    assert '"big":9223372036854775807' in text.replace(" ", "")
    assert '"ubig":18446744073709551615' in text.replace(" ", "")
    assert '"dec":12345678901234567890123456789.012345678' in text.replace(" ", "")
    row = json.loads(text)
    assert (row["nan"], row["inf"], row["nothing"]) == (None, None, None)
    assert row["tenth"] == 0.1
    assert row["bin"] == "AP8="
    assert row["at"] == "2024-01-02T03:04:05.600000Z"
    assert row["local"].startswith("2024-01-02T03:04:05")
    assert not row["local"].endswith("Z")
    assert (row["day"], row["time"][:8], row["span"]) == ("2024-01-02", "03:04:05", "P1M2DT3S")
    assert (row["list"], row["nested"]) == ([1, None], {"a": {"b": "c"}})
    assert row["text"] == 'quote " backslash \\ tab\t\x01'


def test_integers_as_strings_on_request(server):
    answer = server.query("SELECT 9007199254740993 AS v", "json", parameters="&int64=string")
    assert answer.json["data"] == [{"v": "9007199254740993"}]


def test_csv_follows_rfc_4180(server):
    sql = """SELECT * FROM (VALUES (1, 'plain'), (2, 'comma, "quote"'), (3, E'two\nlines'), (4, ''),
        (5, NULL)) t(n, "the ""text\""") ORDER BY n"""
    text = server.query(sql, "csv").text
    rows = list(csv.reader(io.StringIO(text, newline="")))
    assert rows[0] == ["n", 'the "text"']
    assert [row[1] for row in rows[1:]] == ["plain", 'comma, "quote"', "two\nlines", "", ""]
    assert text.endswith('4,""\r\n5,\r\n')


@pytest.mark.parametrize("format", ["arrow", "json", "ndjson", "csv"])
def test_empty_result(server, format):
    answer = server.query("SELECT 1 AS a, 'x' AS b WHERE false", format)
    assert answer.status == 200
    if format == "arrow":
        assert read_arrow(answer.body).schema.names == ["a", "b"]
    elif format == "json":
        assert answer.json["data"] == []
    else:
        assert answer.body == {"ndjson": b"", "csv": b"a,b\r\n"}[format]


def test_statements_with_an_effect(server):
    assert server.query("CREATE TABLE http_effect (i INTEGER)", "json").status == 200
    assert server.query("INSERT INTO http_effect VALUES (1), (2)", "json").status == 200
    assert server.value("SELECT count(*) FROM http_effect") == 2


def test_large_stream_in_every_format(server):
    sql = "SELECT i, 'value ' || i AS s FROM range(200000) t(i)"
    assert read_arrow(server.query(sql, "arrow").body).column("i").to_pylist() == list(range(200000))
    lines = server.query(sql, "ndjson").text.splitlines()
    assert len(lines) == 200000
    assert json.loads(lines[-1]) == {"i": 199999, "s": "value 199999"}
    assert server.query(sql, "csv").text.count("\r\n") == 200001
    assert server.query(sql, "json").json["rows"] == 200000


@pytest.mark.parametrize("format", ["arrow", "json", "ndjson", "csv"])
def test_an_error_after_the_first_byte_breaks_the_response(server, format):
    connection, response = server.open_request("POST", f"/v1/query?format={format}", LATE_ERROR)
    with contextlib.closing(connection):
        assert response.status == 200
        with pytest.raises((http.client.IncompleteRead, ConnectionResetError)):
            response.read()


def test_an_error_after_the_first_byte_resets_an_http2_stream(server):
    if not shutil.which("curl"):
        pytest.skip("curl is not installed")
    command = ["curl", "-s", "--http2-prior-knowledge", "-o", "/dev/null", "--data", LATE_ERROR,
               f"{server.http_url}/v1/query?format=ndjson"]
    assert subprocess.run(command, check=False, timeout=60).returncode not in (0, 7)


def test_http2_with_prior_knowledge(server):
    if not shutil.which("curl"):
        pytest.skip("curl is not installed")
    command = ["curl", "-s", "--http2-prior-knowledge", "-w", "%{http_version}", "-o", "-",
               "--data", "SELECT 1 AS v", f"{server.http_url}/v1/query?format=csv"]
    result = subprocess.run(command, check=True, timeout=60, capture_output=True)
    assert result.stdout == b"v\r\n1\r\n2"


def test_the_flight_port_answers_http_too(server):
    connection = http.client.HTTPConnection(*server.flight_address, timeout=30)
    with contextlib.closing(connection):
        connection.request("GET", "/healthz")
        assert connection.getresponse().status == 200


def test_keep_alive_serves_many_requests(server):
    connection = http.client.HTTPConnection(*server.http_address, timeout=30)
    with contextlib.closing(connection):
        for number in range(20):
            connection.request("POST", "/v1/query?format=csv", f"SELECT {number} AS v")
            assert connection.getresponse().read() == f"v\r\n{number}\r\n".encode()


@pytest.mark.parametrize(
    ("sql", "status", "code"),
    [
        ("SELEC 1", 400, "QUERY_SYNTAX_ERROR"),
        ("SELECT nope FROM range(1) t(i)", 400, "INVALID_SQL"),
        ("FROM no_such_table", 404, "TABLE_NOT_FOUND"),
        ("INSTALL httpfs", 403, "STATEMENT_NOT_ALLOWED"),
    ],
)
def test_sql_errors_are_problems(server, sql, status, code):
    answer = server.query(sql, "json")
    assert (answer.status, answer.media_type) == (status, "application/problem+json")
    body = answer.json
    assert (body["status"], body["code"]) == (status, code)
    assert body["request_id"] == answer.headers["x-request-id"]
    assert {"type", "title", "detail"} <= body.keys()


def test_a_syntax_error_has_its_position(server):
    assert server.query("SELECT 1 FRM x y", "json").json["position"] >= 0


@pytest.mark.parametrize(
    ("method", "path", "allow"),
    [("GET", "/v1/query", "POST"), ("POST", "/health", "GET"), ("PUT", "/metrics", "GET")],
)
def test_wrong_method(server, method, path, allow):
    answer = server.request(method, path)
    assert answer.status == 405
    assert allow in answer.headers["allow"]


def test_unknown_path(server):
    answer = server.request("GET", "/no/such/path?x=1")
    assert answer.status == 404
    assert not any("no/such" in name for name in server.metrics())


def test_not_acceptable(server):
    assert server.query("SELECT 1", headers={"accept": "image/png"}).status == 406


def test_unknown_format(server):
    answer = server.query("SELECT 1", "xml")
    assert answer.status in (400, 406)
    assert "xml" in answer.json["detail"]


def test_unsupported_media_type(server):
    answer = server.request("POST", "/v1/query", b"SELECT 1", {"content-type": "image/png"})
    assert answer.status == 415


def test_request_id_is_taken_over(server):
    answer = server.request("GET", "/health", headers={"x-request-id": "my-id-42"})
    assert answer.headers["x-request-id"] == "my-id-42"


@pytest.mark.parametrize("sent", [None, "x" * 129, "tab\there"])
def test_request_id_is_made_where_there_is_no_good_one(server, sent):
    answer = server.request("GET", "/health", headers={"x-request-id": sent} if sent else None)
    assert 1 <= len(answer.headers["x-request-id"]) <= 128
    assert answer.headers["x-request-id"] != sent


def test_chunked_request_body(server):
    connection = http.client.HTTPConnection(*server.http_address, timeout=30)
    with contextlib.closing(connection):
        connection.request("POST", "/v1/query?format=csv", iter([b"SELECT ", b"1", b" AS v"]),
                           encode_chunked=True, headers={"transfer-encoding": "chunked"})
        assert connection.getresponse().read() == b"v\r\n1\r\n"


def test_options_of_a_session_are_parameters_and_headers(server):
    assert server.query("CREATE SCHEMA IF NOT EXISTS by_http").status == 200
    sql = "SELECT current_schema() AS s, hour(TIMESTAMPTZ '2024-01-01 00:00:00+00') AS h"
    plain = server.query(sql, "json")
    assert plain.json["data"] == [{"s": "main", "h": 0}]
    asked = server.query(sql, "json", parameters="&schema=BY_HTTP&time-zone=asia/tokyo")
    assert asked.json["data"] == [{"s": "by_http", "h": 9}]
    by_header = server.query(sql, "json", {"Volley-Schema": "by_http", "Volley-Catalog": "memory"})
    assert by_header.json["data"] == [{"s": "by_http", "h": 0}]
    assert server.query(sql, "json").json["data"] == plain.json["data"]


@pytest.mark.parametrize("parameters, message", [
    ("&schema=absent", "there is no schema 'absent'"),
    ("&catalog=volley", "there is no catalog 'volley'"),
    ("&time-zone=%2B02:00", "there is no time zone '+02:00'"),
    ("&timeout-ms=0", "option timeout-ms takes a number of milliseconds above 0, not '0'"),
    ("&priority=6", "option priority takes 1 (first) to 5, not '6'"),
    ("&slots=0", "option slots takes a number of slots above 0, not '0'"),
    ("&max-message-bytes=x", "option max-message-bytes takes"),
])
def test_a_value_that_an_option_does_not_take(server, parameters, message):
    answer = server.query("SELECT 1", "json", parameters=parameters)
    assert answer.status == 422 or answer.status == 400
    assert message in answer.text
