/*
 * descriptor.c — finds the file that describes something, and what that file imports.
 *
 * A descriptor is a tree of messages that have their name in field 1. A symbol is looked for along its
 * path, in all files: they are few and nobody asks often.
 *
 * Runs on any thread and owns nothing: the descriptors are constants of this program.
 *
 * Source: protobuf, google/protobuf/descriptor.proto.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "grpc/descriptor.h"

#include "base/memory.h"

enum kind { KIND_FILE, KIND_MESSAGE, KIND_ENUM, KIND_SERVICE, KIND_LEAF };

/* Field numbers. */
enum { FILE_PACKAGE = 2, FILE_DEPENDENCY = 3 };
enum { ANY_NAME = 1 };

static const struct {
    enum kind parent;
    uint32_t number;
    enum kind child;
} children[] = {
    {KIND_FILE, 4, KIND_MESSAGE}, {KIND_FILE, 5, KIND_ENUM},       {KIND_FILE, 6, KIND_SERVICE},
    {KIND_FILE, 7, KIND_LEAF},    {KIND_MESSAGE, 3, KIND_MESSAGE}, {KIND_MESSAGE, 4, KIND_ENUM},
    {KIND_MESSAGE, 2, KIND_LEAF}, {KIND_MESSAGE, 6, KIND_LEAF},    {KIND_MESSAGE, 8, KIND_LEAF},
    {KIND_ENUM, 2, KIND_LEAF},    {KIND_SERVICE, 2, KIND_LEAF},
};

static struct str text_field(struct str message, uint32_t number)
{
    struct wire_reader reader = wire_reader_make(message);
    struct wire_field field;
    while (wire_next(&reader, &field)) {
        if (field.number == number && field.type == WIRE_BYTES)
            return field.bytes;
    }
    return STR_EMPTY;
}

/* What stands behind `scope` and a dot, if the symbol begins with them. */
static bool enter(struct str symbol, struct str scope, struct str *out_rest)
{
    if (!str_starts_with(symbol, scope) || symbol.len <= scope.len || symbol.ptr[scope.len] != '.')
        return false;
    *out_rest = str_slice(symbol, scope.len + 1, symbol.len);
    return true;
}

static bool has_child(enum kind parent, struct str message, struct str symbol);

static bool declares(enum kind kind, struct str message, struct str symbol)
{
    struct str name = text_field(message, ANY_NAME);
    struct str rest;
    if (str_equal(symbol, name))
        return true;
    /* The values of an enum have names beside it. */
    if (kind == KIND_ENUM)
        return has_child(kind, message, symbol);
    return kind != KIND_LEAF && enter(symbol, name, &rest) && has_child(kind, message, rest);
}

static bool has_child(enum kind parent, struct str message, struct str symbol)
{
    struct wire_reader reader = wire_reader_make(message);
    struct wire_field field;
    while (wire_next(&reader, &field)) {
        for (size_t i = 0; i < ARRAY_COUNT(children); i++) {
            if (children[i].parent == parent && children[i].number == field.number &&
                declares(children[i].child, field.bytes, symbol))
                return true;
        }
    }
    return false;
}

const struct proto_file *descriptor_file_named(struct str name)
{
    for (size_t i = 0; i < proto_file_count; i++) {
        if (str_equal(proto_files[i].name, name))
            return &proto_files[i];
    }
    return NULL;
}

const struct proto_file *descriptor_file_of(struct str symbol)
{
    for (size_t i = 0; i < proto_file_count; i++) {
        struct str bytes = proto_files[i].bytes;
        struct str rest;
        if (enter(symbol, text_field(bytes, FILE_PACKAGE), &rest) &&
            has_child(KIND_FILE, bytes, rest))
            return &proto_files[i];
    }
    return NULL;
}

bool descriptor_next_import(struct wire_reader *reader, struct str *out_name)
{
    struct wire_field field;
    while (wire_next(reader, &field)) {
        if (field.number != FILE_DEPENDENCY || field.type != WIRE_BYTES)
            continue;
        *out_name = field.bytes;
        return true;
    }
    return false;
}
