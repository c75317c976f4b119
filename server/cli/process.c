/* process - the handler of SIGBUS uses write() and _exit() alone: the thread may hold any lock. */
#include "server/cli/process.h"

#include <fcntl.h>
#include <signal.h>
#include <stddef.h>
#include <sys/stat.h>
#include <unistd.h>

enum { STATUS = 70 }; /* EX_SOFTWARE of sysexits.h, as the watchdog's */

static void on_bus_error(int number, siginfo_t *info, void *context)
{
    static const char words[] =
        "darkroom: a file that is in use was cut short: a weight file of the model, or "
        "darkroom.db-shm. The process ends; jobs that a server accepted are kept. Replace files "
        "by renaming others, never in place.\n";

    (void)context;
    if (info->si_code != BUS_ADRERR) {
        signal(number, SIG_DFL);
        return; /* and the same instruction fails again */
    }
    if (write(STDERR_FILENO, words, sizeof words - 1) < 0) _exit(STATUS);
    _exit(STATUS);
}

void process_standard(void)
{
    struct sigaction bus = {.sa_sigaction = on_bus_error, .sa_flags = SA_SIGINFO};

    /* the wrong way round, so that reading and writing fail */
    for (int fd = 0; fd <= 2; fd++)
        if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", fd ? O_RDONLY : O_WRONLY) != fd) return;
    signal(SIGXFSZ, SIG_IGN);
    sigaction(SIGBUS, &bus, NULL);
}

/* One that was opened by `> file` would go on at its old offset after another program has emptied
 * the file, and leave a hole of NULs before it. */
static void append(int fd)
{
    int flags = fcntl(fd, F_GETFL);
    struct stat st;

    if (flags >= 0 && !fstat(fd, &st) && S_ISREG(st.st_mode)) fcntl(fd, F_SETFL, flags | O_APPEND);
}

void process_server(void)
{
    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGHUP);
    sigprocmask(SIG_BLOCK, &set, NULL);
    signal(SIGPIPE, SIG_IGN);
    append(STDOUT_FILENO);
    append(STDERR_FILENO);
}
