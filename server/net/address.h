/* address - an IPv4 or IPv6 address with its port: parsed, printed, compared. Thread: any, no
 * state. */
#ifndef SERVER_NET_ADDRESS_H
#define SERVER_NET_ADDRESS_H

#include "proto/fail.h"

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

struct address {
    struct sockaddr_storage at;
    socklen_t len;
};

/* A numeric address or "localhost". ERR_USAGE. */
int address_parse(const char *host, int port, struct address *out, struct fail *f);
bool address_local(const struct address *); /* of this machine alone; a unix socket's is */
int address_port(const struct address *);
bool address_same(const struct address *, const struct address *); /* with port */
bool address_same_host(const struct address *, const struct address *);
/* A number for the machine, not 0; of IPv6 the first 64 bits, as a client has all addresses behind
 * them. */
uint64_t address_number(const struct address *);
/* "127.0.0.1" or "[::1]", as a URL wants it; "unix". */
void address_text(const struct address *, char *out, size_t bytes);

/* Listening where others can reach it needs users, or --open. 0 or ERR_USAGE. */
int address_exposure(const struct address *, bool allowed, struct fail *f);

#endif
