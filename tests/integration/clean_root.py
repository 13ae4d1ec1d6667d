"""A root folder of its own: Debian's essential packages and what one package depends on, nothing else.

Made offline, of the files of the packages that are installed here: those that are essential or are asked
for, and what they depend on in turn, with their entries in dpkg's database. Programs run in it by chroot,
with mount and network namespaces of their own; needs root.

SPDX-License-Identifier: Apache-2.0
"""

import json
import re
import subprocess
import sys
from pathlib import Path

DPKG = Path("/var/lib/dpkg")
MERGED = ("bin", "sbin", "lib", "lib32", "lib64", "libx32")
# Not needed, or folders whose content is of this moment.
LEFT_OUT = re.compile(
    r"/usr/share/(doc|man|locale|info|i18n|zoneinfo)(/|$)|/(tmp|proc|sys|dev|run|var/tmp)$"
)

INSIDE = Path(__file__).with_name("clean_root_inside.py")


def stanzas(text):
    for stanza in text.split("\n\n"):
        fields = dict(re.findall(r"^([A-Za-z-]+): ?(.*(?:\n[ \t].*)*)", stanza, re.MULTILINE))
        if fields:
            yield stanza, fields


def names_of(relation):
    """The alternatives of each part of "a (>= 1), b | c"."""
    for part in filter(None, (part.strip() for part in relation.split(","))):
        yield [re.match(r"[a-z0-9.+-]+", word.strip()).group() for word in part.split("|")]


class CleanRoot:
    def __init__(self, folder, depends):
        self.folder = folder
        self.installed, self.providers = {}, {}
        for stanza, fields in stanzas((DPKG / "status").read_text()):
            if fields.get("Status", "").endswith(" installed"):
                self.installed.setdefault(fields["Package"], (stanza, fields))
                for name in names_of(fields.get("Provides", "")):
                    self.providers.setdefault(name[0], fields["Package"])
        folder.chmod(0o755)
        self.packages = self._closure(depends)
        self._copy_files()
        self._write_database()
        self.run("ldconfig")

    def _closure(self, depends):
        wanted = [name for name, (_, fields) in self.installed.items() if fields.get("Essential") == "yes"]
        wanted += [self._choose(names) for names in names_of(depends)]
        found = set()
        while wanted:
            name = wanted.pop()
            if name in found:
                continue
            found.add(name)
            fields = self.installed[name][1]
            for field in ("Pre-Depends", "Depends"):
                wanted += [self._choose(names) for names in names_of(fields.get(field, ""))]
        return sorted(found)

    def _choose(self, names):
        for name in names:
            if name in self.installed or name in self.providers:
                return name if name in self.installed else self.providers[name]
        raise AssertionError(f"none of {names} is installed here")

    def _info_files(self, name):
        return [
            path
            for path in (DPKG / "info").glob(f"{name}[.:]*")
            if path.name.split(":")[0].rsplit(".", 1)[0] == name or path.name.startswith(name + ":")
        ]

    def _copy_files(self):
        for link in MERGED:
            if Path("/", link).is_symlink():
                (self.folder / "usr" / link).mkdir(parents=True, exist_ok=True)
                (self.folder / link).symlink_to(f"usr/{link}")
        paths = []
        for name in self.packages:
            for info in self._info_files(name):
                if info.suffix == ".list":
                    paths += [
                        path
                        for path in info.read_text().splitlines()
                        if path not in ("", "/.") and not LEFT_OUT.match(path) and Path(path).exists()
                    ]
        names = "".join(
            f"{path[1:]}\n"
            for path in dict.fromkeys(paths)
            if not (Path(path).is_dir() and path.count("/") == 1 and path[1:] in MERGED)
        )
        with subprocess.Popen(
            ["tar", "-C", "/", "--no-recursion", "-cf", "-", "-T", "-"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        ) as reader:
            with subprocess.Popen(
                ["tar", "-C", str(self.folder), "--keep-directory-symlink", "-xpf", "-"],
                stdin=reader.stdout,
            ) as writer:
                reader.stdin.write(names.encode())
                reader.stdin.close()
        assert (reader.returncode, writer.returncode) == (0, 0)
        for kind in ("passwd", "group"):
            master = Path(f"/usr/share/base-passwd/{kind}.master")
            (self.folder / "etc" / kind).write_text(master.read_text())
        for name in ("dev", "proc", "tmp", "run", "var/log"):
            (self.folder / name).mkdir(parents=True, exist_ok=True)

    def _write_database(self):
        database = self.folder / "var/lib/dpkg"
        for name in ("info", "updates", "triggers", "alternatives"):
            (database / name).mkdir(parents=True, exist_ok=True)
        (database / "status").write_text(
            "".join(self.installed[name][0] + "\n\n" for name in self.packages)
        )
        (database / "available").touch()
        for name in self.packages:
            for path in self._info_files(name):
                (database / "info" / path.name).write_bytes(path.read_bytes())
                (database / "info" / path.name).chmod(path.stat().st_mode & 0o777)
        (database / "info" / "format").write_bytes((DPKG / "info" / "format").read_bytes())

    def command(self, *words, **limits):
        """How to run it inside; `limits` are those of clean_root_inside.py."""
        wanted = {"root": str(self.folder), "command": list(map(str, words)), **limits}
        return ["unshare", "--mount", "--net", sys.executable, str(INSIDE), json.dumps(wanted)]

    def run(self, *words, check=True):
        return subprocess.run(
            self.command(*words),
            capture_output=True,
            text=True,
            timeout=60,
            check=check,
            env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "DEBIAN_FRONTEND": "noninteractive"},
        )

    def paths(self):
        """All there is but what dpkg and the linker note down for themselves."""
        found = subprocess.run(
            [
                "find",
                ".",
                "-path",
                "./var/lib/dpkg",
                "-prune",
                "-o",
                "-path",
                "./var/log",
                "-prune",
                "-o",
                "-path",
                "./var/cache",
                "-prune",
                "-o",
                "-print",
            ],
            cwd=self.folder,
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
        ).stdout
        return set(found.split("\n")) - {"./etc/ld.so.cache", ""}
