/*
 * content.c — answers of known size: conditions, ranges, and the copying.
 *
 * The answer is decided in the order of RFC 9110 section 13.2.2, from the request alone, before the first
 * byte is read. Copying fills the response queue in steps; after TURN_BYTES other connections have their
 * turn, and a source that has to wait for its bytes is asked again a moment later. Several ranges in one
 * request are answered with the whole, which is allowed.
 *
 * Runs on the request's loop. Owns the source. Leaves out: where bytes come from (source.c).
 * Spec: RFC 9110. SPDX-License-Identifier: Apache-2.0
 */
#include "http/content.h"

#include "base/checked.h"
#include "base/memory.h"
#include "http/date.h"

#include <assert.h>

#define STEP_BYTES ((size_t)256 << 10)
#define TURN_BYTES ((size_t)1 << 20)
#define RETRY_NS NANOSECONDS_PER_MILLISECOND
/* etag, last-modified, accept-ranges, content-length, content-range */
#define OWN_HEADERS_MAX 5

struct http_content {
    struct http_request *request;
    struct http_source source;
    uint64_t offset;
    uint64_t end;
    struct loop_task turn;
    struct loop_timer retry;
    bool over;
    struct error error; /* what broke the source */
};

/* --- conditions -------------------------------------------------------------------------------- */

/* Takes one entity tag from a list; its opaque part without quotes, and whether it is weak. False at the
 * end and at what is no tag. */
static bool take_tag(struct str *list, struct str *out_opaque, bool *out_weak)
{
    struct str rest = *list;
    while (rest.len > 0 && (rest.ptr[0] == ' ' || rest.ptr[0] == '\t' || rest.ptr[0] == ','))
        rest = str_slice(rest, 1, rest.len);
    *out_weak = str_starts_with(rest, STR("W/"));
    if (*out_weak)
        rest = str_slice(rest, 2, rest.len);
    if (!str_starts_with(rest, STR("\"")))
        return false;
    rest = str_slice(rest, 1, rest.len);
    ptrdiff_t quote = str_find(rest, '"');
    if (quote < 0)
        return false;
    *out_opaque = str_slice(rest, 0, (size_t)quote);
    *list = str_slice(rest, (size_t)quote + 1, rest.len);
    return true;
}

/* Whether one tag of a condition is `etag`. With `strong` a weak tag equals nothing. */
static bool tags_include(struct str list, struct str etag, bool strong)
{
    if (str_equal(str_trim(list), STR("*")))
        return true;
    struct str opaque;
    bool is_weak;
    while (take_tag(&list, &opaque, &is_weak)) {
        if (etag.len > 0 && str_equal(opaque, etag) && !(strong && is_weak))
            return true;
    }
    return false;
}

/* A header's whole list: fields of one name that came apart belong together. */
static struct str joined_header(const struct http_request *request, struct str name)
{
    struct str joined = STR_EMPTY;
    for (size_t i = 0; i < request->headers.count; i++) {
        const struct http_header *header = &request->headers.items[i];
        if (!str_equal(header->name, name))
            continue;
        joined = !joined.ptr ? header->value
                             : arena_printf(request->arena, "%.*s, %.*s", STR_ARGS(joined),
                                            STR_ARGS(header->value));
    }
    return joined;
}

/* The date in a header; false without a good one, or when nothing is known to compare it with. */
static bool header_date(const struct http_request *request, struct str name,
                        const struct http_content_head *head, int64_t *out_seconds)
{
    struct str text = http_headers_get(&request->headers, name);
    int64_t now = clock_wall_us() / 1000000;
    return head->modified_seconds > 0 && text.ptr &&
           http_date_parse(str_trim(text), now, out_seconds);
}

unsigned http_content_check(const struct http_request *request,
                            const struct http_content_head *head)
{
    int64_t date;
    struct str match = joined_header(request, STR("if-match"));
    if (match.ptr) {
        if (!tags_include(match, head->etag, true))
            return 412;
    } else if (header_date(request, STR("if-unmodified-since"), head, &date) &&
               head->modified_seconds > date) {
        return 412;
    }
    struct str none_match = joined_header(request, STR("if-none-match"));
    if (none_match.ptr)
        return tags_include(none_match, head->etag, false) ? 304 : 200;
    if (header_date(request, STR("if-modified-since"), head, &date) &&
        head->modified_seconds <= date)
        return 304;
    return 200;
}

/* A range goes with the bytes that the client has already, or not at all. */
bool http_content_range_applies(const struct http_request *request,
                                const struct http_content_head *head)
{
    struct str condition = str_trim(http_headers_get(&request->headers, STR("if-range")));
    if (condition.len == 0)
        return true;
    int64_t date;
    if (condition.ptr[0] == '"' || str_starts_with(condition, STR("W/")))
        return tags_include(condition, head->etag, true);
    return header_date(request, STR("if-range"), head, &date) && date == head->modified_seconds;
}

/* --- ranges ------------------------------------------------------------------------------------ */

/* Digits only; what is larger than any size counts as the largest. */
static bool parse_position(struct str text, uint64_t *out_position)
{
    uint64_t position = 0;
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] < '0' || text.ptr[i] > '9')
            return false;
        if (!checked_mul(position, 10, &position) ||
            !checked_add(position, (uint64_t)(text.ptr[i] - '0'), &position))
            position = UINT64_MAX / 10;
    }
    *out_position = position;
    return text.len > 0;
}

static enum http_range_kind parse_suffix(struct str text, uint64_t size, struct http_range *out)
{
    uint64_t length;
    if (!parse_position(text, &length))
        return HTTP_RANGE_NONE;
    if (length == 0 || size == 0)
        return HTTP_RANGE_UNSATISFIABLE;
    out->size = length < size ? length : size;
    out->first = size - out->size;
    return HTTP_RANGE_PART;
}

enum http_range_kind http_range_parse(struct str text, uint64_t size, struct http_range *out_range)
{
    struct str rest = str_trim(text);
    struct str unit = str_trim(str_split(&rest, '='));
    struct str last_text = str_trim(rest);
    if (!str_equal_nocase(unit, STR("bytes")) || str_find(last_text, '-') < 0)
        return HTTP_RANGE_NONE;
    struct str first_text = str_split(&last_text, '-');
    if (first_text.len == 0)
        return parse_suffix(last_text, size, out_range);
    uint64_t first;
    uint64_t last = UINT64_MAX;
    if (!parse_position(first_text, &first) ||
        (last_text.len > 0 && !parse_position(last_text, &last)) || last < first)
        return HTTP_RANGE_NONE;
    if (first >= size)
        return HTTP_RANGE_UNSATISFIABLE;
    uint64_t end = last < size - 1 ? last + 1 : size;
    *out_range = (struct http_range){.first = first, .size = end - first};
    return HTTP_RANGE_PART;
}

/* --- the answer -------------------------------------------------------------------------------- */

/* What is sent: status, the part, headers. */
struct answer {
    unsigned status;
    struct http_range range;
    struct http_header *headers;
    size_t count;
};

static void add_header(struct answer *answer, struct str name, struct str value)
{
    answer->headers[answer->count++] = (struct http_header){name, value};
}

static void decide(const struct http_request *request, const struct http_content_head *head,
                   uint64_t size, struct answer *answer)
{
    answer->range = (struct http_range){.first = 0, .size = size};
    answer->status = http_content_check(request, head);
    struct str range = http_headers_get(&request->headers, STR("range"));
    if (answer->status == 200 && head->status > 0)
        answer->status = head->status;
    if (answer->status != 200 || head->status > 0 || !range.ptr ||
        !str_equal(request->method, STR("GET")) || !http_content_range_applies(request, head))
        return;
    enum http_range_kind kind = http_range_parse(range, size, &answer->range);
    if (kind == HTTP_RANGE_PART)
        answer->status = 206;
    else if (kind == HTTP_RANGE_UNSATISFIABLE)
        answer->status = 416;
}

/* With 304 goes what a cache may have to change, not what tells of the bytes (RFC 9110, 15.4.5). */
static bool belongs_to(unsigned status, struct str name)
{
    return status != 304 || str_equal(name, STR("content-location")) ||
           !str_starts_with(name, STR("content-"));
}

static void describe(struct http_request *request, const struct http_content_head *head,
                     uint64_t size, struct answer *answer)
{
    struct arena *arena = request->arena;
    answer->headers =
        ARENA_NEW_ARRAY(arena, struct http_header, head->header_count + OWN_HEADERS_MAX);
    bool has_content = answer->status == 200 || answer->status == 206;
    for (size_t i = 0; i < head->header_count && (has_content || answer->status == 304); i++) {
        if (belongs_to(answer->status, head->headers[i].name))
            answer->headers[answer->count++] = head->headers[i];
    }
    if (answer->status != 416 && head->etag.len > 0)
        add_header(answer, STR("etag"), arena_printf(arena, "\"%.*s\"", STR_ARGS(head->etag)));
    if (answer->status != 416 && head->modified_seconds > 0) {
        char *date = arena_new(arena, HTTP_DATE_SIZE);
        add_header(answer, STR("last-modified"), http_date_format(head->modified_seconds, date));
    }
    if (has_content) {
        add_header(answer, STR("accept-ranges"),
                   head->range_units ? str_of(head->range_units) : STR("bytes"));
        add_header(answer, STR("content-length"),
                   arena_printf(arena, "%llu", (unsigned long long)answer->range.size));
    }
    unsigned long long first = answer->range.first;
    if (answer->status == 206 && head->status == 0)
        add_header(answer, STR("content-range"),
                   arena_printf(arena, "bytes %llu-%llu/%llu", first,
                                first + answer->range.size - 1, (unsigned long long)size));
    if (answer->status == 416)
        add_header(answer, STR("content-range"),
                   arena_printf(arena, "bytes */%llu", (unsigned long long)size));
}

static void refuse(struct http_request *request, const struct http_content_head *head,
                   struct answer *answer)
{
    if (head->refuse) {
        head->refuse(request, answer->status, answer->headers, answer->count);
        return;
    }
    add_header(answer, STR("content-length"), STR("0"));
    http_respond(request, answer->status, answer->headers, answer->count, true);
}

/* --- copying ----------------------------------------------------------------------------------- */

static void break_off(struct http_content *content, const struct error *error)
{
    content->over = true;
    content->error = *error;
    http_abort(content->request);
}

/* Cuts what a source gave beyond the part. */
static void cut(struct slices *slices, uint64_t size_max)
{
    if (slices->bytes <= size_max)
        return;
    struct slices kept;
    slices_init(&kept);
    while (kept.bytes < size_max) {
        struct slice slice = slice_ref(*slices_at(slices, 0));
        slices_consume(slices, slice.len);
        slice.len = size_min(slice.len, (size_t)(size_max - kept.bytes));
        slices_append(&kept, slice);
    }
    slices_finish(slices);
    slices_move(slices, &kept);
    slices_finish(&kept);
}

/* Copies one step; false when the source has to be waited for or broke. */
static bool copy_step(struct http_content *content)
{
    struct http_request *request = content->request;
    struct error error = ERROR_NONE;
    CLEANUP(slices_finish) struct slices bytes;
    slices_init(&bytes);
    uint64_t left = content->end - content->offset;
    size_t wanted = size_min(STEP_BYTES, http_writable_bytes(request));
    wanted = left < wanted ? (size_t)left : wanted;
    enum status status =
        content->source.read(content->source.context, content->offset, wanted, &bytes, &error);
    if (status == STATUS_UNAVAILABLE) {
        loop_timer_set(request->loop, &content->retry, clock_now_ns() + RETRY_NS);
        return false;
    }
    if (status != STATUS_OK) {
        break_off(content, &error);
        return false;
    }
    assert(bytes.bytes > 0);
    cut(&bytes, left);
    content->offset += bytes.bytes;
    http_write(request, &bytes);
    return true;
}

static void copy(struct http_content *content)
{
    struct http_request *request = content->request;
    uint64_t stop = content->offset + TURN_BYTES;
    while (!content->over && content->offset < content->end && http_writable_bytes(request) > 0) {
        if (content->offset >= stop) {
            loop_post(request->loop, &content->turn);
            return;
        }
        if (!copy_step(content))
            return;
    }
    if (!content->over && content->offset == content->end) {
        content->over = true;
        http_end(request, NULL, 0);
    }
}

static void on_turn(struct loop_task *task)
{
    copy(CONTAINER_OF(task, struct http_content, turn));
}

static void on_retry(struct loop_timer *timer)
{
    copy(CONTAINER_OF(timer, struct http_content, retry));
}

static void release(const struct http_source *source)
{
    if (source->release)
        source->release(source->context);
}

struct http_content *http_content_begin(struct http_request *request,
                                        const struct http_source *source,
                                        const struct http_content_head *head)
{
    struct answer answer = {0};
    decide(request, head, source->size, &answer);
    describe(request, head, source->size, &answer);
    if (answer.status == 412 || answer.status == 416) {
        refuse(request, head, &answer);
        release(source);
        return NULL;
    }
    if (head->compressible)
        http_response_compressible(request);
    bool has_body =
        answer.status != 304 && str_equal(request->method, STR("GET")) && answer.range.size > 0;
    http_respond(request, answer.status, answer.headers, answer.count, !has_body);
    if (!has_body) {
        release(source);
        return NULL;
    }
    struct http_content *content = NEW(struct http_content);
    content->request = request;
    content->source = *source;
    content->offset = answer.range.first;
    content->end = answer.range.first + answer.range.size;
    content->turn = LOOP_TASK_INIT(on_turn);
    content->retry = LOOP_TIMER_INIT(on_retry);
    copy(content);
    return content;
}

void http_content_writable(struct http_content *content)
{
    copy(content);
}

void http_content_destroy(struct http_content *content)
{
    if (!content)
        return;
    loop_task_cancel(content->request->loop, &content->turn);
    loop_timer_unset(content->request->loop, &content->retry);
    release(&content->source);
    free(content);
}

bool http_content_is_broken(const struct http_content *content, struct error *error)
{
    if (content->error.status == STATUS_OK)
        return false;
    if (error)
        *error = content->error;
    return true;
}
