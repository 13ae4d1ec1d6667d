"""Datasets over HTTP: put, read, named, listed, dropped.

SPDX-License-Identifier: Apache-2.0
"""
import json
import shutil
import subprocess
import urllib.parse
import uuid

import pyarrow as pa
import pyarrow.flight
import pyarrow.ipc
import pytest
from dataset_http import (  # noqa: F401
    FILE, ROWS, STREAM, drop, file_of, path, put, read_stream, stream_of, url)
from harness import wait_until


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


@pytest.mark.parametrize("method", ["GET", "DELETE"])
def test_a_name_like_it_is_asked_for(server, path, method):
    put(server, path, stream_of(ROWS))
    place = path.removeprefix("/v1/datasets/")
    answer = server.request(method, path + "x")
    assert answer.status == 404
    assert answer.json["detail"].endswith(f"x' expired or never existed; did you mean '{place}'?")
    assert answer.json["nearest"] == place
    drop(server, path)


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
