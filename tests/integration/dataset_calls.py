"""Calls of Flight on datasets, for the tests.

SPDX-License-Identifier: Apache-2.0
"""
import json
import uuid

import pyarrow as pa
import pyarrow.flight as fl
from flight_calls import options


def numbers(first, count):
    return pa.table({"i": pa.array(range(first, first + count), pa.int64()),
                     "s": pa.array([f"text {n}" for n in range(first, first + count)], pa.string())})


def path(*elements):
    return fl.FlightDescriptor.for_path(*elements)


def command(content):
    return fl.FlightDescriptor.for_command(content if isinstance(content, bytes) else json.dumps(content))


def put_batches(client, descriptor, schema, batches, metadata=None, call_options=None):
    """DoPut; returns the bytes of its one answer."""
    writer, reader = client.do_put(descriptor, schema, options=call_options)
    with writer:
        if metadata is not None:
            writer.write_metadata(metadata if isinstance(metadata, bytes)
                                  else json.dumps(metadata).encode())
        for batch in batches:
            writer.write_batch(batch)
        writer.done_writing()
        answer = reader.read()
        assert reader.read() is None
    return answer.to_pybytes()


def put(client, descriptor, table, rows=1000, metadata=None, **wishes):
    batches = table.to_batches(max_chunksize=rows)
    answer = put_batches(client, descriptor, table.schema, batches, metadata, options(**wishes))
    return answer.decode() if descriptor.command == b"store" else json.loads(answer)


def get(client, ticket, **wishes):
    if not isinstance(ticket, fl.Ticket):
        ticket = fl.Ticket(ticket if isinstance(ticket, (bytes, str)) else json.dumps(ticket))
    return client.do_get(ticket, options(**wishes)).read_all()


def act(client, name, body=b""):
    """All results of an action, as JSON."""
    body = body if isinstance(body, bytes) else json.dumps(body).encode()
    return [json.loads(result.body.to_pybytes()) for result in client.do_action((name, body))]


def name(prefix="t"):
    return f"{prefix}-{uuid.uuid4()}"
