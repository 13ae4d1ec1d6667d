"""One session used by several calls at once, and one connection used by several sessions.

SPDX-License-Identifier: Apache-2.0
"""
import concurrent.futures
import threading

import flight_sql
import pyarrow as pa
import pyarrow.flight
import pytest
from flight_sessions import COOKIE, Cookies
from harness import wait_until

ROUNDS = 15
CALLS = 4


def bearer(client, user):
    return pyarrow.flight.FlightCallOptions(headers=[client.authenticate_basic_token(user, "")])


def together(function):
    """What function(0), function(1), .. give, all called at once; an exception of pyarrow as it is."""
    barrier = threading.Barrier(CALLS)

    def call(number):
        barrier.wait()
        try:
            return function(number)
        except pa.ArrowException as error:
            return error

    with concurrent.futures.ThreadPoolExecutor(CALLS) as pool:
        return list(pool.map(call, range(CALLS)))


def begin(client, options):
    body = flight_sql.packed("ActionBeginTransactionRequest", b"")
    (result,) = client.do_action(("BeginTransaction", body), options)
    return flight_sql.unpacked(result.body.to_pybytes())[1][1][0]


def commit(client, transaction, options):
    request = flight_sql.field(1, transaction) + flight_sql.field(2, 1)
    body = flight_sql.packed("ActionEndTransactionRequest", request)
    assert list(client.do_action(("EndTransaction", body), options)) == []


def test_of_several_transactions_begun_at_once_there_is_one(flight):
    for round_ in range(ROUNDS):
        session = bearer(flight, f"begins{round_}")
        answers = together(lambda _: begin(flight, session))
        begun = [answer for answer in answers if isinstance(answer, bytes)]
        assert len(begun) == 1, answers
        assert all("transaction already" in str(answer) for answer in answers if answer not in begun)
        commit(flight, begun[0], session)


def test_temporary_tables_made_at_once_are_all_there(flight):
    for round_ in range(ROUNDS):
        session = bearer(flight, f"tables{round_}")
        together(lambda number: flight_sql.update(
            flight, f"CREATE TEMP TABLE at_once_{number} AS SELECT 7 AS i", session))
        for number in range(CALLS):
            table = flight_sql.query(flight, f"FROM at_once_{number}", session)
            assert table["i"].to_pylist() == [7]


def test_variables_set_at_once_are_all_set(flight):
    for round_ in range(ROUNDS):
        session = bearer(flight, f"variables{round_}")
        together(lambda number: flight_sql.update(flight, f"SET VARIABLE v{number} = 7", session))
        names = ", ".join(f"getvariable('v{number}')" for number in range(CALLS))
        assert [column.to_pylist() for column in
                flight_sql.query(flight, f"SELECT {names}", session).columns] == [[7]] * CALLS


def test_a_commit_too_many_does_not_end_the_next_transaction(flight):
    flight_sql.update(flight, "CREATE TABLE commits (i INTEGER)")
    for round_ in range(ROUNDS):
        session = bearer(flight, f"commits{round_}")
        together(lambda number: flight_sql.update(
            flight, ("BEGIN", "COMMIT")[number % 2], session))
        # Whatever came of them, nobody else is in a transaction that they left behind.
        flight_sql.update(flight, f"INSERT INTO commits VALUES ({round_})")
        count = flight_sql.query(flight, "SELECT count(*) AS n FROM commits")
        assert count["n"].to_pylist() == [round_ + 1]


def test_a_client_that_comes_back_leaves_the_others_of_the_connection_their_session(start_server):
    server = start_server()
    jar = {}
    with server.flight(middleware=[Cookies(jar)]) as client:
        flight_sql.update(client, "CREATE TEMP TABLE hers (i INTEGER)")
    cookie = pyarrow.flight.FlightCallOptions(headers=[(b"cookie", f"{COOKIE}={jar[COOKIE]}".encode())])
    with server.flight() as shared:
        flight_sql.update(shared, "CREATE TEMP TABLE his (i INTEGER)")
        # His, and the one that asks.
        wait_until(lambda: server.metrics()["volley_connections"] == 2, what="the first one's end")
        assert flight_sql.query(shared, "FROM hers", cookie).num_rows == 0
        assert flight_sql.query(shared, "FROM his").num_rows == 0
        with pytest.raises(pa.ArrowKeyError):
            flight_sql.query(shared, "FROM hers")
