/* warm_up - libraries find out what processor they run on, which may open a file, while that is
 * still allowed. Thread: the process's only one. */
#ifndef SERVER_DECODER_WARM_UP_H
#define SERVER_DECODER_WARM_UP_H

/* Decodes a picture of our own. 0, or why it failed, which is a bug. */
int warm_up(void);

#endif
