/*
 * list.c — the objects of a bucket, page after page (ListObjectsV2).
 *
 * Keys are asked for in URL encoding, because XML cannot hold every key. A page is read while it is in memory
 * as a whole, within a bound; the token of the next one comes with it. A service could hand out tokens for
 * ever: the list ends with an error where one is the one before, where many pages in a row have no key, and
 * behind so many pages in all.
 *
 * Runs on: any thread that may block. Owns: nothing beyond the call.
 * Source: Amazon S3 API, ListObjectsV2. SPDX-License-Identifier: Apache-2.0
 */
#include "s3/s3_private.h"

#include "s3/xml.h"

#include <stdio.h>
#include <string.h>

#define PAGE_SIZE_MAX 1000
#define PAGES_MAX 100000
/* In a row. */
#define EMPTY_PAGES_MAX 100
#define TOKEN_BYTES_MAX ((size_t)8 << 10)

struct list_call {
    struct s3 *s3;
    const struct s3_list_options *options;
    enum status (*visit)(void *context, struct str key, const struct s3_object *object,
                         struct error *error);
    void *context;
    uint64_t count;
    struct s3_object object; /* of the element that is being read */
    struct buf key;
    bool is_encoded;
    bool is_truncated;
    struct buf token;    /* of the next page */
    struct buf previous; /* of this one */
    uint64_t pages;
    unsigned empty_pages; /* in a row */
};

static int hex_value(char digit)
{
    if (digit >= '0' && digit <= '9')
        return digit - '0';
    if (digit >= 'A' && digit <= 'F')
        return digit - 'A' + 10;
    return digit >= 'a' && digit <= 'f' ? digit - 'a' + 10 : -1;
}

/* As in forms: '+' is a space. False for a '%' without two digits. */
static bool decode_key(struct str text, struct buf *out)
{
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] != '%') {
            buf_append_byte(out, text.ptr[i] == '+' ? ' ' : (uint8_t)text.ptr[i]);
            continue;
        }
        int high = i + 2 < text.len ? hex_value(text.ptr[i + 1]) : -1;
        int low = i + 2 < text.len ? hex_value(text.ptr[i + 2]) : -1;
        if (high < 0 || low < 0)
            return false;
        buf_append_byte(out, (uint8_t)(high << 4 | low));
        i += 2;
    }
    return true;
}

static enum status end_object(struct list_call *list, struct error *error)
{
    CLEANUP(buf_finish) struct buf decoded;
    buf_init(&decoded, XML_VALUE_BYTES_MAX);
    struct str key = buf_str(&list->key);
    if (list->is_encoded) {
        if (!decode_key(key, &decoded))
            return error_set(error, STATUS_INVALID_ARGUMENT, "the service sent a key it cut");
        key = buf_str(&decoded);
    }
    struct s3_object object = list->object;
    list->object = (struct s3_object){.size_bytes = 0};
    TRY(s3_check_key(key, error));
    list->count++;
    enum status status = list->visit(list->context, key, &object, error);
    buf_clear(&list->key);
    return status;
}

static enum status take_size(struct str value, uint64_t *out, struct error *error)
{
    if (str_to_u64(value, out))
        return STATUS_OK;
    return error_set(error, STATUS_INVALID_ARGUMENT, "the service sent a size that is no number");
}

static bool has_all(const struct list_call *list)
{
    return list->options->count_max > 0 && list->count >= list->options->count_max;
}

static enum status on_element(void *context, struct str path, struct str value, struct error *error)
{
    struct list_call *list = context;
    struct str root = STR("ListBucketResult/");
    if (!str_starts_with(path, root) || has_all(list))
        return STATUS_OK;
    struct str name = str_slice(path, root.len, path.len);
    if (str_equal(name, STR("Contents")))
        return end_object(list, error);
    if (str_equal(name, STR("Contents/Size")))
        return take_size(value, &list->object.size_bytes, error);
    if (str_equal(name, STR("Contents/Key"))) {
        buf_clear(&list->key);
        buf_append_str(&list->key, value);
    } else if (str_equal(name, STR("Contents/LastModified"))) {
        (void)s3_parse_time(value, &list->object.modified_us);
    } else if (str_equal(name, STR("Contents/ETag")) && value.len < S3_ETAG_SIZE) {
        memcpy(list->object.etag, value.ptr, value.len);
        list->object.etag[value.len] = '\0';
    } else if (str_equal(name, STR("IsTruncated"))) {
        list->is_truncated = str_equal(value, STR("true"));
    } else if (str_equal(name, STR("NextContinuationToken"))) {
        buf_clear(&list->token);
        buf_append_str(&list->token, value);
    }
    return STATUS_OK;
}

/* The encoding is said anywhere in the page: it is looked for before the keys are read. */
static enum status find_encoding(void *context, struct str path, struct str value,
                                 struct error *error)
{
    struct list_call *list = context;
    if (str_equal(path, STR("ListBucketResult/EncodingType")))
        list->is_encoded = str_equal(value, STR("url"));
    return STATUS_OK;
}

static enum status read_page(struct list_call *list, struct str page, struct error *error)
{
    list->is_truncated = false;
    list->is_encoded = false;
    buf_clear(&list->token);
    TRY(xml_read(page, find_encoding, list, error));
    return xml_read(page, on_element, list, error);
}

static enum status run_page(struct list_call *list, struct error *error)
{
    const struct s3_list_options *options = list->options;
    unsigned size = options->page_size > 0 && options->page_size < PAGE_SIZE_MAX
                        ? options->page_size
                        : PAGE_SIZE_MAX;
    char size_text[12];
    (void)snprintf(size_text, sizeof(size_text), "%u", size);
    struct s3_call call = {
        .s3 = list->s3, .operation = "list", .method = "GET", .cancel = options->cancel};
    s3_call_add_parameter(&call, "list-type", STR("2"));
    s3_call_add_parameter(&call, "encoding-type", STR("url"));
    s3_call_add_parameter(&call, "max-keys", str_of(size_text));
    if (options->prefix.len > 0)
        s3_call_add_parameter(&call, "prefix", options->prefix);
    if (list->previous.len > 0)
        s3_call_add_parameter(&call, "continuation-token", buf_str(&list->previous));
    CLEANUP(fetch_response_finish) struct fetch_response response;
    fetch_response_init(&response);
    TRY(s3_call_run(&call, &response, error));
    struct error reason = ERROR_NONE;
    enum status status = read_page(list, buf_str(&response.body), &reason);
    return status == STATUS_OK ? STATUS_OK : s3_error_wrap(&call, &reason, error);
}

static enum status refuse_to_go_on(const struct list_call *list, const char *why,
                                   struct error *error)
{
    return error_set(error, STATUS_INTERNAL, "the list of the bucket '%s' at %s does not go on: %s",
                     list->s3->bucket, list->s3->endpoint, why);
}

/* After a page that is not the last one. */
static enum status check_progress(struct list_call *list, uint64_t count_before,
                                  struct error *error)
{
    uint64_t pages_max = list->options->pages_max > 0 ? list->options->pages_max : PAGES_MAX;
    list->empty_pages = list->count > count_before ? 0 : list->empty_pages + 1;
    if (list->token.len == 0 || str_equal(buf_str(&list->token), buf_str(&list->previous)))
        return refuse_to_go_on(list, "the next page is the same", error);
    if (list->empty_pages >= EMPTY_PAGES_MAX)
        return refuse_to_go_on(list, "page after page is empty", error);
    if (++list->pages >= pages_max)
        return refuse_to_go_on(list, "there are too many pages", error);
    return STATUS_OK;
}

static enum status run_pages(struct list_call *list, struct error *error)
{
    for (;;) {
        uint64_t count_before = list->count;
        TRY(run_page(list, error));
        if (!list->is_truncated || has_all(list))
            return STATUS_OK;
        TRY(check_progress(list, count_before, error));
        buf_clear(&list->previous);
        buf_append_str(&list->previous, buf_str(&list->token));
    }
}

enum status s3_list(struct s3 *s3, const struct s3_list_options *options,
                    enum status (*visit)(void *context, struct str key,
                                         const struct s3_object *object, struct error *error),
                    void *context, struct error *error)
{
    struct list_call list = {.s3 = s3, .options = options, .visit = visit, .context = context};
    buf_init(&list.key, XML_VALUE_BYTES_MAX);
    buf_init(&list.token, TOKEN_BYTES_MAX);
    buf_init(&list.previous, TOKEN_BYTES_MAX);
    enum status status = run_pages(&list, error);
    buf_finish(&list.key);
    buf_finish(&list.token);
    buf_finish(&list.previous);
    return status;
}
