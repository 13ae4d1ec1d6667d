"""What the measures share: folders, copies of the table, and servers, each started when first asked for.

SPDX-License-Identifier: Apache-2.0
"""
import functools
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import databases
import duckdb
import lineitem
import web_peers
from processes import (REPOSITORY, Server, free_ports, run_json, start_python, start_roapi,
                       start_volley)

CACHE = Path(os.environ.get("VOLLEY_CACHE", REPOSITORY / ".cache"))
TABLE = "SELECT * FROM lineitem"
AGAIN_BYTES = 1 << 30
MEBIBYTE = 1 << 20
# Peers whose program may be missing on this machine, and where it is built or installed.
BUILT_PEERS = {"grpc-go": "health", "tonic": "health-tonic", "grpc-c++": "health-cpp",
               "arrow-rs": "flight-tonic"}
HEALTH_PEERS = ("grpc-go", "tonic", "grpc-c++")
# Flight servers with a table of their own; with "-store" behind the name one that only takes uploads.
FLIGHT_PEERS = ("pyarrow", "arrow-go", "arrow-rs")
STORE = "-store"
MEBIBYTE_ROWS = MEBIBYTE // 32
FETCH = REPOSITORY / "bench" / "clients" / "fetch.py"


def arrow_bytes(database, rows):
    """Bytes of the whole table as Arrow, from its first row group."""
    with duckdb.connect(str(database), read_only=True) as connection:
        reader = connection.execute(TABLE).fetch_record_batch(122_880)
        batch = reader.read_next_batch()
        return batch.nbytes * rows / batch.num_rows


def numbers(rows):
    """A statement whose result has four int64 columns: 32 bytes in a row."""
    return ("SELECT i AS a, i * 2 - 1 AS b, i * 3 - 2 AS c, i * 4 - 3 AS d"
            f" FROM range({rows}) t(i)")


class Context:
    def __init__(self, quick):
        self.quick = quick
        self.built = CACHE / "bench"
        self.servers = {}
        self.copies = {}
        self.rows = 1_000_000 if quick else lineitem.ROWS

    @functools.cached_property
    def folder(self):
        """What this run writes, and its servers."""
        return Path(tempfile.mkdtemp(prefix="run-", dir=self.built))

    def scaled(self, count):
        return max(count // 20, 64) if self.quick else count

    @functools.cached_property
    def table(self):
        """(DuckDB file, Parquet file)"""
        return lineitem.make(self.built / ("lineitem-quick" if self.quick else "lineitem"), self.rows)

    @functools.cached_property
    def table_gigabytes(self):
        return arrow_bytes(self.table[0], self.rows) / 1e9

    @functools.cached_property
    def certificate(self):
        """(certificate, key), ECDSA P-256, signed by itself."""
        certificate, key = self.folder / "server.crt", self.folder / "server.key"
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1",
             "-nodes", "-days", "2", "-subj", "/CN=localhost", "-keyout", key, "-out", certificate],
            check=True, capture_output=True)
        return certificate, key

    def copy_of_table(self, user):
        if user not in self.copies:
            self.copies[user] = self.folder / f"table-{user}.duckdb"
            shutil.copy(self.table[0], self.copies[user])
        return self.copies[user]

    def copy_of_database(self, server, kind):
        """A server's own copy of a database that databases.py makes."""
        return shutil.copy(databases.MADE[kind](self.built), self.folder / f"{server}.duckdb")

    def fetch(self, kind, *arguments):
        return run_json(sys.executable, "-W", "ignore", FETCH, self.built / "libdrain.so", kind,
                        *arguments)

    def those_here(self, *names):
        """The contestants without the peers that this machine lacks."""
        return [name for name in names if self.is_here(name)]

    def is_here(self, name):
        if name == "roapi":
            return (Path(sys.executable).parent / "roapi").exists()
        if name in BUILT_PEERS:
            return (self.built / BUILT_PEERS[name]).exists()
        if name in web_peers.PROGRAMS:
            return web_peers.find(self.built, name) is not None
        return True

    def server(self, name):
        """The running server of that name; the first call starts it."""
        if name not in self.servers:
            self.servers[name] = self.start(name)
        return self.servers[name]

    def start(self, name):
        kind, _, purpose = name.partition("-")
        if kind == "volley":
            server = self.start_volley(name, purpose)
        elif name in ("nginx", "h2o", "nginx-logged", "h2o-logged"):
            server = web_peers.start(self, kind, is_logged=purpose == "logged")
        elif name in HEALTH_PEERS:
            server = Server(name, [self.built / BUILT_PEERS[name]], self.folder,
                            prints_port=True).read_port()
        else:
            server = self.start_data_peer(name)
        if name in ("volley", "standin", "roapi"):
            # One read of the table, so that no measure pays for cold caches.
            self.fetch("sql", server.addresses["flight"], TABLE)
        return server

    def start_volley(self, name, purpose):
        if purpose == "":
            return start_volley(self.folder, name, "--database", self.copy_of_table(name))
        if purpose == "insert":
            return start_volley(self.folder, name, "--database", self.folder / "insert-volley.duckdb")
        if purpose in databases.MADE:
            return start_volley(self.folder, name, "--database", self.copy_of_database(name, purpose))
        if purpose == "quiet":
            return start_volley(self.folder, name, "--log-level", "warning")
        if purpose == "spilled":
            return start_volley(self.folder, name, "--dataset-memory", "128MiB")
        if purpose.startswith("tls"):
            certificate, key = self.certificate
            return start_volley(self.folder, name, "--tls-cert", certificate, "--tls-key", key,
                                flight="tcp://127.0.0.1:0,tls://127.0.0.1:0",
                                http="tcp://127.0.0.1:0")
        return start_volley(self.folder, name)

    def start_data_peer(self, name):
        folder = self.folder
        if name.removesuffix(STORE) in FLIGHT_PEERS:
            return self.start_flight_peer(name)
        if name == "standin":
            return start_python(folder, name, "standin.py", self.copy_of_table(name))
        if name == "standin-insert":
            return start_python(folder, name, "standin.py", folder / "insert-standin.duckdb")
        if name == "standin-keyed":
            return start_python(folder, name, "standin.py", self.copy_of_database(name, "keyed"))
        if name == "roapi":
            return start_roapi(folder, self.table[1], free_ports(2))
        return Server(name, [self.built / "raw", "serve", AGAIN_BYTES], folder,
                      prints_port=True).read_port()

    def start_flight_peer(self, name):
        peer = name.removesuffix(STORE)
        size = MEBIBYTE if name.endswith(STORE) else AGAIN_BYTES
        if peer == "pyarrow":
            return start_python(self.folder, name, "pyarrow_server.py", str(size))
        command = {"arrow-go": ["server", size], "arrow-rs": ["flight-tonic", size, MEBIBYTE_ROWS]}[peer]
        return Server(name, [self.built / command[0], *command[1:]], self.folder,
                      prints_port=True).read_port()

    def stop(self):
        for server in self.servers.values():
            server.stop()
        if "folder" in self.__dict__:
            shutil.rmtree(self.folder, ignore_errors=True)
