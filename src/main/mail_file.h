/* The list of disposable mail domains of a running server (`typeauth data
 * update`): opened at the start, looked at by stat each two seconds, opened
 * again when a file was renamed over. One that cannot be read is said once and
 * leaves the list before in force; so does one that goes away. */
#ifndef MAIN_MAIL_FILE_H
#define MAIN_MAIL_FILE_H

#include "detect/mail_list.h"

struct mail_file; /* control thread, but for mail_file_ask and the root */

void mail_file_open(struct mail_file **out, const char *path);
void mail_file_close(struct mail_file **f);
struct mail_root *mail_file_root(struct mail_file *f);
/* Looks when it is time. */
void mail_file_tick(struct mail_file *f, uint64_t now_ns);
/* Look at the next tick, and say anew what is wrong (SIGHUP). Any thread. */
void mail_file_ask(struct mail_file *f);
/* `changed_s` 0: no list is in force; `problem` "": none. Control thread. */
struct mail_file_about {
    const char *path, *problem;
    int64_t changed_s;
};
struct mail_file_about mail_file_about(const struct mail_file *f);
void mail_file_metrics(const struct mail_file *f, struct buf *out);

#endif
