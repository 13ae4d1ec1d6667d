/*
 * credentials.c — which keys a call is signed with.
 *
 * Those of the settings if there are any, else those of the environment, else those of the shared file that
 * Amazon's own tools write. The file is read for each call: it is small, and programs that renew short-lived
 * keys write it anew, so that there is nothing to be told of.
 *
 * Runs on: any thread. Owns: nothing. Leaves out: keys from the metadata service of a machine or container,
 * single sign-on, assumed roles.
 * Source: AWS SDKs and Tools Reference Guide. SPDX-License-Identifier: Apache-2.0
 */
#include "s3/s3_private.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#define PATH_BYTES_MAX 4096
#define READ_BYTES 4096

static struct str environment(const char *name)
{
    return str_of(getenv(name));
}

static bool is_complete(const struct s3_credentials *credentials)
{
    return credentials->access_key.len > 0 && credentials->secret_key.len > 0;
}

static bool find_in_environment(struct s3_credentials *out)
{
    *out = (struct s3_credentials){
        .access_key = environment("AWS_ACCESS_KEY_ID"),
        .secret_key = environment("AWS_SECRET_ACCESS_KEY"),
        .session_token = environment("AWS_SESSION_TOKEN"),
    };
    return is_complete(out);
}

/* --- the shared file ------------------------------------------------------------------------------ */

static bool file_path(struct buf *out)
{
    struct str path = environment("AWS_SHARED_CREDENTIALS_FILE");
    struct str home = environment("HOME");
    if (path.len > 0)
        buf_append_str(out, path);
    else if (home.len > 0)
        buf_printf(out, "%.*s/.aws/credentials", STR_ARGS(home));
    return out->len > 0 && !out->failed;
}

static bool read_file(const char *path, struct buf *out)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    ssize_t size = 0;
    do {
        uint8_t bytes[READ_BYTES];
        size = read(fd, bytes, sizeof(bytes));
        if (size > 0)
            buf_append(out, bytes, (size_t)size);
    } while (size > 0 || (size < 0 && errno == EINTR));
    close(fd);
    return size == 0 && !out->failed;
}

/* "[name]" or "[profile name]" */
static bool is_section_of(struct str line, struct str profile)
{
    struct str name = str_trim(str_slice(line, 1, line.len - 1));
    if (str_starts_with(name, STR("profile ")))
        name = str_trim(str_slice(name, STR("profile ").len, name.len));
    return str_equal(name, profile);
}

static void take_line(struct str line, struct s3_credentials *out)
{
    struct str value = line;
    struct str name = str_trim(str_split(&value, '='));
    value = str_trim(value);
    if (str_equal_nocase(name, STR("aws_access_key_id")))
        out->access_key = value;
    else if (str_equal_nocase(name, STR("aws_secret_access_key")))
        out->secret_key = value;
    else if (str_equal_nocase(name, STR("aws_session_token")))
        out->session_token = value;
}

static void read_profile(struct str text, struct str profile, struct s3_credentials *out)
{
    bool is_ours = false;
    while (text.len > 0) {
        struct str line = str_trim(str_split(&text, '\n'));
        if (str_starts_with(line, STR("[")) && str_ends_with(line, STR("]")))
            is_ours = is_section_of(line, profile);
        else if (is_ours && !str_starts_with(line, STR("#")) && !str_starts_with(line, STR(";")))
            take_line(line, out);
    }
}

static bool find_in_file(struct buf *secrets, struct s3_credentials *out)
{
    CLEANUP(buf_finish) struct buf path;
    buf_init(&path, PATH_BYTES_MAX);
    *out = (struct s3_credentials){.access_key = STR_EMPTY};
    if (!file_path(&path) || !read_file((const char *)path.ptr, secrets))
        return false;
    struct str profile = environment("AWS_PROFILE");
    read_profile(buf_str(secrets), profile.len > 0 ? profile : STR("default"), out);
    return is_complete(out);
}

enum status s3_credentials_find(const struct s3 *s3, struct buf *secrets,
                                struct s3_credentials *out, struct error *error)
{
    if (is_complete(&s3->given)) {
        *out = s3->given;
        return STATUS_OK;
    }
    if (find_in_environment(out) || find_in_file(secrets, out))
        return STATUS_OK;
    return error_set(error, STATUS_UNAUTHENTICATED,
                     "there are no keys for the bucket '%s' at %s: set s3-access-key and "
                     "s3-secret-key, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or write "
                     "them to ~/.aws/credentials",
                     s3->bucket, s3->endpoint);
}
