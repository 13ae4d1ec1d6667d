/*
 * name.c — paths of datasets as canonical texts, and back.
 *
 * Runs on: any thread. Owns: nothing; results are the arena's. Leaves out: which names are taken
 * (store.c). SPDX-License-Identifier: Apache-2.0
 */
#include "store/name.h"

#include "base/buf.h"
#include "base/memory.h"
#include "base/random.h"

#include <ctype.h>
#include <string.h>

#define ID_SHOWN_BYTES 64

static bool is_escaped(unsigned char byte)
{
    return byte < 0x20 || byte == 0x7F || byte == '/' || byte == '%';
}

static void append_element(struct buf *out, struct str element)
{
    static const char digits[] = "0123456789ABCDEF";
    for (size_t i = 0; i < element.len; i++) {
        unsigned char byte = (unsigned char)element.ptr[i];
        if (!is_escaped(byte)) {
            buf_append_byte(out, byte);
            continue;
        }
        const char escape[] = {'%', digits[byte >> 4], digits[byte & 0x0F]};
        buf_append(out, escape, sizeof(escape));
    }
}

static enum status check_element(struct str element, struct error *error)
{
    if (element.len == 0)
        return error_set(error, STATUS_INVALID_ARGUMENT,
                         "a dataset's path has an empty element; each needs a name");
    if (!str_is_utf8(element))
        return error_set(error, STATUS_INVALID_ARGUMENT, "a dataset's path is not UTF-8");
    return STATUS_OK;
}

enum status dataset_path_join(struct arena *arena, const struct str *elements, size_t count,
                              struct str *out_path, struct error *error)
{
    if (count == 0)
        return error_set(error, STATUS_INVALID_ARGUMENT, "Missing path");
    if (count > DATASET_PATH_ELEMENTS_MAX)
        return error_set(error, STATUS_INVALID_ARGUMENT,
                         "a dataset's path has %zu elements; at most %d are taken", count,
                         DATASET_PATH_ELEMENTS_MAX);
    CLEANUP(buf_finish) struct buf text;
    buf_init(&text, DATASET_PATH_BYTES_MAX);
    for (size_t i = 0; i < count; i++) {
        TRY(check_element(elements[i], error));
        if (i > 0)
            buf_append_byte(&text, '/');
        append_element(&text, elements[i]);
    }
    if (text.failed)
        return error_set(error, STATUS_INVALID_ARGUMENT, "a dataset's path has more than %d bytes",
                         DATASET_PATH_BYTES_MAX);
    *out_path = arena_copy(arena, buf_str(&text));
    return STATUS_OK;
}

static int digit_value(char digit)
{
    if (digit >= '0' && digit <= '9')
        return digit - '0';
    return digit >= 'A' && digit <= 'F' ? digit - 'A' + 10 : -1;
}

/* The element that `text` stands for; false when it is not canonical. */
static bool read_element(struct arena *arena, struct str text, struct str *out_element)
{
    char *bytes = arena_new(arena, text.len + 1);
    size_t len = 0;
    for (size_t i = 0; i < text.len; i++) {
        unsigned char byte = (unsigned char)text.ptr[i];
        if (byte == '%') {
            int high = i + 2 < text.len ? digit_value(text.ptr[i + 1]) : -1;
            int low = i + 2 < text.len ? digit_value(text.ptr[i + 2]) : -1;
            if (high < 0 || low < 0 || !is_escaped((unsigned char)(high * 16 + low)))
                return false;
            byte = (unsigned char)(high * 16 + low);
            i += 2;
        } else if (is_escaped(byte)) {
            return false;
        }
        bytes[len++] = (char)byte;
    }
    *out_element = str_make(bytes, len);
    return len > 0;
}

enum status dataset_path_split(struct arena *arena, struct str path, struct str *out_elements,
                               size_t *out_count, struct error *error)
{
    struct str rest = path;
    size_t count = 0;
    bool is_good = path.len > 0 && path.len <= DATASET_PATH_BYTES_MAX;
    while (is_good) {
        bool is_last = str_find(rest, '/') < 0;
        struct str text = str_split(&rest, '/');
        is_good = count < DATASET_PATH_ELEMENTS_MAX &&
                  read_element(arena, text, &out_elements[count]) &&
                  str_is_utf8(out_elements[count]);
        count += is_good;
        if (is_last)
            break;
    }
    if (!is_good)
        return error_set(error, STATUS_INVALID_ARGUMENT,
                         "'%.*s' is no path of a dataset: elements are separated by '/', and '/', "
                         "'%%' and control characters inside one are written %%XX",
                         STR_ARGS(str_slice(path, 0, 128)));
    *out_count = count;
    return STATUS_OK;
}

/* --- ids ------------------------------------------------------------------------------------ */

enum status dataset_id_check(struct str id, struct error *error)
{
    bool is_good = id.len > 0 && id.len <= DATASET_ID_BYTES_MAX && id.ptr[0] != '.';
    for (size_t i = 0; is_good && i < id.len; i++) {
        unsigned char byte = (unsigned char)id.ptr[i];
        is_good = isalnum(byte) || byte == '.' || byte == '_' || byte == '-';
    }
    if (is_good)
        return STATUS_OK;
    return error_set(error, STATUS_INVALID_ARGUMENT,
                     "'%.*s' cannot be a batch id: 1 to %d letters, digits, '.', '_' and '-', not "
                     "beginning with '.'",
                     STR_ARGS(str_slice(id, 0, ID_SHOWN_BYTES)), DATASET_ID_BYTES_MAX);
}

bool dataset_id_is_uuid(struct str text)
{
    static const uint8_t dashes[] = {8, 13, 18, 23};
    bool is_uuid = text.len == RANDOM_UUID_SIZE - 1;
    size_t dash = 0;
    for (size_t i = 0; is_uuid && i < text.len; i++) {
        bool is_dash = dash < ARRAY_COUNT(dashes) && i == dashes[dash];
        is_uuid = is_dash ? text.ptr[i] == '-' : isxdigit((unsigned char)text.ptr[i]) != 0;
        dash += is_dash;
    }
    return is_uuid;
}

enum status dataset_path_check_put(struct arena *arena, struct str path, struct error *error)
{
    struct str elements[DATASET_PATH_ELEMENTS_MAX];
    size_t count;
    TRY(dataset_path_split(arena, path, elements, &count, error));
    if (count == 2 && str_equal(elements[0], STR("live")))
        return error_set(error, STATUS_UNIMPLEMENTED,
                         "live tables are not available in this version; put under a path that "
                         "does not begin with 'live'");
    return STATUS_OK;
}
