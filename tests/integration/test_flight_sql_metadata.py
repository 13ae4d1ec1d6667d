"""The catalog over Flight SQL: schemas, order and content of every metadata command.

SPDX-License-Identifier: Apache-2.0
"""
import flight_sql
import pyarrow as pa
import pyarrow.flight
import pytest
from harness import COMPUTING, Background, Server, wait_until

SETUP = (
    "CREATE SCHEMA s2",
    "CREATE TABLE parent (a INTEGER, b VARCHAR, PRIMARY KEY (a, b))",
    "CREATE TABLE child (i INTEGER PRIMARY KEY, a INTEGER, b VARCHAR,"
    " FOREIGN KEY (a, b) REFERENCES parent (a, b))",
    "CREATE TABLE s2.wide (d DECIMAL(10, 2) NOT NULL, e ENUM('x', 'y'), l VARCHAR[],"
    " s STRUCT(p INTEGER, q TIMESTAMPTZ), z TIME_ZONE)",
    "COMMENT ON COLUMN s2.wide.d IS 'what it costs'",
    "CREATE VIEW looks AS SELECT 1 AS one",
    "CREATE TABLE under_score (x INTEGER)",
    "CREATE TABLE underXscore (x INTEGER)",
)


@pytest.fixture(scope="module")
def server(binary, tmp_path_factory):
    own = Server(binary, tmp_path_factory.mktemp("metadata")).wait_ready()
    with own.flight() as client:
        for statement in SETUP:
            flight_sql.update(client, statement)
    yield own
    own.stop()


@pytest.fixture
def client(server):
    with server.flight() as client:
        yield client


def listed(client, name, message=b""):
    descriptor = pyarrow.flight.FlightDescriptor.for_command(flight_sql.packed(name, message))
    info = client.get_flight_info(descriptor)
    table = client.do_get(info.endpoints[0].ticket).read_all()
    assert info.schema.equals(table.schema, check_metadata=True)
    return table


def required(*fields):
    return pa.schema([pa.field(name, kind, nullable=nullable) for name, kind, nullable in fields])


TABLES = required(("catalog_name", pa.utf8(), True), ("db_schema_name", pa.utf8(), True),
                  ("table_name", pa.utf8(), False), ("table_type", pa.utf8(), False))


def names(table):
    return [(row["db_schema_name"], row["table_name"]) for row in table.to_pylist()]


def test_catalogs_are_the_database(client):
    table = listed(client, "CommandGetCatalogs")
    assert table.schema == required(("catalog_name", pa.utf8(), False))
    assert table.column(0).to_pylist() == ["memory"]


def test_schemas(client):
    table = listed(client, "CommandGetDbSchemas")
    assert table.schema == required(("catalog_name", pa.utf8(), True),
                                    ("db_schema_name", pa.utf8(), False))
    assert table.column(1).to_pylist() == ["main", "s2"]
    assert listed(client, "CommandGetDbSchemas", flight_sql.field(2, "S_")).num_rows == 1
    assert listed(client, "CommandGetDbSchemas", flight_sql.field(1, "")).num_rows == 0
    system = listed(client, "CommandGetDbSchemas", flight_sql.field(1, "system"))
    assert "information_schema" in system.column(1).to_pylist()


def test_table_types(client):
    table = listed(client, "CommandGetTableTypes")
    assert table.schema == required(("table_type", pa.utf8(), False))
    assert table.column(0).to_pylist() == ["LOCAL TEMPORARY", "SYSTEM TABLE", "TABLE", "VIEW"]


def test_tables_in_order_without_the_systems(client):
    table = listed(client, "CommandGetTables")
    assert table.schema == TABLES
    assert names(table) == [("main", "child"), ("main", "looks"), ("main", "parent"),
                            ("main", "underXscore"), ("main", "under_score"), ("s2", "wide")]
    assert {row["table_name"]: row["table_type"] for row in table.to_pylist()}["looks"] == "VIEW"


@pytest.mark.parametrize("message,expected", [
    (flight_sql.field(1, "MEMORY") + flight_sql.field(3, "child"), ["child"]),
    (flight_sql.field(1, "elsewhere"), []),
    (flight_sql.field(1, ""), []),
    (flight_sql.field(2, "s%"), ["wide"]),
    (flight_sql.field(3, "under_score"), ["underXscore", "under_score"]),
    (flight_sql.field(3, "under\\_score"), ["under_score"]),
    (flight_sql.field(3, "it's"), []),
    (flight_sql.field(4, "VIEW"), ["looks"]),
    (flight_sql.field(4, "base table") + flight_sql.field(3, "p%"), ["parent"]),
    (flight_sql.field(4, "NOTHING"), []),
])
def test_filters_of_tables(client, message, expected):
    found = [name for _, name in names(listed(client, "CommandGetTables", message))]
    assert sorted(found) == sorted(expected)


def test_the_systems_tables_for_those_who_ask(client):
    by_type = listed(client, "CommandGetTables", flight_sql.field(4, "SYSTEM TABLE"))
    assert ("information_schema", "columns") in names(by_type)
    by_catalog = listed(client, "CommandGetTables", flight_sql.field(1, "volley"))
    assert ("main", "queries") in names(by_catalog)
    by_name = listed(client, "CommandGetTables", flight_sql.field(3, "settings"))
    assert ("main", "settings") in names(by_name)


def test_temporary_tables_belong_to_their_session(server, client):
    with server.adbc() as connection, connection.cursor() as cursor:
        cursor.execute("CREATE TEMP TABLE mine (i INTEGER)")
        objects = connection.adbc_get_objects(depth="tables").read_all().to_pylist()
        found = {(table["table_name"], table["table_type"]) for entry in objects
                 for schema in entry["catalog_db_schemas"] for table in schema["db_schema_tables"]}
        assert ("mine", "LOCAL TEMPORARY") in found or "temp" not in {
            entry["catalog_name"] for entry in objects}
    assert ("main", "mine") not in names(listed(client, "CommandGetTables"))


def test_tables_with_their_schemas(client):
    table = listed(client, "CommandGetTables", flight_sql.field(5, 1))
    assert table.schema == required(*[(f.name, f.type, f.nullable) for f in TABLES],
                                    ("table_schema", pa.binary(), False))
    schemas = {row["table_name"]: pa.ipc.read_schema(pa.py_buffer(row["table_schema"]))
               for row in table.to_pylist()}
    wide = schemas["wide"]
    selected = client.get_schema(flight_sql.query_descriptor("SELECT * FROM s2.wide")).schema
    assert [field.type for field in wide] == [field.type for field in selected]
    assert wide.names == ["d", "e", "l", "s", "z"]
    assert [field.nullable for field in wide] == [False, True, True, True, True]
    prefix = b"ARROW:FLIGHT:SQL:"
    facts = wide.field("d").metadata
    assert facts[prefix + b"CATALOG_NAME"] == b"memory"
    assert facts[prefix + b"DB_SCHEMA_NAME"] == facts[prefix + b"SCHEMA_NAME"] == b"s2"
    assert facts[prefix + b"TABLE_NAME"] == b"wide"
    assert facts[prefix + b"TYPE_NAME"] == b"DECIMAL(10,2)"
    assert facts[prefix + b"PRECISION"] == b"10" and facts[prefix + b"SCALE"] == b"2"
    assert facts[prefix + b"REMARKS"] == b"what it costs"
    assert schemas["looks"].names == ["one"]


def test_many_tables_with_schemas_cost_two_statements(server, client):
    flight_sql.update(client, "CREATE SCHEMA many")
    for start in range(0, 2000, 500):
        flight_sql.update(client, "; ".join(
            f"CREATE TABLE many.t{i} (a INTEGER, b VARCHAR)" for i in range(start, start + 500)))
    before = server.value("SELECT count(*) FROM volley.queries")
    table = listed(client, "CommandGetTables", flight_sql.field(2, "many") + flight_sql.field(5, 1))
    assert table.num_rows == 2000
    assert server.value("SELECT count(*) FROM volley.queries") - before <= 3
    flight_sql.update(client, "DROP SCHEMA many CASCADE")


def test_tables_with_schemas_come_in_messages_of_their_size(client):
    flight_sql.update(client, "CREATE SCHEMA large")
    columns = ", ".join(f"c{i} INTEGER" for i in range(400))
    flight_sql.update(client, "; ".join(f"CREATE TABLE large.t{i} ({columns})" for i in range(40)))
    message = flight_sql.field(2, "large") + flight_sql.field(5, 1)
    ticket = pyarrow.flight.Ticket(flight_sql.packed("CommandGetTables", message))
    batches = [chunk.data for chunk in client.do_get(ticket)]
    table = pa.Table.from_batches(batches)
    assert table.num_rows == 40
    assert table.nbytes > 4 << 20
    assert max(batch.nbytes for batch in batches) <= 2 << 20
    assert len(pa.ipc.read_schema(pa.py_buffer(table["table_schema"][39].as_py()))) == 400
    small = pyarrow.flight.FlightCallOptions(headers=[(b"volley-max-message-bytes", b"1048576")])
    batches = [chunk.data for chunk in client.do_get(ticket, small)]
    assert sum(batch.num_rows for batch in batches) == 40
    assert max(batch.nbytes for batch in batches) <= 1 << 20
    flight_sql.update(client, "DROP SCHEMA large CASCADE")


def test_tables_with_schemas_end_with_their_call(start_server):
    server = start_server("--query-slots", "1", "--worker-threads", "1")
    holds = Background(lambda: server.query(COMPUTING.format(mark="holds_slot"), "json"))
    wait_until(lambda: server.statements("holds_slot", ("running",)))
    with server.flight() as client:
        ticket = pyarrow.flight.Ticket(
            flight_sql.packed("CommandGetTables", flight_sql.field(5, 1)))
        soon = pyarrow.flight.FlightCallOptions(timeout=0.5)
        with pytest.raises(pyarrow.flight.FlightTimedOutError):
            client.do_get(ticket, soon).read_all()
        wait_until(lambda: server.statements("duckdb_columns", ("cancelled",)), seconds=5)
        client.get_flight_info(flight_sql.query_descriptor("SELECT 1"))
    (identifier,) = server.running("holds_slot")
    server.request("DELETE", f"/v1/queries/{identifier}")
    assert holds.outcome().status == 409


def test_primary_keys(client):
    table = listed(client, "CommandGetPrimaryKeys", flight_sql.field(3, "parent"))
    assert table.schema == required(
        ("catalog_name", pa.utf8(), True), ("db_schema_name", pa.utf8(), True),
        ("table_name", pa.utf8(), False), ("column_name", pa.utf8(), False),
        ("key_sequence", pa.int32(), False), ("key_name", pa.utf8(), True))
    assert [(row["column_name"], row["key_sequence"]) for row in table.to_pylist()] == [
        ("a", 1), ("b", 2)]
    assert listed(client, "CommandGetPrimaryKeys", flight_sql.field(3, "looks")).num_rows == 0


def test_foreign_keys_from_both_sides(client):
    exported = listed(client, "CommandGetExportedKeys", flight_sql.field(3, "parent"))
    imported = listed(client, "CommandGetImportedKeys", flight_sql.field(3, "child"))
    crossing = listed(client, "CommandGetCrossReference",
                      flight_sql.field(3, "parent") + flight_sql.field(6, "child"))
    assert exported.to_pylist() == imported.to_pylist() == crossing.to_pylist()
    assert exported.schema == required(
        ("pk_catalog_name", pa.utf8(), True), ("pk_db_schema_name", pa.utf8(), True),
        ("pk_table_name", pa.utf8(), False), ("pk_column_name", pa.utf8(), False),
        ("fk_catalog_name", pa.utf8(), True), ("fk_db_schema_name", pa.utf8(), True),
        ("fk_table_name", pa.utf8(), False), ("fk_column_name", pa.utf8(), False),
        ("key_sequence", pa.int32(), False), ("fk_key_name", pa.utf8(), True),
        ("pk_key_name", pa.utf8(), True), ("update_rule", pa.uint8(), False),
        ("delete_rule", pa.uint8(), False))
    assert [(row["pk_column_name"], row["fk_column_name"], row["key_sequence"])
            for row in exported.to_pylist()] == [("a", "a", 1), ("b", "b", 2)]
    assert exported.column("pk_key_name").null_count == 0
    assert listed(client, "CommandGetImportedKeys", flight_sql.field(3, "parent")).num_rows == 0


def test_types(client):
    table = listed(client, "CommandGetXdbcTypeInfo")
    assert table.schema == required(
        ("type_name", pa.utf8(), False), ("data_type", pa.int32(), False),
        ("column_size", pa.int32(), True), ("literal_prefix", pa.utf8(), True),
        ("literal_suffix", pa.utf8(), True),
        ("create_params", pa.list_(pa.field("item", pa.utf8(), nullable=False)), True),
        ("nullable", pa.int32(), False), ("case_sensitive", pa.bool_(), False),
        ("searchable", pa.int32(), False), ("unsigned_attribute", pa.bool_(), True),
        ("fixed_prec_scale", pa.bool_(), False), ("auto_increment", pa.bool_(), True),
        ("local_type_name", pa.utf8(), True), ("minimum_scale", pa.int32(), True),
        ("maximum_scale", pa.int32(), True), ("sql_data_type", pa.int32(), False),
        ("datetime_subcode", pa.int32(), True), ("num_prec_radix", pa.int32(), True),
        ("interval_precision", pa.int32(), True))
    kinds = table.column("data_type").to_pylist()
    assert kinds == sorted(kinds) and len(kinds) > 25
    only = listed(client, "CommandGetXdbcTypeInfo", flight_sql.field(1, 4))
    assert only.column("type_name").to_pylist() == ["INTEGER", "UINTEGER"]


def test_adbc_reads_objects_and_constraints(server, client):
    with server.adbc() as connection:
        assert connection.adbc_get_table_types() == [
            "LOCAL TEMPORARY", "SYSTEM TABLE", "TABLE", "VIEW"]
        schema = connection.adbc_get_table_schema("parent")
        assert schema.names == ["a", "b"]
        objects = connection.adbc_get_objects(depth="all").read_all().to_pylist()
    (memory,) = [entry for entry in objects if entry["catalog_name"] == "memory"]
    tables = {table["table_name"]: table for schema in memory["catalog_db_schemas"]
              for table in schema["db_schema_tables"]}
    assert [column["column_name"] for column in tables["child"]["table_columns"]] == [
        "i", "a", "b"]


def test_a_view_whose_table_is_gone_is_still_listed(server, client):
    for statement in ("CREATE TABLE gone (i INTEGER)", "CREATE VIEW orphan AS FROM gone",
                      "DROP TABLE gone"):
        flight_sql.update(client, statement)
    message = flight_sql.field(3, "orphan")
    assert listed(client, "CommandGetTables", message)["table_type"].to_pylist() == ["VIEW"]
    described = listed(client, "CommandGetTables", message + flight_sql.field(5, 1))
    assert described.num_rows == 1
    pa.ipc.read_schema(pa.py_buffer(described["table_schema"][0].as_py()))
    flight_sql.update(client, "DROP VIEW orphan")
