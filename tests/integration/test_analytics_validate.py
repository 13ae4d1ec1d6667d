"""/queries/validate: what is told of a statement that is not run.

SPDX-License-Identifier: Apache-2.0
"""
import uuid

import pytest
from job_calls import expect_error, post

pytestmark = pytest.mark.timeout(60)


def validate(server, sql):
    answer = post(server, "/queries/validate", {"sql": sql})
    assert answer.status == 200, answer.text
    assert {"valid", "estimated_bytes_processed", "estimated_rows_scanned", "estimated_execution_time_ms",
            "affected_tables", "query_type", "warnings", "errors", "suggestion"} <= answer.json.keys()
    return answer.json


@pytest.fixture(scope="module")
def table(server):
    name = "v_" + uuid.uuid4().hex
    server.rows(f"CREATE TABLE {name} AS SELECT i AS n, 'text' AS t FROM range(20000) r(i)")
    return name


def test_a_good_statement_is_valid_with_its_cost(server, table):
    told = validate(server, f"SELECT n, count(*) FROM {table} WHERE n > 5 GROUP BY n LIMIT 10")
    assert (told["valid"], told["errors"], told["warnings"]) == (True, [], [])
    assert told["query_type"] == "SELECT" and told["affected_tables"] == [table]
    assert 0 < told["estimated_rows_scanned"] <= 20000 and told["estimated_bytes_processed"] > 0
    assert told["estimated_execution_time_ms"] >= 10
    assert told["message"].startswith("This query will process ")


def test_warnings_tell_of_wide_and_long_reads(server, table):
    told = validate(server, f"SELECT * FROM {table}")
    assert len(told["warnings"]) == 3 and told["suggestion"]
    assert told["estimated_rows_scanned"] == 20000


@pytest.mark.parametrize("sql, kind", [
    ("INSERT INTO {} VALUES (1, 'x')", "INSERT"), ("UPDATE {} SET n = 0", "UPDATE"),
    ("DELETE FROM {} WHERE n = 1", "DELETE"), ("CREATE TABLE other_{} (a INTEGER)", "CREATE"),
    ("DROP TABLE {}", "DROP"), ("ALTER TABLE {} ADD COLUMN z INTEGER", "ALTER"),
    ("WITH w AS (SELECT 1 AS a) SELECT a FROM w", "WITH"), ("-- why\nSHOW TABLES", "OTHER")])
def test_the_kind_of_a_statement_which_is_not_run(server, table, sql, kind):
    told = validate(server, sql.format(table))
    assert (told["valid"], told["query_type"]) == (True, kind), told
    if kind in ("INSERT", "UPDATE", "DELETE"):
        assert table in told["affected_tables"]
    assert server.value(f"SELECT count(*) FROM {table} WHERE n > 0") == 19999
    assert server.value(f"SELECT count(*) FROM information_schema.columns WHERE table_name = '{table}'") == 2


@pytest.mark.parametrize("sql, word", [
    ("SELEC 1", "SELEC"), ("SELECT nn FROM {}", "nn"), ("SELECT * FROM {}x", "does not exist")])
def test_a_statement_that_would_not_run_is_told_why(server, table, sql, word):
    told = validate(server, sql.format(table))
    assert told["valid"] is False and word in told["errors"][0] == told["message"]
    if "x" in sql:
        assert table in told["suggestion"]


def test_validating_checks_its_fields(server):
    answer = post(server, "/queries/validate", {"sql": "", "engine": 1})
    assert len(expect_error(answer, 422, "VALIDATION_ERROR")["errors"]) == 2
    answer = post(server, "/queries/validate", {"sql": "SELECT 1", "engine": "db2"})
    expect_error(answer, 400, "UNKNOWN_ENGINE")
