/*
 * flight.h — the generated messages of Arrow Flight, Any, Timestamp and google.rpc.Status.
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include "proto/proto.h"

#include "any.pb-c.h"
#include "flight.pb-c.h"
#include "status.pb-c.h"
#include "timestamp.pb-c.h"
