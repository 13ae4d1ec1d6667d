"""The arrow module against pyarrow: streams in both directions, slices, dictionaries, damage.

SPDX-License-Identifier: Apache-2.0
"""

import datetime
import decimal
import json
import random
import subprocess

import pytest

pa = pytest.importorskip("pyarrow")

import arrow_tool  # noqa: E402  (pyarrow first)
from arrow_tool import needs_tool, read, tool, write  # noqa: E402

pytestmark = needs_tool


def everything(rows=2500, seed=1):
    rng = random.Random(seed)

    def maybe(make):
        return [None if rng.random() < 0.2 else make() for _ in range(rows)]

    def text():
        return "".join(rng.choice("abc äöü€😀\"\\\n,") for _ in range(rng.randrange(12)))

    small = pa.struct([("a", pa.int32()), ("b", pa.list_(pa.string()))])

    def record():
        return {"a": rng.randrange(100), "b": maybe_list()}

    def maybe_list():
        return None if rng.random() < 0.2 else [text() for _ in range(rng.randrange(4))]

    instant = datetime.datetime(2026, 11, 21, 4, 10, 0, 123456)
    columns = {
        "bool": pa.array(maybe(lambda: rng.random() < 0.5)),
        "int8": pa.array(maybe(lambda: rng.randrange(-128, 128)), pa.int8()),
        "uint64": pa.array(maybe(lambda: rng.randrange(2**64)), pa.uint64()),
        "half": pa.array(maybe(lambda: rng.randrange(100) / 4), pa.float32()).cast(pa.float16()),
        "double": pa.array(maybe(rng.random)),
        "text": pa.array(maybe(text)),
        "large_text": pa.array(maybe(text), pa.large_string()),
        "binary": pa.array(maybe(lambda: rng.randbytes(rng.randrange(9))), pa.binary()),
        "fixed": pa.array(maybe(lambda: rng.randbytes(7)), pa.binary(7)),
        "decimal": pa.array(maybe(lambda: decimal.Decimal(rng.randrange(10**9)) / 100),
                            pa.decimal128(20, 2)),
        "decimal256": pa.array(maybe(lambda: decimal.Decimal(rng.randrange(10**60))),
                               pa.decimal256(76, 3)),
        "date": pa.array(maybe(lambda: datetime.date(1, 1, 1) +
                               datetime.timedelta(rng.randrange(3_000_000)))),
        "time": pa.array(maybe(lambda: datetime.time(rng.randrange(24), 1, 2, 3)), pa.time64("us")),
        "instant": pa.array(maybe(lambda: instant + datetime.timedelta(rng.randrange(9999))),
                            pa.timestamp("us", "UTC")),
        "duration": pa.array(maybe(lambda: datetime.timedelta(rng.randrange(9))), pa.duration("ms")),
        "interval": pa.array(maybe(lambda: pa.MonthDayNano([rng.randrange(9), -3, 12345])),
                             pa.month_day_nano_interval()),
        "list": pa.array(maybe(maybe_list), pa.list_(pa.string())),
        "large_list": pa.array(maybe(maybe_list), pa.large_list(pa.string())),
        "fixed_list": pa.array(maybe(lambda: [text(), None]), pa.list_(pa.string(), 2)),
        "struct": pa.array(maybe(record), small),
        "struct_list": pa.array(maybe(lambda: [record()] * rng.randrange(3)), pa.list_(small)),
        "map": pa.array(maybe(lambda: [(text(), rng.randrange(9))] * rng.randrange(3)),
                        pa.map_(pa.string(), pa.int64())),
        "categories": pa.array(maybe(lambda: rng.choice("xyz"))).dictionary_encode(),
        "nothing": pa.nulls(rows),
    }
    return pa.table(columns)


# --- streams ------------------------------------------------------------------------------------


def test_file_is_the_stream_with_a_footer():
    for rows, batches in ((100, 2), (1, 1), (0, 1), (5, 0), (37, 9)):
        stream = pa.ipc.open_stream(tool("sample", rows, batches)).read_all()
        reader = pa.ipc.open_file(tool("sample-file", rows, batches))
        assert reader.num_record_batches == batches
        table = reader.read_all()
        table.validate(full=True)
        assert table.schema.equals(stream.schema, check_metadata=True)
        assert write(table) == write(stream)  # tables with NaN are not equal to themselves
        for index in reversed(range(batches)):
            batch = pa.Table.from_batches([reader.get_batch(index)])
            assert write(batch) == write(stream.slice(index * rows, rows))


@pytest.mark.parametrize("rows", [0, 1, 7, 64, 1000])
def test_every_type_is_read_by_pyarrow(rows):
    stream = tool("sample", rows, 3)
    assert read(stream).num_rows == rows * 3
    assert tool("copy", stream=stream) == stream


def test_types_are_spelled_as_pyarrow_does():
    stream = tool("sample", 1, 1)
    names = tool("types", stream=stream).decode().strip("\n").split("\n")
    schema = pa.ipc.open_stream(stream).schema
    for name, field in zip(names, schema, strict=True):
        kind = field.type.storage_type if field.name == "uuid" else field.type
        assert name == str(kind)


@pytest.mark.parametrize("compression", [None, "lz4", "zstd"])
def test_pyarrow_streams_survive(compression):
    table = everything()
    copied = read(tool("copy", stream=write(table, compression=compression)))
    assert copied.schema.equals(table.schema)
    assert copied.equals(table)


@pytest.mark.parametrize("compression", [None, "lz4", "zstd"])
def test_sliced_input_survives(compression):
    table = everything().slice(13, 401)
    assert read(tool("copy", stream=write(table, compression=compression))).equals(table)


@pytest.mark.parametrize("first,count", [(0, 0), (0, 9), (1, 1), (7, 50), (8, 64), (99, 1)])
def test_slices_are_rows_of_the_batch(first, count):
    stream = tool("sample", 100, 1)
    part = read(tool("slice", first, count, stream=stream))
    expected = read(stream).slice(first, count)
    for name in expected.column_names:
        # NaNs are not equal to themselves, but print the same.
        assert part[name].equals(expected[name]) or repr(part[name].to_pylist()) == repr(
            expected[name].to_pylist()), name


def test_unions_from_pyarrow():
    types = pa.array([1, 0, 1, 1], pa.int8())
    children = [pa.array([5, 6, 7, 8]), pa.array(["a", "b", "c", "d"])]
    sparse = pa.UnionArray.from_sparse(types, children)
    dense = pa.UnionArray.from_dense(types, pa.array([0, 0, 1, 2], pa.int32()), children)
    table = pa.table({"sparse": sparse, "dense": dense})
    assert read(tool("copy", stream=write(table))).equals(table)
    lines = tool("ndjson", stream=write(table)).decode().strip("\n").split("\n")
    assert json.loads(lines[1]) == {"sparse": 6, "dense": 5}
    assert json.loads(lines[3]) == {"sparse": "d", "dense": "c"}


def test_empty_tables_and_no_columns():
    table = everything(rows=0)
    assert read(tool("copy", stream=write(table))).equals(table)
    empty = pa.table({})
    assert read(tool("copy", stream=write(empty))).num_columns == 0


@pytest.mark.parametrize(
    "index", [pa.int8(), pa.uint8(), pa.int16(), pa.uint16(), pa.int32(), pa.uint32(), pa.int64(),
              pa.uint64()])
def test_dictionaries_of_all_index_types(index):
    values = pa.array([f"value {i}" for i in range(120)])
    indices = pa.array([None if i % 7 == 0 else i % 120 for i in range(500)], index)
    table = pa.table({"d": pa.DictionaryArray.from_arrays(indices, values)})
    copied = read(tool("copy", stream=write(table)))
    assert copied.equals(table) and copied.schema.equals(table.schema)


def test_dictionary_values_of_other_types():
    columns = {
        "ints": pa.array([3, None, 3, 4]).dictionary_encode(),
        "dates": pa.array([datetime.date(2020, 1, 1)] * 4).dictionary_encode(),
        "nested": pa.array([["a"], None, ["b", "a"], []],
                           pa.list_(pa.dictionary(pa.int8(), pa.string()))),
    }
    table = pa.table(columns)
    assert read(tool("copy", stream=write(table))).equals(table)


def test_metadata_survives():
    field = pa.field("x", pa.int32(), metadata={"k": "v", "ARROW:FLIGHT:SQL:TYPE_NAME": "INTEGER"})
    schema = pa.schema([field], metadata={"a": "b"})
    table = pa.table([pa.array([1], pa.int32())], schema=schema)
    assert read(tool("copy", stream=write(table))).schema.equals(schema, check_metadata=True)


# --- hostile streams ------------------------------------------------------------------------------


@pytest.mark.parametrize("compression", [None, "lz4", "zstd"])
def test_flipped_bits_never_crash(compression):
    """Whatever is accepted must be valid for pyarrow as well, which validates it fully."""
    stream = bytearray(write(everything(rows=20), compression=compression))
    rng = random.Random(11)
    accepted = 0
    for _ in range(150):
        damaged = bytearray(stream)
        for _ in range(rng.choice([1, 1, 1, 3])):
            damaged[rng.randrange(len(damaged))] ^= 1 << rng.randrange(8)
        done = subprocess.run([arrow_tool.TOOL, "copy"], input=bytes(damaged), capture_output=True)
        assert done.returncode in (0, 2), done.stderr.decode()
        if done.returncode == 0:
            accepted += 1
            read(done.stdout)
    assert accepted > 0
