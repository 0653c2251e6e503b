#include "main/stamp.h"

#include <string.h>

bool stamp_look(struct stamp *s, const char *path)
{
    struct stat st;
    struct stamp now;
    memset(&now, 0, sizeof now); /* compared as bytes */
    if (stat(path, &st) == 0) {
        now.device = st.st_dev;
        now.inode = st.st_ino;
        now.size = st.st_size;
        now.changed = st.st_mtim;
    }
    bool changed = memcmp(&now, s, sizeof now) != 0;
    *s = now;
    return changed;
}
