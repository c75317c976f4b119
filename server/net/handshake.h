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
    bool open;           /* any Host will do: names of the machine are not known here */
};

/* Host header against DNS rebinding: loopback names and the address itself, with any port (there may be
 * a tunnel), or a listed origin's host. Empty: refused. */
bool handshake_host(const struct handshake_rules *, const char *host);
/* Origin header: none (no browser), the one of the Host, or a listed one. */
bool handshake_origin(const struct handshake_rules *, const char *origin, const char *host);

/* What a client sent to become a WebSocket; missing headers are "". */
struct handshake {
    const char *method, *path, *upgrade, *connection, *version, *key, *protocols, *host, *origin;
};
/* 0, or the HTTP status of a refusal (400, 403, 404) with the reason in f. */
int handshake_check(const struct handshake_rules *, const struct handshake *, struct fail *f);

#endif
