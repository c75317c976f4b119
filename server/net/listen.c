/* listen - small kernel buffers for slow readers: what is not sent stays newest-wins on the
 * boards. */
#include "server/net/listen.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum {
    /* bytes of one connection in the kernel before poll says "not writable" */
    UNSENT_BYTES = 16 << 10,
    SILENT_MS = 30000,     /* unacknowledged data for so long: the peer is gone */
    OTHER_DESCRIPTORS = 96 /* files, database, threads' pipes, refused connections */
};

static int fail_errno(struct fail *f, const char *what, const struct address *at)
{
    char text[64];
    int err;

    address_text(at, text, sizeof text);
    err = errno;
    fail_set(f, ERR_IO, "%s %s:%d: %s.", what, text, address_port(at), strerror(err));
    if (err == EADDRINUSE) fail_advise(f, "Another program has this port; choose one with --port.");
    return ERR_IO;
}

static int check_bound(int fd, struct address *at, struct fail *f)
{
    struct address want = *at, got = {.len = sizeof got.at};

    if (getsockname(fd, (struct sockaddr *)&got.at, &got.len))
        return fail_errno(f, "Cannot check", at);
    if (address_port(&want) == 0) {
        struct sockaddr_in *v4 = (struct sockaddr_in *)&want.at;
        struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)&want.at;
        in_port_t port = htons((uint16_t)address_port(&got));

        if (want.at.ss_family == AF_INET)
            v4->sin_port = port;
        else
            v6->sin6_port = port;
    }
    if (!address_same(&want, &got))
        return fail_set(f, ERR_INTERNAL, "The system bound another address than was asked for.");
    *at = got;
    return 0;
}

int listen_open(struct address *at, int *fd, struct fail *f)
{
    int yes = 1;
    int err;

    *fd = socket(at->at.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (*fd < 0) return fail_errno(f, "Cannot listen on", at);
    setsockopt(*fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    err = bind(*fd, (struct sockaddr *)&at->at, at->len) || listen(*fd, 256)
              ? fail_errno(f, "Cannot listen on", at)
              : check_bound(*fd, at, f);
    if (err) {
        close(*fd);
        *fd = -1;
    }
    return err;
}

static int fail_unix(struct fail *f, const char *path)
{
    int code = errno;

    fail_set(f, ERR_IO, "Cannot listen on unix:%s: %s.", path, strerror(code));
    if (code == EADDRINUSE)
        fail_advise(f, "Another program listens there, or a file of that name is no socket.");
    return ERR_IO;
}

/* A socket's file that nobody listens on any more is taken away. */
static void remove_stale(const struct sockaddr_un *at)
{
    int probe = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct stat st;

    if (probe >= 0 && connect(probe, (const struct sockaddr *)at, sizeof *at)
        && errno == ECONNREFUSED && !lstat(at->sun_path, &st) && S_ISSOCK(st.st_mode))
        unlink(at->sun_path);
    if (probe >= 0) close(probe);
}

int listen_unix(const char *path, int *fd, struct fail *f)
{
    struct sockaddr_un at = {.sun_family = AF_UNIX};

    *fd = -1;
    if (!*path || strlen(path) >= sizeof at.sun_path)
        return fail_set(f, ERR_USAGE, "--listen unix:PATH takes a path of 1 to %zu bytes.",
                        sizeof at.sun_path - 1);
    memcpy(at.sun_path, path, strlen(path));
    remove_stale(&at);
    *fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (*fd >= 0 && !bind(*fd, (struct sockaddr *)&at, sizeof at) && !chmod(path, 0660)
        && !listen(*fd, 256))
        return 0;
    fail_unix(f, path);
    if (*fd >= 0) close(*fd);
    *fd = -1;
    return ERR_IO;
}

static void tune(int fd)
{
    int yes = 1, unsent = UNSENT_BYTES, silent = SILENT_MS;

    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
    setsockopt(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &unsent, sizeof unsent);
    setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &silent, sizeof silent);
}

/* A connection left in the kernel keeps poll reporting it, and the loop would spin: accept it
 * with the spare descriptor and close it. */
static void turn_away(int fd, int *spare)
{
    int taken;

    if (*spare < 0) return;
    close(*spare);
    taken = accept4(fd, NULL, NULL, SOCK_CLOEXEC);
    if (taken >= 0) close(taken);
    *spare = open("/dev/null", O_RDONLY | O_CLOEXEC);
}

int listen_accept(int fd, int *spare, struct address *from)
{
    for (int tries = 0; tries < 64; tries++) {
        int taken;

        memset(from, 0, sizeof *from);
        from->len = sizeof from->at;
        taken = accept4(fd, (struct sockaddr *)&from->at, &from->len, SOCK_CLOEXEC | SOCK_NONBLOCK);
        if (taken >= 0) {
            tune(taken);
            return taken;
        }
        if (errno == EMFILE || errno == ENFILE)
            turn_away(fd, spare);
        else if (errno != ECONNABORTED && errno != EINTR)
            return -1;
    }
    return -1;
}

int listen_room(int connections)
{
    struct rlimit lim;
    rlim_t want = (rlim_t)connections + OTHER_DESCRIPTORS;

    if (getrlimit(RLIMIT_NOFILE, &lim)) return connections;
    if (lim.rlim_cur < want) {
        lim.rlim_cur = want < lim.rlim_max ? want : lim.rlim_max;
        setrlimit(RLIMIT_NOFILE, &lim);
        getrlimit(RLIMIT_NOFILE, &lim);
    }
    if (lim.rlim_cur >= want) return connections;
    return lim.rlim_cur > OTHER_DESCRIPTORS + 8 ? (int)lim.rlim_cur - OTHER_DESCRIPTORS : 8;
}
