"""The program built from tests/unit/arrow/arrow_tool.c, and pyarrow's streams for it.

VOLLEY_ARROW_SAMPLE names it; without that the one in the build directory of VOLLEY_BINARY is taken, or the
one in build-check beside it. Without that, or without pyarrow, the tests of the arrow module are skipped.
SPDX-License-Identifier: Apache-2.0
"""

import os
import pathlib
import subprocess

import pytest

pa = pytest.importorskip("pyarrow")


def find_tool():
    named = os.environ.get("VOLLEY_ARROW_SAMPLE")
    if named:
        return named
    build = pathlib.Path(os.environ.get("VOLLEY_BINARY", "/nowhere/volley")).parent
    for folder in (build, build.parent / "build-check"):
        built = folder / "tests/unit/arrow/arrow_tool"
        if built.exists():
            return str(built)
    return ""


TOOL = find_tool()
needs_tool = pytest.mark.skipif(not TOOL, reason="arrow_tool is not built")


def tool(*arguments, stream=b"", expect=0):
    done = subprocess.run([TOOL, *map(str, arguments)], input=stream, capture_output=True)
    assert done.returncode == expect, (arguments, done.returncode, done.stderr.decode())
    return done.stdout if expect == 0 else done.stderr.decode()


def write(table, batch_rows=1000, **options):
    sink = pa.BufferOutputStream()
    ipc_options = pa.ipc.IpcWriteOptions(**options)
    with pa.ipc.new_stream(sink, table.schema, options=ipc_options) as writer:
        writer.write_table(table, max_chunksize=batch_rows)
    return sink.getvalue().to_pybytes()


def read(stream):
    table = pa.ipc.open_stream(stream).read_all()
    table.validate(full=True)
    return table
