/*
 * descriptor.h — finds the file that describes something, and what that file imports.
 * Threads: any. SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include "proto/descriptors.h"
#include "proto/wire.h"

/* NULL: there is none of that name. */
const struct proto_file *descriptor_file_named(struct str name);
/* The file that declares a package-qualified message, field, oneof, enum, value, service or method; NULL:
 * none. */
const struct proto_file *descriptor_file_of(struct str symbol);
/* The next import of a file; `reader` was made of its bytes. */
bool descriptor_next_import(struct wire_reader *reader, struct str *out_name);
