/*
 * connect.c — connects to the server that a command's options name.
 *
 * Runs on: any thread, whose client it then is. Owns: nothing. SPDX-License-Identifier: Apache-2.0
 */
#include "cli/connect.h"

enum status cli_connect(const struct server_options *options, struct grpc_client **out_client,
                        struct error *error)
{
    CLEANUP(tls_context_unref) struct tls_context *tls = NULL;
    TRY(options_tls(options, &tls, error));
    const struct grpc_client_options client_options = {
        .server = options_server_url(options),
        .tls = tls,
        .authorization = options->authorization,
        .user_agent = STR("volley/" VOLLEY_VERSION),
    };
    return grpc_client_connect(&client_options, out_client, error);
}

enum exit_code cli_exit_of(const struct error *error)
{
    return error->status == STATUS_UNAVAILABLE ? CLI_UNREACHABLE : CLI_FAILED;
}
