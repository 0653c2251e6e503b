/* Anomaly detection's quality on labelled series, as docs/detection.md shows
 * it:
 *
 *   detection [seeds] [row]
 *
 * Seeds 1 … n, all rows or one; figures repeat exactly. About half a minute a
 * seed. */
#include <stdio.h>
#include <stdlib.h>

#include "traffic.h"

static struct anomaly policy_of(const char *name)
{
    char text[64], memory[4096];
    struct arena a;
    struct anomaly out = { 0 };
    yyjson_doc *doc;
    snprintf(text, sizeof text, "\"%s\"", name);
    arena_init(&a, 0, memory, sizeof memory);
    if (json_decode(sv_cstr(text), &a, &doc, NULL) ||
        anomaly_decode(yyjson_doc_get_root(doc), &out))
        abort();
    arena_fini(&a);
    return out;
}

static void print(const char *series, const struct traffic_score *s)
{
    printf("| %s | %u | ", series, s->events);
    if (s->events)
        printf("%.2f | ", (double)s->hit / s->events);
    else
        printf("- | ");
    if (s->alarms)
        printf("%.2f | ", (double)s->right / s->alarms);
    else
        printf("- | ");
    printf("%u | ", s->alarms - s->right);
    if (s->hit)
        printf("%.1f |\n", s->delay_s / s->hit / 60);
    else
        printf("- |\n");
    fflush(stdout);
}

static void add(struct traffic_score *to, const struct traffic_score *from)
{
    to->events += from->events;
    to->hit += from->hit;
    to->alarms += from->alarms;
    to->right += from->right;
    to->delay_s += from->delay_s;
}

int main(int argc, char **argv)
{
    static const struct {
        const char *profile;
        enum anomaly_scope scope;
        double per_second;
    } rows[] = {
        { "PERMISSIVE", ANOMALY_APPLICATION, 1 },
        { "STANDARD", ANOMALY_APPLICATION, 1 },
        { "STRICT", ANOMALY_APPLICATION, 1 },
        { "API_GATEWAY", ANOMALY_APPLICATION, 5 },
        { "STANDARD", ANOMALY_SUBJECT, 0.2 },
        { "STRICT", ANOMALY_SUBJECT, 0.2 },
    };
    unsigned seeds = argc > 1 ? (unsigned)atoi(argv[1]) : 3;
    size_t from = 0, to = sizeof rows / sizeof *rows;
    if (argc > 2) from = (size_t)atoi(argv[2]), to = from + 1;
    for (size_t i = from; i < to; i++) {
        struct anomaly policy = policy_of(rows[i].profile);
        struct traffic_score all = { 0 };
        printf("\n%s, %s, %g requests/s, seeds 1-%u\n\n", rows[i].profile,
               rows[i].scope == ANOMALY_SUBJECT ? "subject" : "application",
               rows[i].per_second, seeds);
        printf("| series | events | recall | precision | false alarms | delay "
               "min |\n| --- | --: | --: | --: | --: | --: |\n");
        for (int kind = 0; kind < TRAFFIC_KINDS; kind++) {
            struct traffic_score s = { 0 };
            for (unsigned seed = 1; seed <= seeds; seed++)
                traffic_run((enum traffic_kind)kind, &policy, rows[i].scope,
                            rows[i].per_second, seed, &s);
            print(traffic_name((enum traffic_kind)kind), &s);
            add(&all, &s);
        }
        print("**all**", &all);
    }
    return 0;
}
