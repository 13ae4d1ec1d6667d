"""The statement gate: what reaches beyond the database is refused, naming the rule and the setting.

SPDX-License-Identifier: Apache-2.0
"""
import re

import flight_sql
import pyarrow.flight
import pytest

REFUSED = [
    "ATTACH ':memory:' AS other",
    "ATTACH '/tmp/other.db' AS other",
    "DETACH memory",
    "COPY (SELECT 1) TO '/tmp/volley-gate.csv'",
    "COPY (SELECT 1) TO '/tmp/volley-gate.parquet' (FORMAT parquet)",
    "COPY FROM DATABASE memory TO temp",
    "EXPORT DATABASE '/tmp/volley-gate'",
    "IMPORT DATABASE '/tmp/volley-gate'",
    "INSTALL httpfs",
    "FORCE INSTALL httpfs",
    "LOAD httpfs",
    "UPDATE EXTENSIONS",
    "SET threads = 1",
    "SET GLOBAL memory_limit = '1TB'",
    "RESET memory_limit",
    "SET enable_external_access = true",
    "SET lock_configuration = false",
    "SET default_null_order = 'nulls_first'",
    "PRAGMA disable_checkpoint_on_shutdown",
    "PRAGMA enable_profiling",
    "PRAGMA enable_verification",
    "PRAGMA disable_optimizer",
    "CHECKPOINT",
    "FORCE CHECKPOINT",
    "CALL enable_logging()",
    "FROM enable_logging(storage = 'file', storage_config = {'path': '/tmp/volley-gate.log'})",
    "SELECT * FROM disable_logging()",
    "SELECT * FROM truncate_duckdb_logs()",
    "SELECT write_log('x')",
    "FROM checkpoint()",
    "FROM force_checkpoint()",
    "SELECT * FROM read_text('/etc/passwd')",
    "SELECT * FROM read_blob('/etc/passwd')",
    "SELECT * FROM read_csv('/etc/passwd')",
    "SELECT * FROM read_csv_auto('/etc/passwd')",
    "SELECT * FROM read_json('/etc/passwd')",
    "SELECT * FROM read_json_auto('/etc/passwd')",
    "SELECT * FROM read_ndjson('/etc/passwd')",
    "SELECT * FROM read_parquet('/etc/passwd')",
    "SELECT * FROM parquet_scan('/etc/passwd')",
    "SELECT * FROM parquet_metadata('/etc/passwd')",
    "SELECT * FROM parquet_schema('/etc/passwd')",
    "SELECT * FROM sniff_csv('/etc/passwd')",
    "SELECT * FROM glob('/etc/*')",
    "SELECT * FROM '/etc/passwd.csv'",
    "SELECT * FROM '/etc/*.csv'",
    'SELECT * FROM "read_text"(\'/etc/passwd\')',
    "SELECT * FROM READ_TEXT('/etc/passwd')",
    "SELECT * FROM read_text /* gap */ ('/etc/passwd')",
    "SELECT * FROM system.main.read_text('/etc/passwd')",
    "SELECT (SELECT content FROM read_text('/etc/passwd'))",
    "WITH a AS (SELECT * FROM glob('/etc/*')) FROM a",
    "SELECT 1; SELECT * FROM read_text('/etc/passwd')",
    "EXPLAIN ANALYZE SELECT * FROM read_text('/etc/passwd')",
    "PREPARE p AS SELECT * FROM read_text('/etc/passwd')",
    "CREATE VIEW sneaky AS SELECT * FROM read_text('/etc/passwd')",
    "CREATE MACRO sneaky() AS TABLE SELECT * FROM read_text('/etc/passwd')",
    "SELECT * FROM query('SELECT 1')",
    "SELECT * FROM query_table('duckdb_settings')",
    "CREATE SECRET s (TYPE s3, KEY_ID 'a', SECRET 'b')",
    "CREATE PERSISTENT SECRET s (TYPE s3, KEY_ID 'a', SECRET 'b')",
]


@pytest.mark.parametrize("sql", REFUSED)
def test_refused_with_rule_and_setting(server, sql):
    answer = server.query(sql, "json")
    assert answer.status == 403, (answer.status, answer.text)
    body = answer.json
    assert body["code"] == "STATEMENT_NOT_ALLOWED"
    assert re.search("allow-statements|allowed-paths", body["detail"]), body["detail"]


@pytest.mark.parametrize("sql", REFUSED[::6])
def test_refused_over_flight_as_permission_denied(flight, sql):
    with pytest.raises(pyarrow.flight.FlightUnauthorizedError, match="allow"):
        flight_sql.query(flight, sql)
    with pytest.raises(pyarrow.flight.FlightUnauthorizedError):
        flight_sql.update(flight, sql)
    with pytest.raises(pyarrow.flight.FlightUnauthorizedError):
        handle, _, _ = flight_sql.prepare(flight, sql)
        info = flight.get_flight_info(flight_sql.prepared_descriptor(handle))
        flight.do_get(info.endpoints[0].ticket).read_all()


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT 'read_text(''/etc/passwd'')' AS v",
        "SELECT 1 AS v -- read_text('/etc/passwd')",
        "SELECT 1 AS v /* glob('x') */",
        'SELECT "glob" AS v FROM (SELECT 1 AS "glob")',
        'SELECT "query" AS v FROM (SELECT 1 AS "query")',
        "SELECT 'a' GLOB 'a*' AS v",
        "WITH checkpoint AS (SELECT 1 AS v) SELECT v FROM checkpoint",
        "CREATE TEMP TABLE t_gate (i INTEGER)",
        "EXPLAIN SELECT 1",
    ],
)
def test_names_that_only_look_like_it_are_fine(server, sql):
    answer = server.query(sql, "json")
    assert answer.status == 200, answer.text


def test_the_database_file_cannot_be_read_or_overwritten(start_server, tmp_path):
    database = tmp_path / "precious.db"
    server = start_server("--database", database)
    server.query("CREATE TABLE kept AS SELECT 1 AS v", "json")
    for sql in (
        f"COPY (SELECT 1) TO '{database}' (USE_TMP_FILE false)",
        f"SELECT * FROM read_blob('{database}')",
        f"SELECT * FROM read_blob('{database}.wal')",
        f"ATTACH '{database}' AS again",
    ):
        assert server.query(sql, "json").status == 403
    assert server.value("SELECT v FROM kept") == 1


def test_an_operator_can_allow_a_rule(start_server, server):
    refusal = server.query("PRAGMA disable_verification", "json").json["detail"]
    rule = re.search(r"rule '([a-z-]+)'", refusal).group(1)
    allowing = start_server("--allow-statements", rule)
    assert allowing.query("PRAGMA disable_verification", "json").status == 200


def test_a_rule_that_does_not_exist_is_refused_at_start(volley):
    result = volley("serve", "--flight-addr", "127.0.0.1:0", "--http-addr", "127.0.0.1:0",
                    "--allow-statements", "pragmas")
    assert result.returncode != 0
    assert "no rule 'pragmas'" in result.stderr
    assert "pragma, " in result.stderr


def test_nothing_is_fetched_from_the_network(server):
    for sql in ("SELECT * FROM 'http://127.0.0.1:9/x.csv'", "SELECT * FROM 's3://bucket/x.parquet'",
                "CALL dbgen(sf = 0.01)", "SELECT st_point(1, 2)"):
        assert server.query(sql, "json").status in (400, 403, 404)


def test_one_session_does_not_change_another(server):
    with server.flight() as one, server.flight() as two:
        flight_sql.update(one, "CREATE TEMP TABLE only_mine (i INTEGER)")
        flight_sql.query(one, "FROM only_mine")
        with pytest.raises(KeyError):
            flight_sql.query(two, "FROM only_mine")


def test_transactions_of_a_connection(server):
    with server.flight() as one, server.flight() as two:
        flight_sql.update(one, "CREATE TABLE in_transaction (i INTEGER)")
        flight_sql.update(one, "BEGIN")
        flight_sql.update(one, "INSERT INTO in_transaction VALUES (1)")
        sql = "SELECT count(*) AS c FROM in_transaction"
        assert flight_sql.query(one, sql)["c"].to_pylist() == [1]
        assert flight_sql.query(two, sql)["c"].to_pylist() == [0]
        flight_sql.update(one, "ROLLBACK")
        assert flight_sql.query(one, sql)["c"].to_pylist() == [0]
