/*
 * loaded.h — the settings with what belongs to them: memory and origins.
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include "base/arena.h"
#include "base/memory.h"
#include "settings/settings.h"

struct loaded {
    struct settings settings;
    struct arena arena;  /* all texts */
    struct str *origins; /* one per row of the table */
};

/* Every struct settings that is handed out is part of a struct loaded. */
static inline struct loaded *loaded_of(const struct settings *settings)
{
    return CONTAINER_OF((struct settings *)(uintptr_t)settings, struct loaded, settings);
}
