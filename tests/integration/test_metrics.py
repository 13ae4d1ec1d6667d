"""The metrics: their names, their form, the address of their own, and what is made of them.

SPDX-License-Identifier: Apache-2.0
"""
import contextlib
import http.client
import json
import re
import subprocess
from pathlib import Path

SHARE = Path(__file__).resolve().parent.parent.parent / "share"

# The names that dashboards of the older service know, with their labels.
NAMES = {
    "http_requests_total": {"method", "endpoint", "http_status"},
    "http_request_duration_seconds": {"method", "endpoint"},
    "http_request_size_bytes": {"method", "endpoint"},
    "http_response_size_bytes": {"method", "endpoint"},
    "http_status_errors_total": {"status_code"},
    "query_duration_seconds": {"engine", "type"},
    "query_result_size_bytes": set(),
    "flight_queue_depth": set(),
    "flight_active_threads": set(),
    "flight_memory_usage_bytes": set(),
    "volley_engine_up": {"engine"},
    "process_cpu_seconds_total": set(),
    "process_resident_memory_bytes": set(),
}


def promtool(*arguments, text=None):
    done = subprocess.run(["promtool", *map(str, arguments)], input=text, text=True, capture_output=True,
                          timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr


def labels_of(sample):
    return set(re.findall(r'(\w+)="', sample)) - {"le"}


def test_names_and_labels(server):
    server.query("SELECT 42")
    assert server.request("GET", "/nowhere").status == 404
    samples = server.metrics()
    for name, labels in NAMES.items():
        found = [sample for sample in samples if re.match(rf"{name}(_bucket|_sum|_count)?({{|$)", sample)]
        assert found, name
        assert all(labels_of(sample) == labels for sample in found), name
    assert samples["flight_memory_usage_bytes"] > 1 << 20
    assert samples["process_cpu_seconds_total"] > 0
    assert samples['volley_engine_up{engine="duckdb"}'] == 1


def test_promtool_finds_nothing_wrong(server):
    promtool("check", "metrics", text=server.request("GET", "/metrics").text)


def test_openmetrics_by_accept(server):
    accept = {"accept": "application/openmetrics-text; version=1.0.0"}
    response = server.request("GET", "/metrics", headers=accept)
    assert response.media_type == "application/openmetrics-text"
    assert response.text.endswith("# EOF\n")
    assert "# TYPE http_requests counter\n" in response.text
    assert re.search(r"^http_requests_total{", response.text, re.MULTILINE)


def get(address, path):
    host, _, port = address.rpartition(":")
    with contextlib.closing(http.client.HTTPConnection(host, int(port), timeout=30)) as connection:
        connection.request("GET", path)
        response = connection.getresponse()
        return response.status, response.read().decode()


def test_an_address_for_metrics_alone(start_server):
    server = start_server(env={"FLIGHT_PROMETHEUS_PORT": "0"})
    (address,) = server.addresses["metrics"]
    assert address.startswith("127.0.0.1:")
    status, text = get(address, "/metrics")
    assert status == 200 and "flight_queue_depth 0" in text
    assert get(address, "/healthz")[0] == get(address, "/readyz")[0] == 200
    for path in ("/", "/v1/queries", "/openapi.json", "/docs"):
        assert get(address, path)[0] == 404, path
    assert server.request("GET", "/metrics").status == 200


def test_no_such_address_unless_asked_for(server):
    assert server.addresses["metrics"] == []


def test_the_alerts_fire_when_they_should():
    promtool("check", "rules", SHARE / "prometheus" / "alerts.yml")
    promtool("test", "rules", SHARE / "prometheus" / "alerts_test.yml")


def expressions(dashboard):
    for panel in dashboard["panels"]:
        for target in panel["targets"]:
            yield panel["title"], target["expr"]


def test_the_dashboard_asks_for_metrics_that_exist(server, tmp_path):
    """Its queries are rules to promtool once Grafana's variables are in; the names are the server's."""
    dashboard = json.loads((SHARE / "grafana" / "volley.json").read_text())
    present = set(re.findall(r"^# TYPE (\w+) ", server.request("GET", "/metrics").text, re.MULTILINE))
    rules = []
    for number, (title, expression) in enumerate(expressions(dashboard)):
        expression = expression.replace("$__rate_interval", "5m").replace("$instance", ".*")
        named = set(re.findall(r"\b((?:volley|http|flight|query|process)_\w+)", expression))
        bare = {re.sub(r"_(bucket|count|sum)$", "", name) for name in named}
        assert bare and bare <= present, (title, bare - present)
        rules.append({"record": f"dashboard:{number}", "expr": expression})
    path = tmp_path / "rules.yml"
    path.write_text(json.dumps({"groups": [{"name": "dashboard", "rules": rules}]}))
    promtool("check", "rules", path)
