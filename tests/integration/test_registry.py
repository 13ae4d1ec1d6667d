"""The registry's file as the server opens it, and the DuckDB file that queries see beside it.

SPDX-License-Identifier: Apache-2.0
"""
import json
import os
import sqlite3

import pytest
from harness import COMPUTING, Background, wait_until


@pytest.fixture
def refused(volley, tmp_path):
    """refused(*arguments): what a server that must not start says; its exit code is 1."""

    def serve(*arguments, environment=None, code=1):
        result = volley("serve", "--data-dir", tmp_path / "data", "--flight-addr", "127.0.0.1:0",
                        "--http-addr", "127.0.0.1:0", *arguments, environment=environment)
        assert result.returncode == code, result.stderr
        return result.stderr

    return serve


def columns(path):
    with sqlite3.connect(path) as database:
        return {row[0] for row in database.execute("SELECT name FROM pragma_table_xinfo('jobs')")}


SERVICE_COLUMNS = {"job_id", "sql", "query_hash", "status", "format", "created_at", "completed_at", "s3_key",
                   "row_count", "file_size", "engine", "error_message", "execution_time_ms", "rows_returned"}


def test_the_registry_lies_in_the_data_folder(start_server):
    server = start_server()
    path = server.data_dir / "job_registry.db"
    assert columns(path) >= SERVICE_COLUMNS
    assert os.stat(path).st_mode & 0o077 == 0
    with sqlite3.connect(path) as database:
        indexes = {row[0] for row in database.execute("SELECT name FROM sqlite_schema WHERE type = 'index'")}
        assert {"idx_query_hash", "idx_status"} <= indexes
        assert database.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    assert server.metrics()["volley_registry_up"] == 1


@pytest.mark.parametrize("name", ["FLIGHT_REGISTRY_PATH", "JOB_HISTORY_DB", "VOLLEY_REGISTRY_PATH"])
def test_its_path_is_a_setting(start_server, name):
    server = start_server(env={name: "registry.sqlite"})
    assert columns(server.folder / "registry.sqlite") >= SERVICE_COLUMNS
    assert not (server.data_dir / "job_registry.db").exists()


def test_without_a_folder_it_is_in_memory(start_server):
    server = start_server("--data-dir", "none")
    assert server.value("SELECT 42") == 42
    assert not list(server.folder.glob("**/*.db"))


def test_statements_cannot_read_it(start_server, tmp_path):
    path = tmp_path / "registry.db"
    server = start_server("--registry-path", path, "--allowed-paths", tmp_path)
    for file in (path, f"{path}-wal", tmp_path / "*"):
        response = server.query(f"SELECT size FROM read_blob('{file}')")
        assert response.status == 403, response.text


def test_a_damaged_registry_is_refused(refused, tmp_path):
    (tmp_path / "bad.db").write_bytes(b"no database at all " * 500)
    message = refused("--registry-path", "bad.db")
    assert "bad.db is damaged" in message and "move it away" in message


def test_a_registry_of_another_program_is_refused(refused, tmp_path):
    with sqlite3.connect(tmp_path / "other.db") as database:
        database.execute("CREATE TABLE jobs (job_id TEXT)")
    assert "other.db is a database of another program" in refused("--registry-path", "other.db")


def test_a_newer_registry_is_refused(start_server, refused, tmp_path):
    server = start_server("--registry-path", tmp_path / "new.db")
    server.stop()
    with sqlite3.connect(tmp_path / "new.db") as database:
        database.execute("PRAGMA user_version = 1000")
    assert "newer version of Volley (format 1000" in refused("--registry-path", tmp_path / "new.db")


def test_one_server_for_each_registry(start_server, refused, tmp_path):
    server = start_server("--registry-path", tmp_path / "one.db")
    message = refused("--registry-path", tmp_path / "one.db", code=3)
    assert f"(pid {server.pid})" in message


# --- a DuckDB file beside it ---------------------------------------------------------------------


@pytest.fixture
def attached(start_server, tmp_path):
    """A DuckDB file with a table of files, as an earlier service left it."""
    path = tmp_path / "files.duckdb"
    server = start_server("--database", path)
    server.query("CREATE TABLE file_registry (path VARCHAR PRIMARY KEY, size_bytes BIGINT)")
    server.query("INSERT INTO file_registry VALUES ('s3://b/a.parquet', 10), ('s3://b/b.csv', 20)")
    server.stop()
    return path


@pytest.mark.parametrize("named", ["flag", "FLIGHT_REGISTRY_DB"])
def test_queries_join_an_attached_registry(start_server, attached, named):
    server = (start_server("--attached-registry", attached) if named == "flag"
              else start_server(env={named: str(attached)}))
    server.query("CREATE TABLE wanted AS SELECT 's3://b/b.csv' AS path")
    assert server.rows("SELECT size_bytes FROM wanted JOIN registry.file_registry USING (path)") == [
        {"size_bytes": 20}]
    assert server.value("SELECT sum(size_bytes) FROM registry.main.file_registry") == 30


@pytest.mark.parametrize("statement", [
    "INSERT INTO registry.file_registry VALUES ('x', 1)",
    "DELETE FROM registry.file_registry",
    "CREATE TABLE registry.t AS SELECT 1",
    "DROP TABLE registry.file_registry",
])
def test_an_attached_registry_is_read_only(start_server, attached, statement):
    server = start_server("--attached-registry", attached)
    response = server.query(statement)
    assert response.status >= 400 and "read-only" in response.text, response.text
    assert server.value("SELECT count(*) FROM registry.file_registry") == 2


def test_an_attached_registry_can_be_the_other_ones_neighbour(start_server, attached):
    """Two servers may read it at once, and neither changes it."""
    before = attached.read_bytes()
    servers = [start_server("--attached-registry", attached) for _ in range(2)]
    for server in servers:
        assert server.value("SELECT count(*) FROM registry.file_registry") == 2
        server.stop()
    assert attached.read_bytes() == before


@pytest.mark.parametrize("content, part", [
    (None, "does not exist"),
    (b"no database " * 1000, "not a valid DuckDB"),
])
def test_an_attached_registry_that_is_none_is_refused(refused, tmp_path, content, part):
    if content:
        (tmp_path / "it's.duckdb").write_bytes(content)
    message = refused("--attached-registry", "it's.duckdb")
    assert "cannot attach 'it's.duckdb' as registry (setting attached-registry)" in message
    assert part in message


# --- when it cannot be written -------------------------------------------------------------------


def submit(server, sql):
    return server.request("POST", "/queries", json.dumps({"sql": sql}).encode(),
                          {"content-type": "application/json"}, seconds=20)


def shown_end(server, job):
    """When the job was over, or None: as its state has it, also while its end is being written."""
    shown = server.request("GET", f"/v1/jobs/{job}").json
    assert (shown["state"] == "running") == (shown["completed_at"] is None)
    return shown["completed_at"]


def test_a_locked_registry_refuses_submissions_and_loses_nothing(start_server):
    server = start_server()
    path = server.data_dir / "job_registry.db"
    running = submit(server, COMPUTING.format(mark="locked_out")).json["job_id"]
    wait_until(lambda: server.request("GET", f"/jobs/{running}").json["status"] == "running")
    with sqlite3.connect(path, isolation_level=None) as other:
        other.execute("BEGIN IMMEDIATE")
        for _ in range(2):
            refused = submit(server, "SELECT 1")
            assert refused.status == 503 and refused.json["error_code"] == "REGISTRY_UNAVAILABLE"
            assert int(refused.headers["retry-after"]) >= 1
        assert server.metrics()["volley_registry_up"] == 0
        assert server.value("SELECT 42") == 42, "statements need no registry"
        assert server.request("GET", "/jobs").json["total"] == 1, "neither do listings"
        cancelling = Background(lambda: server.request("DELETE", f"/jobs/{running}"))
        wait_until(lambda: shown_end(server, running))
        assert cancelling.outcome().status == 200
        other.execute("COMMIT")
        wait_until(lambda: other.execute("SELECT status FROM jobs WHERE job_id = ?",
                                         (running,)).fetchone() == ("cancelled",))
    assert submit(server, "SELECT 1").status == 200
    assert server.metrics()["volley_registry_up"] == 1
    wait_until(lambda: "registry cannot be written" in server.log
               and "can be written again" in server.log, what="the log")
