"""The archive of the sources: it has what a build needs, and is the same each time.

SPDX-License-Identifier: Apache-2.0
"""

import subprocess
import tarfile
from pathlib import Path

import pytest

pytestmark = pytest.mark.release
REPOSITORY = Path(__file__).resolve().parents[2]


def pack(folder):
    made = subprocess.run(
        [REPOSITORY / "tools" / "make_dist.sh", folder],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return Path(made.stdout.strip())


def test_sources_are_whole_where_they_are_unpacked(cache, tmp_path):
    archive = pack(tmp_path / "first")
    assert archive.read_bytes() == pack(tmp_path / "second").read_bytes()
    with tarfile.open(archive) as tar:
        tar.extractall(tmp_path)
    sources = tmp_path / archive.name.removesuffix(".tar.xz")
    assert (sources / "README.md").exists()
    build = tmp_path / "build"
    subprocess.run(
        [
            "meson",
            "setup",
            build,
            sources,
            "--buildtype=plain",
            "-Dtests=false",
            f"-Dduckdb={(cache / 'duckdb').resolve()}",
        ],
        capture_output=True,
        timeout=60,
        check=True,
    )
    # Meson has looked for every file it names; that all of it compiles is what the gate shows in a clone.
    built = subprocess.run(
        ["ninja", "-C", build, "src/base/libvolley_base.a", "src/proto/libvolley_proto.a"],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert built.returncode == 0, built.stdout[-4000:]
