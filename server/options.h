/* options - one table of options, read from flags, environment and an ini file, printed as help and docs.
 *
 * A value's place decides, not the order: flag over DARKROOM_NAME over the file named by --config over
 * the default. Every option has one row in CONF_TABLE: name, type, range, commands, default, sentence.
 * Owned by main; the rest of the program reads it after conf_read(), from any thread. */
#ifndef SERVER_OPTIONS_H
#define SERVER_OPTIONS_H

#include "kernels/glm.h"
#include "proto/fail.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum conf_command { CONF_SERVE, CONF_GENERATE, CONF_CHECK, CONF_PLAN, CONF_TRACE, CONF_COMMANDS };
enum conf_type { CONF_TEXT, CONF_INT, CONF_REAL, CONF_FLAG, CONF_BYTES };
enum conf_place { CONF_DEFAULT, CONF_FILE, CONF_ENVIRONMENT, CONF_ARGUMENT };

#define CONF_OPTIONS_MAX 48

/* Texts are owned; NULL means "not given" where the table has no default. */
struct conf {
    /* the model and what draws it */
    char *model, *device, *dtype, *cache;
    int threads;       /* 0: all */
    int64_t vram;      /* bytes of the device to use; 0: all */
    int64_t memory_mb; /* budget for pictures; 0: computed */
    /* the service */
    char *host, *data, *origins, *log_level, *config;
    int port, concurrency, queue, job_seconds;
    int connections, connections_per_ip, ping_seconds, hangup_seconds;
    bool open;
    /* one picture; 0, or guidance < 0: the model's own default */
    char *prompt, *out;
    int width, height, steps;
    double guidance;
    int64_t seed;
    bool strict;
    /* traces */
    char *like, *law;

    bool help;                             /* --help was given: print conf_help() and stop */
    unsigned char place[CONF_OPTIONS_MAX]; /* enum conf_place of each option's value */
};

struct conf_option {
    const char *name; /* --name, DARKROOM_NAME, name = in the file */
    char letter;      /* short flag or 0 */
    enum conf_type type;
    unsigned commands; /* 1 << enum conf_command, or-ed */
    size_t offset;
    const char *fallback; /* default as text, NULL: none */
    double min, max;      /* numbers */
    const char *arg;      /* what help calls the value */
    const char *doc;      /* one sentence */
};

/* Ends with a row whose name is NULL. */
extern const struct conf_option CONF_TABLE[];

const char *conf_command_name(enum conf_command);
int conf_command_parse(const char *name); /* -1: no such command */

/* Read everything for one command: args[0] is its name. environ as in environ(7). On failure
 * (ERR_USAGE) f says which flag, variable or line of which file, and what would be right. The caller
 * frees c with conf_free() in both cases. */
int conf_read(struct conf *c, enum conf_command, int argc, char **args, char **environment,
              struct fail *f);
void conf_free(struct conf *);

enum glm_type conf_dtype(const struct conf *);

void conf_help(enum conf_command, FILE *out);
/* All options as one Markdown table. */
void conf_write_doc(FILE *out);

#endif
