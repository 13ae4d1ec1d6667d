"""The manual and the completion of shells, as the build wrote them from the tables of the program.

SPDX-License-Identifier: Apache-2.0
"""

import functools
import json
import os
import re
import subprocess
from pathlib import Path

import pytest
from harness import clean_environment, run
from terminal import Terminal

SOURCES = Path(__file__).resolve().parents[2] / "src" / "cli"
# What mandoc says of pages without a date: they have none, so that a build can be repeated.
EXPECTED = "missing date"

pytestmark = pytest.mark.release


@pytest.fixture(scope="module")
def docs(binary):
    return binary.parent / "docs"


@pytest.fixture(scope="module")
def commands(binary):
    """The names of the commands, as the help lists them."""
    text = run(binary, "--help").stdout
    return re.findall(r"^  ([a-z]+) {2,}\S", text, re.MULTILINE)


def flags_of(binary, command):
    """(letter, name, value) of each, as its help has them."""
    text = run(binary, command, "--help").stdout
    return re.findall(r"^  (?:-(\w), )?--([a-z-]+)( \S+)?(?:  | [a-z]|$)", text, re.MULTILINE)


def test_every_command_has_a_page(docs, commands):
    assert "sql" in commands
    pages = {page.name for page in docs.glob("*.[15]")}
    assert pages == {f"volley-{command}.1" for command in commands} | {"volley.1", "volley.yaml.5"}


def test_every_page_and_script_is_installed(binary, docs):
    told = subprocess.run(
        ["meson", "introspect", str(binary.parent), "--installed"],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    ).stdout
    installed = {Path(path).name for path in json.loads(told) if Path(path).parent == docs}
    assert installed == {path.name for path in docs.iterdir()}, "docs/meson.build lists what is installed"


def test_pages_are_those_of_this_program(binary, docs, tmp_path):
    assert run(binary, "docs", tmp_path).returncode == 0
    written = {path.name: path.read_text() for path in tmp_path.iterdir()}
    assert written == {name: (docs / name).read_text() for name in written}
    assert written


def test_pages_are_well_formed(docs):
    for page in docs.glob("*.[15]"):
        mandoc = subprocess.run(
            ["mandoc", "-T", "lint", "-W", "warning", str(page)],
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )
        assert [line for line in mandoc.stdout.splitlines() if EXPECTED not in line] == []
        groff = subprocess.run(
            ["groff", "-man", "-ww", "-Tutf8", "-z", str(page)],
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )
        assert (groff.returncode, groff.stderr) == (0, "")


def shown(page):
    text = subprocess.run(
        ["mandoc", "-T", "utf8", str(page)], capture_output=True, text=True, timeout=30, check=True
    ).stdout
    return re.sub(r".\x08", "", text)


def test_pages_show_what_the_help_shows(binary, docs, commands):
    for command in commands:
        page = shown(docs / f"volley-{command}.1")
        for _, name, _ in flags_of(binary, command):
            assert f"--{name}" in page, (command, name)
    assert "Ctrl-C leaves nothing" in shown(docs / "volley-put.1")
    assert "'FROM flights' | volley put - flights-copy" in shown(docs / "volley-put.1")
    assert "VOLLEY_QUERY_SLOTS" in shown(docs / "volley.yaml.5")


def is_known(call, flag, value):
    """With a value or without: what is wrong with the call is something behind the flag."""
    result = call(flag) if value else call(flag, "--no-such-flag")
    wrong = f"{flag} needs a value" if value else "unknown flag --no-such-flag"
    return result.returncode == 2 and wrong in result.stderr


def test_flags_of_the_help_are_flags_of_the_commands(binary, commands, tmp_path):
    """serve's are the settings themselves, and config takes those."""
    for command in set(commands) - {"serve", "config"}:
        words = re.search(r"needs one of the words (.*)$", run(binary, command, folder=tmp_path).stderr)
        starts = [(command, word) for word in words[1].split(", ")] if words else [(command,)]
        calls = [functools.partial(run, binary, *start, folder=tmp_path) for start in starts]
        for letter, name, value in flags_of(binary, command):
            for flag in filter(None, (f"--{name}", letter and f"-{letter}")):
                assert any(is_known(call, flag, value) for call in calls), (command, flag)


def test_flags_of_the_commands_are_in_the_help(binary, commands):
    """Every row of an options table in the sources has its row in the table of the help."""
    known = {name for command in commands for _, name, _ in flags_of(binary, command)}
    rows = set()
    for source in SOURCES.glob("*.[ch]"):
        rows |= set(
            re.findall(
                r'\.name = "([a-z-]+)",(?:\s*\.letter = "\w",)?\s*\.kind = OPTION_', source.read_text()
            )
        )
    assert {"format", "connections", "tls-ca"} <= rows
    assert rows - known == set()


def test_help_fits_a_screen(binary):
    lines = run(binary, "--help").stdout.splitlines()
    assert len(lines) <= 40
    assert max(map(len, lines)) <= 100


def write_servers(home):
    (home / ".config/volley").mkdir(parents=True)
    (home / ".config/volley/client.yaml").write_text(
        "servers:\n  staging: {url: 'grpc://a:1'}\n  standby: {url: 'grpc://b:1'}\n"
        "  $(touch stolen): {url: 'grpc://c:1'}\n")


@pytest.fixture
def shell(binary, docs, tmp_path):
    """bash at a terminal, with the completion; its words are shown by `echo`."""
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "volley").symlink_to(binary)
    (tmp_path / "trips of june.parquet").touch()
    path = f"{tmp_path / 'bin'}:{os.environ['PATH']}"
    write_servers(tmp_path)
    terminal = Terminal(
        ["bash", "--norc", "--noprofile", "-i"],
        tmp_path,
        {"PATH": path, "PS1": "ready> ", "HISTFILE": ""},
        columns=300,
    )
    terminal.expect("ready> ")
    terminal.line(f"source '{docs / 'volley'}'")
    terminal.expect("ready> ")

    def completed(text):
        terminal.type(text + "\t\x01echo \n")
        terminal.expect("\n")
        return terminal.expect("\nready> ").strip()

    yield completed
    terminal.close()


@pytest.mark.parametrize(
    "typed, complete",
    [
        ("volley ver", "volley version"),
        ("volley sql --tls-i", "volley sql --tls-insecure"),
        ("volley sql --format mark", "volley sql --format markdown"),
        ("volley get x --format=parq", "volley get x --format=parquet"),
        ("volley put --dur", "volley put --durability"),
        ("volley put tri", "volley put trips of june.parquet"),
        ("volley sql -f tri", "volley sql -f trips of june.parquet"),
        ("volley serve --tls-client-auth req", "volley serve --tls-client-auth requ"),
        ("volley --query-s", "volley --query-slots"),
        ("volley config sh", "volley config show"),
        ("volley completion fi", "volley completion fish"),
        ("volley sql --server stag", "volley sql --server staging"),
        ("volley list --server=standb", "volley list --server=standby"),
    ],
)
def test_bash_completes(shell, typed, complete):
    assert shell(typed) == complete


@pytest.mark.parametrize(
    "name, check",
    [
        ("volley", ["bash", "-n"]),
        ("volley", ["shellcheck", "--shell=bash", "--severity=warning"]),
        ("_volley", ["zsh", "-n"]),
        ("volley.fish", ["fish", "--no-execute"]),
    ],
)
def test_scripts_are_of_their_shells(docs, name, check):
    result = subprocess.run(
        [*check, str(docs / name)], capture_output=True, text=True, timeout=30, check=False
    )
    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")


def test_names_of_servers_are_told(binary, tmp_path):
    assert run(binary, "completion", "servers", environment={"HOME": str(tmp_path)}).stdout == ""
    write_servers(tmp_path)
    offered = run(binary, "completion", "servers", environment={"HOME": str(tmp_path)})
    assert offered.stdout == "staging\nstandby\n"


def test_fish_completes(binary, docs, tmp_path):
    (tmp_path / "volley").symlink_to(binary)
    write_servers(tmp_path)
    script = (f"source {docs / 'volley.fish'}; complete -C 'volley sql --format ';"
              " complete -C 'volley sql --server sta'")
    result = subprocess.run(
        ["fish", "--no-config", "-c", script],
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
        env=clean_environment({"HOME": str(tmp_path), "PATH": f"{tmp_path}:{os.environ['PATH']}"}),
    )
    offered = {line.split("\t")[0] for line in result.stdout.splitlines()}
    assert {"csv", "arrow", "markdown", "staging", "standby"} <= offered


def test_zsh_completes(binary, docs, tmp_path):
    (tmp_path / "volley").symlink_to(binary)
    write_servers(tmp_path)
    path = f"{tmp_path}:{os.environ['PATH']}"
    terminal = Terminal(["zsh", "-f", "-i"], tmp_path, {"PS1": "ready> ", "PATH": path}, columns=300)
    try:
        terminal.expect("ready> ")
        terminal.line(f"fpath=('{docs}' $fpath); autoload -U compinit; compinit -u -D; echo is set up")
        terminal.expect("\nis set up")
        terminal.type("volley sql --format mark\t\x01echo \n")
        terminal.expect("\nvolley sql --format markdown")
        terminal.type("volley sql --server stag\t\x01echo \n")
        terminal.expect("\nvolley sql --server staging")
    finally:
        terminal.close()


def test_completion_is_printed_for_each_shell(binary, docs):
    for shell_name, file in (("bash", "volley"), ("zsh", "_volley"), ("fish", "volley.fish")):
        assert run(binary, "completion", shell_name).stdout == (docs / file).read_text()
    assert run(binary, "completion", "tcsh").returncode == 2
