"""Servers by name: client.yaml, and the credentials that it leads to.

SPDX-License-Identifier: Apache-2.0
"""
import base64
import json
import threading

import pyarrow.flight as fl
import pytest


@pytest.fixture
def profiles(tmp_path):
    """profiles(text): writes client.yaml; what finds it in the environment."""

    def write(text, mode=0o600):
        path = tmp_path / "config" / "volley" / "client.yaml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        path.chmod(mode)
        return {"XDG_CONFIG_HOME": str(tmp_path / "config")}

    return write


@pytest.fixture
def ask(volley):
    """ask(environment, *flags, code=0): the row of a SELECT, or what was complained of."""

    def call(environment, *flags, code=0):
        done = volley("sql", *flags, "--format", "ndjson", "SELECT 7 AS v", environment=environment)
        assert done.returncode == code, done.stdout + done.stderr
        return json.loads(done.stdout) if code == 0 else done.stderr

    return call


def users(volley, environment):
    done = volley("sql", "--server", "here", "--format", "ndjson",
                  'SELECT DISTINCT "user" AS u FROM volley.sessions', environment=environment)
    assert done.returncode == 0, done.stderr
    return [json.loads(line)["u"] for line in done.stdout.splitlines()]


def test_by_flag_by_variable_and_by_default(server, profiles, ask):
    environment = profiles(f"servers:\n  here: {{url: '{server.flight_url}'}}\n"
                           "  elsewhere:\n    url: grpc://127.0.0.1:1\ndefault: elsewhere\n")
    assert ask(environment, "--server", "here") == {"v": 7}
    assert ask({**environment, "VOLLEY_SERVER": "here"}) == {"v": 7}
    assert ask({**environment, "VOLLEY_SERVER": server.http_url}) == {"v": 7}
    assert "127.0.0.1:1" in ask(environment, code=3)
    assert ask({**environment, "VOLLEY_SERVER": "elsewhere"}, "--server", server.flight_url) == {"v": 7}


def test_every_command_knows_names(server, profiles, volley, tmp_path):
    environment = profiles(f"servers: {{here: {{url: '{server.http_url}', user: ann}}}}\ndefault: here\n")
    (tmp_path / "a.csv").write_text("i,s\n1,a\n")
    for words in (("put", "a.csv", "profile-test"), ("list", "profile-test"),
                  ("get", "profile-test", "-o", "b.parquet"), ("get", "profile-test", "-o", "b.csv"),
                  ("load", "a.csv", "profile_test"), ("drop", "profile-test"),
                  ("bench", "--duration", "10ms", "SELECT 1"),
                  ("sql", "SELECT 1", "\\c here", "SELECT 2")):
        done = volley(*words, environment=environment)
        assert done.returncode == 0, (words, done.stderr)
    assert "no-such-id" in volley("kill", "no-such-id", environment=environment).stderr


def test_the_user_and_where_the_password_is(server, profiles, volley, tmp_path):
    (tmp_path / "config" / "volley").mkdir(parents=True)
    secret = tmp_path / "config" / "volley" / "secret"
    secret.write_text("s:e c\nmore\n")
    secret.chmod(0o600)
    for name, line in (("by_file", "password-file: secret"),
                       ("by_command", "password_command: echo asked"), ("without", "")):
        environment = profiles(f"servers:\n  here:\n    url: {server.flight_url}\n    user: {name}\n"
                               f"    {line}\n")
        assert name in users(volley, environment)
    secret.chmod(0o640)
    environment = profiles(f"servers: {{here: {{url: '{server.flight_url}', user: u,"
                           " password-file: secret}}")
    done = volley("list", "--server", "here", environment=environment)
    assert (done.returncode, "chmod 600" in done.stderr) == (2, True), done.stderr
    environment = profiles(f"servers: {{here: {{url: '{server.flight_url}', user: u,"
                           " password-command: exit 7}}")
    done = volley("list", "--server", "here", environment=environment)
    assert (done.returncode, "code 7" in done.stderr) == (2, True), done.stderr


class Watched(fl.ServerMiddlewareFactory):
    """Keeps what calls have as credentials."""

    def __init__(self):
        super().__init__()
        self.seen = []

    def start_call(self, info, headers):
        self.seen.append(headers.get("authorization"))


class Elsewhere(fl.FlightServerBase):
    """A server of somebody else's, without datasets."""

    def list_flights(self, context, criteria):
        return iter(())


def test_the_credentials_go_with_every_call(profiles, volley, tmp_path):
    (tmp_path / "secret").write_text("s:\u00e9 c\nmore\n")
    (tmp_path / "secret").chmod(0o600)
    watched = Watched()
    with Elsewhere("grpc://127.0.0.1:0", middleware={"watched": watched}) as other:
        threading.Thread(target=other.serve, daemon=True).start()
        environment = profiles(f"servers: {{other: {{url: 'grpc://127.0.0.1:{other.port}', user: ann,"
                               f" password-file: '{tmp_path}/secret'}}}}")
        done = volley("list", "--server", "other", environment=environment)
    assert done.returncode == 0, done.stderr
    expected = "Basic " + base64.b64encode("ann:s:\u00e9 c".encode()).decode()
    assert watched.seen and {value[0] for value in watched.seen} == {expected}


def test_tls(volley, tls_server, certificates, profiles):
    port = tls_server.addresses["flight"][0].rpartition(":")[2]
    environment = profiles(
        f"servers:\n  trusted: {{url: 'grpc+tls://localhost:{port}', tls-ca: '{certificates.ca.path}'}}\n"
        f"  taken: {{url: 'grpc+tls://localhost:{port}', tls-insecure: true}}\n"
        f"  refused: {{url: 'grpc+tls://localhost:{port}'}}\n")
    for name, code in (("trusted", 0), ("taken", 0), ("refused", 3)):
        assert volley("list", "--server", name, environment=environment).returncode == code, name


@pytest.mark.parametrize("text, part", [
    ("servers: {near: {url: 'grpc://x:1'}}", "did you mean 'near'?"),
    ("default: far\n", "no server is called 'nearr'"),
    ("servers:\n  a:\n    uri: grpc://x:1\n", "client.yaml:3: a server has no key 'uri'; did you mean 'url'"),
    ("servers:\n  a:\n    url: grpc://x:1\n    user: u\n    password: p\n",
     "client.yaml:5: a password is not written"),
    ("servers: {a: {user: u}}", "a server needs its url"),
    ("servers: {a: {url: 'grpc://x:1', password-command: x}}", "a password needs a user"),
    ("servers: {a: {url: 'grpc://x:1', tls-insecure: perhaps}}", "must be true or false"),
    ("servers: {nearr: {url: 'grpc://x:1'}, nearr: {url: 'grpc://x:1'}}", "given twice"),
    ("servers: [a]", "client.yaml:1: expected"),
    ("server: {}", "unknown key 'server'"),
    ("servers: {a: {url: [1]}}", "url must be a text"),
    ("servers: {", "client.yaml:2: not valid YAML"),
    ("", "no server is called 'nearr'"),
])
def test_what_is_refused(profiles, ask, text, part):
    assert part in ask(profiles(text), "--server", "nearr", code=2)


def test_a_file_that_others_may_write(profiles, ask):
    environment = profiles("servers: {a: {url: 'grpc://x:1'}}", mode=0o622)
    assert "may be written by others" in ask(environment, "--server", "a", code=2)


def test_no_file(ask, tmp_path):
    message = ask({"XDG_CONFIG_HOME": str(tmp_path / "none")}, "--server", "prod", code=2)
    assert "there is no" in message and "grpc://HOST:PORT" in message
