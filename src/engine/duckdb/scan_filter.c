/*
 * scan_filter.c — looks whether any of some rows fits a hint, before they are filled into vectors.
 *
 * The first row that fits ends the look, so it costs next to nothing where rows are wanted and a pass over
 * one column where they are not. Bounds are widened where a literal is no value of the column's type; what
 * stands under a NULL may fit as well. The engine looks at every row that is left.
 *
 * Any thread; owns nothing. Leaves out nested columns, dictionaries, decimals and times with a zone.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "engine/duckdb/scan_filter.h"

#include <math.h>
#include <stdlib.h>

#include "base/memory.h"

/* So many digits fit int64_t in any case. */
#define DIGITS_MAX 18
#define NUMBER_BYTES_MAX 64

typedef bool scan_test(const struct scan_term *term, const struct arrow_column *column,
                       int64_t first, size_t count);

struct scan_term {
    size_t column;
    scan_test *test;
    int64_t low;
    int64_t high;
    double low_double;
    double high_double;
    struct str text;
};

/* --- tests -------------------------------------------------------------------------------------- */

#define DEFINE_TEST(NAME, TYPE, LOW, HIGH)                                                         \
    static bool NAME(const struct scan_term *term, const struct arrow_column *column,              \
                     int64_t first, size_t count)                                                  \
    {                                                                                              \
        const TYPE *values = (const TYPE *)(const void *)column->values + first;                   \
        TYPE low = (TYPE)(LOW);                                                                    \
        TYPE high = (TYPE)(HIGH);                                                                  \
        for (size_t i = 0; i < count; i++)                                                         \
            if (!(values[i] < low) && values[i] <= high)                                           \
                return true;                                                                       \
        return false;                                                                              \
    }
DEFINE_TEST(test_int8, int8_t, term->low, term->high)
DEFINE_TEST(test_int16, int16_t, term->low, term->high)
DEFINE_TEST(test_int32, int32_t, term->low, term->high)
DEFINE_TEST(test_int64, int64_t, term->low, term->high)
DEFINE_TEST(test_uint8, uint8_t, term->low, term->high)
DEFINE_TEST(test_uint16, uint16_t, term->low, term->high)
DEFINE_TEST(test_uint32, uint32_t, term->low, term->high)
DEFINE_TEST(test_uint64, uint64_t, term->low, term->high)

/* NaN is the engine's largest number. */
#define DEFINE_FLOAT_TEST(NAME, TYPE)                                                              \
    static bool NAME(const struct scan_term *term, const struct arrow_column *column,              \
                     int64_t first, size_t count)                                                  \
    {                                                                                              \
        const TYPE *values = (const TYPE *)(const void *)column->values + first;                   \
        for (size_t i = 0; i < count; i++)                                                         \
            if (!((double)values[i] < term->low_double) &&                                         \
                !((double)values[i] > term->high_double))                                          \
                return true;                                                                       \
        return false;                                                                              \
    }
DEFINE_FLOAT_TEST(test_float, float)
DEFINE_FLOAT_TEST(test_double, double)

#define DEFINE_TEXT_TEST(NAME, OFFSET)                                                             \
    static bool NAME(const struct scan_term *term, const struct arrow_column *column,              \
                     int64_t first, size_t count)                                                  \
    {                                                                                              \
        const OFFSET *offsets = (const OFFSET *)(const void *)column->values + first;              \
        for (size_t i = 0; i < count; i++)                                                         \
            if ((size_t)(offsets[i + 1] - offsets[i]) == term->text.len &&                         \
                (term->text.len == 0 ||                                                            \
                 memcmp(column->bytes + offsets[i], term->text.ptr, term->text.len) == 0))         \
                return true;                                                                       \
        return false;                                                                              \
    }
DEFINE_TEXT_TEST(test_text, int32_t)
DEFINE_TEXT_TEST(test_large_text, int64_t)

static bool test_nothing(const struct scan_term *term, const struct arrow_column *column,
                         int64_t first, size_t count)
{
    (void)term;
    (void)column;
    (void)first;
    (void)count;
    return false;
}

bool scan_filter_takes(const struct scan_filter *filter, const struct arrow_column *columns,
                       int64_t first, size_t count)
{
    for (size_t i = 0; i < filter->count; i++) {
        const struct scan_term *term = &filter->terms[i];
        if (!term->test(term, &columns[term->column], first, count))
            return false;
    }
    return true;
}

/* --- numbers ------------------------------------------------------------------------------------ */

/* The whole number at or below a literal and the one at or above it; false for one of many digits. */
static bool number_between(struct str text, int64_t *out_floor, int64_t *out_ceiling)
{
    bool is_negative = text.len > 0 && text.ptr[0] == '-';
    ptrdiff_t dot = str_find(text, '.');
    struct str whole = str_slice(text, is_negative, dot < 0 ? text.len : (size_t)dot);
    struct str fraction = dot < 0 ? STR_EMPTY : str_slice(text, (size_t)dot + 1, text.len);
    int64_t number = 0;
    bool has_fraction = false;
    if (whole.len > DIGITS_MAX)
        return false;
    for (size_t i = 0; i < whole.len; i++)
        number = number * 10 + (whole.ptr[i] - '0');
    for (size_t i = 0; i < fraction.len; i++)
        has_fraction = has_fraction || fraction.ptr[i] != '0';
    *out_floor = is_negative ? -number - has_fraction : number;
    *out_ceiling = is_negative ? -number : number + has_fraction;
    return true;
}

struct integer_type {
    int32_t bit_width;
    bool is_signed;
    scan_test *test;
    int64_t low;
    int64_t high;
};

static const struct integer_type integer_types[] = {
    {8, true, test_int8, INT8_MIN, INT8_MAX},     {16, true, test_int16, INT16_MIN, INT16_MAX},
    {32, true, test_int32, INT32_MIN, INT32_MAX}, {64, true, test_int64, INT64_MIN, INT64_MAX},
    {8, false, test_uint8, 0, UINT8_MAX},         {16, false, test_uint16, 0, UINT16_MAX},
    {32, false, test_uint32, 0, UINT32_MAX},      {64, false, test_uint64, 0, INT64_MAX},
};

static const struct integer_type *integer_type_of(const struct arrow_field *field)
{
    for (size_t i = 0; i < ARRAY_COUNT(integer_types); i++)
        if (integer_types[i].bit_width == field->bit_width &&
            integer_types[i].is_signed == field->is_signed)
            return &integer_types[i];
    return NULL;
}

/* Bounds within the type; a range without any of its values fits nothing. */
static void term_bound(struct scan_term *term, scan_test *test, int64_t type_low, int64_t type_high)
{
    bool is_empty = term->low > term->high || term->low > type_high || term->high < type_low;
    term->test = is_empty ? test_nothing : test;
    term->low = term->low < type_low ? type_low : term->low;
    term->high = term->high > type_high ? type_high : term->high;
}

static bool term_of_integers(const struct dataset_term *source, const struct arrow_field *field,
                             struct scan_term *term)
{
    const struct integer_type *type = integer_type_of(field);
    int64_t other;
    /* All that is above int64_t, in the one type that has it, can only be left out by a low bound. */
    bool is_open = type && type->test == test_uint64 && source->high.len == 0;
    if (source->is_text || !type || is_open ||
        (source->low.len > 0 && !number_between(source->low, &term->low, &other)) ||
        (source->high.len > 0 && !number_between(source->high, &other, &term->high)))
        return false;
    term_bound(term, type->test, type->low, type->high);
    return true;
}

/* A literal becomes a number of the column's precision one way or the other: so far around it. */
static double widened(struct str text, double towards, bool is_float)
{
    char copy[NUMBER_BYTES_MAX];
    if (text.len == 0 || text.len >= sizeof(copy))
        return towards;
    memcpy(copy, text.ptr, text.len);
    copy[text.len] = '\0';
    double number = strtod(copy, NULL);
    for (int i = 0; i < 2; i++)
        number = is_float ? (double)nextafterf((float)number, (float)towards)
                          : nextafter(number, towards);
    return number;
}

static bool term_of_floats(const struct dataset_term *source, const struct arrow_field *field,
                           struct scan_term *term)
{
    bool is_float = field->bit_width == 32;
    if (source->is_text)
        return false;
    term->low_double = widened(source->low, -INFINITY, is_float);
    term->high_double = widened(source->high, INFINITY, is_float);
    term->test = is_float ? test_float : test_double;
    return true;
}

/* --- texts, dates and timestamps ---------------------------------------------------------------- */

static bool term_of_texts(const struct dataset_term *source, const struct arrow_field *field,
                          struct scan_term *term)
{
    bool is_equality = source->low.ptr == source->high.ptr && source->low.len == source->high.len;
    if (!source->is_text || !is_equality || source->type.len > 0)
        return false;
    term->text = source->low;
    term->test = field->type == ARROW_LARGE_UTF8 ? test_large_text : test_text;
    return true;
}

/* As the engine reads it; false when it is none. */
static bool read_moment(struct str text, bool is_date, int64_t *out_moment)
{
    duckdb_value value = duckdb_create_varchar_length(text.ptr, text.len);
    *out_moment = is_date ? duckdb_get_date(value).days : duckdb_get_timestamp(value).micros;
    duckdb_destroy_value(&value);
    return *out_moment != (is_date ? INT32_MIN : INT64_MIN);
}

static bool term_of_moments(const struct dataset_term *source, const struct arrow_field *field,
                            struct scan_term *term)
{
    bool is_date = field->type == ARROW_DATE;
    struct str type = is_date ? STR("date") : STR("timestamp");
    bool is_of_type = source->type.len == 0 || str_equal_nocase(source->type, type);
    bool is_known = is_date ? field->unit == ARROW_DAY
                            : field->unit == ARROW_MICROSECOND && field->timezone.len == 0;
    if (!source->is_text || !is_of_type || !is_known ||
        (source->low.len > 0 && !read_moment(source->low, is_date, &term->low)) ||
        (source->high.len > 0 && !read_moment(source->high, is_date, &term->high)))
        return false;
    term_bound(term, is_date ? test_int32 : test_int64, is_date ? INT32_MIN : INT64_MIN,
               is_date ? INT32_MAX : INT64_MAX);
    return true;
}

/* --- making ------------------------------------------------------------------------------------- */

static bool is_extension(const struct arrow_field *field)
{
    for (size_t i = 0; i < field->metadata_count; i++)
        if (str_equal(field->metadata[i].key, STR("ARROW:extension:name")))
            return true;
    return false;
}

static bool term_make(const struct dataset_term *source, const struct scan_plan *plan,
                      struct scan_term *term)
{
    const struct arrow_field *field = plan->field;
    *term = (struct scan_term){.low = INT64_MIN, .high = INT64_MAX};
    if (field->is_dictionary || is_extension(field))
        return false;
    switch (field->type) {
    case ARROW_INT:
        return term_of_integers(source, field, term);
    case ARROW_FLOAT:
        return field->bit_width != 16 && term_of_floats(source, field, term);
    case ARROW_UTF8:
    case ARROW_LARGE_UTF8:
        return term_of_texts(source, field, term);
    case ARROW_DATE:
    case ARROW_TIMESTAMP:
        return term_of_moments(source, field, term);
    default:
        return false;
    }
}

void scan_filter_make(struct arena *arena, const struct dataset_filter *filter,
                      const struct scan_plan *plans, const char *const *names, size_t count,
                      struct scan_filter *out_filter)
{
    out_filter->terms = ARENA_NEW_ARRAY(arena, struct scan_term, filter->count + 1);
    out_filter->count = 0;
    for (size_t i = 0; i < filter->count; i++) {
        size_t column = 0;
        while (column < count && !str_equal_nocase(filter->terms[i].column, str_of(names[column])))
            column++;
        struct scan_term *term = &out_filter->terms[out_filter->count];
        if (column == count || !term_make(&filter->terms[i], &plans[column], term))
            continue;
        term->column = column;
        out_filter->count++;
    }
}
