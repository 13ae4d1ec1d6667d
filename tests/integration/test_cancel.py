"""Stopping statements: by their client, its disconnect, a deadline, a time-out, an operator.

Each way must end the statement in the engine and give the slot back; how fast is measured by the
benchmarks, here only that it happens.

SPDX-License-Identifier: Apache-2.0
"""
import contextlib
import signal
import subprocess

import adbc_driver_manager
import flight_sql
import pyarrow as pa
import pyarrow.flight
import pytest
from harness import COMPUTING, STREAMING, Background, clean_environment, wait_until

def gone(server, mark):
    wait_until(lambda: not server.running(mark), what=f"the end of {mark}")


def started(server, mark):
    """Waits until the statement runs; its id."""
    found = wait_until(lambda: server.statements(mark, ("running",)), what=f"the start of {mark}")
    return found[0]["id"]


def test_flight_client_cancels_a_stream(server, flight):
    sql = STREAMING.format(mark="flight_stream")
    info = flight.get_flight_info(flight_sql.query_descriptor(sql))
    reader = flight.do_get(info.endpoints[0].ticket)
    assert reader.read_chunk().data.num_rows > 0
    started(server, "flight_stream")
    reader.cancel()
    gone(server, "flight_stream")


def test_flight_client_leaves_without_a_word(server):
    sql = STREAMING.format(mark="flight_leaves")
    with server.flight() as client:
        info = client.get_flight_info(flight_sql.query_descriptor(sql))
        reader = client.do_get(info.endpoints[0].ticket)
        reader.read_chunk()
        started(server, "flight_leaves")
        del reader
    gone(server, "flight_leaves")


@pytest.mark.parametrize("kind", ["computing", "streaming"])
def test_deadline_of_a_call(server, flight, kind):
    mark = f"deadline_{kind}"
    sql = (COMPUTING if kind == "computing" else STREAMING).format(mark=mark)
    info = flight.get_flight_info(flight_sql.query_descriptor(sql))
    options = pyarrow.flight.FlightCallOptions(timeout=1)
    with pytest.raises(pyarrow.flight.FlightTimedOutError):
        flight.do_get(info.endpoints[0].ticket, options).read_all()
    gone(server, mark)


def test_adbc_cancel(server):
    sql = STREAMING.format(mark="adbc_cancel")
    with server.adbc() as connection, connection.cursor() as cursor:
        cursor.execute(sql)
        reader = cursor.fetch_record_batch()
        reader.read_next_batch()
        started(server, "adbc_cancel")
        cursor.adbc_cancel()
        with pytest.raises((adbc_driver_manager.Error, pa.ArrowException, OSError)):
            while True:
                reader.read_next_batch()
    gone(server, "adbc_cancel")


@pytest.mark.parametrize("kind", ["computing", "streaming"])
def test_http_client_disconnects(server, kind):
    mark = f"http_leaves_{kind}"
    sql = (COMPUTING if kind == "computing" else STREAMING).format(mark=mark)
    with server.socket() as connection:
        head = f"POST /v1/query?format=csv HTTP/1.1\r\nhost: localhost\r\ncontent-length: {len(sql)}\r\n\r\n"
        connection.sendall(head.encode() + sql.encode())
        if kind == "streaming":
            assert connection.recv(4096).startswith(b"HTTP/1.1 200")
        started(server, mark)
    gone(server, mark)


def test_http2_client_disconnects(server):
    mark = "curl_leaves"
    command = ["curl", "-s", "--http2-prior-knowledge", "-o", "/dev/null", "--data",
               COMPUTING.format(mark=mark), f"{server.http_url}/v1/query"]
    with subprocess.Popen(command) as curl:
        started(server, mark)
        curl.kill()
    gone(server, mark)


@pytest.mark.parametrize("kind", ["computing", "streaming"])
def test_operator_stops_a_flight_query(server, flight, kind):
    mark = f"killed_{kind}"
    sql = (COMPUTING if kind == "computing" else STREAMING).format(mark=mark)
    info = flight.get_flight_info(flight_sql.query_descriptor(sql))

    def read():
        for _ in flight.do_get(info.endpoints[0].ticket):
            pass

    reading = Background(read)
    identifier = started(server, mark)
    answer = server.request("DELETE", f"/v1/queries/{identifier}")
    assert answer.status == 200, answer.text
    with pytest.raises(pyarrow.flight.FlightCancelledError):
        reading.outcome()
    gone(server, mark)


def test_operator_stops_an_http_query_before_its_first_byte(server):
    mark = "killed_http"
    waiting = Background(lambda: server.query(COMPUTING.format(mark=mark), "json"))
    identifier = started(server, mark)
    assert server.request("DELETE", f"/v1/queries/{identifier}").status == 200
    answer = waiting.outcome()
    assert answer.status == 409
    assert answer.json["code"] == "QUERY_CANCELLED"


def test_stopping_what_is_not_there(server):
    answer = server.request("DELETE", "/v1/queries/00000000-0000-0000-0000-000000000000")
    assert answer.status == 404
    assert "00000000" in answer.json["detail"]


def test_volley_kill(server, volley):
    mark = "killed_by_command"
    waiting = Background(lambda: server.query(COMPUTING.format(mark=mark), "json"))
    identifier = started(server, mark)
    result = volley("kill", identifier, "--server", server.http_url)
    assert result.returncode == 0, result.stderr
    assert waiting.outcome().status == 409
    assert volley("kill", "no-such-id", "--server", server.http_url).returncode == 1


def test_query_timeout_setting(start_server):
    server = start_server("--query-timeout", "500ms")
    answer = server.query(COMPUTING.format(mark="timed_out"), "json")
    assert answer.status == 504
    assert answer.json["code"] == "QUERY_TIMEOUT"
    with server.flight() as client, pytest.raises(pyarrow.flight.FlightTimedOutError):
        flight_sql.query(client, COMPUTING.format(mark="timed_out"))
    gone(server, "timed_out")


def test_a_stream_that_nobody_reads_meets_its_time_out(start_server):
    server = start_server("--query-timeout", "1s", "--query-slots", "1")
    with contextlib.ExitStack() as stack:
        connection, response = server.open_request(
            "POST", "/v1/query?format=csv", STREAMING.format(mark="stalled"))
        stack.callback(connection.close)
        assert response.read(10)
        answer = server.query("SELECT 1 AS v", "csv", parameters="&timeout-ms=30000")
        assert answer.body == b"v\r\n1\r\n"


def test_the_slot_comes_back_after_each_way_of_stopping(start_server):
    server = start_server("--query-slots", "1")
    with server.flight() as client:
        for number in range(5):
            sql = STREAMING.format(mark=f"slot_{number}")
            info = client.get_flight_info(flight_sql.query_descriptor(sql))
            reader = client.do_get(info.endpoints[0].ticket)
            reader.read_chunk()
            reader.cancel()
            assert flight_sql.query(client, "SELECT 1 AS v")["v"].to_pylist() == [1]


def test_an_update_is_rolled_back_when_it_is_stopped(server):
    server.query("CREATE TABLE stopped_insert (i BIGINT)", "json")
    sql = ("INSERT INTO stopped_insert SELECT a.i FROM range(3000000) a(i), range(3000000) b(i)"
           " WHERE a.i * b.i % 7 = 3 AND a.i + b.i < -1")
    waiting = Background(lambda: server.query(sql, "json"))
    identifier = started(server, "stopped_insert SELECT")
    assert server.request("DELETE", f"/v1/queries/{identifier}").status == 200
    assert waiting.outcome().status == 409
    assert server.value("SELECT count(*) FROM stopped_insert") == 0


def test_interrupting_volley_sql_cancels_on_the_server(server, binary, tmp_path):
    mark = "interrupted_sql"
    command = [str(binary), "sql", "--server", server.http_url, COMPUTING.format(mark=mark)]
    with subprocess.Popen(command, env=clean_environment(), cwd=tmp_path,
                          stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as client:
        started(server, mark)
        client.send_signal(signal.SIGINT)
        assert client.wait(30) == 130
    gone(server, mark)
