/*
 * sql_info.c — CommandGetSqlInfo: facts about the server as a table.
 *
 * Each row of the table below is a number and a value of the kind that clients expect under it: some
 * read the union's child by position without looking at its type. Asked for nothing, all rows come;
 * asked for a number that is not in the table, that one is left out. Runs on a worker.
 *
 * Source: FlightSql.proto, "SqlInfo". SPDX-License-Identifier: Apache-2.0
 */
#include "flight_sql/flight_sql.h"

#include "arrow/builder.h"
#include "base/memory.h"
#include "proto/flight_sql.h"

#include <stdio.h>

/* Children of the value union; their order is the specification's. */
enum value_kind {
    VALUE_TEXT,
    VALUE_BOOL,
    VALUE_BIGINT,
    VALUE_BITMASK,
    VALUE_TEXT_LIST,
    VALUE_INT_MAP
};
#define VALUE_KIND_COUNT 6

struct sql_info_row {
    uint32_t number;
    enum value_kind kind;
    int64_t integer;
    const char *text; /* VALUE_TEXT; VALUE_TEXT_LIST: comma-separated */
    int64_t (*integer_of)(
        const struct flight_options *options); /* this server's; NULL: `integer` */
};

static int64_t read_only_of(const struct flight_options *options)
{
    return options->read_only;
}

/* A handle lives with its session; in milliseconds. */
static int64_t statement_timeout_of(const struct flight_options *options)
{
    return (int64_t)options->session_timeout_ms;
}

static int64_t transaction_timeout_of(const struct flight_options *options)
{
    return (int64_t)options->transaction_timeout_ms;
}

static int64_t statements_max_of(const struct flight_options *options)
{
    return (int64_t)options->prepared_max;
}

/* clang-format off */
static const struct sql_info_row rows[] = {
    {SQL__SQL_INFO__FLIGHT_SQL_SERVER_NAME, VALUE_TEXT, 0, "Volley"},
    {SQL__SQL_INFO__FLIGHT_SQL_SERVER_VERSION, VALUE_TEXT, 0, NULL},
    {SQL__SQL_INFO__FLIGHT_SQL_SERVER_ARROW_VERSION, VALUE_TEXT, 0, "1.5"},
    {SQL__SQL_INFO__FLIGHT_SQL_SERVER_READ_ONLY, VALUE_BOOL, 0, NULL, read_only_of},
    {SQL__SQL_INFO__FLIGHT_SQL_SERVER_SQL, VALUE_BOOL, 1, NULL},
    {SQL__SQL_INFO__FLIGHT_SQL_SERVER_SUBSTRAIT, VALUE_BOOL, 0, NULL},
    /* NULL: no Substrait. */
    {SQL__SQL_INFO__FLIGHT_SQL_SERVER_SUBSTRAIT_MIN_VERSION, VALUE_TEXT, 0, NULL},
    {SQL__SQL_INFO__FLIGHT_SQL_SERVER_SUBSTRAIT_MAX_VERSION, VALUE_TEXT, 0, NULL},
    /* SQL_SUPPORTED_TRANSACTION_TRANSACTION = 1 */
    {SQL__SQL_INFO__FLIGHT_SQL_SERVER_TRANSACTION, VALUE_BITMASK, 1, NULL},
    {SQL__SQL_INFO__FLIGHT_SQL_SERVER_CANCEL, VALUE_BOOL, 1, NULL},
    {SQL__SQL_INFO__FLIGHT_SQL_SERVER_BULK_INGESTION, VALUE_BOOL, 1, NULL},
    {SQL__SQL_INFO__FLIGHT_SQL_SERVER_INGEST_TRANSACTIONS_SUPPORTED, VALUE_BOOL, 1, NULL},
    {SQL__SQL_INFO__FLIGHT_SQL_SERVER_STATEMENT_TIMEOUT, VALUE_BITMASK, 0, NULL,
     statement_timeout_of},
    {SQL__SQL_INFO__FLIGHT_SQL_SERVER_TRANSACTION_TIMEOUT, VALUE_BITMASK, 0, NULL,
     transaction_timeout_of},
    {SQL__SQL_INFO__SQL_DDL_CATALOG, VALUE_BOOL, 0, NULL},
    {SQL__SQL_INFO__SQL_DDL_SCHEMA, VALUE_BOOL, 1, NULL},
    {SQL__SQL_INFO__SQL_DDL_TABLE, VALUE_BOOL, 1, NULL},
    /* SQL_CASE_SENSITIVITY_CASE_INSENSITIVE = 1 (kept as written) */
    {SQL__SQL_INFO__SQL_IDENTIFIER_CASE, VALUE_BIGINT, 1, NULL},
    {SQL__SQL_INFO__SQL_IDENTIFIER_QUOTE_CHAR, VALUE_TEXT, 0, "\""},
    {SQL__SQL_INFO__SQL_QUOTED_IDENTIFIER_CASE, VALUE_BIGINT, 1, NULL},
    {SQL__SQL_INFO__SQL_ALL_TABLES_ARE_SELECTABLE, VALUE_BOOL, 1, NULL},
    /* NULLs sort at the end, whatever the direction: SQL_NULLS_SORTED_AT_END = 3 */
    {SQL__SQL_INFO__SQL_NULL_ORDERING, VALUE_BIGINT, 3, NULL},
    {SQL__SQL_INFO__SQL_KEYWORDS, VALUE_TEXT_LIST, 0,
     "ANALYSE,ANALYZE,ANTI,ASC,ASOF,COLLATION,COLUMNS,CONCURRENTLY,DEFERRABLE,DESC,DO,FREEZE,"
     "GENERATED,GLOB,ILIKE,INITIALLY,ISNULL,LAMBDA,LIMIT,MAP,NOTNULL,OFFSET,PIVOT,PIVOT_LONGER,"
     "PIVOT_WIDER,PLACING,POSITIONAL,QUALIFY,RETURNING,SEMI,SHOW,STRUCT,SUMMARIZE,TRY_CAST,UNPACK,"
     "UNPIVOT,VARIADIC,VERBOSE"},
    {SQL__SQL_INFO__SQL_NUMERIC_FUNCTIONS, VALUE_TEXT_LIST, 0,
     "abs,acos,acosh,asin,asinh,atan,atan2,atanh,bit_count,cbrt,ceil,ceiling,cos,cosh,cot,degrees,"
     "even,exp,factorial,floor,gamma,gcd,greatest,isfinite,isinf,isnan,lcm,least,lgamma,ln,log,"
     "log10,log2,mod,nextafter,pi,pow,power,radians,random,round,round_even,setseed,sign,signbit,"
     "sin,sinh,sqrt,tan,tanh,trunc"},
    {SQL__SQL_INFO__SQL_STRING_FUNCTIONS, VALUE_TEXT_LIST, 0,
     "array_extract,ascii,bar,base64,bin,bit_length,char_length,character_length,chr,concat,"
     "concat_ws,contains,damerau_levenshtein,decode,encode,ends_with,format,from_base64,from_hex,"
     "hash,hex,instr,jaccard,jaro_similarity,jaro_winkler_similarity,lcase,left,left_grapheme,"
     "length,length_grapheme,levenshtein,like_escape,lower,lpad,ltrim,md5,mismatches,"
     "nfc_normalize,octet_length,ord,parse_path,position,prefix,printf,regexp_extract,"
     "regexp_extract_all,regexp_full_match,regexp_matches,regexp_replace,regexp_split_to_array,"
     "repeat,replace,reverse,right,right_grapheme,rpad,rtrim,sha1,sha256,split,split_part,"
     "starts_with,string_split,string_split_regex,strip_accents,strlen,strpos,substr,substring,"
     "substring_grapheme,suffix,to_base64,to_hex,translate,trim,ucase,unbin,unhex,unicode,upper,"
     "url_decode,url_encode"},
    {SQL__SQL_INFO__SQL_SYSTEM_FUNCTIONS, VALUE_TEXT_LIST, 0,
     "current_catalog,current_database,current_query,current_schema,current_schemas,"
     "current_setting,current_user,error,gen_random_uuid,in_search_path,nullif,pg_typeof,"
     "session_user,txid_current,typeof,user,uuid,uuidv7,version"},
    {SQL__SQL_INFO__SQL_DATETIME_FUNCTIONS, VALUE_TEXT_LIST, 0,
     "age,century,current_date,current_localtime,current_localtimestamp,date_add,date_diff,"
     "date_part,date_sub,date_trunc,datediff,datepart,datesub,datetrunc,day,dayname,dayofmonth,"
     "dayofweek,dayofyear,decade,epoch,epoch_ms,epoch_ns,epoch_us,era,get_current_time,"
     "get_current_timestamp,hour,isodow,isoyear,julian,last_day,make_date,make_time,"
     "make_timestamp,make_timestamp_ms,make_timestamp_ns,make_timestamptz,microsecond,millennium,"
     "millisecond,minute,month,monthname,now,quarter,second,strftime,strptime,time_bucket,"
     "timezone,timezone_hour,timezone_minute,to_centuries,to_days,to_decades,to_hours,"
     "to_microseconds,to_millennia,to_milliseconds,to_minutes,to_months,to_quarters,to_seconds,"
     "to_timestamp,to_weeks,to_years,today,transaction_timestamp,try_strptime,week,weekday,"
     "weekofyear,year,yearweek"},
    {SQL__SQL_INFO__SQL_SEARCH_STRING_ESCAPE, VALUE_TEXT, 0, "\\"},
    {SQL__SQL_INFO__SQL_EXTRA_NAME_CHARACTERS, VALUE_TEXT, 0, "$"},
    {SQL__SQL_INFO__SQL_SUPPORTS_COLUMN_ALIASING, VALUE_BOOL, 1, NULL},
    {SQL__SQL_INFO__SQL_NULL_PLUS_NULL_IS_NULL, VALUE_BOOL, 1, NULL},
    {SQL__SQL_INFO__SQL_SUPPORTS_CONVERT, VALUE_INT_MAP, 0, NULL},
    {SQL__SQL_INFO__SQL_SUPPORTS_TABLE_CORRELATION_NAMES, VALUE_BOOL, 1, NULL},
    {SQL__SQL_INFO__SQL_SUPPORTS_DIFFERENT_TABLE_CORRELATION_NAMES, VALUE_BOOL, 0, NULL},
    {SQL__SQL_INFO__SQL_SUPPORTS_EXPRESSIONS_IN_ORDER_BY, VALUE_BOOL, 1, NULL},
    {SQL__SQL_INFO__SQL_SUPPORTS_ORDER_BY_UNRELATED, VALUE_BOOL, 1, NULL},
    /* SQL_GROUP_BY_UNRELATED (bit 0) and SQL_GROUP_BY_BEYOND_SELECT (bit 1) */
    {SQL__SQL_INFO__SQL_SUPPORTED_GROUP_BY, VALUE_BITMASK, 3, NULL},
    {SQL__SQL_INFO__SQL_SUPPORTS_LIKE_ESCAPE_CLAUSE, VALUE_BOOL, 1, NULL},
    {SQL__SQL_INFO__SQL_SUPPORTS_NON_NULLABLE_COLUMNS, VALUE_BOOL, 1, NULL},
    /* SQL_MINIMUM_GRAMMAR and SQL_CORE_GRAMMAR */
    {SQL__SQL_INFO__SQL_SUPPORTED_GRAMMAR, VALUE_BITMASK, 3, NULL},
    /* ANSI92_ENTRY_SQL and ANSI92_INTERMEDIATE_SQL */
    {SQL__SQL_INFO__SQL_ANSI92_SUPPORTED_LEVEL, VALUE_BITMASK, 3, NULL},
    {SQL__SQL_INFO__SQL_SUPPORTS_INTEGRITY_ENHANCEMENT_FACILITY, VALUE_BOOL, 1, NULL},
    /* SQL_FULL_OUTER_JOINS = bit 2 with SQL_LIMITED_OUTER_JOINS = bit 1 */
    {SQL__SQL_INFO__SQL_OUTER_JOINS_SUPPORT_LEVEL, VALUE_BITMASK, 6, NULL},
    {SQL__SQL_INFO__SQL_SCHEMA_TERM, VALUE_TEXT, 0, "schema"},
    {SQL__SQL_INFO__SQL_PROCEDURE_TERM, VALUE_TEXT, 0, "procedure"},
    {SQL__SQL_INFO__SQL_CATALOG_TERM, VALUE_TEXT, 0, "catalog"},
    {SQL__SQL_INFO__SQL_CATALOG_AT_START, VALUE_BOOL, 1, NULL},
    /* procedure calls, index definitions, privilege definitions: bits 0..2; none apply to procedures */
    {SQL__SQL_INFO__SQL_SCHEMAS_SUPPORTED_ACTIONS, VALUE_BITMASK, 2, NULL},
    {SQL__SQL_INFO__SQL_CATALOGS_SUPPORTED_ACTIONS, VALUE_BITMASK, 2, NULL},
    {SQL__SQL_INFO__SQL_SUPPORTED_POSITIONED_COMMANDS, VALUE_BITMASK, 0, NULL},
    {SQL__SQL_INFO__SQL_SELECT_FOR_UPDATE_SUPPORTED, VALUE_BOOL, 0, NULL},
    {SQL__SQL_INFO__SQL_STORED_PROCEDURES_SUPPORTED, VALUE_BOOL, 0, NULL},
    /* comparisons, EXISTS, IN, quantified: bits 0..3 */
    {SQL__SQL_INFO__SQL_SUPPORTED_SUBQUERIES, VALUE_BITMASK, 15, NULL},
    {SQL__SQL_INFO__SQL_CORRELATED_SUBQUERIES_SUPPORTED, VALUE_BOOL, 1, NULL},
    /* UNION and UNION ALL */
    {SQL__SQL_INFO__SQL_SUPPORTED_UNIONS, VALUE_BITMASK, 3, NULL},
    {SQL__SQL_INFO__SQL_MAX_BINARY_LITERAL_LENGTH, VALUE_BIGINT, 0, NULL},
    {SQL__SQL_INFO__SQL_MAX_CHAR_LITERAL_LENGTH, VALUE_BIGINT, 0, NULL},
    {SQL__SQL_INFO__SQL_MAX_COLUMN_NAME_LENGTH, VALUE_BIGINT, 0, NULL},
    {SQL__SQL_INFO__SQL_MAX_COLUMNS_IN_GROUP_BY, VALUE_BIGINT, 0, NULL},
    {SQL__SQL_INFO__SQL_MAX_COLUMNS_IN_INDEX, VALUE_BIGINT, 0, NULL},
    {SQL__SQL_INFO__SQL_MAX_COLUMNS_IN_ORDER_BY, VALUE_BIGINT, 0, NULL},
    {SQL__SQL_INFO__SQL_MAX_COLUMNS_IN_SELECT, VALUE_BIGINT, ARROW_FIELDS_MAX, NULL},
    {SQL__SQL_INFO__SQL_MAX_COLUMNS_IN_TABLE, VALUE_BIGINT, 0, NULL},
    {SQL__SQL_INFO__SQL_MAX_CONNECTIONS, VALUE_BIGINT, 0, NULL},
    {SQL__SQL_INFO__SQL_MAX_CURSOR_NAME_LENGTH, VALUE_BIGINT, 0, NULL},
    {SQL__SQL_INFO__SQL_MAX_INDEX_LENGTH, VALUE_BIGINT, 0, NULL},
    {SQL__SQL_INFO__SQL_DB_SCHEMA_NAME_LENGTH, VALUE_BIGINT, 0, NULL},
    {SQL__SQL_INFO__SQL_MAX_PROCEDURE_NAME_LENGTH, VALUE_BIGINT, 0, NULL},
    {SQL__SQL_INFO__SQL_MAX_CATALOG_NAME_LENGTH, VALUE_BIGINT, 0, NULL},
    {SQL__SQL_INFO__SQL_MAX_ROW_SIZE, VALUE_BIGINT, 0, NULL},
    {SQL__SQL_INFO__SQL_MAX_ROW_SIZE_INCLUDES_BLOBS, VALUE_BOOL, 1, NULL},
    {SQL__SQL_INFO__SQL_MAX_STATEMENT_LENGTH, VALUE_BIGINT, 10 << 20, NULL},
    {SQL__SQL_INFO__SQL_MAX_STATEMENTS, VALUE_BIGINT, 0, NULL, statements_max_of},
    {SQL__SQL_INFO__SQL_MAX_TABLE_NAME_LENGTH, VALUE_BIGINT, 0, NULL},
    {SQL__SQL_INFO__SQL_MAX_TABLES_IN_SELECT, VALUE_BIGINT, 0, NULL},
    {SQL__SQL_INFO__SQL_MAX_USERNAME_LENGTH, VALUE_BIGINT, 256, NULL},
    /* SQL_TRANSACTION_REPEATABLE_READ = 3: snapshot isolation */
    {SQL__SQL_INFO__SQL_DEFAULT_TRANSACTION_ISOLATION, VALUE_BIGINT, 3, NULL},
    {SQL__SQL_INFO__SQL_TRANSACTIONS_SUPPORTED, VALUE_BOOL, 1, NULL},
    {SQL__SQL_INFO__SQL_SUPPORTED_TRANSACTIONS_ISOLATION_LEVELS, VALUE_BITMASK, 8, NULL},
    {SQL__SQL_INFO__SQL_DATA_DEFINITION_CAUSES_TRANSACTION_COMMIT, VALUE_BOOL, 0, NULL},
    {SQL__SQL_INFO__SQL_DATA_DEFINITIONS_IN_TRANSACTIONS_IGNORED, VALUE_BOOL, 0, NULL},
    /* SQL_RESULT_SET_TYPE_FORWARD_ONLY = bit 1 */
    {SQL__SQL_INFO__SQL_SUPPORTED_RESULT_SET_TYPES, VALUE_BITMASK, 2, NULL},
    {SQL__SQL_INFO__SQL_SUPPORTED_CONCURRENCIES_FOR_RESULT_SET_UNSPECIFIED, VALUE_BITMASK, 0, NULL},
    /* SQL_RESULT_SET_CONCURRENCY_READ_ONLY = bit 1 */
    {SQL__SQL_INFO__SQL_SUPPORTED_CONCURRENCIES_FOR_RESULT_SET_FORWARD_ONLY, VALUE_BITMASK, 2, NULL},
    {SQL__SQL_INFO__SQL_SUPPORTED_CONCURRENCIES_FOR_RESULT_SET_SCROLL_SENSITIVE, VALUE_BITMASK, 0,
     NULL},
    {SQL__SQL_INFO__SQL_SUPPORTED_CONCURRENCIES_FOR_RESULT_SET_SCROLL_INSENSITIVE, VALUE_BITMASK, 0,
     NULL},
    {SQL__SQL_INFO__SQL_BATCH_UPDATES_SUPPORTED, VALUE_BOOL, 1, NULL},
    {SQL__SQL_INFO__SQL_SAVEPOINTS_SUPPORTED, VALUE_BOOL, 0, NULL},
    {SQL__SQL_INFO__SQL_NAMED_PARAMETERS_SUPPORTED, VALUE_BOOL, 0, NULL},
    {SQL__SQL_INFO__SQL_LOCATORS_UPDATE_COPY, VALUE_BOOL, 0, NULL},
    {SQL__SQL_INFO__SQL_STORED_FUNCTIONS_USING_CALL_SYNTAX_SUPPORTED, VALUE_BOOL, 0, NULL},
};
/* clang-format on */

static void init_field(struct arrow_schema *schema, struct arrow_field *field, const char *name,
                       enum arrow_type type, int32_t bit_width, bool is_signed)
{
    arrow_field_init(schema, field, str_of(name), type);
    field->bit_width = bit_width;
    field->is_signed = is_signed;
}

static void init_map(struct arrow_schema *schema, struct arrow_field *field)
{
    init_field(schema, field, "int32_to_int32_list_map", ARROW_MAP, 0, false);
    arrow_field_add_children(schema, field, 1);
    struct arrow_field *entries = &field->children[0];
    init_field(schema, entries, "entries", ARROW_STRUCT, 0, false);
    entries->nullable = false;
    arrow_field_add_children(schema, entries, 2);
    init_field(schema, &entries->children[0], "key", ARROW_INT, 32, true);
    entries->children[0].nullable = false;
    init_field(schema, &entries->children[1], "value", ARROW_LIST, 0, false);
    arrow_field_add_children(schema, &entries->children[1], 1);
    init_field(schema, &entries->children[1].children[0], "$data$", ARROW_INT, 32, true);
}

static void init_value(struct arrow_schema *schema, struct arrow_field *field)
{
    static const int32_t type_ids[VALUE_KIND_COUNT] = {0, 1, 2, 3, 4, 5};
    init_field(schema, field, "value", ARROW_UNION, 0, false);
    field->nullable = false;
    field->is_dense = true;
    field->type_ids = type_ids;
    arrow_field_add_children(schema, field, VALUE_KIND_COUNT);
    init_field(schema, &field->children[VALUE_TEXT], "string_value", ARROW_UTF8, 0, false);
    init_field(schema, &field->children[VALUE_BOOL], "bool_value", ARROW_BOOL, 0, false);
    init_field(schema, &field->children[VALUE_BIGINT], "bigint_value", ARROW_INT, 64, true);
    init_field(schema, &field->children[VALUE_BITMASK], "int32_bitmask", ARROW_INT, 32, true);
    struct arrow_field *list = &field->children[VALUE_TEXT_LIST];
    init_field(schema, list, "string_list", ARROW_LIST, 0, false);
    arrow_field_add_children(schema, list, 1);
    init_field(schema, &list->children[0], "item", ARROW_UTF8, 0, false);
    init_map(schema, &field->children[VALUE_INT_MAP]);
}

/* info_name uint32 not null, value dense_union<...> not null. */
static struct arrow_schema *make_schema(void)
{
    struct arrow_schema *schema = arrow_schema_create(2);
    init_field(schema, &schema->fields[0], "info_name", ARROW_INT, 32, false);
    schema->fields[0].nullable = false;
    init_value(schema, &schema->fields[1]);
    arrow_schema_seal(schema, NULL);
    return schema;
}

static void append_list(struct builder_column *list, struct str names)
{
    while (names.len > 0)
        builder_append_bytes(&list->children[0], str_split(&names, ','));
    builder_append_list(list);
}

/* The types of enum SqlSupportsConvert by number, and as bits those that CAST makes of them. */
#define FROM_NUMBER 0xa78ed   /* numbers, BIT, text */
#define FROM_BINARY 0xc0c0a   /* binary, text */
#define FROM_TEXT 0xfffff     /* all */
#define FROM_INTERVAL 0x80b08 /* intervals, text */
static const uint32_t conversions[] = {
    FROM_NUMBER,   /* BIGINT */
    FROM_BINARY,   /* BINARY */
    FROM_NUMBER,   /* BIT: BOOLEAN */
    FROM_TEXT,     /* CHAR */
    0x90818,       /* DATE: DATE, TIMESTAMP, text */
    FROM_NUMBER,   /* DECIMAL */
    FROM_NUMBER,   /* FLOAT */
    FROM_NUMBER,   /* INTEGER */
    FROM_INTERVAL, /* INTERVAL_DAY_TIME */
    FROM_INTERVAL, /* INTERVAL_YEAR_MONTH */
    FROM_BINARY,   /* LONGVARBINARY */
    FROM_TEXT,     /* LONGVARCHAR */
    FROM_NUMBER,   /* NUMERIC */
    FROM_NUMBER,   /* REAL */
    FROM_NUMBER,   /* SMALLINT */
    0x88808,       /* TIME: TIME, text */
    0x98818,       /* TIMESTAMP: DATE, TIME, TIMESTAMP, text */
    FROM_NUMBER,   /* TINYINT */
    FROM_BINARY,   /* VARBINARY */
    FROM_TEXT,     /* VARCHAR */
};

static void append_conversions(struct builder_column *map)
{
    struct builder_column *entries = &map->children[0];
    struct builder_column *list = &entries->children[1];
    for (size_t from = 0; from < ARRAY_COUNT(conversions); from++) {
        builder_append_integer(&entries->children[0], (int64_t)from);
        for (size_t to = 0; to < ARRAY_COUNT(conversions); to++) {
            if (conversions[from] >> to & 1)
                builder_append_integer(&list->children[0], (int64_t)to);
        }
        builder_append_list(list);
        builder_append_struct(entries);
    }
    builder_append_list(map);
}

static void append_value(struct flight_call *call, struct builder_column *value,
                         const struct sql_info_row *row)
{
    struct builder_column *child = &value->children[row->kind];
    char version[64];
    if (row->number == SQL__SQL_INFO__FLIGHT_SQL_SERVER_VERSION) {
        /* Existing drivers look for the beginning "duckdb v". */
        struct engine *engine = flight_call_options(call)->engine;
        int size = snprintf(version, sizeof(version), "%s %s volley %s", engine_name(engine),
                            engine_version(engine), VOLLEY_VERSION);
        builder_append_bytes(child, str_make(version, (size_t)size));
    } else if (row->integer_of) {
        builder_append_integer(child, row->integer_of(flight_call_options(call)));
    } else if (row->kind == VALUE_TEXT && !row->text) {
        builder_append_null(child);
    } else if (row->kind == VALUE_TEXT) {
        builder_append_bytes(child, str_of(row->text));
    } else if (row->kind == VALUE_TEXT_LIST) {
        append_list(child, str_of(row->text));
    } else if (row->kind == VALUE_INT_MAP) {
        append_conversions(child);
    } else {
        builder_append_integer(child, row->integer);
    }
    builder_append_union(value, row->kind);
}

static bool is_wanted(const Sql__CommandGetSqlInfo *command, uint32_t number)
{
    for (size_t i = 0; i < command->n_info; i++) {
        if (command->info[i] == number)
            return true;
    }
    return command->n_info == 0;
}

enum status flight_sql_plan_sql_info(struct flight_call *call, struct slice value,
                                     struct flight_plan *out_plan, struct error *error)
{
    out_plan->schema = make_schema();
    return STATUS_OK;
}

enum status flight_sql_fetch_sql_info(struct flight_call *call, struct slice value,
                                      struct arrow_batch **out_batch, struct error *error)
{
    CLEANUP(arena_finish) struct arena arena;
    arena_init(&arena);
    Sql__CommandGetSqlInfo *command;
    TRY(proto_unpack(&arena, &sql__command_get_sql_info__descriptor, value, &command, error));
    CLEANUP(arrow_schema_unref) struct arrow_schema *schema = make_schema();
    static const struct builder_limits limits = {.rows_max = 4096, .bytes_max = (size_t)1 << 20};
    CLEANUP(batch_builder_destroy)
    struct batch_builder *builder = batch_builder_create(schema, NULL, &limits);
    for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
        if (!is_wanted(command, rows[i].number))
            continue;
        builder_append_integer(batch_builder_column(builder, 0), rows[i].number);
        append_value(call, batch_builder_column(builder, 1), &rows[i]);
    }
    *out_batch = batch_builder_seal(builder);
    return STATUS_OK;
}
