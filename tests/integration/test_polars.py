"""polars reads through ADBC, by connection and by address.

SPDX-License-Identifier: Apache-2.0
"""
import datetime

import polars

SQL = """SELECT i, i * 1.5::DOUBLE AS d, 'n' || i AS s, DATE '2024-01-01' + i::INTEGER AS day
         FROM range(4) t(i)"""
EXPECTED = {
    "i": [0, 1, 2, 3],
    "d": [0.0, 1.5, 3.0, 4.5],
    "s": ["n0", "n1", "n2", "n3"],
    "day": [datetime.date(2024, 1, day) for day in (1, 2, 3, 4)],
}


def test_read_database_with_a_connection(adbc):
    assert polars.read_database(SQL, adbc).to_dict(as_series=False) == EXPECTED


def test_read_database_uri(server):
    # polars takes the driver's name from the address; this driver's own scheme means TLS otherwise.
    address = "flightsql://{}:{}?transport=tcp".format(*server.flight_address)
    frame = polars.read_database_uri(SQL, address, engine="adbc")
    assert frame.to_dict(as_series=False) == EXPECTED


def test_large_frame(adbc):
    frame = polars.read_database("SELECT i, (i % 100)::VARCHAR AS g FROM range(500000) t(i)", adbc)
    assert frame.height == 500_000
    assert frame["i"].sum() == 499_999 * 250_000
    assert frame["g"].n_unique() == 100
