"""docs/clients.md tells what this run of the matrix of clients found, and its examples run.

client_matrix.py makes the table.

SPDX-License-Identifier: Apache-2.0
"""
import re
import subprocess
import sys

import client_matrix
import pytest
from harness import clean_environment

ADDRESS = ("127.0.0.1", "50052")  # what the page's examples connect to


def examples(language):
    """(the file that a comment before the block names, the block) of each code block of a language."""
    pattern = r"(?m)(?:^<!-- from (\S+) -->\n)?^```" + language + r"\n(.*?)^```$"
    return re.findall(pattern, client_matrix.PAGE.read_text(), re.S | re.M)


def addressed(text, server):
    """The example with the test server's address in place of the default one."""
    host, port = server.flight_address
    return text.replace(ADDRESS[0], host).replace(ADDRESS[1], str(port))


@pytest.mark.parametrize("language", ["java", "go", "rust", "js"])
def test_examples_are_parts_of_the_programs_that_ran(language):
    blocks = examples(language)
    assert blocks
    for file, block in blocks:
        assert block in (client_matrix.REPOSITORY / file).read_text().expandtabs(4), file


@pytest.mark.parametrize("number", range(5))
def test_examples_in_python(server, number, tmp_path):
    blocks = examples("python")
    assert len(blocks) == 5
    file = tmp_path / "example.py"
    file.write_text(addressed(blocks[number][1], server))
    result = subprocess.run([sys.executable, "-W", "ignore", str(file)], capture_output=True, text=True,
                            timeout=60, env=clean_environment(), check=False)
    assert result.returncode == 0, result.stderr
    assert result.stdout


@pytest.mark.clients
def test_examples_in_the_shell(server, client_program):
    ((_, block),) = examples("sh")
    folder = client_program("grpcurl", "grpcurl").parent
    environment = clean_environment()
    environment["PATH"] = f"{folder}:{environment['PATH']}"
    result = subprocess.run(["bash", "-e", "-c", addressed(block, server)], capture_output=True, text=True,
                            timeout=60, env=environment, check=False)
    assert result.returncode == 0, result.stderr
    assert "arrow.flight.protocol.FlightService" in result.stdout
    assert '"dataBody"' in result.stdout


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
