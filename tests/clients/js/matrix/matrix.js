// The features of a Flight SQL server through grpc-js: proto files read at run time, rows by apache-arrow.
//
// usage: node matrix.js ADDRESS
//
// flight.proto, flight_sql.proto and what they import lie beside this file. Runs every case and prints one JSON object for each:
// the client, the feature of tests/integration/client_matrix.py that it belongs to, its name, and what was
// wrong, if anything. The last line tells how many there were, so that a crash is not taken for success.
//
// SPDX-License-Identifier: Apache-2.0
"use strict";
const assert = require("assert");
const path = require("path");
const arrow = require("apache-arrow");
const grpc = require("@grpc/grpc-js");
const loader = require("@grpc/proto-loader");
const protobuf = require("protobufjs");

const CASE_LIMIT_MS = 30000;
const COMPUTING =
  "SELECT count(*) AS n FROM range(3000000) a(i), range(3000000) b(i) WHERE a.i * b.i % 7 = 3";
const files = ["flight.proto", "flight_sql.proto"].map((name) => path.join(__dirname, name));
const options = { keepCase: true, longs: Number, enums: String, defaults: true, oneofs: true };
const definition = loader.loadSync(files, { ...options, includeDirs: [__dirname] });
const { FlightService } = grpc.loadPackageDefinition(definition).arrow.flight.protocol;
const root = new protobuf.Root();
root.resolvePath = (_, target) => (path.isAbsolute(target) ? target : path.join(__dirname, target));
root.loadSync([...files, path.join(__dirname, "any.proto")], { keepCase: true });

const SQL = "arrow.flight.protocol.sql.";
const ANY = root.lookupType("google.protobuf.Any");

function encode(name, message) {
  const type = root.lookupType(name);
  return Buffer.from(type.encode(type.fromObject(message)).finish());
}

function decode(name, bytes) {
  const type = root.lookupType(name);
  return type.toObject(type.decode(bytes), { longs: Number, enums: String, defaults: true });
}

/** A Flight SQL message as the Any that travels in descriptors and actions. */
function command(name, message) {
  const value = encode(SQL + name, message);
  return Buffer.from(
    ANY.encode(ANY.fromObject({ type_url: `type.googleapis.com/${SQL}${name}`, value })).finish());
}

/** The message inside an Any. */
function unpack(name, bytes) {
  return decode(SQL + name, ANY.decode(bytes).value);
}

/** An encapsulated IPC message: its header with the length before it. */
function framed(header, body) {
  const padded = (header.length + 7) & ~7;
  const start = Buffer.alloc(8 + padded);
  start.writeUInt32LE(0xffffffff, 0);
  start.writeUInt32LE(padded, 4);
  header.copy(start, 8);
  return Buffer.concat([start, body]);
}

/** A table as FlightData messages; the first one carries the descriptor. */
function flightData(table, descriptor) {
  const stream = Buffer.from(arrow.tableToIPC(table, "stream"));
  const messages = [];
  for (let at = 0; at + 8 <= stream.length;) {
    const length = stream.readInt32LE(at + 4);
    if (length === 0) break;
    const header = stream.subarray(at + 8, at + 8 + length);
    const bodyLength = Number(arrow.Message.decode(header).bodyLength);
    at += 8 + length;
    messages.push({ data_header: header, data_body: stream.subarray(at, at + bodyLength) });
    at += bodyLength;
  }
  messages[0].flight_descriptor = descriptor;
  return messages;
}

class Client {
  constructor(address) {
    this.stub = new FlightService(address, grpc.credentials.createInsecure());
    this.metadata = new grpc.Metadata();
  }

  close() {
    this.stub.close();
  }

  unary(method, request) {
    return new Promise((resolve, reject) => {
      this.stub[method](request, this.metadata, (error, answer) => (error ? reject(error) : resolve(answer)));
    });
  }

  /** All messages of a server stream. */
  async stream(method, request) {
    const messages = [];
    for await (const message of this.stub[method](request, this.metadata)) messages.push(message);
    return messages;
  }

  info(name, message) {
    return this.unary("GetFlightInfo", { type: "CMD", cmd: command(name, message) });
  }

  /** Every endpoint's rows as one table. */
  async table(info) {
    const parts = [];
    for (const endpoint of info.endpoint) {
      const messages = await this.stream("DoGet", endpoint.ticket);
      parts.push(...messages.filter((message) => message.data_header.length)
        .map((message) => framed(message.data_header, message.data_body)));
    }
    return arrow.tableFromIPC(Buffer.concat(parts));
  }

  async rows(info) {
    const table = await this.table(info);
    return table.toArray().map((row) => table.schema.fields.map((field) => String(row[field.name])).join("|"));
  }

  async query(sql, transaction) {
    const message = { query: sql, ...(transaction ? { transaction_id: transaction } : {}) };
    return this.rows(await this.info("CommandStatementQuery", message));
  }

  /** A DoPut of these messages; the first answer's metadata. */
  put(messages) {
    return new Promise((resolve, reject) => {
      const call = this.stub.DoPut(this.metadata);
      let first;
      call.on("data", (answer) => { first ??= answer.app_metadata; });
      call.on("error", reject);
      call.on("end", () => resolve(first));
      for (const message of messages) call.write(message);
      call.end();
    });
  }

  async counted(messages) {
    return decode(SQL + "DoPutUpdateResult", await this.put(messages)).record_count;
  }

  update(sql, transaction) {
    const message = { query: sql, ...(transaction ? { transaction_id: transaction } : {}) };
    const cmd = command("CommandStatementUpdate", message);
    return this.counted([{ flight_descriptor: { type: "CMD", cmd } }]);
  }

  action(type, body) {
    return this.stream("DoAction", { type, body });
  }

  async prepare(sql) {
    const [answer] = await this.action(
      "CreatePreparedStatement", command("ActionCreatePreparedStatementRequest", { query: sql }));
    return unpack("ActionCreatePreparedStatementResult", answer.body);
  }

  closePrepared(handle) {
    return this.action("ClosePreparedStatement",
      command("ActionClosePreparedStatementRequest", { prepared_statement_handle: handle }));
  }
}

function rowsFrom(first, count) {
  const numbers = Array.from({ length: count }, (_, i) => BigInt(first + i));
  const texts = numbers.map((i) => (i % 10n === 9n ? null : `row ${i}`));
  return new arrow.Table({
    i: arrow.vectorFromArray(numbers, new arrow.Int64()),
    s: arrow.vectorFromArray(texts, new arrow.Utf8()),
  });
}

async function fails(promise, code, word) {
  try {
    await promise;
  } catch (error) {
    assert.strictEqual(error.code, code, error.message);
    assert.ok(error.details.includes(word), `no ${word} in: ${error.details}`);
    return;
  }
  assert.fail(`no error, where one with ${word} was due`);
}

async function connect(client) {
  const basic = Buffer.from("anyone:any:thing").toString("base64");
  client.metadata.set("authorization", `Basic ${basic}`);
  const call = client.stub.Handshake(client.metadata);
  const headers = new Promise((resolve) => { call.on("metadata", resolve); });
  call.on("data", () => {});
  call.on("error", () => {});
  call.end();
  const [bearer] = (await headers).get("authorization");
  assert.match(bearer, /^Bearer /);
  client.metadata.set("authorization", bearer);
  assert.deepStrictEqual(await client.query("SELECT 1 AS one"), ["1"]);
}

async function queries(client) {
  const info = await client.info("CommandStatementQuery", { query: "SELECT i, 'v' || i AS s FROM range(3) t(i)" });
  for (let i = 0; i < 2; i++) assert.deepStrictEqual(await client.rows(info), ["0|v0", "1|v1", "2|v2"]);
  const table = await client.table(await client.info("CommandStatementQuery", {
    query: "SELECT 1::INTEGER AS i, 2.5::DOUBLE AS d, true AS b, DATE '2024-02-29' AS day, [1, 2] AS list,"
      + " TIMESTAMP '2024-02-29 12:34:56' AS ts, 12.34::DECIMAL(10, 2) AS n, 'x'::BLOB AS y, NULL::VARCHAR AS z" }));
  assert.deepStrictEqual(table.schema.fields.map((field) => String(field.type)), ["Int32", "Float64", "Bool",
    "Date32<DAY>", "List<Int32>", "Timestamp<MICROSECOND>", "Decimal[10e+2]", "Binary", "Utf8"]);
  const [row] = table.toArray();
  assert.strictEqual(row.d, 2.5);
  assert.strictEqual(row.z, null);
  const empty = await client.table(await client.info("CommandStatementQuery", { query: "SELECT 1 AS a WHERE false" }));
  assert.deepStrictEqual([empty.numRows, empty.schema.fields[0].name], [0, "a"]);
}

async function updates(client) {
  await client.update("CREATE OR REPLACE TABLE js_update (i INTEGER, s VARCHAR)");
  assert.strictEqual(await client.update("INSERT INTO js_update VALUES (1, 'a'), (2, 'b')"), 2);
  assert.strictEqual(await client.update("UPDATE js_update SET s = 'z' WHERE i > 1"), 1);
  assert.strictEqual(await client.update("DELETE FROM js_update"), 2);
  await client.update("DROP TABLE js_update");
}

function bound(name, handle, table) {
  const cmd = command(name, { prepared_statement_handle: handle });
  return flightData(table, { type: "CMD", cmd });
}

async function parameters(client) {
  const statement = await client.prepare("SELECT ?::BIGINT + 1 AS n, ?::VARCHAR AS s");
  const schema = arrow.tableFromIPC(statement.parameter_schema).schema;
  assert.deepStrictEqual(schema.fields.map((field) => String(field.type)), ["Int64", "Utf8"]);
  let handle = statement.prepared_statement_handle;
  for (let start = 0; start < 3; start++) {
    const answer = await client.put(bound("CommandPreparedStatementQuery", handle, rowsFrom(start, 1)));
    const next = answer && decode(SQL + "DoPutPreparedStatementResult", answer).prepared_statement_handle;
    if (next?.length) handle = next;
    const info = await client.info("CommandPreparedStatementQuery", { prepared_statement_handle: handle });
    assert.deepStrictEqual(await client.rows(info), [`${start + 1}|row ${start}`]);
  }
  await client.closePrepared(handle);
}

async function boundUpdate(client, count) {
  const table = `js_bound_${count}`;
  await client.update(`CREATE OR REPLACE TABLE ${table} (i BIGINT, s VARCHAR)`);
  const { prepared_statement_handle: handle } = await client.prepare(`INSERT INTO ${table} VALUES (?, ?)`);
  for (let round = 0; round < 2; round++) {
    const messages = bound("CommandPreparedStatementUpdate", handle, rowsFrom(0, count));
    assert.strictEqual(await client.counted(messages), count);
  }
  await client.closePrepared(handle);
  const sums = await client.query(`SELECT count(*), count(*) - count(s) FROM ${table}`);
  assert.deepStrictEqual(sums, [`${2 * count}|${2 * Math.floor(count / 10)}`]);
}

async function ingest(client) {
  await client.update("DROP TABLE IF EXISTS js_ingest");
  const put = (absent, present, count) => {
    const cmd = command("CommandStatementIngest", { table: "js_ingest", table_definition_options: {
      if_not_exist: `TABLE_NOT_EXIST_OPTION_${absent}`, if_exists: `TABLE_EXISTS_OPTION_${present}` } });
    return client.counted(flightData(rowsFrom(0, count), { type: "CMD", cmd }));
  };
  await fails(put("FAIL", "APPEND", 1), grpc.status.NOT_FOUND, "js_ingest");
  assert.strictEqual(await put("CREATE", "FAIL", 100), 100);
  await fails(put("CREATE", "FAIL", 1), grpc.status.ALREADY_EXISTS, "js_ingest");
  assert.strictEqual(await put("FAIL", "APPEND", 10), 10);
  assert.deepStrictEqual(await client.query("SELECT count(*), count(s) FROM js_ingest"), ["110|99"]);
  assert.strictEqual(await put("CREATE", "REPLACE", 5), 5);
  assert.deepStrictEqual(await client.query("SELECT count(*) FROM js_ingest"), ["5"]);
}

async function transactions(client) {
  await client.update("CREATE OR REPLACE TABLE js_tx (i INTEGER)");
  for (const [end, count] of [["ROLLBACK", "0"], ["COMMIT", "1"]]) {
    const [answer] = await client.action("BeginTransaction", command("ActionBeginTransactionRequest", {}));
    const { transaction_id: id } = unpack("ActionBeginTransactionResult", answer.body);
    assert.strictEqual(await client.update("INSERT INTO js_tx VALUES (1)", id), 1);
    assert.deepStrictEqual(await client.query("SELECT count(*) FROM js_tx", id), ["1"]);
    await client.action("EndTransaction", command("ActionEndTransactionRequest",
      { transaction_id: id, action: `END_TRANSACTION_${end}` }));
    assert.deepStrictEqual(await client.query("SELECT count(*) FROM js_tx"), [count]);
  }
}

async function metadata(client) {
  await client.update("CREATE SCHEMA IF NOT EXISTS js_meta");
  await client.update("DROP TABLE IF EXISTS js_meta.child");
  await client.update("CREATE OR REPLACE TABLE js_meta.parent (a INTEGER PRIMARY KEY)");
  await client.update("CREATE TABLE js_meta.child (i BIGINT, a INTEGER REFERENCES js_meta.parent (a))");
  const rows = async (name, message) => client.rows(await client.info(name, message));
  assert.ok((await rows("CommandGetCatalogs", {})).includes("memory"));
  assert.deepStrictEqual(await rows("CommandGetDbSchemas", { db_schema_filter_pattern: "js_meta" }),
    ["memory|js_meta"]);
  assert.ok((await rows("CommandGetTableTypes", {})).includes("TABLE"));
  assert.deepStrictEqual(await rows("CommandGetTables", { db_schema_filter_pattern: "js_meta" }),
    ["memory|js_meta|child|TABLE", "memory|js_meta|parent|TABLE"]);
  const tables = await client.table(await client.info("CommandGetTables",
    { db_schema_filter_pattern: "js_meta", table_name_filter_pattern: "child", include_schema: true }));
  const schema = arrow.tableFromIPC(tables.getChild("table_schema").get(0)).schema;
  assert.deepStrictEqual(schema.fields.map((field) => `${field.name} ${field.type}`), ["i Int64", "a Int32"]);
  assert.match((await rows("CommandGetPrimaryKeys", { db_schema: "js_meta", table: "parent" }))[0], /js_meta\|parent\|a/);
  assert.match((await rows("CommandGetExportedKeys", { db_schema: "js_meta", table: "parent" }))[0], /js_meta\|child\|a/);
  assert.match((await rows("CommandGetImportedKeys", { db_schema: "js_meta", table: "child" }))[0], /js_meta\|parent\|a/);
  assert.match((await rows("CommandGetCrossReference", { pk_db_schema: "js_meta", pk_table: "parent",
    fk_db_schema: "js_meta", fk_table: "child" }))[0], /js_meta\|parent\|a/);
  assert.ok((await rows("CommandGetXdbcTypeInfo", {})).length > 10);
  assert.deepStrictEqual(await rows("CommandGetSqlInfo", { info: [0] }), ["0|Volley"]);
  assert.ok((await rows("CommandGetSqlInfo", {})).length > 50);
}

async function cancel(client) {
  const info = await client.info("CommandStatementQuery", { query: "SELECT i FROM range(1000000000) t(i)" });
  const call = client.stub.DoGet(info.endpoint[0].ticket, client.metadata);
  const ended = new Promise((resolve) => { call.on("status", resolve); });
  call.on("error", () => {});
  await new Promise((resolve) => { call.once("data", resolve); });
  const body = encode("arrow.flight.protocol.CancelFlightInfoRequest", { info });
  const [answer] = await client.action("CancelFlightInfo", body);
  const { status } = decode("arrow.flight.protocol.CancelFlightInfoResult", answer.body);
  assert.ok(["CANCEL_STATUS_CANCELLED", "CANCEL_STATUS_CANCELLING"].includes(status), status);
  assert.strictEqual((await ended).code, grpc.status.CANCELLED);
}

async function cancelCall(client) {
  const info = await client.info("CommandStatementQuery", { query: COMPUTING });
  const call = client.stub.DoGet(info.endpoint[0].ticket, client.metadata, { deadline: Date.now() + 300 });
  await fails((async () => { for await (const message of call) assert.ok(message); })(),
    grpc.status.DEADLINE_EXCEEDED, "eadline");
  assert.deepStrictEqual(await client.query("SELECT 1"), ["1"]);
}

async function session(client) {
  await client.update("CREATE SCHEMA IF NOT EXISTS js_session");
  await client.update("CREATE OR REPLACE TABLE js_session.only_there (i INTEGER)");
  const act = async (name, message) => {
    const [answer] = await client.action(name, encode(`arrow.flight.protocol.${name}Request`, message));
    return decode(`arrow.flight.protocol.${name}Result`, answer.body);
  };
  const set = await act("SetSessionOptions", { session_options: { schema: { string_value: "js_session" } } });
  assert.deepStrictEqual(Object.keys(set.errors ?? {}), []);
  assert.deepStrictEqual(await client.query("SELECT count(*) FROM only_there"), ["0"]);
  const found = await act("GetSessionOptions", {});
  assert.strictEqual(found.session_options.schema.string_value, "js_session");
  const closed = await act("CloseSession", {});
  assert.ok(["CLOSED", "CLOSING"].includes(closed.status), closed.status);
}

async function poll(client) {
  const query = "SELECT count(*) AS n FROM range(30000000) t(i) WHERE i % 3 = 1";
  let descriptor = { type: "CMD", cmd: command("CommandStatementQuery", { query }) };
  for (;;) {
    const answer = await client.unary("PollFlightInfo", descriptor);
    if (!answer.flight_descriptor) {
      assert.deepStrictEqual(await client.rows(answer.info), ["10000000"]);
      return;
    }
    descriptor = answer.flight_descriptor;
  }
}

async function large(client) {
  const info = await client.info("CommandStatementQuery",
    { query: "SELECT i, 'text ' || i AS s FROM range(1000000) t(i)" });
  const table = await client.table(info); // this client refuses messages over 4 MiB
  let sum = 0n;
  for (const value of table.getChild("i")) sum += value;
  assert.deepStrictEqual([table.numRows, sum], [1000000, 499999500000n]);
}

async function errors(client) {
  const { INVALID_ARGUMENT, NOT_FOUND, ALREADY_EXISTS, PERMISSION_DENIED } = grpc.status;
  await client.update("CREATE OR REPLACE TABLE js_errors (i INTEGER PRIMARY KEY)");
  await client.update("INSERT INTO js_errors VALUES (1)");
  for (const [sql, code, word] of [
    ["SELEC 1", INVALID_ARGUMENT, "SELEC"],
    ["SELECT nope FROM js_errors", INVALID_ARGUMENT, "nope"],
    ["FROM js_no_such_table", NOT_FOUND, "js_no_such_table"],
    ["CREATE TABLE js_errors (i INTEGER)", ALREADY_EXISTS, "js_errors"],
    ["INSERT INTO js_errors VALUES (1)", ALREADY_EXISTS, "uplicate"],
    ["INSTALL httpfs", PERMISSION_DENIED, "allow-statements"],
  ]) {
    await fails(client.query(sql), code, word);
    await fails(client.update(sql), code, word);
  }
}

const CASES = [
  ["connect", "user and password by handshake", connect],
  ["query", "rows, types, a ticket read twice", queries],
  ["update and DDL", "counts", updates],
  ["parameters", "query, executed three times", parameters],
  ["parameters", "update", (client) => boundUpdate(client, 1)],
  ["batch bind", "10,000 rows", (client) => boundUpdate(client, 10000)],
  ["ingest", "create, append, replace, fail", ingest],
  ["transactions", "commit and rollback", transactions],
  ["metadata", "every command", metadata],
  ["cancel", "CancelFlightInfo", cancel],
  ["cancel", "deadline", cancelCall],
  ["session options", "set, get, close", session],
  ["poll", "PollFlightInfo", poll],
  ["large result", "1,000,000 rows", large],
  ["errors", "codes and messages", errors],
];

/** What was wrong with a case; empty when nothing was. */
async function run(one) {
  const client = new Client(process.argv[2]);
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error("it did not end in time")), CASE_LIMIT_MS);
  });
  try {
    await Promise.race([one(client), late]);
    return "";
  } catch (error) {
    return String(error.stack ?? error);
  } finally {
    clearTimeout(timer);
    client.close();
  }
}

async function main() {
  for (const [feature, name, one] of CASES) {
    console.log(JSON.stringify({ client: "grpc-js", feature, case: name, error: await run(one) }));
  }
  console.log(JSON.stringify({ cases: CASES.length }));
}

main();
