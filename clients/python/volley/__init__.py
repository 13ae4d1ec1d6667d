"""Client of Volley: SQL jobs over HTTP, results as Arrow, polars or pandas.

SPDX-License-Identifier: Apache-2.0
"""
from ._client import AsyncClient, AsyncJob, Client, Job, JobInfo
from ._errors import (
    JobCancelled,
    JobFailed,
    JobTimeout,
    NotFound,
    Overloaded,
    QueryError,
    ResultExpired,
    ServerUnavailable,
    VolleyError,
)

__version__ = "0.1.0"
__all__ = [
    "AsyncClient", "AsyncJob", "Client", "Job", "JobCancelled", "JobFailed", "JobInfo", "JobTimeout",
    "NotFound", "Overloaded", "QueryError", "ResultExpired", "ServerUnavailable", "VolleyError",
]
