"""Fixtures of the integration tests: a shared server, own servers, and connections to the shared one.

SPDX-License-Identifier: Apache-2.0
"""
import contextlib

import pytest
from certificates import Certificates
from client_matrix import (  # noqa: F401  hooks of pytest
    pytest_addoption,
    pytest_collection_modifyitems,
    pytest_configure,
    pytest_runtest_makereport,
    pytest_sessionfinish,
)
from harness import Server, run
from parallel import pytest_xdist_make_scheduler  # noqa: F401  a hook of pytest-xdist


@pytest.fixture(scope="session")
def server(binary, tmp_path_factory):
    """The server that most tests share: in memory, no sample data, default settings."""
    shared = Server(binary, tmp_path_factory.mktemp("server")).wait_ready()
    yield shared
    shared.stop()


@pytest.fixture(scope="session")
def certificates(tmp_path_factory):
    return Certificates(tmp_path_factory.mktemp("certificates"))


@pytest.fixture(scope="session")
def tls_server(binary, tmp_path_factory, certificates):
    """Flight and HTTP over TLS, and HTTP in the clear beside it."""
    own = Server(binary, tmp_path_factory.mktemp("tls"),
                 (*certificates.flags, "--http-addr", "tcp://127.0.0.1:0")).wait_ready()
    yield own
    own.stop()


@pytest.fixture
def start_server(binary, tmp_path_factory):
    """start_server(*arguments, env=..., ready=True): a server of the test's own, ended with it."""
    started = []

    def start(*arguments, env=None, ready=True, folder=None, addresses=True):
        place = folder or tmp_path_factory.mktemp("server")
        own = Server(binary, place, arguments, env, addresses)
        started.append(own)
        return own.wait_ready() if ready else own

    yield start
    with contextlib.ExitStack() as stack:
        for own in started:
            stack.callback(own.kill)
        for own in started:
            if own.process.returncode is None:
                own.stop()


@pytest.fixture
def volley(binary, tmp_path):
    """volley(*arguments, input=, environment=): runs a command of the program in an empty folder."""

    def command(*arguments, **options):
        return run(binary, *arguments, **{"folder": tmp_path, **options})

    return command


@pytest.fixture
def flight(server):
    with server.flight() as client:
        yield client


@pytest.fixture
def adbc(server):
    with server.adbc() as connection:
        yield connection
