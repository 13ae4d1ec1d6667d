"""The commands that talk to a server, over TLS.

SPDX-License-Identifier: Apache-2.0
"""
import subprocess

import pytest
from harness import run


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    """A certificate for localhost that signs itself; (certificate file, key file)."""
    folder = tmp_path_factory.mktemp("tls")
    pem, key = folder / "localhost.pem", folder / "localhost.key"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
         "-keyout", key, "-out", pem, "-days", "2", "-subj", "/CN=localhost",
         "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"],
        check=True, capture_output=True)
    return pem, key


@pytest.fixture
def tls_url(start_server, certificate):
    server = start_server("--tls-cert", certificate[0], "--tls-key", certificate[1])
    address = server.addresses["flight"][0].removeprefix("tls://")
    return "grpc+tls://localhost:" + address.rpartition(":")[2]


def test_sql(binary, tls_url, certificate):
    done = run(binary, "sql", "--server", tls_url, "--tls-ca", certificate[0], "--format", "csv",
               "SELECT 42 AS n")
    assert (done.returncode, done.stdout) == (0, "n\n42\n"), done.stderr


def test_a_server_that_is_not_trusted(binary, tls_url):
    done = run(binary, "sql", "--server", tls_url, "SELECT 42")
    assert done.returncode == 3
    assert "self-signed certificate" in done.stderr
    done = run(binary, "sql", "--server", tls_url, "--tls-insecure", "SELECT 42")
    assert done.returncode == 0


def test_what_a_profile_says_is_for_its_server_alone(binary, tls_url, server, tmp_path):
    (tmp_path / "volley").mkdir()
    (tmp_path / "volley" / "client.yaml").write_text(
        f"servers: {{near: {{url: '{server.flight_url}', tls-insecure: true}}}}\n")
    environment = {"XDG_CONFIG_HOME": str(tmp_path)}
    done = run(binary, "sql", "--server", "near", "SELECT 1", f"\\c {tls_url}", "SELECT 42",
               environment=environment)
    assert (done.returncode, "42" in done.stdout) == (3, False)
    assert "self-signed certificate" in done.stderr
    done = run(binary, "sql", "--server", server.flight_url, "--tls-insecure", f"\\c {tls_url}",
               "SELECT 42", environment=environment)
    assert done.returncode == 0 and "42" in done.stdout


def test_a_wrong_name(binary, tls_url, certificate):
    url = tls_url.replace("localhost", "127.0.0.2")
    done = run(binary, "sql", "--server", url, "--tls-ca", certificate[0], "SELECT 42")
    assert done.returncode == 3


def test_plain_bytes_for_a_tls_server(binary, tls_url):
    done = run(binary, "sql", "--server", tls_url.replace("+tls", ""), "SELECT 42")
    assert done.returncode == 3
    assert "was lost" in done.stderr or "TLS" in done.stderr


def test_a_file_of_certificates_that_is_none(binary, tls_url, certificate, tmp_path):
    done = run(binary, "sql", "--server", tls_url, "--tls-ca", tmp_path / "absent.pem", "SELECT 1")
    assert done.returncode == 2
    assert "absent.pem" in done.stderr


def test_bench_with_more_connections_than_threads_before(binary, tls_url, certificate):
    done = run(binary, "bench", "--server", tls_url, "--tls-ca", certificate[0], "-c", "3",
               "--duration", "200ms", "SELECT 1")
    assert done.returncode == 0, done.stderr


def test_kill_knows_tls(binary, tls_url, certificate):
    done = run(binary, "kill", "--server", tls_url, "--tls-ca", certificate[0], "no-such-statement")
    assert done.returncode == 1
    assert "no-such-statement" in done.stderr
