"""How the tests are dealt out when several processes run them (`pytest -n N`, of pytest-xdist).

A file stays in one process, since its tests share servers; and the files of the client matrix stay together
with the page that is compared with what they found.

SPDX-License-Identifier: Apache-2.0
"""
import pytest

MATRIX = ("test_matrix_", "test_client_table")


def group_of(nodeid):
    """What is run by one process, in the order of collection."""
    file = nodeid.split("::")[0]
    return "matrix" if any(part in file for part in MATRIX) else file


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    from xdist.scheduler import LoadScopeScheduling

    class ByFile(LoadScopeScheduling):
        def _split_scope(self, nodeid):
            return group_of(nodeid)

    return ByFile(config, log)
