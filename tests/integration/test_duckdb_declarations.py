"""Our declarations of DuckDB 1.5 functions against the official header of the pinned version.

The C header that set-up fetches is of DuckDB 1.4.4; src/engine/duckdb/duckdb_copy.h declares what it
lacks. The crate libduckdb-sys 1.10506.0 carries the header of 1.5.6; cargo fetches it into the cache.

SPDX-License-Identifier: Apache-2.0
"""
import hashlib
import os
import re
import shutil
import subprocess
import tarfile
from pathlib import Path

import pytest

pytestmark = pytest.mark.clients
REPOSITORY = Path(__file__).resolve().parent.parent.parent
CRATE = "1.10506.0"
HEADER_SHA256 = "e85f70155b5948c8575e59f66e60d43575cec8b252293534c9e8598eb313a293"


def unavailable(message):
    if os.environ.get("VOLLEY_REQUIRE_CLIENTS") == "1":
        pytest.fail(message)
    pytest.skip(message)


def fetch_header(folder):
    """Has cargo fetch the crate and takes the header out of the sources inside it."""
    project = folder / "project"
    (project / "src").mkdir(parents=True, exist_ok=True)
    (project / "src" / "lib.rs").write_text("")
    (project / "Cargo.toml").write_text(
        '[package]\nname = "header"\nversion = "0.1.0"\nedition = "2021"\n[workspace]\n'
        f'[dependencies]\nlibduckdb-sys = "={CRATE}"\n')
    environment = dict(os.environ, CARGO_HOME=str(folder / "cargo"))
    result = subprocess.run(["cargo", "fetch", "--quiet"], cwd=project, env=environment,
                            capture_output=True, text=True, timeout=170, check=False)
    if result.returncode:
        unavailable(f"cargo could not fetch libduckdb-sys {CRATE}: {result.stderr[-500:]}")
    sources = next((folder / "cargo").glob(f"registry/src/*/libduckdb-sys-{CRATE}/duckdb.tar.gz"))
    with tarfile.open(sources) as archive:
        return archive.extractfile("duckdb/src/include/duckdb.h").read()


@pytest.fixture(scope="module")
def official(cache):
    path = cache / "duckdb-header" / "duckdb.h"
    if not path.is_file():
        if not shutil.which("cargo"):
            unavailable("the official DuckDB header: cargo is absent")
        header = fetch_header(path.parent)
        assert hashlib.sha256(header).hexdigest() == HEADER_SHA256
        path.write_bytes(header)
    text = path.read_text()
    assert hashlib.sha256(text.encode()).hexdigest() == HEADER_SHA256
    return normal(text)


def normal(text):
    """Without comments and preprocessor conditions; one space between words, none beside signs."""
    text = re.sub(r"/\*.*?\*/|//[^\n]*", " ", text, flags=re.S)
    text = re.sub(r"^\s*#\s*(if|endif|else|elif|ifdef|ifndef|pragma|include).*$", "", text, flags=re.M)
    return re.sub(r"\s*([^\w\s])\s*", r"\1", re.sub(r"\s+", " ", text))


OURS = (REPOSITORY / "src" / "engine" / "duckdb" / "duckdb_copy.h").read_text()
DECLARATIONS = [line for line in OURS.splitlines() if line.startswith(("DUCKDB_C_API", "typedef"))]
VALUES = re.findall(r"^#define (DUCKDB_\w+) (\d+)$", OURS, flags=re.M)


def test_something_is_compared():
    assert len(DECLARATIONS) > 20 and len(VALUES) == 5


@pytest.mark.parametrize("declaration", DECLARATIONS, ids=lambda line: line.split("(")[0].split()[-1])
def test_declaration(official, declaration):
    wanted = normal(declaration).strip()
    assert wanted in official


@pytest.mark.parametrize("name, value", VALUES)
def test_value(official, name, value):
    assert f"{name}={value}," in official or f"{name}={value}}}" in official
