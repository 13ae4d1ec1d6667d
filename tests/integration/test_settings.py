"""Settings: their sources and precedence, wrong values, addresses, one server per data folder.

SPDX-License-Identifier: Apache-2.0
"""
import re
import socket

import pytest


def shown(volley, name, *arguments, environment=None, folder=None):
    """(value, origin) of a setting as `volley config show --origin` prints it."""
    options = {"environment": environment}
    if folder:
        options["folder"] = folder
    result = volley("config", "show", "--origin", *arguments, **options)
    assert result.returncode == 0, result.stderr
    for line in result.stdout.splitlines():
        if line.removeprefix("# ").partition(":")[0] == name:
            return line
    raise AssertionError(f"{name} is not shown:\n{result.stdout}")


def test_defaults(volley):
    line = shown(volley, "query-slots")
    assert "8" in line.split()
    assert "default" in line
    assert "127.0.0.1:50052" in shown(volley, "flight-addr")
    assert "127.0.0.1:8000" in shown(volley, "http-addr")


def test_precedence(volley, tmp_path):
    config = tmp_path / "volley.yaml"
    config.write_text("query-slots: 2\n")
    assert "2" in shown(volley, "query-slots", "--config", config).split()
    (tmp_path / ".env").write_text("# a comment\nVOLLEY_QUERY_SLOTS=3\n")
    assert "3" in shown(volley, "query-slots", "--config", config).split()
    environment = {"VOLLEY_QUERY_SLOTS": "4"}
    line = shown(volley, "query-slots", "--config", config, environment=environment)
    assert "4" in line.split()
    assert "VOLLEY_QUERY_SLOTS" in line
    line = shown(volley, "query-slots", "--config", config, "--query-slots", "5",
                 environment=environment)
    assert "5" in line.split()


@pytest.mark.parametrize(
    ("name", "alias", "given", "expected"),
    [
        ("flight-addr", "ARROW_FLIGHT_PORT", "6001", ":6001"),
        ("http-addr", "FLIGHT_APP_PORT", "6002", ":6002"),
        ("http-addr", "PORT", "6003", ":6003"),
        ("http-addr", "API_PORT", "6004", ":6004"),
        ("query-slots", "MAX_SLOTS", "7", "7"),
        ("query-timeout", "QUERY_TIMEOUT_SECONDS", "42", "42s"),
        ("batch-rows", "FLIGHT_BATCH_SIZE", "1000", "1000"),
        ("log-level", "LOG_LEVEL", "warning", "warning"),
    ],
)
def test_aliases_of_the_environment(volley, name, alias, given, expected):
    line = shown(volley, name, environment={alias: given})
    assert expected in line
    assert alias in line


@pytest.mark.parametrize("form", [["--query-slots=3"], ["--query-slots", "3"], ["-query-slots", "3"],
                                  ["-query-slots=3"]])
def test_forms_of_flags(volley, form):
    assert "3" in shown(volley, "query-slots", *form).split()


@pytest.mark.parametrize(
    ("arguments", "environment", "words"),
    [
        (["--query-slots", "0"], {}, ["query-slots", "0", "1"]),
        (["--query-slots", "many"], {}, ["query-slots", "many"]),
        ([], {"MAX_SLOTS": "-1"}, ["query-slots", "-1", "MAX_SLOTS"]),
        ([], {"VOLLEY_QUERY_TIMEOUT": "soon"}, ["query-timeout", "soon", "VOLLEY_QUERY_TIMEOUT"]),
        (["--query-memory", "12parsec"], {}, ["query-memory", "12parsec"]),
        (["--log-level", "loud"], {}, ["log-level", "loud", "info"]),
        (["--flight-addr", "nowhere"], {}, ["flight-addr", "nowhere"]),
        (["--http-addr", "127.0.0.1:99999"], {}, ["http-addr", "99999"]),
        (["--no-such-setting", "1"], {}, ["no-such-setting"]),
        (["--query-slots"], {}, ["query-slots"]),
    ],
)
def test_wrong_values_name_setting_value_and_origin(volley, arguments, environment, words):
    result = volley("serve", *arguments, environment=environment)
    assert result.returncode == 2
    for word in words:
        assert word in result.stderr, result.stderr


@pytest.mark.parametrize("text", ["no_such_key: 1\n", "query-slots: 1\nflight:\n  adress: x\n"])
def test_unknown_key_in_a_file_is_an_error_with_its_line(volley, tmp_path, text):
    config = tmp_path / "volley.yaml"
    config.write_text(text)
    result = volley("serve", "--config", config)
    assert result.returncode == 2
    assert f":{len(text.splitlines())}" in result.stderr or "line" in result.stderr


@pytest.mark.parametrize("text", ["a: [", "- 1\n- 2\n", "query-slots: {a: b}\n", "\x00"])
def test_broken_file(volley, tmp_path, text):
    config = tmp_path / "volley.yaml"
    config.write_text(text)
    result = volley("serve", "--config", config)
    assert result.returncode == 2
    assert "volley.yaml" in result.stderr


def test_missing_file(volley):
    result = volley("serve", "--config", "no-such.yaml")
    assert result.returncode == 2
    assert "no-such.yaml" in result.stderr


def test_nested_keys_and_sections_of_the_example(volley, tmp_path):
    config = tmp_path / "volley.yaml"
    config.write_text(
        "flight:\n  address: 127.0.0.1:7001\nmonitoring:\n  log_level: warning\n"
        "data_generation:\n  anything: goes\n")
    assert "127.0.0.1:7001" in shown(volley, "flight-addr", "--config", config)
    assert "warning" in shown(volley, "log-level", "--config", config)


def test_printed_settings_are_a_file_that_serve_takes(volley, start_server, tmp_path):
    def with_ports_of_their_own(text):
        return text.replace("127.0.0.1:50052", "127.0.0.1:0").replace("127.0.0.1:8000", "127.0.0.1:0")

    printed = volley("serve", "--print-config", "--query-slots", "4").stdout
    lines = printed.splitlines()
    assert "query-slots: 4" in lines and "#session-timeout: 30m" in lines
    assert max(map(len, lines)) <= 100
    config = tmp_path / "volley.yaml"
    config.write_text(printed)
    assert volley("config", "check", config).returncode == 0
    server = start_server("--config", config)
    assert server.value("SELECT value FROM volley.settings WHERE name = 'query-slots'") == "4"
    server.stop()
    # Each setting that is shown is one that may be given as it stands.
    config.write_text(with_ports_of_their_own(re.sub(r"(?m)^#(?=[a-z])", "", printed)))
    result = volley("config", "check", config)
    assert result.returncode == 0, result.stderr
    config.write_text(volley("config", "show", "--query-slots", "5").stdout)
    result = volley("config", "check", config)
    assert result.returncode == 0, result.stderr


def test_unknown_environment_variable_warns(start_server):
    server = start_server(env={"VOLLEY_NO_SUCH_THING": "1"})
    assert "VOLLEY_NO_SUCH_THING" in server.log


def test_help_lists_every_setting(volley):
    settings = volley("config", "show").stdout.split("\n")
    text = volley("serve", "--help").stdout
    for line in settings:
        if line:
            assert "--" + line.removeprefix("# ").partition(":")[0] in text


def test_help_fits_a_screen(volley):
    lines = volley("--help").stdout.splitlines()
    assert len(lines) <= 24
    for command in ["", *re.findall(r"(?m)^  ([a-z]+)  ", volley("--help").stdout)]:
        lines = volley(*([command] if command else []), "--help").stdout.splitlines()
        wide = [line for line in lines if len(line) > 80 and not line.startswith(("  volley", "Usage"))]
        assert not wide, wide


def test_version(volley):
    result = volley("version")
    assert result.returncode == 0
    assert "volley" in result.stdout.lower()
    assert "v1.5" in result.stdout


@pytest.mark.parametrize("arguments", [["no-such-command"], ["sql", "--no-such-flag", "x"]])
def test_wrong_usage(volley, arguments):
    result = volley(*arguments)
    assert result.returncode == 2
    assert any(argument.lstrip("-") in result.stderr for argument in arguments)


def test_settings_in_sql_have_their_origin(start_server):
    server = start_server("--query-slots", "3", env={"QUERY_TIMEOUT_SECONDS": "9"})
    rows = {row["name"]: row for row in server.rows("FROM volley.settings")}
    assert rows["query-slots"]["value"] == "3"
    assert rows["query-timeout"]["value"] == "9s"
    assert "QUERY_TIMEOUT_SECONDS" in rows["query-timeout"]["origin"]


def test_addresses_are_printed_and_written(server):
    for door in ("flight", "http"):
        (address,) = server.addresses[door]
        assert f"listening {door} {address}" in server.log or f'"{address}"' in server.log


def test_flags_for_ports_only(start_server):
    server = start_server("--flight-port", "0", "--http-port", "0", addresses=False)
    assert server.value("SELECT 1") == 1


def test_several_addresses_and_a_unix_socket(start_server, tmp_path):
    path = tmp_path / "volley.sock"
    server = start_server("--flight-addr", f"unix:{path}")
    assert len(server.addresses["flight"]) == 2
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(20)
        connection.connect(str(path))
        connection.sendall(b"GET /healthz HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n")
        assert connection.recv(4096).startswith(b"HTTP/1.1 200")


def test_port_in_use_names_port_and_setting(start_server, volley, server, tmp_path):
    address = "{}:{}".format(*server.http_address)
    result = volley("serve", "--http-addr", address, "--flight-addr", "127.0.0.1:0",
                    "--data-dir", tmp_path / "d")
    assert result.returncode == 3
    assert str(server.http_address[1]) in result.stderr
    assert "--http-addr" in result.stderr and "VOLLEY_HTTP_ADDR" in result.stderr


@pytest.mark.parametrize("address", ["0.0.0.0:0", "[::]:0"])
def test_other_than_loopback_without_authentication_is_refused(volley, tmp_path, address):
    result = volley("serve", "--flight-addr", address, "--http-addr", "127.0.0.1:0",
                    "--data-dir", tmp_path / "d")
    assert result.returncode in (2, 3)
    assert "flight-addr" in result.stderr
    assert "authentication" in result.stderr


def test_one_server_per_data_folder(server, volley):
    result = volley("serve", "--flight-addr", "127.0.0.1:0", "--http-addr", "127.0.0.1:0",
                    "--data-dir", server.data_dir)
    assert result.returncode == 3
    assert str(server.pid) in result.stderr


def test_data_folder_of_a_newer_format_is_refused(start_server, volley, tmp_path):
    server = start_server()
    server.stop()
    versions = [path for path in server.data_dir.iterdir() if "format" in path.name]
    assert versions, list(server.data_dir.iterdir())
    versions[0].write_text("999\n")
    result = volley("serve", "--flight-addr", "127.0.0.1:0", "--http-addr", "127.0.0.1:0",
                    "--data-dir", server.data_dir)
    assert result.returncode not in (0, 2)
    assert "999" in result.stderr


def test_data_folder_that_cannot_be_made_is_refused(volley, tmp_path):
    (tmp_path / "file").write_text("")
    result = volley("serve", "--flight-addr", "127.0.0.1:0", "--http-addr", "127.0.0.1:0",
                    "--data-dir", tmp_path / "file" / "below")
    assert result.returncode in (1, 2, 3)
    assert "data-dir" in result.stderr


def test_without_a_data_folder(start_server):
    server = start_server("--data-dir", "none")
    assert server.value("SELECT 1") == 1


def test_tickets_outlive_a_restart_only_with_their_key(start_server, tmp_path_factory):
    folder = tmp_path_factory.mktemp("restarted")
    server = start_server(folder=folder)
    key = server.data_dir / "ticket.key"
    assert oct(key.stat().st_mode & 0o777) == "0o600"
    first = key.read_bytes()
    server.stop()
    start_server(folder=folder)
    assert key.read_bytes() == first


def test_database_file_keeps_its_tables(start_server, tmp_path):
    database = tmp_path / "kept.db"
    server = start_server("--database", database)
    server.query("CREATE TABLE kept AS SELECT 5 AS v", "json")
    server.stop()
    server = start_server(env={"FLIGHT_DB_PATH": str(database)})
    assert server.value("SELECT v FROM kept") == 5


def test_files_on_the_command_line_become_views(start_server, tmp_path):
    (tmp_path / "people.csv").write_text("name,age\nAda,36\nAlan,41\n")
    (tmp_path / "lines.ndjson").write_text('{"a": 1}\n{"a": 2}\n')
    server = start_server(tmp_path / "people.csv", tmp_path / "lines.ndjson")
    assert server.rows("SELECT * FROM people ORDER BY age")[1] == {"name": "Alan", "age": 41}
    assert server.value("SELECT sum(a) FROM lines") == 3
    assert server.value(f"SELECT count(*) FROM read_csv('{tmp_path}/people.csv')") == 2
    (tmp_path / "other.csv").write_text("a\n1\n")
    answer = server.query(f"SELECT * FROM read_csv('{tmp_path}/other.csv')", "json")
    assert answer.status == 403


def test_missing_file_on_the_command_line(volley, tmp_path):
    result = volley("serve", tmp_path / "absent.parquet", "--data-dir", tmp_path / "d",
                    "--flight-addr", "127.0.0.1:0", "--http-addr", "127.0.0.1:0")
    assert result.returncode in (1, 2)
    assert "absent.parquet" in result.stderr


def test_allowed_paths(start_server, tmp_path):
    (tmp_path / "in.csv").write_text("a\n7\n")
    server = start_server("--allowed-paths", tmp_path)
    assert server.value(f"SELECT a FROM read_csv('{tmp_path}/in.csv')") == 7
    assert server.query("SELECT * FROM read_text('/etc/passwd')", "json").status == 403


def test_read_only(start_server, tmp_path):
    database = tmp_path / "fixed.db"
    start_server("--database", database).stop()
    server = start_server("--database", database, "--read-only")
    answer = server.query("CREATE TABLE nope (i INTEGER)", "json")
    assert answer.status in (400, 403)


def test_documentation_has_every_rule_of_statements(volley, request):
    result = volley("serve", "--data-dir", "none", "--allow-statements", "no-such-rule")
    rules = re.search("the rules are ([a-z, -]+)", result.stderr).group(1).split(", ")
    page = (request.config.rootpath.parent / "docs" / "operations.md").read_text()
    assert rules == sorted(rules)
    assert sorted(re.findall(r"^\| `([a-z-]+)` \| ", page.split("Rules of statements")[1], re.M)) == rules


def test_generated_documentation_is_current(volley, request):
    document = request.config.rootpath.parent / "docs" / "settings.md"
    result = volley("config", "docs")
    assert result.returncode == 0, result.stderr
    assert document.read_text() == result.stdout
