/*
 * log_test.c — lines of both formats, hostile bytes, cuts, full rings, several writers.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "base/log.h"

#include "base/buf.h"
#include "base/log_line.h"
#include "base/log_ring.h"
#include "base/memory.h"
#include "base/random.h"

#include <fcntl.h>
#include <math.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#define WALL_US INT64_C(1795234200123456)

static struct str format_line(char out[LOG_LINE_BYTES_MAX], enum log_format format,
                              const struct log_field *fields, size_t count)
{
    size_t length = log_line_format(out, format, LOG_INFO, WALL_US, "call", fields, count);
    assert_in_range(length, 1, LOG_LINE_BYTES_MAX);
    assert_int_equal(out[length - 1], '\n');
    return str_make(out, length - 1);
}

static void expect_line(enum log_format format, struct log_field field, const char *expected)
{
    char line[LOG_LINE_BYTES_MAX];
    struct str text = format_line(line, format, &field, 1);
    struct str head = format == LOG_JSON
                          ? STR("{\"time\":\"2026-11-21T04:10:00.123456Z\",\"level\":\"info\","
                                "\"event\":\"call\"")
                          : STR("2026-11-21T04:10:00.123Z INFO  call");
    assert_true(str_starts_with(text, head));
    text = str_slice(text, head.len, text.len);
    if (!str_equal(text, str_of(expected)))
        fail_msg("'%.*s' is not '%s'", STR_ARGS(text), expected);
}

static void text_lines(void **state)
{
    expect_line(LOG_TEXT, LOG_STR("method", STR("DoGet")), " method=DoGet");
    expect_line(LOG_TEXT, LOG_STR("sql", STR("select 1")), " sql=\"select 1\"");
    expect_line(LOG_TEXT, LOG_STR("a", STR("")), " a=\"\"");
    expect_line(LOG_TEXT, LOG_STR("a", STR("b=c")), " a=\"b=c\"");
    expect_line(LOG_TEXT, LOG_STR("a", STR("x\"\\\n\t\r\x1b[2J\x7f")),
                " a=\"x\\\"\\\\\\n\\t\\r\\u001b[2J\\u007f\"");
    expect_line(LOG_TEXT, LOG_STR("a", STR("gr\xC3\xBC n")), " a=\"gr\xC3\xBC n\"");
    expect_line(LOG_TEXT,
                LOG_STR("a", STR("\xC2\x9B"
                                 "31m")),
                " a=\"\\u009b31m\"");
    expect_line(LOG_TEXT, LOG_STR("a", str_make("\xff\0", 2)), " a=\"\xEF\xBF\xBD\\u0000\"");
}

static void json_lines(void **state)
{
    expect_line(LOG_JSON, LOG_STR("m", STR("DoGet")), ",\"m\":\"DoGet\"}");
    expect_line(LOG_JSON, LOG_STR("m", STR_EMPTY), ",\"m\":\"\"}");
    expect_line(LOG_JSON, LOG_STR("m", STR("\"\\\n\x01")), ",\"m\":\"\\\"\\\\\\n\\u0001\"}");
    expect_line(LOG_JSON, LOG_STR("m", STR("\xED\xA0\x80z")),
                ",\"m\":\"\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBDz\"}");
    expect_line(LOG_JSON, LOG_NUMBER("m", NAN), ",\"m\":null}");
    expect_line(LOG_JSON, LOG_NUMBER("m", -INFINITY), ",\"m\":null}");
}

static void numbers(void **state)
{
    expect_line(LOG_TEXT, LOG_INTEGER("n", INT64_MIN), " n=-9223372036854775808");
    expect_line(LOG_TEXT, LOG_INTEGER("n", 0), " n=0");
    expect_line(LOG_TEXT, LOG_NUMBER("ms", 1.2), " ms=1.2");
    expect_line(LOG_TEXT, LOG_NUMBER("ms", 0), " ms=0");
    expect_line(LOG_TEXT, LOG_NUMBER("ms", -0.5), " ms=-0.5");
    expect_line(LOG_TEXT, LOG_NUMBER("ms", 12.3456), " ms=12.346");
    expect_line(LOG_TEXT, LOG_NUMBER("ms", 12.0501), " ms=12.05");
    expect_line(LOG_TEXT, LOG_NUMBER("ms", 0.9999), " ms=1");
    expect_line(LOG_TEXT, LOG_NUMBER("ms", 0.00001), " ms=1e-05");
    expect_line(LOG_TEXT, LOG_NUMBER("ms", 1e15), " ms=1e+15");
    expect_line(LOG_TEXT, LOG_NUMBER("ms", NAN), " ms=nan");
}

/* Whatever does not fit: the line stays well-formed and says so. */
static void long_lines_are_cut(void **state)
{
    static const char *const units[] = {"x", "\"", "\x01", "\xF0\x9F\x98\x80", "\xff", " "};
    for (size_t unit = 0; unit < ARRAY_COUNT(units); unit++) {
        for (size_t before = 1900; before < 2040; before++) {
            char first[2048];
            memset(first, 'y', sizeof(first));
            char second[400];
            size_t len = 0;
            while (len + 4 < sizeof(second)) {
                memcpy(second + len, units[unit], strlen(units[unit]));
                len += strlen(units[unit]);
            }
            const struct log_field fields[] = {LOG_STR("a", str_make(first, before)),
                                               LOG_STR("b", str_make(second, len)),
                                               LOG_INTEGER("c", INT64_MAX)};
            char line[LOG_LINE_BYTES_MAX];
            struct str text = format_line(line, LOG_JSON, fields, 3);
            assert_true(str_ends_with(text, STR(",\"cut\":1}")));
            assert_true(str_is_utf8(text));
            text = format_line(line, LOG_TEXT, fields, 3);
            assert_true(str_ends_with(text, STR(" cut=1")));
        }
    }
}

/* Any bytes at all give one line of valid UTF-8 without control characters. */
static void hostile_bytes_stay_in_one_line(void **state)
{
    for (int round = 0; round < 300; round++) {
        uint8_t bytes[500];
        random_bytes(bytes, sizeof(bytes));
        struct log_field field = LOG_STR("x", str_make(bytes, sizeof(bytes)));
        char line[LOG_LINE_BYTES_MAX];
        struct str text = format_line(line, round % 2 ? LOG_JSON : LOG_TEXT, &field, 1);
        assert_true(str_is_utf8(text));
        for (size_t i = 0; i < text.len; i++)
            assert_true((uint8_t)text.ptr[i] >= 0x20 && text.ptr[i] != 0x7f);
    }
}

/* --- the ring ---------------------------------------------------------------------------------- */

static void ring_wraps_and_counts_what_it_drops(void **state)
{
    static struct log_ring ring; /* a stack of a sanitizer is not aligned to 64 */
    CLEANUP(buf_finish) struct buf out;
    log_ring_init(&ring, 4096);
    buf_init(&out, 1 << 20);
    char line[1500];
    memset(line, 'x', sizeof(line));
    size_t put = 0;
    size_t taken = 0;
    for (size_t round = 0; round < 500; round++) {
        size_t length = 1 + (round * 37) % (sizeof(line) - 1);
        uint64_t dropped = ring.dropped;
        log_ring_put(&ring, line, length);
        put += ring.dropped == dropped ? length : 0;
        if (round % 3 == 2) {
            buf_clear(&out);
            log_ring_take(&ring, &out);
            taken += out.len;
        }
    }
    buf_clear(&out);
    log_ring_take(&ring, &out);
    taken += out.len;
    assert_int_equal(put, taken);
    assert_true(ring.dropped > 0);
    assert_int_equal(log_ring_take(&ring, &out), 0);
    for (size_t i = 0; i < ring.capacity; i++)
        assert_int_equal(ring.bytes[i], 0);
    log_ring_finish(&ring);
}

static void ring_stops_where_the_batch_is_full(void **state)
{
    static struct log_ring ring; /* a stack of a sanitizer is not aligned to 64 */
    CLEANUP(buf_finish) struct buf out;
    log_ring_init(&ring, 4096);
    buf_init(&out, 10);
    log_ring_put(&ring, "aaaa", 4);
    log_ring_put(&ring, "bbbb", 4);
    log_ring_put(&ring, "cccc", 4);
    assert_int_equal(log_ring_take(&ring, &out), 2);
    assert_string_equal((const char *)out.ptr, "aaaabbbb");
    assert_false(out.failed);
    buf_clear(&out);
    assert_int_equal(log_ring_take(&ring, &out), 1);
    assert_string_equal((const char *)out.ptr, "cccc");
    log_ring_finish(&ring);
}

/* --- the log ----------------------------------------------------------------------------------- */

static int memory_file(void)
{
    int fd = memfd_create("log", MFD_CLOEXEC);
    assert_true(fd >= 0);
    return fd;
}

static char *read_back(int fd)
{
    off_t size = lseek(fd, 0, SEEK_END);
    char *text = memory_new((size_t)size + 1);
    assert_int_equal(pread(fd, text, (size_t)size, 0), size);
    return text;
}

static void levels_decide(void **state)
{
    CLEANUP(log_destroy) struct log *log = log_create(LOG_INFO, LOG_TEXT, 2);
    assert_false(log_enabled(log, LOG_DEBUG));
    assert_false(log_enabled(NULL, LOG_ERROR));
    LOG(NULL, LOG_ERROR, "nobody", LOG_INTEGER("n", 1));
    LOG(log, LOG_DEBUG, "quiet", LOG_INTEGER("n", 1));
    LOG(log, LOG_WARNING, "loud", LOG_INTEGER("n", 2), LOG_STR("s", STR("t")));
    log_set_level(log, LOG_DEBUG);
    LOG(log, LOG_DEBUG, "now", LOG_INTEGER("n", 3));
    int fd = memory_file();
    assert_int_equal(log_drain(log, fd), 2);
    assert_int_equal(log_drain(log, fd), 0);
    char *text = read_back(fd);
    close(fd);
    assert_non_null(strstr(text, "Z WARN  loud n=2 s=t\n"));
    assert_non_null(strstr(text, "Z DEBUG now n=3\n"));
    assert_null(strstr(text, "quiet"));
    free(text);
}

static void full_rings_drop_and_tell(void **state)
{
    CLEANUP(log_destroy) struct log *log = log_create(LOG_INFO, LOG_JSON, 1);
    char value[1000];
    memset(value, 'v', sizeof(value));
    for (int i = 0; i < 2000; i++)
        LOG(log, LOG_INFO, "e", LOG_STR("v", str_make(value, sizeof(value))));
    uint64_t dropped = log_dropped(log);
    assert_in_range(dropped, 1, 1999);
    int fd = memory_file();
    assert_int_equal(log_drain(log, fd), 2000 - dropped + 1);
    char *text = read_back(fd);
    char expected[64];
    snprintf(expected, sizeof(expected), "\"event\":\"log_dropped\",\"lines\":%lu}\n",
             (unsigned long)dropped);
    assert_non_null(strstr(text, expected));
    free(text);
    assert_int_equal(log_drain(log, fd), 0);
    close(fd);
}

static void a_broken_descriptor_loses_lines_and_nothing_else(void **state)
{
    CLEANUP(log_destroy) struct log *log = log_create(LOG_INFO, LOG_TEXT, 1);
    LOG(log, LOG_INFO, "e", LOG_INTEGER("n", 1));
    int fd = open("/dev/full", O_WRONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(log_drain(log, fd), 0);
    close(fd);
    assert_int_equal(log_dropped(log), 1);
    fd = memory_file();
    assert_int_equal(log_drain(log, fd), 1);
    char *text = read_back(fd);
    close(fd);
    assert_non_null(strstr(text, "log_dropped lines=1\n"));
    free(text);
}

enum { WRITERS = 4, LINES = 3000 };

static void *write_lines(void *argument)
{
    struct log *log = argument;
    for (int i = 0; i < LINES; i++)
        LOG(log, LOG_INFO, "threads", LOG_INTEGER("number", i), LOG_STR("text", STR("abcdefgh")));
    return NULL;
}

/* One ring for all writers, drained meanwhile: each line is whole, and none is lost unaccounted. */
static void writers_do_not_mix_lines(void **state)
{
    CLEANUP(log_destroy) struct log *log = log_create(LOG_INFO, LOG_TEXT, 1);
    int fd = memory_file();
    pthread_t threads[WRITERS];
    for (int i = 0; i < WRITERS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, write_lines, log), 0);
    for (int i = 0; i < 200; i++)
        log_drain(log, fd);
    for (int i = 0; i < WRITERS; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    log_drain(log, fd);
    char *text = read_back(fd);
    close(fd);
    size_t lines = 0;
    struct str rest = str_of(text);
    while (rest.len > 0) {
        struct str line = str_split(&rest, '\n');
        if (str_find_str(line, STR("log_dropped")) >= 0)
            continue;
        assert_true(str_find_str(line, STR("Z INFO  threads number=")) == 23);
        assert_true(str_ends_with(line, STR(" text=abcdefgh")));
        lines++;
    }
    assert_int_equal(lines + log_dropped(log), WRITERS * LINES);
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text_lines),
        cmocka_unit_test(json_lines),
        cmocka_unit_test(numbers),
        cmocka_unit_test(long_lines_are_cut),
        cmocka_unit_test(hostile_bytes_stay_in_one_line),
        cmocka_unit_test(ring_wraps_and_counts_what_it_drops),
        cmocka_unit_test(ring_stops_where_the_batch_is_full),
        cmocka_unit_test(levels_decide),
        cmocka_unit_test(full_rings_drop_and_tell),
        cmocka_unit_test(a_broken_descriptor_loses_lines_and_nothing_else),
        cmocka_unit_test(writers_do_not_mix_lines),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
