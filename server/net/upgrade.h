/* upgrade - from HTTP to WebSocket: the request's headers are checked, a refusal is written.
 * Thread: the loop's. */
#ifndef SERVER_NET_UPGRADE_H
#define SERVER_NET_UPGRADE_H

#include "server/net/conn.h"

/* 0, or the HTTP status of a refusal with the reason in f. */
int upgrade_check(struct conn *, struct fail *f);
/* LWS_CALLBACK_HTTP_CONFIRM_UPGRADE: checks, and answers a refusal. What the callback returns. */
int upgrade_confirm(struct conn *);

#endif
