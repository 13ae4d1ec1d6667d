"""`volley sql` and the other client commands, against the shared server.

SPDX-License-Identifier: Apache-2.0
"""
import csv
import io
import json
import subprocess

import pyarrow as pa
import pyarrow.csv
import pyarrow.feather
import pyarrow.json
import pyarrow.parquet
import pytest
from harness import clean_environment


@pytest.fixture
def sql(volley, server):
    def call(*arguments, **options):
        return volley("sql", "--server", server.http_url, *arguments, **options)

    return call


def test_table_is_the_default(sql):
    result = sql("SELECT 1 AS one, 'two' AS two, NULL AS none")
    assert result.returncode == 0, result.stderr
    for word in ("one", "two", "none", "1"):
        assert word in result.stdout


@pytest.mark.parametrize("scheme", ["grpc", "http"])
def test_both_schemes_on_both_ports(volley, server, scheme):
    for address in (server.flight_address, server.http_address):
        url = "{}://{}:{}".format(scheme, *address)
        result = volley("sql", "--server", url, "--format", "csv", "SELECT 7 AS v")
        assert (result.returncode, result.stdout.split()) == (0, ["v", "7"]), result.stderr


def test_server_from_the_environment(volley, server):
    result = volley("sql", "--format", "csv", "SELECT 8 AS v",
                    environment={"VOLLEY_SERVER": server.flight_url})
    assert result.stdout.split() == ["v", "8"]


def test_statement_from_standard_input_and_file(sql, tmp_path):
    assert sql("--format", "csv", input="SELECT 1 AS v").stdout.split() == ["v", "1"]
    (tmp_path / "q.sql").write_text("SELECT 2 AS v;\n")
    assert sql("--format", "csv", "-f", tmp_path / "q.sql").stdout.split() == ["v", "2"]


def test_formats(sql):
    query = "SELECT i, 'n,' || i AS s FROM range(2) t(i)"
    assert list(csv.reader(io.StringIO(sql("--format", "csv", query).stdout))) == [
        ["i", "s"], ["0", "n,0"], ["1", "n,1"]]
    assert [json.loads(line) for line in sql("--format", "ndjson", query).stdout.splitlines()] == [
        {"i": 0, "s": "n,0"}, {"i": 1, "s": "n,1"}]
    body = json.loads(sql("--format", "json", query).stdout)
    assert (body["data"] if isinstance(body, dict) else body)[1] == {"i": 1, "s": "n,1"}
    markdown = sql("--format", "markdown", query).stdout
    lines = [line.replace(" ", "") for line in markdown.splitlines()]
    assert lines[0] == "|i|s|"
    assert set(lines[1]) == set("|-:")
    assert lines[2:] == ["|0|n,0|", "|1|n,1|"]


def test_the_format_follows_the_name_of_the_file(sql, tmp_path):
    query = "SELECT range AS i FROM range(3)"
    readers = {"a.parquet": pyarrow.parquet.read_table, "a.arrow": pyarrow.feather.read_table,
               "a.csv": pyarrow.csv.read_csv, "a.ndjson": pyarrow.json.read_json}
    for name, read in readers.items():
        assert sql("-c", query, "-o", tmp_path / name).stdout == ""
        assert read(tmp_path / name).to_pydict() == {"i": [0, 1, 2]}
    sql("-c", query, "-o", tmp_path / "a.csv", "--format", "json")
    assert (tmp_path / "a.csv").read_text().startswith("{")
    sql("-c", query, "-o", tmp_path / "report")
    assert (tmp_path / "report").read_text().split() == ["i", "---", "0", "1", "2"]
    assert sql("-c", query, "-o", "-", "--format", "csv").stdout.split() == ["i", "0", "1", "2"]


def test_tab_separated_rows_are_lines(sql):
    query = "SELECT 1 AS a, NULL AS b, 'x\ty\nz\\' AS c, '' AS d, [1, NULL] AS e"
    assert sql("--format", "tsv", query).stdout == "a\tb\tc\td\te\n1\t\\N\tx\\ty\\nz\\\\\t\t[1,null]\n"


def test_parquet_is_made_of_what_the_session_sees(sql, binary, server):
    def rows(query):
        result = subprocess.run([binary, "sql", "--server", server.http_url, "--format", "parquet", query],
                                capture_output=True, check=True, timeout=30, env=clean_environment({}))
        return pyarrow.parquet.read_table(io.BytesIO(result.stdout))

    table = rows("SELECT range AS i, 'n' || range AS s, [range] AS l FROM range(100000)")
    assert table.num_rows == 100000 and table["s"][99999].as_py() == "n99999"
    assert table["l"][7].as_py() == [7]
    kept = rows("CREATE TEMP TABLE of_session AS SELECT 7 AS seven; FROM of_session")
    assert kept["seven"].to_pylist() == [7]
    assert rows("SELECT 1 AS one WHERE false").num_rows == 0
    assert "volley-sql" not in sql("--format", "csv", "SELECT path FROM volley.datasets").stdout
    failed = sql("--format", "parquet", "SELECT nothing_here")
    assert (failed.returncode, failed.stdout) == (4, "")


def test_arrow_format(binary, server, tmp_path):
    result = subprocess.run(
        [str(binary), "sql", "--server", server.flight_url, "--format", "arrow",
         "SELECT i FROM range(100000) t(i)"],
        capture_output=True, check=True, timeout=60, env=clean_environment(), cwd=tmp_path)
    with pa.ipc.open_stream(result.stdout) as reader:
        assert reader.read_all().column("i").to_pylist() == list(range(100000))


def test_counts_of_updates_are_said(sql):
    assert sql("CREATE TABLE cli_rows (i INTEGER)").returncode == 0
    result = sql("INSERT INTO cli_rows VALUES (1), (2), (3)")
    assert result.returncode == 0
    assert "3" in result.stdout + result.stderr


def test_a_failing_statement_is_exit_code_4(sql):
    result = sql("SELECT no_such_column FROM range(1)")
    assert result.returncode == 4
    assert "no_such_column" in result.stderr
    assert result.stdout == ""


def test_no_server_is_exit_code_3(volley):
    result = volley("sql", "--server", "http://127.0.0.1:1", "SELECT 1")
    assert result.returncode == 3
    assert "127.0.0.1:1" in result.stderr


def test_a_closed_pipe_ends_quietly(binary, server, tmp_path):
    command = (f"'{binary}' sql --server {server.flight_url} --format csv"
               " 'SELECT i FROM range(100000000) t(i)' | head -n 3")
    result = subprocess.run(["bash", "-c", command], capture_output=True, text=True, timeout=60,
                            check=True, env=clean_environment(), cwd=tmp_path)
    assert result.stdout.split() == ["i", "0", "1"]


def test_large_results_stream_through(binary, server, tmp_path):
    command = (f"'{binary}' sql --server {server.flight_url} --format csv"
               " 'SELECT i FROM range(5000000) t(i)' | tail -n 1")
    result = subprocess.run(["bash", "-c", command], capture_output=True, text=True, timeout=120,
                            check=True, env=clean_environment(), cwd=tmp_path)
    assert result.stdout.split() == ["4999999"]


def test_bench_measures_something(volley, server):
    result = volley("bench", "--server", server.flight_url, "--duration", "500ms", "--connections",
                    "2", "--json", "SELECT 1")
    assert result.returncode == 0, result.stderr
    report = json.loads(result.stdout)
    assert report["queries"] > 0 and report["sql"] == "SELECT 1"
    order = [report[f"latency_{name}_ms"] for name in ("min", "p50", "p90", "p95", "p99", "p99_9", "max")]
    assert order == sorted(order) and order[0] <= report["latency_mean_ms"] <= order[-1]
    table = volley("bench", "--server", server.flight_url, "--duration", "200ms", "SELECT 1").stdout
    for line in ("queries/s |", "p50 |", "p99.9 |", "max |"):
        assert line in table
    failed = volley("bench", "--server", server.flight_url, "SELECT nothing_here")
    assert failed.returncode == 4 and "nothing_here" in failed.stderr


@pytest.mark.parametrize("command", ["--help", "help sql", "config show", "serve --print-config",
                                     "completion bash"])
def test_a_full_disk_is_told(binary, command):
    with open("/dev/full", "wb") as full:
        result = subprocess.run([binary, *command.split()], stdout=full, stderr=subprocess.PIPE,
                                timeout=30, env=clean_environment({}), check=False)
    assert (result.returncode, b"cannot write the output" in result.stderr) == (1, True)
