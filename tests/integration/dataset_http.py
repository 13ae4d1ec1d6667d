"""Requests to /v1/datasets, for the tests.

SPDX-License-Identifier: Apache-2.0
"""
import io
import urllib.parse
import uuid

import pyarrow as pa
import pyarrow.ipc
import pytest

STREAM = "application/vnd.apache.arrow.stream"
FILE = "application/vnd.apache.arrow.file"
ROWS = pa.table({
    "id": pa.array(range(1000), pa.int64()),
    "name": pa.array([f"name {i % 7}" if i % 5 else None for i in range(1000)]),
})


def stream_of(table, rows=100):
    sink = io.BytesIO()
    with pyarrow.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table, max_chunksize=rows)
    return sink.getvalue()


def file_of(table, rows=100):
    sink = io.BytesIO()
    with pyarrow.ipc.new_file(sink, table.schema) as writer:
        writer.write_table(table, max_chunksize=rows)
    return sink.getvalue()


def read_stream(body):
    return pyarrow.ipc.open_stream(body).read_all()


def url(*elements):
    return "/v1/datasets/" + "/".join(urllib.parse.quote(element, safe="") for element in elements)


@pytest.fixture
def path():
    """A name that no other test has."""
    return url("http", uuid.uuid4().hex)


def put(server, path, body, content_type=STREAM, method="PUT", **headers):
    return server.request(method, path, body, {"content-type": content_type, **headers})


def drop(server, path):
    assert server.request("DELETE", path).status in (204, 404)
