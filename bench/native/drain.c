/*
 * drain.c — reads an Arrow C stream to its end without looking at it.
 *
 * For the Python clients of the benchmark: counts rows and batches in C, so that no Python runs per
 * batch. Loaded by ctypes; called on the client's one thread; owns nothing. The structs are those of
 * the Arrow C stream interface, cut to what is used.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdint.h>

struct array {
    int64_t length;
    int64_t null_count;
    int64_t offset;
    int64_t buffer_count;
    int64_t child_count;
    const void **buffers;
    struct array **children;
    struct array *dictionary;
    void (*release)(struct array *);
    void *private_data;
};

struct stream {
    int (*get_schema)(struct stream *, void *);
    int (*get_next)(struct stream *, struct array *);
    const char *(*get_last_error)(struct stream *);
    void (*release)(struct stream *);
    void *private_data;
};

/* Rows read, or -1 after an error; *batches is how many arrays came. Releases the stream. */
int64_t drain(struct stream *stream, int64_t *batches)
{
    int64_t rows = 0;
    *batches = 0;
    for (;;) {
        struct array array = {0};
        if (stream->get_next(stream, &array) != 0) {
            rows = -1;
            break;
        }
        if (!array.release)
            break;
        rows += array.length;
        (*batches)++;
        array.release(&array);
    }
    stream->release(stream);
    return rows;
}
