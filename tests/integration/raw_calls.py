"""The gRPC clients of tests/clients as one: scripts of calls in, what each call gave out.

A call is an object: `method` (the path), `send` (messages: `hex`, `zeros` (a size) or `file`, with
`repeat`), `metadata` (pairs of name and value; the value of a name that ends in -bin is
hexadecimal), `timeout_ms`, `cancel_after` (so many messages), `cancel_ms`, `pause_ms` (the reader
sleeps after the first message), `ping_pong` (each message waits for an answer to the one before),
`gzip` (requests are compressed) and `copies` (so many at once on the one connection).

What a call gave: `code`, `message`, `count`, `bytes` and `sha256` of all messages received, `first`
(the first 256 bytes of the first one), `headers` and `trailers` (sorted pairs).

SPDX-License-Identifier: Apache-2.0
"""
import json
import subprocess

from harness import clean_environment

LANGUAGES = ("go", "java", "js", "rust")
FLIGHT = "/arrow.flight.protocol.FlightService/"
TEST = "/test.Service/"


class Code:
    """gRPC's status codes."""

    (OK, CANCELLED, UNKNOWN, INVALID_ARGUMENT, DEADLINE_EXCEEDED, NOT_FOUND, ALREADY_EXISTS,
     PERMISSION_DENIED, RESOURCE_EXHAUSTED, FAILED_PRECONDITION, ABORTED, OUT_OF_RANGE,
     UNIMPLEMENTED, INTERNAL, UNAVAILABLE, DATA_LOSS, UNAUTHENTICATED) = range(17)


def command(language, client_program):
    """The command line of one language's client; skips where it was not built."""
    if language == "java":
        folder = client_program("grpc-java/GrpcJava.class", "grpc-java").parent
        return ["java", "-Xmx1g", "-cp", f"{folder}:{folder}/jars/*", "GrpcJava"]
    if language == "js":
        return ["node", str(client_program("grpc-js/grpc_js.js", "grpc-js"))]
    name = {"go": "grpc-go", "rust": "grpc-tonic"}[language]
    return [str(client_program(name, name))]


class RawClient:
    """One language's client of one server; `address` is HOST:PORT, `tls` (CA, CERTIFICATE, KEY)."""

    def __init__(self, language, program, address, folder, tls=()):
        self.language = language
        self.program, self.address, self.folder, self.tls = program, address, folder, tls

    def start(self, calls):
        script = self.folder / f"calls-{self.language}.jsonl"
        script.write_text("".join(json.dumps(call) + "\n" for call in calls))
        return subprocess.Popen(
            [*self.program, self.address, str(script), *map(str, self.tls)], text=True,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            env=clean_environment(),
        )

    @staticmethod
    def answers(process, seconds=150):
        try:
            output, errors = process.communicate(timeout=seconds)
        finally:
            process.kill()
        assert process.returncode == 0, errors[-4000:]
        return [json.loads(line) for line in output.splitlines()]

    def __call__(self, *calls):
        """Makes the calls in order on one connection; one answer a copy."""
        answers = self.answers(self.start(calls))
        assert len(answers) == sum(call.get("copies", 1) for call in calls)
        return answers


def call(method, *send, **options):
    """A call with these messages: bytes, or objects as the scripts take them."""
    parts = [{"hex": part.hex()} if isinstance(part, bytes) else part for part in send]
    return {"method": method, "send": parts, **options}

