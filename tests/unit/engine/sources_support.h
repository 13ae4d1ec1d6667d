/*
 * sources_support.h — statements, and whether what they would read is still the same.
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include "base/clock.h"
#include "base/memory.h"
#include "engine/sources.h"
#include "engine_support.h"
#include "store/put.h"

extern struct test_engine engine;

extern char folder[64];

#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)
#define FILE_TEST(function) cmocka_unit_test_setup_teardown(function, set_up_files, tear_down_files)

int set_up(void **state);
int tear_down(void **state);
struct engine_sources *capture(const char *sql);
/* Where the server's own settings may be changed at all. */
int set_up_settings(void **state);
void path_of(char out[128], const char *name);
/* Writes the file; its time is `age_s` seconds ago. */
void write_file(const char *name, const char *content, long age_s);
int set_up_files(void **state);
int tear_down_files(void **state);
