"""Objects of an S3 bucket: ours against curl, to the same server (versitygw on files).

SPDX-License-Identifier: Apache-2.0
"""
import shutil
import socket
import subprocess
import time

from measuring import MEBIBYTE, Measure, client_cpu, watched
from processes import CALL_SECONDS, ENVIRONMENT, VOLLEY, Server, free_ports, wait_for

BUCKET = "bench-bucket"
KEYS = {"S3_ACCESS_KEY": "bench", "S3_SECRET_KEY": "bench-secret", "S3_BUCKET": BUCKET}
BYTES = 256 * MEBIBYTE


def listens(address):
    host, _, port = address.partition(":")
    with socket.socket() as probe:
        return probe.connect_ex((host, int(port))) == 0


def put_object(context, program, gateway):
    """256 MiB of a file, signed by us or by a URL that we signed for curl."""
    size = BYTES // 8 if context.quick else BYTES
    source = context.folder / "object"

    def start():
        address = f"127.0.0.1:{free_ports(1)}"
        objects = context.folder / "objects"
        (objects / BUCKET).mkdir(parents=True)
        source.write_bytes(bytes(range(256)) * (size // 256))
        server = Server("versitygw", [gateway, "--keep-alive", "--quiet", "--port", address, "--access",
                                      KEYS["S3_ACCESS_KEY"], "--secret", KEYS["S3_SECRET_KEY"], "posix",
                                      objects],
                        context.folder)
        server.addresses["http"] = address
        wait_for(lambda: listens(address), "the start of versitygw")
        return server

    def server_of():
        if "versitygw" not in context.servers:
            context.servers["versitygw"] = start()
        return context.servers["versitygw"]

    def run(contestant):
        server = server_of()
        environment = {**ENVIRONMENT, **KEYS, "S3_ENDPOINT": f"http://{server.addresses['http']}"}
        url = subprocess.run([program, "presign", "PUT", "by-curl", "600"], env=environment, check=True,
                             capture_output=True, text=True).stdout.strip()
        commands = {"volley": [program, "put", "by-volley", source],
                    "curl -T": ["curl", "-sS", "--fail", "-o", "/dev/null", "-T", source, url]}

        def transfer():
            sample = {"gigabytes": size / 1e9}
            begun = time.perf_counter()
            with client_cpu(sample):
                subprocess.run(commands[contestant], env=environment, check=True, capture_output=True,
                               timeout=CALL_SECONDS)
            return sample | {"seconds": time.perf_counter() - begun}

        return watched(server, transfer)

    return Measure(
        "s3-put", "Upload of 256 MiB to an S3 server (versitygw) in one process", ["volley", "curl -T"], run,
        ("gb_per_second", "client_cpu", "server_cpu_per_gb"),
        [("GB/s against curl -T", "gb_per_second", "curl -T", ">=", 0.8)])


def all_measures(context):
    program = VOLLEY.parent / "bench" / "native" / "s3_bench"
    gateway = context.built / "versitygw"
    if shutil.which("curl") and program.exists() and gateway.exists():
        return [put_object(context, program, gateway)]
    return []
