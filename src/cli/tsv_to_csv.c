/*
 * tsv_to_csv.c — makes CSV of tab-separated rows, so that a server reads what `--format tsv` wrote.
 *
 * A backslash escapes the byte behind it (\t, \n, \r, \\), quotes are bytes like others, and a field of \N
 * alone is NULL. In the CSV every field has quotes but NULL, which is an empty one without: so a field that
 * holds nothing stays an empty text.
 *
 * Runs on: the main thread. Owns: nothing. Spec: the text format of PostgreSQL's COPY; RFC 4180.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "cli/tsv_to_csv.h"

static bool ends_field(uint8_t byte)
{
    return byte == '\t' || byte == '\n';
}

static uint8_t unescaped(uint8_t byte)
{
    switch (byte) {
    case 't':
        return '\t';
    case 'n':
        return '\n';
    case 'r':
        return '\r';
    default:
        return byte;
    }
}

/* A byte of a text. */
static uint8_t *put(struct tsv_to_csv *state, uint8_t byte, uint8_t *out)
{
    if (state->place == TSV_FIELD_BEGIN || state->place == TSV_FIELD_BEGIN_ESCAPE)
        *out++ = '"';
    if (byte == '"')
        *out++ = '"';
    *out++ = byte;
    state->place = TSV_FIELD;
    return out;
}

/* \N was no NULL, since something stands behind it. */
static uint8_t *put_letter(struct tsv_to_csv *state, uint8_t *out)
{
    state->place = TSV_FIELD_BEGIN;
    return put(state, 'N', out);
}

static uint8_t *end_field(struct tsv_to_csv *state, uint8_t byte, uint8_t *out)
{
    if (state->place == TSV_FIELD_BEGIN || state->place == TSV_FIELD_BEGIN_ESCAPE)
        *out++ = '"';
    if (state->place != TSV_FIELD_NULL)
        *out++ = '"';
    *out++ = byte == '\t' ? ',' : byte;
    state->place = TSV_FIELD_BEGIN;
    state->has_line = byte == '\t';
    return out;
}

static uint8_t *convert(struct tsv_to_csv *state, uint8_t byte, uint8_t *out)
{
    bool is_escaped = state->place == TSV_FIELD_BEGIN_ESCAPE || state->place == TSV_FIELD_ESCAPE;
    state->has_line = true;
    if (state->place == TSV_FIELD_BEGIN_ESCAPE && byte == 'N') {
        state->place = TSV_FIELD_NULL;
        return out;
    }
    if (is_escaped)
        return put(state, unescaped(byte), out);
    if (ends_field(byte))
        return end_field(state, byte, out);
    if (state->place == TSV_FIELD_NULL)
        out = put_letter(state, out);
    if (byte != '\\')
        return put(state, byte, out);
    state->place = state->place == TSV_FIELD_BEGIN ? TSV_FIELD_BEGIN_ESCAPE : TSV_FIELD_ESCAPE;
    return out;
}

static uint8_t *take_return(struct tsv_to_csv *state, uint8_t next, uint8_t *out)
{
    if (!state->has_return)
        return out;
    state->has_return = false;
    return next == '\n' ? out : convert(state, '\r', out);
}

size_t tsv_to_csv_convert(struct tsv_to_csv *state, const uint8_t *in, size_t size, uint8_t *out)
{
    uint8_t *end = out;
    for (size_t i = 0; i < size; i++) {
        uint8_t byte = in[i];
        end = take_return(state, byte, end);
        state->has_return = byte == '\r';
        if (!state->has_return)
            end = convert(state, byte, end);
    }
    return (size_t)(end - out);
}

size_t tsv_to_csv_end(struct tsv_to_csv *state, uint8_t *out)
{
    state->has_return = false;
    return state->has_line ? (size_t)(end_field(state, '\n', out) - out) : 0;
}
