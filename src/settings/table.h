/*
 * table.h — the shape of a row of the settings table.
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include "settings/machine.h"
#include "settings/settings.h"

enum setting_type {
    SETTING_TEXT,     /* struct str */
    SETTING_PATH,     /* struct str */
    SETTING_ADDRESS,  /* struct str: host:port or unix:/path */
    SETTING_INTEGER,  /* uint64_t */
    SETTING_SIZE,     /* uint64_t, bytes */
    SETTING_DURATION, /* uint64_t, milliseconds */
    SETTING_BOOLEAN,  /* bool */
    SETTING_CHOICE,   /* unsigned: the value of the setting_choice */
};

/* What a name other than the setting's own gives: all of the value, or one part of an address. */
enum setting_form { SETTING_WHOLE, SETTING_HOST, SETTING_PORT };
#define SETTING_FORM_COUNT 3

struct setting_alias {
    const char *name; /* of an environment variable, or of a flag when it starts with "--" */
    enum setting_form form;
};
#define SETTING_ALIASES_MAX 8

struct setting_choice {
    const char *name;
    unsigned value;
};

struct setting {
    const char *section;
    const char *name;
    enum setting_type type;
    bool list;                /* the field is a struct settings_list of texts */
    size_t offset;            /* of the field in struct settings */
    const char *default_text; /* parsed like any value; NULL: see default_from, or not set */
    void (*default_from)(const struct machine *machine, struct buf *out);
    const char *default_help; /* NULL: default_text */
    uint64_t min, max;        /* numbers: in the field's unit */
    uint64_t (*whole)(
        const struct machine *machine);   /* sizes: what a percentage is of; NULL: none */
    const struct setting_choice *choices; /* ends with a NULL name; or NULL */
    /* Texts: what is allowed, in words, when the value is not; NULL: anything goes. */
    const char *(*check)(struct str value);
    const char *none; /* this word empties the field; NULL: no such word */
    const char *unit; /* the value's name in the help: "HOST:PORT" */
    bool reloadable;
    bool secret;                                       /* never shown */
    struct setting_alias aliases[SETTING_ALIASES_MAX]; /* ends with a NULL name */
    const char *help;
};

extern const struct setting settings_table[];
extern const size_t settings_table_count;

/* Keys of a YAML file that are sections: "flight.address" stands for a setting. */
struct setting_yaml_key {
    const char *key;
    const char *setting;
    enum setting_form form;
};
extern const struct setting_yaml_key settings_yaml_keys[];
extern const size_t settings_yaml_key_count;
/* Top-level keys that belong to other programs: passed over with a notice. Ends with NULL. */
extern const char *const settings_yaml_foreign[];

/* Environment variables with our prefix that are no settings. Ends with NULL. */
extern const char *const settings_environment_known[];

/* The row of this name ("query-slots", underscores count as hyphens), or NULL. */
const struct setting *setting_find(struct str name);
/* "VOLLEY_QUERY_SLOTS". */
#define SETTING_VARIABLE_SIZE 64
struct str setting_variable(const struct setting *setting, char out[SETTING_VARIABLE_SIZE]);
/* The word for the row's type in messages and docs. */
const char *setting_type_name(const struct setting *setting);
