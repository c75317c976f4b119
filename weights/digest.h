/* digest - a short name for a model folder's contents.
 *
 * BLAKE2b over every configuration file and every tensor's name, type, shape and bytes. A tensor
 * past 64 KB is sampled (16 pages, evenly spaced, first and last included), so that not all of 36
 * GB are read. Two folders with the same digest make the same pictures. */
#ifndef WEIGHTS_DIGEST_H
#define WEIGHTS_DIGEST_H

#include "weights/model.h"

enum { DIGEST_TEXT = 33 }; /* 32 hex digits and a NUL */

void digest_model(char out[DIGEST_TEXT], const struct model *);

#endif
