/*
 * http2_frames.c — the client's frames before nghttp2 sees them: counted, and checked where it does not.
 *
 * The input is walked from frame head to frame head; the bytes go on to nghttp2 unchanged. Three things
 * are done here because nghttp2 leaves them out: counting frames that cost work (http2_budgets.c),
 * bounding header blocks before they are decoded, and telling streams apart that are closed. Of those
 * it keeps nothing, so as to cost nothing; but which streams *we* reset is remembered here for the
 * last few, and of all others a client that goes on sending on them is to blame.
 *
 * A judgement that depends on what came before has nghttp2 take that first. When many frames ask for
 * answers, these are framed in between: nghttp2 bounds how many it holds.
 *
 * Runs on the connection's loop. Owns nothing. Leaves out: what frames mean (nghttp2,
 * http2_receive.c). Spec: RFC 9113 sections 4.1, 5.1, 6. SPDX-License-Identifier: Apache-2.0
 */
#include "http/http2_server.h"

#include "base/checked.h"
#include "base/memory.h"

#include <string.h>

#define HEAD_BYTES 9
#define PREFACE_BYTES 24
#define SETTINGS_ENTRY_BYTES 6
#define STREAM_ID_BYTES 4
#define STREAM_ID_MASK UINT32_C(0x7fffffff)
/* Of DATA that can be no whole gRPC message and does not end the stream. */
#define TINY_DATA_BYTES 5
/* A header block this many times over the limit costs the connection: decoding it is work too. */
#define BLOCK_OVERSTEP 4
/* Frames between two looks at nghttp2's answers; well below how many it may hold. */
#define REPLIES_MAX 64
/* RFC 9218. */
#define FRAME_PRIORITY_UPDATE 0x10

struct input {
    const uint8_t *bytes;
    size_t size;
    size_t at;  /* walked so far */
    size_t fed; /* given to nghttp2 so far */
};

struct head {
    uint32_t length;
    uint8_t type;
    uint8_t flags;
    uint32_t stream;
};

void http2_frames_start(struct http2_server *server)
{
    server->frames.payload_left = PREFACE_BYTES;
}

bool http2_frames_are_cut(const struct http2_server *server)
{
    const struct http2_frames *frames = &server->frames;
    return frames->payload_left > 0 || frames->head_count > 0 || frames->in_block;
}

static void strike(struct http2_server *server, enum http_strike strike, const char *reason)
{
    if (server->violation)
        return;
    http_connection_strike(server->connection, strike);
    http2_server_violate(server, NGHTTP2_ENHANCE_YOUR_CALM, reason);
}

/* --- streams that are closed --------------------------------------------------------------------- */

void http2_frames_note_reset(struct http2_server *server, uint32_t id)
{
    struct http2_frames *frames = &server->frames;
    uint32_t *place = &frames->resets[frames->reset_count++ % HTTP2_RESETS_KEPT];
    if (*place > frames->forgiven_id)
        frames->forgiven_id = *place;
    *place = id;
}

static bool was_reset_by_us(const struct http2_frames *frames, uint32_t id)
{
    if (id <= frames->forgiven_id)
        return true;
    for (size_t i = 0; i < HTTP2_RESETS_KEPT; i++) {
        if (frames->resets[i] == id)
            return true;
    }
    return false;
}

static void note_opened(struct http2_frames *frames, uint32_t id)
{
    uint32_t next_id = frames->last_id > 0 ? frames->last_id + 2 : 1;
    if (id > next_id) {
        frames->gap_first = next_id;
        frames->gap_last = id - 2;
    }
    frames->last_id = id;
}

/* A frame that opens a stream or belongs to an open one, on one that is neither. */
static void judge_stream(struct http2_server *server, const struct head *head)
{
    const struct http2_frames *frames = &server->frames;
    if (server->http2.recent && (uint32_t)server->http2.recent->id == head->stream)
        return;
    bool is_ours = server->drain != HTTP2_DRAIN_FINAL || head->stream <= server->drain_last_id;
    if (!is_ours || was_reset_by_us(frames, head->stream) ||
        nghttp2_session_get_stream_remote_close(server->http2.session, (int32_t)head->stream) >= 0)
        return;
    bool is_passed_over = head->stream >= frames->gap_first && head->stream <= frames->gap_last;
    if (head->type == NGHTTP2_HEADERS && is_passed_over)
        http2_server_violate(server, NGHTTP2_PROTOCOL_ERROR, "stream_number_too_low");
    else
        http2_server_violate(server, NGHTTP2_STREAM_CLOSED, "stream_closed");
}

/* --- counting ---------------------------------------------------------------------------------- */

static void judge_block(struct http2_server *server, const struct head *head)
{
    struct http2_frames *frames = &server->frames;
    const struct http_limits *limits = http_connection_limits(server->connection);
    if (head->type == NGHTTP2_HEADERS) {
        server->connection->head_started_ns = http2_server_now_ns(server);
        frames->block_bytes = 0;
        frames->continuations = 0;
    } else if (++frames->continuations > limits->continuations_max) {
        strike(server, HTTP_STRIKE_CONTINUATIONS, "too_many_continuations");
    }
    frames->in_block = (head->flags & NGHTTP2_FLAG_END_HEADERS) == 0;
    frames->block_bytes += head->length;
    if (frames->block_bytes / BLOCK_OVERSTEP > limits->header_bytes_max)
        strike(server, HTTP_STRIKE_HEADER_BYTES, "too_many_headers");
}

static void judge_headers(struct http2_server *server, const struct head *head)
{
    struct http2_frames *frames = &server->frames;
    judge_block(server, head);
    if (head->stream <= frames->last_id) {
        judge_stream(server, head);
        return;
    }
    if (head->stream % 2 == 0)
        return;
    note_opened(frames, head->stream);
    /* Numbers are odd; those passed over are used up as well. */
    uint32_t requests = (head->stream + 1) / 2;
    if (requests <= http_connection_limits(server->connection)->requests_max ||
        server->connection->draining)
        return;
    http_connection_strike(server->connection, HTTP_STRIKE_STREAM_IDS);
    http_connection_drain(server->connection);
}

static void judge_settings(struct http2_server *server, const struct head *head)
{
    const struct http_limits *limits = http_connection_limits(server->connection);
    http2_budget_spend(server, HTTP2_BUDGET_SETTINGS);
    if (head->length / SETTINGS_ENTRY_BYTES > limits->settings_entries_max)
        strike(server, HTTP_STRIKE_SETTINGS, "too_many_settings");
}

static void judge_priority(struct http2_server *server, const struct head *head)
{
    http2_budget_spend(server, HTTP2_BUDGET_PRIORITIES);
    if (head->stream == 0)
        http2_server_violate(server, NGHTTP2_PROTOCOL_ERROR, "priority_without_stream");
}

/* Of frames that are only counted. */
static enum http2_budget budget_of(uint8_t type)
{
    switch (type) {
    case NGHTTP2_RST_STREAM:
        return HTTP2_BUDGET_CLIENT_RESETS;
    case NGHTTP2_PING:
        return HTTP2_BUDGET_PINGS;
    case NGHTTP2_WINDOW_UPDATE:
        return HTTP2_BUDGET_WINDOW_UPDATES;
    case FRAME_PRIORITY_UPDATE:
        return HTTP2_BUDGET_PRIORITIES;
    default:
        return HTTP2_BUDGET_UNKNOWN_FRAMES;
    }
}

static void judge_data_stream(struct http2_server *server, const struct head *head)
{
    if (head->stream > 0 && head->stream <= server->frames.last_id)
        judge_stream(server, head);
}

/* What the head alone tells. */
static void judge_head(struct http2_server *server, const struct head *head)
{
    static void (*const judges[])(struct http2_server *, const struct head *) = {
        [NGHTTP2_DATA] = judge_data_stream,   [NGHTTP2_HEADERS] = judge_headers,
        [NGHTTP2_PRIORITY] = judge_priority,  [NGHTTP2_SETTINGS] = judge_settings,
        [NGHTTP2_CONTINUATION] = judge_block,
    };
    if (head->type < ARRAY_COUNT(judges) && judges[head->type])
        judges[head->type](server, head);
    else
        http2_budget_spend(server, budget_of(head->type));
}

static void judge_data(struct http2_server *server, const struct head *head)
{
    if (head->flags & NGHTTP2_FLAG_END_STREAM)
        return;
    bool is_padded = (head->flags & NGHTTP2_FLAG_PADDED) != 0 && head->length > 0;
    uint32_t beside = is_padded ? 1u + server->frames.prefix[0] : 0;
    if (head->length <= beside)
        http2_budget_spend(server, HTTP2_BUDGET_EMPTY_DATA);
    else if (head->length - beside < TINY_DATA_BYTES)
        http2_budget_spend(server, HTTP2_BUDGET_TINY_DATA);
}

static uint32_t read_u32(const uint8_t *bytes)
{
    return (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 | bytes[3];
}

/* What the beginning of the payload tells in addition. */
static void judge_prefix(struct http2_server *server, const struct head *head)
{
    if (head->type == NGHTTP2_DATA)
        judge_data(server, head);
    else if (head->type == NGHTTP2_PRIORITY && head->length >= STREAM_ID_BYTES &&
             (read_u32(server->frames.prefix) & STREAM_ID_MASK) == head->stream)
        http2_server_violate(server, NGHTTP2_PROTOCOL_ERROR, "priority_of_itself");
}

/* --- walking ----------------------------------------------------------------------------------- */

static void fail(struct http2_server *server, ssize_t result)
{
    if (result == NGHTTP2_ERR_FLOODED)
        http_connection_strike(server->connection, HTTP_STRIKE_CONTROL_QUEUE);
    http2_server_give_up(server);
}

/* Has nghttp2 take what was walked, up to `end`. */
static void feed(struct http2_server *server, struct input *input, size_t end)
{
    if (end <= input->fed || server->http2.failed)
        return;
    ssize_t taken = nghttp2_session_mem_recv(server->http2.session, input->bytes + input->fed,
                                             end - input->fed);
    input->fed = end;
    if (taken < 0)
        fail(server, taken);
    else
        server->frames.is_deaf = !nghttp2_session_want_read(server->http2.session);
}

/* Frames nghttp2's answers; those that the client does not take off our hands are bounded. */
static void collect_replies(struct http2_server *server)
{
    server->frames.replies = 0;
    if (server->http2.failed)
        return;
    const struct http_limits *limits = http_connection_limits(server->connection);
    size_t allowed = (size_t)limits->control_queue_max + 2 * (size_t)limits->streams_max;
    if (nghttp2_session_get_outbound_queue_size(server->http2.session) < REPLIES_MAX / 2)
        return;
    (void)http2_session_pump(&server->http2);
    if (server->http2.failed)
        http2_server_give_up(server);
    else if (nghttp2_session_get_outbound_queue_size(server->http2.session) > allowed)
        fail(server, NGHTTP2_ERR_FLOODED);
}

static struct head parse_head(const uint8_t *bytes)
{
    return (struct head){
        .length = (uint32_t)bytes[0] << 16 | (uint32_t)bytes[1] << 8 | bytes[2],
        .type = bytes[3],
        .flags = bytes[4],
        .stream = read_u32(bytes + 5) & STREAM_ID_MASK,
    };
}

static bool depends_on_earlier(const struct head *head)
{
    return head->type == NGHTTP2_DATA || head->type == NGHTTP2_HEADERS;
}

static uint8_t prefix_wanted(const struct head *head)
{
    if (head->type == NGHTTP2_PRIORITY)
        return (uint8_t)size_min(STREAM_ID_BYTES, head->length);
    bool is_padded_data =
        head->type == NGHTTP2_DATA && (head->flags & NGHTTP2_FLAG_PADDED) && head->length > 0;
    return is_padded_data ? 1 : 0;
}

static void walk_head(struct http2_server *server, struct input *input)
{
    struct http2_frames *frames = &server->frames;
    size_t start = input->at;
    size_t part = size_min(HEAD_BYTES - frames->head_count, input->size - input->at);
    memcpy(frames->head + frames->head_count, input->bytes + input->at, part);
    frames->head_count += (uint8_t)part;
    input->at += part;
    if (frames->head_count < HEAD_BYTES)
        return;
    struct head head = parse_head(frames->head);
    frames->head_count = 0;
    frames->payload_left = head.length;
    frames->prefix_count = 0;
    frames->prefix_wanted = prefix_wanted(&head);
    if (depends_on_earlier(&head) || ++frames->replies > REPLIES_MAX) {
        feed(server, input, start);
        collect_replies(server);
    }
    if (server->http2.failed)
        return;
    judge_head(server, &head);
    if (frames->prefix_wanted == 0)
        judge_prefix(server, &head);
}

static void walk_payload(struct http2_server *server, struct input *input)
{
    struct http2_frames *frames = &server->frames;
    size_t part = size_min(frames->payload_left, input->size - input->at);
    if (frames->prefix_count < frames->prefix_wanted) {
        part = size_min(part, (size_t)(frames->prefix_wanted - frames->prefix_count));
        memcpy(frames->prefix + frames->prefix_count, input->bytes + input->at, part);
        frames->prefix_count += (uint8_t)part;
        if (frames->prefix_count == frames->prefix_wanted) {
            struct head head = parse_head(frames->head);
            judge_prefix(server, &head);
        }
    }
    input->at += part;
    frames->payload_left -= (uint32_t)part;
}

static bool is_listening(const struct http2_server *server)
{
    return !server->http2.failed && !server->violation && !server->frames.is_deaf;
}

static bool is_in_head(const struct http2_frames *frames)
{
    bool is_head = frames->head[3] == NGHTTP2_HEADERS || frames->head[3] == NGHTTP2_CONTINUATION;
    return frames->in_block || (is_head && frames->payload_left > 0);
}

/* Told by the bytes: nghttp2 does not report the end of a head that it rejects. */
static void note_head_ended(struct http2_server *server)
{
    if (server->settings_seen && !is_in_head(&server->frames))
        server->connection->head_started_ns = 0;
}

size_t http2_frames_body_left(const struct http2_server *server, int32_t *out_stream)
{
    const struct http2_frames *frames = &server->frames;
    if (frames->payload_left == 0 || !is_listening(server))
        return 0;
    struct head head = parse_head(frames->head);
    *out_stream = (int32_t)head.stream;
    bool is_plain_data =
        head.type == NGHTTP2_DATA && !(head.flags & NGHTTP2_FLAG_PADDED) && head.stream > 0;
    return is_plain_data ? frames->payload_left : 0;
}

void http2_frames_receive(struct http_connection *connection, const uint8_t *bytes, size_t size)
{
    struct http2_server *server = http2_server_of(connection);
    struct input input = {.bytes = bytes, .size = size};
    while (input.at < size && is_listening(server)) {
        if (server->frames.payload_left > 0)
            walk_payload(server, &input);
        else
            walk_head(server, &input);
    }
    if (server->violation)
        return;
    feed(server, &input, size);
    note_head_ended(server);
    collect_replies(server);
}
