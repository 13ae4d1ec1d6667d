"""Files that the Arrow project publishes (apache/arrow-testing): damaged ones that fuzzers found, good ones.

VOLLEY_ARROW_TESTING names the folder `data` of a checkout; no package registry has them, so without it
everything here is skipped. The classes of damage have tests of their own in tests/unit/arrow (docs/arrow.md).
SPDX-License-Identifier: Apache-2.0
"""

import os
import pathlib
import subprocess

import pytest

pa = pytest.importorskip("pyarrow")

from arrow_tool import TOOL, needs_tool  # noqa: E402  (pyarrow first)

pytestmark = [needs_tool, pytest.mark.timeout(240)]

# What is refused on purpose, and the reason that is given. docs/arrow.md says the same.
REFUSED = {
    "0.14.1": "the marker",  # streams from before Arrow 0.15
    "0.17.1": "more buffers than the schema needs",  # unions with validity, metadata V4
    "1.0.0-bigendian": "big-endian",
    "generated_decimal": "beyond its precision",
    "generated_decimal256": "beyond its precision",
}
# pyarrow refuses these itself, when asked for full validation.
NOT_COMPARED = {"1.0.0-littleendian/generated_datetime"}


@pytest.fixture(scope="module")
def published():
    if "VOLLEY_ARROW_TESTING" not in os.environ:
        pytest.skip("VOLLEY_ARROW_TESTING names no checkout of apache/arrow-testing")
    return pathlib.Path(os.environ["VOLLEY_ARROW_TESTING"])


def run(mode, path):
    return subprocess.run([TOOL, mode], input=path.read_bytes(), capture_output=True, timeout=60)


@pytest.mark.parametrize("folder,mode", [("arrow-ipc-stream", "json"), ("arrow-ipc-file", "from-file"),
                                         ("arrow-ipc-tensor-stream", "json")])
def test_damaged_files_do_no_harm(published, folder, mode):
    paths = [path for path in (published / folder).iterdir() if path.is_file()]
    assert len(paths) > 2
    for path in paths:
        done = run(mode, path)
        assert done.returncode in (0, 2), (path.name, done.returncode, done.stderr[-4000:])


def golden(published):
    for folder in sorted((published / "arrow-ipc-stream" / "integration").iterdir()):
        for path in sorted(folder.iterdir()) if folder.is_dir() else []:
            if path.suffix in (".stream", ".arrow_file"):
                yield folder.name, path


def check_golden(folder, path):
    done = run("copy" if path.suffix == ".stream" else "from-file", path)
    if done.returncode == 2:
        reasons = [REFUSED.get(folder), REFUSED.get(path.stem)]
        message = done.stderr.decode()
        assert any(reason and reason in message for reason in reasons) or folder == "0.14.1", message
        return "refused"
    assert done.returncode == 0, done.stderr
    table = pa.ipc.open_stream(done.stdout).read_all()
    if f"{folder}/{path.stem}" in NOT_COMPARED:
        return "read"
    table.validate(full=True)
    if path.suffix == ".stream":
        expected = pa.ipc.open_stream(path.read_bytes()).read_all()
    else:
        reader = pa.ipc.open_file(path.read_bytes())
        batches = [reader.get_batch(i) for i in reversed(range(reader.num_record_batches))]
        expected = pa.Table.from_batches(batches, reader.schema)
    assert table.schema.equals(expected.schema, check_metadata=True)
    assert table.equals(expected) or table.to_pylist() == expected.to_pylist()
    return "equal"


def test_good_files_are_read_as_pyarrow_reads_them(published):
    results = {}
    for folder, path in golden(published):
        results.setdefault(check_golden(folder, path), []).append(f"{folder}/{path.name}")
    assert len(results["equal"]) > 100
