"""`volley put`, `get`, `list` and `drop`, against the shared server.

SPDX-License-Identifier: Apache-2.0
"""
import csv
import datetime
import io
import json
import subprocess
import uuid

import pyarrow as pa
import pyarrow.flight as fl
import pyarrow.ipc as ipc
import pytest
from harness import clean_environment, wait_until
from terminal import Terminal


def unique(prefix="cli"):
    return f"{prefix}-{uuid.uuid4()}"


def table(rows=10000, first=0):
    numbers = range(first, first + rows)
    return pa.table({
        "i": pa.array(numbers, pa.int64()),
        "s": pa.array([f"text {n}" if n % 7 else None for n in numbers], pa.string()),
        "d": pa.array([("red", "green", "blue")[n % 3] for n in numbers]).dictionary_encode(),
        "l": pa.array([[n, n + 1] for n in numbers], pa.list_(pa.int32())),
    })


def write(path, content, kind=ipc.new_file, rows=1000):
    with kind(str(path), content.schema) as writer:
        writer.write_table(content, max_chunksize=rows)
    return path


@pytest.fixture
def cli(volley, server):
    """cli(command, *words): runs it against the shared server; the text it printed."""

    def call(command, *words, code=0, **options):
        done = volley(command, "--server", server.flight_url, *words, **options)
        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout.strip() if code == 0 else done.stderr.strip()

    return call


@pytest.fixture
def raw(binary, server, tmp_path):
    """raw(command, *words, input=bytes): the same with bytes, as a completed process."""

    def call(command, *words, **options):
        return subprocess.run([str(binary), command, "--server", server.flight_url, *map(str, words)],
                              capture_output=True, timeout=60, env=clean_environment(), cwd=tmp_path,
                              check=False, **options)

    return call


def stored(flight, name):
    return flight.do_get(fl.Ticket(name)).read_all()


# --- there and back ------------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", ["arrow", "csv", "parquet"])
def test_a_terminal_is_told_how_much_it_was(cli, binary, server, tmp_path, suffix):
    cli("sql", "-c", "SELECT i, i::VARCHAR AS s FROM range(2500) t(i)", "-o", f"many.{suffix}")
    terminal = Terminal([binary, "put", "--server", server.flight_url, f"many.{suffix}", f"told/{suffix}",
                         "--mode", "replace"], tmp_path)
    terminal.expect(f"told/{suffix}: 2,500 rows, ")
    assert terminal.wait() == 0


@pytest.mark.parametrize("kind", [ipc.new_file, ipc.new_stream])
@pytest.mark.parametrize("by_pipe", [False, True])
def test_arrow_there_and_back(cli, raw, flight, tmp_path, kind, by_pipe):
    name, content = unique(), table()
    path = write(tmp_path / "in", content, kind)
    if by_pipe:
        done = subprocess.run(["cat", str(path)], stdout=subprocess.PIPE, check=True)
        assert raw("put", "-", name, input=done.stdout).stdout.decode().strip() == name
    else:
        assert cli("put", path, name) == name
    assert stored(flight, name).equals(content)
    cli("get", name, "-o", "out.arrow")
    assert ipc.open_file(str(tmp_path / "out.arrow")).read_all().equals(content)
    cli("get", name, "-o", "out.arrows")
    assert ipc.open_stream(str(tmp_path / "out.arrows")).read_all().equals(content)
    assert ipc.open_stream(raw("get", name).stdout).read_all().equals(content)


def test_a_put_without_a_name_prints_its_id(cli, flight, tmp_path):
    content = table(100)
    write(tmp_path / "a.arrow", content)
    identity = cli("put", "a.arrow")
    assert str(uuid.UUID(identity)) == identity
    assert stored(flight, identity).equals(content)
    cli("get", identity, "-o", "b.arrow")
    assert ipc.open_file(str(tmp_path / "b.arrow")).read_all().equals(content)


def test_several_files_are_one_put(cli, flight, tmp_path):
    name = unique("folder") + "/part"
    for index in range(3):
        write(tmp_path / f"{index}.arrow", table(500, first=500 * index), rows=100)
    cli("put", "0.arrow", "1.arrow", "2.arrow", name)
    kept = flight.do_get(fl.Ticket(json.dumps({"path": name.split("/")}))).read_all()
    assert kept.to_pylist() == table(1500).to_pylist()
    assert json.loads(cli("list", name, "--format", "ndjson"))["rows"] == 1500


def test_files_with_other_columns_are_refused_as_a_whole(cli, tmp_path):
    name = unique()
    write(tmp_path / "a.arrow", table(10))
    write(tmp_path / "b.arrow", table(10).set_column(0, "i", pa.array(range(10), pa.int32())))
    message = cli("put", "a.arrow", "b.arrow", name, code=1)
    assert "column 1 of b.arrow is 'i' int32, that of a.arrow is 'i' int64" in message
    assert cli("list", name, "--format", "ndjson") == ""


def test_modes(cli, flight, tmp_path):
    name = unique()
    write(tmp_path / "a.arrow", table(10).select(["i", "s"]))
    assert "did you mean" not in cli("put", "--mode", "append", "a.arrow", name, code=1)
    cli("put", "--mode", "create", "a.arrow", name)
    assert name in cli("put", "--mode", "create", "a.arrow", name, code=1)
    cli("put", "--mode", "append", "a.arrow", name)
    assert stored(flight, name).num_rows == 20
    cli("put", "a.arrow", name)
    assert stored(flight, name).num_rows == 30
    cli("put", "--mode", "replace", "a.arrow", name)
    assert stored(flight, name).num_rows == 10


def test_time_to_live_and_durability(cli, tmp_path):
    name = unique()
    write(tmp_path / "a.arrow", table(10))
    cli("put", "--ttl", "10m", "--durability", "process", "a.arrow", name)
    item = json.loads(cli("list", name, "--format", "ndjson"))
    assert (item["name"], item["rows"], item["durability"]) == (name, 10, "process")
    left = datetime.datetime.fromisoformat(item["expires"].replace("Z", "+00:00")) - \
        datetime.datetime.now(datetime.timezone.utc)
    assert 500 < left.total_seconds() <= 600
    assert "ttl" in cli("put", "--ttl", "soon", "a.arrow", name, code=1)
    assert "one of memory, process, disk" in cli("put", "--durability", "ram", "a.arrow", name, code=2)


def test_an_empty_table(cli, flight, tmp_path):
    name = unique()
    write(tmp_path / "a.arrow", table(0))
    cli("put", "a.arrow", name)
    for file, reader in (("b.arrow", ipc.open_file), ("b.arrows", ipc.open_stream)):
        cli("get", name, "-o", file)
        result = reader(str(tmp_path / file)).read_all()
        assert (result.num_rows, result.column_names) == (0, ["i", "s", "d", "l"])
    assert cli("get", name, "--format", "csv") == "i,s,d,l"


def test_large_batches_are_cut(cli, flight, tmp_path):
    name = unique()
    content = pa.table({"i": pa.array(range(12_000_000), pa.int64())})
    write(tmp_path / "a.arrow", content, rows=12_000_000)
    cli("put", "a.arrow", name)
    assert stored(flight, name).equals(content)
    cli("drop", name)


# --- parts, columns, formats ------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def numbers(server, binary, tmp_path_factory):
    """A dataset of 100,000 rows in batches of 1000 with growing dictionaries."""
    name, folder = unique("numbers"), tmp_path_factory.mktemp("numbers")
    content = table(100_000)
    write(folder / "a.arrow", content)
    subprocess.run([str(binary), "put", "--server", server.flight_url, str(folder / "a.arrow"), name],
                   check=True, capture_output=True, timeout=60, env=clean_environment())
    return name, content


@pytest.mark.parametrize("rows, first, count", [
    ("0-9", 0, 10), ("995-1004", 995, 10), ("99990-", 99990, 10), ("-5", 99995, 5),
    ("100000-", 100000, 0), ("50-50", 50, 1)])
def test_rows(cli, numbers, tmp_path, rows, first, count):
    name, content = numbers
    cli("get", name, "--rows", rows, "-o", "out.arrow")
    assert ipc.open_file(str(tmp_path / "out.arrow")).read_all().equals(content.slice(first, count))


def test_columns_and_limit(cli, numbers):
    name, _ = numbers
    text = cli("get", name, "--columns", "s, i", "--rows", "10-20", "--limit", "2", "--format", "csv")
    assert list(csv.reader(io.StringIO(text))) == [["s", "i"], ["text 10", "10"], ["text 11", "11"]]
    assert "nothing" in cli("get", name, "--columns", "nothing", code=1)


@pytest.mark.parametrize("suffix", ["arrow", "csv", "parquet"])
def test_the_column_that_was_meant(cli, tmp_path, suffix):
    write(tmp_path / "fares.arrow", pa.table({"fare_amount": [1.5], "tip_amount": [0.5]}))
    name = cli("put", "fares.arrow", unique())
    told = cli("get", name, "--columns", "fare_amout", "-o", f"out.{suffix}", code=1)
    assert told.endswith("there is no column 'fare_amout'; did you mean 'fare_amount'?"), told


@pytest.mark.parametrize("words", [
    ["--rows", "5"], ["--rows", "7-3"], ["--rows", "-"], ["--rows", "a-b"], ["--columns", "a,"],
    ["--columns", ",a"], ["--columns", '"a'], ["--format", "xml"], ["--parallel", "0"],
    ["--resume"], ["--resume", "-o", "x.csv"], ["more"]])
def test_wrong_usage(cli, words):
    assert cli("get", "anything", *words, code=2).startswith("volley: ")


def test_formats(cli, numbers):
    name, _ = numbers
    part = ["get", name, "--rows", "1-2", "--columns", "i,s"]
    assert cli(*part, "--format", "csv").splitlines() == ["i,s", "1,text 1", "2,text 2"]
    lines = cli(*part, "--format", "ndjson").splitlines()
    assert [json.loads(line) for line in lines] == [{"i": 1, "s": "text 1"}, {"i": 2, "s": "text 2"}]
    assert json.loads(cli(*part, "--format", "json"))["data"][0] == {"i": 1, "s": "text 1"}
    assert "text 2" in cli(*part, "--format", "table")
    assert cli(*part, "--format", "markdown").startswith("|")


def test_the_format_follows_the_name_of_the_file(cli, numbers, tmp_path):
    name, _ = numbers
    part = ["get", name, "--rows", "1-2", "--columns", "i", "-o"]
    for file, beginning in {"a.csv": b"i\r\n1", "a.ndjson": b'{"i":1}', "a.arrow": b"ARROW1",
                            "a.arrows": b"\xff\xff\xff\xff", "a": b"ARROW1"}.items():
        cli(*part, file)
        assert (tmp_path / file).read_bytes().startswith(beginning)
    cli(*part, "b.csv", "--format", "arrow-stream")
    assert (tmp_path / "b.csv").read_bytes().startswith(b"\xff\xff\xff\xff")


@pytest.mark.parametrize("parallel", [2, 5, 64])
@pytest.mark.parametrize("file, reader", [("out.arrow", ipc.open_file), ("out.arrows", ipc.open_stream)])
def test_parallel_keeps_the_order(cli, numbers, tmp_path, parallel, file, reader):
    name, content = numbers
    cli("get", name, "--parallel", parallel, "-o", file)
    assert reader(str(tmp_path / file)).read_all().equals(content)


def test_many_parts(cli, raw, flight, tmp_path):
    name = unique()
    content = pa.table({"i": pa.array(range(9_000_000), pa.int64())})
    write(tmp_path / "a.arrow", content, rows=100_000)
    cli("put", "a.arrow", name)
    result = ipc.open_stream(raw("get", name, "--parallel", 3, "--rows", "17-8999990").stdout).read_all()
    assert result.equals(content.slice(17, 8_999_974))
    cli("drop", name)


def test_a_result_by_its_id(cli, server, tmp_path):
    with server.flight() as client:
        descriptor = fl.FlightDescriptor.for_command(b"SELECT i FROM range(1000) t(i)")
        identity = client.get_flight_info(descriptor).app_metadata.decode()
        cli("get", identity, "-o", "r.arrow")
    assert ipc.open_file(str(tmp_path / "r.arrow")).read_all().num_rows == 1000


# --- pipes ------------------------------------------------------------------------------------------------


def test_a_reader_that_leaves_ends_it_quietly(binary, server, numbers, tmp_path):
    command = (f"{binary} get --server {server.flight_url} {numbers[0]} | head -c 10 | wc -c; "
               "echo ${PIPESTATUS[0]}")
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, timeout=60,
                          env=clean_environment(), cwd=tmp_path, check=True)
    assert (done.stdout.split(), done.stderr) == (["10", "0"], "")


def test_sql_into_put(binary, server, flight, tmp_path):
    name = unique()
    command = (f"{binary} sql --server {server.flight_url} --format arrow 'FROM range(1000) t(i)' | "
               f"{binary} put --server {server.flight_url} - {name}")
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, timeout=60,
                          env=clean_environment(), cwd=tmp_path, check=True)
    assert done.stdout.strip() == name
    assert stored(flight, name).num_rows == 1000


def test_a_cut_stream_is_not_put(cli, raw, flight, tmp_path):
    name = unique()
    path = write(tmp_path / "a.arrows", table(5000), ipc.new_stream)
    whole = path.read_bytes()
    path.write_bytes(whole[:len(whole) * 3 // 4])
    for words, options in ((["a.arrows"], {}), (["-"], {"input": path.read_bytes()})):
        done = raw("put", *words, name, **options)
        assert done.returncode == 1
        assert b"no end" in done.stderr
        assert cli("list", name, "--format", "ndjson") == ""
    cli("put", "--unfinished", "a.arrows", name)
    kept = stored(flight, name)
    assert 0 < kept.num_rows < 5000
    assert kept.equals(table(5000).slice(0, kept.num_rows))


def test_what_cannot_be_put(cli, raw, tmp_path):
    (tmp_path / "note").write_text("just words")
    (tmp_path / "bad.arrow").write_bytes(b"ARROW1\0\0" + b"\x99" * 100)
    assert "cannot tell what is in it" in cli("put", "note", "x", code=2)
    assert "absent.arrow" in cli("put", "absent.arrow", "x", code=2)
    assert "is a folder" in cli("put", tmp_path, "x", code=2)
    assert "bad.arrow" in cli("put", "bad.arrow", "x", code=1)
    assert "NAME" in cli("put", code=2)
    write(tmp_path / "a.arrow", table(1))
    write(tmp_path / "b.arrow", table(1))
    assert "b.arrow is a file" in cli("put", "a.arrow", "b.arrow", code=2)
    assert "element is empty" in cli("put", "a.arrow", "a//b", code=1)


# --- list and drop ---------------------------------------------------------------------------------------


def test_list(cli, tmp_path):
    folder = unique("list")
    write(tmp_path / "a.arrow", table(10))
    for name in ("b", "a", "c/d"):
        cli("put", "a.arrow", f"{folder}/{name}")
    items = [json.loads(line) for line in cli("list", folder, "--format", "ndjson").splitlines()]
    assert [item["name"] for item in items] == [f"{folder}/a", f"{folder}/b", f"{folder}/c/d"]
    assert all(item["rows"] == 10 and item["bytes"] > 100 for item in items)
    shown = cli("list", folder)
    assert f"{folder}/c/d" in shown
    assert " in " in shown
    assert list(csv.reader(io.StringIO(cli("list", folder, "--format", "csv"))))[0] == [
        "name", "rows", "bytes", "expires", "durability", "owner"]


def test_drop(cli, tmp_path):
    folder = unique("drop")
    write(tmp_path / "a.arrow", table(10))
    for name in ("one", "two", "three"):
        cli("put", "a.arrow", f"{folder}/{name}")
    message = cli("drop", f"{folder}/one", f"{folder}/absent", f"{folder}/two", code=1)
    assert f"{folder}/absent" in message
    left = cli("list", folder, "--format", "ndjson").splitlines()
    assert [json.loads(line)["name"] for line in left] == [f"{folder}/three"]
    assert "NAME" in cli("drop", code=2)


def test_drop_after_a_time(cli, tmp_path):
    name = unique()
    write(tmp_path / "a.arrow", table(10))
    cli("put", "a.arrow", name)
    assert cli("drop", name, "--ttl", "2d").startswith(name)
    item = json.loads(cli("list", name, "--format", "ndjson"))
    left = datetime.datetime.fromisoformat(item["expires"].replace("Z", "+00:00")) - \
        datetime.datetime.now(datetime.timezone.utc)
    assert left > datetime.timedelta(hours=47)
    cli("drop", name, "--ttl", "200ms")
    wait_until(lambda: cli("list", name, "--format", "ndjson") == "", what="the end of the dataset")


def test_the_name_that_was_meant(cli, tmp_path):
    name = "near" + uuid.uuid4().hex[:12]
    write(tmp_path / "a.arrow", table(10))
    cli("put", "a.arrow", name)
    for command in ("get", "drop"):
        message = cli(command, name[:-1] + "-", code=1)
        assert message.count(f"did you mean '{name}'?") == 1


def test_names_with_odd_bytes(cli, flight, tmp_path):
    write(tmp_path / "a.arrow", table(10))
    folder = unique("odd")
    cli("put", "a.arrow", f"{folder}/a%2Fb")
    cli("put", "a.arrow", f"{folder}/größe 1")
    assert flight.do_get(fl.Ticket(json.dumps({"path": [folder, "a/b"]}))).read_all().num_rows == 10
    assert flight.do_get(fl.Ticket(json.dumps({"path": [folder, "größe 1"]}))).read_all().num_rows == 10
    assert len(cli("get", f"{folder}/größe 1", "--format", "ndjson").splitlines()) == 10
    assert "zero byte" in cli("put", "a.arrow", f"{folder}/a%00b", code=1)


def test_nobody_there(volley, tmp_path):
    write(tmp_path / "a.arrow", table(10))
    for words in (["put", "a.arrow", "x"], ["get", "x"], ["list"], ["drop", "x"],
                  ["get", "x", "--format", "parquet"]):
        done = volley(*words, "--server", "grpc://127.0.0.1:1")
        assert done.returncode == 3, done.stderr
        done = volley(*words, "--server", "ftp://127.0.0.1:1")
        assert done.returncode == 2, done.stderr


# --- another server ------------------------------------------------------------------------------------


class Foreign(fl.FlightServerBase):
    """A server that keeps tables by their path and knows nothing of Volley."""

    def __init__(self):
        super().__init__("grpc://127.0.0.1:0")
        self.tables = {}

    def info(self, path):
        content = self.tables[path]
        endpoint = fl.FlightEndpoint("/".join(path).encode(), [])
        return fl.FlightInfo(content.schema, fl.FlightDescriptor.for_path(*path), [endpoint],
                             content.num_rows, content.nbytes)

    def list_flights(self, context, criteria):
        return iter([self.info(path) for path in self.tables])

    def get_flight_info(self, context, descriptor):
        path = tuple(part.decode() for part in descriptor.path)
        if path not in self.tables:
            raise KeyError("there is nothing of that name")
        return self.info(path)

    def do_put(self, context, descriptor, reader, writer):
        self.tables[tuple(part.decode() for part in descriptor.path)] = reader.read_all()

    def do_get(self, context, ticket):
        return fl.RecordBatchStream(self.tables[tuple(ticket.ticket.decode().split("/"))])


def test_another_flight_server(volley, tmp_path):
    content = table(5000)
    write(tmp_path / "a.arrow", content)
    with Foreign() as foreign:
        url = f"grpc://127.0.0.1:{foreign.port}"

        def cli(command, *words):
            done = volley(command, "--server", url, *words)
            assert done.returncode == 0, done.stderr
            return done.stdout

        assert cli("put", "a.arrow", "some/path").strip() == "some/path"
        assert foreign.tables[("some", "path")].equals(content)
        item = json.loads(cli("list", "--format", "ndjson"))
        assert (item["name"], item["rows"], item["durability"]) == ("some/path", 5000, None)
        assert cli("list", "other", "--format", "ndjson") == ""
        cli("get", "some/path", "-o", "b.arrow", "--parallel", "3")
        assert ipc.open_file(str(tmp_path / "b.arrow")).read_all().equals(content)
        cli("get", "some/path", "-o", "c.arrow", "--rows", "1500-2499", "--limit", "700", "--columns", "s,i")
        assert ipc.open_file(str(tmp_path / "c.arrow")).read_all().equals(
            content.slice(1500, 700).select(["s", "i"]))
        assert cli("get", "some/path", "--rows", "6000-", "--columns", "i", "--format", "csv").strip() == "i"
