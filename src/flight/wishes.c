/*
 * wishes.c — reads mode, durability and time to live from JSON.
 *
 * Runs on: any thread. Owns: nothing. Leaves out: what the texts mean (store/put_wishes.c).
 * Source: contracts section 6. SPDX-License-Identifier: Apache-2.0
 */
#include "flight/wishes.h"

#include "base/buf.h"

/* The member as text, a number written out. */
static enum status read_member(const struct json_value *object, const char *name, struct buf *out,
                               bool *out_present, struct error *error)
{
    struct str text = STR_EMPTY;
    double number = 0;
    if (!str_equal(str_of(name), STR("ttl")) || json_value_text(json_member(object, name), &text)) {
        TRY(json_member_text(object, name, false, &text, out_present, error));
        buf_append_str(out, text);
        return STATUS_OK;
    }
    TRY(json_member_double(object, name, false, &number, out_present, error));
    buf_append_double(out, number);
    return STATUS_OK;
}

enum status put_wishes_read(struct put_wishes *wishes, const struct json_value *object,
                            struct error *error)
{
    for (size_t i = 0; i < PUT_WISH_COUNT; i++) {
        CLEANUP(buf_finish) struct buf text;
        bool present = false;
        buf_init(&text, 4096);
        TRY(read_member(object, put_wish_names[i], &text, &present, error));
        if (present)
            TRY(put_wish_set(wishes, i, buf_str(&text), error));
    }
    return STATUS_OK;
}
