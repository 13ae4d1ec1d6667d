"""A real S3 service for the tests (versitygw on files), a proxy before it that misbehaves, and s3_tool.

SPDX-License-Identifier: Apache-2.0
"""
import os
import pathlib
import socket
import subprocess
import threading
import time
import urllib.request

ACCESS_KEY = "test-access-key"
SECRET_KEY = "test-secret-key"
BUCKET = "test-bucket"


def find_tool(binary):
    named = os.environ.get("VOLLEY_S3_TOOL")
    for path in filter(None, (named, pathlib.Path(binary).parent / "tests/unit/s3/s3_tool",
                              pathlib.Path(binary).parent.parent / "build-check/tests/unit/s3/s3_tool")):
        if pathlib.Path(path).exists():
            return str(path)
    return ""


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class S3Service:
    """Objects are the files of `objects`/BUCKET."""

    def __init__(self, program, folder, *arguments):
        self.folder = pathlib.Path(folder)
        self.objects = self.folder / "objects"
        (self.objects / BUCKET).mkdir(parents=True)
        self.program, self.arguments = program, arguments
        self.port = free_port()
        self.process = None
        self.start()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"

    def start(self):
        arguments = [argument.replace("PORT", str(self.port)) for argument in self.arguments]
        with open(self.folder / "log", "ab") as log:
            self.process = subprocess.Popen(
                [str(self.program), "--port", f"127.0.0.1:{self.port}", "--access", ACCESS_KEY,
                 "--secret", SECRET_KEY, *arguments, "posix", str(self.objects)],
                stdout=log, stderr=log, cwd=self.folder)
        for _ in range(400):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            assert self.process.poll() is None, (self.folder / "log").read_text()
            time.sleep(0.025)
        raise AssertionError("the S3 server does not listen")

    def stop(self):
        self.process.kill()
        self.process.wait(10)

    def file(self, key):
        return self.objects / BUCKET / key

    def unfinished_uploads(self):
        return list((self.objects / BUCKET / ".sgwtmp/multipart").glob("*/*"))


class Fault:
    """What becomes of one connection: `answer` instead of the service's, `cut_up`/`cut_down` after so many
    bytes to or from the service, `hang` without an answer."""

    def __init__(self, answer=None, cut_up=None, cut_down=None, hang=False):
        self.answer, self.cut_up, self.cut_down, self.hang = answer, cut_up, cut_down, hang


BUSY = Fault(answer=b"HTTP/1.1 503 Slow Down\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")


class FaultyProxy:
    """Passes connections on to a service; each takes the next of `faults` as long as there are any."""

    def __init__(self, port):
        self.target = port
        self.faults = []
        self.connections = 0
        self.is_open = True
        self.sockets = []
        self.listener = socket.create_server(("127.0.0.1", 0))
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.listener.getsockname()[1]}"

    def close(self):
        self.is_open = False
        self.listener.close()
        self.hang_up()

    def hang_up(self):
        """Ends the connections there are."""
        for each in self.sockets:
            try:
                each.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            each.close()
        self.sockets = []

    def _accept(self):
        while self.is_open:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            self.connections += 1
            fault = self.faults.pop(0) if self.faults else Fault()
            threading.Thread(target=self._serve, args=(client, fault), daemon=True).start()

    def _serve(self, client, fault):
        self.sockets.append(client)
        if fault.hang:
            return
        if fault.answer:
            client.recv(65536)
            client.sendall(fault.answer)
            client.shutdown(socket.SHUT_WR)
            while client.recv(1 << 20):
                pass
            client.close()
            return
        service = socket.create_connection(("127.0.0.1", self.target))
        self.sockets.append(service)
        upward = threading.Thread(target=self._pass_on, args=(client, service, fault.cut_up), daemon=True)
        upward.start()
        self._pass_on(service, client, fault.cut_down)
        upward.join()
        client.close()
        service.close()

    @staticmethod
    def _pass_on(source, target, cut):
        """A cut ends both connections; their sockets are closed when both directions have ended."""
        passed = 0
        try:
            while piece := source.recv(65536):
                if cut is not None and passed + len(piece) > cut:
                    target.sendall(piece[:cut - passed])
                    for each in (source, target):
                        each.shutdown(socket.SHUT_RDWR)
                    return
                target.sendall(piece)
                passed += len(piece)
            target.shutdown(socket.SHUT_WR)
        except OSError:
            return


class S3Tool:
    """Runs s3_tool on a bucket; `error` holds what it said."""

    def __init__(self, program, url, **variables):
        self.program = program
        self.variables = {"S3_ENDPOINT": url, "S3_BUCKET": BUCKET, "S3_ACCESS_KEY": ACCESS_KEY,
                          "S3_SECRET_KEY": SECRET_KEY, "S3_RETRY_MS": "1", "PATH": os.environ["PATH"],
                          "HOME": "/nonexistent", **variables}
        self.error = ""

    def with_variables(self, **variables):
        return S3Tool(self.program, **{"url": self.variables["S3_ENDPOINT"], **self.variables, **variables})

    def __call__(self, *arguments, expect=0, content=b""):
        done = subprocess.run([self.program, *map(str, arguments)], env=self.variables, input=content,
                              capture_output=True, timeout=50)
        self.error = done.stderr.decode()
        assert done.returncode == expect, (arguments, done.returncode, self.error)
        return done.stdout

    def put(self, key, content, folder, *more, expect=0):
        path = folder / "content"
        path.write_bytes(content)
        return self("put", key, path, *more, expect=expect)

    def put_parts(self, key, content, expect=0):
        """From a pipe, whose size is not known: in parts."""
        return self("put", key, "-", expect=expect, content=content)

    def keys(self, *arguments):
        return [line.split("\t")[0] for line in self("list", *arguments).decode().splitlines()]


def fetch_url(url, method="GET", content=None):
    """Status and body, also of a refusal."""
    request = urllib.request.Request(url, data=content, method=method)
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(request, timeout=20) as response:
            return response.status, response.read()
    except urllib.error.HTTPError as refusal:
        with refusal:
            return refusal.code, refusal.read()
