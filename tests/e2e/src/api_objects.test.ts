// api.md §2 to §4, §8: applications and their domains, tokens, imports, use,
// profiles, the published other names.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { after, before, test } from "node:test";
import {
  Api, Cleanup, NodeOrigin, Server, anotherAccount, call, eventually, scenario, serverWithRoot,
} from "./harness/index.js";

const cleanup = new Cleanup();
let server: Server;
let rootKey: string;
let api: Api;
let origin: NodeOrigin;
let serial = 0;

before(async () => {
  origin = await NodeOrigin.start(cleanup);
  ({ server, rootKey } = await serverWithRoot(cleanup, { args: ["--applications-max", "1000", "--base-domain", "base.test", "--api-name", "api.base.test"] }));
  api = server.api;
});
after(() => cleanup.run());

const made = async (extra: object = {}) =>
  (await api.create("applications/create", { name: `app ${++serial}`, ...extra }))[0];
const through = (host: string, token?: string, path = "/") =>
  call(server.door("gateway"), "GET", path, { host, ...(token ? { authorization: `Bearer ${token}` } : {}) });
const at = () => `http://${origin.address.host}:${origin.address.port}`;

// --- domains -------------------------------------------------------------------

test("made-up domains take the smallest free number", async () => {
  const other = await anotherAccount(server, rootKey, "numbers");
  const create = async () => (await other.create("applications/create", { name: `n ${++serial}` }))[0];
  const names = [];
  for (let i = 0; i < 3; i++) names.push(await create());
  assert.deepEqual(names.map((a) => a.domain), [1, 2, 3].map((n) => `api${n}-numbers-proxy.base.test`));
  assert.equal((await other.delete(`applications/${names[1]!.id}`)).status, 200);
  assert.equal((await create()).domain, "api2-numbers-proxy.base.test");
  assert.equal((await create()).domain, "api4-numbers-proxy.base.test");
  const kept = await other.patch(`applications/${names[0]!.id}`, { domain: names[0]!.domain, description: "x" });
  assert.equal(kept.status, 200, "its own made-up name may be sent back");
});

test("what belongs to the server, or to another account's names, is refused", async () => {
  const other = await anotherAccount(server, rootKey, "rivals");
  const create = (who: Api, domain: string) => who.post("applications/create", { name: `d ${++serial}`, domain });
  for (const domain of ["base.test", "*.base.test", "mine.base.test", "api.base.test", "*.mine.base.test"])
    assert.equal((await create(api, domain)).json.error?.code, "domain_reserved", domain);
  const wild = (await create(api, "*.wild.test")).json.data[0];
  assert.equal((await create(api, "exact.test")).status, 201);
  assert.equal((await create(api, "deep.under.over.test")).status, 201);
  for (const domain of ["exact.test", "EXACT.test", "exact.test.", "*.wild.test", "a.wild.test", "a.b.wild.test", "*.b.wild.test", "*.over.test", "*.under.over.test"]) {
    const clash = await create(other, domain);
    assert.equal(clash.status, 409, `${domain}: ${clash.text}`);
    assert.equal(clash.json.error!.field, "domain", domain);
  }
  for (const domain of ["wild.test", "x.exact.test", "notwild.test"])
    assert.equal((await create(other, domain)).status, 201, domain);
  assert.equal((await create(api, "own.wild.test")).status, 201, "under one's own wildcard");
  assert.equal((await create(api, "exact.test")).status, 409, "twice in one account");
  // Deleting frees it.
  assert.equal((await api.delete(`applications/${wild.id}`)).status, 200);
  assert.equal((await create(other, "*.wild.test")).status, 409, "own.wild.test is still the first account's");
  assert.equal((await create(other, "b.wild.test")).status, 201);
  const moved = (await create(api, "before.test")).json.data[0];
  assert.equal((await api.patch(`applications/${moved.id}`, { domain: "behind.test" })).status, 200);
  assert.equal((await create(other, "before.test")).status, 201, "a changed domain is free");
});

test("hosts compare after IDNA, lower case, without port and dot; exact wins over wildcard", async () => {
  const exact = await made({ domain: "Bücher.IDNA.test", originHostname: at() });
  assert.equal(exact.domain, "xn--bcher-kva.idna.test");
  await made({ domain: "*.idna.test", originHostname: "http://127.0.0.1:1" });
  for (const host of ["xn--bcher-kva.idna.test", "XN--BCHER-KVA.idna.test:8000", "xn--bcher-kva.idna.test."])
    assert.equal((await through(host)).status, 200, host);
  assert.equal((await through("other.idna.test")).status, 502, "the wildcard's origin");
  assert.equal((await through("nobody.test")).status, 404);
  const moved = await api.patch(`applications/${exact.id}`, { domain: "moved.idna.test" });
  assert.equal(moved.status, 200);
  assert.equal((await through("moved.idna.test")).status, 200, "acts before the answer");
  assert.equal((await through("xn--bcher-kva.idna.test")).status, 502, "now the wildcard's");
});

// --- applications ----------------------------------------------------------------

test("without a profile it is public and says so; one that loses its profile answers 503", async () => {
  const answer = await api.post("applications/create", { name: "open", domain: "open.test", originHostname: at() });
  assert.match(answer.json.message, /public/);
  assert.equal((await through("open.test")).status, 200);
  const app = await api.application("loser", origin.address, {}, { detailResponse: true });
  assert.equal((await through(app.domain)).status, 401);
  const busy = await api.delete(`authentication/${app.auth_id}`);
  assert.equal(busy.status, 409);
  assert.equal(busy.json.error!.code, "in_use");
  assert.deepEqual(busy.json.data, [{ id: app.id, name: "loser" }]);
  assert.equal((await api.delete(`authentication/${app.auth_id}?detach=false`)).status, 409);
  assert.equal((await api.delete(`authentication/${app.auth_id}?detach=true`)).status, 200);
  const lost = await through(app.domain);
  assert.equal(lost.status, 503);
  assert.equal(lost.json.error!.code, "no_authentication");
  assert.equal((await api.patch(`applications/${app.id}`, { public: true })).status, 200);
  assert.equal((await through(app.domain)).status, 200);
  assert.equal((await api.patch(`applications/${app.id}`, { enabled: false })).status, 200);
  assert.equal((await through(app.domain)).json.error!.code, "application_disabled");
});

test("deletion takes it from traffic before the answer, and its tokens with it", async () => {
  const app = await api.application("leaving", origin.address, {});
  const tokens = await api.tokens(app.id, { amount: 100 });
  assert.equal((await through(app.domain, tokens[0].token)).status, 200);
  assert.equal((await api.delete(`applications/${app.id}`)).status, 200);
  assert.equal((await through(app.domain, tokens[0].token)).status, 404);
  assert.equal((await api.authenticate(app.id, tokens[0].token)).json.success, false);
  assert.equal((await api.get(`token/${tokens[0].id}`)).status, 404);
  assert.equal((await api.get(`token?applicationId=${app.id}`)).json.data.length, 0);
  assert.equal((await api.post(`token/create/${app.id}`, {})).status, 404);
  assert.equal((await api.post("applications/create", { name: "leaving", domain: app.domain })).status, 201);
});

test("names are unique in the account, not on the server", async () => {
  await made({ name: "same" });
  const twice = await api.post("applications/create", { name: "same" });
  assert.equal(twice.status, 409);
  assert.equal(twice.json.error!.field, "name");
  const other = await anotherAccount(server, rootKey, "names");
  assert.equal((await other.post("applications/create", { name: "same" })).status, 201);
});

scenario("an account has 50 applications unless the setting says more", async (own) => {
  const small = await Server.start(own);
  for (let i = 0; i < 50; i++) await small.api.create("applications/create", { name: `a${i}` });
  const over = await small.api.post("applications/create", { name: "one more" });
  assert.equal(over.status, 409);
  assert.equal(over.json.error!.code, "limit_reached");
  const [any] = (await small.api.get("applications?limit=1")).json.data;
  await small.api.delete(`applications/${any.id}`);
  assert.equal((await small.api.post("applications/create", { name: "one more" })).status, 201);
  const list = await small.api.get("applications");
  assert.deepEqual([list.json.data.length, list.json.has_more], [50, false]);
});

// --- tokens ------------------------------------------------------------------------

test("a secret has the profile's form, is shown once, and start recognises it", async () => {
  const app = await api.application("form", origin.address, { prefix: "live_", byteLength: 16 });
  const [token] = await api.tokens(app.id);
  assert.match(token.token, /^live_[0-9A-Za-z]+$/);
  assert.equal(token.start, token.token.slice(0, 9));
  assert.equal(token.prefix, "live_");
  const shown = await api.get(`token/${token.id}`);
  assert.equal(shown.json.data[0].token, undefined);
  assert.ok(!(await api.get("token")).text.includes(token.token));
  await api.patch(`authentication/${app.auth_id}`, { prefix: "test_", byteLength: 64 });
  const [next] = await api.tokens(app.id);
  assert.ok(next.token.startsWith("test_") && next.token.length > token.token.length, "form acts on new tokens");
  assert.equal((await through(app.domain, token.token)).status, 200, "old ones live on");
  assert.equal((await through(app.domain, token.token.slice(0, -1) + (token.token.endsWith("a") ? "b" : "a"))).status, 401);
});

test("revoked stays refused as token_revoked, is gone from lists, and ?revoked=true shows it", async () => {
  const app = await api.application("revoked", origin.address, {}, { detailResponse: true });
  const [token] = await api.tokens(app.id);
  assert.equal((await api.delete(`token/${token.id}`)).status, 200);
  assert.equal((await through(app.domain, token.token)).json.error!.code, "token_revoked");
  assert.equal((await api.get(`token/${token.id}`)).status, 404);
  const tombstone = await api.get(`token/${token.id}?revoked=true`);
  assert.equal(tombstone.status, 200);
  assert.ok(tombstone.json.data[0].revokedAt);
  assert.equal((await api.delete(`token/${token.id}`)).status, 404);
  assert.equal((await api.patch(`token/${token.id}`, { enabled: true })).status, 404);
  assert.equal((await api.post(`token/${token.id}/rotate`, {})).status, 404);
  assert.equal((await api.get(`token?applicationId=${app.id}`)).json.data.length, 0);
});

test("10,000 hashes are imported all or none, and verify", async () => {
  const app = await api.application("import", origin.address, {});
  const secret = (i: number) => `old-system-${i}`;
  const hash = (i: number) => createHash("sha256").update(secret(i)).digest("hex");
  const tokens = Array.from({ length: 10_000 }, (_, i) => ({ hash: hash(i), owner: `o${i % 10}` }));
  const twice = [...tokens.slice(0, -1), { hash: hash(5) }];
  const clash = await api.post(`token/import/${app.id}`, { tokens: twice });
  assert.equal(clash.status, 409);
  assert.equal(clash.json.error!.field, "tokens[9999].hash");
  assert.equal((await api.get(`token?applicationId=${app.id}`)).json.data.length, 0, "none");
  const many = await api.post(`token/import/${app.id}`, { tokens: [...tokens, { hash: hash(10_000) }] });
  assert.equal(many.status, 400);
  const good = await api.post(`token/import/${app.id}`, { tokens });
  assert.equal(good.status, 201, good.text.slice(0, 300));
  assert.equal(good.json.data.length, 10_000);
  for (const i of [0, 1, 4999, 9999]) assert.equal((await through(app.domain, secret(i))).status, 200);
  assert.equal((await through(app.domain, secret(10_000))).status, 401);
  const again = await api.post(`token/import/${app.id}`, { tokens: [{ hash: hash(10_000) }, { hash: hash(77) }] });
  assert.equal(again.json.error!.field, "tokens[1].hash");
  const elsewhere = await api.application("import2", origin.address, {});
  assert.equal((await api.post(`token/import/${elsewhere.id}`, { tokens: [{ hash: hash(77) }] })).status, 201, "another application does not learn of it");
  let seen = 0;
  for (let after_ = ""; ;) {
    const page = await api.get(`token?applicationId=${app.id}&owner=o3&limit=1000${after_}`);
    seen += page.json.data.length;
    if (!page.json.has_more) break;
    after_ = `&starting_after=${page.json.data.at(-1).id}`;
  }
  assert.equal(seen, 1000);
});

test("use and counters are read and reset; last use and outcomes are told", async () => {
  const app = await api.application("usage", origin.address, { ratelimit: { limit: 3, timeWindow: 3600 }, remaining: 100 });
  const [token] = await api.tokens(app.id);
  const path = `token/${token.id}`;
  assert.equal((await api.get(path)).json.data[0].lastUsedAt, null);
  for (let i = 0; i < 5; i++) await through(app.domain, token.token);
  const [counters] = (await api.get(`${path}/counters`)).json.data;
  assert.deepEqual([counters.passed, counters.limited, counters.used, counters.remaining], [3, 2, 3, 97]);
  assert.deepEqual([counters.limits[0].limit, counters.limits[0].used, counters.limits[0].remaining], [3, 3, 0]);
  assert.ok(Math.abs(Date.parse(counters.lastUsedAt) - Date.now()) < 10_000);
  // Passed and limited are totals; every other outcome is kept by day.
  await api.patch(path, { enabled: false });
  for (let i = 0; i < 3; i++) await through(app.domain, token.token);
  await api.patch(path, { enabled: true });
  const today = new Date().toISOString().slice(0, 10);
  await eventually("outcomes by day", async () => {
    const [use] = (await api.get(`${path}/usage?start=${today}`)).json.data;
    return use.passed === 3 && use.limited === 2 && JSON.stringify(use.days) ===
      JSON.stringify([{ day: today, outcomes: { token_disabled: 3 } }]);
  });
  const reset = await api.delete(`${path}/counters`);
  assert.equal(reset.status, 200);
  assert.deepEqual([reset.json.data[0].used, reset.json.data[0].limits[0].used], [0, 0]);
  assert.equal((await through(app.domain, token.token)).status, 200);
  for (const query of ["start=nonsense", "start=2026-13-01", "start=2026-02-02&end=2026-02-01"])
    assert.equal((await api.get(`${path}/usage?${query}`)).status, 400, query);
});

test("{add} tops up, a number sets the quota anew, both at once for the next request", async () => {
  const app = await api.application("topup", origin.address, { remaining: 2 });
  const [token] = await api.tokens(app.id);
  const take = async () => (await api.authenticate(app.id, token.token)).json.data[0];
  await take();
  assert.equal((await take()).remaining, 0);
  assert.equal((await take()).code, "quota_exhausted");
  assert.equal((await api.patch(`token/${token.id}`, { remaining: { add: 5 } })).status, 200);
  assert.equal((await take()).remaining, 4, "a top-up may lift above the quota");
  assert.equal((await api.get(`token/${token.id}`)).json.data[0].remaining, null, "still the profile's quota");
  assert.equal((await api.patch(`token/${token.id}`, { remaining: 1 })).status, 200);
  assert.equal((await take()).remaining, 0);
  assert.equal((await take()).code, "quota_exhausted");
});

test("{add} to a token without a quota is refused, naming remaining", async () => {
  const app = await api.application("nothing-to-top-up", origin.address, {});
  const [token] = await api.tokens(app.id);
  const refused = async () => {
    const answer = await api.patch(`token/${token.id}`, { remaining: { add: 5 }, name: "changed" });
    assert.deepEqual([answer.status, answer.json.error], [400, { code: "invalid_value", field: "remaining" }]);
    assert.match(answer.json.message, /no quota to add to/);
  };
  await refused();
  assert.equal((await api.get(`token/${token.id}`)).json.data[0].name ?? "", "", "nothing is stored");
  for (const own of [{ remaining: 0 }, { remaining: null, refill: { amount: 2, interval: 60 } }]) {
    assert.equal((await api.patch(`token/${token.id}`, own)).status, 200);
    assert.equal((await api.patch(`token/${token.id}`, { remaining: { add: 5 } })).status, 200, JSON.stringify(own));
  }
  assert.equal((await api.patch(`token/${token.id}`, { refill: null, remaining: false })).status, 200);
  await refused();
});

test("a token without an owner has \"\" there, in the API and in /authenticate", async () => {
  const app = await api.application("ownerless", origin.address, {});
  const [token] = await api.tokens(app.id);
  assert.equal(token.owner, "");
  const answer = await api.call("POST", "/authenticate", { body: { appID: app.id, token: token.token } });
  assert.equal(answer.json.data[0].owner, "");
});

// --- profiles, tags, other names -------------------------------------------------------

test("one profile stands before many applications, and a change acts on all at once", async () => {
  const [profile] = await api.create("authentication/create", { name: "shared", ratelimit: { requests: 100, window: 60 }, refill: { tokens: 1, interval: "dalily" }, remaining: 5 });
  assert.deepEqual([profile.ratelimit, profile.refill], [{ limit: 100, timeWindow: 60 }, { amount: 1, interval: "daily" }], "one spelling in answers");
  const apps = [await made({ auth_id: profile.id, domain: "one.shared.test", originHostname: at() }), await made({ auth_id: profile.id, domain: "two.shared.test", originHostname: at() })];
  const tokens = [];
  for (const app of apps) tokens.push((await api.tokens(app.id))[0]);
  assert.equal((await api.patch(`authentication/${profile.id}`, { ratelimit: { limit: 1, timeWindow: 60 } })).status, 200);
  for (const [i, app] of apps.entries()) {
    assert.equal((await through(app.domain, tokens[i].token)).status, 200);
    assert.equal((await through(app.domain, tokens[i].token)).status, 429);
  }
  const busy = await api.delete(`authentication/${profile.id}`);
  assert.deepEqual(busy.json.data.map((a) => a.id).sort(), apps.map((a) => a.id).sort());
});

test("tags have a usage, attach to objects, and are found by them", async () => {
  const [tag] = await api.create("/tags", { key: "stage", value: "blue" });
  assert.deepEqual([tag.name, tag.key, tag.value], ["stage:blue", "stage", "blue"]);
  const app = await api.application("tagged", origin.address, {});
  const [token] = await api.tokens(app.id);
  for (const path of [`/api/v1/applications/${app.id}/tags`, `/api/v1/keys/${token.id}/tags`]) {
    const answer = await api.post(path, { key: "stage", value: "blue" });
    assert.equal(answer.status, 200, answer.text);
    assert.deepEqual(answer.json.data[0].tags, ["stage:blue"]);
    assert.deepEqual((await api.post(path, { name: "stage:blue" })).json.data[0].tags, ["stage:blue"], "once");
  }
  assert.deepEqual((await api.get(`tag/${tag.id}`)).json.data[0].usage, { applications: 1, tokens: 1 });
  assert.deepEqual((await api.get("/api/v1/keys?tags[stage]=blue")).json.data.map((t) => t.id), [token.id]);
  assert.equal((await api.post(`/api/v1/keys/${token.id}/tags`, { tags: ["a", "b", "c", "d", "e"] })).status, 400, "six");
  assert.ok((await api.get("/tags")).json.data.some((t) => t.id === tag.id));
});

test("the published other names answer as the first ones", async () => {
  const app = await made();
  const same = async (a: string, b: string) =>
    assert.deepEqual((await api.get(a)).json.data, (await api.get(b)).json.data, b);
  const [token] = await api.create(`keys/create/${app.id}`, {});
  await api.create(`tokens/create/${app.id}`, {});
  await same(`applications/${app.id}`, `application/${app.id}`);
  await same(`applications/${app.id}`, `/api/v1/applications/${app.id}`);
  for (const other of ["keys", "tokens"]) {
    await same(`token/${token.id}`, `${other}/${token.id}`);
    await same(`token?applicationId=${app.id}`, `${other}?applicationId=${app.id}`);
  }
  await same(`token/${token.id}`, `/api/v1/keys/${token.id}`);
  await same("applications?limit=2", "application?limit=2");
  assert.equal((await api.patch(`/api/v1/applications/${app.id}`, { description: "v1" })).json.data[0].description, "v1");
  assert.equal((await api.patch(`/api/v1/keys/${token.id}`, { owner: "v1" })).json.data[0].owner, "v1");
  assert.equal((await api.delete(`/api/v1/keys/${token.id}`)).status, 200);
  const [old] = await api.create("application/create", { name: `old ${++serial}`, origin_hostname: "origin.example" });
  assert.equal(old.originHostname, "origin.example");
  assert.equal((await api.delete(`/api/v1/applications/${old.id}`)).status, 200);
});
