"""Names in statements: case, quotes, catalogs and schemas (docs/flight-sql.md, "Identifiers and catalogs").

SPDX-License-Identifier: Apache-2.0
"""
import flight_sql
import pyarrow as pa
import pyarrow.flight
import pytest


def value(client, sql):
    (column,) = flight_sql.query(client, sql).columns
    (found,) = column.to_pylist()
    return found


def run(client, *statements):
    for statement in statements:
        flight_sql.update(client, statement)


@pytest.fixture
def two_catalogs(start_server, tmp_path):
    """A client of a server with a second database; each table t says where it is."""
    server = start_server("--allow-statements", "attach", "--allowed-paths", tmp_path)
    with server.flight() as client:
        run(client, f"ATTACH '{tmp_path}/second.db' AS second", "CREATE SCHEMA aside",
            "CREATE TABLE t AS SELECT 'memory.main' AS place",
            "CREATE TABLE aside.t AS SELECT 'memory.aside' AS place",
            "CREATE TABLE second.t AS SELECT 'second.main' AS place")
        yield client


def place(client, name):
    return value(client, f"SELECT place FROM {name}")


def test_names_are_compared_without_case_and_keep_theirs(flight):
    run(flight, 'CREATE TABLE CaseKept (Id INTEGER, "Other Name" VARCHAR)',
        "INSERT INTO casekept VALUES (1, 'a')")
    for name in ("CaseKept", "CASEKEPT", '"cAsEkEpT"'):
        table = flight_sql.query(flight, f'SELECT ID, "other name" FROM {name}')
        assert table.schema.names == ["Id", "Other Name"]
    with pytest.raises(pa.ArrowException, match="(?i)already exists"):
        run(flight, "CREATE TABLE casekept (i INTEGER)")
    with pytest.raises(pa.ArrowException, match="already exists"):
        run(flight, "CREATE TABLE same_column (a INTEGER, A INTEGER)")
    assert value(flight, "SELECT table_name FROM information_schema.tables"
                         " WHERE lower(table_name) = 'casekept'") == "CaseKept"


def test_only_ascii_letters_have_case(flight):
    run(flight, 'CREATE TABLE "É" AS SELECT 1 AS i', 'CREATE TABLE "é" AS SELECT 2 AS i')
    assert (value(flight, 'SELECT i FROM "É"'), value(flight, 'SELECT i FROM "é"')) == (1, 2)


def test_quotes_and_columns_of_results(flight):
    table = flight_sql.query(flight, 'SELECT 1 AS "we""ird", 2 AS a, 3 AS A, 4 AS "select"')
    assert table.schema.names == ['we"ird', "a", "A", "select"]


def test_one_part_two_parts_three_parts(two_catalogs):
    client = two_catalogs
    assert place(client, "t") == "memory.main"
    assert place(client, "aside.t") == "memory.aside"
    assert place(client, "second.t") == "second.main"
    assert place(client, "memory.t") == "memory.main"
    assert place(client, "MEMORY.Aside.T") == "memory.aside"
    assert place(client, "second.main.t") == "second.main"


def test_what_may_be_a_catalog_or_a_schema_is_refused(two_catalogs):
    client = two_catalogs
    run(client, "CREATE SCHEMA memory.second", "CREATE TABLE memory.second.t AS SELECT 'schema' AS place")
    with pytest.raises(pa.ArrowInvalid, match="Ambiguous.*second"):
        place(client, "second.t")
    assert place(client, "second.main.t") == "second.main"
    assert place(client, "memory.second.t") == "schema"


def test_a_temporary_table_hides_others_of_its_name(two_catalogs):
    client = two_catalogs
    run(client, "CREATE TEMP TABLE t AS SELECT 'temporary' AS place")
    for name in ("t", "main.t", "temp.t"):
        assert place(client, name) == "temporary"
    assert place(client, "memory.main.t") == "memory.main"
    run(client, "DROP TABLE temp.t")
    assert place(client, "t") == "memory.main"


def test_use_is_where_names_are_looked_for_and_made(two_catalogs):
    client = two_catalogs
    run(client, "USE aside", "CREATE TABLE made AS SELECT 1 AS i")
    assert place(client, "t") == "memory.aside"
    assert value(client, "SELECT i FROM memory.aside.made") == 1
    run(client, "USE second")
    assert place(client, "t") == "second.main"
    assert place(client, "memory.aside.t") == "memory.aside"
    run(client, "SET search_path = 'second.main,memory.aside'")
    assert value(client, "SELECT i FROM made") == 1


def test_metadata_tells_names_as_they_were_made(two_catalogs):
    client = two_catalogs
    run(client, 'CREATE TABLE second."Wide Table" (i INTEGER)')
    command = flight_sql.packed("CommandGetTables", flight_sql.field(1, "second")
                                + flight_sql.field(3, "wide%"))
    info = client.get_flight_info(pyarrow.flight.FlightDescriptor.for_command(command))
    (row,) = client.do_get(info.endpoints[0].ticket).read_all().to_pylist()
    assert (row["catalog_name"], row["db_schema_name"], row["table_name"]) == ("second", "main", "Wide Table")


def test_the_servers_catalog_is_read_by_name_and_not_entered(flight):
    assert value(flight, "SELECT count(*) > 0 FROM volley.settings") is True
    with pytest.raises(pyarrow.flight.FlightUnauthorizedError, match="belongs to the server"):
        run(flight, "USE volley")
    with pytest.raises(pyarrow.flight.FlightUnauthorizedError, match="belongs to the server"):
        run(flight, "CREATE TABLE volley.main.mine (i INTEGER)")
