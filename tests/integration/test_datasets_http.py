"""Datasets over HTTP: /v1/datasets with Arrow, versions and conditions, ranges of rows, pages.

SPDX-License-Identifier: Apache-2.0
"""
import http.client
import io
import json
import shutil
import socket
import subprocess
import threading
import urllib.parse
import uuid

import pyarrow as pa
import pyarrow.flight
import pyarrow.ipc
import pytest
from harness import wait_until

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


def test_put_and_get(server, path):
    answer = put(server, path, stream_of(ROWS))
    assert answer.status == 201 and answer.headers["location"] == path
    told = answer.json
    assert told["rows"] == told["total_rows"] == 1000 and told["batches"] == 10
    assert told["durability"] == "memory" and "/" + told["path"] == path.removeprefix("/v1/datasets")
    got = server.request("GET", path)
    assert got.status == 200 and got.media_type == STREAM
    assert int(got.headers["content-length"]) == len(got.body)
    assert got.headers["accept-ranges"] == "bytes, rows" and got.headers["volley-rows"] == "1000"
    assert read_stream(got.body) == ROWS
    assert got.headers["etag"] == answer.headers["etag"]
    drop(server, path)
    gone = server.request("GET", path)
    assert gone.status == 404 and gone.media_type == "application/problem+json"
    assert gone.json["code"] == "NOT_FOUND"


def test_the_other_doors_see_it(server, flight, path):
    assert put(server, path, stream_of(ROWS)).status == 201
    elements = path.removeprefix("/v1/datasets/").split("/")
    descriptor = pyarrow.flight.FlightDescriptor.for_path(*elements)
    info = flight.get_flight_info(descriptor)
    assert flight.do_get(info.endpoints[0].ticket).read_all() == ROWS
    name = ".".join(f'"{element}"' for element in elements)
    assert server.query(f"SELECT count(*) AS n, sum(id) AS s FROM dataset.{name}").json["data"] == [
        {"n": 1000, "s": 499500}]
    drop(server, path)


@pytest.mark.parametrize("content_type", [FILE, STREAM, "application/octet-stream"])
def test_a_file_is_taken_as_it_is(server, path, content_type):
    assert put(server, path, file_of(ROWS), content_type).status == 201
    got = server.request("GET", path + "?format=arrow-file")
    assert got.media_type == FILE and pyarrow.ipc.open_file(got.body).read_all() == ROWS
    by_accept = server.request("GET", path, headers={"accept": FILE})
    assert pyarrow.ipc.open_file(by_accept.body).num_record_batches == 10
    drop(server, path)


@pytest.mark.parametrize("elements", [
    ("a/b", "c"), ("100%", "x"), ("größe", "日本"), ("with space", "q?&=#"), ("..", "x"), ("tab\there",),
])
def test_names(server, elements):
    mark = uuid.uuid4().hex
    path = url(*elements, mark)
    answer = put(server, path, stream_of(ROWS))
    assert answer.status == 201
    assert server.request("GET", answer.headers["location"]).status == 200
    assert server.request("GET", path).status == 200
    listed = server.request("GET", "/v1/datasets?limit=1000").json["datasets"]
    found = [each for each in listed if each["id"] == answer.json["id"]]
    assert len(found) == 1 and found[0]["url"] == answer.headers["location"]
    with server.flight() as flight:
        descriptor = pyarrow.flight.FlightDescriptor.for_path(*elements, mark)
        assert flight.get_flight_info(descriptor).total_records == 1000
    drop(server, path)


@pytest.mark.parametrize("path", [
    "/v1/datasets/a//b", "/v1/datasets/a/", "/v1/datasets/%ff", "/v1/datasets/%zz",
    "/v1/datasets/" + "a/" * 64 + "b",
    "/v1/datasets/" + "x" * 1025, "/v1/datasets/batch/.hidden", "/v1/datasets/batch/a%20b",
])
def test_bad_names_are_refused(server, path):
    for method in ("GET", "PUT", "DELETE"):
        answer = server.request(method, path, stream_of(ROWS) if method == "PUT" else None)
        assert answer.status == 422 and answer.json["code"] == "VALIDATION_ERROR", answer.text


def test_live_tables_are_not_to_be_put(server):
    assert put(server, "/v1/datasets/live/x", stream_of(ROWS)).status == 501


def test_by_id(server, path):
    answer = put(server, path, stream_of(ROWS))
    by_id = url(answer.json["id"])
    assert server.request("GET", by_id).body == server.request("GET", path).body
    assert server.request("GET", url("batch", answer.json["id"])).status == 200
    assert server.request("DELETE", by_id).status == 204
    assert server.request("GET", path).status == 404
    own = str(uuid.uuid4())
    made = put(server, url(own), stream_of(ROWS), method="POST", **{"volley-durability": "memory"})
    assert made.status == 201 and made.json["id"] == own and made.json["path"] is None
    assert made.headers["location"] == url(own)
    assert server.request("DELETE", url(own)).status == 204
    named = put(server, url("batch", f"mine.{own}"), stream_of(ROWS))
    assert named.json["id"] == f"mine.{own}" and named.json["durability"] == "process"
    assert server.request("GET", named.headers["location"]).status == 200
    assert server.request("DELETE", named.headers["location"]).status == 204


def test_modes(server, path):
    assert put(server, path + "?mode=append", stream_of(ROWS), method="POST").status == 404
    assert put(server, path, stream_of(ROWS), method="POST").status == 201
    more = put(server, path, stream_of(ROWS), method="POST")
    assert more.status == 200 and more.json["rows"] == 1000 and more.json["total_rows"] == 2000
    assert put(server, path + "?mode=create", stream_of(ROWS)).status == 409
    assert put(server, path, stream_of(ROWS), method="POST", **{"Volley-Mode": "create"}).status == 409
    replaced = put(server, path, stream_of(ROWS.slice(0, 3)))
    assert replaced.status == 200 and replaced.json["total_rows"] == 3
    assert read_stream(server.request("GET", path).body) == ROWS.slice(0, 3)
    for bad in ("?mode=append", "?mode=upsert", "?mode=other", "?durability=ram", "?ttl=soon",
                "?moed=create"):
        answer = put(server, path + bad, stream_of(ROWS))
        assert answer.status == 422 and answer.json["code"] == "VALIDATION_ERROR", answer.text
    drop(server, path)


def test_another_schema_is_refused_by_field(server, path):
    assert put(server, path, stream_of(ROWS)).status == 201
    other = pa.table({"id": ROWS["id"], "name": pa.array(range(1000))})
    answer = put(server, path, stream_of(other), method="POST")
    assert answer.status == 422 and "'name'" in answer.json["detail"]
    assert server.request("GET", path + "?facts=true").json["rows"] == 1000
    assert server.request("GET", path + "?facts=true&format=xml").status == server.request(
        "GET", path + "?format=xml").status == 406
    drop(server, path)


def test_facts(server, path):
    answer = put(server, path + "?ttl=10m", stream_of(ROWS))
    facts = server.request("GET", path + "?facts=true").json
    assert facts["id"] == answer.json["id"] and facts["ttl_seconds"] == 600
    assert facts["columns"] == [{"name": "id", "type": "int64", "nullable": True},
                                {"name": "name", "type": "string", "nullable": True}]
    changed = server.request("PATCH", path, json.dumps({"ttl": "2h"}), {"content-type": "application/json"})
    assert changed.status == 200 and changed.json["ttl_seconds"] == 7200
    assert changed.json["expires_at"] > facts["expires_at"]
    assert server.request("PATCH", path, json.dumps({"ttl": 60})).json["ttl_seconds"] == 60
    for bad in ("{}", "[]", "{", '{"ttl": -1}', '{"ttl": "soon"}', '{"ttl": 1, "x": 2}'):
        assert server.request("PATCH", path, bad).status == 422, bad
    drop(server, path)
    assert server.request("PATCH", path, json.dumps({"ttl": 60})).status == 404


def test_the_time_to_live_ends(server, path):
    assert put(server, path + "?ttl=300ms", stream_of(ROWS)).status == 201
    wait_until(lambda: server.request("GET", path).status == 404)


# --- versions and conditions ---------------------------------------------------------------------


def test_conditions_of_reading(server, path):
    tag = put(server, path, stream_of(ROWS)).headers["etag"]
    unchanged = server.request("GET", path, headers={"if-none-match": tag})
    assert unchanged.status == 304 and unchanged.headers["etag"] == tag and not unchanged.body
    as_csv = server.request("GET", path + "?format=csv")
    assert as_csv.headers["etag"] != tag
    same = {"if-none-match": as_csv.headers["etag"]}
    assert server.request("GET", path + "?format=csv", headers=same).status == 304
    assert server.request("GET", path, headers={"if-match": '"other"'}).status == 412
    put(server, path, stream_of(ROWS), method="POST")
    assert server.request("GET", path, headers={"if-none-match": tag}).status == 200
    drop(server, path)


def test_lost_updates_are_refused(server, path):
    assert put(server, path, stream_of(ROWS), **{"if-match": "*"}).status == 412
    first = put(server, path, stream_of(ROWS), **{"if-none-match": "*"})
    assert first.status == 201
    again = put(server, path, stream_of(ROWS), **{"if-none-match": "*"})
    assert again.status == 412 and again.json["code"] == "PRECONDITION_FAILED"
    tag = first.headers["etag"]
    second = put(server, path, stream_of(ROWS), method="POST", **{"if-match": tag})
    assert second.status == 200 and second.headers["etag"] != tag
    for method in ("PUT", "POST"):
        assert put(server, path, stream_of(ROWS), method=method, **{"if-match": tag}).status == 412
    assert server.request("DELETE", path, headers={"if-match": tag}).status == 412
    plain = {"accept-encoding": "identity"}
    csv_tag = server.request("GET", path + "?format=csv", headers=plain).headers["etag"]
    third = put(server, path, stream_of(ROWS), **{"if-match": f'"x", {csv_tag}'})
    assert third.status == 200
    assert server.request("DELETE", path, headers={"if-match": third.headers["etag"]}).status == 204


def test_of_concurrent_writers_one_wins(server, path):
    tag = put(server, path, stream_of(ROWS)).headers["etag"]
    answers = []

    def write(number):
        table = pa.table({"id": pa.array([number] * 5000), "name": pa.array(["x"] * 5000)})
        answers.append((number, put(server, path, stream_of(table), **{"if-match": tag}).status))

    threads = [threading.Thread(target=write, args=(number,)) for number in range(8)]
    for each in threads:
        each.start()
    for each in threads:
        each.join(30)
    winners = [number for number, status in answers if status == 200]
    assert len(answers) == 8 and len(winners) == 1, answers
    assert all(status == 412 for number, status in answers if number not in winners)
    assert set(read_stream(server.request("GET", path).body)["id"].to_pylist()) == set(winners)
    drop(server, path)


def test_concurrent_appends_lose_nothing(server, path):
    failed = []

    def write(number):
        table = pa.table({"id": pa.array([number] * 1000)})
        status = put(server, path, stream_of(table), method="POST").status
        if status not in (200, 201):
            failed.append(status)

    threads = [threading.Thread(target=write, args=(number,)) for number in range(8)]
    for each in threads:
        each.start()
    for each in threads:
        each.join(30)
    ids = read_stream(server.request("GET", path).body)["id"].to_pylist()
    # Of those who create it at once one does, and the others append.
    assert len(ids) == 8 * 1000 and not failed
    drop(server, path)


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


# --- list -----------------------------------------------------------------------------------------


def test_pages(server):
    mark = uuid.uuid4().hex
    names = [f"{mark}/{number:02}" for number in range(25)]
    for name in names:
        assert put(server, "/v1/datasets/" + name, stream_of(ROWS.slice(0, 1))).status == 201
    seen, token, pages = [], None, 0
    while pages == 0 or token:
        more = f"&page_token={urllib.parse.quote(token, safe='')}" if token else ""
        page = server.request("GET", f"/v1/datasets?prefix={mark}/&limit=10{more}").json
        seen += [each["path"] for each in page["datasets"]]
        token, pages = page["next_page_token"], pages + 1
    assert seen == names and pages == 3
    none = server.request("GET", f"/v1/datasets?prefix={mark}nothing").json
    assert none == {"datasets": [], "next_page_token": None}
    for bad in ("limit=0", "limit=1001", "limit=x", "pefix=x"):
        assert server.request("GET", "/v1/datasets?" + bad).status == 422
    for name in names:
        drop(server, "/v1/datasets/" + name)


def test_results_are_not_datasets(server):
    answer = server.request("POST", "/v1/query?keep=true", "SELECT 1", {"content-type": "text/plain"})
    query = answer.headers["volley-query-id"]
    assert server.request("GET", url(query)).status == 404
    assert server.request("DELETE", url(query)).status == 404
    listed = server.request("GET", "/v1/datasets?limit=1000").json["datasets"]
    assert query not in [each["id"] for each in listed]


# --- methods --------------------------------------------------------------------------------------


def test_methods(server, path):
    refused = server.request("REPORT", path)
    assert refused.status == 405
    assert refused.headers["allow"] == "GET, HEAD, PUT, POST, PATCH, DELETE"
    options = server.request("OPTIONS", path)
    assert options.status == 204 and "PUT" in options.headers["allow"]
    assert server.request("PUT", "/v1/datasets", b"").headers["allow"] == "GET, HEAD"
    everything = server.request("OPTIONS", "*")
    assert everything.status == 204 and "POST" in everything.headers["allow"]
    assert server.request("OPTIONS", "/nothing").status == 404


# --- bodies that are wrong ------------------------------------------------------------------------


@pytest.mark.parametrize("make", [
    lambda: b"", lambda: b"ARROW", lambda: b"ARROW1\0\0", lambda: b"\xff" * 100, lambda: b"id,name\n1,a\n",
    lambda: stream_of(ROWS)[:-300], lambda: stream_of(ROWS)[:20], lambda: file_of(ROWS)[:-1],
    lambda: file_of(ROWS)[:3000],
    lambda: stream_of(ROWS).replace(b"\x10\0\0\0\0\0", b"\x10\xff\xff\xff\x7f\0"),
])
def test_hostile_bodies_leave_nothing(server, path, make):
    answer = put(server, path, make())
    assert answer.status in (413, 422), answer.text
    assert answer.json["code"] in ("DATA_VALIDATION_FAILED", "PAYLOAD_TOO_LARGE")
    assert server.request("GET", path).status == 404


def test_a_stream_without_its_end_marker_is_taken(server, path):
    assert put(server, path, stream_of(ROWS)[:-8]).status == 201
    assert read_stream(server.request("GET", path).body) == ROWS
    drop(server, path)


def test_other_types_are_refused_before_the_body(server, path):
    with socket.create_connection(server.http_address) as connection:
        connection.sendall(f"PUT {path} HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: image/png\r\n"
                           "expect: 100-continue\r\n"
                           "content-length: 1000000\r\n\r\n".encode())
        reply = connection.recv(65536)
    assert reply.startswith(b"HTTP/1.1 415") and b"apache.arrow.stream" in reply


def test_expect_continue(server, path):
    body = stream_of(ROWS)
    with socket.create_connection(server.http_address) as connection:
        connection.sendall(f"PUT {path} HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: {STREAM}\r\n"
                           f"expect: 100-continue\r\ncontent-length: {len(body)}\r\n\r\n".encode())
        assert connection.recv(65536).startswith(b"HTTP/1.1 100")
        connection.sendall(body)
        assert connection.recv(65536).startswith(b"HTTP/1.1 201")
    drop(server, path)


def test_half_a_body_leaves_nothing(server, path):
    body = stream_of(ROWS)
    with socket.create_connection(server.http_address) as connection:
        connection.sendall(f"PUT {path} HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: {STREAM}\r\n"
                           f"content-length: {len(body)}\r\n\r\n".encode())
        connection.sendall(body[: len(body) // 2])
    with socket.create_connection(server.http_address) as connection:
        connection.sendall(f"PUT {path} HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: {STREAM}\r\n"
                           "transfer-encoding: chunked\r\n\r\n".encode())
        # A whole Arrow stream, but not a whole body.
        connection.sendall(f"{len(body):x}\r\n".encode() + body + b"\r\n")
    wait_until(lambda: server.request("GET", "/health").status == 200)
    assert server.request("GET", path).status == 404


def test_slow_and_chunked(server, path):
    body = stream_of(ROWS)

    def pieces():
        for at in range(0, len(body), 997):
            yield body[at:at + 997]

    connection = http.client.HTTPConnection(*server.http_address, timeout=30)
    connection.request("PUT", path, pieces(), {"content-type": STREAM}, encode_chunked=True)
    answer = connection.getresponse()
    assert answer.status == 201 and json.loads(answer.read())["rows"] == 1000
    connection.close()
    with socket.create_connection(server.http_address) as raw:
        raw.sendall(f"POST {path} HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: {STREAM}\r\n"
                    "transfer-encoding: chunked\r\n\r\n".encode())
        for byte in body[:500]:
            raw.sendall(b"1\r\n" + bytes([byte]) + b"\r\n")
        rest = body[500:]
        raw.sendall(f"{len(rest):x}\r\n".encode() + rest + b"\r\n0\r\n\r\n")
        assert raw.recv(65536).startswith(b"HTTP/1.1 200")
    assert read_stream(server.request("GET", path).body) == pa.concat_tables([ROWS, ROWS])
    drop(server, path)


@pytest.mark.parametrize("coding", ["gzip", "zstd", "deflate"])
def test_coded_bodies(server, path, coding):
    from test_http_content import pack
    body = pack(coding, stream_of(ROWS))
    assert put(server, path, body, **{"content-encoding": coding}).status == 201
    assert read_stream(server.request("GET", path).body) == ROWS
    cut = put(server, path + "x", body[:-3], **{"content-encoding": coding})
    assert cut.status == 422 and server.request("GET", path + "x").status == 404
    drop(server, path)


def test_an_unknown_coding(server, path):
    answer = put(server, path, b"x", **{"content-encoding": "br"})
    assert answer.status == 415 and "zstd" in answer.headers["accept-encoding"]


def test_compressed_buffers(server, path):
    sink = io.BytesIO()
    for codec in ("lz4", "zstd"):
        sink = io.BytesIO()
        options = pyarrow.ipc.IpcWriteOptions(compression=codec)
        with pyarrow.ipc.new_stream(sink, ROWS.schema, options=options) as out:
            out.write_table(ROWS)
        assert put(server, path, sink.getvalue()).status in (200, 201)
        assert read_stream(server.request("GET", path).body) == ROWS
    drop(server, path)


def test_datasets_grow_over_what_memory_has(start_server):
    server = start_server("--dataset-memory", "32MiB")
    table = pa.table({"v": pa.array(range(1 << 20), pa.int64())})
    body = stream_of(table, 1 << 17)
    for _ in range(6):
        assert put(server, "/v1/datasets/large", body, method="POST").status in (200, 201)
    got = server.request("GET", "/v1/datasets/large")
    assert read_stream(got.body).num_rows == 6 << 20


def test_bounds(start_server):
    server = start_server("--dataset-bytes-max", "100000")
    answer = put(server, "/v1/datasets/a", stream_of(pa.table({"v": pa.array(range(100000))})))
    assert answer.status == 429 and "--dataset-bytes-max" in answer.json["detail"], answer.text
    assert answer.json["code"] == "RESOURCE_EXHAUSTED"
    assert server.request("GET", "/v1/datasets/a").status == 404


def test_messages_are_bounded(start_server):
    server = start_server("--max-receive-message", "1MiB")
    table = pa.table({"v": pa.array(range(200000), pa.int64())})
    answer = put(server, "/v1/datasets/a", stream_of(table, 200000))
    assert answer.status == 413 and answer.json["code"] == "PAYLOAD_TOO_LARGE", answer.text
    assert str(1 << 20) in answer.json["detail"]
    assert put(server, "/v1/datasets/a", stream_of(table, 100000)).status == 201


@pytest.mark.skipif(not shutil.which("curl"), reason="curl is not installed")
@pytest.mark.parametrize("version", ["--http1.1", "--http2-prior-knowledge"])
def test_curl_both_ways(server, path, tmp_path, version):
    table = pa.table({"v": pa.array(range(1 << 20), pa.int64())})
    (tmp_path / "in").write_bytes(stream_of(table, 50000))
    done = subprocess.run(
        ["curl", "-sS", "--max-time", "50", version, "-T", str(tmp_path / "in"), "-w", "%{http_code}",
         server.http_url + path], capture_output=True, check=True)
    assert done.stdout.endswith(b"}201"), done.stdout
    subprocess.run(["curl", "-sSf", "--max-time", "50", version, "-o", str(tmp_path / "out"),
                    server.http_url + path], check=True)
    assert read_stream((tmp_path / "out").read_bytes()) == table
    drop(server, path)
