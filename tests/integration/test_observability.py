"""Metrics per method and route, and the caller's trace in the log.

SPDX-License-Identifier: Apache-2.0
"""
import json

import flight_sql
import pyarrow.flight
from harness import COMPUTING, Background, wait_until

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
SPAN = "00f067aa0ba902b7"
TRACEPARENT = f"00-{TRACE}-{SPAN}-01"
DO_GET = "arrow.flight.protocol.FlightService/DoGet"
LIST_ACTIONS = "arrow.flight.protocol.FlightService/ListActions"


def traced(server):
    return [row for row in map(json.loads, filter(lambda line: line.startswith("{"),
                                                  server.log.splitlines()))
            if row.get("trace_id") == TRACE]


def test_a_trace_over_http_is_logged(server):
    server.query("SELECT 41", "json", {"traceparent": TRACEPARENT})
    (line,) = wait_until(lambda: traced(server))
    assert line["parent_span_id"] == SPAN
    server.query("SELECT 42", "json", {"traceparent": "00-nonsense", "x-request-id": "no-trace"})
    wait_until(lambda: "no-trace" in server.log)
    assert len(traced(server)) == 1


def test_a_trace_over_flight_is_logged(start_server):
    server = start_server()
    options = pyarrow.flight.FlightCallOptions(headers=[(b"traceparent", TRACEPARENT.encode())])
    with server.flight() as client:
        list(client.list_actions(options))
    (line,) = wait_until(lambda: traced(server))
    assert "ListActions" in line["method"]


def test_the_trace_of_a_request_that_ran_into_a_limit_is_logged(start_server):
    server = start_server("--body-grace", "100ms")
    with server.socket() as slow:
        slow.sendall(b"POST /v1/query HTTP/1.1\r\nhost: localhost\r\ncontent-type: text/plain\r\n"
                     b"x-request-id: slow\r\ntraceparent: " + TRACEPARENT.encode() + b"\r\n"
                     b"content-length: 1000\r\n\r\nSELECT")
        (line,) = wait_until(lambda: [row for row in traced(server) if row["event"] == "limit"])
    assert (line["budget"], line["id"], line["parent_span_id"]) == ("body_rate", "slow", SPAN)


def test_calls_are_counted_by_method(start_server):
    server = start_server()
    with server.flight() as client:
        list(client.list_actions())
        flight_sql.query(client, "SELECT i FROM range(1000) t(i)")
    # A call is counted when its last byte was taken, which its client may know first.
    counted = f'volley_call_duration_seconds_count{{method="{DO_GET}"}}'
    wait_until(lambda: server.metrics().get(counted) == 1)
    samples = server.metrics()
    assert samples[f'volley_calls_total{{method="{LIST_ACTIONS}",code="OK"}}'] == 1
    assert samples[f'volley_call_sent_bytes_total{{method="{DO_GET}"}}'] > 8000
    assert samples[f'volley_call_received_bytes_total{{method="{DO_GET}"}}'] > 0
    assert samples[f'volley_calls_in_flight{{method="{DO_GET}"}}'] == 0


def test_what_is_in_flight_is_seen(start_server):
    server = start_server()
    path = 'http_requests_in_flight{method="POST",endpoint="/v1/query"}'
    sql = COMPUTING.format(mark="watched")
    asked = Background(lambda: server.query(sql, "json"))
    wait_until(lambda: server.metrics().get(path) == 1)
    (statement,) = wait_until(lambda: server.running("watched"))
    server.request("DELETE", f"/v1/queries/{statement}")
    asked.outcome()
    wait_until(lambda: server.metrics()[path] == 0)


def test_requests_are_counted_by_route(start_server):
    server = start_server()
    for _ in range(3):
        server.request("GET", "/healthz")
    server.request("HEAD", "/healthz")
    server.request("GET", "/nowhere")
    by_request = "http_requests_total"
    expected = {f'{by_request}{{method="GET",endpoint="/healthz",http_status="200"}}': 3,
                f'{by_request}{{method="HEAD",endpoint="/healthz",http_status="200"}}': 1,
                f'{by_request}{{method="GET",endpoint="none",http_status="404"}}': 1}
    wait_until(lambda: expected.items() <= server.metrics().items(), what="the counts")
    samples = server.metrics()
    assert samples['http_status_errors_total{status_code="404"}'] == 1
    assert samples['http_request_duration_seconds_count{method="GET",endpoint="/healthz"}'] == 4


def test_the_loops_tell_how_long_their_rounds_take(start_server):
    server = start_server("--io-threads", "2")
    server.request("GET", "/healthz")
    samples = server.metrics()
    lags = [samples[f'volley_event_loop_lag_seconds_count{{loop="{loop}"}}'] for loop in (0, 1)]
    assert sum(lags) > 0
