"""Every type the engine emits: a SQL value, the Arrow type it must arrive as, and its Python value.

The Arrow type is the storage type where the column has an extension type.

SPDX-License-Identifier: Apache-2.0
"""
import datetime
import decimal
import uuid
from typing import NamedTuple

import pyarrow as pa

UTC = datetime.timezone.utc
LONG_TEXT = "Grüße, κόσμε, 🌍: longer than twelve bytes"


class Case(NamedTuple):
    name: str
    sql: str
    type: pa.DataType
    value: object


def _day_time(hours, minutes, seconds, microseconds=0):
    return datetime.time(hours, minutes, seconds, microseconds)


CASES = [
    Case("boolean", "true", pa.bool_(), True),
    Case("tinyint", "(-128)::TINYINT", pa.int8(), -128),
    Case("smallint", "(-32768)::SMALLINT", pa.int16(), -32768),
    Case("integer", "(-2147483648)::INTEGER", pa.int32(), -(2**31)),
    Case("bigint", "(-9223372036854775808)::BIGINT", pa.int64(), -(2**63)),
    Case("utinyint", "255::UTINYINT", pa.uint8(), 255),
    Case("usmallint", "65535::USMALLINT", pa.uint16(), 65535),
    Case("uinteger", "4294967295::UINTEGER", pa.uint32(), 2**32 - 1),
    Case("ubigint", "18446744073709551615::UBIGINT", pa.uint64(), 2**64 - 1),
    Case("hugeint", f"{10**38 - 1}::HUGEINT", pa.decimal128(38, 0), decimal.Decimal(10**38 - 1)),
    Case("uhugeint", f"{10**38 - 1}::UHUGEINT", pa.decimal128(38, 0), decimal.Decimal(10**38 - 1)),
    Case("float", "1.5::FLOAT", pa.float32(), 1.5),
    Case("double", "-2.25::DOUBLE", pa.float64(), -2.25),
    Case("decimal4", "123.4::DECIMAL(4,1)", pa.decimal128(4, 1), decimal.Decimal("123.4")),
    Case("decimal9", "-12.34::DECIMAL(9,2)", pa.decimal128(9, 2), decimal.Decimal("-12.34")),
    Case("decimal18", "-0.001::DECIMAL(18,3)", pa.decimal128(18, 3), decimal.Decimal("-0.001")),
    Case("decimal38", "-1234567890123456789012345678.0123456789::DECIMAL(38,10)",
         pa.decimal128(38, 10), decimal.Decimal("-1234567890123456789012345678.0123456789")),
    Case("varchar", "'short'", pa.string(), "short"),
    Case("varchar_long", f"'{LONG_TEXT}'", pa.string(), LONG_TEXT),
    Case("varchar_empty", "''", pa.string(), ""),
    Case("blob", r"'\x00\xFFab'::BLOB", pa.binary(), b"\x00\xffab"),
    Case("bit", "'10110'::BIT", pa.binary(), b"\x03\xf6"),
    Case("bignum", "'-5'::BIGNUM", pa.binary(), b"\x7f\xff\xfe\xfa"),
    Case("geometry", "'POINT(1 2)'::GEOMETRY", pa.binary(),
         bytes.fromhex("0101000000000000000000f03f0000000000000040")),
    Case("json", """'{"a": [1, 2]}'::JSON""", pa.string(), '{"a": [1, 2]}'),
    Case("uuid", "'00112233-4455-6677-8899-aabbccddeeff'::UUID", pa.binary(16),
         uuid.UUID("00112233-4455-6677-8899-aabbccddeeff")),
    Case("enum", "'medium'::ENUM('small', 'medium', 'large')", pa.string(), "medium"),
    Case("date", "DATE '1969-12-31'", pa.date32(), datetime.date(1969, 12, 31)),
    Case("time", "TIME '23:59:59.999999'", pa.time64("us"), _day_time(23, 59, 59, 999999)),
    Case("time_ns", "TIME_NS '01:02:03.123456'", pa.time64("ns"), _day_time(1, 2, 3, 123456)),
    Case("timetz", "TIMETZ '01:02:03+05:30'", pa.time64("us"), _day_time(19, 32, 3)),  # at UTC
    Case("timestamp", "TIMESTAMP '2024-02-29 12:34:56.789012'", pa.timestamp("us"),
         datetime.datetime(2024, 2, 29, 12, 34, 56, 789012)),
    Case("timestamp_s", "'2024-02-29 12:34:56'::TIMESTAMP_S", pa.timestamp("s"),
         datetime.datetime(2024, 2, 29, 12, 34, 56)),
    Case("timestamp_ms", "'1900-01-01 00:00:00.001'::TIMESTAMP_MS", pa.timestamp("ms"),
         datetime.datetime(1900, 1, 1, 0, 0, 0, 1000)),
    Case("timestamp_ns", "'2024-02-29 12:34:56.789012'::TIMESTAMP_NS", pa.timestamp("ns"),
         datetime.datetime(2024, 2, 29, 12, 34, 56, 789012)),
    Case("timestamptz", "TIMESTAMPTZ '2024-07-01 12:00:00+02:00'", pa.timestamp("us", "UTC"),
         datetime.datetime(2024, 7, 1, 10, 0, 0, tzinfo=UTC)),
    Case("interval", "INTERVAL '14 months 3 days 4.000005 seconds'",
         pa.month_day_nano_interval(), pa.MonthDayNano([14, 3, 4_000_005_000])),
    Case("list", "[1, NULL, 3]::INTEGER[]", pa.list_(pa.int32()), [1, None, 3]),
    Case("list_empty", "[]::VARCHAR[]", pa.list_(pa.string()), []),
    Case("list_nested", "[[1], [], NULL, [2, 3]]::BIGINT[][]", pa.list_(pa.list_(pa.int64())),
         [[1], [], None, [2, 3]]),
    Case("array", "[1.5, 2.5, NULL]::DOUBLE[3]", pa.list_(pa.float64(), 3), [1.5, 2.5, None]),
    Case("struct", f"{{'a': 1::INTEGER, 'b': '{LONG_TEXT}', 'c': NULL::DATE}}",
         pa.struct([("a", pa.int32()), ("b", pa.string()), ("c", pa.date32())]),
         {"a": 1, "b": LONG_TEXT, "c": None}),
    Case("map", "MAP {'x': 1::INTEGER, 'y': NULL}", pa.map_(pa.string(), pa.int32()),
         [("x", 1), ("y", None)]),
    Case("list_struct", "[{'k': 'a', 'v': [1::TINYINT]}, {'k': NULL, 'v': NULL}]",
         pa.list_(pa.struct([("k", pa.string()), ("v", pa.list_(pa.int8()))])),
         [{"k": "a", "v": [1]}, {"k": None, "v": None}]),
    Case("union", "union_value(num := 7::INTEGER)::UNION(num INTEGER, txt VARCHAR)",
         pa.sparse_union([pa.field("num", pa.int32()), pa.field("txt", pa.string())]), 7),
]


def storage_type(arrow_type):
    """The type below an extension type."""
    return arrow_type.storage_type if isinstance(arrow_type, pa.BaseExtensionType) else arrow_type


def storage(arrow_type):
    """The type below extension types, with list, struct and map fields' names and flags left out."""
    if isinstance(arrow_type, pa.BaseExtensionType):
        return storage(arrow_type.storage_type)
    if pa.types.is_fixed_size_list(arrow_type):
        return pa.list_(storage(arrow_type.value_type), arrow_type.list_size)
    if pa.types.is_list(arrow_type):
        return pa.list_(storage(arrow_type.value_type))
    if pa.types.is_map(arrow_type):
        return pa.map_(storage(arrow_type.key_type), storage(arrow_type.item_type))
    if pa.types.is_struct(arrow_type):
        return pa.struct([(field.name, storage(field.type)) for field in arrow_type])
    return arrow_type


def check(table, case):
    """Asserts that a table of one value and one NULL of the case's type is right."""
    column = table.column(0).combine_chunks()
    assert storage(column.type) == case.type, column.type
    value, null = column.to_pylist()
    assert value == case.value
    assert null is None


def statement(case):
    """The value, then NULL of the same type."""
    return (f"SELECT v FROM (SELECT 0 AS i, {case.sql} AS v UNION ALL SELECT 1, NULL)"
            " ORDER BY i")
