/*
 * multipart_header.c — the header fields of a part: content-disposition, content-type.
 *
 * Quoted texts are taken as browsers write them: a backslash escapes a quote or a backslash, and is
 * itself elsewhere (Windows paths). Of a file's name only the last component counts. filename* wins over
 * filename. Runs on any thread; texts are in the caller's arena.
 * Spec: RFC 7578 section 4, RFC 6266, RFC 8187. SPDX-License-Identifier: Apache-2.0
 */
#include "http/multipart_header.h"

#include "http/request.h"

/* --- parameters -------------------------------------------------------------------------------- */

static enum status fault(struct error *error, const char *what)
{
    return error_set(error, STATUS_INVALID_ARGUMENT, "multipart: %s", what);
}

static bool is_token_byte(char byte)
{
    static const char others[] = "!#$%&'*+-.^_`|~";
    return (byte >= '0' && byte <= '9') || ((byte | 0x20) >= 'a' && (byte | 0x20) <= 'z') ||
           (byte && strchr(others, byte));
}

static struct str take_token(struct str *rest)
{
    size_t len = 0;
    while (len < rest->len && is_token_byte(rest->ptr[len]))
        len++;
    struct str token = str_slice(*rest, 0, len);
    *rest = str_slice(*rest, len, rest->len);
    return token;
}

static void skip_spaces(struct str *rest)
{
    while (rest->len > 0 && (rest->ptr[0] == ' ' || rest->ptr[0] == '\t'))
        *rest = str_slice(*rest, 1, rest->len);
}

/* A quoted text; *rest stands behind its first quote. */
static enum status take_quoted(struct arena *arena, struct str *rest, struct str *out_text,
                               struct error *error)
{
    char *text = arena_new(arena, rest->len + 1);
    size_t len = 0;
    for (size_t i = 0; i < rest->len; i++) {
        char byte = rest->ptr[i];
        if (byte == '"') {
            *out_text = str_make(text, len);
            *rest = str_slice(*rest, i + 1, rest->len);
            return STATUS_OK;
        }
        bool is_escape = byte == '\\' && i + 1 < rest->len &&
                         (rest->ptr[i + 1] == '"' || rest->ptr[i + 1] == '\\');
        if (is_escape)
            byte = rest->ptr[++i];
        text[len++] = byte;
    }
    return fault(error, "a quoted text in a header has no closing quote");
}

static enum status take_parameter(struct arena *arena, struct str *rest, struct str *out_name,
                                  struct str *out_text, struct error *error)
{
    *out_name = take_token(rest);
    skip_spaces(rest);
    if (out_name->len == 0 || !str_starts_with(*rest, STR("=")))
        return fault(error, "a header's parameters must be name=value, separated by ';'");
    *rest = str_slice(*rest, 1, rest->len);
    skip_spaces(rest);
    if (str_starts_with(*rest, STR("\""))) {
        *rest = str_slice(*rest, 1, rest->len);
        return take_quoted(arena, rest, out_text, error);
    }
    *out_text = take_token(rest);
    return STATUS_OK;
}

enum status multipart_parameter(struct arena *arena, struct str value, struct str name,
                                struct str *out_text, bool *out_present, struct error *error)
{
    struct str rest = value;
    (void)str_split(&rest, ';');
    *out_present = false;
    *out_text = STR_EMPTY;
    for (;;) {
        struct str found;
        struct str text;
        skip_spaces(&rest);
        if (rest.len == 0)
            return STATUS_OK;
        TRY(take_parameter(arena, &rest, &found, &text, error));
        skip_spaces(&rest);
        if (rest.len > 0 && rest.ptr[0] != ';')
            return fault(error, "a header's parameters must be separated by ';'");
        rest = rest.len > 0 ? str_slice(rest, 1, rest.len) : rest;
        if (!str_equal_nocase(found, name))
            continue;
        if (*out_present)
            return error_set(error, STATUS_INVALID_ARGUMENT,
                             "multipart: the parameter '%.*s' comes twice", STR_ARGS(name));
        *out_present = true;
        *out_text = text;
    }
}

static bool is_boundary(struct str text)
{
    static const char others[] = "'()+_,-./:=? ";
    if (text.len == 0 || text.len > MULTIPART_BOUNDARY_MAX || text.ptr[text.len - 1] == ' ')
        return false;
    for (size_t i = 0; i < text.len; i++) {
        char byte = text.ptr[i];
        bool is_letter = (byte | 0x20) >= 'a' && (byte | 0x20) <= 'z';
        if (!is_letter && !(byte >= '0' && byte <= '9') && !(byte && strchr(others, byte)))
            return false;
    }
    return true;
}

enum status multipart_boundary(struct arena *arena, struct str content_type,
                               struct str *out_boundary, struct error *error)
{
    struct str rest = content_type;
    struct str type = str_trim(str_split(&rest, ';'));
    if (!str_equal_nocase(type, STR("multipart/form-data")))
        return error_set_code(error, STATUS_INVALID_ARGUMENT, "UNSUPPORTED_MEDIA_TYPE",
                              "content-type '%.*s' is not taken; send multipart/form-data",
                              STR_ARGS(type));
    bool is_present;
    TRY(multipart_parameter(arena, content_type, STR("boundary"), out_boundary, &is_present,
                            error));
    if (is_boundary(*out_boundary))
        return STATUS_OK;
    return error_set_code(error, STATUS_INVALID_ARGUMENT, "UNSUPPORTED_MEDIA_TYPE",
                          "multipart/form-data needs a boundary of 1 to %d letters, digits or "
                          "'()+_,-./:=? characters",
                          MULTIPART_BOUNDARY_MAX);
}

/* --- the header of a part ---------------------------------------------------------------------- */

/* What a part may be described by; a field that comes twice is a fault. */
struct fields {
    struct str disposition;
    struct str type;
    struct str transfer_encoding;
};

static bool has_control(struct str text)
{
    for (size_t i = 0; i < text.len; i++) {
        unsigned char byte = (unsigned char)text.ptr[i];
        if ((byte < 0x20 && byte != '\t') || byte == 0x7f)
            return true;
    }
    return false;
}

static enum status read_line(struct str line, struct fields *fields, struct error *error)
{
    struct str value = line;
    if (line.len > 0 && (line.ptr[0] == ' ' || line.ptr[0] == '\t'))
        return fault(error, "a header line begins with a space: folded lines are not taken");
    if (str_find(line, ':') <= 0)
        return fault(error, "a header line has no 'name:'");
    struct str name = str_split(&value, ':');
    struct str token = name;
    if (take_token(&token).len != name.len)
        return fault(error, "a header's name has characters that no name may have");
    if (has_control(value))
        return fault(error, "a header's value has control characters");
    struct str *field = str_equal_nocase(name, STR("content-disposition")) ? &fields->disposition
                        : str_equal_nocase(name, STR("content-type"))      ? &fields->type
                        : str_equal_nocase(name, STR("content-transfer-encoding"))
                            ? &fields->transfer_encoding
                            : NULL;
    if (!field)
        return STATUS_OK;
    if (field->ptr)
        return error_set(error, STATUS_INVALID_ARGUMENT,
                         "multipart: the header '%.*s' comes twice in one part", STR_ARGS(name));
    *field = str_trim(value);
    return STATUS_OK;
}

static enum status read_lines(struct str lines, struct fields *fields, struct error *error)
{
    while (lines.len > 0) {
        ptrdiff_t end = str_find_str(lines, STR("\r\n"));
        struct str line = end < 0 ? lines : str_slice(lines, 0, (size_t)end);
        TRY(read_line(line, fields, error));
        lines = end < 0 ? STR_EMPTY : str_slice(lines, (size_t)end + 2, lines.len);
    }
    return STATUS_OK;
}

/* RFC 8187: UTF-8'language'percent-encoded */
static enum status decode_extended(struct arena *arena, struct str text, struct str *out,
                                   struct error *error)
{
    struct str rest = text;
    struct str charset = str_split(&rest, '\'');
    if (!str_equal_nocase(charset, STR("UTF-8")) || str_find(rest, '\'') < 0)
        return fault(error, "filename* must be UTF-8'' and percent-encoded bytes");
    (void)str_split(&rest, '\'');
    return http_percent_decode(arena, rest, false, out, error);
}

static struct str last_component(struct str path)
{
    for (size_t i = path.len; i > 0; i--) {
        if (path.ptr[i - 1] == '/' || path.ptr[i - 1] == '\\')
            return str_slice(path, i, path.len);
    }
    return path;
}

static enum status read_filename(struct arena *arena, struct str disposition,
                                 struct http_part *part, struct error *error)
{
    bool is_present;
    bool is_extended;
    struct str extended;
    TRY(multipart_parameter(arena, disposition, STR("filename"), &part->filename, &is_present,
                            error));
    TRY(multipart_parameter(arena, disposition, STR("filename*"), &extended, &is_extended, error));
    if (is_extended)
        TRY(decode_extended(arena, extended, &part->filename, error));
    if (is_present || is_extended)
        part->filename = last_component(part->filename);
    if (has_control(part->filename))
        return fault(error, "a file's name has control characters");
    /* An empty name is a file without a name, not a field. */
    if ((is_present || is_extended) && !part->filename.ptr)
        part->filename = STR("");
    return STATUS_OK;
}

static enum status check_transfer_encoding(struct str encoding, struct error *error)
{
    static const char *const plain[] = {"", "7bit", "8bit", "binary"};
    for (size_t i = 0; i < sizeof(plain) / sizeof(plain[0]); i++) {
        if (str_equal_nocase(encoding, str_of(plain[i])))
            return STATUS_OK;
    }
    return error_set(error, STATUS_INVALID_ARGUMENT,
                     "multipart: content-transfer-encoding '%.*s' is not taken; send the bytes as "
                     "they are",
                     STR_ARGS(encoding));
}

enum status multipart_read_header(struct arena *arena, struct str lines, struct http_part *out_part,
                                  struct error *error)
{
    struct fields fields = {0};
    TRY(read_lines(lines, &fields, error));
    TRY(check_transfer_encoding(fields.transfer_encoding, error));
    struct str rest = fields.disposition;
    struct str kind = str_trim(str_split(&rest, ';'));
    if (!str_equal_nocase(kind, STR("form-data")))
        return fault(error, "a part needs the header content-disposition: form-data; name=\"...\"");
    *out_part = (struct http_part){.content_type = fields.type};
    bool is_named;
    TRY(multipart_parameter(arena, fields.disposition, STR("name"), &out_part->name, &is_named,
                            error));
    if (!is_named)
        return fault(error, "a part's content-disposition has no name");
    if (has_control(out_part->name))
        return fault(error, "a part's name has control characters");
    return read_filename(arena, fields.disposition, out_part, error);
}
