/*
 * transport_limits.c — the transport's limits from the settings.
 *
 * Runs on the composition root's thread. Owns nothing. SPDX-License-Identifier: Apache-2.0
 */
#include "server/transport_limits.h"

void transport_limits_set(const struct settings_limits *from, struct http_limits *out_limits)
{
    struct http_limits *limits = out_limits;
    limits->header_bytes_max = (size_t)from->header_bytes;
    limits->header_count_max = (size_t)from->header_count;
    limits->continuations_max = (unsigned)from->continuations;
    limits->header_timeout_ms = from->header_timeout_ms;
    limits->body_bytes_per_second_min = from->body_bytes_per_second;
    limits->body_grace_ms = from->body_grace_ms;
    limits->received_bytes_max = (size_t)from->received_bytes;
    limits->stream_window_bytes = (size_t)from->stream_window_bytes;
    limits->connection_window_bytes = (size_t)from->connection_window_bytes;
    limits->streams_max = (unsigned)from->streams;
    limits->requests_max = (uint32_t)from->connection_requests;
    limits->settings_frames_max = (unsigned)from->settings_frames;
    limits->settings_entries_max = (unsigned)from->settings_entries;
    limits->pings_max = (unsigned)from->pings;
    limits->ping_strikes_max = (unsigned)from->ping_strikes;
    limits->ping_interval_ms = from->ping_interval_ms;
    limits->client_resets_max = (unsigned)from->client_resets;
    limits->server_resets_max = (unsigned)from->server_resets;
    limits->priorities_max = (unsigned)from->priority_frames;
    limits->empty_data_max = (unsigned)from->empty_data;
    limits->tiny_data_max = (unsigned)from->tiny_data;
    limits->window_updates_max = (unsigned)from->window_updates;
    limits->unknown_frames_max = (unsigned)from->unknown_frames;
    limits->control_queue_max = (unsigned)from->control_queue;
    limits->frame_bytes_max = (size_t)from->frame_bytes;
    limits->write_queue_bytes = (size_t)from->stream_queue_bytes;
    limits->connection_queue_bytes = (size_t)from->connection_queue_bytes;
    limits->server_queue_bytes = (size_t)from->queued_bytes;
    limits->write_stall_timeout_ms = from->write_stall_timeout_ms;
    limits->idle_timeout_ms = from->idle_timeout_ms;
    limits->keepalive_time_ms = from->keepalive_time_ms;
    limits->keepalive_timeout_ms = from->keepalive_timeout_ms;
    limits->connection_age_ms = from->connection_age_ms;
    limits->connection_age_grace_ms = from->connection_age_grace_ms;
}
