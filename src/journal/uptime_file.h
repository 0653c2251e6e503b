/* What is kept of one application's monitor, in a file of its own of a fixed
 * size: 30 days of hours for each endpoint, the last incidents, and where each
 * target's status stood. Written in place, a slot at a time:
 *
 *   header | 36 states | 256 incidents | 5 x 720 hours     (731 KiB, sparse)
 *   slot   u32 CRC-32C of (its place, the rest) | u32 bytes | bytes
 *
 * What was handed to the kernel outlives a killed process. A slot that a power
 * failure tore fails its checksum and is as good as empty. Hours carry the
 * version of their own encoding (journal/uptime.h), so that a file grows old
 * hour by hour; the header's version is that of the layout.
 *
 * All of it blocks; one thread writes a file, others may read. */
#ifndef JOURNAL_UPTIME_FILE_H
#define JOURNAL_UPTIME_FILE_H

#include "journal/uptime.h"

enum {
    UPTIME_ENDPOINTS = 5,
    UPTIME_STATES = 36,
    UPTIME_INCIDENTS = 256,
    UPTIME_URL_MAX = 120,  /* of an incident; cut */
};

struct uptime_file {
    int fd;
};
enum uptime_mode { UPTIME_READ, UPTIME_WRITE, UPTIME_CREATE };
/* DIR/NAME; CREATE makes what is not there, DIR too. ERR_NOTFOUND, ERR_IO,
 * ERR_CORRUPT (not such a file), ERR_VERSION: of a newer program; both are
 * left as they are. */
int uptime_file_open(struct uptime_file *f, const char *dir, struct sv name,
                     enum uptime_mode mode);
void uptime_file_close(struct uptime_file *f);
void uptime_file_remove(const char *dir, struct sv name);

/* Where a target stands (detect/health.h, opaque here). */
struct uptime_state {
    uint32_t key;          /* of the target; 0: the slot is empty */
    uint8_t status, cause, failures, successes;
    int64_t since_ms, run_ms, certificate_ms;
    uint64_t incident;     /* that is open; 0: none */
};
struct uptime_incident {
    uint64_t seq;          /* 1, 2, … of the file */
    int64_t start_ms, end_ms; /* end 0: it goes on */
    uint16_t code;         /* status of the answer at its start; 0: none */
    uint8_t cause;
    char url[UPTIME_URL_MAX + 1];
};

/* Writing: 0, ERR_FULL, ERR_IO. An hour takes the place of that 30 days ago. */
int uptime_state_save(struct uptime_file *f, unsigned at,
                      const struct uptime_state *s);
int uptime_incident_save(struct uptime_file *f,
                         const struct uptime_incident *i);
int uptime_hour_save(struct uptime_file *f, unsigned endpoint,
                     const struct uptime_hour *h);

/* Reading: what is empty or damaged is left out. */
void uptime_states_load(struct uptime_file *f,
                        struct uptime_state out[UPTIME_STATES]);
/* Those that touch the time, in no order; how many. */
unsigned uptime_incidents_load(struct uptime_file *f, int64_t start_ms,
                               int64_t end_ms,
                               struct uptime_incident out[UPTIME_INCIDENTS]);
/* The highest number given so far. */
uint64_t uptime_incidents_last(struct uptime_file *f);
typedef void uptime_hour_fn(void *ctx, unsigned endpoint,
                            const struct uptime_hour *h);
/* first <= hour <= last, each endpoint in turn. */
void uptime_hours_each(struct uptime_file *f, uint32_t first, uint32_t last,
                       uptime_hour_fn *fn, void *ctx);
int uptime_hour_load(struct uptime_file *f, unsigned endpoint, uint32_t hour,
                     struct uptime_hour *out); /* ERR_NOTFOUND */

#endif
