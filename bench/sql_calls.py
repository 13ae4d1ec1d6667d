"""What calls of Flight SQL cost: SELECT 1, prepared statements, rows that are put, tables of the catalog.

The calls are made by the Go client (bench/peers/go/client) and by ADBC (bench/clients/adbc.py).

SPDX-License-Identifier: Apache-2.0
"""
import contextlib
import shutil
import sys
import time

import pyarrow.flight
from context import MEBIBYTE, TABLE
from databases import KEYS, TABLES
from measuring import GRPC_HEADERS, Measure, h2load, watched
from messages import grpc_message
from processes import REPOSITORY, run_json

sys.path.insert(0, str(REPOSITORY / "tests" / "integration"))
import flight_sql  # noqa: E402

SERVICE = "/arrow.flight.protocol.FlightService/"
ADBC = REPOSITORY / "bench" / "clients" / "adbc.py"
CONNECTIONS = 16
POINT = "SELECT k, v FROM keyed WHERE k = ?"
INGESTED_ROWS = 5_000_000
INGESTED_ROW_BYTES = 36
ENDPOINTS = 4


def connected(server):
    return contextlib.closing(pyarrow.flight.connect(f"grpc://{server.addresses['flight']}"))


def adbc(server, kind, count):
    return watched(server, lambda: run_json(sys.executable, "-W", "ignore", ADBC, server.addresses["flight"],
                                            kind, count))


def go_client(context, server, connections, calls, *statement):
    return watched(server, lambda: run_json(context.built / "client", server.addresses["flight"], connections,
                                            calls, *statement))


def select_one_alone(context):
    """One connection: what one query takes when nothing else happens."""

    def run(contestant):
        return go_client(context, context.server(contestant), 1,
                         context.scaled(3000 if contestant == "volley" else 600), "SELECT 1")

    return Measure(
        "select-1-alone", "SELECT 1 (GetFlightInfo + DoGet), Go client, one connection",
        context.those_here("volley", "standin", "roapi"), run,
        ("per_second", "server_us_per_call", "p50_us", "p99_us", "client_cpu"),
        [(f"p50 against {name}'s", "p50_us", name, "<", 1.0) for name in ("standin", "roapi")])


def select_one_ticket(context):
    """The statement is the ticket: one call."""

    def run(_):
        server = context.server("volley")
        body = context.folder / "select-1.ticket"
        body.write_bytes(grpc_message(pyarrow.flight.Ticket("SELECT 1").serialize()))
        return h2load(context, server, f"http://{server.addresses['flight']}{SERVICE}DoGet",
                      context.scaled(20000), "-c", CONNECTIONS, "-m", 1, "-d", body, *GRPC_HEADERS)

    return Measure(
        "select-1-ticket", f"SELECT 1 as the ticket of a DoGet (one call), h2load, {CONNECTIONS} connections",
        ["volley"], run, ("per_second", "server_us_per_call", "p50_us", "p99_us", "client_cpu"))


def select_one_adbc(context):
    """cursor.execute and fetchall of ADBC's DB-API: four calls."""

    def run(contestant):
        return adbc(context.server(contestant), "select", context.scaled(400))

    return Measure(
        "select-1-adbc", "SELECT 1 through ADBC's cursor.execute (4 calls), one connection",
        context.those_here("volley", "standin", "roapi"), run,
        ("p50_us", "p99_us", "server_us_per_call", "client_cpu"),
        [(f"p50 against {name}'s", "p50_us", name, "<", 1.0) for name in ("standin", "roapi")])


def point_query(context):
    """A prepared statement, its parameter bound anew for each call."""

    def run(contestant):
        if contestant == "in-process":
            database = context.copy_of_database("in-process-keyed", "keyed")
            return run_json(sys.executable, ADBC, database, "point", context.scaled(4000))
        server = context.server(f"{contestant}-keyed")
        calls = context.scaled(12000 if contestant == "volley" else 1600)
        return go_client(context, server, CONNECTIONS, calls, POINT, KEYS)

    return Measure(
        "prepared-point", f"Prepared query of one row of {KEYS:,} by its key (DoPut, GetFlightInfo, DoGet),"
        f" Go client, {CONNECTIONS} connections", ["volley", "standin", "in-process"], run,
        ("per_second", "server_us_per_call", "p50_us", "p99_us", "client_cpu"),
        [("server CPU per query, us", "server_us_per_call", None, "<=", 180),
         ("queries/s", "per_second", None, ">=", 4500)])


def execute_many(context):
    """One INSERT with 100,000 rows of parameters; the stand-in takes them row by row."""

    def run(contestant):
        rows = context.scaled(100_000 if contestant == "volley" else 1_000)
        server = context.server(f"{contestant}-insert")
        sample = adbc(server, "executemany", rows)
        if sample["rows"] != rows:
            raise RuntimeError(f"{contestant}: {sample['rows']} rows of {rows}")
        sample |= {"calls": rows, "per_second": rows / sample["seconds"]}
        return sample

    return Measure(
        "executemany", "INSERT of 100,000 rows of parameters (the stand-in: 1,000) by ADBC's executemany",
        ["volley", "standin"], run, ("per_second", "server_us_per_call", "client_cpu"),
        [("rows/s against the stand-in", "per_second", "standin", ">=", 50)])


def ingest_sample(context, contestant, rows):
    if contestant == "in-process":
        database = context.folder / "ingest-in-process.duckdb"
        sample = run_json(sys.executable, ADBC, database, "in-process", rows)
    else:
        server = context.server(f"{contestant}-insert")
        resident = server.memory()
        sample = adbc(server, "ingest", rows)
        sample["above_mib"] = sample["peak_mib"] - resident / MEBIBYTE
    if sample["rows"] != rows:
        raise RuntimeError(f"{contestant}: {sample['rows']} rows of {rows}")
    sample |= {"gigabytes": sample["bytes"] / 1e9, "per_second": rows / sample["seconds"]}
    return sample


def ingest(context):
    """adbc_ingest of 5,000,000 rows into a table of a database file."""
    return Measure(
        "ingest", f"adbc_ingest of {INGESTED_ROWS:,} rows x 5 columns into a database file",
        ["volley", "standin", "in-process"],
        lambda contestant: ingest_sample(context, contestant, INGESTED_ROWS // (20 if context.quick else 1)),
        ("seconds", "per_second", "server_cpu_per_gb", "client_cpu", "above_mib"),
        [("wall time against the stand-in", "seconds", "standin", "<=", 1.0),
         ("wall time against DuckDB in process", "seconds", "in-process", "<=", 1.3)])


def ingest_large(context):
    """1 GiB, which must not be held whole."""
    rows = (MEBIBYTE << 10) // INGESTED_ROW_BYTES // (20 if context.quick else 1)
    return Measure(
        "ingest-1gib", "adbc_ingest of 1 GiB into a database file", ["volley"],
        lambda contestant: ingest_sample(context, contestant, rows),
        ("seconds", "gb_per_second", "server_cpu_per_gb", "client_cpu", "above_mib"),
        [("peak RSS above the start, MiB", "above_mib", None, "<", 512)], rounds_max=1)


def several_endpoints(context):
    """The table read by four readers at once, each from an endpoint of its own."""

    def run(contestant):
        server = context.server("volley")
        headers = [f"volley-parallel-endpoints={ENDPOINTS}"] if contestant == "volley" else []
        address = server.addresses["flight"]
        sample = watched(server, lambda: context.fetch("parallel", address, TABLE, *headers))
        if sample["rows"] != context.rows:
            raise RuntimeError(f"{contestant}: {sample['rows']} rows of {context.rows}")
        if contestant == "volley" and sample["readers"] != ENDPOINTS:
            raise RuntimeError(f"{sample['readers']} endpoints instead of {ENDPOINTS}")
        sample["gigabytes"] = context.table_gigabytes
        return sample

    return Measure(
        "endpoints", f"10,000,000 rows x 16 columns over {ENDPOINTS} endpoints to as many readers",
        ["volley", "one endpoint"], run,
        ("seconds", "gb_per_second", "server_cpu_per_gb", "client_cpu", "peak_mib"),
        [("wall time against one endpoint and one reader", "seconds", "one endpoint", "<=", 1.0)])


def get_tables(context, with_schemas):
    """GetTables over 10,000 tables."""
    request = flight_sql.packed("CommandGetTables", flight_sql.field(5, int(with_schemas)))
    descriptor = pyarrow.flight.FlightDescriptor.for_command(request)

    def run(_):
        server = context.server("volley-tables")
        with connected(server) as client:
            def listed():
                start = time.perf_counter()
                (endpoint,) = client.get_flight_info(descriptor).endpoints
                rows = client.do_get(endpoint.ticket).read_all().num_rows
                if rows != TABLES:
                    raise RuntimeError(f"{rows} tables of {TABLES}")
                return {"seconds": time.perf_counter() - start, "calls": 1}

            listed()
            samples = [watched(server, listed) for _ in range(3)]
        sample = sorted(samples, key=lambda sample: sample["seconds"])[1]
        sample["whole_ms"] = 1000 * sample["seconds"]
        return sample

    name, title = ("tables-schemas", " with their schemas") if with_schemas else ("tables", "")
    return Measure(
        name, f"GetTables over {TABLES:,} tables{title}", ["volley"], run,
        ("whole_ms", "server_us_per_call", "peak_mib"),
        [("from the first call to the last row, ms", "whole_ms", None, "<=", 400 if with_schemas else 100)])


def all_measures(context):
    measures = [select_one_alone(context), select_one_adbc(context), point_query(context),
                execute_many(context), ingest(context), ingest_large(context), several_endpoints(context),
                get_tables(context, False), get_tables(context, True)]
    return [*measures, select_one_ticket(context)] if shutil.which("h2load") else measures
