/*
 * s3.c — one bucket: where it is and with what it is reached.
 *
 * Runs on: any thread. Owns: copies of the texts of the options.
 * Leaves out: making buckets, dual-stack and accelerated endpoints, access points.
 * Source: Amazon S3 User Guide, "Virtual hosting", "Bucket naming rules". SPDX-License-Identifier: Apache-2.0
 */
#include "s3/s3_private.h"

#include "base/clock.h"
#include "base/memory.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#define PART_BYTES_DEFAULT ((size_t)16 << 20)
#define HOST_BYTES_MAX 255
#define CREDENTIAL_BYTES_MAX 4096

static bool is_token(struct str text, const char *others)
{
    for (size_t i = 0; i < text.len; i++) {
        if (!isalnum((unsigned char)text.ptr[i]) && !strchr(others, text.ptr[i]))
            return false;
    }
    return text.len > 0 && str_find(text, '\0') < 0;
}

static enum status check_names(const struct s3_options *options, struct error *error)
{
    if (options->bucket.len < 3 || options->bucket.len > 63 || !is_token(options->bucket, ".-_"))
        return error_set(error, STATUS_INVALID_ARGUMENT,
                         "'%.*s' cannot be an S3 bucket: 3 to 63 letters, digits, '-', '.', '_'",
                         (int)(options->bucket.len < 100 ? options->bucket.len : 100),
                         options->bucket.ptr ? options->bucket.ptr : "");
    if (options->region.len > 40 || !is_token(options->region, "-"))
        return error_set(error, STATUS_INVALID_ARGUMENT,
                         "'%.*s' cannot be an S3 region: a name such as us-east-1",
                         (int)(options->region.len < 100 ? options->region.len : 100),
                         options->region.ptr ? options->region.ptr : "");
    return STATUS_OK;
}

static bool is_plain(struct str text)
{
    for (size_t i = 0; i < text.len; i++) {
        if ((unsigned char)text.ptr[i] <= 0x20 || (unsigned char)text.ptr[i] >= 0x7f)
            return false;
    }
    return text.len <= CREDENTIAL_BYTES_MAX;
}

static enum status check_credentials(const struct s3_credentials *credentials, struct error *error)
{
    if ((credentials->access_key.len > 0) != (credentials->secret_key.len > 0))
        return error_set(error, STATUS_INVALID_ARGUMENT,
                         "an S3 access key needs its secret key, and the other way round");
    if (!is_plain(credentials->access_key) || !is_plain(credentials->secret_key) ||
        !is_plain(credentials->session_token))
        return error_set(error, STATUS_INVALID_ARGUMENT,
                         "S3 keys are printable characters without spaces");
    return STATUS_OK;
}

/* --- where it is ---------------------------------------------------------------------------------- */

/* Amazon's endpoint of the region, or the one that was given without what clients leave out: a final slash
 * and the scheme's own port, as the signed `host` has to be what is sent. */
static enum status write_endpoint(const struct s3_options *options, struct buf *out,
                                  struct error *error)
{
    struct str endpoint = options->endpoint;
    if (endpoint.len == 0) {
        const char *top = str_starts_with(options->region, STR("cn-")) ? ".cn" : "";
        buf_printf(out, "https://s3.%.*s.amazonaws.com%s", STR_ARGS(options->region), top);
        return STATUS_OK;
    }
    bool is_tls = str_starts_with(endpoint, STR("https://"));
    struct str host =
        str_slice(endpoint, is_tls ? STR("https://").len : STR("http://").len, endpoint.len);
    if (str_ends_with(host, STR("/")))
        host.len--;
    struct str port = is_tls ? STR(":443") : STR(":80");
    if (str_ends_with(host, port))
        host.len -= port.len;
    if ((!is_tls && !str_starts_with(endpoint, STR("http://"))) || host.len > HOST_BYTES_MAX ||
        !is_token(host, ".-_:[]"))
        return error_set(error, STATUS_INVALID_ARGUMENT,
                         "'%.*s' cannot be an S3 endpoint: https://HOST[:PORT] or "
                         "http://HOST[:PORT]",
                         (int)(endpoint.len < 200 ? endpoint.len : 200), endpoint.ptr);
    buf_printf(out, "%s%.*s", is_tls ? "https://" : "http://", STR_ARGS(host));
    return STATUS_OK;
}

/* A certificate of the service does not hold for a bucket whose name has dots. */
static bool is_virtual_host(const struct s3_options *options)
{
    if (options->addressing == S3_AUTO)
        return options->endpoint.len == 0 && str_find(options->bucket, '.') < 0;
    return options->addressing == S3_VIRTUAL_HOST;
}

static void place_bucket(struct s3 *s3, const struct s3_options *options)
{
    struct str endpoint = str_of(s3->endpoint);
    CLEANUP(buf_finish) struct buf text;
    buf_init(&text, 2048);
    if (is_virtual_host(options)) {
        size_t scheme = (size_t)str_find_str(endpoint, STR("://")) + 3;
        buf_append_str(&text, str_slice(endpoint, 0, scheme));
        buf_printf(&text, "%s.", s3->bucket);
        buf_append_str(&text, str_slice(endpoint, scheme, endpoint.len));
        s3->path_prefix = str_copy(STR(""));
    } else {
        buf_append_str(&text, endpoint);
        CLEANUP(buf_finish) struct buf prefix;
        buf_init(&prefix, 2048);
        buf_printf(&prefix, "/%s", s3->bucket);
        s3->path_prefix = buf_steal(&prefix);
    }
    s3->base = buf_steal(&text);
}

/* Names for this machine; other names may lead anywhere. */
static bool is_loopback(struct str endpoint)
{
    static const char *const hosts[] = {"http://127.", "http://localhost", "http://[::1]"};
    for (size_t i = 0; i < ARRAY_COUNT(hosts); i++) {
        struct str host = str_of(hosts[i]);
        char after = endpoint.len > host.len ? endpoint.ptr[host.len] : ':';
        if (str_starts_with(endpoint, host) && (i == 0 || after == ':'))
            return true;
    }
    return false;
}

/* --- lifetime ------------------------------------------------------------------------------------- */

static struct str copy(struct str text)
{
    return text.len > 0 ? str_make(str_copy(text), text.len) : STR_EMPTY;
}

static void forget(struct str *text)
{
    if (text->len > 0)
        explicit_bzero((char *)text->ptr, text->len);
    free((char *)text->ptr);
}

static void make_metrics(struct s3 *s3, struct metrics *metrics)
{
    if (!metrics)
        return;
    s3->requests = metrics_family(metrics, METRIC_COUNTER, "volley_s3_requests_total",
                                  "Operations on S3 buckets, by what came of them.",
                                  (const char *const[]){"operation", "outcome"}, 2, NULL, 0);
    struct metric_family *bytes =
        metrics_family(metrics, METRIC_COUNTER, "volley_s3_bytes_total",
                       "Bytes of objects sent to and received from S3 buckets.",
                       (const char *const[]){"direction"}, 1, NULL, 0);
    s3->bytes_sent = metric_get(bytes, (const char *const[]){"sent"});
    s3->bytes_received = metric_get(bytes, (const char *const[]){"received"});
}

static enum status fill(struct s3 *s3, const struct s3_options *options, struct error *error)
{
    CLEANUP(buf_finish) struct buf endpoint;
    buf_init(&endpoint, 2048);
    TRY(write_endpoint(options, &endpoint, error));
    s3->fetch = options->fetch;
    s3->bucket = str_copy(options->bucket);
    s3->region = str_copy(options->region);
    s3->endpoint = buf_steal(&endpoint);
    s3->signs_bodies = !str_starts_with(str_of(s3->endpoint), STR("https://")) &&
                       !is_loopback(str_of(s3->endpoint));
    place_bucket(s3, options);
    s3->given = (struct s3_credentials){
        .access_key = copy(options->credentials.access_key),
        .secret_key = copy(options->credentials.secret_key),
        .session_token = copy(options->credentials.session_token),
    };
    s3->part_bytes = options->part_bytes > 0 ? options->part_bytes : PART_BYTES_DEFAULT;
    make_metrics(s3, options->metrics);
    CLEANUP(buf_finish) struct buf secrets;
    buf_init(&secrets, S3_SECRETS_BYTES_MAX);
    struct s3_credentials found;
    return s3_credentials_find(s3, &secrets, &found, error);
}

enum status s3_create(const struct s3_options *options, struct s3 **out_s3, struct error *error)
{
    TRY(check_names(options, error));
    TRY(check_credentials(&options->credentials, error));
    CLEANUP(s3_destroy) struct s3 *s3 = NEW(struct s3);
    TRY(fill(s3, options, error));
    *out_s3 = STEAL(s3);
    return STATUS_OK;
}

void s3_destroy(struct s3 *s3)
{
    if (!s3)
        return;
    free(s3->bucket);
    free(s3->region);
    free(s3->endpoint);
    free(s3->base);
    free(s3->path_prefix);
    forget(&s3->given.access_key);
    forget(&s3->given.secret_key);
    forget(&s3->given.session_token);
    free(s3);
}

struct str s3_bucket(const struct s3 *s3)
{
    return str_of(s3->bucket);
}

struct str s3_endpoint(const struct s3 *s3)
{
    return str_of(s3->endpoint);
}

bool s3_seems_down(const struct s3 *s3)
{
    return clock_now_ns() < atomic_load(&s3->down_until_ns);
}
