/*
 * batch_function.c — batch('<id or path>'): the rows of a dataset in SQL.
 *
 *      bind: the dataset's columns           init: a reader of what it holds now
 *      each thread: the next rows of the reader, a batch or a part of a large one, filled 2048 at a time
 *
 * Nothing of the dataset is held between bind and init, so a statement may stay prepared for long: init
 * finds the dataset of that name as it is then, and refuses one that is gone or has other columns. What was
 * bound is told to the statement, which is prepared again when that has changed (statement.c).
 *
 * Rows come in order where one thread reads, which is what the engine does wherever order matters. What
 * passes (store/put.h) is read while it comes, and freed.
 *
 * Texts point into the batches: where a column has any, all batches that were read are held until the
 * statement ends. Of a passing dataset, which is read to store its rows, each thread holds the batch that it
 * is at: what takes rows in copies their texts before it asks for more.
 *
 * The engine's own errors lose their kind on the way out; ours wait at the connection. Filters come by the
 * text of the statement (dataset_filter.h), since the C API hands none down.
 *
 * Bind runs on a worker, the rest on the engine's threads. Source: DuckDB's C API, table functions.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "base/checked.h"
#include "base/clock.h"
#include "base/memory.h"
#include "engine/duckdb/scan_filter.h"
#include "engine/duckdb/state.h"

#include <time.h>

/* Rows that a thread takes at once; more threads than that many rows each are not asked for. */
#define PART_ROWS_MAX INT64_C(122880)
#define WAIT_NS (50 * NANOSECONDS_PER_MILLISECOND)
/* Threads that read what passes, where the statement takes rows in any order: the first one leads, and is
 * alone for the first rows, which are all that most clients send; the others help while there is enough. */
#define PASSING_THREADS_MAX 4
#define LED_ROWS (4 * PART_ROWS_MAX)
#define HELPER_WAIT_NS (2 * NANOSECONDS_PER_MILLISECOND)
/* Longer than the leader takes to write the groups of rows that it has collected. */
#define HELPER_PATIENCE_NS (1 * NANOSECONDS_PER_SECOND)
/* Rows left out in one call: between calls the engine sees whether the statement was stopped. */
#define SKIPPED_ROWS_MAX ((size_t)1 << 22)

/* What the WHERE says (dataset_filter.h). */
#define HINT_PARAMETER "hint"

struct batch_bind {
    struct engine *engine;
    uint64_t connection_number;
    struct arena arena;
    struct str name;
    struct arrow_schema *schema;
    const char **names; /* of the columns */
    struct scan_plan *plans;
    struct scan_filter filter;
};

/* What all threads of one scan share. */
struct batch_scan {
    const struct batch_bind *bind;
    struct connection *connection; /* NULL: the set-up's */
    struct dataset_reader *reader;
    size_t *columns; /* that are filled; SIZE_MAX: none, only the count is wanted */
    size_t column_count;
    bool holds_batches;
    bool is_passing;
    struct {
        struct lock lock;
        struct arrow_batch *batch; /* that the next part is of; NULL: the reader's next */
        int64_t row;
        int64_t given_rows; /* to all threads */
        bool has_leader;
        bool is_over; /* the reader is at its end */
        struct arrow_batch **held;
        size_t held_count;
        size_t held_capacity;
    } locked;
};

/* One thread's part of it. */
struct batch_local {
    struct arrow_batch *batch; /* NULL: none */
    struct arena arena;        /* of the columns */
    struct arrow_column *columns;
    int64_t row;
    int64_t end;
    size_t skipped;           /* rows, since some were last given */
    bool is_known;            /* it was found out whether it is a */
    bool is_helper;           /* the first one leads */
    int64_t given_rows;       /* to all, when it last looked */
    uint64_t patience_end_ns; /* of a helper that waits */
    struct scan_filler filler;
};

/* --- bind --------------------------------------------------------------------------------------- */

static void batch_bind_destroy(void *pointer)
{
    struct batch_bind *bind = pointer;
    scan_plans_finish(bind->plans, bind->schema ? bind->schema->field_count : 0);
    arrow_schema_unref(bind->schema);
    arena_finish(&bind->arena);
    free(bind);
}

static inline void batch_bind_cleanup(struct batch_bind **bind)
{
    if (*bind)
        batch_bind_destroy(*bind);
}

static uint64_t bind_connection_number(duckdb_bind_info info)
{
    duckdb_client_context context;
    duckdb_table_function_get_client_context(info, &context);
    uint64_t number = duckdb_client_context_get_connection_id(context);
    duckdb_destroy_client_context(&context);
    return number;
}

/* The text of a value, which is taken over, in the arena; empty: none. */
static struct str value_take_text(struct arena *arena, duckdb_value value)
{
    char *text = !value || duckdb_is_null_value(value) ? NULL : duckdb_get_varchar(value);
    struct str copy = arena_copy(arena, str_of(text));
    duckdb_free(text);
    duckdb_destroy_value(&value);
    return copy;
}

static enum status bind_take_name(duckdb_bind_info info, struct arena *arena, struct str *out_name,
                                  struct error *error)
{
    *out_name = value_take_text(arena, duckdb_bind_get_parameter(info, 0));
    if (out_name->len > 0)
        return STATUS_OK;
    return error_set_code(error, STATUS_INVALID_ARGUMENT, "INVALID_SQL",
                          "batch() needs the id or the path of a dataset: batch('a/b')");
}

static void bind_take_hint(duckdb_bind_info info, struct batch_bind *bind)
{
    struct dataset_filter filter;
    struct str hint =
        value_take_text(&bind->arena, duckdb_bind_get_named_parameter(info, HINT_PARAMETER));
    dataset_filter_read(&bind->arena, hint, &filter);
    scan_filter_make(&bind->arena, &filter, bind->plans, bind->names, bind->schema->field_count,
                     &bind->filter);
}

static enum status bind_dataset(duckdb_bind_info info, struct batch_bind *bind,
                                struct connection *connection, struct error *error)
{
    CLEANUP(dataset_unref) struct dataset *dataset = NULL;
    struct dataset_facts facts;
    TRY(bind_take_name(info, &bind->arena, &bind->name, error));
    TRY(dataset_find_readable(bind->engine, bind->name, &dataset, error));
    TRY(dataset_check_private(bind->engine, connection, dataset, error));
    bind->schema = arrow_schema_ref(dataset_schema(dataset));
    if (bind->schema->field_count == 0)
        return error_set(error, STATUS_FAILED_PRECONDITION,
                         "dataset '%.*s' has no columns that SQL could read", STR_ARGS(bind->name));
    bind->plans = scan_plans_make(&bind->arena, bind->schema);
    bind->names = scan_names(&bind->arena, bind->schema->fields, bind->schema->field_count);
    dataset_facts(dataset, &facts);
    /* Called exact, it is taken as an estimate, which is what it is: the dataset may grow. */
    bool is_input = facts.state == DATASET_OPEN || facts.transient;
    duckdb_bind_set_cardinality(info, (idx_t)(is_input ? INPUT_ROWS_GUESS : facts.rows), true);
    return STATUS_OK;
}

static void bind_add_columns(duckdb_bind_info info, struct batch_bind *bind)
{
    size_t count = bind->schema->field_count;
    for (size_t i = 0; i < count; i++)
        duckdb_bind_add_result_column(info, bind->names[i], scan_plan_type(&bind->plans[i]));
}

static void batch_bind(duckdb_bind_info info)
{
    struct error error = ERROR_NONE;
    CLEANUP(batch_bind) struct batch_bind *bind = NEW(struct batch_bind);
    arena_init(&bind->arena);
    bind->engine = duckdb_bind_get_extra_info(info);
    bind->connection_number = bind_connection_number(info);
    struct connection *connection = connection_find(bind->engine, bind->connection_number);
    if (bind_dataset(info, bind, connection, &error) != STATUS_OK) {
        connection_note_cause(connection, &error);
        duckdb_bind_set_error(info, error.message);
        return;
    }
    if (connection && connection->uses)
        dataset_uses_add(connection->uses, bind->name, bind->schema);
    bind_take_hint(info, bind);
    bind_add_columns(info, bind);
    duckdb_bind_set_bind_data(info, STEAL(bind), batch_bind_destroy);
}

/* --- init --------------------------------------------------------------------------------------- */

static void batch_scan_destroy(void *pointer)
{
    struct batch_scan *scan = pointer;
    for (size_t i = 0; i < scan->locked.held_count; i++)
        arrow_batch_unref(scan->locked.held[i]);
    free(scan->locked.held);
    arrow_batch_unref(scan->locked.batch);
    dataset_reader_close(scan->reader);
    lock_finish(&scan->locked.lock);
    free(scan->columns);
    free(scan);
}

static enum status scan_open_reader(struct batch_scan *scan, int64_t *out_rows, struct error *error)
{
    const struct batch_bind *bind = scan->bind;
    struct dataset_use use;
    TRY(dataset_use_open(bind->engine, scan->connection, bind->name, &use, error));
    CLEANUP(dataset_unref) struct dataset *dataset = use.dataset;
    scan->reader = use.reader;
    scan->is_passing = use.is_passing;
    if (!arrow_schema_equal(dataset_schema(dataset), bind->schema))
        return error_set(
            error, STATUS_ABORTED,
            "dataset '%.*s' was replaced by one with other columns after the statement "
            "was prepared: send it again",
            STR_ARGS(bind->name));
    /* One that waits for a sender must not have the others wait for it. */
    *out_rows = use.is_growing ? 0 : use.rows;
    return STATUS_OK;
}

static enum status scan_take_columns(struct batch_scan *scan, duckdb_init_info info,
                                     struct error *error)
{
    size_t field_count = scan->bind->schema->field_count;
    scan->column_count = duckdb_init_get_column_count(info);
    scan->columns = NEW_ARRAY(size_t, scan->column_count + 1);
    for (size_t i = 0; i < scan->column_count; i++) {
        size_t index = duckdb_init_get_column_index(info, i);
        /* count(*) needs no column; the engine then gives an index beyond the last one. */
        scan->columns[i] = index < field_count ? index : SIZE_MAX;
        if (index >= field_count)
            continue;
        const struct scan_plan *plan = &scan->bind->plans[index];
        if (plan->refusal.ptr)
            return error_set(error, STATUS_UNIMPLEMENTED, "%.*s", STR_ARGS(plan->refusal));
        scan->holds_batches = scan->holds_batches || (!scan->is_passing && scan_plan_points(plan));
    }
    return STATUS_OK;
}

static void batch_init(duckdb_init_info info)
{
    struct batch_scan *scan = NEW(struct batch_scan);
    struct error error = ERROR_NONE;
    int64_t rows = 0;
    lock_init(&scan->locked.lock);
    scan->bind = duckdb_init_get_bind_data(info);
    scan->connection = connection_find(scan->bind->engine, scan->bind->connection_number);
    duckdb_init_set_init_data(info, scan, batch_scan_destroy);
    if (scan_open_reader(scan, &rows, &error) != STATUS_OK ||
        scan_take_columns(scan, info, &error) != STATUS_OK) {
        connection_note_cause(scan->connection, &error);
        duckdb_init_set_error(info, error.message);
        return;
    }
    duckdb_init_set_max_threads(info, scan->is_passing ? PASSING_THREADS_MAX
                                                       : (idx_t)(rows / PART_ROWS_MAX + 1));
}

static void batch_local_clear(struct batch_local *local)
{
    arrow_batch_unref(STEAL(local->batch));
    arena_finish(&local->arena);
    arena_init(&local->arena);
}

static void batch_local_destroy(void *pointer)
{
    struct batch_local *local = pointer;
    batch_local_clear(local);
    scan_filler_finish(&local->filler);
    free(local);
}

static void batch_local_init(duckdb_init_info info)
{
    struct batch_local *local = NEW(struct batch_local);
    arena_init(&local->arena);
    scan_filler_init(&local->filler);
    duckdb_init_set_init_data(info, local, batch_local_destroy);
}

/* --- function ----------------------------------------------------------------------------------- */

static void scan_hold(struct batch_scan *scan, struct arrow_batch *batch)
{
    if (!scan->holds_batches)
        return;
    if (scan->locked.held_count == scan->locked.held_capacity) {
        scan->locked.held_capacity =
            scan->locked.held_capacity ? scan->locked.held_capacity * 2 : 64;
        scan->locked.held = memory_resize(scan->locked.held, scan->locked.held_capacity,
                                          sizeof(*scan->locked.held));
    }
    scan->locked.held[scan->locked.held_count++] = arrow_batch_ref(batch);
}

/* For a client that still sends, or for the leader to get on. The engine's threads are not interrupted where
 * they wait. */
static enum status scan_wait(struct batch_scan *scan, const struct batch_local *local,
                             struct error *error)
{
    if (scan->connection && atomic_load(&scan->connection->is_interrupted))
        return error_set(error, STATUS_CANCELLED, "the statement was stopped");
    const struct timespec pause = {.tv_nsec = HELPER_WAIT_NS};
    if (local->is_helper && local->given_rows < LED_ROWS)
        nanosleep(&pause, NULL);
    else
        dataset_reader_wait_until(scan->reader, clock_now_ns() + WAIT_NS);
    return STATUS_OK;
}

/* Has the next batch with rows in it stand ready, unless the reader is at its end or has to wait. With the
 * lock. */
static enum status scan_advance(struct batch_scan *scan, enum dataset_step *out_step,
                                struct error *error)
{
    *out_step = DATASET_BATCH;
    while (!scan->locked.batch || scan->locked.row >= scan->locked.batch->rows) {
        arrow_batch_unref(STEAL(scan->locked.batch));
        scan->locked.row = 0;
        TRY(dataset_reader_next(scan->reader, out_step, &scan->locked.batch, error));
        if (*out_step != DATASET_BATCH)
            return STATUS_OK;
        scan_hold(scan, scan->locked.batch);
    }
    return STATUS_OK;
}

/* With the lock. */
static void local_give_part(struct batch_scan *scan, struct batch_local *local)
{
    struct arrow_batch *batch = scan->locked.batch;
    if (batch != local->batch) {
        batch_local_clear(local);
        local->batch = arrow_batch_ref(batch);
    }
    int64_t left = batch->rows - scan->locked.row;
    local->row = scan->locked.row;
    local->end = local->row + (left < PART_ROWS_MAX ? left : PART_ROWS_MAX);
    scan->locked.row = local->end;
    scan->locked.given_rows += local->end - local->row;
}

/* The next rows for this thread, where there are some; at the end the thread holds no batch. */
static enum status scan_try_part(struct batch_scan *scan, struct batch_local *local,
                                 enum dataset_step *out_step, struct error *error)
{
    LOCKED(&scan->locked.lock);
    if (!local->is_known) {
        local->is_known = true;
        local->is_helper = scan->is_passing && scan->locked.has_leader;
        scan->locked.has_leader = true;
    }
    local->given_rows = scan->locked.given_rows;
    *out_step = DATASET_WAIT;
    if (local->is_helper && scan->locked.given_rows < LED_ROWS && !scan->locked.is_over)
        return STATUS_OK;
    enum status status = scan_advance(scan, out_step, error);
    scan->locked.is_over = status != STATUS_OK || *out_step == DATASET_END;
    TRY(status);
    if (*out_step == DATASET_BATCH)
        local_give_part(scan, local);
    return STATUS_OK;
}

/* Whether a thread that found nothing is to look again: a helper does while rows go by, since the engine has
 * other work for it. */
static bool local_stays(struct batch_local *local, int64_t rows_before)
{
    uint64_t now_ns = clock_now_ns();
    if (!local->is_helper)
        return true;
    if (local->given_rows != rows_before || local->patience_end_ns == 0)
        local->patience_end_ns = now_ns + HELPER_PATIENCE_NS;
    return now_ns < local->patience_end_ns;
}

/* The next rows for this thread; none at the end, or when a helper leaves. */
static enum status scan_next_part(struct batch_scan *scan, struct batch_local *local,
                                  struct error *error)
{
    enum dataset_step step = DATASET_WAIT;
    local->patience_end_ns = 0;
    for (;;) {
        int64_t rows_before = local->given_rows;
        TRY(scan_try_part(scan, local, &step, error));
        if (step != DATASET_WAIT || !local_stays(local, rows_before))
            break;
        TRY(scan_wait(scan, local, error));
    }
    if (step != DATASET_BATCH)
        batch_local_clear(local);
    return STATUS_OK;
}

static enum status local_take_part(struct batch_scan *scan, struct batch_local *local,
                                   struct error *error)
{
    const struct arrow_batch *before = local->batch;
    TRY(scan_next_part(scan, local, error));
    if (local->batch && local->batch != before)
        local->columns = arrow_columns_open(local->batch, &local->arena);
    local->filler.batch = local->batch;
    return STATUS_OK;
}

static enum status fill_chunk(const struct batch_scan *scan, struct batch_local *local,
                              duckdb_data_chunk output, size_t count, struct error *error)
{
    for (size_t i = 0; i < scan->column_count; i++) {
        size_t index = scan->columns[i];
        if (index == SIZE_MAX)
            continue;
        struct scan_part part = {
            .column = &local->columns[index],
            .first = local->row,
            .count = count,
            .vector = duckdb_data_chunk_get_vector(output, i),
        };
        if (!scan_fill_column(&local->filler, &scan->bind->plans[index], &part))
            return error_copy(error, &local->filler.error);
    }
    return STATUS_OK;
}

/* The next rows that are not left out; *out_count is 0 at the end. */
static enum status scan_next_rows(struct batch_scan *scan, struct batch_local *local,
                                  size_t *out_count, struct error *error)
{
    const struct scan_filter *filter = &scan->bind->filter;
    for (;; local->row += (int64_t)*out_count, local->skipped += *out_count) {
        if (!local->batch || local->row >= local->end)
            TRY(local_take_part(scan, local, error));
        int64_t left = local->batch ? local->end - local->row : 0;
        *out_count = size_min((size_t)left, duckdb_vector_size());
        if (*out_count == 0 || local->skipped >= SKIPPED_ROWS_MAX ||
            scan_filter_takes(filter, local->columns, local->row, *out_count))
            break;
    }
    local->skipped = 0;
    return STATUS_OK;
}

static enum status scan_next_chunk(struct batch_scan *scan, struct batch_local *local,
                                   duckdb_data_chunk output, struct error *error)
{
    size_t count;
    TRY(scan_next_rows(scan, local, &count, error));
    TRY(fill_chunk(scan, local, output, count, error));
    local->row += (int64_t)count;
    duckdb_data_chunk_set_size(output, count);
    return STATUS_OK;
}

static void batch_next(duckdb_function_info info, duckdb_data_chunk output)
{
    struct batch_scan *scan = duckdb_function_get_init_data(info);
    struct batch_local *local = duckdb_function_get_local_init_data(info);
    struct error error = ERROR_NONE;
    if (scan_next_chunk(scan, local, output, &error) == STATUS_OK)
        return;
    connection_note_cause(scan->connection, &error);
    duckdb_function_set_error(info, error.message);
}

enum status batch_function_register(struct engine *engine, duckdb_connection connection,
                                    struct error *error)
{
    duckdb_table_function function = duckdb_create_table_function();
    duckdb_logical_type text = duckdb_create_logical_type(DUCKDB_TYPE_VARCHAR);
    duckdb_table_function_set_name(function, BATCH_FUNCTION);
    duckdb_table_function_add_parameter(function, text);
    duckdb_table_function_add_named_parameter(function, HINT_PARAMETER, text);
    duckdb_table_function_set_extra_info(function, engine, NULL);
    duckdb_table_function_set_bind(function, batch_bind);
    duckdb_table_function_set_init(function, batch_init);
    duckdb_table_function_set_local_init(function, batch_local_init);
    duckdb_table_function_set_function(function, batch_next);
    duckdb_table_function_supports_projection_pushdown(function, true);
    duckdb_state state = duckdb_register_table_function(connection, function);
    duckdb_destroy_logical_type(&text);
    duckdb_destroy_table_function(&function);
    if (state != DuckDBSuccess)
        return error_set_code(error, STATUS_INTERNAL, "INTERNAL",
                              "the engine refused the table function '%s'", BATCH_FUNCTION);
    return STATUS_OK;
}
