/*
 * profiles.c — reads client.yaml: `servers: {NAME: {url: ...}}` and `default: NAME`.
 *
 * The whole file is checked, also what is not asked for. A file that others may write is refused, since it
 * may hold a command. Passwords themselves have no key. Keys are written with hyphens or underscores.
 *
 * Runs on: the main thread of a client. Owns: the parsed document until the file is read. Leaves out: the
 * password (profile_password.c). Spec: YAML 1.1 as libyaml reads it. SPDX-License-Identifier: Apache-2.0
 */
#include "settings/profiles.h"

#include "base/memory.h"
#include "base/nearest.h"
#include "settings/source.h"
#include "settings/value.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <yaml.h>

#define KEY_SIZE 32

struct reader {
    yaml_document_t *document;
    struct arena *arena;
    struct str path;
    struct str wanted; /* empty: the default */
    struct nearest nearest;
    struct profile *found;
    struct buf *names; /* NULL: nobody asks for them */
};

static const struct {
    const char *key;
    size_t place;
    bool is_file;
} texts[] = {
    {"url", offsetof(struct profile, url), false},
    {"tls-ca", offsetof(struct profile, tls_ca), true},
    {"tls-cert", offsetof(struct profile, tls_cert), true},
    {"tls-key", offsetof(struct profile, tls_key), true},
    {"user", offsetof(struct profile, user), false},
    {"password-file", offsetof(struct profile, password_file), true},
    {"password-command", offsetof(struct profile, password_command), false},
};

struct str profiles_path(struct arena *arena)
{
    const char *config = getenv("XDG_CONFIG_HOME");
    const char *home = getenv("HOME");
    if (config && *config == '/')
        return arena_printf(arena, "%s/volley/client.yaml", config);
    if (home && *home == '/')
        return arena_printf(arena, "%s/.config/volley/client.yaml", home);
    return STR_EMPTY;
}

/* --- nodes ------------------------------------------------------------------------------------ */

static size_t line_of(const yaml_node_t *node)
{
    return node->start_mark.line + 1;
}

static struct str text_of(const yaml_node_t *node)
{
    return str_make(node->data.scalar.value, node->data.scalar.length);
}

static enum status check_text(const struct reader *reader, const yaml_node_t *node,
                              const char *what, struct error *error)
{
    if (node->type == YAML_SCALAR_NODE && text_of(node).len > 0 &&
        str_find(text_of(node), '\0') < 0)
        return STATUS_OK;
    return error_set(error, STATUS_INVALID_ARGUMENT, "%.*s:%zu: %s must be a text",
                     STR_ARGS(reader->path), line_of(node), what);
}

static enum status check_mapping(const struct reader *reader, const yaml_node_t *node,
                                 const char *expected, struct error *error)
{
    if (node->type == YAML_MAPPING_NODE)
        return STATUS_OK;
    return error_set(error, STATUS_INVALID_ARGUMENT, "%.*s:%zu: expected %s",
                     STR_ARGS(reader->path), line_of(node), expected);
}

/* Relative names are relative to client.yaml's folder, and ~/ is the user's. */
static struct str file_name(const struct reader *reader, struct str name)
{
    const char *home = getenv("HOME");
    if (str_starts_with(name, STR("~/")) && home)
        return arena_printf(reader->arena, "%s/%.*s", home, STR_ARGS(str_slice(name, 2, name.len)));
    const char *slash = strrchr(reader->path.ptr, '/');
    if (name.ptr[0] == '/' || !slash)
        return arena_copy(reader->arena, name);
    return arena_printf(reader->arena, "%.*s/%.*s", (int)(slash - reader->path.ptr),
                        reader->path.ptr, STR_ARGS(name));
}

/* --- a profile -------------------------------------------------------------------------------- */

static void normalize(struct str key, char out[KEY_SIZE])
{
    size_t len = key.len < KEY_SIZE - 1 ? key.len : KEY_SIZE - 1;
    for (size_t i = 0; i < len; i++)
        out[i] = key.ptr[i] == '_' ? '-' : key.ptr[i];
    out[len] = '\0';
}

static enum status refuse_key(const struct reader *reader, const yaml_node_t *node,
                              struct error *error)
{
    struct str key = text_of(node);
    struct nearest nearest;
    if (str_equal(key, STR("password")))
        return error_set(error, STATUS_INVALID_ARGUMENT,
                         "%.*s:%zu: a password is not written here; use password-file (a file that "
                         "only you may read) or password-command",
                         STR_ARGS(reader->path), line_of(node));
    nearest_init(&nearest, key);
    for (size_t i = 0; i < ARRAY_COUNT(texts); i++)
        nearest_offer(&nearest, str_of(texts[i].key));
    nearest_offer(&nearest, STR("tls-insecure"));
    if (nearest.best.len == 0)
        return error_set(error, STATUS_INVALID_ARGUMENT,
                         "%.*s:%zu: a server has no key '%.*s'; its keys are url, tls-ca, "
                         "tls-cert, tls-key, tls-insecure, user, password-file and "
                         "password-command",
                         STR_ARGS(reader->path), line_of(node), STR_ARGS(key));
    return error_set(error, STATUS_INVALID_ARGUMENT,
                     "%.*s:%zu: a server has no key '%.*s'; did you mean '%.*s'?",
                     STR_ARGS(reader->path), line_of(node), STR_ARGS(key), STR_ARGS(nearest.best));
}

static enum status read_switch(const struct reader *reader, const yaml_node_t *node, bool *out,
                               struct error *error)
{
    static const struct setting setting = {.name = "tls-insecure", .type = SETTING_BOOLEAN};
    struct setting_value value;
    TRY(check_text(reader, node, setting.name, error));
    if (!setting_parse(&setting, text_of(node), NULL, &value))
        return error_set(error, STATUS_INVALID_ARGUMENT,
                         "%.*s:%zu: tls-insecure must be true or false", STR_ARGS(reader->path),
                         line_of(node));
    *out = value.number != 0;
    return STATUS_OK;
}

static enum status read_member(const struct reader *reader, struct profile *profile,
                               const yaml_node_t *key_node, const yaml_node_t *node,
                               struct error *error)
{
    char key[KEY_SIZE];
    TRY(check_text(reader, key_node, "a key", error));
    normalize(text_of(key_node), key);
    if (str_equal(str_of(key), STR("tls-insecure")))
        return read_switch(reader, node, &profile->tls_insecure, error);
    for (size_t i = 0; i < ARRAY_COUNT(texts); i++) {
        if (!str_equal(str_of(key), str_of(texts[i].key)))
            continue;
        struct str *target = (struct str *)((char *)profile + texts[i].place);
        TRY(check_text(reader, node, texts[i].key, error));
        if (target->len > 0)
            return error_set(error, STATUS_INVALID_ARGUMENT, "%.*s:%zu: %s is given twice",
                             STR_ARGS(reader->path), line_of(key_node), texts[i].key);
        *target = texts[i].is_file ? file_name(reader, text_of(node))
                                   : arena_copy(reader->arena, text_of(node));
        return STATUS_OK;
    }
    return refuse_key(reader, key_node, error);
}

static enum status check_profile(const struct reader *reader, const struct profile *profile,
                                 const yaml_node_t *node, struct error *error)
{
    const char *problem = NULL;
    bool has_password = profile->password_file.len > 0 || profile->password_command.len > 0;
    if (str_find_str(profile->url, STR("://")) < 0)
        problem = "a server needs its url, such as grpc://HOST:PORT or grpc+tls://HOST:PORT";
    else if (profile->password_file.len > 0 && profile->password_command.len > 0)
        problem = "password-file and password-command cannot be had together";
    else if (has_password && profile->user.len == 0)
        problem = "a password needs a user";
    else if (str_find(profile->user, ':') >= 0)
        problem = "a user's name has no colon";
    if (!problem)
        return STATUS_OK;
    return error_set(error, STATUS_INVALID_ARGUMENT, "%.*s:%zu: %s", STR_ARGS(reader->path),
                     line_of(node), problem);
}

static enum status read_profile(const struct reader *reader, struct profile *profile,
                                const yaml_node_t *node, struct error *error)
{
    TRY(check_mapping(reader, node, "lines of 'key: value' about the server", error));
    for (yaml_node_pair_t *pair = node->data.mapping.pairs.start;
         pair < node->data.mapping.pairs.top; pair++) {
        const yaml_node_t *key = yaml_document_get_node(reader->document, pair->key);
        const yaml_node_t *value = yaml_document_get_node(reader->document, pair->value);
        TRY(read_member(reader, profile, key, value, error));
    }
    return check_profile(reader, profile, node, error);
}

/* --- the file --------------------------------------------------------------------------------- */

static enum status read_server(struct reader *reader, const yaml_node_t *key,
                               const yaml_node_t *node, struct error *error)
{
    TRY(check_text(reader, key, "a server's name", error));
    struct profile *profile = ARENA_NEW(reader->arena, struct profile);
    profile->name = arena_copy(reader->arena, text_of(key));
    if (str_find(profile->name, ':') >= 0 || str_find(profile->name, '/') >= 0)
        return error_set(error, STATUS_INVALID_ARGUMENT,
                         "%.*s:%zu: a server's name has neither ':' nor '/'",
                         STR_ARGS(reader->path), line_of(key));
    TRY(read_profile(reader, profile, node, error));
    nearest_offer(&reader->nearest, profile->name);
    if (reader->names)
        buf_printf(reader->names, "%.*s\n", STR_ARGS(profile->name));
    if (!str_equal(profile->name, reader->wanted))
        return STATUS_OK;
    if (reader->found)
        return error_set(error, STATUS_INVALID_ARGUMENT, "%.*s:%zu: server '%.*s' is given twice",
                         STR_ARGS(reader->path), line_of(key), STR_ARGS(profile->name));
    reader->found = profile;
    return STATUS_OK;
}

static enum status read_servers(struct reader *reader, const yaml_node_t *node, struct error *error)
{
    TRY(check_mapping(reader, node, "lines of 'NAME:' with a server below each", error));
    for (yaml_node_pair_t *pair = node->data.mapping.pairs.start;
         pair < node->data.mapping.pairs.top; pair++)
        TRY(read_server(reader, yaml_document_get_node(reader->document, pair->key),
                        yaml_document_get_node(reader->document, pair->value), error));
    return STATUS_OK;
}

/* Both keys, wherever they stand; NULL: it is not there. */
static enum status find_keys(const struct reader *reader, const yaml_node_t *root,
                             const yaml_node_t **out_servers, const yaml_node_t **out_default,
                             struct error *error)
{
    *out_servers = NULL;
    *out_default = NULL;
    for (yaml_node_pair_t *pair = root->data.mapping.pairs.start;
         pair < root->data.mapping.pairs.top; pair++) {
        const yaml_node_t *key = yaml_document_get_node(reader->document, pair->key);
        TRY(check_text(reader, key, "a key", error));
        bool is_default = str_equal(text_of(key), STR("default"));
        const yaml_node_t **target = is_default ? out_default : out_servers;
        if (!is_default && !str_equal(text_of(key), STR("servers")))
            return error_set(error, STATUS_INVALID_ARGUMENT,
                             "%.*s:%zu: unknown key '%.*s'; there are 'servers' and 'default'",
                             STR_ARGS(reader->path), line_of(key), STR_ARGS(text_of(key)));
        if (*target)
            return error_set(error, STATUS_INVALID_ARGUMENT, "%.*s:%zu: '%.*s' is given twice",
                             STR_ARGS(reader->path), line_of(key), STR_ARGS(text_of(key)));
        *target = yaml_document_get_node(reader->document, pair->value);
    }
    return STATUS_OK;
}

static enum status not_found(const struct reader *reader, struct error *error)
{
    struct str name = reader->wanted;
    struct str best = reader->nearest.best;
    if (best.len > 0)
        return error_set(error, STATUS_NOT_FOUND,
                         "no server is called '%.*s' in %.*s; did you mean '%.*s'?", STR_ARGS(name),
                         STR_ARGS(reader->path), STR_ARGS(best));
    return error_set(error, STATUS_NOT_FOUND,
                     "no server is called '%.*s' in %.*s; an address is written grpc://HOST:PORT",
                     STR_ARGS(name), STR_ARGS(reader->path));
}

static enum status read_document(struct reader *reader, struct error *error)
{
    const yaml_node_t *root = yaml_document_get_root_node(reader->document);
    const yaml_node_t *servers = NULL;
    const yaml_node_t *by_default = NULL;
    if (root) {
        TRY(check_mapping(reader, root, "'servers:' and 'default:'", error));
        TRY(find_keys(reader, root, &servers, &by_default, error));
    }
    if (by_default)
        TRY(check_text(reader, by_default, "'default'", error));
    if (reader->wanted.len == 0 && by_default)
        reader->wanted = arena_copy(reader->arena, text_of(by_default));
    nearest_init(&reader->nearest, reader->wanted);
    if (servers)
        TRY(read_servers(reader, servers, error));
    return reader->found || reader->wanted.len == 0 ? STATUS_OK : not_found(reader, error);
}

static enum status parse(struct reader *reader, struct str text, struct error *error)
{
    yaml_parser_t parser;
    yaml_document_t document;
    if (!yaml_parser_initialize(&parser))
        return error_set(error, STATUS_RESOURCE_EXHAUSTED, "no memory for the YAML parser");
    yaml_parser_set_input_string(&parser, (const unsigned char *)text.ptr, text.len);
    enum status status;
    if (yaml_parser_load(&parser, &document)) {
        reader->document = &document;
        status = read_document(reader, error);
        yaml_document_delete(&document);
    } else {
        status = error_set(error, STATUS_INVALID_ARGUMENT, "%.*s:%zu: not valid YAML: %s",
                           STR_ARGS(reader->path), parser.problem_mark.line + 1,
                           parser.problem ? parser.problem : "unreadable");
    }
    yaml_parser_delete(&parser);
    return status;
}

static enum status check_owner(struct str path, const struct stat *facts, struct error *error)
{
    if ((facts->st_mode & (S_IWGRP | S_IWOTH)) == 0 &&
        (facts->st_uid == geteuid() || facts->st_uid == 0))
        return STATUS_OK;
    return error_set(error, STATUS_PERMISSION_DENIED,
                     "%.*s may be written by others, and could hold a command of theirs; chmod "
                     "go-w it, and let it be yours",
                     STR_ARGS(path));
}

/* STATUS_OK and an empty text where there is no file. */
static enum status read_file(struct arena *arena, struct str path, struct str *out_text,
                             bool *out_exists, struct error *error)
{
    struct stat facts;
    *out_exists = path.len > 0 && (stat(path.ptr, &facts) == 0 || errno != ENOENT);
    if (!*out_exists)
        return STATUS_OK;
    TRY(source_read_file(arena, path.ptr, out_text, error));
    return check_owner(path, &facts, error);
}

enum status profiles_find(struct arena *arena, struct str path, struct str name,
                          const struct profile **out_profile, struct error *error)
{
    bool exists;
    struct str text;
    *out_profile = NULL;
    TRY(read_file(arena, path, &text, &exists, error));
    if (!exists && name.len == 0)
        return STATUS_OK;
    if (!exists)
        return error_set(error, STATUS_NOT_FOUND,
                         "no server is called '%.*s', since there is no %.*s; an address is "
                         "written grpc://HOST:PORT",
                         STR_ARGS(name),
                         STR_ARGS(path.len > 0 ? path : STR("$XDG_CONFIG_HOME or $HOME")));
    struct reader reader = {.arena = arena, .path = path, .wanted = name};
    TRY(parse(&reader, text, error));
    *out_profile = reader.found;
    return STATUS_OK;
}

void profiles_names(struct arena *arena, struct str path, struct buf *out)
{
    bool exists;
    struct str text;
    struct error ignored = ERROR_NONE;
    struct reader reader = {.arena = arena, .path = path, .names = out};
    if (read_file(arena, path, &text, &exists, &ignored) != STATUS_OK || !exists)
        return;
    enum status status = parse(&reader, text, &ignored);
    (void)status;
}
