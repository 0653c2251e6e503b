/* Slots of fixed sizes at fixed places: see uptime_file.h. Numbers are as the
 * machine has them: a data directory does not change its byte order. */
#include "journal/uptime_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "base/hash.h"
#include "base/mem.h"

enum {
    VERSION = 1,
    FRAME = 8,
    STATE_SLOT = 64,
    INCIDENT_SLOT = 192,
    HOUR_SLOT = 192,
    STATES_AT = 64,
    INCIDENTS_AT = 4096,
    HOURS_AT = INCIDENTS_AT + UPTIME_INCIDENTS * INCIDENT_SLOT,
    SLOT_MAX = 192,
    PATH_BYTES = 4096,
};
_Static_assert(STATES_AT + UPTIME_STATES * STATE_SLOT <= INCIDENTS_AT,
               "states fit");
_Static_assert(FRAME + sizeof(struct uptime_state) <= STATE_SLOT, "a state");
_Static_assert(FRAME + sizeof(struct uptime_incident) <= INCIDENT_SLOT,
               "an incident");
_Static_assert(FRAME + 4 + UPTIME_BYTES_MAX <= HOUR_SLOT, "an hour");

struct header {
    char magic[8];
    uint32_t version, crc;
};
static const char magic[8] = "TAUPTIME";

/* --- slots ------------------------------------------------------------------ */

struct frame {
    uint32_t crc, n;
};

static uint32_t check_of(off_t at, uint32_t n, const char *bytes)
{
    uint64_t place = (uint64_t)at;
    uint32_t crc = crc32c(0, &place, sizeof place);
    crc = crc32c(crc, &n, sizeof n);
    return crc32c(crc, bytes, n);
}

static int slot_save(struct uptime_file *f, off_t at, struct sv bytes)
{
    char slot[SLOT_MAX];
    struct frame frame = { .n = (uint32_t)bytes.n };
    if (bytes.n > SLOT_MAX - FRAME) return ERR_TOOBIG;
    frame.crc = check_of(at, frame.n, bytes.p);
    memcpy(slot, &frame, FRAME);
    memcpy(slot + FRAME, bytes.p, bytes.n);
    ssize_t n = FRAME + (ssize_t)bytes.n,
            done = pwrite(f->fd, slot, (size_t)n, at);
    if (done == n) return 0;
    return done < 0 && errno != ENOSPC ? ERR_IO : ERR_FULL;
}

/* A view into `slot`, or p NULL: empty or damaged. */
static struct sv slot_view(const char *slot, size_t size, off_t at)
{
    struct frame frame;
    memcpy(&frame, slot, FRAME);
    if (!frame.n || frame.n > size - FRAME ||
        frame.crc != check_of(at, frame.n, slot + FRAME))
        return (struct sv){ 0 };
    return sv_of(slot + FRAME, frame.n);
}

/* A row of slots into memory of the heap; what lies behind the file's end is
 * zeros, so empty. */
static char *slots_read(struct uptime_file *f, off_t at, size_t bytes)
{
    char *p = mem_zalloc(bytes);
    size_t n = 0;
    ssize_t got = 1;
    while (n < bytes && got > 0) {
        got = pread(f->fd, p + n, bytes - n, at + (off_t)n);
        if (got > 0) n += (size_t)got;
    }
    return p;
}

/* --- the file ---------------------------------------------------------------- */

static int header_make(struct uptime_file *f)
{
    struct header h = { .version = VERSION };
    memcpy(h.magic, magic, sizeof magic);
    h.crc = crc32c(0, &h, offsetof(struct header, crc));
    return pwrite(f->fd, &h, sizeof h, 0) == sizeof h ? 0 : ERR_FULL;
}

static int header_judge(struct uptime_file *f, bool create)
{
    struct header h;
    ssize_t n = pread(f->fd, &h, sizeof h, 0);
    if (n == 0 && create) return header_make(f);
    if (n != sizeof h) return n < 0 ? ERR_IO : ERR_CORRUPT;
    if (memcmp(h.magic, magic, sizeof magic) != 0 ||
        h.crc != crc32c(0, &h, offsetof(struct header, crc)))
        return ERR_CORRUPT;
    return h.version > VERSION ? ERR_VERSION : h.version ? 0 : ERR_CORRUPT;
}

static int path_of(char out[PATH_BYTES], const char *dir, struct sv name)
{
    int n = snprintf(out, PATH_BYTES, "%s/%.*s", dir, SV_FMT(name));
    return n < 0 || n >= PATH_BYTES ? ERR_TOOBIG : 0;
}

int uptime_file_open(struct uptime_file *f, const char *dir, struct sv name,
                     enum uptime_mode mode)
{
    static const int flags_of[] = { O_RDONLY, O_RDWR, O_RDWR | O_CREAT };
    char path[PATH_BYTES];
    bool create = mode == UPTIME_CREATE;
    int flags = flags_of[mode] | O_CLOEXEC;
    f->fd = -1;
    if (path_of(path, dir, name)) return ERR_TOOBIG;
    f->fd = open(path, flags, 0600);
    if (f->fd < 0 && errno == ENOENT && create && !mkdir(dir, 0700))
        f->fd = open(path, flags, 0600);
    if (f->fd < 0) return errno == ENOENT ? ERR_NOTFOUND : ERR_IO;
    int err = header_judge(f, create);
    if (err) uptime_file_close(f);
    return err;
}

void uptime_file_close(struct uptime_file *f)
{
    if (f->fd >= 0) close(f->fd);
    f->fd = -1;
}

void uptime_file_remove(const char *dir, struct sv name)
{
    char path[PATH_BYTES];
    if (!path_of(path, dir, name)) unlink(path);
}

/* --- states and incidents ------------------------------------------------------ */

int uptime_state_save(struct uptime_file *f, unsigned at,
                      const struct uptime_state *s)
{
    return slot_save(f, STATES_AT + (off_t)at * STATE_SLOT,
                     sv_of((const char *)s, sizeof *s));
}

void uptime_states_load(struct uptime_file *f,
                        struct uptime_state out[UPTIME_STATES])
{
    char *slots = slots_read(f, STATES_AT, (size_t)UPTIME_STATES * STATE_SLOT);
    memset(out, 0, UPTIME_STATES * sizeof *out);
    for (unsigned i = 0; i < UPTIME_STATES; i++) {
        off_t at = STATES_AT + (off_t)i * STATE_SLOT;
        struct sv v = slot_view(slots + i * STATE_SLOT, STATE_SLOT, at);
        if (v.n == sizeof *out) memcpy(&out[i], v.p, sizeof *out);
    }
    mem_free(slots);
}

static off_t incident_at(uint64_t seq)
{
    return INCIDENTS_AT + (off_t)(seq % UPTIME_INCIDENTS) * INCIDENT_SLOT;
}

int uptime_incident_save(struct uptime_file *f, const struct uptime_incident *i)
{
    return slot_save(f, incident_at(i->seq), sv_of((const char *)i, sizeof *i));
}

unsigned uptime_incidents_load(struct uptime_file *f, int64_t start_ms,
                               int64_t end_ms,
                               struct uptime_incident out[UPTIME_INCIDENTS])
{
    unsigned n = 0;
    char *slots =
        slots_read(f, INCIDENTS_AT, (size_t)UPTIME_INCIDENTS * INCIDENT_SLOT);
    for (unsigned i = 0; i < UPTIME_INCIDENTS; i++) {
        struct uptime_incident *to = &out[n];
        struct sv v =
            slot_view(slots + i * INCIDENT_SLOT, INCIDENT_SLOT, incident_at(i));
        if (v.n != sizeof *to) continue;
        memcpy(to, v.p, sizeof *to);
        to->url[UPTIME_URL_MAX] = '\0';
        if (to->start_ms <= end_ms && (!to->end_ms || to->end_ms >= start_ms))
            n++;
    }
    mem_free(slots);
    return n;
}

uint64_t uptime_incidents_last(struct uptime_file *f)
{
    struct uptime_incident *all =
        mem_alloc(UPTIME_INCIDENTS * sizeof(struct uptime_incident));
    unsigned n = uptime_incidents_load(f, INT64_MIN, INT64_MAX, all);
    uint64_t last = 0;
    for (unsigned i = 0; i < n; i++)
        if (all[i].seq > last) last = all[i].seq;
    mem_free(all);
    return last;
}

/* --- hours ---------------------------------------------------------------------- */

static off_t hour_at(unsigned endpoint, uint32_t hour)
{
    return HOURS_AT +
           (off_t)(endpoint * UPTIME_KEPT_H + hour % UPTIME_KEPT_H) * HOUR_SLOT;
}

int uptime_hour_save(struct uptime_file *f, unsigned endpoint,
                     const struct uptime_hour *h)
{
    char memory[HOUR_SLOT];
    struct buf b;
    buf_init_fixed(&b, memory, sizeof memory);
    buf_put(&b, sv_of((const char *)&h->hour, sizeof h->hour));
    uptime_encode(h, &b);
    if (b.overflow) return ERR_TOOBIG;
    return slot_save(f, hour_at(endpoint, h->hour), buf_sv(&b));
}

static int hour_view(struct sv v, struct uptime_hour *out)
{
    uint32_t hour;
    if (v.n <= sizeof hour) return ERR_NOTFOUND;
    memcpy(&hour, v.p, sizeof hour);
    return uptime_decode(sv_from(v, sizeof hour), hour, out);
}

int uptime_hour_load(struct uptime_file *f, unsigned endpoint, uint32_t hour,
                     struct uptime_hour *out)
{
    off_t at = hour_at(endpoint, hour);
    char *slot = slots_read(f, at, HOUR_SLOT);
    int err = hour_view(slot_view(slot, HOUR_SLOT, at), out);
    mem_free(slot);
    return err || out->hour != hour ? ERR_NOTFOUND : 0;
}

void uptime_hours_each(struct uptime_file *f, uint32_t first, uint32_t last,
                       uptime_hour_fn *fn, void *ctx)
{
    for (unsigned e = 0; e < UPTIME_ENDPOINTS; e++) {
        off_t row = hour_at(e, 0);
        char *slots = slots_read(f, row, (size_t)UPTIME_KEPT_H * HOUR_SLOT);
        for (unsigned i = 0; i < UPTIME_KEPT_H; i++) {
            struct uptime_hour h;
            off_t at = row + (off_t)i * HOUR_SLOT;
            struct sv v = slot_view(slots + i * HOUR_SLOT, HOUR_SLOT, at);
            if (!hour_view(v, &h) && h.hour >= first && h.hour <= last)
                fn(ctx, e, &h);
        }
        mem_free(slots);
    }
}
