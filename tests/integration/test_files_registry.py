"""/files/registry and /files/discovery over a real bucket: found, counted, followed, and told when it fails.

SPDX-License-Identifier: Apache-2.0
"""
import pytest
from harness import wait_until
from s3_service import ACCESS_KEY, BUCKET, SECRET_KEY, FaultyProxy, S3Service

FILES = {"a.csv": b"1", "trips/1.parquet": b"22", "trips/2.PARQUET": b"333", "trips/.hidden": b"",
         "README": b"4", "umläut/x y.tar.gz": b"55"}


@pytest.fixture(scope="module")
def service(client_program, tmp_path_factory):
    own = S3Service(client_program("versitygw", "the S3 server"), tmp_path_factory.mktemp("s3"))
    for key, content in FILES.items():
        own.file(key).parent.mkdir(exist_ok=True)
        own.file(key).write_bytes(content)
    yield own
    own.stop()


def minio(url, **more):
    return {"MINIO_ENDPOINT": url, "MINIO_BUCKET": BUCKET, "MINIO_ACCESS_KEY": ACCESS_KEY,
            "MINIO_SECRET_KEY": SECRET_KEY, "FILE_DISCOVERY_INTERVAL": "3600", **more}


def status(server):
    return server.request("GET", "/files/discovery/status").json


def files(server, query=""):
    answer = server.request("GET", f"/files/registry{query}")
    assert answer.status == 200, answer.text
    return answer.json


def keys(answer):
    return [each["path"].removeprefix(f"s3://{BUCKET}/") for each in answer["files"]]


@pytest.fixture(scope="module")
def discovering(binary, tmp_path_factory, service):
    from harness import Server

    own = Server(binary, tmp_path_factory.mktemp("server"), (), minio(service.url)).wait_ready()
    wait_until(lambda: status(own)["last_updated"], what="the first scan")
    yield own
    own.stop()


def test_the_files_of_the_bucket_are_listed(discovering):
    answer = files(discovering)
    assert (answer["total"], answer["limit"], answer["offset"]) == (len(FILES), 100, 0)
    assert keys(answer) == sorted(FILES)
    found = {each["path"].removeprefix(f"s3://{BUCKET}/"): each for each in answer["files"]}
    for key, content in FILES.items():
        assert found[key]["size_bytes"] == len(content)
        assert found[key]["last_modified"].endswith("Z") and found[key]["registered_at"].endswith("Z")
    assert {key: each["file_type"] for key, each in found.items()} == {
        "a.csv": "csv", "trips/1.parquet": "parquet", "trips/2.PARQUET": "parquet",
        "trips/.hidden": "unknown", "README": "unknown", "umläut/x y.tar.gz": "gz"}


def test_pages_and_filters(discovering):
    every = sorted(FILES)
    assert keys(files(discovering, "?limit=2&offset=1")) == every[1:3]
    assert keys(files(discovering, "?file_type=parquet")) == ["trips/1.parquet", "trips/2.PARQUET"]
    assert keys(files(discovering, f"?path=s3://{BUCKET}/trips/*")) == [
        "trips/.hidden", "trips/1.parquet", "trips/2.PARQUET"]
    only = files(discovering, "?path=*%2F?.parquet&file_type=parquet")
    assert keys(only) == ["trips/1.parquet"] and only["total"] == 1
    assert keys(files(discovering, "?path=%27%3B+DROP+TABLE+file_registry%3B--")) == []
    for wrong in ("limit=0", "limit=1001", "offset=-1", "path=" + "*a" * 9):
        assert discovering.request("GET", f"/files/registry?{wrong}").status == 422, wrong


def test_counts_and_types(discovering):
    assert discovering.request("GET", "/files/registry/count").json == {
        "total": len(FILES), "by_type": {"csv": 1, "gz": 1, "parquet": 2, "unknown": 2}}
    assert discovering.request("GET", "/files/registry/types").json == ["csv", "gz", "parquet", "unknown"]


def test_the_status_tells_of_the_scan(discovering, service):
    told = status(discovering)
    assert told["status"] == "running" and told["bucket"] == BUCKET and told["endpoint"] == service.url
    assert told["scan_interval_seconds"] == 3600 and told["timezone"] == "UTC" and told["error"] is None
    assert told["database"].endswith("job_registry.db") and told["last_updated_human"].endswith("UTC")
    assert f'volley_files {len(FILES)}' in discovering.request("GET", "/metrics").text


def test_a_scan_follows_what_changed(discovering, service):
    before = status(discovering)["last_updated"]
    registered = {each["path"]: each["registered_at"] for each in files(discovering)["files"]}
    service.file("new.json").write_bytes(b"{}")
    service.file("a.csv").write_bytes(b"longer")
    service.file("README").unlink()
    asked = discovering.request("POST", "/files/discovery/scan")
    assert asked.status == 202 and asked.json["status"] == "scan_started"
    wait_until(lambda: status(discovering)["last_updated"] != before, what="the scan")
    answer = files(discovering)
    assert keys(answer) == sorted({*FILES, "new.json"} - {"README"})
    changed = next(each for each in answer["files"] if each["path"].endswith("a.csv"))
    assert changed["size_bytes"] == 6 and changed["registered_at"] == registered[changed["path"]]
    service.file("new.json").unlink()
    service.file("a.csv").write_bytes(FILES["a.csv"])
    service.file("README").write_bytes(FILES["README"])


def test_without_a_bucket_there_is_nothing_to_scan(server):
    assert status(server)["status"] == "stopped" and status(server)["bucket"] is None
    refused = server.request("POST", "/files/discovery/scan")
    assert refused.status == 409 and "files-endpoint" in refused.json["detail"]
    assert files(server) == {"files": [], "total": 0, "limit": 100, "offset": 0}


def test_a_bucket_that_cannot_be_read_is_told_of(start_server, service):
    own = start_server(env=minio(service.url, MINIO_SECRET_KEY="wrong"))
    told = wait_until(lambda: status(own)["error"] and status(own), what="the failure")
    assert "SignatureDoesNotMatch" in told["error"] and told["last_updated_human"] == "Never"
    assert "wrong" not in own.log


def test_a_scan_does_not_hold_up_the_end(start_server, service):
    from s3_service import Fault

    proxy = FaultyProxy(service.port)
    proxy.faults = [Fault(hang=True)] * 8
    own = start_server(env=minio(proxy.url))
    wait_until(lambda: status(own)["scanning"] and proxy.connections, what="the scan")
    own.stop()
    proxy.close()


def test_the_buckets_of_results_are_taken_where_no_other_is_named(start_server, service):
    own = start_server(env={"FLIGHT_S3_ENDPOINT_URL": service.url, "FLIGHT_S3_BUCKET": BUCKET,
                            "FLIGHT_S3_ACCESS_KEY": ACCESS_KEY, "FLIGHT_S3_SECRET_KEY": SECRET_KEY})
    wait_until(lambda: status(own)["last_updated"], what="the scan")
    assert files(own)["total"] == len(FILES)


@pytest.mark.parametrize("wrong, words", [
    ({"MINIO_ENDPOINT": "localhost:9000"}, "files-endpoint"),
    ({"MINIO_BUCKET": "a b"}, "cannot be an S3 bucket"),
    ({"MINIO_SECRET_KEY": ""}, "needs its secret key"),
])
def test_what_cannot_be_a_bucket_is_refused_at_the_start(start_server, wrong, words):
    own = start_server(env={**minio("http://127.0.0.1:1"), **wrong}, ready=False)
    assert own.wait() == 2
    assert words in own.log
