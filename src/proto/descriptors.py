#!/usr/bin/env python3
"""The descriptions of our .proto files as a C array, for gRPC's reflection service.

usage: descriptors.py PROTOC SOURCE_DIR OUTPUT.c

Clients know these files under the names and imports of their specifications. So each is copied under
that name, without what is protobuf-c's, compiled as a whole, and the descriptor set is cut into its
files. SPDX-License-Identifier: Apache-2.0
"""
import pathlib
import re
import subprocess
import sys
import tempfile

# Our file: its name in the world.
NAMES = {
    "any.proto": "google/protobuf/any.proto",
    "timestamp.proto": "google/protobuf/timestamp.proto",
    "status.proto": "google/rpc/status.proto",
    "flight.proto": "Flight.proto",
    "flight_sql.proto": "FlightSql.proto",
    "health.proto": "grpc/health/v1/health.proto",
    "reflection.proto": "grpc/reflection/v1/reflection.proto",
}
# The same text in another package.
COPIES = {
    "grpc/reflection/v1alpha/reflection.proto": (
        "reflection.proto", "grpc.reflection.v1;", "grpc.reflection.v1alpha;"),
}


def canonical(text):
    """The source as its specification has it, as far as descriptors tell."""
    text = re.sub(r'^import "protobuf-c/.*\n|^option \(pb_c_file\).*\n', "", text, flags=re.M)
    for ours, name in NAMES.items():
        text = text.replace(f'import "{ours}";', f'import "{name}";')
    return text


def read_varint(data, at):
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7


def split_set(data):
    """The files of a FileDescriptorSet: its one field, number 1, repeated."""
    at = 0
    while at < len(data):
        tag, at = read_varint(data, at)
        assert tag == 0x0A, "not a FileDescriptorSet"
        size, at = read_varint(data, at)
        yield data[at:at + size]
        at += size


def name_of(file):
    assert file[0] == 0x0A, "a FileDescriptorProto begins with its name"
    size, at = read_varint(file, 1)
    return file[at:at + size].decode()


def compile_all(protoc, source):
    with tempfile.TemporaryDirectory() as folder:
        root = pathlib.Path(folder)
        texts = {name: (source / ours).read_text() for ours, name in NAMES.items()}
        for name, (ours, old, new) in COPIES.items():
            texts[name] = (source / ours).read_text().replace(old, new)
        for name, text in texts.items():
            path = root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(canonical(text))
        output = root / "set"
        subprocess.run([protoc, f"-I{root}", f"--descriptor_set_out={output}", *texts], check=True)
        return list(split_set(output.read_bytes()))


def write_c(files, path):
    lines = ["/* Made by descriptors.py. */", '#include "proto/descriptors.h"', ""]
    for index, file in enumerate(files):
        lines.append(f"static const unsigned char file_{index}[] = {{")
        for at in range(0, len(file), 24):
            lines.append("    " + "".join(f"{byte}," for byte in file[at:at + 24]))
        lines.append("};")
    lines.append("const struct proto_file proto_files[] = {")
    for index, file in enumerate(files):
        name = name_of(file)
        lines.append(f'    {{{{"{name}", {len(name)}}}, '
                     f"{{(const char *)file_{index}, sizeof(file_{index})}}}},")
    lines += ["};", f"const size_t proto_file_count = {len(files)};", ""]
    path.write_text("\n".join(lines))


def main():
    protoc, source, output = sys.argv[1:]
    write_c(compile_all(protoc, pathlib.Path(source)), pathlib.Path(output))


if __name__ == "__main__":
    main()
