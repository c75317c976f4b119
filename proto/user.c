/* user - names of roles and lanes, and the values of a new user. */
#include "proto/user.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

static const char *const ROLE[ROLES] = {"viewer", "user", "admin"};
const char *const USER_LANES[LANES] = {"urgent", "normal", "batch"};

void user_defaults(struct user *u)
{
    *u = (struct user){
        .role = ROLE_USER, .lanes = 1U << LANE_NORMAL | 1U << LANE_BATCH, .weight = 1};
}

void user_everybody(struct user *u)
{
    *u = (struct user){.role = ROLE_ADMIN, .lanes = (1U << LANES) - 1, .weight = 1};
}

static bool is_alphanumeric(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

bool user_name_valid(const char *name)
{
    size_t len = strlen(name);

    if (len > LIMIT_USER_BYTES || !is_alphanumeric(name[0])) return false;
    for (size_t i = 0; i < len; i++)
        if (!is_alphanumeric(name[i]) && !strchr("._-@", name[i])) return false;
    return true;
}

const char *user_role_name(enum user_role role)
{
    if (role == ROLE_GUEST) return "guest";
    assert((int)role >= 0 && role < ROLES);
    return ROLE[role];
}

int user_role_parse(const char *name)
{
    for (int i = 0; i < ROLES; i++)
        if (strcmp(ROLE[i], name) == 0) return i;
    return -1;
}

/* The lane that the len bytes at s name, -1: none. */
static int find_lane(const char *s, size_t len)
{
    for (int i = 0; i < LANES; i++)
        if (strlen(USER_LANES[i]) == len && memcmp(USER_LANES[i], s, len) == 0) return i;
    return -1;
}

int user_lanes_parse(const char *list, unsigned *lanes, struct fail *f)
{
    *lanes = 0;
    for (const char *s = list;; s++) {
        size_t len = strcspn(s, ",");
        int lane = find_lane(s, len);

        if (lane < 0) {
            fail_set(f, ERR_USAGE, "\"%.*s\" is no lane", len < 40 ? (int)len : 40, s);
            return fail_advise(f, "Use urgent, normal and batch, with commas between them.");
        }
        *lanes |= 1U << lane;
        s += len;
        if (!*s) return 0;
    }
}

const char *user_lanes_text(unsigned lanes, char *out, size_t bytes)
{
    size_t len = 0;

    assert(bytes > 0);
    *out = '\0';
    for (int i = 0; i < LANES && len < bytes; i++)
        if (lanes & 1U << i)
            len += (size_t)snprintf(out + len, bytes - len, "%s%s", len ? "," : "", USER_LANES[i]);
    return out;
}
