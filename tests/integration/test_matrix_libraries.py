"""The matrix of clients, libraries on top of ADBC: pandas, polars, SQLAlchemy, Ibis, DuckDB.

SPDX-License-Identifier: Apache-2.0
"""
import warnings

import adbc_driver_manager
import duckdb
import pandas
import polars
import pyarrow as pa
import pytest
import sqlalchemy
import volley_sqlalchemy  # noqa: F401  registers the dialect

LARGE = "SELECT i, 'text ' || i AS s FROM range(1000000) t(i)"


def shows(client, feature):
    return pytest.mark.client(client, feature)


def run(connection, sql):
    with connection.cursor() as cursor:
        cursor.execute(sql)


# ---- pandas


@shows("pandas", "connect")
@shows("pandas", "query")
def test_pandas_query(adbc):
    frame = pandas.read_sql("SELECT i, i * 1.5::DOUBLE AS d, 'n' || i AS s FROM range(3) t(i)", adbc)
    assert frame["i"].tolist() == [0, 1, 2]
    assert frame["s"].tolist() == ["n0", "n1", "n2"]
    assert str(frame["d"].dtype) == "float64"
    indexed = pandas.read_sql("SELECT 7 AS k, 'v' AS v", adbc, index_col="k")
    assert indexed.loc[7, "v"] == "v"
    assert len(pandas.read_sql("SELECT 1 AS a WHERE false", adbc)) == 0


@shows("pandas", "ingest")
def test_pandas_ingest(adbc):
    run(adbc, "DROP TABLE IF EXISTS pandas_rows")
    frame = pandas.DataFrame({"i": range(1000), "s": [f"row {i}" for i in range(1000)]})
    assert frame.to_sql("pandas_rows", adbc, index=False) == 1000
    with pytest.raises(ValueError, match="pandas_rows"):
        frame.to_sql("pandas_rows", adbc, index=False, if_exists="fail")
    frame.head(10).to_sql("pandas_rows", adbc, index=False, if_exists="append")
    assert pandas.read_sql("SELECT count(*) AS n FROM pandas_rows", adbc)["n"].tolist() == [1010]
    frame.head(5).to_sql("pandas_rows", adbc, index=False, if_exists="replace")
    assert pandas.read_sql("pandas_rows", adbc)["i"].tolist() == [0, 1, 2, 3, 4]


@shows("pandas", "large result")
def test_pandas_large(adbc):
    frame = pandas.read_sql(LARGE, adbc)
    assert (len(frame), frame["i"].sum()) == (1_000_000, 499_999_500_000)


@shows("pandas", "errors")
def test_pandas_errors(adbc):
    with pytest.raises(Exception, match="pandas_no_such_table"):
        pandas.read_sql("SELECT * FROM pandas_no_such_table", adbc)


# ---- polars


@shows("polars", "connect")
def test_polars_connect(server):
    address = "flightsql://{}:{}?transport=tcp".format(*server.flight_address)
    assert polars.read_database_uri("SELECT 1 AS one", address, engine="adbc")["one"].to_list() == [1]


@shows("polars", "query")
def test_polars_query(adbc):
    frame = polars.read_database("SELECT i, [i] AS l, 'n' || i AS s FROM range(3) t(i)", adbc)
    assert frame.to_dict(as_series=False) == {"i": [0, 1, 2], "l": [[0], [1], [2]], "s": ["n0", "n1", "n2"]}
    batches = polars.read_database("SELECT i FROM range(1000) t(i)", adbc, iter_batches=True, batch_size=100)
    assert sum(batch.height for batch in batches) == 1000


@shows("polars", "parameters")
def test_polars_parameters(adbc):
    frame = polars.read_database("SELECT ?::BIGINT + 1 AS n", adbc, execute_options={"parameters": [41]})
    assert frame["n"].to_list() == [42]


@shows("polars", "ingest")
def test_polars_ingest(adbc):
    frame = polars.DataFrame({"i": range(100), "s": [f"row {i}" for i in range(100)]})
    run(adbc, "DROP TABLE IF EXISTS polars_rows")
    frame.write_database("polars_rows", adbc)
    with pytest.raises(adbc_driver_manager.Error, match="polars_rows"):
        frame.write_database("polars_rows", adbc, if_table_exists="fail")
    frame.write_database("polars_rows", adbc, if_table_exists="append")
    assert polars.read_database("SELECT count(*) AS n FROM polars_rows", adbc)["n"].to_list() == [200]
    frame.head(5).write_database("polars_rows", adbc, if_table_exists="replace")
    assert polars.read_database("FROM polars_rows ORDER BY i", adbc)["i"].to_list() == [0, 1, 2, 3, 4]


@shows("polars", "large result")
def test_polars_large(adbc):
    frame = polars.read_database(LARGE, adbc)
    assert (frame.height, frame["i"].sum()) == (1_000_000, 499_999_500_000)


@shows("polars", "errors")
def test_polars_errors(adbc):
    with pytest.raises(adbc_driver_manager.Error, match="polars_no_such_table"):
        polars.read_database("SELECT * FROM polars_no_such_table", adbc)


# ---- SQLAlchemy


@pytest.fixture
def engine(server):
    found = sqlalchemy.create_engine("volley://anyone:anything@{}:{}".format(*server.flight_address))
    yield found
    found.dispose()


METADATA = sqlalchemy.MetaData()
PEOPLE = sqlalchemy.Table(
    "sa_people", METADATA,
    sqlalchemy.Column("i", sqlalchemy.Integer, primary_key=True, autoincrement=False),
    sqlalchemy.Column("name", sqlalchemy.String),
)


@pytest.fixture
def people(engine):
    with engine.begin() as connection:
        connection.execute(sqlalchemy.text("DROP TABLE IF EXISTS sa_people"))
    METADATA.create_all(engine, checkfirst=False)
    with engine.begin() as connection:
        connection.execute(PEOPLE.insert(), [{"i": i, "name": f"n{i}"} for i in range(5)])
    return PEOPLE


@shows("sqlalchemy", "connect")
@shows("sqlalchemy", "query")
def test_sqlalchemy_query(engine):
    with engine.connect() as connection:
        found = connection.execute(sqlalchemy.text("SELECT i, 'v' || i AS s FROM range(2) t(i)"))
        assert found.fetchall() == [(0, "v0"), (1, "v1")]


@shows("sqlalchemy", "parameters")
def test_sqlalchemy_parameters(engine, people):
    with engine.connect() as connection:
        sum_of = sqlalchemy.text("SELECT :a ::INTEGER + :b ::INTEGER")
        assert connection.execute(sum_of, {"a": 40, "b": 2}).scalar() == 42
        chosen = sqlalchemy.select(people).where(people.c.i > 2).order_by(people.c.i)
        assert connection.execute(chosen).fetchall() == [(3, "n3"), (4, "n4")]


@shows("sqlalchemy", "update and DDL")
def test_sqlalchemy_update(engine, people):
    with engine.begin() as connection:
        connection.execute(people.update().where(people.c.i == 1).values(name="new"))
        connection.execute(people.delete().where(people.c.i > 2))
    with engine.connect() as connection:
        found = connection.execute(sqlalchemy.select(people).order_by(people.c.i)).fetchall()
    assert found == [(0, "n0"), (1, "new"), (2, "n2")]
    METADATA.drop_all(engine, checkfirst=False)


@shows("sqlalchemy", "batch bind")
def test_sqlalchemy_batch(engine, people):
    with engine.begin() as connection:
        connection.execute(people.insert(), [{"i": i, "name": str(i)} for i in range(10, 5010)])
        count = sqlalchemy.select(sqlalchemy.func.count()).select_from(people)
        assert connection.execute(count).scalar() == 5005


@shows("sqlalchemy", "transactions")
def test_sqlalchemy_transactions(engine, people):
    count = sqlalchemy.select(sqlalchemy.func.count()).select_from(people)
    with engine.connect() as connection, engine.connect() as other:
        with connection.begin() as transaction:
            connection.execute(people.delete())
            assert connection.execute(count).scalar() == 0
            assert other.execute(count).scalar() == 5
            transaction.rollback()
        other.rollback()
        with connection.begin():
            connection.execute(people.delete().where(people.c.i == 0))
        assert other.execute(count).scalar() == 4


@shows("sqlalchemy", "metadata")
def test_sqlalchemy_metadata(engine, people):
    inspected = sqlalchemy.inspect(engine)
    assert "main" in inspected.get_schema_names()
    assert "sa_people" in inspected.get_table_names()
    columns = inspected.get_columns("sa_people")
    assert [(column["name"], column["nullable"]) for column in columns] == [("i", False), ("name", True)]


@shows("sqlalchemy", "large result")
def test_sqlalchemy_large(engine):
    with engine.connect() as connection:
        found = connection.execute(sqlalchemy.text("SELECT i FROM range(200000) t(i)"))
        assert sum(value for (value,) in found) == 199_999 * 100_000


@shows("sqlalchemy", "errors")
def test_sqlalchemy_errors(engine):
    with engine.connect() as connection:
        with pytest.raises(sqlalchemy.exc.DatabaseError, match="sa_no_such_table"):
            connection.execute(sqlalchemy.text("SELECT * FROM sa_no_such_table"))
        connection.rollback()
        assert connection.execute(sqlalchemy.text("SELECT 1")).scalar() == 1


# ---- Ibis


@pytest.fixture(scope="module")
def ibis_connection(server):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import ibis

        host, port = server.flight_address
        connection = ibis.gizmosql.connect(host=host, port=port, user="anyone", password="anything")
        connection.create_table(
            "ibis_rows", ibis.memtable({"i": [1, 2, 3], "s": ["a", "b", None]}), overwrite=True)
        yield connection
        connection.disconnect()


pytestmark = pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::DeprecationWarning")


@shows("ibis", "connect")
def test_ibis_connect(ibis_connection):
    assert ibis_connection.version.startswith("v1")


@shows("ibis", "query")
def test_ibis_query(ibis_connection):
    import ibis

    table = ibis_connection.table("ibis_rows")
    found = table.filter(table.i > 1).mutate(twice=table.i * 2).order_by("i").to_pyarrow()
    assert found.to_pydict() == {"i": [2, 3], "s": ["b", None], "twice": [4, 6]}
    assert table.group_by("s").aggregate(n=ibis._.count()).count().execute() == 3
    assert ibis_connection.sql("SELECT 7 AS n").to_pandas()["n"].tolist() == [7]


@shows("ibis", "update and DDL")
def test_ibis_definitions(ibis_connection):
    import ibis

    schema = ibis.schema({"i": "int64", "s": "string"})
    ibis_connection.create_table("ibis_made", schema=schema, overwrite=True)
    ibis_connection.create_view("ibis_view", ibis_connection.table("ibis_rows"), overwrite=True)
    assert ibis_connection.table("ibis_view").count().execute() == 3
    ibis_connection.truncate_table("ibis_made")
    ibis_connection.drop_view("ibis_view")
    ibis_connection.drop_table("ibis_made")
    assert "ibis_made" not in ibis_connection.list_tables()


@shows("ibis", "ingest")
def test_ibis_ingest(ibis_connection):
    rows = pa.table({"i": range(2000), "s": [f"row {i}" for i in range(2000)]})
    made = ibis_connection.create_table("ibis_ingest", rows, overwrite=True)
    ibis_connection.insert("ibis_ingest", pa.table({"i": [-1], "s": ["last"]}))
    assert made.count().execute() == 2001
    ibis_connection.drop_table("ibis_ingest")


@shows("ibis", "metadata")
def test_ibis_metadata(ibis_connection):
    import ibis

    assert "ibis_rows" in ibis_connection.list_tables()
    assert "main" in ibis_connection.list_databases()
    assert "memory" in ibis_connection.list_catalogs()
    assert ibis_connection.table("ibis_rows").schema() == ibis.schema({"i": "int64", "s": "string"})


@shows("ibis", "large result")
def test_ibis_large(ibis_connection):
    found = ibis_connection.sql(LARGE).to_pyarrow()
    assert (found.num_rows, found["i"].combine_chunks().to_numpy().sum()) == (1_000_000, 499_999_500_000)


@shows("ibis", "errors")
def test_ibis_errors(ibis_connection):
    with pytest.raises(Exception, match="ibis_no_such_table"):
        ibis_connection.table("ibis_no_such_table")


# ---- DuckDB


@shows("duckdb", "query")
def test_duckdb_reads_the_stream(adbc):
    with adbc.cursor() as cursor:
        cursor.execute("SELECT i, i % 3 AS g, [i] AS l FROM range(1000) t(i)")
        rows = cursor.fetch_record_batch()  # noqa: F841  named in the SQL
        found = duckdb.sql("SELECT g, count(*), max(l[1]) FROM rows GROUP BY g ORDER BY g").fetchall()
    assert found == [(0, 334, 999), (1, 333, 997), (2, 333, 998)]


@shows("duckdb", "large result")
def test_duckdb_reads_a_large_stream(adbc):
    with adbc.cursor() as cursor:
        cursor.execute(LARGE)
        rows = cursor.fetch_record_batch()  # noqa: F841
        found = duckdb.sql("SELECT count(*), sum(i)::BIGINT FROM rows").fetchall()
    assert found == [(1_000_000, 499_999_500_000)]


@shows("duckdb", "ingest")
def test_duckdb_sends_its_rows(adbc):
    rows = duckdb.sql("SELECT i, 'row ' || i AS s FROM range(5000) t(i)").to_arrow_reader(1000)
    with adbc.cursor() as cursor:
        assert cursor.adbc_ingest("duckdb_rows", rows, "replace") == 5000
