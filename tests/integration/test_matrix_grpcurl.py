"""The matrix of clients, grpcurl: Flight SQL with nothing but reflection and JSON.

Every call is a connection of its own, so that what belongs to a session travels with a bearer token.

SPDX-License-Identifier: Apache-2.0
"""
import base64
import json
import re
import subprocess

import pytest
from flight_sql import field, fields, packed, unpacked
from harness import COMPUTING, clean_environment

pytestmark = [pytest.mark.clients, pytest.mark.timeout(120)]
SERVICE = "arrow.flight.protocol.FlightService"


def shows(feature):
    return pytest.mark.client("grpcurl", feature)


def encoded(value):
    return base64.b64encode(value).decode()


def descriptor(name, message=b""):
    return {"type": "CMD", "cmd": encoded(packed(name, message))}


@pytest.fixture
def grpcurl(client_program, server):
    """grpcurl(method, request, *options): the messages; its output where no method is called."""
    program = client_program("grpcurl", "grpcurl")

    def run(method, request=None, *options):
        sent = [] if request is None else ["-d", json.dumps(request)]
        words = f"{SERVICE}/{method}".split() if request is not None else method.split()
        result = subprocess.run(
            [str(program), "-plaintext", *sent, *options, "{}:{}".format(*server.flight_address), *words],
            capture_output=True, text=True, timeout=60, env=clean_environment(), check=False)
        assert result.returncode == 0, result.stderr
        if request is None or "-v" in options:
            return result.stdout
        return json.loads("[" + re.sub(r"(?m)^}\n\{", "},\n{", result.stdout) + "]")

    return run


@pytest.fixture
def token(grpcurl):
    """Options that put a call into one session."""
    basic = encoded(b"anyone:any:thing")
    output = grpcurl("Handshake", {}, "-v", "-H", f"authorization: Basic {basic}")
    bearer = re.search(r"(?m)^authorization: (Bearer \S+)", output)[1]
    return ("-H", f"authorization: {bearer}")


def query(grpcurl, sql, *options):
    """The bodies of a result's batches."""
    (info,) = grpcurl("GetFlightInfo", descriptor("CommandStatementQuery", field(1, sql)), *options)
    messages = grpcurl("DoGet", info["endpoint"][0]["ticket"], *options)
    return [base64.b64decode(message["dataBody"]) for message in messages if "dataBody" in message]


def update(grpcurl, sql, *options):
    message = {"flightDescriptor": descriptor("CommandStatementUpdate", field(1, sql))}
    (answer,) = grpcurl("DoPut", message, *options)
    return fields(base64.b64decode(answer["appMetadata"])).get(1, [0])[0]


def number(bodies):
    return int.from_bytes(bodies[0][:8], "little")


def act(grpcurl, name, message, *options):
    answers = grpcurl("DoAction", {"type": name, "body": encoded(message)}, *options)
    return base64.b64decode(answers[0].get("body", "")) if answers else b""


@shows("connect")
def test_connect(grpcurl, token):
    assert SERVICE in grpcurl("list").split()
    assert "GetFlightInfo" in grpcurl(f"describe {SERVICE}")
    assert number(query(grpcurl, "SELECT 42::BIGINT AS answer", *token)) == 42


@shows("query")
def test_query(grpcurl):
    assert number(query(grpcurl, "SELECT count(*) AS n FROM range(1234)")) == 1234
    asked = descriptor("CommandStatementQuery", field(1, "SELECT 1 AS grpcurl_column"))
    (answer,) = grpcurl("GetSchema", asked)
    assert b"grpcurl_column" in base64.b64decode(answer["schema"])


@shows("update and DDL")
def test_update(grpcurl):
    update(grpcurl, "CREATE OR REPLACE TABLE grpcurl_rows (i INTEGER)")
    assert update(grpcurl, "INSERT INTO grpcurl_rows VALUES (1), (2), (3)") == 3
    assert update(grpcurl, "DELETE FROM grpcurl_rows WHERE i > 1") == 2
    update(grpcurl, "DROP TABLE grpcurl_rows")


@shows("transactions")
def test_transactions(grpcurl, token):
    update(grpcurl, "CREATE OR REPLACE TABLE grpcurl_tx (i INTEGER)")
    begun = act(grpcurl, "BeginTransaction", packed("ActionBeginTransactionRequest", b""), *token)
    transaction = unpacked(begun)[1][1][0]
    update(grpcurl, "INSERT INTO grpcurl_tx VALUES (1)", *token)
    assert number(query(grpcurl, "SELECT count(*) AS n FROM grpcurl_tx")) == 0
    message = packed("ActionEndTransactionRequest", field(1, transaction) + field(2, 1))
    act(grpcurl, "EndTransaction", message, *token)
    assert number(query(grpcurl, "SELECT count(*) AS n FROM grpcurl_tx")) == 1


@shows("metadata")
def test_metadata(grpcurl):
    for name, message, word in (
        ("CommandGetCatalogs", b"", b"memory"), ("CommandGetDbSchemas", b"", b"main"),
        ("CommandGetTableTypes", b"", b"TABLE"), ("CommandGetXdbcTypeInfo", b"", b"VARCHAR"),
        ("CommandGetSqlInfo", b"", b"Volley"), ("CommandGetTables", field(2, "main"), b""),
        ("CommandGetPrimaryKeys", field(3, "none"), b""),
    ):
        (info,) = grpcurl("GetFlightInfo", descriptor(name, message))
        messages = grpcurl("DoGet", info["endpoint"][0]["ticket"])
        assert word in b"".join(base64.b64decode(part.get("dataBody", "")) for part in messages), name


@shows("cancel")
def test_cancel(grpcurl):
    sql = COMPUTING.format(mark="grpcurl_cancel")
    asked = descriptor("CommandStatementQuery", field(1, sql))
    (answer,) = grpcurl("PollFlightInfo", asked)  # which starts it
    info = answer["info"]
    tickets = b"".join(field(3, field(1, field(1, base64.b64decode(endpoint["ticket"]["ticket"]))))
                       for endpoint in info["endpoint"])
    message = field(1, field(1, base64.b64decode(info["schema"])) + tickets
                    + field(6, base64.b64decode(info.get("appMetadata", ""))))
    assert fields(act(grpcurl, "CancelFlightInfo", message))[1][0] in (1, 2)


@shows("session options")
def test_session_options(grpcurl, token):
    update(grpcurl, "CREATE SCHEMA IF NOT EXISTS grpcurl_session")
    value = field(1, "schema") + field(2, field(1, "grpcurl_session"))
    act(grpcurl, "SetSessionOptions", field(1, value), *token)
    assert b"grpcurl_session" in act(grpcurl, "GetSessionOptions", b"", *token)
    assert fields(act(grpcurl, "CloseSession", b"", *token))[1][0] in (1, 2)


@shows("poll")
def test_poll(grpcurl):
    sql = "SELECT count(*) AS n FROM range(30000000) t(i) WHERE i % 3 = 1"
    asked = descriptor("CommandStatementQuery", field(1, sql))
    while True:
        (answer,) = grpcurl("PollFlightInfo", asked)
        if "flightDescriptor" not in answer:
            break
        asked = answer["flightDescriptor"]
    (first, batch) = grpcurl("DoGet", answer["info"]["endpoint"][0]["ticket"])
    assert number([base64.b64decode(batch["dataBody"])]) == 10_000_000


@shows("errors")
def test_errors(grpcurl):
    for sql, words in (("SELEC 1", ("InvalidArgument", "SELEC")),
                       ("FROM grpcurl_no_such_table", ("NotFound", "grpcurl_no_such_table"))):
        with pytest.raises(AssertionError) as caught:
            query(grpcurl, sql)
        assert all(word in str(caught.value) for word in words)
