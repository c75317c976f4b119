/* handshake - every header is compared as a whole; nothing that was not expected is let through. */
#include "server/net/handshake.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

/* "[::1]:80" → "::1", "name:80" → "name", lower case; false when it does not fit or is odd */
static bool host_name(const char *host, char *out, size_t bytes)
{
    size_t n;
    bool bracket = *host == '[';
    if (bracket) host++;
    n = strcspn(host, bracket ? "]" : ":");
    const char *rest = host + n;
    if (bracket && *rest++ != ']') return false;
    if (*rest == ':') rest += 1 + strspn(rest + 1, "0123456789");
    if (!n || n >= bytes || *rest) return false;
    for (size_t i = 0; i < n; i++)
        out[i] = (char)tolower((unsigned char)host[i]);
    out[n] = 0;
    return true;
}

/* Calls for each item of a comma separated list, without the blanks around it. */
static bool listed(const char *list, bool (*is)(const char *item, size_t n, const char *what),
                   const char *what)
{
    while (list && *list) {
        list += strspn(list, " ,\t");
        size_t n = strcspn(list, ","), end = n;
        while (end && (list[end - 1] == ' ' || list[end - 1] == '\t'))
            end--;
        if (end && is(list, end, what)) return true;
        list += n;
    }
    return false;
}

static bool same_text(const char *item, size_t n, const char *what)
{
    return strlen(what) == n && strncmp(item, what, n) == 0;
}

static bool same_origin(const char *item, size_t n, const char *what)
{
    return strlen(what) == n && strncasecmp(item, what, n) == 0;
}

static bool origin_has_host(const char *item, size_t n, const char *what)
{
    const char *at = memmem(item, n, "://", 3);
    size_t len = strlen(what);
    if (!at) return false;
    at += 3;
    return (size_t)(item + n - at) == len && strncasecmp(at, what, len) == 0;
}

bool handshake_host(const struct handshake_rules *g, const char *host)
{
    char name[256];
    if (!host_name(host, name, sizeof name)) return false;
    if (g->open) return true;
    return strcmp(name, "localhost") == 0 || strcmp(name, "127.0.0.1") == 0
           || strcmp(name, "::1") == 0 || strcmp(name, g->host) == 0
           || listed(g->origins, origin_has_host, host);
}

bool handshake_origin(const struct handshake_rules *g, const char *origin, const char *host)
{
    if (!*origin) return true;
    size_t n = strncmp(origin, "https://", 8) == 0 ? 8 : strncmp(origin, "http://", 7) == 0 ? 7 : 0;
    if (n && *host && strcasecmp(origin + n, host) == 0) return true;
    return listed(g->origins, same_origin, origin);
}

/* 16 bytes in base64: 22 characters and two signs of equality */
static bool key_is_right(const char *key)
{
    static const char set[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    return strlen(key) == 24 && strspn(key, set) == 22 && strcmp(key + 22, "==") == 0;
}

static bool same_token(const char *item, size_t n, const char *what)
{
    return strlen(what) == n && strncasecmp(item, what, n) == 0;
}

/* A name that could choose one of libwebsockets' other protocols of this server. */
static bool is_inner(const char *item, size_t n, const char *what)
{
    (void)what;
    return n > 9 && strncmp(item, "darkroom-", 9) == 0;
}

static int refuse(struct fail *f, enum err code, int status, const char *message)
{
    fail_set(f, code, "%s", message);
    return status;
}

int handshake_check(const struct handshake_rules *g, const struct handshake *s, struct fail *f)
{
    const enum err bad = ERR_BAD_REQUEST;
    if (!handshake_host(g, s->host))
        return refuse(f, ERR_FORBIDDEN, 403, "This Host is not served here.");
    if (!handshake_origin(g, s->origin, s->host))
        return refuse(f, ERR_FORBIDDEN, 403, "Pages of this Origin may not connect.");
    if (strcmp(s->path, HANDSHAKE_PATH) != 0)
        return refuse(f, ERR_NOT_FOUND, 404, "WebSockets are at " HANDSHAKE_PATH ".");
    if (strcmp(s->method, "GET") != 0) return refuse(f, bad, 400, "A WebSocket begins with GET.");
    if (strcasecmp(s->upgrade, "websocket") != 0)
        return refuse(f, bad, 400, "The only upgrade is to websocket.");
    if (!listed(s->connection, same_token, "upgrade"))
        return refuse(f, bad, 400, "The header Connection must hold Upgrade.");
    if (strcmp(s->version, "13") != 0)
        return refuse(f, bad, 400, "Sec-WebSocket-Version must be 13.");
    if (!key_is_right(s->key))
        return refuse(f, bad, 400, "Sec-WebSocket-Key must be 16 bytes in base64.");
    if (!listed(s->protocols, same_text, HANDSHAKE_SUBPROTOCOL)
        || listed(s->protocols, is_inner, ""))
        return refuse(f, bad, 400, "Sec-WebSocket-Protocol must be " HANDSHAKE_SUBPROTOCOL ".");
    return 0;
}
