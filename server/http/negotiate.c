/* negotiate - the tag first, as it depends on the encoding; then what is sent. */
#include "server/http/negotiate.h"

#include <libdeflate.h>
#include <limits.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { SMALL_BYTES = 1024, LEVEL = 6, TAG_BYTES = 16 };

static bool is_get(const struct http_request *q)
{
    return strcmp(q->method, "GET") == 0 || strcmp(q->method, "HEAD") == 0;
}

/* --- lists with weights ----------------------------------------------------------------------- */

struct item {
    const char *name;
    size_t n;
    double weight;
};

/* The next "name;q=0.5" of a list; false: none is left. */
static bool next_item(const char **at, struct item *out)
{
    size_t len;
    const char *q;

    *at += strspn(*at, " ,\t");
    len = strcspn(*at, ",");
    out->name = *at;
    out->n = strcspn(*at, ",; \t");
    out->weight = 1;
    q = memmem(*at, len, "q=", 2);
    if (q) out->weight = strtod(q + 2, NULL);
    if (!(out->weight >= 0)) out->weight = 0;
    if (out->weight > 1) out->weight = 1;
    *at += len;
    return out->n > 0;
}

static bool is_named(const struct item *i, const char *name)
{
    return i->n == strlen(name) && strncasecmp(i->name, name, i->n) == 0;
}

bool negotiate_gzip(const char *accept)
{
    double all = 0, own = -1;
    struct item i;

    while (next_item(&accept, &i)) {
        if (is_named(&i, "*")) all = i.weight;
        if (is_named(&i, "gzip") || is_named(&i, "x-gzip")) own = i.weight;
    }
    return (own < 0 ? all : own) > 0;
}

/* What the list gives a type: by its name, as "text" and a star, as two stars; 0: nothing. */
static double weight_of(const char *accept, const char *type)
{
    size_t family = strcspn(type, "/") + 1;
    double weight = 0;
    int best = 0;
    struct item i;

    while (next_item(&accept, &i)) {
        int how =
            is_named(&i, type)    ? 3
            : is_named(&i, "*/*") ? 1
            : i.n == family + 1 && i.name[family] == '*' && strncasecmp(i.name, type, family) == 0
                ? 2
                : 0;

        if (how <= best) continue;
        best = how;
        weight = i.weight;
    }
    return weight;
}

bool negotiate_prefers(const char *accept, const char *first, const char *second)
{
    return weight_of(accept, first) >= weight_of(accept, second);
}

bool negotiate_accepts(const char *accept, const char *types)
{
    char type[64];

    if (!*accept) return true;
    while (*types) {
        size_t n = strcspn(types, " ");

        snprintf(type, sizeof type, "%.*s", (int)n, types);
        if (weight_of(accept, type) > 0) return true;
        types += n + strspn(types + n, " ");
    }
    return false;
}

/* Is "zh-CN" one of "zh"? */
static bool is_language(const struct item *i, const char *language)
{
    size_t n = strlen(language);

    return i->n >= n && strncasecmp(i->name, language, n) == 0 && (i->n == n || i->name[n] == '-');
}

/* The largest weight that the list gives a language, and which of its items says so. */
static double weight_of_language(const char *accept, const char *language, int *place)
{
    double weight = -1, all = 0;
    struct item i;

    *place = INT_MAX;
    for (int at = 0; next_item(&accept, &i); at++) {
        if (is_named(&i, "*")) all = i.weight;
        if (!is_language(&i, language) || i.weight <= weight) continue;
        weight = i.weight;
        *place = at;
    }
    return weight < 0 ? all : weight;
}

int negotiate_language(const char *accept, const char *const *languages, int n)
{
    double most = 0;
    int best = 0, first = INT_MAX;

    for (int l = 0; l < n; l++) {
        int place;
        double weight = weight_of_language(accept, languages[l], &place);

        if (weight < most || weight <= 0 || (weight == most && place >= first)) continue;
        most = weight;
        first = place;
        best = l;
    }
    return best;
}

/* --- the tag ---------------------------------------------------------------------------------- */

/* Answers about jobs get one by their bytes, so that who polls is sent only what is new. */
static void tag(struct http_reply *r)
{
    unsigned char hash[TAG_BYTES];
    char text[2 * TAG_BYTES + 1];

    crypto_generichash(hash, sizeof hash, r->body, (unsigned long long)r->bytes, NULL, 0);
    snprintf(r->etag, sizeof r->etag, "\"%s\"",
             sodium_bin2hex(text, sizeof text, hash, sizeof hash));
}

/* Another encoding is another representation. */
static void tag_gzip(struct http_reply *r)
{
    size_t n = strlen(r->etag);

    if (n && n + 3 < sizeof r->etag) memcpy(r->etag + n - 1, "-gz\"", 5);
}

/* RFC 9110: a list of tags or *; weak ones compare equal. */
static bool is_match(const char *list, const char *etag)
{
    return *list && *etag && (strcmp(list, "*") == 0 || strstr(list, etag));
}

/* --- gzip ------------------------------------------------------------------------------------- */

static bool is_text(const struct http_reply *r)
{
    const char *type = r->type ? r->type : "";

    return !r->store && r->body && r->bytes >= SMALL_BYTES
           && (strncmp(type, "text/", 5) == 0 || strstr(type, "json") || strstr(type, "xml"));
}

/* Without memory it stays as it is. */
static void compress(struct http_reply *r)
{
    struct libdeflate_compressor *c = libdeflate_alloc_compressor(LEVEL);
    size_t max = c ? libdeflate_gzip_compress_bound(c, (size_t)r->bytes) : 0;
    char *out = c ? malloc(max) : NULL;
    size_t n = out ? libdeflate_gzip_compress(c, r->body, (size_t)r->bytes, out, max) : 0;

    libdeflate_free_compressor(c);
    if (!n) {
        free(out);
        return;
    }
    free(r->owned);
    r->owned = out;
    r->body = (const uint8_t *)out;
    r->bytes = (int64_t)n;
    r->encoding = "gzip";
}

/* --- parts ------------------------------------------------------------------------------------ */

/* Digits into *out; false: none, or too many. */
static bool number(const char **at, int64_t *out)
{
    size_t n = strspn(*at, "0123456789");

    if (!n || n > 18) return false;
    *out = strtoll(*at, NULL, 10);
    *at += n;
    return true;
}

enum range negotiate_range(const char *range, int64_t bytes, int64_t *from, int64_t *n)
{
    int64_t first = 0, last = bytes - 1;
    bool tail;

    if (strncasecmp(range, "bytes=", 6) != 0) return RANGE_NONE;
    range += 6;
    tail = *range == '-';
    if (!tail && !number(&range, &first)) return RANGE_NONE;
    if (*range++ != '-') return RANGE_NONE;
    if (*range && !number(&range, &last)) return RANGE_NONE;
    if (*range || (tail && range[-1] == '-')) return RANGE_NONE;
    if (tail) {
        first = last < bytes ? bytes - last : 0;
        if (!last) return RANGE_OUTSIDE;
        last = bytes - 1;
    }
    if (last >= bytes) last = bytes - 1;
    if (first >= bytes) return RANGE_OUTSIDE;
    if (last < first) return RANGE_NONE;
    *from = first;
    *n = last - first + 1;
    return RANGE_PART;
}

static void outside(struct http_reply *r)
{
    int64_t bytes = r->bytes;
    struct fail f;

    reply_free(r);
    fail_field(&f, ERR_BAD_REQUEST, "Range", "The picture has %lld bytes.", (long long)bytes);
    fail_advise(&f, "Ask for a part of it, or leave Range out.");
    reply_fail(r, &f, 416);
    snprintf(r->content_range, sizeof r->content_range, "bytes */%lld", (long long)bytes);
}

/* One part of a picture; with If-Range only of the one that the client has the rest of. */
static void take_part(struct http_reply *r, const struct http_request *q)
{
    const char *condition = request_header(q, "if-range");
    int64_t bytes = r->bytes, n;

    r->parts = true;
    if (strcmp(q->method, "GET") != 0 || (*condition && strcmp(condition, r->etag) != 0)) return;
    switch (negotiate_range(request_header(q, "range"), bytes, &r->from, &n)) {
    case RANGE_NONE: return;
    case RANGE_OUTSIDE: outside(r); return;
    case RANGE_PART: break;
    }
    r->status = 206;
    r->bytes = n;
    snprintf(r->content_range, sizeof r->content_range, "bytes %lld-%lld/%lld", (long long)r->from,
             (long long)(r->from + n - 1), (long long)bytes);
}

/* --- the whole -------------------------------------------------------------------------------- */

void negotiate(struct http_reply *r, const struct http_request *q)
{
    char accept[256];
    bool text = is_text(r), gzip;

    if (r->status != 200 || r->stream || !is_get(q)) return;
    gzip = text && q->head && head_list(q->head, "accept-encoding", accept, sizeof accept)
           && negotiate_gzip(accept);
    if (text && !r->vary) r->vary = "accept-encoding";
    if (r->owned && r->answer) tag(r);
    if (gzip) tag_gzip(r);
    if (is_match(q->if_none_match, r->etag)) {
        r->status = 304;
        r->head = true;
    } else if (gzip)
        compress(r);
    else if (r->store)
        take_part(r, q);
}
