/* Reading the list of disposable domains, and what a damaged one is. */
#include "detect/mail_list.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/epoch.h"
#include "base/err.h"
#include "base/hash.h"
#include "base/mem.h"
#include "detect/mail_list_int.h"

static int header_check(struct sv bytes, struct mail_header *h)
{
    if (bytes.n < sizeof *h || bytes.n > MAIL_LIST_BYTES_MAX)
        return ERR_CORRUPT;
    memcpy(h, bytes.p, sizeof *h);
    if (memcmp(h->magic, MAIL_MAGIC, sizeof h->magic) != 0) return ERR_CORRUPT;
    if (h->version != MAIL_VERSION) return ERR_VERSION;
    if (h->note_bytes > MAIL_NOTE_BYTES_MAX || h->slots < 1 ||
        h->slots > MAIL_LIST_BYTES_MAX / 8)
        return ERR_CORRUPT;
    size_t note = (h->note_bytes + 7) / 8 * (size_t)8;
    return bytes.n == sizeof *h + note + h->slots * 8 ? 0 : ERR_CORRUPT;
}

/* A look-up goes on to the next empty slot: one must come, and soon. */
static int slots_check(const struct mail_header *h, const uint64_t *slots)
{
    uint64_t run = 0, used = 0;
    for (uint64_t i = 0; i < h->slots; i++) {
        run = slots[i] ? run + 1 : 0;
        used += slots[i] != 0;
        if (run > MAIL_RUN_MAX) return ERR_CORRUPT;
    }
    return run || used != h->domains + h->allowed ? ERR_CORRUPT : 0;
}

int mail_list_view(struct sv bytes, struct mail_list *out)
{
    struct mail_header h;
    int rc = header_check(bytes, &h);
    if (rc) return rc;
    size_t at = offsetof(struct mail_header, slots);
    if (crc32c(0, bytes.p + at, bytes.n - at) != h.crc) return ERR_CORRUPT;
    const uint64_t *slots =
        (const void *)(bytes.p + bytes.n - h.slots * sizeof *slots);
    rc = slots_check(&h, slots);
    if (rc) return rc;
    *out = (struct mail_list){
        .bytes = bytes,
        .slots = slots,
        .slots_n = h.slots,
        .domains_n = h.domains,
        .allowed_n = h.allowed,
        .key = { h.key[0], h.key[1] },
        .note = sv_of(bytes.p + sizeof h, h.note_bytes),
    };
    return 0;
}

int mail_list_open(const char *path, struct mail_list *out)
{
    struct stat st;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return errno == ENOENT ? ERR_NOTFOUND : ERR_IO;
    int rc = fstat(fd, &st) || !S_ISREG(st.st_mode) ? ERR_IO : 0;
    if (rc == 0 && (st.st_size < 1 || st.st_size > MAIL_LIST_BYTES_MAX))
        rc = ERR_CORRUPT;
    void *p = MAP_FAILED;
    size_t n = (size_t)st.st_size;
    if (rc == 0)
        p = mmap(NULL, n, PROT_READ, MAP_PRIVATE | MAP_POPULATE, fd, 0);
    if (rc == 0 && p == MAP_FAILED) rc = ERR_IO;
    close(fd);
    if (rc == 0) rc = mail_list_view(sv_of(p, n), out);
    if (rc && p != MAP_FAILED) munmap(p, n);
    return rc;
}

void mail_list_close(struct mail_list *list)
{
    if (list->bytes.p) munmap((void *)(uintptr_t)list->bytes.p, list->bytes.n);
    memset(list, 0, sizeof *list);
}

unsigned mail_list_find(const struct mail_list *list, struct sv domain)
{
    uint64_t h = hash_sv_keyed(domain, list->key);
    for (uint64_t i = mail_place(h, list->slots_n); list->slots[i]; i++)
        if ((list->slots[i] ^ h) >> MAIL_SOURCE_BITS == 0)
            return (unsigned)(list->slots[i] & MAIL_SOURCE_MASK);
    return 0;
}

/* --- the list in force ---------------------------------------------------------- */

static void list_free(void *p)
{
    mail_list_close(p);
    mem_free(p);
}

static void root_swap(struct mail_root *root, struct mail_list *list)
{
    struct mail_list *old = atomic_exchange(&root->list, list);
    if (old) epoch_retire(old, list_free, NULL);
}

int mail_root_load(struct mail_root *root, const char *path)
{
    struct mail_list *list = NEW(struct mail_list);
    int err = mail_list_open(path, list);
    if (err)
        mem_free(list);
    else
        root_swap(root, list);
    return err;
}

void mail_root_drop(struct mail_root *root)
{
    root_swap(root, NULL);
}
