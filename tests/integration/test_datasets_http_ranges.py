"""Datasets over HTTP: in parts, as ranges of rows or bytes, and as text.

SPDX-License-Identifier: Apache-2.0
"""
import io
import json

import pyarrow as pa
import pyarrow.ipc
from dataset_http import ROWS, STREAM, drop, path, put, read_stream, stream_of  # noqa: F401


# --- ranges -------------------------------------------------------------------------------------


def test_ranges_of_rows(server, path):
    put(server, path, stream_of(ROWS))
    for text, first, count in (("0-9", 0, 10), ("95-104", 95, 10), ("990-", 990, 10), ("-5", 995, 5),
                               ("999-5000", 999, 1)):
        got = server.request("GET", path, headers={"range": f"rows={text}"})
        assert got.status == 206, text
        assert got.headers["content-range"] == f"rows {first}-{first + count - 1}/1000"
        assert read_stream(got.body) == ROWS.slice(first, count)
    beyond = server.request("GET", path, headers={"range": "rows=1000-"})
    assert beyond.status == 416 and beyond.headers["content-range"] == "rows */1000"
    assert beyond.json["code"] == "RANGE_NOT_SATISFIABLE"
    for text in ("rows=5-1", "rows=a-b", "lines=0-1", "rows=0-1,3-4"):
        assert server.request("GET", path, headers={"range": text}).status == 200, text
    as_csv = server.request("GET", path + "?format=csv", headers={"range": "rows=1-2"})
    assert as_csv.status == 206 and as_csv.text.splitlines() == ["id,name", "1,name 1", "2,name 2"]
    tag = as_csv.headers["etag"]
    old = server.request("GET", path + "?format=csv", headers={"range": "rows=1-2", "if-range": '"old"'})
    assert old.status == 200 and tag
    drop(server, path)


def test_ranges_of_bytes_put_together_are_the_whole(server, path):
    put(server, path, stream_of(ROWS))
    for query in ("", "?format=arrow-file"):
        whole = server.request("GET", path + query)
        parts = []
        for first in range(0, len(whole.body), 10007):
            headers = {"range": f"bytes={first}-{first + 10006}", "if-range": whole.headers["etag"]}
            part = server.request("GET", path + query, headers=headers)
            assert part.status == 206
            parts.append(part.body)
        assert b"".join(parts) == whole.body
    drop(server, path)


def test_columns_offset_limit(server, path):
    put(server, path, stream_of(ROWS))
    got = read_stream(server.request("GET", path + "?columns=name&offset=250&limit=100").body)
    assert got == ROWS.select(["name"]).slice(250, 100)
    assert read_stream(server.request("GET", path + "?columns=name,id").body) == ROWS.select(["name", "id"])
    assert read_stream(server.request("GET", path + "?offset=5000").body) == ROWS.slice(0, 0)
    part = server.request("GET", path + "?offset=250&limit=100", headers={"range": "rows=10-19"})
    assert part.headers["content-range"] == "rows 10-19/100"
    assert read_stream(part.body) == ROWS.slice(260, 10)
    for bad in ("columns=other", "columns=id,id", "limit=x", "offset=-1", "rows=1"):
        assert server.request("GET", path + "?" + bad).status == 422, bad
    drop(server, path)


def test_head(server, path):
    put(server, path, stream_of(ROWS))
    whole, head = server.request("GET", path), server.request("HEAD", path)
    assert head.status == 200 and not head.body
    for name in ("content-type", "content-length", "etag", "volley-rows", "accept-ranges"):
        assert head.headers[name] == whole.headers[name]
    assert server.request("HEAD", path + "?format=csv").status == 200
    drop(server, path)
    assert server.request("HEAD", path).status == 404


# --- text -----------------------------------------------------------------------------------------


def test_text_formats(server, path):
    put(server, path, stream_of(ROWS))
    lines = server.request("GET", path, headers={"accept": "application/x-ndjson"}).text.splitlines()
    assert [json.loads(line) for line in lines] == ROWS.to_pylist()
    assert server.request("GET", path + "?format=json").json["data"] == ROWS.to_pylist()
    assert server.request("GET", path + "?format=json&int64=string&limit=1").json["data"][0]["id"] == "0"
    as_csv = server.request("GET", path, headers={"accept": "text/csv"})
    assert as_csv.text.splitlines()[1:3] == ["0,", "1,name 1"]
    assert server.request("GET", path, headers={"accept": "*/*"}).media_type == STREAM
    assert server.request("GET", path, headers={"accept": "text/html"}).status == 406
    assert server.request("GET", path + "?format=xml").status == 406
    drop(server, path)


def test_dictionaries_that_grow_and_change(server, path):
    schema = pa.schema([("word", pa.dictionary(pa.int32(), pa.string()))])
    sink = io.BytesIO()
    parts = [["a", "b"], ["a", "b", "c"], ["x", "y"]]
    with pyarrow.ipc.new_stream(sink, schema) as writer:
        for words in parts:
            column = pa.DictionaryArray.from_arrays(pa.array(range(len(words)), pa.int32()), words)
            writer.write_batch(pa.record_batch([column], schema))
    assert put(server, path, sink.getvalue()).status == 201
    words = [word for words in parts for word in words]
    got = server.request("GET", path)
    assert pa.Table.from_batches(pyarrow.ipc.open_stream(got.body)).column(0).to_pylist() == words
    lines = server.request("GET", path + "?format=ndjson").text.splitlines()
    assert [json.loads(line)["word"] for line in lines] == words
    drop(server, path)
