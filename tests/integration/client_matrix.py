"""The matrix of clients and features: which tests fill which cell, and the table of docs/clients.md.

A test says what it shows by @pytest.mark.client("jdbc", "batch bind"); the hooks here, which conftest.py
imports, collect how such tests ended. `--write-client-table` writes the table from the run; without it
test_client_table.py compares the committed one with the run, so that it cannot promise what was not seen.

A cell is `yes` where all its tests passed, `no` where one failed, and `-` where the client has no way to ask
for the feature: ABSENT says why.

SPDX-License-Identifier: Apache-2.0
"""
import importlib.metadata
import re
from dataclasses import dataclass
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parent.parent.parent
PAGE = REPOSITORY / "docs" / "clients.md"
BEGIN, END = "<!-- matrix: begin -->\n", "<!-- matrix: end -->\n"
JDBC_DRIVER = "flight-sql-jdbc-driver-18.3.0.jar"

FEATURES = ("connect", "query", "update and DDL", "parameters", "batch bind", "ingest", "transactions",
            "metadata", "cancel", "session options", "poll", "large result", "errors")


def pinned(file, pattern):
    """The version that a manifest of tests/clients or the set-up pins."""
    return re.search(pattern, (REPOSITORY / file).read_text())[1]


@dataclass(frozen=True)
class Client:
    key: str
    name: str
    version: object  # called for the version: a manifest or an installed package tells it

    @property
    def heading(self):
        return f"{self.name} {self.version()}"


def package(name):
    return lambda: importlib.metadata.version(name)


DRIVERS = (
    Client("adbc", "ADBC (Python)", package("adbc-driver-flightsql")),
    Client("adbc-go", "ADBC (Go)",
           lambda: pinned("tests/clients/go/go.mod", r"arrow-adbc/go/adbc v(\S+)")),
    Client("jdbc", "JDBC", lambda: pinned("tests/integration/client_matrix.py", r"driver-([\d.]+)\.jar")),
    Client("pyarrow", "pyarrow (C++)", package("pyarrow")),
    Client("arrow-go", "arrow-go", lambda: pinned("tests/clients/go/go.mod", r"arrow-go/v18 v(\S+)")),
    Client("arrow-rs", "arrow-flight (Rust)",
           lambda: pinned("tests/clients/rust/Cargo.toml", r'arrow-flight = \{ version = "=([\d.]+)"')),
    Client("grpc-js", "grpc-js", lambda: pinned("tests/clients/js/package.json", r'grpc-js": "(\S+)"')),
    Client("grpcurl", "grpcurl", lambda: pinned("tests/clients/go/go.mod", r"grpcurl v(\S+)")),
)
LIBRARIES = (
    Client("pandas", "pandas", package("pandas")),
    Client("polars", "polars", package("polars")),
    Client("sqlalchemy", "SQLAlchemy", package("sqlalchemy")),
    Client("ibis", "Ibis", package("ibis-framework")),
    Client("duckdb", "DuckDB (Python)", package("duckdb")),
)
CLIENTS = {client.key: client for client in (*DRIVERS, *LIBRARIES)}

# {client: {reason: the features that it has no way to ask for}}
ABSENT = {
    "jdbc": {
        "JDBC has no bulk load: `executeBatch` sends its rows at once": ("ingest",),
        "`setAutoCommit`, `commit` and `rollback` of the driver do nothing; BEGIN, COMMIT and ROLLBACK as"
        " statements work": ("transactions",),
        "the driver never polls": ("poll",),
    },
    "pyarrow": {"the library has no call for PollFlightInfo": ("poll",)},
    "arrow-rs": {"the library has no messages for them": ("session options",)},
    "grpcurl": {
        "its rows would have to be written by hand": ("parameters", "batch bind", "ingest"),
        "it prints every byte as text": ("large result",),
    },
    "pandas": {
        "pandas refuses `params` with ADBC": ("parameters",),
        "its own functions have none; the ADBC connection that it is given does": (
            "update and DDL", "batch bind", "transactions", "metadata", "cancel", "session options", "poll"),
    },
    "polars": {
        "its own functions have none; the ADBC connection that it is given does": (
            "update and DDL", "batch bind", "transactions", "metadata", "cancel", "session options", "poll"),
    },
    "sqlalchemy": {
        "SQLAlchemy has none": ("ingest", "cancel", "session options", "poll"),
    },
    "ibis": {
        "Ibis has none": ("batch bind", "transactions", "cancel", "session options", "poll"),
        "Ibis writes values into the statement": ("parameters",),
    },
    "duckdb": {
        "DuckDB takes streams that ADBC or pyarrow fetched": (
            "connect", "update and DDL", "parameters", "batch bind", "transactions", "metadata", "cancel",
            "session options", "poll", "errors"),
    },
}

outcomes_key = pytest.StashKey()


def absent(client, feature):
    return any(feature in features for features in ABSENT.get(client, {}).values())


def cell(outcomes):
    if not outcomes:
        return "?"
    return "yes" if all(outcomes) else "no"


def table_lines(clients, cells):
    """One table: a row a feature, a column a client."""
    yield "| | " + " | ".join(client.heading for client in clients) + " |"
    yield "|---|" + "---|" * len(clients)
    for feature in FEATURES:
        row = (cells[client.key, feature] for client in clients)
        yield f"| {feature} | " + " | ".join(row) + " |"


def rendered(cells):
    """What stands between the marks of docs/clients.md."""
    lines = ["", *table_lines(DRIVERS, cells), "", *table_lines(LIBRARIES, cells), ""]
    lines += [f"- {CLIENTS[key].name} without {', '.join(features)}: {reason}."
              for key, reasons in ABSENT.items() for reason, features in reasons.items()]
    return "\n".join([*lines, ""]) + "\n"


def committed():
    """The committed text between the marks."""
    return PAGE.read_text().partition(BEGIN)[2].partition(END)[0]


def committed_cells(text):
    """{(client key, feature): cell} of the committed tables, and the headings by client."""
    cells = {}
    for clients in (DRIVERS, LIBRARIES):
        heads = {client.heading: client.key for client in clients}
        tables = re.findall(r"(?m)^\| \| (.*) \|\n\|(?:---\|)+\n((?:\|.*\n)+)", text)
        for heading, body in tables:
            names = heading.split(" | ")
            if not set(names) & set(heads):
                continue
            for line in body.splitlines():
                feature, *row = [part.strip() for part in line.strip("|").split("|")]
                cells.update({(heads.get(name, name), feature): found for name, found in zip(names, row)})
    return cells


def run_cells(config):
    """The cells of this run: `?` where no test of the cell ran."""
    outcomes = config.stash.get(outcomes_key, {})
    return {
        (client, feature): "-" if absent(client, feature) else cell(outcomes.get((client, feature)))
        for client in CLIENTS for feature in FEATURES
    }


def pytest_addoption(parser):
    parser.addoption("--write-client-table", action="store_true",
                     help="write the table of docs/clients.md from this run")


def pytest_configure(config):
    config.addinivalue_line("markers", "client(name, feature): fills a cell of docs/clients.md")
    config.stash[outcomes_key] = {}


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config, items):
    """The comparison with the page comes last; a mark that names no cell is a mistake."""
    items.sort(key=lambda item: "test_client_table.py" in item.nodeid)
    for item in items:
        for mark in item.iter_markers("client"):
            client, feature = mark.args
            if client not in CLIENTS or feature not in FEATURES or absent(client, feature):
                raise pytest.UsageError(f"{item.nodeid}: no cell for {client}, {feature}")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    report = yield
    if report.when == "call" or (report.when == "setup" and not report.passed):
        for mark in item.iter_markers("client"):
            if report.outcome != "skipped" or hasattr(report, "wasxfail"):
                found = item.config.stash[outcomes_key].setdefault(mark.args, [])
                found.append(report.outcome == "passed" and not hasattr(report, "wasxfail"))
    return report


def pytest_sessionfinish(session):
    if not session.config.getoption("--write-client-table"):
        return
    before, _, rest = PAGE.read_text().partition(BEGIN)
    after = rest.partition(END)[2]
    PAGE.write_text(before + BEGIN + rendered(run_cells(session.config)) + END + after)
