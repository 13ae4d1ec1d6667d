#!/usr/bin/env python3
"""Proves that every #include in src/ follows tools/layers.txt.

A line of the table is `module: modules it may include | third-party headers that it alone
includes`. A module may include itself and the modules named, which must stand above it, so the
graph has no cycle. A third-party header has exactly one module; any other header in angle
brackets must be one of the C library or the kernel. Files directly in src/ compose the program
and may include every module. Prints file:line of each violation.

SPDX-License-Identifier: Apache-2.0
"""
import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SOURCE = ROOT / "src"
INCLUDE = re.compile(r'\s*#\s*include\s*([<"])([^>"]+)[>"]')
SYSTEM_FOLDERS = ("sys", "netinet", "arpa", "linux", "net", "bits")
SYSTEM_HEADERS = set(
    """assert ctype dirent dlfcn endian errno fcntl fenv float fnmatch getopt glob grp inttypes
    langinfo libgen limits locale math mntent netdb poll pthread pwd sched semaphore signal
    spawn stdalign stdarg stdatomic stdbool stddef stdint stdio stdlib stdnoreturn string
    strings syslog termios threads time ucontext uchar unistd utime wchar wctype byteswap
    malloc execinfo ifaddrs link elf""".split()
)


def read_table():
    """The modules each module may include, the owner of each third-party header, and faults."""
    allowed, owner, faults = {}, {}, []
    path = ROOT / "tools" / "layers.txt"
    for number, line in enumerate(path.read_text().splitlines(), 1):
        line = line.split("#", 1)[0].strip()
        if not line:
            continue
        name, _, rest = line.partition(":")
        modules, _, headers = rest.partition("|")
        for module in modules.split():
            if module not in allowed:
                faults.append(f"{path}:{number}: {module} does not stand above {name}")
        for header in headers.split():
            if owner.setdefault(header, name) != name:
                faults.append(f"{path}:{number}: {header} belongs to {owner[header]} already")
        allowed[name] = {name, *modules.split()}
    return allowed, owner, faults


def is_system(header):
    return header.split("/")[0] in SYSTEM_FOLDERS or header.removesuffix(".h") in SYSTEM_HEADERS


def check_third_party(module, header, owner):
    if header in owner:
        if module != owner[header]:
            return f"only {owner[header]} includes {header}"
    elif not is_system(header):
        return f"{header} is not in tools/layers.txt: name its one owner there"
    return None


def check_own(file, module, header, allowed):
    """An include in quotes: a header of src/, one beside the file, or one made in the same module."""
    target = header.split("/")[0]
    if (SOURCE / header).is_file() and target in allowed:
        if module is not None and target not in allowed[module]:
            return f"{module} may not include {target} ({header})"
        return None
    generated = header.endswith(".pb-c.h")
    if "/" not in header and (generated or (file.parent / header).is_file()):
        return f"only proto includes {header}" if generated and module != "proto" else None
    return f"{header} is no header of src/ and none beside this file"


def check_file(file, allowed, owner):
    parts = file.relative_to(SOURCE).parts
    module = parts[0] if len(parts) > 1 else None
    if module is not None and module not in allowed:
        yield 1, f"module {module} is not in tools/layers.txt"
        return
    for number, line in enumerate(file.read_text().splitlines(), 1):
        match = INCLUDE.match(line)
        if not match:
            continue
        quote, header = match.groups()
        if quote == "<" or header in owner:
            fault = check_third_party(module, header, owner)
        else:
            fault = check_own(file, module, header, allowed)
        if fault:
            yield number, fault


def main():
    allowed, owner, faults = read_table()
    files = sorted(path for path in SOURCE.rglob("*") if path.suffix in (".c", ".h"))
    for file in files:
        for number, fault in check_file(file, allowed, owner):
            faults.append(f"{file.relative_to(ROOT)}:{number}: {fault}")
    print("\n".join(faults) if faults else f"layers: {len(files)} files follow tools/layers.txt")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
