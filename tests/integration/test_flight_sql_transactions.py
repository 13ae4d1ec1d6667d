"""Transactions opened by action, as ADBC's connections do without autocommit, and CancelQuery.

SPDX-License-Identifier: Apache-2.0
"""
import adbc_driver_manager
import flight_sql
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
        with pytest.raises(adbc_driver_manager.Error, match="(?i)conflict") as raised:
            execute(two, "UPDATE contended SET i = 3")
            two.commit()
        assert "ABORTED" in str(raised.value).upper() or "Conflict" in str(raised.value)
        one.commit()
        two.rollback()
        assert rows(two, "SELECT i FROM contended") == [(2,)]


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
    with server.flight() as client, pytest.raises(pyarrow.lib.ArrowInvalid, match="BeginSavepoint"):
        action(client, "BeginSavepoint", flight_sql.field(2, "here"))


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
