/* auth - who is asking: from a token in a header or message, or the cookie that was given for one.
 *
 * A service without users asks nobody: all are USER_NONE. It becomes one with users by the first
 * that is added; when the last one is removed it stays closed, unless it was started with --open,
 * as a proxy before it may let strangers reach it.
 *
 * Of a request the first of these decides, and those behind it are not looked at:
 *   Authorization: Bearer dr_...   the scheme in any case; other schemes belong to proxies, but ..
 *   Authorization: Basic ..        .. a password that begins as a token is one, its name unread:
 *                                  programs there are that can send nothing else
 *   X-HF-Authorization: Bearer dr_...   of gradio_client, where its argument `token` goes; other
 *                                  tokens there are those of another service
 *   the name that a trusted proxy has asked for (proxy.h); it must be one of the users
 *   Cookie: darkroom_XXXXXXXX=...  the name differs by data folder, as cookies know no ports
 * A token drs_... is a shared job's: who has it is a guest, of the role ROLE_GUEST, and sees that
 * job alone (hub_shared()). It is given no cookie.
 * Every token is hashed and compared with those of all users in the same time. The cookie holds the
 * user's id and a hash of id and token with a secret key: it ends with the token, and does not
 * tell it. Wrong tokens are counted by address (guesses.h); wrong cookies are just none, since old
 * ones are no guesses. Nothing here writes to a log.
 * Owner: the loop. Time is an argument. */
#ifndef SERVER_NET_AUTH_H
#define SERVER_NET_AUTH_H

#include "server/core/hub.h"
#include "server/http/head.h"
#include "server/net/guesses.h"
#include "server/net/proxy.h"
#include "server/store/users.h"

#include <stdbool.h>
#include <stdint.h>

#define AUTH_SECRET_BYTES 32
#define AUTH_COOKIE_BYTES 320 /* of a Set-Cookie value */

struct auth {
    struct user_rows rows;
    bool open; /* --open */
    uint8_t secret[AUTH_SECRET_BYTES];
    char cookie[24];       /* its name */
    const struct hub *hub; /* which jobs are shared; NULL: none */
    struct guesses guesses;
};

/* A user as it has shown itself; holds until it is removed or gets another token. */
struct auth_who {
    uint32_t user;   /* USER_NONE: everybody; USER_GUEST: who may see .. */
    uint64_t shared; /* .. this job alone; 0: it is no guest */
    uint64_t mark;   /* of its token */
};

struct auth_result {
    bool known;
    bool token; /* by a token of its own, which may be changed for a cookie */
    bool wrong; /* a token came, and it is none of ours */
    struct auth_who who;
    struct fail why; /* not known: what to tell it, ERR_UNAUTHORIZED or ERR_RATE_LIMITED */
};

void auth_init(struct auth *, const uint8_t secret[AUTH_SECRET_BYTES], bool open);
void auth_free(struct auth *);
/* The users from now on; takes them. */
void auth_users(struct auth *, struct user_rows *);
/* Must one say who one is? */
bool auth_needed(const struct auth *);
/* NULL: everybody, or it is no user any more. */
const struct user *auth_user(const struct auth *, const struct auth_who *);
/* Is it still let in? */
bool auth_holds(const struct auth *, const struct auth_who *);

/* Who sent this request, from an address or through a proxy. */
void auth_head(struct auth *, const struct head *, const struct proxied *, int64_t now_us,
               struct auth_result *);
/* Who sent {"type":"auth","token":..} as its first message. */
void auth_message(struct auth *, const char *text, size_t len, const struct address *from,
                  int64_t now_us, struct auth_result *);

/* Whose token this is; a guest's is none. */
void auth_token(struct auth *, const char *token, const struct address *from, int64_t now_us,
                struct auth_result *);

/* What somebody is told who has not said who it is. */
void auth_unknown(struct fail *);

/* Values of Set-Cookie: signed in, and out. path: of the page. */
void auth_cookie(const struct auth *, const struct auth_who *, const char *path, bool secure,
                 char out[AUTH_COOKIE_BYTES]);
void auth_cookie_end(const struct auth *, const char *path, char out[AUTH_COOKIE_BYTES]);

#endif
