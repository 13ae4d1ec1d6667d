"""Every type that pyarrow implements, through the arrow module and back.

Each case of arrow_cases.py is tried with and without nulls, empty, sliced, in several batches, compressed
either way, as a file, projected and cut by rows. What comes back must be what went in, the types and
metadata included.
SPDX-License-Identifier: Apache-2.0
"""

import json
import random
import string
import struct

import pytest

pa = pytest.importorskip("pyarrow")

import arrow_tool  # noqa: E402  (pyarrow first)
from arrow_cases import CASES, ROWS, same, table_of  # noqa: E402
from arrow_tool import needs_tool, read, tool  # noqa: E402

pytestmark = needs_tool


def write(table, batch_rows=50, **options):
    return arrow_tool.write(table, batch_rows, **options)


def write_file(table, batch_rows=50, **options):
    sink = pa.BufferOutputStream()
    options = pa.ipc.IpcWriteOptions(**options)
    with pa.ipc.new_file(sink, table.schema, options=options) as writer:
        writer.write_table(table, max_chunksize=batch_rows)
    return sink.getvalue().to_pybytes()


@pytest.mark.parametrize("nulls", [True, False])
@pytest.mark.parametrize("name", CASES)
def test_streams(name, nulls):
    table = table_of(name, nulls=nulls)
    assert same(read(tool("copy", stream=write(table))), table)


@pytest.mark.parametrize("name", CASES)
def test_offsets_and_small_batches(name):
    table = table_of(name).slice(13, 101)
    assert same(read(tool("copy", stream=write(table, batch_rows=7))), table)


@pytest.mark.parametrize("name", CASES)
def test_no_rows(name):
    table = table_of(name, rows=0)
    assert same(read(tool("copy", stream=write(table))), table)
    # A stream without any batch.
    sink = pa.BufferOutputStream()
    pa.ipc.new_stream(sink, table.schema).close()
    assert same(read(tool("copy", stream=sink.getvalue().to_pybytes())), table)


@pytest.mark.parametrize("name", CASES)
def test_all_null(name):
    kind = table_of(name).schema
    try:
        nothing = pa.nulls(20, kind.field(0).type)
        nothing.validate(full=True)
    except pa.ArrowException:
        pytest.skip("pyarrow cannot make valid nulls of it")
    table = pa.table([nothing, pa.array(range(20), pa.int32())], schema=kind)
    assert same(read(tool("copy", stream=write(table))), table)


@pytest.mark.parametrize("codec", ["lz4", "zstd"])
@pytest.mark.parametrize("name", CASES)
def test_compressed_both_ways(name, codec):
    table = table_of(name, rows=700)
    stream = tool(codec, stream=write(table, batch_rows=300, compression=codec))
    assert same(read(stream), table)


@pytest.mark.parametrize("name", CASES)
def test_files(name):
    table = table_of(name)
    with pa.ipc.open_file(tool("to-file", stream=write(table))) as reader:
        assert reader.num_record_batches == 3
        assert same(reader.read_all(), table)
    back = read(tool("from-file", stream=write_file(table)))
    # From the last batch to the first.
    batches = [table.slice(100, 37), table.slice(50, 50), table.slice(0, 50)]
    assert same(back, pa.concat_tables(batches))


@pytest.mark.parametrize("first,count", [(0, 1), (1, 3), (9, 41), (16, 33), (49, 1), (50, 0)])
@pytest.mark.parametrize("name", CASES)
def test_rows(name, first, count):
    table = table_of(name, rows=50)
    part = read(tool("slice", first, count, stream=write(table)))
    assert same(part, table.slice(first, count))


@pytest.mark.parametrize("name", CASES)
def test_columns(name):
    table = table_of(name)
    part = read(tool("project", 1, 0, stream=write(table)))
    assert same(part, table.select([1, 0]))
    assert same(read(tool("project", 1, stream=write(table))), table.select([1]))


@pytest.mark.parametrize("name", CASES)
def test_type_names(name):
    table = table_of(name, rows=1)
    kind = table.schema.field(0).type
    text = tool("types", stream=write(table)).decode().split("\n")[0]
    storage = kind.storage_type if isinstance(kind, pa.BaseExtensionType) else kind
    assert text == str(storage)


@pytest.mark.parametrize("name", CASES)
def test_rows_as_text(name):
    """All of it is valid JSON; slices and views, encoded or not, say the same."""
    table = table_of(name)
    answer = json.loads(tool("json", stream=write(table)))
    assert answer["rows"] == ROWS
    again = json.loads(tool("json", stream=tool("copy", stream=write(table))))
    assert again == answer
    for encoded, plain in PLAIN.items():
        if name == encoded:
            flat = table.set_column(0, pa.field("column", plain),
                                    pa.array(table["column"].to_pylist(), plain))
            expected = json.loads(tool("json", stream=write(flat)))
            assert answer["data"] == expected["data"]


PLAIN = {"string_view": pa.string(), "dictionary_int8": pa.string(), "dictionary_uint64": pa.string(),
         "dictionary_of_views": pa.string(), "list_view": pa.list_(pa.string()),
         "large_list_view": pa.list_(pa.string())}


def test_runs_as_text():
    table = table_of("runs16")
    flat = pa.concat_arrays([pa.compute.run_end_decode(c) for c in table["column"].chunks])
    expected = pa.table({"column": flat, "row": table["row"]})
    assert json.loads(tool("json", stream=write(table)))["data"] == json.loads(
        tool("json", stream=write(expected)))["data"]
    assert tool("csv", stream=write(table)) == tool("csv", stream=write(expected))


# --- dictionaries that change --------------------------------------------------------------------


def stream_of(batches, **options):
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, batches[0].schema, options=pa.ipc.IpcWriteOptions(**options)) as writer:
        for batch in batches:
            writer.write_batch(batch)
        stats = writer.stats
    return sink.getvalue().to_pybytes(), stats


def dictionary_batch(words_, indices, index=pa.int8()):
    array = pa.DictionaryArray.from_arrays(pa.array(indices, index), pa.array(words_))
    return pa.record_batch({"d": array, "n": pa.array(range(len(indices)))})


def batches_of(stream):
    with pa.ipc.open_stream(stream) as reader:
        batches = list(reader)
        stats = reader.stats
    for batch in batches:
        batch.validate(full=True)
    return batches, stats


def test_dictionaries_grow():
    batches = [dictionary_batch(list("ab"), [0, 1, None]), dictionary_batch(list("abc"), [2, 2, 0]),
               dictionary_batch(list("abc"), [1]), dictionary_batch(list("abcdef"), [5, 4])]
    stream, stats = stream_of(batches, emit_dictionary_deltas=True)
    assert stats.num_dictionary_deltas == 2
    copied, stats = batches_of(tool("copy", stream=stream))
    # What grew is sent as a delta again.
    assert stats.num_dictionary_deltas == 2 and stats.num_replaced_dictionaries == 0
    for batch, expected in zip(copied, batches, strict=True):
        assert batch.to_pylist() == expected.to_pylist()
    with pa.ipc.open_file(tool("to-file", stream=stream)) as reader:
        assert reader.read_all().to_pylist() == pa.Table.from_batches(batches).to_pylist()


@pytest.mark.parametrize("name", [n for n in CASES if n not in (
    "null", "empty_binary", "empty_struct", "empty_fixed_list", "sparse_union", "dense_union",
    "dictionary_nested") and not n.startswith(("runs", "dictionary", "struct_of", "negative"))])
def test_dictionaries_of_every_type_grow(name):
    values_ = CASES[name](40, random.Random(name), False)
    values_ = getattr(values_, "storage", values_)
    batches = [pa.record_batch({"d": pa.DictionaryArray.from_arrays(
        pa.array([size - 1, 0, None], pa.int16()), values_.slice(0, size))}) for size in (3, 17, 18, 40)]
    try:
        stream, stats = stream_of(batches, emit_dictionary_deltas=True)
    except pa.ArrowException as reason:
        pytest.skip(str(reason))
    assert stats.num_dictionary_deltas == 3
    copied, stats = batches_of(tool("copy", stream=stream))
    assert stats.num_dictionary_deltas == 3
    for batch, expected in zip(copied, batches, strict=True):
        assert batch["d"].to_pylist() == expected["d"].to_pylist()


def test_many_small_deltas():
    words_ = [f"word number {i}" for i in range(2000)]
    batches = [dictionary_batch(words_[:size], [size - 1], pa.int16()) for size in range(1, 2000, 3)]
    stream, _ = stream_of(batches, emit_dictionary_deltas=True)
    copied, _ = batches_of(tool("copy", stream=stream))
    assert [b["d"].to_pylist() for b in copied] == [[words_[s - 1]] for s in range(1, 2000, 3)]


def test_dictionaries_are_replaced():
    batches = [dictionary_batch(list("ab"), [0, 1]), dictionary_batch(list("xyz"), [2, 0]),
               dictionary_batch(list("xyz"), [None]), dictionary_batch(["q"], [0])]
    stream, stats = stream_of(batches)
    assert stats.num_replaced_dictionaries == 2
    copied, stats = batches_of(tool("copy", stream=stream))
    assert stats.num_replaced_dictionaries == 2
    for batch, expected in zip(copied, batches, strict=True):
        assert batch.equals(expected)
    answer = json.loads(tool("json", stream=stream))
    assert [row["d"] for row in answer["data"]] == ["a", "b", "z", "x", None, "q"]
    # A file has each dictionary once.
    assert "take the stream format" in tool("to-file", stream=stream, expect=2)


def test_nested_dictionaries_change():
    def batch(inner, outer):
        child = pa.DictionaryArray.from_arrays(pa.array(outer, pa.int8()), pa.array(inner))
        struct = pa.StructArray.from_arrays([child], ["c"])
        whole = pa.DictionaryArray.from_arrays(pa.array(range(len(outer)), pa.int8()), struct)
        return pa.record_batch({"d": whole})
    batches = [batch(list("ab"), [0, 1]), batch(list("abc"), [0, 1, 2]), batch(list("xy"), [1, 0])]
    stream, _ = stream_of(batches)
    expected = [row["d"]["c"] for b in batches for row in b.to_pylist()]
    copied, _ = batches_of(tool("copy", stream=stream))
    assert [row["d"]["c"] for b in copied for row in b.to_pylist()] == expected
    answer = json.loads(tool("json", stream=stream))
    assert [row["d"]["c"] for row in answer["data"]] == expected


def test_shared_prefixes_of_many_columns():
    """Several dictionary columns, of which only one changes."""
    fixed = pa.array(list("pqr")).dictionary_encode()
    batches = [pa.record_batch({"a": fixed, "b": pa.array([w] * 3).dictionary_encode()}) for w in "xyz"]
    stream, stats = stream_of(batches)
    copied, copied_stats = batches_of(tool("copy", stream=stream))
    assert copied_stats.num_replaced_dictionaries == stats.num_replaced_dictionaries
    assert [b.to_pylist() for b in copied] == [b.to_pylist() for b in batches]


# --- shapes ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("depth", [1, 5, 30, 62])
def test_deep_nesting(depth):
    kind, value = pa.int8(), 1
    for level in range(depth):
        if level % 2:
            kind, value = pa.struct([("s", kind)]), {"s": value}
        else:
            kind, value = pa.list_(kind), [value, value] if level < 6 else [value]
    table = pa.table({"x": pa.array([value, None], kind)})
    stream = write(table)
    assert read(tool("copy", stream=stream)).equals(table)
    assert json.loads(tool("json", stream=stream))["data"][1] == {"x": None}


def test_rows_without_columns():
    batch = pa.record_batch({"x": [1, 2, 3]}).select([])
    assert batch.num_rows == 3
    stream, _ = stream_of([batch, batch])
    copied, _ = batches_of(tool("copy", stream=stream))
    assert [b.num_rows for b in copied] == [3, 3]
    assert json.loads(tool("json", stream=stream)) == {"columns": [], "data": [{}] * 6, "rows": 6}
    sliced, _ = batches_of(tool("slice", 1, 2, stream=stream))
    assert [b.num_rows for b in sliced] == [2, 2]


def test_many_parts_of_views():
    """Views whose bytes are in several buffers become views of one."""
    parts = [pa.array([f"part {i}, value {j}, long enough" for j in range(20)] + ["short"]).cast(
        pa.string_view()) for i in range(9)]
    together = pa.concat_arrays(parts)
    assert len(together.buffers()) > 3
    table = pa.table({"v": together})
    copied = read(tool("copy", stream=write(table, batch_rows=1000)))
    assert copied["v"].to_pylist() == together.to_pylist()
    assert len(copied["v"].chunk(0).buffers()) == 3
    order = random.Random(1).sample(range(9), 9)
    shuffled = pa.concat_arrays([parts[i].slice(i, 8) for i in order])
    for codec in (None, "lz4", "zstd"):
        stream = write(pa.table({"v": shuffled}), batch_rows=1000, compression=codec)
        assert read(tool("copy", stream=stream))["v"].to_pylist() == shuffled.to_pylist()
        part = read(tool("slice", 30, 9, stream=stream))
        assert part["v"].to_pylist() == shuffled.to_pylist()[30:39]


def test_slices_of_views_are_small():
    words_ = ["".join(random.Random(i).choices(string.ascii_letters, k=1000)) for i in range(1000)]
    order = random.Random(2).sample(range(1000), 1000)
    bytes_ = pa.py_buffer("".join(words_).encode())
    views = b"".join(struct.pack("<i4sii", 1000, words_[i][:4].encode(), 0, 1000 * i) for i in order)
    scattered = pa.Array.from_buffers(pa.string_view(), 1000, [None, pa.py_buffer(views), bytes_])
    part = tool("slice", 500, 10, stream=write(pa.table({"v": scattered}), batch_rows=1000))
    assert len(part) < 20_000
    assert read(part)["v"].to_pylist() == scattered.to_pylist()[500:510]


def test_every_type_at_once():
    table = pa.table({name: CASES[name](ROWS, random.Random(name), True) for name in CASES})
    for arguments in (["copy"], ["lz4"], ["zstd"]):
        back = read(tool(*arguments, stream=write(table)))
        assert back.schema.equals(table.schema)
        for name in CASES:
            assert back[name].to_pylist() == table[name].to_pylist(), name
