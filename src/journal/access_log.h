/* The access log: one JSON object a line, formatted by the reactor straight
 * into its own page of 64 KiB. A page that is full, or whose first line is a
 * second old, is given to the log's thread, which writes it, and lines go to
 * the other page meanwhile. Every byte that came from outside is escaped; a
 * line is at most 4 KiB (one atomic write to a pipe). docs/internals/journal.md
 * says what a line holds.
 *
 * No reactor waits for the log, but for a file that takes longer than its next
 * page takes to fill: no line of a file is dropped for slowness. To a pipe or
 * terminal, what finds no room is dropped and counted. */
#ifndef JOURNAL_ACCESS_LOG_H
#define JOURNAL_ACCESS_LOG_H

#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>

#include "journal/journal.h"

enum { LOG_PAGE_BYTES = 64 * 1024, LOG_LINE_MAX = 4096, LOG_AGE_MS = 1000 };

struct log_sink { /* shared by all reactors */
    pthread_mutex_t lock;      /* of who changes it, and of log_sink_dup */
    _Atomic int fd;            /* -1: none */
    _Atomic bool is_stream;    /* pipe, socket, terminal: lines in pieces */
    _Atomic bool has_thread;   /* else who gives a page writes it */
    sem_t given;               /* pages wait for the thread */
};
void log_sink_init(struct log_sink *s, int fd); /* as log_sink_set */
void log_sink_fini(struct log_sink *s);
void log_sink_set(struct log_sink *s, int fd); /* becomes owner; -1: end */
/* A descriptor of its own, which no change closes; -1: there is no file. */
int log_sink_dup(struct log_sink *s);

struct log_page {
    char *bytes;
    size_t n, done;            /* filled; of those, written */
    unsigned lines;            /* in what is not written */
};

/* One a reactor. Page `given & 1` is the reactor's; the other one is whose
 * lock it is while given != taken, else nobody's. */
struct access_log {
    struct log_page pages[2];
    unsigned to_skip;          /* passed events until the next sample */
    uint64_t since_ms;         /* first seen non-empty; 0: not yet */
    _Atomic unsigned given;    /* pages ever, by the reactor */
    _Atomic unsigned taken;    /* of those, written or lost: under the lock */
    pthread_mutex_t lock;
    bool failing;              /* until a good write: under the lock */
    _Atomic uint64_t written, dropped, sampled_out, errors;
};
void access_log_init(struct access_log *l);
/* The last: writes what is there, and waits for the room of a stream until
 * then. How many lines it had to drop. No other thread has it. */
uint64_t access_log_end(struct access_log *l, struct log_sink *s,
                        uint64_t end_ns);
void access_log_fini(struct access_log *l);
void access_log_add(struct access_log *l, struct log_sink *s,
                    const struct event *e, unsigned sample);
/* Milliseconds until it should be called again; 0: nothing waits. */
uint32_t access_log_turn(struct access_log *l, struct log_sink *s,
                         uint64_t now_ms);
/* Any thread: writes the page that was given. False: it waits for room. */
bool access_log_write(struct access_log *l, struct log_sink *s);

/* One line with its newline, at most LOG_LINE_MAX bytes (room for as many and
 * 16 more is asked). Pure. */
size_t access_log_line(char *out, const struct event *e);

#endif
