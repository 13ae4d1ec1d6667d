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

import arrow_cases as cases_of  # noqa: E402  (pyarrow first)
from arrow_tool import needs_tool, read, tool, write  # noqa: E402
from harness import clean_environment  # noqa: E402
from test_arrow_types import dictionary_batch, stream_of  # noqa: E402

pytestmark = [needs_tool, pytest.mark.clients, pytest.mark.timeout(240)]

# peer: name of the case: (what it answers, a word of its reason). docs/arrow.md says the same.
LACKS = {
    "go": {"empty_fixed_list": ("cannot read", "invalid size")},
    "rust": {},
    "java": {
        name: ("cannot read", "128-bit and 256-bit")
        for name in ("decimal32", "decimal64", "negative_scale32", "negative_scale64",
                     "dictionary_of_decimals")
    } | {"empty_binary": ("cannot read", "by zero")},
}
# What a peer writes wrong, and why it is refused: arrow-rs counts a buffer of views that it leaves out.
MISTAKES = {"rust": {"runs_of_views-empty": "a variadic buffer count"}}
WORDS = [(list("ab"), [0, 1, None]), (list("abc"), [2, 2, 0]), (list("abc"), [1]),
         (list("abcdef"), [5, 4])]
DEPTH = 40


def table_of(name, **options):
    # Metadata that is not text is refused by Rust and Java.
    return cases_of.table_of(name, bytes_=b"text", **options)


def stream_with(batches, schema):
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, schema) as writer:
        for batch in batches:
            writer.write_batch(batch)
    return sink.getvalue().to_pybytes()


def streams_of(name):
    """Nulls and several batches; rows cut out by the module; batches without rows; nothing but nulls."""
    stream = write(table_of(name), 50)
    yield name, stream, tool("copy", stream=stream)
    parts = [batch.slice(9, 28) for batch in pa.ipc.open_stream(stream)]
    yield f"{name}-cut", stream_with(parts, parts[0].schema), tool("slice", 9, 28, stream=stream)
    batch = table_of(name, rows=5).to_batches()[0]
    stream = stream_with([batch.slice(0, 0), batch, batch.slice(5, 0)], batch.schema)
    yield f"{name}-empty", stream, tool("copy", stream=stream)
    yield f"{name}-none", stream_with([], batch.schema), tool("copy", stream=stream_with([], batch.schema))


def nested(depth):
    kind, value = pa.int8(), 1
    for level in range(depth):
        kind, value = (pa.struct([("s", kind)]), {"s": value}) if level % 2 else (pa.list_(kind), [value])
    return pa.table({"x": pa.array([value, None], kind)})


def streams():
    """(name, what pyarrow wrote, what the module made of it)"""
    for name in cases_of.CASES:
        yield from streams_of(name)
    for codec in ("lz4", "zstd"):
        table = table_of("list_of_structs", rows=900)
        stream = write(table, 400, compression=codec)
        yield codec, stream, tool(codec, stream=stream)
    # Intervals that pyarrow has no values for.
    sample = tool("sample", 50, 2)
    for name in ("months", "day_time"):
        column = pa.ipc.open_stream(sample).schema.get_field_index(name)
        stream = tool("project", column, stream=sample)
        yield name, stream, tool("copy", stream=stream)
    batches = [dictionary_batch(*words) for words in WORDS]
    for name, deltas in (("grown", True), ("replaced", False)):
        stream, _ = stream_of(batches, emit_dictionary_deltas=deltas)
        yield name, stream, tool("copy", stream=stream)
    for name, stream in (("deep", write(nested(DEPTH))),
                         ("no_columns", stream_of([pa.record_batch({"x": [1, 2]}).select([])] * 2)[0])):
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
        result, word = LACKS[language].get(name.split("-")[0], ("equal", ""))
        if answer["result"] != result or word not in answer["message"]:
            faults.append(answer)
        elif name in MISTAKES.get(language, {}):
            stream = (tmp_path / f"{name}.out").read_bytes()
            assert MISTAKES[language][name] in tool("copy", stream=stream, expect=2)
        elif result == "equal":
            back = read(tool("copy", stream=(tmp_path / f"{name}.out").read_bytes()))
            expected = pa.ipc.open_stream(wanted).read_all()
            if not (back.equals(expected) or back.to_pylist() == expected.to_pylist()):
                faults.append((name, "what it wrote is not what it was"))
    assert not faults
