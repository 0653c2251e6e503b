/* What is kept of exports (exports.c). */
#ifndef MAIN_EXPORTS_H
#define MAIN_EXPORTS_H

#include "journal/otlp.h"
#include "main/settings.h"
#include "reach/log_push.h"

struct exports {
    struct pusher *pusher;
    struct log_push *log;         /* NULL: the access log goes elsewhere */
    int log_fd;                   /* the journal's end, until it has it */
    char urls[PUSH_PLACES][2100];
    char *headers;                /* text of the file; holds secrets */
    struct http_field fields[PUSH_FIELDS_MAX];
    size_t fields_n;
    struct otlp_attribute attributes[SETTING_LIST_MAX + 2];
    struct otlp_resource resource;
    int64_t start_ms;             /* of what is cumulative */
    uint64_t metrics_due_ns, last_trace; /* control thread */
    bool last_metrics;                   /* control thread: were made */
    /* At the end: the last documents are asked for, or all were given away. */
    _Atomic enum { EXPORTS_RUN, EXPORTS_END, EXPORTS_GIVEN } phase;
};

#endif
