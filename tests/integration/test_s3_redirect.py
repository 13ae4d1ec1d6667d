"""GET /query/download/{id}?redirect=1: a presigned URL of the result's object, where there is one.

SPDX-License-Identifier: Apache-2.0
"""
import hashlib
import urllib.request

import pyarrow
import pytest
from harness import wait_until
from s3_service import ACCESS_KEY, BUCKET, BUSY, SECRET_KEY, Fault, FaultyProxy, S3Service, fetch_url
from test_query_service import submit

LARGE = "SELECT i, 'row ' || i AS name FROM range(40000) t(i)"


@pytest.fixture(scope="module")
def s3(client_program, tmp_path_factory):
    service = S3Service(client_program("versitygw", "the S3 server"), tmp_path_factory.mktemp("s3"))
    yield service
    service.stop()


def start(start_server, url):
    return start_server(env={"FLIGHT_S3_ENDPOINT_URL": url, "FLIGHT_S3_ACCESS_KEY": ACCESS_KEY,
                             "FLIGHT_S3_SECRET_KEY": SECRET_KEY, "FLIGHT_S3_BUCKET": BUCKET})


def uploads(server, outcome="done"):
    return server.metrics().get(f'volley_result_uploads_total{{outcome="{outcome}"}}', 0)


def submit_large(server, sql=LARGE):
    """Submitted, and put into the bucket."""
    before = uploads(server)
    job = submit(server, sql)["job_id"]
    wait_until(lambda: uploads(server) > before, what="the upload")
    return job


def download(server, job, query):
    return server.request("GET", f"/query/download/{job}{query}")


def rows(content):
    return pyarrow.ipc.open_stream(content).read_all().num_rows


def test_a_client_may_be_sent_to_the_bucket(start_server, s3):
    server = start(start_server, s3.url)
    job = submit_large(server)
    sent = download(server, job, "?redirect=1")
    assert sent.status == 307 and sent.headers["cache-control"] == "no-store"
    url = sent.headers["location"]
    key = hashlib.sha256(LARGE.encode()).hexdigest()
    assert url.startswith(f"{s3.url}/{BUCKET}/query-cache/{key}.arrow?") and SECRET_KEY not in url
    status, content = fetch_url(url)
    assert status == 200 and rows(content) == 40000
    for query in ("", "?redirect=0", "?redirect=1&limit=3", "?redirect=1&format=csv"):
        assert download(server, job, query).status == 200, query
    assert rows(download(server, job, "?redirect=1&limit=3").body) == 3
    assert download(server, job, "?redirect=perhaps").status == 422
    later = server.request("GET", f"/query/{job}/result?redirect=1")
    assert later.status == 307


def test_without_an_object_the_rows_come_from_here(start_server, s3, server):
    own = start(start_server, s3.url)
    job = submit_large(own, LARGE + " WHERE i >= 0")
    key = hashlib.sha256((LARGE + " WHERE i >= 0").encode()).hexdigest()
    s3.file(f"query-cache/{key}.arrow").unlink()
    answer = download(own, job, "?redirect=1")
    assert answer.status == 200 and rows(answer.body) == 40000
    small = submit(own, "SELECT 1 AS a")["job_id"]
    assert download(own, small, "?redirect=1&format=arrow").status == 200
    local = submit(server, LARGE)["job_id"]
    assert download(server, local, "?redirect=1").status == 200


def test_results_reach_the_bucket_through_a_network_that_fails(start_server, s3):
    proxy = FaultyProxy(s3.port)
    server = start(start_server, proxy.url)
    wait_until(lambda: server.request("GET", "/files/discovery/status").json["last_updated"],
               what="the first scan")
    proxy.faults = [BUSY, Fault(cut_up=100_000), BUSY]
    job = submit_large(server, LARGE + " WHERE i >= -1")
    assert proxy.faults == []
    assert rows(fetch_url(download(server, job, "?redirect=1").headers["location"])[1]) == 40000
    proxy.faults = [BUSY] * 4
    again = submit(server, LARGE + " WHERE i >= -2")
    assert again["status"] == "ready"
    assert rows(download(server, again["job_id"], "").body) == 40000
    wait_until(lambda: uploads(server, "failed") >= 1, what="the failure")
    assert download(server, again["job_id"], "?redirect=1").status == 200
    wait_until(lambda: "result_upload_failed" in server.log and "HTTP 503" in server.log, what="the warning")
    proxy.close()


def test_a_large_result_goes_in_one_request_and_again_where_that_is_cut(start_server, s3):
    proxy = FaultyProxy(s3.port)
    server = start(start_server, proxy.url)
    wait_until(lambda: server.request("GET", "/files/discovery/status").json["last_updated"],
               what="the first scan")
    proxy.faults = [Fault(cut_up=10 << 20)]
    job = submit_large(server, "SELECT i, i * 2 AS j FROM range(1500000) t(i)")
    assert proxy.faults == []
    with urllib.request.urlopen(download(server, job, "?redirect=1").headers["location"]) as answer:
        assert "-" not in answer.headers["etag"], "in parts"
        table = pyarrow.ipc.open_stream(answer.read()).read_all()
    assert table.column("j").to_pylist()[-1] == 2999998 and table.num_rows == 1500000
    proxy.close()
