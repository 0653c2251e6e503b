/* What an event costs its reactor, and what an incident costs on the disk: our
 * segments beside a table of SQLite with the same facts and the index that
 * paging by account needs (docs/decisions/0055, 0056).
 *   micro_journal FOLDER
 * One line a figure; processor time, best of five. */
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/ensure.h"
#include "base/mem.h"
#include "journal/journal.h"

enum { ROUNDS = 1 << 20, REPEATS = 5, RECORDS = 100000, BATCH = 100 };

static const uint8_t token_id[16] = { 1, 0x93, 0x5a, 1, 2, 3, 4, 5, 6, 7, 8 };

static struct event usual(void)
{
    struct event e = {
        .wall_ms = 1732392665123,
        .code = "",
        .request_id = SV("01JDCW3T5Q8ZB4R9N6M0X7K2VE"),
        .method = SV("GET"),
        .host = SV("api.example.com"),
        .path = SV("/v1/users/42"),
        .app_id = SV("app_01JD0000000000000000000001"),
        .token_id = token_id,
        .status = 200,
        .total_us = 812,
        .http_minor = 1,
    };
    ip_parse(SV("192.0.2.9"), &e.client);
    return e;
}

static struct event_more more_usual(void)
{
    return (struct event_more){
        .account_id = SV("acc_01JD0000000000000000000001"),
        .now_ms = 1000,
        .method = SV("GET"),
        .host = SV("api.example.com"),
        .path = SV("/v1/users/42"),
        .subject = SV(""),
        .owner = SV("customer-7"),
    };
}

/* ns an event; `apart` milliseconds lie between two of them: 0 is a flood. */
static double cost_ns(const char *dir, bool refused, bool kept,
                      const struct findings *found, uint64_t apart_ms)
{
    double best = 1e9;
    for (int repeat = 0; repeat < REPEATS; repeat++) {
        struct journal *j;
        struct journal_conf conf = { .reactors = 1,
                                     .access_fd = -1,
                                     .sample = 1,
                                     .incidents_dir = dir,
                                     .incidents_bytes = 64 << 20,
                                     .incidents_age_ms = 86400000 };
        ENSURE(journal_new(&j, &conf) == 0);
        struct event e = usual();
        struct event_more more = more_usual();
        more.findings = found;
        if (refused) {
            e.outcome = OUTCOME_LIMITED; /* not in the use table */
            e.code = "rate_limited";
        }
        if (kept) e.more = &more;
        uint64_t spent = 0;
        int rounds = apart_ms ? ROUNDS / 16 : ROUNDS;
        for (int i = 0; i < rounds; i += 64) {
            uint64_t begin = clock_thread_cpu_ns();
            for (int k = 0; k < 64; k++) {
                journal_event(j, 0, &e);
                more.now_ms += apart_ms;
            }
            spent += clock_thread_cpu_ns() - begin;
            if (apart_ms) journal_incidents_record(j);
        }
        double ns = (double)spent / rounds;
        if (ns < best) best = ns;
        journal_free(&j);
    }
    return best;
}

static void reactors(const char *dir)
{
    const struct findings one = {
        .n = 1,
        .at[0] = { .code = "waf_blocked",
                   .action = DETECTOR_BLOCK,
                   .enforced = true,
                   .evidence = SV("{\"rules\":[942100,942190],\"score\":15,"
                                  "\"field\":\"query\"}") },
    };
    double passed = cost_ns(dir, false, false, NULL, 0);
    printf("passed: counters, histograms        %7.1f ns\n", passed);
    printf("refused, told nobody                %7.1f ns\n",
           cost_ns(dir, true, false, NULL, 0));
    printf("refused, one of a flood             %7.1f ns\n",
           cost_ns(dir, true, true, NULL, 0));
    printf("refused, one a second, told whole   %7.1f ns\n",
           cost_ns(dir, true, true, NULL, 1000));
    printf("found and refused, told whole       %7.1f ns\n",
           cost_ns(dir, true, true, &one, 1000));
}

/* --- the disk ---------------------------------------------------------------------- */

static uint64_t file_bytes(const char *dir, const char *name)
{
    char path[4096];
    struct stat st;
    snprintf(path, sizeof path, "%s/%s", dir, name);
    return stat(path, &st) ? 0 : (uint64_t)st.st_size;
}

static void count_one(void *ctx, const struct incident *i)
{
    (void)i;
    ++*(uint32_t *)ctx;
}

static void segments(const char *dir)
{
    struct journal *j;
    struct buf text;
    struct journal_conf conf = { .reactors = 1,
                                 .access_fd = -1,
                                 .sample = 1,
                                 .incidents_dir = dir,
                                 .incidents_bytes = 256 << 20,
                                 .incidents_age_ms = INT64_MAX / 4 };
    ENSURE(journal_new(&j, &conf) == 0);
    struct event e = usual();
    struct event_more more = more_usual();
    e.outcome = OUTCOME_LIMITED;
    e.code = "rate_limited";
    e.more = &more;
    uint64_t spent = 0;
    for (int i = 0; i < RECORDS; i++) {
        journal_event(j, 0, &e);
        more.now_ms += 1000;
        if (i % BATCH) continue;
        uint64_t begin = clock_thread_cpu_ns();
        journal_incidents_record(j);
        spent += clock_thread_cpu_ns() - begin;
    }
    buf_init(&text, 1 << 20);
    metrics_render(j, &text);
    buf_putc(&text, '\0');
    const char *bytes = strstr(text.p, "\ntypeauth_events_bytes ");
    printf("segments: an incident               %7.2f us, %.0f bytes\n",
           (double)spent / RECORDS / 1000, strtod(bytes + 23, NULL) / RECORDS);
    buf_fini(&text);
    struct incident_filter f = { .action = -1,
                                 .enforced = -1,
                                 .end_ms = INT64_MAX };
    struct incident_page page = { .limit = 100 };
    memset(&page.bound, 0xff, sizeof page.bound);
    ENSURE(ulid_decode(SV("01JD0000000000000000000001"), &f.account) == 0);
    uint32_t n = 0;
    uint64_t begin = clock_thread_cpu_ns();
    ENSURE(journal_incidents(j, &f, &page, count_one, &n) == 0);
    printf("segments: the newest 100            %7.2f us\n",
           (double)(clock_thread_cpu_ns() - begin) / 1000);
    f.code = SV("nothing");
    begin = clock_thread_cpu_ns();
    ENSURE(journal_incidents(j, &f, &page, count_one, &n) == 0);
    printf("segments: a page that finds nothing %7.2f us\n",
           (double)(clock_thread_cpu_ns() - begin) / 1000);
    journal_free(&j);
}

static void sql(sqlite3 *db, const char *text)
{
    ENSURE(sqlite3_exec(db, text, NULL, NULL, NULL) == SQLITE_OK);
}

static void table(const char *dir)
{
    char path[4096];
    sqlite3 *db;
    sqlite3_stmt *put;
    struct event e = usual();
    snprintf(path, sizeof path, "%s/peer.db", dir);
    ENSURE(sqlite3_open(path, &db) == SQLITE_OK);
    sql(db, "pragma journal_mode=wal; pragma synchronous=normal;"
            "create table event(id blob primary key, account blob, app blob,"
            " token blob, ip blob, at integer, count integer, status integer,"
            " code text, request text, method text, host text, path text,"
            " owner text, findings text) without rowid;"
            "create index by_account on event(account, id);");
    ENSURE(sqlite3_prepare_v2(db,
                              "insert into event values"
                              "(?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)",
                              -1, &put, NULL) == SQLITE_OK);
    uint64_t begin = clock_thread_cpu_ns();
    for (uint32_t i = 0; i < RECORDS; i++) {
        uint8_t id[16] = { (uint8_t)(i >> 24), (uint8_t)(i >> 16),
                           (uint8_t)(i >> 8), (uint8_t)i };
        if (i % BATCH == 0) sql(db, "begin");
        for (int k = 1; k <= 5; k++)
            sqlite3_bind_blob(put, k, k == 1 ? id : token_id, 16,
                              SQLITE_STATIC);
        for (int k = 6; k <= 8; k++) sqlite3_bind_int64(put, k, e.wall_ms + i);
        const struct sv texts[] = {
            SV("rate_limited"), e.request_id, e.method, e.host, e.path,
            SV("customer-7"),   SV("")
        };
        for (int k = 0; k < 7; k++)
            sqlite3_bind_text(put, 9 + k, texts[k].p, (int)texts[k].n,
                              SQLITE_STATIC);
        ENSURE(sqlite3_step(put) == SQLITE_DONE);
        sqlite3_reset(put);
        if (i % BATCH == BATCH - 1) sql(db, "commit");
    }
    double us = (double)(clock_thread_cpu_ns() - begin) / RECORDS / 1000;
    sql(db, "pragma wal_checkpoint(truncate)");
    printf("SQLite:   an incident               %7.2f us, %.0f bytes\n", us,
           (double)file_bytes(dir, "peer.db") / RECORDS);
    sqlite3_finalize(put);
    sqlite3_close(db);
}

int main(int argc, char **argv)
{
    char dir[2][4096];
    if (argc != 2) {
        fprintf(stderr, "usage: micro_journal FOLDER (it is filled)\n");
        return 2;
    }
    snprintf(dir[0], sizeof dir[0], "%s/a", argv[1]);
    snprintf(dir[1], sizeof dir[1], "%s/b", argv[1]);
    reactors(dir[0]);
    segments(dir[1]);
    table(argv[1]);
    return 0;
}
