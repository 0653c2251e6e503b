/* A letter as a mail: for people. */
#ifndef ADMIN_ALERT_MAIL_H
#define ADMIN_ALERT_MAIL_H

#include "base/buf.h"

/* Out of the message that a webhook would get; `name`: the alert's. */
void alert_mail_write(struct sv letter, struct sv name, struct buf *subject,
                      struct buf *text);

#endif
