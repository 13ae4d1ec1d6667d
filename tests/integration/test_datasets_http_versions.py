"""Datasets over HTTP: versions, and conditions by which writers do not lose rows.

SPDX-License-Identifier: Apache-2.0
"""
import threading

import pyarrow as pa
from dataset_http import ROWS, drop, path, put, read_stream, stream_of  # noqa: F401


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
