"""What can go wrong, as exceptions that tell what the server told.

SPDX-License-Identifier: Apache-2.0
"""
from __future__ import annotations

from typing import Any, Mapping, Optional


class VolleyError(Exception):
    """The base of all errors. `code` is the server's ("TABLE_NOT_FOUND"), `status` the one of HTTP."""

    def __init__(self, message: str, code: str = "", status: int = 0,
                 problem: Optional[Mapping[str, Any]] = None, retry_after: Optional[float] = None):
        super().__init__(message)
        self.message = message
        self.code = code
        self.status = status
        self.problem = dict(problem or {})
        self.retry_after = retry_after

    @property
    def position(self) -> Optional[int]:
        """The byte of the statement that is at fault, from 0."""
        return self.problem.get("position")

    @property
    def line(self) -> Optional[int]:
        return self.problem.get("line")

    @property
    def column(self) -> Optional[int]:
        return self.problem.get("column")

    @property
    def nearest(self) -> Optional[str]:
        """The existing name that is nearest to one that does not exist."""
        return self.problem.get("nearest")

    @property
    def request_id(self) -> Optional[str]:
        return self.problem.get("request_id")


class QueryError(VolleyError):
    """The statement or the request is wrong; sending it again will not help."""


class NotFound(VolleyError):
    """There is no such job."""


class ResultExpired(VolleyError):
    """The result is not kept any more; run the statement again."""


class Overloaded(VolleyError):
    """The server has as much to do as it takes; `retry_after` says when to try again."""


class ServerUnavailable(VolleyError):
    """The server cannot be reached, or is shutting down."""


class JobFailed(QueryError):
    """The job ended with an error."""


class JobCancelled(VolleyError):
    """The job was cancelled."""


class JobTimeout(VolleyError, TimeoutError):
    """The job is not over within the time that was given; it goes on."""


def of_problem(status: int, problem: Mapping[str, Any], retry_after: Optional[float]) -> VolleyError:
    """The exception of an answer with an error."""
    code = str(problem.get("code") or problem.get("error_code") or "")
    message = str(problem.get("detail") or f"HTTP status {status}")
    if code == "RESULT_EXPIRED" or status == 410:
        kind = ResultExpired
    elif code == "JOB_NOT_FOUND":
        kind = NotFound
    elif status in (429, 507):
        kind = Overloaded
    elif status in (502, 503):
        kind = ServerUnavailable
    elif code == "QUERY_CANCELLED":
        kind = JobCancelled
    elif 400 <= status < 500:
        kind = QueryError
    else:
        kind = VolleyError
    return kind(message, code, status, problem, retry_after)


def of_job(error: Mapping[str, Any], state: str) -> VolleyError:
    """The exception of a job that ended badly."""
    kind = JobCancelled if state == "cancelled" else JobFailed
    return kind(str(error.get("detail") or f"the job is {state}"), str(error.get("code") or ""), 0, error)
