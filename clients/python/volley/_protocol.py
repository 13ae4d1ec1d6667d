"""What both clients do alike: requests as values, answers read, nothing sent.

SPDX-License-Identifier: Apache-2.0
"""
from __future__ import annotations

import dataclasses
import datetime
import time
import urllib.parse
from typing import Any, Dict, List, Mapping, Optional

import httpx

from . import _errors

OVER = frozenset({"succeeded", "failed", "cancelled", "expired"})
ARROW = "application/vnd.apache.arrow.stream"
# Rows come when there are some.
RESULT_REQUEST: Dict[str, Any] = {"headers": {"accept": ARROW}, "timeout": httpx.Timeout(30.0, read=None)}
# One request waits this long for a job; then the client asks again.
WAIT_SECONDS = 30.0
# The server needs a moment to answer beyond the time that it waits.
GRACE_SECONDS = 30.0


def parse_time(text: Optional[str]) -> Optional[datetime.datetime]:
    return datetime.datetime.fromisoformat(text.replace("Z", "+00:00")) if text else None


@dataclasses.dataclass(frozen=True)
class JobInfo:
    """A job as the server tells of it; `raw` has all of it."""

    id: str
    state: str
    sql: str
    progress: Optional[float]
    queue_position: Optional[int]
    rows: Optional[int]
    from_cache: bool
    created_at: Optional[datetime.datetime]
    started_at: Optional[datetime.datetime]
    completed_at: Optional[datetime.datetime]
    error: Optional[Mapping[str, Any]]
    tags: Any
    raw: Mapping[str, Any] = dataclasses.field(repr=False, compare=False)

    @property
    def is_over(self) -> bool:
        return self.state in OVER

    @classmethod
    def of(cls, told: Mapping[str, Any]) -> "JobInfo":
        return cls(
            id=told["id"], state=told["state"], sql=told["sql"], progress=told.get("progress"),
            queue_position=told.get("queue_position"), rows=told.get("rows"),
            from_cache=bool(told.get("from_cache")), created_at=parse_time(told.get("created_at")),
            started_at=parse_time(told.get("started_at")), completed_at=parse_time(told.get("completed_at")),
            error=told.get("error"), tags=told.get("tags"), raw=told,
        )

    def check(self) -> "JobInfo":
        """Raises what the job ended with unless it succeeded or goes on."""
        if self.state in ("failed", "cancelled"):
            raise _errors.of_job(self.error or {}, self.state)
        if self.state == "expired":
            message = f"the result of job {self.id} is not kept any more"
            raise _errors.ResultExpired(message, "RESULT_EXPIRED")
        return self


def submission(sql: str, priority: int, slots: int, timeout: Optional[float], tags: Any, cache: str,
               key: Optional[str], options: Mapping[str, Any]) -> Dict[str, Any]:
    """The arguments of the request that submits a job."""
    body: Dict[str, Any] = {"sql": sql, "priority": priority, "slots": slots, "result_cache": cache}
    if timeout is not None:
        body["timeout_ms"] = max(1, round(timeout * 1000))
    if tags is not None:
        body["tags"] = tags
    headers = {"idempotency-key": key} if key else {}
    return {"json": body, "headers": headers,
            "params": {name.replace("_", "-"): value for name, value in options.items()}}


def retry_after(response: httpx.Response) -> Optional[float]:
    try:
        return float(response.headers["retry-after"])
    except (KeyError, ValueError):
        return None


def check(response: httpx.Response) -> httpx.Response:
    """Raises the error that the answer is; its body has been read."""
    if response.status_code < 400:
        return response
    try:
        problem = response.json()
    except ValueError:
        problem = {"detail": response.text[:1000]}
    raise _errors.of_problem(response.status_code, problem if isinstance(problem, dict) else {},
                             retry_after(response))


def told(response: httpx.Response) -> Any:
    """The JSON of an answer."""
    try:
        return check(response).json()
    except ValueError as error:
        message = f"{response.url} does not answer as Volley does: {error}"
        raise _errors.VolleyError(message, status=response.status_code) from error


def job_path(job_id: str, rest: str = "") -> str:
    return f"/v1/jobs/{urllib.parse.quote(job_id, safe='')}{rest}"


def has_rows(response: httpx.Response) -> bool:
    """Not of a statement that only changes something."""
    return response.headers.get("content-type", "").startswith(ARROW)


def is_unfinished(response: httpx.Response) -> bool:
    """The server waited for the job as long as it does; it is to be asked again."""
    return response.status_code == 202


def unreachable(error: httpx.HTTPError) -> _errors.ServerUnavailable:
    return _errors.ServerUnavailable(str(error) or type(error).__name__)


class Deadline:
    """How long may still be waited."""

    def __init__(self, timeout: Optional[float]):
        self.timeout = timeout
        self.end = None if timeout is None else time.monotonic() + timeout

    def next_wait(self) -> float:
        """For how long the next request asks the server to wait."""
        if self.end is None:
            return WAIT_SECONDS
        return max(0.0, min(WAIT_SECONDS, self.end - time.monotonic()))

    def is_over(self) -> bool:
        return self.end is not None and time.monotonic() >= self.end

    def error(self, job_id: str) -> _errors.JobTimeout:
        message = f"job {job_id} is not over after {self.timeout} s; it goes on"
        return _errors.JobTimeout(message, "JOB_TIMEOUT")


def listing(state: Optional[str], tag: Optional[str], limit: int) -> Dict[str, Any]:
    wishes: Dict[str, Any] = {"limit": limit}
    if state:
        wishes["state"] = state
    if tag:
        wishes["tag"] = tag
    return wishes


def jobs_of(page: Mapping[str, Any]) -> List[JobInfo]:
    return [JobInfo.of(told) for told in page["jobs"]]
