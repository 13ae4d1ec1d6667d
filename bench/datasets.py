"""What datasets cost: uploads that are kept, reads by one and by many, files, SQL over them, compression.

Uploads are sent by `bench/native/feed.c` to every contestant, reads are made by h2load.

SPDX-License-Identifier: Apache-2.0
"""
import shutil

import messages
import pyarrow.flight
from context import AGAIN_BYTES, MEBIBYTE_ROWS, STORE
from measuring import GRPC_HEADERS, MEBIBYTE, Measure, h2load, warm_memory, watched
from processes import run_json

SERVICE = "/arrow.flight.protocol.FlightService/"
PEERS = ("pyarrow", "arrow-go", "arrow-rs")
READERS = 8
NAME = "bench"
DESCRIPTOR = pyarrow.flight.FlightDescriptor.for_path(NAME)


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
    warm_memory(size * 5 // 4)
    sample = watched(server, lambda: feed(context, server, "DoPut", files, times, *headers))
    sample["gigabytes"] = size / 1e9
    return sample


def put(context, batch_bytes):
    """1 GiB uploaded, validated and kept in memory."""
    size = AGAIN_BYTES // 4 if context.quick else AGAIN_BYTES

    def run(contestant):
        files = messages.write_upload(context.folder, f"put-{batch_bytes}", DESCRIPTOR, batch_bytes)
        server = context.server(contestant + STORE)
        sample = upload(context, server, files, size)
        sample["beyond_mib"] = sample["peak_mib"] - size / MEBIBYTE
        drop(server)
        return sample

    text = f"{batch_bytes >> 10} KiB" if batch_bytes < MEBIBYTE else f"{batch_bytes >> 20} MiB"
    goals = [("server CPU-s/GB against the pyarrow server", "server_cpu_per_gb", "pyarrow", "less", 2.0)]
    if batch_bytes >= MEBIBYTE:
        goals = [("server CPU-s/GB against the pyarrow server", "server_cpu_per_gb", "pyarrow", "less", 1.9),
                 ("server CPU-s/GB against arrow-go", "server_cpu_per_gb", "arrow-go", "less", 2.3),
                 ("GB/s against the pyarrow server", "gb_per_second", "pyarrow", ">=", 1.3),
                 ("peak RSS beyond the data, MiB", "beyond_mib", None, "<=", 50)]
    name = "put" if batch_bytes >= MEBIBYTE else f"put-{batch_bytes}"
    return Measure(
        name, f"DoPut of 4 x int64, 1 GiB, {text} batches, validated and kept",
        context.those_here("volley", *PEERS), run,
        ("gb_per_second", "server_cpu_per_gb", "client_cpu", "beyond_mib"), goals)


def kept_dataset(context, name):
    """A Volley server with one dataset of 1 GiB in 1 MiB batches, put by the first call."""
    is_new = name not in context.servers
    server = context.server(name)
    if is_new:
        files = messages.write_upload(context.folder, f"put-{MEBIBYTE}", DESCRIPTOR, MEBIBYTE)
        feed(context, server, "DoPut", files, AGAIN_BYTES // messages.FILE_BYTES)
    return server


def download(context, server, ticket, readers, runs):
    body = messages.write_ticket(context.folder, f"ticket-{server.name}", ticket)
    sample = h2load(context, server, f"http://{server.addresses['flight']}{SERVICE}DoGet", runs,
                    "-c", readers, "-m", 1, "-w", 24, "-W", 26, "-d", body, *GRPC_HEADERS)
    del sample["calls"]
    sample["gigabytes"] = runs * AGAIN_BYTES / 1e9
    return sample


def get_by_many(context, readers):
    """A dataset of 1 GiB read by several clients at once."""

    def run(contestant):
        if contestant == "volley":
            server, ticket = kept_dataset(context, "volley-kept"), NAME.encode()
        else:
            server, ticket = context.server(contestant), str(MEBIBYTE_ROWS).encode()
        sample = download(context, server, ticket, readers, readers)
        sample["beyond_mib"] = sample["peak_mib"] - AGAIN_BYTES / MEBIBYTE
        return sample

    return Measure(
        f"get-{readers}", f"DoGet of 4 x int64, 1 GiB, 1 MiB batches, {readers} clients at once",
        context.those_here("volley", *PEERS), run,
        ("gb_per_second", "server_cpu_per_gb", "client_cpu", "beyond_mib"),
        [("GB/s against the pyarrow server", "gb_per_second", "pyarrow", ">=", 1.15),
         ("peak RSS beyond the data, MiB", "beyond_mib", None, "<=", 50)], rounds_max=3)


def all_measures(context):
    measures = [put(context, MEBIBYTE), put(context, 64 << 10)]
    if shutil.which("h2load"):
        measures.append(get_by_many(context, READERS))
    return measures
