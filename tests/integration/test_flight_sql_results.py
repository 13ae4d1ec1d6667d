"""Results of Flight SQL: several endpoints, polling, stopping, renewing, and the options of one call.

SPDX-License-Identifier: Apache-2.0
"""
import contextlib
import json
import struct
import time

import grpc
import pyarrow as pa
import pyarrow.flight as fl
import pytest
from flight_calls import (CANCELLED, CANCELLING, NOT_CANCELLABLE, SERVICE, Poll, cancel, command_descriptor,
                          options)
from flight_sql import (field, fields, packed, prepare, prepared_descriptor, query, query_descriptor,
                        unpacked, update)
from harness import COMPUTING, STREAMING, Background, wait_until

ROWS = 400_000
MANY = f"SELECT i, 'text ' || i AS s FROM range({ROWS}) t(i)"


def divided(client, sql, count, **wishes):
    """The tickets of a result that is read in parts."""
    info = client.get_flight_info(query_descriptor(sql), options(parallel_endpoints=count, **wishes))
    assert len(info.endpoints) == count
    return [endpoint.ticket for endpoint in info.endpoints]


def sorted_numbers(tables):
    numbers = pa.concat_arrays([chunk for table in tables for chunk in table["i"].chunks])
    return numbers.sort().to_pylist()


# --- several endpoints -------------------------------------------------------------------------------


def test_one_endpoint_unless_more_are_asked_for(flight):
    info = flight.get_flight_info(query_descriptor("SELECT 1"))
    (endpoint,) = info.endpoints
    assert endpoint.locations == [] and endpoint.expiration_time is not None
    assert info.app_metadata.decode() in endpoint.ticket.ticket.decode(errors="replace")
    for wrong in ("0", "65", "many", "-1"):
        with pytest.raises(pa.ArrowInvalid, match="parallel-endpoints takes a number from 1 to 64"):
            flight.get_flight_info(query_descriptor("SELECT 1"), options(parallel_endpoints=wrong))


@pytest.mark.parametrize("count", [2, 4, 64])
def test_endpoints_read_at_once_are_the_result(server, flight, count):
    tickets = divided(flight, MANY, count)

    def read(ticket):
        with server.flight() as client:
            return client.do_get(ticket).read_all()

    reading = [Background(lambda ticket=ticket: read(ticket)) for ticket in tickets]
    parts = [each.outcome() for each in reading]
    assert sorted_numbers(parts) == list(range(ROWS))
    assert sum(part.num_rows > 0 for part in parts) > 1


def test_endpoints_read_one_after_the_other(flight):
    info = flight.get_flight_info(query_descriptor(MANY), options(parallel_endpoints=3))
    assert not info.ordered and info.total_records == -1
    parts = [flight.do_get(endpoint.ticket).read_all() for endpoint in info.endpoints]
    assert sorted_numbers(parts) == list(range(ROWS))
    # A ticket gives the same rows again, whoever else reads.
    for endpoint, part in zip(info.endpoints, parts):
        assert flight.do_get(endpoint.ticket).read_all().equals(part)


def test_an_endpoint_that_nobody_reads_holds_the_others_up_within_bounds(start_server):
    server = start_server("--result-memory", "16MiB", "--query-timeout", "60s")
    with server.flight() as client:
        sql = "SELECT i, repeat('x', 100) AS s FROM range(600000) t(i)"
        tickets = divided(client, sql, 4)
        parts = [client.do_get(ticket).read_all() for ticket in tickets[:3]]
        assert server.metrics()['volley_dataset_bytes{where="memory"}'] < 48 << 20
        parts.append(client.do_get(tickets[3]).read_all())
        assert sorted_numbers(parts) == list(range(600_000))
        with pytest.raises(pa.ArrowKeyError, match="result expired"):
            client.do_get(tickets[0]).read_all()


def test_a_reader_that_leaves_may_come_back(flight):
    tickets = divided(flight, MANY, 2)
    reader = flight.do_get(tickets[0])
    first = reader.read_chunk().data
    reader.cancel()
    second = flight.do_get(tickets[1]).read_all()
    again = flight.do_get(tickets[0]).read_all()
    assert again.to_batches()[0].equals(first)
    assert sorted_numbers([again, second]) == list(range(ROWS))


def test_the_last_reader_to_leave_ends_the_statement(server, flight):
    tickets = divided(flight, STREAMING.format(mark="left_by_all"), 2)
    one, other = (flight.do_get(ticket) for ticket in tickets)
    one.read_chunk()
    other.read_chunk()
    one.cancel()
    for _ in range(3):
        other.read_chunk()
    assert server.running("left_by_all")
    other.cancel()
    wait_until(lambda: not server.running("left_by_all"), what="the end of the statement")


def test_a_small_result_and_none_have_as_many_endpoints(flight):
    parts = [flight.do_get(ticket).read_all() for ticket in divided(flight, "SELECT 7 AS i", 5)]
    assert [part.num_rows for part in parts] == [1, 0, 0, 0, 0]
    assert {part.schema for part in parts} == {parts[0].schema}
    for part in (flight.do_get(ticket).read_all() for ticket in divided(flight, "SELECT 1 AS i LIMIT 0", 3)):
        assert part.num_rows == 0


def test_a_failure_reaches_every_endpoint(flight):
    tickets = divided(flight, "SELECT i, error('late') FROM range(1000) t(i) WHERE i > 900", 2)
    for ticket in tickets:
        with pytest.raises(pa.ArrowException, match="late"):
            flight.do_get(ticket).read_all()


def test_a_finished_result_is_divided_in_order(flight):
    info = flight.get_flight_info(query_descriptor(MANY))
    whole = flight.do_get(info.endpoints[0].ticket).read_all()
    by_id = fl.FlightDescriptor.for_command(info.app_metadata)
    info = flight.get_flight_info(by_id, options(parallel_endpoints=4))
    assert info.ordered and len(info.endpoints) == 4 and info.total_records == ROWS
    parts = [flight.do_get(endpoint.ticket).read_all() for endpoint in info.endpoints]
    assert [part.num_rows for part in parts] == [ROWS // 4] * 4
    assert pa.concat_tables(parts).equals(whole)


def test_rows_of_a_part_are_not_divided(flight):
    descriptor = fl.FlightDescriptor.for_command(json.dumps({"sql": MANY, "from": 10, "limit": 5}).encode())
    info = flight.get_flight_info(descriptor, options(parallel_endpoints=4))
    (endpoint,) = info.endpoints
    assert flight.do_get(endpoint.ticket).read_all()["i"].to_pylist() == [10, 11, 12, 13, 14]


def test_endpoints_of_columns_of_a_prepared_statement_and_of_returning(flight):
    descriptor = fl.FlightDescriptor.for_command(json.dumps({"sql": MANY, "columns": ["i"]}).encode())
    info = flight.get_flight_info(descriptor, options(parallel_endpoints=2))
    parts = [flight.do_get(endpoint.ticket).read_all() for endpoint in info.endpoints]
    assert parts[0].column_names == ["i"] and sorted_numbers(parts) == list(range(ROWS))

    handle, _, _ = prepare(flight, MANY)
    info = flight.get_flight_info(prepared_descriptor(handle), options(parallel_endpoints=2))
    parts = [flight.do_get(endpoint.ticket).read_all() for endpoint in info.endpoints]
    assert sorted_numbers(parts) == list(range(ROWS))

    update(flight, "CREATE OR REPLACE TABLE divided_rows (i BIGINT)")
    sql = "INSERT INTO divided_rows SELECT i FROM range(100000) t(i) RETURNING i"
    info = flight.get_flight_info(query_descriptor(sql), options(parallel_endpoints=2))
    parts = [flight.do_get(endpoint.ticket).read_all() for endpoint in info.endpoints]
    assert sorted_numbers(parts) == list(range(100_000))
    assert query(flight, "SELECT count(*) AS n FROM divided_rows")["n"].to_pylist() == [100_000]


def test_the_catalog_has_one_endpoint(server, flight):
    for command in ("CommandGetCatalogs", "CommandGetTables", "CommandGetXdbcTypeInfo"):
        descriptor = fl.FlightDescriptor.for_command(packed(command, b""))
        assert len(flight.get_flight_info(descriptor, options(parallel_endpoints=4)).endpoints) == 1
    header = {"adbc.flight.sql.rpc.call_header.volley-parallel-endpoints": "4"}
    with server.adbc(db_kwargs=header) as connection:
        assert connection.adbc_get_objects().read_all().num_rows >= 1


def test_adbc_reads_all_endpoints(server):
    header = {"adbc.flight.sql.rpc.call_header.volley-parallel-endpoints": "4"}
    with server.adbc(db_kwargs=header) as connection, connection.cursor() as cursor:
        cursor.execute(MANY)
        assert sorted_numbers([cursor.fetch_arrow_table()]) == list(range(ROWS))


# --- polling ------------------------------------------------------------------------------------------


def poll_to_the_end(server, poll, metadata=()):
    polls = [poll]
    while polls[-1].descriptor is not None:
        polls.append(Poll(server, polls[-1].descriptor, metadata))
    return polls


def test_poll_of_a_long_query(server, flight):
    sql = "SELECT sum(i * i % 7)::BIGINT AS i FROM range(40000000) t(i)"
    polls = poll_to_the_end(server, Poll(server, command_descriptor(query_descriptor(sql).command)))
    assert len(polls) > 1
    assert all(0 <= poll.progress <= 1 for poll in polls if poll.progress is not None)
    assert polls[-1].progress == 1 and polls[-1].info.total_records == 1
    tickets = {tuple(endpoint.ticket.ticket for endpoint in poll.info.endpoints) for poll in polls}
    assert len(tickets) == 1
    # Polling what is over says the same again.
    again = Poll(server, command_descriptor(polls[-1].info.app_metadata))
    assert again.descriptor is None and again.info.total_records == 1
    assert flight.do_get(again.info.endpoints[0].ticket).read_all().num_rows == 1


def test_poll_with_several_endpoints(server, flight):
    header = (("volley-parallel-endpoints", "3"),)
    polls = poll_to_the_end(
        server, Poll(server, command_descriptor(query_descriptor(MANY).command), header))
    for poll in polls:
        assert [endpoint.ticket for endpoint in poll.info.endpoints] == [
            endpoint.ticket for endpoint in polls[0].info.endpoints]
    parts = [flight.do_get(endpoint.ticket).read_all() for endpoint in polls[-1].info.endpoints]
    assert len(parts) == 3 and sorted_numbers(parts) == list(range(ROWS))


def test_poll_of_a_part_is_of_that_part_to_the_end(server, flight):
    sql = ("SELECT i, i * 2 AS j FROM range(300) t(i), (SELECT sum(k * k % 7) AS z FROM range(60000000) s(k))"
           " WHERE z > 0")
    part = {"sql": sql, "columns": ["j"], "from": 10, "limit": 5}
    polls = poll_to_the_end(server, Poll(server, command_descriptor(json.dumps(part))))
    assert len(polls) > 1 and polls[-1].info.total_records == 5
    assert {tuple(poll.info.schema.names) for poll in polls} == {("j",)}
    tickets = {endpoint.ticket.ticket for poll in polls for endpoint in poll.info.endpoints}
    (ticket,) = tickets
    assert flight.do_get(fl.Ticket(ticket)).read_all()["j"].to_pylist() == [20, 22, 24, 26, 28]


def test_poll_of_rows_of_a_divided_result(server, flight):
    info = flight.get_flight_info(query_descriptor(MANY), options(parallel_endpoints=4))
    whole = pa.concat_tables([flight.do_get(endpoint.ticket).read_all() for endpoint in info.endpoints])
    part = {"path": info.app_metadata.decode(), "from": 10, "limit": 100_000}
    poll = Poll(server, command_descriptor(json.dumps(part)))
    (endpoint,) = poll.info.endpoints
    assert flight.do_get(endpoint.ticket).read_all()["i"].to_pylist() == list(range(10, 100_010))
    assert whole.num_rows == ROWS


@pytest.mark.parametrize(("command", "rows"), [
    (packed("CommandGetCatalogs", b""), 1),
    (packed("CommandGetTableTypes", b""), 4),
    (packed("CommandGetSqlInfo", field(1, 0)), 1),
    (packed("CommandGetTables", field(3, "no_such_table") + field(5, 1)), 0),
])
def test_poll_of_metadata_is_complete(server, flight, command, rows):
    polls = poll_to_the_end(server, Poll(server, command_descriptor(command)))
    (endpoint,) = polls[-1].info.endpoints
    assert polls[-1].progress == 1
    assert flight.do_get(endpoint.ticket).read_all().num_rows == rows


def test_poll_of_a_prepared_statement(server, flight):
    # A handle belongs to its session: the poll has to come on the connection that made it.
    handle, _, _ = prepare(flight, "SELECT 1 AS x")
    with pytest.raises(grpc.RpcError) as refused:
        Poll(server, command_descriptor(prepared_descriptor(handle).command))
    assert refused.value.code() == grpc.StatusCode.NOT_FOUND
    with server.adbc() as connection, connection.cursor() as cursor:
        cursor.adbc_statement.set_options(**{"adbc.statement.exec.incremental": "true"})
        partitions, schema = cursor.adbc_execute_partitions("SELECT i FROM range(10) t(i)")
        assert len(partitions) == 1 and schema.names == ["i"]
        cursor.adbc_read_partition(partitions[0])
        assert cursor.fetch_arrow_table()["i"].to_pylist() == list(range(10))


def test_poll_runs_an_effect_once(server, flight):
    update(flight, "CREATE OR REPLACE TABLE polled_once (i INT)")
    descriptor = command_descriptor(query_descriptor("INSERT INTO polled_once VALUES (1), (2)").command)
    polls = poll_to_the_end(server, Poll(server, descriptor))
    assert polls[-1].info.total_records == 2
    again = Poll(server, command_descriptor(polls[-1].info.app_metadata))
    assert again.descriptor is None
    assert query(flight, "SELECT count(*) AS n FROM polled_once")["n"].to_pylist() == [2]


def test_poll_of_what_expired(start_server):
    server = start_server("--dataset-ttl", "1s")
    first = Poll(server, command_descriptor("SELECT 1 AS x"))
    by_id = command_descriptor(first.info.app_metadata)
    assert Poll(server, by_id).progress == 1

    def is_gone():
        with contextlib.suppress(grpc.RpcError):
            Poll(server, by_id)
            return False
        return True

    wait_until(is_gone, what="the end of the result")
    with pytest.raises(grpc.RpcError) as gone:
        Poll(server, by_id)
    assert gone.value.code() == grpc.StatusCode.NOT_FOUND


# --- stopping and renewing --------------------------------------------------------------------------------


def cancel_query(client, info):
    """CancelQuery, as clients asked before CancelFlightInfo."""
    request = packed("ActionCancelQueryRequest", field(1, info.serialize()))
    (result,) = client.do_action(("CancelQuery", request))
    return unpacked(result.body.to_pybytes())[1][1][0]


@pytest.mark.parametrize("stop", [cancel, cancel_query])
def test_cancel_in_every_phase(server, flight, stop):
    mark = stop.__name__
    prepared = flight.get_flight_info(query_descriptor(COMPUTING.format(mark=f"{mark}_prepared")))
    other = flight.get_flight_info(query_descriptor(STREAMING.format(mark=f"{mark}_other")))
    others = flight.do_get(other.endpoints[0].ticket)
    others.read_chunk()
    assert stop(flight, prepared) == CANCELLED
    with pytest.raises(fl.FlightCancelledError):
        list(flight.do_get(prepared.endpoints[0].ticket))

    streaming = flight.get_flight_info(query_descriptor(STREAMING.format(mark=f"{mark}_streaming")))
    reader = flight.do_get(streaming.endpoints[0].ticket)
    reader.read_chunk()
    assert stop(flight, streaming) == CANCELLED
    with pytest.raises(fl.FlightCancelledError):
        while True:
            reader.read_chunk()

    polled = Poll(server, command_descriptor(COMPUTING.format(mark=f"{mark}_polled")))
    assert polled.descriptor is not None
    assert stop(flight, polled.info) == CANCELLED
    with pytest.raises(grpc.RpcError) as stopped:
        Poll(server, polled.descriptor)
    assert stopped.value.code() == grpc.StatusCode.CANCELLED

    done = flight.get_flight_info(query_descriptor("SELECT 1 AS x"))
    flight.do_get(done.endpoints[0].ticket).read_all()
    assert stop(flight, done) == NOT_CANCELLABLE
    assert flight.do_get(done.endpoints[0].ticket).read_all().num_rows == 1
    # Whatever was stopped, it was not the other one.
    assert others.read_chunk().data.num_rows > 0
    others.cancel()
    wait_until(lambda: not server.running(mark), what="the end of all of them")


def test_cancel_while_it_waits_for_a_slot(start_server):
    server = start_server("--query-slots", "1")
    with server.flight() as client:
        first = client.get_flight_info(query_descriptor(COMPUTING.format(mark="has_the_slot")))
        waiting = client.get_flight_info(query_descriptor(COMPUTING.format(mark="is_queued")))

        def read(info):
            return Background(lambda: list(client.do_get(info.endpoints[0].ticket)))

        reads = [read(first)]
        wait_until(lambda: server.statements("has_the_slot", ("running",)), what="the first one to run")
        reads.append(read(waiting))
        wait_until(lambda: server.statements("is_queued", ("queued",)), what="the second one to wait")
        assert cancel(client, waiting) == CANCELLED
        with pytest.raises(fl.FlightCancelledError):
            reads[1].outcome()
        assert server.statements("has_the_slot", ("running",))
        assert cancel(client, first) == CANCELLED
        with pytest.raises(fl.FlightCancelledError):
            reads[0].outcome()


def test_cancel_of_a_change_that_runs(server, flight):
    sql = "CREATE TABLE never_made AS SELECT sum(i * i % 7) AS s FROM range(100000000000) t(i)"
    polled = Poll(server, command_descriptor(query_descriptor(sql).command))
    assert polled.descriptor is not None
    assert cancel(flight, polled.info) in (CANCELLED, CANCELLING)
    with pytest.raises(grpc.RpcError) as stopped:
        poll_to_the_end(server, Poll(server, polled.descriptor))
    assert stopped.value.code() == grpc.StatusCode.CANCELLED
    assert cancel(flight, polled.info) == CANCELLED
    assert server.value("SELECT count(*) FROM duckdb_tables() WHERE table_name = 'never_made'") == 0


def test_a_read_is_repeated_and_resumed(flight):
    info = flight.get_flight_info(query_descriptor(MANY))
    ticket = info.endpoints[0].ticket
    whole = flight.do_get(ticket).read_all()
    assert whole["i"].to_pylist() == list(range(ROWS))
    reader = flight.do_get(ticket)
    read = [reader.read_chunk().data for _ in range(3)]
    reader.cancel()
    rows = sum(batch.num_rows for batch in read)
    rest = flight.do_get(fl.Ticket(json.dumps({"path": info.app_metadata.decode(), "from": rows}))).read_all()
    assert pa.concat_tables([pa.Table.from_batches(read), rest]).equals(whole)
    assert flight.do_get(ticket).read_all().equals(whole)


def test_renew_an_endpoint_of_a_result(start_server):
    server = start_server("--dataset-ttl", "2s")
    with server.flight() as client:
        info = client.get_flight_info(query_descriptor("SELECT 1 AS x"))
        client.do_get(info.endpoints[0].ticket).read_all()
        endpoint = info.endpoints[0]
        seen = []
        for _ in range(4):
            time.sleep(0.7)
            request = field(1, endpoint.serialize())
            (result,) = client.do_action(("RenewFlightEndpoint", request))
            endpoint = fl.FlightEndpoint.deserialize(result.body.to_pybytes())
            seen.append(endpoint.expiration_time.value)
        assert seen == sorted(set(seen)) and endpoint.ticket == info.endpoints[0].ticket
        assert client.do_get(endpoint.ticket).read_all().num_rows == 1


# --- options -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("sql", [
    "FROM range(1000000) t(i)",
    "SELECT i FROM range(100000000000) t(i)",
    "WITH t AS (SELECT range AS i FROM range(50)) SELECT i FROM t -- a comment",
    "SELECT i FROM range(100) t(i) ORDER BY i DESC LIMIT 20",
    "(SELECT 1 AS i UNION ALL SELECT i FROM range(100) t(i))",
    "VALUES (1), (2), (3), (4), (5), (6), (7), (8)",
    "SELECT 1; SELECT i FROM range(5000000) t(i)",
])
def test_row_limit_ends_the_statement(flight, sql):
    table = query(flight, sql, options(row_limit=7))
    assert table.num_rows == 7
    counted = query(flight, "SELECT count(*) AS n FROM range(3) t(i)", options(row_limit=7))
    assert counted["n"].to_pylist() == [3]
    if "DESC" in sql:
        assert table["i"].to_pylist() == list(range(99, 92, -1))


def test_row_limit_and_what_it_leaves_alone(server, flight):
    update(flight, "CREATE OR REPLACE TABLE limited_rows (i BIGINT)")
    sql = "INSERT INTO limited_rows SELECT * FROM range(10000) RETURNING i"
    table = query(flight, sql, options(row_limit=5))
    assert table.num_rows == 5
    assert query(flight, "SELECT count(*) AS n FROM limited_rows")["n"].to_pylist() == [10_000]
    for all_rows in (0, 2**63 - 1, 2**64 - 1):
        assert query(flight, "FROM limited_rows", options(row_limit=all_rows)).num_rows == 10_000
    for wrong in ("-1", "few", "1.5"):
        with pytest.raises(pa.ArrowInvalid, match="option row-limit takes a number of rows"):
            query(flight, "SELECT 1", options(row_limit=wrong))
    answer = server.query("FROM range(100) t(i)", "ndjson", parameters="&row-limit=3")
    assert [json.loads(line)["i"] for line in answer.text.splitlines()] == [0, 1, 2]
    answer = server.query("FROM range(100) t(i)", "csv", headers={"Volley-Row-Limit": "2"})
    assert answer.text.split() == ["i", "0", "1"]


def test_row_limit_inside_a_transaction(server):
    with server.flight() as client:
        update(client, "CREATE OR REPLACE TABLE limited_work (i BIGINT)")
        update(client, "BEGIN")
        update(client, "INSERT INTO limited_work VALUES (1)")
        assert query(client, "SELECT i FROM range(1000000000) t(i)", options(row_limit=4)).num_rows == 4
        several = "SELECT 1; SELECT i FROM range(10000000) t(i)"
        assert query(client, several, options(row_limit=4)).num_rows == 4
        update(client, "COMMIT")
        assert query(client, "FROM limited_work")["i"].to_pylist() == [1]


def facts(schema, name):
    metadata = schema.field(name).metadata or {}
    return {key.decode().removeprefix("ARROW:FLIGHT:SQL:"): value.decode() for key, value in metadata.items()}


def test_columns_tell_their_sql_types(flight):
    sql = ("SELECT 1::INTEGER AS i, 2.5::DECIMAL(12, 3) AS d, 'x' AS s, 1.5::DOUBLE AS f, 1::HUGEINT AS h,"
           " now() AS t, {'a': 1, 'b c': [1.5::FLOAT]} AS n, MAP {'k': DATE '2026-01-01'} AS m,"
           " '{}'::JSON AS j, NULL AS z, [[1, 2]]::INTEGER[2][] AS a")
    info = flight.get_flight_info(query_descriptor(sql))
    result = {"IS_READ_ONLY": "1", "IS_SEARCHABLE": "1"}
    expected = {
        "i": {"TYPE_NAME": "INTEGER", "PRECISION": "10", "SCALE": "0"},
        "d": {"TYPE_NAME": "DECIMAL(12,3)", "PRECISION": "12", "SCALE": "3"},
        "s": {"TYPE_NAME": "VARCHAR", "IS_CASE_SENSITIVE": "1"},
        "f": {"TYPE_NAME": "DOUBLE", "PRECISION": "15"},
        "h": {"TYPE_NAME": "HUGEINT", "PRECISION": "38", "SCALE": "0"},
        "t": {"TYPE_NAME": "TIMESTAMP WITH TIME ZONE", "PRECISION": "32", "SCALE": "6"},
        "n": {"TYPE_NAME": 'STRUCT("a" INTEGER, "b c" FLOAT[])'},
        "m": {"TYPE_NAME": "MAP(VARCHAR, DATE)"},
        "z": {"TYPE_NAME": "INTEGER", "PRECISION": "10", "SCALE": "0"},
        "a": {"TYPE_NAME": "INTEGER[2][]"},
    }
    for column, facts_expected in expected.items():
        assert facts(info.schema, column) == {**facts_expected, **result}, column
    assert facts(info.schema, "j")["TYPE_NAME"] == "JSON"
    assert flight.do_get(info.endpoints[0].ticket).schema.equals(info.schema, check_metadata=True)
    _, dataset_schema, _ = prepare(flight, sql)
    assert pa.ipc.read_schema(pa.py_buffer(dataset_schema)).equals(info.schema, check_metadata=True)


def test_what_the_specification_gives_has_no_metadata(server, flight):
    info = flight.get_flight_info(fl.FlightDescriptor.for_command(packed("CommandGetCatalogs", b"")))
    assert all(field.metadata is None for field in info.schema)
    answer = server.query("SELECT 1 AS i", "arrow")
    assert pa.ipc.open_stream(answer.body).schema.field("i").metadata is None


def test_what_the_specification_gives_has_its_schema_whatever_is_asked_for(flight):
    descriptor = fl.FlightDescriptor.for_command(packed("CommandGetTableTypes", b""))
    usual = flight.get_flight_info(descriptor).schema
    asked = flight.get_flight_info(descriptor, options(dictionaries="on", views="on", row_limit=1))
    assert asked.schema.equals(usual, check_metadata=True)
    assert flight.do_get(asked.endpoints[0].ticket).read_all().num_rows == 4


KINDS = (
    "SELECT CASE WHEN i % 11 = 3 THEN NULL ELSE 'value ' || i % 5 END AS few, 'unique ' || i AS many, i,"
    " i % 3 = 0 AS odd, (['sad', 'happy', 'so so'])[i % 3 + 1]::ENUM('happy', 'sad', 'so so') AS mood,"
    " CASE WHEN i % 2 = 0 THEN repeat('long ', i::INT % 7) END AS text, ['a', 'b' || i % 4] AS list,"
    " ('bytes ' || i)::BLOB AS bytes FROM range({rows}) t(i) ORDER BY i")


@pytest.mark.parametrize("rows", [0, 1, 5_000, 150_000])
def test_text_as_dictionaries(flight, rows):
    sql = KINDS.format(rows=rows)
    plain = query(flight, sql)
    table = query(flight, sql, options(dictionaries="on"))
    table.validate(full=True)
    for name, index in (("few", pa.int32()), ("many", pa.int32()), ("mood", pa.int8()), ("text", pa.int32())):
        assert table.schema.field(name).type == pa.dictionary(index, pa.string()), name
    assert table.schema.field("list").type == pa.list_(pa.field("item", pa.string()))
    decoded = table.cast(plain.schema)
    assert decoded.equals(plain)
    if rows > 100:
        assert len(table["few"].chunk(0).dictionary) == 5
        sizes = [len(chunk.dictionary) for chunk in table["many"].chunks]
        assert max(sizes) * 18 < 4 << 20
    assert query(flight, sql, options(dictionaries="off")).schema.equals(plain.schema)
    assert query(flight, sql, options(dictionaries="auto")).schema.equals(plain.schema)


@pytest.mark.parametrize("rows", [0, 1, 5_000, 150_000])
def test_text_as_views(flight, rows):
    sql = KINDS.format(rows=rows)
    plain = query(flight, sql)
    table = query(flight, sql, options(views="on"))
    table.validate(full=True)
    for name in ("few", "many", "mood", "text"):
        assert table.schema.field(name).type == pa.string_view(), name
    assert table.schema.field("bytes").type == pa.binary_view()
    assert table.schema.field("list").type.value_type == pa.string_view()
    assert table.to_pydict() == plain.to_pydict() if rows < 10_000 else table.num_rows == rows
    assert table["many"].cast(pa.string()).equals(plain["many"])
    assert table["text"].cast(pa.string()).equals(plain["text"])
    both = query(flight, sql, options(views="on", dictionaries="on"))
    assert both.schema.field("text").type == pa.dictionary(pa.int32(), pa.string())
    assert both.schema.field("bytes").type == pa.binary_view()


@pytest.mark.parametrize(("labels", "index"), [
    (127, pa.int8()), (128, pa.int16()), (256, pa.int16()), (32767, pa.int16()), (40000, pa.int32())])
def test_dictionaries_of_enums_of_any_size(flight, labels, index):
    update(flight, f"CREATE TYPE enum_{labels} AS ENUM (SELECT 'label ' || i FROM range({labels}) t(i))")
    sql = f"SELECT CASE WHEN i % 5 > 0 THEN ('label ' || i)::enum_{labels} END AS e FROM range({labels}) t(i)"
    table = query(flight, sql, options(dictionaries="on"))
    assert table.schema.field("e").type == pa.dictionary(index, pa.string())
    plain = query(flight, sql)
    assert table["e"].cast(pa.string()).equals(plain["e"])
    assert query(flight, sql, options(views="on"))["e"].cast(pa.string()).equals(plain["e"])


def test_batches_of_dictionaries_and_views_have_their_size(flight):
    for wish in ({"dictionaries": "on"}, {"views": "on"}, {}):
        info = flight.get_flight_info(query_descriptor(KINDS.format(rows=200_000)),
                                      options(max_message_bytes=300_000, **wish))
        batches = [chunk.data for chunk in flight.do_get(info.endpoints[0].ticket)]
        assert len(batches) > 10 and sum(batch.num_rows for batch in batches) == 200_000
        assert all(batch.nbytes < 700_000 for batch in batches), wish


def test_dictionaries_and_views_over_http(server):
    sql = KINDS.format(rows=200_000)
    plain = pa.ipc.open_stream(server.query(sql, "arrow").body).read_all()
    file = pa.ipc.open_file(server.query(sql, "arrow-file", parameters="&dictionaries=on").body)
    assert file.read_all().equals(plain)
    body = server.query(sql, "arrow", headers={"Volley-Dictionaries": "on"}).body
    table = pa.ipc.open_stream(body).read_all()
    assert table.cast(plain.schema).equals(plain)
    table = pa.ipc.open_stream(server.query(sql, "arrow", parameters="&views=on").body).read_all()
    assert table.schema.field("many").type == pa.string_view() and table.num_rows == 200_000
    usual = server.query(KINDS.format(rows=100), "ndjson").text
    for wish in ("&views=on", "&dictionaries=on"):
        assert server.query(KINDS.format(rows=100), "ndjson", parameters=wish).text == usual


def test_a_kept_result_of_dictionaries_over_http(server):
    sql = KINDS.format(rows=150_000)
    answer = server.query(sql, "json", parameters="&keep=true&dictionaries=on")
    place = answer.headers["content-location"].split("?")[0]
    whole = server.request("GET", f"{place}?format=arrow")
    assert whole.status == 200
    table = pa.ipc.open_stream(whole.body).read_all()
    assert table.num_rows == 150_000 and pa.types.is_dictionary(table.schema.field("many").type)
    assert server.request("GET", f"{place}?format=csv").body.count(b"\n") == 150_001


def test_options_of_a_text_whose_columns_come_late(server, flight):
    late = ("CREATE OR REPLACE TEMP TABLE late AS SELECT i, 'v' || i % 7 AS s FROM range(150000) t(i);"
            " FROM late")
    table = query(flight, late, options(dictionaries="on", row_limit=5))
    assert table.num_rows == 5 and table.schema.field("s").type == pa.dictionary(pa.int32(), pa.string())
    parts = [flight.do_get(ticket).read_all() for ticket in divided(flight, late, 2, views="on")]
    assert sorted_numbers(parts) == list(range(150_000))
    assert parts[0].schema.field("s").type == pa.string_view()
    polls = poll_to_the_end(server, Poll(server, command_descriptor(query_descriptor(late).command),
                                         (("volley-parallel-endpoints", "2"),)))
    assert len(polls[-1].info.endpoints) == 2 and polls[-1].info.total_records == 150_000


def test_a_result_of_dictionaries_is_read_by_sql(server, flight):
    update(flight, "CREATE OR REPLACE TABLE read_back AS SELECT 1 AS x")
    for wish in ({"dictionaries": "on"}, {"views": "on"}):
        info = flight.get_flight_info(query_descriptor(KINDS.format(rows=100_000)), options(**wish))
        flight.do_get(info.endpoints[0].ticket).read_all()
        found = query(flight, f"SELECT few, count(*) AS n FROM batch('{info.app_metadata.decode()}')"
                              " WHERE few IS NOT NULL GROUP BY few ORDER BY few")
        assert found["few"].to_pylist() == [f"value {i}" for i in range(5)]
        assert sum(found["n"].to_pylist()) == 100_000 - len(range(3, 100_000, 11))


@pytest.mark.parametrize("wish", ["views=maybe", "dictionaries=yes", "row-limit=x"])
def test_values_that_an_option_does_not_take(server, flight, wish):
    name, value = wish.split("=")
    with pytest.raises(pa.ArrowInvalid, match=f"option {name} takes .* not '{value}'"):
        query(flight, "SELECT 1", options(**{name.replace('-', '_'): value}))
    assert server.query("SELECT 1", parameters=f"&{wish}").status == 422


def stream_of(server, ticket, agent):
    """What DoGet sends to a client of that name, as an IPC stream."""
    stream = b""
    with grpc.insecure_channel("{}:{}".format(*server.flight_address),
                               (("grpc.primary_user_agent", agent),)) as channel:
        for message in channel.unary_stream(SERVICE + "DoGet")(ticket.serialize(), timeout=60):
            found = fields(message)
            (header,) = found[2]
            header += bytes(-len(header) % 8)
            stream += struct.pack("<iI", -1, len(header)) + header + found.get(1000, [b""])[0]
    return stream


@pytest.mark.parametrize(("agent", "takes_deltas"), [
    ("grpc-c++/1.60.0 grpc-c/37.0.0 (linux; chttp2)", True), ("grpc-go/1.75.0", True),
    ("grpc-java-netty/1.65.0", False), ("tonic/0.12", False)])
def test_dictionaries_that_grow_go_whole_where_a_delta_is_not_understood(server, flight, agent, takes_deltas):
    sql = "SELECT 'value ' || (i // 1000) AS s FROM range(30000) t(i)"
    wishes = options(dictionaries="on", max_message_bytes=100_000)
    info = flight.get_flight_info(query_descriptor(sql), wishes)
    stream = stream_of(server, info.endpoints[0].ticket, agent)
    reader = pa.ipc.open_stream(stream)
    table = reader.read_all()
    assert table["s"].cast(pa.string()).equals(query(flight, sql)["s"])
    stats = reader.stats
    assert (stats.num_dictionary_deltas > 0) == takes_deltas
    assert stats.num_replaced_dictionaries > 0
