"""Transactions opened by action, as ADBC's connections do without autocommit, and CancelQuery.

SPDX-License-Identifier: Apache-2.0
"""
import adbc_driver_manager
import flight_sql
import pyarrow as pa
import pyarrow.flight
import pytest
from harness import COMPUTING, Background, wait_until

COMMIT, ROLLBACK = 1, 2


def rows(connection, sql):
    with connection.cursor() as cursor:
        cursor.execute(sql)
        return cursor.fetchall()


def execute(connection, sql):
    with connection.cursor() as cursor:
        cursor.execute(sql)


def action(client, name, message=b""):
    body = flight_sql.packed(f"Action{name}Request", message)
    return [flight_sql.unpacked(result.body.to_pybytes())
            for result in client.do_action(pyarrow.flight.Action(name, body))]


def begin(client):
    ((name, answer),) = action(client, "BeginTransaction")
    assert name == "ActionBeginTransactionResult"
    return answer[1][0]


def end(client, transaction, how):
    assert action(client, "EndTransaction", flight_sql.field(1, transaction)
                  + flight_sql.field(2, how)) == []


def test_adbc_commits_and_rolls_back(server):
    with server.adbc(autocommit=False) as one, server.adbc() as two:
        execute(one, "CREATE TABLE by_action (i INTEGER)")
        one.commit()
        execute(one, "INSERT INTO by_action VALUES (1), (2)")
        assert rows(one, "SELECT count(*) FROM by_action") == [(2,)]
        assert rows(two, "SELECT count(*) FROM by_action") == [(0,)]
        one.rollback()
        assert rows(one, "SELECT count(*) FROM by_action") == [(0,)]
        execute(one, "INSERT INTO by_action VALUES (3)")
        one.commit()
        assert rows(two, "SELECT i FROM by_action") == [(3,)]


def test_temporary_tables_live_from_one_transaction_to_the_next(server):
    with server.adbc(autocommit=False) as connection:
        execute(connection, "CREATE TEMP TABLE lasting AS SELECT 7 AS i")
        connection.commit()
        assert rows(connection, "SELECT i FROM lasting") == [(7,)]


def test_a_write_conflict_is_aborted_and_says_what_to_do(server):
    with server.adbc(autocommit=False) as one, server.adbc(autocommit=False) as two:
        execute(one, "CREATE TABLE contended (i INTEGER)")
        execute(one, "INSERT INTO contended VALUES (1)")
        one.commit()
        two.rollback()
        execute(one, "UPDATE contended SET i = 2")
        with pytest.raises(adbc_driver_manager.Error, match="(?i)conflict.*\n.*run this one again") as raised:
            execute(two, "UPDATE contended SET i = 3")
        assert "ABORTED" in str(raised.value).upper()
        with pytest.raises(adbc_driver_manager.Error, match="can only be rolled back.*Conflict"):
            rows(two, "SELECT i FROM contended")
        one.commit()
        two.rollback()
        execute(two, "UPDATE contended SET i = i + 1")
        two.commit()
        assert rows(one, "SELECT i FROM contended") == [(3,)]


@pytest.mark.parametrize(("first", "second"), [
    ("UPDATE conflicts SET v = 1 WHERE i = 1", "UPDATE conflicts SET v = 2 WHERE i = 1"),
    ("ALTER TABLE conflicts ADD COLUMN w INTEGER", "ALTER TABLE conflicts ADD COLUMN x INTEGER"),
    ("CREATE TABLE conflicts_too (i INTEGER)", "CREATE TABLE conflicts_too (i INTEGER)"),
    ("DROP TABLE conflicts", "DROP TABLE conflicts"),
], ids=["row", "columns", "name", "drop"])
def test_conflicts_carry_advice_for_a_machine(server, first, second):
    with server.flight() as one, server.flight() as two:
        flight_sql.update(one, "CREATE OR REPLACE TABLE conflicts AS SELECT 1 AS i, 0 AS v")
        transactions = begin(one), begin(two)
        flight_sql.update(one, first)
        with pytest.raises(pyarrow.flight.FlightInternalError, match="aborted"):
            flight_sql.update(two, second)
        end(two, transactions[1], ROLLBACK)
        status = server.query(second, "json")
        assert status.status == 409 and status.headers["retry-after"]
        end(one, transactions[0], ROLLBACK)


def test_a_unique_key_is_checked_at_the_commit(server):
    with server.flight() as one, server.flight() as two:
        flight_sql.update(one, "CREATE TABLE keyed (i INTEGER PRIMARY KEY)")
        transactions = begin(one), begin(two)
        assert flight_sql.update(one, "INSERT INTO keyed VALUES (1)") == 1
        assert flight_sql.update(two, "INSERT INTO keyed VALUES (1), (2)") == 2
        end(one, transactions[0], COMMIT)
        with pytest.raises(pa.ArrowException, match="(?i)already exists.*duplicate key"):
            end(two, transactions[1], COMMIT)
        end(two, transactions[1], ROLLBACK)
        with pytest.raises(pa.ArrowInvalid, match="over"):
            end(two, transactions[1], COMMIT)
        assert server.value("SELECT count(*) FROM keyed") == 1
        end(two, begin(two), COMMIT)


def test_nobody_sees_what_is_not_committed(server):
    with server.flight() as one, server.flight() as two, server.flight() as three:
        flight_sql.update(one, "CREATE TABLE isolated AS SELECT 1 AS i")
        count = "SELECT count(*) AS c FROM isolated"

        def seen(client):
            return flight_sql.query(client, count)["c"].to_pylist()

        writes, reads = begin(one), begin(two)
        assert seen(two) == [1]  # its snapshot is taken here
        flight_sql.update(one, "INSERT INTO isolated VALUES (2)")
        assert (seen(one), seen(two), seen(three)) == ([2], [1], [1])
        flight_sql.update(one, "CREATE TABLE isolated_too (i INTEGER)")
        with pytest.raises(KeyError):
            flight_sql.query(three, "FROM isolated_too")
        end(one, writes, COMMIT)
        assert (seen(one), seen(two), seen(three)) == ([2], [1], [2])
        end(two, reads, COMMIT)
        assert seen(two) == [2]


def test_a_query_of_a_transaction_reads_what_was_there_when_it_was_asked_for(server):
    with server.flight() as client:
        flight_sql.update(client, "CREATE TABLE asked AS SELECT 1 AS i")
        transaction = begin(client)
        info = client.get_flight_info(flight_sql.query_descriptor("SELECT count(*) AS c FROM asked"))
        flight_sql.update(client, "INSERT INTO asked VALUES (2)")
        table = client.do_get(info.endpoints[0].ticket).read_all()
        assert table["c"].to_pylist() == [1]
        end(client, transaction, ROLLBACK)
        assert client.do_get(info.endpoints[0].ticket).read_all().equals(table)


def test_definitions_are_part_of_a_transaction(server):
    with server.flight() as client:
        transaction = begin(client)
        assert flight_sql.update(client, "CREATE TABLE defined_inside (i INTEGER)") == -1
        assert flight_sql.update(client, "INSERT INTO defined_inside VALUES (1)") == 1
        flight_sql.update(client, "ALTER TABLE defined_inside ADD COLUMN j INTEGER DEFAULT 5")
        assert flight_sql.query(client, "FROM defined_inside").to_pylist() == [{"i": 1, "j": 5}]
        end(client, transaction, ROLLBACK)
        with pytest.raises(KeyError):
            flight_sql.query(client, "FROM defined_inside")


def test_an_error_inside_a_transaction(server):
    with server.flight() as client:
        flight_sql.update(client, "CREATE TABLE fragile (i INTEGER PRIMARY KEY)")
        transaction = begin(client)
        flight_sql.update(client, "INSERT INTO fragile VALUES (1)")
        with pytest.raises(KeyError):
            flight_sql.query(client, "SELECT * FROM fragile_too")
        flight_sql.update(client, "INSERT INTO fragile VALUES (2)")  # a slip of the pen breaks nothing
        with pytest.raises(pa.ArrowException, match="(?i)duplicate key"):
            flight_sql.update(client, "INSERT INTO fragile VALUES (1)")
        for sql in ("SELECT 1", "INSERT INTO fragile VALUES (3)", "BEGIN"):
            with pytest.raises(pa.ArrowInvalid, match="(?si)can only be rolled back.*duplicate.*ROLLBACK"):
                flight_sql.query(client, sql)
        with pytest.raises(pa.ArrowInvalid, match="nothing was committed"):
            end(client, transaction, COMMIT)
        end(client, transaction, ROLLBACK)  # as clients do after a COMMIT that failed
        assert server.value("SELECT count(*) FROM fragile") == 0
        transaction = begin(client)
        flight_sql.update(client, "INSERT INTO fragile VALUES (1)")
        end(client, transaction, COMMIT)
        assert server.value("SELECT count(*) FROM fragile") == 1


def test_text_and_actions_are_the_same_transaction(server):
    with server.flight() as client:
        flight_sql.update(client, "BEGIN TRANSACTION")
        with pytest.raises(pa.ArrowInvalid, match="in a transaction already"):
            begin(client)
        flight_sql.update(client, "ROLLBACK")
        transaction = begin(client)
        with pytest.raises(pa.ArrowInvalid, match="within a transaction"):
            flight_sql.update(client, "BEGIN")
        end(client, transaction, COMMIT)
        with pytest.raises(pa.ArrowInvalid, match="no transaction is active"):
            flight_sql.update(client, "COMMIT")
        assert flight_sql.update(client, "BEGIN; CREATE TABLE by_text (i INTEGER); COMMIT") == -1
        assert server.value("SELECT count(*) FROM by_text") == 0


def test_a_request_over_http_ends_its_transaction(server):
    for sql in ("BEGIN", "BEGIN; CREATE TABLE left_open (i INTEGER)", "BEGIN; COMMIT; BEGIN; SELECT 1"):
        response = server.query(sql, "json")
        assert response.status in (400, 422) and "does not end it" in response.json["detail"]
    assert server.query("BEGIN; CREATE TABLE left_open (i INTEGER); COMMIT", "json").status == 200
    undone = "BEGIN; INSERT INTO left_open VALUES (1); ROLLBACK; SELECT count(*) AS c FROM left_open"
    assert server.rows(undone) == [{"c": 0}]


def test_a_session_that_ends_rolls_back(server):
    with server.flight() as client:
        flight_sql.update(client, "CREATE TABLE abandoned AS SELECT 1 AS i")
    # Closed by its client, and left without a word: by whoever has the lock, the row is free again.
    for leave in (lambda client: list(client.do_action(("CloseSession", b""))),
                  lambda client: client.close()):
        client = server.flight()
        begin(client)
        flight_sql.update(client, "UPDATE abandoned SET i = i + 1")
        assert server.query("UPDATE abandoned SET i = 0", "json").status == 409
        leave(client)
        wait_until(lambda: server.query("UPDATE abandoned SET i = i", "json").status == 200)
        client.close()
    assert server.value("SELECT i FROM abandoned") == 1


def test_a_forgotten_transaction_is_rolled_back(start_server):
    server = start_server("--transaction-timeout", "1s")
    with server.flight() as client:
        flight_sql.update(client, "CREATE TABLE forgotten AS SELECT 1 AS i")
        flight_sql.update(client, "CREATE TEMP TABLE kept AS SELECT 2 AS i")
        transaction = begin(client)
        flight_sql.update(client, "UPDATE forgotten SET i = 5")
        wait_until(lambda: server.query("UPDATE forgotten SET i = 3", "json").status == 200)
        with pytest.raises(pa.ArrowInvalid, match="(?s)can only be rolled back.*transaction-timeout"):
            flight_sql.update(client, "INSERT INTO forgotten VALUES (6)")
        with pytest.raises(pa.ArrowInvalid, match="nothing was committed"):
            end(client, transaction, COMMIT)
        assert flight_sql.query(client, "FROM forgotten, kept").num_rows == 1
        assert server.value("SELECT i FROM forgotten") == 3


def test_a_transaction_on_a_server_that_only_reads(start_server, tmp_path):
    database = tmp_path / "read_only.db"
    start_server("--database", database).stop()
    server = start_server("--database", database, "--read-only")
    with server.flight() as client:
        transaction = begin(client)
        assert flight_sql.query(client, "SELECT 1 AS a").to_pylist() == [{"a": 1}]
        with pytest.raises(pyarrow.flight.FlightUnauthorizedError, match="read-only"):
            flight_sql.update(client, "CREATE TABLE forbidden (i INTEGER)")
        end(client, transaction, ROLLBACK)
        assert flight_sql.query(client, "CREATE TEMP TABLE mine AS SELECT 3 AS i; FROM mine"
                                ).to_pylist() == [{"i": 3}]
        assert flight_sql.query(client, "PIVOT mine ON i USING count(*)").num_rows == 1


def test_ids_of_transactions(server):
    with server.flight() as client:
        transaction = begin(client)
        with pytest.raises(pyarrow.lib.ArrowInvalid, match="in a transaction already"):
            begin(client)
        end(client, transaction, COMMIT)
        for how in (COMMIT, ROLLBACK):
            with pytest.raises(pyarrow.lib.ArrowInvalid, match="unknown to this session, or over"):
                end(client, transaction, how)
        again = begin(client)
        assert again != transaction
        with pytest.raises(pyarrow.lib.ArrowInvalid, match="COMMIT"):
            end(client, again, 0)
        flight_sql.update(client, "COMMIT")
        with pytest.raises(pyarrow.lib.ArrowInvalid, match="over"):
            end(client, again, ROLLBACK)


def test_a_statement_with_a_strange_transaction_is_refused(server):
    with server.flight() as client, server.flight() as other:
        transaction = begin(other)
        command = flight_sql.packed("CommandStatementQuery", flight_sql.field(1, "SELECT 1")
                                    + flight_sql.field(2, transaction))
        descriptor = pyarrow.flight.FlightDescriptor.for_command(command)
        with pytest.raises(pyarrow.lib.ArrowInvalid, match="unknown to this session"):
            client.get_flight_info(descriptor)
        info = other.get_flight_info(descriptor)
        assert other.do_get(info.endpoints[0].ticket).read_all().num_rows == 1
        end(other, transaction, ROLLBACK)


def test_savepoints_are_refused(server):
    with server.flight() as client:
        transaction = begin(client)
        for name in ("BeginSavepoint", "EndSavepoint"):
            with pytest.raises(pa.ArrowNotImplementedError, match="no savepoints"):
                action(client, name, flight_sql.field(1, transaction) + flight_sql.field(2, "here"))
        for sql in ("SAVEPOINT here", "RELEASE SAVEPOINT here", "ROLLBACK TO here", "SELECT 1; SAVEPOINT a"):
            with pytest.raises(pa.ArrowNotImplementedError, match="no savepoints"):
                flight_sql.update(client, sql)
        assert not {"BeginSavepoint", "EndSavepoint"} & {found.type for found in client.list_actions()}
        end(client, transaction, COMMIT)


def test_what_waits_for_a_slot_keeps_no_worker_and_can_be_cancelled(start_server):
    server = start_server("--query-slots", "1", "--worker-threads", "1")
    holds = Background(lambda: server.query(COMPUTING.format(mark="holds_slot"), "json"))
    wait_until(lambda: server.statements("holds_slot", ("running",)))
    with server.flight() as client, server.flight() as hasty:
        begins = Background(lambda: begin(client))
        wait_until(lambda: server.statements("BEGIN", ("queued",)))
        soon = pyarrow.flight.FlightCallOptions(timeout=0.5)
        with pytest.raises(pyarrow.flight.FlightTimedOutError):
            list(hasty.do_action(pyarrow.flight.Action(
                "BeginTransaction", flight_sql.packed("ActionBeginTransactionRequest", b"")), soon))
        wait_until(lambda: server.statements("BEGIN", ("cancelled",)))
        hasty.get_flight_info(flight_sql.query_descriptor("SELECT 1"))  # the one worker is free
        (identifier,) = server.running("holds_slot")
        server.request("DELETE", f"/v1/queries/{identifier}")
        assert holds.outcome().status == 409
        end(client, begins.outcome(), COMMIT)


def test_cancel_query_stops_exactly_that_query(server):
    with server.flight() as client:
        command = flight_sql.query_descriptor(COMPUTING.format(mark="cancel_by_action"))
        info = client.get_flight_info(command)
        running = Background(lambda: list(client.do_get(info.endpoints[0].ticket)))
        wait_until(lambda: server.statements("cancel_by_action", ("running",)))
        ((name, answer),) = action(client, "CancelQuery", flight_sql.field(1, info.serialize()))
        assert name == "ActionCancelQueryResult"
        assert answer[1][0] in (1, 2)
        with pytest.raises(pyarrow.flight.FlightCancelledError):
            running.outcome()
        wait_until(lambda: not server.statements("cancel_by_action", ("running",)))
        ((_, answer),) = action(client, "CancelQuery", flight_sql.field(1, info.serialize()))
        assert answer[1][0] in (1, 3)
