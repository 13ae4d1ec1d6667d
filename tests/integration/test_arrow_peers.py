"""What the arrow module writes, read by arrow-go, arrow-rs and Arrow Java, and what they write, read by it.

Each peer is a small program (tests/clients/go/ipc, tests/clients/ipc) that gets a folder of streams: what
pyarrow wrote, and what the module made of it. It reads both, compares them with its own library, and writes
the second one again, which the module then has to read as what it was. What a peer lacks is listed here
and in docs/arrow.md; a peer that no longer lacks it fails the test.
SPDX-License-Identifier: Apache-2.0
"""

import json
import subprocess

import pytest

pa = pytest.importorskip("pyarrow")

import test_arrow_ipc as ipc  # noqa: E402  (pyarrow first)
import test_arrow_types as types  # noqa: E402
from harness import clean_environment  # noqa: E402

pytestmark = [ipc.pytestmark, pytest.mark.clients, pytest.mark.timeout(240)]
tool = ipc.tool

# peer: name of the case: (what it answers, a word of its reason)
LACKS = {
    "go": {"empty_fixed_list": ("cannot read", "invalid size")},
    "rust": {},
    "java": {
        name: ("cannot read", "128-bit and 256-bit")
        for name in ("decimal32", "decimal64", "negative_scale32", "negative_scale64",
                     "dictionary_of_decimals")
    } | {"empty_binary": ("cannot read", "by zero")},
}
WORDS = [(list("ab"), [0, 1, None]), (list("abc"), [2, 2, 0]), (list("abc"), [1]),
         (list("abcdef"), [5, 4])]


def streams():
    """(name, what pyarrow wrote, what the module made of it)"""
    for name in types.CASES:
        # Metadata that is not text is refused by Rust and Java.
        stream = types.write(types.table_of(name, bytes_=b"text"))
        yield name, stream, tool("copy", stream=stream)
    for codec in ("lz4", "zstd"):
        table = types.table_of("list_of_structs", rows=900, bytes_=b"text")
        stream = types.write(table, batch_rows=400, compression=codec)
        yield codec, stream, tool(codec, stream=stream)
    # Intervals that pyarrow has no values for.
    sample = tool("sample", 50, 2)
    for name in ("months", "day_time"):
        column = pa.ipc.open_stream(sample).schema.get_field_index(name)
        stream = tool("project", column, stream=sample)
        yield name, stream, tool("copy", stream=stream)
    batches = [types.dictionary_batch(*words) for words in WORDS]
    for name, deltas in (("grown", True), ("replaced", False)):
        stream, _ = types.stream_of(batches, emit_dictionary_deltas=deltas)
        yield name, stream, tool("copy", stream=stream)


@pytest.fixture(scope="module")
def cases():
    return list(streams())


@pytest.fixture(params=["go", "rust", "java"])
def peer(request, client_program):
    if request.param == "java":
        folder = client_program("arrow-java", "the reader of streams in Java")
        command = ["java", "--add-opens=java.base/java.nio=ALL-UNNAMED", "-Xmx512m", "-cp",
                   f"{folder}/jars/*:{folder}", "ArrowJava"]
    else:
        path = client_program(f"arrow-{request.param}", f"the reader of streams in {request.param}")
        command = [str(path)]
    return request.param, command


def test_streams_of_every_type(peer, cases, tmp_path):
    language, command = peer
    for name, wanted, got in cases:
        (tmp_path / f"{name}.wanted").write_bytes(wanted)
        (tmp_path / f"{name}.got").write_bytes(got)
    done = subprocess.run([*command, str(tmp_path)], capture_output=True, text=True, timeout=200,
                          env=clean_environment(), check=False)
    assert done.returncode == 0, done.stderr[-4000:]
    answers = {answer["name"]: answer for answer in map(json.loads, done.stdout.splitlines())}
    assert set(answers) == {name for name, _, _ in cases}
    faults = []
    for name, wanted, _ in cases:
        answer = answers[name]
        result, word = LACKS[language].get(name, ("equal", ""))
        if answer["result"] != result or word not in answer["message"]:
            faults.append(answer)
        elif result == "equal":
            back = types.read(tool("copy", stream=(tmp_path / f"{name}.out").read_bytes()))
            expected = pa.ipc.open_stream(wanted).read_all()
            if not (back.equals(expected) or back.to_pylist() == expected.to_pylist()):
                faults.append((name, "what it wrote is not what it was"))
    assert not faults
