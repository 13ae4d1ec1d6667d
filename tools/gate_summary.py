#!/usr/bin/env python3
"""Adds up the test reports of one gate run: tools/gate_summary.py FOLDER of JUnit files.

Prints each skipped test with its reason, then one line with the totals over all runners. Exit 1
when one failed or when nothing ran.

SPDX-License-Identifier: Apache-2.0
"""
import sys
from pathlib import Path
from xml.etree import ElementTree


def main():
    passed = failed = skipped = 0
    for report in sorted(Path(sys.argv[1]).glob("*.xml")):
        for case in ElementTree.parse(report).iter("testcase"):
            if case.find("failure") is not None or case.find("error") is not None:
                failed += 1
                continue
            skip = case.find("skipped")
            if skip is None:
                passed += 1
                continue
            skipped += 1
            print(f"skipped: {case.get('classname')}.{case.get('name')}: {skip.get('message')}")
    print(f"volley-gate: {passed} passed, {failed} failed, {skipped} skipped")
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main())
