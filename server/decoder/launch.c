/* launch - posix_spawn, as the server has threads and may have gigabytes mapped. */
#include "server/decoder/launch.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

int launch_memory(size_t bytes, uint8_t **at)
{
    const int fd = memfd_create("image", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    void *p = MAP_FAILED;

    *at = NULL;
    if (fd < 0) return -1;
    if (!ftruncate(fd, (off_t)bytes)
        && !fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL))
        p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (p == MAP_FAILED) {
        const int error = errno;

        close(fd);
        errno = error;
        return -1;
    }
    *at = p;
    return fd;
}

/* A session of its own: a terminal's Ctrl+C is for the server. */
static int set_signals(posix_spawnattr_t *how)
{
    sigset_t set;
    int error = posix_spawnattr_setflags(how, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF
                                                  | POSIX_SPAWN_SETSID);

    sigemptyset(&set);
    if (!error) error = posix_spawnattr_setsigmask(how, &set);
    sigfillset(&set);
    return error ? error : posix_spawnattr_setsigdefault(how, &set);
}

static int set_files(posix_spawn_file_actions_t *files, int socket, int memory)
{
    int error = posix_spawn_file_actions_adddup2(files, socket, STDIN_FILENO);

    if (!error) error = posix_spawn_file_actions_adddup2(files, memory, STDOUT_FILENO);
    if (!error)
        error = posix_spawn_file_actions_addopen(files, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
    return error ? error : posix_spawn_file_actions_addclosefrom_np(files, STDERR_FILENO + 1);
}

/* Of the environment, which may hold secrets, only where libraries are. */
static int spawn(pid_t *pid, const char *word, const posix_spawn_file_actions_t *files,
                 const posix_spawnattr_t *how)
{
    static const char name[] = "LD_LIBRARY_PATH";
    const char *path = getenv(name);
    char command[] = "darkroom", argument[64], libraries[4096];
    char *args[] = {command, argument, NULL}, *environment[] = {NULL, NULL};

    snprintf(argument, sizeof argument, "%s", word);
    if (path && snprintf(libraries, sizeof libraries, "%s=%s", name, path) < (int)sizeof libraries)
        environment[0] = libraries;
    return posix_spawn(pid, "/proc/self/exe", files, how, args, environment);
}

pid_t launch_process(const char *word, int memory_fd, int *socket)
{
    posix_spawn_file_actions_t files;
    posix_spawnattr_t how;
    int ends[2], error;
    pid_t pid = 0;

    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends)) return 0;
    posix_spawn_file_actions_init(&files);
    posix_spawnattr_init(&how);
    error = set_files(&files, ends[1], memory_fd);
    if (!error) error = set_signals(&how);
    if (!error) error = spawn(&pid, word, &files, &how);
    posix_spawnattr_destroy(&how);
    posix_spawn_file_actions_destroy(&files);
    close(ends[1]);
    if (!error) {
        *socket = ends[0];
        return pid;
    }
    close(ends[0]);
    errno = error;
    return 0;
}
