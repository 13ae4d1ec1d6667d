/*
 * put_private.h — a put as its parts and its commit share it, and what kept datasets have in common.
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include "base/random.h"
#include "store/put.h"
#include "store/state.h"

struct put {
    struct store *store;
    enum put_mode mode;
    uint64_t ttl_ms; /* 0: not told */
    struct dataset *staged;
    struct dataset *target; /* NULL: the staged one becomes the dataset */
    size_t bytes;           /* bodies and dictionaries so far */
    bool is_open;           /* the staged dataset has its name already */
    bool is_committed;
    bool is_result;            /* who appends may outlive whoever began it: the dataset frees it */
    size_t durable_from_bytes; /* of a result */
    bool is_given_up;          /* guarded by the dataset's commit_lock */
    bool is_new;               /* nothing had the name when it was committed */
    const struct put_condition *condition; /* NULL: none */
    char new_id[RANDOM_UUID_SIZE];
};

/* Enters the staged dataset under its name before anything was put (put.h, is_open). */
enum status put_publish_open(struct put *put, struct error *error);
/* An open kept dataset that no table knows. */
struct dataset *dataset_make_kept(struct store *store, const struct dataset_options *options);
/* The present dataset under this one's names: by path or by id. With the store's lock. */
struct dataset *dataset_rival(struct store *store, const struct dataset *dataset);
/* With the store's lock: begins a kept dataset's life anew. */
void dataset_restart_life(struct store *store, struct dataset *dataset, uint64_t ttl_ms);
struct journal_life journal_life_from_now(uint64_t ttl_ms);
/* `dataset` NULL: there is none. `condition` NULL: it holds. */
enum status put_check_condition(const struct put_condition *condition, struct dataset *dataset,
                                struct error *error);
/* INVALID_ARGUMENT naming the first field in which the schema differs from that of the dataset. */
enum status put_check_schema(const struct arrow_schema *present, const struct arrow_schema *given,
                             struct error *error);
/* RESOURCE_EXHAUSTED: with `bytes` more the dataset would be larger than one may be. */
enum status put_check_size(const struct put *put, size_t bytes, struct error *error);
/* Counts `bytes` for the owner. RESOURCE_EXHAUSTED: his datasets would be larger than they may be. */
enum status put_charge_owner(const struct store *store, struct store_owner *owner, size_t bytes,
                             struct error *error);
/* INVALID_ARGUMENT: it was not put by a client. */
enum status put_refuse_result(const struct dataset *present, struct error *error);
