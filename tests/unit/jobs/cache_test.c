/*
 * cache_test.c — results that serve again: keys, and that a stale one never does.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "results_world.h"

#include "engine_support.h"
#include "jobs/cache.h"

/* SHA-256 of "SELECT 1". */
#define HASH_OF_SELECT_1 "e004ebd5b5532a4b85984a62f8ad48a81aa3460c1ca07701f386135d72cdecf5"

struct cache_world {
    struct results_world *results;
    struct test_engine engine;
    struct cache *cache;
    int next_job;
};

static struct cache_world world;

static void open_cache(uint64_t ttl_ms, size_t entries_max)
{
    const struct cache_options options = {.engine = world.engine.engine,
                                          .results = world.results->results,
                                          .ttl_ms = ttl_ms,
                                          .entries_max = entries_max};
    cache_destroy(world.cache);
    assert_int_equal(cache_create(&options, &world.cache, NULL), STATUS_OK);
}

static int set_up(void **state)
{
    void *results = NULL;
    world_set_up(&results);
    world = (struct cache_world){.results = results};
    test_engine_open(&world.engine, NULL);
    test_execute(&world.engine, "CREATE TABLE t AS SELECT 1 AS a");
    test_execute(&world.engine, "CREATE VIEW v AS SELECT * FROM t");
    open_cache(60000, 0);
    *state = &world;
    return 0;
}

static int tear_down(void **state)
{
    void *results = world.results;
    (void)state;
    cache_destroy(world.cache);
    test_engine_close(&world.engine);
    return world_tear_down(&results);
}

static struct cache_key key_of(const char *sql)
{
    struct cache_key key;
    cache_key_make(str_of(sql), STR_EMPTY, NULL, NULL, &key);
    return key;
}

static bool is_cached(const char *sql)
{
    struct cache_key key = key_of(sql);
    CLEANUP(result_unref) struct result *result = cache_find(world.cache, &key);
    return result != NULL;
}

static struct cache_claim *claim(const char *sql)
{
    struct cache_key key = key_of(sql);
    return cache_claim(world.cache, &key, str_of(sql), NULL);
}

/* Enters some result for a claim (NULL: nothing happens). */
static void enter(struct cache_claim *claim)
{
    char id[20];
    struct job_record record;
    if (!claim)
        return;
    snprintf(id, sizeof(id), "job-%d", world.next_job++);
    CLEANUP(result_unref) struct result *result = keep(world.results, id, 3, &record);
    cache_insert(world.cache, claim, result);
}

static void expect_key(const char *sql, const char *engine,
                       const struct engine_result_options *options, const struct str *session,
                       const char *expected)
{
    struct cache_key key;
    cache_key_make(str_of(sql), str_of(engine), options, session, &key);
    if (expected)
        assert_string_equal(key.text, expected);
    else
        assert_int_equal(strlen(key.text), 64 + 1 + 8);
}

static void keys_are_those_of_the_contract(void **state)
{
    (void)state;
    static const char *const same[] = {"SELECT 1", "  SELECT 1\n", "SELECT 1;",
                                       "\tSELECT 1 ; \r\n"};
    for (size_t i = 0; i < ARRAY_COUNT(same); i++)
        expect_key(same[i], "", NULL, NULL, HASH_OF_SELECT_1);
    expect_key("SELECT 1", "duckdb", NULL, NULL, HASH_OF_SELECT_1);
    expect_key("SELECT 1", "clickhouse", NULL, NULL, NULL);
    struct cache_key lower = key_of("select 1");
    assert_string_not_equal(lower.text, HASH_OF_SELECT_1);
    CLEANUP(arena_finish) struct arena arena;
    arena_init(&arena);
    struct cache_key key = key_of("SELECT 1");
    assert_true(str_equal(cache_object_name(&arena, &key, STR("json.gz")),
                          STR("query-cache/" HASH_OF_SELECT_1 ".json.gz")));
    assert_true(str_equal(cache_object_name(&arena, &key, STR_EMPTY),
                          STR("query-cache/" HASH_OF_SELECT_1 ".arrow")));
}

static void what_changes_rows_or_form_changes_the_key(void **state)
{
    (void)state;
    struct cache_key keys[6];
    struct engine_result_options options[] = {
        {.row_limit = 5}, {.row_limit = 6}, {.views = true}, {.timestamp_unit = 1}};
    for (size_t i = 0; i < ARRAY_COUNT(options); i++)
        cache_key_make(STR("SELECT 1"), STR_EMPTY, &options[i], NULL, &keys[i]);
    struct str a[ENGINE_SESSION_SETTING_COUNT] = {[SESSION_SCHEMA] = STR("s")};
    struct str b[ENGINE_SESSION_SETTING_COUNT] = {[SESSION_CATALOG] = STR("s")};
    cache_key_make(STR("SELECT 1"), STR_EMPTY, NULL, a, &keys[4]);
    cache_key_make(STR("SELECT 1"), STR_EMPTY, NULL, b, &keys[5]);
    for (size_t i = 0; i < ARRAY_COUNT(keys); i++) {
        assert_string_not_equal(keys[i].text, HASH_OF_SELECT_1);
        for (size_t j = 0; j < i; j++)
            assert_string_not_equal(keys[i].text, keys[j].text);
    }
    struct str none[ENGINE_SESSION_SETTING_COUNT] = {{0}};
    cache_key_make(STR("SELECT 1"), STR_EMPTY, &(struct engine_result_options){0}, none, &keys[0]);
    assert_string_equal(keys[0].text, HASH_OF_SELECT_1);
}

/* Somebody may look for options whose 8 digits are those of others. */
static void the_digits_that_are_shown_tell_no_entries_apart(void **state)
{
    (void)state;
    struct cache_key key = key_of("SELECT a FROM t");
    enter(cache_claim(world.cache, &key, STR("SELECT a FROM t"), NULL));
    assert_true(is_cached("SELECT a FROM t"));
    key.whole[strlen(key.whole) - 1] ^= 1;
    assert_null(cache_find(world.cache, &key));
    struct cache_key limited;
    const struct engine_result_options options = {.row_limit = 5};
    cache_key_make(STR("SELECT 1"), STR_EMPTY, &options, NULL, &limited);
    assert_int_equal(strlen(limited.whole), 64 + 1 + 64);
    assert_true(str_starts_with(str_of(limited.whole), str_of(limited.text)));
}

static void a_result_serves_until_a_write(void **state)
{
    (void)state;
    assert_false(is_cached("SELECT * FROM v"));
    enter(claim("SELECT * FROM v"));
    assert_true(is_cached("SELECT * FROM v"));
    assert_true(is_cached("SELECT * FROM v;"));
    test_execute(&world.engine, "CREATE TEMP TABLE u (a INTEGER); INSERT INTO u VALUES (1)");
    assert_true(is_cached("SELECT * FROM v"));
    test_execute(&world.engine, "INSERT INTO t VALUES (2)");
    assert_false(is_cached("SELECT * FROM v"));
    enter(claim("SELECT * FROM v"));
    assert_true(is_cached("SELECT * FROM v"));
    test_execute(&world.engine, "CREATE OR REPLACE VIEW v AS SELECT 5 AS a");
    assert_false(is_cached("SELECT * FROM v"));
}

static void a_write_while_the_statement_runs_counts(void **state)
{
    (void)state;
    struct cache_claim *running = claim("SELECT * FROM t");
    assert_true(cache_claim_is_current(running));
    test_execute(&world.engine, "INSERT INTO t VALUES (2)");
    assert_false(cache_claim_is_current(running));
    enter(running);
    assert_false(is_cached("SELECT * FROM t"));
}

static void volatile_statements_are_not_claimed(void **state)
{
    (void)state;
    assert_null(claim("SELECT random()"));
    assert_null(claim("INSERT INTO t VALUES (1)"));
    enter(claim("SELECT now()"));
    assert_false(is_cached("SELECT now()"));
}

static void entries_end_with_their_time_and_their_result(void **state)
{
    (void)state;
    open_cache(1, 0);
    enter(claim("SELECT * FROM t"));
    usleep(2000);
    assert_false(is_cached("SELECT * FROM t"));
    open_cache(60000, 0);
    world.results->options.ttl_ms = 1;
    cache_destroy(STEAL(world.cache));
    world_restart(world.results);
    open_cache(60000, 0);
    enter(claim("SELECT * FROM t"));
    usleep(2000);
    assert_false(is_cached("SELECT * FROM t"));
}

static void the_one_that_served_longest_ago_goes(void **state)
{
    (void)state;
    open_cache(60000, 2);
    enter(claim("SELECT 1"));
    enter(claim("SELECT 2"));
    assert_true(is_cached("SELECT 1"));
    enter(claim("SELECT 3"));
    assert_true(is_cached("SELECT 1"));
    assert_false(is_cached("SELECT 2"));
    assert_true(is_cached("SELECT 3"));
    struct cache_key key = key_of("SELECT 3");
    cache_forget(world.cache, &key);
    cache_forget(world.cache, &key);
    assert_false(is_cached("SELECT 3"));
}

/* --- many at once -------------------------------------------------------------------------------- */

/* Writers count up; whoever finds an entry after a write was acknowledged must not find an older one. */
static atomic_long acknowledged;
static atomic_bool is_over;

struct writer {
    struct engine_session *session;
    struct thread *thread;
    enum status status; /* for whoever joins the thread */
};

static void write_on(void *context)
{
    struct writer *writer = context;
    for (int i = 0; i < 100 && writer->status == STATUS_OK; i++) {
        CLEANUP(test_result_finish)
        struct test_result done =
            test_run_in(&world.engine, writer->session, "UPDATE t SET a = a + 1", NULL);
        writer->status = done.status;
        if (done.status == STATUS_OK)
            atomic_fetch_add(&acknowledged, 1);
    }
    atomic_store(&is_over, true);
}

/* 0 when it could not be read. */
static int64_t number_now(struct engine_session *session)
{
    CLEANUP(test_result_finish)
    struct test_result result = test_run_in(&world.engine, session, "SELECT a FROM v", NULL);
    int32_t value = 0;
    if (result.status == STATUS_OK)
        memcpy(&value, result.batches[0]->buffers[1].ptr, sizeof(value));
    return value;
}

/* False: it found what is older than a write that was acknowledged before, or could not read. */
static bool reads_the_newest(struct engine_session *session)
{
    int64_t before = atomic_load(&acknowledged);
    struct cache_key key = key_of("SELECT a FROM v");
    struct result_facts facts;
    CLEANUP(result_unref) struct result *found = cache_find(world.cache, &key);
    if (found) {
        result_facts(found, &facts);
        return facts.rows >= before;
    }
    struct cache_claim *taken = claim("SELECT a FROM v");
    int64_t value = number_now(session);
    char id[20];
    struct job_record record;
    snprintf(id, sizeof(id), "job-%d", world.next_job++);
    CLEANUP(result_unref) struct result *result = keep(world.results, id, value - 1, &record);
    cache_insert(world.cache, taken, result);
    return value > 0;
}

static void no_entry_is_older_than_an_acknowledged_write(void **state)
{
    (void)state;
    CLEANUP(engine_session_unref)
    struct engine_session *session = engine_session_open(world.engine.engine);
    CLEANUP(engine_session_unref)
    struct engine_session *other = engine_session_open(world.engine.engine);
    struct writer writer = {.session = other};
    bool is_newest = true;
    assert_int_equal(thread_start("writer", 0, write_on, &writer, &writer.thread, NULL), STATUS_OK);
    while (is_newest && !atomic_load(&is_over))
        is_newest = reads_the_newest(session);
    thread_join(writer.thread);
    assert_int_equal(writer.status, STATUS_OK);
    assert_true(is_newest);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(keys_are_those_of_the_contract),
        TEST(what_changes_rows_or_form_changes_the_key),
        TEST(the_digits_that_are_shown_tell_no_entries_apart),
        TEST(a_result_serves_until_a_write),
        TEST(a_write_while_the_statement_runs_counts),
        TEST(volatile_statements_are_not_claimed),
        TEST(entries_end_with_their_time_and_their_result),
        TEST(the_one_that_served_longest_ago_goes),
        TEST(no_entry_is_older_than_an_acknowledged_write),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
