/*
 * handshake.c — Handshake: a session for a name.
 *
 * Credentials come in the `authorization` header (Basic or an earlier Bearer) or, from older clients, as
 * a BasicAuth message in the first request. The bearer goes back in the response's `authorization`
 * header and as the payload of the one response. The stream may be half-closed at once or stay open.
 *
 * receive and half_close run on a worker: the session that makes room for the new one is closed there, and
 * that rolls its transaction back. Source: Flight.proto, "Handshake". SPDX-License-Identifier: Apache-2.0
 */
#include "flight/flight_private.h"

static enum status log_in_by_header(struct flight_call *call, struct error *error)
{
    if (call->received)
        return STATUS_OK;
    call->received = true;
    return sessions_resolve_handshake(call->flight->options.sessions, call->call, &call->session,
                                      error);
}

/* Logs in with what the message's payload says, when the headers said nothing. */
static enum status log_in_by_payload(struct flight_call *call, struct slice message,
                                     struct error *error)
{
    Flight__HandshakeRequest *request;
    TRY(proto_unpack(call->call->arena, &flight__handshake_request__descriptor, message, &request,
                     error));
    struct slice payload = slice_make(request->payload.data, request->payload.len, NULL);
    Flight__BasicAuth *basic = NULL;
    struct str user = STR_EMPTY;
    if (payload.len > 0) {
        TRY(proto_unpack(call->call->arena, &flight__basic_auth__descriptor, payload, &basic,
                         error));
        user = str_of(basic->username);
    }
    call->received = true;
    return sessions_log_in(call->flight->options.sessions, call->call, user, &call->session, error);
}

enum status handshake_receive(struct grpc_call *grpc, struct slice message, struct error *error)
{
    struct flight_call *call = flight_call_of(grpc);
    if (call->received)
        return STATUS_OK;
    if (http_headers_get(&grpc->metadata, STR("authorization")).len > 0)
        return log_in_by_header(call, error);
    return log_in_by_payload(call, message, error);
}

enum status handshake_half_close(struct grpc_call *grpc, struct error *error)
{
    struct flight_call *call = flight_call_of(grpc);
    call->half_closed = true;
    /* Some clients send no message at all and only read the headers. */
    if (http_headers_get(&grpc->metadata, STR("authorization")).len > 0)
        return log_in_by_header(call, error);
    return STATUS_OK;
}

enum status handshake_next(struct grpc_call *grpc, struct slices *out, enum grpc_step *out_step,
                           struct error *error)
{
    struct flight_call *call = flight_call_of(grpc);
    if (!call->answered && call->received) {
        Flight__HandshakeResponse response = FLIGHT__HANDSHAKE_RESPONSE__INIT;
        proto_append(out, &response);
        call->answered = true;
        *out_step = GRPC_MESSAGE;
        return STATUS_OK;
    }
    *out_step = call->half_closed ? GRPC_END : GRPC_WAIT;
    return STATUS_OK;
}
