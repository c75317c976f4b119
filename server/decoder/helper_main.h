/* helper_main - the process that decodes: the same program, started with a word that no command
 * has (helper.h starts it).
 * Thread: the process's only one. */
#ifndef SERVER_DECODER_HELPER_MAIN_H
#define SERVER_DECODER_HELPER_MAIN_H

#include "server/decoder/sandbox.h"

#include <stdbool.h>

#define HELPER_WORD "decode-images"

/* Whether these are the arguments of such a process: asked first of all in main(). */
bool helper_called(int argc, char *const *args);
/* Gives up its rights, then decodes until its parent hangs up. The exit status of main(): 0, or 1
 * where it could not begin. limits NULL: the product's. */
int helper_main(const struct sandbox_limits *limits);

#endif
