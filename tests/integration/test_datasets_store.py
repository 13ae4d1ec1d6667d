"""The store behind datasets: full disks, crashes at any moment, what is on disk and what is in memory.

SPDX-License-Identifier: Apache-2.0
"""
import contextlib
import json
import os
import random
import resource
import signal
import subprocess
import threading
import time

import pyarrow as pa
import pyarrow.flight as fl
import pytest
from dataset_calls import get, path
from flight_calls import options
from harness import wait_until

MIB = 1 << 20
BATCH_ROWS = 131072  # 1 MiB


def blocks(count, first=0):
    """Batches of 1 MiB; no two have the same values."""
    for number in range(first, first + count):
        start = number * BATCH_ROWS
        yield pa.record_batch({"i": pa.array(range(start, start + BATCH_ROWS), pa.int64())})


def rows(first, count):
    return pa.table({"i": pa.array(range(first, first + count), pa.int64())})


SCHEMA = rows(0, 0).schema


def put(client, name, batches, **wishes):
    writer, reader = client.do_put(path(name), SCHEMA, options=options(**wishes))
    with writer:
        for batch in batches:
            writer.write_batch(batch)
        writer.done_writing()
        answer = reader.read()
    return json.loads(answer.to_pybytes())


def put_table(client, name, table, **wishes):
    return put(client, name, table.to_batches(), **wishes)


def expect_blocks(client, name, count, first=0):
    """The dataset has these blocks, value by value; one at a time, so that little is in memory."""
    wanted = blocks(count, first)
    found = 0
    for chunk in client.do_get(fl.Ticket(name.encode())):
        assert chunk.data.equals(next(wanted))
        found += 1
    assert found == count


def listed(client):
    found = [json.loads(result.body.to_pybytes()) for result in client.do_action(("list", b""))]
    return {row["path"]: row for row in found}


def held(server, where):
    return server.metrics()[f'volley_dataset_bytes{{where="{where}"}}']


def kill(server):
    server.process.send_signal(signal.SIGKILL)
    server.process.wait()
    server.log_file.close()


def arrow_files(server):
    return sorted((server.data_dir / "datasets").glob("*.arrows"))


# --- full disks ------------------------------------------------------------------------------------


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 24 MiB."""
    folder = tmp_path / "small"
    folder.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=24m", "tmpfs", folder],
                             capture_output=True, text=True, check=False)
    if mounted.returncode != 0:
        pytest.skip(f"no right to mount, test_a_write_that_fails stands in: {mounted.stderr.strip()}")
    yield folder
    subprocess.run(["umount", "--lazy", folder], check=True)


def expect_refusal_of_one(server, wishes):
    """With room for some blocks on disk: who wants more is refused, and nobody else notices."""
    with server.flight() as client:
        put(client, "small", blocks(4), **wishes)
        for attempt in range(2):
            with pytest.raises(pa.ArrowException, match="(?s)disk.*--spill-disk"):
                put(client, f"large{attempt}", blocks(56), **wishes)
            with pytest.raises(pa.ArrowException, match="(?s)disk.*--spill-disk"):
                put(client, "small", blocks(56), **wishes)
        assert list(listed(client)) == ["small"]
        expect_blocks(client, "small", 4)
        put(client, "next", blocks(4, 50), **wishes)
        expect_blocks(client, "next", 4, 50)
        assert server.value("SELECT count(*) FROM batch('next')") == 4 * BATCH_ROWS
        for name in ("small", "next"):
            list(client.do_action(("drop", name.encode())))
        wait_until(lambda: held(server, "disk") == 0, what="the disk to be free")


@pytest.mark.parametrize("durability", ["memory", "process", "disk"])
def test_a_full_file_system_fails_that_dataset_alone(start_server, small_disk, durability):
    """Other files fill the disk, so that no budget of the server's own comes first."""
    data = small_disk / "data" if durability != "memory" else None
    flags = ["--dataset-memory", "16MiB", "--result-memory", "8MiB", "--spill-disk", "1GiB"]
    flags += ["--data-dir", data] if data else ["--spill-dir", small_disk / "spill"]
    server = start_server(*flags)
    expect_refusal_of_one(server, {"durability": durability})
    if data:
        server.stop()
        assert "damaged" not in start_server(*flags).log


@pytest.mark.parametrize("durability", ["memory", "process"])
def test_a_write_that_fails(start_server, durability):
    """A limit on the size of files: the system refuses what the store had admitted."""
    server = start_server("--dataset-memory", "16MiB", "--result-memory", "8MiB")
    resource.prlimit(server.pid, resource.RLIMIT_FSIZE, (12 * MIB, 12 * MIB))
    wishes = {"durability": durability}
    with server.flight() as client:
        put(client, "small", blocks(4), **wishes)
        for attempt in range(2):
            with pytest.raises(pa.ArrowException, match="disk"):
                put(client, f"large{attempt}", blocks(40), **wishes)
        assert list(listed(client)) == ["small"]
        expect_blocks(client, "small", 4)
        put(client, "next", blocks(2, 50), **wishes)
        expect_blocks(client, "next", 2, 50)


def test_a_spilling_server_that_is_killed_leaves_nothing(start_server, tmp_path):
    server = start_server("--dataset-memory", "16MiB", "--result-memory", "8MiB", folder=tmp_path)
    with server.flight() as client:
        put(client, "large", blocks(40))
        writer, _ = client.do_put(path("half"), SCHEMA)
        for batch in blocks(20):
            writer.write_batch(batch)
        wait_until(lambda: held(server, "disk") > 40 * MIB, what="spilled batches")
        kill(server)
        with contextlib.suppress(pa.ArrowException):
            writer.close()
    assert [name for _, _, names in os.walk(server.data_dir / "spill") for name in names] == []
    server = start_server("--dataset-memory", "16MiB", "--result-memory", "8MiB", folder=tmp_path)
    with server.flight() as client:
        assert listed(client) == {}
    assert held(server, "disk") == 0


def test_the_disk_of_read_and_dropped_batches_is_free_at_once(start_server):
    server = start_server("--dataset-memory", "16MiB", "--result-memory", "8MiB")
    with server.flight() as client:
        for name in ("a", "b"):
            put(client, name, blocks(30))
        both = held(server, "disk")
        list(client.do_action(("drop", b"a")))
        wait_until(lambda: held(server, "disk") <= both - 29 * MIB, what="the room of one")
        expect_blocks(client, "b", 30)


# --- what is durable -------------------------------------------------------------------------------


def descriptors(server):
    return len(os.listdir(f"/proc/{server.pid}/fd"))


def test_durable_datasets_take_neither_memory_nor_descriptors(start_server, tmp_path):
    server = start_server("--dataset-memory", "16MiB", "--result-memory", "8MiB", folder=tmp_path)
    with server.flight() as client:
        put(client, "large", blocks(4), durability="process")
        put(client, "large", blocks(44, 4))  # appended, so written at the commit
        before = descriptors(server)
        for number in range(50):
            put_table(client, f"small{number}", rows(number, 100), durability="process")
        assert descriptors(server) <= before + 2
        assert held(server, "memory") < 4 * MIB
        expect_blocks(client, "large", 48)
        kill(server)
    server = start_server("--dataset-memory", "16MiB", "--result-memory", "8MiB", folder=tmp_path)
    with server.flight() as client:
        assert held(server, "memory") < 4 * MIB and descriptors(server) <= before
        expect_blocks(client, "large", 48)
        for number in range(50):
            assert get(client, f"small{number}").equals(rows(number, 100))
        put(client, "next", blocks(8))
        expect_blocks(client, "next", 8)
        assert server.value("SELECT sum(i) FROM dataset.large") == sum(range(48 * BATCH_ROWS))


def categories(values, names):
    return pa.record_batch({"c": pa.DictionaryArray.from_arrays(pa.array(values, pa.int32()), names)})


@pytest.mark.parametrize("deltas", [False, True])
@pytest.mark.parametrize("how", ["flight", "rest"])
def test_dictionaries_that_change_midway_survive(start_server, tmp_path, deltas, how):
    """Each batch refers to the values that came before it, in the file and after a restart."""
    server = start_server(folder=tmp_path)
    last = ["a", "b", "c", "d"] if deltas else ["x", "y", "z"]
    names = [["a", "b"], ["a", "b", "c"], ["a", "b", "c"], last]
    batches = [categories([0, 1, len(own) - 1] * 5000, own) for own in names]
    wanted = [value for batch in batches for value in batch.column(0).to_pylist()]
    write_options = pa.ipc.IpcWriteOptions(emit_dictionary_deltas=deltas)
    if how == "flight":
        call = fl.FlightCallOptions(headers=[(b"volley-durability", b"disk")], write_options=write_options)
        with server.flight() as client:
            writer, _ = client.do_put(path("words"), batches[0].schema, options=call)
            for batch in batches:
                writer.write_batch(batch)
            writer.close()
    else:
        sink = pa.BufferOutputStream()
        with pa.ipc.new_stream(sink, batches[0].schema, options=write_options) as stream:
            for batch in batches:
                stream.write_batch(batch)
        answer = server.request("PUT", "/v1/datasets/words", sink.getvalue().to_pybytes(), {
            "content-type": "application/vnd.apache.arrow.stream", "volley-durability": "disk"})
        assert answer.status in (200, 201), answer.body
    with server.flight() as client:
        assert get(client, "words").column(0).to_pylist() == wanted
        kill(server)
    [file] = arrow_files(server)
    with pa.ipc.open_stream(file.read_bytes()) as stream:
        assert [value for batch in stream for value in batch.column(0).to_pylist()] == wanted
    server = start_server(folder=tmp_path)
    with server.flight() as client:
        assert get(client, "words").column(0).to_pylist() == wanted
        assert server.value("SELECT count(*) FROM dataset.words WHERE c = 'b'") == wanted.count("b")


class Writer(threading.Thread):
    """Puts into datasets of its own until the server is gone; remembers what was acknowledged."""

    def __init__(self, server, name, seed):
        super().__init__(daemon=True)
        self.server, self.name, self.random = server, name, random.Random(seed)
        self.acknowledged = {}  # name of a dataset -> list of puts: (first row, rows)
        self.pending = {}
        self.start()

    def wish(self):
        name = f"{self.name}-{self.random.randrange(4)}"
        puts = self.acknowledged.get(name, [])
        mode = self.random.choice(["append", "append", "replace"]) if puts else "create"
        return name, puts if mode == "append" else [], mode

    def put(self, client, number):
        name, before, mode = self.wish()
        count = self.random.choice([1, 100, 3000, 40000])
        table = rows(number * 100000, count)
        self.pending = {name: before + [(number * 100000, count)]}
        writer, reader = client.do_put(path(name), SCHEMA, options=options(mode=mode, durability="process"))
        with writer:
            writer.write_table(table, max_chunksize=max(1, count // self.random.randint(1, 4)))
            writer.done_writing()
            reader.read()
        self.acknowledged.update(self.pending)
        self.pending = {}

    def run(self):
        with contextlib.suppress(pa.ArrowException), self.server.flight() as client:
            for number in range(1 << 20):
                self.put(client, number)


def content(puts):
    return pa.concat_tables([rows(first, count) for first, count in puts])


@pytest.mark.parametrize("seed", range(3))
def test_kill_9_during_many_puts(start_server, tmp_path, seed):
    """Rounds of put and kill on one folder: what was acknowledged is there, and half a put never is."""
    known = {}
    moments = random.Random(seed)
    for round_number in range(3):
        server = start_server(folder=tmp_path)
        with server.flight() as client:
            assert set(listed(client)) == set(known)
        writers = [Writer(server, f"r{round_number}w{number}", moments.random()) for number in range(4)]
        wait_until(lambda: all(len(writer.acknowledged) > 1 for writer in writers), what="some puts")
        time.sleep(moments.random() * 0.3)
        kill(server)
        for writer in writers:
            writer.join(30)
            assert not writer.is_alive()
        server = start_server(folder=tmp_path)
        with server.flight() as client:
            found = listed(client)
            for writer in writers:
                for name, puts in writer.acknowledged.items():
                    allowed = [content(puts)]
                    if name in writer.pending:
                        allowed.append(content(writer.pending[name]))
                    assert any(get(client, name).equals(table) for table in allowed), name
                    known[name] = get(client, name)
                for name in set(writer.pending) & set(found) - set(writer.acknowledged):
                    known[name] = get(client, name)
                    assert known[name].equals(content(writer.pending[name]))
            assert set(found) == set(known)
            for name, table in known.items():
                assert get(client, name).equals(table)
        assert "damaged" not in server.log
        server.stop()


def test_torn_tails_are_told(start_server, tmp_path):
    server = start_server(folder=tmp_path)
    with server.flight() as client:
        put_table(client, "torn", rows(0, 1000), durability="process")
    server.stop()
    for file in (server.data_dir / "datasets").iterdir():
        with file.open("ab") as tail:
            tail.write(b"what a crash left" * 100)
    (server.data_dir / "datasets" / "beginning.index").touch()
    (server.data_dir / "datasets" / "beginning.arrows").touch()
    server = start_server(folder=tmp_path)
    wait_until(lambda: "torn tail of a dataset cut" in server.log, what="the log's line")
    with server.flight() as client:
        assert list(listed(client)) == ["torn"]
        put_table(client, "torn", rows(1000, 1))
        assert get(client, "torn").equals(rows(0, 1001))
    assert len(list((server.data_dir / "datasets").iterdir())) == 2


@pytest.mark.parametrize("damage", ["index", "arrows", "missing"])
def test_a_damaged_file_is_set_aside_and_told(start_server, tmp_path, damage):
    server = start_server(folder=tmp_path)
    with server.flight() as client:
        put_table(client, "bad", rows(0, 1000), durability="disk")
    server.stop()
    folder = server.data_dir / "datasets"
    (arrows,), (index,) = folder.glob("*.arrows"), folder.glob("*.index")
    if damage == "missing":
        arrows.unlink()
    else:
        file = arrows if damage == "arrows" else index
        bytes_of = bytearray(file.read_bytes())
        bytes_of[len(bytes_of) // 2 if damage == "arrows" else 10] ^= 0xFF
        file.write_bytes(bytes_of)
    server = start_server(folder=tmp_path)
    wait_until(lambda: "damaged dataset set aside" in server.log, what="the log's line")
    with server.flight() as client:
        assert listed(client) == {}
        put_table(client, "bad", rows(0, 10), durability="disk")
    assert all(".damaged" in file.name for file in folder.iterdir()
               if arrows.stem in file.name)
    server.stop()
    server = start_server(folder=tmp_path)
    with server.flight() as client:
        assert get(client, "bad").equals(rows(0, 10))


# --- time to live ----------------------------------------------------------------------------------


def test_what_expired_is_swept_and_the_renewed_stays(start_server):
    server = start_server()
    before = held(server, "memory")
    with server.flight() as client:
        for number in range(20):
            put(client, f"short{number}", blocks(1), ttl="1s")
        put(client, "renewed", blocks(1), ttl="1s")
        list(client.do_action(("set-ttl", b'{"path": "renewed", "ttl": "1h"}')))
        wait_until(lambda: held(server, "memory") < before + 2 * MIB, what="the sweep")
        assert list(listed(client)) == ["renewed"]
        expect_blocks(client, "renewed", 1)


def test_an_expired_dataset_on_disk_goes_with_its_files(start_server, tmp_path):
    server = start_server(folder=tmp_path)
    folder = server.data_dir / "datasets"
    with server.flight() as client:
        put(client, "short", blocks(1), ttl="1s", durability="process")
        put(client, "gone at the start", blocks(1), ttl="3s", durability="process")
        wait_until(lambda: len(list(folder.iterdir())) == 2, what="the sweep")
    server.stop()
    time.sleep(3)
    server = start_server(folder=tmp_path)
    with server.flight() as client:
        assert listed(client) == {}
    assert list(folder.iterdir()) == []


def test_a_slow_reader_outlives_a_spilled_dataset(start_server):
    server = start_server("--dataset-memory", "16MiB", "--result-memory", "8MiB")
    with server.flight() as client:
        put(client, "short", blocks(40), ttl="1s")
        chunks = client.do_get(fl.Ticket(b"short"))
        wanted = blocks(40)
        assert next(chunks).data.equals(next(wanted))
        wait_until(lambda: listed(client) == {}, what="the expiry")
        put(client, "other", blocks(40, 100))  # wants the room
        for chunk in chunks:
            assert chunk.data.equals(next(wanted))
        assert next(wanted, None) is None
        list(client.do_action(("drop", b"other")))
    wait_until(lambda: held(server, "disk") == 0, what="the disk to be free")


# --- memory ----------------------------------------------------------------------------------------


def test_results_do_not_starve_beside_kept_datasets(start_server):
    """Kept datasets fill the memory; a result makes them go to disk instead of waiting for ever."""
    server = start_server("--dataset-memory", "16MiB", "--result-memory", "8MiB")
    with server.flight() as client:
        put(client, "kept", blocks(15))
        table = client.do_get(fl.Ticket(b'{"sql": "SELECT i FROM range(3000000) t(i)"}')).read_all()
        assert table.num_rows == 3000000
        expect_blocks(client, "kept", 15)


# --- files of the command line ---------------------------------------------------------------------


def write(file, table, codec=None, stream=False):
    make = pa.ipc.new_stream if stream else pa.ipc.new_file
    with pa.OSFile(str(file), "wb") as sink:
        with make(sink, table.schema, options=pa.ipc.IpcWriteOptions(compression=codec)) as writer:
            writer.write_table(table, max_chunksize=4096)
    return file


HOSTILE = {
    "a cut footer": lambda content: content[:-20],
    "a cut body": lambda content: content[:len(content) // 2],
    "only its magic": lambda content: content[:8],
    "a footer that is too long": lambda content: content[:-10] + b"\xff\xff\xff\x7f" + content[-6:],
    "zeros": lambda content: bytes(len(content)),
    "text": lambda content: b"a,b\n1,2\n" * 100,
}


@pytest.mark.parametrize("case", HOSTILE)
def test_a_hostile_file_is_refused_clearly(volley, tmp_path, case):
    good = write(tmp_path / "good.arrow", rows(0, 20000))
    (tmp_path / "hostile.arrow").write_bytes(HOSTILE[case](good.read_bytes()))
    result = volley("serve", "--flight-addr", "127.0.0.1:0", "--http-addr", "127.0.0.1:0",
                    "--data-dir", "none", "good.arrow", "hostile.arrow")
    assert result.returncode == 2
    assert "file 'hostile.arrow'" in result.stderr and len(result.stderr) < 2000


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("codec", [None, "lz4", "zstd"])
def test_files_are_served_as_they_are(start_server, tmp_path, stream, codec):
    table = pa.table({
        "i": pa.array(range(20000), pa.int64()),
        "s": pa.array([None if n % 7 == 0 else f"text {n}" for n in range(20000)]),
        "l": pa.array([[n] * (n % 3) for n in range(20000)], pa.list_(pa.int32())),
    })
    server = start_server(write(tmp_path / "file.arrow", table, codec, stream),
                          write(tmp_path / "none.arrow", table[:0]))
    with server.flight() as client:
        assert get(client, "file").equals(table)
        assert get(client, "none").equals(table[:0])
        part = client.do_get(fl.Ticket(b'{"path": "file", "from": 5000, "limit": 9001}')).read_all()
        assert part.equals(table.slice(5000, 9001))
    assert server.value("SELECT count(s) FROM file") == table["s"].drop_null().length()
