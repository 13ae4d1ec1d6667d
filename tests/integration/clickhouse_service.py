"""A ClickHouse server's HTTP interface as far as clients see it, scripted by the test; rows are pyarrow's.

ClickHouse answers what the server itself asks (its version, its settings, KILL QUERY) and takes the answers
of other statements from `answers`: pairs of a text that the statement has and what becomes of the request.

SPDX-License-Identifier: Apache-2.0
"""
import contextlib
import http.server
import io
import os
import re
import socket
import ssl
import struct
import threading
import urllib.parse

import pyarrow
import pyarrow.ipc

USER, PASSWORD = "admin", "password"
SETTINGS = {
    "readonly": "0", "cancel_http_readonly_queries_on_client_close": "0", "max_execution_time": "0",
    "limit": "0", "max_result_rows": "0", "result_overflow_mode": "throw",
    "output_format_arrow_string_as_string": "1", "output_format_arrow_unsupported_types": "binary",
}
STREAM = [("X-ClickHouse-Format", "ArrowStream")]


def arrow_stream(table, **options):
    """The table as an Arrow stream, a batch for each of its chunks."""
    sink = io.BytesIO()
    with pyarrow.ipc.new_stream(sink, table.schema,
                                options=pyarrow.ipc.IpcWriteOptions(**options)) as writer:
        writer.write_table(table)
    return sink.getvalue()


def exception(code, text):
    return f"Code: {code}. DB::Exception: {text} (version 26.9.2.1 (official build))\n"


class Request:
    """One statement as it came; answers are given with it."""

    def __init__(self, handler, sql):
        split = urllib.parse.urlsplit(handler.path)
        self.handler, self.sql, self.path = handler, sql, split.path
        self.wishes = dict(urllib.parse.parse_qsl(split.query, keep_blank_values=True))
        self.headers = {name.lower(): value for name, value in handler.headers.items()}
        self.login = tuple(self.headers.get(name, "").encode("latin-1").decode()
                           for name in ("x-clickhouse-user", "x-clickhouse-key"))
        self.killed = threading.Event()

    def answer(self, body, status=200, headers=STREAM):
        self.handler.send_response(status)
        for name, value in headers:
            self.handler.send_header(name, value)
        self.handler.send_header("Content-Length", str(len(body)))
        self.handler.end_headers()
        self.handler.wfile.write(body)

    def rows(self, table):
        self.answer(arrow_stream(table))

    def refuse(self, code, text, status=500):
        self.answer(exception(code, text).encode(), status,
                    [("X-ClickHouse-Exception-Code", str(code))])

    def begin(self, headers=STREAM):
        """The head of an answer in chunks."""
        self.handler.send_response(200)
        for name, value in (*headers, ("Transfer-Encoding", "chunked")):
            self.handler.send_header(name, value)
        self.handler.end_headers()

    def chunk(self, data):
        self.handler.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))
        self.handler.wfile.flush()

    def end(self):
        self.handler.wfile.write(b"0\r\n\r\n")

    def cut(self):
        """The connection breaks."""
        self.handler.close_connection = True
        with contextlib.suppress(OSError):
            self.handler.connection.shutdown(socket.SHUT_RDWR)

    def reset(self):
        """The connection is reset, as a server that was killed leaves it."""
        linger = struct.pack("ii", 1, 0)
        self.handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        self.handler.close_connection = True
        os.close(self.handler.connection.detach())

    def wait_for_kill(self, seconds=30):
        assert self.killed.wait(seconds), "nobody killed the statement"


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log_message(self, *arguments):
        pass

    def do_POST(self):
        sql = self.rfile.read(int(self.headers.get("content-length", 0))).decode()
        try:
            self.server.owner.serve(Request(self, sql))
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True


class Listener(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, port, owner):
        self.owner, self.open = owner, set()
        super().__init__(("127.0.0.1", port), Handler)
        if owner.certificate:
            tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            tls.load_cert_chain(*owner.certificate)
            self.socket = tls.wrap_socket(self.socket, server_side=True)

    def process_request(self, request, address):
        self.open.add(request)
        super().process_request(request, address)

    def shutdown_request(self, request):
        self.open.discard(request)
        super().shutdown_request(request)

    def handle_error(self, request, address):
        pass


class ClickHouse:
    def __init__(self, version="26.9.2.1", settings=None, formats=("ArrowStream", "TabSeparated"),
                 certificate=None):
        self.version, self.formats, self.certificate = version, formats, certificate
        self.settings = {**SETTINGS, **(settings or {})}
        self.login = (USER, PASSWORD)
        self.answers, self.requests, self.kills = [], [], []
        self.port, self.listener, self.holder = 0, None, None
        self.start()

    def start(self):
        self.listener = Listener(self.port, self)
        self.port = self.listener.server_address[1]
        if self.holder:
            self.holder.close()
        threading.Thread(target=self.listener.serve_forever, args=(0.02,), daemon=True).start()

    def stop(self):
        """Nothing answers any more, on new connections and on those there are; the port stays ours."""
        if self.listener is None:
            return
        self.listener.shutdown()
        self.listener.server_close()
        self.holder = socket.socket()
        self.holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.holder.bind(("127.0.0.1", self.port))
        for connection in list(self.listener.open):
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        self.listener = None

    @property
    def flags(self):
        return ("--clickhouse-host", "127.0.0.1", "--clickhouse-port", str(self.port))

    def on(self, text, answer):
        """Statements that have `text` get `answer`: a table, or a function of the request."""
        self.answers.insert(0, (text, answer))

    def asked(self, text):
        """The requests of statements that have `text`."""
        return [request for request in list(self.requests) if text in request.sql]

    def serve(self, request):
        if request.login != self.login:
            request.refuse(516, "admin: Authentication failed: password is incorrect, or there is no"
                                " user with such name. (AUTHENTICATION_FAILED)", 403)
        elif request.wishes.get("default_format") not in self.formats:
            request.refuse(73, f"Unknown format {request.wishes.get('default_format')}")
        elif "FROM system.settings" in request.sql:
            lines = [f"{self.version}\t{name}\t{value}\n" for name, value in self.settings.items()]
            request.answer("".join(lines).encode(), headers=[("X-ClickHouse-Format", "TabSeparated")])
        elif request.sql == "SELECT 1":
            request.rows(pyarrow.table({"1": pyarrow.array([1], pyarrow.uint8())}))
        elif request.sql.startswith("KILL QUERY"):
            self.kill(re.search(r"query_id = '([0-9a-f-]{36})'", request.sql).group(1))
            request.answer(b"")
        else:
            self.requests.append(request)
            self.serve_statement(request)

    def kill(self, query_id):
        for request in list(self.requests):
            if request.wishes.get("query_id") == query_id:
                request.killed.set()
        self.kills.append(query_id)

    def serve_statement(self, request):
        for text, answer in self.answers:
            if text in request.sql:
                request.rows(answer) if isinstance(answer, pyarrow.Table) else answer(request)
                return
        request.refuse(62, "Syntax error: failed at position 3: nothing is scripted. (SYNTAX_ERROR)",
                       400)
