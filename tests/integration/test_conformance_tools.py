"""The tools people try a server with: grpcurl, which learns the services by reflection, and curl.

SPDX-License-Identifier: Apache-2.0
"""
import base64
import json
import subprocess

import pytest
from flight_sql import query_descriptor
from harness import clean_environment

pytestmark = pytest.mark.timeout(120)
FLIGHT = "arrow.flight.protocol.FlightService/"
HEALTH = "grpc.health.v1.Health/"
# Between what curl received and what it says about the transfer.
MARK = "\n--- "


# --- grpcurl ---------------------------------------------------------------------------------------


@pytest.fixture
def grpcurl(client_program, server):
    """grpcurl(words, request, *options): exit code, messages (else text), and standard error."""
    program = client_program("grpcurl", "grpcurl")

    def run(method, request=None, *options, address=server.flight_address, safety=("-plaintext",)):
        sent = [] if request is None else ["-d", json.dumps(request)]
        result = subprocess.run(
            [str(program), *safety, *sent, *options, "{}:{}".format(*address), *method.split()],
            capture_output=True, text=True, timeout=60, env=clean_environment(), check=False)
        output = result.stdout
        return result.returncode, messages_of(output) if output[:1] == "{" else output, result.stderr

    return run


def messages_of(text):
    """The JSON objects of a text, one after the other."""
    decoder, found, position = json.JSONDecoder(), [], 0
    while True:
        position = text.find("{", position)
        if position < 0:
            return found
        value, position = decoder.raw_decode(text, position)
        found.append(value)


@pytest.mark.clients
def test_grpcurl_health(grpcurl):
    assert grpcurl(HEALTH + "Check", {}) == (0, [{"status": "SERVING"}], "")
    _, watched, _ = grpcurl(HEALTH + "Watch", {}, "-max-time", "1")
    assert watched == [{"status": "SERVING"}]
    code, _, errors = grpcurl(HEALTH + "Check", {"service": "nobody"})
    assert (code, "NotFound" in errors) == (64 + 5, True)


@pytest.mark.clients
def test_grpcurl_lists_and_describes(grpcurl):
    code, listed, _ = grpcurl("list")
    assert code == 0
    assert {"arrow.flight.protocol.FlightService", "grpc.health.v1.Health"} <= set(listed.split())
    code, listed, _ = grpcurl("list arrow.flight.protocol.FlightService")
    assert (code, len(listed.split())) == (0, 10)
    code, described, _ = grpcurl("describe arrow.flight.protocol.FlightInfo")
    assert code == 0
    assert "int64 total_records = 4;" in described
    code, _, errors = grpcurl("describe no.such.Symbol")
    assert (code != 0, "not found" in errors.lower()) == (True, True)


@pytest.mark.clients
def test_grpcurl_over_tls(grpcurl, tls_server, certificates):
    address = ("localhost", tls_server.flight_address[1])
    code, answer, _ = grpcurl(HEALTH + "Check", {}, address=address,
                              safety=("-cacert", str(certificates.ca.path)))
    assert (code, answer) == (0, [{"status": "SERVING"}])
    code, _, errors = grpcurl(HEALTH + "Check", {}, address=address, safety=())
    assert (code, "certificate" in errors) == (1, True)


@pytest.mark.clients
def test_grpcurl_reads_a_table(grpcurl):
    command = base64.b64encode(query_descriptor("SELECT 42 AS answer").command).decode()
    code, (info,), _ = grpcurl(FLIGHT + "GetFlightInfo", {"type": "CMD", "cmd": command})
    assert code == 0
    (endpoint,) = info["endpoint"]
    code, messages, _ = grpcurl(FLIGHT + "DoGet", endpoint["ticket"])
    assert (code, len(messages)) == (0, 2)  # the schema and one batch
    assert b"answer" in base64.b64decode(messages[0]["dataHeader"])
    assert base64.b64decode(messages[1]["dataBody"])[:4] == (42).to_bytes(4, "little")


@pytest.mark.clients
def test_grpcurl_lists_actions_and_reads_errors(grpcurl):
    code, actions, _ = grpcurl(FLIGHT + "ListActions", {})
    assert code == 0
    assert "CreatePreparedStatement" in {action["type"] for action in actions}
    code, _, errors = grpcurl(FLIGHT + "GetFlightInfo", {"type": "CMD", "cmd": base64.b64encode(
        query_descriptor("SELEC").command).decode()})
    assert (code, "InvalidArgument" in errors, "SELEC" in errors) == (64 + 3, True, True)


@pytest.mark.clients
def test_grpcurl_deadline(grpcurl):
    sql = "SELECT count(*) FROM range(3000000) a(i), range(3000000) b(i) WHERE a.i * b.i % 7 = 3"
    command = base64.b64encode(query_descriptor(sql).command).decode()
    _, (info,), _ = grpcurl(FLIGHT + "GetFlightInfo", {"type": "CMD", "cmd": command})
    code, _, errors = grpcurl(FLIGHT + "DoGet", info["endpoint"][0]["ticket"], "-max-time", "0.5")
    assert (code, "DeadlineExceeded" in errors) == (64 + 4, True)


# --- curl ------------------------------------------------------------------------------------------


@pytest.fixture(params=["--http1.1", "--http2-prior-knowledge", "--http2"])
def curl(request, server):
    """curl(path, *options): (HTTP status, version, body) of one version of HTTP.

    --http2 asks an HTTP/1.1 connection to become HTTP/2, which Volley answers as HTTP/1.1.
    """

    def run(path, *options, input=None):
        result = subprocess.run(
            ["curl", "--silent", "--show-error", "--max-time", "60", request.param,
             "--write-out", MARK + "%{http_code} %{http_version}", *options, server.http_url + path],
            input=input, capture_output=True, timeout=90, env=clean_environment(), check=False)
        assert result.returncode == 0, result.stderr
        body, _, words = result.stdout.rpartition(MARK.encode())
        status, version = words.decode().split()
        assert version == ("2" if request.param == "--http2-prior-knowledge" else "1.1")
        return int(status), body

    return run


def test_curl_get_and_head(curl):
    status, body = curl("/health")
    assert (status, json.loads(body)["status"]) == (200, "healthy")
    status, head = curl("/health", "--head")
    assert status == 200
    assert b"content-type: application/json" in head.lower()
    status, body = curl("/no/such/place")
    assert (status, "/no/such/place" in body.decode()) == (404, True)


def test_curl_queries(curl):
    status, body = curl("/v1/query?format=csv", "--header", "content-type: text/plain",
                        "--data", "SELECT i, i * i AS j FROM range(3) t(i)")
    assert (status, body.split()) == (200, [b"i,j", b"0,0", b"1,1", b"2,4"])


def test_curl_large_answer(curl):
    status, body = curl("/v1/query?format=csv", "--header", "content-type: text/plain",
                        "--data", "SELECT i FROM range(1000000) t(i)")
    assert status == 200
    assert body.split() == [b"i", *(b"%d" % i for i in range(1000000))]


def test_curl_large_request(curl):
    # Over 1 MiB curl sends `expect: 100-continue` first; chunked where the length is not known.
    sql = b"SELECT length('" + b"x" * 900_000 + b"') AS n"
    for options in ([], ["--header", "transfer-encoding: chunked"], ["--header", "expect: 100-continue"]):
        status, body = curl("/v1/query?format=csv", "--header", "content-type: text/plain",
                            *options, "--data-binary", "@-", input=sql)
        assert (status, body.split()) == (200, [b"n", b"900000"]), body[:300]


# curl 7.88 fails to use a connection of --http2-prior-knowledge again, with nghttpd as well.
@pytest.mark.parametrize("curl", ["--http1.1", "--http2"], indirect=True)
def test_curl_several_on_one_connection(curl, server):
    status, body = curl("/health", server.http_url + "/health")
    assert status == 200
    assert body.count(b'"healthy"') == 2


def test_curl_makes_a_grpc_call(server):
    message = query_descriptor("SELECT 1 AS a").serialize()
    result = subprocess.run(
        ["curl", "--silent", "--show-error", "--max-time", "60", "--http2-prior-knowledge", "--include",
         "--header", "content-type: application/grpc", "--header", "te: trailers",
         "--data-binary", "@-", server.flight_url.replace("grpc", "http") + "/" + FLIGHT + "GetFlightInfo"],
        input=b"\0" + len(message).to_bytes(4, "big") + message, capture_output=True, timeout=90,
        env=clean_environment(), check=False)
    assert result.returncode == 0, result.stderr
    head, _, rest = result.stdout.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/2 200")
    assert b"grpc-status: 0\r\n" in rest  # curl writes trailers after the body
    assert int.from_bytes(rest[1:5], "big") > 100
