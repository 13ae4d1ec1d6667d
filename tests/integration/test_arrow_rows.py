"""The arrow module's rows as text, JSON and CSV, against what pyarrow's values say.

SPDX-License-Identifier: Apache-2.0
"""

import base64
import csv
import datetime
import decimal
import io
import json
import math
import random
import struct
import uuid

import pytest

pa = pytest.importorskip("pyarrow")

from arrow_tool import needs_tool, read, tool, write  # noqa: E402  (pyarrow first)

pytestmark = needs_tool


def one(name, values, kind):
    return pa.table({name: pa.array(values, kind)})


def to_json(table, mode="json"):
    return json.loads(tool(mode, stream=write(table)), parse_float=decimal.Decimal)


def values_of(values, kind):
    """What NDJSON says about a column of these values, as parsed by Python."""
    table = one("x", values, kind)
    lines = tool("ndjson", stream=write(table)).decode().strip("\n").split("\n")
    return [json.loads(line)["x"] for line in lines]


def texts_of(values, kind):
    """The same as the text of each value in the JSON."""
    table = one("x", values, kind)
    lines = tool("ndjson", stream=write(table)).decode().strip("\n").split("\n")
    return [line[len('{"x":') : -1] for line in lines]


def test_json_is_one_object():
    table = pa.table({"a": [1, 2], "b": ["x", None]})
    answer = to_json(table)
    assert answer == {
        "columns": [{"name": "a", "type": "int64"}, {"name": "b", "type": "string"}],
        "data": [{"a": 1, "b": "x"}, {"a": 2, "b": None}],
        "rows": 2,
    }
    assert to_json(table.slice(0, 0))["data"] == []


def test_every_type_is_valid_json_and_csv():
    stream = tool("sample", 500, 2)
    answer = json.loads(tool("json", stream=stream))
    assert answer["rows"] == 1000 and len(answer["data"]) == 1000
    names = [column["name"] for column in answer["columns"]]
    table = read(stream)
    assert names == table.column_names
    for name in ("utf8", "large_utf8", "bool", "int8", "uint64", "int64", "list", "large_list",
                 "fixed_list", "struct", "struct_list", "sparse", "dense", "dictionary8",
                 "dictionary_list", "null"):
        assert [row[name] for row in answer["data"]] == table[name].to_pylist(), name
    rows = list(csv.reader(io.StringIO(tool("csv", stream=stream).decode(), newline="")))
    assert rows[0] == names and all(len(row) == len(names) for row in rows) and len(rows) == 1001
    column = names.index("struct")
    for row, value in zip(rows[1:], table["struct"].to_pylist(), strict=True):
        assert (json.loads(row[column]) if row[column] else None) == value


def test_integers_keep_all_digits():
    values = [0, -1, 2**63 - 1, -(2**63), 9, 10, 99, 100, None]
    assert values_of(values, pa.int64()) == values
    unsigned = [0, 2**64 - 1, 10**19, 10**19 - 1, None] + [10**i for i in range(20)]
    assert values_of(unsigned, pa.uint64()) == unsigned
    table = pa.table({"i": pa.array([2**60], pa.int64()), "s": pa.array([5], pa.int32()),
                      "d": pa.array([decimal.Decimal("1.50")])})
    row = to_json(table, "json-text")["data"][0]
    assert row == {"i": str(2**60), "s": 5, "d": "1.50"}


@pytest.mark.parametrize("kind", [pa.decimal32(9, 2), pa.decimal64(18, 4), pa.decimal128(38, 10),
                                  pa.decimal256(76, 20)])
def test_decimals_of_all_widths(kind):
    values = [decimal.Decimal("1.25"), None, decimal.Decimal("-99999.5"), decimal.Decimal(0)]
    table = one("x", values, kind)
    assert read(tool("copy", stream=write(table))).equals(table)
    expected = [None if v is None else f"{v:.{kind.scale}f}" for v in values]
    assert texts_of(values, kind) == [v or "null" for v in expected]


@pytest.mark.parametrize("scale", [0, 1, 5, 19, 37, 38])
def test_decimals_keep_all_digits(scale):
    top = 10**38 - 1
    unscaled = [0, 1, -1, 5, 10**18, -(10**18), 10**19, 2**64, -(2**64), top, -top]
    with decimal.localcontext(decimal.Context(prec=80)):
        values = [decimal.Decimal(n).scaleb(-scale) for n in unscaled]
        texts = texts_of(values, pa.decimal128(38, scale))
        assert [decimal.Decimal(t) for t in texts] == values
        assert all(("." in t) == (scale > 0) and not t.startswith(".") for t in texts)
        assert all(len(t.split(".")[1]) == scale for t in texts if "." in t)


def test_negative_scale():
    assert texts_of([decimal.Decimal("-1200"), decimal.Decimal(0)], pa.decimal128(5, -2)) == [
        "-1200", "0"]


def shortest(text):
    digits = text.split("e")[0].replace(".", "").replace("-", "").strip("0")
    return len(digits)


def test_doubles_are_the_shortest_that_read_back():
    rng = random.Random(7)
    values = [0.0, -0.0, 1.0, -1.5, 0.1, 1e22, 1e21, 1e16, 1e15, 123456789012345680.0, 5e-324,
              2.2250738585072014e-308, 1.7976931348623157e308, 1e-5, 1e-4, 0.3, 2.0**53, 9007199254740993.0]
    values += [float(2.0**i) for i in range(-1074, 1024)]
    values += [struct.unpack("<d", struct.pack("<Q", rng.getrandbits(64)))[0] for _ in range(50000)]
    values += [rng.randrange(10**6) / 100 for _ in range(2000)]
    values = [v for v in values if math.isfinite(v)]
    texts = texts_of(values, pa.float64())
    for value, text in zip(values, texts, strict=True):
        assert float(text) == value and math.copysign(1, float(text)) == math.copysign(1, value)
        assert shortest(text) == shortest(repr(value)), (text, value)
        assert decimal.Decimal(text) == decimal.Decimal(repr(value))


def shortest_by_search(value, layout):
    """The decimal with the fewest digits that reads back in the narrow type; the closest of these."""
    packed = struct.pack(layout, value)
    for digits in range(17):
        text = f"{value:.{digits}e}"
        try:
            if struct.pack(layout, float(text)) == packed:
                return decimal.Decimal(text)
        except OverflowError:
            continue
    raise AssertionError(value)


def test_floats_are_the_shortest_that_read_back():
    rng = random.Random(8)
    bits = [rng.getrandbits(32) for _ in range(20000)] + list(range(300)) + [
        i << 23 for i in range(255)]
    values = [struct.unpack("<f", struct.pack("<I", b))[0] for b in bits]
    values = [v for v in values if math.isfinite(v)]
    for value, text in zip(values, texts_of(values, pa.float32()), strict=True):
        assert struct.pack("<f", float(text)) == struct.pack("<f", value)
        assert shortest(text) <= shortest(str(shortest_by_search(value, "<f")).lower())


def test_all_halves():
    values = [struct.unpack("<e", struct.pack("<H", b))[0] for b in range(65536)]
    values = [v for v in values if math.isfinite(v)]
    array = pa.array(values, pa.float32()).cast(pa.float16())
    lines = tool("ndjson", stream=write(pa.table({"x": array}))).decode().strip("\n").split("\n")
    for value, line in zip(values, lines, strict=True):
        text = line[len('{"x":') : -1]
        assert struct.pack("<e", float(text)) == struct.pack("<e", value)
        assert shortest(text) <= shortest(str(shortest_by_search(value, "<e")).lower())


def test_not_finite_is_null_in_json_and_text_in_csv():
    values = [math.nan, math.inf, -math.inf, None]
    assert values_of(values, pa.float64()) == [None] * 4
    assert values_of(values, pa.float32()) == [None] * 4
    lines = tool("csv", stream=write(one("x", values, pa.float64()))).decode().split("\r\n")
    assert lines == ["x", "nan", "inf", "-inf", '""', ""]


def test_dates_and_times():
    dates = [datetime.date(1, 1, 1), datetime.date(1970, 1, 1), datetime.date(2000, 2, 29),
             datetime.date(1900, 3, 1), datetime.date(9999, 12, 31), None]
    dates += [datetime.date.fromordinal(n) for n in range(1, 3_652_059, 977)]
    expected = [d and d.isoformat() for d in dates]
    assert values_of(dates, pa.date32()) == expected
    assert values_of(dates, pa.date64()) == expected
    days = pa.array([2**31 - 1, -(2**31 - 1), 4_000_000, -800_000], pa.int32()).view(pa.date32())
    lines = tool("ndjson", stream=write(pa.table({"x": days}))).decode().strip("\n").split("\n")
    assert [json.loads(line)["x"] for line in lines] == ["infinity", "-infinity", "+12921-08-18",
                                                         "-0221-09-04"]
    assert values_of([0, 86399, 86400], pa.time32("s")) == ["00:00:00", "23:59:59", "24:00:00"]
    assert values_of([1], pa.time32("ms")) == ["00:00:00.001"]
    assert values_of([datetime.time(4, 10, 0, 123456)], pa.time64("us")) == ["04:10:00.123456"]
    assert values_of([1], pa.time64("ns")) == ["00:00:00.000000001"]


def test_timestamps():
    instant = datetime.datetime(2026, 11, 21, 4, 10, 0, 123456)
    assert values_of([instant, None], pa.timestamp("us")) == ["2026-11-21T04:10:00.123456", None]
    assert values_of([instant], pa.timestamp("us", "UTC")) == ["2026-11-21T04:10:00.123456Z"]
    assert values_of([instant], pa.timestamp("us", "Europe/Berlin")) == [
        "2026-11-21T04:10:00.123456Z"]
    assert values_of([0, -1], pa.timestamp("s")) == ["1970-01-01T00:00:00", "1969-12-31T23:59:59"]
    assert values_of([-1], pa.timestamp("ms", "UTC")) == ["1969-12-31T23:59:59.999Z"]
    assert values_of([-1], pa.timestamp("ns")) == ["1969-12-31T23:59:59.999999999"]
    top = 2**63 - 1
    assert values_of([top, -top, -top - 1, top - 1], pa.timestamp("us")) == [
        "infinity", "-infinity", "-290308-12-21T19:59:05.224192", "+294247-01-10T04:00:54.775806"]
    rng = random.Random(3)
    instants = [datetime.datetime(1, 1, 1) + datetime.timedelta(microseconds=rng.randrange(3 * 10**17))
                for _ in range(5000)]
    assert values_of(instants, pa.timestamp("us")) == [
        i.isoformat(timespec="microseconds") for i in instants]


def test_durations_and_intervals():
    assert values_of([0, 1500, -1500, 90061000, 3600000, -1], pa.duration("ms")) == [
        "PT0S", "PT1.5S", "-PT1.5S", "PT25H1M1S", "PT1H", "-PT0.001S"]
    assert values_of([-(2**63)], pa.duration("s")) == ["-PT2562047788015215H30M8S"]
    intervals = [(0, 0, 0), (14, 3, 4 * 3600 * 10**9 + 5 * 60 * 10**9 + 6789 * 10**6), (-14, -3, -1),
                 (0, 0, 60 * 10**9), (12, 0, 0), (0, 5, 0)]
    assert values_of([pa.MonthDayNano(i) for i in intervals], pa.month_day_nano_interval()) == [
        "PT0S", "P1Y2M3DT4H5M6.789S", "P-1Y-2M-3DT-0.000000001S", "PT1M", "P1Y", "P5D"]


def test_text_is_escaped():
    texts = ["", "plain", '"', "\\", "\n\r\t\b\f", "\x00\x01\x1f\x7f", "äöü€😀", "a" * 7 + '"', "a" * 8 + "\\",
             "a" * 100 + "\x02" + "b" * 100, '"' * 50, "x\u2028y", None]
    texts += ["".join(random.Random(i).choices('abc"\\\n é', k=i)) for i in range(70)]
    assert values_of(texts, pa.string()) == texts
    table = one("x", texts, pa.string()).append_column("y", pa.array(range(len(texts))))
    out = tool("csv", stream=write(table)).decode()
    rows = list(csv.reader(io.StringIO(out, newline="")))
    assert [row[0] for row in rows[1:]] == [t or "" for t in texts]
    assert out.startswith("x,y\r\n\"\",0\r\nplain,1\r\n") and out.endswith(f',{len(texts) - 1}\r\n')
    assert "\r\n,12\r\n" in out


def test_binary_is_base64_and_uuid_is_text():
    values = [b"", b"a", b"ab", b"abc", bytes(range(256)), None]
    expected = [v if v is None else base64.b64encode(v).decode() for v in values]
    assert values_of(values, pa.binary()) == expected
    assert values_of(values, pa.large_binary()) == expected
    assert values_of([b"12345"], pa.binary(5)) == [base64.b64encode(b"12345").decode()]
    ids = [uuid.UUID(int=2**127 + 5), uuid.UUID(int=0)]
    storage = pa.array([i.bytes for i in ids], pa.binary(16))
    table = pa.table({"id": pa.ExtensionArray.from_storage(pa.uuid(), storage)})
    assert [row["id"] for row in to_json(table)["data"]] == [str(i) for i in ids]


def test_maps():
    text_keys = [[("a", 1), ("b\n", None)], [], None]
    assert values_of(text_keys, pa.map_(pa.string(), pa.int64())) == [{"a": 1, "b\n": None}, {}, None]
    assert values_of([[(1, "x")]], pa.map_(pa.int64(), pa.string())) == [[{"key": 1, "value": "x"}]]


def test_repeated_names_get_a_suffix():
    schema = pa.schema([("a", pa.int8()), ("a", pa.int8()), ("a_1", pa.int8()), ("a", pa.int8())])
    table = pa.table([pa.array([i], pa.int8()) for i in range(4)], schema=schema)
    answer = to_json(table)
    assert [c["name"] for c in answer["columns"]] == ["a", "a_1", "a_1_1", "a_2"]
    assert answer["data"] == [{"a": 0, "a_1": 1, "a_1_1": 2, "a_2": 3}]
    assert tool("csv", stream=write(table)).startswith(b"a,a,a_1,a\r\n")
