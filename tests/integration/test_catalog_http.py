"""What the server tells of statements and tables without running or reading them: explain, catalog, explorer,
files, system views, examples.

SPDX-License-Identifier: Apache-2.0
"""
import json
import re

import pytest

JSON = {"content-type": "application/json"}


@pytest.fixture(scope="module")
def server(binary, tmp_path_factory):
    from harness import Server

    folder = tmp_path_factory.mktemp("catalog")
    files = folder / "files"
    (files / "deep").mkdir(parents=True)
    for name in ("b.csv", "a.parquet", "deep/c.ndjson", ".hidden.csv", "readme.txt"):
        (files / name).write_text("x\n1\n")
    (files / "link.csv").symlink_to("/etc/passwd")
    own = Server(binary, folder, ("--allowed-paths", files)).wait_ready()
    own.files = files
    for sql in ("CREATE TABLE trips (id BIGINT NOT NULL, fare DOUBLE DEFAULT 1.5, note VARCHAR)",
                "INSERT INTO trips SELECT i, i, 'n' FROM range(5000) t(i)",
                "COMMENT ON TABLE trips IS 'all of them'",
                "CREATE VIEW cheap AS SELECT * FROM trips WHERE fare < 3",
                'CREATE SCHEMA "other.one"', 'CREATE TABLE "other.one"."a table" (x INTEGER)'):
        assert own.query(sql).status == 200, sql
    yield own
    own.stop()


def explain(server, sql):
    response = server.request("POST", "/v1/query/explain", json.dumps({"sql": sql}), JSON)
    assert response.status == 200, response.text
    return response.json


def test_explain(server):
    told = explain(server, "SELECT id, note, fare AS f FROM trips")
    assert told["valid"] and told["statement"] == "query" and told["error"] is None
    assert [c["name"] for c in told["columns"]] == ["id", "note", "f"]
    assert told["columns"][0]["type"] == "int64"
    assert told["tables"] == ["memory.main.trips"]
    estimated = told["estimated"]
    assert estimated["rows"] == estimated["scanned_rows"] == 5000
    assert estimated["bytes"] >= 5000 * 16 and estimated["scanned_bytes"] > 0
    assert told["plan"][0]["name"]


@pytest.mark.parametrize("sql, code", [
    ("SELEC 1", "QUERY_SYNTAX_ERROR"), ("SELECT * FROM trip", "TABLE_NOT_FOUND"),
    ("SELECT fair FROM trips", "INVALID_SQL"), ("INSTALL httpfs", "STATEMENT_NOT_ALLOWED")])
def test_explain_tells_faults(server, sql, code):
    told = explain(server, sql)
    assert told["valid"] is False and told["plan"] is None and told["columns"] is None
    assert told["error"]["code"] == code
    if code == "TABLE_NOT_FOUND":
        assert told["error"]["nearest"] == "trips" and told["error"]["line"] == 1


@pytest.mark.parametrize("sql", [
    "DELETE FROM trips", "DROP TABLE trips", "CREATE TABLE made AS SELECT 1", "SELECT 1; DROP TABLE trips",
    "SELECT 1; CREATE TABLE made AS SELECT 1", "/* ; */ INSERT INTO trips SELECT * FROM trips -- ;"])
def test_explain_runs_nothing(server, sql):
    assert explain(server, sql)["valid"]
    assert server.value("SELECT count(*) FROM trips") == 5000
    assert server.query("FROM made").status == 404


def test_columns_that_only_a_run_tells_are_not_told(server):
    for sql in ["SELECT * FROM (PIVOT trips ON id USING sum(fare))", "SELECT 1; BEGIN; SELECT 2"] * 4:
        told = explain(server, sql)
        assert told["valid"] and told["plan"] is None and told["columns"] is None, sql


@pytest.mark.parametrize(
    "sql", ["SELECT $1", "SELECT * FROM trips WHERE id = ?", "INSERT INTO trips (id) VALUES ($1)"])
def test_a_statement_with_parameters_has_no_plan_yet(server, sql):
    told = explain(server, sql)
    assert told["valid"] and told["plan"] is None and told["estimated"]["rows"] is None
    assert server.request("POST", "/queries/validate", json.dumps({"sql": sql}), JSON).json["valid"]


def test_estimates_beyond_64_bits_end_there(server):
    endless = "FROM range(9000000000000000000)"
    told = explain(server, f"{endless} UNION ALL {endless}")["estimated"]
    assert told["rows"] > 8 * 10**18 and told["bytes"] == told["scanned_rows"] == 2**63 - 1


def test_explain_takes_what_it_says(server):
    def status(body, type="application/json"):
        return server.request("POST", "/v1/query/explain", body, {"content-type": type}).status

    assert status("{}") == status('{"sql": ""}') == status('{"sql": "SELECT 1", "x": 1}') == 422
    assert status("<sql/>", "application/xml") == 415


def test_catalog(server):
    page = server.request("GET", "/v1/catalog").json
    assert page["default_catalog"] == "memory" and page["next_page_token"] is None
    assert page["catalogs"] == [{"name": "memory", "schemas": ["main", "other.one"]}]
    assert [(t["schema"], t["name"], t["type"]) for t in page["tables"]] == [
        ("main", "cheap", "VIEW"), ("main", "trips", "TABLE"), ("other.one", "a table", "TABLE")]
    trips = page["tables"][1]
    assert trips["estimated_rows"] == 5000 and trips["comment"] == "all of them"
    assert trips["columns"][0] == {"name": "id", "type": "BIGINT", "nullable": False, "default": None,
                                   "comment": None}
    assert trips["columns"][1]["default"] == "1.5"


def test_catalog_pages_and_filters(server):
    names, token = [], ""
    for _ in range(3):
        page = server.request("GET", f"/v1/catalog?limit=1{token}").json
        names += [table["name"] for table in page["tables"]]
        token = f"&page_token={page['next_page_token']}"
    assert names == ["cheap", "trips", "a table"] and page["next_page_token"] is None
    only = server.request("GET", "/v1/catalog?schema=other.one").json["tables"]
    assert [table["name"] for table in only] == ["a table"]
    assert server.request("GET", "/v1/catalog?table=it's").json["tables"] == []
    system = server.request("GET", "/v1/catalog?system=true&catalog=volley").json["tables"]
    assert "queries" in [table["name"] for table in system]
    for wrong in ("page_token=zz", "page_token=61", "limit=0", "limit=x", "system=perhaps", "other=1"):
        assert server.request("GET", f"/v1/catalog?{wrong}").status == 422, wrong


def test_explorer(server):
    told = server.request("GET", "/explorer").json
    assert told["engine"] == "duckdb" and told["total_datasets"] == 2 and told["total_tables"] == 3
    main = told["datasets"][0]
    assert main["dataset_id"] == main["dataset_name"] == "main"
    assert main["tables"][1] == {
        "table_id": "main.trips", "table_name": "trips", "table_type": "TABLE",
        "columns": [{"name": "id", "type": "BIGINT"}, {"name": "fare", "type": "DOUBLE"},
                    {"name": "note", "type": "VARCHAR"}]}
    assert server.request("GET", "/schemas?engine=duckdb").json["datasets"] == told["datasets"]
    assert server.request("GET", "/schemas/main").json == {**main, "next_page_token": None}
    assert server.request("GET", "/schemas/other.one").json["tables"][0]["table_name"] == "a table"
    missing = server.request("GET", "/schemas/nothing")
    assert missing.status == 404 and missing.json["error_code"] == "SCHEMA_NOT_FOUND"
    wrong = server.request("GET", "/explorer?engine=oracle")
    assert wrong.status == 400 and wrong.json["error_code"] == "UNKNOWN_ENGINE"


def test_files(server):
    def paths(parameters=""):
        return server.request("GET", f"/v1/files{parameters}").json

    root = str(server.files)
    page = paths()
    assert [file["path"].removeprefix(root) for file in page["files"]] == [
        "/a.parquet", "/b.csv", "/deep/c.ndjson"]
    assert page["files"][1]["format"] == "csv" and page["files"][1]["size_bytes"] == 4
    first = paths("?limit=1")
    rest = paths(f"?page_token={first['next_page_token']}")
    assert [file["path"] for file in first["files"] + rest["files"]] == [f["path"] for f in page["files"]]
    assert len(paths(f"?prefix={root}/deep")["files"]) == 1
    assert server.value(f"SELECT x FROM '{page['files'][1]['path']}'") == 1


def test_system_views(server):
    rows = server.request("GET", "/v1/system/queries?format=ndjson&limit=2").text.splitlines()
    assert len(rows) == 2 and "sql" in json.loads(rows[0])
    assert server.request("GET", "/v1/system/settings?format=csv").status == 200
    missing = server.request("GET", "/v1/system/querys")
    assert missing.status == 404 and missing.json["nearest"] == "queries"
    assert server.request("GET", "/v1/system/x%22;DROP%20TABLE%20trips;--").status == 404
    assert server.value("SELECT count(*) FROM trips") == 5000


def test_examples_run_as_shown(server):
    examples = server.request("GET", "/v1/examples").json["examples"]
    assert examples
    for example in examples:
        assert server.query(example["sql"]).status == 200, example


def test_names_that_no_table_can_have(server):
    for text in ["%00", "a%00b", "%ff"]:
        refused = server.request("GET", f"/v1/catalog?catalog={text}")
        assert refused.status == 422 and refused.json["errors"][0]["type"] == "string_unicode"
        unknown = server.request("GET", f"/schemas/{text}")
        assert unknown.status == 404 and unknown.json["error_code"] == "SCHEMA_NOT_FOUND"


def test_a_dataset_behind_many_tables_is_found(start_server):
    server = start_server()
    def run(*statements):
        assert server.query(";".join(statements)).status == 200

    run("CREATE SCHEMA many", "CREATE SCHEMA zz", "CREATE TABLE zz.last (x INTEGER)")
    for part in range(0, 2000, 100):
        run(*(f"CREATE TABLE many.t{part + i} (x INTEGER)" for i in range(100)))
    assert server.request("GET", "/schemas/zz").json["tables"][0]["table_name"] == "last"
    first = server.request("GET", "/explorer")
    assert [first.json[total] for total in ("total_datasets", "total_tables")] == [2, 2001]
    assert [len(dataset["tables"]) for dataset in first.json["datasets"]] == [2000]
    link = re.fullmatch(r'<(.*)>; rel="next"', first.headers["link"]).group(1)
    rest = server.request("GET", link)
    assert rest.json["next_page_token"] is None and "link" not in rest.headers
    assert [dataset["dataset_id"] for dataset in rest.json["datasets"]] == ["zz"]


@pytest.mark.parametrize("path", ["/explorer", "/schemas/main"])
def test_the_explorer_page_by_page(server, path):
    def tables(page):
        return [table["table_id"] for dataset in page.get("datasets", [page]) for table in dataset["tables"]]

    whole = server.request("GET", path).json
    assert whole["next_page_token"] is None
    seen, token = [], ""
    while token is not None:
        page = server.request("GET", f"{path}?limit=1{token and '&page_token=' + token}").json
        assert len(tables(page)) == 1
        seen += tables(page)
        token = page["next_page_token"]
    assert seen == tables(whole) and len(seen) >= 2
    for wrong in ("limit=0", "limit=2001", "page_token=zz", "page_token=61.62"):
        refused = server.request("GET", f"{path}?{wrong}")
        assert refused.status == 422 and refused.json["errors"][0]["loc"] == ["query", wrong.split("=")[0]]
