"""The query service from a page in a browser: Chromium, another origin, the cases that Node runs too.

SPDX-License-Identifier: Apache-2.0
"""
import http.server
import json
import queue
import shutil
import subprocess
import threading
from pathlib import Path

import pytest
from harness import clean_environment

SOURCES = Path(__file__).resolve().parent.parent / "clients" / "js"
CHROMIUM = shutil.which("chromium")
SWITCHES = ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
            "--disable-background-networking", "--disable-component-update", "--disable-sync"]
PAGE = """<!doctype html><title>a page</title><script type="module">
import {cases, runCases} from "/query_service_cases.mjs";
const tell = (told) => fetch("/told", {method: "POST", body: JSON.stringify(told)});
await runCases("%s", cases, tell);
</script>"""

pytestmark = [pytest.mark.clients, pytest.mark.timeout(180),
              pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not here")]


def chromium(folder, *arguments):
    # A browser wants a home of its own, and a folder that no other one has.
    return [CHROMIUM, *SWITCHES, f"--user-data-dir={folder / 'browser'}", *arguments]


@pytest.fixture
def browser(tmp_path):
    """browser(url): opens a page."""
    environment = clean_environment({"HOME": str(tmp_path)})
    try:
        subprocess.run(chromium(tmp_path, "--dump-dom", "about:blank"), env=environment, timeout=60,
                       capture_output=True, check=True)
    except (subprocess.SubprocessError, OSError) as error:
        pytest.skip(f"Chromium cannot run here: {error}")
    running = []

    def start(url):
        log = open(tmp_path / "browser.log", "wb")  # noqa: SIM115
        running.append(subprocess.Popen(chromium(tmp_path, "--remote-debugging-port=0", url), env=environment,
                                        stdout=log, stderr=log))

    yield start
    for process in running:
        process.terminate()
        process.wait(timeout=30)


@pytest.fixture
def pages():
    """A server of pages: its URL, the pages to fill in, and what they have told."""
    served, told = {}, queue.Queue()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):  # noqa: N802
            kind, body = served.get(self.path, (None, b""))
            self.send_response(200 if kind else 404)
            self.send_header("content-type", kind or "text/plain")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def do_POST(self):  # noqa: N802
            told.put(json.loads(self.rfile.read(int(self.headers["content-length"]))))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", served, told
    server.shutdown()
    thread.join()
    server.server_close()


def test_the_query_service_from_a_page(start_server, browser, pages):
    origin, served, told = pages
    server = start_server("--cors-origins", origin)
    served["/"] = ("text/html", (PAGE % server.http_url).encode())
    served["/query_service_cases.mjs"] = ("text/javascript",
                                          (SOURCES / "query_service_cases.mjs").read_bytes())
    browser(origin + "/")
    seen = [told.get(timeout=120)]
    while "cases" not in seen[-1]:
        seen.append(told.get(timeout=120))
    assert seen[-1] == {"cases": len(seen) - 1} and len(seen) > 5
    assert [f"{case['case']}: {case['error']}" for case in seen[:-1] if "error" in case] == []
