"""The clients: `Client`, and `AsyncClient`, which is the same with `await`.

SPDX-License-Identifier: Apache-2.0
"""
from __future__ import annotations

import contextlib
import io
from typing import TYPE_CHECKING, Any, AsyncIterator, Iterator, Mapping, Optional

import httpx
import pyarrow
import pyarrow.ipc

from . import _errors, _protocol, _stream
from ._protocol import JobInfo

if TYPE_CHECKING:
    import pandas
    import polars

DEFAULT_URL = "http://127.0.0.1:8000"


class _ByteReader(io.RawIOBase):
    """Bytes that come in pieces, as a file that pyarrow reads from."""

    def __init__(self, pieces: Iterator[bytes]):
        self._pieces = pieces
        self._rest = memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, target: Any) -> int:
        while not self._rest:
            try:
                self._rest = memoryview(next(self._pieces))
            except StopIteration:
                return 0
        size = min(len(target), len(self._rest))
        target[:size] = self._rest[:size]
        self._rest = self._rest[size:]
        return size


class Job:
    """A job of a `Client`. Its attributes are as the server last told them."""

    def __init__(self, client: "Client", info: JobInfo):
        self._client = client
        self.info = info

    def __repr__(self) -> str:
        return f"<volley.Job {self.id} {self.info.state}>"

    @property
    def id(self) -> str:
        return self.info.id

    def status(self) -> JobInfo:
        """Asks the server."""
        self.info = self._client.status(self.id)
        return self.info

    def wait(self, timeout: Optional[float] = None) -> JobInfo:
        """Waits for the end; raises JobFailed, JobCancelled, or JobTimeout after `timeout` seconds."""
        self.info = self._client.wait(self.id, timeout)
        return self.info

    def cancel(self) -> JobInfo:
        self.info = self._client.cancel(self.id)
        return self.info

    def result(self, timeout: Optional[float] = None) -> pyarrow.Table:
        """Waits for the end and returns all rows."""
        self.wait(timeout)
        return self._client.result(self.id)

    def batches(self) -> Iterator[pyarrow.RecordBatch]:
        """The rows as they come, also while the job runs."""
        return self._client.batches(self.id)

    def to_polars(self, timeout: Optional[float] = None) -> "polars.DataFrame":
        import polars

        return polars.from_arrow(self.result(timeout))

    def to_pandas(self, timeout: Optional[float] = None) -> "pandas.DataFrame":
        return self.result(timeout).to_pandas()


class Client:
    """A connection pool to one server. Threads may share it."""

    def __init__(self, url: str = DEFAULT_URL, *, timeout: float = 30.0,
                 headers: Optional[Mapping[str, str]] = None,
                 transport: Optional[httpx.BaseTransport] = None):
        self._http = httpx.Client(base_url=url, timeout=timeout, headers=dict(headers or {}),
                                  transport=transport)

    def __enter__(self) -> "Client":
        return self

    def __exit__(self, *unused: Any) -> None:
        self.close()

    def close(self) -> None:
        self._http.close()

    def _request(self, method: str, path: str, **options: Any) -> Any:
        try:
            return _protocol.told(self._http.request(method, path, **options))
        except httpx.HTTPError as error:
            raise _protocol.unreachable(error) from error

    def submit(self, sql: str, *, priority: int = 1, slots: int = 1, timeout: Optional[float] = None,
               tags: Any = None, cache: str = "use", idempotency_key: Optional[str] = None,
               **options: Any) -> Job:
        """Hands in a statement. `timeout` bounds its run, in seconds; `options` are those of results
        (row_limit=1000, time_zone="Europe/Berlin")."""
        request = _protocol.submission(sql, priority, slots, timeout, tags, cache, idempotency_key, options)
        return Job(self, JobInfo.of(self._request("POST", "/v1/jobs", **request)))

    def job(self, job_id: str) -> Job:
        """A job that was submitted before, perhaps by somebody else."""
        return Job(self, self.status(job_id))

    def status(self, job_id: str) -> JobInfo:
        return JobInfo.of(self._request("GET", _protocol.job_path(job_id)))

    def wait(self, job_id: str, timeout: Optional[float] = None) -> JobInfo:
        deadline = _protocol.Deadline(timeout)
        while True:
            wait = deadline.next_wait()
            info = JobInfo.of(self._request("GET", _protocol.job_path(job_id), params={"wait": f"{wait:.3f}"},
                                            timeout=wait + _protocol.GRACE_SECONDS))
            if info.is_over:
                return info.check()
            if deadline.is_over():
                raise deadline.error(job_id)

    def cancel(self, job_id: str) -> JobInfo:
        return JobInfo.of(self._request("DELETE", _protocol.job_path(job_id)))

    def jobs(self, *, state: Optional[str] = None, tag: Optional[str] = None, page_size: int = 100
             ) -> Iterator[JobInfo]:
        """All jobs, the newest first; pages are fetched as they are needed."""
        wishes = _protocol.listing(state, tag, page_size)
        while True:
            page = self._request("GET", "/v1/jobs", params=wishes)
            yield from _protocol.jobs_of(page)
            if not page["next_page_token"]:
                return
            wishes["page_token"] = page["next_page_token"]

    def batches(self, job_id: str) -> Iterator[pyarrow.RecordBatch]:
        """The rows of a job as they come."""
        try:
            with self._open_result(job_id) as response:
                if not _protocol.has_rows(response):
                    return
                source = io.BufferedReader(_ByteReader(response.iter_bytes()), 1 << 20)
                with pyarrow.ipc.open_stream(source) as reader:
                    yield from reader
        except httpx.HTTPError as error:
            raise self._broken(job_id, error) from error
        except (pyarrow.ArrowInvalid, OSError) as error:
            raise _damaged(job_id, error) from error

    @contextlib.contextmanager
    def _open_result(self, job_id: str) -> Iterator[httpx.Response]:
        while True:
            with self._http.stream("GET", _protocol.job_path(job_id, "/result"),
                                   **_protocol.RESULT_REQUEST) as response:
                if response.status_code >= 400:
                    response.read()
                    _protocol.check(response)
                if not _protocol.is_unfinished(response):
                    yield response
                    return

    def _broken(self, job_id: str, error: httpx.HTTPError) -> _errors.VolleyError:
        """Why a result broke off: what the job ended with, if it can be asked."""
        try:
            self.status(job_id).check()
        except (_errors.JobFailed, _errors.JobCancelled) as reason:
            return reason
        except _errors.VolleyError:
            pass
        return _protocol.unreachable(error)

    def result(self, job_id: str) -> pyarrow.Table:
        """All rows of a job; of a statement without rows an empty table."""
        path = _protocol.job_path(job_id, "/result")
        try:
            response = self._http.get(path, **_protocol.RESULT_REQUEST)
            while _protocol.is_unfinished(response):
                response = self._http.get(path, **_protocol.RESULT_REQUEST)
        except httpx.HTTPError as error:
            raise self._broken(job_id, error) from error
        return _table(_protocol.check(response))

    def query(self, sql: str, *, wait: Optional[float] = None, **options: Any) -> pyarrow.Table:
        """Submits, waits, returns all rows."""
        return self.submit(sql, **options).result(wait)


def _table(response: httpx.Response) -> pyarrow.Table:
    if not _protocol.has_rows(response):
        return pyarrow.table({})
    try:
        with pyarrow.ipc.open_stream(pyarrow.BufferReader(response.content)) as reader:
            return reader.read_all()
    except (pyarrow.ArrowInvalid, OSError) as error:
        raise _errors.VolleyError(f"the result is no whole Arrow stream: {error}") from error


def _damaged(job_id: str, error: Exception) -> _errors.VolleyError:
    return _errors.VolleyError(f"the result of job {job_id} is no whole Arrow stream: {error}")


class AsyncJob:
    """A job of an `AsyncClient`."""

    def __init__(self, client: "AsyncClient", info: JobInfo):
        self._client = client
        self.info = info

    def __repr__(self) -> str:
        return f"<volley.AsyncJob {self.id} {self.info.state}>"

    @property
    def id(self) -> str:
        return self.info.id

    async def status(self) -> JobInfo:
        self.info = await self._client.status(self.id)
        return self.info

    async def wait(self, timeout: Optional[float] = None) -> JobInfo:
        self.info = await self._client.wait(self.id, timeout)
        return self.info

    async def cancel(self) -> JobInfo:
        self.info = await self._client.cancel(self.id)
        return self.info

    async def result(self, timeout: Optional[float] = None) -> pyarrow.Table:
        await self.wait(timeout)
        return await self._client.result(self.id)

    def batches(self) -> AsyncIterator[pyarrow.RecordBatch]:
        """The rows as they come, also while the job runs."""
        return self._client.batches(self.id)

    async def to_polars(self, timeout: Optional[float] = None) -> "polars.DataFrame":
        import polars

        return polars.from_arrow(await self.result(timeout))

    async def to_pandas(self, timeout: Optional[float] = None) -> "pandas.DataFrame":
        return (await self.result(timeout)).to_pandas()


class AsyncClient:
    """`Client` for asyncio."""

    def __init__(self, url: str = DEFAULT_URL, *, timeout: float = 30.0,
                 headers: Optional[Mapping[str, str]] = None,
                 transport: Optional[httpx.AsyncBaseTransport] = None):
        self._http = httpx.AsyncClient(base_url=url, timeout=timeout, headers=dict(headers or {}),
                                       transport=transport)

    async def __aenter__(self) -> "AsyncClient":
        return self

    async def __aexit__(self, *unused: Any) -> None:
        await self.close()

    async def close(self) -> None:
        await self._http.aclose()

    async def _request(self, method: str, path: str, **options: Any) -> Any:
        try:
            return _protocol.told(await self._http.request(method, path, **options))
        except httpx.HTTPError as error:
            raise _protocol.unreachable(error) from error

    async def submit(self, sql: str, *, priority: int = 1, slots: int = 1, timeout: Optional[float] = None,
                     tags: Any = None, cache: str = "use", idempotency_key: Optional[str] = None,
                     **options: Any) -> AsyncJob:
        request = _protocol.submission(sql, priority, slots, timeout, tags, cache, idempotency_key, options)
        return AsyncJob(self, JobInfo.of(await self._request("POST", "/v1/jobs", **request)))

    async def job(self, job_id: str) -> AsyncJob:
        return AsyncJob(self, await self.status(job_id))

    async def status(self, job_id: str) -> JobInfo:
        return JobInfo.of(await self._request("GET", _protocol.job_path(job_id)))

    async def wait(self, job_id: str, timeout: Optional[float] = None) -> JobInfo:
        deadline = _protocol.Deadline(timeout)
        while True:
            wait = deadline.next_wait()
            info = JobInfo.of(await self._request("GET", _protocol.job_path(job_id),
                                                  params={"wait": f"{wait:.3f}"},
                                                  timeout=wait + _protocol.GRACE_SECONDS))
            if info.is_over:
                return info.check()
            if deadline.is_over():
                raise deadline.error(job_id)

    async def cancel(self, job_id: str) -> JobInfo:
        return JobInfo.of(await self._request("DELETE", _protocol.job_path(job_id)))

    async def jobs(self, *, state: Optional[str] = None, tag: Optional[str] = None, page_size: int = 100
                   ) -> AsyncIterator[JobInfo]:
        wishes = _protocol.listing(state, tag, page_size)
        while True:
            page = await self._request("GET", "/v1/jobs", params=wishes)
            for info in _protocol.jobs_of(page):
                yield info
            if not page["next_page_token"]:
                return
            wishes["page_token"] = page["next_page_token"]

    async def batches(self, job_id: str) -> AsyncIterator[pyarrow.RecordBatch]:
        """The rows of a job as they come."""
        decoder = _stream.BatchDecoder()
        try:
            async with self._open_result(job_id) as response:
                if not _protocol.has_rows(response):
                    return
                async for piece in response.aiter_bytes():
                    for batch in decoder.feed(piece):
                        yield batch
            decoder.finish()
        except httpx.HTTPError as error:
            raise await self._broken(job_id, error) from error
        except (pyarrow.ArrowInvalid, OSError) as error:
            raise _damaged(job_id, error) from error

    @contextlib.asynccontextmanager
    async def _open_result(self, job_id: str) -> AsyncIterator[httpx.Response]:
        while True:
            async with self._http.stream("GET", _protocol.job_path(job_id, "/result"),
                                         **_protocol.RESULT_REQUEST) as response:
                if response.status_code >= 400:
                    await response.aread()
                    _protocol.check(response)
                if not _protocol.is_unfinished(response):
                    yield response
                    return

    async def result(self, job_id: str) -> pyarrow.Table:
        path = _protocol.job_path(job_id, "/result")
        try:
            response = await self._http.get(path, **_protocol.RESULT_REQUEST)
            while _protocol.is_unfinished(response):
                response = await self._http.get(path, **_protocol.RESULT_REQUEST)
        except httpx.HTTPError as error:
            raise await self._broken(job_id, error) from error
        return _table(_protocol.check(response))

    async def _broken(self, job_id: str, error: httpx.HTTPError) -> _errors.VolleyError:
        try:
            (await self.status(job_id)).check()
        except (_errors.JobFailed, _errors.JobCancelled) as reason:
            return reason
        except _errors.VolleyError:
            pass
        return _protocol.unreachable(error)

    async def query(self, sql: str, *, wait: Optional[float] = None, **options: Any) -> pyarrow.Table:
        return await (await self.submit(sql, **options)).result(wait)
