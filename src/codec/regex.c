/* Program to automaton, and the search. A state is the set of instructions
 * that may come next, together with what stood before (for \b and ^); a step
 * follows splits and assertions, then consumes a byte. Steps that were seen
 * are kept in a table; when there would be too many states, the search makes
 * its steps anew, each at most as long as the program. */
#include "codec/regex.h"

#include "base/err.h"
#include "base/hash.h"
#include "base/mem.h"
#include "codec/regex_int.h"

enum {
    WORDS = REGEX_PROGRAM_MAX / 64,
    STATES_MAX = 1024,
    TABLE_MAX = 64 * 1024,       /* cells of two bytes */
    WORK_MAX = 12 * 1000 * 1000, /* instructions looked at for one table */
    SETS_PROGRAM_MAX = 512,      /* longest program without a table */
    END = 256,                   /* the symbol behind the last byte */
    ACCEPT = 0,
};

enum before { BEFORE_START, BEFORE_WORD, BEFORE_OTHER };

struct state {
    uint64_t core[WORDS]; /* not yet followed through splits */
    uint64_t before;      /* enum before */
};

struct regex {
    const uint16_t *table; /* [state][class]; NULL: by sets */
    unsigned classes, dead;
    uint8_t class_of[256];
    bool fold;
    unsigned program_n, sets_n;
    const struct regex_step *step;
    const struct regex_set *set;
};

static bool is_word(unsigned c)
{
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') ||
           (c >= 'a' && c <= 'z') || c == '_';
}

/* --- one step ----------------------------------------------------------------- */

static bool holds(enum regex_op op, enum before before, unsigned symbol)
{
    bool edge = (before == BEFORE_WORD) != (symbol != END && is_word(symbol));
    switch (op) {
    case REGEX_BEGIN: return before == BEFORE_START;
    case REGEX_END: return symbol == END;
    case REGEX_WORD: return edge;
    default: return !edge;
    }
}

struct walk {
    uint16_t todo[REGEX_PROGRAM_MAX];
    unsigned n, work;
    uint64_t seen[WORDS];
};

static void walk_push(struct walk *w, unsigned pc)
{
    uint64_t bit = 1ull << (pc & 63);
    if (w->seen[pc >> 6] & bit) return;
    w->seen[pc >> 6] |= bit;
    w->todo[w->n++] = (uint16_t)pc;
}

/* From s by a symbol to *next (cleared here); true: all matched. */
static bool step(const struct regex *re, struct walk *w, const struct state *s,
                 unsigned symbol, struct state *next)
{
    unsigned words = (re->program_n + 63) / 64;
    memset(next->core, 0, words * sizeof *next->core);
    memset(w->seen, 0, words * sizeof *w->seen);
    w->n = 0;
    walk_push(w, 0);
    for (unsigned i = 0; i < words; i++)
        for (uint64_t bits = s->core[i]; bits; bits &= bits - 1)
            walk_push(w, i * 64 + (unsigned)__builtin_ctzll(bits));
    while (w->n > 0) {
        unsigned pc = w->todo[--w->n];
        const struct regex_step *at = &re->step[pc];
        w->work++;
        switch ((enum regex_op)at->op) {
        case REGEX_MATCH: return true;
        case REGEX_SPLIT:
            walk_push(w, at->y);
            walk_push(w, at->x);
            break;
        case REGEX_JUMP: walk_push(w, at->x); break;
        case REGEX_BYTE:
            if (symbol != END && regex_set_has(&re->set[at->x], symbol))
                next->core[(pc + 1) >> 6] |= 1ull << ((pc + 1) & 63);
            break;
        default:
            if (holds((enum regex_op)at->op, (enum before)s->before, symbol))
                walk_push(w, pc + 1);
        }
    }
    next->before =
        symbol != END && is_word(symbol) ? BEFORE_WORD : BEFORE_OTHER;
    return false;
}

/* --- the table ---------------------------------------------------------------- */

struct build {
    struct regex *re;
    bool has_words;
    unsigned representative[256]; /* a byte of each class */
    unsigned states_n;
    struct state *states; /* [STATES_MAX]; number 0 is ACCEPT, unused */
    uint16_t *slots;      /* [2 * STATES_MAX]: 0 empty, else a state */
    uint16_t *table;      /* [STATES_MAX][classes + 1] */
    struct walk walk;
};

/* Bytes that no set tells apart are one class. */
static void classes_split(struct build *b, const struct regex_set *s)
{
    struct regex *re = b->re;
    uint16_t twin[256];
    memset(twin, 0xff, sizeof twin);
    for (unsigned c = 0; c < 256; c++) {
        unsigned class = re->class_of[c];
        if (regex_set_has(s, c) == regex_set_has(s, b->representative[class]))
            continue;
        if (twin[class] == 0xffff) {
            twin[class] = (uint16_t)re->classes;
            b->representative[re->classes++] = c;
        }
        re->class_of[c] = (uint8_t)twin[class];
    }
}

static void classes_make(struct build *b)
{
    struct regex *re = b->re;
    memset(re->class_of, 0, sizeof re->class_of);
    re->classes = 1;
    b->representative[0] = 0;
    for (unsigned i = 0; i < re->sets_n; i++) classes_split(b, &re->set[i]);
    struct regex_set words = { { 0 } };
    for (unsigned c = 0; c < 256; c++)
        if (is_word(c)) words.w[c >> 6] |= 1ull << (c & 63);
    if (b->has_words) classes_split(b, &words);
    for (unsigned c = 'A'; re->fold && c <= 'Z'; c++)
        re->class_of[c] = re->class_of[c - 'A' + 'a'];
}

/* The number of that state; 0 when there is no room. */
static unsigned state_number(struct build *b, struct state *s)
{
    if (!b->has_words && s->before != BEFORE_START) s->before = BEFORE_OTHER;
    unsigned mask = 2 * STATES_MAX - 1;
    unsigned words = (b->re->program_n + 63) / 64;
    uint64_t h = hash_sv(sv_of(s->core, words * 8)) + s->before;
    for (unsigned i = (unsigned)h & mask;; i = (i + 1) & mask) {
        unsigned number = b->slots[i];
        if (number == 0) {
            if (b->states_n == STATES_MAX ||
                (b->states_n + 1) * (b->re->classes + 1) > TABLE_MAX)
                return 0;
            b->states[b->states_n] = *s;
            b->slots[i] = (uint16_t)b->states_n;
            return b->states_n++;
        }
        const struct state *other = &b->states[number];
        if (other->before == s->before &&
            memcmp(other->core, s->core, words * 8) == 0)
            return number;
    }
}

/* Number 1 is the start. False: too large. */
static bool table_fill(struct build *b)
{
    struct regex *re = b->re;
    unsigned width = re->classes + 1;
    struct state next = { .before = BEFORE_START };
    b->states_n = 1;
    state_number(b, &next);
    for (unsigned i = 1; i < b->states_n; i++)
        for (unsigned class = 0; class < width; class ++) {
            unsigned symbol =
                class == re->classes ? END : b->representative[class];
            bool all = step(re, &b->walk, &b->states[i], symbol, &next);
            unsigned to = all ? ACCEPT : state_number(b, &next);
            if ((!all && to == 0) || b->walk.work > WORK_MAX) return false;
            b->table[(size_t)i * width + class] = (uint16_t)to;
        }
    return true;
}

/* A state that only leads to itself: the search may end. 0: none. */
static unsigned dead_state(const struct build *b)
{
    unsigned width = b->re->classes + 1;
    for (unsigned i = 1; i < b->states_n; i++) {
        unsigned class = 0;
        while (class < width - 1 && b->table[(size_t)i * width + class] == i)
            class ++;
        if (class == width - 1 && b->table[(size_t)i * width + class] != ACCEPT)
            return i;
    }
    return 0;
}

static int table_build(struct regex *re, bool has_words, struct arena *a)
{
    struct build *b = mem_zalloc(sizeof *b);
    int rc = 0;
    b->re = re;
    b->has_words = has_words;
    classes_make(b);
    b->states = mem_zalloc(sizeof *b->states * STATES_MAX);
    b->slots = mem_zalloc(sizeof *b->slots * 2 * STATES_MAX);
    b->table = mem_zalloc(sizeof *b->table * (TABLE_MAX + 512));
    if (table_fill(b)) {
        size_t n = (size_t)b->states_n * (re->classes + 1) * sizeof *b->table;
        uint16_t *table = arena_alloc(a, n);
        if (table) memcpy(table, b->table, n);
        re->table = table;
        re->dead = dead_state(b);
        if (!table) rc = ERR_NOMEM;
    } else if (re->program_n > SETS_PROGRAM_MAX) {
        rc = ERR_LIMIT;
    }
    mem_free(b->table);
    mem_free(b->slots);
    mem_free(b->states);
    mem_free(b);
    return rc;
}

/* The program is needed only where there is no table. */
static int program_keep(struct regex *re, struct arena *a)
{
    const struct regex_step *from = re->step;
    const struct regex_set *sets = re->set;
    struct regex_step *to = NULL;
    struct regex_set *set = NULL;
    if (!re->table) {
        to = ARENA_ARRAY(a, struct regex_step, re->program_n);
        set = ARENA_ARRAY(a, struct regex_set, re->sets_n + 1);
        if (!to || !set) return ERR_NOMEM;
        memcpy(to, from, re->program_n * sizeof *to);
        memcpy(set, sets, re->sets_n * sizeof *set);
    }
    re->step = to;
    re->set = set;
    return 0;
}

int regex_compile(struct sv pattern, bool fold, struct arena *a,
                  const struct regex **out, struct regex_error *why)
{
    struct regex_program *program = mem_alloc(sizeof *program);
    struct regex *re = ARENA_NEW(a, struct regex);
    int rc = regex_parse(pattern, program, why);
    if (rc == 0 && !re) rc = ERR_NOMEM;
    if (rc == 0) {
        *re = (struct regex){ .fold = fold,
                              .program_n = program->n,
                              .sets_n = program->sets_n,
                              .step = program->step,
                              .set = program->set };
        rc = table_build(re, program->has_words, a);
    }
    if (rc == 0) rc = program_keep(re, a);
    if (rc == ERR_LIMIT) {
        *why = (struct regex_error){
            0, "the pattern needs too many states: fewer or shorter repeats"
        };
        rc = ERR_INVALID;
    }
    mem_free(program);
    *out = rc ? NULL : re;
    return rc;
}

unsigned regex_cost(const struct regex *re)
{
    return re->table ? 1 : re->program_n;
}

/* --- the search --------------------------------------------------------------- */

static bool search_sets(const struct regex *re, struct sv text)
{
    struct walk w = { .n = 0 };
    struct state states[2];
    memset(states[0].core, 0, sizeof states[0].core);
    states[0].before = BEFORE_START;
    for (size_t i = 0; i <= text.n; i++) {
        unsigned c = i < text.n ? (unsigned char)text.p[i] : END;
        if (re->fold && c >= 'A' && c <= 'Z') c |= 0x20;
        if (step(re, &w, &states[i & 1], c, &states[~i & 1])) return true;
    }
    return false;
}

bool regex_search(const struct regex *re, struct sv text)
{
    if (!re->table) return search_sets(re, text);
    unsigned width = re->classes + 1, state = 1;
    for (size_t i = 0; i < text.n; i++) {
        state =
            re->table[state * width + re->class_of[(unsigned char)text.p[i]]];
        if (state == ACCEPT) return true;
        if (state == re->dead) return false;
    }
    return re->table[state * width + re->classes] == ACCEPT;
}
