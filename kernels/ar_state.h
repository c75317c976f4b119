/* ar_state - the counters of one autoregressive sequence, in device memory: I32 [1, AR_STATE]. Read
 * by C and by CUDA alike. */
#ifndef KERNELS_AR_STATE_H
#define KERNELS_AR_STATE_H

enum {
    AR_LEN,     /* rows in the key/value cache */
    AR_SAMPLED, /* tokens sampled so far */
    AR_NEXT,    /* the token sampled last: what the next decode step feeds */
    AR_BAD,     /* 1 + index of the first token that strict mode forbids, else 0 */
    AR_STATE
};

#endif
