// POST /authenticate as existing clients use it (api.md §10): each decides on
// the body of a 200 in its own way and fails closed on everything else.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { Server, call, scenario, type Address, type Server as S } from "./harness/index.js";

const origin = { host: "127.0.0.1", port: 9 };
const telemetry = () => ({
  url: "https://shop.example/orders?id=1",
  method: "GET",
  headers: {
    authorization: "Bearer something-else", cookie: ["a=1", "b=2"],
    "user-agent": "test", "x-unknown": "1",
  },
  ipaddress: "203.0.113.7",
  timestamp: Date.now(),
});

/** Three ways in which published clients read the answer. None retries 4xx. */
class Client {
  asked = 0;
  constructor(readonly to: Address, readonly appID: string, readonly read: (json: any) => boolean, readonly prefix = "") {}
  async isValid(token: string): Promise<{ valid: boolean; message: string }> {
    this.asked++;
    const answer = await call(this.to, "POST", "/authenticate", { "content-type": "application/json" },
      JSON.stringify({ token: this.prefix + token, appID: this.appID, telemetry: telemetry() }));
    if (answer.status !== 200) return { valid: false, message: `status ${answer.status}` };
    return { valid: this.read(answer.json), message: answer.json.message };
  }
}

async function begin(cleanup: Parameters<Parameters<typeof scenario>[1]>[0], profile: object = {}) {
  const server = await Server.start(cleanup);
  const app = await server.api.application("verify", origin, profile);
  return { server, app, api: server.api };
}
const ask = (server: S, body: unknown, headers: Record<string, string> = {}) =>
  call(server.door("verify"), "POST", "/authenticate", { "content-type": "application/json", ...headers },
    typeof body === "string" ? body : JSON.stringify(body));

scenario("clients of three kinds see valid, over the limit, revoked and unknown alike", async (cleanup) => {
  const { server, app, api } = await begin(cleanup, { ratelimit: { limit: 2, timeWindow: 60 } });
  const kinds: [string, (json: any) => boolean, string][] = [
    ["success and top-level valid", (j) => j.success === true && j.valid === true, ""],
    ["success and data[0].valid, shows message", (j) => j.success === true && j.data[0].valid === true, ""],
    ["sends Bearer inside the token", (j) => j.success && j.valid, "Bearer "],
  ];
  for (const [name, read, prefix] of kinds) {
    const client = new Client(server.door("api"), app.id, read, prefix);
    const [token] = await api.tokens(app.id);
    assert.deepEqual(await client.isValid(token.token), { valid: true, message: "" }, name);
    assert.equal((await client.isValid(token.token)).valid, true, name);
    const over = await client.isValid(token.token);
    assert.equal(over.valid, false, name);
    assert.notEqual(over.message, "", `${name}: the reason is in message`);
    const [other] = await api.tokens(app.id);
    await api.delete(`token/${other.id}`);
    assert.equal((await client.isValid(other.token)).valid, false, name);
    assert.equal((await client.isValid("not-a-token")).valid, false, name);
    assert.equal(client.asked, 5);
  }
});

scenario("the answer to a good question is as printed", async (cleanup) => {
  const { server, app, api } = await begin(cleanup, { ratelimit: { limit: 10, timeWindow: 60 }, remaining: 5 });
  const [token] = await api.tokens(app.id, {
    owner: "user 1", tags: ["a"], scopes: ["read", "write"], metadata: { plan: "gold" }, expires: "2099-01-01T00:00:00Z",
  });
  const plain = await ask(server, { token: token.token, appID: app.id });
  assert.equal(plain.status, 200);
  const { data, ...envelope } = plain.json as any;
  assert.deepEqual(envelope, { success: true, message: "", valid: true });
  const [{ ratelimit, ...verdict }] = data;
  assert.deepEqual(verdict, { valid: true, enabled: true, remaining: 4, expiresAt: "2099-01-01T00:00:00.000Z" });
  assert.equal(ratelimit.limit, 10);
  assert.equal(ratelimit.remaining, 9);
  assert.ok(Number.isInteger(ratelimit.reset) && ratelimit.reset >= 1 && ratelimit.reset <= 68);

  const [made] = await api.create("management-key/create", { name: "asker", role: "verifier" });
  const known = (await ask(server, { token: token.token, appID: app.id }, { authorization: `Bearer ${made.key ?? made.token ?? made.secret}` })).json.data[0];
  assert.equal(known.tokenId, token.id);
  assert.equal(known.applicationId, app.id);
  assert.equal(known.owner, "user 1");
  assert.deepEqual(known.scopes, ["read", "write"]);
  assert.deepEqual(known.tags, ["a"]);
  assert.deepEqual(known.metadata, { plan: "gold" });
});

scenario("metadata longer than its cold block is answered whole", async (cleanup) => {
  const { server, app, api } = await begin(cleanup);
  const metadata = { text: "x".repeat(3000) };
  const [token] = await api.tokens(app.id, { metadata });
  const answer = await ask(server, { token: token.token, appID: app.id }, { authorization: `Bearer ${server.ownerKey}` });
  assert.deepEqual(answer.json.data[0].metadata, metadata);
});

scenario("unknown application, another's token and unknown token answer alike", async (cleanup) => {
  const { server, app, api } = await begin(cleanup);
  const other = await api.application("other", origin, {});
  const [foreign] = await api.tokens(other.id);
  const answers = await Promise.all([
    ask(server, { token: foreign.token, appID: app.id }),
    ask(server, { token: "no-such-token", appID: app.id }),
    ask(server, { token: foreign.token, appID: "app_00000000000000000000000000" }),
    ask(server, { token: foreign.token, appID: "nonsense" }),
  ]);
  for (const answer of answers) {
    assert.equal(answer.status, 200);
    assert.equal(answer.text, answers[0]!.text);
  }
});

scenario("cost, scopes and peek", async (cleanup) => {
  const { server, app, api } = await begin(cleanup, { remaining: 10 });
  const [token] = await api.tokens(app.id, { scopes: ["a", "b"] });
  const q = (extra: object) => ask(server, { token: token.token, appID: app.id, ...extra });
  assert.equal((await q({ cost: 4 })).json.data[0].remaining, 6);
  assert.equal((await q({ peek: true })).json.data[0].remaining, 6);
  const dear = await q({ cost: 7 });
  assert.equal(dear.json.success, false);
  assert.equal(dear.json.data[0].code, "quota_exhausted");
  assert.equal(dear.json.error!.code, "quota_exhausted");
  assert.equal((await q({ scopes: ["a", "b"] })).json.data[0].remaining, 5);
  const lacking = await q({ scopes: ["a", "c"] });
  assert.equal(lacking.json.data[0].code, "insufficient_scope");
  assert.equal((await q({ peek: true })).json.data[0].remaining, 5, "a refusal gives the quota back");
});

scenario("what is not a question is 400; unknown fields are ignored at every depth", async (cleanup) => {
  const { server, app, api } = await begin(cleanup);
  const [token] = await api.tokens(app.id);
  const good = { token: token.token, appID: app.id };
  for (const bad of [
    "", "[]", "7", "{", "null", '{"token":1,"appID":"x"}', "{}", '{"token":"x"}', '{"appID":"x"}',
    { ...good, cost: 0 }, { ...good, cost: -1 }, { ...good, cost: 1.5 }, { ...good, cost: 1000001 },
    { ...good, cost: "1" }, { ...good, scopes: "a" }, { ...good, scopes: [1] }, { ...good, peek: "yes" },
  ]) {
    const answer = await ask(server, bad);
    assert.equal(answer.status, 400, `${JSON.stringify(bad)}: ${answer.status} ${answer.text}`);
    assert.equal(answer.json.success, false);
  }
  const lenient = await ask(server, {
    ...good, sdk: { name: "x", version: [1, { y: 2 }] },
    telemetry: { ...telemetry(), ipaddress: "", timestamp: "soon", headers: { a: ["b", null], c: 5 }, more: { d: [] } },
  });
  assert.equal(lenient.status, 200);
  assert.equal((lenient.json as any).valid, true);
  const get = await call(server.door("verify"), "GET", "/authenticate");
  assert.equal(get.status, 405);
  assert.equal(get.headers.allow, "POST");
});

scenario("a batch answers each question alone, in order", async (cleanup) => {
  const { server, app, api } = await begin(cleanup, { ratelimit: { limit: 1, timeWindow: 60 } });
  const [one, two] = await api.tokens(app.id, { amount: 2 });
  const questions = [one, two, one].map((t) => ({ token: t.token, appID: app.id }));
  const answer = await call(server.door("verify"), "POST", "/authenticate/batch", { "content-type": "application/json" },
    JSON.stringify({ questions }));
  const bare = answer.status === 400
    ? await call(server.door("verify"), "POST", "/authenticate/batch", { "content-type": "application/json" }, JSON.stringify(questions))
    : answer;
  assert.equal(bare.status, 200, bare.text);
  assert.deepEqual(bare.json.data.map((d) => d.valid), [true, true, false]);
  assert.equal(bare.json.data[2].code, "rate_limited");
});

scenario("who may ask: mode key, mode off, from", async (cleanup) => {
  const { server, app, api } = await begin(cleanup);
  const [token] = await api.tokens(app.id);
  const q = (headers = {}) => ask(server, { token: token.token, appID: app.id }, headers);
  const set = async (authenticate: object) =>
    assert.equal((await api.patch(`applications/${app.id}`, { authenticate })).status, 200);
  assert.equal(((await q()).json as any).valid, true);
  const unknown = (await ask(server, { token: "no-such-token", appID: app.id })).text;
  await set({ mode: "key" });
  assert.equal((await q()).text, unknown);
  assert.equal(((await q({ authorization: `Bearer ${server.ownerKey}` })).json as any).valid, true);
  await set({ mode: "off" });
  assert.equal((await q({ authorization: `Bearer ${server.ownerKey}` })).text, unknown);
  await set({ mode: "open", from: ["10.0.0.0/8"] });
  assert.equal((await q()).text, unknown);
  await set({ mode: "open", from: ["127.0.0.0/8"] });
  assert.equal(((await q()).json as any).valid, true);
});

scenario("a token's address list is judged by the telemetry's address", async (cleanup) => {
  const { server, app, api } = await begin(cleanup);
  const [token] = await api.tokens(app.id, { ipAllowlist: ["203.0.113.0/24"] });
  const q = (ipaddress: string) => ask(server, { token: token.token, appID: app.id, telemetry: { ...telemetry(), ipaddress } });
  assert.equal(((await q("203.0.113.9")).json as any).valid, true);
  assert.equal(((await q("::ffff:203.0.113.9")).json as any).valid, true);
  assert.equal((await q("198.51.100.1")).json.data[0].code, "ip_not_allowed");
});

scenario("imported hashes verify, whatever form the secret has", async (cleanup) => {
  const { server, app, api } = await begin(cleanup);
  const secret = "legacy key with spaces / and:signs";
  const hash = createHash("sha256").update(secret).digest("hex");
  const answer = await api.post(`token/import/${app.id}`, { tokens: [{ hash, owner: "old" }] });
  assert.equal(answer.status, 201, answer.text);
  assert.equal(((await ask(server, { token: secret, appID: app.id })).json as any).valid, true);
  const again = await api.post(`token/import/${app.id}`, { tokens: [{ hash }] });
  assert.equal(again.status, 409);
  assert.equal(again.json.error!.field, "tokens[0].hash");
});

scenario("no answer is ever a 429: the caller speaks for thousands", async (cleanup) => {
  const { server, app, api } = await begin(cleanup, { ratelimit: { limit: 1, timeWindow: 3600 }, remaining: 1 });
  const [token] = await api.tokens(app.id);
  const seen = new Set<number>();
  for (let i = 0; i < 20; i++) seen.add((await ask(server, { token: token.token, appID: app.id })).status);
  assert.deepEqual([...seen], [200]);
});
