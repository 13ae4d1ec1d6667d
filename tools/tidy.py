#!/usr/bin/env python3
"""Checks what compilers and clang-format do not: the house rules of the text of every source file.

Header comment with the licence line, length of functions, files and lines, banned functions and
words, white space, paths of one machine and names of registry hosts. Looks at the files that git
tracks or would track. Prints file:line of each violation.

SPDX-License-Identifier: Apache-2.0
"""
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
MAX_FUNCTION_LINES = 70
MAX_FILE_LINES = 800
MAX_TEST_FILE_LINES = 1200
MAX_LINE_COLUMNS = 110  # clang-format holds code to 100; comments may end a word later
# file:function, each with its reason beside it. Keep it short.
LONG_FUNCTIONS = set()
# Declarations of another project's API, spelled as it spells them.
FOREIGN_DECLARATIONS = {"src/engine/duckdb/duckdb_copy.h"}
LICENCE = "SPDX-License-Identifier: Apache-2.0"
CODE = {".c", ".h", ".py", ".sh", ".go", ".java", ".rs"}
TEXT = CODE | {".md", ".txt", ".build", ".yml", ".yaml", ".toml", ".proto", ".json", ".sql", ".mod"}
BANNED_CALLS = re.compile(
    r"(?<![\w.>])(strcpy|strcat|strncpy|strncat|sprintf|vsprintf|strtok|strtok_r|atoi|atol|atoll"
    r"|atof|gets|localtime|localtime_r|gmtime|ctime|asctime|rand|srand|alloca|system|popen|tmpnam"
    r"|tempnam|mktemp)\s*\("
)
BANNED_WORDS = re.compile(r"\b(TO" r"DO|FIX" r"ME|X" r"XX|HA" r"CK)\b")
BANNED_C = re.compile(r"^\s*goto\s|\btypedef\s+(struct|enum|union)\b")
MACHINE_PATH = re.compile(r"(?<![\w.$}])/(?:work|root|farm)/")
REGISTRY_HOST = re.compile(
    r"registry\.(?:npmjs|yarnpkg)|(?:pypi|pythonhosted)\.org|crates\.io|(?:proxy|sum)\.golang\.org"
    r"|repo1?\.maven|(?:deb|security|snapshot)\.debian\.org"
)
FUNCTION_NAME = re.compile(r"(\w+)\s*\(")


def project_files():
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT, capture_output=True, check=False,
    ).stdout.decode()
    names = listed.split("\0")
    if not listed:
        names = [str(path.relative_to(ROOT)) for path in ROOT.glob("[!.]*/**/*")]
    paths = sorted({ROOT / name for name in names if name})
    return [path for path in paths if path.is_file() and not path.is_symlink()]


def strip_c(text):
    """C source with comments and literals blanked, lines kept."""
    pattern = re.compile(r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', re.S)
    return pattern.sub(lambda match: re.sub(r"[^\n]", " ", match.group()), text)


def c_functions(lines):
    """(name, first line, number of lines) of each function; braces stand in column 0."""
    start = None
    for number, line in enumerate(lines, 1):
        if line.rstrip() == "{":
            start = number
        elif line.startswith("}") and start is not None:
            head = " ".join(lines[max(0, start - 8):start - 1])
            names = FUNCTION_NAME.findall(head.rpartition(";")[2].rpartition("}")[2])
            yield names[0] if names else "?", start, number - start + 1
            start = None


def check_c(name, text):
    if not text.startswith("/*") and not text.startswith("//"):
        yield 1, "the file must open with a comment that says what it is for"
    opening = text.split("*/", 1)[0].rstrip(" */\n") if text.startswith("/*") else ""
    if text.startswith("/*") and name.endswith(".c") and not opening.endswith(LICENCE):
        yield 1, f"the opening comment must end with '{LICENCE}'"
    if name.endswith(".h") and "#pragma once" not in text:
        yield 1, "a header has '#pragma once'"
    lines = strip_c(text).split("\n")
    for number, line in enumerate(lines, 1):
        banned = BANNED_CALLS.search(line)
        if banned and not (banned.group(1) == "system" and name.startswith("tests/")):
            yield number, f"{banned.group(1)} is banned"
        if BANNED_C.search(line) and name not in FOREIGN_DECLARATIONS:
            yield number, "goto and typedef of struct, enum, union are banned"
    for function, number, length in c_functions(lines):
        if length > MAX_FUNCTION_LINES and f"{name}:{function}" not in LONG_FUNCTIONS:
            yield number, f"{function} has {length} lines, {MAX_FUNCTION_LINES} are allowed"


def check_text(name, suffix, text):
    lines = text.split("\n")
    if text and not text.endswith("\n"):
        yield len(lines), "no newline at the end"
    allowed = MAX_TEST_FILE_LINES if name.startswith("tests/") else MAX_FILE_LINES
    if suffix in CODE and len(lines) - 1 > allowed:
        yield len(lines), f"{len(lines) - 1} lines, {allowed} are allowed"
    for number, line in enumerate(lines, 1):
        if line != line.rstrip():
            yield number, "white space at the end of the line"
        if "\t" in line and suffix not in (".go", ".mod", ""):
            yield number, "tab"
        if suffix in CODE and len(line) > MAX_LINE_COLUMNS:
            yield number, f"{len(line)} columns, {MAX_LINE_COLUMNS} are allowed"
        if BANNED_WORDS.search(line):
            yield number, "unfinished work is an issue, not a comment"
        if MACHINE_PATH.search(line):
            yield number, "path of one machine"
        if REGISTRY_HOST.search(line):
            yield number, "name of a registry host: use the package client"


def check(path):
    name = path.relative_to(ROOT).as_posix()
    text = path.read_bytes().decode("utf-8", errors="replace")
    suffix = path.suffix
    yield from check_text(name, suffix, text)
    if suffix in CODE and text.strip() and LICENCE not in text[:4000]:
        yield 1, f"'{LICENCE}' is missing from the opening comment"
    if suffix in (".c", ".h"):
        yield from check_c(name, text)


def main():
    faults, count = [], 0
    for path in project_files():
        named = path.name in ("Makefile", "run")
        if (path.suffix not in TEXT and not named) or path.name in ("LICENSE", "go.sum"):
            continue
        count += 1
        for number, fault in check(path):
            faults.append(f"{path.relative_to(ROOT)}:{number}: {fault}")
    print("\n".join(faults) if faults else f"tidy: {count} files follow the house rules")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
