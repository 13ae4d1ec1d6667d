/*
 * dataset_list.c — GET /v1/datasets: the datasets that are kept, by name, page by page.
 *
 * A page begins behind the name that its token holds, so that pages stay right while datasets come and go.
 * Runs on a worker: the list may be long. SPDX-License-Identifier: Apache-2.0
 */
#include "rest/dataset.h"

#include "base/clock.h"
#include "base/memory.h"

#include <stdlib.h>

#define LIMIT_DEFAULT 100
#define LIMIT_MAX 1000

static const char *const parameter_names[] = {"prefix", "limit", "page_token"};

struct listed {
    struct str name; /* the path, or batch/<id> */
    struct dataset *dataset;
};

struct listing {
    struct arena arena;
    struct str prefix;
    struct str after;
    int64_t now_us;
    struct listed *items;
    size_t count;
    size_t capacity;
};

static void listing_finish(struct listing *listing)
{
    for (size_t i = 0; i < listing->count; i++)
        dataset_unref(listing->items[i].dataset);
    free(listing->items);
    arena_finish(&listing->arena);
}
CLEANUP_IN_PLACE(struct listing, listing_finish)

static int compare(struct str a, struct str b)
{
    size_t size = a.len < b.len ? a.len : b.len;
    int order = size > 0 ? memcmp(a.ptr, b.ptr, size) : 0;
    return order != 0 ? order : (a.len > b.len) - (a.len < b.len);
}

static int compare_listed(const void *a, const void *b)
{
    return compare(((const struct listed *)a)->name, ((const struct listed *)b)->name);
}

static void collect(void *context, struct dataset *dataset)
{
    struct listing *listing = context;
    struct dataset_facts facts;
    dataset_facts(dataset, &facts);
    if (rest_dataset_is_hidden(&facts) || facts.expires_us <= listing->now_us)
        return;
    struct str name = facts.path.len > 0
                          ? facts.path
                          : arena_printf(&listing->arena, "batch/%.*s", STR_ARGS(facts.id));
    if (!str_starts_with(name, listing->prefix) || compare(name, listing->after) <= 0)
        return;
    if (listing->count == listing->capacity) {
        listing->capacity = listing->capacity > 0 ? 2 * listing->capacity : 64;
        listing->items = memory_resize(listing->items, listing->capacity, sizeof(*listing->items));
    }
    listing->items[listing->count++] = (struct listed){name, dataset_ref(dataset)};
}

static enum status read_limit(const struct rest_exchange *exchange, size_t *out,
                              struct error *error)
{
    struct str text;
    uint64_t limit = LIMIT_DEFAULT;
    if (http_query_get(exchange->input, STR("limit"), &text) &&
        (!str_to_u64(text, &limit) || limit < 1 || limit > LIMIT_MAX))
        return error_set_code(error, STATUS_INVALID_ARGUMENT, "VALIDATION_ERROR",
                              "parameter limit takes 1 to %d, not '%.*s'", LIMIT_MAX,
                              STR_ARGS(str_slice(text, 0, 64)));
    *out = (size_t)limit;
    return STATUS_OK;
}

static void write_page(struct rest_exchange *exchange, const struct listing *listing, size_t limit)
{
    size_t count = listing->count < limit ? listing->count : limit;
    struct json_writer json;
    json_writer_init(&json, &exchange->reply.text);
    json_write_begin_object(&json);
    json_write_key(&json, "datasets");
    json_write_begin_array(&json);
    for (size_t i = 0; i < count; i++) {
        struct dataset_facts facts;
        dataset_facts(listing->items[i].dataset, &facts);
        rest_write_dataset(exchange, &json, &facts, NULL);
    }
    json_write_end_array(&json);
    json_write_key(&json, "next_page_token");
    if (count < listing->count)
        json_write_text(&json, listing->items[count - 1].name);
    else
        json_write_null(&json);
    json_write_end_object(&json);
}

enum status rest_datasets_list(struct rest_exchange *exchange, struct error *error)
{
    CLEANUP(listing_finish) struct listing listing = {.now_us = clock_wall_us()};
    size_t limit = LIMIT_DEFAULT;
    arena_init(&listing.arena);
    TRY(rest_check_parameters(exchange->input, parameter_names, ARRAY_COUNT(parameter_names),
                              error));
    TRY(read_limit(exchange, &limit, error));
    (void)http_query_get(exchange->input, STR("prefix"), &listing.prefix);
    (void)http_query_get(exchange->input, STR("page_token"), &listing.after);
    store_visit(exchange->rest->options.store, collect, &listing);
    if (listing.count > 0)
        qsort(listing.items, listing.count, sizeof(*listing.items), compare_listed);
    write_page(exchange, &listing, limit);
    return STATUS_OK;
}
