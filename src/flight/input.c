/*
 * input.c — a private dataset that one statement reads while a client sends it.
 *
 * The batches come through upload.c into an open dataset of the store. How it is kept is not the client's to
 * say: in memory, until it was read; or until the call is over, and then on disk where there is no room.
 *
 * Runs on: a worker; destroyed anywhere. Owns: the upload, the dataset's name.
 * Leaves out: the call (do_exchange.c, do_put.c), the statement. SPDX-License-Identifier: Apache-2.0
 */
#include "flight/input.h"

#include "base/memory.h"
#include "base/random.h"

#include <stdio.h>

/* Until the call is over, however long that takes. */
#define INPUT_TTL_MS (UINT64_C(30) * 24 * 3600 * 1000)

struct input {
    struct store *store;
    struct workers *workers;
    struct upload *upload;
    char id[RANDOM_UUID_SIZE + 8];
    bool is_passing;
    bool is_there; /* the dataset can be found by its id */
    struct work destroy;
};

static void destroy_now(struct input *input)
{
    CLEANUP(dataset_unref) struct dataset *dataset = NULL;
    if (input->is_there && store_find(input->store, str_of(input->id), &dataset, NULL) == STATUS_OK)
        dataset_drop(dataset);
    free(input);
}

static void destroy_on_worker(struct work *work)
{
    destroy_now(CONTAINER_OF(work, struct input, destroy));
}

void input_destroy(struct input *input)
{
    if (!input)
        return;
    upload_destroy(input->upload);
    input->destroy.run = destroy_on_worker;
    if (!input->is_there || !input->workers ||
        workers_submit(input->workers, &input->destroy, NULL) != STATUS_OK)
        destroy_now(input);
}

enum status input_create(const struct input_options *options, struct input **out_input,
                         struct error *error)
{
    CLEANUP(input_destroy) struct input *input = NEW(struct input);
    char uuid[RANDOM_UUID_SIZE];
    random_uuid(uuid);
    snprintf(input->id, sizeof(input->id), ".input-%s", uuid);
    input->store = options->store;
    input->workers = options->workers;
    input->is_passing = options->is_passing;
    const struct target target = {
        .kind = TARGET_DATASET,
        .id = str_of(input->id),
        .wishes = {.has_durability = true, .durability = DATASET_IN_MEMORY, .ttl_ms = INPUT_TTL_MS},
    };
    const struct upload_options upload = {
        .store = options->store,
        .workers = options->workers,
        .target = &target,
        .owner = options->owner,
        .is_open = true,
        .is_passing = options->is_passing,
    };
    TRY(upload_create(&upload, &input->upload, error));
    *out_input = STEAL(input);
    return STATUS_OK;
}

struct str input_id(const struct input *input)
{
    return str_of(input->id);
}

struct upload *input_upload(const struct input *input)
{
    return input->upload;
}

enum status input_begin(struct input *input, struct error *error)
{
    TRY(upload_begin(input->upload, error));
    input->is_there = true;
    return STATUS_OK;
}

bool input_has_room(const struct input *input)
{
    return !input->is_passing || upload_has_room(input->upload);
}

bool input_is_abandoned(const struct input *input)
{
    return upload_is_abandoned(input->upload);
}

enum status input_end(struct input *input, struct error *error)
{
    struct put_result result;
    TRY(upload_commit(input->upload, &result, error));
    input->is_there = true;
    return STATUS_OK;
}
