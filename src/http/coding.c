/*
 * coding.c — reads Accept-Encoding: members with weights, a star for those that are not named.
 *
 * Weights are kept in thousandths. A member that is malformed counts as not there. Runs on any thread.
 * Spec: RFC 9110 sections 12.4.2 and 12.5.3. SPDX-License-Identifier: Apache-2.0
 */
#include "http/coding.h"

#include "base/memory.h"

#define WEIGHT_ONE 1000
#define WEIGHT_UNNAMED (-1)

/* By enum http_coding, which is our order of preference but for identity. */
static const char *const names[] = {
    [HTTP_CODING_IDENTITY] = "identity",
    [HTTP_CODING_ZSTD] = "zstd",
    [HTTP_CODING_GZIP] = "gzip",
};

struct weights {
    int of[ARRAY_COUNT(names)];
    int star;
    bool present; /* there is an Accept-Encoding */
};

struct str http_coding_name(enum http_coding coding)
{
    return str_of(names[coding == HTTP_CODING_NONE ? HTTP_CODING_IDENTITY : coding]);
}

/* qvalue: "0" or "1", with up to three decimals; false when it is none. */
static bool parse_weight(struct str text, int *out_weight)
{
    if (text.len == 0 || text.len > 5 || (text.ptr[0] != '0' && text.ptr[0] != '1') ||
        (text.len > 1 && text.ptr[1] != '.'))
        return false;
    int weight = (text.ptr[0] - '0') * WEIGHT_ONE;
    int unit = WEIGHT_ONE / 10;
    for (size_t i = 2; i < text.len; i++, unit /= 10) {
        if (text.ptr[i] < '0' || text.ptr[i] > '9')
            return false;
        weight += (text.ptr[i] - '0') * unit;
    }
    *out_weight = weight;
    return weight <= WEIGHT_ONE;
}

static bool member_weight(struct str parameters, int *out_weight)
{
    *out_weight = WEIGHT_ONE;
    struct str parameter = str_trim(parameters);
    if (parameter.len == 0)
        return true;
    return str_starts_with_nocase(parameter, STR("q=")) &&
           parse_weight(str_slice(parameter, 2, parameter.len), out_weight);
}

static void read_member(struct str member, struct weights *weights)
{
    struct str parameters = member;
    struct str name = str_trim(str_split(&parameters, ';'));
    int weight;
    if (!member_weight(parameters, &weight))
        return;
    if (str_equal(name, STR("*")))
        weights->star = weight;
    if (str_equal_nocase(name, STR("x-gzip")))
        name = STR("gzip");
    for (size_t i = 0; i < ARRAY_COUNT(names); i++) {
        if (str_equal_nocase(name, str_of(names[i])))
            weights->of[i] = weight;
    }
}

static struct weights read_weights(const struct http_headers *headers)
{
    struct weights weights = {.star = WEIGHT_UNNAMED};
    for (size_t i = 0; i < ARRAY_COUNT(names); i++)
        weights.of[i] = WEIGHT_UNNAMED;
    for (size_t i = 0; i < headers->count; i++) {
        if (!str_equal(headers->items[i].name, STR("accept-encoding")))
            continue;
        weights.present = true;
        struct str rest = headers->items[i].value;
        while (rest.len > 0)
            read_member(str_split(&rest, ','), &weights);
    }
    return weights;
}

/* What is not named has the star's weight; without a star a coding has none, and identity always will do. */
static int weight_of(const struct weights *weights, enum http_coding coding)
{
    if (weights->of[coding] != WEIGHT_UNNAMED)
        return weights->of[coding];
    if (weights->star != WEIGHT_UNNAMED && (coding != HTTP_CODING_IDENTITY || weights->star == 0))
        return weights->star;
    return coding == HTTP_CODING_IDENTITY ? 1 : 0;
}

enum http_coding http_coding_choose(const struct http_headers *headers)
{
    const struct weights weights = read_weights(headers);
    if (!weights.present)
        return HTTP_CODING_IDENTITY;
    static const enum http_coding order[] = {HTTP_CODING_ZSTD, HTTP_CODING_GZIP,
                                             HTTP_CODING_IDENTITY};
    enum http_coding best = HTTP_CODING_NONE;
    int best_weight = 0;
    for (size_t i = 0; i < ARRAY_COUNT(order); i++) {
        int weight = weight_of(&weights, order[i]);
        if (weight > best_weight) {
            best = order[i];
            best_weight = weight;
        }
    }
    return best;
}

bool http_coding_takes_identity(const struct http_headers *headers)
{
    const struct weights weights = read_weights(headers);
    return weight_of(&weights, HTTP_CODING_IDENTITY) > 0;
}
