"""The engine clickhouse: jobs and queries over a server that does what the test says, and over chdb.

SPDX-License-Identifier: Apache-2.0
"""
import contextlib
import decimal
import http.client
import io
import json
import os
import pathlib
import random
import subprocess

import pyarrow
import pyarrow.flight
import pyarrow.ipc
import pytest
from clickhouse_service import PASSWORD, USER, ClickHouse, arrow_stream, exception
from harness import Server, wait_until

JSON = {"content-type": "application/json"}
NUMBERS = pyarrow.table({"n": pyarrow.array(range(1000), pyarrow.uint64()),
                         "s": [f"row {i}" for i in range(1000)]})
MEBIBYTE = 1 << 20


@pytest.fixture(scope="module")
def shared(binary, tmp_path_factory):
    clickhouse = ClickHouse()
    # What AddressSanitizer keeps of freed memory is not the server's.
    sanitizer = os.environ.get("ASAN_OPTIONS", "") + ":quarantine_size_mb=16"
    server = Server(binary, tmp_path_factory.mktemp("clickhouse"), clickhouse.flags,
                    {"ASAN_OPTIONS": sanitizer}).wait_ready()
    yield server, clickhouse
    server.stop()
    clickhouse.stop()


@pytest.fixture
def server(shared):
    return shared[0]


@pytest.fixture
def clickhouse(shared):
    yield shared[1]
    shared[1].answers.clear()


@pytest.fixture
def own_clickhouse():
    started = []

    def start(**options):
        started.append(ClickHouse(**options))
        return started[-1]

    yield start
    for service in started:
        service.stop()


def works(server):
    return server.request("GET", "/health").json["engines"]["clickhouse"]


def submit(server, sql, parameters="", **body):
    return server.request("POST", f"/v1/jobs{parameters}",
                          json.dumps({"sql": sql, "engine": "clickhouse", **body}), JSON)


def run_job(server, sql, parameters="", **body):
    """The job, once it is over."""
    response = submit(server, sql, parameters, **body)
    assert response.status in (200, 202), response.text
    job = response.json
    return server.request("GET", f"/v1/jobs/{job['id']}?wait=60").json


def failure(server, sql, **body):
    """Code and text of a job that fails."""
    job = run_job(server, sql, **body)
    assert job["state"] == "failed", job
    return job["error"]["code"], job["error"]["detail"]


def query(server, sql, format="arrow", parameters=""):
    return server.query(sql, format, parameters=f"&engine=clickhouse{parameters}")


def result(server, job):
    response = server.request("GET", job["links"]["result"] + "?format=arrow")
    assert response.status == 200, response.text
    return pyarrow.ipc.open_stream(response.body).read_all()


# --- rows -------------------------------------------------------------------------------------------


def test_a_job_is_one_request_and_its_rows_come_back(server, clickhouse):
    clickhouse.on("plain", NUMBERS)
    sql = "SELECT n, s FROM plain WHERE s <> 'it''s' -- & ? %41"
    job = run_job(server, sql, timeout_ms=90500)
    assert job["state"] == "succeeded" and job["engine"] == "clickhouse" and job["rows"] == 1000
    assert result(server, job).equals(NUMBERS)
    (request,) = clickhouse.asked("plain")
    assert request.sql == sql and request.path == "/"
    assert request.headers["x-clickhouse-user"] == USER
    assert request.headers["x-clickhouse-key"] == PASSWORD
    assert request.wishes == {
        "default_format": "ArrowStream", "query_id": job["id"], "readonly": "2",
        "cancel_http_readonly_queries_on_client_close": "1", "max_execution_time": "91",
        "output_format_arrow_string_as_string": "1", "output_format_arrow_unsupported_types": "text"}


def test_the_older_service_runs_jobs_on_it(server, clickhouse):
    clickhouse.on("older", NUMBERS)
    answer = server.request("POST", "/queries", json.dumps(
        {"sql": "SELECT * FROM older", "engine": "clickhouse", "max_execution_time": 30}), JSON).json
    assert answer["status"] == "queued"
    path = f"/jobs/{answer['job_id']}"
    wait_until(lambda: server.request("GET", path).json["status"] == "completed", what="the end")
    page = server.request("GET", path + "/result?limit=2&offset=998").json
    assert page["result"]["data"] == [{"n": 998, "s": "row 998"}, {"n": 999, "s": "row 999"}]
    assert page["result"]["engine"] == page["execution_stats"]["engine"] == "clickhouse"
    assert page["result"]["columns"] == [{"name": "n", "type": "uint64"},
                                         {"name": "s", "type": "string"}]
    lines = server.request("GET", path + "/result?format=csv").text.splitlines()
    assert lines[0] == "n,s" and lines[-1] == "999,row 999" and len(lines) == 1001
    listed = server.request("GET", "/jobs?engine=clickhouse").json["jobs"]
    assert answer["job_id"] in [job["job_id"] for job in listed]
    assert clickhouse.asked("FROM older")[0].wishes["max_execution_time"] == "30"


def test_queries_are_streamed_at_once(server, clickhouse):
    clickhouse.on("direct", NUMBERS)
    response = query(server, "SELECT * FROM direct")
    assert pyarrow.ipc.open_stream(response.body).read_all().equals(NUMBERS)
    body = json.dumps({"sql": "SELECT * FROM direct", "engine": "clickhouse", "format": "ndjson"})
    response = server.request("POST", "/v1/query", body, JSON)
    assert response.text.splitlines()[0] == '{"n":0,"s":"row 0"}'
    response = server.request("POST", "/v1/query", b"SELECT * FROM direct",
                              {"volley-engine": "clickhouse", "accept": "text/csv"})
    assert response.text.splitlines()[:2] == ["n,s", "0,row 0"]
    assert len(clickhouse.asked("direct")) == 3


def test_types_come_as_they_are_sent(server, clickhouse):
    day = pyarrow.array([19000, None], pyarrow.date32())
    table = pyarrow.table({
        "u8": pyarrow.array([1, None], pyarrow.uint8()), "i64": pyarrow.array([-5, 7]),
        "f32": pyarrow.array([1.5, None], pyarrow.float32()), "f64": [0.1, 2.5],
        "text": ["käse", None], "bytes": [b"\x00\xff", b""], "flag": [True, None], "day": day,
        "seconds": pyarrow.array([1, 2], pyarrow.timestamp("s", "UTC")),
        "nanos": pyarrow.array([1, 2], pyarrow.timestamp("ns", "Europe/Madrid")),
        "price": pyarrow.array([decimal.Decimal("1.50"), None], pyarrow.decimal128(18, 2)),
        "wide": pyarrow.array([decimal.Decimal("1.5"), None], pyarrow.decimal256(60, 1)),
        "list": [[1, 2], []], "map": pyarrow.array([[("a", 1)], []], pyarrow.map_("string", "int64")),
        "tuple": [{"a": 1, "b": "x"}, {"a": 2, "b": None}],
        "fixed": pyarrow.array([b"abc", None], pyarrow.binary(3)),
        "lc": pyarrow.array(["x", "y"]).dictionary_encode(), "none": pyarrow.nulls(2),
    })
    for options in ({}, {"compression": "lz4"}, {"compression": "zstd"}):
        clickhouse.on("types", lambda request, o=options: request.answer(arrow_stream(table, **o)))
        job = run_job(server, "SELECT * FROM types")
        assert job["state"] == "succeeded", job
        assert result(server, job).equals(table)


def test_an_answer_without_rows_has_columns(server, clickhouse):
    clickhouse.on("empty", NUMBERS.slice(0, 0))
    response = query(server, "SELECT * FROM empty")
    assert pyarrow.ipc.open_stream(response.body).read_all().schema.equals(NUMBERS.schema)
    clickhouse.on("nothing", lambda request: request.answer(b""))
    assert run_job(server, "SELECT * FROM nothing")["state"] == "succeeded"


def test_a_row_limit_ends_the_answer(server, clickhouse):
    def endless(request):
        request.begin()
        data = arrow_stream(NUMBERS)[:-8]
        schema = arrow_stream(NUMBERS.slice(0, 0))[:-8]
        request.chunk(data)
        while not request.killed.is_set():
            request.chunk(data[len(schema):])

    clickhouse.on("endless", endless)
    job = run_job(server, "SELECT * FROM endless", "?row-limit=1500")
    assert job["state"] == "succeeded" and job["rows"] == 1500
    assert result(server, job).equals(pyarrow.concat_tables([NUMBERS, NUMBERS.slice(0, 500)]))
    assert clickhouse.asked("endless")[0].wishes["limit"] == "1500"


def test_large_batches_are_cut_to_the_size_of_messages(server, clickhouse):
    table = pyarrow.table({"s": ["x" * 1000] * 20000})
    clickhouse.on("large", table)
    job = run_job(server, "SELECT * FROM large")
    response = server.request("GET", job["links"]["result"] + "?format=arrow")
    reader = pyarrow.ipc.open_stream(response.body)
    batches = list(reader)
    assert pyarrow.Table.from_batches(batches).equals(table)
    assert max(batch.nbytes for batch in batches) < 2 * MEBIBYTE


def test_a_large_result_takes_little_memory(server, clickhouse):
    table = pyarrow.table({"n": pyarrow.array(range(131072), pyarrow.int64())})
    schema = arrow_stream(table.slice(0, 0))[:-8]
    batch = arrow_stream(table)[len(schema):-8]

    def stream(request):
        request.begin()
        request.chunk(schema)
        for _ in range(400):
            request.chunk(batch)
        request.chunk(b"\xff\xff\xff\xff\0\0\0\0")
        request.end()

    clickhouse.on("flood", stream)
    before, most, size = server.resident_bytes(), 0, 0
    connection, response = server.open_request(
        "POST", "/v1/query?engine=clickhouse&format=arrow", b"SELECT * FROM flood")
    while part := response.read(MEBIBYTE):
        size += len(part)
        if size % (16 * MEBIBYTE) < MEBIBYTE:
            most = max(most, server.resident_bytes())
    connection.close()
    assert response.status == 200 and size > 400 * MEBIBYTE
    assert most - before < 200 * MEBIBYTE


def test_nothing_is_cached(server, clickhouse):
    clickhouse.on("twice", NUMBERS)
    jobs = [run_job(server, "SELECT * FROM twice") for _ in range(2)]
    assert len(clickhouse.asked("twice")) == 2
    assert not any(job["from_cache"] for job in jobs)


def test_the_command_line_submits_to_it(server, clickhouse, volley):
    clickhouse.on("command", NUMBERS.slice(0, 2))
    done = volley("job", "submit", "--server", server.http_url, "--engine", "clickhouse", "--wait",
                  "SELECT * FROM command")
    assert done.returncode == 0, done.stderr
    shown = volley("job", "result", "--server", server.flight_url, "--format", "csv",
                   done.stdout.strip())
    assert shown.stdout.splitlines() == ["n,s", "0,row 0", "1,row 1"]
    refused = volley("job", "submit", "--server", server.http_url, "--engine", "oracle", "SELECT 1")
    assert refused.returncode == 4 and "there is no engine 'oracle'" in refused.stderr


def flight_table(client, sql, engine=b"clickhouse"):
    options = pyarrow.flight.FlightCallOptions(headers=[(b"volley-engine", engine)])
    descriptor = pyarrow.flight.FlightDescriptor.for_command(json.dumps({"sql": sql}).encode())
    flight_info = client.get_flight_info(descriptor, options)
    return client.do_get(flight_info.endpoints[0].ticket, options).read_all()


def test_flight_runs_statements_on_it(server, clickhouse):
    clickhouse.on("flown", NUMBERS)
    clickhouse.on("FROM nowhere", lambda request: request.refuse(60, "no table (UNKNOWN_TABLE)", 404))
    with server.flight() as client:
        assert flight_table(client, "SELECT * FROM flown").equals(NUMBERS)
        ticket = pyarrow.flight.Ticket(json.dumps({"sql": "SELECT * FROM flown"}).encode())
        options = pyarrow.flight.FlightCallOptions(headers=[(b"volley-engine", b"clickhouse")])
        assert client.do_get(ticket, options).read_all().equals(NUMBERS)
        with pytest.raises(pyarrow.ArrowKeyError, match="no table"):
            flight_table(client, "SELECT * FROM nowhere")
        with pytest.raises(pyarrow.ArrowInvalid, match="engine takes duckdb or clickhouse"):
            flight_table(client, "SELECT 1", b"oracle")


def test_flight_sql_runs_statements_on_it(server, clickhouse):
    summary = '{"written_rows":"7"}'
    clickhouse.on("by_sql", NUMBERS)
    clickhouse.on("INSERT", lambda request: request.answer(
        b"", headers=[("X-ClickHouse-Summary", summary)]))
    header = "adbc.flight.sql.rpc.call_header.volley-engine"
    with server.adbc(db_kwargs={header: "clickhouse"}) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT * FROM by_sql")
        assert cursor.fetch_arrow_table().equals(NUMBERS)
        assert cursor.adbc_statement.set_sql_query("INSERT INTO t SELECT * FROM by_sql") is None
        assert cursor.adbc_statement.execute_update() == 7
        cursor.adbc_statement.set_sql_query("SELECT * FROM by_sql")
        with pytest.raises(Exception, match="a prepared statement is not for the engine clickhouse"):
            cursor.adbc_statement.prepare()
    assert len(clickhouse.asked("INSERT INTO t SELECT * FROM by_sql")) == 1
    with server.adbc(db_kwargs={header: "clickhouse"}, autocommit=False) as connection:
        with connection.cursor() as cursor:
            with pytest.raises(Exception, match="a transaction is open"):
                cursor.execute("SELECT * FROM by_sql")
        connection.rollback()


# --- statements that change something ---------------------------------------------------------------


def test_an_effect_is_sent_once_and_counted(server, clickhouse):
    summary = '{"read_rows":"7","written_rows":"7","written_bytes":"56","elapsed_ns":"1"}'
    clickhouse.on("INSERT", lambda request: request.answer(
        b"", headers=[("X-ClickHouse-Summary", summary)]))
    answer = query(server, "INSERT INTO t SELECT * FROM counted", "json")
    assert answer.json == {"statement": "update", "rows_changed": 7}
    (request,) = clickhouse.asked("counted")
    assert request.wishes["wait_end_of_query"] == "1" and "readonly" not in request.wishes

    clickhouse.on("INSERT", lambda request: request.reset())
    code, text = failure(server, "/* WITH */ INSERT INTO t SELECT * FROM dropped")
    assert code == "ENGINE_UNAVAILABLE", text
    assert len(clickhouse.asked("dropped")) == 1
    wait_until(lambda: works(server), what="the engine")
    clickhouse.on("CREATE", lambda request: request.answer(b""))
    answer = query(server, "CREATE TABLE t (n Int8) ENGINE = Memory", "json")
    assert answer.json == {"statement": "definition", "rows_changed": None}


def test_rows_of_an_effect_are_no_result(server, clickhouse):
    hosts = pyarrow.table({"host": ["a", "b"], "port": pyarrow.array([1, 2], pyarrow.uint16())})
    clickhouse.on("ON CLUSTER", hosts)
    answer = query(server, "DROP TABLE t ON CLUSTER c", "json")
    assert answer.json == {"statement": "definition", "rows_changed": None}
    job = run_job(server, "DROP TABLE t ON CLUSTER c")
    assert (job["state"], job["rows"], job["bytes"], job["columns"]) == ("succeeded", None, 0, [])
    with server.flight() as client:
        options = pyarrow.flight.FlightCallOptions(headers=[(b"volley-engine", b"clickhouse")])
        ticket = pyarrow.flight.Ticket(json.dumps({"sql": "DROP TABLE t ON CLUSTER c"}).encode())
        batches = [each.data for each in client.do_get(ticket, options)]
    assert sum(batch.num_rows for batch in batches) == 0


def test_a_read_runs_again_after_a_crash(own_clickhouse, start_server, tmp_path):
    clickhouse = own_clickhouse()
    clickhouse.on("crashed", streaming)
    server = start_server(*clickhouse.flags, folder=tmp_path)
    read = submit(server, "SELECT * FROM crashed").json
    effect = submit(server, "INSERT INTO t SELECT * FROM crashed").json
    wait_until(lambda: len(clickhouse.asked("crashed")) == 2, what="the statements")
    server.kill()
    clickhouse.answers.clear()
    clickhouse.on("SELECT * FROM crashed", NUMBERS)
    server = start_server(*clickhouse.flags, folder=tmp_path)
    over = server.request("GET", f"/v1/jobs/{read['id']}?wait=60").json
    assert over["state"] == "succeeded" and over["engine"] == "clickhouse"
    assert result(server, over).equals(NUMBERS)
    over = server.request("GET", f"/v1/jobs/{effect['id']}?wait=60").json
    assert over["state"] == "failed" and over["error"]["code"] == "SERVER_RESTARTED"
    assert len(clickhouse.asked("INSERT")) == 1


# --- what the server refuses ------------------------------------------------------------------------


@pytest.mark.parametrize("code, text, expected", [
    (62, "Syntax error: failed at position 8 ('FRM'): FRM t. (SYNTAX_ERROR)", "QUERY_SYNTAX_ERROR"),
    (60, "Unknown table expression identifier 'gone'. (UNKNOWN_TABLE)", "TABLE_NOT_FOUND"),
    (81, "Database gone does not exist. (UNKNOWN_DATABASE)", "TABLE_NOT_FOUND"),
    (47, "Unknown expression identifier `x`. (UNKNOWN_IDENTIFIER)", "INVALID_SQL"),
    (159, "Timeout exceeded: elapsed 1.1 seconds. (TIMEOUT_EXCEEDED)", "QUERY_TIMEOUT"),
    (241, "Memory limit (total) exceeded. (MEMORY_LIMIT_EXCEEDED)", "RESOURCE_EXHAUSTED"),
    (497, "Not enough privileges. (ACCESS_DENIED)", "PERMISSION_DENIED"),
    (164, "Cannot execute query in readonly mode. (READONLY)", "STATEMENT_NOT_ALLOWED"),
    (57, "Table t already exists. (TABLE_ALREADY_EXISTS)", "ALREADY_EXISTS"),
    (49, "Bad cast. (LOGICAL_ERROR)", "DATABASE_ERROR"),
    (99999, "Something newer. (NEWER)", "INVALID_SQL"),
])
def test_its_codes_are_ours(server, clickhouse, code, text, expected):
    mark = f"SELECT refused{code} FRM t"
    clickhouse.on(mark, lambda request: request.refuse(code, text))
    found, message = failure(server, mark)
    assert found == expected
    assert message == f"ClickHouse: Code: {code}. DB::Exception: {text}"
    assert works(server)


def test_the_place_of_a_syntax_error_is_told(server, clickhouse):
    clickhouse.on("placed", lambda request: request.refuse(62, "Syntax error: failed at position 8"
                                                               " ('FRM'). (SYNTAX_ERROR)", 400))
    answer = query(server, "SELECT FRM placed")
    assert answer.status == 400 and answer.json["position"] == 7


def test_an_exception_behind_rows_is_the_jobs(server, clickhouse):
    rows = arrow_stream(NUMBERS)[:-8]
    text = exception(395, "Value passed to 'throwIf' function is non-zero: while executing."
                          " (FUNCTION_THROW_IF_VALUE_IS_NON_ZERO)")
    tagged = f"\r\n__exception__\r\nabcdefghijklmnop\r\n{text}\r\n151 abcdefghijklmnop\r\n__exception__\r\n"

    def old(request):
        request.begin()
        request.chunk(rows)
        request.chunk(text.encode())
        request.end()

    def new(request):
        request.begin()
        request.chunk(rows[:-100])
        request.chunk(tagged.encode())
        request.cut()

    for name, answer in (("behind_old", old), ("behind_new", new)):
        clickhouse.on(name, answer)
        code, message = failure(server, f"SELECT * FROM {name}")
        assert code == "INVALID_SQL"
        assert message == ("ClickHouse: Code: 395. DB::Exception: Value passed to 'throwIf' function is"
                           " non-zero: while executing. (FUNCTION_THROW_IF_VALUE_IS_NON_ZERO)")
        assert works(server)


def test_an_answer_that_breaks_off_is_no_result(server, clickhouse):
    rows = arrow_stream(NUMBERS)

    def cut(request):
        request.begin()
        request.chunk(rows[:-100])
        request.cut()

    def without_end(request):
        request.answer(rows[:-8])

    for name, answer in (("cut", cut), ("without_end", without_end)):
        clickhouse.on(f"FROM {name}", answer)
        code, message = failure(server, f"SELECT * FROM {name}")
        assert code == "ENGINE_UNAVAILABLE" and "in the middle of the result" in message
    with contextlib.suppress(http.client.IncompleteRead):
        assert query(server, "SELECT * FROM without_end").status == 503


def test_hostile_bytes_fail_the_statement_alone(server, clickhouse):
    rows = bytearray(arrow_stream(NUMBERS, compression="lz4"))
    generator = random.Random(7)
    answers = [b"<html>hello</html>" * 100, b"\xff\xff\xff\xff\xff\xff\xff\x7f", b"\0" * 200000,
               arrow_stream(pyarrow.table({"s": pyarrow.array([b"\xff\xfe"])}).cast(
                   pyarrow.schema([("s", pyarrow.binary())])))]
    for _ in range(40):
        broken = bytearray(rows)
        for _ in range(generator.randrange(1, 12)):
            broken[generator.randrange(len(broken))] = generator.randrange(256)
        answers.append(bytes(broken[:generator.randrange(len(broken))]))
    for number, answer in enumerate(answers):
        clickhouse.on(f"hostile{number} ", lambda request, a=answer: request.answer(a))
        response = query(server, f"SELECT * FROM hostile{number} ", "ndjson")
        assert number == 3 or response.status != 200 or not response.text.endswith("}\n") or \
            len(response.text.splitlines()) < 1000
    code, text = failure(server, "SELECT * FROM hostile0 ")
    assert code == "DATABASE_ERROR" and "cannot be read" in text
    assert works(server)


def test_text_that_is_no_utf8_is_told_with_the_way_out(server, clickhouse):
    table = pyarrow.table({"s": ["aaaa"]})
    broken = arrow_stream(table).replace(b"aaaa", b"a\xff\xfea")
    clickhouse.on("not_text", lambda request: request.answer(broken))
    code, text = failure(server, "SELECT s FROM not_text")
    assert code == "DATABASE_ERROR" and "toValidUTF8()" in text


def test_what_is_not_for_it_is_refused_at_once(server, clickhouse):
    clickhouse.on("FORMAT", lambda request: request.answer(
        b"1\n", headers=[("X-ClickHouse-Format", "CSV")]))
    code, text = failure(server, "SELECT 1 FORMAT CSV")
    assert code == "INVALID_SQL" and "'CSV'; leave FORMAT out" in text
    for parameters in ("?time-zone=Europe/Madrid", "?schema=x", "?views=on", "?timestamp-unit=ms",
                       "?dictionaries=on"):
        refused = submit(server, "SELECT 2", parameters)
        assert refused.status == 422 and refused.json["code"] == "VALIDATION_ERROR", refused.text
        assert query(server, "SELECT 2", parameters="&" + parameters[1:]).status == 422
    for text in ("  -- only a comment", "()", "/* open"):
        assert submit(server, text).json["code"] == "QUERY_SYNTAX_ERROR"


# --- stop -------------------------------------------------------------------------------------------


def streaming(request):
    request.begin()
    request.chunk(arrow_stream(NUMBERS)[:-8])
    request.wait_for_kill()


def test_a_cancelled_job_stops_on_the_server(server, clickhouse):
    clickhouse.on("stream_cancel", streaming)
    job = submit(server, "SELECT * FROM stream_cancel").json
    wait_until(lambda: server.request("GET", f"/v1/jobs/{job['id']}").json["rows"] == 1000,
               what="the first rows")
    assert server.request("DELETE", f"/jobs/{job['id']}").json["status"] == "cancelled"
    wait_until(lambda: job["id"] in clickhouse.kills, what="KILL QUERY")
    assert server.request("GET", f"/v1/jobs/{job['id']}").json["state"] == "cancelled"
    wait_until(lambda: not server.running("stream_cancel"), what="the thread")


def test_a_timeout_stops_it(server, clickhouse):
    clickhouse.on("stream_timeout", streaming)
    job = run_job(server, "SELECT * FROM stream_timeout", timeout_ms=500)
    assert job["state"] == "failed" and job["error"]["code"] == "QUERY_TIMEOUT"
    # On a busy machine the time may be over before the statement is sent.
    wait_until(lambda: job["id"] in clickhouse.kills or not clickhouse.asked("stream_timeout"),
               what="KILL QUERY")


def test_a_client_that_leaves_stops_its_query(server, clickhouse):
    clickhouse.on("stream_leave", streaming)
    connection, response = server.open_request(
        "POST", "/v1/query?engine=clickhouse&format=ndjson", b"SELECT * FROM stream_leave")
    assert response.readline() == b'{"n":0,"s":"row 0"}\n'
    response.close()
    connection.close()
    wait_until(lambda: clickhouse.asked("stream_leave")[0].wishes["query_id"] in clickhouse.kills,
               what="KILL QUERY")


def test_a_shutdown_ends_what_runs(own_clickhouse, start_server):
    clickhouse = own_clickhouse()
    clickhouse.on("shut", streaming)
    server = start_server(*clickhouse.flags)
    job = submit(server, "SELECT * FROM shut").json
    wait_until(lambda: clickhouse.asked("shut"), what="the statement")
    server.stop()
    wait_until(lambda: job["id"] in clickhouse.kills, what="KILL QUERY")


# --- whether it is there ----------------------------------------------------------------------------


def test_without_a_host_there_is_no_such_engine(start_server):
    server = start_server()
    assert not works(server)
    assert server.request("GET", "/").json["available_engines"] == ["duckdb"]
    refused = submit(server, "SELECT 1")
    assert refused.status == 400 and refused.json["code"] == "UNKNOWN_ENGINE"
    assert "clickhouse-host" in refused.json["detail"]
    assert query(server, "SELECT 1").json["code"] == "UNKNOWN_ENGINE"


def test_one_that_is_down_is_refused_and_used_when_it_comes_back(own_clickhouse, start_server):
    clickhouse = own_clickhouse()
    clickhouse.on("back", NUMBERS)
    clickhouse.stop()
    server = start_server(*clickhouse.flags)

    def refused():
        return server.request("POST", "/queries", json.dumps(
            {"sql": "SELECT * FROM back", "engine": "clickhouse"}), JSON)

    answer = wait_until(lambda: (found := refused()).status == 503 and found, what="a refusal")
    assert answer.json["error_code"] == "ENGINE_UNAVAILABLE"
    assert "clickhouse-host" in answer.json["detail"]
    health = server.request("GET", "/health")
    assert health.status == 200 and health.json["engines"] == {"duckdb": True, "clickhouse": False}
    assert server.request("GET", "/status").json["engines"]["clickhouse"] == "error"
    assert server.metrics()['volley_engine_up{engine="clickhouse"}'] == 0
    assert server.value("SELECT 7") == 7

    for _ in range(2):
        clickhouse.start()
        wait_until(lambda: works(server), what="the engine")
        assert server.request("GET", "/status").json["engines"]["clickhouse"] == "available"
        assert run_job(server, "SELECT * FROM back")["rows"] == 1000
        assert server.metrics()['volley_engine_up{engine="clickhouse"}'] == 1
        clickhouse.stop()
        answer = query(server, "SELECT * FROM back")
        assert answer.status == 503 and answer.json["code"] == "ENGINE_UNAVAILABLE"
        assert not works(server)


def test_a_job_that_finds_it_gone_fails_with_the_reason(own_clickhouse, start_server):
    clickhouse = own_clickhouse()
    server = start_server(*clickhouse.flags, "--query-slots", "1")
    wait_until(lambda: works(server), what="the engine")
    clickhouse.on("holding", streaming)
    first = submit(server, "SELECT * FROM holding").json
    wait_until(lambda: clickhouse.asked("holding"), what="the statement")
    second = submit(server, "SELECT * FROM later").json
    clickhouse.stop()
    for job in (first, second):
        over = server.request("GET", f"/v1/jobs/{job['id']}?wait=60").json
        assert over["state"] == "failed" and over["error"]["code"] == "ENGINE_UNAVAILABLE", over


def test_a_wrong_password_is_told_with_its_settings(own_clickhouse, start_server, tmp_path):
    clickhouse = own_clickhouse()
    clickhouse.on("secret", NUMBERS)
    clickhouse.login = ("ann", "pa ss:wörd")
    server = start_server(*clickhouse.flags, env={"CLICKHOUSE_USER": "ann"})
    answer = wait_until(lambda: (found := submit(server, "SELECT 1")).status == 503 and found,
                        what="a refusal")
    assert answer.json["code"] == "ENGINE_UNAVAILABLE"
    assert "'ann'" in answer.json["detail"] and "clickhouse-password" in answer.json["detail"]
    server.stop()
    password = tmp_path / "password"
    password.write_text("pa ss:wörd\n")
    server = start_server(env={
        "CLICKHOUSE_HOST": "127.0.0.1", "CLICKHOUSE_PORT": str(clickhouse.port),
        "CLICKHOUSE_USER": "ann", "CLICKHOUSE_PASSWORD_FILE": str(password)})
    assert run_job(server, "SELECT * FROM secret")["rows"] == 1000
    server.stop()
    server = start_server(env={
        "CLICKHOUSE_HOST": "127.0.0.1", "CLICKHOUSE_PORT": str(clickhouse.port),
        "CLICKHOUSE_USER": "ann", "CLICKHOUSE_PASSWORD": "pa ss:wörd"})
    assert run_job(server, "SELECT * FROM secret")["rows"] == 1000
    assert "wörd" not in server.log and "wörd" not in server.request(
        "GET", "/v1/system/settings?format=csv").text


def test_tls_is_verified(own_clickhouse, start_server, certificates):
    clickhouse = own_clickhouse(certificate=certificates.server)
    clickhouse.on("sealed", NUMBERS)
    server = start_server(*clickhouse.flags, "--clickhouse-tls", "--clickhouse-ca-file",
                          str(certificates.ca.path))
    assert run_job(server, "SELECT * FROM sealed")["rows"] == 1000
    server.stop()
    server = start_server(*clickhouse.flags, "--clickhouse-tls", "--clickhouse-ca-file",
                          str(certificates.other_ca.path))
    answer = wait_until(lambda: (found := submit(server, "SELECT 1")).status == 503 and found,
                        what="a refusal")
    assert "certificate" in answer.json["detail"]


def test_an_old_server_is_told_to_be_one(own_clickhouse, start_server):
    clickhouse = own_clickhouse(version="18.16.1", formats=("TabSeparated", "Native"))
    server = start_server(*clickhouse.flags)
    answer = wait_until(lambda: (found := submit(server, "SELECT 1")).status == 503 and found,
                        what="a refusal")
    assert "too old" in answer.json["detail"] and "22.6" in answer.json["detail"]


def test_what_answers_there_may_be_something_else(own_clickhouse, start_server):
    clickhouse = own_clickhouse()
    clickhouse.serve = lambda request: request.answer(b"<html>nginx</html>", 404, [])
    server = start_server(*clickhouse.flags)
    answer = wait_until(lambda: (found := submit(server, "SELECT 1")).status == 503 and found,
                        what="a refusal")
    assert "is no ClickHouse: HTTP status 404, '<html>nginx</html>'" in answer.json["detail"]


@pytest.mark.parametrize("readonly, sent", [("1", set()), ("2", {"limit", "max_execution_time"})])
def test_settings_that_may_not_be_changed_are_not_sent(own_clickhouse, start_server, readonly, sent):
    clickhouse = own_clickhouse(settings={"readonly": readonly})
    clickhouse.on("quiet", NUMBERS)
    server = start_server(*clickhouse.flags)
    job = run_job(server, "SELECT * FROM quiet", "?row-limit=10")
    assert job["state"] == "succeeded" and job["rows"] == 10
    wishes = set(clickhouse.asked("quiet")[0].wishes)
    assert "readonly" not in wishes and sent == wishes & {"limit", "max_execution_time"}


@pytest.mark.parametrize("host", ["http://ch.example.org", "ch.example.org/x", "a b"])
def test_a_host_is_no_url(volley, host):
    refused = volley("serve", "--data-dir", "none", "--flight-addr", "127.0.0.1:0", "--http-addr",
                     "127.0.0.1:0", "--clickhouse-host", host)
    assert refused.returncode != 0 and "clickhouse-host takes a name" in refused.stderr


def test_a_read_only_server_sends_no_effects(own_clickhouse, start_server, tmp_path, volley):
    clickhouse = own_clickhouse()
    clickhouse.on("plain", NUMBERS)
    database = tmp_path / "own.db"
    start_server("--database", str(database)).stop()
    server = start_server(*clickhouse.flags, "--read-only", "--database", str(database))
    assert run_job(server, "SELECT * FROM plain")["rows"] == 1000
    refused = submit(server, "INSERT INTO plain VALUES (1)")
    assert refused.status == 403 and refused.json["code"] == "STATEMENT_NOT_ALLOWED"


# --- what is told of it -----------------------------------------------------------------------------


def test_the_explorer_asks_it(server, clickhouse):
    columns = pyarrow.list_(pyarrow.struct([("name", "string"), ("type", "string")]))
    tables = pyarrow.list_(pyarrow.struct([
        ("table_id", "string"), ("table_name", "string"), ("table_type", "string"),
        ("columns", columns)]))
    datasets = pyarrow.list_(pyarrow.struct([
        ("dataset_id", "string"), ("dataset_name", "string"), ("tables", tables)]))
    answer = pyarrow.table({
        "datasets": pyarrow.array([[{
            "dataset_id": "sales", "dataset_name": "sales",
            "tables": [{"table_id": "sales.orders", "table_name": "orders",
                        "table_type": "BASE TABLE",
                        "columns": [{"name": "id", "type": "UInt64"}]}]}]], datasets),
        "total_tables": pyarrow.array([7], pyarrow.uint64()),
        "total_datasets": pyarrow.array([2], pyarrow.uint64()),
        "next_page_token": ["73616C6573.6F7264657273"]})
    clickhouse.on("system.tables", answer)
    told = server.request("GET", "/explorer?engine=clickhouse&limit=1").json
    assert told["engine"] == "clickhouse"
    assert (told["total_datasets"], told["total_tables"]) == (2, 7)
    token = told["next_page_token"]
    server.request("GET", f"/explorer?engine=clickhouse&limit=1&page_token={token}")
    wrong = server.request("GET", "/explorer?engine=clickhouse&page_token=xyz")
    assert wrong.status == 422 and wrong.json["error_code"] == "VALIDATION_ERROR"
    assert told["datasets"][0]["tables"][0]["columns"] == [{"name": "id", "type": "UInt64"}]
    one = server.request("GET", "/schemas/it's%20%7Bx%7D?engine=clickhouse").json
    assert one["dataset_id"] == "sales"
    first, second, third = clickhouse.asked("system.tables")[-3:]
    assert first.sql == second.sql == third.sql and first.wishes["param_dataset"] == ""
    assert first.wishes["param_tables_max"] == "1" and first.wishes["param_after_table"] == ""
    assert second.wishes["param_after_dataset"] == "sales"
    assert second.wishes["param_after_table"] == "orders"
    assert third.wishes["param_dataset"] == "it's {x}"


def test_statements_are_validated_by_it(server, clickhouse):
    def validate(sql):
        return server.request("POST", "/queries/validate",
                              json.dumps({"sql": sql, "engine": "clickhouse"}), JSON)

    estimate = pyarrow.table({"database": ["sales"], "table": ["orders"],
                              "rows": pyarrow.array([50000], pyarrow.uint64())})
    clickhouse.on("EXPLAIN ESTIMATE SELECT * FROM orders", estimate)
    told = validate("SELECT * FROM orders").json
    assert told["valid"] and told["estimated_rows_scanned"] == 50000
    assert told["affected_tables"] == ["sales.orders"] and told["errors"] == []
    clickhouse.on("FROM missing", lambda request: request.refuse(
        60, "Unknown table expression identifier 'missing'. (UNKNOWN_TABLE)", 404))
    told = validate("SELECT * FROM missing").json
    assert not told["valid"] and "'missing'" in told["errors"][0]
    clickhouse.on("EXPLAIN AST INSERT", pyarrow.table({"explain": ["InsertQuery"]}))
    assert validate("INSERT INTO orders VALUES (1)").json["valid"]
    explained = server.request("POST", "/v1/query/explain", json.dumps(
        {"sql": "SELECT * FROM orders", "engine": "clickhouse"}), JSON).json
    assert explained["valid"] and explained["tables"] == ["sales.orders"]
    assert explained["estimated"]["scanned_rows"] == 50000 and explained["plan"] is None
    clickhouse.on("SELEC", lambda request: request.refuse(
        62, "Syntax error: failed at position 18 ('SELEC'). (SYNTAX_ERROR)", 400))
    explained = server.request("POST", "/v1/query/explain", json.dumps(
        {"sql": "SELEC 1", "engine": "clickhouse"}), JSON).json
    assert not explained["valid"] and explained["error"]["code"] == "QUERY_SYNTAX_ERROR"
    assert explained["error"]["position"] == 5
    clickhouse.on("FROM busy", lambda request: request.refuse(210, "Broken. (NETWORK_ERROR)"))
    assert validate("SELECT * FROM busy").status == 503


def test_the_plan_of_a_job_is_its_own(server, clickhouse):
    clickhouse.on("planned", NUMBERS)
    clickhouse.on("EXPLAIN SELECT * FROM planned",
                  pyarrow.table({"explain": ["Expression", "  ReadFromMergeTree"]}))
    job = run_job(server, "SELECT * FROM planned;")
    told = server.request("GET", f"/jobs/{job['id']}/result?limit=1").json
    assert told["result"]["query_plan"] == "Expression\n  ReadFromMergeTree"


def test_metrics_tell_the_engine(server, clickhouse):
    clickhouse.on("measured", NUMBERS)
    name = 'query_duration_seconds_count{engine="clickhouse",type="query"}'
    before = server.metrics()[name]
    run_job(server, "SELECT * FROM measured")
    assert server.metrics()[name] > before


# --- a real engine ----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def chdb_server(binary, tmp_path_factory):
    python = os.environ.get("VOLLEY_CHDB_PYTHON")
    if not python:
        pytest.skip("VOLLEY_CHDB_PYTHON names no Python with chdb")
    script = pathlib.Path(__file__).with_name("clickhouse_chdb.py")
    with subprocess.Popen([python, script], stdout=subprocess.PIPE, text=True) as process:
        port = process.stdout.readline().strip()
        server = Server(binary, tmp_path_factory.mktemp("chdb"),
                        ("--clickhouse-host", "localhost", "--clickhouse-port", port)).wait_ready()
        yield server
        server.stop()
        process.kill()


def test_todays_engine_is_understood(chdb_server):
    server = chdb_server
    table = pyarrow.ipc.open_stream(io.BytesIO(query(server, """
        SELECT number AS n, toString(number) AS s, toNullable(number) AS maybe, [number] AS list,
               map('k', number) AS map, (number, 'x') AS pair, toDecimal64(1.5, 3) AS price,
               toDate('2026-01-02') AS day, toDateTime64('2026-01-02 03:04:05.678', 3, 'UTC') AS at,
               toLowCardinality('lc') AS lc, generateUUIDv4() AS id, true AS flag
        FROM numbers(100000)""").body)).read_all()
    assert table.num_rows == 100000 and table["s"][99999].as_py() == "99999"
    assert table.schema.field("s").type == pyarrow.string()
    assert table["at"][0].as_py().isoformat() == "2026-01-02T03:04:05.678000+00:00"
    assert failure(server, "SELEC 1")[0] == "QUERY_SYNTAX_ERROR"
    assert failure(server, "SELECT * FROM nowhere")[0] == "TABLE_NOT_FOUND"
    assert failure(server, "SELECT sleepEachRow(1) FROM numbers(3)", timeout_ms=1000)[0] == "QUERY_TIMEOUT"
    assert run_job(server, "SELECT number FROM numbers(100)", "?row-limit=5")["rows"] == 5
    for sql in ("CREATE DATABASE sales", "CREATE TABLE sales.orders (id UInt64, who String) ENGINE ="
                " MergeTree ORDER BY id", "INSERT INTO sales.orders SELECT number, 'x' FROM numbers(9)"):
        assert run_job(server, sql)["state"] == "succeeded"
    assert run_job(server, "CREATE VIEW sales.big AS SELECT id FROM sales.orders")["error"] is None
    told = server.request("GET", "/explorer?engine=clickhouse").json
    orders = {"table_id": "sales.orders", "table_name": "orders", "table_type": "BASE TABLE",
              "columns": [{"name": "id", "type": "UInt64"}, {"name": "who", "type": "String"}]}
    big = {"table_id": "sales.big", "table_name": "big", "table_type": "VIEW",
           "columns": [{"name": "id", "type": "UInt64"}]}
    assert told["datasets"] == [
        {"dataset_id": "sales", "dataset_name": "sales", "tables": [big, orders]}]
    assert (told["total_datasets"], told["total_tables"]) == (1, 2)
    assert told["next_page_token"] is None
    pages, token = [], ""
    while token is not None:
        page = server.request("GET", f"/schemas/sales?engine=clickhouse&limit=1{token}").json
        pages += page["tables"]
        token = page["next_page_token"] and f"&page_token={page['next_page_token']}"
    assert pages == [big, orders]
    assert server.request("GET", "/schemas/gone?engine=clickhouse").status == 404
    told = server.request("POST", "/queries/validate", json.dumps(
        {"sql": "SELECT * FROM sales.orders", "engine": "clickhouse"}), JSON).json
    assert told["valid"] and told["estimated_rows_scanned"] == 9
