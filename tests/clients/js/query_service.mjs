// The cases of query_service_cases.mjs in Node, and what a page may not set itself: where it comes from.
// Each case is a line of JSON, {"case"} or {"case","error"}; the last is {"cases": n}.
//
// usage: node --experimental-websocket query_service.mjs http://host:port
// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";

import {cases, runCases} from "./query_service_cases.mjs";

const base = process.argv[2];

const own = {
    async "a page of another origin"() {
        const origin = "http://localhost:3000";
        const asked = await fetch(`${base}/v1/jobs`, {method: "OPTIONS", headers: {
            origin, "access-control-request-method": "POST", "access-control-request-headers": "content-type"}});
        assert.equal(asked.headers.get("access-control-allow-origin"), origin);
        const told = await fetch(`${base}/v1/jobs?wait=20`, {
            method: "POST", headers: {origin, "content-type": "application/json"},
            body: JSON.stringify({sql: "SELECT 1 AS one"})});
        assert.equal(told.headers.get("access-control-allow-origin"), origin);
    },
};

await runCases(base, {...cases, ...own}, (told) => console.log(JSON.stringify(told)));
process.exit(0);
