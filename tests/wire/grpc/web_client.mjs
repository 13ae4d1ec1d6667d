// The gRPC server from a browser's point of view: fetch() alone, gRPC-Web in both forms.
//
//     node web_client.mjs http://HOST:PORT
//
// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";

const server = process.argv[2];

function frame(message) {
    const framed = new Uint8Array(5 + message.length);
    new DataView(framed.buffer).setUint32(1, message.length);
    framed.set(message, 5);
    return framed;
}

// Frames as they arrive: [flag, bytes].
async function* frames(response, isText) {
    let held = new Uint8Array(0);
    let text = "";
    for await (const chunk of response.body) {
        let bytes = chunk;
        if (isText) {
            text += Buffer.from(chunk).toString("latin1");
            const whole = text.length - (text.length % 4);
            // Each write is padded by itself.
            bytes = Buffer.concat(text.slice(0, whole).match(/.{4}/g)?.map(
                (group) => Buffer.from(group, "base64")) ?? []);
            text = text.slice(whole);
        }
        held = Buffer.concat([held, bytes]);
        while (held.length >= 5 && held.length >= 5 + held.readUInt32BE(1)) {
            const size = held.readUInt32BE(1);
            yield [held[0], held.subarray(5, 5 + size)];
            held = held.subarray(5 + size);
        }
    }
    assert.equal(held.length, 0);
}

function call(method, message, isText = false, options = {}) {
    const type = isText ? "application/grpc-web-text" : "application/grpc-web+proto";
    const body = isText ? Buffer.from(frame(message)).toString("base64") : frame(message);
    return fetch(`${server}/test.Service/${method}`, {
        method: "POST",
        headers: { "content-type": type, "x-grpc-web": "1", "grpc-timeout": "10S" },
        body,
        ...options,
    });
}

for (const isText of [false, true]) {
    const request = new TextEncoder().encode("3,0,200000,1");
    const response = await call("Sizes", request, isText);
    assert.equal(response.status, 200);
    const sizes = [];
    let trailers = "";
    for await (const [flag, bytes] of frames(response, isText)) {
        if (flag === 0x80) trailers = bytes.toString();
        else sizes.push(bytes.length);
    }
    assert.deepEqual(sizes, [3, 0, 200000, 1]);
    assert.equal(trailers, "grpc-status: 0\r\n");

    // A stream without an end: messages come while it runs.
    const stop = new AbortController();
    const flood = await call("Flood", new Uint8Array(0), isText, { signal: stop.signal });
    let count = 0;
    for await (const [, bytes] of frames(flood, isText)) {
        assert.equal(bytes.length, 1 << 20);
        if (++count === 5) break;
    }
    stop.abort();

    const failed = await call("Nope", new Uint8Array(0), isText);
    assert.equal(failed.headers.get("grpc-status"), "12");
}
