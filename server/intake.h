/* intake - the way of a file that a client has sent: decoded, made a PNG, stored, told to the hub.
 *
 *   hub --take_image--> decoder --LOOP_DECODED--> converter --LOOP_PRESSED--> store
 *    ^-------------------------------LOOP_KEPT-------------------------------------'
 *
 * Each step is a message to another thread, so that the loop never works on a picture. What is kept
 * is the PNG: it has the pixels that were decoded, upright and on white, and nothing else of the
 * file, so no place, no name of a camera and no bytes that only look like a picture; and a job that
 * goes on after a restart begins with the same pixels, whatever the decoder is then. Its digest is
 * the BLAKE2b-256 of that PNG, as a result's is of its own. Thread: the loop's. */
#ifndef SERVER_INTAKE_H
#define SERVER_INTAKE_H

#include "server/events.h"
#include "server/service_priv.h"

void intake_begin(struct service *, const struct hub_file *);
void intake_decoded(struct service *, struct decoding *);
/* Takes the message. */
void intake_pressed(struct service *, struct intake *);
void intake_kept(struct service *, struct intake *);

#endif
