"""Makes the benchmark's table: 10,000,000 rows in the shape of TPC-H's lineitem, 16 columns.

usage: lineitem.py DATABASE [ROWS]

Deterministic SQL over range(): every value comes from the row's number by integer mixing, so that any
machine makes the same table. Writes DATABASE.duckdb and DATABASE.parquet; nothing where they exist.

SPDX-License-Identifier: Apache-2.0
"""
import sys
from pathlib import Path

import duckdb

ROWS = 10_000_000
WORDS = ["quick", "ideas", "furious", "deposit", "silent", "pinto", "beans", "final", "regular",
         "packages", "express", "account", "blithe", "requests", "even", "theodol"]
INSTRUCTIONS = ["DELIVER IN PERSON", "COLLECT COD", "NONE", "TAKE BACK RETURN"]
MODES = ["REG AIR", "AIR", "RAIL", "SHIP", "TRUCK", "MAIL", "FOB"]


def mix(salt):
    """A number from 0 to 2^31 - 1 of the row number i; small factors, so no product overflows."""
    step = f"((i + {salt}) * 48271 + {salt} * 69621) % 2147483647"
    return f"((({step}) * 16807 + {salt}) % 2147483647)"


def pick(values, salt):
    listed = ", ".join(f"'{value}'" for value in values)
    return f"([{listed}])[1 + ({mix(salt)} % {len(values)})::INTEGER]"


def select(rows):
    words = " || ' ' || ".join(pick(WORDS, salt) for salt in (21, 22, 23))
    comment = f"{words} || ' ' || ({mix(24)} % 1000000)"
    return f"""
    SELECT i // 4 + 1 AS l_orderkey,
           1 + {mix(1)} % 2000000 AS l_partkey,
           1 + {mix(2)} % 100000 AS l_suppkey,
           (i % 4 + 1)::INTEGER AS l_linenumber,
           (1 + {mix(3)} % 50)::DECIMAL(15, 2) AS l_quantity,
           ((90000 + {mix(4)} % 10000000)::DECIMAL(15, 2) / 100)::DECIMAL(15, 2) AS l_extendedprice,
           (({mix(5)} % 11)::DECIMAL(15, 2) / 100)::DECIMAL(15, 2) AS l_discount,
           (({mix(6)} % 9)::DECIMAL(15, 2) / 100)::DECIMAL(15, 2) AS l_tax,
           {pick("RAN", 7)} AS l_returnflag,
           {pick("OF", 8)} AS l_linestatus,
           DATE '1992-01-02' + ({mix(9)} % 2526)::INTEGER AS l_shipdate,
           DATE '1992-01-31' + ({mix(10)} % 2466)::INTEGER AS l_commitdate,
           DATE '1992-01-03' + ({mix(11)} % 2556)::INTEGER AS l_receiptdate,
           {pick(INSTRUCTIONS, 12)} AS l_shipinstruct,
           {pick(MODES, 13)} AS l_shipmode,
           {comment} AS l_comment
    FROM range({rows}) t(i)"""


def make(database, rows=ROWS):
    """Returns (path of the DuckDB file, path of the Parquet file)."""
    database = Path(database)
    made, parquet = database.with_suffix(".duckdb"), database.with_suffix(".parquet")
    if not made.exists():
        partial = made.with_suffix(".partial")
        partial.unlink(missing_ok=True)
        with duckdb.connect(str(partial)) as connection:
            connection.execute(f"CREATE TABLE lineitem AS {select(rows)}")
            connection.execute("CHECKPOINT")
        partial.rename(made)
    if not parquet.exists():
        partial = parquet.with_suffix(".partial")
        with duckdb.connect(str(made), read_only=True) as connection:
            connection.execute(f"COPY lineitem TO '{partial}' (FORMAT parquet)")
        partial.rename(parquet)
    return made, parquet


if __name__ == "__main__":
    print(*make(sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else ROWS))
