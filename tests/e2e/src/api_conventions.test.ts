// api.md §1 over the wire: envelope, status codes, lists, filters, ETags,
// idempotency, PATCH, the audit log.
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import {
  Api, Cleanup, RawClient, Server, anotherAccount, call, scenario, serverWithRoot,
} from "./harness/index.js";

const origin = { host: "127.0.0.1", port: 9 };
const nowhere = "app_00000000000000000000000000";
const cleanup = new Cleanup();
let server: Server;
let rootKey: string;
let api: Api;
let serial = 0;

before(async () => {
  ({ server, rootKey } = await serverWithRoot(cleanup, { args: ["--applications-max", "1000"] }));
  api = server.api;
});
after(() => cleanup.run());

const made = async (extra: object = {}) =>
  (await api.create("applications/create", { name: `app ${++serial}`, ...extra }))[0];

// --- envelope and status codes -------------------------------------------------

test("what is wrong with the request has its status, a code, an id and the envelope", async () => {
  const app = await made();
  const long = { name: "x".repeat(1100 * 1024) };
  const cases: [string, string, number, string, { body?: unknown; headers?: Record<string, string> }?][] = [
    ["GET", "/nothing/here/at/all", 404, "not_found"],
    ["GET", "nonsense", 404, "not_found"],
    ["GET", `applications/${nowhere}`, 404, "not_found"],
    ["GET", "applications/nonsense", 404, "not_found"],
    ["GET", "applications/tok_00000000000000000000000000", 404, "not_found"],
    ["PUT", `applications/${app.id}`, 405, "method_not_allowed"],
    ["POST", "applications", 405, "method_not_allowed"],
    ["POST", "/openapi.json", 405, "method_not_allowed"],
    ["POST", "applications/create", 400, "invalid_json", { body: "{" }],
    ["POST", "applications/create", 400, "invalid_type", { body: "[]" }],
    ["POST", "applications/create", 413, "body_too_large", { body: long }],
    ["POST", "applications/create", 415, "unsupported_media_type",
      { body: "name=x", headers: { "content-type": "application/x-www-form-urlencoded" } }],
    ["POST", "applications/create", 415, "unsupported_media_type",
      { body: "{}", headers: { "content-encoding": "gzip" } }],
    ["GET", "applications?color=red", 400, "unknown_parameter"],
    ["GET", `applications/${app.id}?limit=5`, 400, "unknown_parameter"],
    ["GET", "applications?limit=%zz", 400, "bad_request"],
    ["GET", "applications?name=%ff", 400, "invalid_query"],
  ];
  for (const [method, path, status, code, options] of cases) {
    const answer = await api.call(method, path, options);
    const shown = `${method} ${path}: ${answer.status} ${answer.text.slice(0, 200)}`;
    assert.equal(answer.status, status, shown);
    assert.equal(answer.json.error?.code, code, shown);
    assert.deepEqual(answer.json.data, [], shown);
    assert.notEqual(answer.json.message, "", shown);
    assert.equal(status === 405, answer.headers.allow !== undefined, shown);
  }
  const allow = await api.call("PUT", `applications/${app.id}`);
  assert.deepEqual(allow.headers.allow!.split(", ").sort(), ["DELETE", "GET", "HEAD", "PATCH"]);
});

test("JSON with a duplicate member, invalid UTF-8 or 65 levels is refused by its place", async () => {
  const bodies: (string | Buffer)[] = [
    '{"name":"a","name":"b"}',
    Buffer.concat([Buffer.from('{"name":"'), Buffer.from([0xc3, 0x28]), Buffer.from('"}')]),
    `{"name":"a","description":${"[".repeat(65)}${"]".repeat(65)}}`,
  ];
  for (const body of bodies) {
    const answer = await api.post("applications/create", body);
    assert.equal(answer.status, 400, answer.text);
    assert.equal(answer.json.error!.code, "invalid_json", answer.text);
  }
});

test("request ids differ, and are ours", async () => {
  const ids = new Set<string>();
  for (let i = 0; i < 20; i++)
    ids.add(String((await api.get("tag", { headers: { "x-request-id": "mine" } })).headers["x-request-id"]));
  assert.equal(ids.size, 20);
  assert.ok(!ids.has("mine"));
});

test("a client that sends a large body in one go still reads the 413", async () => {
  const client = await RawClient.open(cleanup, server.door("api"));
  await client.send(`POST /${server.accountId}/applications/create HTTP/1.1\r\nHost: x\r\n` +
    `Authorization: Bearer ${api.key}\r\nContent-Type: application/json\r\nContent-Length: 5000000\r\n\r\n`);
  assert.equal((await client.read("POST")).status, 413);
});

test("ids bear their prefix and sort by creation; times are RFC 3339 UTC with milliseconds", async () => {
  const first = await made({ auth_id: (await api.create("authentication/create", { name: "ids" }))[0].id });
  const second = await made();
  const [token] = await api.tokens(first.id);
  const [tag] = await api.create("tag/create", { name: "ids" });
  const [key] = await api.create("management-key/create", { name: "ids", role: "viewer" });
  for (const [prefix, object] of Object.entries({ app: first, tok: token, tag, key })) {
    assert.match(object.id, new RegExp(`^${prefix}_[0-9A-HJKMNP-TV-Z]{26}$`));
    for (const at of [object.createdAt, object.updatedAt])
      assert.match(at, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
  }
  assert.match(first.auth_id, /^auth_[0-9A-HJKMNP-TV-Z]{26}$/);
  assert.ok(first.id < second.id);
});

// --- lists ---------------------------------------------------------------------

async function pages(noun: string, direction: "starting_after" | "ending_before", between: () => Promise<unknown>, from?: string) {
  const seen: string[] = [];
  let cursor = from;
  for (;;) {
    const answer = await api.get(`${noun}?limit=3${cursor ? `&${direction}=${cursor}` : ""}`);
    assert.equal(answer.status, 200, answer.text);
    const ids = answer.json.data.map((o) => o.id as string);
    assert.deepEqual([...ids].sort().reverse(), ids, "newest first");
    seen.push(...ids);
    if (!answer.json.has_more) return seen;
    cursor = direction === "starting_after" ? ids.at(-1)! : ids[0]!;
    await between();
  }
}

test("paging under inserts shows each object once and misses none, in both directions", async () => {
  const tag = async () => (await api.create("tag/create", { name: `page-${++serial}` }))[0].id as string;
  const had: string[] = [];
  for (let i = 0; i < 10; i++) had.push(await tag());
  const older = await pages("tag", "starting_after", tag);
  assert.equal(new Set(older).size, older.length, "none twice");
  for (const id of had) assert.ok(older.includes(id), `missed ${id}`);
  const late: string[] = [];
  let more = 3;
  const newer = await pages("tag", "ending_before", async () => { if (more-- > 0) late.push(await tag()); }, had[0]);
  assert.equal(new Set(newer).size, newer.length);
  assert.ok(!newer.includes(had[0]!));
  for (const id of [...had.slice(1), ...late]) assert.ok(newer.includes(id), `missed ${id}`);
});

test("a deleted cursor id still works; two cursors, bad ones and bad limits are refused", async () => {
  const ids: string[] = [];
  for (let i = 0; i < 4; i++) ids.push((await api.create("tag/create", { name: `cursor-${++serial}` }))[0].id);
  await api.delete(`tag/${ids[2]}`);
  const older = await api.get(`tag?starting_after=${ids[2]}&limit=1`);
  assert.equal(older.json.data[0].id, ids[1]);
  const newer = await api.get(`tag?ending_before=${ids[2]}&limit=1`);
  assert.equal(newer.json.data[0].id, ids[3]);
  for (const [query, field] of [
    [`starting_after=${ids[0]}&ending_before=${ids[1]}`, "ending_before"],
    ["starting_after=nonsense", "starting_after"], [`ending_before=${nowhere}`, "ending_before"],
    ["limit=0", "limit"], ["limit=1001", "limit"], ["limit=-1", "limit"], ["limit=x", "limit"], ["limit=", "limit"],
  ]) {
    const bad = await api.get(`tag?${query}`);
    assert.equal(bad.status, 400, query);
    assert.equal(bad.json.error!.field, field, query);
  }
});

test("lists are filtered by name, tag and tags[key], tokens also by application, owner and enabled", async () => {
  const app = await made({ name: "filtered app", tags: ["production", "environment:staging"] });
  const ids = async (query: string) => (await api.get(query)).json.data.map((o) => o.id).sort();
  for (const query of ["name=filtered%20app", "name=filtered+app", "tag=production", "tags[environment]=staging", "tags%5Benvironment%5D=staging", "tag=environment:staging"])
    assert.deepEqual(await ids(`applications?${query}`), [app.id], query);
  for (const query of ["name=filtered", "tag=environment", "tags[environment]=production", "tag=prod"])
    assert.deepEqual(await ids(`applications?${query}`), [], query);
  const [a] = await api.tokens(app.id, { owner: "u 1", tags: ["gold"] });
  const [b] = await api.tokens(app.id, { owner: "u2", enabled: false, name: "B" });
  const both = [a.id, b.id].sort();
  for (const [query, expected] of [
    [`applicationId=${app.id}`, both], [`applicationId=${app.id}&owner=u+1`, [a.id]],
    [`applicationId=${app.id}&enabled=true`, [a.id]], [`applicationId=${app.id}&enabled=false`, [b.id]],
    ["tag=gold", [a.id]], ["name=B", [b.id]], ["owner=u2", [b.id]], [`applicationId=${nowhere}`, []], ["owner=nobody", []],
  ] as [string, string[]][]) {
    assert.deepEqual(await ids(`token?${query}`), expected, query);
    assert.deepEqual(await ids(`/api/v1/keys?${query}`), expected, query);
  }
  assert.deepEqual(await ids("/api/v1/applications?tags[environment]=staging"), [app.id]);
  assert.equal((await api.get("token?enabled=maybe")).json.error!.field, "enabled");
});

// --- ETags and PATCH --------------------------------------------------------------

test("If-Match guards PATCH and DELETE of every noun; the ETag follows the record, not its use", async () => {
  const app = await api.application(`etag-${++serial}`, origin, { remaining: 5 });
  const [token] = await api.tokens(app.id);
  const [tag] = await api.create("tag/create", { name: `etag-${serial}` });
  for (const [path, change] of [
    [`applications/${app.id}`, { description: "d" }], [`token/${token.id}`, { owner: "o" }],
    [`authentication/${app.auth_id}`, { prefix: "p" }], [`tag/${tag.id}`, { name: `etag-x-${serial}` }],
  ] as [string, object][]) {
    const first = (await api.get(path)).headers.etag!;
    assert.match(first, /^"[!-~]+"$/);
    const changed = await api.patch(path, change, { headers: { "if-match": first } });
    assert.equal(changed.status, 200, changed.text);
    const second = changed.headers.etag!;
    assert.notEqual(second, first);
    assert.equal((await api.get(path)).headers.etag, second);
    for (const stale of [
      await api.patch(path, change, { headers: { "if-match": first } }),
      await api.delete(path, { headers: { "if-match": first } }),
      await api.delete(path, { headers: { "if-match": "nonsense" } }),
    ]) {
      assert.equal(stale.status, 412, `${path}: ${stale.text}`);
      assert.equal(stale.json.error!.field, "If-Match");
    }
    const either = await api.patch(path, change, { headers: { "if-match": `${first}, ${second}` } });
    assert.equal(either.status, 200);
    assert.equal((await api.patch(path, change, { headers: { "if-match": "*" } })).status, 200);
  }
  const { etag } = (await api.get(`token/${token.id}`)).headers;
  const { updatedAt } = (await api.get(`token/${token.id}`)).json.data[0];
  assert.equal((await api.authenticate(app.id, token.token)).json.success, true);
  const after_ = await api.get(`token/${token.id}`);
  assert.equal(after_.headers.etag, etag);
  assert.equal(after_.json.data[0].updatedAt, updatedAt);
  assert.equal((await api.delete(`token/${token.id}`, { headers: { "if-match": etag! } })).status, 200);
});

test("PATCH merges: absent stays, null clears, \"\" clears what the seed types", async () => {
  const app = await api.application(`merge-${++serial}`, origin, {}, { description: "d", tags: ["a", "b"], timeouts: { connect: 100, idle: 200 } });
  const path = `applications/${app.id}`;
  const patch = async (change: object) => {
    const answer = await api.patch(path, change);
    assert.equal(answer.status, 200, answer.text);
    return answer.json.data[0];
  };
  let now = await patch({ enabled: false });
  assert.deepEqual({ ...now, updatedAt: 0 }, { ...app, enabled: false, updatedAt: 0 });
  now = await patch({ timeouts: { idle: null, firstByte: 300 } });
  assert.deepEqual([now.timeouts.connect, now.timeouts.idle ?? null, now.timeouts.firstByte], [100, null, 300], "objects merge member by member");
  now = await patch({ description: null, tags: null, timeouts: null, enabled: null, auth_id: "" });
  assert.deepEqual([now.description, now.tags, now.timeouts, now.enabled, now.auth_id], ["", [], null, true, ""]);
  now = await patch({ tags: ["c"] });
  assert.deepEqual(now.tags, ["c"], "arrays are replaced");
  now = await patch({ ...now });
  assert.deepEqual(now.tags, ["c"], "an object sent back whole changes nothing");
  for (const [field, value] of Object.entries({ id: nowhere, createdAt: "2001-01-01T00:00:00.000Z", account_id: "acc_00000000000000000000000000" })) {
    const bad = await api.patch(path, { [field]: value });
    assert.equal(bad.status, 400, field);
    assert.equal(bad.json.error!.field, field);
  }
  for (const field of ["id", "name", "description", "domain", "createdAt", "updatedAt", "originHostname", "detailResponse", "auth_id", "llmcache_id", "abuse_id", "tags"])
    assert.notEqual(now[field] ?? null, null, `${field} is never null`);
});

test("a token's own values override: null is the profile's, false is none", async () => {
  const app = await api.application(`own-${++serial}`, origin, { ratelimit: { limit: 7, timeWindow: 60 }, remaining: 70 });
  const [token] = await api.tokens(app.id);
  const path = `token/${token.id}`;
  assert.equal(token.effective.quota, 70);
  assert.equal(token.effective.ratelimits[0].limit, 7);
  const own = (await api.patch(path, { ratelimit: { limit: 3, timeWindow: 5 }, remaining: 9 })).json.data[0];
  assert.deepEqual([own.remaining, own.ratelimit.limit, own.effective.quota, own.effective.ratelimits[0].limit], [9, 3, 9, 3]);
  const none = (await api.patch(path, { ratelimit: false, remaining: false })).json.data[0];
  assert.deepEqual([none.remaining, none.ratelimit, none.effective.quota, none.effective.ratelimits], [false, false, null, []]);
  const back = (await api.patch(path, { ratelimit: null, remaining: null })).json.data[0];
  assert.deepEqual([back.remaining, back.ratelimit, back.effective.quota, back.effective.ratelimits[0].limit], [null, null, 70, 7]);
});

// --- idempotency --------------------------------------------------------------------

const newKey = () => randomBytes(12).toString("hex");

test("a create is repeated with its secrets, refused with another body, scoped by path", async () => {
  const app = await made();
  const key = newKey();
  const headers = { "idempotency-key": key };
  const path = `token/create/${app.id}`;
  const first = await api.post(path, { amount: 2 }, { headers });
  assert.equal(first.status, 201);
  assert.equal(first.headers["idempotency-replayed"], undefined);
  const again = await api.post(path, { amount: 2 }, { headers });
  assert.equal(again.status, 201);
  assert.equal(again.headers["idempotency-replayed"], "true");
  assert.equal(again.text, first.text);
  assert.ok(first.json.data[0].token);
  const mismatch = await api.post(path, { amount: 3 }, { headers });
  assert.equal(mismatch.status, 409);
  assert.equal(mismatch.json.error!.code, "idempotency_mismatch");
  const elsewhere = await api.post(`token/create/${(await made()).id}`, { amount: 2 }, { headers });
  assert.equal(elsewhere.status, 201);
  assert.equal(elsewhere.headers["idempotency-replayed"], undefined);
  assert.equal((await api.get(`token?applicationId=${app.id}`)).json.data.length, 2);
  for (const bad of ["short", "x".repeat(256), "with spaces in it......"])
    assert.equal((await api.post(path, {}, { headers: { "idempotency-key": bad } })).status, 400, bad);
  for (const good of ["x".repeat(16), "~".repeat(255)])
    assert.equal((await api.post(path, {}, { headers: { "idempotency-key": good } })).status, 201);
});

test("a refused create keeps nothing: the same key may try again", async () => {
  const headers = { "idempotency-key": newKey() };
  assert.equal((await api.post("tag/create", { name: "x" }, { headers })).status, 400);
  assert.equal((await api.post("tag/create", { name: `idem-${++serial}` }, { headers })).status, 201);
});

test("many at once with one key create once; the others replay or are told to wait", async () => {
  const app = await made();
  const headers = { "idempotency-key": newKey() };
  const answers = await Promise.all(Array.from({ length: 16 }, () => api.post(`token/create/${app.id}`, {}, { headers })));
  const good = answers.filter((a) => a.status === 201);
  assert.ok(good.length >= 1);
  assert.equal(new Set(good.map((a) => a.text)).size, 1);
  for (const other of answers.filter((a) => a.status !== 201)) {
    assert.equal(other.status, 409);
    assert.equal(other.headers["retry-after"], "1");
  }
  assert.equal((await api.get(`token?applicationId=${app.id}`)).json.data.length, 1);
});

test("a rotation with a key happens once", async () => {
  const app = await api.application(`rotate-${++serial}`, origin, {});
  const [token] = await api.tokens(app.id);
  const headers = { "idempotency-key": newKey() };
  const first = await api.post(`token/${token.id}/rotate`, { gracePeriod: 60 }, { headers });
  assert.equal(first.status, 200, first.text);
  const again = await api.post(`token/${token.id}/rotate`, { gracePeriod: 60 }, { headers });
  assert.equal(again.text, first.text);
  assert.equal(again.headers["idempotency-replayed"], "true");
  const secret = first.json.data[0].token;
  for (const good of [secret, token.token])
    assert.equal((await api.authenticate(app.id, good)).json.success, true, "old within its grace, and new");
  const second = await api.post(`token/${token.id}/rotate`, {});
  assert.equal((await api.authenticate(app.id, token.token)).json.error!.code, "token_revoked", "a second rotation ends the first grace");
  assert.equal((await api.authenticate(app.id, secret)).json.error!.code, "token_revoked");
  assert.equal((await api.authenticate(app.id, second.json.data[0].token)).json.success, true);
  assert.equal(second.json.data[0].id, token.id);
});

scenario("an answer is kept over a restart, sealed: its secret is in no file", async (own) => {
  const one = await Server.start(own);
  const app = await one.api.application("kept", origin, {});
  const headers = { "idempotency-key": newKey() };
  const first = await one.api.post(`token/create/${app.id}`, {}, { headers });
  const secret: string = first.json.data[0].token;
  await one.kill();
  const two = await Server.start(own, { data: one.data });
  const again = await two.api.post(`token/create/${app.id}`, {}, { headers });
  assert.equal(again.text, first.text);
  assert.equal(again.headers["idempotency-replayed"], "true");
  await two.stop();
  for (const file of ["typeauth.db", "access.log", "counters.log"]) {
    let bytes: Buffer;
    try { bytes = readFileSync(join(one.data, file)); } catch { continue; }
    assert.ok(!bytes.includes(secret), file);
    assert.ok(!bytes.includes(headers["idempotency-key"]), file);
  }
});

// --- audit --------------------------------------------------------------------------

test("every change is in the audit log: who, what, before and after, from where; no secret, no hash", async () => {
  const app = await api.application(`audited-${++serial}`, origin, {});
  const [token] = await api.tokens(app.id, { owner: "o" });
  const rotated = (await api.post(`token/${token.id}/rotate`, {})).json.data[0];
  await api.patch(`token/${token.id}`, { owner: "p" });
  await api.delete(`token/${token.id}/counters`);
  await api.delete(`token/${token.id}`);
  const hash = randomBytes(32).toString("hex");
  await api.create(`token/import/${app.id}`, { tokens: [{ hash }] });
  await api.patch(`applications/${app.id}`, { description: "new" });
  await api.patch(`authentication/${app.auth_id}`, { prefix: "new" });
  const [key] = await api.create("management-key/create", { name: `audited-${serial}`, role: "viewer" });
  await api.delete(`management-key/${key.id}`);
  await api.delete(`applications/${app.id}`);
  await api.patch(`applications/${app.id}`, { description: "gone" }); // 404: no entry
  const log = (await api.get("audit?limit=100")).json.data;
  const actions = log.slice(0, 13).map((e) => e.action).reverse();
  assert.deepEqual(actions, [
    "authentication.create", "application.create", "token.create", "token.rotate", "token.update", "token.reset",
    "token.delete", "token.import", "application.update", "authentication.update", "management-key.create",
    "management-key.delete", "application.delete",
  ], JSON.stringify(actions));
  const text = JSON.stringify(log);
  for (const secret of [token.token, rotated.token, key.key, hash]) assert.ok(!text.includes(secret));
  const update = log.find((e) => e.action === "token.update" && e.object_id === token.id);
  assert.deepEqual([update.before.owner, update.after.owner, update.from], ["o", "p", "127.0.0.1"]);
  assert.match(update.key_id, /^key_/);
  assert.match(update.id, /^evt_/);
  const of = (await api.get(`audit?object_id=${token.id}`)).json.data.map((e) => e.action);
  assert.deepEqual(of, ["token.delete", "token.reset", "token.update", "token.rotate", "token.create"]);
});

test("an account's audit log is its own; accounts are changed by root", async () => {
  const other = await anotherAccount(server, rootKey, "audited");
  await other.create("tag/create", { name: "theirs" });
  assert.ok((await other.get("audit")).text.includes("tag.create"));
  assert.ok(!(await api.get("audit?limit=1000")).text.includes("theirs"));
  const root = { key: rootKey };
  const path = `/accounts/${other.accountId}`;
  assert.equal((await api.patch(path, { name: "renamed" }, root)).json.data[0].name, "renamed");
  assert.equal((await api.post("/accounts/create", { name: "again", slug: "audited" }, root)).status, 409);
  assert.equal((await api.post("/accounts/create", { name: "again", slug: "a!" }, root)).status, 400);
  assert.ok((await api.get("/accounts", root)).json.data.some((a) => a.id === other.accountId));
  assert.equal((await call(server.door("api"), "GET", "/accounts")).status, 401);
});
