/*
 * startup_pages.c — gives back what only the start needed.
 *
 * Starting the engine runs through most of its library once: 40 MiB of code and tables that count as this
 * process's memory and of which a server that moves datasets needs little. Only segments that nobody can
 * write are given back: they are what the file says.
 *
 * Runs on: the main thread. Owns: nothing. SPDX-License-Identifier: Apache-2.0
 */
#include "server/startup_pages.h"

#include <link.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

static void release_segment(uintptr_t start, uintptr_t end, uintptr_t page_bytes)
{
    start = (start + page_bytes - 1) / page_bytes * page_bytes;
    end = end / page_bytes * page_bytes;
    /* What the system keeps all the same costs memory and nothing else. */
    if (start < end)
        (void)madvise((void *)start, end - start, MADV_DONTNEED);
}

static int release_object(struct dl_phdr_info *object, size_t size, void *context)
{
    uintptr_t page_bytes = *(const uintptr_t *)context;
    for (size_t i = 0; i < object->dlpi_phnum; i++) {
        const ElfW(Phdr) *segment = &object->dlpi_phdr[i];
        if (segment->p_type != PT_LOAD || (segment->p_flags & PF_W) != 0)
            continue;
        uintptr_t start = object->dlpi_addr + segment->p_vaddr;
        release_segment(start, start + segment->p_memsz, page_bytes);
    }
    return 0;
}

void startup_pages_release(void)
{
    uintptr_t page_bytes = (uintptr_t)sysconf(_SC_PAGESIZE);
    (void)dl_iterate_phdr(release_object, &page_bytes);
}
