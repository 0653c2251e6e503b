/* Access-log lines to where they are collected: out of a pipe that the
 * reactors write to as to any stream (journal/access_log.h), by a thread of its
 * own. While the receiver takes nothing the pipe is not read: it fills up, and
 * the reactors drop and count what has no room. Nothing here grows.
 *
 *   syslog:/dev/log            RFC 5424, a datagram a line
 *   syslog+udp://host:514      the same (RFC 5426)
 *   syslog+tcp://host:601      octet counted (RFC 6587, 3.4.1)
 *   http://…, https://…        batches of lines, by reach/push.h
 *
 * The egress policy is asked with each address. */
#ifndef REACH_LOG_PUSH_H
#define REACH_LOG_PUSH_H

#include "net/egress.h"
#include "reach/push.h"

enum { LOG_PUSH_BATCH_BYTES = 256 * 1024, LOG_PUSH_STOP_MS = 2000 };

/* Is that text such a place, and not the name of a file? */
bool log_push_is(const char *to);

struct log_push;

struct log_push_conf {
    const char *to;          /* outlives it */
    struct pusher *pusher;   /* for http: has PUSH_LOGS; counts what is lost */
    const struct egress *egress;
    int64_t (*wall_ms)(void);
};
/* *write_fd: the pipe's other end, for the journal, which closes it.
 * ERR_INVALID: no such place; ERR_IO. */
int log_push_new(struct log_push **out, const struct log_push_conf *conf,
                 int *write_fd);
int log_push_start(struct log_push *l);
/* After the last line was written and the other end closed, while reach still
 * runs: sends what is there as long as the receiver takes it, within
 * LOG_PUSH_STOP_MS (a name that is being resolved may take longer). What is
 * left is dropped, counted by the pusher and told once. */
void log_push_stop(struct log_push *l);
void log_push_free(struct log_push **l);
void log_push_metrics(const struct log_push *l, struct buf *out);

/* RFC 5424: facility local0, severity informational; no structured data. `out`
 * has room for SYSLOG_HEAD_MAX and the line. Pure. */
enum { SYSLOG_HEAD_MAX = 400 };
size_t syslog_message(char *out, int64_t wall_ms, struct sv host, int pid,
                      struct sv line);

#endif
