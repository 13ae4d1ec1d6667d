"""The OpenAPI document, the server held against it, and the pages that show it.

SPDX-License-Identifier: Apache-2.0
"""
import json
import os
import re
import subprocess
from pathlib import Path

import pytest

TOOLS = Path(__file__).resolve().parent.parent / "tools"


@pytest.fixture(scope="module")
def document(server):
    response = server.request("GET", "/openapi.json")
    assert response.status == 200 and response.media_type == "application/json"
    return response.json


@pytest.fixture(scope="module")
def tool(cache):
    """tool(name): a program of tests/tools/requirements.txt."""

    def find(name):
        path = cache / "tools" / "bin" / name
        assert path.exists(), f"{path} does not exist: run tools/setup_tests.sh"
        return path

    return find


def test_it_is_a_valid_document(document, tool, tmp_path):
    path = tmp_path / "openapi.json"
    path.write_text(json.dumps(document))
    done = subprocess.run([tool("python"), "-m", "openapi_spec_validator", path], text=True,
                          capture_output=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
    assert document["openapi"] == "3.1.0"


def test_every_operation_is_told_in_full(document):
    ids = []
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            place = f"{method} {path}"
            ids.append(operation["operationId"])
            assert operation["summary"], place
            assert "default" in operation["responses"] and len(operation["responses"]) > 1, place
            told = {p["name"] for p in operation["parameters"] if p["in"] == "path"}
            assert told == set(re.findall(r"{(.*?)}", path)), place
    assert len(ids) == len(set(ids))


def test_references_lead_somewhere(document):
    named = document["components"]["schemas"].keys() | {None}
    text = json.dumps(document)
    assert set(re.findall(r'"#/components/schemas/(.*?)"', text)) <= named


def test_the_routes_are_there(document, server):
    for path in ("/", "/health", "/v1/query", "/v1/queries/{id}", "/v1/datasets/{path}"):
        assert path in document["paths"]
    assert set(document["paths"]["/v1/datasets/{path}"]) == {"get", "put", "post", "patch", "delete"}
    assert server.request("GET", "/docs/nothing.js").status == 404


@pytest.mark.timeout(120)
def test_the_server_does_what_the_document_says(start_server, tool):
    server = start_server()
    done = subprocess.run(
        [tool("st"), "--config-file", TOOLS / "schemathesis.toml", "run", f"{server.http_url}/openapi.json",
         "--phases", "examples,fuzzing", "--max-examples", "2", "--seed", "8", "--no-color",
         "--generation-database", "none", "--suppress-health-check", "all", "--request-timeout", "10",
         "--exclude-path-regex", "/events$"],
        text=True, capture_output=True, timeout=100, cwd=server.folder,
        env={**os.environ, "PYTHONPATH": str(TOOLS), "SCHEMATHESIS_HOOKS": "schemathesis_hooks"})
    assert done.returncode == 0, done.stdout[-8000:]


def test_the_pages_are_files_of_the_installation(server):
    for page in ("/docs", "/redoc"):
        response = server.request("GET", page)
        assert response.status == 200 and response.media_type == "text/html"
        policy = response.headers["content-security-policy"]
        assert "default-src 'none'" in policy and "http" not in policy
        wanted = re.findall(r'(?:src|href)="(.*?)"', response.text)
        assert wanted and all(place.startswith("/") for place in wanted)
        for place in wanted:
            assert server.request("GET", place).status == 200, place
    assert server.request("GET", "/docs/swagger-ui.css").media_type == "text/css"
    script = server.request("GET", "/docs/swagger-ui-bundle.js", headers={"accept-encoding": "gzip"})
    assert script.headers["content-encoding"] == "gzip" and script.media_type == "text/javascript"
    tag = script.headers["etag"]
    assert server.request("GET", "/docs/swagger-ui-bundle.js",
                          headers={"if-none-match": tag}).status == 304


def test_they_can_be_switched_off(start_server):
    server = start_server("--docs=false")
    for path in ("/docs", "/redoc", "/openapi.json", "/docs/swagger-ui.css"):
        assert server.request("GET", path).status == 404, path
