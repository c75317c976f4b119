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

#define HANDSHAKE_PATH        "/ws"
#define HANDSHAKE_SUBPROTOCOL "darkroom.v1"

struct address {
    struct sockaddr_storage at;
    socklen_t len;
};

/* A numeric address or "localhost". ERR_USAGE. */
int address_parse(const char *host, int port, struct address *out, struct fail *f);
bool address_local(const struct address *); /* reachable from this machine alone */
int address_port(const struct address *);
bool address_same(const struct address *, const struct address *); /* with port */
bool address_same_host(const struct address *, const struct address *);
/* "127.0.0.1" or "[::1]", as a URL wants it. */
void address_text(const struct address *, char *out, size_t bytes);

/* Listening where others can reach it needs --open, as there are no tokens. 0 or ERR_USAGE. */
int address_exposure(const struct address *, bool open, struct fail *f);

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
