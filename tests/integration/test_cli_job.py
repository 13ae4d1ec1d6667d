"""`volley job`: statements submitted as jobs from the command line.

SPDX-License-Identifier: Apache-2.0
"""
import json
import re
import signal
import subprocess
import time

import pytest
from harness import COMPUTING, wait_until

ID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}\n")


@pytest.fixture
def job(volley, server):
    """job(word, ...): runs it against the shared server; fails unless it ends with `code`."""

    def command(*arguments, code=0):
        result = volley("job", *arguments, "--server", server.http_url)
        assert result.returncode == code, result.stdout + result.stderr
        return result

    return command


def submitted(job, *arguments):
    output = job("submit", *arguments).stdout
    assert ID.fullmatch(output)
    return output.strip()


def told(job, *arguments):
    return [json.loads(line) for line in job(*arguments, "--format", "ndjson").stdout.splitlines()]


def test_a_job_from_its_submission_to_its_result(job):
    identity = submitted(job, "--priority", "2", "SELECT i, i * 2 AS twice FROM range(3) t(i)")
    job("wait", identity)
    (status,) = told(job, "status", identity)
    assert (status["state"], status["priority"], status["rows"]) == ("succeeded", 2, 3)
    assert status["sql"].startswith("SELECT i") and status["error"] is None
    assert told(job, "result", identity) == [{"i": n, "twice": 2 * n} for n in range(3)]
    assert job("result", identity, "-f", "csv").stdout == "i,twice\n0,0\n1,2\n2,4\n"
    assert "succeeded" in job("status", identity).stdout


def test_submit_can_wait(job):
    assert ID.fullmatch(job("submit", "--wait", "SELECT 42").stdout)
    failed = job("submit", "--wait", "SELECT 1 / (random() - random())::INT::DECIMAL, 'x'::INT", code=4)
    assert ID.fullmatch(failed.stdout), "the ID is told in any case"
    assert re.search(r"job .* failed: .*'x'", failed.stderr)


def test_a_statement_that_is_none_is_refused(job):
    refused = job("submit", "SELEC 1", code=4)
    assert "SELEC" in refused.stderr and refused.stdout == ""


def test_a_running_job_is_waited_for_and_cancelled(job):
    identity = submitted(job, COMPUTING.format(mark="job_running"))
    wait_until(lambda: told(job, "status", identity)[0]["state"] == "running")
    assert "is not over" in job("wait", "--timeout", "200ms", identity, code=1).stderr
    assert "running" in job("result", identity, code=4).stderr
    assert identity in {row["id"] for row in told(job, "list", "--state", "running")}
    assert job("cancel", identity).stdout == f"cancelled {identity}\n"
    assert "cancelled" in job("wait", identity, code=4).stderr
    assert "over" in job("cancel", identity, code=1).stderr


def test_control_c_ends_the_wait_and_not_the_job(job, binary, server):
    identity = submitted(job, COMPUTING.format(mark="job_interrupted"))
    waiting = subprocess.Popen([str(binary), "job", "wait", identity, "--server", server.http_url])
    time.sleep(0.3)
    waiting.send_signal(signal.SIGINT)
    assert waiting.wait(10) in (130, -signal.SIGINT)
    assert told(job, "status", identity)[0]["state"] == "running"
    job("cancel", identity)


def test_lists(job):
    tagged = [submitted(job, "--add-tag", "cli-list", "--add-tag", f"n{n}", f"SELECT {n}")
              for n in range(3)]
    job("wait", *tagged)
    assert [row["id"] for row in told(job, "list", "--tag", "cli-list")] == tagged[::-1]
    assert [row["id"] for row in told(job, "history", "--tag", "n1")] == [tagged[1]]
    assert [row["id"] for row in told(job, "list", "--tag", "cli-list", "-n", "2")] == tagged[:0:-1]
    assert told(job, "list", "--tag", "cli-list", "--state", "failed") == []
    assert len(told(job, "status", *tagged)) == 3


def test_a_key_makes_a_repeated_submission_the_same_job(job):
    first = submitted(job, "--key", "cli-key", "SELECT 'once'")
    assert submitted(job, "--key", "cli-key", "SELECT 'once'") == first


@pytest.mark.parametrize("arguments, said", [
    ([], "needs one of the words"),
    (["run"], "needs one of the words"),
    (["submit"], "needs one SQL statement"),
    (["wait"], "needs the ID of a job"),
    (["result", "a", "b"], "needs the ID of one job"),
    (["list", "a"], "needs no argument"),
    (["status", "a/b"], "'a/b' is no ID of a job"),
    (["list", "--priority", "1"], "unknown flag --priority"),
    (["submit", "--priority", "6", "SELECT 1"], "1 to 5"),
])
def test_wrong_usage(volley, arguments, said):
    result = volley("job", *arguments)
    assert result.returncode == 2 and said in result.stderr, result.stderr


def test_an_unknown_job(job):
    unknown = "00000000-0000-4000-8000-000000000000"
    for word in ("status", "wait", "cancel"):
        assert unknown in job(word, unknown, code=1).stderr
    assert unknown in job("result", unknown, code=4).stderr


def test_no_server(volley):
    for arguments in (["list"], ["submit", "SELECT 1"], ["result", "abc"]):
        assert volley("job", *arguments, "--server", "http://127.0.0.1:9").returncode == 3
