/*
 * upload.c — decodes an upload's messages and hands the batches to a put of the store.
 *
 * The put begins with the first batch, or at the end where none came: until then metadata may still say
 * how it is to be kept, and the values of dictionary columns are not known before. The bodies stay in
 * the buffers in which they arrived: from the third message or so on they stand aligned in them.
 *
 * Runs on: a worker. Owns: the decoder and the put. Leaves out: the call (do_put.c, do_exchange.c), what
 * a name means (target.c).
 * Source: Flight.proto, "DoPut". SPDX-License-Identifier: Apache-2.0
 */
#include "flight/upload.h"

#include "arrow/ipc.h"
#include "base/memory.h"
#include "base/random.h"
#include "store/name.h"

#define QUICK_FIELDS_MAX 1000
#define WISHES_BYTES_MAX ((size_t)64 << 10)

struct upload {
    struct arena arena; /* the texts of `options` */
    struct store *store;
    struct workers *workers;
    struct put_options options;
    struct put_wishes wishes;
    struct ipc_decoder *decoder;
    struct put *put;    /* NULL before the first batch */
    size_t quick_bytes; /* bodies up to this many are done in a moment */
    bool is_committed;
    struct work destroy;
};

/* --- names ---------------------------------------------------------------------------------- */

static enum status set_name(struct upload *upload, const struct target *target, struct error *error)
{
    if (target->kind == TARGET_STORE)
        return STATUS_OK;
    if (target->id.len == 0 && !dataset_id_is_uuid(target->name)) {
        struct str path = target->path.len > 0 ? target->path : target->name;
        TRY(dataset_path_check_put(&upload->arena, path, error));
        upload->options.path = arena_copy(&upload->arena, path);
        return STATUS_OK;
    }
    struct str id = target->id.len > 0 ? target->id : target->name;
    upload->options.id = arena_copy(&upload->arena, id);
    return STATUS_OK;
}

static void destroy_now(struct upload *upload)
{
    put_destroy(upload->put);
    ipc_decoder_destroy(upload->decoder);
    arena_finish(&upload->arena);
    free(upload);
}

static void destroy_on_worker(struct work *work)
{
    destroy_now(CONTAINER_OF(work, struct upload, destroy));
}

void upload_destroy(struct upload *upload)
{
    if (!upload)
        return;
    bool takes_a_while = upload->put && !upload->is_committed && upload->workers;
    upload->destroy.run = destroy_on_worker;
    if (!takes_a_while || workers_submit(upload->workers, &upload->destroy, NULL) != STATUS_OK)
        destroy_now(upload);
}

enum status upload_create(const struct upload_options *options, struct upload **out_upload,
                          struct error *error)
{
    CLEANUP(upload_destroy) struct upload *upload = NEW(struct upload);
    arena_init(&upload->arena);
    upload->store = options->store;
    upload->workers = options->workers;
    upload->wishes = options->target->wishes;
    upload->options.owner = arena_copy(&upload->arena, options->owner);
    upload->options.ttl_default_ms = options->ttl_default_ms;
    upload->options.is_open = options->is_open;
    upload->options.is_passing = options->is_passing;
    upload->decoder = ipc_decoder_create(&ipc_limits_default);
    TRY(set_name(upload, options->target, error));
    *out_upload = STEAL(upload);
    return STATUS_OK;
}

/* --- what takes how long -------------------------------------------------------------------- */

/* What validation has to look at byte by byte, and what it has to follow. */
enum depth { DEPTH_FIXED, DEPTH_TEXT, DEPTH_NESTED };

static enum depth depth_of(const struct arrow_field *field)
{
    switch (field->type) {
    case ARROW_INT:
    case ARROW_FLOAT:
    case ARROW_BOOL:
    case ARROW_DECIMAL:
    case ARROW_DATE:
    case ARROW_TIME:
    case ARROW_TIMESTAMP:
    case ARROW_INTERVAL:
    case ARROW_FIXED_BINARY:
    case ARROW_DURATION:
        return field->is_dictionary ? DEPTH_NESTED : DEPTH_FIXED;
    case ARROW_BINARY:
    case ARROW_UTF8:
    case ARROW_LARGE_BINARY:
    case ARROW_LARGE_UTF8:
        return field->is_dictionary ? DEPTH_NESTED : DEPTH_TEXT;
    default:
        return DEPTH_NESTED;
    }
}

static size_t quick_bytes_of(const struct arrow_schema *schema)
{
    static const size_t quick_bytes[] = {
        [DEPTH_FIXED] = (size_t)4 << 20, [DEPTH_TEXT] = (size_t)256 << 10, [DEPTH_NESTED] = 0};
    enum depth depth = DEPTH_FIXED;
    for (size_t i = 0; i < schema->field_count; i++) {
        enum depth other = depth_of(&schema->fields[i]);
        depth = other > depth ? other : depth;
    }
    return schema->field_count <= QUICK_FIELDS_MAX ? quick_bytes[depth] : 0;
}

/* --- messages ------------------------------------------------------------------------------- */

static enum status begin(struct upload *upload, struct arrow_schema *schema, struct error *error)
{
    upload->options.mode = upload->wishes.mode;
    upload->options.durability =
        put_wishes_durability(&upload->wishes, upload->options.path.len > 0);
    upload->options.ttl_ms = upload->wishes.ttl_ms;
    upload->options.schema = schema;
    upload->quick_bytes = quick_bytes_of(schema);
    return put_begin(upload->store, &upload->options, &upload->put, error);
}

static enum status refuse_metadata(const struct error *reason, struct error *error)
{
    return error_set(error, STATUS_INVALID_ARGUMENT,
                     "app_metadata before the first batch must be a JSON object such as "
                     "{\"mode\": \"append\"}%s%s",
                     reason->status == STATUS_OK ? "" : ": ", reason->message);
}

/* What comes with a batch may be the client's own, and so may be what is beside the wishes in it. */
static enum status read_metadata(struct upload *upload, struct str metadata, bool has_batch,
                                 struct error *error)
{
    CLEANUP(json_document_destroy) struct json_document *document = NULL;
    struct error reason = ERROR_NONE;
    static const char *const known[] = {"mode", "durability", "ttl", NULL};
    if (json_parse(metadata, WISHES_BYTES_MAX, &document, &reason) != STATUS_OK ||
        !json_value_is_object(json_root(document)))
        return has_batch ? STATUS_OK : refuse_metadata(&reason, error);
    if (!has_batch)
        TRY(json_check_keys(json_root(document), known, error));
    return put_wishes_read(&upload->wishes, json_root(document), error);
}

/* How an exchange's input is kept is not the client's to say. */
static bool may_have_wishes(const struct upload *upload, const struct flight_data *message)
{
    return !upload->put && !upload->options.is_open &&
           str_trim(slice_str(message->app_metadata)).len > 0;
}

enum status upload_append(struct upload *upload, struct arrow_batch *batch, struct error *error)
{
    CLEANUP(arrow_batch_unref) struct arrow_batch *taken = batch;
    if (!upload->put)
        TRY(begin(upload, batch->schema, error));
    return put_append(upload->put, STEAL(taken), error);
}

void upload_expect(const struct upload *upload, struct grpc_call *call, struct slice message,
                   const struct flight_data *parts)
{
    if (parts->data_body.len == 0)
        return;
    atomic_store_explicit(&call->aligned_offset, (size_t)(parts->data_body.ptr - message.ptr),
                          memory_order_relaxed);
    /* Of a compressed batch nothing stays but what comes out of it. */
    bool stays =
        ipc_message_is_plain_batch(parts->data_header) && !(upload && upload->options.is_passing);
    atomic_store_explicit(&call->keeps_messages, stays, memory_order_relaxed);
}

enum status upload_receive(struct upload *upload, const struct flight_data *message,
                           struct error *error)
{
    CLEANUP(arrow_batch_unref) struct arrow_batch *batch = NULL;
    if (message->data_header.len > 0)
        TRY(ipc_decode(upload->decoder, message->data_header, message->data_body, &batch, error));
    else if (message->data_body.len > 0)
        return error_set(error, STATUS_INVALID_ARGUMENT,
                         "a message has a data_body and no data_header to tell what it is");
    if (may_have_wishes(upload, message))
        TRY(read_metadata(upload, slice_str(message->app_metadata), batch, error));
    return batch ? upload_append(upload, STEAL(batch), error) : STATUS_OK;
}

bool upload_is_quick(const struct upload *upload, const struct flight_data *message)
{
    size_t size = message->data_body.len;
    return upload->put && size > 0 && size <= upload->quick_bytes &&
           !put_may_block(upload->put, 2 * size) &&
           ipc_message_is_plain_batch(message->data_header);
}

bool upload_has_room(const struct upload *upload)
{
    return !upload->put || put_has_room(upload->put);
}

bool upload_is_abandoned(const struct upload *upload)
{
    return upload->put && put_is_abandoned(upload->put);
}

enum status upload_begin(struct upload *upload, struct error *error)
{
    return upload->put ? STATUS_OK : begin(upload, upload_schema(upload), error);
}

struct arrow_schema *upload_schema(const struct upload *upload)
{
    return ipc_decoder_schema(upload->decoder);
}

enum status upload_commit(struct upload *upload, struct put_result *out_result, struct error *error)
{
    struct arrow_schema *schema = upload_schema(upload);
    if (!schema && !upload->put)
        return error_set(error, STATUS_INVALID_ARGUMENT,
                         "the upload has no schema; send a schema message before the batches");
    if (!upload->put)
        TRY(begin(upload, schema, error));
    TRY(put_commit(upload->put, out_result, error));
    upload->is_committed = true;
    return STATUS_OK;
}
