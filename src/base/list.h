/*
 * list.h — doubly linked list whose links live in the elements.
 *
 * A list field carries its element type in a comment: `struct list calls; / * grpc_call.link * /`.
 * An unlinked link has next == NULL. SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/memory.h"

struct list {
    struct list *next;
    struct list *previous;
};

static inline void list_init(struct list *list)
{
    list->next = list;
    list->previous = list;
}

static inline bool list_is_empty(const struct list *list)
{
    return list->next == list || list->next == NULL;
}

static inline bool list_is_linked(const struct list *link)
{
    return link->next != NULL;
}

static inline void list_append(struct list *list, struct list *link)
{
    link->previous = list->previous;
    link->next = list;
    list->previous->next = link;
    list->previous = link;
}

static inline void list_prepend(struct list *list, struct list *link)
{
    list_append(list->next, link);
}

/* Unlinks; an unlinked link is left alone. */
static inline void list_remove(struct list *link)
{
    if (!link->next)
        return;
    link->previous->next = link->next;
    link->next->previous = link->previous;
    link->next = NULL;
    link->previous = NULL;
}

/* The first link, unlinked, or NULL. */
static inline struct list *list_take_first(struct list *list)
{
    if (list_is_empty(list))
        return NULL;
    struct list *link = list->next;
    list_remove(link);
    return link;
}

/* Moves all links of `from` to the end of `list`. */
static inline void list_move_all(struct list *list, struct list *from)
{
    if (list_is_empty(from))
        return;
    from->next->previous = list->previous;
    list->previous->next = from->next;
    from->previous->next = list;
    list->previous = from->previous;
    list_init(from);
}

#define LIST_FIRST(head, type, member)                                                             \
    (list_is_empty(head) ? NULL : CONTAINER_OF((head)->next, type, member))

/* The body may unlink or free `item`. */
#define LIST_FOR_EACH(item, head, type, member)                                                    \
    for (struct list *link_##item = (head)->next, *next_##item = link_##item->next;                \
         link_##item != (head); link_##item = next_##item, next_##item = link_##item->next)        \
        for (type *item = CONTAINER_OF(link_##item, type, member); item; item = NULL)
