/*
 * fields.h — what a route takes and answers with, as tables; and the reader that holds a request against
 * them.
 *
 * A route names the table of its query parameters, of its JSON body, and of its replies (rest_private.h).
 * The reader fills a struct of the handler from the first two and collects every fault, so that a client
 * learns of all of them at once; what the server tells of itself in OpenAPI is written from the same rows.
 *
 *      static const struct rest_field fields[] = {
 *          {.name = "sql", .type = REST_TEXT, REST_INTO(struct wish, sql), .required = true, .min = 1},
 *          {.name = "priority", .type = REST_INTEGER, REST_INTO(struct wish, priority), .fallback = "1",
 *           .min = 1, .max = 5},
 *      };
 *
 * Private to rest. Threads: one at a time for each exchange. SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include "rest/rest_private.h"

/* Of a value that is read, its C type is the one given; what is only written has no place in a struct. */
enum rest_field_type {
    REST_TEXT, /* struct str; min, max: bytes, of which white space at both ends counts for nothing */
    REST_INTEGER, /* int64_t */
    REST_NUMBER,  /* double */
    REST_BOOL,    /* bool */
    REST_CHOICE,  /* unsigned: the index in `choices` */
    REST_FORMAT, /* not read: rest_negotiate does that, and refuses what is none of the `choices` (406) */
    REST_VALUE,  /* const struct json_value *: an object or array, of a body only */
    REST_TIME,   /* written: RFC 3339 */
    REST_OBJECT, /* written: `object`; without one, any */
    REST_LIST,   /* written: of `object`s; without one, of anything */
    REST_ANY,    /* written */
};

struct rest_object;

struct rest_field {
    const char *name;
    enum rest_field_type type;
    bool required;  /* must be there; of a reply: always is */
    bool nullable;  /* of a reply */
    bool is_option; /* a query parameter that may also come as the header `volley-<name>` */
    size_t offset;
    int64_t min;                /* both 0: any */
    int64_t max;                /* below min, or INT64_MAX: none */
    const char *const *choices; /* NULL-ended */
    const char *
        fallback; /* when it is not given, as in a query string; NULL: the struct stays as it was */
    const char *example; /* as in JSON; NULL: none */
    const char *help;
    const struct rest_object *object;
};
#define REST_INTO(type, member) .offset = offsetof(type, member)
#define REST_FIELDS(array) .fields = (array), .count = ARRAY_COUNT(array)

/* The parameters of a query string, an object in a body, or one in a reply. */
struct rest_object {
    const char *name; /* "SubmitRequest" */
    const struct rest_field *fields;
    size_t count;
    size_t items_max; /* above 0: a list of up to so many of such objects */
};

/* One status that a route answers with; a table of them ends with status 0. */
struct rest_reply_form {
    unsigned http_status;
    const char *help;
    const struct rest_object *object; /* of a JSON reply; NULL: none */
    bool is_rows;                     /* rows in the formats that the client may choose from */
    const char *media_type;           /* of another reply; NULL: as told above */
};

#define REST_FAULTS_MAX 32

/* One thing that is wrong with a request. */
struct rest_fault {
    const char *place; /* "body", "query", "path" */
    ptrdiff_t index;   /* in the list that the body is; -1: it is none */
    struct str name;   /* of the parameter or member; empty: the whole */
    struct str message;
    const char *type; /* "missing", "greater_than_equal": what a program compares */
};

struct rest_faults {
    struct arena *arena;
    struct rest_fault items[REST_FAULTS_MAX];
    size_t count; /* of which the first REST_FAULTS_MAX are in `items` */
};

/* Reads the query string and the body by the tables of the route into the structs there, which may be NULL
 * where the route has no table. VALIDATION_ERROR with all faults (which the reply tells), or one of
 * UNSUPPORTED_MEDIA_TYPE and PAYLOAD_TOO_LARGE. Texts live as long as the exchange. */
MUST_CHECK enum status rest_request_read(struct rest_exchange *exchange, void *parameters,
                                         void *body, struct error *error);
/* The same for the body of a route whose table is a list: the list itself is checked, its members are for
 * rest_object_read. */
MUST_CHECK enum status rest_request_read_list(struct rest_exchange *exchange,
                                              const struct json_value **out_list,
                                              struct error *error);
/* Fills `out` from one object of a body; index -1: it is no member of a list. `is_strict`: a member that the
 * table does not have is a fault. */
void rest_object_read(const struct rest_object *object, const struct json_value *value,
                      ptrdiff_t index, bool is_strict, void *out, struct rest_faults *faults);

/* faults.c: notes a fault; `name` may be NULL. */
void rest_fault_add(struct rest_faults *faults, const char *place, ptrdiff_t index,
                    const char *name, const char *type, const char *format, ...) PRINTF_LIKE(6, 7);
/* VALIDATION_ERROR with their messages, or STATUS_OK when there are none. */
MUST_CHECK enum status rest_faults_check(const struct rest_faults *faults, struct error *error);
/* The faults of an exchange, for handlers that find more than the tables tell: then rest_faults_check. */
struct rest_faults *rest_exchange_faults(struct rest_exchange *exchange);
/* The value of a member "errors". */
void rest_write_faults(struct json_writer *json, const struct rest_faults *faults);
