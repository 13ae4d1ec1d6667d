"""The names that the older services' settings have: each is set, and its effect is seen.

SPDX-License-Identifier: Apache-2.0
"""
import datetime
import json
import os
import pty
import socket
import subprocess
import time

import duckdb
import pyarrow.ipc
import pytest
from harness import COMPUTING, clean_environment, wait_until

pytestmark = pytest.mark.timeout(60)

# Of contracts section 1: the environment's name, a value, the setting, what is shown.
ALIASES = [
    ("ARROW_FLIGHT_PORT", "6001", "flight-addr", "127.0.0.1:6001"),
    ("FLIGHT_APP_HOST", "::1", "http-addr", "[::1]:8000"),
    ("FLIGHT_APP_PORT", "6002", "http-addr", "127.0.0.1:6002"),
    ("HOST", "localhost", "http-addr", "localhost:8000"),
    ("PORT", "6003", "http-addr", "127.0.0.1:6003"),
    ("API_HOST", "localhost", "http-addr", "localhost:8000"),
    ("API_PORT", "6004", "http-addr", "127.0.0.1:6004"),
    ("FLIGHT_PROMETHEUS_PORT", "6005", "metrics-addr", "127.0.0.1:6005"),
    ("FLIGHT_DB_PATH", "some.db", "database", "some.db"),
    ("DATA_DIR", "/some/folder", "data-dir", "/some/folder"),
    ("FLIGHT_REGISTRY_PATH", "a.db", "registry-path", "a.db"),
    ("JOB_HISTORY_DB", "b.db", "registry-path", "b.db"),
    ("FLIGHT_REGISTRY_DB", "c.duckdb", "attached-registry", "c.duckdb"),
    ("MAX_SLOTS", "7", "query-slots", "7"),
    ("FLIGHT_MAX_WORKERS", "6", "query-workers", "6"),
    ("MAX_CONCURRENT_JOBS", "5", "max-concurrent-jobs", "5"),
    ("FLIGHT_BATCH_SIZE", "1000", "batch-rows", "1000"),
    ("DEFAULT_QUERY_TIMEOUT", "41", "query-timeout", "41s"),
    ("QUERY_TIMEOUT_SECONDS", "42", "query-timeout", "42s"),
    ("RESULT_CACHE_TTL_SECONDS", "43", "result-ttl", "43s"),
    ("FLIGHT_QUERY_ROW_THRESHOLD", "44", "json-row-threshold", "44"),
    ("FLIGHT_S3_BUCKET", "one", "s3-bucket", "one"),
    ("FLIGHT_S3_REGION", "eu-west-1", "s3-region", "eu-west-1"),
    ("FLIGHT_S3_ENDPOINT_URL", "http://localhost:9000", "s3-endpoint", "http://localhost:9000"),
    ("FLIGHT_S3_ENDPOINT", "http://localhost:9001", "s3-endpoint", "http://localhost:9001"),
    ("FLIGHT_S3_ACCESS_KEY", "akey", "s3-access-key", "akey"),
    ("ENVIRONMENT", "staging", "environment", "staging"),
    ("LOG_LEVEL", "WARNING", "log-level", "warning"),
    ("FLIGHT_LOG_LEVEL", "error", "log-level", "error"),
    ("FLIGHT_LOG_FORMAT", "json", "log-format", "json"),
    ("CORS_ORIGINS", "https://a.example", "cors-origins", "https://a.example"),
    ("FLIGHT_CORS_ORIGINS", "https://b.example", "cors-origins", "https://b.example"),
    ("GRPC_TLS_CERT_PATH", "c.pem", "tls-cert", "c.pem"),
    ("GRPC_TLS_KEY_PATH", "k.pem", "tls-key", "k.pem"),
    ("GRPC_TLS_CA_PATH", "ca.pem", "tls-ca", "ca.pem"),
    ("GRPC_TLS_CLIENT_AUTH", "true", "tls-client-auth", "require"),
]


def rounds(aliases):
    """The aliases in as few sets as there can be of which none has a setting twice."""
    left = list(aliases)
    while left:
        names = set()
        taken = [row for row in left if row[2] not in names and not names.add(row[2])]
        left = [row for row in left if row not in taken]
        yield taken


def test_each_name_of_the_older_services_sets_its_setting(volley):
    for taken in rounds(ALIASES):
        environment = {alias: given for alias, given, _, _ in taken}
        result = volley("config", "show", "--origin", environment=environment)
        assert result.returncode == 0, result.stderr
        lines = {line.removeprefix("# ").partition(":")[0]: line for line in result.stdout.splitlines()}
        for alias, _, name, expected in taken:
            assert expected in lines[name] and alias in lines[name], lines[name]


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def open_by_names(start_server, host, port, folder=None, **environment):
    """A server whose HTTP address is set by these two names."""
    ports = free_port(), free_port()
    own = start_server(addresses=False, folder=folder, env={
        host: "localhost", port: str(ports[0]), "ARROW_FLIGHT_PORT": str(ports[1]), **environment})
    assert own.http_address[1] == ports[0] and own.flight_address[1] == ports[1]
    return own


@pytest.fixture
def registry(tmp_path):
    path = tmp_path / "registry.duckdb"
    with duckdb.connect(str(path)) as connection:
        connection.execute("CREATE TABLE owners AS SELECT 'ann' AS owner, 7 AS jobs")
    return path


def test_the_query_services_names_have_their_effects(start_server, tmp_path, registry):
    database = tmp_path / "own.db"
    metrics_port = free_port()
    own = open_by_names(
        start_server, "FLIGHT_APP_HOST", "FLIGHT_APP_PORT", FLIGHT_DB_PATH=str(database),
        FLIGHT_MAX_WORKERS="2", FLIGHT_BATCH_SIZE="1000", FLIGHT_REGISTRY_PATH=str(tmp_path / "jobs.db"),
        FLIGHT_REGISTRY_DB=str(registry), FLIGHT_CORS_ORIGINS="https://page.example",
        FLIGHT_LOG_LEVEL="debug", FLIGHT_LOG_FORMAT="text", FLIGHT_PROMETHEUS_PORT=str(metrics_port),
        ENVIRONMENT="development")
    assert own.request("GET", "/system/queue").json["max_workers"] == 2
    stream = pyarrow.ipc.open_stream(own.query("SELECT i FROM range(2500) t(i)", "arrow").body)
    assert [batch.num_rows for batch in stream] == [1000, 1000, 500]
    assert own.rows("SELECT * FROM registry.owners") == [{"owner": "ann", "jobs": 7}]
    asked = {"origin": "https://page.example"}
    allowed = own.request("GET", "/health", headers=asked).headers["access-control-allow-origin"]
    assert allowed == asked["origin"]
    own.rows("CREATE TABLE kept AS SELECT 5 AS n")
    names = own.rows("SELECT table_name FROM information_schema.tables WHERE table_catalog = 'own'")
    assert names == [{"table_name": "kept"}]  # a file of the user gets no samples
    with socket.create_connection(("127.0.0.1", metrics_port), timeout=10) as connection:
        connection.sendall(b"GET /metrics HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n")
        answer = b"".join(iter(lambda: connection.recv(65536), b""))
    assert answer.startswith(b"HTTP/1.1 200") and b"http_requests_total" in answer
    own.stop()
    assert not own.log.splitlines()[2].startswith("{")
    assert (tmp_path / "jobs.db").read_bytes().startswith(b"SQLite format 3")
    with duckdb.connect(str(database), read_only=True) as connection:
        assert connection.execute("SELECT n FROM kept").fetchall() == [(5,)]


def post(server, path, body):
    return server.request("POST", path, json.dumps(body), {"content-type": "application/json"}).json


def test_the_analytics_services_names_have_their_effects(start_server, tmp_path):
    folder = tmp_path / "state"
    own = open_by_names(
        start_server, "HOST", "PORT", MAX_CONCURRENT_JOBS="1", MAX_SLOTS="5", QUERY_TIMEOUT_SECONDS="2",
        RESULT_CACHE_TTL_SECONDS="100", LOG_LEVEL="error", CORS_ORIGINS="https://ui.example",
        JOB_HISTORY_DB=str(tmp_path / "history.db"), VOLLEY_DATA_DIR=str(folder),
        ENVIRONMENT="production")
    assert own.request("GET", "/status").json["total_slots"] == 5
    asked = {"origin": "https://ui.example"}
    allowed = own.request("GET", "/health", headers=asked).headers["access-control-allow-origin"]
    assert allowed == asked["origin"]
    began = time.monotonic()
    ids = [post(own, "/queries", {"sql": COMPUTING.format(mark=f"m{n}")})["job_id"] for n in range(2)]
    wait_until(lambda: own.request("GET", f"/jobs/{ids[0]}").json["status"] == "running")
    second = own.request("GET", f"/jobs/{ids[1]}").json
    assert second["status"] == "queued" and second["queue_position"] == 1
    done = wait_until(
        lambda: (now := own.request("GET", f"/jobs/{ids[0]}").json)["status"] == "failed" and now)
    assert done["error_code"] == "QUERY_TIMEOUT" and 2 <= time.monotonic() - began < 15
    own.request("DELETE", f"/jobs/{ids[1]}")
    quick = post(own, "/queries", {"sql": "SELECT 1"})["job_id"]
    now = wait_until(
        lambda: (now := own.request("GET", f"/jobs/{quick}").json)["status"] == "completed" and now)
    kept = seconds(now["result_expires_at"]) - seconds(now["completed_at"])
    assert 99 <= kept <= 101
    own.stop()
    assert (tmp_path / "history.db").exists()
    assert not [line for line in own.log.splitlines() if '"level":"info"' in line]


def seconds(text):
    return datetime.datetime.fromisoformat(text).timestamp()


@pytest.mark.parametrize("host, port", [("API_HOST", "API_PORT")])
def test_the_third_pair_of_names(start_server, host, port):
    own = open_by_names(start_server, host, port, DEFAULT_QUERY_TIMEOUT="1")
    assert own.request("GET", "/healthz").status == 200
    refused = own.query(COMPUTING.format(mark="m"))
    assert (refused.status, refused.json["code"]) == (504, "QUERY_TIMEOUT")


def test_the_data_folder_by_its_older_name(binary, tmp_path):
    folder = tmp_path / "there"
    own = subprocess.Popen(
        [str(binary), "serve", "--flight-addr", "127.0.0.1:0", "--http-addr", "127.0.0.1:0"],
        env=clean_environment({"DATA_DIR": str(folder)}), cwd=tmp_path, stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL)
    try:
        assert b"listening" in own.stdout.readline()
        assert (folder / "ticket.key").exists()
    finally:
        own.terminate()
        assert own.wait(30) == 0


def test_settings_are_read_from_dotenv(start_server, tmp_path):
    (tmp_path / ".env").write_text("FLIGHT_MAX_WORKERS=3\nMAX_SLOTS=4\n")
    own = start_server(folder=tmp_path)
    assert own.request("GET", "/system/queue").json["max_workers"] == 3
    assert own.request("GET", "/status").json["total_slots"] == 4


@pytest.mark.parametrize("environment, is_json", [("production", True), ("development", False)])
def test_production_logs_json_on_a_terminal_too(binary, tmp_path, environment, is_json):
    ours, theirs = pty.openpty()
    own = subprocess.Popen(
        [str(binary), "serve", "--data-dir", "none", "--flight-addr", "127.0.0.1:0", "--http-addr",
         "127.0.0.1:0"], env=clean_environment({"ENVIRONMENT": environment}), cwd=tmp_path,
        stdout=subprocess.DEVNULL, stderr=theirs)
    os.close(theirs)
    try:
        text = b""
        while b"listening" not in text or b"\n" not in text.partition(b"listening")[2]:
            text += os.read(ours, 4096)
        (line,) = [line for line in text.splitlines() if b"listening" in line][:1]
        assert line.startswith(b"{") == is_json
    finally:
        own.terminate()
        assert own.wait(30) == 0
        os.close(ours)


@pytest.mark.parametrize("docs", ["true", "false"])
def test_the_pages_of_the_api_are_there_by_setting(start_server, docs):
    own = start_server(env={"VOLLEY_DOCS": docs})
    wanted = 200 if docs == "true" else 404
    assert own.request("GET", "/docs", headers={"accept": "text/html"}).status == wanted
    assert own.request("GET", "/openapi.json").status == wanted
