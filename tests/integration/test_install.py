"""The release build: installed anywhere it runs with its own library, and it is hardened.

SPDX-License-Identifier: Apache-2.0
"""
import shutil
import subprocess
from pathlib import Path

import pytest
from harness import Server, run

pytestmark = pytest.mark.release


@pytest.fixture(scope="module")
def installed(binary, tmp_path_factory):
    """The program installed below a folder that was moved afterwards."""
    staging = tmp_path_factory.mktemp("staging")
    subprocess.run(["meson", "install", "-C", str(binary.parent), "--no-rebuild", "--destdir",
                    str(staging)], check=True, capture_output=True, timeout=120)
    (program,) = [path for path in staging.rglob("volley") if path.parent.name == "bin"]
    moved = tmp_path_factory.mktemp("elsewhere") / "place"
    shutil.move(program.parent.parent, moved)
    return moved / "bin" / "volley"


def test_runs_from_wherever_it_lies(installed):
    result = run(installed, "version")
    assert result.returncode == 0, result.stderr
    assert "v1.5" in result.stdout


def test_uses_its_own_library(installed):
    def engine_of(program):
        lines = subprocess.run(["ldd", str(program)], capture_output=True, text=True, check=True).stdout
        return [line for line in lines.splitlines() if "libduckdb" in line]

    prefix = installed.parent.parent
    (line,) = engine_of(prefix / "libexec" / "volley-server")
    assert str(prefix / "lib" / "volley") in line.replace("libexec/../", "")
    assert engine_of(installed) == [], "a command for a server loads no engine"


def test_says_what_is_missing(installed, tmp_path):
    alone = shutil.copy(installed, tmp_path)
    result = run(alone, "version")
    assert result.returncode == 1
    assert "volley-server" in result.stderr and "libexec" in result.stderr


def test_serves(installed, tmp_path):
    server = Server(installed, tmp_path).wait_ready()
    assert server.value("SELECT 42") == 42
    for path in ("/docs", "/docs/swagger-ui-bundle.js", "/docs/redoc.standalone.js", "/openapi.json"):
        assert server.request("GET", path).status == 200, path
    assert Path(f"/proc/{server.process.pid}/comm").read_text() == "volley\n"
    server.stop()


@pytest.mark.parametrize("name", ["volley", "volley-server"])
def test_hardening(binary, name):
    def readelf(option):
        return subprocess.run(["readelf", "-W", option, str(binary.parent / name)], capture_output=True,
                              text=True, check=True).stdout

    assert "DYN (Position-Independent Executable file)" in readelf("-h")
    assert "BIND_NOW" in readelf("-d")
    assert "GNU_RELRO" in readelf("-l")
    symbols = readelf("--dyn-syms")
    assert "__stack_chk_fail" in symbols
    assert "_chk@" in symbols
