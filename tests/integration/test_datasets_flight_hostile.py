"""Datasets when clients, disks and the server itself fail.

SPDX-License-Identifier: Apache-2.0
"""
import concurrent.futures
import contextlib
import datetime
import json
import signal
import socket
import subprocess
import sys
import threading
import time

import grpc
import pyarrow as pa
import pyarrow.flight as fl
import pytest
from dataset_calls import get, path
from flight_calls import options
from flight_sql import field
from harness import clean_environment, wait_until
from http2_frames import (
    DATA, END_HEADERS, END_STREAM, HEADERS, PREFACE, frame, grpc_headers, grpc_message, settings)

MIB = 1 << 20


def numbers(first, count):
    return pa.table({"i": pa.array(range(first, first + count), pa.int64())})


def block(megabytes, batch_rows=131072):
    """A table of that many MiB in batches of 1 MiB; the values of each batch are the same."""
    values = pa.array(range(batch_rows), pa.int64())
    return pa.table({"i": pa.chunked_array([values] * megabytes)})


def put(client, descriptor, table, rows=131072, **wishes):
    writer, reader = client.do_put(descriptor, table.schema, options=options(**wishes))
    with writer:
        writer.write_table(table, max_chunksize=rows)
        writer.done_writing()
        answer = reader.read()
    return answer.to_pybytes()


def listed(client):
    return [json.loads(result.body.to_pybytes()) for result in client.do_action(("list", b""))]


def held(server):
    """What the store holds: datasets, bytes in memory, bytes on disk."""
    samples = server.metrics()
    return (samples['volley_live_objects{kind="dataset"}'], samples['volley_dataset_bytes{where="memory"}'],
            samples['volley_dataset_bytes{where="disk"}'])


def files(server):
    folder = server.data_dir / "datasets"
    return sorted(entry.name for entry in folder.iterdir()) if folder.exists() else []


# --- clients that leave ----------------------------------------------------------------------------


def messages(descriptor, table):
    """The FlightData of an upload."""
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as stream:
        stream.write_table(table)
    reader = pa.ipc.MessageReader.open_stream(sink.getvalue())
    head = field(1, descriptor.serialize())
    for message in reader:
        body = message.body.to_pybytes() if message.body else b""
        yield head + field(2, message.metadata.to_pybytes()) + field(1000, body)
        head = b""


class HalfPut:
    """An upload that sent all its batches and not its end."""

    def __init__(self, channel, descriptor, table, **wishes):
        self.go_on = threading.Event()

        def send():
            yield from messages(descriptor, table)
            self.go_on.wait()

        call = channel.stream_stream("/arrow.flight.protocol.FlightService/DoPut")
        self.call = call(send(), metadata=[(f"volley-{key}", value) for key, value in wishes.items()])

    def cancel(self):
        self.call.cancel()
        self.go_on.set()


@pytest.mark.parametrize("durability", ["memory", "process"])
def test_half_a_put_leaves_nothing(start_server, durability):
    server = start_server()
    with server.flight() as client:
        put(client, path("before"), numbers(0, 10))
        before = held(server)
        for descriptor in (path("half"), path("before"), fl.FlightDescriptor.for_command(b"store")):
            with grpc.insecure_channel("{}:{}".format(*server.flight_address)) as channel:
                half = HalfPut(channel, descriptor, block(8), durability=durability)
                wait_until(lambda: sum(held(server)[1:]) >= sum(before[1:]) + 8 * MIB,
                           what="the batches to come")
                assert [row["rows"] for row in listed(client)] == [10]
                half.cancel()
            wait_until(lambda: held(server) == before, what="the end of what was put by half")
    assert files(server) == []


UPLOADER = """
import sys
import pyarrow as pa, pyarrow.flight as fl
client = fl.connect(sys.argv[1])
batch = pa.record_batch({"i": pa.array(range(131072), pa.int64())})
writer, reader = client.do_put(fl.FlightDescriptor.for_path("killed"), batch.schema)
print("ready", flush=True)
while True:
    writer.write_batch(batch)
"""


def test_a_killed_client_frees_everything(start_server):
    server = start_server("--dataset-memory", "256MiB")
    before = held(server)
    clients = [subprocess.Popen([sys.executable, "-c", UPLOADER, server.flight_url], stdout=subprocess.PIPE,
                                stderr=subprocess.DEVNULL, env=clean_environment()) for _ in range(3)]
    try:
        for client in clients:
            assert client.stdout.readline() == b"ready\n"
        wait_until(lambda: held(server)[1] > before[1] + 64 * MIB, what="the batches to come")
    finally:
        for client in clients:
            client.kill()
            client.wait()
            client.stdout.close()
    wait_until(lambda: held(server) == before, what="the end of what was put by half")
    with server.flight() as client:
        assert listed(client) == []


def test_a_put_of_one_row_batches(start_server):
    server = start_server()
    with server.flight() as client:
        writer, reader = client.do_put(path("rows"), numbers(0, 1).schema)
        with writer:
            for number in range(5000):
                writer.write_batch(numbers(number, 1).to_batches()[0])
            writer.done_writing()
            assert json.loads(reader.read().to_pybytes())["batches"] == 5000
        assert get(client, b"rows").equals(numbers(0, 5000))


# --- many readers, many datasets -------------------------------------------------------------------


class SlowReader:
    """A DoGet over a socket of its own, with the smallest windows, that reads a little now and then."""

    def __init__(self, server, ticket):
        self.socket = socket.create_connection(server.flight_address, timeout=60)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        self.socket.sendall(PREFACE + settings() + frame(HEADERS, END_HEADERS, 1, grpc_headers("DoGet")) +
                            frame(DATA, END_STREAM, 1, grpc_message(field(1, ticket))))

    def read(self, size):
        return len(self.socket.recv(size))

    def close(self):
        self.socket.close()


@pytest.mark.release
def test_slow_readers_cost_little(start_server):
    server = start_server()
    with server.flight() as client, contextlib.ExitStack() as stack:
        table = block(256)
        put(client, path("shared"), table)
        assert get(client, b"shared").num_rows == table.num_rows

        def begin():
            reader = SlowReader(server, b"shared")
            stack.callback(reader.close)
            wait_until(lambda: reader.read(10_000), what="the first bytes")
            return reader

        begin()
        with_one = server.resident_bytes()
        readers = [begin() for _ in range(199)]
        for _ in range(3):
            for reader in readers:
                reader.read(10_000)
        (facts,) = listed(client)
        assert facts["readers"] == 200
        assert server.resident_bytes() - with_one < 64 * MIB
        # Somebody who reads fast is not held up by them.
        assert get(client, b"shared").num_rows == table.num_rows
    with server.flight() as client:
        wait_until(lambda: listed(client)[0]["readers"] == 0, what="the end of the readers")


@pytest.mark.release
def test_many_datasets_come_and_go(start_server):
    server = start_server("--dataset-memory", "1GiB")
    count, table = 1000, block(1)

    def work(worker):
        with server.flight() as client:
            for number in range(worker, count, 8):
                put(client, path("many", str(number)), table, ttl="1s")
                assert get(client, f"many/{number}".encode()).num_rows == table.num_rows

    def round_of_all():
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            list(pool.map(work, range(8)))
        wait_until(lambda: held(server)[0] == 0, what="the expiry of all")
        return held(server)

    before = held(server)
    round_of_all()
    first = server.resident_bytes()
    assert round_of_all() == before
    assert server.resident_bytes() < first * 1.05 + 8 * MIB


# --- memory and disk -------------------------------------------------------------------------------


def test_memory_spills_to_disk(start_server):
    server = start_server("--dataset-memory", "32MiB", "--result-memory", "16MiB")
    table = block(128)
    with server.flight() as client:
        put(client, path("large"), table)
        _, memory, disk = held(server)
        assert memory <= 32 * MIB and disk >= 96 * MIB
        assert get(client, b"large").equals(table)
        (facts,) = listed(client)
        assert facts["disk_bytes"] >= 96 * MIB and facts["memory_bytes"] <= 32 * MIB
        assert list((server.data_dir / "spill").iterdir()) == []
        list(client.do_action(("drop", b"large")))
        wait_until(lambda: held(server)[2] == 0, what="the disk to be free again")


def test_an_exchange_beyond_all_bounds_is_refused(start_server):
    server = start_server("--dataset-memory", "48MiB", "--result-memory", "16MiB", "--spill-disk", "64MiB")
    batch = numbers(0, 100_000).select(["i"]).to_batches()[0]
    wanted = json.dumps({"sql": "SELECT i, i + 1, i + 2 FROM input"})
    descriptor = fl.FlightDescriptor.for_command(wanted.encode())
    with server.flight() as client:
        writer, reader = client.do_exchange(descriptor)
        writer.begin(batch.schema)
        with pytest.raises(pa.ArrowException):
            for _ in range(500):
                writer.write_batch(batch)
        with contextlib.suppress(pa.ArrowException):
            writer.close()
        wait_until(lambda: held(server)[2] == 0, what="the input to go")
        put(client, path("after"), block(4))


@pytest.mark.parametrize("wishes, setting", [({}, "spill-disk"), ({"durability": "process"}, "spill-disk")])
def test_a_full_disk_fails_that_dataset_alone(start_server, wishes, setting):
    server = start_server("--dataset-memory", "32MiB", "--result-memory", "16MiB", "--spill-disk", "32MiB")
    with server.flight() as client:
        put(client, path("small"), block(4), **wishes)
        before = held(server)
        with pytest.raises(pa.ArrowException, match=f"(?i)resource.exhausted.*{setting}|{setting}"):
            put(client, path("large"), block(128), **wishes)
        wait_until(lambda: held(server)[1] <= before[1] and held(
            server)[2] <= 32 * MIB, what="the room to be free")
        assert [row["path"] for row in listed(client)] == ["small"]
        assert get(client, b"small").equals(block(4))
        put(client, path("next"), block(4), **wishes)
        assert get(client, b"next").equals(block(4))
        assert server.value("SELECT count(*) FROM batch('next')") == 4 * 131072


@pytest.mark.parametrize("flags, setting", [
    (("--dataset-bytes-max", "4MiB"), "dataset-bytes-max"),
    (("--owner-dataset-bytes", "4MiB"), "owner-dataset-bytes"),
    (("--data-dir", "none", "--dataset-memory", "16MiB", "--result-memory", "8MiB"), "dataset-memory"),
])
def test_bounds(start_server, flags, setting):
    server = start_server(*flags)
    with server.flight() as client:
        put(client, path("small"), block(2))
        with pytest.raises(pa.ArrowException, match=f"--{setting}"):
            put(client, path("large"), block(32))
        with pytest.raises(pa.ArrowException, match=f"--{setting}"):
            put(client, path("small"), block(32))
        assert get(client, b"small").equals(block(2))


def test_spill_dir(start_server, tmp_path):
    folder = tmp_path / "elsewhere"
    server = start_server("--dataset-memory", "16MiB", "--result-memory", "8MiB", "--spill-dir", folder)
    with server.flight() as client:
        put(client, path("large"), block(32))
        assert folder.is_dir()
        assert get(client, b"large").equals(block(32))
    refused = start_server("--spill-dir", "/proc/nowhere", ready=False)
    assert refused.wait() == 1
    refused.expected_exit = 1
    assert "spill-dir" in refused.log


# --- the server's own end --------------------------------------------------------------------------


def moment(text):
    return datetime.datetime.fromisoformat(text).timestamp()


def kill(server):
    server.process.send_signal(signal.SIGKILL)
    server.process.wait()
    server.log_file.close()


@pytest.mark.parametrize("durability", ["process", "disk"])
def test_what_was_acknowledged_survives_kill_9(start_server, tmp_path, durability):
    server = start_server(folder=tmp_path)
    wishes = {"durability": durability}
    with server.flight() as client:
        put(client, path("a", "b"), numbers(0, 5000), rows=1000, **wishes)
        put(client, path("a", "b"), numbers(5000, 2500), rows=1000)
        put(client, path("replaced"), numbers(0, 10), **wishes)
        put(client, path("replaced"), numbers(10, 20), mode="replace", **wishes)
        put(client, path("dropped"), numbers(0, 10), **wishes)
        list(client.do_action(("drop", b"dropped")))
        put(client, path("renewed"), numbers(0, 10), ttl="1m", **wishes)
        list(client.do_action(("set-ttl", b'{"path": "renewed", "ttl": "2h"}')))
        put(client, path("short"), numbers(0, 10), ttl="1s", **wishes)
        put(client, path("lost"), numbers(0, 10))
        batch_id = put(client, fl.FlightDescriptor.for_command(b"store"), numbers(0, 77))
        ticket = client.get_flight_info(path("a", "b")).endpoints[0].ticket
        writer, _ = client.do_put(path("half"), numbers(0, 1).schema, options=options(**wishes))
        writer.write_table(numbers(0, 100))
        before = {row["batch_id"]: row for row in listed(client)}
        kill(server)
        with contextlib.suppress(pa.ArrowException):
            writer.close()
    time.sleep(1)
    server = start_server(folder=tmp_path)
    with server.flight() as client:
        after = {row["batch_id"]: row for row in listed(client)}
        assert sorted(row.get("path", "") for row in after.values()) == ["", "a/b", "renewed", "replaced"]
        for identifier, row in after.items():
            for fact in ("path", "rows", "batches", "bytes", "durability", "ttl_seconds", "created_at"):
                assert row.get(fact) == before[identifier].get(fact), fact
            assert abs(moment(row["expires_at"]) - moment(before[identifier]["expires_at"])) < 1
        assert get(client, b"a/b").equals(numbers(0, 7500))
        assert client.do_get(ticket).read_all().equals(numbers(0, 7500))
        assert get(client, b"replaced").equals(numbers(10, 20))
        assert get(client, batch_id).equals(numbers(0, 77))
        put(client, path("a", "b"), numbers(7500, 1))
        assert get(client, b"a/b").num_rows == 7501
    server.stop()
    server = start_server(folder=tmp_path)
    with server.flight() as client:
        assert get(client, b"a/b").num_rows == 7501


ACKNOWLEDGED = """
import json, sys
import pyarrow as pa, pyarrow.flight as fl
client = fl.connect(sys.argv[1])
schema = pa.schema([("i", pa.int64())])
number = 0
while True:
    writer, reader = client.do_put(fl.FlightDescriptor.for_path("log"), schema,
        options=fl.FlightCallOptions(headers=[(b"volley-durability", b"process")]))
    writer.write_batch(pa.record_batch({"i": pa.array([number], pa.int64())}))
    writer.done_writing()
    reader.read()
    writer.close()
    number += 1
    print(number, flush=True)
"""


@pytest.mark.parametrize("acknowledged", [1, 50, 300])
def test_kill_9_at_any_moment(start_server, tmp_path, acknowledged):
    server = start_server(folder=tmp_path)
    client = subprocess.Popen([sys.executable, "-c", ACKNOWLEDGED, server.flight_url],
                              stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=clean_environment())
    told = 0
    try:
        while told < acknowledged:
            told = int(client.stdout.readline())
        kill(server)
        told = max([told, *(int(line) for line in client.stdout.read().split())])
    finally:
        client.kill()
        client.wait()
        client.stdout.close()
    server = start_server(folder=tmp_path)
    with server.flight() as reader:
        found = get(reader, b"log")["i"].to_pylist()
    # The one that was on its way may be there or not; nothing else is missing, twice or out of order.
    assert found == list(range(len(found)))
    assert told <= len(found) <= told + 1


def test_a_damaged_dataset_is_set_aside(start_server, tmp_path):
    server = start_server(folder=tmp_path)
    with server.flight() as client:
        put(client, path("good"), numbers(0, 1000), durability="process")
        put(client, path("bad"), numbers(0, 1000), durability="process")
        identifier = next(row["batch_id"] for row in listed(client) if row["path"] == "bad")
    server.stop()
    (damaged,) = [entry for entry in (server.data_dir / "datasets").iterdir()
                  if entry.name.endswith(".arrows") and holds(entry, identifier)]
    content = bytearray(damaged.read_bytes())
    content[len(content) // 2] ^= 0xFF
    damaged.write_bytes(bytes(content))
    server = start_server(folder=tmp_path)
    with server.flight() as client:
        assert [row["path"] for row in listed(client)] == ["good"]
        assert get(client, b"good").num_rows == 1000
    assert any(entry.endswith(".damaged") for entry in files(server))


def holds(arrows, identifier):
    """Whether the file is that of the dataset: its name, or what its index says."""
    index = arrows.with_suffix(".index")
    return identifier in arrows.name or identifier.encode() in index.read_bytes()


def test_the_files_are_arrow_streams(start_server, tmp_path):
    server = start_server(folder=tmp_path)
    with server.flight() as client:
        put(client, path("open"), numbers(0, 2500), rows=1000, durability="disk")
    (stream,) = (server.data_dir / "datasets").glob("*.arrows")
    with pa.OSFile(str(stream)) as source:
        batches = []
        with contextlib.suppress(StopIteration, EOFError), pa.ipc.open_stream(source) as reader:
            while True:
                batches.append(reader.read_next_batch())
    assert pa.Table.from_batches(batches).equals(numbers(0, 2500))
