"""Results much larger than what memory may hold, read by a client that takes its time.

The gate reads a few hundred MB; VOLLEY_PROOF=full reads 20 GB as they are made, and 4 GB of a job, at
100 MB/s (`pytest tests/integration/test_large_results.py -s --timeout=600`).

SPDX-License-Identifier: Apache-2.0
"""
import contextlib
import json
import os
import time

import pyarrow
import pytest

FULL = os.environ.get("VOLLEY_PROOF") == "full"
MEBIBYTE = 1 << 20
STREAMED, KEPT = (20_000_000_000, 4_000_000_000) if FULL else (300_000_000, 300_000_000)
BYTES_PER_SECOND = 100_000_000 if FULL else 150_000_000
# Beyond what the idle server has: what datasets may take, and what is on its way. ASan keeps freed memory.
ABOVE_MAX = (64 + 160) * MEBIBYTE
TEXT = "repeat(chr((65 + (i + {0}) % 26)::INTEGER), 120) AS s{0}"
ROW = "SELECT i, hash(i) AS h, " + ", ".join(TEXT.format(n) for n in range(8))
JSON = {"content-type": "application/json"}
ROW_BYTES = 16 + 8 * 124

pytestmark = pytest.mark.timeout(600 if FULL else 60)


@pytest.fixture
def small(start_server):
    """A server whose datasets may take little memory and little disk."""
    disk = "12GiB" if FULL else "1GiB"  # of which kept results get half
    return start_server("--dataset-memory", "64MiB", "--result-memory", "32MiB", "--spill-disk", disk)


def rows_of(size):
    return size // ROW_BYTES


def read_slowly(server, response):
    """Its bytes at most so fast; returns how many, and the most memory that the server had meanwhile."""
    buffer = memoryview(bytearray(MEBIBYTE))
    began, size, most, looked = time.monotonic(), 0, 0, 0
    while count := response.readinto(buffer):
        size += count
        ahead = size / BYTES_PER_SECOND - (time.monotonic() - began)
        if ahead > 0.01:
            time.sleep(ahead)
        if size - looked > 16 * MEBIBYTE:
            looked, most = size, max(most, server.resident_bytes())
    return size, most


def expect_bounded(server, before, response, rows):
    began = time.monotonic()
    size, most = read_slowly(server, response)
    above = (most - before) / MEBIBYTE
    seconds = time.monotonic() - began
    print(f"{size / 1e9:.2f} GB in {seconds:.0f} s, {above:.0f} MiB above {before / MEBIBYTE:.0f}")
    assert size > rows * ROW_BYTES
    assert above < ABOVE_MAX / MEBIBYTE


def test_a_result_that_is_made_as_it_is_read(small):
    before, rows = small.resident_bytes(), rows_of(STREAMED)
    body = json.dumps({"sql": f"{ROW} FROM range({rows}) t(i)", "timeout_ms": 500_000})
    connection, response = small.open_request("POST", "/v1/query?format=arrow", body, JSON)
    with contextlib.closing(connection):
        assert response.status == 200
        expect_bounded(small, before, response, rows)
    assert small.value("SELECT 1") == 1


def test_the_result_of_a_job(small):
    before, rows = small.resident_bytes(), rows_of(KEPT)
    body = json.dumps({"sql": f"{ROW} FROM range({rows}) t(i)", "timeout_ms": 500_000})
    job = small.request("POST", "/v1/jobs", body, JSON).json
    for _ in range(2):  # while it runs, and what was kept
        path = f"/v1/jobs/{job['id']}/result?format=arrow"
        connection, response = small.open_request("GET", path, seconds=120)
        with contextlib.closing(connection):
            assert response.status == 200
            expect_bounded(small, before, response, rows)
        told = small.request("GET", f"/v1/jobs/{job['id']}?wait=30").json
        assert (told["state"], told["rows"]) == ("succeeded", rows)
    part = small.request("GET", f"/v1/jobs/{job['id']}/result?format=arrow&offset={rows - 1}&limit=1")
    assert pyarrow.ipc.open_stream(part.body).read_all().column("i").to_pylist() == [rows - 1]
