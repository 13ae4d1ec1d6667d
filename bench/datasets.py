"""What datasets cost: uploads that are kept, reads by one and by many, files, SQL over them, compression.

Uploads are sent by `bench/native/feed.c` to every contestant, reads are made by h2load.

SPDX-License-Identifier: Apache-2.0
"""
import functools
import json
import re
import shutil
import subprocess
import time

import messages
import pyarrow.flight
from context import AGAIN_BYTES, MEBIBYTE_ROWS, STORE
from measuring import GRPC_HEADERS, MEBIBYTE, Measure, client_cpu, h2load, warm_memory, watched
from processes import CALL_SECONDS, VOLLEY, run_json

SERVICE = "/arrow.flight.protocol.FlightService/"
PEERS = ("pyarrow", "arrow-go", "arrow-rs")
READERS = 8
CODED_BYTES = 256 << 20
HTTP_BYTES = 512 << 20
NAME = "bench"
DESCRIPTOR = pyarrow.flight.FlightDescriptor.for_path(NAME)
AGGREGATE = "SELECT count(*) AS n, sum(a) AS a, min(b) AS b, max(c) AS c, avg(d) AS d FROM {}"
TRANSFORM = ("SELECT a % 1000 AS k, count(*) AS n, sum(b) AS b, max(c) AS c, avg(d) AS d FROM {}"
             " WHERE a % 7 <> 0 GROUP BY k")
MEMORY_GOAL = ("peak RSS beyond the data, MiB", "beyond_mib", None, "<=", 50)


def drop(server):
    """The contestants give back what was put, as far as they do."""
    client = pyarrow.flight.connect(f"grpc://{server.addresses['flight']}")
    try:
        list(client.do_action(pyarrow.flight.Action("drop", NAME.encode())))
    finally:
        client.close()


def feed(context, server, method, files, times, *headers):
    port = server.addresses["flight"].rpartition(":")[2]
    return run_json(context.built / "feed", port, SERVICE + method, *files, times, *headers)


def upload(context, server, files, size, *headers):
    """One DoPut of `size` bytes of batches."""
    times = size // messages.FILE_BYTES
    warm_memory(max(size * 5 // 4, AGAIN_BYTES))
    sample = watched(server, lambda: feed(context, server, "DoPut", files, times, *headers))
    sample["gigabytes"] = size / 1e9
    return sample


def add_memory(sample, server, size):
    """Peak memory beyond the data, and without the pages of programs and libraries."""
    sample["beyond_mib"] = sample["peak_mib"] - size / MEBIBYTE
    sample["own_mib"] = sample["beyond_mib"] - server.memory("RssFile") / MEBIBYTE


def put(context, batch_bytes):
    """1 GiB uploaded, validated and kept in memory."""
    size = AGAIN_BYTES // 4 if context.quick else AGAIN_BYTES

    def run(contestant):
        files = messages.write_upload(context.folder, f"put-{batch_bytes}", DESCRIPTOR, batch_bytes)
        server = context.server(contestant + STORE)
        sample = upload(context, server, files, size)
        add_memory(sample, server, size)
        drop(server)
        return sample

    text = f"{batch_bytes >> 10} KiB" if batch_bytes < MEBIBYTE else f"{batch_bytes >> 20} MiB"
    goals = [("server CPU-s/GB against the pyarrow server", "server_cpu_per_gb", "pyarrow", "less", 2.0)]
    if batch_bytes >= MEBIBYTE:
        goals = [("server CPU-s/GB against the pyarrow server", "server_cpu_per_gb", "pyarrow", "less", 1.9),
                 ("server CPU-s/GB against arrow-go", "server_cpu_per_gb", "arrow-go", "less", 2.3),
                 ("GB/s against the pyarrow server", "gb_per_second", "pyarrow", ">=", 1.3),
                 MEMORY_GOAL]
    name = "put" if batch_bytes >= MEBIBYTE else f"put-{batch_bytes}"
    return Measure(
        name, f"DoPut of 4 x int64, 1 GiB, {text} batches, validated and kept",
        context.those_here("volley", *PEERS), run,
        ("gb_per_second", "server_cpu_per_gb", "client_cpu", "beyond_mib", "own_mib"), goals)


def kept_dataset(context, name):
    """A Volley server with one dataset of 1 GiB in 1 MiB batches, put by the first call."""
    is_new = name not in context.servers
    server = context.server(name)
    if is_new:
        files = messages.write_upload(context.folder, f"put-{MEBIBYTE}", DESCRIPTOR, MEBIBYTE)
        feed(context, server, "DoPut", files, AGAIN_BYTES // messages.FILE_BYTES)
    return server


def download(context, server, ticket, readers, runs, size=AGAIN_BYTES, *options):
    body = messages.write_ticket(context.folder, f"ticket-{server.name}", ticket)
    sample = h2load(context, server, f"http://{server.addresses['flight']}{SERVICE}DoGet", runs,
                    "-c", readers, "-m", 1, "-w", 24, "-W", 26, "-d", body, *GRPC_HEADERS, *options)
    del sample["calls"]
    sample["gigabytes"] = runs * size / 1e9
    return sample


def get_by_many(context, readers):
    """A dataset of 1 GiB read by several clients at once."""

    def run(contestant):
        if contestant == "volley":
            server, ticket = kept_dataset(context, "volley-kept"), NAME.encode()
        else:
            server, ticket = context.server(contestant), str(MEBIBYTE_ROWS).encode()
        sample = download(context, server, ticket, readers, readers)
        add_memory(sample, server, AGAIN_BYTES)
        return sample

    return Measure(
        f"get-{readers}", f"DoGet of 4 x int64, 1 GiB, 1 MiB batches, {readers} clients at once",
        context.those_here("volley", *PEERS), run,
        ("gb_per_second", "server_cpu_per_gb", "client_cpu", "beyond_mib", "own_mib"),
        [("GB/s against the pyarrow server", "gb_per_second", "pyarrow", ">=", 1.15),
         MEMORY_GOAL], rounds_max=3)


def put_to_files(context):
    """The same upload with durability=process, in memory, and a plain write of as many bytes."""
    size = AGAIN_BYTES // 4 if context.quick else AGAIN_BYTES

    def write():
        path = context.folder / "written"
        warm_memory(2 * size)
        sample = run_json(context.built / "raw", "write", path, size)
        path.unlink()
        return sample["cpu"] / (size / 1e9)

    def run(_):
        files = messages.write_upload(context.folder, f"put-{MEBIBYTE}", DESCRIPTOR, MEBIBYTE)
        server = context.server("volley" + STORE)
        memory = upload(context, server, files, size)
        drop(server)
        warm_memory(2 * size)
        sample = upload(context, server, files, size, "volley-durability=process")
        drop(server)
        sample["memory_cpu_per_gb"] = memory["server_cpu"] / memory["gigabytes"]
        sample["write_cpu_per_gb"] = write()
        more = sample["server_cpu"] / sample["gigabytes"] - sample["memory_cpu_per_gb"]
        sample["over_write"] = more / sample["write_cpu_per_gb"]
        return sample

    return Measure(
        "put-process", "DoPut of 4 x int64, 1 GiB, 1 MiB batches, durability=process", ["volley"], run,
        ("gb_per_second", "server_cpu_per_gb", "memory_cpu_per_gb", "write_cpu_per_gb", "over_write"),
        [("what it costs more than in memory, as a multiple of a plain write's CPU", "over_write", None,
          "<=", 1.2)])


def get_spilled(context):
    """A dataset that went to disk, in the page cache, against the same in memory."""

    def run(contestant):
        server = kept_dataset(context, "volley-spilled" if contestant == "volley" else "volley-kept")
        return download(context, server, NAME.encode(), 1, 3)

    return Measure(
        "get-spilled", "DoGet of 4 x int64, 1 GiB, 1 MiB batches, from spilled files in the page cache",
        ["volley", "from memory"], run,
        ("gb_per_second", "server_cpu_per_gb", "client_cpu", "peak_mib"),
        [("GB/s against the same from memory", "gb_per_second", "from memory", ">=", 0.7)], rounds_max=3)


def in_process(context, statement):
    """DuckDB over a pyarrow table of the same batches, no server."""
    sample = context.fetch("arrow", AGAIN_BYTES, statement.format("input"))
    sample["server_cpu"] = sample.pop("client_cpu")
    return sample


def aggregate(context):
    """An aggregate over a kept dataset of 1 GiB."""

    def run(contestant):
        if contestant == "volley":
            server = kept_dataset(context, "volley-kept")
            sample = watched(server, lambda: context.fetch(
                "sql", server.addresses["flight"], AGGREGATE.format(f'dataset."{NAME}"')))
        else:
            sample = in_process(context, AGGREGATE)
        sample["gigabytes"] = AGAIN_BYTES / 1e9
        return sample

    return Measure(
        "dataset-sql", "An aggregate over a dataset of 4 x int64, 1 GiB", ["volley", "in-process"], run,
        ("seconds", "gb_per_second", "server_cpu_per_gb", "client_cpu"),
        [("wall time against DuckDB over a pyarrow table", "seconds", "in-process", "<=", 1.3),
         ("CPU against it", "server_cpu_per_gb", "in-process", "<=", 1.3)])


def exchange(context, name, title, statement):
    """1 GiB sent with a statement over it, and the rows that come back."""

    def run(contestant):
        if contestant == "volley":
            command = json.dumps({"sql": statement.format("input")}).encode()
            files = messages.write_upload(context.folder, f"exchange-{name}",
                                          pyarrow.flight.FlightDescriptor.for_command(command), MEBIBYTE)
            server = context.server("volley" + STORE)
            warm_memory(AGAIN_BYTES * 5 // 4)
            times = AGAIN_BYTES // messages.FILE_BYTES
            sample = watched(server, lambda: feed(context, server, "DoExchange", files, times))
        else:
            sample = in_process(context, statement)
        sample["gigabytes"] = AGAIN_BYTES / 1e9
        return sample

    return Measure(
        name, f"DoExchange of 4 x int64, 1 GiB, with {title}", ["volley", "in-process"], run,
        ("seconds", "gb_per_second", "server_cpu_per_gb", "client_cpu"),
        [("wall time against DuckDB over a pyarrow table", "seconds", "in-process", "<=", 1.5),
         ("CPU against it", "server_cpu_per_gb", "in-process", "<=", 1.5)], rounds_max=3)


@functools.cache
def codec_input(folder):
    """The columns that are compressed, one after the other."""
    path = folder / "codec.input"
    with open(path, "wb") as file:
        for column in messages.table("small").columns:
            file.write(column.buffers()[1])
    return path


def library(context, codec, direction):
    """CPU seconds of the library alone for a gigabyte of plain bytes."""
    sample = run_json(context.built / "codec", codec, codec_input(context.folder), MEBIBYTE // 4)
    return sample[direction]


def over_library(sample, plain, alone):
    """Adds what compression costs beyond the plain path, as a multiple of the library's own cost."""
    sample["plain_path_cpu_per_gb"] = plain["server_cpu"] / plain["gigabytes"]
    sample["library_cpu_per_gb"] = alone
    more = sample["server_cpu"] / sample["gigabytes"] - sample["plain_path_cpu_per_gb"]
    sample["over_library"] = more / alone
    return sample


def put_compressed(context, codec):
    """Uploads with compressed bodies, which are kept as they are when decompressed."""

    def run(_):
        server = context.server("volley" + STORE)
        samples = []
        for compression in (None, codec):
            files = messages.write_upload(context.folder, f"small-{compression}", DESCRIPTOR, MEBIBYTE,
                                          "small", compression)
            samples.append(upload(context, server, files, CODED_BYTES))
            drop(server)
        return over_library(samples[1], samples[0], library(context, codec, "decompress"))

    return Measure(
        f"put-{codec}", f"DoPut of 4 x int64, 256 MiB, bodies in {codec.upper()}", ["volley"], run,
        ("gb_per_second", "server_cpu_per_gb", "plain_path_cpu_per_gb", "library_cpu_per_gb",
         "over_library"),
        [("what it costs more than the plain path, as a multiple of the library alone", "over_library",
          None, "<=", 1.1)])


def get_compressed(context, codec):
    """Reads with compressed bodies."""

    def run(_):
        name = "volley-coded"
        is_new = name not in context.servers
        server = context.server(name)
        if is_new:
            files = messages.write_upload(context.folder, "small-None", DESCRIPTOR, MEBIBYTE, "small")
            feed(context, server, "DoPut", files, CODED_BYTES // messages.FILE_BYTES)
        samples = []
        for headers in ((), ("-H", f"volley-compression: {codec}")):
            samples.append(download(context, server, NAME.encode(), 1, 1, CODED_BYTES, *headers))
        sample = over_library(samples[1], samples[0], library(context, codec, "compress"))
        if samples[1]["received"] > 0.8 * samples[0]["received"]:
            sample["over_library"] = float("inf")  # the bodies came as they are
        return sample

    return Measure(
        f"get-{codec}", f"DoGet of 4 x int64, 256 MiB, bodies in {codec.upper()}", ["volley"], run,
        ("gb_per_second", "server_cpu_per_gb", "plain_path_cpu_per_gb", "library_cpu_per_gb",
         "over_library"),
        [("what it costs more than the plain path, as a multiple of the library alone", "over_library",
          None, "<=", 1.1)])


def over_http(context, method):
    """An Arrow stream over HTTP/1.1, by curl, into a dataset in memory or out of it."""
    size = HTTP_BYTES

    def run(_):
        server = context.server("volley" + STORE)
        stream = messages.write_stream(context.folder, MEBIBYTE, size)
        url = f"http://{server.addresses['http']}/v1/datasets/{NAME}"
        upload_options = ("-T", stream, "-H", "content-type: application/vnd.apache.arrow.stream")
        download_options = ("-H", "accept: application/vnd.apache.arrow.stream")

        def transfer(*options):
            sample = {}
            with client_cpu(sample):
                output = subprocess.run(
                    ["curl", "-sS", "--fail", "-o", "/dev/null", "-w", "%{time_total}", *options, url],
                    capture_output=True, text=True, check=True, timeout=CALL_SECONDS).stdout
            return sample | {"seconds": float(output), "gigabytes": size / 1e9}

        warm_memory(size * 5 // 4)
        sample = watched(server, lambda: transfer(*upload_options))
        if method == "GET":
            sample = watched(server, lambda: transfer(*download_options))
        drop(server)
        return sample

    return Measure(
        f"http-{method.lower()}", f"{method} /v1/datasets of 4 x int64, 512 MiB as an Arrow stream, curl",
        ["volley"], run, ("gb_per_second", "server_cpu_per_gb", "client_cpu"), rounds_max=3)


def validation(program):
    """How fast what came is checked: the slowest column of fixed width, and the slowest of text."""

    def run(_):
        start = time.perf_counter()
        sample = {}
        for kind, name in (("fixed", "fixed_gb"), ("utf8", "text_gb")):
            output = subprocess.run([program, kind], capture_output=True, text=True, check=True,
                                    timeout=CALL_SECONDS).stdout
            found = re.findall(r"^validate .* ([\d.]+) GB/s", output, re.M)
            sample[name] = min(float(speed) for speed in found)
        return sample | {"seconds": time.perf_counter() - start}

    return Measure(
        "validation", "Validation of record batches, the slowest columns, one core", ["volley"], run,
        ("fixed_gb", "text_gb"),
        [("fixed width, GB per CPU second", "fixed_gb", None, ">=", 4),
         ("text, GB per CPU second", "text_gb", None, ">=", 1)], rounds_max=1)


def all_measures(context):
    measures = [put(context, MEBIBYTE), put(context, 64 << 10), put_to_files(context),
                aggregate(context),
                exchange(context, "exchange-aggregate", "an aggregate over it", AGGREGATE),
                exchange(context, "exchange-group", "a filter and 1,000 groups over it", TRANSFORM)]
    measures += [put_compressed(context, codec) for codec in ("lz4", "zstd")]
    if shutil.which("h2load"):
        measures += [get_by_many(context, READERS), get_spilled(context)]
        measures += [get_compressed(context, codec) for codec in ("lz4", "zstd")]
    if shutil.which("curl"):
        measures += [over_http(context, method) for method in ("PUT", "GET")]
    program = VOLLEY.parent / "bench" / "native" / "arrow_bench"
    if program.exists():
        measures.append(validation(program))
    return measures
