/* handshake - every header is compared as a whole; nothing that was not expected is let through. */
#include "server/net/handshake.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* "[::1]:80" → "::1", "name:80" → "name", lower case; false when it does not fit or is odd */
static bool host_name(const char *host, char *out, size_t bytes)
{
    size_t n;
    bool bracket = *host == '[';
    const char *rest;

    if (bracket) host++;
    n = strcspn(host, bracket ? "]" : ":");
    rest = host + n;
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
        size_t n, end;

        list += strspn(list, " ,\t");
        n = strcspn(list, ",");
        end = n;
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

/* --- --origins -------------------------------------------------------------------------------- */

/* Browsers write a numeric address in one way, whatever was typed. */
static bool is_written_so(int family, const char *name)
{
    struct in6_addr ip;
    char text[INET6_ADDRSTRLEN] = "";

    if (inet_pton(family, name, &ip) != 1) return false;
    if (family == AF_INET6 && (IN6_IS_ADDR_V4MAPPED(&ip) || IN6_IS_ADDR_V4COMPAT(&ip)))
        return !strchr(name, '.'); /* which inet_ntop would write */
    return strcmp(inet_ntop(family, &ip, text, sizeof text), name) == 0;
}

/* The name alone, in small letters. */
static const char *name_fault(const char *name, bool bracket)
{
    static const char set[] = "abcdefghijklmnopqrstuvwxyz0123456789-_.";
    const char *last = strrchr(name, '.');

    for (const char *c = name; *c; c++)
        if ((unsigned char)*c > 127)
            return "browsers send such a name in letters of ASCII, as xn--..";
    last = last ? last + 1 : name;
    if (bracket)
        return is_written_so(AF_INET6, name) ? NULL : "browsers write this address otherwise";
    if (name[strspn(name, set)] || *name == '.' || strstr(name, "..")) return "that is no name";
    if (*last && !last[strspn(last, "0123456789")] && !is_written_so(AF_INET, name))
        return "browsers write this address otherwise";
    return NULL;
}

/* ":8080", or "" */
static const char *port_fault(const char *port)
{
    size_t digits = *port ? strlen(port + 1) : 1;

    if (!digits) return "its port is missing";
    if (port[0] && (port[1] == '0' || digits > 5 || strtol(port + 1, NULL, 10) > 65535))
        return "its port is not one";
    return NULL;
}

/* "name", "name:80" or "[::1]:80" that is written as a browser writes it */
static const char *host_fault(const char *host, const char *own_port)
{
    size_t port = strlen(own_port), n = strlen(host);
    bool bracket = *host == '[';
    char name[256];
    const char *fault;

    if (strpbrk(host, "/?#")) return "it ends with a path or a slash";
    if (strpbrk(host, "* ")) return "there are no patterns: name each origin";
    if (strchr(host, '@')) return "browsers leave out the user";
    if (!host_name(host, name, sizeof name)) return "its name or port is not one";
    fault = name_fault(name, bracket);
    if (!fault) fault = port_fault(bracket ? strchr(host, ']') + 1 : host + strcspn(host, ":"));
    if (fault) return fault;
    if (n > port && strcmp(host + n - port, own_port) == 0 && host[n - port - 1] != ':')
        return "browsers leave out the port that its scheme has anyway";
    return NULL;
}

/* Why no browser sends this Origin; NULL: one does. */
static const char *origin_fault(const char *origin)
{
    if (strncmp(origin, "https://", 8) == 0) return host_fault(origin + 8, ":443");
    if (strncmp(origin, "http://", 7) == 0) return host_fault(origin + 7, ":80");
    return "it must begin with https:// or http://";
}

int handshake_origins(const char *list, struct fail *f)
{
    while (list && *list) {
        char item[256];
        const char *fault;
        size_t n, end;

        list += strspn(list, " ,\t");
        n = end = strcspn(list, ",");
        while (end && (list[end - 1] == ' ' || list[end - 1] == '\t'))
            end--;
        snprintf(item, sizeof item, "%.*s", (int)(end < sizeof item ? end : sizeof item - 1), list);
        fault = end >= sizeof item ? "it is too long" : end ? origin_fault(item) : NULL;
        if (fault) {
            fail_set(f, ERR_USAGE, "--origins: '%.100s' can never match: %s.", item, fault);
            return fail_advise(f,
                               "Write it as the address bar shows it up to the path, for example "
                               "https://pictures.example.org or http://box:8080.");
        }
        list += n;
    }
    return 0;
}

/* --- Host and Origin -------------------------------------------------------------------------- */

static bool numeric(const char *name)
{
    struct in6_addr v6;
    struct in_addr v4;

    return inet_pton(AF_INET, name, &v4) == 1 || inet_pton(AF_INET6, name, &v6) == 1;
}

/* Is it a name of this machine's own, or one that no stranger's DNS can answer for? */
static bool own_name(const struct handshake_rules *g, const char *name)
{
    size_t n = g->own ? strlen(g->own) : 0;

    if (numeric(name) || !strchr(name, '.')) return true;
    if (!n || strncasecmp(name, g->own, n) != 0) return false;
    return !name[n] || strcmp(name + n, ".local") == 0;
}

bool handshake_host(const struct handshake_rules *g, const char *host)
{
    char name[256];

    if (!host_name(host, name, sizeof name)) return false;
    if (g->open && own_name(g, name)) return true;
    return strcmp(name, "localhost") == 0 || strcmp(name, "127.0.0.1") == 0
           || strcmp(name, "::1") == 0 || strcmp(name, g->host) == 0
           || listed(g->origins, origin_has_host, host);
}

bool handshake_origin(const struct handshake_rules *g, const char *origin, const char *host)
{
    size_t n;

    if (!*origin) return true;
    n = strncmp(origin, "https://", 8) == 0 ? 8 : strncmp(origin, "http://", 7) == 0 ? 7 : 0;
    if (n && *host && strcasecmp(origin + n, host) == 0) return true;
    return listed(g->origins, same_origin, origin);
}

bool handshake_listed(const struct handshake_rules *g, const char *origin)
{
    return *origin && listed(g->origins, same_origin, origin);
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

int handshake_check_host(const struct handshake_rules *g, const char *host, struct fail *f)
{
    if (handshake_host(g, host)) return 0;
    if (!*host) {
        fail_field(f, ERR_FORBIDDEN, "Host", "A header Host is needed.");
        return 403;
    }
    fail_field(f, ERR_FORBIDDEN, "Host", "The Host '%.100s' is not served here.", host);
    fail_advise(
        f,
        "If it is yours, start the server with --origins https://%.100s (or http://, as the "
        "page is opened), or let the proxy send a Host that is served.",
        host);
    return 403;
}

int handshake_check_origin(const struct handshake_rules *g, const char *origin, const char *host,
                           struct fail *f)
{
    if (handshake_origin(g, origin, host)) return 0;
    fail_field(f, ERR_FORBIDDEN, "Origin",
               "Pages of the Origin '%.100s' may not connect to the Host "
               "'%.80s'.",
               origin, host);
    fail_advise(
        f,
        "If a proxy in between replaces Host, let it pass the Host on; else start the server "
        "with --origins %.100s.",
        origin);
    return 403;
}

static int refuse(struct fail *f, const char *message)
{
    fail_set(f, ERR_BAD_REQUEST, "%s", message);
    return 400;
}

void handshake_missing(bool old, struct fail *f)
{
    if (old)
        fail_field(f, ERR_BAD_REQUEST, "Upgrade",
                   "A WebSocket begins with HTTP/1.1, and HTTP/1.0 came.");
    else
        fail_field(f, ERR_BAD_REQUEST, "Upgrade",
                   "This address speaks WebSocket (" HANDSHAKE_SUBPROTOCOL
                   "), and no header Upgrade: websocket came.");
    fail_advise(
        f, "A proxy in between must speak HTTP/1.1 to this server and pass on the headers Upgrade "
           "and Connection; programs connect as PROTOCOL.md shows.");
}

int handshake_check(const struct handshake_rules *g, const struct handshake *s, struct fail *f)
{
    int status = handshake_check_host(g, s->host, f);

    if (!status) status = handshake_check_origin(g, s->origin, s->host, f);
    if (status) return status;
    if (strcmp(s->path, HANDSHAKE_PATH) != 0) {
        fail_set(f, ERR_NOT_FOUND, "WebSockets are at " HANDSHAKE_PATH ".");
        return 404;
    }
    if (strcmp(s->method, "GET") != 0) return refuse(f, "A WebSocket begins with GET.");
    if (s->old) {
        handshake_missing(true, f);
        return 400;
    }
    if (strcasecmp(s->upgrade, "websocket") != 0)
        return refuse(f, "The only upgrade is to websocket.");
    if (!listed(s->connection, same_token, "upgrade")) {
        refuse(f, "The header Connection must hold Upgrade.");
        fail_advise(f, "A proxy in between must pass it on.");
        return 400;
    }
    if (strcmp(s->version, "13") != 0) return refuse(f, "Sec-WebSocket-Version must be 13.");
    if (!key_is_right(s->key)) return refuse(f, "Sec-WebSocket-Key must be 16 bytes in base64.");
    if (!listed(s->protocols, same_text, HANDSHAKE_SUBPROTOCOL)
        || listed(s->protocols, is_inner, ""))
        return refuse(f, "Sec-WebSocket-Protocol must be " HANDSHAKE_SUBPROTOCOL ".");
    return 0;
}
