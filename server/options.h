/* options - one table of options, read from flags, environment and an ini file, printed as help
 * and docs.
 *
 * A value's place decides, not the order: flag over DARKROOM_NAME over the file named by
 * --config over the default. Every option has one row in OPTIONS_TABLE: name, type, range,
 * commands, default, sentence. Owned by main; the rest of the program reads it after
 * options_read(), from any thread, but for the rows that are OPTIONS_LIVE: those are the loop's
 * while a server runs. */
#ifndef SERVER_OPTIONS_H
#define SERVER_OPTIONS_H

#include "kernels/glm.h"
#include "proto/fail.h"
#include "server/options_table.h"

#include <stdio.h>

const char *options_command_name(enum options_command);
int options_command_parse(const char *name); /* -1: no such command */
void options_usage(FILE *out);               /* a line for each command */

/* Read everything for one command: args[0] is its name. environ as in environ(7). On failure
 * (ERR_USAGE) f says which flag, variable or line of which file, and what would be right. The
 * caller frees c with options_free() in both cases. */
int options_read(struct options *c, enum options_command, int argc, char **args, char **environment,
                 struct fail *f);
void options_free(struct options *);

/* Was the option of this name given: by flag, environment or file? */
bool options_given(const struct options *, const char *name);
/* The file again, in the place of what it held: *next gets what options_read() would find now.
 * ERR_USAGE as there. The caller frees next in both cases. */
int options_reread(const struct options *, struct options *next, struct fail *f);
/* Options that differ, by name, with commas between them; "": none. */
struct options_changes {
    char live[1024], restart[1024];
};
/* Live values that differ change places, so the old ones are next's; the others stay. */
void options_adopt(struct options *, struct options *next, struct options_changes *out);

enum glm_type options_dtype(const struct options *);

void options_help(enum options_command, FILE *out);
/* All options as one Markdown table. */
void options_write_doc(FILE *out);

#endif
