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
        self.bound = {}

    def _statement(self, command):
        """The text, and the parameters bound to it; an unbound handle is the text."""
        name, fields = flight_sql.unpacked(command)
        if "Statement" not in name:
            raise NotImplementedError(name)
        handle = fields[1][0]
        return self.bound.get(handle) or (handle.decode(), None)

    def get_flight_info(self, context, descriptor):
        reader = self.connection.cursor().execute(*self._statement(descriptor.command))
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
        name, fields = flight_sql.unpacked(descriptor.command)
        if name == "CommandPreparedStatementQuery":
            answer = flight_sql.field(1, self._bind(fields[1][0], reader))
        elif name == "CommandStatementIngest":
            answer = flight_sql.field(1, self._ingest(fields[2][0].decode(), reader))
        elif name == "CommandPreparedStatementUpdate" and len(reader.schema) > 0:
            answer = flight_sql.field(1, self._execute_many(fields[1][0].decode(), reader))
        else:
            cursor = self.connection.cursor().execute(*self._statement(descriptor.command))
            (count,) = cursor.fetchone() or (-1,)
            answer = flight_sql.field(1, count)
        writer.write(pa.py_buffer(answer))

    def _bind(self, handle, reader):
        """One row of parameters for one execution: the handle stays, as it is this client's own."""
        text = self.bound[handle][0] if handle in self.bound else handle.decode()
        bound = handle if handle in self.bound else uuid.uuid4().bytes
        (row,) = reader.read_all().to_pylist()
        self.bound[bound] = (text, list(row.values()))
        return bound

    def _execute_many(self, text, reader):
        rows = reader.read_all()
        self.connection.cursor().executemany(text, list(zip(*rows.to_pydict().values())))
        return rows.num_rows

    def _ingest(self, table, reader):
        cursor = self.connection.cursor()
        cursor.register("incoming", reader.to_reader())
        (count,) = cursor.execute(
            f'CREATE OR REPLACE TABLE "{table}" AS SELECT * FROM incoming').fetchone()
        return count

    def do_action(self, context, action):
        if action.type == "ClosePreparedStatement":
            _, fields = flight_sql.unpacked(action.body.to_pybytes())
            self.bound.pop(fields[1][0], None)
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
