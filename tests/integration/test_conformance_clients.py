"""gRPC clients of other languages: grpc-go, grpc-java, grpc-js and tonic, without generated code.

They call the test service of tests/wire/grpc, whose methods do what a test asks for, and the Flight
service of the program. tools/setup_tests.sh builds them; one whose toolchain is absent is skipped by
name. raw_calls.py says what a call and its answer look like.

SPDX-License-Identifier: Apache-2.0
"""
import contextlib
import hashlib
import json
import os
import subprocess

import pyarrow
import pyarrow.flight
import pytest
from flight_sql import field, fields, query_descriptor, update_descriptor
from harness import clean_environment, wait_until
from raw_calls import FLIGHT, LANGUAGES, TEST, Code, RawClient, call, command

pytestmark = [pytest.mark.clients, pytest.mark.timeout(180)]
HEALTH = "/grpc.health.v1.Health/"
SPECIAL = "\t\ntest with whitespace\r\nand Unicode BMP ☺ and non-BMP \U0001f608\t\n"


@contextlib.contextmanager
def running_service():
    """The address of a test service of its own; at its end no call of it may be alive."""
    program = os.environ.get("VOLLEY_GRPC_TEST_SERVER")
    if not program:
        pytest.skip("VOLLEY_GRPC_TEST_SERVER is not set")
    process = subprocess.Popen([program, "127.0.0.1:0"], stdin=subprocess.PIPE, text=True,
                               stdout=subprocess.PIPE, env=clean_environment())
    yield process.stdout.readline().strip()
    process.stdin.close()
    assert process.stdout.read().strip() == "alive 0"
    assert process.wait(timeout=30) == 0


@pytest.fixture(scope="module")
def test_service():
    with running_service() as address:
        yield address


@pytest.fixture(scope="module", autouse=True)
def quiet_calls(client_program, tmp_path_factory):
    """A quiet call of every client, which pings meanwhile: started first, since it takes 35 s."""
    running = {}
    with running_service() as address:
        for language in LANGUAGES:
            with contextlib.suppress(pytest.skip.Exception):
                client = RawClient(language, command(language, client_program), address,
                                   tmp_path_factory.mktemp(language))
                running[language] = client.start([
                    call(TEST + "Stall", b"", timeout_ms=35_000), call(TEST + "Empty", b"")])
        yield running
        for process in running.values():
            process.kill()
            process.communicate()


@pytest.fixture(params=LANGUAGES)
def program(request, client_program):
    return request.param, command(request.param, client_program)


@pytest.fixture
def client(program, test_service, tmp_path):
    return RawClient(*program, test_service, tmp_path)


@pytest.fixture
def flight_client(program, server, tmp_path):
    return RawClient(*program, "{}:{}".format(*server.flight_address), tmp_path)


def digest(*bodies):
    return hashlib.sha256(b"".join(bodies)).hexdigest()


def sizes(text):
    return call(TEST + "Sizes", text.encode())


# --- the test service ------------------------------------------------------------------------------


def test_unary(client):
    body = bytes(range(256)) * 1000
    empty, small, large, blocking = client(
        call(TEST + "Empty", b""), call(TEST + "Echo", b"small"), call(TEST + "Echo", body),
        call(TEST + "BlockingEmpty", b""))
    for answer in (empty, blocking):
        assert (answer["code"], answer["count"], answer["bytes"]) == (Code.OK, 1, 0)
    assert bytes.fromhex(small["first"]) == b"small"
    assert (large["code"], large["sha256"]) == (Code.OK, digest(body))


def test_big_message(client):
    size = 40 << 20
    back, over = client(call(TEST + "Echo", {"zeros": size}), call(TEST + "Echo", {"zeros": (64 << 20) + 1}))
    assert (back["code"], back["bytes"], back["sha256"]) == (Code.OK, size, digest(bytes(size)))
    assert over["code"] == Code.RESOURCE_EXHAUSTED, over


def test_server_streaming(client):
    few, none, big = client(sizes("31415,9,2653,58979,0"), sizes(""),
                            sizes(",".join(["2097152"] * 64)))
    assert (few["code"], few["count"], few["bytes"]) == (Code.OK, 5, 31415 + 9 + 2653 + 58979)
    assert (none["code"], none["count"]) == (Code.OK, 0)
    assert (big["code"], big["count"], big["bytes"]) == (Code.OK, 64, 64 << 21)


def test_client_streaming(client):
    few, none, many = client(
        call(TEST + "Sum", *({"zeros": size} for size in (27182, 8, 1828, 45904))),
        call(TEST + "Sum"),
        call(TEST + "Sum", {"zeros": 100_000, "repeat": 500}, {"zeros": 0, "repeat": 1000}))
    assert [bytes.fromhex(answer["first"]) for answer in (few, none, many)] == [
        b"74922", b"0", b"50000000"]


def test_ping_pong(client):
    alternating, empty = client(
        call(TEST + "PingPong", {"zeros": 27182}, {"zeros": 8, "repeat": 100}, {"zeros": 0},
             {"zeros": 3_000_000}, ping_pong=True),
        call(TEST + "PingPong"))
    assert (alternating["code"], alternating["count"]) == (Code.OK, 103)
    assert alternating["bytes"] == 27182 + 800 + 3_000_000
    assert (empty["code"], empty["count"]) == (Code.OK, 0)


def test_calls_at_once(client):
    # More than a connection may have open at a time: the client queues the rest.
    answers = client(call(TEST + "Echo", b"one of many", copies=1000),
                     {**sizes(",".join(["1048576"] * 8)), "copies": 32})
    for answer in answers[:1000]:
        assert (answer["code"], bytes.fromhex(answer["first"])) == (Code.OK, b"one of many")
    for answer in answers[1000:]:
        assert (answer["code"], answer["bytes"]) == (Code.OK, 8 << 20)


def test_metadata(client):
    raw = bytes(range(256)).hex()
    (answer,) = client(call(TEST + "Metadata", b"", metadata=[
        ["x-initial", "text here"], ["x-trailing-bin", raw], ["x-ignored-bin", ""]]))
    assert answer["code"] == Code.OK
    assert ["x-initial", "text here"] in answer["headers"]
    assert ["x-trailing-bin", raw] in answer["trailers"]


def test_compressed_requests(client):
    body = b"compress me " * 50_000
    echoed, small, total, plain = client(
        call(TEST + "Echo", body, gzip=True), call(TEST + "Echo", b"x", gzip=True),
        call(TEST + "Sum", {"zeros": 3 << 20, "repeat": 10}, gzip=True), call(TEST + "Echo", body))
    for answer in (echoed, plain):
        assert (answer["code"], answer["sha256"]) == (Code.OK, digest(body)), answer
    assert (small["code"], bytes.fromhex(small["first"])) == (Code.OK, b"x")
    assert bytes.fromhex(total["first"]) == b"%d" % (30 << 20)


def test_every_status(client):
    codes = range(1, 17)
    answers = client(*(call(TEST + "Fail", f"{code} {count} it is {code}".encode())
                       for code in codes for count in (0, 2)))
    for number, answer in enumerate(answers):
        assert (answer["code"], answer["count"]) == (codes[number // 2], number % 2 * 2)
        assert answer["message"] == f"it is {codes[number // 2]}"


def test_status_messages(client):
    texts = [SPECIAL, "100%", "a" * 1000]
    answers = client(*(call(TEST + "Fail", b"5 0 " + text.encode()) for text in texts),
                     call(TEST + "Fail", b"5 0 " + b"\xe2\x98\xba" * 7000))
    assert [answer["message"] for answer in answers[:3]] == texts
    assert (answers[3]["code"], set(answers[3]["message"])) == (Code.NOT_FOUND, {"☺"})


def test_unknown_method_and_cardinality(client):
    unknown, none, two, one = client(
        call("/nobody.Knows/This", b""), call(TEST + "Echo"), call(TEST + "Echo", b"a", b"b"),
        call(TEST + "Echo", b"a"))
    assert {unknown["code"], none["code"], two["code"]} == {Code.UNIMPLEMENTED}
    assert (one["code"], one["count"]) == (Code.OK, 1)


def test_deadline(client):
    before, *answers, after = client(
        call(TEST + "Empty", b""),
        *(call(TEST + name, b"", timeout_ms=300) for name in ("Stall", "Flood", "Sleep")),
        call(TEST + "Empty", b""))
    assert before["code"] == after["code"] == Code.OK
    for answer in answers:
        # tonic calls a deadline that it kept itself a cancellation.
        allowed = {Code.DEADLINE_EXCEEDED} | ({Code.CANCELLED} if client.language == "rust" else set())
        assert answer["code"] in allowed, answer


def test_cancel(client):
    during, waiting, after = client(
        call(TEST + "Flood", b"", cancel_after=5, copies=1),
        call(TEST + "Stall", b"", cancel_ms=100), call(TEST + "Empty", b""))
    assert (during["code"], waiting["code"], after["code"]) == (Code.CANCELLED, Code.CANCELLED, Code.OK)
    # What the server opened it has closed, although nobody asked for the end.
    wait_until(lambda: all_closed(client), what="the end of the cancelled calls")


def all_closed(client):
    (answer,) = client(call(TEST + "Counts", b""))
    opened, _, closed = bytes.fromhex(answer["first"]).split()
    return opened == closed


def test_early_failure_of_an_upload(client):
    failed, after = client(call(TEST + "FailUpload", {"zeros": 1 << 20, "repeat": 100}),
                           call(TEST + "Empty", b""))
    assert (failed["code"], failed["message"]) == (Code.RESOURCE_EXHAUSTED, "no room")
    assert after["code"] == Code.OK


def test_slow_reader(client):
    slow, after = client({**sizes(",".join(["1048576"] * 48)), "pause_ms": 1000, "copies": 4},
                         call(TEST + "Empty", b""))[3:]
    assert (slow["code"], slow["bytes"], after["code"]) == (Code.OK, 48 << 20, Code.OK)


# --- the Flight service ----------------------------------------------------------------------------


def ticket_of(server, sql):
    with server.flight() as flight:
        ticket = flight.get_flight_info(query_descriptor(sql)).endpoints[0].ticket
    return field(1, ticket.ticket)


def flight_data(descriptor, table, rows_per_batch):
    """The messages of an upload: each IPC message of the table as a FlightData."""
    sink = pyarrow.BufferOutputStream()
    with pyarrow.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table, rows_per_batch)
    reader = pyarrow.ipc.MessageReader.open_stream(pyarrow.BufferReader(sink.getvalue()))
    messages = [field(1, descriptor.serialize())]
    for message in reader:
        body = message.body.to_pybytes() if message.body is not None else b""
        messages.append(field(2, message.metadata.to_pybytes()) + field(1000, body))
    messages[:2] = [messages[0] + messages[1]]  # the schema travels with the descriptor
    return messages


def test_actions_and_errors(flight_client):
    query = query_descriptor("SELECT * FROM no_such_table_at_all").serialize()
    actions, missing, bad_ticket = flight_client(
        call(FLIGHT + "ListActions", b""), call(FLIGHT + "GetFlightInfo", query),
        call(FLIGHT + "DoGet", field(1, b"no ticket of ours")))
    assert (actions["code"], actions["count"] >= 2) == (Code.OK, True)
    assert missing["code"] == Code.NOT_FOUND
    assert "no_such_table_at_all" in missing["message"]
    assert bad_ticket["code"] == Code.INVALID_ARGUMENT, bad_ticket


def test_error_details(flight_client):
    query = query_descriptor("SELECT * FROM no_such_table_at_all").serialize()
    (answer,) = flight_client(call(FLIGHT + "GetFlightInfo", query))
    details = [bytes.fromhex(value) for name, value in answer["trailers"]
               if name == "grpc-status-details-bin"]
    (status,) = [fields(value) for value in details]
    assert status[1] == [Code.NOT_FOUND]
    assert status[2] == [answer["message"].encode()]
    assert b"TABLE_NOT_FOUND" in status[3][0]


def test_health(flight_client):
    serving, unknown, watched, watched_unknown = flight_client(
        call(HEALTH + "Check", b""), call(HEALTH + "Check", field(1, "nobody")),
        call(HEALTH + "Watch", b"", cancel_after=1),
        call(HEALTH + "Watch", field(1, "nobody"), cancel_after=1))
    assert (serving["code"], bytes.fromhex(serving["first"])) == (Code.OK, field(1, 1))
    assert unknown["code"] == Code.NOT_FOUND
    assert (watched["code"], bytes.fromhex(watched["first"])) == (Code.CANCELLED, field(1, 1))
    assert bytes.fromhex(watched_unknown["first"]) == field(1, 3)  # SERVICE_UNKNOWN: it may come yet


@pytest.mark.parametrize("version", ["v1", "v1alpha"])
def test_reflection(flight_client, version):
    (answer, unknown) = flight_client(
        call(f"/grpc.reflection.{version}.ServerReflection/ServerReflectionInfo", field(7, "*")),
        call(f"/grpc.reflection.{version}.ServerReflection/ServerReflectionInfo",
             field(4, "no.such.Symbol"), field(4, "arrow.flight.protocol.FlightService"), ping_pong=True))
    assert (answer["code"], answer["count"]) == (Code.OK, 1)
    assert b"arrow.flight.protocol.FlightService" in bytes.fromhex(answer["first"])
    assert (unknown["code"], unknown["count"]) == (Code.OK, 2)
    error = fields(fields(bytes.fromhex(unknown["first"]))[7][0])
    assert error[1] == [Code.NOT_FOUND]


def test_bulk_download(flight_client, server):
    sql = "SELECT i, i * 3 AS j, repeat('x', 50) AS s FROM range(2000000) t(i)"
    ticket = ticket_of(server, sql)
    one, *both = flight_client(call(FLIGHT + "DoGet", ticket), call(FLIGHT + "DoGet", ticket, copies=2))
    assert one["code"] == Code.OK, one
    assert one["bytes"] > 2000000 * (16 + 50)
    for answer in both:
        assert (answer["code"], answer["sha256"]) == (Code.OK, one["sha256"])


def test_download_is_cancelled(flight_client, server):
    mark = f"cancelled_{flight_client.language}"
    sql = f"SELECT i AS {mark}, repeat('x', 100) AS s FROM range(1000000000) t(i)"
    ticket = ticket_of(server, sql)
    late, cancelled = flight_client(
        call(FLIGHT + "DoGet", ticket, timeout_ms=300), call(FLIGHT + "DoGet", ticket, cancel_after=3))
    assert late["code"] in (Code.DEADLINE_EXCEEDED, Code.CANCELLED), late
    assert cancelled["code"] != Code.OK, cancelled
    wait_until(lambda: not server.running(mark), what="the end of the cancelled statement")


def upload(descriptor, folder):
    """A DoPut of 5,000,000 rows in 100 messages, 40 MB."""
    rows = pyarrow.table({"i": pyarrow.array(range(500_000))})
    head, *batches = flight_data(descriptor, rows, 50_000)
    parts = [head]
    for batch in batches:
        path = folder / f"{len(parts)}.bin"
        path.write_bytes(batch)
        parts.append({"file": str(path), "repeat": 10})
    return call(FLIGHT + "DoPut", *parts)


def test_upload(flight_client, tmp_path):
    path = pyarrow.flight.FlightDescriptor.for_path("uploads", flight_client.language)
    (answer,) = flight_client(upload(path, tmp_path))
    assert (answer["code"], answer["count"]) == (Code.OK, 1), answer
    (stored,) = fields(bytes.fromhex(answer["first"]))[1]
    assert json.loads(stored)["rows"] == 5_000_000


def test_refused_upload(flight_client, tmp_path):
    # The refusal arrives although the client is still sending, and the connection stays usable.
    refused, after = flight_client(upload(update_descriptor("SELEC"), tmp_path),
                                   call(FLIGHT + "ListActions", b""))
    assert (refused["code"], after["code"]) == (Code.INVALID_ARGUMENT, Code.OK), refused


def test_update_by_upload(flight_client, server):
    table = f"updated_{flight_client.language}"
    update = update_descriptor(f"CREATE TABLE {table} AS SELECT 7 AS i").serialize()
    (answer,) = flight_client(call(FLIGHT + "DoPut", field(1, update)))
    assert (answer["code"], answer["count"]) == (Code.OK, 1), answer
    assert server.value(f"SELECT i FROM {table}") == 7


# --- TLS -------------------------------------------------------------------------------------------


def flight_over_tls(server, authority, **options):
    return pyarrow.flight.connect("grpc+tls://localhost:{}".format(server.flight_address[1]),
                                  tls_root_certs=authority.path.read_bytes(), **options)


def test_tls(program, tls_server, certificates, tmp_path):
    client = RawClient(*program, "127.0.0.1:{}".format(tls_server.flight_address[1]), tmp_path,
                       (certificates.ca.path,))
    sql = "SELECT i, repeat('x', 50) AS s FROM range(500000) t(i)"
    with flight_over_tls(tls_server, certificates.ca) as flight:
        ticket = flight.get_flight_info(query_descriptor(sql)).endpoints[0].ticket
    actions, table, again, missing = client(
        call(FLIGHT + "ListActions", b""), call(FLIGHT + "DoGet", field(1, ticket.ticket)),
        call(FLIGHT + "DoGet", field(1, ticket.ticket)),
        call(FLIGHT + "GetFlightInfo", query_descriptor("SELECT * FROM no_such_table").serialize()))
    assert (actions["code"], missing["code"]) == (Code.OK, Code.NOT_FOUND)
    assert (table["code"], table["bytes"] > 500_000 * 58) == (Code.OK, True)
    assert again["sha256"] == table["sha256"]


def test_tls_of_somebody_else(program, tls_server, certificates, tmp_path):
    client = RawClient(*program, "127.0.0.1:{}".format(tls_server.flight_address[1]), tmp_path,
                       (certificates.other_ca.path,))
    (answer,) = client(call(FLIGHT + "ListActions", b"", timeout_ms=10_000))
    assert answer["code"] in (Code.UNAVAILABLE, Code.DEADLINE_EXCEEDED), answer


def test_client_certificates(program, start_server, certificates, tmp_path):
    server = start_server(*certificates.flags, "--tls-ca", certificates.ca.path,
                          "--tls-client-auth", "require")
    address = "127.0.0.1:{}".format(server.flight_address[1])
    for pair, expected in ((certificates.client, {Code.OK}), (None, {Code.UNAVAILABLE, Code.UNKNOWN})):
        client = RawClient(*program, address, tmp_path, (certificates.ca.path, *(pair or ())))
        (answer,) = client(call(FLIGHT + "ListActions", b"", timeout_ms=10_000))
        assert answer["code"] in expected, answer


# --- after all others: the calls that were started first -------------------------------------------


@pytest.mark.parametrize("language", LANGUAGES)
def test_keepalive_pings(quiet_calls, language):
    # Each pings after ten quiet seconds, which is the least that grpc-go and grpc-java take: three
    # times, and the server did not mind.
    if language not in quiet_calls:
        pytest.skip(f"the {language} client was not built")
    quiet, after = RawClient.answers(quiet_calls[language])
    assert quiet["code"] in (Code.DEADLINE_EXCEEDED, Code.CANCELLED), quiet
    assert after["code"] == Code.OK, after
