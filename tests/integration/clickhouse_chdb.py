"""ClickHouse's HTTP interface over chdb, the engine as a library: today's formats and texts.

    python clickhouse_chdb.py [PORT]      prints the port that it listens on

What the library has not is left out: one statement runs at a time, and none can be stopped. `readonly=2` is
kept by looking at the first word. chdb has 534 MB, so that the tests that need this are skipped without it.

SPDX-License-Identifier: Apache-2.0
"""
import http.server
import re
import sys
import threading
import urllib.parse

import chdb.session

STATUSES = {60: 404, 62: 400, 81: 404, 516: 403, 497: 403}
RESERVED = {"default_format", "database", "query_id", "wait_end_of_query", "readonly",
            "cancel_http_readonly_queries_on_client_close", "limit"}
USER, PASSWORD = "admin", "password"


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    lock = threading.Lock()
    session = None

    def log_message(self, *arguments):
        pass

    def answer(self, status, body, headers=()):
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def refuse(self, text):
        code = int(re.search(r"Code: (\d+)", text).group(1)) if "Code: " in text else 1002
        self.answer(STATUSES.get(code, 500), text.encode(),
                    [("X-ClickHouse-Exception-Code", str(code))])

    def run(self, sql, wishes):
        """The bytes of the result, in the format that was asked for."""
        parameters = {name[6:]: value for name, value in wishes.items()
                      if name.startswith("param_")}
        settings = [(name, value) for name, value in wishes.items()
                    if name not in RESERVED and not name.startswith("param_")]
        if "limit" in wishes:
            settings.append(("limit", wishes["limit"]))
        for name, value in settings:
            self.session.query(f"SET {name} = '{value}'")
        try:
            result = self.session.query(sql, wishes.get("default_format", "TabSeparated"),
                                        params=parameters or None)
            return result.bytes()
        finally:
            for name, _ in settings:
                self.session.query(f"SET {name} = DEFAULT")

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("content-length", 0))).decode()
        wishes = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(self.path).query,
                                          keep_blank_values=True))
        login = self.headers.get("x-clickhouse-user"), self.headers.get("x-clickhouse-key")
        if login != (USER, PASSWORD):
            self.refuse(f"Code: 516. DB::Exception: {login[0]}: Authentication failed: password is"
                        " incorrect, or there is no user with such name. (AUTHENTICATION_FAILED)")
            return
        if wishes.get("readonly") == "2" and re.match(r"\s*(insert|create|drop)", body, re.I):
            self.refuse("Code: 164. DB::Exception: Cannot execute query in readonly mode. (READONLY)")
            return
        try:
            with self.lock:
                result = self.run(body, wishes)
        except Exception as error:  # noqa: BLE001
            self.refuse(str(error))
            return
        form = re.search(r"\bFORMAT\s+(\w+)\s*$", body, re.I)
        self.answer(200, result, [
            ("X-ClickHouse-Format", form.group(1) if form else wishes.get("default_format", "")),
            ("X-ClickHouse-Query-Id", wishes.get("query_id", ""))])


def main():
    Handler.session = chdb.session.Session()
    port = int(sys.argv[1]) if len(sys.argv) > 1 else 0
    server = http.server.ThreadingHTTPServer(("127.0.0.1", port), Handler)
    print(server.server_address[1], flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
