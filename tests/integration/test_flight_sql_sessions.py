"""Sessions over Flight SQL: options, catalog, schema, time zone, cookies, bearers, lifetime.

SPDX-License-Identifier: Apache-2.0
"""
import datetime

import flight_sql
import pyarrow as pa
import pyarrow.flight
import pytest
from flight_sessions import COOKIE, Cookies, close_session, get_options, set_options
from harness import wait_until

UTC = datetime.timezone.utc
DEFAULTS = {"catalog": "memory", "schema": "main", "time-zone": "UTC"}


def value(client, sql, options=None):
    (column,) = flight_sql.query(client, sql, options).columns
    (found,) = column.to_pylist()
    return found


def headers(**wanted):
    return pyarrow.flight.FlightCallOptions(
        headers=[(name.replace("_", "-").encode(), text.encode()) for name, text in wanted.items()])


def bearer(client, user="somebody"):
    return pyarrow.flight.FlightCallOptions(headers=[client.authenticate_basic_token(user, "")])


def rows_of_session(server, options):
    return [row for row in server.rows("FROM volley.sessions") if row["options"] == options]


# --- options ---------------------------------------------------------------------------------------


def test_an_untouched_session_tells_its_defaults(flight):
    assert get_options(flight) == DEFAULTS


def test_options_are_set_told_and_unset(flight):
    assert set_options(flight, {"compression": "zstd", "timeout-ms": 60000}) == {}
    assert get_options(flight) == {**DEFAULTS, "compression": "zstd", "timeout-ms": 60000}
    assert set_options(flight, {"compression": None}) == {}
    assert get_options(flight) == {**DEFAULTS, "timeout-ms": 60000}
    assert set_options(flight, {"timeout-ms": None, "priority": 5, "slots": 2}) == {}
    assert get_options(flight) == {**DEFAULTS, "priority": 5, "slots": 2}


def test_a_name_of_digits_is_told_as_a_text(flight):
    flight_sql.update(flight, 'CREATE SCHEMA "42"')
    assert set_options(flight, {"schema": "42"}) == {}
    assert get_options(flight)["schema"] == "42"


def test_what_cannot_be_set_is_told_by_name_and_the_rest_is_set(flight):
    wanted = {
        "compression": "lz4", "no-such-option": "1", "priority": 6, "engine": "oracle",
        "max-message-bytes": "many", "timeout-ms": 0, "parallel-endpoints": 65,
        "dictionaries": ["off"], "catalog": "nowhere", "schema": "main", "time-zone": "+02:00",
    }
    assert set_options(flight, wanted) == {
        "no-such-option": "INVALID_NAME", "priority": "INVALID_VALUE", "engine": "INVALID_VALUE",
        "max-message-bytes": "INVALID_VALUE", "timeout-ms": "INVALID_VALUE",
        "parallel-endpoints": "INVALID_VALUE", "dictionaries": "INVALID_VALUE",
        "catalog": "INVALID_VALUE", "time-zone": "INVALID_VALUE",
        "schema": "ERROR",  # its catalog was not set
    }
    assert get_options(flight) == {**DEFAULTS, "compression": "lz4"}


def test_names_are_taken_as_clients_spell_them(flight):
    assert set_options(flight, {"Max_Message_Bytes": 1 << 20, "TimeZone": "asia/tokyo"}) == {}
    assert get_options(flight) == {**DEFAULTS, "max-message-bytes": 1 << 20,
                                   "time-zone": "Asia/Tokyo"}


def test_an_option_of_the_session_is_that_of_its_calls_unless_they_say_otherwise(flight):
    sql = "SELECT i, 'x' AS s FROM range(200000) t(i)"
    assert set_options(flight, {"max-message-bytes": 256 << 10}) == {}
    info = flight.get_flight_info(flight_sql.query_descriptor(sql))
    batches = [chunk.data for chunk in flight.do_get(info.endpoints[0].ticket)]
    assert max(batch.nbytes for batch in batches) <= 256 << 10
    own = headers(volley_max_message_bytes=str(8 << 20))
    info = flight.get_flight_info(flight_sql.query_descriptor(sql), own)
    larger = [chunk.data for chunk in flight.do_get(info.endpoints[0].ticket, own)]
    assert len(larger) < len(batches)


def test_every_option_of_results_may_be_the_sessions(flight):
    sql = "SELECT 'x' AS s, TIMESTAMPTZ '2024-01-01 00:00:00+00' AS t FROM range(100) r(i)"
    assert set_options(flight, {"dictionaries": True, "timestamp-unit": "ms", "row-limit": 3}) == {}
    table = flight_sql.query(flight, sql)
    assert pa.types.is_dictionary(table.schema.field("s").type)
    assert table.schema.field("t").type == pa.timestamp("ms", "UTC")
    assert table.num_rows == 3
    assert set_options(flight, {"dictionaries": False, "views": True, "row-limit": None}) == {}
    table = flight_sql.query(flight, sql)
    assert table.schema.field("s").type == pa.string_view()
    assert table.num_rows == 100
    assert flight_sql.query(flight, sql, headers(volley_views="off")).schema.field("s").type == pa.string()
    assert set_options(flight, {"parallel-endpoints": 2}) == {}
    info = flight.get_flight_info(flight_sql.query_descriptor("SELECT i FROM range(200000) t(i)"))
    assert sum(flight.do_get(point.ticket).read_all().num_rows for point in info.endpoints) == 200000
    assert len(info.endpoints) == 2


def test_a_row_limit_does_not_cut_the_catalog(flight):
    flight_sql.update(flight, "CREATE TABLE limit_a (i INTEGER)")
    flight_sql.update(flight, "CREATE TABLE limit_b (i INTEGER)")
    assert set_options(flight, {"row-limit": 1, "views": "on", "dictionaries": "on"}) == {}
    command = flight_sql.packed("CommandGetTables", flight_sql.field(3, "limit\\__"))
    info = flight.get_flight_info(pyarrow.flight.FlightDescriptor.for_command(command))
    table = flight.do_get(info.endpoints[0].ticket).read_all()
    assert table["table_name"].to_pylist() == ["limit_a", "limit_b"]
    assert table.schema.field("table_name").type == pa.string()


def test_a_timeout_of_the_session_stops_its_statements(flight):
    assert set_options(flight, {"timeout-ms": 50}) == {}
    with pytest.raises(pyarrow.flight.FlightTimedOutError, match="deadline"):
        flight_sql.query(flight, "SELECT count(*) FROM range(3000000) a(i), range(3000000) b(i)"
                                 " WHERE a.i * b.i % 7 = 3")


@pytest.mark.parametrize("name, message", [
    ("volley-row-limitt", "there is no option row-limitt .*did you mean row-limit"),
    ("volley-zzzzzzzz", "there is no option zzzzzzzz .*GetSessionOptions"),
    ("volley-catalog", "belongs to a session: set it by SetSessionOptions"),
])
def test_metadata_that_is_no_option_of_a_call_is_refused(flight, name, message):
    options = pyarrow.flight.FlightCallOptions(headers=[(name.encode(), b"1")])
    with pytest.raises(pyarrow.ArrowInvalid, match=message):
        list(flight.do_action(pyarrow.flight.Action("list_batches", b""), options))


def test_options_are_the_sessions_own(server, flight):
    set_options(flight, {"timeout-ms": 12345, "time-zone": "Asia/Tokyo"})
    with server.flight() as other:
        assert get_options(other) == DEFAULTS
    (row,) = rows_of_session(server, "timeout-ms=12345")
    assert (row["catalog"], row["schema"], row["time_zone"]) == ("memory", "main", "Asia/Tokyo")


# --- catalog, schema, time zone --------------------------------------------------------------------


def test_the_schema_is_where_names_are_looked_for(flight):
    flight_sql.update(flight, "CREATE SCHEMA \"Sales Dept\"")
    flight_sql.update(flight, "CREATE TABLE \"Sales Dept\".placed AS SELECT 7 AS i")
    assert set_options(flight, {"schema": "sales dept"}) == {}
    assert get_options(flight)["schema"] == "Sales Dept"
    assert value(flight, "SELECT i FROM placed") == 7
    assert value(flight, "SELECT current_schema()") == "Sales Dept"
    assert value(flight, "SELECT 'UTC'::TIME_ZONE") == "UTC"
    assert set_options(flight, {"schema": "absent"}) == {"schema": "INVALID_VALUE"}
    assert get_options(flight)["schema"] == "Sales Dept"
    assert set_options(flight, {"schema": None}) == {}
    with pytest.raises(pa.ArrowKeyError, match="placed"):
        flight_sql.query(flight, "SELECT i FROM placed")


def test_the_catalog_is_set_before_the_schema(start_server, tmp_path):
    server = start_server("--allow-statements", "attach", "--allowed-paths", tmp_path)
    with server.flight() as client:
        flight_sql.update(client, f"ATTACH '{tmp_path}/second.db' AS second")
        flight_sql.update(client, "CREATE SCHEMA second.inner_one")
        flight_sql.update(client, "CREATE TABLE second.inner_one.t AS SELECT 5 AS i")
        assert set_options(client, {"schema": "inner_one", "catalog": "SECOND"}) == {}
        assert get_options(client) == {**DEFAULTS, "catalog": "second", "schema": "inner_one"}
        assert value(client, "SELECT i FROM t") == 5
        assert set_options(client, {"catalog": "memory"}) == {}
        assert get_options(client) == DEFAULTS
        for name in ("volley", "volley_shared", "system", "temp"):
            assert set_options(client, {"catalog": name}) == {"catalog": "INVALID_VALUE"}


def test_the_default_catalog_is_that_of_the_database(start_server, tmp_path):
    server = start_server("--database", tmp_path / "own.db")
    with server.flight() as client:
        assert get_options(client)["catalog"] == "own"
        assert set_options(client, {"catalog": "OWN", "schema": "main"}) == {}
        assert value(client, "SELECT current_catalog()") == "own"


def test_sql_sets_the_same(flight):
    flight_sql.update(flight, "CREATE SCHEMA told")
    flight_sql.update(flight, "USE told")
    flight_sql.update(flight, "SET TimeZone = 'Europe/Berlin'")
    assert get_options(flight) == {**DEFAULTS, "schema": "told", "time-zone": "Europe/Berlin"}
    flight_sql.update(flight, "RESET TimeZone")
    flight_sql.update(flight, "SET schema = 'main'")
    assert get_options(flight) == DEFAULTS


def test_the_time_zone_counts_for_casts_and_parts_and_never_leaves(server, flight):
    assert set_options(flight, {"time-zone": "America/New_York"}) == {}
    table = flight_sql.query(flight, "SELECT TIMESTAMP '2024-07-01 12:00:00'::TIMESTAMPTZ AS at,"
                                     " hour(TIMESTAMPTZ '2024-07-01 12:00:00+00') AS hour,"
                                     " (TIMESTAMPTZ '2024-07-01 02:00:00+00')::DATE AS day,"
                                     " date_trunc('day', TIMESTAMPTZ '2024-07-01 02:00:00+00') AS midnight")
    assert table.schema.field("at").type == pa.timestamp("us", "UTC")
    assert table.to_pylist() == [{
        "at": datetime.datetime(2024, 7, 1, 16, tzinfo=UTC), "hour": 8,
        "day": datetime.date(2024, 6, 30), "midnight": datetime.datetime(2024, 6, 30, 4, tzinfo=UTC),
    }]
    with server.flight() as other:
        assert value(other, "SELECT hour(TIMESTAMPTZ '2024-07-01 12:00:00+00')") == 12


def test_adbc_sets_catalog_and_schema(server):
    with server.adbc() as connection, connection.cursor() as cursor:
        cursor.execute("CREATE SCHEMA by_adbc")
        assert connection.adbc_current_catalog == "memory"
        assert connection.adbc_current_db_schema == "main"
        connection.adbc_current_db_schema = "by_adbc"
        assert connection.adbc_current_db_schema == "by_adbc"
        connection.adbc_current_catalog = "memory"
        cursor.execute("SELECT current_schema()")
        assert cursor.fetchone() == ("by_adbc",)
        with pytest.raises(connection.Error, match="schema|INVALID|option"):
            connection.adbc_current_db_schema = "absent"
        connection.adbc_connection.set_options(**{"adbc.flight.sql.session.option.time_zone": "Asia/Tokyo"})
        cursor.execute("SELECT hour(TIMESTAMPTZ '2024-01-01 00:00:00+00')")
        assert cursor.fetchone() == (9,)


def test_adbc_with_its_cookies_or_by_name_ends_its_session_when_it_closes(server):
    for kwargs, kind, user in (({"adbc.flight.sql.rpc.with_cookie_middleware": "true"}, "cookie", ""),
                               ({"username": "adbc_user", "password": "x"}, "bearer", "adbc_user")):
        with server.adbc(db_kwargs=kwargs) as connection, connection.cursor() as cursor:
            cursor.execute("CREATE TEMP TABLE by_cookie AS SELECT 4 AS i")
            connection.adbc_connection.set_options(**{"adbc.flight.sql.session.option.timeout-ms": "34567"})
            cursor.execute("SELECT i FROM by_cookie")
            assert cursor.fetchone() == (4,)
            (row,) = rows_of_session(server, "timeout-ms=34567")
            assert (row["kind"], row["user"]) == (kind, user)
        assert rows_of_session(server, "timeout-ms=34567") == []


# --- who has which session -------------------------------------------------------------------------


def test_a_cookie_finds_the_session_over_another_connection(server):
    jar = {}
    with server.flight(middleware=[Cookies(jar)]) as client:
        flight_sql.update(client, "CREATE TEMP TABLE carried AS SELECT 3 AS i")
        assert list(jar) == [COOKIE]
        with server.flight(middleware=[Cookies(jar)]) as other:
            assert value(other, "SELECT i FROM carried") == 3
    with server.flight(middleware=[Cookies(jar)]) as later:
        assert value(later, "SELECT i FROM carried") == 3
        assert close_session(later) == "CLOSED"
        assert jar == {}


def test_the_cookie_comes_once(server):
    cookies = Cookies()
    with server.flight(middleware=[cookies]) as client:
        for _ in range(3):
            assert value(client, "SELECT 1") == 1
    assert len(cookies.received) == 1


def test_a_cookie_of_no_session_is_refused_once_and_taken_back(server):
    cookies = Cookies({COOKIE: "5cb1b4b8-0000-4000-8000-000000000000", "other": "kept"})
    with server.flight(middleware=[cookies]) as client:
        with pytest.raises(pa.ArrowKeyError, match="closed or expired"):
            get_options(client)
        assert cookies.jar == {"other": "kept"}
        assert get_options(client) == DEFAULTS
        assert COOKIE in cookies.jar


def test_without_sessions_of_connections_an_option_makes_one_for_its_cookie(start_server):
    server = start_server("--no-connection-sessions")
    with server.flight() as plain, server.flight(middleware=[Cookies()]) as client:
        assert set_options(plain, {"compression": "lz4"}) == {}
        assert get_options(plain) == DEFAULTS
        assert set_options(client, {"compression": "lz4"}) == {}
        assert get_options(client) == {**DEFAULTS, "compression": "lz4"}
        handle, _, _ = flight_sql.prepare(client, "SELECT 1 AS i")
        info = client.get_flight_info(flight_sql.prepared_descriptor(handle))
        assert client.do_get(info.endpoints[0].ticket).read_all()["i"].to_pylist() == [1]


def test_basic_with_every_call_is_one_session_of_the_connection(server):
    by_basic = headers(authorization="Basic bm9kZTpzZWNyZXQ=")
    by_other = headers(authorization="Basic b3RoZXI6c2VjcmV0")
    with server.flight() as client:
        flight_sql.update(client, "CREATE TEMP TABLE noted AS SELECT 1 AS i", by_basic)
        assert value(client, "SELECT i FROM noted", by_basic) == 1
        for options in (by_other, None):
            with pytest.raises(pa.ArrowKeyError):
                flight_sql.query(client, "SELECT i FROM noted", options)


def test_the_bearer_of_no_name_outlives_its_connection_too(server):
    nameless = headers(authorization="Basic Og==")
    with server.flight() as client:
        token = client.authenticate_basic_token("", "")
        named = pyarrow.flight.FlightCallOptions(headers=[token])
        assert "compression" not in get_options(client, nameless)
        assert set_options(client, {"compression": "lz4"}, named) == {}
        assert get_options(client) == DEFAULTS
    with server.flight() as client:
        wait_until(lambda: len(rows_of_session(server, "compression=lz4")) == 1)
        assert get_options(client, named)["compression"] == "lz4"
        assert get_options(client) == DEFAULTS
        assert close_session(client, named) == "CLOSED"


def test_each_handshake_makes_a_session(flight):
    first, second = bearer(flight), bearer(flight)
    assert set_options(flight, {"compression": "lz4"}, first) == {}
    assert "compression" not in get_options(flight, second)
    assert get_options(flight, first)["compression"] == "lz4"


# --- the end of a session --------------------------------------------------------------------------


def test_closing_rolls_back_forgets_and_ends_the_bearer(server, flight):
    flight_sql.update(flight, "CREATE TABLE closing (i INTEGER)")
    token = bearer(flight)
    flight_sql.update(flight, "CREATE TEMP TABLE gone AS SELECT 1 AS i", token)
    flight_sql.update(flight, "BEGIN", token)
    flight_sql.update(flight, "INSERT INTO closing VALUES (1)", token)
    unread = flight.get_flight_info(flight_sql.query_descriptor("FROM gone"), token)
    assert unread.total_records == -1
    assert close_session(flight, token) == "CLOSED"
    # Nothing of the transaction is left that another session could meet.
    assert flight_sql.update(flight, "INSERT INTO closing VALUES (2)") == 1
    flight_sql.update(flight, "ALTER TABLE closing ADD COLUMN j INTEGER")
    assert value(flight, "SELECT count(*) FROM closing") == 1
    with pytest.raises(pyarrow.flight.FlightUnauthenticatedError, match="log in again"):
        get_options(flight, token)


def test_a_connections_session_is_closed_and_the_next_call_has_a_new_one(flight):
    assert set_options(flight, {"compression": "lz4"}) == {}
    flight_sql.update(flight, "CREATE TEMP TABLE dropped AS SELECT 1 AS i")
    assert close_session(flight) == "CLOSED"
    assert close_session(flight) == "CLOSED"
    assert get_options(flight) == DEFAULTS
    with pytest.raises(pa.ArrowKeyError):
        flight_sql.query(flight, "FROM dropped")


def test_closing_while_a_statement_runs_says_so(server, flight):
    token = bearer(flight)
    flight_sql.update(flight, "BEGIN", token)
    reader = flight.do_get(
        flight.get_flight_info(flight_sql.query_descriptor(
            "SELECT i AS still_read FROM range(100000000) t(i)"), token).endpoints[0].ticket, token)
    reader.read_chunk()
    assert close_session(flight, token) == "CLOSING"
    reader.cancel()
    del reader
    wait_until(lambda: not server.running("still_read"), what="the end of the statement")


def test_a_session_that_nobody_uses_ends(start_server):
    server = start_server("--session-timeout", "1s")
    with server.flight() as client:
        sql_info = flight_sql.packed("CommandGetSqlInfo", flight_sql.field(1, 100) + flight_sql.field(1, 101))
        info = client.get_flight_info(pyarrow.flight.FlightDescriptor.for_command(sql_info))
        table = client.do_get(info.endpoints[0].ticket).read_all()
        assert [row.as_py() for row in table["value"]] == [1000, 1000]
        token = bearer(client)
        assert set_options(client, {"compression": "lz4"}, token) == {}
        wait_until(lambda: not rows_of_session(server, "compression=lz4"), what="the session's end")
        with pytest.raises(pyarrow.flight.FlightUnauthenticatedError, match="expired"):
            get_options(client, token)


def test_a_lost_connection_ends_what_nobody_can_come_back_to(server):
    with server.flight() as client:
        assert set_options(client, {"timeout-ms": 23456}) == {}
        assert len(rows_of_session(server, "timeout-ms=23456")) == 1
    wait_until(lambda: not rows_of_session(server, "timeout-ms=23456"), what="the session's end")


def test_more_sessions_than_there_may_be(start_server):
    server = start_server("--max-sessions", "2")
    with server.flight() as client:
        first, second = bearer(client), bearer(client)
        flight_sql.update(client, "BEGIN", first)
        flight_sql.update(client, "BEGIN", second)
        with pytest.raises(pa.ArrowInvalid, match="all 2 sessions .*max-sessions"):
            client.authenticate_basic_token("third", "")
        flight_sql.update(client, "ROLLBACK", first)
        third = bearer(client)
        assert get_options(client, third) == DEFAULTS
        with pytest.raises(pyarrow.flight.FlightUnauthenticatedError):
            get_options(client, first)


def test_more_prepared_statements_than_there_may_be(start_server):
    server = start_server("--max-prepared-statements", "2")
    with server.flight() as client:
        handle, _, _ = flight_sql.prepare(client, "SELECT 1")
        flight_sql.prepare(client, "SELECT 2")
        with pytest.raises(pa.ArrowInvalid, match="2 prepared statements"):
            flight_sql.prepare(client, "SELECT 3")
        flight_sql.close_prepared(client, handle)
        flight_sql.prepare(client, "SELECT 3")
        with server.flight() as other:
            flight_sql.prepare(other, "SELECT 1")


# --- settings --------------------------------------------------------------------------------------


@pytest.mark.parametrize("statement", [
    "SET threads = 1", "SET memory_limit = '1GB'", "SET GLOBAL TimeZone = 'Asia/Tokyo'",
    "SET default_null_order = 'nulls_first'", "RESET memory_limit"])
def test_settings_of_all_are_refused(flight, statement):
    with pytest.raises(pyarrow.flight.FlightUnauthorizedError, match="rule 'settings'"):
        flight_sql.update(flight, statement)


def test_settings_of_a_session_stay_there(server, flight):
    flight_sql.update(flight, "SET integer_division = true")
    flight_sql.update(flight, "SET VARIABLE mine = 5")
    assert value(flight, "SELECT 7 / 2") == 3
    assert value(flight, "SELECT getvariable('mine')") == 5
    with server.flight() as other:
        assert value(other, "SELECT 7 / 2") == 3.5
        assert value(other, "SELECT getvariable('mine')") is None
