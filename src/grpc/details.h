/*
 * details.h — the trailer grpc-status-details-bin: an error as google.rpc.Status.
 * Threads: any. Source: googleapis google/rpc/status.proto, error_details.proto.
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include "base/error.h"

/* Room for a message of ERROR_MESSAGE_MAX bytes and all details. */
#define DETAILS_SIZE (ERROR_MESSAGE_MAX + 768)

/* Writes the message Status: code, message, and as its details an ErrorInfo and, where the error has retry
 * advice, a RetryInfo. Returns the length. */
size_t details_encode(enum status status, const struct error *error, uint8_t out[DETAILS_SIZE]);
