/* handshake - who may connect: the address that is listened on, Host and Origin, and the handshake's form.
 *
 * libwebsockets upgrades almost anything: any Origin, POST, version 8, a three-byte key, no
 * subprotocol. What is acceptable is decided here, on plain strings. Thread: any, no state. */
#ifndef SERVER_NET_HANDSHAKE_H
#define SERVER_NET_HANDSHAKE_H

#include "proto/fail.h"

#include <netinet/in.h>
#include <stdbool.h>
#include <sys/socket.h>

#define GUARD_PATH        "/ws"
#define GUARD_SUBPROTOCOL "darkroom.v1"

struct guard_address {
    struct sockaddr_storage at;
    socklen_t len;
};

/* A numeric address or "localhost". ERR_USAGE. */
int guard_address_parse(const char *host, int port, struct guard_address *out, struct fail *f);
bool guard_address_local(const struct guard_address *); /* reachable from this machine alone */
int guard_address_port(const struct guard_address *);
bool guard_address_same(const struct guard_address *, const struct guard_address *); /* with port */
bool guard_address_same_host(const struct guard_address *, const struct guard_address *);
/* "127.0.0.1" or "[::1]", as a URL wants it. */
void guard_address_text(const struct guard_address *, char *out, size_t bytes);

/* Listening where others can reach it needs --open, as there are no tokens. 0 or ERR_USAGE. */
int guard_exposure(const struct guard_address *, bool open, struct fail *f);

struct guard {
    const char *host;    /* as it was asked to listen on */
    const char *origins; /* further origins, comma separated, or NULL */
    bool open;           /* any Host will do: names of the machine are not known here */
};

/* Host header against DNS rebinding: loopback names and the address itself, with any port (there may be
 * a tunnel), or a listed origin's host. Empty: refused. */
bool guard_host(const struct guard *, const char *host);
/* Origin header: none (no browser), the one of the Host, or a listed one. */
bool guard_origin(const struct guard *, const char *origin, const char *host);

/* What a client sent to become a WebSocket; missing headers are "". */
struct guard_shake {
    const char *method, *path, *upgrade, *connection, *version, *key, *protocols, *host, *origin;
};
/* 0, or the HTTP status of a refusal (400, 403, 404) with the reason in f. */
int guard_upgrade(const struct guard *, const struct guard_shake *, struct fail *f);

#endif
