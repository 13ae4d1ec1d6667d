// What a page does with the query service: fetch with streamed bodies, events read from a response, WebSocket.
// For Node and for browsers: no packages, no modules of Node.
// SPDX-License-Identifier: Apache-2.0

const ENDLESS = "SELECT count(*) AS n FROM range(100000000000) a(i) WHERE hash(i) % 7 = 3 AND i >= ";
const ROWS = 200000;

let base = "";

function same(got, wanted) {
    const [left, right] = [JSON.stringify(got), JSON.stringify(wanted)];
    if (left !== right) throw new Error(`${left} is not ${right}`);
}

function holds(condition, what = "it") {
    if (!condition) throw new Error(`${what} does not hold`);
}

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

export const cases = {
    async "submit, poll, download"() {
        const told = await post("/query/submit", {sql: `SELECT i, 'row ' || i AS s FROM range(${ROWS}) t(i)`});
        same(told.status, 200);
        const ready = await until(`/query/status/${told.json.job_id}`, (status) => status.status !== "pending");
        same([ready.status, ready.row_count], ["ready", ROWS]);
        const file = await fetch(`${base}/query/download/${told.json.job_id}`);
        same(file.headers.get("content-type"), "application/vnd.apache.arrow.stream");
        const bytes = await file.arrayBuffer();
        same(bytes.byteLength, Number(file.headers.get("content-length")));
        same([...new Uint8Array(bytes, 0, 4)], [255, 255, 255, 255]);
    },
    async "a small result comes inline, then from the cache"() {
        const sql = "SELECT 42 AS answer, 'from Node' AS note";
        const first = await post("/query/submit?wait=20", {sql});
        same(first.json.data, [{answer: 42, note: "from Node"}]);
        const again = await post("/query/submit", {sql});
        same([again.json.source, again.json.data], ["cache", first.json.data]);
    },
    async "rows as they come"() {
        const job = await post("/v1/jobs", {sql: `SELECT i FROM range(${ROWS}) t(i)`});
        const response = await fetch(`${base}/v1/jobs/${job.json.id}/result?format=ndjson`);
        let count = 0;
        for await (const line of lines(response)) same(JSON.parse(line).i, count++);
        same(count, ROWS);
    },
    async "a reader that leaves"() {
        const job = await post("/v1/jobs", {sql: "SELECT i, repeat('x', 100) AS s FROM range(100000000000) t(i)"});
        const leave = new AbortController();
        const response = await fetch(`${base}/v1/jobs/${job.json.id}/result?format=ndjson`, {signal: leave.signal});
        const {value} = await response.body.getReader().read();
        holds(value.length > 0);
        leave.abort();
        const stopped = await get(`/v1/jobs/${job.json.id}`, {method: "DELETE"});
        same([stopped.status, stopped.json.state], [200, "cancelled"]);
    },
    async "events until the end"() {
        const job = await post("/v1/jobs", {sql: `${ENDLESS} 1`});
        const response = await fetch(`${base}/v1/jobs/${job.json.id}/events`);
        holds(response.headers.get("content-type").startsWith("text/event-stream"));
        const seen = [];
        for await (const event of events(response)) {
            seen.push(event.value.state);
            if (seen.length === 1) await fetch(`${base}/v1/jobs/${job.json.id}`, {method: "DELETE"});
        }
        same(seen.at(-1), "cancelled");
        holds(["queued", "running"].includes(seen[0]), seen[0]);
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
        same([code, seen.at(-1)], [1000, "cancelled"]);
    },
    async "errors are JSON"() {
        const syntax = await post("/queries", {sql: "SELEC 1"});
        same([syntax.status, syntax.json.error_code], [400, "QUERY_SYNTAX_ERROR"]);
        const missing = await post("/query/submit", {});
        same([missing.status, missing.json.errors[0].loc], [422, ["body", "sql"]]);
        const unknown = await get("/v1/jobs/00000000-0000-0000-0000-000000000000");
        same([unknown.status, unknown.json.code], [404, "JOB_NOT_FOUND"]);
        same(unknown.headers.get("content-type"), "application/problem+json");
    },
    async "many at once"() {
        const answers = await Promise.all(Array.from({length: 40}, (_, i) =>
            post("/query/submit?wait=20", {sql: `SELECT ${i} AS i`})));
        same(answers.map((answer) => answer.json.data[0].i), Array.from({length: 40}, (_, i) => i));
    },
};

/** Calls `tell` with {case} or {case, error} for each of `chosen`, then with {cases: n}. */
export async function runCases(url, chosen, tell) {
    base = url;
    for (const [name, run] of Object.entries(chosen)) {
        try {
            await run();
            await tell({case: name});
        } catch (error) {
            await tell({case: name, error: String(error.stack ?? error)});
        }
    }
    await tell({cases: Object.keys(chosen).length});
}
