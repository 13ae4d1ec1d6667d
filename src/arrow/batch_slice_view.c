/*
 * batch_slice_view.c — slices of what refers to its values by position: views, list views, runs.
 *
 * A slice refers to the part of the bytes between the first and the last one that it needs; where that
 * is far more than it needs, the bytes are gathered instead, so that many small slices of one batch do
 * not each carry all of it. Any thread. Owns what it makes until it is returned.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "arrow/batch_slice.h"

#include "arrow/column.h"
#include "base/checked.h"

/* A part may have as many bytes that it does not need as it needs, and this many more. */
#define UNUSED_BYTES_MAX 4096

static const void *bytes_of(const struct slice *slice)
{
    return slice->ptr;
}

/* --- views -------------------------------------------------------------------------------------- */

struct extent {
    int64_t first; /* of the bytes that are referred to; first > end: there are none */
    int64_t end;
    int64_t total; /* of the values' lengths */
};

static bool is_inlined(const struct arrow_view *view)
{
    return view->size <= ARROW_VIEW_INLINE_MAX;
}

static struct extent measure_views(const struct arrow_view *views, struct range range)
{
    struct extent extent = {.first = INT64_MAX};
    for (int64_t i = range.first; i < range.first + range.count; i++) {
        if (is_inlined(&views[i]))
            continue;
        int64_t end = (int64_t)views[i].offset + views[i].size;
        extent.first = views[i].offset < extent.first ? views[i].offset : extent.first;
        extent.end = end > extent.end ? end : extent.end;
        extent.total += views[i].size;
    }
    return extent;
}

static struct slice move_views(const struct arrow_view *views, struct range range, int64_t first)
{
    size_t size = (size_t)range.count * sizeof(*views);
    struct buffer *buffer = buffer_create_copy(views + range.first, size);
    struct arrow_view *to = (struct arrow_view *)(void *)buffer->data;
    for (int64_t i = 0; i < range.count; i++)
        to[i].offset -= is_inlined(&to[i]) ? 0 : (int32_t)first;
    return slice_make(buffer->data, size, buffer);
}

static struct slice gather_views(const struct arrow_view *views, const struct slice *bytes,
                                 struct range range, int64_t total, struct slice *out_bytes)
{
    struct slice moved = move_views(views, range, 0);
    struct arrow_view *to = (struct arrow_view *)(void *)moved.owner->data;
    struct buffer *gathered = buffer_create((size_t)total);
    int32_t at = 0;
    for (int64_t i = 0; i < range.count; i++) {
        if (is_inlined(&to[i]))
            continue;
        memcpy(gathered->data + at, bytes->ptr + to[i].offset, (size_t)to[i].size);
        to[i].offset = at;
        at += to[i].size;
    }
    *out_bytes = slice_make(gathered->data, (size_t)total, gathered);
    return moved;
}

void slice_views(const struct slice *views, const struct slice *bytes, struct range range,
                 struct slice *out_views, struct slice *out_bytes)
{
    const struct arrow_view *from = bytes_of(views);
    size_t width = sizeof(*from);
    struct extent extent = measure_views(from, range);
    *out_bytes = SLICE_EMPTY;
    if (extent.end - extent.first > 2 * extent.total + UNUSED_BYTES_MAX) {
        *out_views = gather_views(from, bytes, range, extent.total, out_bytes);
        return;
    }
    if (extent.end > 0)
        *out_bytes = slice_within(bytes, (size_t)extent.first, (size_t)(extent.end - extent.first));
    if (extent.end > 0 && extent.first > 0)
        *out_views = move_views(from, range, extent.first);
    else
        *out_views = slice_within(views, (size_t)range.first * width, (size_t)range.count * width);
}

/* --- list views --------------------------------------------------------------------------------- */

static int64_t load(const struct slice *values, size_t width, int64_t index)
{
    const void *bytes = values->ptr;
    if (width == 2)
        return ((const int16_t *)bytes)[index];
    return width == 8 ? ((const int64_t *)bytes)[index] : ((const int32_t *)bytes)[index];
}

static void store(uint8_t *values, size_t width, int64_t index, int64_t value)
{
    /* Little-endian: the low bytes are the narrow number. */
    memcpy(values + (size_t)index * width, &value, width);
}

struct slice slice_starts(const struct slice *starts, const struct slice *sizes, bool is_large,
                          struct range range, struct range *out_target)
{
    size_t width = is_large ? 8 : 4;
    int64_t first = INT64_MAX;
    int64_t end = 0;
    int64_t start_max = 0;
    for (int64_t i = range.first; i < range.first + range.count; i++) {
        int64_t start = load(starts, width, i);
        int64_t size = load(sizes, width, i);
        start_max = start > start_max ? start : start_max;
        first = size > 0 && start < first ? start : first;
        end = size > 0 && start + size > end ? start + size : end;
    }
    first = end > 0 ? first : 0;
    *out_target = (struct range){first, end - first};
    if (first == 0 && start_max <= end)
        return slice_within(starts, (size_t)range.first * width, (size_t)range.count * width);
    struct buffer *buffer = buffer_create((size_t)range.count * width);
    for (int64_t i = 0; i < range.count; i++) {
        bool is_empty = load(sizes, width, range.first + i) == 0;
        store(buffer->data, width, i, is_empty ? 0 : load(starts, width, range.first + i) - first);
    }
    return slice_make(buffer->data, (size_t)range.count * width, buffer);
}

/* --- runs --------------------------------------------------------------------------------------- */

/* The first run that ends behind `row`. */
static int64_t find_run(const struct slice *ends, size_t width, int64_t run_count, int64_t row)
{
    int64_t first = 0;
    int64_t last = run_count;
    while (first < last) {
        int64_t middle = first + (last - first) / 2;
        if (load(ends, width, middle) > row)
            last = middle;
        else
            first = middle + 1;
    }
    return first;
}

struct slice slice_run_ends(const struct slice *ends, size_t width, int64_t run_count,
                            struct range range, struct range *out_target)
{
    *out_target = (struct range){0};
    if (range.count == 0)
        return SLICE_EMPTY;
    int64_t row_end = range.first + range.count;
    int64_t first = find_run(ends, width, run_count, range.first);
    int64_t count = find_run(ends, width, run_count, row_end - 1) + 1 - first;
    *out_target = (struct range){first, count};
    struct buffer *buffer = buffer_create((size_t)count * width);
    for (int64_t i = 0; i < count; i++) {
        int64_t end = load(ends, width, first + i);
        store(buffer->data, width, i, (end < row_end ? end : row_end) - range.first);
    }
    return slice_make(buffer->data, (size_t)count * width, buffer);
}
