/* Secrets that sign an alert's messages, sealed beside its record. */
#include "admin/admin_int.h"
#include "admin/alerting.h"
#include "base/err.h"
#include "base/mem.h"
#include "codec/json.h"

enum { MEMORY_BYTES = 8 * 1024 };

static void text_copy(char to[ALERT_SECRET_MAX], struct sv s)
{
    if (s.n >= ALERT_SECRET_MAX) s.n = 0;
    if (s.n) memcpy(to, s.p, s.n);
    to[s.n] = 0;
}

int alert_secrets_read(struct admin *a, struct sv alert_id,
                       struct alert_secrets *out)
{
    char memory[MEMORY_BYTES], id[ID_TEXT_MAX + 1] = "";
    struct arena arena;
    struct sv text;
    yyjson_doc *doc;
    *out = (struct alert_secrets){ .now = "" };
    if (alert_id.n > ID_TEXT_MAX) return ERR_NOTFOUND;
    memcpy(id, alert_id.p, alert_id.n);
    arena_init(&arena, sizeof memory, memory, sizeof memory);
    int err = store_sealed_get(a->conf.store, id, &arena, &text);
    if (!err) err = json_decode(text, &arena, &doc, NULL);
    if (!err) {
        const yyjson_val *root = yyjson_doc_get_root(doc);
        text_copy(out->now, json_text(json_find(root, "secret")));
        text_copy(out->old, json_text(json_find(root, "old")));
        if (!json_is_int(json_find(root, "oldUntil"), &out->old_until_ms))
            err = ERR_CORRUPT;
    }
    arena_fini(&arena);
    mem_wipe(memory, sizeof memory);
    return err;
}

int alert_secrets_write(struct admin *a, struct sv alert_id,
                        const struct alert_secrets *s)
{
    char text[3 * ALERT_SECRET_MAX], id[ID_TEXT_MAX + 1] = "";
    struct buf b;
    memcpy(id, alert_id.p, alert_id.n);
    buf_init_fixed(&b, text, sizeof text);
    buf_printf(&b, "{\"secret\":\"%s\",\"old\":\"%s\",\"oldUntil\":%lld}",
               s->now, s->old, (long long)s->old_until_ms);
    int err = b.overflow ? ERR_TOOBIG
                         : store_sealed_set(a->conf.store, id, buf_sv(&b));
    mem_wipe(text, sizeof text);
    return err;
}
