// Uses the query service as a page does: fetch with streamed bodies, events read from a response, WebSocket.
// No packages. Each case is a line of JSON, {"case"} or {"case","error"}; the last is {"cases": n}.
//
// usage: node --experimental-websocket query_service.mjs http://host:port
// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";

const base = process.argv[2];
const ENDLESS = "SELECT count(*) AS n FROM range(100000000000) a(i) WHERE hash(i) % 7 = 3 AND i >= ";
const ROWS = 200000;

async function post(path, body, headers = {}) {
    const response = await fetch(base + path, {
        method: "POST", body: JSON.stringify(body), headers: {"content-type": "application/json", ...headers}});
    return {status: response.status, headers: response.headers, json: await response.json()};
}

async function get(path, options = {}) {
    const response = await fetch(base + path, options);
    return {status: response.status, headers: response.headers, json: await response.json()};
}

/** Asks again and again, as the older services' pages do. */
async function until(path, isDone) {
    for (;;) {
        const told = await get(path);
        if (isDone(told.json)) return told.json;
        await new Promise((wake) => setTimeout(wake, 20));
    }
}

/** The lines of a body as they come. */
async function* lines(response) {
    let rest = "";
    for await (const piece of response.body.pipeThrough(new TextDecoderStream())) {
        const parts = (rest + piece).split("\n");
        rest = parts.pop();
        yield* parts;
    }
    if (rest) yield rest;
}

/** Server-Sent Events out of a response, as EventSource has them. */
async function* events(response) {
    let event = {name: "message", data: ""};
    for await (const line of lines(response)) {
        if (line.startsWith("event: ")) event.name = line.slice(7);
        else if (line.startsWith("data: ")) event.data += line.slice(6);
        else if (line === "" && event.data) {
            yield {name: event.name, value: JSON.parse(event.data)};
            event = {name: "message", data: ""};
        }
    }
}

const cases = {
    async "submit, poll, download"() {
        const told = await post("/query/submit", {sql: `SELECT i, 'row ' || i AS s FROM range(${ROWS}) t(i)`});
        assert.equal(told.status, 200);
        const ready = await until(`/query/status/${told.json.job_id}`, (status) => status.status !== "pending");
        assert.deepEqual([ready.status, ready.row_count], ["ready", ROWS]);
        const file = await fetch(`${base}/query/download/${told.json.job_id}`);
        assert.equal(file.headers.get("content-type"), "application/vnd.apache.arrow.stream");
        const bytes = await file.arrayBuffer();
        assert.equal(bytes.byteLength, Number(file.headers.get("content-length")));
        assert.deepEqual([...new Uint8Array(bytes, 0, 4)], [255, 255, 255, 255]);
    },
    async "a small result comes inline, then from the cache"() {
        const sql = "SELECT 42 AS answer, 'from Node' AS note";
        const first = await post("/query/submit?wait=20", {sql});
        assert.deepEqual(first.json.data, [{answer: 42, note: "from Node"}]);
        const again = await post("/query/submit", {sql});
        assert.deepEqual([again.json.source, again.json.data], ["cache", first.json.data]);
    },
    async "rows as they come"() {
        const job = await post("/v1/jobs", {sql: `SELECT i FROM range(${ROWS}) t(i)`});
        const response = await fetch(`${base}/v1/jobs/${job.json.id}/result?format=ndjson`);
        let count = 0;
        for await (const line of lines(response)) assert.equal(JSON.parse(line).i, count++);
        assert.equal(count, ROWS);
    },
    async "a reader that leaves"() {
        const job = await post("/v1/jobs", {sql: "SELECT i, repeat('x', 100) AS s FROM range(100000000000) t(i)"});
        const leave = new AbortController();
        const response = await fetch(`${base}/v1/jobs/${job.json.id}/result?format=ndjson`, {signal: leave.signal});
        const {value} = await response.body.getReader().read();
        assert.ok(value.length > 0);
        leave.abort();
        const stopped = await get(`/v1/jobs/${job.json.id}`, {method: "DELETE"});
        assert.deepEqual([stopped.status, stopped.json.state], [200, "cancelled"]);
    },
    async "events until the end"() {
        const job = await post("/v1/jobs", {sql: `${ENDLESS} 1`});
        const response = await fetch(`${base}/v1/jobs/${job.json.id}/events`);
        assert.ok(response.headers.get("content-type").startsWith("text/event-stream"));
        const seen = [];
        for await (const event of events(response)) {
            seen.push(event.value.state);
            if (seen.length === 1) await fetch(`${base}/v1/jobs/${job.json.id}`, {method: "DELETE"});
        }
        assert.equal(seen.at(-1), "cancelled");
        assert.ok(["queued", "running"].includes(seen[0]), seen[0]);
    },
    async "a WebSocket until the end"() {
        const job = await post("/queries", {sql: `${ENDLESS} 2`});
        const socket = new WebSocket(`${base.replace("http", "ws")}/ws/jobs/${job.json.job_id}`);
        const seen = [];
        socket.onmessage = (message) => {
            seen.push(JSON.parse(message.data).status);
            if (seen.length === 1) fetch(`${base}/jobs/${job.json.job_id}`, {method: "DELETE"});
        };
        const code = await new Promise((resolve, reject) => {
            socket.onclose = (event) => resolve(event.code);
            socket.onerror = () => reject(new Error("the WebSocket failed"));
        });
        assert.deepEqual([code, seen.at(-1)], [1000, "cancelled"]);
    },
    async "errors are JSON"() {
        const syntax = await post("/queries", {sql: "SELEC 1"});
        assert.deepEqual([syntax.status, syntax.json.error_code], [400, "QUERY_SYNTAX_ERROR"]);
        const missing = await post("/query/submit", {});
        assert.deepEqual([missing.status, missing.json.errors[0].loc], [422, ["body", "sql"]]);
        const unknown = await get("/v1/jobs/00000000-0000-0000-0000-000000000000");
        assert.deepEqual([unknown.status, unknown.json.code], [404, "JOB_NOT_FOUND"]);
        assert.equal(unknown.headers.get("content-type"), "application/problem+json");
    },
    async "a page of another origin"() {
        const origin = "http://localhost:3000";
        const asked = await fetch(`${base}/v1/jobs`, {method: "OPTIONS", headers: {
            origin, "access-control-request-method": "POST", "access-control-request-headers": "content-type"}});
        assert.equal(asked.headers.get("access-control-allow-origin"), origin);
        const told = await post("/v1/jobs?wait=20", {sql: "SELECT 1 AS one"}, {origin});
        assert.equal(told.headers.get("access-control-allow-origin"), origin);
    },
    async "many at once"() {
        const answers = await Promise.all(Array.from({length: 40}, (_, i) =>
            post("/query/submit?wait=20", {sql: `SELECT ${i} AS i`})));
        assert.deepEqual(answers.map((answer) => answer.json.data[0].i), Array.from({length: 40}, (_, i) => i));
    },
};

for (const [name, run] of Object.entries(cases)) {
    try {
        await run();
        console.log(JSON.stringify({case: name}));
    } catch (error) {
        console.log(JSON.stringify({case: name, error: String(error.stack ?? error)}));
    }
}
console.log(JSON.stringify({cases: Object.keys(cases).length}));
process.exit(0);
