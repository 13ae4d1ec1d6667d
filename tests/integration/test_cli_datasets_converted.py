"""`volley put` and `get` in formats that the server converts: Parquet, CSV, TSV, JSON.

SPDX-License-Identifier: Apache-2.0
"""
import json
import uuid

import pyarrow as pa
import pyarrow.flight as fl
import pyarrow.parquet as pq
import pytest


@pytest.fixture
def cli(volley, server):
    def call(command, *words, code=0, **options):
        done = volley(command, "--server", server.flight_url, *words, **options)
        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout.strip() if code == 0 else done.stderr.strip()

    return call


@pytest.fixture
def name():
    return f"converted-{uuid.uuid4()}"


def stored(flight, name):
    return flight.do_get(fl.Ticket(name)).read_all()


@pytest.fixture
def content():
    return pa.table({"i": pa.array(range(1000), pa.int64()), "s": [f"text {n}" for n in range(1000)]})


def test_parquet_there_and_back(cli, flight, name, content, tmp_path):
    pq.write_table(content, tmp_path / "in.parquet")
    assert cli("put", "in.parquet", name) == name
    assert stored(flight, name).to_pylist() == content.to_pylist()
    cli("get", name, "-o", "out.parquet")
    assert pq.read_table(tmp_path / "out.parquet").to_pylist() == content.to_pylist()
    cli("get", name, "-o", "part.parquet", "--columns", "s,i", "--rows", "10-19", "--limit", "5")
    part = pq.read_table(tmp_path / "part.parquet")
    assert part.to_pylist() == content.select(["s", "i"]).slice(10, 5).to_pylist()
    cli("get", name, "-o", "last.parquet", "--rows", "-3")
    assert pq.read_table(tmp_path / "last.parquet").to_pylist() == content.slice(997).to_pylist()
    assert sorted(file.name for file in tmp_path.iterdir()) == [
        "in.parquet", "last.parquet", "out.parquet", "part.parquet"]
    cli("put", "--mode", "create", "in.parquet", name, code=1)


def test_tab_separated_rows_are_read_as_they_are_written(cli, flight, name, tmp_path):
    query = ("SELECT 1 AS a, NULL AS b, E'x\\ty\\nz\\\\' AS c, '' AS d, '\"q\", r' AS e"
             " UNION ALL SELECT NULL, 2.5, '\\N', NULL, E'\\r' ORDER BY a")
    rows = [{"a": 1, "b": None, "c": "x\ty\nz\\", "d": "", "e": '"q", r'},
            {"a": None, "b": 2.5, "c": "\\N", "d": None, "e": "\r"}]
    cli("sql", "-c", query, "-o", "rows.tsv")
    cli("put", "rows.tsv", name)
    assert stored(flight, name).to_pylist() == rows
    text = (tmp_path / "rows.tsv").read_text()
    assert text.startswith("a\tb\tc\td\te\n1\t\\N\tx\\ty")
    cli("put", "-", name, "--format", "tsv", "--mode", "replace", input=text)
    assert stored(flight, name).to_pylist() == rows


def test_text_from_files_and_pipes(cli, flight, name, tmp_path):
    (tmp_path / "a.csv").write_text("i,s\n1,one\n2,two\n")
    (tmp_path / "b.ndjson").write_text('{"i": 3, "s": "three"}\n')
    cli("put", "a.csv", "b.ndjson", name)
    cli("put", "-", name, "--format", "json", input='[{"i": 4, "s": "four"}]')
    rows = [{"i": 1, "s": "one"}, {"i": 2, "s": "two"}, {"i": 3, "s": "three"}, {"i": 4, "s": "four"}]
    assert stored(flight, name).to_pylist() == rows
    cli("put", "--mode", "replace", "--ttl", "10m", "--durability", "process", "a.csv", name)
    assert stored(flight, name).to_pylist() == rows[:2]
    item = json.loads(cli("list", name, "--format", "ndjson"))
    assert item["durability"] == "process"


def test_without_a_name(cli, flight, tmp_path):
    (tmp_path / "a.csv").write_text("i\n1\n")
    identity = cli("put", "a.csv")
    assert str(uuid.UUID(identity)) == identity
    assert stored(flight, identity).to_pylist() == [{"i": 1}]


def test_what_is_refused(cli, name, tmp_path):
    (tmp_path / "a.csv").write_text("i\n1\n")
    (tmp_path / "b.csv").write_text("other\n1\n")
    message = cli("put", "a.csv", "b.csv", name, code=1)
    assert "b.csv" in message
    assert "1 of 2 files are put" in message
    (tmp_path / "bad.parquet").write_bytes(b"PAR1 and nothing of the kind")
    cli("put", "bad.parquet", name, code=1)
    assert f"did you mean '{name}'" in cli("get", name[:-1] + "-", "-o", "x.parquet", code=1)
    cli("get", name, "-o", "x.parquet", "--columns", "absent", code=1)
    assert not [file for file in tmp_path.iterdir() if file.name.startswith("x.")]
