"""The interactive shell of `volley sql`, in a terminal.

SPDX-License-Identifier: Apache-2.0
"""
import re

import pytest
from harness import wait_until
from terminal import Terminal


@pytest.fixture
def shell(binary, server, tmp_path):
    """Starts shells; each is at its first prompt."""
    terminals = []

    def start(url=None, environment=None, **options):
        terminal = Terminal([binary, "sql", "--server", url or server.flight_url], tmp_path,
                            {"PAGER": "cat", **(environment or {})}, **options)
        terminals.append(terminal)
        terminal.expect("volley> ")
        return terminal

    yield start
    for terminal in terminals:
        terminal.close()


def test_it_says_where_it_is_and_leaves(shell, server):
    terminal = shell()
    assert server.flight_url in terminal.shown
    assert "\\?" in terminal.shown
    terminal.line("\\q")
    assert terminal.wait() == 0
    terminal = shell()
    terminal.type("\x04")
    assert terminal.wait() == 0


def test_a_statement_may_span_lines(shell):
    terminal = shell()
    terminal.line("SELECT 1 AS a,")
    terminal.expect("-> ")
    terminal.line("'x")
    terminal.expect("'> ")
    assert "x\\ny" in terminal.run("y' AS b;")
    # What came as three lines is one entry of the history.
    terminal.type("\x10")
    terminal.expect("SELECT 1 AS a,")
    terminal.expect("y' AS b;")
    terminal.line("")
    terminal.expect("(1 row)")


def test_errors_show_the_place_and_the_nearest_name(shell):
    terminal = shell()
    terminal.run("CREATE TEMP TABLE journeys (distance INTEGER);")
    shown = terminal.run("SELECT * FROM journys;")
    assert "journeys" in shown and "^" in shown and "LINE 1:" in shown
    assert "distance" in terminal.run("SELECT distanc FROM journeys;")


def test_the_prompt_tells_the_transaction(shell):
    terminal = shell()
    terminal.run("CREATE TEMP TABLE sums (i INTEGER PRIMARY KEY);")
    terminal.line("BEGIN;")
    terminal.expect("volley*> ")
    terminal.line("SELECT nothing_here;")
    terminal.expect("volley*> ")  # a slip of the pen ends nothing
    for number in range(5):
        terminal.line(f"INSERT INTO sums VALUES ({number});")
        terminal.expect("INSERT 1")
        terminal.expect("volley*> ")
        terminal.line("SELECT nothing_here;")
        terminal.expect("volley*> ")
    terminal.line("COMMIT;")
    terminal.expect("\nvolley> ")
    assert "(5 rows)" in terminal.run("FROM sums;")
    terminal.line("BEGIN;")
    terminal.expect("volley*> ")
    terminal.line("INSERT INTO sums VALUES (1), (1);")
    terminal.expect("volley!> ")
    terminal.line("SELECT 1;")
    terminal.expect("volley!> ")
    terminal.line("ROLLBACK;")
    terminal.expect("\nvolley> ")


def test_the_prompt_tells_that_a_commit_has_rolled_back(shell):
    terminal = shell()
    terminal.run("CREATE TEMP TABLE sums (i INTEGER);")
    terminal.line("BEGIN;")
    terminal.expect("volley*> ")
    terminal.line("INSERT INTO sums VALUES (1);")
    terminal.expect("volley*> ")
    terminal.line("INSERT INTO sums VALUES ('one');")
    terminal.expect("volley!> ")
    terminal.line("COMMIT badly;")
    terminal.expect("volley!> ")
    assert "nothing was committed" in terminal.run("COMMIT;")
    assert "(0 rows)" in terminal.run("FROM sums;")


def test_tables_are_completed_and_described(shell):
    terminal = shell()
    terminal.run("CREATE OR REPLACE TABLE completed_trips (fare_amount DOUBLE, driver VARCHAR NOT NULL);")
    terminal.type("SELECT fare_am\t FROM completed_tr\t;\n")
    assert "fare_amount" in terminal.expect("(0 rows)")
    terminal.expect("volley> ")
    shown = terminal.run("\\d completed_trips")
    assert re.search(r"fare_amount\s*\|\s*DOUBLE", shown)
    assert re.search(r"driver\s*\|\s*VARCHAR\s*\|\s*not null", shown)
    terminal.run('CREATE OR REPLACE TABLE "Spaced Out" ("Odd One" INTEGER);')
    terminal.type("FROM Spac\t")
    terminal.expect('"Spaced Out" ')
    assert "Odd One" in terminal.run("WHERE true;")
    terminal.run('DROP TABLE "Spaced Out";')
    assert "completed_trips" in terminal.run("\\dt complet%")
    assert "completed_trips" in terminal.run(".tables")
    assert "main" in terminal.run("\\dn")
    assert "there is no table or view 'nowhere'" in terminal.run("\\d nowhere")
    terminal.run("DROP TABLE completed_trips;")


def test_ctrl_c_drops_a_line_and_stops_a_statement(shell, server):
    terminal = shell()
    terminal.type("SELECT 'dropped'")
    terminal.expect("'dropped'")
    terminal.type("\x03")
    terminal.expect("volley> ")
    terminal.run("CREATE TEMP TABLE kept AS SELECT 42 AS answer;")
    terminal.line("SELECT count(*) AS long_one FROM range(100000000000) a, range(10) b;")
    wait_until(lambda: server.statements("long_one", states=("running",)), what="the statement to run")
    terminal.type("\x03")
    terminal.expect("Cancelled.")
    terminal.expect("volley> ")
    wait_until(lambda: not server.running("long_one"), what="the statement to stop")
    assert "42" in terminal.run("FROM kept;"), "the session is the same"


def test_a_long_statement_shows_that_it_runs(shell):
    terminal = shell()
    terminal.line("SELECT count(*) FROM range(100000000000) a, range(10) b;")
    terminal.expect("Ctrl-C stops it")
    terminal.type("\x03")
    terminal.expect("Cancelled.")


def test_what_shows_that_it_runs_stays_on_its_line(shell):
    terminal = shell(columns=30)
    terminal.line("SELECT count(*) FROM range(100000000000) a, range(10) b;")
    terminal.expect("0 rows  0 B")
    terminal.type("\x03")
    drawn = terminal.expect("Cancelled.") and re.findall(r"\r([0-9]+\.[0-9] s [^\r^]*)", terminal.raw)
    assert drawn and max(map(len, drawn)) < 30, drawn


def test_formats_expansion_types_and_limits(shell):
    terminal = shell()
    assert re.search(r"one\s*\|\s*1\n", terminal.run("SELECT 1 AS one \\gx"))
    terminal.run("\\x on")
    assert "-[ row 2 ]-" in terminal.run("FROM range(2);")
    terminal.run("\\x off")
    terminal.run("\\types on")
    assert "int64" in terminal.run("FROM range(2);")
    terminal.run("\\types off")
    terminal.run("\\limit 3")
    shown = terminal.run("FROM range(100000);")
    assert "(100,000 rows, 3 shown)" in shown
    terminal.run("\\format csv")
    assert "range\n0\n1" in terminal.run("FROM range(2);")
    assert "did you mean json" in terminal.run("\\format jsn")
    terminal.run(".mode tabs")
    assert "a\tb\n1\t\\N" in terminal.run("SELECT 1 AS a, NULL AS b;")
    terminal.run(".mode line")
    assert "-[ row 1 ]-" in terminal.run("SELECT 1 AS a;")
    terminal.run(".mode duckbox")
    assert "(1 row)" in terminal.run("SELECT 1 AS a;")
    assert "not for a terminal" in terminal.run("\\format parquet")
    assert "did you mean \\timing" in terminal.run("\\timin")


def test_results_and_statements_in_files(shell, tmp_path):
    terminal = shell()
    terminal.run(f"\\o {tmp_path}/out.csv")
    terminal.run("\\format csv")
    terminal.run("SELECT 7 AS seven;")
    terminal.run("\\o")
    assert (tmp_path / "out.csv").read_text().split() == ["seven", "7"]
    (tmp_path / "read.sql").write_text("\\set n 40\nSELECT :n + 2 AS v;\n.print done\n")
    shown = terminal.run(f"\\i {tmp_path}/read.sql")
    assert "v\n42" in shown and "done" in shown
    (tmp_path / "loop.sql").write_text(f"\\i {tmp_path}/loop.sql\n")
    assert "deep" in terminal.run(f"\\i {tmp_path}/loop.sql")


def test_the_editor_of_the_user(shell, tmp_path):
    editor = tmp_path / "editor"
    editor.write_text("#!/bin/sh\nsed -i 's/1/2/; s/$/;/' \"$1\"\n")
    editor.chmod(0o755)
    terminal = shell(environment={"EDITOR": str(editor), "VISUAL": ""})
    terminal.run("SELECT 1 AS edited;")
    terminal.line("\\e")
    terminal.expect("SELECT 2 AS edited")
    terminal.expect("(1 row)")
    kept = tmp_path / "it's kept.sql"
    kept.write_text("SELECT 1 AS of_a_file\n")
    terminal.line(f"\\e {kept}")
    terminal.expect("SELECT 2 AS of_a_file;")
    terminal.expect("(1 row)")
    assert kept.read_text() == "SELECT 2 AS of_a_file;\n"
    terminal.line("\\e nowhere/at all.sql")
    terminal.expect("nowhere/at all.sql: No such file")


def test_watch_runs_again_until_ctrl_c(shell):
    terminal = shell()
    terminal.line("SELECT 'again' AS w \\watch 0.1")
    for _ in range(3):
        terminal.expect(" again")
    terminal.type("\x03")
    terminal.expect("volley> ")
    assert "1" in terminal.run("SELECT 1;")


def test_colours_are_for_terminals_and_those_who_want_them(shell, volley, server):
    query = "SELECT NULL AS nothing, 1 AS one;"
    terminal = shell()
    terminal.run(query)
    terminal.run("SELECT nope;")
    assert "\x1b[1mnothing\x1b[0m" in terminal.raw and "\x1b[2mNULL\x1b[0m" in terminal.raw
    assert "\x1b[1;31mError:\x1b[0m" in terminal.raw
    for environment in ({"NO_COLOR": "1"}, {"TERM": "dumb"}):
        terminal = shell(environment=environment)
        terminal.run(query)
        terminal.run("SELECT nope;")
        assert not re.search("\x1b\\[[0-9;]*[12]m|\x1b\\[1;31m", terminal.raw)
    result = volley("sql", "--server", server.flight_url, query, environment={"TERM": "xterm"})
    assert "\x1b" not in result.stdout + result.stderr


def test_colours_of_errors_outside_of_the_shell(binary, server, tmp_path):
    command = [binary, "sql", "--server", server.flight_url, "SELEC 1"]
    for environment, begins in (({}, "\x1b[1;31mvolley:\x1b[0m "), ({"NO_COLOR": "1"}, "volley: ")):
        terminal = Terminal(command, tmp_path, environment)
        terminal.expect("LINE 1: SELEC 1")
        assert terminal.wait() == 4
        assert terminal.raw.startswith(begins)
        terminal.close()


def test_errors_in_files_name_the_line(volley, server, tmp_path):
    (tmp_path / "inner.sql").write_text("SELECT 2;\nSELECT nope;\n")
    (tmp_path / "outer.sql").write_text("SELECT 1;\n\n-- a comment\nSELECT\n  wrong;\n\\i inner.sql\n"
                                        "SELECT 3; SELECT bad;\n")
    result = volley("sql", "--server", server.flight_url, "-v", "ON_ERROR_STOP=0",
                    "-f", tmp_path / "outer.sql")
    for place in ("outer.sql:4: ", "inner.sql:2: ", "outer.sql:7: "):
        assert place in result.stderr, result.stderr


def test_bytes_that_are_no_text_fail_their_statement_alone(volley, server, tmp_path):
    (tmp_path / "odd.sql").write_bytes(b"SELECT 1;\nSELECT 'a\0b';\nSELECT \xff;\nSELECT 4;\n")
    result = volley("sql", "--server", server.flight_url, "--format", "csv", "-v", "ON_ERROR_STOP=0",
                    "-f", tmp_path / "odd.sql")
    assert result.stdout.split() == ["1", "1", "4", "4"]
    assert "odd.sql:2: the statement is not" in result.stderr
    assert "odd.sql:3: the statement is not" in result.stderr
    result = volley("sql", "--server", server.flight_url, "-f", tmp_path)
    assert (result.returncode, result.stderr.count(":0:")) == (1, 0)
    assert "cannot read" in result.stderr


def test_nothing_of_a_server_commands_the_terminal(shell):
    terminal = shell(environment={"NO_COLOR": "1"})
    name = '"evil\x16\x1b[31m"'  # Ctrl-V lets the editor take the next byte as it is
    terminal.run(f"CREATE TEMP TABLE {name} (i INTEGER);")
    assert "evil\\x1b[31m" in terminal.run(f"\\d {name}")
    evil = "'a' || chr(27) || '[31mred' || chr(155) || chr(7)"
    assert "a\\x1b[31mred" in terminal.run(f"SELECT error({evil});")
    for name in ("csv", "tsv", "json", "ndjson", "markdown", "table"):
        terminal.run(f"\\format {name}")
        terminal.run(f"SELECT {evil} AS evil, 1 AS \"x\\y\";")
        assert "\r\\n" not in terminal.shown, "lines end as they do"
    assert "\x1b[31m" not in terminal.raw and not set("\x9b\x07") & set(terminal.raw)


def test_timing(shell):
    terminal = shell()
    terminal.run("\\timing on")
    assert re.search(r"Time: [0-9.]+ ms", terminal.run("SELECT 1;"))


def test_what_is_too_high_goes_through_the_pager(shell):
    terminal = shell(environment={"PAGER": "sed s/^/paged:/"}, rows=20)
    assert "paged:" not in terminal.run("FROM range(3);")
    assert "paged:" in terminal.run("FROM range(100);")
    terminal.run("\\pager off")
    assert "paged:" not in terminal.run("FROM range(100);")


def test_history_is_kept_and_private(shell, tmp_path):
    terminal = shell()
    terminal.run("SELECT 'remembered';")
    terminal.line("\\q")
    assert terminal.wait() == 0
    history = tmp_path / ".local/state/volley/history"
    assert history.stat().st_mode & 0o077 == 0
    terminal = shell()
    terminal.type("\x10\x10")
    terminal.expect("SELECT 'remembered';")


def test_histories_of_several_shells_and_of_killed_ones(shell, tmp_path):
    first, second = shell(), shell()
    first.run("SELECT 'of the first \\ one';")
    second.run("SELECT 'grüße of the second';")
    first.process.kill()
    second.process.kill()
    terminal = shell()
    terminal.type("\x10")
    terminal.expect("grüße of the second")
    terminal.type("\x10")
    terminal.expect("first \\ one")


def test_a_file_that_is_no_history_is_left_alone(shell, tmp_path):
    (tmp_path / "notes").write_bytes(b"mine\n\xff\0")
    terminal = shell(environment={"VOLLEY_HISTORY": str(tmp_path / "notes")})
    assert "is no history" in terminal.shown
    terminal.run("SELECT 1;")
    terminal.line("\\q")
    assert terminal.wait() == 0
    assert (tmp_path / "notes").read_bytes() == b"mine\n\xff\0"


def test_what_a_history_holds_is_anything(shell, tmp_path):
    odd = b"_HiStOrY_V2_\n\\\n\\M\n\\9\n\\000\n\x1b[31m\n"
    (tmp_path / "odd").write_bytes(odd + b"y" * 300000 + b"\0\n\n")
    terminal = shell(environment={"VOLLEY_HISTORY": str(tmp_path / "odd")})
    assert "(1 row)" in terminal.run("SELECT 1;")
    terminal.type("\x10\x10\x10\x10\x10\x10\x03")
    terminal.expect("volley> ")
    assert "\x1b[31m" not in terminal.raw
    terminal.line("\\q")
    assert terminal.wait() == 0


def test_a_lost_connection_is_made_again(shell, start_server, tmp_path):
    server = start_server()
    port = server.flight_address[1]
    terminal = shell(url=server.flight_url)
    terminal.line("BEGIN;")
    terminal.expect("volley*> ")
    server.kill()
    terminal.line("SELECT 1;")
    terminal.expect("The connection was lost")
    terminal.expect("volley> ")
    start_server("--flight-addr", f"127.0.0.1:{port}")
    assert "(1 row)" in terminal.run("SELECT 5 AS five;")


def test_a_connection_that_ended_between_statements_is_told(shell, start_server):
    server = start_server()
    port = server.flight_address[1]
    terminal = shell(url=server.flight_url)
    terminal.line("BEGIN;")
    terminal.expect("volley*> ")
    server.stop()
    server = start_server("--flight-addr", f"127.0.0.1:{port}")
    terminal.line("CREATE TABLE outside AS SELECT 1 AS a;")
    terminal.expect("The connection was lost")
    terminal.expect("the statement was not run: its transaction ended with the connection")
    terminal.expect("volley> ")
    assert "(1 row)" in terminal.run("SELECT 5 AS five;")
    assert server.value("SELECT count(*) FROM duckdb_tables() WHERE table_name = 'outside'") == 0
    server.stop()
    start_server("--flight-addr", f"127.0.0.1:{port}")
    terminal.line("SELECT 6 AS six;")
    terminal.expect("The connection was lost")
    terminal.expect("(1 row)")


def test_scripts_have_variables_and_may_go_on(volley, server, tmp_path):
    (tmp_path / "s.sql").write_text("SELECT :'who' AS w;\nSELECT nope;\nSELECT :n AS n;\n")
    arguments = ["sql", "--server", server.flight_url, "--format", "csv", "-f", tmp_path / "s.sql",
                 "-v", "who=O'Hara", "-v", "n=3"]
    result = volley(*arguments)
    assert (result.returncode, result.stdout.split()) == (4, ["w", "O'Hara"])
    result = volley(*arguments, "-v", "ON_ERROR_STOP=0")
    assert (result.returncode, result.stdout.split()) == (4, ["w", "O'Hara", "n", "3"])
    result = volley(*arguments, "-v", "1x=2")
    assert result.returncode == 2 and "1x" in result.stderr
