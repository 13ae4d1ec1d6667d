"""The ADBC client of the benchmark: what a Python program does with its DB-API.

usage: adbc.py ADDRESS select COUNT           SELECT 1 by cursor.execute and fetchall, repeated
       adbc.py ADDRESS executemany ROWS       one INSERT with as many rows of parameters
       adbc.py ADDRESS ingest ROWS            adbc_ingest of a table of as many rows
       adbc.py DATABASE in-process ROWS       DuckDB takes the same table in this process
       adbc.py DATABASE point COUNT           DuckDB looks up one row by its key in this process, repeated

Prints one JSON object: seconds, rows or calls, p50 and p99 of repeated calls, this process's CPU seconds.

SPDX-License-Identifier: Apache-2.0
"""
import json
import sys
import time
from pathlib import Path

import adbc_driver_flightsql.dbapi
import duckdb
import pyarrow as pa
import pyarrow.compute

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from databases import KEYS  # noqa: E402

BATCH_ROWS = 65_536
WORDS = ["quick", "ideas", "furious", "deposit", "silent", "pinto", "beans", "final"]


def select(connection, count):
    times = []
    with connection.cursor() as cursor:
        for _ in range(count):
            start = time.perf_counter()
            cursor.execute("SELECT 1")
            cursor.fetchall()
            times.append(time.perf_counter() - start)
    times.sort()
    return {"seconds": sum(times), "calls": count, "p50_us": 1e6 * times[count // 2],
            "p99_us": 1e6 * times[count * 99 // 100]}


def counted(cursor, table):
    cursor.execute(f"SELECT count(*) FROM {table}")
    return cursor.fetchone()[0]


def execute_many(connection, count):
    rows = [(number, f"row {number}") for number in range(count)]
    with connection.cursor() as cursor:
        cursor.execute("CREATE OR REPLACE TABLE many (i BIGINT, s VARCHAR)")
    with connection.cursor() as cursor:
        start = time.perf_counter()
        cursor.executemany("INSERT INTO many VALUES (?, ?)", rows)
        seconds = time.perf_counter() - start
    with connection.cursor() as cursor:
        return {"seconds": seconds, "rows": counted(cursor, "many")}


def rows_to_take(count):
    """A table of 36 bytes in a row, in batches: a key, an amount, a day, a word."""
    def batch(first, rows):
        number = pa.array(range(first, first + rows), pa.int64())
        mixed = pa.compute.bit_wise_and(pa.compute.multiply(number, 2654435761), (1 << 31) - 1)
        word = pa.compute.bit_wise_and(mixed, len(WORDS) - 1)
        day = pa.compute.cast(pa.compute.bit_wise_and(mixed, 4095), pa.int32())
        return pa.record_batch({
            "id": number, "part": mixed, "amount": pa.compute.divide(mixed.cast(pa.float64()), 100.0),
            "day": day.cast(pa.date32()), "word": pa.compute.take(pa.array(WORDS), word)})

    return pa.Table.from_batches([batch(first, min(BATCH_ROWS, count - first))
                                  for first in range(0, count, BATCH_ROWS)])


def ingest(connection, count):
    table = rows_to_take(count)
    with connection.cursor() as cursor:
        cpu, start = time.process_time(), time.perf_counter()
        cursor.adbc_ingest("taken", table, mode="replace")
        seconds, cpu = time.perf_counter() - start, time.process_time() - cpu
    with connection.cursor() as cursor:
        return {"seconds": seconds, "rows": counted(cursor, "taken"), "bytes": table.nbytes,
                "client_cpu": cpu}


def in_process(database, count):
    incoming = rows_to_take(count)
    with duckdb.connect(database) as connection:
        cpu, start = time.process_time(), time.perf_counter()
        connection.register("incoming", incoming)
        connection.execute("CREATE OR REPLACE TABLE taken AS SELECT * FROM incoming")
        seconds, cpu = time.perf_counter() - start, time.process_time() - cpu
        return {"seconds": seconds, "rows": counted(connection.cursor(), "taken"),
                "bytes": incoming.nbytes, "server_cpu": cpu}


def look_up(database, count):
    with duckdb.connect(database) as connection:
        connection.execute("PREPARE point AS SELECT k, v FROM keyed WHERE k = $1")
        cpu, start = time.process_time(), time.perf_counter()
        for number in range(count):
            connection.execute(f"EXECUTE point({number * 7919 % KEYS})").fetchall()
        seconds, cpu = time.perf_counter() - start, time.process_time() - cpu
        return {"seconds": seconds, "calls": count, "per_second": count / seconds, "server_cpu": cpu}


def main():
    place, kind, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
    if kind in ("in-process", "point"):
        run = in_process if kind == "in-process" else look_up
        print(json.dumps(run(place, count)))
        return
    run = {"select": select, "executemany": execute_many, "ingest": ingest}[kind]
    with adbc_driver_flightsql.dbapi.connect(f"grpc://{place}", autocommit=True) as connection:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
            cursor.fetchall()
        cpu = time.process_time()
        sample = run(connection, count)
        print(json.dumps({"client_cpu": time.process_time() - cpu} | sample))


if __name__ == "__main__":
    main()
