"""The Debian package: lintian has no error, and in a root of its own it installs, serves, and leaves nothing.

SPDX-License-Identifier: Apache-2.0
"""

import os
import re
import socket
import subprocess
from pathlib import Path

import pytest
from clean_root import CleanRoot

pytestmark = [
    pytest.mark.release,
    pytest.mark.timeout(240),
    pytest.mark.skipif(os.geteuid() != 0, reason="a root folder of its own needs root"),
]
REPOSITORY = Path(__file__).resolve().parents[2]
USER = 61184
UNIT = "lib/systemd/system/volley.service"


@pytest.fixture(scope="module")
def package(binary, tmp_path_factory):
    """make_deb.sh runs lintian, too, and fails where it finds an error."""
    made = subprocess.run(
        [REPOSITORY / "tools" / "make_deb.sh", binary.parent, tmp_path_factory.mktemp("deb")],
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
        env={**os.environ, "VOLLEY_DEB_FAST": "1"},
    )
    assert made.returncode == 0, made.stderr[-4000:]
    return Path(made.stdout.strip())


@pytest.fixture(scope="module")
def root(package, tmp_path_factory):
    """With the package installed; `before` is what was there without it."""
    depends = subprocess.run(
        ["dpkg-deb", "--field", str(package), "Pre-Depends", "Depends"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    relations = ", ".join(re.findall(r"^[A-Za-z-]+: (.*)", depends, re.MULTILINE))
    clean = CleanRoot(tmp_path_factory.mktemp("root"), relations)
    clean.before = clean.paths()
    (clean.folder / "tmp" / "volley.deb").write_bytes(package.read_bytes())
    installed = clean.run("dpkg", "--install", "/tmp/volley.deb", check=False)
    assert installed.returncode == 0, installed.stderr
    (clean.folder / "tmp" / "volley.deb").unlink()
    return clean


def unit_settings(root):
    return re.findall(r"^(\w+)=(.*)$", (root.folder / UNIT).read_text(), re.MULTILINE)


def calls_of(group):
    """The system calls of one of systemd's groups."""
    told = subprocess.run(
        ["systemd-analyze", "syscall-filter", group], capture_output=True, text=True, timeout=60, check=True
    ).stdout
    calls = set()
    for line in map(str.strip, told.splitlines()[1:]):
        if line.startswith("@"):
            calls |= calls_of(line)
        elif line and not line.startswith("#"):
            calls.add(line)
    return calls


def allowed_calls(root):
    """What the unit's SystemCallFilter= come to."""
    allowed = set()
    for filters in (value for name, value in unit_settings(root) if name == "SystemCallFilter"):
        groups = set().union(*map(calls_of, filters.lstrip("~").split()))
        allowed = allowed - groups if filters.startswith("~") else allowed | groups
    assert "read" in allowed and "reboot" not in allowed
    return allowed


class Service:
    """Runs the unit's command as the unit has it: a user without rights, its system calls alone, no memory
    that is written and run, a root that is read-only but for the unit's folder, a socket for its
    notifications; without systemd itself, which cannot be had here."""

    def __init__(self, root):
        self.root = root
        unit = dict(unit_settings(root))
        state = root.folder / "var/lib" / unit["StateDirectory"]
        state.mkdir(mode=0o700)
        os.chown(state, USER, USER)
        self.notified = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.notified.settimeout(30)
        self.notified.bind(str(root.folder / "run" / "notify"))
        os.chmod(root.folder / "run" / "notify", 0o666)
        (root.folder / "tmp").chmod(0o1777)
        command = root.command(
            *unit["ExecStart"].split(),
            writable=[f"/var/lib/{unit['StateDirectory']}", "/tmp", "/run"],
            user=USER,
            syscalls=sorted(allowed_calls(root)),
        )
        self.log = open(root.folder.parent / "service.log", "w+b")
        self.process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=self.log,
            stderr=self.log,
            env={
                "PATH": "/usr/bin:/bin:/usr/sbin",
                "NOTIFY_SOCKET": "/run/notify",
                "STATE_DIRECTORY": f"/var/lib/{unit['StateDirectory']}",
            },
        )
        try:
            assert self.notified.recv(100) == b"READY=1"
        except (OSError, AssertionError):
            self.process.kill()
            self.log.seek(0)
            raise AssertionError(self.log.read().decode()) from None

    def run(self, *words, inside=True):
        enter = [
            "nsenter",
            "--target",
            str(self.process.pid),
            "--net",
            *(["--mount", "--root"] if inside else []),
        ]
        return subprocess.run(
            [*enter, *words],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
            env={"PATH": "/usr/bin:/bin", "HOME": "/nonexistent"},
        )

    def stop(self):
        self.process.terminate()
        code = self.process.wait(30)
        self.notified.close()
        self.log.close()
        (self.root.folder / "run" / "notify").unlink()
        return code


def test_files_are_where_they_belong(root):
    for path in (
        "usr/bin/volley",
        "usr/lib/volley/libduckdb.so",
        "usr/share/man/man1/volley.1.gz",
        "usr/share/man/man5/volley.yaml.5.gz",
        "usr/share/bash-completion/completions/volley",
        "usr/share/zsh/vendor-completions/_volley",
        "usr/share/fish/vendor_completions.d/volley.fish",
        "etc/volley/volley.yaml",
        "etc/default/volley",
        UNIT,
        "etc/systemd/system/multi-user.target.wants/volley.service",
    ):
        assert os.path.lexists(root.folder / path), path


def test_default_configuration_is_right(root):
    result = root.run("volley", "config", "check", "/etc/volley/volley.yaml", check=False)
    assert (result.returncode, result.stderr) == (0, "")


def test_unit_is_right_and_hardened(root, binary, tmp_path):
    """systemd's own judgement of the unit, without a running one; the program is elsewhere here."""
    unit = tmp_path / "volley.service"
    unit.write_text((root.folder / UNIT).read_text().replace("/usr/bin/volley", str(binary)))
    verified = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", str(unit)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert [line for line in verified.stderr.splitlines() if "volley" in line] == []
    judged = subprocess.run(
        ["systemd-analyze", "security", "--offline=true", "--threshold=20", str(root.folder / UNIT)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert judged.returncode == 0, judged.stdout
    assert ("DynamicUser", "yes") in unit_settings(root)


def test_serves_and_is_gone_without_a_trace(root):
    service = Service(root)
    try:
        status = Path(f"/proc/{service.process.pid}/status").read_text()
        for line in ("Seccomp:\t2", "NoNewPrivs:\t1", "CapEff:\t0000000000000000", f"Uid:\t{USER}"):
            assert line in status
        result = service.run("volley", "sql", "--format", "csv", "SELECT 6 * 7 AS answer")
        assert (result.returncode, result.stdout.split()) == (0, ["answer", "42"]), result.stderr
        assert service.run("volley", "sql", "CREATE TABLE kept AS SELECT 1 AS one").returncode == 0
        health = service.run("curl", "-sS", "http://127.0.0.1:8000/health", inside=False)
        assert '"healthy"' in health.stdout, health.stderr
    finally:
        code = service.stop()
    assert code == 0
    assert (root.folder / "var/lib/volley/volley.duckdb").exists()

    removed = root.run("dpkg", "--remove", "volley", check=False)
    assert removed.returncode == 0, removed.stderr
    left = {path for path in root.paths() - root.before if not path.startswith("./var/lib/volley")}
    assert {path for path in left if os.path.isfile(root.folder / path)} <= {
        "./etc/volley/volley.yaml",
        "./etc/default/volley",
    } | {path for path in left if path.startswith("./var/lib/systemd/")}
    assert (root.folder / "var/lib/volley/volley.duckdb").exists()

    purged = root.run("dpkg", "--purge", "volley", check=False)
    assert purged.returncode == 0, purged.stderr
    assert root.paths() - root.before == set()
    assert root.before - root.paths() == set()
