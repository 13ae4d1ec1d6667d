"""The sample data: real flights, generated taxi trips, the same everywhere.

SPDX-License-Identifier: Apache-2.0
"""
import duckdb
import pytest
from harness import Server

TAXI_COLUMNS = [
    ("VendorID", "INTEGER"), ("tpep_pickup_datetime", "TIMESTAMP"),
    ("tpep_dropoff_datetime", "TIMESTAMP"), ("passenger_count", "BIGINT"),
    ("trip_distance", "DOUBLE"), ("RatecodeID", "BIGINT"), ("store_and_fwd_flag", "VARCHAR"),
    ("PULocationID", "INTEGER"), ("DOLocationID", "INTEGER"), ("payment_type", "BIGINT"),
    ("fare_amount", "DOUBLE"), ("extra", "DOUBLE"), ("mta_tax", "DOUBLE"), ("tip_amount", "DOUBLE"),
    ("tolls_amount", "DOUBLE"), ("improvement_surcharge", "DOUBLE"), ("total_amount", "DOUBLE"),
    ("congestion_surcharge", "DOUBLE"), ("Airport_fee", "DOUBLE"), ("cbd_congestion_fee", "DOUBLE"),
]
AMOUNTS = [name for name, kind in TAXI_COLUMNS if kind == "DOUBLE" and name != "trip_distance"]
CENTS = ", ".join(f"sum(round({name} * 100)::BIGINT)::BIGINT AS {name}" for name in AMOUNTS)


@pytest.fixture(scope="module")
def demo(binary, tmp_path_factory):
    server = Server(binary, tmp_path_factory.mktemp("demo"), ["--demo"]).wait_ready()
    yield server
    server.stop()


def test_flights_are_the_real_ones(demo, cache):
    flights = cache / "data" / "flights.parquet"
    sql = """SELECT count(*) AS n, sum(delay)::BIGINT AS delay, sum(distance)::BIGINT AS distance,
             count(DISTINCT origin) AS origins, count(DISTINCT destination) AS destinations,
             min(date)::VARCHAR AS first, max(date)::VARCHAR AS last FROM {}"""
    (row,) = demo.rows(sql.format("flights"))
    expected = duckdb.sql(sql.format(f"'{flights}'")).fetchone()
    assert tuple(row.values()) == expected
    assert row["n"] == 3_000_000
    names = [row["column_name"] for row in demo.rows("DESCRIBE flights")]
    assert names == ["date", "delay", "distance", "origin", "destination"]


def test_taxi_has_the_schema_of_the_commission(demo):
    rows = demo.rows("DESCRIBE taxi")
    assert [(row["column_name"], row["column_type"]) for row in rows] == TAXI_COLUMNS
    assert demo.value("SELECT count(*) FROM taxi") == 1_000_000
    assert demo.value("SELECT count(*) FROM nyc_taxi") == 1_000_000


def test_taxi_is_plausible(demo):
    (row,) = demo.rows(
        "SELECT min(fare_amount) > 0 AS fares, min(passenger_count) >= 0 AS passengers,"
        " bool_and(tpep_dropoff_datetime > tpep_pickup_datetime) AS times,"
        " bool_and(PULocationID BETWEEN 1 AND 265 AND DOLocationID BETWEEN 1 AND 265) AS zones,"
        " count(DISTINCT payment_type) BETWEEN 3 AND 7 AS payments,"
        " count(DISTINCT VendorID) BETWEEN 2 AND 4 AS vendors FROM taxi")
    assert all(row.values()), row


def test_amounts_are_whole_cents(demo):
    tests = " AND ".join(f"bool_and(round({name} * 100) / 100 = {name})" for name in AMOUNTS)
    assert demo.value(f"SELECT {tests} FROM taxi") is True


def test_sample_of_development_is_the_beginning_of_the_demo(demo, start_server):
    small = start_server(env={"ENVIRONMENT": "development"})
    assert small.value("SELECT count(*) FROM taxi") == 100_000
    assert small.value("SELECT count(*) FROM nyc_taxi") == 100_000
    (one,) = small.rows(f"SELECT {CENTS} FROM taxi")
    assert one["total_amount"] > 0


def test_sample_does_not_depend_on_threads(demo, start_server):
    again = start_server("--demo", "--engine-threads", "1")
    sql = f"SELECT {CENTS}, count(*) AS n FROM taxi"
    assert demo.rows(sql) == again.rows(sql)


def test_a_database_file_gets_no_samples(start_server, tmp_path):
    server = start_server("--database", tmp_path / "own.db", env={"ENVIRONMENT": "development"})
    assert server.query("FROM taxi", "json").status == 404


def test_production_has_no_samples(server):
    assert server.query("FROM taxi", "json").status == 404
