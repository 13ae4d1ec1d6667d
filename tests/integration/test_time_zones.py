"""The time contract: a UTC instant in one column, an IANA zone name in another.

SPDX-License-Identifier: Apache-2.0
"""
import datetime
import re

import duckdb
import flight_sql
import pyarrow as pa
import pyarrow.flight
import pytest

UTC = datetime.timezone.utc
ZONE_TYPE = pa.dictionary(pa.int16(), pa.string())
SQL = """SELECT TIMESTAMPTZ '2024-03-31 01:30:00+00' AS at, zone::TIME_ZONE AS zone
         FROM (VALUES ('Europe/Berlin'), ('Asia/Kathmandu'), (NULL), ('UTC')) t(zone)"""
ZONES = ["Europe/Berlin", "Asia/Kathmandu", None, "UTC"]


def options(**wanted):
    headers = [(f"volley-{name}".replace("_", "-").encode(), value.encode())
               for name, value in wanted.items()]
    return pyarrow.flight.FlightCallOptions(headers=headers)


def test_instant_in_utc_milliseconds_beside_a_dictionary_of_zones(flight):
    info = flight.get_flight_info(flight_sql.query_descriptor(SQL))
    table = flight.do_get(info.endpoints[0].ticket).read_all()
    assert info.schema.equals(table.schema)
    assert table.schema.field("at").type == pa.timestamp("ms", "UTC")
    assert table.schema.field("zone").type == ZONE_TYPE
    assert table["zone"].to_pylist() == ZONES
    assert set(table["at"].to_pylist()) == {datetime.datetime(2024, 3, 31, 1, 30, tzinfo=UTC)}


def test_without_a_zone_column_instants_are_microseconds(flight):
    table = flight_sql.query(flight, "SELECT TIMESTAMPTZ '2024-01-01 00:00:00.000001+00' AS at")
    assert table.schema.field("at").type == pa.timestamp("us", "UTC")
    assert table["at"][0].as_py().microsecond == 1


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
def test_the_unit_is_an_option(flight, unit):
    table = flight_sql.query(flight, SQL, options(timestamp_unit=unit))
    assert table.schema.field("at").type == pa.timestamp(unit, "UTC")
    assert set(table["at"].cast(pa.int64()).to_pylist()) == {
        1711848600 * {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}[unit]
    }


def test_plain_zone_names_on_request(flight):
    table = flight_sql.query(flight, SQL, options(dictionaries="off"))
    assert table.schema.field("zone").type == pa.string()
    assert table["zone"].to_pylist() == ZONES


def test_a_table_keeps_a_zone_per_row(flight):
    flight_sql.update(flight, "CREATE TABLE zoned (moment TIMESTAMPTZ, zone TIME_ZONE)")
    assert flight_sql.update(
        flight, "INSERT INTO zoned SELECT TIMESTAMPTZ '2024-01-01 00:00:00+00' + to_hours(i::INTEGER),"
        " CASE i % 2 WHEN 0 THEN 'America/New_York' ELSE 'Australia/Lord_Howe' END"
        " FROM range(100000) t(i)") == 100000
    table = flight_sql.query(flight, "FROM zoned ORDER BY moment")
    assert table.schema.types == [pa.timestamp("ms", "UTC"), ZONE_TYPE]
    assert table["zone"].to_pylist()[:2] == ["America/New_York", "Australia/Lord_Howe"]
    local = flight_sql.query(flight, "SELECT moment AT TIME ZONE zone AS l FROM zoned ORDER BY 1 LIMIT 1")
    assert local["l"].to_pylist() == [datetime.datetime(2023, 12, 31, 19, 0)]


@pytest.mark.parametrize("zone", ["+02:00", "UTC+2", "GMT-5", "Mars/Olympus", "europe/berlin!", ""])
def test_what_is_no_iana_name_is_refused_and_says_so(flight, zone):
    with pytest.raises(pa.ArrowInvalid, match="IANA"):
        flight_sql.query(flight, f"SELECT '{zone}'::TIME_ZONE AS z")


def test_refused_on_insert_too(flight):
    flight_sql.update(flight, "CREATE TABLE zone_checked (zone TIME_ZONE)")
    with pytest.raises(pa.ArrowInvalid, match="IANA"):
        flight_sql.update(flight, "INSERT INTO zone_checked VALUES ('+01:00')")


def test_adbc_reads_zone_columns(adbc):
    with adbc.cursor() as cursor:
        cursor.execute(SQL)
        assert [row[1] for row in cursor.fetchall()] == ZONES


def test_text_formats_show_names(server):
    assert [row["zone"] for row in server.rows(SQL)] == ZONES
    assert re.fullmatch(r"2024-03-31T01:30:00\.0+Z", server.rows(SQL)[0]["at"])


def test_the_zone_of_the_machine_never_leaks(start_server):
    server = start_server(env={"TZ": "America/New_York"})
    with server.flight() as client:
        table = flight_sql.query(client, "SELECT TIMESTAMPTZ '2024-01-01 12:00:00+00' AS at")
        cast = flight_sql.query(client, "SELECT TIMESTAMP '2024-01-01 12:00:00'::TIMESTAMPTZ AS at")
    assert table.schema.types == [pa.timestamp("us", "UTC")]
    assert cast["at"][0].as_py() == datetime.datetime(2024, 1, 1, 12, tzinfo=UTC)
    assert table["at"][0].as_py() == datetime.datetime(2024, 1, 1, 12, tzinfo=UTC)


def test_the_type_is_found_from_a_database_file(start_server, tmp_path):
    server = start_server("--database", tmp_path / "own.db")
    with server.flight() as client:
        assert flight_sql.query(client, "SELECT 'UTC'::TIME_ZONE AS z").schema.types == [ZONE_TYPE]
    server.stop()
    with duckdb.connect(str(tmp_path / "own.db")) as connection:
        assert connection.sql("SELECT count(*) FROM duckdb_types() WHERE type_name = 'TIME_ZONE'"
                              " AND database_name = 'own'").fetchone() == (0,)
