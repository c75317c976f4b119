/* order - which resident of a device is served first: the one that came first, but a smaller one
 * passes those that can wait for it.
 *
 * Each has the device until it is through, as with equal shares all would end late. It gets its
 * place once, when it comes: behind all others. Then it passes the one before it, and again, if
 * that one has more left than it takes itself, and
 * - still ends within ORDER_DELAY of the time that it was to take when it came, so that what was
 *   said to its owner holds; or
 * - still ends within ORDER_MOST times its time alone for each resident, where the one that passes
 *   would end later than ORDER_SHARE times its own. So a small picture is not slowed by how large
 *   the others are, but by how many.
 *
 * What each may still be delayed by is counted down when it is passed, so none is passed for ever,
 * and forecasts can be made: those that are not known yet can only take what is allowed. With the
 * least work first the mean is smaller and forecasts of large pictures are worth little; first
 * come, first served has no errors, and small pictures wait long (bench/README.md has figures).
 *
 * Times are device-seconds of each one alone, all by the same rates, so that of two equal jobs none
 * passes the other. One that was suspended goes on in its place. Pure; thread: the loop's. */
#ifndef SERVER_CORE_ORDER_H
#define SERVER_CORE_ORDER_H

/* of the time from when one comes until its end, as forecast then */
#define ORDER_DELAY 0.2
/* times its time alone, for each resident */
#define ORDER_SHARE 1.75
#define ORDER_MOST  2.25

/* All zero: it has none yet. */
struct order_place {
    double at; /* > 0: those with the lowest are served first */
    /* what others may still take from it, by what was said and by its bound */
    double delay_s, bound_s;
};

/* A resident as the rule sees it. */
struct order_member {
    struct order_place *place;
    double left_s; /* alone, >= 0 */
};

/* One comes that takes so long alone, to n others in any order: writes its place, unless it has
 * one, and what those that it passes can still wait. */
void order_join(struct order_place *, double cost_s, struct order_member *others, int n);

#endif
