/*
 * cleanup.h — ownership in one word: TRY, CLEANUP, STEAL.
 *
 * A local that owns something is declared `CLEANUP(thing_destroy) struct thing *thing = NULL;` and is
 * destroyed when the scope ends, unless STEAL(thing) gave it away. TRY returns the status of a call
 * that failed; it is the only macro with control flow.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include "base/error.h"

#define TRY(call)                                                                                  \
    do {                                                                                           \
        enum status try_status_ = (call);                                                          \
        if (try_status_ != STATUS_OK)                                                              \
            return try_status_;                                                                    \
    } while (0)

/* Takes the value of a pointer variable and leaves NULL in it. */
#define STEAL(pointer)                                                                             \
    ({                                                                                             \
        __typeof__(pointer) stolen_ = (pointer);                                                   \
        (pointer) = NULL;                                                                          \
        stolen_;                                                                                   \
    })

/* For `void x_destroy(struct x *)`: makes the function that CLEANUP(x_destroy) names. Put one line
 * `CLEANUP_FUNCTION(struct x *, x_destroy)` below the declaration in the header. */
#define CLEANUP_FUNCTION(type, function)                                                           \
    static inline void function##_cleanup(type *pointer)                                           \
    {                                                                                              \
        if (*pointer)                                                                              \
            function(*pointer);                                                                    \
    }

/* For `void x_finish(struct x *)` on a struct that lives in the scope itself. */
#define CLEANUP_IN_PLACE(type, function)                                                           \
    static inline void function##_cleanup(type *object)                                            \
    {                                                                                              \
        function(object);                                                                          \
    }

#define CLEANUP(function) __attribute__((cleanup(function##_cleanup)))
