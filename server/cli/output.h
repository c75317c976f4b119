/* output - where a command writes the picture that it made. Thread: main's. */
#ifndef SERVER_CLI_OUTPUT_H
#define SERVER_CLI_OUTPUT_H

#include "proto/fail.h"

#include <stdbool.h>
#include <stddef.h>

bool output_is_stdout(const char *path); /* "-" */
/* Before the picture is made: whether path (NULL: a name that is chosen later) can be written.
 * ERR_USAGE: to a terminal; else as cli_check_out(). */
int output_check(const char *path, struct fail *);
/* Under another name first, so that a file is there whole or not at all; a device, a pipe or what
 * a link points at (/dev/stdout) is written to as it is. A pipe that nothing reads is waited for,
 * as by any tool, and the user is told. ERR_IO. */
int output_write(const char *path, const void *bytes, size_t len, struct fail *);

#endif
