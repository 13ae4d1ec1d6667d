"""HTTP/2 by h2spec: every case of generic, http2 and hpack, the strict ones too, at every door.

SPDX-License-Identifier: Apache-2.0
"""
import subprocess
from xml.etree import ElementTree

import pytest
from harness import clean_environment

pytestmark = pytest.mark.timeout(180)
CASES = 146
# The case presumes that the server takes no frame over 16,384 bytes; Volley announces 1 MiB, and so
# the case is run once more with a frame that is over that.
LARGE_FRAME = "http2/4.2/3"
LARGE_FRAME_OPTIONS = ("--max-header-length", "250000")


def failed_cases(program, port, folder, path, *options):
    """Runs h2spec; returns {id: what it says} of the failed cases and the number of all."""
    report = folder / "report.xml"
    report.unlink(missing_ok=True)
    result = subprocess.run(
        [str(program), "-p", str(port), "-P", path, "--strict", "-j", str(report), *options],
        capture_output=True, text=True, timeout=150, env=clean_environment(), check=False)
    assert report.is_file(), result.stdout[-2000:] + result.stderr[-2000:]
    failed, count = {}, 0
    for suite in ElementTree.parse(report).iter("testsuite"):
        for number, case in enumerate(suite.iter("testcase"), 1):
            count += 1
            errors = [*case.iter("error"), *case.iter("failure")]
            if errors:
                failed[f"{suite.get('package')}/{number}"] = f"{case.get('classname')}: {errors[0].text}"
    return failed, count


@pytest.fixture(scope="module")
def h2spec(client_program):
    return client_program("h2spec", "h2spec")


def check_every_case(h2spec, port, folder, path, *options):
    failed, count = failed_cases(h2spec, port, folder, path, *options)
    assert count == CASES
    again, one = failed_cases(h2spec, port, folder, path, *options, *LARGE_FRAME_OPTIONS, LARGE_FRAME)
    assert one == 1
    failed.pop(LARGE_FRAME, None)
    failed.update(again)
    assert not failed, "\n".join(f"{name} {text}" for name, text in sorted(failed.items()))


@pytest.mark.parametrize("door, path", [
    ("http", "/health"), ("http", "/v1/query"),
    ("flight", "/arrow.flight.protocol.FlightService/ListActions"),
])
def test_every_case(server, h2spec, tmp_path, door, path):
    port = (server.http_address if door == "http" else server.flight_address)[1]
    check_every_case(h2spec, port, tmp_path, path)
    assert server.request("GET", "/health").status == 200


def test_every_case_over_tls(tls_server, h2spec, tmp_path):
    check_every_case(h2spec, tls_server.flight_address[1], tmp_path,
                     "/arrow.flight.protocol.FlightService/ListActions", "--tls", "--insecure")
