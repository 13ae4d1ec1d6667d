/*
 * views.h — volley.sessions and volley.settings as tables for the engine.
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include "engine/engine.h"
#include "flight/session.h"
#include "settings/settings.h"

/* `context` of volley.sessions: a pointer to the variable that will hold the sessions; they are made
 * after the engine. The schema is the caller's to unref after the engine is closed. */
struct engine_table views_sessions(struct sessions *const *sessions);
struct engine_table views_settings(const struct settings *settings);
