/*
 * s3_support.c — makes what s3_support.h tells of. SPDX-License-Identifier: Apache-2.0
 */
#include "s3_support.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

void begin(struct fixture *fixture, const struct script_step *steps, size_t count)
{
    script_server_start(&fixture->server, steps, count);
    fixture->error = ERROR_NONE;
    fixture->fetch = NULL;
    fixture->s3 = NULL;
    struct fetch_pool_options pool_options = {
        .attempts_max = 2, .retry_delay_ms = 1, .retry_delay_max_ms = 1};
    assert_int_equal(fetch_pool_create(&pool_options, &fixture->fetch, &fixture->error), STATUS_OK);
    struct s3_options options = {.fetch = fixture->fetch,
                                 .bucket = STR("bucket"),
                                 .region = STR("us-east-1"),
                                 .endpoint = str_of(fixture->server.url),
                                 .credentials = {STR("key"), STR("secret"), STR_EMPTY},
                                 .part_bytes = 4};
    assert_int_equal(s3_create(&options, &fixture->s3, &fixture->error), STATUS_OK);
}

void end(struct fixture *fixture)
{
    s3_destroy(fixture->s3);
    fetch_pool_destroy(fixture->fetch);
    script_server_stop(&fixture->server);
}

enum status create(struct s3_options options, struct s3 **out)
{
    struct error error = ERROR_NONE;
    if (!options.bucket.ptr)
        options.bucket = STR("my-bucket");
    if (!options.region.ptr)
        options.region = STR("eu-west-1");
    if (!options.credentials.access_key.ptr)
        options.credentials = (struct s3_credentials){STR("key"), STR("secret"), STR_EMPTY};
    return s3_create(&options, out, &error);
}
