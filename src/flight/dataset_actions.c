/*
 * dataset_actions.c — actions on kept datasets: list, has, drop, set-ttl, stats.
 *
 * Each has a second name, that of the action on batches which other programs know. A body is a name as
 * text (an id, or a path) or JSON {"path": ...} or {"batch_id": ...}, with "ttl" or "ttl_seconds" where it
 * sets a time. Answers are JSON.
 *
 * Runs on: a worker; a list goes on on the loop. Owns: nothing. Source: contracts section 6.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "flight/flight_private.h"

#include "base/clock.h"
#include "base/memory.h"
#include "json/writer.h"

#define BODY_BYTES_MAX ((size_t)64 << 10)
#define ANSWER_BYTES_MAX ((size_t)64 << 10)

/* --- bodies --------------------------------------------------------------------------------- */

struct request {
    struct target target;
    uint64_t ttl_ms; /* 0: not told */
};

static enum status read_json_path(struct arena *arena, const struct json_value *object,
                                  struct target *out_target, struct error *error)
{
    struct str id = STR_EMPTY;
    bool has_id = false;
    TRY(json_member_text(object, "batch_id", false, &id, &has_id, error));
    if (!has_id)
        return target_read_json_path(arena, object, out_target, error);
    return target_of_name(arena_copy(arena, id), out_target, error);
}

static enum status read_json_ttl(const struct json_value *object, uint64_t *out_ttl_ms,
                                 struct error *error)
{
    struct put_wishes wishes = {0};
    double seconds = 0;
    bool present = false;
    TRY(put_wishes_read(&wishes, object, error));
    *out_ttl_ms = wishes.ttl_ms;
    TRY(json_member_double(object, "ttl_seconds", false, &seconds, &present, error));
    if (!present)
        return STATUS_OK;
    CLEANUP(buf_finish) struct buf text;
    buf_init(&text, 64);
    buf_append_double(&text, seconds);
    TRY(put_wish_set(&wishes, PUT_WISH_TTL, buf_str(&text), error));
    *out_ttl_ms = wishes.ttl_ms;
    return STATUS_OK;
}

static enum status read_json(struct arena *arena, struct str text, struct request *out,
                             struct error *error)
{
    static const char *const known[] = {"path", "batch_id", "ttl", "ttl_seconds", NULL};
    CLEANUP(json_document_destroy) struct json_document *document = NULL;
    TRY(json_parse(text, BODY_BYTES_MAX, &document, error));
    TRY(json_check_keys(json_root(document), known, error));
    TRY(read_json_path(arena, json_root(document), &out->target, error));
    return read_json_ttl(json_root(document), &out->ttl_ms, error);
}

static enum status read_request(struct arena *arena, struct slice body, struct request *out,
                                struct error *error)
{
    struct str text = str_trim(slice_str(body));
    *out = (struct request){0};
    if (!str_is_utf8(text))
        return error_set(error, STATUS_INVALID_ARGUMENT, "the action's body is not UTF-8 text");
    if (text.len > 0 && text.ptr[0] == '{')
        return read_json(arena, text, out, error);
    return target_of_name(arena_copy(arena, text), &out->target, error);
}

/* The kept dataset that the body names, one reference. */
static enum status find(struct flight_call *call, struct slice body, struct dataset **out_dataset,
                        uint64_t *out_ttl_ms, struct error *error)
{
    CLEANUP(arena_finish) struct arena arena;
    arena_init(&arena);
    struct request request;
    CLEANUP(dataset_unref) struct dataset *dataset = NULL;
    TRY(read_request(&arena, body, &request, error));
    TRY(flight_find_dataset(call->flight, &request.target, &dataset, error));
    struct dataset_facts facts;
    dataset_facts(dataset, &facts);
    if (!facts.is_kept)
        return error_set(error, STATUS_INVALID_ARGUMENT,
                         "'%.*s' is the result of a statement, not a dataset that was put",
                         STR_ARGS(facts.id));
    *out_ttl_ms = request.ttl_ms;
    *out_dataset = STEAL(dataset);
    return STATUS_OK;
}

/* --- answers -------------------------------------------------------------------------------- */

struct answer {
    struct buf text;
    struct json_writer json;
};

static void answer_begin(struct answer *answer)
{
    buf_init(&answer->text, ANSWER_BYTES_MAX);
    json_writer_init(&answer->json, &answer->text);
    json_write_begin_object(&answer->json);
}

static void write_text(struct answer *answer, const char *key, struct str value)
{
    json_write_key(&answer->json, key);
    json_write_text(&answer->json, value);
}

static void write_number(struct answer *answer, const char *key, uint64_t value)
{
    json_write_key(&answer->json, key);
    json_write_unsigned(&answer->json, value);
}

static void write_bool(struct answer *answer, const char *key, bool value)
{
    json_write_key(&answer->json, key);
    json_write_bool(&answer->json, value);
}

static void write_time(struct answer *answer, const char *key, int64_t time_us)
{
    char text[CLOCK_TEXT_SIZE];
    write_text(answer, key, str_make(text, clock_format(time_us, text)));
}

static void write_names(struct answer *answer, const struct dataset_facts *facts)
{
    write_text(answer, "batch_id", facts->id);
    if (facts->path.len > 0)
        write_text(answer, "path", facts->path);
}

static void write_life(struct answer *answer, const struct dataset_facts *facts)
{
    json_write_key(&answer->json, "ttl_seconds");
    json_write_double(&answer->json, (double)facts->ttl_ms / 1000);
    write_time(answer, "expires_at", facts->expires_us);
}

static void write_facts(struct answer *answer, const struct dataset_facts *facts)
{
    write_names(answer, facts);
    write_number(answer, "rows", (uint64_t)facts->rows);
    write_number(answer, "batches", facts->batches);
    write_number(answer, "bytes", facts->bytes);
    write_number(answer, "memory_bytes", facts->memory_bytes);
    write_number(answer, "disk_bytes", facts->disk_bytes);
    write_text(answer, "durability", str_of(dataset_durability_name(facts->durability)));
    write_text(answer, "owner", facts->owner);
    write_number(answer, "readers", facts->readers);
    write_time(answer, "created_at", facts->created_us);
    write_life(answer, facts);
}

static enum status answer_end(struct answer *answer, struct slice *out_body, bool *out_has_body,
                              struct error *error)
{
    json_write_end_object(&answer->json);
    CLEANUP(buf_finish) struct buf text = answer->text;
    TRY(buf_check(&text, "the answer", error));
    *out_body = slice_copy(text.ptr, text.len);
    *out_has_body = true;
    return STATUS_OK;
}

/* --- actions -------------------------------------------------------------------------------- */

static enum status has(struct flight_call *call, struct slice body, struct slice *out_body,
                       bool *out_has_body, struct error *error)
{
    CLEANUP(dataset_unref) struct dataset *dataset = NULL;
    struct error reason = ERROR_NONE;
    uint64_t ttl_ms;
    enum status status = find(call, body, &dataset, &ttl_ms, &reason);
    if (status != STATUS_OK && status != STATUS_NOT_FOUND)
        return error_copy(error, &reason);
    struct answer answer;
    answer_begin(&answer);
    write_bool(&answer, "exists", dataset);
    return answer_end(&answer, out_body, out_has_body, error);
}

static enum status drop(struct flight_call *call, struct slice body, struct slice *out_body,
                        bool *out_has_body, struct error *error)
{
    CLEANUP(dataset_unref) struct dataset *dataset = NULL;
    uint64_t ttl_ms;
    TRY(find(call, body, &dataset, &ttl_ms, error));
    dataset_drop(dataset);
    struct dataset_facts facts;
    struct answer answer;
    dataset_facts(dataset, &facts);
    answer_begin(&answer);
    write_names(&answer, &facts);
    write_bool(&answer, "deleted", true);
    return answer_end(&answer, out_body, out_has_body, error);
}

static enum status set_ttl(struct flight_call *call, struct slice body, struct slice *out_body,
                           bool *out_has_body, struct error *error)
{
    CLEANUP(dataset_unref) struct dataset *dataset = NULL;
    uint64_t ttl_ms;
    TRY(find(call, body, &dataset, &ttl_ms, error));
    if (ttl_ms == 0)
        return error_set(error, STATUS_INVALID_ARGUMENT,
                         "field 'ttl' or 'ttl_seconds' is required, in a JSON body such as "
                         "{\"path\": \"a/b\", \"ttl\": \"10m\"}");
    TRY(dataset_renew(dataset, ttl_ms, error));
    struct dataset_facts facts;
    struct answer answer;
    dataset_facts(dataset, &facts);
    answer_begin(&answer);
    write_names(&answer, &facts);
    write_life(&answer, &facts);
    return answer_end(&answer, out_body, out_has_body, error);
}

static enum status list(struct flight_call *call, struct slice body, struct slice *out_body,
                        bool *out_has_body, struct error *error)
{
    CLEANUP(arena_finish) struct arena arena;
    arena_init(&arena);
    struct str prefix;
    TRY(dataset_list_read_criteria(&arena, slice_str(body), &prefix, error));
    dataset_list_make(&call->list, call->flight->options.store, prefix);
    return STATUS_OK;
}

static enum status list_next(struct flight_call *call, struct slice *out_body, bool *out_has_body,
                             struct error *error)
{
    CLEANUP(dataset_unref_later) struct dataset *dataset = dataset_list_next(&call->list);
    *out_has_body = false;
    if (!dataset)
        return STATUS_OK;
    struct dataset_facts facts;
    struct answer answer;
    dataset_facts(dataset, &facts);
    answer_begin(&answer);
    write_facts(&answer, &facts);
    return answer_end(&answer, out_body, out_has_body, error);
}

/* The count of those that are not over. */
static size_t add_up(struct dataset_list *list, struct dataset_facts *sum)
{
    struct dataset *dataset;
    size_t count = 0;
    while ((dataset = dataset_list_next(list))) {
        struct dataset_facts facts;
        dataset_facts(dataset, &facts);
        sum->rows += facts.rows;
        sum->batches += facts.batches;
        sum->bytes += facts.bytes;
        sum->memory_bytes += facts.memory_bytes;
        sum->disk_bytes += facts.disk_bytes;
        sum->readers += facts.readers;
        dataset_unref(dataset);
        count++;
    }
    return count;
}

static enum status stats_of_all(struct flight_call *call, struct slice *out_body,
                                bool *out_has_body, struct error *error)
{
    dataset_list_make(&call->list, call->flight->options.store, STR_EMPTY);
    struct dataset_facts sum = {0};
    struct answer answer;
    answer_begin(&answer);
    write_number(&answer, "datasets", add_up(&call->list, &sum));
    write_number(&answer, "rows", (uint64_t)sum.rows);
    write_number(&answer, "batches", sum.batches);
    write_number(&answer, "bytes", sum.bytes);
    write_number(&answer, "memory_bytes", sum.memory_bytes);
    write_number(&answer, "disk_bytes", sum.disk_bytes);
    write_number(&answer, "readers", sum.readers);
    return answer_end(&answer, out_body, out_has_body, error);
}

static enum status stats(struct flight_call *call, struct slice body, struct slice *out_body,
                         bool *out_has_body, struct error *error)
{
    if (str_trim(slice_str(body)).len == 0)
        return stats_of_all(call, out_body, out_has_body, error);
    CLEANUP(dataset_unref) struct dataset *dataset = NULL;
    uint64_t ttl_ms;
    TRY(find(call, body, &dataset, &ttl_ms, error));
    struct dataset_facts facts;
    struct answer answer;
    dataset_facts(dataset, &facts);
    answer_begin(&answer);
    write_facts(&answer, &facts);
    return answer_end(&answer, out_body, out_has_body, error);
}

#define LIST_HELP "Kept datasets, one result each; body: nothing, a prefix or {\"prefix\": ...}"
#define HAS_HELP "Whether a dataset is kept; body: an id or path, or {\"path\": ...}"
#define DROP_HELP "Drops a dataset; running reads end in peace; body: an id or path"
#define TTL_HELP "Sets and renews a dataset's time to live; body: "

const struct flight_action flight_dataset_actions[] = {
    {.name = "list", .description = LIST_HELP, .run = list, .next = list_next},
    {.name = "has", .description = HAS_HELP, .run = has},
    {.name = "drop", .description = DROP_HELP, .run = drop},
    {.name = "set-ttl",
     .description = TTL_HELP "{\"path\": ..., \"ttl\": \"10m\"}",
     .run = set_ttl},
    {.name = "stats",
     .description = "Size and life of a dataset, or of all together where the body is empty",
     .run = stats},
    {.name = "list_batches", .description = LIST_HELP, .run = list, .next = list_next},
    {.name = "has_batch", .description = HAS_HELP, .run = has},
    {.name = "delete_batch", .description = DROP_HELP, .run = drop},
    {.name = "update_batch_ttl",
     .description = TTL_HELP "{\"batch_id\": ..., \"ttl_seconds\": ...}",
     .run = set_ttl},
};
const size_t flight_dataset_action_count = ARRAY_COUNT(flight_dataset_actions);
