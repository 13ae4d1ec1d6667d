"""A pyarrow (Arrow C++) Flight server with one table of four int64 columns in memory.

usage: pyarrow_server.py BYTES

Prints its port. The ticket is the number of rows in a batch; batches are slices streamed in C++. DoPut
reads the whole upload in C++ and keeps it until the action `drop`.

SPDX-License-Identifier: Apache-2.0
"""
import ctypes
import sys

import pyarrow as pa
import pyarrow.compute
import pyarrow.flight

BYTES_PER_ROW = 32


class MemoryServer(pyarrow.flight.FlightServerBase):
    def __init__(self, rows):
        super().__init__("grpc://127.0.0.1:0")
        first = pa.array(range(rows), pa.int64()) if rows < 1 << 20 else _numbers(rows)
        columns = [pa.compute.add(first, number) for number in range(4)]
        self.batch = pa.RecordBatch.from_arrays(columns, list("abcd"))
        self.kept = []

    def do_get(self, context, ticket):
        rows = int(ticket.ticket)
        reader = pa.Table.from_batches([self.batch]).to_reader(max_chunksize=rows)
        return pyarrow.flight.RecordBatchStream(reader)

    def do_put(self, context, descriptor, reader, writer):
        self.kept.append(reader.read_all())

    def do_action(self, context, action):
        if action.type == "drop":
            self.kept.clear()
            # The next upload is to find the server as this one did.
            pa.default_memory_pool().release_unused()
            ctypes.CDLL(None).malloc_trim(0)
        return []

    def list_actions(self, context):
        return [("ping", "nothing")]


def _numbers(rows):
    """0..rows-1 without a Python object per row."""
    block = pa.array(range(1 << 20), pa.int64())
    blocks = [pa.compute.add(block, start) for start in range(0, rows, 1 << 20)]
    return pa.concat_arrays(blocks).slice(0, rows)


if __name__ == "__main__":
    server = MemoryServer(int(sys.argv[1]) // BYTES_PER_ROW)
    print(server.port, flush=True)
    server.serve()
