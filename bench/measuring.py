"""What every measure is made of: the class, the server's CPU beside a client's run, h2load as a client.

SPDX-License-Identifier: Apache-2.0
"""
import contextlib
import mmap
import os
import re
import subprocess

from processes import CALL_SECONDS

MEBIBYTE = 1 << 20
CHECK_PATH = "/grpc.health.v1.Health/Check"
GRPC_HEADERS = ("-H", "content-type: application/grpc", "-H", "te: trailers")
UNITS = {"us": 1e-6, "ms": 1e-3, "s": 1}


class Measure:
    """One row group of the report. `run(contestant)` gives a sample; `goals` are checked on medians.

    A measure that is costly, or whose figure hardly varies, takes part in `rounds_max` rounds only."""

    def __init__(self, name, title, contestants, run, show, goals=(), rounds_max=None):
        self.name, self.title, self.contestants = name, title, contestants
        self.run, self.show, self.goals, self.rounds_max = run, show, goals, rounds_max
        self.samples = {contestant: [] for contestant in contestants}


def watched(server, run):
    """Runs a client and adds what the server spent meanwhile."""
    server.reset_peak()
    before = server.cpu()
    sample = run()
    sample["server_cpu"] = server.cpu() - before
    sample["peak_mib"] = server.memory("VmHWM") / MEBIBYTE
    return sample


def warm_memory(size):
    """Writes to that much memory and frees it, so that what a server allocates next has just been in use.

    A virtual machine's first use of a page costs many times what a later one does, and its host takes free
    pages back."""
    memory = mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    memory.madvise(mmap.MADV_HUGEPAGE)
    memory[::mmap.PAGESIZE] = bytes(size // mmap.PAGESIZE)
    memory.close()


@contextlib.contextmanager
def client_cpu(sample):
    """Adds the CPU seconds of the child processes that end inside."""
    before = os.times()
    yield
    after = os.times()
    sample["client_cpu"] = (after.children_user + after.children_system
                            - before.children_user - before.children_system)


def empty_message(context):
    """A file with the smallest gRPC request."""
    path = context.folder / "empty-message"
    path.write_bytes(bytes(5))
    return path


def latencies_us(path):
    """p50 and p99 of an h2load log: start, status, microseconds."""
    times = sorted(int(line.split("\t")[2]) for line in path.read_text().splitlines())
    return times[len(times) // 2], times[len(times) * 99 // 100]


def h2load(context, server, url, calls, *options):
    """One run of h2load against a server: seconds, calls per second, latencies, CPU of both."""
    log = context.folder / "h2load.log"
    log.unlink(missing_ok=True)
    command = ["h2load", "-n", calls, "--log-file", log, *options, url]

    def load():
        sample = {"calls": calls}
        with client_cpu(sample):
            output = subprocess.run([str(part) for part in command], capture_output=True, text=True,
                                    check=True, timeout=CALL_SECONDS).stdout
        done = int(re.search(r"(\d+) succeeded", output).group(1))
        if done != calls:
            raise RuntimeError(f"{url}: {done} of {calls} calls succeeded\n{output}")
        found = re.search(r"finished in ([\d.]+)(us|ms|s), ([\d.]+) req/s", output)
        sample["seconds"] = float(found.group(1)) * UNITS[found.group(2)]
        sample["per_second"] = float(found.group(3))
        sample["received"] = int(re.search(r"\((\d+)\) data", output).group(1))
        return sample

    sample = watched(server, load)
    sample["p50_us"], sample["p99_us"] = latencies_us(log)
    return sample


def small_grpc_calls(context, server, path, calls, connections, streams):
    """A unary call without a payload, by h2load."""
    return h2load(context, server, f"http://{server.addresses['flight']}{path}", calls,
                  "-c", connections, "-m", streams, "-d", empty_message(context), *GRPC_HEADERS)
