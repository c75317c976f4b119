/* auth - one token check and one cookie check, each over all that may be compared. */
#include "server/net/auth.h"

#include "proto/text.h"

#include <inttypes.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { COOKIE_DAYS = 180, DAY_SECONDS = 86400, MAC_BYTES = 32, MAC_TEXT = 2 * MAC_BYTES + 1 };
enum { BASIC_BYTES = 512 /* a name, a colon and a token, with a NUL */ };

/* --- the users -------------------------------------------------------------------------------- */

void auth_init(struct auth *a, const uint8_t secret[AUTH_SECRET_BYTES], bool open)
{
    uint8_t name[16];
    uint64_t seed;

    memset(a, 0, sizeof *a);
    a->open = open;
    memcpy(a->secret, secret, sizeof a->secret);
    crypto_generichash(name, sizeof name, (const unsigned char *)"name", 4, secret,
                       AUTH_SECRET_BYTES);
    snprintf(a->cookie, sizeof a->cookie, "darkroom_%02x%02x%02x%02x", name[0], name[1], name[2],
             name[3]);
    randombytes_buf(&seed, sizeof seed);
    guesses_init(&a->guesses, seed);
}

void auth_free(struct auth *a)
{
    users_free(&a->rows);
    sodium_memzero(a->secret, sizeof a->secret);
}

void auth_users(struct auth *a, struct user_rows *rows)
{
    users_free(&a->rows);
    a->rows = *rows;
    *rows = (struct user_rows){.n = 0};
}

bool auth_needed(const struct auth *a)
{
    return a->rows.n > 0 || (a->rows.ever && !a->open);
}

static uint64_t mark_of(const struct auth *a, int i)
{
    uint64_t mark;

    memcpy(&mark, a->rows.token[i], sizeof mark);
    return mark;
}

static struct auth_who who_at(const struct auth *a, int i)
{
    return (struct auth_who){.user = a->rows.user[i].id, .mark = mark_of(a, i)};
}

static int index_of(const struct auth *a, uint32_t id)
{
    for (int i = 0; i < a->rows.n; i++)
        if (a->rows.user[i].id == id) return i;
    return -1;
}

/* Of a guest there is always one: NULL would be everybody. */
const struct user *auth_user(const struct auth *a, const struct auth_who *who)
{
    static const struct user guest = {.id = USER_GUEST, .role = ROLE_GUEST, .weight = 1};
    int i = who->user == USER_NONE ? -1 : index_of(a, who->user);

    if (who->shared) return &guest;
    return i >= 0 && mark_of(a, i) == who->mark ? &a->rows.user[i] : NULL;
}

bool auth_holds(const struct auth *a, const struct auth_who *who)
{
    if (who->shared) return a->hub && hub_shares(a->hub, who->shared, who->mark);
    return who->user == USER_NONE ? !auth_needed(a) : auth_user(a, who) != NULL;
}

/* --- what is told ----------------------------------------------------------------------------- */

void auth_unknown(struct fail *f)
{
    fail_set(f, ERR_UNAUTHORIZED, "This server must know who you are.");
    fail_advise(f, "Send your token: as header `Authorization: Bearer dr_...`, as the password of "
                   "HTTP Basic with any name, or as the first message "
                   "{\"type\":\"auth\",\"token\":\"dr_...\"} within 5 seconds; "
                   "or sign in on the page.");
}

static void wrong(struct auth *a, const struct address *from, int64_t now, const char *message,
                  const char *hint, struct auth_result *r)
{
    int64_t wait_us = guesses_fail(&a->guesses, from, now);

    r->wrong = true;
    if (wait_us > 0) {
        fail_set(&r->why, ERR_RATE_LIMITED, "Too many wrong tokens came from your address.");
        r->why.retry_after_ms = (wait_us + 999) / 1000;
    } else {
        fail_set(&r->why, ERR_UNAUTHORIZED, "%s", message);
        fail_advise(&r->why, "%s", hint);
    }
}

/* --- a token ---------------------------------------------------------------------------------- */

/* Which user's it is, -1: nobody's. Takes as long for one as for another. */
static int find_token(const struct auth *a, const char *text, size_t len)
{
    uint8_t hash[TOKEN_HASH_BYTES];
    int found = -1;

    token_hash(text, len, hash);
    for (int i = 0; i < a->rows.n; i++)
        if (sodium_memcmp(hash, a->rows.token[i], sizeof hash) == 0) found = i;
    sodium_memzero(hash, sizeof hash);
    return found;
}

static void check_shared(struct auth *a, const char *text, size_t len, const struct address *from,
                         int64_t now, struct auth_result *r)
{
    uint8_t hash[TOKEN_HASH_BYTES];
    struct auth_who who = {.user = USER_GUEST};

    token_hash(text, len, hash);
    if (a->hub) who.shared = hub_shared(a->hub, now, hash, &who.mark);
    sodium_memzero(hash, sizeof hash);
    if (!who.shared) {
        wrong(a, from, now, "What this address showed is not shared here, or not any more.",
              "Ask who gave it to you for a new one.", r);
        return;
    }
    r->known = true;
    r->who = who;
}

static void check_token(struct auth *a, const char *text, size_t len, const struct address *from,
                        int64_t now, struct auth_result *r)
{
    int i;

    if (token_formed_shared(text, len)) {
        check_shared(a, text, len, from, now, r);
        return;
    }
    if (!token_formed(text, len)) {
        wrong(a, from, now, "That is no token of darkroom, or a mistyped one.",
              "A token is dr_ and 49 letters and digits; copy all of it.", r);
        return;
    }
    i = find_token(a, text, len);
    if (i < 0) {
        wrong(a, from, now, "This token is not known here, or not any more.",
              "Ask the administrator of this server for a new one.", r);
        return;
    }
    r->known = r->token = true;
    r->who = who_at(a, i);
}

/* --- the cookie ------------------------------------------------------------------------------- */

static void sign(const struct auth *a, uint32_t user, const uint8_t token[TOKEN_HASH_BYTES],
                 uint8_t mac[MAC_BYTES])
{
    uint8_t text[6 + 4 + TOKEN_HASH_BYTES] = "cookie";

    for (int i = 0; i < 4; i++)
        text[6 + i] = (uint8_t)(user >> 8 * i);
    memcpy(text + 10, token, TOKEN_HASH_BYTES);
    crypto_generichash(mac, MAC_BYTES, text, sizeof text, a->secret, AUTH_SECRET_BYTES);
}

/* "17.<64 hex digits>" as auth_cookie() writes it: which user's, or -1. */
static int check_value(const struct auth *a, const char *text, size_t len)
{
    uint8_t mac[MAC_BYTES], got[MAC_BYTES];
    uint64_t id = 0;
    size_t n = 0;
    int i;

    for (; n < len && n < 10 && text[n] >= '0' && text[n] <= '9'; n++)
        id = id * 10 + (uint64_t)(text[n] - '0');
    if (!n || len != n + MAC_TEXT || text[n] != '.' || id > UINT32_MAX) return -1;
    if (sodium_hex2bin(got, sizeof got, text + n + 1, MAC_TEXT - 1, NULL, NULL, NULL)) return -1;
    i = index_of(a, (uint32_t)id);
    if (i < 0) return -1;
    sign(a, (uint32_t)id, a->rows.token[i], mac);
    return sodium_memcmp(mac, got, sizeof mac) == 0 ? i : -1;
}

/* All cookies of our name in one header; a browser may hold one for each path. */
static int check_cookies(const struct auth *a, const char *header)
{
    size_t name = strlen(a->cookie);

    while (*header) {
        size_t n;
        int i;

        header += strspn(header, "; \t");
        n = strcspn(header, "; \t");
        if (n > name && header[name] == '=' && memcmp(header, a->cookie, name) == 0) {
            i = check_value(a, header + name + 1, n - name - 1);
            if (i >= 0) return i;
        }
        header += n;
    }
    return -1;
}

void auth_cookie(const struct auth *a, const struct auth_who *who, const char *path, bool secure,
                 char out[AUTH_COOKIE_BYTES])
{
    int i = who->user == USER_NONE ? -1 : index_of(a, who->user);
    uint8_t mac[MAC_BYTES];
    char text[MAC_TEXT];

    *out = '\0';
    if (i < 0) return;
    sign(a, who->user, a->rows.token[i], mac);
    sodium_bin2hex(text, sizeof text, mac, sizeof mac);
    snprintf(out, AUTH_COOKIE_BYTES,
             "%s=%" PRIu32 ".%s; Path=%.100s; Max-Age=%d; HttpOnly; SameSite=Strict%s", a->cookie,
             who->user, text, path, COOKIE_DAYS * DAY_SECONDS, secure ? "; Secure" : "");
}

void auth_cookie_end(const struct auth *a, const char *path, char out[AUTH_COOKIE_BYTES])
{
    snprintf(out, AUTH_COOKIE_BYTES, "%s=; Path=%.100s; Max-Age=0; HttpOnly; SameSite=Strict",
             a->cookie, path);
}

/* --- a request -------------------------------------------------------------------------------- */

/* What follows this scheme, which is in lower case; NULL: there is none, or another one. */
static const char *after(const char *authorization, const char *scheme)
{
    size_t n = strlen(scheme);

    if (strncasecmp(authorization, scheme, n) != 0) return NULL;
    if (authorization[n] && authorization[n] != ' ' && authorization[n] != '\t') return NULL;
    return authorization + n + strspn(authorization + n, " \t");
}

static bool is_meant(const char *token)
{
    return strncmp(token, TOKEN_PREFIX, sizeof TOKEN_PREFIX - 1) == 0
           || strncmp(token, TOKEN_SHARED, sizeof TOKEN_SHARED - 1) == 0;
}

/* The password of Basic when it is meant as a token, else NULL: it is a proxy's. */
static const char *password(const char *credentials, char out[BASIC_BYTES])
{
    const char *colon;
    size_t n;

    if (sodium_base642bin((unsigned char *)out, BASIC_BYTES - 1, credentials, strlen(credentials),
                          NULL, &n, NULL, sodium_base64_VARIANT_ORIGINAL))
        return NULL;
    out[n] = '\0';
    colon = memchr(out, ':', n);
    if (!colon || strlen(colon) != (size_t)(out + n - colon)) return NULL;
    return is_meant(colon + 1) ? colon + 1 : NULL;
}

/* What gradio_client's argument `token` becomes; one that it found by itself is not for us. */
static const char *of_gradio(const struct head *h)
{
    const char *token = after(head_value(h, "x-hf-authorization"), "bearer");

    return token && is_meant(token) ? token : NULL;
}

/* The proxy has asked for a password, or whatever it knows users by. A name that is none here is
 * refused and not made a user: who may use this server is said in one place. */
static void check_name(const struct auth *a, const char *name, struct auth_result *r)
{
    for (int i = 0; i < a->rows.n && !r->known; i++) {
        if (strcmp(a->rows.user[i].name, name) != 0) continue;
        r->known = true;
        r->who = who_at(a, i);
    }
    if (r->known) return;
    r->wrong = true;
    fail_set(&r->why, ERR_UNAUTHORIZED, "'%.64s' may not use this server.", name);
    fail_advise(&r->why, "Its administrator adds users with `darkroom user add NAME`.");
}

void auth_head(struct auth *a, const struct head *h, const struct proxied *p, int64_t now,
               struct auth_result *r)
{
    const char *authorization = head_value(h, "authorization");
    const char *token = after(authorization, "bearer"), *basic = after(authorization, "basic");
    char decoded[BASIC_BYTES];

    *r = (struct auth_result){.known = !auth_needed(a)};
    if (r->known) return;
    auth_unknown(&r->why);
    if (basic) token = password(basic, decoded);
    if (!token) token = of_gradio(h);
    if (token) check_token(a, token, strlen(token), &p->from, now, r);
    if (basic) sodium_memzero(decoded, sizeof decoded);
    if (token) return;
    if (*p->user) {
        check_name(a, p->user, r);
        return;
    }
    for (int i = 0; i < h->fields && !r->known; i++) {
        int at = strcmp(h->field[i].name, "cookie") == 0 ? check_cookies(a, h->field[i].value) : -1;

        if (at < 0) continue;
        r->known = true;
        r->who = who_at(a, at);
    }
}

void auth_token(struct auth *a, const char *token, const struct address *from, int64_t now,
                struct auth_result *r)
{
    *r = (struct auth_result){.known = false};
    auth_unknown(&r->why);
    if (token_formed_shared(token, strlen(token)))
        fail_advise(&r->why, "A shared job is seen without signing in, at its own address.");
    else
        check_token(a, token, strlen(token), from, now, r);
}

/* --- a message -------------------------------------------------------------------------------- */

void auth_message(struct auth *a, const char *text, size_t len, const struct address *from,
                  int64_t now, struct auth_result *r)
{
    struct fail f;
    json_t *root = text_parse(text, len, LIMIT_MESSAGE_BYTES, &f);
    const char *type = json_string_value(json_object_get(root, "type"));
    const json_t *token = json_object_get(root, "token");

    *r = (struct auth_result){.known = !auth_needed(a)};
    auth_unknown(&r->why);
    if (!r->known && type && strcmp(type, "auth") == 0) {
        const char *value = json_string_value(token);

        check_token(a, value ? value : "", value ? json_string_length(token) : 0, from, now, r);
    }
    json_decref(root);
}
