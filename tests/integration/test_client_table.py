"""docs/clients.md tells what this run of the matrix of clients found; client_matrix.py makes its table.

SPDX-License-Identifier: Apache-2.0
"""
import client_matrix
import pytest


def test_the_page_names_every_client_with_its_version_and_every_feature():
    cells = client_matrix.committed_cells(client_matrix.committed())
    assert set(cells) == {(client, feature) for client in client_matrix.CLIENTS
                          for feature in client_matrix.FEATURES}


def test_the_page_shows_what_this_run_found(request):
    config = request.config
    found = client_matrix.run_cells(config)
    if config.getoption("--write-client-table"):
        pytest.skip("the page is being written")
    ran = {key: cell for key, cell in found.items() if cell != "?"}
    committed = client_matrix.committed_cells(client_matrix.committed())
    assert {key: committed.get(key) for key in ran} == ran
    if "?" not in found.values():
        assert client_matrix.committed() == client_matrix.rendered(found)
