"""Arrays of every type that pyarrow implements.

A case is a function that makes an array of a number of values, by a source of chance, with or without
nulls.

SPDX-License-Identifier: Apache-2.0
"""

import datetime
import decimal
import json
import random

import pytest

pa = pytest.importorskip("pyarrow")

ROWS = 137
WORDS = ["", "a", "exactly 12 b", "thirteen byte", "äöü€😀", "longer than what fits in place: €",
         "\u0000\n\"\\", "longer than what fits in place too, and shares its prefix"]


def values(make):
    """A case of values that pa.array understands."""
    kind, value = make

    def build(count, rng, nulls):
        return pa.array([None if nulls and rng.random() < 0.25 else value(rng)
                         for _ in range(count)], kind)
    return build


def word(rng):
    return rng.choice(WORDS)


def words(rng):
    return [rng.choice(WORDS + [None]) for _ in range(rng.randrange(4))]


def number(bits, signed):
    low, high = (-(1 << (bits - 1)), 1 << (bits - 1)) if signed else (0, 1 << bits)
    return lambda rng: rng.randrange(low, high)


def digits(precision, scale):
    return lambda rng: decimal.Decimal(rng.randrange(-10**precision + 1, 10**precision)).scaleb(-scale)


def date(rng):
    return datetime.date(1, 1, 1) + datetime.timedelta(rng.randrange(3_600_000))


def instant(rng):
    return datetime.datetime(1970, 1, 1) + datetime.timedelta(seconds=rng.randrange(-9 * 10**9, 9 * 10**9))


def pair(rng):
    return {"a": rng.randrange(100), "b": words(rng)}


def make_sparse(count, rng, nulls):
    ids = pa.array([rng.choice([3, 7]) for _ in range(count)], pa.int8())
    children = [CASES["int32"](count, rng, nulls), CASES["string"](count, rng, nulls)]
    return pa.UnionArray.from_sparse(ids, children, ["n", "s"], [3, 7])


def make_dense(count, rng, nulls):
    ids = [rng.choice([0, 1]) for _ in range(count)]
    offsets, counts = [], [0, 0]
    for number_ in ids:
        offsets.append(counts[number_])
        counts[number_] += 1
    children = [CASES["int64"](counts[0], rng, nulls), CASES["list"](counts[1], rng, nulls)]
    return pa.UnionArray.from_dense(pa.array(ids, pa.int8()), pa.array(offsets, pa.int32()), children)


def make_runs(width, child):
    def build(count, rng, nulls):
        ends, end = [], 0
        while end < count:
            end = min(count, end + rng.randrange(1, 6))
            ends.append(end)
        return pa.RunEndEncodedArray.from_arrays(pa.array(ends, width),
                                                 CASES[child](len(ends), rng, nulls))
    return build


def make_dictionary(index, child, ordered=False):
    def build(count, rng, nulls):
        dictionary = CASES[child](7, random.Random(child), False)
        indices = [None if nulls and rng.random() < 0.25 else rng.randrange(7) for _ in range(count)]
        return pa.DictionaryArray.from_arrays(pa.array(indices, index), dictionary, ordered=ordered)
    return build


def make_extension(kind, child):
    def build(count, rng, nulls):
        return pa.ExtensionArray.from_storage(kind, CASES[child](count, rng, nulls))
    return build


def make_text_views(kind):
    def build(count, rng, nulls):
        return values((pa.string(), word))(count, rng, nulls).cast(kind)
    return build


def make_list_views(kind, large):
    """Views in any order that share values."""
    def build(count, rng, nulls):
        child = CASES["string"](3 * count, rng, nulls)
        offset_type = pa.int64() if large else pa.int32()
        offsets = [rng.randrange(3 * count + 1) for _ in range(count)]
        sizes = [rng.randrange(min(4, 3 * count - o + 1)) for o in offsets]
        mask = pa.array([nulls and rng.random() < 0.25 for _ in range(count)], pa.bool_())
        return kind.from_arrays(pa.array(offsets, offset_type), pa.array(sizes, offset_type), child,
                                mask=mask)
    return build


def make_struct_with(**children):
    def build(count, rng, nulls):
        arrays = [CASES[child](count, rng, nulls) for child in children.values()]
        return pa.StructArray.from_arrays(arrays, list(children))
    return build


CASES = {
    "null": lambda count, rng, nulls: pa.nulls(count),
    "bool": values((pa.bool_(), lambda rng: rng.random() < 0.5)),
    "half": lambda count, rng, nulls: values(
        (pa.float32(), lambda rng: rng.randrange(-99, 99) / 8))(count, rng, nulls).cast(pa.float16()),
    "float": values((pa.float32(), lambda rng: rng.randrange(-99, 99) / 8)),
    "double": values((pa.float64(), lambda rng: rng.random())),
    "string": values((pa.string(), word)),
    "binary": values((pa.binary(), lambda rng: rng.randbytes(rng.randrange(20)))),
    "large_string": values((pa.large_string(), word)),
    "large_binary": values((pa.large_binary(), lambda rng: rng.randbytes(rng.randrange(20)))),
    "fixed_binary": values((pa.binary(5), lambda rng: rng.randbytes(5))),
    "empty_binary": values((pa.binary(0), lambda rng: b"")),
    "string_view": make_text_views(pa.string_view()),
    "binary_view": make_text_views(pa.binary_view()),
    "date32": values((pa.date32(), date)),
    "date64": values((pa.date64(), date)),
    "time_s": values((pa.time32("s"), lambda rng: rng.randrange(86400))),
    "time_ms": values((pa.time32("ms"), lambda rng: rng.randrange(86400_000))),
    "time_us": values((pa.time64("us"), lambda rng: rng.randrange(86400_000_000))),
    "time_ns": values((pa.time64("ns"), lambda rng: 1000 * rng.randrange(86400_000_000))),
    "month_day_nano": values((pa.month_day_nano_interval(), lambda rng: pa.MonthDayNano(
        [rng.randrange(-9, 9), rng.randrange(-40, 40), rng.randrange(-10**15, 10**15)]))),
    "list": values((pa.list_(pa.string()), words)),
    "large_list": values((pa.large_list(pa.string()), words)),
    "list_of_lists": values((pa.list_(pa.list_(pa.int8())), lambda rng: [[1, None], [], None, [2]])),
    "fixed_list": values((pa.list_(pa.string(), 2), lambda rng: [word(rng), None])),
    "empty_fixed_list": values((pa.list_(pa.int8(), 0), lambda rng: [])),
    "list_view": make_list_views(pa.ListViewArray, False),
    "large_list_view": make_list_views(pa.LargeListViewArray, True),
    "struct": values((pa.struct([("a", pa.int32()), ("b", pa.list_(pa.string()))]), pair)),
    "empty_struct": values((pa.struct([]), lambda rng: {})),
    "list_of_structs": values((pa.list_(pa.struct([("a", pa.int8()), ("b", pa.list_(pa.string()))])),
                               lambda rng: [pair(rng)] * rng.randrange(3))),
    "map": values((pa.map_(pa.string(), pa.int64()),
                   lambda rng: [(w, rng.randrange(9)) for w in {word(rng), word(rng)}])),
    "sorted_map": values((pa.map_(pa.int8(), pa.string(), keys_sorted=True),
                          lambda rng: [(1, "a"), (2, None)])),
    "sparse_union": make_sparse,
    "dense_union": make_dense,
    "runs16": make_runs(pa.int16(), "string"),
    "runs32": make_runs(pa.int32(), "list"),
    "runs64": make_runs(pa.int64(), "bool"),
    "runs_of_views": make_runs(pa.int32(), "string_view"),
    "struct_of_everything": make_struct_with(v="string_view", r="runs32", l="list_view", d="dictionary_int8",
                                             u="dense_union", m="map", n="null"),
    "dictionary_ordered": make_dictionary(pa.int16(), "string", ordered=True),
    "dictionary_of_structs": make_dictionary(pa.int8(), "struct"),
    "dictionary_of_lists": make_dictionary(pa.uint16(), "list"),
    "dictionary_of_views": make_dictionary(pa.int32(), "string_view"),
    "dictionary_of_decimals": make_dictionary(pa.int32(), "decimal64"),
    "struct_of_dictionaries": make_struct_with(a="dictionary_int8", b="dictionary_uint64"),
    "uuid": make_extension(pa.uuid(), "uuid_storage"),
    "uuid_storage": values((pa.binary(16), lambda rng: rng.randbytes(16))),
    "json": make_extension(pa.json_(pa.string()), "json_storage"),
    "json_storage": values((pa.string(), lambda rng: json.dumps({"a": word(rng)}))),
    "bool8": make_extension(pa.bool8(), "int8"),
    "opaque": make_extension(pa.opaque(pa.binary(), "geometry", "PostGIS"), "binary"),
    "tensor": make_extension(pa.fixed_shape_tensor(pa.int32(), [2, 2]), "tensor_storage"),
    "tensor_storage": values((pa.list_(pa.int32(), 4), lambda rng: [1, 2, 3, rng.randrange(9)])),
}
for bits in (8, 16, 32, 64):
    for signed in (True, False):
        name = f"{'' if signed else 'u'}int{bits}"
        CASES[name] = values((getattr(pa, name)(), number(bits, signed)))
        CASES[f"dictionary_{name}"] = make_dictionary(getattr(pa, name)(), "string")
for unit in ("s", "ms", "us", "ns"):
    CASES[f"timestamp_{unit}"] = values((pa.timestamp(unit), instant))
    CASES[f"zoned_{unit}"] = values((pa.timestamp(unit, "Europe/Berlin"), instant))
    CASES[f"duration_{unit}"] = values((pa.duration(unit), lambda rng: 1000 * rng.randrange(-10**9, 10**9)))
for bits, precision in ((32, 9), (64, 18), (128, 38), (256, 76)):
    kind = getattr(pa, f"decimal{bits}")
    CASES[f"decimal{bits}"] = values((kind(precision, precision // 2), digits(precision, precision // 2)))
    CASES[f"negative_scale{bits}"] = values((kind(precision, -2), digits(4, -2)))
CASES["dictionary_nested"] = lambda count, rng, nulls: pa.DictionaryArray.from_arrays(
    pa.array([rng.randrange(7) for _ in range(count)], pa.int8()),
    CASES["struct_of_dictionaries"](7, rng, False))


def table_of(name, rows=ROWS, nulls=True, seed=0, bytes_=b"\x00\xfe"):
    array = CASES[name](rows, random.Random(f"{name}{seed}"), nulls)
    field = pa.field("column", array.type, metadata={"k": "v", "bytes": bytes_})
    schema = pa.schema([field, pa.field("row", pa.int32())], metadata={"a": "b", "": "empty key"})
    return pa.table([array, pa.array(range(rows), pa.int32())], schema=schema)


def same(table, expected):
    assert table.schema.equals(expected.schema, check_metadata=True)
    assert table.num_rows == expected.num_rows
    if table.equals(expected):
        return True
    # Some types are not compared (or not without their offsets): then their values are.
    return all(a.to_pylist() == b.to_pylist() for a, b in zip(table.columns, expected.columns))
