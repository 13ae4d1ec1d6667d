"""Writes the body of a DoGet request whose result is finished, for clients that know no Arrow.

usage: ticket.py ADDRESS STATEMENT FILE

Runs the statement, reads its result once to the end, and writes the ticket as one gRPC message. Prints
one JSON object: the bytes of the result's batches.

SPDX-License-Identifier: Apache-2.0
"""
import json
import sys
from pathlib import Path

import pyarrow.flight

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tests" / "integration"))
import flight_sql  # noqa: E402


def main():
    address, statement, file = sys.argv[1:]
    client = pyarrow.flight.connect(f"grpc://{address}")
    ticket = client.get_flight_info(flight_sql.query_descriptor(statement)).endpoints[0].ticket
    size = sum(chunk.data.nbytes for chunk in client.do_get(ticket))
    message = ticket.serialize()
    Path(file).write_bytes(b"\0" + len(message).to_bytes(4, "big") + message)
    print(json.dumps({"bytes": size}))


if __name__ == "__main__":
    main()
