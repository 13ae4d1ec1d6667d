"""Single-row INSERTs through ADBC, one after the other, each its own transaction.

usage: insert.py ADDRESS COUNT execute|update

`execute` is the DB-API's cursor.execute, four calls for each statement; `update` is ADBC's own
StatementExecuteUpdate, one call. Prints one JSON object: seconds, rows in
the table at the end, this process's CPU seconds.

SPDX-License-Identifier: Apache-2.0
"""
import json
import sys
import time

import adbc_driver_flightsql.dbapi


def execute(cursor, statement):
    cursor.execute(statement)


def update(cursor, statement):
    cursor.adbc_statement.set_sql_query(statement)
    cursor.adbc_statement.execute_update()


def main():
    address, count = sys.argv[1], int(sys.argv[2])
    insert = {"execute": execute, "update": update}[sys.argv[3]]
    with adbc_driver_flightsql.dbapi.connect(f"grpc://{address}", autocommit=True) as connection:
        with connection.cursor() as cursor:
            cursor.execute("CREATE OR REPLACE TABLE inserted (i BIGINT, s VARCHAR)")
        cpu, start = time.process_time(), time.perf_counter()
        with connection.cursor() as cursor:
            for number in range(count):
                insert(cursor, f"INSERT INTO inserted VALUES ({number}, 'row {number}')")
        seconds, cpu = time.perf_counter() - start, time.process_time() - cpu
        with connection.cursor() as cursor:
            cursor.execute("SELECT count(*) FROM inserted")
            (rows,) = cursor.fetchone()
    print(json.dumps({"seconds": seconds, "rows": rows, "client_cpu": cpu}))


if __name__ == "__main__":
    main()
