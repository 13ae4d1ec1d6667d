// A gRPC client in JavaScript (grpc-js) without generated code: makes the calls of a script.
//
// usage: node grpc_js.js ADDRESS FILE [CA [CERTIFICATE KEY]]
//
// FILE holds one call a line as a JSON object; with CA the connection is TLS. The calls are made one
// after the other; a call's copies run at once. Prints one JSON object a copy.
// tests/integration/raw_calls.py describes both objects for all languages.
//
// SPDX-License-Identifier: Apache-2.0
"use strict";
const crypto = require("crypto");
const fs = require("fs");
const grpc = require("@grpc/grpc-js");

const GZIP = 2;
const [address, script, ca, certificate, key] = process.argv.slice(2);

function connect(options) {
  const read = (path) => (path ? fs.readFileSync(path) : null);
  const credentials = ca
    ? grpc.credentials.createSsl(read(ca), read(key), read(certificate))
    : grpc.credentials.createInsecure();
  return new grpc.Client(address, credentials, {
    "grpc.max_receive_message_length": -1,
    "grpc.max_send_message_length": -1,
    "grpc.keepalive_time_ms": 10000,
    ...options,
  });
}

function outgoing(pairs) {
  const metadata = new grpc.Metadata();
  for (const [name, value] of pairs ?? []) {
    metadata.add(name, name.endsWith("-bin") ? Buffer.from(value, "hex") : value);
  }
  return metadata;
}

function incoming(metadata) {
  const pairs = [];
  for (const name of Object.keys(metadata.toJSON()).sort()) {
    for (const value of metadata.get(name)) {
      pairs.push([name, Buffer.isBuffer(value) ? value.toString("hex") : value]);
    }
  }
  return pairs;
}

function* bodies(request) {
  for (const part of request.send ?? []) {
    let body = Buffer.alloc(part.zeros ?? 0);
    if (part.file) body = fs.readFileSync(part.file);
    else if (part.hex) body = Buffer.from(part.hex, "hex");
    for (let i = 0; i < Math.max(part.repeat ?? 1, 1); i++) yield body;
  }
}

function sendAll(call, remaining) {
  for (let next = remaining.next(); !next.done; next = remaining.next()) {
    if (!call.write(next.value)) {
      call.once("drain", () => sendAll(call, remaining));
      return;
    }
  }
  call.end();
}

function sendOne(call, remaining) {
  const next = remaining.next();
  if (next.done) call.end();
  else call.write(next.value);
}

function makeCall(client, request) {
  const same = (body) => body;
  const options = request.timeout_ms ? { deadline: Date.now() + request.timeout_ms } : {};
  const call = client.makeBidiStreamRequest(
    request.method, same, same, outgoing(request.metadata), options);
  const answer = { code: 0, message: "", count: 0, bytes: 0, first: "", headers: [], trailers: [] };
  const digest = crypto.createHash("sha256");
  const remaining = bodies(request);
  return new Promise((resolve) => {
    call.on("metadata", (metadata) => { answer.headers = incoming(metadata); });
    call.on("data", (body) => {
      answer.count++;
      answer.bytes += body.length;
      digest.update(body);
      if (answer.count === 1) {
        answer.first = body.subarray(0, 256).toString("hex");
        if (request.pause_ms) {
          call.pause();
          setTimeout(() => call.resume(), request.pause_ms);
        }
      }
      if (request.ping_pong) sendOne(call, remaining);
      if (answer.count === request.cancel_after) call.cancel();
    });
    call.on("error", () => {}); // "status" tells it
    call.on("status", (status) => {
      answer.code = status.code;
      answer.message = status.code ? status.details : "";
      answer.trailers = incoming(status.metadata);
      answer.sha256 = digest.digest("hex");
      resolve(answer);
    });
    if (request.cancel_ms) setTimeout(() => call.cancel(), request.cancel_ms);
    if (request.ping_pong) sendOne(call, remaining);
    else sendAll(call, remaining);
  });
}

async function main() {
  const plain = connect({});
  const compressing = connect({ "grpc.default_compression_algorithm": GZIP });
  for (const line of fs.readFileSync(script, "utf8").split("\n").filter(Boolean)) {
    const request = JSON.parse(line);
    const client = request.gzip ? compressing : plain;
    const copies = Array.from({ length: request.copies ?? 1 }, () => makeCall(client, request));
    for (const answer of await Promise.all(copies)) console.log(JSON.stringify(answer));
  }
  plain.close();
  compressing.close();
}

main();
