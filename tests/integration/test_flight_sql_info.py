"""GetSqlInfo and GetXdbcTypeInfo: complete, of the kinds that clients read blindly, and true of the engine.

SPDX-License-Identifier: Apache-2.0
"""
import pathlib
import re

import flight_sql
import pyarrow as pa
import pyarrow.flight
import pytest
from harness import Server

ROOT = pathlib.Path(__file__).resolve().parents[2]
TEXT, BOOL, BIGINT, BITMASK, LIST, MAP = range(6)
KINDS = {
    TEXT: ("FLIGHT_SQL_SERVER_NAME FLIGHT_SQL_SERVER_VERSION FLIGHT_SQL_SERVER_ARROW_VERSION"
           " FLIGHT_SQL_SERVER_SUBSTRAIT_MIN_VERSION FLIGHT_SQL_SERVER_SUBSTRAIT_MAX_VERSION"
           " SQL_IDENTIFIER_QUOTE_CHAR SQL_SEARCH_STRING_ESCAPE SQL_EXTRA_NAME_CHARACTERS"
           " SQL_SCHEMA_TERM SQL_PROCEDURE_TERM SQL_CATALOG_TERM"),
    BIGINT: "SQL_IDENTIFIER_CASE SQL_QUOTED_IDENTIFIER_CASE SQL_NULL_ORDERING"
            " SQL_DEFAULT_TRANSACTION_ISOLATION SQL_DB_SCHEMA_NAME_LENGTH",
    BITMASK: ("FLIGHT_SQL_SERVER_TRANSACTION FLIGHT_SQL_SERVER_STATEMENT_TIMEOUT"
              " FLIGHT_SQL_SERVER_TRANSACTION_TIMEOUT SQL_SUPPORTED_GROUP_BY SQL_SUPPORTED_GRAMMAR"
              " SQL_ANSI92_SUPPORTED_LEVEL SQL_OUTER_JOINS_SUPPORT_LEVEL SQL_SUPPORTED_UNIONS"
              " SQL_SCHEMAS_SUPPORTED_ACTIONS SQL_CATALOGS_SUPPORTED_ACTIONS SQL_SUPPORTED_SUBQUERIES"
              " SQL_SUPPORTED_POSITIONED_COMMANDS SQL_SUPPORTED_RESULT_SET_TYPES"
              " SQL_SUPPORTED_TRANSACTIONS_ISOLATION_LEVELS"),
    LIST: "SQL_KEYWORDS SQL_NUMERIC_FUNCTIONS SQL_STRING_FUNCTIONS SQL_SYSTEM_FUNCTIONS"
          " SQL_DATETIME_FUNCTIONS",
    MAP: "SQL_SUPPORTS_CONVERT",
}
# Reserved by SQL:2003, as far as the engine reserves them too: JDBC wants to hear of the others.
STANDARD = """ALL AND ANY ARRAY AS ASYMMETRIC AT AUTHORIZATION BINARY BOTH BY CASE CAST CHECK COLLATE
COLUMN CONSTRAINT CREATE CROSS DEFAULT DESCRIBE DISTINCT ELSE END EXCEPT FALSE FETCH FOR FOREIGN FROM
FULL GROUP HAVING IN INNER INTERSECT INTO IS JOIN LATERAL LEADING LEFT LIKE NATURAL NOT NULL ON ONLY OR
ORDER OUTER OVERLAPS PRIMARY REFERENCES RIGHT SELECT SIMILAR SOME SYMMETRIC TABLE TABLESAMPLE THEN TO
TRAILING TRUE UNION UNIQUE USING WHEN WHERE WINDOW WITH""".split()
VALUES = ["1::BIGINT", "'1'::BLOB", "true", "'1'", "DATE '2020-01-01'", "1::DECIMAL(10, 2)",
          "1::DOUBLE", "1::INTEGER", "INTERVAL 1 DAY", "INTERVAL 1 MONTH", "'1'::BLOB", "'1'",
          "1::DECIMAL(10, 2)", "1::FLOAT", "1::SMALLINT", "TIME '01:00:00'",
          "TIMESTAMP '2020-01-01'", "1::TINYINT", "'1'::BLOB", "'1'"]


@pytest.fixture(scope="module")
def server(binary, tmp_path_factory):
    own = Server(binary, tmp_path_factory.mktemp("info")).wait_ready()
    yield own
    own.stop()


@pytest.fixture(scope="module")
def info(server):
    """{name: (kind, value)} of everything that the server tells when nothing is asked for."""
    table = listed(server, "CommandGetSqlInfo")
    names = {number: name for name, number in specified().items()}
    values = table.column("value").combine_chunks()
    if isinstance(values, pa.ChunkedArray):
        values = values.chunk(0)
    numbers = table.column("info_name").to_pylist()
    assert len(set(numbers)) == len(numbers)
    return {names[number]: (values.type_codes[row].as_py(), values[row].as_py())
            for row, number in enumerate(numbers)}


def listed(server, name, message=b""):
    with server.flight() as client:
        descriptor = pyarrow.flight.FlightDescriptor.for_command(flight_sql.packed(name, message))
        flight = client.get_flight_info(descriptor)
        return client.do_get(flight.endpoints[0].ticket).read_all()


def specified():
    """The numbers of enum SqlInfo."""
    text = (ROOT / "src/proto/flight_sql.proto").read_text()
    (body,) = re.findall(r"^enum SqlInfo \{(.*?)^\}", text, re.M | re.S)
    return {name: int(number) for name, number in re.findall(r"^\s*(\w+) = (\d+);", body, re.M)}


def kind_of(name):
    for kind, members in KINDS.items():
        if name in members.split():
            return kind
    if name.startswith("SQL_SUPPORTED_CONCURRENCIES"):
        return BITMASK
    if name.startswith("SQL_MAX_") and name != "SQL_MAX_ROW_SIZE_INCLUDES_BLOBS":
        return BIGINT
    return BOOL


def test_every_number_of_the_specification_and_no_other(info):
    assert len(specified()) > 85
    assert set(info) == set(specified())


def test_each_value_is_of_the_kind_that_clients_read(info):
    assert {name: kind for name, (kind, _) in info.items()} == {name: kind_of(name) for name in info}


def test_a_number_asked_for_comes_alone_and_an_unknown_one_not(server):
    asked = listed(server, "CommandGetSqlInfo",
                   flight_sql.field(1, specified()["SQL_KEYWORDS"]) + flight_sql.field(1, 99999))
    assert asked.column("info_name").to_pylist() == [specified()["SQL_KEYWORDS"]]


def test_keywords_are_the_engines(server, info):
    rows = server.rows("SELECT keyword_name AS name FROM duckdb_keywords()"
                       " WHERE keyword_category IN ('reserved', 'type_function')")
    reserved = {row["name"].upper() for row in rows}
    assert set(STANDARD) <= reserved
    assert info["SQL_KEYWORDS"][1] == sorted(reserved - set(STANDARD))


@pytest.mark.parametrize("kind", ["NUMERIC", "STRING", "SYSTEM", "DATETIME"])
def test_functions_exist(server, info, kind):
    told = info[f"SQL_{kind}_FUNCTIONS"][1]
    known = {row["name"] for row in server.rows(
        "SELECT DISTINCT function_name AS name FROM duckdb_functions()")}
    assert told == sorted(told) and set(told) <= known, set(told) - known


def test_conversions_are_those_of_cast(server, info):
    told = {source: set(targets) for source, targets in info["SQL_SUPPORTS_CONVERT"][1]}
    kinds = [server.value(f"SELECT typeof({value})") for value in VALUES]
    done = {}
    for number, value in enumerate(VALUES):
        done[number] = set()
        for target, kind in enumerate(kinds):
            answer = server.query(f"SELECT CAST(x AS {kind}) FROM (SELECT {value} AS x)", "ndjson")
            if answer.status == 200 or answer.json["sqlstate"] not in ("42846", "42804"):
                done[number].add(target)
    assert told == done


@pytest.mark.parametrize("name,sql", [
    ("SQL_EXTRA_NAME_CHARACTERS", "SELECT 1 AS a$b"),
    ("SQL_SCHEMAS_SUPPORTED_ACTIONS", "CREATE INDEX i ON main.facts (a)"),
    ("SQL_CATALOGS_SUPPORTED_ACTIONS", "CREATE INDEX j ON memory.main.facts (a)"),
    ("SQL_SUPPORTED_GROUP_BY", "SELECT 1 FROM range(3) t(i) GROUP BY i"),
    ("SQL_SUPPORTS_ORDER_BY_UNRELATED", "SELECT 1 FROM range(3) t(i) ORDER BY i * 2"),
    ("SQL_SUPPORTED_SUBQUERIES", "SELECT 1 WHERE 1 < ALL (SELECT 2) AND EXISTS (SELECT 1)"),
    ("SQL_OUTER_JOINS_SUPPORT_LEVEL", "FROM range(2) a(i) FULL JOIN range(3) b(i) ON a.i = b.i"),
    ("SQL_SUPPORTS_LIKE_ESCAPE_CLAUSE", "SELECT 'a%' LIKE 'a!%' ESCAPE '!'"),
    ("SQL_DDL_SCHEMA", "CREATE SCHEMA made"),
])
def test_what_is_said_to_work_works(server, info, name, sql):
    server.query("CREATE TABLE IF NOT EXISTS facts (a INTEGER)")
    assert info[name][1]
    assert server.query(sql, "json").status == 200


def test_what_is_said_not_to_work_does_not(server, info):
    assert info["SQL_SAVEPOINTS_SUPPORTED"][1] is False
    assert server.query("SAVEPOINT s").status == 501
    assert info["SQL_DDL_CATALOG"][1] is False
    assert server.query("ATTACH ':memory:' AS other").status == 403


def test_limits_are_the_settings(server, info):
    (setting,) = server.rows("SELECT value FROM volley.settings WHERE name = 'max-prepared-statements'")
    assert info["SQL_MAX_STATEMENTS"][1] == int(setting["value"]) > 0


def test_order_and_case_are_the_engines(server, info):
    assert info["SQL_NULL_ORDERING"][1] == 3
    for direction in ("ASC", "DESC"):
        rows = server.rows(f"SELECT * FROM (VALUES (1), (NULL), (2)) t(i) ORDER BY i {direction}")
        assert rows[-1]["i"] is None
    assert info["SQL_IDENTIFIER_CASE"][1] == info["SQL_QUOTED_IDENTIFIER_CASE"][1] == 1
    assert server.rows('SELECT MiXed FROM (SELECT 1 AS "mIxED")') == [{"mIxED": 1}]


def test_types_are_those_that_columns_are_described_with(server):
    types = listed(server, "CommandGetXdbcTypeInfo").to_pylist()
    known = {row["type_name"]: row for row in types}
    engine = {row["name"] for row in server.rows(
        "SELECT DISTINCT logical_type AS name FROM duckdb_types()"
        " WHERE database_name = 'system' AND logical_type NOT IN ('NULL', 'TYPE', 'VARIANT')")}
    assert engine <= set(known), engine - set(known)
    simple = engine - {"ARRAY", "DECIMAL", "ENUM", "LIST", "MAP", "STRUCT", "UNION"}
    columns = ", ".join(f'NULL::{name} AS "{name}"' for name in sorted(simple))
    with server.flight() as client:
        schema = client.get_schema(flight_sql.query_descriptor(f"SELECT {columns}")).schema
    for field in schema:
        facts = {key.removeprefix(b"ARROW:FLIGHT:SQL:").decode(): value.decode()
                 for key, value in (field.metadata or {}).items()}
        assert facts["TYPE_NAME"] == field.name
        row = known[field.name]
        if "PRECISION" in facts:
            assert row["column_size"] == int(facts["PRECISION"]), field.name
        if "SCALE" in facts:
            assert row["maximum_scale"] == int(facts["SCALE"]), field.name


def test_the_closest_type_comes_first(server):
    for number, name in ((12, "VARCHAR"), (-3, "BLOB"), (4, "INTEGER"), (93, "TIMESTAMP")):
        message = flight_sql.field(1, number)
        assert listed(server, "CommandGetXdbcTypeInfo", message)["type_name"][0].as_py() == name
    assert listed(server, "CommandGetXdbcTypeInfo", flight_sql.field(1, 77)).num_rows == 0
