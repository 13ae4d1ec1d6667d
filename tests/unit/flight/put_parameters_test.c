/*
 * put_parameters_test.c — rows for parameters: what is done on the loop decides nothing, since that may
 * block.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "flight/flight_private.h"

#include "base/memory.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define VALUE_COUNT ((int64_t)16384)

struct world {
    struct flight_call call;
    struct arrow_schema *schema;
    struct arrow_batch *batch;
    struct slice message; /* the batch as FlightData */
};

static unsigned times_asked;

static enum status no_streams(struct flight_call *call, struct slice value,
                              const struct arrow_schema *schema, bool *out_streams,
                              struct error *error)
{
    (void)call;
    (void)value;
    (void)schema;
    (void)error;
    times_asked++;
    *out_streams = false;
    return STATUS_OK;
}

static enum status no_rows(struct flight_call *call, struct slice value,
                           const struct arrow_schema *schema, struct str input_id,
                           struct query **out_query, struct error *error)
{
    (void)call;
    (void)value;
    (void)schema;
    (void)input_id;
    *out_query = NULL;
    return error_set(error, STATUS_INTERNAL, "nothing streams here");
}

static const struct flight_command command = {
    .type_name = "test.Update", .put_rows = no_rows, .streams = no_streams};

static struct arrow_schema *make_schema(bool is_dictionary, struct arrow_batch *values)
{
    struct arrow_schema *schema = arrow_schema_create(1);
    arrow_field_init(schema, &schema->fields[0], STR("n"), ARROW_INT);
    schema->fields[0].bit_width = 64;
    schema->fields[0].is_signed = true;
    schema->fields[0].is_dictionary = is_dictionary;
    schema->fields[0].dictionary_bit_width = is_dictionary ? 8 : 0;
    arrow_schema_seal(schema, is_dictionary ? &values : NULL);
    return schema;
}

/* Of zeroes. */
static struct arrow_batch *make_batch(struct arrow_schema *schema, int64_t rows, size_t width)
{
    struct arrow_node node = {.length = rows, .null_count = 0};
    struct buffer *values = buffer_create((size_t)rows * width);
    memset(values->data, 0, values->size);
    struct slice buffers[] = {SLICE_EMPTY, slice_make(values->data, (size_t)rows * width, values)};
    return arrow_batch_create(schema, rows, &node, buffers);
}

static struct arrow_schema *make_dictionary_schema(void)
{
    CLEANUP(arrow_schema_unref) struct arrow_schema *plain = make_schema(false, NULL);
    return make_schema(true, make_batch(plain, VALUE_COUNT, 8));
}

static struct slice make_message(const struct arrow_batch *batch)
{
    CLEANUP(slices_finish) struct slices message;
    CLEANUP(slices_finish) struct slices body;
    slices_init(&message);
    slices_init(&body);
    ipc_append_body(&body, batch);
    assert_int_equal(flight_data_write(&message, slice_str(batch->header), STR_EMPTY, &body, NULL),
                     STATUS_OK);
    return slices_join(&message);
}

static void receive(struct world *world, struct slice header, const struct arrow_batch *batch)
{
    CLEANUP(slices_finish) struct slices parts;
    slices_init(&parts);
    ipc_append_body(&parts, batch);
    CLEANUP(slice_finish) struct slice body = slices_join(&parts);
    const struct flight_data data = {.data_header = header, .data_body = body};
    assert_int_equal(put_parameters_receive(&world->call, &data, NULL), STATUS_OK);
}

static void set_up(struct world *world)
{
    static const char any[] = "\x0a\x17type.googleapis.com/t.U\x12\x00";
    struct slice command_bytes = slice_make((const uint8_t *)any, sizeof(any) - 1, NULL);
    *world = (struct world){.schema = make_dictionary_schema()};
    world->batch = make_batch(world->schema, 2, 1);
    world->message = make_message(world->batch);
    times_asked = 0;
    const struct flight_data first = {.data_header = world->schema->message};
    assert_int_equal(put_parameters_begin(&world->call, &command, command_bytes, &first, NULL),
                     STATUS_OK);
}

static void tear_down(struct world *world)
{
    put_parameters_destroy(world->call.parameters);
    slice_finish(&world->call.command);
    slice_finish(&world->message);
    arrow_batch_unref(world->batch);
    arrow_schema_unref(world->schema);
}

/* The first batch is charged with the values that came before it. */
static void a_quick_message_asks_nothing(void **state)
{
    struct world world;
    (void)state;
    set_up(&world);
    CLEANUP(slice_finish) struct slice values = ipc_dictionary_message(world.schema, 0);
    receive(&world, values, world.schema->dictionaries[0]);
    assert_true(put_parameters_is_quick(&world.call, world.message));
    receive(&world, world.batch->header, world.batch);
    assert_int_equal(times_asked, 0);
    assert_false(put_parameters_is_quick(&world.call, world.message));
    receive(&world, world.batch->header, world.batch);
    assert_int_equal(times_asked, 1);
    receive(&world, world.batch->header, world.batch);
    assert_int_equal(times_asked, 1);
    tear_down(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_quick_message_asks_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
