/*
 * Any bytes in any pieces through the frame reader; what it returns must be what was framed.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <assert.h>

#include "base/checked.h"
#include "grpc/frame.h"

#define MESSAGE_BYTES_MAX ((size_t)1 << 16)

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

/* The first byte chooses the encoding and how large the pieces are. */
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    if (size == 0)
        return 0;
    struct str rest = str_make(bytes + 1, size - 1);
    size_t piece_bytes = (size_t)(bytes[0] >> 1) + 1;
    CLEANUP(frame_reader_finish) struct frame_reader reader;
    frame_reader_init(&reader, MESSAGE_BYTES_MAX, bytes[0] & 1 ? STR("gzip") : STR_EMPTY);
    while (rest.len > 0) {
        struct str piece = str_slice(rest, 0, size_min(piece_bytes, rest.len));
        size_t offered_bytes = piece.len;
        CLEANUP(slice_finish) struct slice message = SLICE_EMPTY;
        bool complete = false;
        if (frame_reader_read(&reader, &piece, &message, &complete, NULL) != STATUS_OK)
            return 0;
        rest = str_slice(rest, offered_bytes - piece.len, rest.len);
        assert(complete || piece.len == 0);
        assert(message.len <= MESSAGE_BYTES_MAX);
        /* The message's bytes are those just before what is left. */
        assert(message.len == 0 || message.ptr[message.len - 1] == (uint8_t)rest.ptr[-1]);
    }
    return 0;
}
