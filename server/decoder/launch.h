/* launch - starts this program once more, with nothing but a socket and memory.
 * Thread: any; the one that calls launch_process is the one whose end ends the process
 * (sandbox.h). */
#ifndef SERVER_DECODER_LAUNCH_H
#define SERVER_DECODER_LAUNCH_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* Memory of a size that nobody can change any more, mapped here. Its descriptor, or -1 with
 * errno. */
int launch_memory(size_t bytes, uint8_t **at);

/* /proc/self/exe WORD, with 0: a socket, 1: the memory, 2: /dev/null. *socket: our end, datagrams.
 * Its id, or 0 with errno. */
pid_t launch_process(const char *word, int memory_fd, int *socket);

#endif
