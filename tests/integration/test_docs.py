"""Every command of the pages and of --help does what it says: each is typed, in order, and succeeds.

SPDX-License-Identifier: Apache-2.0
"""

import re
import subprocess

import pyarrow as pa
import pytest
from doc_pages import REPOSITORY, RUN, TABLES, Reader, blocks_of
from harness import COMPUTING, run, wait_until

# Clients of other languages have tests of their own, which write that page.
PAGES = sorted(
    f"docs/{path.name}" for path in (REPOSITORY / "docs").glob("*.md") if path.name != "clients.md"
)
PAGES.append("README.md")

# What a page takes for granted, as Python sees it.
KNOWN = {
    "docs/flight.md": {
        "table": pa.table({"region": ["a", "b", "a"], "price": [1.5, 2.5, 4.0]}),
        "schema": pa.schema({"region": pa.string(), "price": pa.float64()}),
        "batches": pa.table({"region": ["a", "b"], "price": [1.5, 2.5]}).to_batches(),
    },
    "docs/flight-sql.md": {"reader": pa.table({"id": [1, 2]}).to_reader()},
}
# Rows that the statements of a page speak of.
ORDERS = (
    "SELECT i AS customer_id, i % 3 AS region, i * 2.5 AS amount, DATE '2024-01-01' + i::INTEGER AS day"
    " FROM range(9) t(i)"
)

pytestmark = pytest.mark.release


@pytest.fixture
def reader(binary, start_server, tls_server, tmp_path, certificates):
    server = start_server()
    for statement in filter(str.strip, TABLES.split(";")):
        assert server.query(statement).status in (200, 204), statement
    put = server.request("PUT", "/v1/datasets/shop/orders", server.query(ORDERS, "arrow").body)
    assert put.status == 201, put.text
    made = Reader(binary, server, tmp_path / "typed", certificates)
    made.replaced["data.example.org:50052"] = "localhost:{}".format(tls_server.flight_address[1])
    made.replaced["3f0e6c1e-7b0a-4f0e-9d5e-0a4b6c2d8e10"] = put.json["id"]
    return made


@pytest.mark.parametrize("page", PAGES)
def test_page_has_no_fence_without_a_language(page):
    for block in blocks_of(page):
        assert block.language, f"{block}: say what it is, as doc_pages.py tells"
        if block.language in RUN and block.words.startswith("no-run"):
            assert re.fullmatch(r"no-run: .{8,}", block.words), f"{block}: say why it is not run"
        elif block.language in RUN:
            assert block.words in ("", "server", "terminal"), f"{block}: {block.words}"


@pytest.mark.parametrize("page", PAGES)
def test_no_command_hides_in_an_indented_block(page):
    text = re.sub(r"^```.*?^```$", "", (REPOSITORY / page).read_text(), flags=re.MULTILINE | re.DOTALL)
    assert re.findall(r"^(?: {4}|\t)(?:curl|volley|build/volley|python3?|pip) .*", text, re.MULTILINE) == []


@pytest.mark.parametrize("page", [page for page in PAGES if any(block.is_run for block in blocks_of(page))])
def test_page(reader, page):
    reader.names.update(KNOWN.get(page, {}))
    for block in filter(lambda block: block.is_run, blocks_of(page)):
        reader.run(block)


def test_links_lead_somewhere():
    for page in [*PAGES, "docs/clients.md", "CONTRIBUTING.md", "ARCHITECTURE.md"]:
        text = (REPOSITORY / page).read_text()
        for target in re.findall(r"\]\((?!https?:|#)([^)#\s]+)", text):
            assert ((REPOSITORY / page).parent / target).exists(), f"{page}: {target}"


def examples_of(binary, command):
    """The last paragraph of its help."""
    lines = run(binary, command, "--help").stdout.rstrip("\n").split("\n\n")[-1].splitlines()
    assert lines and all(line.startswith("  ") for line in lines), lines
    return [line.strip() for line in lines]


def test_examples_of_the_help(reader, binary):
    """All commands' examples, in the order in which the help lists them, on one server."""
    listed = re.findall(r"^  ([a-z]+) {2,}\S", run(binary, "--help").stdout, re.MULTILINE)
    assert len(listed) > 10
    for command in ["docs", *listed]:
        (reader.folder / "build" / "docs").mkdir(exist_ok=True)
        for example in examples_of(binary, command):
            type_example(reader, command, example)


def type_example(reader, command, example):
    if re.match(r"volley serve(?!.*--print)", example):
        reader.run_server(example, command)
    elif example == "volley top":
        reader.run_terminal(example)
    elif example.startswith("volley kill "):
        with subprocess.Popen(
            [reader.binary, "sql", COMPUTING.format(mark="killed")],
            env=reader.environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        ) as computing:
            (found,) = wait_until(lambda: reader.server.running("killed"), what="the statement")
            reader.run_shell(["bash", "-c", f"volley kill {found}"], example)
            assert computing.wait(60) == 4
    else:
        reader.run_shell(["bash", "-euo", "pipefail", "-c", reader.typed(example)], f"{command}: {example}")
