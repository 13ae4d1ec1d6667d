"""The pyarrow client of the benchmark: one result, drained in C, timed from the first call on.

usage: fetch.py LIBRARY sql ADDRESS STATEMENT [NAME=VALUE...]     GetFlightInfo and DoGet
       fetch.py LIBRARY again ADDRESS STATEMENT [NAME=VALUE...]   a DoGet of a finished result
       fetch.py LIBRARY ticket ADDRESS TICKET                     a DoGet of a plain ticket
       fetch.py LIBRARY parallel ADDRESS STATEMENT [NAME=VALUE...]   a DoGet of each endpoint, all at once
       fetch.py LIBRARY duckdb DATABASE STATEMENT                 DuckDB in this process
       fetch.py LIBRARY arrow BYTES STATEMENT                     DuckDB over the pyarrow table `input`

LIBRARY is the built native/drain.c; NAME=VALUE are call headers. Prints one JSON object: seconds,
rows, batches, readers, and this process's CPU seconds during them.

SPDX-License-Identifier: Apache-2.0
"""
import ctypes
import json
import sys
import time
from concurrent import futures
from pathlib import Path

import duckdb
import pyarrow
import pyarrow.flight

sys.path[:0] = [str(Path(__file__).resolve().parents[2] / "tests" / "integration"),
                str(Path(__file__).resolve().parents[1])]
import flight_sql  # noqa: E402
import messages  # noqa: E402

BATCH_ROWS = 122_880  # DuckDB's own row groups


def drain(library, reader):
    """Rows and batches of a RecordBatchReader, read in C."""
    stream = (ctypes.c_void_p * 5)()
    batches = ctypes.c_int64()
    reader._export_to_c(ctypes.addressof(stream))
    library.drain.restype = ctypes.c_int64
    rows = library.drain(ctypes.byref(stream), ctypes.byref(batches))
    if rows < 0:
        raise RuntimeError("the stream ended with an error")
    return rows, batches.value


def call_options(headers):
    return pyarrow.flight.FlightCallOptions(
        headers=[tuple(part.encode() for part in header.split("=", 1)) for header in headers])


def of_endpoints(library, address, text, headers):
    """Rows, batches and readers of a result whose endpoints are read at once, each on its own connection."""
    options = call_options(headers)

    def read(endpoint):
        with pyarrow.flight.connect(f"grpc://{address}") as client:
            return drain(library, client.do_get(endpoint.ticket, options).to_reader())

    with pyarrow.flight.connect(f"grpc://{address}") as client:
        endpoints = client.get_flight_info(flight_sql.query_descriptor(text), options).endpoints
    with futures.ThreadPoolExecutor(len(endpoints)) as pool:
        rows, batches = zip(*pool.map(read, endpoints))
    return sum(rows), sum(batches), len(endpoints)


def of_flight(kind, address, text, headers):
    """Two functions: what comes before the clock, and what is timed."""
    client = pyarrow.flight.connect(f"grpc://{address}")
    options = call_options(headers)
    descriptor = flight_sql.query_descriptor(text)

    def ticket():
        return client.get_flight_info(descriptor, options).endpoints[0].ticket

    def get(wanted):
        return client.do_get(wanted, options).to_reader()

    if kind == "sql":
        return lambda: None, lambda _: get(ticket())
    if kind == "ticket":
        return lambda: pyarrow.flight.Ticket(text.encode()), get

    def finished():
        wanted = ticket()
        for _ in get(wanted):
            pass
        return wanted

    return finished, get


def of_duckdb(database, statement):
    connection = duckdb.connect(database, read_only=True)

    def read(_=None):
        return connection.execute(statement).fetch_record_batch(BATCH_ROWS)

    def warm():
        for _ in read():
            pass

    return warm, read


def copied(batch):
    """The same values at another place: a table as large as its bytes."""
    return pyarrow.RecordBatch.from_arrays(
        [pyarrow.concat_arrays([column, column.slice(0, 0)]) for column in batch.columns],
        schema=batch.schema)


def of_arrow(size, statement):
    """Over batches of 1 MiB as the benchmark's uploads have them."""
    rows = messages.table("counting").num_rows
    batches = messages.batches("counting", 1 << 20) * (size // (rows * messages.BYTES_PER_ROW))
    connection = duckdb.connect()
    connection.register("input", pyarrow.Table.from_batches([copied(batch) for batch in batches]))

    def read(_=None):
        return connection.execute(statement).fetch_record_batch(BATCH_ROWS)

    def warm():
        for _ in read():
            pass

    return warm, read


def main():
    library = ctypes.CDLL(sys.argv[1])
    kind, place, text, *headers = sys.argv[2:]
    if kind == "parallel":
        prepare, read = lambda: None, lambda _: of_endpoints(library, place, text, headers)
    elif kind == "duckdb":
        prepare, read = of_duckdb(place, text)
    elif kind == "arrow":
        prepare, read = of_arrow(int(place), text)
    else:
        prepare, read = of_flight(kind, place, text, headers)
    prepared = prepare()
    if kind == "again":
        # The measuring process reads the server's counters between the two reads.
        print("primed", flush=True)
        sys.stdin.readline()
    cpu, start = time.process_time(), time.perf_counter()
    found = read(prepared)
    rows, batches, readers = found if kind == "parallel" else (*drain(library, found), 1)
    seconds = time.perf_counter() - start
    print(json.dumps({"seconds": seconds, "rows": rows, "batches": batches, "readers": readers,
                      "client_cpu": time.process_time() - cpu}), flush=True)


if __name__ == "__main__":
    main()
