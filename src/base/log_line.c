/*
 * log_line.c — format one log line as text for people or as a JSON object.
 *
 * Bytes of a value come from anywhere, so control characters (C1 too: terminals obey them) are
 * escaped and what is not UTF-8 is replaced, in both formats. Room for the end of the line is kept
 * from the start: a line that does not fit loses the rest of a value and the fields after it, says
 * cut=1, and is still well-formed.
 *
 * Runs on: the thread that logs. Owns: nothing; no allocation, no lock. Not done here: queueing
 * (log_ring.c), writing (log.c).
 * Spec: RFC 8259. SPDX-License-Identifier: Apache-2.0
 */
#include "base/log_line.h"

#include "base/clock.h"
#include "base/memory.h"
#include "base/utf8.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>

/* `","cut":1}` and a newline. */
#define END_BYTES 16
#define NUMBER_TEXT_SIZE 40

struct line {
    char *start;
    char *end;   /* next byte to write */
    char *limit; /* END_BYTES before the end of the memory */
    bool is_json;
    bool cut;
};

static const struct {
    const char *text;
    const char *json;
} level_names[] = {
    [LOG_DEBUG] = {"DEBUG", "debug"},
    [LOG_INFO] = {"INFO ", "info"},
    [LOG_WARNING] = {"WARN ", "warning"},
    [LOG_ERROR] = {"ERROR", "error"},
};

/* All bytes or none. */
static bool put(struct line *line, const char *bytes, size_t size)
{
    /* A closing quote may stand behind the limit already: signed. */
    if ((ptrdiff_t)size > line->limit - line->end)
        return false;
    memcpy(line->end, bytes, size);
    line->end += size;
    return true;
}

static bool put_text(struct line *line, const char *text)
{
    return put(line, text, strlen(text));
}

/* True for a control character of one byte, or of two (C1: U+0080 to U+009F). */
static bool is_control(const char *bytes, size_t length)
{
    uint8_t first = (uint8_t)bytes[0];
    if (length == 1)
        return first < 0x20 || first == 0x7F;
    return length == 2 && first == 0xC2 && (uint8_t)bytes[1] < 0xA0;
}

static bool put_control(struct line *line, uint8_t code)
{
    static const char hex[] = "0123456789abcdef";
    if (code == '\n')
        return put(line, "\\n", 2);
    if (code == '\t')
        return put(line, "\\t", 2);
    if (code == '\r')
        return put(line, "\\r", 2);
    const char escape[] = {'\\', 'u', '0', '0', hex[code >> 4], hex[code & 0x0F]};
    return put(line, escape, sizeof(escape));
}

/* One character of a quoted value; returns how many bytes of `text` it took, 0 when it did not fit. */
static size_t put_character(struct line *line, const char *text, size_t size)
{
    size_t length = utf8_sequence_length(text, size);
    if (length == 0)
        return put_text(line, UTF8_REPLACEMENT) ? 1 : 0;
    if (is_control(text, length))
        return put_control(line, (uint8_t)text[length - 1]) ? length : 0;
    if (text[0] == '"' || text[0] == '\\') {
        const char escape[] = {'\\', text[0]};
        return put(line, escape, sizeof(escape)) ? 1 : 0;
    }
    return put(line, text, length) ? length : 0;
}

static bool is_plain(uint8_t byte)
{
    return byte >= 0x20 && byte < 0x7F && byte != '"' && byte != '\\';
}

#define EACH_BYTE(byte) (UINT64_C(0x0101010101010101) * (byte))

/* Not 0 where one of the eight bytes is 0. */
static uint64_t zero_bytes(uint64_t word)
{
    return (word - EACH_BYTE(0x01)) & ~word & EACH_BYTE(0x80);
}

/* Copies eight bytes; true when all are plain. A false answer may be wrong. */
static inline bool copy_word(char *out, const char *bytes)
{
    uint64_t word;
    memcpy(&word, bytes, sizeof(word));
    memcpy(out, &word, sizeof(word));
    uint64_t below_space = (word - EACH_BYTE(0x20)) & ~word;
    return (((word | below_space) & EACH_BYTE(0x80)) | zero_bytes(word ^ EACH_BYTE(0x7F)) |
            zero_bytes(word ^ EACH_BYTE('"')) | zero_bytes(word ^ EACH_BYTE('\\'))) == 0;
}

/* Copies the plain bytes at the front of `text`, at most `run_max`; returns how many. */
static size_t copy_plain(char *out, struct str text, size_t run_max)
{
    size_t end = text.len < run_max ? text.len : run_max;
    size_t run = 0;
    while (end - run >= sizeof(uint64_t) && copy_word(out + run, text.ptr + run))
        run += sizeof(uint64_t);
    /* The last few together with some before them. */
    size_t last = end - sizeof(uint64_t);
    if (run > 0 && run > last && copy_word(out + last, text.ptr + last))
        return end;
    for (; run < end && is_plain((uint8_t)text.ptr[run]); run++)
        out[run] = text.ptr[run];
    return run;
}

static bool put_escaped(struct line *line, struct str text)
{
    while (text.len > 0) {
        ptrdiff_t room = line->limit - line->end;
        size_t taken = copy_plain(line->end, text, room > 0 ? (size_t)room : 0);
        line->end += taken;
        if (taken == 0)
            taken = put_character(line, text.ptr, text.len);
        if (taken == 0)
            return false;
        text = str_slice(text, taken, text.len);
    }
    return true;
}

static bool needs_quotes(struct str text)
{
    for (size_t i = 0; i < text.len; i++) {
        uint8_t byte = (uint8_t)text.ptr[i];
        if (!is_plain(byte) || byte == ' ' || byte == '=')
            return true;
    }
    return text.len == 0;
}

static void put_value_text(struct line *line, struct str text)
{
    bool quoted = line->is_json || needs_quotes(text);
    if (quoted && !put(line, "\"", 1)) {
        line->cut = true;
        return;
    }
    line->cut = !put_escaped(line, text);
    /* The closing quote may use the room kept for the end of the line. */
    if (quoted)
        *line->end++ = '"';
}

static size_t format_integer(char out[NUMBER_TEXT_SIZE], int64_t value)
{
    char digits[NUMBER_TEXT_SIZE];
    size_t at = sizeof(digits);
    uint64_t magnitude = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;
    do {
        digits[--at] = (char)('0' + magnitude % 10);
        magnitude /= 10;
    } while (magnitude > 0);
    if (value < 0)
        digits[--at] = '-';
    memcpy(out, digits + at, sizeof(digits) - at);
    return sizeof(digits) - at;
}

/* Three decimals are enough for people; printf is kept for what is out of the ordinary. */
static size_t format_double(char out[NUMBER_TEXT_SIZE], double value, bool is_json)
{
    double magnitude = fabs(value);
    if (!isfinite(value)) {
        const char *text = is_json ? "null" : isnan(value) ? "nan" : value > 0 ? "inf" : "-inf";
        size_t length = strlen(text);
        memcpy(out, text, length);
        return length;
    }
    if (magnitude >= 1e12 || (magnitude < 0.001 && magnitude > 0)) {
        int length = snprintf(out, NUMBER_TEXT_SIZE, "%.6g", value);
        assert(length > 0 && length < NUMBER_TEXT_SIZE);
        return (size_t)length;
    }
    int64_t thousandths = (int64_t)llround(magnitude * 1000);
    size_t length = 0;
    if (value < 0 && thousandths > 0)
        out[length++] = '-';
    length += format_integer(out + length, thousandths / 1000);
    int64_t rest = thousandths % 1000;
    if (rest > 0)
        out[length++] = '.';
    for (int64_t unit = 100; rest > 0; unit /= 10) {
        out[length++] = (char)('0' + rest / unit);
        rest %= unit;
    }
    return length;
}

static void put_value(struct line *line, const struct log_field *field)
{
    char text[NUMBER_TEXT_SIZE];
    size_t length = 0;
    switch (field->kind) {
    case LOG_FIELD_TEXT:
        put_value_text(line, field->text);
        return;
    case LOG_FIELD_INTEGER:
        length = format_integer(text, field->integer);
        break;
    case LOG_FIELD_DOUBLE:
        length = format_double(text, field->number, line->is_json);
        break;
    }
    assert(length > 0);
    line->cut = !put(line, text, length);
}

/* The name with what stands around it, or nothing. */
static bool put_label(struct line *line, struct str label)
{
    if (line->is_json)
        return put(line, label.ptr, label.len);
    struct str name = str_slice(label, 2, label.len - 2);
    return put(line, " ", 1) && put(line, name.ptr, name.len) && put(line, "=", 1);
}

static void put_field(struct line *line, const struct log_field *field)
{
    char *before = line->end;
    bool fits = put_label(line, field->label);
    char *value = line->end;
    if (fits)
        put_value(line, field);
    /* A name without a value is worse than none. */
    if (!fits || line->end == value) {
        line->end = before;
        line->cut = true;
    }
}

static void put_head(struct line *line, enum log_level level, int64_t wall_us, const char *event)
{
    char time[CLOCK_TEXT_SIZE];
    size_t time_length = clock_format(wall_us, time);
    bool fits;
    if (line->is_json) {
        fits = put_text(line, "{\"time\":\"") && put(line, time, time_length) &&
               put_text(line, "\",\"level\":\"") && put_text(line, level_names[level].json) &&
               put_text(line, "\",\"event\":\"") && put_escaped(line, str_of(event)) &&
               put(line, "\"", 1);
    } else {
        /* Milliseconds are enough on a screen: three digits less, then the Z again. */
        fits = put(line, time, time_length - 4) && put(line, "Z ", 2) &&
               put_text(line, level_names[level].text) && put(line, " ", 1) &&
               put_text(line, event);
    }
    assert(fits);
}

/* Uses the room kept by `limit`: 1 byte may be gone for a closing quote. */
static size_t finish(struct line *line)
{
    const char *text =
        line->is_json ? (line->cut ? ",\"cut\":1}\n" : "}\n") : (line->cut ? " cut=1\n" : "\n");
    size_t length = strlen(text);
    memcpy(line->end, text, length);
    return (size_t)(line->end - line->start) + length;
}

size_t log_line_format(char out[LOG_LINE_BYTES_MAX], enum log_format format, enum log_level level,
                       int64_t wall_us, const char *event, const struct log_field *fields,
                       size_t count)
{
    assert((unsigned)level < ARRAY_COUNT(level_names));
    struct line line = {.start = out,
                        .end = out,
                        .limit = out + LOG_LINE_BYTES_MAX - END_BYTES,
                        .is_json = format == LOG_JSON};
    put_head(&line, level, wall_us, event);
    for (size_t i = 0; i < count && !line.cut; i++)
        put_field(&line, &fields[i]);
    return finish(&line);
}
