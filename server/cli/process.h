/* process - what the process is set up with before anything else: descriptors and signals.
 * Thread: main's, before any other is started. */
#ifndef SERVER_CLI_PROCESS_H
#define SERVER_CLI_PROCESS_H

/* Make sure that 0, 1 and 2 are open: a closed one would be given to the next file that is opened,
 * and lines of the log would be written into it. What stands in fails as a closed one does. A limit
 * on the size of files that is reached is an error of write(), no signal; a mapped file that was
 * cut short ends the process with a sentence. */
void process_standard(void);
/* Of a server: SIGTERM and SIGINT are blocked (the loop reads them from a descriptor), a broken
 * pipe is an error of write() alone, and a file that 1 or 2 were sent to is written at its end,
 * also when logrotate (copytruncate) has emptied it. */
void process_server(void);

#endif
