"""The release build: installed anywhere it runs with its own library, and it is hardened.

SPDX-License-Identifier: Apache-2.0
"""
import shutil
import subprocess

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
    lines = subprocess.run(["ldd", str(installed)], capture_output=True, text=True, check=True).stdout
    (line,) = [line for line in lines.splitlines() if "libduckdb" in line]
    assert str(installed.parent.parent / "lib" / "volley") in line.replace("bin/../", "")


def test_serves(installed, tmp_path):
    server = Server(installed, tmp_path).wait_ready()
    assert server.value("SELECT 42") == 42
    server.stop()


def test_hardening(binary):
    def readelf(option):
        return subprocess.run(["readelf", "-W", option, str(binary)], capture_output=True, text=True,
                              check=True).stdout

    assert "DYN (Position-Independent Executable file)" in readelf("-h")
    assert "BIND_NOW" in readelf("-d")
    assert "GNU_RELRO" in readelf("-l")
    symbols = readelf("--dyn-syms")
    assert "__stack_chk_fail" in symbols
    assert "_chk@" in symbols
