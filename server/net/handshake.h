/* handshake - who may open a WebSocket: Host and Origin, and the form of the opening request.
 *
 * libwebsockets upgrades almost anything: any Origin, POST, version 8, a three-byte key, no
 * subprotocol. What is acceptable is decided here, on plain strings. Thread: any, no state. */
#ifndef SERVER_NET_HANDSHAKE_H
#define SERVER_NET_HANDSHAKE_H

#include "proto/fail.h"

#include <stdbool.h>

#define HANDSHAKE_PATH        "/ws"
#define HANDSHAKE_SUBPROTOCOL "darkroom.v1"

struct handshake_rules {
    const char *host;    /* as it was asked to listen on */
    const char *origins; /* further origins, comma separated, or NULL */
    bool open;           /* others reach this machine under its own names and addresses */
    const char *own;     /* this machine's name, or NULL */
};

/* Can every item of the list match an Origin that a browser sends? "https://name" or
 * "http://name:port", without a path, a pattern, or the scheme's own port. 0 or ERR_USAGE. */
int handshake_origins(const char *list, struct fail *f);

/* Host header against DNS rebinding (a page of a stranger whose name is made to point here):
 * loopback names and the address itself, with any port (there may be a tunnel), or a listed
 * origin's host. With `open` also every numeric address, this machine's own name, and names
 * without a dot, which public DNS never resolves. Empty: refused. */
bool handshake_host(const struct handshake_rules *, const char *host);
/* Origin header: none (no browser), the one of the Host, or a listed one. */
bool handshake_origin(const struct handshake_rules *, const char *origin, const char *host);

/* Is it one of the listed ones, whose pages may read what is answered here? */
bool handshake_listed(const struct handshake_rules *, const char *origin);

/* 0, or 403 with what came and how to allow it in f (its field is "Host"). */
int handshake_check_host(const struct handshake_rules *, const char *host, struct fail *f);

/* The same for the Origin of a request that changes something. */
int handshake_check_origin(const struct handshake_rules *, const char *origin, const char *host,
                           struct fail *f);

/* What a client sent to become a WebSocket; missing headers are "". */
struct handshake {
    const char *method, *path, *upgrade, *connection, *version, *key, *protocols, *host, *origin;
    bool old; /* HTTP/1.0 */
};
/* 0, or the HTTP status of a refusal (400, 403, 404) with the reason in f; its field is the
 * header that a proxy in between is known to spoil ("Host", "Origin", "Upgrade"), or "". */
int handshake_check(const struct handshake_rules *, const struct handshake *, struct fail *f);
/* A plain request for the WebSocket's path: the reason, as far as it can be known. */
void handshake_missing(bool old, struct fail *f);

#endif
