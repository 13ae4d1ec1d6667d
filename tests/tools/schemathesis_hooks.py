"""What schemathesis must not send: times so short that a statement is stopped by them, and then rightly
breaks its response off.

SPDX-License-Identifier: Apache-2.0
"""
import schemathesis

LONG_MS = 60_000


def lengthened(values):
    if isinstance(values, dict):
        for name in ("timeout_ms", "timeout-ms"):
            if values.get(name):
                values[name] = LONG_MS
    return values


@schemathesis.hook
def map_body(context, body):
    return lengthened(body)


@schemathesis.hook
def map_query(context, query):
    return lengthened(query)
