"""Datasets over HTTP in other formats than Arrow: Parquet, CSV, JSON, NDJSON, forms; rows into tables.

SPDX-License-Identifier: Apache-2.0
"""
import datetime
import decimal
import gzip
import io
import json
import os
import socket
import threading
import uuid

import pyarrow as pa
import pyarrow.parquet
import pytest
from dataset_http import drop, path, put, read_stream, stream_of  # noqa: F401
from harness import COMPUTING, wait_until

CSV, JSON, NDJSON = "text/csv", "application/json", "application/x-ndjson"
PARQUET = "application/vnd.apache.parquet"

TYPES = pa.table({
    "b": pa.array([True, False, None]),
    "i8": pa.array([-1, 127, None], pa.int8()),
    "u8": pa.array([0, 255, None], pa.uint8()),
    "i16": pa.array([-1, 2, None], pa.int16()),
    "u16": pa.array([1, 65535, None], pa.uint16()),
    "i32": pa.array([1, -2, None], pa.int32()),
    "u32": pa.array([1, 4294967295, None], pa.uint32()),
    "i64": pa.array([2**62, -1, None], pa.int64()),
    "u64": pa.array([2**63, 1, None], pa.uint64()),
    "f32": pa.array([1.5, -0.25, None], pa.float32()),
    "f64": pa.array([1e300, 0.1, None], pa.float64()),
    "d": pa.array([datetime.date(2024, 2, 29), datetime.date(1969, 1, 1), None]),
    "t": pa.array([datetime.time(1, 2, 3, 4), datetime.time(0), None], pa.time64("us")),
    "ts": pa.array([0, -1, None], pa.timestamp("us")),
    "tz": pa.array([0, 1700000000000000, None], pa.timestamp("us", "UTC")),
    "dec": pa.array([decimal.Decimal("1.23"), decimal.Decimal("-9.99"), None], pa.decimal128(10, 2)),
    "s": pa.array(["", "größe, \"日本\"\n", None]),
    "bin": pa.array([b"", b"\0\xff", None]),
    "list": pa.array([[1, None], [], None], pa.list_(pa.int64())),
    "struct": pa.array([{"x": 1, "y": "a"}, {"x": None, "y": ""}, None]),
    "map": pa.array([[("k", 1)], [], None], pa.map_(pa.string(), pa.int64())),
})


def parquet_of(table):
    sink = io.BytesIO()
    pa.parquet.write_table(table, sink, row_group_size=1000)
    return sink.getvalue()


def rows_of(server, path, parameters=""):
    answer = server.request("GET", f"{path}?format=ndjson{parameters}")
    assert answer.status == 200, answer.text
    return [json.loads(line) for line in answer.text.splitlines()]


def form(*parts):
    """A multipart/form-data body of (field, file name, type, bytes)."""
    body = b""
    for name, filename, content_type, content in parts:
        body += f'--mark\r\ncontent-disposition: form-data; name="{name}"'.encode()
        body += f'; filename="{filename}"'.encode() if filename else b""
        body += f"\r\ncontent-type: {content_type}".encode() if content_type else b""
        body += b"\r\n\r\n" + content + b"\r\n"
    return body + b"--mark--\r\n"


FORM = "multipart/form-data; boundary=mark"


def left_over(server):
    return os.listdir(server.data_dir / "temporary")


# --- Parquet --------------------------------------------------------------------------------------


def test_parquet_both_ways_with_all_types(server, path):
    answer = put(server, path, parquet_of(TYPES), PARQUET)
    assert answer.status == 201, answer.text
    kept = read_stream(server.request("GET", path).body)
    assert kept.to_pylist() == TYPES.to_pylist()
    got = server.request("GET", path, headers={"accept": PARQUET})
    assert got.status == 200 and got.media_type == PARQUET
    assert int(got.headers["content-length"]) == len(got.body)
    assert pa.parquet.read_table(io.BytesIO(got.body)).to_pylist() == TYPES.to_pylist()
    drop(server, path)


def test_parquet_parts_in_order(server, path):
    table = pa.table({"id": range(300000), "s": [f"n{i % 100}" for i in range(300000)]})
    assert put(server, path, stream_of(table, 9999)).status == 201

    def read(query="", **headers):
        got = server.request("GET", f"{path}?format=parquet{query}", headers=headers)
        return got, pa.parquet.read_table(io.BytesIO(got.body))

    whole, rows = read()
    assert rows == table and whole.headers["accept-ranges"] == "rows"
    assert read("&columns=s&offset=12345&limit=100000")[1] == table.select(["s"]).slice(12345, 100000)
    part, rows = read(range="rows=250000-250009")
    assert part.status == 206 and part.headers["content-range"] == "rows 250000-250009/300000"
    assert rows == table.slice(250000, 10)
    assert len(read(range="bytes=0-9")[0].body) == len(whole.body)
    again = server.request("GET", path + "?format=parquet", headers={"if-none-match": whole.headers["etag"]})
    assert again.status == 304
    assert server.request("HEAD", path + "?format=parquet").status == 200
    wait_until(lambda: not left_over(server))
    drop(server, path)


def test_the_head_of_parquet_costs_no_query(server, path):
    assert put(server, path, stream_of(TYPES.select(["i64"]))).status == 201
    head = server.request("HEAD", path + "?format=parquet")
    assert head.status == 200 and head.media_type == PARQUET and head.headers["accept-ranges"] == "rows"
    assert "content-length" not in head.headers and not head.body
    key = head.headers["volley-dataset-id"]
    assert f"-- dataset '{key}'" not in server.request("GET", "/v1/queries").text
    got = server.request("GET", path + "?format=parquet")
    assert f"-- dataset '{key}'" in server.request("GET", "/v1/queries").text
    assert got.headers["etag"] == head.headers["etag"]
    condition = {"if-none-match": got.headers["etag"]}
    assert server.request("HEAD", path + "?format=parquet", headers=condition).status == 304
    drop(server, path)


def test_few_files_of_parquet_at_a_time(server, path):
    table = pa.table({"v": [os.urandom(1 << 20) for _ in range(16)]})
    assert put(server, path, stream_of(table)).status == 201

    def ask():
        connection = socket.socket()
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 16)
        connection.connect(server.http_address)
        connection.settimeout(20)
        connection.sendall(f"GET {path}?format=parquet HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n".encode())
        return connection

    readers = [ask() for _ in range(16)]
    for reader in readers:
        assert reader.recv(1000).startswith(b"HTTP/1.1 200")
    answer = server.request("GET", path + "?format=parquet")
    assert answer.status == 429 and answer.headers["retry-after"] == "1", answer.text
    assert server.request("HEAD", path + "?format=parquet").status == 200
    for reader in readers:
        reader.close()
    wait_until(lambda: server.request("GET", path + "?format=parquet").status == 200)
    wait_until(lambda: not left_over(server))
    drop(server, path)


def test_what_parquet_cannot_hold(server, path):
    assert put(server, path, stream_of(pa.table({}))).status == 201
    answer = server.request("GET", path + "?format=parquet")
    assert answer.status == 409 and "no columns" in answer.json["detail"]
    assert server.request("GET", path).status == 200
    wait_until(lambda: not left_over(server))
    drop(server, path)


@pytest.mark.parametrize("cut", [5, 100])
def test_parquet_that_is_cut(server, path, cut):
    answer = put(server, path, parquet_of(TYPES)[:-cut], PARQUET)
    assert answer.status == 422 and answer.json["code"] == "DATA_VALIDATION_FAILED"
    assert server.request("GET", path).status == 404


# --- CSV ------------------------------------------------------------------------------------------


def test_csv_both_ways(server, path):
    text = 'a,b,c,d\n1,x,2024-01-01,1.5\n2,,2024-02-02,2\n3,"",,\n4,"q ""uoted"",\r\nlines",2024-03-03,-1e3\n'
    answer = put(server, path, text.encode(), CSV)
    assert answer.status == 201 and answer.json["rows"] == 4
    assert [each["type"] for each in server.request("GET", path + "?facts=true").json["columns"]] == [
        "int64", "string", "date32[day]", "double"]
    assert rows_of(server, path)[2] == {"a": 3, "b": "", "c": None, "d": None}
    assert rows_of(server, path)[3]["b"] == 'q "uoted",\r\nlines'
    back = server.request("GET", path + "?format=csv")
    assert put(server, path + "2", back.body, "text/csv; charset=utf-8").status == 201
    assert rows_of(server, path + "2") == rows_of(server, path)
    drop(server, path)
    drop(server, path + "2")


def test_csv_without_header_and_with_another_delimiter(server, path):
    assert put(server, path + "?header=false&delimiter=%3B", b"1;2,5\n3;4,5\n", CSV).status == 201
    assert [list(row.values()) for row in rows_of(server, path)] == [[1, "2,5"], [3, "4,5"]]
    assert put(server, path, b"1,2\n", "text/csv; header=absent").status == 200
    assert [list(row.values()) for row in rows_of(server, path)] == [[1, 2]]
    for bad in ("header=maybe", "delimiter=", "delimiter=ab", "delimiter=%22"):
        assert put(server, f"{path}?{bad}", b"a\n1\n", CSV).status == 422
    drop(server, path)


def test_a_header_alone_is_an_empty_dataset(server, path):
    assert put(server, path, b"a,b\n", CSV).status == 201
    facts = server.request("GET", path + "?facts=true").json
    assert facts["rows"] == 0 and [each["name"] for each in facts["columns"]] == ["a", "b"]
    drop(server, path)


@pytest.mark.parametrize(("text", "told"), [
    (b"", "empty"),
    (b"a,b\n1,2\n3\n4,5\n", "line 3 has 1 fields"),
    (b'a,b\r\n1,"2\r\n"\r\n3,4,5\r\n', "line 4 has 3 fields"),
    (b"a,b\n" + b"1,2\n" * 300000 + b"1\n", "Line: 300002"),
    (b"a,b\n" + b"1,2\n" * 300000 + b"x,2\n", "Line: 300002"),
    (b'a,b\n1,2\n3,"x\n4,5\n', "line 3"),
    ("größe,b\nx,1\n".encode("latin-1"), "utf-8"),
])
def test_faults_of_csv_name_their_line(server, path, text, told):
    answer = put(server, path, text, CSV)
    assert answer.status == 422 and answer.json["code"] == "DATA_VALIDATION_FAILED"
    assert told in answer.json["detail"] and "temporary" not in answer.text, answer.text
    assert server.request("GET", path).status == 404


# --- JSON -----------------------------------------------------------------------------------------


def test_json_both_ways(server, path):
    rows = [{"a": 1, "b": {"c": [1, 2], "d": "x"}, "e": "2024-01-01"}, {"a": 2, "b": None, "e": None}]
    for body, content_type in ((json.dumps(rows), JSON), ("\n".join(map(json.dumps, rows)), NDJSON),
                               ("\n \n".join(map(json.dumps, rows)), JSON)):
        assert put(server, path, body.encode(), content_type).status in (200, 201)
        assert rows_of(server, path) == rows
    # What GET gives can be put.
    for format, content_type in (("json", JSON), ("ndjson", NDJSON)):
        text = server.request("GET", f"{path}?format={format}").body
        assert put(server, path + format, text, content_type).status == 201
        assert rows_of(server, path + format) == rows
        drop(server, path + format)
    drop(server, path)


@pytest.mark.parametrize(("body", "content_type"), [
    (b'[{"a":1,"b":', JSON), (b"1", JSON), (b"", JSON), (b"   ", JSON), (b'{"a":1}\n{"a":2,"b":\n', NDJSON),
    (b"[" * 2000 + b"]" * 2000, JSON), (b"\0\1\2", NDJSON), (b'[{"a":"\xff"}]', JSON),
])
def test_faults_of_json(server, path, body, content_type):
    answer = put(server, path, body, content_type)
    assert answer.status == 422 and answer.json["code"] == "DATA_VALIDATION_FAILED", answer.text
    assert "temporary" not in answer.text
    assert server.request("GET", path).status == 404


# --- all ------------------------------------------------------------------------------------------


def test_what_is_appended_takes_the_types_of_the_dataset(server, path):
    first = pa.table({"a": pa.array([1], pa.int32()), "s": ["x"], "f": pa.array([1.5], pa.float32()),
                      "l": pa.array([[1]], pa.list_(pa.int16()))})
    assert put(server, path, stream_of(first)).status == 201
    assert put(server, path, b'{"s":7,"a":2,"f":3,"l":[5]}\n{"s":"y","a":null,"f":null,"l":null}\n', NDJSON,
               method="POST").status == 200
    more = b's,a,f,l\n007,3,4,"[6, 7]"\n'
    assert put(server, path, more, CSV, method="POST").status == 200
    assert put(server, path, parquet_of(first), PARQUET, method="POST").status == 200
    assert rows_of(server, path) == [
        {"a": 1, "s": "x", "f": 1.5, "l": [1]}, {"a": 2, "s": "7", "f": 3.0, "l": [5]},
        {"a": None, "s": "y", "f": None, "l": None}, {"a": 3, "s": "007", "f": 4.0, "l": [6, 7]},
        {"a": 1, "s": "x", "f": 1.5, "l": [1]}]
    for body, told in ((b"a,s,f\n1,x,1\n", "'l'"), (b"a,s,f,l,z\n1,x,1,,1\n", "'z'"),
                       (b"a,s,f,l\nx,x,1,\n", "'x'")):
        answer = put(server, path, body, CSV, method="POST")
        assert answer.status == 422 and told in answer.json["detail"], answer.text
    assert len(rows_of(server, path)) == 5
    drop(server, path)


@pytest.mark.parametrize("coding", ["gzip", "identity"])
def test_chunked_and_coded(server, path, coding):
    import http.client
    text = b"a,b\n" + b"".join(b"%d,text %d\n" % (i, i) for i in range(20000))
    body = gzip.compress(text) if coding == "gzip" else text
    connection = http.client.HTTPConnection(*server.http_address, timeout=30)
    connection.request("PUT", path, (body[at:at + 777] for at in range(0, len(body), 777)),
                       {"content-type": CSV, "content-encoding": coding}, encode_chunked=True)
    answer = connection.getresponse()
    assert answer.status == 201 and json.loads(answer.read())["rows"] == 20000
    connection.close()
    rows = rows_of(server, path)
    assert rows == [{"a": i, "b": f"text {i}"} for i in range(20000)]
    drop(server, path)


def test_cut_uploads_leave_nothing(server, path):
    with socket.create_connection(server.http_address) as connection:
        connection.sendall(f"PUT {path} HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: text/csv\r\n"
                           "content-length: 1000\r\n\r\na,b\n1,2\n".encode())
        wait_until(lambda: left_over(server))
    wait_until(lambda: not left_over(server))
    assert server.request("GET", path).status == 404


def test_a_client_that_leaves_stops_the_engine(start_server):
    server = start_server("--query-slots", "1")
    blocker = threading.Thread(target=lambda: server.query(COMPUTING.format(mark="x")), daemon=True)
    blocker.start()

    def queries():
        return server.request("GET", "/v1/queries").json["queries"]

    wait_until(lambda: any(each["state"] == "running" for each in queries()))

    def queued():
        return [each for each in queries()
                if each["sql"].startswith("-- put csv") and each["state"] == "queued"]

    with socket.create_connection(server.http_address) as connection:
        connection.sendall(b"PUT /v1/datasets/x HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: text/csv\r\n"
                           b"content-length: 8\r\n\r\na,b\n1,2\n")
        wait_until(queued)
        assert server.request("GET", "/healthz").status == 200
    wait_until(lambda: not queued())
    wait_until(lambda: not left_over(server))
    for each in queries():
        server.request("DELETE", f"/v1/queries/{each['id']}")
    blocker.join(30)


def test_many_at_once(server, path):
    statuses = []

    def write(number):
        body = b"a,b\n" + b"%d,x\n" % number * 5000
        statuses.append(put(server, path + f"/{number % 3}", body, CSV, method="POST").status)

    threads = [threading.Thread(target=write, args=(number,)) for number in range(12)]
    for each in threads:
        each.start()
    for each in threads:
        each.join(60)
    kept = sum(1 for status in statuses if status in (200, 201))
    assert len(statuses) == 12 and all(status in (200, 201, 409) for status in statuses)
    total = sum(len(rows_of(server, path + f"/{number}")) for number in range(3))
    assert total == kept * 5000
    wait_until(lambda: not left_over(server))


def test_without_a_data_folder_only_arrow(start_server):
    server = start_server("--data-dir", "none")
    answer = put(server, "/v1/datasets/x", b"a\n1\n", CSV)
    assert answer.status == 501 and "--data-dir" in answer.json["detail"]
    assert put(server, "/v1/datasets/x", stream_of(TYPES.select(["i64"]))).status == 201
    assert server.request("GET", "/v1/datasets/x?format=parquet").status == 501


def test_the_name_of_the_data_folder_means_nothing(start_server, tmp_path):
    folder = tmp_path / "env=prod {a,b} \\ 'y'"
    folder.mkdir()
    server = start_server("--data-dir", folder)
    parquet = parquet_of(pa.table({"a": [1]}))
    for number, (body, content_type) in enumerate(
            ((b"a\n1\n", CSV), (b'{"a":1}', NDJSON), (b'[{"a":1}]', JSON), (parquet, PARQUET))):
        answer = put(server, f"/v1/datasets/{number}", body, content_type)
        assert answer.status == 201, answer.text
        assert rows_of(server, f"/v1/datasets/{number}") == [{"a": 1}]
    two = form(("file", "a.csv", "", b"a,b\n1,2\n"), ("file", "b.csv", "text/csv", b"a,b\n3,4\n"))
    assert put(server, "/v1/datasets/two", two, FORM).json["rows"] == 2
    assert server.request("GET", "/v1/datasets/two?format=parquet").status == 200
    broken = put(server, "/v1/datasets/x", b"a,b\n1\n", CSV)
    assert broken.status == 422 and "env=prod" not in broken.text


@pytest.mark.parametrize("name", ["[x]", "a*", "a?"])
def test_a_data_folder_that_is_a_pattern(start_server, tmp_path, name):
    folder = tmp_path / name
    folder.mkdir()
    server = start_server("--data-dir", folder)
    answer = put(server, "/v1/datasets/x", b"a\n1\n", CSV)
    assert answer.status == 501 and "--data-dir" in answer.json["detail"], answer.text
    assert put(server, "/v1/datasets/x", stream_of(TYPES.select(["i64"]))).status == 201
    assert server.request("GET", "/v1/datasets/x?format=parquet").status == 200


def test_clients_cannot_read_what_is_uploaded(server):
    folder = server.data_dir / "temporary"
    (folder / "upload-x").write_text("a\n1\n")
    for sql in (f"SELECT * FROM read_csv('{folder}/upload-x')", f"FROM '{folder}/*'",
                f"COPY t TO '{folder}/x'", f"SELECT * FROM glob('{folder}/*')"):
        answer = server.query(sql)
        assert answer.status == 403, answer.text
    (folder / "upload-x").unlink()


# --- forms ----------------------------------------------------------------------------------------


def test_forms(server, path):
    two = form(("file", "a.csv", "", b"a,b\n1,2\n"), ("file", "b.csv", "text/csv", b"a,b\n3,4\n"))
    assert put(server, path, two, FORM, method="POST").json["rows"] == 2
    assert rows_of(server, path) == [{"a": 1, "b": 2}, {"a": 3, "b": 4}]
    table = pa.table({"i": [1, 2]})
    arrow = form(("x", "a.arrow", "application/octet-stream", stream_of(table)),
                 ("y", "b.arrows", "", stream_of(table)))
    assert put(server, path, arrow, FORM).json["rows"] == 4
    named = form(("format", "", "", b"ndjson"), ("file", "rows", "", b'{"a":1}\n'))
    assert put(server, path, named, FORM).json["rows"] == 1
    assert put(server, path, form(("file", "t.parquet", "", parquet_of(TYPES))), FORM).json["rows"] == 3
    drop(server, path)


@pytest.mark.parametrize(("body", "status"), [
    (form(("file", "rows", "", b"x")), 415), (form(("file", "rows.txt", "text/plain", b"x")), 415),
    (form(("other", "", "", b"x")), 422), (b"--mark--\r\n", 422), (b"", 422),
    (form(("file", "a.csv", "", b"a\n1\n"))[:-5], 422), (form(("file", "a.csv", "", b"")), 422),
    (form(("file", "a.csv", "", b"a\n1\n"), ("file", "b.json", "", b"[]")), 422),
    (form(("file", "a.csv", "", b"a\n1\n"), ("file", "b.arrow", "", stream_of(TYPES))), 422),
])
def test_forms_that_are_wrong(server, path, body, status):
    answer = put(server, path, body, FORM, method="POST")
    assert answer.status == status, answer.text
    assert server.request("GET", path).status == 404


# --- tables ---------------------------------------------------------------------------------------


@pytest.fixture
def table(server):
    name = "t" + uuid.uuid4().hex
    sql = f"CREATE TABLE {name}(a INTEGER, b VARCHAR, c DATE DEFAULT '2000-01-01')"
    assert server.query(sql).status == 200
    yield name
    server.query(f"DROP TABLE {name}")


def insert(server, table, body, content_type, parameters=""):
    return server.request("POST", f"/tables/{table}/data{parameters}", body, {"content-type": content_type})


def test_rows_into_a_table(server, table):
    first = insert(server, table, form(("file", "a.csv", CSV, b"b,a\n007,1\n,2\n")), FORM)
    assert first.status == 200 and first.json == {"table": table, "format": "csv", "records_inserted": 2}
    assert insert(server, table, b"3,x,2024-05-05\n", CSV, "?header=false").json["records_inserted"] == 1
    assert insert(server, table, b'[{"a":4,"b":"z"}]', JSON).json["records_inserted"] == 1
    arrow = insert(server, "main." + table, stream_of(pa.table({"a": [5, 6]})), "")
    assert arrow.json["records_inserted"] == 2
    parquet = form(("file", "x.parquet", "", parquet_of(pa.table({"a": [7], "b": ["p"]}))))
    assert insert(server, table, parquet, FORM).json["records_inserted"] == 1
    rows = server.rows(f"SELECT a, b, c::VARCHAR FROM {table} ORDER BY a")
    assert [tuple(row.values()) for row in rows] == [
        (1, "007", "2000-01-01"), (2, None, "2000-01-01"), (3, "x", "2024-05-05"), (4, "z", "2000-01-01"),
        (5, None, "2000-01-01"), (6, None, "2000-01-01"), (7, "p", "2000-01-01")]


def test_what_rows_wait_in_is_gone_behind_them(start_server):
    own = start_server()
    own.query("CREATE TABLE t(a BIGINT)")

    def live():
        return own.metrics()['volley_live_objects{kind="dataset"}']

    before = live()
    for count in range(1, 4):
        assert insert(own, "t", stream_of(pa.table({"a": [1, 2]})), "").json["records_inserted"] == 2
        # That of the statement stays, as long as it is listed; that of the rows does not.
        wait_until(lambda count=count: live() == before + count, what="the end of the rows")


@pytest.mark.parametrize(("body", "content_type", "status", "code"), [
    (b"a,b\nx,1\n", CSV, 422, "DATA_VALIDATION_FAILED"), (b"a,zz\n1,1\n", CSV, 422, "DATA_VALIDATION_FAILED"),
    (b"a,b\n1,1\n2\n", CSV, 422, "DATA_VALIDATION_FAILED"), (b"", CSV, 422, "DATA_VALIDATION_FAILED"),
    (b"x", "image/png", 415, "UNSUPPORTED_MEDIA_TYPE"), (b"x", "", 422, "DATA_VALIDATION_FAILED"),
])
def test_rows_that_do_not_fit_a_table(server, table, body, content_type, status, code):
    answer = insert(server, table, body, content_type)
    assert answer.status == status and answer.json["error_code"] == code, answer.text
    assert "detail" in answer.json and "temporary" not in answer.text
    assert server.value(f"SELECT count(*) FROM {table}") == 0


@pytest.mark.parametrize(("parameters", "body", "place"), [
    ("?header=maybe", b"a\n1\n", ["query", "header"]), ("?delimiter=xx", b"a\n1\n", ["query", "delimiter"]),
    ("?wrong=1", b"a\n1\n", ["query"]), ("", b"a\nx\n", ["body"]),
])
def test_faults_tell_their_place(server, table, parameters, body, place):
    answer = insert(server, table, body, CSV, parameters)
    assert answer.status == 422, answer.text
    fault, = answer.json["errors"]
    assert fault == {"loc": place, "msg": answer.json["detail"], "type": "value_error"}


def test_other_faults_have_no_place(server, table):
    assert "errors" not in insert(server, "nothing_of_that_name", b"a\n1\n", CSV).json
    fault, = insert(server, "a..b", b"a\n1\n", CSV).json["errors"]
    assert fault["loc"] == ["path", "name"]


def test_csv_whose_type_tells_of_no_header_goes_by_position(server, table):
    answer = insert(server, table, b"8,y,2024-05-05\n", "text/csv; header=absent")
    assert answer.status == 200, answer.text
    assert server.rows(f"SELECT a, b FROM {table}") == [{"a": 8, "b": "y"}]


def test_tables_that_are_not_there(server):
    answer = insert(server, "nothing_of_that_name", b"a\n1\n", CSV)
    assert answer.status == 404 and answer.json["error_code"] == "TABLE_NOT_FOUND"
    for name in ("a..b", "a.b.c.d", "%00"):
        assert insert(server, name, b"a\n1\n", CSV).status == 422
    assert insert(server, "volley.queries", b"a\n1\n", CSV).status in (403, 404, 422)
    assert insert(server, "x%22%3B%20DROP%20TABLE%20y", b"a\n1\n", CSV).status == 404
