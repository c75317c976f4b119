/* commands - executes the commands of a connection and answers each exactly once, in their order.
 *
 * Errors go into the answer; a client whose answer cannot be allocated is broken (client.h).
 * Thread: the loop's. */
#ifndef SERVER_CORE_COMMANDS_H
#define SERVER_CORE_COMMANDS_H

#include "server/core/core.h"

/* One message of a client: decode and execute it. */
void commands_text(struct hub *, int64_t now, struct client *, const char *text, size_t len);
/* The same for a message that is read already. */
void commands_json(struct hub *, int64_t now, struct client *, const json_t *message);
/* Execute a command; takes its spec. */
void commands_obey(struct hub *, int64_t now, struct client *, struct command *);
/* Answer with an error about a message that is not decoded, or about no message (NULL). */
void commands_error(struct hub *, struct client *, const struct command *about,
                    const struct fail *);

#endif
