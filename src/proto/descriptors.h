/*
 * descriptors.h — the .proto files that clients may ask for, as descriptors; made when the program is
 * built (descriptors.py).
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include <stddef.h>

#include "base/str.h"

struct proto_file {
    struct str name;  /* "Flight.proto" */
    struct str bytes; /* google.protobuf.FileDescriptorProto */
};

extern const struct proto_file proto_files[];
extern const size_t proto_file_count;
