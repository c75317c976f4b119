/* listen - the listening socket and what is set on each connection taken from it.
 *
 * The socket is made here, not by libwebsockets, whose `iface` may bind more than the address
 * given: the address is checked with getsockname() before anything is served. Thread: the
 * loop's. */
#ifndef SERVER_NET_LISTEN_H
#define SERVER_NET_LISTEN_H

#include "proto/fail.h"
#include "server/net/address.h"

/* Bind and listen on an address; port 0 takes a free one. *at becomes the real address. *fd is the
 * caller's. ERR_IO, with what to do when the port is taken. */
int listen_open(struct address *at, int *fd, struct fail *f);

/* The same on a unix socket, whose file has mode 0660; a file that is left of a server that is gone
 * is replaced. ERR_IO, ERR_USAGE (the path is too long). */
int listen_unix(const char *path, int *fd, struct fail *f);

/* The next waiting connection, or -1 when there is none. When descriptors run out, the
 * connection is taken and closed with the help of the spare one, so that the loop does not spin
 * on it. */
int listen_accept(int fd, int *spare, struct address *from);

/* Raise the soft limit of descriptors to hold `connections`; returns how many connections fit. */
int listen_room(int connections);

#endif
