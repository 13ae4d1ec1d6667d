/*
 * sql_fuzz.c — bytes as SQL text: tokenizer, fingerprint, the gate's tables and the check of paths.
 *
 * Tokens must follow one another inside the text, and what the gate lets through must not name a
 * refused function before a bracket.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <assert.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "engine/duckdb/file_gate.h"
#include "engine/gate.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static void check_tokens(struct str sql)
{
    struct sql_tokenizer tokenizer;
    size_t end = 0;
    sql_tokenizer_init(&tokenizer, sql);
    for (;;) {
        struct sql_token token = sql_tokenizer_next(&tokenizer);
        assert(token.offset >= end && token.offset + token.text.len <= sql.len);
        if (token.kind == SQL_END)
            return;
        assert(token.text.len > 0);
        end = token.offset + token.text.len;
    }
}

static bool calls_logging(struct str sql)
{
    struct sql_tokenizer tokenizer;
    struct sql_token previous = {.kind = SQL_END};
    sql_tokenizer_init(&tokenizer, sql);
    for (;;) {
        struct sql_token token = sql_tokenizer_next(&tokenizer);
        if (token.kind == SQL_END)
            return false;
        if (token.text.ptr[0] == '(' && previous.kind == SQL_WORD &&
            str_equal_nocase(previous.text, STR("enable_logging")))
            return true;
        previous = token;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    struct str sql = str_make(bytes, size);
    struct error error = ERROR_NONE;
    CLEANUP(arena_finish) struct arena arena;
    CLEANUP(buf_finish) struct buf text;
    struct file_gate files = {0};
    arena_init(&arena);
    buf_init(&text, 4096);
    file_gate_protect(&files, &arena, STR("/tmp/volley-fuzz.duckdb"), false);
    file_gate_protect(&files, &arena, STR("/tmp/volley-fuzz-spill"), true);
    check_tokens(sql);
    sql_without_literals(sql, 4096, &text);
    (void)sql_fingerprint(sql);
    if (gate_check_text(sql, NULL, 0, &error) == STATUS_OK) {
        assert(!calls_logging(sql));
        if (file_gate_check(&files, sql, &error) != STATUS_OK)
            assert(error.position >= 0 && (size_t)error.position < size);
    }
    return 0;
}
