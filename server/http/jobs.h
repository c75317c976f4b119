/* jobs - /v1: the commands of PROTOCOL.md as requests, their direct answers as replies.
 *
 * One mapping for all commands: POST /v1/jobs/JOB/COMMAND and POST /v1/COMMAND have the members of
 * the message as their body, so a command of the table (command.h) is a route at once. Those that
 * HTTP has a method for have that, too: POST /v1/jobs submits, GET lists and shows, DELETE cancels.
 * Thread: the loop's. */
#ifndef SERVER_HTTP_JOBS_H
#define SERVER_HTTP_JOBS_H

#include "server/http/exchange.h"

/* Longest that ?wait=SECONDS holds an answer back; proxies cut silent connections after 60 s. */
#define JOBS_WAIT_SECONDS 50

extern const struct translator JOBS_SUBMIT, JOBS_LIST, JOBS_SHOW, JOBS_CANCEL, JOBS_QUOTE,
    JOBS_STATS, JOBS_COMMAND;

/* Is this command one of those that stand at /v1/jobs/JOB/NAME (about_job), or at /v1/NAME? */
bool jobs_has_command(const char *name, bool about_job);

#endif
