"""Clients of other languages: arrow-go, arrow-flight (Rust) and the Arrow Flight SQL JDBC driver.

Each is a small program of tests/clients that runs statements from a file and prints one JSON object
a statement. tools/setup_tests.sh builds them; one whose toolchain is absent is skipped by name.

SPDX-License-Identifier: Apache-2.0
"""
import json
import subprocess

import engine_types
import pytest
from harness import clean_environment

pytestmark = [pytest.mark.clients, pytest.mark.timeout(240)]
DRIVER = "flight-sql-jdbc-driver-18.3.0.jar"


@pytest.fixture(params=["go", "rust", "java"])
def client(request, client_program, server, tmp_path):
    """client(lines): what the program answered to each line; client.name tells the language."""
    address = "{}:{}".format(*server.flight_address)
    if request.param == "java":
        driver = client_program(f"java/{DRIVER}", "the Java client (Flight SQL JDBC driver)")
        command = ["java", "--add-opens=java.base/java.nio=ALL-UNNAMED", "-Xmx512m", "-cp",
                   f"{driver}:{driver.parent}", "FlightSqlClient"]
    else:
        names = {"go": "the Go client (arrow-go)", "rust": "the Rust client (arrow-flight)"}
        command = [str(client_program(f"flightsql-{request.param}", names[request.param]))]

    def run(lines):
        file = tmp_path / "statements.txt"
        file.write_text("\n".join(line.replace("\n", " ") for line in lines) + "\n")
        result = subprocess.run([*command, address, str(file)], capture_output=True, text=True,
                                timeout=180, env=clean_environment(), check=False)
        assert result.returncode == 0, result.stderr[-4000:]
        answers = [json.loads(line) for line in result.stdout.splitlines() if line.startswith("{")]
        if request.param == "java":
            product = answers.pop(0)
            assert product["product"] == "Volley"
            assert product["version"].startswith("duckdb v")
        assert len(answers) == len(lines)
        return answers

    run.language = request.param
    return run


def table_of(client, name):
    return f"{name}_{client.language}"


def test_rows_counts_and_errors(client):
    table = table_of(client, "client_rows")
    select = f"SELECT i, s FROM {table} ORDER BY i"
    answers = client([
        f"update CREATE TABLE {table} (i INTEGER PRIMARY KEY, s VARCHAR)",
        f"update INSERT INTO {table} VALUES (1, 'one'), (2, 'two'), (3, 'three')",
        f"update UPDATE {table} SET s = 'zwei' WHERE i = 2",
        f"prepared DELETE FROM {table} WHERE i = 3",
        f"query {select}",
        f"prepared {select}",
        f"update INSERT INTO {table} VALUES (1, 'again')",
        "query SELECT * FROM no_such_table_at_all",
        "query SELEC",
        f"query SELECT count(*) AS n FROM {table}",
    ])
    assert answers[0]["changed"] in (-1, 0)  # JDBC has no -1
    assert [answer["changed"] for answer in answers[1:4]] == [3, 1, 1]
    for answer in answers[4:6]:
        assert answer["columns"] == ["i", "s"]
        assert (answer["values"], answer["rows"]) == (["1", "one"], 2)
    for answer, code, word in (
        (answers[6], "AlreadyExists", "uplicate"),
        (answers[7], "NotFound", "no_such_table_at_all"),
        (answers[8], "InvalidArgument", "SELEC"),
    ):
        assert word in answer["message"]
        if client.language == "go":
            assert answer["code"] == code
    assert answers[9]["values"] == ["2"]


def test_large_result(client):
    (answer,) = client(["query SELECT i, 'text ' || i AS s FROM range(300000) t(i)"])
    assert answer["rows"] == 300000
    assert answer["values"] == ["0", "text 0"]


def test_empty_result_has_its_columns(client):
    (answer,) = client(["query SELECT 1 AS a, 'x' AS b WHERE false"])
    # The JDBC driver (18.3.0) names the columns of an empty result of a plain statement twice: it adds
    # those of the prepared statement to a list that has them already, and clears the list only at a
    # batch with rows, so that no server can help it.
    assert (answer["columns"][:2], answer["rows"]) == (["a", "b"], 0)


# What each language's library calls the value is its own; these are alike in all of them.
ALIKE = {
    "boolean": "true", "tinyint": "-128", "smallint": "-32768", "integer": "-2147483648",
    "bigint": "-9223372036854775808", "utinyint": "255", "usmallint": "65535",
    "uinteger": "4294967295", "ubigint": "18446744073709551615", "hugeint": "9" * 38,
    "float": "1.5", "double": "-2.25", "decimal4": "123.4", "decimal9": "-12.34",
    "decimal18": "-0.001", "decimal38": "-1234567890123456789012345678.0123456789",
    "varchar": "short", "varchar_long": engine_types.LONG_TEXT, "varchar_empty": "",
    "enum": "medium", "date": "1969-12-31", "uhugeint": "9" * 38, "json": '{"a": [1, 2]}',
}
# And these as arrow-rs and the JDBC driver write them; its times have milliseconds.
_TEXT = engine_types.LONG_TEXT
RUST_AND_JAVA = {
    "blob": ("00ff6162", "00ff6162"),
    "bit": ("03f6", "03f6"),
    "bignum": ("7ffffefa", "7ffffefa"),
    "geometry": ("0101000000000000000000f03f0000000000000040",) * 2,
    "uuid": ("00112233445566778899aabbccddeeff",) * 2,
    "time": ("23:59:59.999999", "23:59:59.999"),
    "time_ns": ("01:02:03.123456", "01:02:03.123"),
    "timetz": ("19:32:03", "19:32:03"),
    "timestamp": ("2024-02-29T12:34:56.789012", "2024-02-29 12:34:56.789012"),
    "timestamp_s": ("2024-02-29T12:34:56", "2024-02-29 12:34:56.0"),
    "timestamp_ms": ("1900-01-01T00:00:00.001", "1900-01-01 00:00:00.001"),
    "timestamp_ns": ("2024-02-29T12:34:56.789012", "2024-02-29 12:34:56.789012"),
    "timestamptz": ("2024-07-01T10:00:00Z", "2024-07-01 10:00:00.0"),
    "interval": ("14 mons 3 days 4.000005000 secs", "P14M3D PT4.000005S"),
    "list": ("[1, , 3]", "[1,null,3]"),
    "list_empty": ("[]", "[]"),
    "list_nested": ("[[1], [], , [2, 3]]", "[[1],[],null,[2,3]]"),
    "array": ("[1.5, 2.5, ]", "[1.5,2.5,null]"),
    "struct": (f"{{a: 1, b: {_TEXT}, c: }}", f'{{"a":1,"b":"{_TEXT}"}}'),
    "map": ("{x: 1, y: }", '{"x":1,"y":null}'),
    "list_struct": ("[{k: a, v: [1]}, {k: , v: }]", '[{"k":"a","v":[1]},{}]'),
    "union": ("{num=7}", "7"),
}


def test_every_type_is_compared():
    assert {case.name for case in engine_types.CASES} == {*ALIKE, *RUST_AND_JAVA}


def test_every_type(client):
    cases = engine_types.CASES
    answers = client([f"query {engine_types.statement(case)}" for case in cases])
    for case, answer in zip(cases, answers):
        assert "message" not in answer, (case.name, answer)
        assert answer["rows"] == 2, case.name
        # Java has no unsigned integers: its driver gives the signed ones of the same bits.
        unsigned = case.name.startswith("u") and client.language == "java"
        if case.name in ALIKE and not unsigned:
            assert answer["values"] == [ALIKE[case.name]], case.name
        if case.name in RUST_AND_JAVA and client.language != "go":
            expected = RUST_AND_JAVA[case.name][client.language == "java"]
            assert answer["values"] == [expected], case.name


