"""The query service from JavaScript, with what a page has: fetch, events read from a response, WebSocket.

SPDX-License-Identifier: Apache-2.0
"""
import json
import shutil
import subprocess
from pathlib import Path

import pytest
from harness import clean_environment

PROGRAM = Path(__file__).resolve().parent.parent / "clients" / "js" / "query_service.mjs"
NODE = shutil.which("node")

pytestmark = [pytest.mark.clients, pytest.mark.timeout(120),
              pytest.mark.skipif(NODE is None, reason="Node.js is not here")]


def test_the_query_service_by_fetch_events_and_websocket(server):
    ran = subprocess.run([NODE, "--no-warnings", "--experimental-websocket", PROGRAM, server.http_url],
                         capture_output=True, text=True, timeout=100, env=clean_environment(), check=False)
    told = [json.loads(line) for line in ran.stdout.splitlines()]
    assert ran.returncode == 0 and told, ran.stderr[-4000:]
    assert told[-1] == {"cases": len(told) - 1}
    assert [f"{case['case']}: {case['error']}" for case in told[:-1] if "error" in case] == []
