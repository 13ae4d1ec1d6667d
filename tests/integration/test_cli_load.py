"""`volley load`: files into a table.

SPDX-License-Identifier: Apache-2.0
"""
import json
import os
import signal
import subprocess
import uuid

import pyarrow as pa
import pyarrow.csv
import pyarrow.ipc as ipc
import pyarrow.parquet
import pytest
from harness import clean_environment, run, wait_until

ROWS = pa.table({"i": pa.array(range(5000), pa.int64()),
                 "s": pa.array([f"text {n}" if n % 7 else None for n in range(5000)]),
                 "d": pa.array([("red", "blue")[n % 2] for n in range(5000)]).dictionary_encode()})


@pytest.fixture
def name():
    return "load_" + uuid.uuid4().hex[:16]



@pytest.fixture
def load(volley, server):
    """load(*words, code=0): runs it against the shared server; what it printed."""

    def call(*words, code=0, **options):
        done = volley("load", "--server", server.flight_url, *words, **options)
        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout if code == 0 else done.stderr

    return call


@pytest.fixture
def rows_of(volley, server):
    def call(sql):
        done = volley("sql", "--server", server.flight_url, "--format", "ndjson", sql)
        assert done.returncode == 0, done.stderr
        return [json.loads(line) for line in done.stdout.splitlines()]

    return call


def write_arrow(path, rows=ROWS, kind=ipc.new_file):
    with kind(str(path), rows.schema) as writer:
        writer.write_table(rows, max_chunksize=max(1000, rows.num_rows // 40))
    return path


def write_csv(path, rows):
    pa.csv.write_csv(rows, path)
    return path


def write(path, rows=ROWS):
    if path.suffix in (".arrow", ".arrows"):
        return write_arrow(path, rows, ipc.new_file if path.suffix == ".arrow" else ipc.new_stream)
    plain = rows.set_column(2, "d", rows.column("d").cast(pa.string()))
    if path.suffix == ".parquet":
        pa.parquet.write_table(plain, path)
    elif path.suffix == ".csv":
        write_csv(path, plain)
    elif path.suffix == ".json":
        path.write_text(json.dumps(plain.to_pylist()))
    else:
        path.write_text("".join(json.dumps(row) + "\n" for row in plain.to_pylist()))
    return path


def leftovers(rows_of):
    return rows_of("SELECT path FROM volley.datasets WHERE path LIKE 'volley-load/%'")


def test_more_than_the_server_holds_at_once(load, rows_of, tmp_path, name):
    path = write_arrow(tmp_path / "rows.arrow", pa.table({"i": pa.array(range(4000000), pa.int64())}))
    for rows in (4000000, 8000000):
        load(path, name)
        assert rows_of(f"SELECT count(*) AS n FROM {name}") == [{"n": rows}]


@pytest.mark.parametrize("ending", ["arrow", "arrows", "parquet", "csv", "json", "ndjson"])
def test_every_format_and_the_summary(load, rows_of, tmp_path, name, ending):
    path = write(tmp_path / f"rows.{ending}")
    summary = load(path, path, name)
    assert summary.startswith(f"{name}: 10,000 rows, ")
    assert summary.rstrip().endswith("/s")
    assert summary.count("\n") == 1
    assert rows_of(f"SELECT count(*) AS n, sum(i)::BIGINT AS i, count(s) AS s, min(d) AS d"
                   f" FROM {name}") == [
        {"n": 10000, "i": 24995000, "s": 8570, "d": "blue"}]
    assert leftovers(rows_of) == []


@pytest.mark.parametrize("ending", ["arrow", "csv"])
def test_modes(load, rows_of, tmp_path, name, ending):
    path = write(tmp_path / f"rows.{ending}")
    count = f"SELECT count(*) AS n FROM {name}"
    assert name in load("--mode", "append", path, name, code=1)
    assert load("--quiet", "--mode", "create", path, name) == ""
    assert "exists" in load("--mode", "create", path, name, code=1)
    assert rows_of(count) == [{"n": 5000}]
    load("--mode", "append", path, name)
    load(path, name)
    assert rows_of(count) == [{"n": 15000}]
    load("--mode", "replace", path, name)
    assert rows_of(count) == [{"n": 5000}]
    assert leftovers(rows_of) == []


@pytest.mark.parametrize("ending", ["arrow", "parquet"])
def test_columns_go_by_name(load, rows_of, tmp_path, name, ending):
    load(write(tmp_path / f"a.{ending}"), name)
    turned = ROWS.select(["d", "s", "i"]).slice(0, 3)
    path = tmp_path / f"b.{ending}"
    if ending == "arrow":
        write_arrow(path, turned)
    else:
        pa.parquet.write_table(turned.select(["s", "i"]), path)
    load(path, name)
    assert rows_of(f"SELECT i, s FROM {name} WHERE i = 1") == 2 * [{"i": 1, "s": "text 1"}]


@pytest.mark.parametrize("ending", ["arrow", "csv"])
def test_a_table_elsewhere(load, rows_of, tmp_path, name, ending):
    path = write(tmp_path / f"rows.{ending}")
    rows_of(f"CREATE SCHEMA {name}")
    load(path, f'{name}."a.b ""c"')
    load(path, "--schema", name, 'a.b "c')
    load(path, f'memory.{name}."a.b ""c"')
    assert rows_of(f'SELECT count(*) AS n FROM {name}."a.b ""c"') == [{"n": 15000}]


def test_standard_input(load, rows_of, binary, server, tmp_path, name):
    stream = write(tmp_path / "rows.arrows").read_bytes()
    done = subprocess.run([str(binary), "load", "--server", server.flight_url, "-", name],
                          input=stream, capture_output=True, timeout=60, env=clean_environment(),
                          cwd=tmp_path, check=False)
    assert done.returncode == 0, done.stderr
    load("--format", "ndjson", "-", name, input='{"i": 9999, "s": "piped"}\n')
    assert rows_of(f"SELECT count(*) AS n, max(i) AS i FROM {name}") == [{"n": 5001, "i": 9999}]


def test_a_failure_leaves_nothing(load, rows_of, tmp_path, name):
    """The second file does not fit the first: the first one's rows are not there either."""
    for ending in ("arrow", "csv"):
        first = write(tmp_path / f"a.{ending}")
        other = tmp_path / f"b.{ending}"
        if ending == "arrow":
            write_arrow(other, ROWS.select(["s"]))
        else:
            other.write_text("i,s,d\nno number,b,c\n")
        message = load(first, other, name, code=1)
        assert "b." + ending in message
        assert rows_of(f"SELECT table_name FROM information_schema.tables"
                       f" WHERE table_name = '{name}'") == []
    assert leftovers(rows_of) == []


def test_ctrl_c_leaves_nothing(binary, server, rows_of, tmp_path, name):
    """Under way for ever, since its input does not end."""
    stream = write(tmp_path / "rows.arrows").read_bytes()[:-8]
    for arguments, text in ((["-"], stream), (["--format", "csv", "-"], b"i,s\n" + b"1,a\n" * 500000)):
        with subprocess.Popen([str(binary), "load", "--server", server.flight_url, *arguments, name],
                              stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              env=clean_environment(), cwd=tmp_path) as process:
            process.stdin.write(text)
            process.stdin.flush()
            wait_until(lambda pid=process.pid: connections(pid) > 0, what="a connection")
            os.kill(process.pid, signal.SIGINT)
            assert process.wait(timeout=30) == 130
    assert rows_of(f"SELECT table_name FROM information_schema.tables"
                   f" WHERE table_name = '{name}'") == []
    assert leftovers(rows_of) == []


def test_ctrl_c_while_the_table_is_filled(binary, start_server, tmp_path, name):
    """What fills it waits for a slot: the dataset that it was to come from is dropped."""
    own = start_server("--query-slots", "1")
    path = write(tmp_path / "rows.csv")
    with own.adbc() as connection, connection.cursor() as cursor:
        cursor.execute("SELECT i FROM range(1000000000) t(i)")
        with subprocess.Popen([str(binary), "load", "--server", own.flight_url, path, name],
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                              env=clean_environment(), cwd=tmp_path) as process:
            wait_until(lambda: own.running("volley-load"), what="the statement")
            os.kill(process.pid, signal.SIGINT)
            assert process.wait(timeout=30) == 130
            assert "volley:" not in process.stderr.read()
        wait_until(lambda: not own.running("volley-load"), what="the end of the statement")
        listed = run(binary, "list", "--server", own.flight_url, "--format", "ndjson")
        assert (listed.returncode, listed.stdout) == (0, "")
        cursor.adbc_cancel()


def test_a_stream_that_was_cut_off(load, rows_of, tmp_path, name):
    path = write_arrow(tmp_path / "cut.arrows", kind=ipc.new_stream)
    path.write_bytes(path.read_bytes()[:-3000])
    assert "--unfinished" in load(path, name, code=1)
    load("--unfinished", path, name)
    (row,) = rows_of(f"SELECT count(*) AS n FROM {name}")
    assert 0 < row["n"] < 5000
    rows_of(f"DROP TABLE {name}")


def test_a_temporary_table_goes_with_its_session(load, volley, server, tmp_path, name):
    path = write_csv(tmp_path / "t.csv", pa.table({"a": [1, 2]}))
    arrow = write_arrow(tmp_path / "t.arrow")
    script = (f"\\load --temporary {path} {name}\n"
              f"SELECT count(*) AS n, any_value(table_type) AS t FROM {name}, "
              f"(SELECT table_type FROM information_schema.tables WHERE table_name = '{name}');\n"
              f"\\load -q --temporary '{arrow}' {name}_2\nSELECT count(*) AS n FROM {name}_2;\n"
              f".import --nonsense x y\n")
    done = volley("sql", "--server", server.flight_url, "--format", "csv", input=script)
    assert done.stdout.split() == ["n,t", "2,LOCAL", "TEMPORARY", "n", "5000"]
    assert f"{name}: 2 rows" in done.stderr
    assert done.returncode == 2 and "unknown flag --nonsense" in done.stderr
    assert "does not exist" in volley("sql", "--server", server.flight_url, f"FROM {name}").stderr


def test_arrow_beside_another_format(load, rows_of, tmp_path, name):
    load(write_arrow(tmp_path / "a.arrow", ROWS.select(["i", "s"])),
         write_csv(tmp_path / "b.csv", ROWS.select(["i", "s"])), name)
    assert rows_of(f"SELECT count(*) AS n FROM {name}") == [{"n": 10000}]


def connections(pid):
    folder = f"/proc/{pid}/fd"
    return sum(os.readlink(f"{folder}/{entry}").startswith("socket:") for entry in os.listdir(folder))


def test_wrong_usage(load, tmp_path):
    path = write(tmp_path / "a.arrow")
    assert "TABLE" in load(path, code=2)
    assert "is a file" in load(path, path, code=2)
    for wrong in ("a..b", ".a", "a.", 'a."b', '"a"b', "a.b.c.d", '""'):
        assert "is no table's name" in load(path, wrong, code=2)
    assert "nothing.arrow" in load(tmp_path / "nothing.arrow", "t", code=2)
    assert "did you mean" in load("--mod", "append", path, "t", code=2)
    assert "create-append" in load("--mode", "upsert", path, "t", code=2)


def test_no_server(volley, tmp_path):
    path = write(tmp_path / "a.arrow")
    assert volley("load", "--server", "grpc://127.0.0.1:1", path, "t").returncode == 3
