/* Rights are given up and limits are raised before anything is read. */
#include "main/process.h"

#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <malloc.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"

void process_harden(void)
{
    struct rlimit none = { 0, 0 }, files;
    umask(077);
    prctl(PR_SET_DUMPABLE, 0);
    setrlimit(RLIMIT_CORE, &none);
    if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
        files.rlim_cur = files.rlim_max;
        setrlimit(RLIMIT_NOFILE, &files);
    }
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN); /* a full quota is an error, not the end */
    mallopt(M_ARENA_MAX, 2);
}

/* A segment that nobody may write holds what its file holds; relocated
 * read-only data lies in the writable one and is not touched. */
static int segments_hand_back(struct dl_phdr_info *object, size_t n, void *arg)
{
    const uintptr_t page = *(const uintptr_t *)arg;
    (void)n;
    for (int i = 0; i < object->dlpi_phnum; i++) {
        const ElfW(Phdr) *segment = &object->dlpi_phdr[i];
        if (segment->p_type != PT_LOAD || segment->p_flags & PF_W) continue;
        uintptr_t from = object->dlpi_addr + segment->p_vaddr;
        uintptr_t to = from + segment->p_memsz;
        from &= ~(page - 1);
        madvise((void *)from, to - from, MADV_DONTNEED);
    }
    return 0;
}

void process_settle(void)
{
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
    malloc_trim(0);
    dl_iterate_phdr(segments_hand_back, &page);
}

unsigned process_descriptors(void)
{
    struct rlimit files = { 1024, 1024 };
    getrlimit(RLIMIT_NOFILE, &files);
    return files.rlim_cur > 1u << 20 ? 1u << 20 : (unsigned)files.rlim_cur;
}

/* First line of a small file, "" when there is none. */
static struct sv line_read(const char *path, char out[64])
{
    FILE *f = fopen(path, "re");
    out[0] = '\0';
    if (!f) return SV("");
    if (!fgets(out, 64, f)) out[0] = '\0';
    fclose(f);
    out[strcspn(out, "\n")] = '\0';
    return sv_cstr(out);
}

/* cgroup v2 "quota period", v1 as two files; 0 when there is no quota, which
 * is "max" or -1: no number. */
static unsigned cgroup_cpus(void)
{
    char text[2][64];
    uint64_t quota, period;
    struct sv second, first = line_read("/sys/fs/cgroup/cpu.max", text[0]);
    first = sv_cut(first, ' ', &second);
    if (first.n == 0) {
        first = line_read("/sys/fs/cgroup/cpu/cpu.cfs_quota_us", text[0]);
        second = line_read("/sys/fs/cgroup/cpu/cpu.cfs_period_us", text[1]);
    }
    if (!sv_to_u64(first, UINT32_MAX, &quota) ||
        !sv_to_u64(second, UINT32_MAX, &period) || !quota || !period)
        return 0;
    return (unsigned)((quota + period - 1) / period);
}

unsigned process_cpus(void)
{
    cpu_set_t set;
    unsigned n = 1, quota = cgroup_cpus();
    if (sched_getaffinity(0, sizeof set, &set) == 0)
        n = (unsigned)CPU_COUNT(&set);
    if (quota && quota < n) n = quota;
    return n ? n : 1;
}

const char *data_path(const char *dir, const char *name)
{
    static _Thread_local char text[4][4096];
    static _Thread_local unsigned turn;
    char *out = text[turn++ & 3];
    if (name[0] == '/')
        snprintf(out, sizeof text[0], "%s", name);
    else
        snprintf(out, sizeof text[0], "%s/%s", dir, name);
    return out;
}

static int dir_fails(const char *dir, const char *why)
{
    fprintf(stderr, "typeauth: %s: %s\n", dir, why);
    return -1;
}

int data_dir_open(const char *dir, int *lock_fd)
{
    struct stat st;
    if (mkdir(dir, 0700) && errno != EEXIST)
        return dir_fails(dir, strerror(errno));
    if (stat(dir, &st) || !S_ISDIR(st.st_mode))
        return dir_fails(dir, "is not a directory");
    if (st.st_uid != geteuid())
        return dir_fails(dir, "belongs to another user; run as that user, or "
                              "name another --data");
    if (st.st_mode & 077)
        return dir_fails(dir, "may be read by others; run chmod 700 on it");
    int fd = open(data_path(dir, "lock"), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0) return dir_fails(dir, strerror(errno));
    struct flock whole = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
    if (fcntl(fd, F_OFD_SETLK, &whole)) {
        close(fd);
        return dir_fails(dir, "is in use by another typeauth; stop that one "
                              "first, or name another --data");
    }
    *lock_fd = fd;
    return 0;
}
