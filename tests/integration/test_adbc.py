"""The ADBC Flight SQL driver as its users call it.

SPDX-License-Identifier: Apache-2.0
"""
import adbc_driver_manager
import engine_types
import pyarrow as pa
import pytest

Status = adbc_driver_manager.AdbcStatusCode


def fetch(connection, sql):
    with connection.cursor() as cursor:
        cursor.execute(sql)
        return cursor.fetch_arrow_table()


def test_connect_select(adbc):
    with adbc.cursor() as cursor:
        cursor.execute("SELECT i, i::VARCHAR AS s FROM range(3) t(i)")
        assert cursor.fetchall() == [(0, "0"), (1, "1"), (2, "2")]
        assert [column[0] for column in cursor.description] == ["i", "s"]


def test_create_insert_update_delete_with_counts(adbc):
    with adbc.cursor() as cursor:
        cursor.execute("CREATE TABLE adbc_rows (i INTEGER PRIMARY KEY, s VARCHAR)")
        cursor.execute("INSERT INTO adbc_rows VALUES (1, 'a'), (2, 'b')")
        cursor.executescript("UPDATE adbc_rows SET s = 'c' WHERE i = 2")
        statement = cursor.adbc_statement
        statement.set_sql_query("INSERT INTO adbc_rows VALUES (3, 'd'), (4, 'e'), (5, 'f')")
        assert statement.execute_update() == 3
        statement.set_sql_query("DELETE FROM adbc_rows WHERE i > 3")
        assert statement.execute_update() == 2
    assert fetch(adbc, "SELECT * FROM adbc_rows ORDER BY i").to_pydict() == {
        "i": [1, 2, 3], "s": ["a", "c", "d"],
    }


def test_executing_a_definition_without_fetching_runs_it(adbc):
    with adbc.cursor() as cursor:
        cursor.execute("CREATE TABLE adbc_not_fetched (i INTEGER)")
    with adbc.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM adbc_not_fetched")
        assert cursor.fetchone() == (0,)


def test_several_cursors_of_one_connection(adbc):
    with adbc.cursor() as one, adbc.cursor() as two:
        one.execute("SELECT i FROM range(200000) t(i)")
        two.execute("SELECT i + 1 FROM range(200000) t(i)")
        assert one.fetchone() == (0,)
        assert two.fetchone() == (1,)
        assert len(two.fetchall()) == 199999
        assert len(one.fetchall()) == 199999


@pytest.mark.parametrize(
    ("sql", "status", "text"),
    [
        ("SELEC 1", Status.INVALID_ARGUMENT, "SELEC"),
        ("SELECT nope FROM range(1) t(i)", Status.INVALID_ARGUMENT, "nope"),
        ("FROM no_such_table", Status.NOT_FOUND, "no_such_table"),
        ("CREATE TABLE adbc_exists (i INTEGER)", Status.ALREADY_EXISTS, "adbc_exists"),
        ("INSERT INTO adbc_exists VALUES (1)", Status.ALREADY_EXISTS, "(?i)duplicate"),
        ("INSERT INTO adbc_exists VALUES (NULL)", Status.UNKNOWN, "FailedPrecondition"),
        ("INSTALL httpfs", Status.UNAUTHORIZED, "allow-statements"),
    ],
)
def test_errors_have_the_status_that_fits(adbc, sql, status, text):
    with adbc.cursor() as cursor:
        cursor.execute("CREATE TABLE IF NOT EXISTS adbc_exists (i INTEGER PRIMARY KEY)")
        cursor.execute("INSERT OR IGNORE INTO adbc_exists VALUES (1)")
    with adbc.cursor() as cursor, pytest.raises(adbc_driver_manager.Error, match=text) as caught:
        cursor.execute(sql)
        cursor.fetch_arrow_table()
    # This driver has no status of its own for gRPC's FAILED_PRECONDITION.
    assert caught.value.status_code == status


@pytest.mark.parametrize("case", engine_types.CASES, ids=lambda case: case.name)
def test_types(adbc, case):
    engine_types.check(fetch(adbc, engine_types.statement(case)), case)


def test_all_types_at_once_over_many_vectors(adbc):
    rows = 10_000
    cases = [case for case in engine_types.CASES if case.name != "array"]  # none in CASE
    columns = ", ".join(
        f"CASE WHEN i % 3 = {number % 3} THEN {case.sql} END AS c{number}"
        for number, case in enumerate(cases)
    )
    table = fetch(adbc, f"SELECT i, {columns} FROM range({rows}) t(i) ORDER BY i")
    table.validate(full=True)
    assert table.num_rows == rows
    for number, case in enumerate(cases):
        column = table.column(number + 1)
        if not pa.types.is_union(column.type):
            assert column.null_count == rows - len(range(number % 3, rows, 3)), case.name
        assert column[number % 3].as_py() == case.value, case.name
        assert column[number % 3 + 2 * 3000].as_py() == case.value, case.name
        assert column[number % 3 + 1].as_py() is None, case.name


def test_huge_value_beyond_decimal38_is_an_error_not_a_wrong_number(adbc):
    with pytest.raises(adbc_driver_manager.Error):
        fetch(adbc, f"SELECT {10**38}::HUGEINT AS v")


def test_wide_strings_stay_below_the_drivers_message_limit(adbc):
    table = fetch(adbc, "SELECT repeat('x', 10000) AS s FROM range(5000)")
    assert table.num_rows == 5000
    assert set(table["s"].to_pylist()) == {"x" * 10000}


def test_one_cell_of_ten_megabytes(adbc):
    assert len(fetch(adbc, "SELECT repeat('y', 10000000) AS s")["s"][0].as_py()) == 10_000_000


def test_driver_information(adbc):
    info = adbc.adbc_get_info()
    assert info["vendor_name"] == "Volley"
    assert info["vendor_version"].startswith("duckdb v")


def test_connection_without_autocommit_still_selects(server):
    with server.adbc(autocommit=False) as connection:
        assert fetch(connection, "SELECT 1 AS v")["v"].to_pylist() == [1]


def test_user_and_password_are_accepted(server):
    with server.adbc(db_kwargs={"username": "anyone", "password": "any:thing"}) as connection:
        assert fetch(connection, "SELECT 2 AS v")["v"].to_pylist() == [2]
