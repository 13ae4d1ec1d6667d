/*
 * session_resolve.c — which session a call belongs to: its bearer, credentials, cookie or connection.
 *
 * A client that sends Basic with every call and never its bearer has one session for each connection. The
 * first answer of a connection's anonymous session carries its cookie; a client that keeps cookies finds
 * the session over other connections too. A cookie that names no session is refused once, and taken back with
 * the same answer, so that the client knows what it lost and its next call begins anew.
 *
 * Threads: any. Not done here: who may log in (no users are configured yet: any name is accepted and names
 * a session, not an identity). Source: contracts section 6. SPDX-License-Identifier: Apache-2.0
 */
#include "flight/session_private.h"

#include "crypto/crypto.h"

#include <stdio.h>

#define USER_NAME_BYTES_MAX 256
#define CREDENTIALS_BYTES_MAX 4096
#define COOKIE_NAME "arrow_flight_session_id"

/* --- what the answer says ------------------------------------------------------------------------- */

static void give_bearer(struct grpc_call *call, const struct session *session)
{
    char value[RANDOM_UUID_SIZE + 8];
    snprintf(value, sizeof(value), "Bearer %s", session->token);
    grpc_call_add_header(call, STR("authorization"), str_of(value));
}

static void give_cookie(struct grpc_call *call, const struct session *session)
{
    char value[RANDOM_UUID_SIZE + 96];
    snprintf(value, sizeof(value), COOKIE_NAME "=%s; Path=/; SameSite=Strict; HttpOnly",
             session->token);
    grpc_call_add_header(call, STR("set-cookie"), str_of(value));
}

void sessions_take_cookie_back(struct grpc_call *call)
{
    grpc_call_add_header(call, STR("set-cookie"), STR(COOKIE_NAME "=; Max-Age=0; Path=/"));
}

/* --- credentials ---------------------------------------------------------------------------------- */

static enum status log_in(struct sessions *sessions, struct grpc_call *call, struct str user,
                          bool is_by_name, struct session **out_session, struct error *error)
{
    if (user.len > USER_NAME_BYTES_MAX)
        return error_set(error, STATUS_UNAUTHENTICATED, "a user name has at most %d bytes",
                         USER_NAME_BYTES_MAX);
    struct session *session = session_create(sessions, "bearer", user, call->peer);
    session->has_bearer = true;
    TRY(sessions_enter(sessions, session, call->connection_id, is_by_name, out_session, error));
    give_bearer(call, *out_session);
    return STATUS_OK;
}

enum status sessions_log_in(struct sessions *sessions, struct grpc_call *call, struct str user,
                            struct session **out_session, struct error *error)
{
    return log_in(sessions, call, user, false, out_session, error);
}

/* The session of a user on this connection; a new one at each call without sessions of connections. */
static enum status log_in_on_connection(struct sessions *sessions, struct grpc_call *call,
                                        struct str user, struct session **out_session,
                                        struct error *error)
{
    bool is_kept = sessions->options.connection_sessions && user.len > 0;
    if (is_kept)
        *out_session = sessions_find_connection(sessions, call->connection_id, user);
    if (!*out_session)
        return log_in(sessions, call, user, is_kept, out_session, error);
    give_bearer(call, *out_session);
    return STATUS_OK;
}

/* "user:password" in base64; the password is not looked at while no users are configured. */
static enum status resolve_basic(struct sessions *sessions, struct grpc_call *call,
                                 struct str credentials, bool is_login,
                                 struct session **out_session, struct error *error)
{
    CLEANUP(buf_finish) struct buf decoded;
    buf_init(&decoded, CREDENTIALS_BYTES_MAX);
    if (!crypto_base64_decode(str_trim(credentials), &decoded) || decoded.failed)
        return error_set(error, STATUS_UNAUTHENTICATED,
                         "the Basic credentials are not base64 of user:password");
    struct str text = buf_str(&decoded);
    struct str user = str_split(&text, ':');
    return is_login ? sessions_log_in(sessions, call, user, out_session, error)
                    : log_in_on_connection(sessions, call, user, out_session, error);
}

static enum status resolve_bearer(struct sessions *sessions, const struct grpc_call *call,
                                  struct str bearer, struct session **out_session,
                                  struct error *error)
{
    *out_session = sessions_find_token(sessions, str_trim(bearer), call->connection_id);
    if (*out_session)
        return STATUS_OK;
    return error_set(error, STATUS_UNAUTHENTICATED,
                     "the bearer token is unknown or expired; log in again by Handshake or Basic "
                     "credentials");
}

/* --- cookies and connections ---------------------------------------------------------------------- */

/* The value of a cookie, or empty. */
static struct str cookie_value(struct str cookies, struct str name)
{
    while (cookies.len > 0) {
        struct str cookie = str_trim(str_split(&cookies, ';'));
        struct str key = str_split(&cookie, '=');
        if (!str_equal(str_trim(key), name))
            continue;
        cookie = str_trim(cookie);
        bool is_quoted = cookie.len >= 2 && cookie.ptr[0] == '"';
        return is_quoted ? str_slice(cookie, 1, cookie.len - 1) : cookie;
    }
    return STR_EMPTY;
}

/* HTTP/2 lets a client send each of its cookies as a header of its own. */
static struct str session_cookie(const struct grpc_call *call)
{
    struct str value = STR_EMPTY;
    for (size_t i = 0; i < call->metadata.count && value.len == 0; i++)
        if (str_equal(call->metadata.items[i].name, STR("cookie")))
            value = cookie_value(call->metadata.items[i].value, STR(COOKIE_NAME));
    return value;
}

static enum status resolve_cookie(struct sessions *sessions, struct grpc_call *call,
                                  struct str cookie, struct session **out_session,
                                  struct error *error)
{
    *out_session = sessions_find_token(sessions, cookie, call->connection_id);
    if (*out_session)
        return STATUS_OK;
    sessions_take_cookie_back(call);
    return error_set(error, STATUS_NOT_FOUND,
                     "the session of the cookie " COOKIE_NAME " was closed or expired, and with it "
                     "went its options, temporary tables and transaction; the next call without "
                     "the cookie begins a new session");
}

static enum status resolve_anonymous(struct sessions *sessions, struct grpc_call *call,
                                     struct session **out_session, struct error *error)
{
    if (!sessions->options.connection_sessions) {
        *out_session = session_create(sessions, "call", STR_EMPTY, call->peer);
        return STATUS_OK;
    }
    *out_session = sessions_find_connection(sessions, call->connection_id, STR_EMPTY);
    if (*out_session)
        return STATUS_OK;
    struct session *session = session_create(sessions, "connection", STR_EMPTY, call->peer);
    TRY(sessions_enter(sessions, session, call->connection_id, true, out_session, error));
    give_cookie(call, *out_session);
    return STATUS_OK;
}

/* --- all of it ------------------------------------------------------------------------------------ */

static enum status resolve(struct sessions *sessions, struct grpc_call *call, bool is_login,
                           struct session **out_session, struct error *error)
{
    struct str authorization = http_headers_get(&call->metadata, STR("authorization"));
    *out_session = NULL;
    if (str_starts_with_nocase(authorization, STR("basic ")))
        return resolve_basic(sessions, call, str_slice(authorization, 6, authorization.len),
                             is_login, out_session, error);
    if (str_starts_with_nocase(authorization, STR("bearer ")))
        return resolve_bearer(sessions, call, str_slice(authorization, 7, authorization.len),
                              out_session, error);
    if (authorization.len > 0)
        return error_set(error, STATUS_UNAUTHENTICATED,
                         "the authorization header must begin with 'Bearer ' or 'Basic '");
    struct str token;
    if (grpc_call_metadata(call, STR("auth-token-bin"), &token) && token.len > 0)
        return resolve_bearer(sessions, call, token, out_session, error);
    struct str cookie = session_cookie(call);
    if (cookie.len > 0)
        return resolve_cookie(sessions, call, cookie, out_session, error);
    return resolve_anonymous(sessions, call, out_session, error);
}

enum status sessions_resolve(struct sessions *sessions, struct grpc_call *call,
                             struct session **out_session, struct error *error)
{
    return resolve(sessions, call, false, out_session, error);
}

enum status sessions_resolve_handshake(struct sessions *sessions, struct grpc_call *call,
                                       struct session **out_session, struct error *error)
{
    return resolve(sessions, call, true, out_session, error);
}

enum status sessions_keep(struct sessions *sessions, struct grpc_call *call,
                          struct session **session, struct error *error)
{
    if ((*session)->token[0])
        return STATUS_OK;
    struct session *made = session_create(sessions, "cookie", STR_EMPTY, call->peer);
    struct session *kept = NULL;
    TRY(sessions_enter(sessions, made, call->connection_id, false, &kept, error));
    session_unref(*session);
    *session = kept;
    give_cookie(call, kept);
    return STATUS_OK;
}
