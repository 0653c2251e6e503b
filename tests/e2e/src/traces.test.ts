// The trace of a decision: every check of a request with its verdict and its
// time, kept for refusals and a sample; and Server-Timing for those who hold a
// management key (docs/analytics.md).
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import {
  type Api, Cleanup, Server, anotherAccount, call, serverWithRoot, NodeOrigin,
} from "./harness/index.js";

const cleanup = new Cleanup();
let server: Server;
let api: Api;
let other: Api;
let seen: Record<string, unknown>[] = [];
let app: any;
let token: any;

before(async () => {
  const origin = await NodeOrigin.start(cleanup, (request, response) => {
    seen.push(request.headers);
    response.setHeader("server-timing", "db;dur=1");
    response.end("hello");
  });
  const made = await serverWithRoot(cleanup, { args: ["--trace-sample", "1"] });
  server = made.server;
  api = server.api;
  other = await anotherAccount(server, made.rootKey, "traces");
  app = await api.application("traces", origin.address, { ratelimit: { limit: 100, timeWindow: 3600 } });
  [token] = await api.tokens(app.id);
});
after(() => cleanup.run());

const proxied = (headers: Record<string, string> = {}) =>
  call(server.door("gateway"), "GET", "/v1/things", { host: app.domain, ...headers });
const good = () => ({ authorization: `Bearer ${token.token}` });
const trace = async (id: unknown, of = api) => of.get(`traces/${id as string}`);

test("a refusal is traced to the check that refused it, with times", async () => {
  const answer = await proxied({ authorization: "Bearer nobody" });
  assert.equal(answer.status, 401);
  const { json: { data: [one] } } = await trace(answer.headers["x-request-id"]);
  assert.equal(one.id, answer.headers["x-request-id"]);
  assert.deepEqual([one.application_id, one.door, one.outcome, one.code, one.status, one.sampled],
    [app.id, "proxy", "unauthorized", "invalid_token", 401, false]);
  const last = one.checks.at(-1);
  assert.deepEqual([last.check, last.verdict], ["credential", "deny"]);
  for (const check of one.checks) assert.ok(check.us >= 0 && check.us < 1e6);
  assert.ok(last.us > 0, "the counter runs");
  assert.ok(one.checks_us <= one.total_us + 1000);
  assert.equal(one.origin_us, undefined);
});

test("what passed is traced when it is of the sample, with the origin's time", async () => {
  const answer = await proxied(good());
  const { json: { data: [one] } } = await trace(answer.headers["x-request-id"]);
  assert.deepEqual([one.outcome, one.sampled, one.status, one.token_id], ["passed", true, 200, token.id]);
  assert.ok(one.checks.every((c: any) => c.verdict === "pass"));
  assert.ok(one.checks.some((c: any) => c.check === "limits"));
  assert.ok(one.origin_us > 0 && one.origin_us <= one.total_us);
});

test("a question at the verify door is traced, each of a batch too", async () => {
  const answer = await api.authenticate(app.id, token.token, { scopes: ["none"] });
  const { json: { data: [one] } } = await trace(answer.headers["x-request-id"]);
  assert.deepEqual([one.door, one.code, one.checks.at(-1).check], ["verify", "insufficient_scope", "scopes"]);
  const batch = await api.call("POST", "/authenticate/batch", {
    body: { questions: [{ appID: app.id, token: "x" }, { appID: app.id, token: token.token }] }, key: null });
  const newest = await trace(batch.headers["x-request-id"]);
  assert.equal(newest.json.data[0].outcome, "passed", "the newest of the request");
});

test("another account, an unknown id and odd ids are answered 404", async () => {
  const id = (await proxied()).headers["x-request-id"];
  assert.equal((await trace(id)).status, 200);
  assert.equal((await trace(id, other)).status, 404);
  for (const odd of ["nothing", "%00", "a".repeat(500)]) assert.ok([400, 404].includes((await trace(odd)).status));
});

test("Server-Timing is for holders of a management key of the account, and no origin sees the key", async () => {
  seen = [];
  const timed = await proxied({ ...good(), "x-typeauth-trace": server.ownerKey });
  assert.match(timed.headers["server-timing"] as string,
    /^db;dur=1, .*credential;dur=\d+\.\d{6}, .*limits;dur=.*origin;dur=.*total;dur=/);
  const refused = await proxied({ "X_Typeauth_Trace": server.ownerKey, "x-typeauth-trace": server.ownerKey });
  assert.equal(refused.status, 401);
  assert.match(refused.headers["server-timing"] as string, /credential;dur=/);
  for (const key of ["", "nobody", other.key, `${server.ownerKey}x`, token.token]) {
    const answer = await proxied({ ...good(), "x-typeauth-trace": key });
    assert.equal(answer.headers["server-timing"], "db;dur=1", "the origin's own alone");
  }
  assert.ok(seen.length >= 6);
  for (const headers of seen) assert.ok(!JSON.stringify(headers).includes(server.ownerKey));
});

test("traces may be switched off", async () => {
  const off = await Server.start(cleanup, { args: ["--traces", "0"] });
  const one = await off.api.application("untraced", { host: "127.0.0.1", port: 9 }, {});
  const answer = await call(off.door("gateway"), "GET", "/", { host: one.domain });
  assert.equal(answer.status, 401);
  assert.equal((await off.api.get(`traces/${answer.headers["x-request-id"] as string}`)).status, 404);
  const timed = await call(off.door("gateway"), "GET", "/", { host: one.domain, "x-typeauth-trace": off.ownerKey });
  assert.match(timed.headers["server-timing"] as string, /credential;dur=/);
});
