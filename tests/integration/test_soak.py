"""A soak: all kinds of abuse at once, beside clients whose every answer is checked.

Bounded by counts, not by time; a sanitizer build makes it slower, not shorter. At its end the server
holds nothing that it did not hold at the start.

SPDX-License-Identifier: Apache-2.0
"""
import contextlib
import http.client
import re
import threading

import flight_sql
import pyarrow.flight
import pytest
from abuse import ABUSES
from harness import Background, wait_until

pytestmark = [pytest.mark.soak, pytest.mark.timeout(400)]
grpc = pytest.importorskip("grpc")
ROUNDS_LEAST = 5
DATASET_HEAD_BYTES = 1024  # at most
ROWS = 20_000

# Gauges of the process and its files, which come and go as they like.
OF_THE_PROCESS = ("process_", "flight_memory_usage_bytes", "volley_registry_")


def live(server):
    """All gauges: what exists in the server now, the request that asks for it included.

    Finished statements stay in a list of bounded length; each keeps the head of its dataset there.
    """
    text = server.request("GET", "/metrics").text
    gauges = set(re.findall(r"^# TYPE (\w+) gauge$", text, re.MULTILINE))
    samples = dict(line.rsplit(" ", 1) for line in text.splitlines() if not line.startswith("#"))
    found = {name: float(value) for name, value in samples.items()
             if name.partition("{")[0] in gauges and not name.startswith(OF_THE_PROCESS)}
    queries, datasets = (found.pop('volley_live_objects{kind="%s"}' % kind)
                         for kind in ("query", "dataset"))
    found["datasets of no query"] = datasets - queries
    if found['volley_dataset_bytes{where="memory"}'] <= datasets * DATASET_HEAD_BYTES:
        del found['volley_dataset_bytes{where="memory"}']
    return {name: value for name, value in found.items() if value}


def reads_over_flight(server, go_on):
    with server.flight() as client:
        read_checked(client, go_on)


def reads_over_tls(server, go_on):
    address = server.addresses["flight"][1].replace("tls://", "grpc+tls://")
    with pyarrow.flight.connect(address, tls_root_certs=server.authority) as client:
        read_checked(client, go_on)


def read_checked(client, go_on):
    sql = f"SELECT i, i * 3 AS j, 'text ' || i AS s FROM range({ROWS}) t(i)"
    while go_on():
        table = flight_sql.query(client, sql)
        assert table.num_rows == ROWS
        assert table["j"].to_pylist() == [3 * i for i in range(ROWS)]
        assert table["s"][ROWS - 1].as_py() == f"text {ROWS - 1}"


def reads_over_http(server, go_on):
    expected = [b"i", *(b"%d" % i for i in range(1000))]
    with contextlib.closing(http.client.HTTPConnection(*server.http_address, timeout=120)) as connection:
        while go_on():
            connection.request("POST", "/v1/query?format=csv", b"SELECT i FROM range(1000) t(i)",
                               {"content-type": "text/plain"})
            response = connection.getresponse()
            assert (response.status, response.read().split()) == (200, expected)


def calls_and_reads_metadata(server, go_on):
    target = "{}:{}".format(*server.flight_address)
    with grpc.insecure_channel(target) as channel:
        check = channel.unary_unary("/grpc.health.v1.Health/Check")
        actions = channel.unary_stream("/arrow.flight.protocol.FlightService/ListActions")
        names = list(actions(b""))
        while go_on():
            assert check(b"", timeout=120) == b"\x08\x01"
            assert list(actions(b"", timeout=120)) == names
            with pytest.raises(grpc.RpcError) as caught:
                channel.unary_unary("/nobody/here")(b"", timeout=120)
            assert caught.value.code() == grpc.StatusCode.UNIMPLEMENTED


def writes(server, go_on):
    with server.flight() as client:
        flight_sql.update(client, "CREATE TABLE written (i INTEGER)")
        count = 0
        while go_on():
            assert flight_sql.update(client, f"INSERT INTO written VALUES ({count})") == 1
            count += 1
        (row,) = flight_sql.query(client, "SELECT count(*) AS n, sum(i) AS s FROM written").to_pylist()
        assert (row["n"], row["s"]) == (count, count * (count - 1) // 2)


def test_good_clients_are_served_beside_bad_ones(start_server, certificates):
    # ThreadSanitizer sees nothing of what the engine's own threads hand to each other: one is enough.
    server = start_server("--query-slots", "32", "--dataset-ttl", "15s", "--header-timeout", "5s",
                          "--dataset-memory", "256MiB", "--engine-threads", "1", "--flight-addr",
                          "tls://127.0.0.1:0?cert={}&key={}".format(*certificates.server))
    server.authority = certificates.ca.path.read_bytes()
    baseline = live(server)
    assert baseline['volley_live_objects{kind="connection"}'] == 1
    over = threading.Event()

    def background(client):
        rounds = 0

        def go_on():
            nonlocal rounds
            rounds += 1
            return rounds <= ROUNDS_LEAST or not over.is_set()

        return Background(lambda: client(server, go_on))

    good = [background(client) for client in (
        reads_over_flight, reads_over_tls, reads_over_http, calls_and_reads_metadata, writes)]
    bad = [Background(lambda abuse=abuse, rounds=rounds: abuse(server, rounds))
           for abuse, rounds in ABUSES]
    try:
        for one in bad:
            one.outcome(seconds=300)
    finally:
        over.set()
    for one in good:
        one.outcome(seconds=120)
    def at_rest():
        nonlocal found
        found = live(server)
        return found == baseline

    found = None
    with contextlib.suppress(AssertionError):
        wait_until(at_rest, 50)
    assert found == baseline
    assert not server.statements()
