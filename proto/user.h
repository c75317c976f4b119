/* user - the words for who uses a service: roles, lanes, and what is known of one user.
 *
 * Without users a service has one nameless user, USER_NONE, who may do everything. Thread: any, no
 * state. */
#ifndef PROTO_USER_H
#define PROTO_USER_H

#include "proto/fail.h"
#include "proto/limits.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Each may do what those before it may. */
enum user_role {
    ROLE_GUEST = -1, /* no user: came by a shared job's address, and sees that job alone */
    ROLE_VIEWER,     /* looks at what is shared with it; draws nothing */
    ROLE_USER,       /* draws, and sees what is its own */
    ROLE_ADMIN,      /* sees and cancels everybody's jobs, stops and starts the queue */
    ROLES
};

/* The order between jobs: those of an earlier lane go first (lanes.h of the core). */
enum user_lane { LANE_URGENT, LANE_NORMAL, LANE_BATCH, LANES };

#define USER_NONE  0U         /* the id that stands for no user */
#define USER_GUEST UINT32_MAX /* .. for all guests; owns nothing */

/* One user, as the store keeps it. */
struct user {
    uint32_t id; /* 1, 2, 3 ..; given once, also when the user is removed */
    char name[LIMIT_USER_BYTES + 1];
    enum user_role role;
    unsigned lanes;       /* bit l: may use lane l */
    double weight;        /* of its share of the devices, beside the other users' */
    int waiting, running; /* of its jobs at most; 0: no bound but the service's */
    int64_t disk_bytes;   /* of its pictures at most; 0: the same */
};

/* Values that a new user has: ROLE_USER, lanes normal and batch, weight 1, no bounds. id 0. */
void user_defaults(struct user *);
/* The user of a service without users: an admin in all lanes, without a name. */
void user_everybody(struct user *);

/* 1 to LIMIT_USER_BYTES letters, digits and . _ - @ (the first a letter or digit). */
bool user_name_valid(const char *name);

extern const char *const USER_LANES[LANES]; /* names on the wire */
const char *user_role_name(enum user_role);
int user_role_parse(const char *name); /* of a user: ROLE_VIEWER and up, -1 for another name */
/* "normal,batch": a list of lanes without blanks, at least one. 0 and *lanes, or ERR_USAGE. */
int user_lanes_parse(const char *list, unsigned *lanes, struct fail *f);
/* The same list of a set of lanes. */
const char *user_lanes_text(unsigned lanes, char *out, size_t bytes);

#endif
