"""Makes the C table of the pages: their bytes, entity tags and security policies.

usage: embed.py OUTPUT.c PAGE...

A page may load nothing and may run no script but the ones that stand in it: each <script> and <style> is
named by its digest in the page's Content-Security-Policy. A page that needs more says so in a comment
`<!-- policy: script-src 'self'; ... -->`; where that allows inline styles at large, their digests are left
out, because a browser that sees one heeds nothing else.

SPDX-License-Identifier: Apache-2.0
"""
import base64
import hashlib
import pathlib
import re
import sys

MEDIA_TYPES = {".html": "text/html; charset=utf-8", ".svg": "image/svg+xml"}
BYTES_PER_LINE = 20


def sources(page, element):
    """The digests of the inline elements of one kind, as a policy names them."""
    found = re.findall(rf"<{element}>(.*?)</{element}>", page, re.DOTALL)
    digests = (base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() for text in found)
    return " ".join(f"'sha256-{digest}'" for digest in digests) or "'none'"


def policy(page):
    directives = {
        "default-src": "'none'", "script-src": sources(page, "script"), "style-src": sources(page, "style"),
        "connect-src": "'self'", "img-src": "'self'", "base-uri": "'none'", "form-action": "'none'",
        "frame-ancestors": "'none'",
    }
    wish = re.search(r"<!-- policy: (.*?) -->", page)
    for directive in wish[1].split("; ") if wish else ():
        name, _, allowed = directive.partition(" ")
        given = directives.get(name, "'none'")
        is_replaced = given == "'none'" or "'unsafe-inline'" in allowed
        directives[name] = allowed if is_replaced else f"{given} {allowed}"
    return "; ".join(f"{name} {allowed}" for name, allowed in directives.items())


def write_bytes(out, data):
    for at in range(0, len(data), BYTES_PER_LINE):
        out.append("    " + " ".join(f"{byte}," for byte in data[at:at + BYTES_PER_LINE]))


def main(output, *names):
    out = ["/* Made by embed.py. SPDX-License-Identifier: Apache-2.0 */", '#include "rest/page.h"', ""]
    rows = []
    for index, name in enumerate(names):
        path = pathlib.Path(name)
        data = path.read_bytes()
        out.append(f"static const unsigned char page_{index}[] = {{")
        write_bytes(out, data)
        out.append("};")
        rows.append(
            f'    {{"{path.name}", "{MEDIA_TYPES[path.suffix]}", "{hashlib.sha256(data).hexdigest()[:24]}",\n'
            f'     "{policy(data.decode())}",\n'
            f"     (const char *)page_{index}, sizeof(page_{index})}},"
        )
    out += ["", "const struct rest_page rest_pages[] = {", *rows, "};"]
    out += [f"const size_t rest_page_count = {len(names)};", ""]
    pathlib.Path(output).write_text("\n".join(out))


main(*sys.argv[1:])
