"""The matrix of clients, other languages: programs of tests/clients that run their cases by themselves.

Each prints a JSON object for every case (client, feature, case, and what was wrong) and at the end how many
there were. It runs once; a test here stands for one cell of the matrix and fails with all that was wrong
in it.

SPDX-License-Identifier: Apache-2.0
"""
import json
import subprocess

import client_matrix
import pytest
from harness import clean_environment

pytestmark = [pytest.mark.clients, pytest.mark.timeout(240)]

# What a program is, the clients it is for, and how to start it.
PROGRAMS = {
    "go": ("matrix-go", ("adbc-go", "arrow-go"), ["{program}"]),
    "java": (f"java/{client_matrix.JDBC_DRIVER}", ("jdbc",),
             ["java", "--add-opens=java.base/java.nio=ALL-UNNAMED", "-Xmx512m", "-cp",
              "{program}:{folder}", "Matrix"]),
    "rust": ("matrix-rust", ("arrow-rs",), ["{program}"]),
    "js": ("matrix-js/matrix.js", ("grpc-js",), ["node", "{program}"]),
}
CELLS = [
    pytest.param(language, client, feature, marks=pytest.mark.client(client, feature),
                 id=f"{client}-{feature.replace(' ', '-')}")
    for language, (_, clients, _) in PROGRAMS.items() for client in clients
    for feature in client_matrix.FEATURES if not client_matrix.absent(client, feature)
]


def run(language, client_program, address):
    """Every case of a program: {(client, feature): [(case, what was wrong)]}."""
    name, _, command = PROGRAMS[language]
    program = client_program(name, f"the clients in {language}")
    command = [part.format(program=program, folder=program.parent) for part in command]
    result = subprocess.run([*command, address], capture_output=True, text=True, timeout=200,
                            env=clean_environment(), check=False)
    lines = [json.loads(line) for line in result.stdout.splitlines() if line.startswith("{")]
    assert result.returncode == 0, result.stderr[-4000:]
    assert lines and lines[-1] == {"cases": len(lines) - 1}, result.stdout[-1000:]
    found = {}
    for line in lines[:-1]:
        cell = found.setdefault((line["client"], line["feature"]), [])
        cell.append((line["case"], line.get("error", "")))
    return found


@pytest.fixture(scope="module")
def findings(client_program, server):
    """findings(language): what the program found; it is run at the first call."""
    address = "{}:{}".format(*server.flight_address)
    kept = {}

    def find(language):
        if language not in kept:
            kept[language] = run(language, client_program, address)
        return kept[language]

    return find


@pytest.mark.parametrize(("language", "client", "feature"), CELLS)
def test_cell(findings, language, client, feature):
    cases = findings(language).get((client, feature))
    assert cases, "the program has no case for this feature"
    wrong = [f"{case}: {error}" for case, error in cases if error]
    assert not wrong, "\n".join(wrong)
