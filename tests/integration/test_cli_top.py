"""`volley top` in a terminal: what it shows, its keys, and that the terminal is as it was before.

SPDX-License-Identifier: Apache-2.0
"""
import subprocess
import termios

import pytest
from harness import clean_environment, wait_until
from terminal import Terminal

LONG = "SELECT count(*) AS watched_one FROM range(100000000000) a, range(10) b"


@pytest.fixture
def server(start_server):
    """One of its own, whose lists hold nothing else."""
    return start_server()


@pytest.fixture
def top(binary, server, tmp_path):
    terminals = []

    def start(*arguments, url=None, **options):
        terminal = Terminal([binary, "top", "--server", url or server.flight_url, "--interval", "200ms",
                             *arguments], tmp_path, **options)
        terminals.append(terminal)
        terminal.expect("q leave")
        return terminal

    yield start
    for terminal in terminals:
        terminal.close()


@pytest.fixture
def long_statement(binary, server):
    """A statement that runs until somebody stops it."""
    process = subprocess.Popen([binary, "sql", "--server", server.flight_url, LONG], text=True,
                               stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, env=clean_environment({}))
    wait_until(lambda: server.statements("watched_one", states=("running",)), what="the statement to run")
    yield process
    process.kill()
    process.communicate(timeout=20)


@pytest.mark.parametrize("columns", [80, 200])
def test_a_query_is_shown_and_killed(top, server, long_statement, columns):
    terminal = top(columns=columns)
    terminal.expect("watched_one" if columns > 80 else "SELECT count(*)")
    shown = terminal.expect("q leave")
    assert "\n" in shown
    terminal.type("k")
    terminal.expect("Kill ")
    terminal.type("n")
    terminal.expect("q leave")
    assert long_statement.poll() is None
    terminal.type("k")
    terminal.expect("? y/n")
    terminal.type("y")
    terminal.expect("killed ")
    assert long_statement.wait(timeout=20) == 4
    assert "stopped by an operator" in long_statement.stderr.read()
    terminal.type("q")
    assert terminal.wait() == 0


def test_lists_rates_and_selection(top, server, volley):
    volley("put", "--server", server.flight_url, "-", "--format", "csv", "watched/set", input="a,b\n1,2\n")
    terminal = top(columns=160)
    for word in ("queries", "connections", "network", "memory", "/s"):
        assert word in terminal.shown
    terminal.type("\t")
    terminal.expect("EXPIRES")
    terminal.expect("watched/set")
    terminal.type("k")
    terminal.expect("choose one of the list of queries")
    terminal.type("\t")
    terminal.expect("TRANSACTION")
    terminal.type("1\x1b[B\x1b[B\x1b[A")
    terminal.expect("STATEMENT")
    terminal.type("p")
    terminal.expect("paused")
    volley("drop", "--server", server.flight_url, "watched/set")
    terminal.type("\x03")
    assert terminal.wait() == 0


def test_a_new_size_is_drawn_at_once_and_tiny_ones_keep_the_list(top):
    terminal = top("--interval", "1h")
    for rows, lines in ((30, 8), (6, 4), (3, 1), (2, 1), (1, 0)):
        terminal.seen = len(terminal.shown)
        start = len(terminal.raw)
        terminal.resize(rows, 70)
        terminal.expect("q leave")
        picture = terminal.raw[start:]
        head = picture.index("STATE") if lines else 0
        assert picture[:head].count("\n") == max(0, lines - 1), f"{rows} rows: {picture!r}"
        assert picture.count("\n") < max(rows, 2), "it does not scroll"
        assert f"\x1b[{rows};1H" in picture
    terminal.type("q")
    assert terminal.wait() == 0


def test_the_terminal_is_given_back(top):
    terminal = top()
    during = termios.tcgetattr(terminal.master)
    assert not during[3] & termios.ECHO and not during[3] & termios.ICANON
    terminal.type("q")
    assert terminal.wait() == 0
    after = termios.tcgetattr(terminal.master)
    assert after[3] & termios.ECHO and after[3] & termios.ICANON


def test_a_server_that_goes_is_asked_again(top, start_server):
    server = start_server()
    port = server.flight_address[1]
    terminal = top(url=server.flight_url, columns=100)
    server.kill()
    terminal.expect("connect", seconds=20)
    start_server("--flight-addr", f"127.0.0.1:{port}")
    terminal.expect("q leave")
    terminal.type("q")
    assert terminal.wait() == 0


def test_without_a_terminal_there_is_one_picture(volley, server):
    result = volley("top", "--server", server.flight_url)
    assert result.returncode == 0, result.stderr
    assert "queries" in result.stdout and "STATEMENT" in result.stdout and "\x1b" not in result.stdout
    result = volley("top", "--server", "grpc://127.0.0.1:1")
    assert result.returncode == 3
    result = volley("top", "--intervall", "3s")
    assert result.returncode == 2 and "did you mean --interval" in result.stderr
