"""A Flight SQL server over DuckDB made of pyarrow: the peer that sends DuckDB's 2048-row chunks.

usage: standin.py DATABASE

Prints its port. Rows stream from DuckDB to the socket in C++; Python runs per call only. Understands
what ADBC, the Go client and the pyarrow client of this benchmark send, and no more.

SPDX-License-Identifier: Apache-2.0
"""
import sys
import uuid
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.flight

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tests" / "integration"))
import flight_sql  # noqa: E402

CHUNK_ROWS = 2048


class StandIn(pyarrow.flight.FlightServerBase):
    def __init__(self, database):
        super().__init__("grpc://127.0.0.1:0")
        self.connection = duckdb.connect(database)
        self.readers = {}

    def _sql(self, command):
        name, fields = flight_sql.unpacked(command)
        if "Statement" not in name:
            raise NotImplementedError(name)
        return fields[1][0].decode()  # the statement, or the handle, which is the statement here

    def get_flight_info(self, context, descriptor):
        reader = self.connection.cursor().execute(self._sql(descriptor.command))
        reader = reader.fetch_record_batch(CHUNK_ROWS)
        handle = uuid.uuid4().bytes
        self.readers[handle] = reader
        ticket = flight_sql.packed("TicketStatementQuery", flight_sql.field(1, handle))
        endpoint = pyarrow.flight.FlightEndpoint(ticket, [])
        return pyarrow.flight.FlightInfo(reader.schema, descriptor, [endpoint], -1, -1)

    def do_get(self, context, ticket):
        _, fields = flight_sql.unpacked(ticket.ticket)
        return pyarrow.flight.RecordBatchStream(self.readers.pop(fields[1][0]))

    def do_put(self, context, descriptor, reader, writer):
        cursor = self.connection.cursor().execute(self._sql(descriptor.command))
        (count,) = cursor.fetchone() or (-1,)
        writer.write(pa.py_buffer(flight_sql.field(1, count)))

    def do_action(self, context, action):
        if action.type == "ClosePreparedStatement":
            return []
        if action.type != "CreatePreparedStatement":
            raise NotImplementedError(action.type)
        _, fields = flight_sql.unpacked(action.body.to_pybytes())
        result = flight_sql.packed(
            "ActionCreatePreparedStatementResult", flight_sql.field(1, fields[1][0]))
        return [pyarrow.flight.Result(pa.py_buffer(result))]


if __name__ == "__main__":
    server = StandIn(sys.argv[1])
    print(server.port, flush=True)
    server.serve()
