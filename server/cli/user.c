/* user - each verb opens the database, makes one change, and tells a server that runs. */
#include "server/cli/user.h"

#include "server/base/clock.h"
#include "server/cli/paths.h"
#include "server/store/users.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

struct verb {
    const char *name;
    bool makes; /* the data folder, when there is none yet */
    int (*run)(const struct options *, const char *data, sqlite3 *, struct fail *);
};

/* --- add, rotate ------------------------------------------------------------------------------ */

static int user_of(const struct options *o, struct user *u, struct fail *f)
{
    int role = o->role ? user_role_parse(o->role) : ROLE_USER;

    user_defaults(u);
    if (role < 0) {
        fail_set(f, ERR_USAGE, "--role: there is no role '%.40s'.", o->role);
        return fail_advise(f, "Use viewer, user or admin.");
    }
    u->role = (enum user_role)role;
    if (u->role == ROLE_ADMIN) u->lanes = (1U << LANES) - 1;
    u->weight = o->weight;
    u->waiting = o->waiting;
    u->running = o->running;
    u->disk_bytes = o->disk;
    snprintf(u->name, sizeof u->name, "%s", o->user);
    return o->lanes ? user_lanes_parse(o->lanes, &u->lanes, f) : 0;
}

static void show_token(const char *token)
{
    puts(token);
    fflush(stdout);
    fputs("This token is not shown again. Programs send it as `Authorization: Bearer TOKEN`; the "
          "page "
          "asks\nfor it, or signs in by itself at its address with #token=TOKEN behind it.\n",
          stderr);
}

static int run_add(const struct options *o, const char *data, sqlite3 *db, struct fail *f)
{
    struct user u;
    char token[TOKEN_TEXT], lanes[64];
    int err = user_of(o, &u, f);

    if (!err) err = users_add(db, &u, clock_unix_ms(), token, f);
    if (!err) {
        int told = users_announce(data, f);

        fprintf(stderr, "%s: role %s, lanes %s\n", u.name, user_role_name(u.role),
                user_lanes_text(u.lanes, lanes, sizeof lanes));
        show_token(token);
        err = told;
    }
    sodium_memzero(token, sizeof token);
    return err;
}

static int run_rotate(const struct options *o, const char *data, sqlite3 *db, struct fail *f)
{
    char token[TOKEN_TEXT];
    int err = users_rotate(db, o->user, token, f);

    if (!err) {
        int told = users_announce(data, f);

        fprintf(stderr, "%s: the old token and what was signed in with it are worth nothing now\n",
                o->user);
        show_token(token);
        err = told;
    }
    sodium_memzero(token, sizeof token);
    return err;
}

/* --- set -------------------------------------------------------------------------------------- */

static unsigned changes_of(const struct options *o)
{
    static const struct {
        const char *option;
        unsigned which;
    } CHANGES[] = {{"role", USERS_ROLE},       {"lanes", USERS_LANES},     {"weight", USERS_WEIGHT},
                   {"waiting", USERS_WAITING}, {"running", USERS_RUNNING}, {"disk", USERS_DISK}};
    unsigned which = 0;

    for (size_t i = 0; i < sizeof CHANGES / sizeof *CHANGES; i++)
        if (options_given(o, CHANGES[i].option)) which |= CHANGES[i].which;
    return which;
}

static int run_set(const struct options *o, const char *data, sqlite3 *db, struct fail *f)
{
    struct user u;
    unsigned which = changes_of(o);
    int err = user_of(o, &u, f);

    if (!err && !which) {
        fail_set(f, ERR_USAGE, "Nothing is to change.");
        return fail_advise(f, "Name it: --role, --lanes, --weight, --waiting, --running, --disk.");
    }
    if (!err) err = users_set(db, &u, which, f);
    if (!err) err = users_announce(data, f);
    if (!err) fprintf(stderr, "%s is changed; its token and its jobs stay\n", u.name);
    return err;
}

/* --- remove, list ----------------------------------------------------------------------------- */

static int run_remove(const struct options *o, const char *data, sqlite3 *db, struct fail *f)
{
    struct user_rows rows;
    int err = users_remove(db, o->user, clock_unix_ms(), f);

    if (!err) err = users_announce(data, f);
    if (err) return err;
    fprintf(stderr, "%s is removed; its waiting jobs are cancelled\n", o->user);
    if (users_read(db, &rows, NULL)) return 0;
    if (!rows.n)
        fputs(
            "No user is left: nobody can sign in before another `darkroom user add`. Only a server "
            "with\n--open lets everybody in again.\n",
            stderr);
    users_free(&rows);
    return 0;
}

/* A bound as it is given with an option. */
static const char *bound(int64_t n, char out[24])
{
    if (n)
        snprintf(out, 24, "%" PRId64, n);
    else
        snprintf(out, 24, "-");
    return out;
}

static void show_user(const struct user *u, int64_t created_ms)
{
    char lanes[64], waiting[24], running[24], disk[24], day[16] = "";
    time_t created = (time_t)(created_ms / 1000);
    struct tm tm;

    if (gmtime_r(&created, &tm)) strftime(day, sizeof day, "%Y-%m-%d", &tm);
    printf("%-24s %-7s %-20s %8g %8s %8s %14s  %s\n", u->name, user_role_name(u->role),
           user_lanes_text(u->lanes, lanes, sizeof lanes), u->weight, bound(u->waiting, waiting),
           bound(u->running, running), bound(u->disk_bytes, disk), day);
}

static int run_list(const struct options *o, const char *data, sqlite3 *db, struct fail *f)
{
    struct user_rows rows;
    int err = users_read(db, &rows, f);

    (void)o, (void)data;
    if (err) return err;
    if (!rows.n) fputs("There are no users.\n", stderr);
    if (rows.n)
        printf("%-24s %-7s %-20s %8s %8s %8s %14s  %s\n", "NAME", "ROLE", "LANES", "WEIGHT",
               "WAITING", "RUNNING", "DISK", "SINCE");
    for (int i = 0; i < rows.n; i++)
        show_user(&rows.user[i], rows.created_ms[i]);
    if (rows.damaged) fprintf(stderr, "%d damaged rows are left out\n", rows.damaged);
    users_free(&rows);
    return 0;
}

/* --- the command ------------------------------------------------------------------------------ */

static const struct verb VERBS[] = {
    {"add", true, run_add},        {"list", false, run_list},     {"set", false, run_set},
    {"remove", false, run_remove}, {"rotate", false, run_rotate},
};

/* Files that another user makes would be closed to the server. */
static int check_owner(const char *data, struct fail *f)
{
    struct stat st;

    if (stat(data, &st) || st.st_uid == geteuid()) return 0;
    fail_set(f, ERR_IO, "%.200s belongs to another user of this machine (uid %u).", data,
             (unsigned)st.st_uid);
    return fail_advise(f, "Run this as the one that the server runs as: sudo -u '#%u' darkroom ..",
                       (unsigned)st.st_uid);
}

int cli_user(const struct cli *c)
{
    const struct options *o = c->options;
    char data[PATH_MAX];
    struct fail f = {0};
    sqlite3 *db = NULL;
    const struct verb *verb = VERBS;
    int err;

    while (strcmp(verb->name, o->verb) != 0)
        verb++; /* options_read() has checked it */
    /* before a folder is made */
    err = o->user ? users_check_name(o->user, &f) : 0;
    if (!err) err = paths_data(o->data, data, &f);
    if (!err) err = check_owner(data, &f);
    if (!err) err = users_open(data, verb->makes, &db, &f);
    if (!err) err = verb->run(o, data, db, &f);
    sqlite3_close(db);
    return err ? cli_print_fail(&f) : 0;
}
