"""The Python client, from the wheel that is built of it.

SPDX-License-Identifier: Apache-2.0
"""
import asyncio
import contextlib
import importlib
import shutil
import subprocess
import sys
from pathlib import Path

import httpx
import pyarrow
import pytest
from harness import COMPUTING, wait_until

SOURCE = Path(__file__).resolve().parent.parent.parent / "clients" / "python"


@pytest.fixture(scope="module")
def volley(cache, tmp_path_factory):
    """The module, installed from a wheel into a folder of its own."""
    folder = tmp_path_factory.mktemp("wheel")
    shutil.copytree(SOURCE, folder / "source")
    pip = [cache / "tools" / "bin" / "pip", "--disable-pip-version-check", "--quiet"]
    subprocess.run([*pip, "wheel", "--no-deps", "--no-build-isolation", "--no-index", "-w", folder,
                    folder / "source"], check=True, capture_output=True, timeout=120)
    (wheel,) = folder.glob("volley-*.whl")
    subprocess.run([*pip, "install", "--no-deps", "--no-index", "--target", folder / "site", wheel],
                   check=True, capture_output=True, timeout=120)
    for name in [name for name in sys.modules if name.split(".")[0] == "volley"]:
        del sys.modules[name]
    sys.path.insert(0, str(folder / "site"))
    module = importlib.import_module("volley")
    assert Path(module.__file__).is_relative_to(folder / "site")
    assert (folder / "site" / "volley" / "py.typed").exists()
    yield module
    sys.path.remove(str(folder / "site"))


@pytest.fixture(scope="module")
def url(binary, tmp_path_factory):
    from harness import Server

    own = Server(binary, tmp_path_factory.mktemp("python-client")).wait_ready()
    yield own.http_url
    own.stop()


@pytest.fixture
def client(volley, url):
    with volley.Client(url) as client:
        yield client
        for job in client.jobs(state="queued,running"):
            # It may end by itself between the two calls.
            with contextlib.suppress(volley.QueryError):
                client.cancel(job.id)


def test_submit_wait_result(client):
    job = client.submit("SELECT i, i * i AS square FROM range(10) t(i)")
    info = job.wait(timeout=30)
    assert info.state == "succeeded" and info.rows == 10 and info.is_over
    assert info.created_at.tzinfo is not None and info.completed_at >= info.started_at
    assert job.result().column("square").to_pylist() == [i * i for i in range(10)]
    assert client.job(job.id).status().id == job.id


def test_frames(client):
    job = client.submit("SELECT 42 AS answer, 'text' AS t")
    assert job.to_polars(timeout=30).rows() == [(42, "text")]
    assert job.to_pandas().to_dict("list") == {"answer": [42], "t": ["text"]}
    assert client.query("SELECT 1 AS one", wait=30).to_pydict() == {"one": [1]}
    assert client.query("CREATE OR REPLACE TABLE t (x INTEGER)", wait=30).num_columns == 0


def test_batches_of_a_large_result(client):
    job = client.submit("SELECT i FROM range(1000000) t(i)")
    assert sum(batch.num_rows for batch in job.batches()) == 1000000


def test_options(client):
    table = client.query("SELECT i FROM range(100) t(i)", wait=30, row_limit=7)
    assert table.num_rows == 7
    job = client.submit("SELECT 1", tags={"team": "risk"}, priority=3, timeout=20)
    assert job.info.tags == {"team": "risk"}
    assert job.info.raw["priority"] == 3 and job.info.raw["timeout_ms"] == 20000


def test_the_time_may_be_over(volley, client):
    job = client.submit(COMPUTING.format(mark="python"))
    with pytest.raises(volley.JobTimeout) as late:
        job.wait(timeout=0.2)
    assert isinstance(late.value, TimeoutError)
    assert job.status().state in ("queued", "running")
    job.cancel()
    with pytest.raises(volley.JobCancelled):
        job.wait(timeout=30)
    with pytest.raises(volley.JobCancelled):
        client.result(job.id)


def test_errors_have_types(volley, client):
    with pytest.raises(volley.QueryError) as syntax:
        client.submit("SELEC 1")
    assert syntax.value.code == "QUERY_SYNTAX_ERROR" and syntax.value.position == 0
    with pytest.raises(volley.JobFailed) as missing:
        client.query("SELECT * FROM nothing_here", wait=30)
    assert missing.value.code == "TABLE_NOT_FOUND" and missing.value.line == 1
    with pytest.raises(volley.NotFound):
        client.status("0b0e7a4e-0000-4000-8000-000000000000")
    with pytest.raises(volley.QueryError) as wrong:
        client.submit("SELECT 1", priority=9)
    assert wrong.value.status == 422
    with volley.Client("http://127.0.0.1:9") as nowhere, pytest.raises(volley.ServerUnavailable):
        nowhere.submit("SELECT 1")
    assert issubclass(volley.JobFailed, volley.VolleyError)


def test_jobs_are_listed_over_pages(client):
    ids = [client.submit(f"SELECT {i}").id for i in range(5)]
    listed = [info.id for info in client.jobs(page_size=2)]
    assert set(ids) <= set(listed) and len(listed) == len(set(listed))
    wait_until(lambda: set(ids) <= {info.id for info in client.jobs(state="succeeded")})


def answers(*responses):
    """A transport that gives these, one after the other, and what was asked."""
    asked, rest = [], list(responses)

    def answer(request):
        asked.append(request.url.raw_path.decode())
        return rest.pop(0)

    return httpx.MockTransport(answer), asked


def unfinished():
    return httpx.Response(202, json={"state": "running"})


def stream_of(table):
    sink = pyarrow.BufferOutputStream()
    with pyarrow.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return httpx.Response(200, headers={"content-type": "application/vnd.apache.arrow.stream"},
                          content=sink.getvalue().to_pybytes())


def test_a_result_that_takes_longer_than_the_server_waits_is_asked_for_again(volley):
    table = pyarrow.table({"i": [1, 2]})
    transport, asked = answers(unfinished(), stream_of(table))
    assert volley.Client(transport=transport).result("a/b?c") == table
    assert asked == ["/v1/jobs/a%2Fb%3Fc/result"] * 2
    transport, _ = answers(unfinished(), stream_of(table))
    assert pyarrow.Table.from_batches(volley.Client(transport=transport).batches("id")) == table
    transport, _ = answers(unfinished(), stream_of(table))
    assert asyncio.run(volley.AsyncClient(transport=transport).result("id")) == table


def test_what_is_no_answer_of_volleys_is_an_error_of_its_own(volley):
    transport, _ = answers(httpx.Response(200, text="<html>"), httpx.Response(
        200, headers={"content-type": "application/vnd.apache.arrow.stream"}, content=b"none"))
    client = volley.Client(transport=transport)
    with pytest.raises(volley.VolleyError, match="does not answer as Volley does"):
        client.status("id")
    with pytest.raises(volley.VolleyError, match="no whole Arrow stream"):
        client.result("id")


def test_asynchronous(volley, url):
    async def main():
        async with volley.AsyncClient(url) as client:
            jobs = await asyncio.gather(*(client.submit(f"SELECT {i} AS i") for i in range(8)))
            tables = await asyncio.gather(*(job.result(timeout=30) for job in jobs))
            assert [table.to_pydict()["i"] for table in tables] == [[i] for i in range(8)]
            assert (await jobs[0].to_polars()).rows() == [(0,)]
            assert len([info async for info in client.jobs(page_size=3)]) >= 8
            slow = await client.submit(COMPUTING.format(mark="asynchronous"))
            with pytest.raises(volley.JobTimeout):
                await slow.wait(timeout=0.2)
            assert (await slow.cancel()).id == slow.id
            with pytest.raises(volley.JobCancelled):
                await slow.result(timeout=30)
            with pytest.raises(volley.JobFailed):
                await client.query("SELECT * FROM nothing_here")

    asyncio.run(main())


def batches_of(transport_or_url, volley):
    async def main():
        options = {"transport": transport_or_url} if not isinstance(transport_or_url, str) else {}
        async with volley.AsyncClient(**options) as client:
            return [batch async for batch in client.batches("id")]

    return asyncio.run(main())


def pieces_of(content, size):
    async def pieces():
        for at in range(0, len(content), size):
            yield content[at:at + size]

    return httpx.MockTransport(lambda request: httpx.Response(
        200, headers={"content-type": "application/vnd.apache.arrow.stream"}, content=pieces()))


def stream_with_dictionaries():
    sink = pyarrow.BufferOutputStream()
    first = pyarrow.array(["a", "b", "a"]).dictionary_encode()
    second = pyarrow.array(["b", "c", None]).dictionary_encode()
    schema = pyarrow.schema([("d", first.type), ("n", pyarrow.list_(pyarrow.int64()))])
    rows = pyarrow.array([[1], None, [2, 3]])
    with pyarrow.ipc.new_stream(sink, schema) as writer:
        for words in (first, second):
            writer.write_batch(pyarrow.record_batch([words, rows], schema=schema))
    return sink.getvalue().to_pybytes()


@pytest.mark.parametrize("size", [1, 7, 8, 64, 1 << 20])
def test_asynchronous_batches_of_pieces_of_any_size(volley, size):
    content = stream_with_dictionaries()
    batches = batches_of(pieces_of(content, size), volley)
    assert [batch.to_pydict() for batch in batches] == [
        batch.to_pydict() for batch in pyarrow.ipc.open_stream(content)]
    assert batches[1].column("d").to_pylist() == ["b", "c", None]


def test_asynchronous_batches_that_are_cut_or_damaged(volley):
    content = stream_with_dictionaries()
    for wrong in (b"", b"none at all", content[:4], content[:100], content[:-20], content[:8] + b"\xff" * 400,
                  b"\xff\xff\xff\xff\xff\xff\xff\xff"):
        with pytest.raises(volley.VolleyError, match="no whole Arrow stream"):
            batches_of(pieces_of(wrong, 64), volley)


def test_asynchronous_batches_while_the_job_runs(volley, url):
    endless = "SELECT i, repeat('x', 100) AS s FROM range(100000000000) t(i)"

    async def main():
        async with volley.AsyncClient(url) as client:
            job = await client.submit("SELECT i FROM range(1000000) t(i)")
            assert sum([batch.num_rows async for batch in job.batches()]) == 1000000
            job = await client.submit("CREATE OR REPLACE TABLE nothing_to_read (x INTEGER)")
            assert [batch async for batch in job.batches()] == []
            job = await client.submit(endless)
            batches = job.batches()
            first = await batches.__anext__()
            assert first.num_rows > 0 and not (await job.status()).is_over
            await job.cancel()
            with pytest.raises(volley.JobCancelled):
                async for _ in batches:
                    pass
            with pytest.raises(volley.NotFound):
                async for _ in client.batches("00000000-0000-0000-0000-000000000000"):
                    pass

    asyncio.run(main())
