"""The first ten minutes, as README tells them, in two terminals; what matters is on the screen.

SPDX-License-Identifier: Apache-2.0
"""

import os
import re
import signal
import sys
import time

import duckdb
import pytest
from doc_pages import REPOSITORY, blocks_of
from harness import COMPUTING, SANITIZER_REPORT
from terminal import Terminal

TEN_MINUTES = 600


@pytest.fixture(scope="module")
def folder(binary, tmp_path_factory):
    made = tmp_path_factory.mktemp("minutes")
    (made / "bin").mkdir()
    (made / "bin" / "volley").symlink_to(binary)
    (made / "visits.csv").write_text("city,visits\nBerlin,3\nOslo,5\n")
    return made


@pytest.fixture(scope="module")
def serving(binary, folder):
    """`make run` where the program is the one it builds, else what that comes to."""
    is_made = binary.resolve() == (REPOSITORY / "build" / "volley").resolve()
    command = ["make", "--no-print-directory", "run"] if is_made else [binary, "serve", "--demo"]
    terminal = Terminal(
        command,
        REPOSITORY if is_made else folder,
        {"HOME": str(folder), "VOLLEY_FLIGHT_ADDR": "127.0.0.1:0", "VOLLEY_HTTP_ADDR": "127.0.0.1:0"},
        columns=300,
    )
    yield terminal
    terminal.close()


@pytest.fixture(scope="module")
def addresses(serving):
    """What the server's screen says; README has the default ones."""
    serving.expect("Try it:", 120)
    serving.expect("fetch_arrow_table", 10)
    return {
        f"127.0.0.1:{port}": re.search(rf"listening {door} (\S+)", serving.shown).group(1)
        for door, port in (("flight", 50052), ("http", 8000))
    }


@pytest.fixture(scope="module")
def user(folder, addresses):
    """A shell in the other terminal."""
    terminal = Terminal(
        ["bash", "--norc", "--noprofile", "-i"],
        folder,
        {
            "PATH": f"{folder / 'bin'}:{os.path.dirname(sys.executable)}:{os.environ['PATH']}",
            "PS1": "$ ",
            "HISTFILE": "",
            "PAGER": "cat",
            "VOLLEY_SERVER": "grpc://" + addresses["127.0.0.1:50052"],
        },
        columns=160,
    )
    terminal.expect("$ ")
    yield terminal
    terminal.line("exit")
    terminal.close()


def type_in(user, addresses, text, prompt="$ "):
    """Types lines as they are in README; returns what the screen shows until the next prompt."""
    for old, new in addresses.items():
        text = text.replace(old, new)
    user.line(text)
    user.expect("\n")
    return user.expect("\n" + prompt, 60)


def fence(language, part):
    """README's block with this text in it."""
    (block,) = [
        block for block in blocks_of("README.md") if block.language == language and part in block.text
    ]
    return block.text.rstrip("\n").replace("\\\n", "").replace("build/volley", "volley")


@pytest.fixture(scope="module")
def busiest(cache):
    sql = "SELECT origin, count(*)::VARCHAR FROM '{}' GROUP BY 1 ORDER BY count(*) DESC LIMIT 5"
    return duckdb.sql(sql.format(cache / "data" / "flights.parquet")).fetchall()


def test_the_story(serving, addresses, user, busiest, folder):
    began = time.monotonic()
    curl_asks(user, addresses, busiest)
    what_the_server_offers_works(serving, user)
    shell_completes_answers_and_stops(user, addresses, busiest)
    file_is_kept(user, addresses)
    python_asks(user, addresses, folder)
    server_stops(serving)
    assert time.monotonic() - began < TEN_MINUTES


def curl_asks(user, addresses, busiest):
    shown = type_in(
        user, addresses, fence("sh", "SELECT origin, count(*) AS flights").replace("curl -d", "curl -s -d")
    )
    for origin, flights in busiest:
        assert origin in shown and flights in shown
    shown = type_in(user, addresses, fence("sh", "FROM taxi LIMIT 3").replace("curl -d", "curl -s -d"))
    assert "tpep_pickup_datetime" in shown and "total_amount" in shown
    shown = type_in(user, addresses, fence("sh", "SELECT payment_type, count(*) AS trips, round"))
    assert "payment_type" in shown and "trips" in shown and "rows)" in shown


def what_the_server_offers_works(serving, user):
    """The commands that it prints when it has started."""
    offered = re.findall(r"^  ((?:curl|\S*volley|python3) .*)$", serving.shown, re.MULTILINE)
    assert [os.path.basename(line.split()[0]) for line in offered] == ["curl", "volley", "python3"]
    where = os.readlink(f"/proc/{serving.process.pid}/cwd")
    counted, table, arrow = (
        type_in(user, {}, f"(cd {where}; {line.replace('curl ', 'curl -s ')})") for line in offered
    )
    assert "3000000" in counted
    assert "(5 rows)" in table and "destination" in table
    assert "pyarrow.Table" in arrow and "origin: string" in arrow


def shell_completes_answers_and_stops(user, addresses, busiest):
    user.line("volley sql")
    user.expect("volley> ")
    assert "flights" in type_in(user, addresses, "\\dt", "volley> ")
    user.type("SELECT origin, count(*) AS flights FROM fli\t")
    user.expect("FROM flights", 30)
    shown = type_in(user, addresses, " GROUP BY 1 ORDER BY 2 DESC LIMIT 5;", "volley> ")
    for origin, flights in busiest:
        assert re.search(rf"{origin} *\| *{flights}", shown), shown
    assert "(5 rows)" in shown
    user.line(COMPUTING.format(mark="too_long") + ";")
    # It shows what it does once it takes longer than a second.
    user.expect("Ctrl-C stops it", 30)
    user.type("\x03")
    assert "Cancelled." in user.expect("volley> ", 30)
    assert "42" in type_in(user, addresses, "SELECT 42 AS answer;", "volley> ")
    user.line("\\q")
    user.expect("$ ")


def file_is_kept(user, addresses):
    assert "visits" in type_in(user, addresses, "volley put visits.csv visits")
    assert re.search(
        r"\b8\b", type_in(user, addresses, "volley sql 'SELECT sum(visits) FROM dataset.visits'")
    )
    assert "visits" in type_in(user, addresses, "volley list")


def python_asks(user, addresses, folder):
    program = fence("python", "adbc_driver_flightsql")
    for old, new in addresses.items():
        program = program.replace(old, new)
    (folder / "seattle.py").write_text(program + "\n")
    shown = type_in(user, addresses, "python3 seattle.py")
    assert "pyarrow.Table" in shown and '"SEA"' in shown


def server_stops(serving):
    serving.type("\x03")
    # make, where it is make that serves, ends by the signal itself.
    assert serving.wait(60) in (0, 130, -signal.SIGINT), serving.shown[-2000:]
    assert not SANITIZER_REPORT.search(serving.shown)
