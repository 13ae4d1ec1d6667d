"""`volley status`: how a server is.

SPDX-License-Identifier: Apache-2.0
"""
import json

import pyarrow as pa
import pyarrow.flight as fl
import pytest
from harness import Server


@pytest.fixture(scope="module")
def own(binary, tmp_path_factory):
    """A server that only these tests ask."""
    server = Server(binary, tmp_path_factory.mktemp("status")).wait_ready()
    yield server
    server.stop()


def test_for_people(volley, own):
    done = volley("status", "--server", own.flight_url)
    assert done.returncode == 0, done.stderr
    lines = [[part.strip() for part in line.split("|")] for line in done.stdout.splitlines()]
    assert lines[0][0].startswith("Volley ") and lines[0][1] == own.flight_url
    rows = dict(line for line in lines[2:] if len(line) == 2)
    assert rows["state"] == "healthy"
    assert rows["queries"] == "0 running, 0 queued"
    assert rows["datasets"].startswith("0 of 0 bytes, ")
    assert "iB (engine " in rows["memory"]
    assert len(lines) <= 24


def test_for_programs(volley, own):
    with own.flight() as flight:
        content = pa.table({"i": range(1000)})
        writer, _ = flight.do_put(fl.FlightDescriptor.for_path("status-test"), content.schema)
        writer.write_table(content)
        writer.close()
    done = volley("status", "--server", own.http_url, "--format", "ndjson")
    assert done.returncode == 0, done.stderr
    facts = json.loads(done.stdout)
    assert (facts["status"], facts["datasets"], facts["queries_running"]) == ("healthy", 1, 0)
    assert facts["dataset_bytes"] >= 8000
    assert facts["memory_bytes"] > facts["memory_bytes_engine"] > 0
    assert facts["sessions"] >= 1 and facts["cores"] >= 1
    version = volley("version").stdout
    assert facts["version"] in version


def test_what_runs_is_counted(volley, own):
    with own.adbc() as connection, connection.cursor() as cursor:
        cursor.execute("SELECT i FROM range(1000000000) t(i)")
        facts = json.loads(volley("status", "--server", own.http_url, "--format", "ndjson").stdout)
        assert facts["queries_running"] == 1
        cursor.adbc_cancel()


def test_failures(volley):
    assert volley("status", "--server", "grpc://127.0.0.1:1").returncode == 3
    assert volley("status", "now").returncode == 2
    assert "did you mean --format" in volley("status", "--forma", "csv").stderr
