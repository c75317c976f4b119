/* hosts - to which hosts the server may post, and which addresses a name may lead to.
 *
 *   --webhook-hosts hooks.example.org,build.lan:8080:private,10.0.0.5:9000
 *
 * An item is NAME[:PORT][:private] or ADDRESS[:PORT]; an IPv6 address stands in brackets. Without a
 * port it is the scheme's own, 80 or 443. A name must lead to public addresses, unless it is marked
 * as private: else whoever controls the name would choose which machine of this network is asked.
 * An address in the list is meant as it is. Thread: any, no state. */
#ifndef SERVER_WEBHOOK_HOSTS_H
#define SERVER_WEBHOOK_HOSTS_H

#include "proto/fail.h"

#include <stdbool.h>
#include <sys/socket.h>

/* ERR_USAGE: an item that can never match. NULL: no list. */
int hosts_check(const char *list, struct fail *f);
/* May this address be posted to? *private: also when its host leads to a private address.
 * ERR_BAD_FIELD with field `webhook`; also when there is no list. */
int hosts_allow(const char *list, const char *url, bool *private, struct fail *f);
/* Is it an address of the internet: none of a private network, of this machine, of a link, of
 * several machines, or kept for a use of its own (RFC 6890)? */
bool hosts_public(const struct sockaddr *);

#endif
