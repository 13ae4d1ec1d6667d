"""Bulk ingest: CommandStatementIngest over DoPut, by ADBC and with every combination of its options.

SPDX-License-Identifier: Apache-2.0
"""
import contextlib
import datetime
import decimal
import os
import subprocess
import sys
import textwrap

import adbc_driver_manager
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.flight
import pytest
from flight_sql import field, fields, packed, query, update, unpacked
from harness import Background, wait_until

Status = adbc_driver_manager.AdbcStatusCode
CREATE, NOT_EXIST_FAIL = 1, 2
EXISTS_FAIL, APPEND, REPLACE = 1, 2, 3

ROWS = pa.table({"i": [1, 2, 3], "s": ["a", None, "c"]})
OTHER = pa.table({"i": [7], "s": ["z"]})


def descriptor(table, if_not_exist=CREATE, if_exists=EXISTS_FAIL, *, schema=None, catalog=None,
               temporary=False, transaction=None, options=(), definition=True):
    command = b""
    if definition:
        command += field(1, field(1, if_not_exist) + field(2, if_exists))
    command += field(2, table)
    command += field(3, schema) if schema is not None else b""
    command += field(4, catalog) if catalog is not None else b""
    command += field(5, 1) if temporary else b""
    command += field(6, transaction) if transaction is not None else b""
    for key, value in options:
        command += field(1000, field(1, key) + field(2, value))
    return pyarrow.flight.FlightDescriptor.for_command(packed("CommandStatementIngest", command))


def ingest(client, table, rows=ROWS, *arguments, call=None, **options):
    """Returns the record count."""
    writer, reader = client.do_put(descriptor(table, *arguments, **options), rows.schema, call)
    with writer:
        for batch in rows.to_batches():
            writer.write_batch(batch)
        writer.done_writing()
        return fields(reader.read().to_pybytes()).get(1, [0])[0]


def content(client, name):
    return query(client, f"FROM {name} ORDER BY ALL").to_pydict()


@pytest.fixture
def table(flight, request):
    """A name that no other test has; the table is dropped."""
    name = "ingest_" + request.node.name.split("[")[0] + str(abs(hash(request.node.name)) % 10**6)
    yield name
    with contextlib.suppress(pa.ArrowException):
        update(flight, f'DROP TABLE IF EXISTS "{name}"')


# --- what is there and what is not -----------------------------------------------------------------


@pytest.mark.parametrize("if_not_exist", [CREATE, NOT_EXIST_FAIL])
@pytest.mark.parametrize("if_exists", [EXISTS_FAIL, APPEND, REPLACE])
@pytest.mark.parametrize("present", [False, True])
def test_every_combination(flight, table, if_not_exist, if_exists, present):
    if present:
        update(flight, f"CREATE TABLE {table} AS SELECT 0::BIGINT AS i, 'old' AS s")

    def run():
        return ingest(flight, table, ROWS, if_not_exist, if_exists)

    if not present and if_not_exist == NOT_EXIST_FAIL:
        with pytest.raises(pa.ArrowKeyError, match=table):
            run()
    elif present and if_exists == EXISTS_FAIL:
        with pytest.raises(pa.ArrowException, match="(?i)exists"):
            run()
        assert content(flight, table) == {"i": [0], "s": ["old"]}
    else:
        assert run() == 3
        before = 1 if present and if_exists == APPEND else 0
        expected = [0] * before + [1, 2, 3]
        assert content(flight, table)["i"] == expected


@pytest.mark.parametrize("mode", ["create", "append", "replace", "create_append"])
def test_modes_of_adbc(adbc, flight, table, mode):
    with adbc.cursor() as cursor:
        if mode == "append":
            with pytest.raises(adbc_driver_manager.Error) as caught:
                cursor.adbc_ingest(table, ROWS, mode)
            assert caught.value.status_code == Status.NOT_FOUND
            cursor.adbc_ingest(table, OTHER, "create")
        assert cursor.adbc_ingest(table, ROWS, mode) == 3
        if mode == "create":
            with pytest.raises(adbc_driver_manager.Error) as caught:
                cursor.adbc_ingest(table, ROWS, mode)
            assert caught.value.status_code == Status.ALREADY_EXISTS
        else:
            assert cursor.adbc_ingest(table, ROWS, mode) == 3
    counts = {"create": 3, "append": 7, "replace": 3, "create_append": 6}
    assert len(content(flight, table)["i"]) == counts[mode]


def test_more_rows_than_wait_make_a_table_that_was_not_there(adbc, flight, table):
    batch = pa.record_batch({"i": pa.array(range(100_000)), "s": ["a text of some length"] * 100_000})
    with adbc.cursor() as cursor:
        rows = cursor.adbc_ingest(table, pa.Table.from_batches([batch] * 20), mode="create_append")
    assert rows == 2_000_000
    assert query(flight, f'SELECT count(*) AS n FROM "{table}"').column("n").to_pylist() == [2_000_000]


@pytest.mark.parametrize("arguments", [{"if_not_exist": 0}, {"if_exists": 0}, {"if_not_exist": 9},
                                       {"if_exists": 7}, {"definition": False}])
def test_options_that_are_not_said_are_refused(flight, table, arguments):
    with pytest.raises(pa.ArrowInvalid, match="table_definition_options"):
        ingest(flight, table, **arguments)


def test_a_table_is_named(flight):
    with pytest.raises(pa.ArrowInvalid, match="names no table"):
        ingest(flight, "")


@pytest.mark.parametrize("name", ['we"ird', "with space", "select", "a.b", "ünïcode 表",
                                  "semi;colon--", "it's", "batch('x')", "dataset"])
def test_names_are_taken_as_they_are(flight, name):
    quoted = '"' + name.replace('"', '""') + '"'
    rows = pa.table({name: [1, 2], "FROM": ["x", "y"]})
    try:
        assert ingest(flight, name, rows) == 2
        assert ingest(flight, name, rows, NOT_EXIST_FAIL, APPEND) == 2
        assert query(flight, f"FROM {quoted}").to_pydict() == {
            name: [1, 2, 1, 2], "FROM": ["x", "y", "x", "y"]}
        other_case = name.upper() if name.isascii() else name
        assert ingest(flight, other_case, rows, NOT_EXIST_FAIL, REPLACE) == 2
        assert query(flight, f"FROM {quoted}").num_rows == 2
    finally:
        update(flight, f"DROP TABLE IF EXISTS {quoted}")


def test_catalog_and_schema(flight, table):
    update(flight, 'CREATE SCHEMA IF NOT EXISTS "in gest"')
    assert ingest(flight, table, schema="in gest") == 3
    assert ingest(flight, table, ROWS, NOT_EXIST_FAIL, APPEND, schema="in gest",
                  catalog="memory") == 3
    assert query(flight, f'FROM "in gest".{table}').num_rows == 6
    with pytest.raises(pa.ArrowKeyError):
        ingest(flight, table, schema="no such schema")
    with pytest.raises(pa.ArrowKeyError):
        ingest(flight, table, catalog="no such catalog")
    assert ingest(flight, table, catalog="memory") == 3
    assert query(flight, f"FROM memory.main.{table}").num_rows == 3
    update(flight, 'DROP SCHEMA "in gest" CASCADE')


@pytest.mark.parametrize("catalog", ["volley", "system"])
def test_the_servers_catalogs_take_nothing(flight, table, catalog):
    for definition in [(CREATE, EXISTS_FAIL), (CREATE, REPLACE), (CREATE, APPEND)]:
        with pytest.raises(pa.ArrowException):
            ingest(flight, table, ROWS, *definition, catalog=catalog)


def test_temporary_tables_are_the_sessions_own(server, table):
    with server.adbc() as mine, server.flight() as other, mine.cursor() as cursor:
        assert cursor.adbc_ingest(table, ROWS, "create", temporary=True) == 3
        assert cursor.adbc_ingest(table, ROWS, "append", temporary=True) == 3
        assert cursor.adbc_ingest(table, OTHER, "create_append", temporary=True) == 1
        cursor.execute(f"SELECT count(*) FROM temp.{table}")
        assert cursor.fetchone() == (7,)
        with pytest.raises(pa.ArrowKeyError):
            query(other, f"FROM {table}")
        assert cursor.adbc_ingest(table, OTHER, "replace", temporary=True) == 1
    with server.flight() as client, pytest.raises(pa.ArrowInvalid, match="temporary"):
        ingest(client, table, schema="s", temporary=True)


# --- columns ---------------------------------------------------------------------------------------


def test_columns_go_by_name(flight, table):
    update(flight, f"CREATE TABLE {table} (i BIGINT, s VARCHAR, d INTEGER DEFAULT 5)")
    rows = pa.table({"S": ["x"], "I": [4]})
    assert ingest(flight, table, rows, NOT_EXIST_FAIL, APPEND) == 1
    assert ingest(flight, table, pa.table({"s": ["y"]}), CREATE, APPEND) == 1
    assert query(flight, f"FROM {table}").to_pydict() == {
        "i": [4, None], "s": ["x", "y"], "d": [5, 5]}


def test_columns_go_by_position_where_asked(flight, table):
    update(flight, f"CREATE TABLE {table} (a BIGINT, b VARCHAR)")
    assert ingest(flight, table, ROWS, NOT_EXIST_FAIL, APPEND, options=[("ingest-match", "position")]) == 3
    assert content(flight, table) == {"a": [1, 2, 3], "b": ["a", None, "c"]}
    with pytest.raises(pa.ArrowException, match="does not fit|do not fit"):
        ingest(flight, table, ROWS, NOT_EXIST_FAIL, APPEND, options=[("ingest-match", "name")])
    for options in [[("ingest-match", "luck")], [("speed", "high")]]:
        with pytest.raises(pa.ArrowInvalid, match="ingest-match"):
            ingest(flight, table, ROWS, NOT_EXIST_FAIL, APPEND, options=options)


@pytest.mark.parametrize("mode", ["append", "create_append"])
def test_rows_that_do_not_fit_are_told_before_they_come(adbc, flight, table, mode):
    update(flight, f"CREATE TABLE {table} (i BIGINT, s VARCHAR)")
    with adbc.cursor() as cursor, pytest.raises(adbc_driver_manager.Error, match="coltwo") as caught:
        cursor.adbc_ingest(table, pa.table({"i": [1], "coltwo": [2]}), mode)
    assert caught.value.status_code == Status.ALREADY_EXISTS
    assert "LINE" not in str(caught.value)


DAY = datetime.datetime(2024, 2, 29, 12, 30, 15, 123456)
UTC = datetime.timezone.utc
TYPES = {
    "bool": (pa.array([True, None, False]), "BOOLEAN"),
    "int8": (pa.array([-128, None, 127], pa.int8()), "TINYINT"),
    "uint64": (pa.array([0, None, 2**64 - 1], pa.uint64()), "UBIGINT"),
    "half": (pa.array([1.5, None, -2], pa.float16()), "FLOAT"),
    "double": (pa.array([1e300, None, -0.5]), "DOUBLE"),
    "decimal": (pa.array([decimal.Decimal("1.23"), None, decimal.Decimal("-9.99")],
                         pa.decimal128(20, 2)), "DECIMAL(20,2)"),
    "decimal256": (pa.array([decimal.Decimal("1.23"), None, decimal.Decimal("-9.99")],
                            pa.decimal256(30, 2)), "DECIMAL(30,2)"),
    "large_utf8": (pa.array(["ä", None, "x" * 300], pa.large_string()), "VARCHAR"),
    "utf8_view": (pa.array(["ä", None, "x" * 300], pa.string_view()), "VARCHAR"),
    "binary": (pa.array([b"\0\xff", None, b"y" * 300]), "BLOB"),
    "large_binary": (pa.array([b"\0\xff", None, b"y" * 300], pa.large_binary()), "BLOB"),
    "binary_view": (pa.array([b"\0\xff", None, b"y" * 300], pa.binary_view()), "BLOB"),
    "fixed_binary": (pa.array([b"abc", None, b"xyz"], pa.binary(3)), "BLOB"),
    "date": (pa.array([DAY.date(), None, datetime.date(1, 1, 1)]), "DATE"),
    "time": (pa.array([DAY.time(), None, datetime.time(0)], pa.time64("us")), "TIME"),
    "timestamp": (pa.array([DAY, None, DAY], pa.timestamp("us")), "TIMESTAMP"),
    "timestamp_ns": (pa.array([DAY, None, DAY], pa.timestamp("ns")), "TIMESTAMP_NS"),
    "zone": (pa.array([DAY, None, DAY], pa.timestamp("us", "Europe/Berlin")),
             "TIMESTAMP WITH TIME ZONE"),
    "duration": (pa.array([datetime.timedelta(days=3), None, datetime.timedelta(0)]), "INTERVAL"),
    "dictionary": (pa.array(["b", None, "b"]).dictionary_encode(), "VARCHAR"),
    "list": (pa.array([[1, None], None, []], pa.list_(pa.int32())), "INTEGER[]"),
    "large_list": (pa.array([["x"], None, []], pa.large_list(pa.string())), "VARCHAR[]"),
    "fixed_list": (pa.array([[1, 2], None, [3, 4]], pa.list_(pa.int64(), 2)), "BIGINT[2]"),
    "struct": (pa.array([{"a": 1, "b": "x"}, None, {"a": None, "b": "y"}]),
               "STRUCT(a BIGINT, b VARCHAR)"),
    "map": (pa.array([[("k", 1)], None, []], pa.map_(pa.string(), pa.int64())),
            "MAP(VARCHAR, BIGINT)"),
    "null": (pa.nulls(3), "INTEGER"),
}


@pytest.mark.parametrize("name", TYPES)
def test_types(flight, table, name):
    column, engine_type = TYPES[name]
    rows = pa.table({"n": [0, 1, 2], "v": column})
    assert ingest(flight, table, rows) == 3
    assert ingest(flight, table, rows, NOT_EXIST_FAIL, APPEND) == 3
    described = query(flight, f"SELECT column_type FROM (DESCRIBE {table})").to_pydict()
    assert described["column_type"][1] == engine_type
    back = query(flight, f"SELECT v FROM {table} ORDER BY rowid")["v"].to_pylist()
    expected = column.to_pylist()
    if name == "zone":
        back = [value and value.astimezone(UTC) for value in back]
        expected = [value and value.astimezone(UTC) for value in expected]
    if name == "duration":
        back = [value and datetime.timedelta(value.months * 30 + value.days,
                                             microseconds=value.nanoseconds // 1000)
                for value in back]
    assert back == expected * 2


def test_dictionaries_that_change_from_batch_to_batch(adbc, flight, table):
    batches = [
        pa.record_batch({"d": pa.array(values).dictionary_encode()})
        for values in (["a", "b", "a"], ["c", None, "a"], ["x"] * 3, ["a", "b", "a"])
    ]
    schema = batches[0].schema
    with adbc.cursor() as cursor:
        reader = pa.RecordBatchReader.from_batches(schema, batches)
        assert cursor.adbc_ingest(table, reader, "create") == 12
    assert query(flight, f"SELECT d FROM {table} ORDER BY rowid")["d"].to_pylist() == [
        "a", "b", "a", "c", None, "a", "x", "x", "x", "a", "b", "a"]


def test_a_type_that_the_engine_does_not_have(flight, table):
    rows = pa.table({"i": [1], "v": pa.array([None], pa.struct([]))})
    with pytest.raises(pa.ArrowNotImplementedError, match="'v'"):
        ingest(flight, table, rows)
    with pytest.raises(pa.ArrowKeyError):
        query(flight, f"FROM {table}")


# --- how many rows ---------------------------------------------------------------------------------


def test_no_rows_make_an_empty_table(flight, table):
    assert ingest(flight, table, ROWS.slice(0, 0)) == 0
    assert query(flight, f"FROM {table}").schema.names == ["i", "s"]
    assert ingest(flight, table, ROWS.slice(0, 0), NOT_EXIST_FAIL, REPLACE) == 0
    assert ingest(flight, table, ROWS.slice(0, 0), CREATE, APPEND) == 0


def test_no_columns_are_refused(flight, table):
    with pytest.raises(pa.ArrowInvalid, match="no fields"):
        ingest(flight, table, pa.table({}))


def test_an_empty_reader_of_adbc_is_a_clean_error(adbc, table):
    """The driver sends nothing at all then."""
    with adbc.cursor() as cursor, pytest.raises(adbc_driver_manager.ProgrammingError):
        cursor.adbc_ingest(table, pa.RecordBatchReader.from_batches(ROWS.schema, []), "create")


def numbered(count):
    """Texts of all lengths, so that one that is read from a wrong place is seen."""
    numbers = pa.array(range(count), pa.int64())
    texts = pc.binary_join_element_wise(
        numbers.cast(pa.string()), pc.binary_repeat("x", pc.bit_wise_and(numbers, 31)), "")
    return pa.table({"i": numbers, "s": texts})


def check_numbered(flight, table, count, times, in_order):
    wrong = f"""SELECT count(*), sum(i), count(DISTINCT i), count(*) FILTER (i <> rowid % {count}),
        count(*) FILTER (s <> i || repeat('x', i & 31)) FROM {table}"""
    (row,) = query(flight, wrong).to_pylist()
    total, numbers, distinct, displaced, broken = row.values()
    assert (total, numbers, distinct, broken) == (
        times * count, times * count * (count - 1) // 2, count, 0)
    assert displaced == 0 or not in_order


def test_up_to_four_groups_of_rows_keep_their_order(adbc, flight, table):
    count = 400_000
    with adbc.cursor() as cursor:
        assert cursor.adbc_ingest(table, numbered(count).to_reader(7_000), "create") == count
        assert cursor.adbc_ingest(table, numbered(count).to_reader(300_000), "append") == count
    check_numbered(flight, table, count, 2, True)


@pytest.mark.parametrize("order", ["any", "kept"])
@pytest.mark.parametrize("batch_rows", [30_000, 500_000])
def test_more_rows_all_arrive_and_in_order_where_asked(flight, table, order, batch_rows):
    count = 600_000
    rows = pa.Table.from_batches(numbered(count).to_reader(batch_rows))
    call = pyarrow.flight.FlightCallOptions(headers=[(b"volley-ingest-order", order.encode())])
    assert ingest(flight, table, rows, call=call) == count
    assert ingest(flight, table, rows, CREATE, APPEND,
                  options=[("ingest-order", order)]) == count
    check_numbered(flight, table, count, 2, order == "kept")


def test_many_rows_into_a_table_with_a_key(flight, table):
    update(flight, f"CREATE TABLE {table} (i BIGINT PRIMARY KEY, s VARCHAR)")
    rows = numbered(600_000)
    assert ingest(flight, table, rows, NOT_EXIST_FAIL, APPEND) == 600_000
    with pytest.raises(pa.ArrowException, match="(?i)duplicate|unique"):
        ingest(flight, table, pa.concat_tables([rows.slice(0, 0), numbered(600_001).slice(1)]),
               NOT_EXIST_FAIL, APPEND)
    check_numbered(flight, table, 600_000, 1, False)


def test_options_of_the_session_and_bad_ones(flight, table):
    for name, value in [(b"volley-ingest-order", b"random"), (b"volley-ingest-match", b"luck")]:
        call = pyarrow.flight.FlightCallOptions(headers=[(name, value)])
        with pytest.raises(pa.ArrowInvalid, match=name.decode().removeprefix("volley-")):
            ingest(flight, table, call=call)


# --- transactions ----------------------------------------------------------------------------------


def test_in_a_transaction_of_adbc(server, flight, table):
    with server.adbc(autocommit=False) as connection, connection.cursor() as cursor:
        assert cursor.adbc_ingest(table, ROWS, "create") == 3
        assert cursor.adbc_ingest(table, ROWS, "create_append") == 3
        with pytest.raises(pa.ArrowKeyError):
            query(flight, f"FROM {table}")
        connection.rollback()
        with pytest.raises(pa.ArrowKeyError):
            query(flight, f"FROM {table}")
        assert cursor.adbc_ingest(table, ROWS, "create") == 3
        assert cursor.adbc_ingest(table, OTHER, "append") == 1
        connection.commit()
    assert len(content(flight, table)["i"]) == 4


def test_with_a_transaction_id(server, flight, table):
    with server.flight() as client:
        request = packed("ActionBeginTransactionRequest", b"")
        (result,) = client.do_action(("BeginTransaction", request))
        transaction = unpacked(result.body.to_pybytes())[1][1][0]
        assert ingest(client, table, transaction=transaction) == 3
        with pytest.raises(pa.ArrowKeyError):
            query(flight, f"FROM {table}")
        with pytest.raises(pa.ArrowInvalid, match="transaction"):
            ingest(client, table, ROWS, CREATE, APPEND, transaction=b"another one")
        end = packed("ActionEndTransactionRequest", field(1, transaction) + field(2, 1))
        list(client.do_action(("EndTransaction", end)))
    assert len(content(flight, table)["i"]) == 3


def test_a_bad_value_leaves_nothing(server, flight, table):
    """In the last of many batches; the next ingest of the same connection works."""
    update(flight, f"CREATE TABLE {table} (i INTEGER PRIMARY KEY)")
    batches = [pa.record_batch({"i": list(range(n * 1000, n * 1000 + 1000))}) for n in range(50)]
    for bad in ([5], [1 << 40]):
        rows = pa.Table.from_batches([*batches, pa.record_batch({"i": bad})])
        with pytest.raises(pa.ArrowException):
            ingest(flight, table, rows, NOT_EXIST_FAIL, APPEND)
        assert content(flight, table)["i"] == []
    assert ingest(flight, table, pa.Table.from_batches(batches), NOT_EXIST_FAIL, APPEND) == 50_000
    with pytest.raises(pa.ArrowException):
        ingest(flight, table, pa.table({"i": ["no number"]}), CREATE, REPLACE, schema="nowhere")
    assert len(content(flight, table)["i"]) == 50_000


def test_a_failed_replace_keeps_the_old_table(flight, table):
    assert ingest(flight, table) == 3
    bad = pa.table({"i": [1], "v": pa.array([None], pa.struct([]))})
    with pytest.raises(pa.ArrowException):
        ingest(flight, table, bad, CREATE, REPLACE)
    assert content(flight, table) == {"i": [1, 2, 3], "s": ["a", None, "c"]}


# --- clients that do not finish --------------------------------------------------------------------


def test_a_call_that_is_over_before_its_rows_leaves_nothing(server, flight, table):
    with server.flight() as client:
        soon = pyarrow.flight.FlightCallOptions(timeout=1)
        writer, reader = client.do_put(descriptor(table), ROWS.schema, soon)
        for _ in range(20):
            writer.write_table(ROWS)
        wait_until(lambda: server.running(table), what="the ingest")
        assert reader.read() is None
        with pytest.raises(pa.ArrowException):
            writer.close()
    wait_until(lambda: not server.running(table), what="the end of the ingest")
    with pytest.raises(pa.ArrowKeyError):
        query(flight, f"FROM {table}")


KILLED = """
import sys, time, pyarrow as pa, pyarrow.flight
command = bytes.fromhex(sys.argv[2])
rows = pa.record_batch({"i": list(range(100_000))})
client = pyarrow.flight.connect(sys.argv[1])
writer, reader = client.do_put(pyarrow.flight.FlightDescriptor.for_command(command), rows.schema)
while True:
    writer.write_batch(rows)
    print("more", flush=True)
    time.sleep(0.001)
"""


def test_a_client_that_is_killed_leaves_nothing(server, flight, table):
    update(flight, f"CREATE TABLE {table} (i BIGINT)")
    command = descriptor(table, CREATE, APPEND).command.hex()
    client = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(KILLED), server.flight_url, command],
        stdout=subprocess.PIPE)
    for _ in range(30):
        assert client.stdout.readline() == b"more\n"
    client.kill()
    client.wait()
    client.stdout.close()
    wait_until(lambda: not server.running(table), what="the end of the ingest")
    assert content(flight, table)["i"] == []
    assert ingest(flight, table, pa.table({"i": [1]}), CREATE, APPEND) == 1


def test_a_statement_that_is_stopped_ends_the_call(server, flight, table):
    with server.flight() as client:
        writer, reader = client.do_put(descriptor(table), ROWS.schema)
        writer.write_table(ROWS)
        (statement,) = wait_until(lambda: server.running(table), what="the ingest")
        server.request("DELETE", f"/v1/queries/{statement}")
        with pytest.raises(pa.ArrowException):
            for _ in range(1000):
                writer.write_table(ROWS)
            writer.done_writing()
            reader.read()
        with contextlib.suppress(pa.ArrowException):
            writer.close()
    with pytest.raises(pa.ArrowKeyError):
        query(flight, f"FROM {table}")


# --- side by side ----------------------------------------------------------------------------------


def test_two_at_once_into_one_table(server, flight, table):
    update(flight, f"CREATE TABLE {table} (i BIGINT, s VARCHAR)")
    rows = pa.table({"i": list(range(50_000)), "s": ["x" * 20] * 50_000})

    def run():
        with server.adbc() as connection, connection.cursor() as cursor:
            return [cursor.adbc_ingest(table, rows.to_reader(10_000), "append") for _ in range(3)]

    both = [Background(run), Background(run)]
    assert [one.outcome() for one in both] == [[50_000] * 3] * 2
    (row,) = query(flight, f"SELECT count(*) AS n, sum(i) AS s FROM {table}").to_pylist()
    assert row == {"n": 300_000, "s": 6 * sum(range(50_000))}


def test_more_ingests_than_slots_and_workers(start_server):
    """Those that wait for a slot hold neither a worker nor much memory."""
    own = start_server("--query-slots", "1", "--worker-threads", "1")
    rows = pa.record_batch({"i": list(range(200_000)), "s": ["some text here"] * 200_000})
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(own.flight()) for _ in range(4)]
        puts = [client.do_put(descriptor(f"t{n}"), rows.schema)
                for n, client in enumerate(clients)]

        def send(writer, reader):
            for _ in range(20):
                writer.write_batch(rows)
            writer.done_writing()
            count = fields(reader.read().to_pybytes())[1][0]
            writer.close()
            return count

        running = [Background(lambda put=put: send(*put)) for put in puts]
        assert [one.outcome(60) for one in running] == [20 * 200_000] * 4
        assert own.value("SELECT count(*) FROM t3") == 20 * 200_000


def test_memory_stays_bounded(start_server, tmp_path):
    """Many times what the store may hold, into a file."""
    own = start_server("--database", tmp_path / "big.db", "--dataset-memory", "16MiB",
                       "--dataset-bytes-max", "8MiB", "--spill-disk", "1MiB")
    rows = pa.record_batch({"b": pa.array([os.urandom(1000)] * 4000)})
    with own.adbc() as connection, connection.cursor() as cursor:
        cursor.adbc_ingest("warm", pa.Table.from_batches([rows]), "create")
        reader = pa.RecordBatchReader.from_batches(rows.schema, (rows for _ in range(40)))
        assert cursor.adbc_ingest("big", reader, "create") == 160_000
    assert own.value("SELECT sum(octet_length(b)) FROM big") == 160_000_000


def test_the_server_says_that_it_can(flight):
    bulk_ingestion, with_transactions = 10, 11
    asked = field(1, bulk_ingestion) + field(1, with_transactions)
    command = pyarrow.flight.FlightDescriptor.for_command(packed("CommandGetSqlInfo", asked))
    (endpoint,) = flight.get_flight_info(command).endpoints
    rows = flight.do_get(endpoint.ticket).read_all().to_pydict()
    assert dict(zip(rows["info_name"], rows["value"], strict=True)) == {
        bulk_ingestion: True, with_transactions: True}
