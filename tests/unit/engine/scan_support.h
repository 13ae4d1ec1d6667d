/*
 * scan_support.h — columns of every type put as datasets, and what SQL reads of them.
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include "base/memory.h"
#include "engine_support.h"
#include "store/put.h"

/* A batch of one column under construction. */
struct column_maker {
    struct arrow_schema *schema;
    struct arrow_node nodes[16];
    size_t node_count;
    struct slice buffers[48];
    size_t buffer_count;
};

#define ADD(maker, type, ...)                                                                      \
    do {                                                                                           \
        const type values_[] = {__VA_ARGS__};                                                      \
        add_bytes((maker), values_, sizeof(values_));                                              \
    } while (0)
#define ADD_NO_NULLS(maker) add_bytes((maker), NULL, 0)

#define TEXT "abcdefghijklmnopqrstuvwxyz"

int set_up(void **state);
int tear_down(void **state);
/* Keeps the batches, whose references are taken over, as dataset `path`. */
void put(struct test_engine *test, const char *path, struct arrow_schema *schema,
         struct arrow_batch **batches, size_t count);
struct arrow_field *begin(struct column_maker *maker, enum arrow_type type);
struct arrow_field *add_child(struct column_maker *maker, struct arrow_field *parent, size_t index,
                              const char *name, enum arrow_type type);
void add_node(struct column_maker *maker, int64_t length, int64_t null_count);
void add_bytes(struct column_maker *maker, const void *bytes, size_t size);
/* Ends the column and keeps it as dataset "t": the batch as it is, its rows one by one in batches of their
 * own, and the batch again. */
void end_with(struct column_maker *maker, struct test_engine *test,
              struct arrow_batch **dictionaries);
void end(struct column_maker *maker, struct test_engine *test);
/* Asserts type and values, as SQL prints them, of dataset "t": three times, as `end` puts them. */
void expect(struct test_engine *test, const char *type, const char *values);
