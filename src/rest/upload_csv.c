/*
 * upload_csv.c — tells which line of a CSV body has another number of fields than the first one.
 *
 * The engine finds out by itself, but among the first lines it only says that it cannot tell how the file is
 * written. So when it refuses a file this looks again, for nothing but quotes, delimiters and line ends.
 *
 * Runs on: a worker. Owns: nothing. Spec: RFC 4180. SPDX-License-Identifier: Apache-2.0
 */
#include "rest/upload.h"

#include "base/memory.h"

#include <fcntl.h>
#include <unistd.h>

#define PIECE_BYTES ((size_t)64 << 10)
/* A fault further on is one that the engine's own words tell. */
#define LOOKED_AT_BYTES ((uint64_t)64 << 20)

struct csv_lines {
    char delimiter;
    uint64_t line;     /* of the text, from 1 on */
    uint64_t row_line; /* where the row at hand begins */
    uint64_t fields;   /* of the row at hand */
    uint64_t first;    /* of the first row; 0: not yet known */
    bool in_quotes;
    bool is_blank; /* nothing of the row at hand was seen */
};

/* True when the row that ends has another number of fields than the first one. */
static bool end_row(struct csv_lines *lines)
{
    bool is_odd = !lines->is_blank && lines->first > 0 && lines->fields != lines->first;
    if (is_odd)
        return true;
    if (!lines->is_blank && lines->first == 0)
        lines->first = lines->fields;
    lines->row_line = lines->line + 1;
    lines->fields = 1;
    lines->is_blank = true;
    return false;
}

static bool take(struct csv_lines *lines, char byte)
{
    if (byte == '\n' && !lines->in_quotes && end_row(lines))
        return true;
    lines->line += byte == '\n';
    if (byte == '"')
        lines->in_quotes = !lines->in_quotes;
    if (byte == '\n' || byte == '\r')
        return false;
    lines->is_blank = false;
    lines->fields += byte == lines->delimiter && !lines->in_quotes;
    return false;
}

/* True when a row was found. */
static bool look(struct csv_lines *lines, int fd)
{
    char piece[PIECE_BYTES];
    uint64_t seen = 0;
    ssize_t size;
    while (seen < LOOKED_AT_BYTES && (size = read(fd, piece, sizeof(piece))) > 0) {
        seen += (uint64_t)size;
        for (ssize_t i = 0; i < size; i++) {
            if (take(lines, piece[i]))
                return true;
        }
    }
    return seen < LOOKED_AT_BYTES && !lines->in_quotes && end_row(lines);
}

void rest_upload_explain_csv(const struct rest_upload *upload, char delimiter, struct error *error)
{
    for (size_t i = 0; i < upload->file_count; i++) {
        int fd = open(upload->files[i].path, O_RDONLY | O_CLOEXEC);
        if (fd < 0)
            return;
        struct csv_lines lines = {
            .delimiter = delimiter, .line = 1, .row_line = 1, .fields = 1, .is_blank = true};
        bool is_odd = look(&lines, fd);
        bool is_open = !is_odd && lines.in_quotes;
        (void)close(fd);
        if (is_open)
            error_set_code(error, STATUS_INVALID_ARGUMENT, "DATA_VALIDATION_FAILED",
                           "line %llu begins a field in quotes that does not end",
                           (unsigned long long)lines.row_line);
        else if (is_odd)
            error_set_code(error, STATUS_INVALID_ARGUMENT, "DATA_VALIDATION_FAILED",
                           "line %llu has %llu fields, and the first line has %llu",
                           (unsigned long long)lines.row_line, (unsigned long long)lines.fields,
                           (unsigned long long)lines.first);
        if (is_open || is_odd)
            return;
    }
}
