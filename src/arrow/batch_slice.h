/*
 * batch_slice.h — the parts of slicing that rewrite what refers to other values.
 *
 * Private to the module. SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include "arrow/batch.h"

struct range {
    int64_t first;
    int64_t count;
};

/* `size` bytes from `first` on, by reference. */
struct slice slice_within(const struct slice *from, size_t first, size_t size);

/* Views and the bytes that they need, no more than twice as many. */
void slice_views(const struct slice *views, const struct slice *bytes, struct range range,
                 struct slice *out_views, struct slice *out_bytes);
/* The starts of list views; *out_target is what of the child they need. */
struct slice slice_starts(const struct slice *starts, const struct slice *sizes, bool is_large,
                          struct range range, struct range *out_target);
/* The ends of the runs that the range touches; *out_target is which runs these are. `width` is that of an
 * end, of which there are `run_count`. */
struct slice slice_run_ends(const struct slice *ends, size_t width, int64_t run_count,
                            struct range range, struct range *out_target);
