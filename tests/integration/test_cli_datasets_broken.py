"""`volley put` and `get` through broken connections, Ctrl-C and full disks.

SPDX-License-Identifier: Apache-2.0
"""
import contextlib
import os
import signal
import socket
import subprocess
import threading
import uuid

import pyarrow as pa
import pyarrow.flight as fl
import pyarrow.csv
import pyarrow.ipc as ipc
import pytest
from harness import clean_environment, run, wait_until

ROWS = 1_000_000


class Proxy:
    """Passes bytes to a server; cuts connections off after so many bytes of an answer or a request."""

    def __init__(self, address, cuts, upwards=False):
        self.address, self.cuts, self.upwards = address, list(cuts), upwards
        self.accepted = 0
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.url = "grpc://127.0.0.1:{}".format(self.listener.getsockname()[1])
        self.thread = threading.Thread(target=self.accept, daemon=True)
        self.thread.start()

    def accept(self):
        with contextlib.suppress(OSError):
            while True:
                client, _ = self.listener.accept()
                self.accepted += 1
                budget = self.cuts.pop(0) if self.cuts else None
                if budget == 0:
                    client.close()
                    continue
                server = socket.create_connection(self.address)
                both = (client, server)
                for source, target, limit in ((client, server, budget if self.upwards else None),
                                              (server, client, None if self.upwards else budget)):
                    words = (source, target, limit, both)
                    threading.Thread(target=self.copy, args=words, daemon=True).start()

    @staticmethod
    def copy(source, target, limit, both):
        passed = 0
        with contextlib.suppress(OSError):
            while limit is None or passed < limit:
                data = source.recv(65536)
                if not data:
                    break
                target.sendall(data)
                passed += len(data)
        for end in both:
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def close(self):
        with contextlib.suppress(OSError):
            self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        self.thread.join(10)


@pytest.fixture
def proxy(server):
    """proxy(*cuts): the URL of a proxy before the shared server."""
    made = []

    def make(*cuts, upwards=False):
        made.append(Proxy(server.flight_address, cuts, upwards))
        return made[-1]

    yield make
    for each in made:
        each.close()


@pytest.fixture(scope="module")
def content():
    return pa.table({"i": pa.array(range(ROWS), pa.int64()),
                     "j": pa.array(range(ROWS, 2 * ROWS), pa.int64())})


@pytest.fixture(scope="module")
def kept(server, content):
    """A dataset of 16 MB in many batches."""
    name = f"broken-{uuid.uuid4()}"
    with server.flight() as client:
        writer, _ = client.do_put(fl.FlightDescriptor.for_path(name), content.schema)
        with writer:
            writer.write_table(content, max_chunksize=20000)
    return name


def parts(folder):
    return [file.name for file in folder.iterdir() if file.name.endswith(".part")]


def names(server, prefix):
    with server.flight() as client:
        return [flight.descriptor.path for flight in client.list_flights(prefix.encode())]


# --- get -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("file, reader", [("out.arrow", ipc.open_file), ("out.arrows", ipc.open_stream)])
def test_get_goes_on_behind_the_last_row(volley, proxy, kept, content, tmp_path, file, reader):
    through = proxy(5_000_000, 0, 4_000_000, 3_000_000)
    done = volley("get", kept, "--server", through.url, "-o", file)
    assert done.returncode == 0, done.stderr
    assert reader(str(tmp_path / file)).read_all().equals(content)
    assert through.accepted == 5
    assert done.stderr.count("trying again") == 4
    assert parts(tmp_path) == []


def test_get_in_parallel_goes_on_too(volley, proxy, kept, content, tmp_path):
    done = volley("get", kept, "--server", proxy(3_000_000, 2_000_000, 0, 500_000).url, "-o", "out.arrow",
                  "--parallel", "3")
    assert done.returncode == 0, done.stderr
    assert ipc.open_file(str(tmp_path / "out.arrow")).read_all().equals(content)


def test_get_to_a_pipe_goes_on_too(binary, proxy, kept, content, tmp_path):
    done = subprocess.run([str(binary), "get", kept, "--server", proxy(5_000_000).url, "--rows", "5-"],
                          capture_output=True, timeout=60, env=clean_environment(), cwd=tmp_path, check=True)
    assert ipc.open_stream(done.stdout).read_all().equals(content.slice(5))


@pytest.mark.parametrize("file, reader", [("out.arrow", ipc.open_file), ("out.arrows", ipc.open_stream)])
def test_resume_in_another_run(volley, server, proxy, kept, content, tmp_path, file, reader):
    (tmp_path / file).write_text("what was there before")
    words = ["get", kept, "-o", file, "--columns", "j,i"]
    done = volley(*words, "--server", proxy(6_000_000).url, "--retries", "0")
    assert done.returncode == 3
    assert "--resume" in done.stderr
    assert (tmp_path / file).read_text() == "what was there before"
    (left,) = parts(tmp_path)
    size = (tmp_path / left).stat().st_size
    assert size > 3_000_000
    with open(tmp_path / left, "ab") as part:
        part.write(b"\xff\xff\xff\xff\x10\0\0\0half")
    # Cut again, then to the end: what is there already is not asked for again.
    done = volley(*words, "--server", proxy(4_000_000).url, "--retries", "0", "--resume")
    assert done.returncode == 3
    assert parts(tmp_path) == [left]
    assert (tmp_path / left).stat().st_size > size
    done = volley(*words, "--server", proxy(16_000_000 - size).url, "--retries", "0", "--resume")
    assert done.returncode == 0, done.stderr
    assert reader(str(tmp_path / file)).read_all().equals(content.select(["j", "i"]))
    assert parts(tmp_path) == []


def test_resume_of_something_else_begins_anew(volley, server, proxy, kept, content, tmp_path):
    words = ["get", kept, "-o", "out.arrow", "--server"]
    assert volley(*words, proxy(6_000_000).url, "--retries", "0").returncode == 3
    (left,) = parts(tmp_path)
    # Another part of the rows has another name.
    done = volley(*words, server.flight_url, "--rows", "10-", "--resume")
    assert done.returncode == 0, done.stderr
    assert ipc.open_file(str(tmp_path / "out.arrow")).read_all().equals(content.slice(10))
    # And what is no Arrow is not taken up.
    (tmp_path / left).write_bytes(b"something else altogether")
    done = volley(*words, server.flight_url, "--resume")
    assert (done.returncode, "begun anew" in done.stderr) == (0, True)
    assert ipc.open_file(str(tmp_path / "out.arrow")).read_all().equals(content)
    assert parts(tmp_path) == []


def test_resume_takes_what_was_appended_meanwhile(volley, server, proxy, content, tmp_path):
    name = f"grown-{uuid.uuid4()}"

    def put():
        with server.flight() as client:
            writer, _ = client.do_put(fl.FlightDescriptor.for_path(name), content.schema)
            with writer:
                writer.write_table(content, max_chunksize=20000)

    put()
    words = ["get", name, "-o", "out.arrow", "--server"]
    assert volley(*words, proxy(6_000_000).url, "--retries", "0").returncode == 3
    put()
    assert volley(*words, server.flight_url, "--resume").returncode == 0
    assert ipc.open_file(str(tmp_path / "out.arrow")).read_all().equals(pa.concat_tables([content, content]))
    assert volley("drop", name, "--server", server.flight_url).returncode == 0


def test_a_text_that_broke_off_leaves_nothing(volley, proxy, kept, tmp_path):
    done = volley("get", kept, "--server", proxy(6_000_000).url, "--retries", "0", "-o", "out.csv")
    assert done.returncode == 3
    assert list(tmp_path.iterdir()) == []


def test_a_dataset_that_is_gone_when_the_connection_is_back(binary, server, proxy, content, tmp_path):
    name = f"gone-{uuid.uuid4()}"
    with server.flight() as client:
        writer, _ = client.do_put(fl.FlightDescriptor.for_path(name), content.schema)
        with writer:
            writer.write_table(content, max_chunksize=20000)
    # Refused until the dataset is gone.
    through = proxy(6_000_000, *[0] * 100)
    process = subprocess.Popen([str(binary), "get", name, "--server", through.url, "-o", "out.arrow"],
                               cwd=tmp_path, env=clean_environment(), stderr=subprocess.PIPE, text=True)
    wait_until(lambda: through.accepted > 1, what="the second connection")
    assert run(binary, "drop", name, "--server", server.flight_url).returncode == 0
    through.cuts.clear()
    _, message = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "expired or never existed" in message
    assert not (tmp_path / "out.arrow").exists()


def test_a_foreign_server_has_no_positions(volley, proxy, tmp_path, content):
    class Foreign(fl.FlightServerBase):
        def get_flight_info(self, context, descriptor):
            return fl.FlightInfo(content.schema, descriptor, [fl.FlightEndpoint(b"t", [])], -1, -1)

        def do_get(self, context, ticket):
            return fl.GeneratorStream(content.schema, content.to_batches(max_chunksize=20000))

    with Foreign("grpc://127.0.0.1:0") as foreign:
        through = Proxy(("127.0.0.1", foreign.port), [6_000_000])
        done = volley("get", "x", "--server", through.url, "-o", "out.arrow")
        through.close()
        assert done.returncode == 3
        assert list(tmp_path.iterdir()) == []


# --- put -------------------------------------------------------------------------------------------------


@pytest.fixture
def file(content, tmp_path):
    path = tmp_path / "in.arrow"
    with ipc.new_file(str(path), content.schema) as writer:
        writer.write_table(content, max_chunksize=20000)
    return path


def test_a_put_that_broke_off_begins_again(volley, server, proxy, file, content):
    name = f"again-{uuid.uuid4()}"
    done = volley("put", file, name, "--server", proxy(3_000_000, 0, 4_000_000, upwards=True).url)
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("nothing was kept") == 3
    with server.flight() as client:
        assert client.do_get(fl.Ticket(name)).read_all().equals(content)


def test_a_load_that_broke_off_begins_again(volley, server, proxy, file, content, tmp_path):
    name = f"again_{uuid.uuid4().hex}"
    done = volley("load", file, name, "--server", proxy(3_000_000, 4_000_000, upwards=True).url)
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("loading it again") == 2
    assert server.value(f"SELECT count(*) FROM {name}") == ROWS
    server.rows(f"DROP TABLE {name}")
    done = volley("load", file, name, "--retries", "0", "--server", proxy(6_000_000, upwards=True).url)
    assert done.returncode == 3 and "again" not in done.stderr
    # What has to be converted: as often, and one set of rows.
    text = tmp_path / "in.csv"
    pa.csv.write_csv(content.slice(0, 300000), text)
    done = volley("load", text, name, "--server", proxy(1_000_000, upwards=True).url)
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("loading it again") == 1
    assert server.value(f"SELECT count(*) FROM {name}") == 300000
    server.rows(f"DROP TABLE {name}")


def test_a_pipe_cannot_begin_again(binary, server, proxy, file, tmp_path):
    name = f"pipe-{uuid.uuid4()}"
    done = subprocess.run(
        ["bash", "-c", f"cat {file} | {binary} put - {name} --server {proxy(6_000_000, upwards=True).url}"],
        capture_output=True, text=True, timeout=60, env=clean_environment(), cwd=tmp_path, check=False)
    assert done.returncode == 3
    assert "cannot be read again" in done.stderr
    assert names(server, name) == []


def test_an_answer_that_was_lost_is_not_put_twice(volley, server, file):
    class Deaf(Proxy):
        """Cuts the connection where the answer would pass."""

        def copy(self, source, target, limit, both):
            with contextlib.suppress(OSError):
                while data := source.recv(65536):
                    if b'"rows":' in data:
                        break
                    target.sendall(data)
            for end in both:
                with contextlib.suppress(OSError):
                    end.shutdown(socket.SHUT_RDWR)

    name = f"lost-{uuid.uuid4()}"
    through = Deaf(server.flight_address, [])
    done = volley("put", file, name, "--server", through.url)
    assert done.returncode == 3
    assert "only the server knows" in done.stderr
    with server.flight() as client:
        assert client.do_get(fl.Ticket(name)).read_all().num_rows == ROWS
    # To replace is the same done twice: it goes on trying.
    done = volley("put", file, name, "--mode", "replace", "--server", through.url, "--retries", "1")
    through.close()
    assert done.returncode == 3
    assert "putting it again" in done.stderr
    with server.flight() as client:
        assert client.do_get(fl.Ticket(name)).read_all().num_rows == ROWS


# --- Ctrl-C ----------------------------------------------------------------------------------------------


def interrupted(process):
    process.send_signal(signal.SIGINT)
    return process.wait(30)


def test_ctrl_c_while_a_pipe_is_put(binary, server, file, tmp_path):
    name = f"stop-{uuid.uuid4()}"
    process = subprocess.Popen([str(binary), "put", "-", name, "--server", server.flight_url], cwd=tmp_path,
                               env=clean_environment(), stdin=subprocess.PIPE, stderr=subprocess.PIPE)
    process.stdin.write(file.read_bytes()[:8_000_000])
    process.stdin.flush()
    assert interrupted(process) == 130
    assert names(server, name) == []
    process.stdin.close()
    process.stderr.close()


def test_ctrl_c_while_a_file_is_written(binary, server, proxy, kept, content, tmp_path):
    # The reader of a fifo takes nothing more: what is written waits.
    process = subprocess.Popen([str(binary), "get", kept, "--server", server.flight_url], cwd=tmp_path,
                               env=clean_environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout.read(10)
    process.send_signal(signal.SIGINT)
    process.stdout.close()
    assert process.wait(30) in (0, 130)
    assert process.stderr.read() == b""
    process.stderr.close()


def test_ctrl_c_keeps_the_part_for_resume(binary, volley, server, kept, content, tmp_path):
    class Slow(Proxy):
        """Stops in the middle, and holds the connection."""

        def copy(self, source, target, limit, both):
            passed = 0
            with contextlib.suppress(OSError):
                while limit is None or passed < limit:
                    data = source.recv(65536)
                    if not data:
                        return
                    target.sendall(data)
                    passed += len(data)
                self.full.set()

    slow = Slow.__new__(Slow)
    slow.full = threading.Event()
    slow.__init__(server.flight_address, [8_000_000])
    words = ["get", kept, "-o", "out.arrow", "--server"]
    process = subprocess.Popen([str(binary), *words, slow.url], cwd=tmp_path, env=clean_environment(),
                               stderr=subprocess.PIPE, text=True)
    assert slow.full.wait(30)
    wait_until(lambda: parts(tmp_path) and (tmp_path / parts(tmp_path)[0]).stat().st_size > 5_000_000,
               what="the part")
    assert interrupted(process) == 130
    assert "--resume" in process.stderr.read()
    process.stderr.close()
    slow.close()
    assert not (tmp_path / "out.arrow").exists()
    assert len(parts(tmp_path)) == 1
    assert volley(*words, server.flight_url, "--resume").returncode == 0
    assert ipc.open_file(str(tmp_path / "out.arrow")).read_all().equals(content)


# --- disks, devices, folders -------------------------------------------------------------------------------


def test_a_full_disk_leaves_nothing(binary, server, kept, tmp_path):
    small = tmp_path / "small"
    small.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(small)],
                      capture_output=True, check=False).returncode != 0:
        pytest.skip("file systems cannot be mounted here")
    try:
        (small / "out.arrow").write_text("before")
        done = run(binary, "get", kept, "--server", server.flight_url, "-o", small / "out.arrow")
        assert done.returncode == 1
        assert "No space left" in done.stderr
        assert [file.name for file in small.iterdir()] == ["out.arrow"]
        assert (small / "out.arrow").read_text() == "before"
    finally:
        subprocess.run(["umount", str(small)], check=True, capture_output=True)


def test_a_full_pipe_end(binary, server, kept):
    with open("/dev/full", "wb") as full:
        done = subprocess.run([str(binary), "get", kept, "--server", server.flight_url], stdout=full,
                              stderr=subprocess.PIPE, text=True, timeout=60, env=clean_environment(),
                              check=False)
    assert (done.returncode, "No space left" in done.stderr) == (1, True)


def test_where_a_file_may_go(volley, server, kept, content, tmp_path):
    def get(file):
        return volley("get", kept, "--server", server.flight_url, "-o", file)

    done = get(tmp_path)
    assert done.returncode == 1
    assert "is a folder" in done.stderr
    assert "absent" in get(tmp_path / "absent" / "x.arrow").stderr
    assert get("/dev/null").returncode == 0
    (tmp_path / "folder").mkdir()
    os.symlink(tmp_path / "folder" / "real.arrow", tmp_path / "link.arrow")
    (tmp_path / "folder" / "real.arrow").write_text("old")
    assert get("link.arrow").returncode == 0
    assert (tmp_path / "link.arrow").is_symlink()
    assert ipc.open_file(str(tmp_path / "folder" / "real.arrow")).read_all().equals(content)


def test_two_runs_do_not_write_one_part(binary, volley, server, proxy, kept, tmp_path):
    assert volley("get", kept, "--server", proxy(6_000_000).url, "--retries", "0", "-o",
                  "out.arrow").returncode == 3
    (left,) = parts(tmp_path)
    holder = subprocess.Popen(["flock", left, "sh", "-c", "echo held; read line"], cwd=tmp_path,
                              stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert holder.stdout.readline() == b"held\n"
    done = volley("get", kept, "--server", server.flight_url, "-o", "out.arrow")
    assert done.returncode == 1
    assert "another volley get" in done.stderr
    assert parts(tmp_path) == [left]
    holder.communicate(b"\n", timeout=10)
