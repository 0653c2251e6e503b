/* kill -9 at any moment: a child writes and says through a pipe what was
 * committed; whatever it said is there afterwards, and no half transaction. */
#include <signal.h>
#include <sys/wait.h>

#include "store_kit.h"

enum { ROUNDS = 15, BATCH = 10 };

/* Each transaction: an application, BATCH tokens, a change. Says its number
 * once it is committed. */
static void child_writes(struct kit *k, int pipe_out, unsigned from)
{
    for (unsigned i = from;; i++) {
        char name[20];
        uint64_t seq;
        snprintf(name, sizeof name, "{\"name\":\"%u\"}", i);
        if (store_begin(k->store)) _exit(1);
        struct record r = kit_record(k, &shape_application, k->account, name);
        if (store_record_insert(k->store, &r)) _exit(2);
        for (uint32_t j = 0; j < BATCH; j++) {
            struct token_row row = kit_token(k, r.num, i * BATCH + j);
            size_t at;
            if (store_token_insert(k->store, id_sv(&k->account), &row, 1, &at))
                _exit(3);
        }
        if (store_change_append(k->store, KIND_APPLICATION, id_sv(&r.id),
                                &seq) ||
            store_commit(k->store))
            _exit(4);
        if (write(pipe_out, &i, sizeof i) != sizeof i) _exit(5);
        arena_reset(&k->arena);
    }
}

static int count_row(void *ctx, const struct token_hot *t)
{
    unsigned *n = ctx;
    assert_int_equal(t->slot, *n); /* no gap: no half transaction */
    ++*n;
    return 0;
}

static int count_change(void *ctx, uint64_t seq, enum kind kind, struct sv id)
{
    (void)seq;
    (void)id;
    *(unsigned *)ctx += kind == KIND_APPLICATION;
    return 0;
}

static void what_was_acknowledged_survives_and_nothing_is_half_done(
    void **state)
{
    struct kit *k = *state;
    unsigned next = 0, applications, changes, tokens;
    for (int round = 0; round < ROUNDS; round++) {
        int ends[2];
        unsigned said = next, i;
        store_close(&k->store);
        assert_int_equal(pipe(ends), 0);
        pid_t child = fork();
        if (child == 0) {
            close(ends[0]);
            kit_open(k);
            child_writes(k, ends[1], next);
        }
        close(ends[1]);
        /* let it acknowledge something, then a moment that differs */
        assert_int_equal(read(ends[0], &i, sizeof i), sizeof i);
        usleep((useconds_t)round * 700);
        kill(child, SIGKILL);
        said = i + 1;
        while (read(ends[0], &i, sizeof i) == sizeof i) said = i + 1;
        close(ends[0]);
        waitpid(child, NULL, 0);
        kit_open(k);
        uint64_t n;
        assert_int_equal(store_record_count(k->store, KIND_APPLICATION,
                                            id_sv(&k->account), &n),
                         0);
        applications = (unsigned)n;
        tokens = changes = 0;
        assert_int_equal(store_token_load(k->store, count_row, &tokens), 0);
        assert_int_equal(store_change_each(k->store, 0, count_change, &changes),
                         0);
        assert_true(applications >= said && applications <= said + 1);
        assert_int_equal(tokens, applications * BATCH);
        assert_int_equal(changes, applications);
        next = applications;
    }
    assert_true(next >= ROUNDS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        KIT_TEST(what_was_acknowledged_survives_and_nothing_is_half_done),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
