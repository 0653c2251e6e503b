/* Long turns of workers in the program's log: a worker cannot write there itself,
 * for that may block. The longest of a tick is a warning if it is one that
 * operators should look into; all of them are told at level `debug`. */
#include "base/log.h"
#include "main/server.h"

#define WARN_NS 10000000u

static void tell(unsigned worker, const struct long_turn *t,
                 enum log_level level)
{
    log_line(
        level, "worker",
        "worker %u: a turn took %.3f ms of CPU time, %.3f ms by the clock, "
        "on processor %llu until %.6f",
        worker, (double)t->cpu_ns / 1e6, (double)t->wall_ns / 1e6,
        (unsigned long long)t->processor, (double)t->ended_ns / 1e9);
}

/* Control thread. */
void turns_tick(struct server *s)
{
    for (unsigned i = 0; i < s->lanes_n; i++) {
        struct lane *l = &s->lanes[i];
        struct long_turn turns[LONG_TURNS_KEPT];
        unsigned longest = 0;
        unsigned n = long_turns_since(&reactor_stats(l->reactor)->long_turns,
                                      &l->long_turns_told, turns);
        for (unsigned k = 1; k < n; k++)
            if (turns[k].cpu_ns > turns[longest].cpu_ns) longest = k;
        for (unsigned k = 0; k < n; k++)
            tell(i, &turns[k],
                 k == longest && turns[k].cpu_ns > WARN_NS ? LOG_WARN
                                                           : LOG_DEBUG);
    }
}
