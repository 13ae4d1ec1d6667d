"""Contents over HTTP: codings of responses and requests, finished results with ranges, pages, events.

SPDX-License-Identifier: Apache-2.0
"""
import base64
import concurrent.futures
import contextlib
import gzip
import hashlib
import http.client
import json
import re
import shutil
import subprocess
import threading
import zlib

import pyarrow as pa
import pytest
from harness import COMPUTING, wait_until

ARROW = "application/vnd.apache.arrow.stream"
ARROW_FILE = "application/vnd.apache.arrow.file"
ROWS = "SELECT i AS id, 'name ' || i % 100 AS name, i / 7 AS part FROM range(100000) t(i)"
FLOWING = "SELECT i, repeat('abcdefgh', 20) AS s FROM range(1000000000) t(i)"

needs_curl = pytest.mark.skipif(not shutil.which("curl"), reason="curl is not installed")


def unpack(coding, body):
    """Decodes a body; fails when it is cut or has a tail."""
    if coding is None:
        return body
    if coding == "zstd":
        return pa.CompressedInputStream(pa.BufferReader(body), "zstd").read()
    assert coding == "gzip"
    decoder = zlib.decompressobj(wbits=31)
    plain = decoder.decompress(body) + decoder.flush()
    assert decoder.eof and not decoder.unused_data
    return plain


def unpack_some(coding, body):
    """What can be read of the beginning of a body."""
    if coding == "gzip":
        return zlib.decompressobj(wbits=31).decompress(body)
    try:
        return pa.CompressedInputStream(pa.BufferReader(body), "zstd").read(10)
    except OSError:
        return b""


def varies(answer):
    return {name.strip() for value in answer.headers.get_all("vary", []) for name in value.split(",")}


def pack(coding, plain):
    if coding == "gzip":
        return gzip.compress(plain)
    if coding == "deflate":
        return zlib.compress(plain)
    sink = pa.BufferOutputStream()
    with pa.CompressedOutputStream(sink, "zstd") as stream:
        stream.write(plain)
    return sink.getvalue().to_pybytes()


def curl(*arguments):
    done = subprocess.run(["curl", "-sS", "--max-time", "60", *arguments], capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout


# --- coding of responses ------------------------------------------------------------------------


@pytest.mark.parametrize("format", ["json", "ndjson", "csv"])
@pytest.mark.parametrize("coding", ["gzip", "zstd"])
def test_rows_as_text_are_compressed(server, format, coding):
    plain = server.query(ROWS, format)
    assert plain.headers.get("content-encoding") is None
    assert "accept-encoding" in varies(plain)
    packed = server.query(ROWS, format, {"accept-encoding": coding})
    assert packed.headers["content-encoding"] == coding
    assert "accept-encoding" in varies(packed)
    assert packed.headers.get("content-length") is None
    assert len(packed.body) < len(plain.body) / 3
    assert unpack(coding, packed.body) == plain.body


@pytest.mark.parametrize(
    ("accept", "coding"),
    [
        ("gzip, deflate, br", "gzip"), ("gzip, zstd", "zstd"), ("gzip;q=1, zstd;q=0.5", "gzip"),
        ("*", "zstd"),
        ("zstd;q=0, *", "gzip"), ("br", None), ("gzip;q=0", None), ("identity, gzip;q=0.1", None), ("", None),
    ],
)
def test_the_client_chooses(server, accept, coding):
    answer = server.query(ROWS, "csv", {"accept-encoding": accept})
    assert answer.status == 200
    assert answer.headers.get("content-encoding") == coding
    assert unpack(coding, answer.body).startswith(b"id,name,part\r\n0,name 0,")


def test_a_client_that_takes_no_coding_is_told(server):
    answer = server.query("SELECT 1", "json", {"accept-encoding": "identity;q=0, br"})
    assert (answer.status, answer.json["code"]) == (406, "NOT_ACCEPTABLE")
    assert "zstd, gzip" in answer.json["detail"]


def test_arrow_is_left_alone_unless_plain_bytes_are_refused(server):
    answer = server.query(ROWS, "arrow", {"accept-encoding": "gzip, zstd"})
    assert answer.headers.get("content-encoding") is None
    assert pa.ipc.open_stream(answer.body).read_all().num_rows == 100000
    answer = server.query(ROWS, "arrow", {"accept-encoding": "gzip, identity;q=0"})
    assert answer.headers["content-encoding"] == "gzip"
    assert pa.ipc.open_stream(unpack("gzip", answer.body)).read_all().num_rows == 100000


def test_small_answers_stay_as_they_are(server):
    answer = server.request("GET", "/healthz", headers={"accept-encoding": "gzip"})
    assert answer.headers.get("content-encoding") is None
    assert "accept-encoding" in varies(answer)
    answer = server.request("GET", "/metrics", headers={"accept-encoding": "gzip"})
    assert answer.headers["content-encoding"] == "gzip"
    assert b"# TYPE" in unpack("gzip", answer.body)


@needs_curl
@pytest.mark.parametrize("version", ["--http1.1", "--http2-prior-knowledge"])
def test_curl_reads_each_coding(server, version):
    plain = curl(version, "-d", ROWS, f"{server.http_url}/v1/query?format=csv")
    for coding in ("gzip", "zstd", "gzip, zstd"):
        arguments = ["--compressed", "-H", f"accept-encoding: {coding}"]
        assert curl(version, *arguments, "-d", ROWS, f"{server.http_url}/v1/query?format=csv") == plain


@pytest.mark.parametrize("coding", ["gzip", "zstd"])
def test_rows_that_come_slowly_are_not_held_back(server, coding):
    """The first rows are readable while the statement is still running."""
    sql = f"{FLOWING} WHERE i % 100000 = 0 OR i > 100000000"
    headers = {"content-type": "text/plain", "accept-encoding": coding}
    connection, response = server.open_request("POST", "/v1/query?format=ndjson", sql, headers)
    with contextlib.closing(connection):
        assert response.getheader("content-encoding") == coding
        packed = b""
        while len(plain := unpack_some(coding, packed)) < 10:
            packed += response.read1(65536)
        assert plain.startswith(b'{"i":0,"s"')
    wait_until(lambda: not server.running("100000000"), what="the end of the statement")


def test_an_error_in_the_middle_is_visible(server):
    sql = ("SELECT CASE WHEN i < 2000000 THEN i ELSE error('late failure')::BIGINT END AS i"
           " FROM range(3000000) t(i)")
    for coding in ("gzip", "zstd"):
        with pytest.raises(http.client.IncompleteRead):
            server.query(sql, "ndjson", {"accept-encoding": coding})


def test_small_calls_beside_a_compressed_download(server):
    """They are answered, and the download comes out right, on every loop."""
    done = threading.Event()
    lines = []

    def download():
        sql = f"{FLOWING} LIMIT 300000"
        answer = server.query(sql, "ndjson", {"accept-encoding": "gzip"}, seconds=120)
        lines.append(unpack("gzip", answer.body).count(b"\n"))
        done.set()

    thread = threading.Thread(target=download)
    thread.start()
    while not done.is_set():
        assert server.request("GET", "/healthz").status == 200
    thread.join()
    assert lines == [300000]


def test_a_client_that_leaves_a_compressed_download_stops_it(server):
    headers = {"content-type": "text/plain", "accept-encoding": "zstd"}
    mark = "SELECT 7 AS left_behind, " + FLOWING.removeprefix("SELECT ")
    connection, response = server.open_request("POST", "/v1/query?format=csv", mark, headers)
    response.read(1000)
    response.close()
    connection.close()
    wait_until(lambda: not server.running("left_behind"), what="the end of the statement")


# --- coding of requests -------------------------------------------------------------------------


@pytest.mark.parametrize("coding", ["gzip", "zstd", "deflate"])
def test_statements_may_come_compressed(server, coding):
    headers = {"content-encoding": coding, "accept": "application/json"}
    sql = pack(coding, b"SELECT 42 AS answer" + b" " * 100000)
    assert server.request("POST", "/v1/query", sql, headers).json["data"] == [{"answer": 42}]
    body = pack(coding, json.dumps({"sql": "SELECT 42 AS answer"}).encode())
    headers["content-type"] = "application/json"
    assert server.request("POST", "/v1/query", body, headers).json["data"] == [{"answer": 42}]


def test_unknown_codings_are_refused_at_once(server):
    for coding in ("br", "gzip, zstd", "lz4", "compress"):
        answer = server.request("POST", "/v1/query", b"x", {"content-encoding": coding})
        assert (answer.status, answer.json["code"]) == (415, "UNSUPPORTED_MEDIA_TYPE")
        assert answer.headers["accept-encoding"] == "zstd, gzip, deflate"
    assert server.request("POST", "/v1/query", b"SELECT 1", {"content-encoding": "identity"}).status == 200


@pytest.mark.parametrize("coding", ["gzip", "zstd", "deflate"])
def test_bombs_and_broken_bodies(server, coding):
    headers = {"content-encoding": coding}
    bomb = pack(coding, b" " * (200 << 20))
    resident = server.resident_bytes()
    answer = server.request("POST", "/v1/query", bomb, headers)
    assert (answer.status, answer.json["code"]) == (413, "PAYLOAD_TOO_LARGE")
    assert server.resident_bytes() < resident + (100 << 20)
    good = pack(coding, b"SELECT 1")
    for body in (good[:-1], good[:5], b"", b"SELECT 1", good + b"x"):
        answer = server.request("POST", "/v1/query", body, headers)
        assert (answer.status, answer.json["code"]) == (422, "VALIDATION_ERROR"), body


# --- finished results ---------------------------------------------------------------------------


@pytest.fixture(scope="module")
def kept(server):
    """The path of a kept result, and its bytes as the query sent them."""
    answer = server.query(ROWS, "arrow", parameters="&keep=true")
    path = answer.headers["content-location"]
    assert path == f"/v1/queries/{answer.headers['volley-query-id']}/result?format=arrow"
    return path, answer.body


def test_a_result_can_be_had_again(server, kept):
    path, body = kept
    for _ in range(2):
        answer = server.request("GET", path)
        assert (answer.status, answer.media_type) == (200, ARROW)
        assert answer.headers["accept-ranges"] == "bytes"
        assert answer.headers["content-length"] == str(len(body))
        assert answer.headers["etag"].startswith('"')
        assert answer.body == body
    head = server.request("HEAD", path)
    assert (head.status, head.body) == (200, b"")
    assert head.headers["content-length"] == str(len(body))
    assert head.headers["etag"] == answer.headers["etag"]


def test_any_range_of_a_result(server, kept):
    path, body = kept
    size = len(body)
    ranges = [(0, 0), (0, 99), (7, 1000), (size - 1, size - 1), (size - 20, size - 1), (1000, size - 2)]
    ranges += [(at, at + 70001) for at in range(0, size - 70001, 173003)]
    for first, last in ranges:
        answer = server.request("GET", path, headers={"range": f"bytes={first}-{last}"})
        assert answer.status == 206
        assert answer.headers["content-range"] == f"bytes {first}-{last}/{size}"
        assert answer.body == body[first:last + 1]
    assert server.request("GET", path, headers={"range": "bytes=-100"}).body == body[-100:]
    assert server.request("GET", path, headers={"range": f"bytes={size - 5}-"}).body == body[-5:]


def test_ranges_that_cannot_be(server, kept):
    path, body = kept
    answer = server.request("GET", path, headers={"range": f"bytes={len(body)}-"})
    assert (answer.status, answer.json["code"]) == (416, "RANGE_NOT_SATISFIABLE")
    assert answer.headers["content-range"] == f"bytes */{len(body)}"
    for text in ("bytes=5-2", "rows=1-2", "bytes=1-2,4-5", "nonsense"):
        answer = server.request("GET", path, headers={"range": text})
        assert (answer.status, len(answer.body)) == (200, len(body))


def test_conditions_on_a_result(server, kept):
    path, body = kept
    whole = server.request("GET", path)
    tag, modified = whole.headers["etag"], whole.headers["last-modified"]
    for headers in ({"if-none-match": tag}, {"if-none-match": f'"x", W/{tag}'}, {"if-none-match": "*"},
                    {"if-modified-since": modified}):
        answer = server.request("GET", path, headers=headers)
        assert (answer.status, answer.body) == (304, b"")
        assert answer.headers["etag"] == tag
    answer = server.request("GET", path, headers={"if-match": '"other"'})
    assert (answer.status, answer.json["code"]) == (412, "PRECONDITION_FAILED")
    early = {"if-unmodified-since": "Sun, 06 Nov 1994 08:49:37 GMT"}
    assert server.request("GET", path, headers=early).status == 412
    part = {"range": "bytes=0-9"}
    assert server.request("GET", path, headers={**part, "if-range": tag}).body == body[:10]
    assert server.request("GET", path, headers={**part, "if-range": modified}).body == body[:10]
    assert server.request("GET", path, headers={**part, "if-range": '"other"'}).body == body


def test_a_result_as_an_arrow_file(server, kept):
    path, body = kept
    path = path.replace("format=arrow", "format=arrow-file")
    answer = server.request("GET", path)
    assert (answer.status, answer.media_type) == (200, ARROW_FILE)
    table = pa.ipc.open_file(answer.body).read_all()
    assert table.equals(pa.ipc.open_stream(body).read_all())
    assert answer.headers["etag"] != server.request("GET", path.replace("-file", "")).headers["etag"]
    part = server.request("GET", path, headers={"range": "bytes=-6"})
    assert part.body == b"ARROW1"
    streamed = server.query(ROWS, "arrow-file")
    assert streamed.media_type == ARROW_FILE
    assert pa.ipc.open_file(streamed.body).read_all().equals(table)


@pytest.mark.parametrize("format", ["json", "ndjson", "csv"])
def test_a_result_as_text(server, kept, format):
    path = kept[0].replace("format=arrow", f"format={format}")
    plain = server.query(ROWS, format).body
    answer = server.request("GET", path)
    assert answer.body == plain
    tag = answer.headers["etag"]
    assert answer.headers.get("accept-ranges") is None
    packed = server.request("GET", path, headers={"accept-encoding": "zstd"})
    assert packed.headers["etag"] == "W/" + tag
    assert unpack("zstd", packed.body) == plain
    again = server.request("GET", path, headers={"accept-encoding": "zstd", "if-none-match": "W/" + tag})
    assert (again.status, again.headers["etag"]) == (304, "W/" + tag)
    assert server.request("GET", path, headers={"if-none-match": tag}).status == 304
    assert server.request("GET", path, headers={"if-match": '"other"'}).status == 412
    head = server.request("HEAD", path)
    assert (head.status, head.body, head.headers["etag"]) == (200, b"", tag)


def test_the_format_is_negotiated(server, kept):
    path = kept[0].split("?")[0]
    answer = server.request("GET", path, headers={"accept": ARROW_FILE})
    assert answer.media_type == ARROW_FILE
    assert "accept" in varies(answer)
    assert server.request("GET", path + "?format=csv&int64=string").media_type == "text/csv"
    assert server.request("GET", path + "?format=xml").status == 406
    assert server.request("GET", path + "?rows=5").status == 422


def test_results_without_rows_or_batches(server):
    answer = server.query("SELECT 1 AS a WHERE false", "arrow", parameters="&keep=true")
    again = server.request("GET", answer.headers["content-location"])
    assert again.body == answer.body
    assert pa.ipc.open_stream(again.body).read_all().num_rows == 0
    answer = server.query("SET TimeZone = 'UTC'", parameters="&keep=true")
    assert answer.headers.get("content-location") is None


def test_results_of_dictionaries(server):
    sql = "SELECT 'Europe/Berlin'::TIME_ZONE AS zone, i FROM range(50000) t(i)"
    answer = server.query(sql, "arrow", parameters="&keep=true")
    path = answer.headers["content-location"]
    assert server.request("GET", path).body == answer.body
    file = server.request("GET", path.replace("arrow", "arrow-file"))
    table = pa.ipc.open_file(file.body).read_all()
    assert pa.types.is_dictionary(table.schema.field("zone").type)
    assert table.equals(pa.ipc.open_stream(answer.body).read_all())


def test_what_is_not_kept(server):
    answer = server.query("SELECT 1 AS a", "arrow")
    assert answer.headers.get("content-location") is None
    gone = server.request("GET", f"/v1/queries/{answer.headers['volley-query-id']}/result?format=arrow")
    assert (gone.status, gone.json["code"]) == (410, "RESULT_EXPIRED")
    unknown = server.request("GET", "/v1/queries/0b0e7a4e-0000-4000-8000-000000000000/result")
    assert (unknown.status, unknown.json["code"]) == (404, "NOT_FOUND")
    assert server.query("SELECT 1", parameters="keep=maybe").status == 422


def test_a_result_that_is_not_ready_or_failed(server):
    sql = COMPUTING.format(mark="not_ready")
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        asked = pool.submit(server.query, sql, "json", parameters="&keep=true", seconds=60)
        (found,) = wait_until(lambda: server.running("not_ready"), what="the statement")
        answer = server.request("GET", f"/v1/queries/{found}/result")
        assert (answer.status, answer.json["code"]) == (409, "RESULT_NOT_READY")
        assert answer.headers["retry-after"] == "1"
        assert server.request("DELETE", f"/v1/queries/{found}").status == 200
        assert asked.result().status == 409
    answer = server.request("GET", f"/v1/queries/{found}/result")
    assert (answer.status, answer.json["code"]) == (409, "QUERY_CANCELLED")


def test_results_of_flight_are_found(server, flight):
    import pyarrow.flight as pf
    info = flight.get_flight_info(pf.FlightDescriptor.for_command(b"SELECT 5 AS by_flight"))
    table = flight.do_get(info.endpoints[0].ticket).read_all()
    (row,) = server.statements("by_flight", ("done",))
    answer = server.request("GET", f"/v1/queries/{row['id']}/result", headers={"accept": ARROW})
    assert pa.ipc.open_stream(answer.body).read_all().equals(table)


def test_a_result_that_outgrew_its_memory_is_gone(start_server):
    own = start_server("--result-memory", "32MiB")
    sql = "SELECT i, hash(i) AS h FROM range(8000000) t(i)"
    answer = own.query(sql, "arrow", parameters="&keep=true")
    assert pa.ipc.open_stream(answer.body).read_all().num_rows == 8000000
    assert own.request("GET", answer.headers["content-location"]).status == 410


def test_slow_and_leaving_readers_of_a_large_result(start_server):
    own = start_server()
    sql = "SELECT i, hash(i) AS h FROM range(4000000) t(i)"
    answer = own.query(sql, "arrow", parameters="&keep=true")
    path = answer.headers["content-location"]
    whole = hashlib.sha256(answer.body).digest()
    for _ in range(5):
        connection, response = own.open_request("GET", path)
        assert response.read(100000) == answer.body[:100000]
        response.close()
        connection.close()
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        bodies = pool.map(lambda _: hashlib.sha256(own.request("GET", path).body).digest(), range(8))
        assert set(bodies) == {whole}
    live = {name: value for name, value in own.metrics().items() if name.startswith("volley_live_objects")}
    assert live['volley_live_objects{kind="connection"}'] <= 1


@needs_curl
@pytest.mark.parametrize("version", ["--http1.1", "--http2-prior-knowledge"])
def test_curl_continues_a_download(server, kept, tmp_path, version):
    path, body = kept
    target = tmp_path / "result.arrows"
    target.write_bytes(body[:123456])
    curl(version, "-C", "-", "-o", str(target), server.http_url + path)
    assert target.read_bytes() == body
    assert curl(version, "-r", "10-19", server.http_url + path) == body[10:20]


# --- pages --------------------------------------------------------------------------------------


def test_the_start_page(server):
    answer = server.request("GET", "/", headers={"accept": "text/html"})
    assert (answer.status, answer.media_type) == (200, "text/html")
    assert answer.headers["x-content-type-options"] == "nosniff"
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy and "frame-ancestors 'none'" in policy
    for element in ("script", "style"):
        (text,) = re.findall(rf"<{element}>(.*?)</{element}>", answer.text, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert f"{element}-src 'sha256-{digest}'" in policy
    assert not re.search(r"(src|href)=\"(https?:)?//", answer.text)
    assert not re.search(r" on\w+=|style=", answer.text), "the policy forbids inline handlers and styles"
    assert {"accept", "accept-encoding"} <= varies(answer)
    tag = answer.headers["etag"]
    assert server.request("GET", "/", headers={"accept": "text/html", "if-none-match": tag}).status == 304
    packed = server.request("GET", "/", headers={"accept": "text/html", "accept-encoding": "gzip"})
    assert (packed.headers["content-encoding"], packed.headers["etag"]) == ("gzip", "W/" + tag)
    assert unpack("gzip", packed.body) == answer.body


def test_what_the_start_page_asks_for(server):
    body = server.request("GET", "/", headers={"accept": "application/json"}).json
    doors = {row["door"] for row in body["addresses"]}
    assert doors == {"flight", "http"}
    origin = {"origin": server.http_url, "content-type": "application/sql"}
    answer = server.request("POST", "/v1/query?format=ndjson&int64=string", b"SELECT 42 AS answer", origin)
    assert (answer.status, answer.text) == (200, '{"answer":42}\n')
    foreign = {"origin": "http://example.org", "content-type": "application/sql"}
    assert server.request("POST", "/v1/query", b"SELECT 42", foreign).status == 403


def test_the_icon(server):
    answer = server.request("GET", "/favicon.svg")
    assert (answer.status, answer.media_type) == (200, "image/svg+xml")
    assert answer.text.startswith("<svg")
    assert server.request("HEAD", "/favicon.svg").headers["content-length"] == str(len(answer.body))


# --- events -------------------------------------------------------------------------------------


class Events:
    """Reads Server-Sent Events; those named `queries` as lists."""

    def __init__(self, server):
        self.connection, self.response = server.open_request("GET", "/v1/queries/events")
        assert self.response.getheader("content-type") == "text/event-stream"

    def next(self):
        event, data = "message", []
        for line in iter(self.response.readline, b""):
            name, _, value = line.decode().rstrip("\n").partition(":")
            if name == "event":
                event = value.strip()
            elif name == "data":
                data.append(value.strip())
            elif not line.strip() and data:
                assert event == "queries"
                return json.loads("\n".join(data))["queries"]
        raise AssertionError("the events ended")

    def close(self):
        self.response.close()
        self.connection.close()


def test_queries_as_events(start_server):
    own = start_server()
    with contextlib.closing(Events(own)) as events:
        assert events.next() == []
        sql = COMPUTING.format(mark="watched")
        with concurrent.futures.ThreadPoolExecutor(1) as pool:
            asked = pool.submit(own.query, sql, "json")
            rows = events.next()
            assert [row["state"] in ("queued", "running") for row in rows] == [True]
            assert "watched" in rows[0]["sql"]
            assert own.request("DELETE", f"/v1/queries/{rows[0]['id']}").status == 200
            asked.result()
            while rows:
                rows = events.next()
    head = own.request("HEAD", "/v1/queries/events")
    assert (head.status, head.media_type) == (200, "text/event-stream")


def test_watchers_are_bounded_and_leave_with_the_server(start_server):
    own = start_server()
    watchers = [Events(own) for _ in range(64)]
    assert own.request("GET", "/v1/queries/events").status == 429
    watchers.pop().close()
    wait_until(lambda: own.request("HEAD", "/v1/queries/events").status == 200, what="a free place")
    own.stop()
    for watcher in watchers:
        watcher.close()
