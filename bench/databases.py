"""Database files that the measures read: made once, copied for each run.

SPDX-License-Identifier: Apache-2.0
"""
import duckdb

KEYS = 1_000_000
TABLES = 10_000


def made_once(path, statements):
    if not path.exists():
        partial = path.with_suffix(".partial")
        partial.unlink(missing_ok=True)
        with duckdb.connect(str(partial)) as connection:
            for statement in statements:
                connection.execute(statement)
            connection.execute("CHECKPOINT")
        partial.rename(path)
    return path


def keyed(folder):
    """1,000,000 rows with a primary key."""
    return made_once(folder / "keyed.duckdb", [
        "CREATE TABLE keyed (k BIGINT PRIMARY KEY, v DOUBLE, s VARCHAR)",
        f"INSERT INTO keyed SELECT i, i / 8, 'value ' || i FROM range({KEYS}) t(i)"])


def tables(folder):
    """10,000 tables of four columns in two schemas."""
    columns = "id BIGINT PRIMARY KEY, name VARCHAR NOT NULL, amount DECIMAL(15, 2), day DATE"
    created = [f"CREATE TABLE {('main', 'other')[number % 2]}.table_{number:05} ({columns})"
               for number in range(TABLES)]
    return made_once(folder / "tables.duckdb", ["CREATE SCHEMA other", "BEGIN", *created, "COMMIT"])


MADE = {"keyed": keyed, "tables": tables}
