/*
 * limits.c — the transport's limits: defaults, and what they may be.
 *
 * Runs on: any thread; constant. Leaves out: what follows when a client runs into one (where it does).
 * SPDX-License-Identifier: Apache-2.0
 */
#include "http/listener.h"

#define KIB ((size_t)1 << 10)
#define MIB ((size_t)1 << 20)

const struct http_limits http_limits_default = {
    .header_bytes_max = 64 * KIB,
    .header_count_max = 256,
    .continuations_max = 8,
    .header_timeout_ms = 10000,
    .body_bytes_per_second_min = KIB,
    .body_grace_ms = 10000,
    .received_bytes_max = 1024 * MIB,
    .stream_window_bytes = 4 * MIB,
    .connection_window_bytes = 32 * MIB,
    .streams_max = 256,
    .requests_max = 500000000,
    .settings_frames_max = 32,
    .settings_entries_max = 32,
    .pings_max = 1000,
    .ping_strikes_max = 2,
    .ping_interval_ms = 9000,
    .client_resets_max = 5000,
    .server_resets_max = 100,
    .priorities_max = 100,
    .empty_data_max = 10,
    .tiny_data_max = 2000,
    .window_updates_max = 1000,
    .unknown_frames_max = 100,
    .control_queue_max = 1000,
    .frame_bytes_max = MIB,
    .write_queue_bytes = 4 * MIB,
    .connection_queue_bytes = 32 * MIB,
    .server_queue_bytes = 1024 * MIB,
    .write_stall_timeout_ms = 60000,
    .connection_count_max = 20000,
    .connections_per_address_max = 1000,
    .handshake_timeout_ms = 10000,
    .idle_timeout_ms = 0,
    .keepalive_time_ms = 7200000,
    .keepalive_timeout_ms = 20000,
    .connection_age_ms = 0,
    .connection_age_grace_ms = 0,
};

enum status http_limits_check(const struct http_limits *limits, struct error *error)
{
    if (limits->frame_bytes_max < 16384 || limits->frame_bytes_max > 16777215)
        return error_set(error, STATUS_INVALID_ARGUMENT,
                         "the largest frame must have 16384 to 16777215 bytes, not %zu",
                         limits->frame_bytes_max);
    if (limits->stream_window_bytes < 1 || limits->stream_window_bytes > INT32_MAX ||
        limits->connection_window_bytes < 65535 || limits->connection_window_bytes > INT32_MAX)
        return error_set(error, STATUS_INVALID_ARGUMENT,
                         "windows must have at most %d bytes, and a connection's at least 65535",
                         INT32_MAX);
    if (limits->write_queue_bytes == 0 || limits->streams_max == 0 ||
        limits->connections_per_address_max == 0 || limits->header_bytes_max == 0 ||
        limits->header_bytes_max > UINT32_MAX)
        return error_set(error, STATUS_INVALID_ARGUMENT,
                         "limits of streams, headers and queued bytes must not be 0");
    return STATUS_OK;
}
