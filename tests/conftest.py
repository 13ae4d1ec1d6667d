"""Shared by all Python tests: where the program under test is, and skips that CI turns into failures.

SPDX-License-Identifier: Apache-2.0
"""
import os
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def binary():
    """The program under test: $VOLLEY_BINARY, else the release build."""
    path = Path(os.environ.get("VOLLEY_BINARY", REPOSITORY / "build" / "volley"))
    if not path.is_file():
        pytest.exit(f"{path} does not exist: run 'make build' or set VOLLEY_BINARY", returncode=2)
    return path


@pytest.fixture(scope="session")
def cache():
    """The folder with what tools/setup_tests.sh built and fetched."""
    return Path(os.environ.get("VOLLEY_CACHE", REPOSITORY / ".cache"))


@pytest.fixture(scope="session")
def client_program(cache):
    """Finds a program that tools/setup_tests.sh built; skips (in CI: fails) where it is not there."""

    def find(name, what):
        path = cache / "clients" / name
        if not path.exists():
            message = f"{what}: its toolchain was absent when tools/setup_tests.sh ran"
            if os.environ.get("VOLLEY_REQUIRE_CLIENTS") == "1":
                pytest.fail(message)
            pytest.skip(message)
        return path

    return find
