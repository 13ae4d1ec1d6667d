"""TLS and listening addresses: certificates, versions, client certificates, reading them again, limits.

Certificates are made with the openssl command. What needs an address that is not loopback runs in a
network namespace of its own, and is skipped where that is not allowed.

SPDX-License-Identifier: Apache-2.0
"""
import contextlib
import json
import os
import resource
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import textwrap

import flight_sql
import pyarrow.flight
import pytest
from certificates import LOCAL_NAMES
from harness import SANITIZER_REPORT, clean_environment, wait_until


def port_of(address):
    return int(address.rpartition(":")[2])


def flight_over_tls(server, ca, **options):
    return pyarrow.flight.connect(
        "grpc+tls://localhost:{}".format(server.flight_address[1]),
        tls_root_certs=ca.path.read_bytes(), **options)


def rows_of(client, sql):
    info = client.get_flight_info(flight_sql.query_descriptor(sql))
    return client.do_get(info.endpoints[0].ticket).read_all().to_pylist()


def connect(server, context, door="http", host="localhost", seconds=20):
    address = server.http_address if door == "http" else server.flight_address
    plain = socket.create_connection(("127.0.0.1", address[1]), timeout=seconds)
    return context.wrap_socket(plain, server_hostname=host)


def context_of(ca, protocols=None):
    context = ssl.create_default_context(cafile=ca.path)
    if protocols:
        context.set_alpn_protocols(protocols)
    return context


def get(connection, path="/healthz"):
    connection.sendall(f"GET {path} HTTP/1.1\r\nhost: localhost\r\n\r\n".encode())
    return connection.recv(65536)


def clear_metrics(server):
    """/metrics through the address that speaks plain HTTP."""
    import urllib.request

    url = "http://{}/metrics".format(server.addresses["http"][-1])
    with urllib.request.urlopen(url, timeout=20) as answer:
        lines = answer.read().decode().splitlines()
    return {line.rpartition(" ")[0]: float(line.rpartition(" ")[2])
            for line in lines if line and not line.startswith("#")}


def strikes(server, budget):
    return clear_metrics(server)[f'volley_budget_strikes_total{{budget="{budget}"}}']


# --- clients ----------------------------------------------------------------------------------------


def test_addresses_tell_the_scheme(tls_server):
    assert tls_server.addresses["flight"][0].startswith("tls://127.0.0.1:")
    assert tls_server.addresses["http"][0].startswith("tls://127.0.0.1:")
    assert tls_server.addresses["http"][1].startswith("127.0.0.1:")
    wait_until(lambda: f"listening flight {tls_server.addresses['flight'][0]}" in tls_server.log)


def test_flight_over_tls(tls_server, certificates):
    with flight_over_tls(tls_server, certificates.ca) as client:
        assert rows_of(client, "SELECT 42 AS x") == [{"x": 42}]
        assert len(rows_of(client, "SELECT i FROM range(300000) t(i)")) == 300000


def test_large_requests_over_tls(tls_server, certificates):
    statement = "SELECT length('{}') AS n".format("x" * 300000).encode()
    with connect(tls_server, context_of(certificates.ca, ["http/1.1"])) as connection:
        connection.sendall(b"POST /v1/query?format=ndjson HTTP/1.1\r\nhost: localhost\r\n"
                           b"content-type: text/plain\r\nconnection: close\r\n"
                           b"content-length: %d\r\n\r\n" % len(statement) + statement)
        answer = b"".join(iter(lambda: connection.recv(65536), b""))
    assert answer.startswith(b"HTTP/1.1 200") and b'{"n":300000}' in answer


def test_an_authority_that_did_not_sign_is_not_believed(tls_server, certificates):
    with flight_over_tls(tls_server, certificates.other_ca) as client:
        with pytest.raises(pyarrow.flight.FlightUnavailableError):
            rows_of(client, "SELECT 1")
    with pytest.raises(ssl.SSLCertVerificationError):
        connect(tls_server, context_of(certificates.other_ca))
    wait_until(lambda: "alert unknown ca" in tls_server.log, what="the reason in the log")


@pytest.mark.skipif(not shutil.which("curl"), reason="needs the command curl")
@pytest.mark.parametrize("version", ["1.1", "2"])
def test_curl(tls_server, certificates, version):
    url = "https://localhost:{}/v1/query?format=ndjson".format(tls_server.http_address[1])
    result = subprocess.run(
        ["curl", "-sS", f"--http{version}", "--cacert", str(certificates.ca.path), "-d",
         "SELECT 7 AS x", "-w", "%{http_version}", url],
        capture_output=True, text=True, timeout=30, check=True)
    assert result.stdout == '{"x":7}\n' + version


@pytest.mark.parametrize("offer, agreed", [
    (["h2"], "h2"), (["grpc-exp", "h2"], "h2"), (["http/1.1"], "http/1.1"),
    (["http/1.1", "h2"], "h2"), (None, None)])
def test_protocols(tls_server, certificates, offer, agreed):
    with connect(tls_server, context_of(certificates.ca, offer)) as connection:
        assert connection.selected_alpn_protocol() == agreed
        if agreed == "h2":  # SETTINGS come before the client says anything
            assert connection.recv(9)[3] == 4
        else:
            assert get(connection).startswith(b"HTTP/1.1 200")


def test_no_common_protocol_is_refused(tls_server, certificates):
    with pytest.raises(ssl.SSLError, match="(?i)no.application.protocol"):
        connect(tls_server, context_of(certificates.ca, ["spdy/3"]))


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_good_versions(tls_server, certificates, version):
    context = context_of(certificates.ca)
    context.minimum_version = context.maximum_version = version
    with connect(tls_server, context) as connection:
        assert "AES128GCM" in connection.cipher()[0].replace("_", "").replace("-", "")
        assert get(connection).startswith(b"HTTP/1.1 200")


def s_client(server, *arguments, input=""):
    return subprocess.run(
        ["openssl", "s_client", "-connect", "127.0.0.1:{}".format(server.http_address[1]),
         *arguments], input=input, capture_output=True, text=True, timeout=30, check=False)


@pytest.mark.parametrize("arguments", [
    ("-tls1_1", "-cipher", "ALL:@SECLEVEL=0"), ("-tls1", "-cipher", "ALL:@SECLEVEL=0"),
    ("-tls1_2", "-cipher", "AES128-SHA"), ("-tls1_2", "-cipher", "ECDHE-ECDSA-AES128-SHA256")])
def test_old_versions_and_ciphers_are_refused(tls_server, arguments):
    result = s_client(tls_server, *arguments)
    assert result.returncode != 0
    assert "alert" in result.stderr


def test_renegotiation_ends_the_connection(tls_server):
    before = strikes(tls_server, "renegotiation")
    result = s_client(tls_server, "-tls1_2", input="R\n")
    assert "no renegotiation" in result.stderr
    wait_until(lambda: strikes(tls_server, "renegotiation") == before + 1, what="the strike")


def test_sessions_resume(tls_server, certificates):
    for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
        context = context_of(certificates.ca)
        context.minimum_version = context.maximum_version = version
        with connect(tls_server, context) as first:
            get(first)  # a ticket of TLS 1.3 comes with the first data
            session = first.session
            assert not first.session_reused
        plain = socket.create_connection(("127.0.0.1", tls_server.http_address[1]), timeout=20)
        with context.wrap_socket(plain, server_hostname="localhost", session=session) as second:
            assert second.session_reused
            assert get(second).startswith(b"HTTP/1.1 200")


def test_plain_and_tls_do_not_mix(tls_server, certificates):
    with tls_server.socket() as plain:
        plain.sendall(b"GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n")
        assert plain.recv(100) == b""
    wait_until(lambda: "plain bytes on an address that speaks TLS" in tls_server.log)
    clear = port_of(tls_server.addresses["http"][1])
    with pytest.raises((ssl.SSLError, ConnectionError)):
        plain = socket.create_connection(("127.0.0.1", clear), timeout=20)
        context_of(certificates.ca).wrap_socket(plain, server_hostname="localhost")
    wait_until(lambda: "TLS on an address that speaks plain HTTP" in tls_server.log)
    assert clear_metrics(tls_server)["volley_connections"] >= 1


# --- choosing and changing certificates -------------------------------------------------------------


def shown_name(server, ca, host):
    context = ssl.create_default_context(cafile=ca.path)
    context.check_hostname = False
    with connect(server, context, host=host) as connection:
        subject = dict(pair for (pair,) in connection.getpeercert()["subject"])
        return subject["commonName"]


def test_the_host_name_chooses_the_certificate(start_server, certificates):
    server = start_server(
        "--tls-cert", f"{certificates.server[0]},{certificates.named[0]}",
        "--tls-key", f"{certificates.server[1]},{certificates.named[1]}")
    ca = certificates.ca
    assert shown_name(server, ca, "localhost") == "server"
    assert shown_name(server, ca, "named.test") == "named"
    assert shown_name(server, ca, "x.wild.test") == "named"
    assert shown_name(server, ca, "elsewhere.test") == "server"


def copy_pair(pair, folder):
    shutil.copy(pair[0], folder / "now.pem")
    shutil.copy(pair[1], folder / "now.key")
    return folder / "now.pem", folder / "now.key"


def test_new_certificates_while_a_download_runs(start_server, certificates, tmp_path):
    pair = copy_pair(certificates.server, tmp_path)
    server = start_server("--tls-cert", pair[0], "--tls-key", pair[1])
    assert shown_name(server, certificates.ca, "localhost") == "server"
    with flight_over_tls(server, certificates.ca) as client:
        sql = "SELECT i, repeat('x', 100) AS s FROM range(1000000) t(i)"
        info = client.get_flight_info(flight_sql.query_descriptor(sql))
        reader = client.do_get(info.endpoints[0].ticket)
        count = reader.read_chunk().data.num_rows
        copy_pair(certificates.second, tmp_path)
        server.process.send_signal(signal.SIGHUP)
        wait_until(lambda: "certificates reloaded" in server.log)
        assert shown_name(server, certificates.ca, "localhost") == "second"
        for chunk in reader:
            count += chunk.data.num_rows
        assert count == 1000000
    pair[1].write_text("broken")
    server.process.send_signal(signal.SIGHUP)
    wait_until(lambda: "certificates not reloaded" in server.log and str(pair[1]) in server.log)
    assert shown_name(server, certificates.ca, "localhost") == "second"


# --- client certificates ----------------------------------------------------------------------------


def test_client_certificates_are_required(start_server, certificates):
    server = start_server(*certificates.flags, "--tls-ca", certificates.ca.path,
                          "--tls-client-auth", "require")
    good = {"cert_chain": certificates.client[0].read_bytes(),
            "private_key": certificates.client[1].read_bytes()}
    wrong = {"cert_chain": certificates.stranger[0].read_bytes(),
             "private_key": certificates.stranger[1].read_bytes()}
    with flight_over_tls(server, certificates.ca, **good) as client:
        assert rows_of(client, "SELECT 1 AS x") == [{"x": 1}]
    for options in ({}, wrong):
        with flight_over_tls(server, certificates.ca, **options) as client:
            with pytest.raises(pyarrow.flight.FlightUnavailableError):
                rows_of(client, "SELECT 1")
    wait_until(lambda: "certificate verify failed" in server.log)
    wait_until(lambda: "peer did not return a certificate" in server.log)


def test_each_address_may_have_its_own(start_server, certificates):
    server = start_server(
        "--http-addr", f"tls://127.0.0.1:0?cert={certificates.second[0]}&key={certificates.second[1]}"
        f"&ca={certificates.ca.path}&client-auth=require", *certificates.flags)
    plain = context_of(certificates.ca)
    with connect(server, plain) as connection:
        assert get(connection).startswith(b"HTTP/1.1 200")
    strict = port_of(server.addresses["http"][1])
    context = context_of(certificates.ca)
    context.load_cert_chain(*certificates.client)
    with context.wrap_socket(socket.create_connection(("127.0.0.1", strict), timeout=20),
                             server_hostname="localhost") as connection:
        assert get(connection).startswith(b"HTTP/1.1 200")
        subject = dict(pair for (pair,) in connection.getpeercert()["subject"])
        assert subject["commonName"] == "second"
    with contextlib.suppress(ConnectionError), pytest.raises(ssl.SSLError):
        with plain.wrap_socket(socket.create_connection(("127.0.0.1", strict), timeout=20),
                               server_hostname="localhost") as connection:
            get(connection)


# --- wrong at the start -----------------------------------------------------------------------------


def refused(volley, tmp_path, *arguments):
    result = volley("serve", "--flight-addr", "127.0.0.1:0", "--http-addr", "127.0.0.1:0",
                    "--data-dir", tmp_path / "d", *arguments)
    assert result.returncode == 2, result.stderr
    return result.stderr


def test_wrong_files_are_named(volley, tmp_path, certificates):
    cert, key = certificates.server
    none = tmp_path / "none.pem"
    assert f"{none}: No such file" in refused(volley, tmp_path, "--tls-cert", none, "--tls-key", key)
    text = refused(volley, tmp_path, "--tls-cert", cert, "--tls-key", certificates.second[1])
    assert str(certificates.second[1]) in text and "does not belong" in text
    text = refused(volley, tmp_path, "--tls-cert", key, "--tls-key", key)
    assert str(key) in text and "no certificate" in text
    assert "tls-key" in refused(volley, tmp_path, "--tls-cert", cert)
    text = refused(volley, tmp_path, "--tls-cert", cert, "--tls-key", key, "--tls-client-auth",
                   "require")
    assert "tls-ca" in text
    text = refused(volley, tmp_path, "--http-addr", "tls://127.0.0.1:0")
    assert "tls-cert" in text and "tls-key" in text


def test_an_expired_certificate_is_a_warning(start_server, certificates):
    cert, key = certificates.ca.sign("old", names=LOCAL_NAMES, days=0)
    server = start_server("--tls-cert", cert, "--tls-key", key, "--http-addr", "tcp://127.0.0.1:0")
    wait_until(lambda: f"{cert}: the certificate expired on" in server.log)


@pytest.mark.parametrize("address", [
    "0.0.0.0:0", "[::]:0", "192.0.2.1:0", "example.org:0", "tls://0.0.0.0:0"])
def test_addresses_for_anyone_are_refused_with_the_ways_to_go_on(volley, tmp_path, address):
    text = refused(volley, tmp_path, "--flight-addr", address)
    for way in ("127.0.0.1", "unix:", "tls-client-auth=require", "tls-ca", "--allow-anonymous"):
        assert way in text
    assert address in text


# --- time and number --------------------------------------------------------------------------------


def closed_by_server(connection):
    try:
        return connection.recv(1) == b""
    except ConnectionError:
        return True


def test_handshakes_end_in_time(start_server, certificates):
    server = start_server(*certificates.flags, "--http-addr", "tcp://127.0.0.1:0",
                          "--tls-handshake-timeout", "300ms")
    neighbour = connect(server, context_of(certificates.ca))
    with contextlib.ExitStack() as stack:
        stack.enter_context(neighbour)
        slow = [stack.enter_context(server.socket()) for _ in range(3)]
        slow[1].sendall(b"\x16")
        slow[2].sendall(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03")
        for connection in slow:
            assert closed_by_server(connection)
        assert get(neighbour).startswith(b"HTTP/1.1 200")
    assert strikes(server, "handshake_timeout") == 3


def answer_of(call):
    """What the call returns, or None while the server turns clients away."""
    with contextlib.suppress(OSError):
        return call()
    return None


def test_connections_in_all_are_bounded(start_server):
    server = start_server("--max-connections", "5")
    with contextlib.ExitStack() as stack:
        held = [stack.enter_context(server.socket()) for _ in range(5)]
        assert all(get(connection).startswith(b"HTTP/1.1 200") for connection in held)
        for _ in range(3):
            assert closed_by_server(stack.enter_context(server.socket()))
        assert get(held[0]).startswith(b"HTTP/1.1 200")
    name = 'volley_budget_strikes_total{budget="connections"}'
    assert wait_until(lambda: answer_of(server.metrics), what="an answer again")[name] >= 3


def test_short_of_descriptors_and_back(start_server):
    server = start_server("--io-threads", "2")
    assert server.value("SELECT 1") == 1
    limit = resource.prlimit(server.pid, resource.RLIMIT_NOFILE)
    held_open = len(os.listdir(f"/proc/{server.pid}/fd"))
    with contextlib.ExitStack() as stack:
        neighbour = stack.enter_context(server.socket())
        assert get(neighbour).startswith(b"HTTP/1.1 200")
        resource.prlimit(server.pid, resource.RLIMIT_NOFILE, (held_open + 20, limit[1]))
        crowd = [stack.enter_context(server.socket()) for _ in range(60)]
        served = sum(not closed_by_server_or_served(connection) for connection in crowd)
        assert 10 <= served <= 25, served
        assert get(neighbour).startswith(b"HTTP/1.1 200")
        assert len(os.listdir(f"/proc/{server.pid}/fd")) <= held_open + 21
    name = 'volley_budget_strikes_total{budget="descriptors"}'
    assert wait_until(lambda: answer_of(server.metrics), what="an answer again")[name] >= 60 - 25
    assert server.value("SELECT 2") == 2
    wait_until(lambda: "no file descriptor is free" in server.log)


def closed_by_server_or_served(connection):
    """True when the server closed the connection instead of answering on it."""
    try:
        return not get(connection).startswith(b"HTTP/1.1 200")
    except OSError:
        return True


def test_unix_sockets_and_both_families(start_server, tmp_path):
    path = tmp_path / "v.sock"
    server = start_server("--flight-addr", f"unix:{path}", "--flight-addr", "localhost:0",
                          addresses=False, env={"PORT": "0"})
    assert f"unix:{path}" in server.addresses["flight"]
    with pyarrow.flight.connect(f"grpc+unix://{path}") as client:
        assert len(rows_of(client, "SELECT i FROM range(200000) t(i)")) == 200000
    port = port_of(server.addresses["flight"][1])
    hosts = ["127.0.0.1"]
    if socket.has_ipv6 and os.path.exists("/proc/net/if_inet6"):
        hosts.append("[::1]")
    for host in hosts:
        with pyarrow.flight.connect(f"grpc://{host}:{port}") as client:
            assert rows_of(client, "SELECT 3 AS x") == [{"x": 3}]


# --- beyond loopback --------------------------------------------------------------------------------

NAMESPACE = ("unshare", "--user", "--map-root-user", "--net", "sh", "-c",
             "ip link set lo up && ip addr add 10.9.8.7/32 dev lo && ip addr add 10.9.8.6/32 dev lo "
             '&& exec "$@"', "sh")


def in_namespace(*command, seconds=120):
    return subprocess.run([*NAMESPACE, *map(str, command)], capture_output=True, text=True,
                          timeout=seconds, env=clean_environment(), check=False)


needs_namespace = pytest.mark.skipif(
    not (shutil.which("unshare") and shutil.which("ip"))
    or in_namespace("true").returncode != 0,
    reason="needs a network namespace")


@needs_namespace
def test_clients_of_one_address_are_bounded(binary, tmp_path):
    """The server listens on an address that is not loopback; each connection comes from a chosen one."""
    script = tmp_path / "crowd.py"
    script.write_text(textwrap.dedent("""
        import json, socket, subprocess, sys, time
        binary, folder = sys.argv[1:]
        server = subprocess.Popen([binary, "serve", "--data-dir", "none", "--allow-anonymous",
            "--flight-addr", "127.0.0.1:0", "--http-addr", "0.0.0.0:0", "--http-addr", "127.0.0.1:0",
            "--max-connections-per-address", "4", "--addresses-file", folder + "/a.json"],
            stdout=sys.stderr)
        def addresses():
            while server.poll() is None:
                try:
                    return json.load(open(folder + "/a.json"))
                except (OSError, ValueError):
                    time.sleep(0.01)
        wild, local = (int(a.rpartition(":")[2]) for a in addresses()["http"])
        def connect(port, host, source):
            c = socket.create_connection((host, port), 20, (source, 0))
            return c
        def served(c, path="/healthz"):
            try:
                c.sendall(b"GET %s HTTP/1.1\\r\\nhost: localhost\\r\\n\\r\\n" % path.encode())
                return c.recv(65536).startswith(b"HTTP/1.1 200")
            except OSError:
                return False
        held = [connect(wild, "10.9.8.7", "10.9.8.7") for _ in range(8)]
        first = [served(c) for c in held]
        neighbour = connect(wild, "10.9.8.7", "10.9.8.6")
        own = [connect(local, "127.0.0.1", "127.0.0.1") for _ in range(8)]
        results = {"served": sum(first), "neighbour": served(neighbour),
                   "local": all(served(c) for c in own)}
        for c in held: c.close()
        deadline = time.time() + 20
        again = False
        while not again and time.time() < deadline:
            c = connect(wild, "10.9.8.7", "10.9.8.7")
            again = served(c)
            c.close()
        results["again"] = again
        c = own[0]
        c.sendall(b"GET /metrics HTTP/1.1\\r\\nhost: localhost\\r\\nconnection: close\\r\\n\\r\\n")
        text = b""
        while True:
            part = c.recv(65536)
            if not part: break
            text += part
        for line in text.decode().splitlines():
            if line.startswith('volley_budget_strikes_total{budget="connections_per_address"}'):
                results["strikes"] = float(line.split()[-1])
        server.terminate()
        results["exit"] = server.wait(30)
        print(json.dumps(results))
    """))
    result = in_namespace(sys.executable, script, binary, tmp_path)
    assert not SANITIZER_REPORT.search(result.stderr), result.stderr
    assert result.stdout, result.stderr
    seen = json.loads(result.stdout.splitlines()[-1])
    assert seen.pop("strikes") >= 4
    assert seen == {"served": 4, "neighbour": True, "local": True, "again": True, "exit": 0}


@needs_namespace
def test_required_client_certificates_open_an_address_to_all(binary, tmp_path, certificates):
    addresses = tmp_path / "a.json"
    command = [binary, "serve", "--data-dir", "none", "--flight-addr", "0.0.0.0:0", "--http-addr",
               "[::]:0", *certificates.flags, "--tls-ca", certificates.ca.path, "--tls-client-auth",
               "require", "--addresses-file", addresses]
    script = tmp_path / "once.py"
    script.write_text(textwrap.dedent("""
        import os, signal, subprocess, sys, time
        server = subprocess.Popen(sys.argv[2:])
        while server.poll() is None and not os.path.exists(sys.argv[1]):
            time.sleep(0.01)
        server.send_signal(signal.SIGTERM)
        sys.exit(server.wait(30))
    """))
    result = in_namespace(sys.executable, script, addresses, *command)
    assert result.returncode == 0, result.stderr
    assert json.loads(addresses.read_text())["flight"][0].startswith("tls://0.0.0.0:")
