// api.md §5, the control side: JWT profiles, key sets and rules on an
// application; what is stored, shown and never shown, and that a change acts
// before its answer.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { after, before, test } from "node:test";
import * as jose from "jose";
import {
  Api, Cleanup, NodeOrigin, Server, anotherAccount, call, eventually, scenario, serverWithRoot, typeauth,
} from "./harness/index.js";

type Key = Awaited<ReturnType<typeof jose.importJWK>>;
interface Signer { alg: string; kid: string; sign: Key; jwk: jose.JWK; pem?: string }

const cleanup = new Cleanup();
let server: Server;
let rootKey: string;
let api: Api;
let origin: NodeOrigin;
let serial = 0;

before(async () => {
  origin = await NodeOrigin.start(cleanup);
  ({ server, rootKey } = await serverWithRoot(cleanup, { args: ["--applications-max", "1000", "--insecure-key-urls"] }));
  api = server.api;
});
after(() => cleanup.run());

async function signer(alg: string, options: object = {}): Promise<Signer> {
  const kid = `k${++serial}`;
  if (alg.startsWith("HS")) {
    const secret = Buffer.alloc(Number(alg.slice(2)) / 8, `${kid}-secret-`);
    return { alg, kid, sign: secret, jwk: { kty: "oct", kid, alg, k: secret.toString("base64url") } };
  }
  const pair = await jose.generateKeyPair(alg, { extractable: true, ...options });
  return {
    alg, kid, sign: pair.privateKey,
    jwk: { ...(await jose.exportJWK(pair.publicKey)), kid, alg },
    pem: await jose.exportSPKI(pair.publicKey),
  };
}
const token = (by: Signer, claims: jose.JWTPayload = {}, header: object = { kid: by.kid }) =>
  new jose.SignJWT({ sub: "somebody", exp: Math.floor(Date.now() / 1000) + 600, ...claims })
    .setProtectedHeader({ alg: by.alg, ...header }).sign(by.sign);

/** A JWT profile, an authentication profile and an application; the doors' verdicts. */
async function gate(profile: object, auth: object = {}, extra: object = {}, through = api) {
  const n = ++serial;
  const [jwt] = await through.create("jwt/create", { name: `jwt ${n}`, ...profile });
  const [authentication] = await through.create("authentication/create",
    { name: `auth ${n}`, keyType: "jwt", jwt_id: jwt.id, ...auth });
  const [app] = await through.create("applications/create", {
    name: `app ${n}`, auth_id: authentication.id, detailResponse: true,
    originHostname: `http://${origin.address.host}:${origin.address.port}`, ...extra,
  });
  const ask = async (text: string, at = server) => {
    const answer = await call(at.door("gateway"), "GET", "/", { host: app.domain, authorization: `Bearer ${text}` });
    return answer.status === 200 ? "passed" : `${answer.status} ${JSON.parse(answer.text).error?.code}`;
  };
  return { jwt, authentication, app, ask };
}

/** A JWK Set over HTTP whose keys and answer a test changes. */
async function keyServer() {
  const state = { keys: [] as jose.JWK[], status: 200, asked: 0 };
  const http = await NodeOrigin.start(cleanup, (_, response) => {
    state.asked++;
    response.statusCode = state.status;
    response.setHeader("content-type", "application/json");
    response.end(JSON.stringify({ keys: state.keys }));
  });
  return { state, url: `http://${http.address.host}:${http.address.port}/jwks` };
}

test("keys of every algorithm are taken as JWK and as PEM, and verify", async () => {
  const names: [string, object?][] = [
    ["RS256"], ["PS384"], ["ES256"], ["ES384"], ["ES512"], ["EdDSA"], ["EdDSA", { crv: "Ed448" }], ["HS256"], ["HS512"],
  ];
  const all = await Promise.all(names.map(([alg, options]) => signer(alg, options)));
  const byJwk = await gate({ keys: all.map((one) => one.jwk) });
  for (const one of all) assert.equal(await byJwk.ask(await token(one)), "passed", one.alg);
  const pems = all.filter((one) => one.pem);
  const secret = all.find((one) => one.alg === "HS256")!;
  const mixed = await gate({ keys: [...pems.map((one) => one.pem!), secret.jwk] });
  for (const one of [...pems, secret]) assert.equal(await mixed.ask(await token(one)), "passed", one.alg);
  assert.equal(await mixed.ask(await token(await signer("ES256"))), "401 invalid_signature");
});

test("no answer, list, audit entry or file of the store holds a secret", async () => {
  const hs = await signer("HS256");
  const secrets = [hs.jwk.k!, "intro-s3cret"];
  const said: string[] = [];
  const keep = async <T extends { text: string }>(answer: Promise<T>) => { const a = await answer; said.push(a.text); return a; };
  const made = await keep(api.post("jwt/create", {
    name: "secrets", keys: [hs.jwk],
    introspection: { url: "https://issuer.example/i", clientId: "c", clientSecret: secrets[1] },
  }));
  assert.equal(made.status, 201, made.text);
  const { id } = made.json.data[0];
  const set = await keep(api.post("jwk/create", { name: "secrets", keys: { keys: [hs.jwk] } }));
  const retried = { headers: { "idempotency-key": "0123456789abcdef-jwt" } };
  await keep(api.post("jwk/create", { name: "again", keys: [hs.jwk] }, retried));
  const replay = await keep(api.post("jwk/create", { name: "again", keys: [hs.jwk] }, retried));
  assert.equal(replay.headers["idempotency-replayed"], "true");
  for (const path of [`jwt/${id}`, "jwt", `jwk/${set.json.data[0].id}`, "jwk"]) await keep(api.get(path));
  await keep(api.patch(`jwt/${id}`, { name: "secrets 2", keys: [hs.jwk] }));
  await keep(api.delete(`jwk/${set.json.data[0].id}`));
  await keep(api.get("audit?limit=1000"));
  assert.match(said.at(-1)!, /"jwt.update"/);
  for (const secret of secrets) {
    for (const text of said) assert.ok(!text.includes(secret), text.slice(0, 300));
    assert.throws(() => execFileSync("grep", ["-rqaF", secret, server.data]), "a file holds it");
  }
  for (const line of server.log) assert.ok(!secrets.some((secret) => line.includes(secret)));
});

test("what a GET showed can be written back and loses no secret", async () => {
  const [hs, es] = [await signer("HS256"), await signer("ES256")];
  const door = await gate({ keys: [es.jwk, hs.jwk], exp: true, rules: { clock_skew: 5 } });
  const [shown] = (await api.get(`jwt/${door.jwt.id}`)).json.data as any[];
  assert.equal(shown.keys[1].k, undefined);
  const back = await api.patch(`jwt/${door.jwt.id}`, { ...shown, keys: [shown.keys[1], shown.keys[0]] });
  assert.equal(back.status, 200, back.text);
  for (const one of [hs, es]) assert.equal(await door.ask(await token(one)), "passed");
});

test("both forms of rules are taken, and contradictions are named", async () => {
  const es = await signer("ES256");
  const post = (more: object) => api.post("jwt/create", { name: `forms ${++serial}`, keys: [es.jwk], ...more });
  for (const [more, field] of [
    [{ exp: true, rules: { verify_exp: false } }, "exp"],
    [{ nbf: false, rules: { verify_nbf: true } }, "nbf"],
  ] as const) {
    const answer = await post(more);
    assert.equal(answer.status, 400);
    assert.equal(answer.json.error!.field, field);
  }
  const [flat] = (await post({ rules: { verify_exp: true, clock_skew: 60 } })).json.data as any[];
  assert.equal(flat.exp, true);
  assert.deepEqual(flat.rules, { clock_skew: 60 });
  const door = await gate({ keys: [es.jwk], rules: { verify_exp: true } });
  assert.equal(await door.ask(await token(es, { exp: undefined })), "401 missing_claim");
  assert.equal((await api.patch(`jwt/${door.jwt.id}`, { exp: null })).status, 200);
  assert.equal(await door.ask(await token(es, { exp: undefined })), "passed", "unset: judged when there");
  assert.equal(await door.ask(await token(es, { exp: 1000 })), "401 token_expired");
});

test("a change of profile or key set acts on every application before its answer", async () => {
  const [old, fresh] = [await signer("ES256"), await signer("ES256")];
  const [set] = await api.create("jwk/create", { name: "shared", keys: [old.jwk] });
  const doors = [await gate({ jwk: set.id }), await gate({ jwk: set.id })];
  for (const door of doors) assert.equal(await door.ask(await token(old)), "passed");
  assert.equal((await api.patch(`jwk/${set.id}`, { keys: [fresh.jwk] })).status, 200);
  for (const door of doors) {
    assert.equal(await door.ask(await token(old)), "401 invalid_signature");
    assert.equal(await door.ask(await token(fresh)), "passed");
  }
  const [first] = doors as [typeof doors[0]];
  assert.equal((await api.patch(`jwt/${first!.jwt.id}`, { audience: ["orders"] })).status, 200);
  assert.equal(await first!.ask(await token(fresh)), "401 missing_claim");
  assert.equal(await first!.ask(await token(fresh, { aud: ["x", "orders"] })), "passed");
  assert.equal(await doors[1]!.ask(await token(fresh)), "passed", "another profile");
});

test("rules on an application hold in addition, and only there", async () => {
  const es = await signer("ES256");
  const door = await gate({ keys: [es.jwk], rules: { required_claims: { team: "red" } } });
  const path = `/api/v1/applications/${door.app.id}/jwt/validation`;
  const red = await token(es, { team: "red", realm_access: { roles: ["clerk"] } });
  const admin = await token(es, { team: "red", realm_access: { roles: ["clerk", "admin"] } });
  assert.equal(await door.ask(red), "passed");
  assert.equal((await api.get(path)).status, 404);
  const stored = await api.post(path, { required_claims: { "realm_access.roles": ["admin", "owner"] } });
  assert.equal(stored.status, 200, stored.text);
  assert.equal(await door.ask(red), "401 invalid_claim");
  assert.equal(await door.ask(admin), "passed");
  assert.equal(await door.ask(await token(es, { realm_access: { roles: ["admin"] } })), "401 missing_claim", "the profile's hold too");
  assert.deepEqual((await api.get(`applications/${door.app.id}/jwt/validation`)).json.data, stored.json.data);
  assert.equal((await api.delete(path)).status, 200);
  assert.equal(await door.ask(red), "passed");
});

test("path says where the claims of rules live", async () => {
  const es = await signer("ES256");
  const door = await gate({ keys: [es.jwk], path: ["app", "pro.file"], rules: { required_claims: { level: [3, 4] } } });
  assert.equal(await door.ask(await token(es, { app: { "pro.file": { level: 4 } } })), "passed");
  assert.equal(await door.ask(await token(es, { level: 4 })), "401 missing_claim");
});

test("a key set tells how its fetches fare", async () => {
  const es = await signer("ES256");
  const { state, url } = await keyServer();
  state.keys = [es.jwk];
  const [set] = await api.create("jwk/create", { name: "remote", url, rotationGrace: 0 });
  assert.deepEqual(set.status, { inUse: false, keys: 0, age: null, nextFetch: null, lastError: null });
  const door = await gate({ jwk: set.id });
  assert.equal(await door.ask(await token(es)), "passed");
  const status = async () => ((await api.get(`jwk/${set.id}`)).json.data[0] as any).status;
  await eventually("the fetch shows", async () => (await status()).keys === 1);
  const now = await status();
  assert.equal(now.inUse, true);
  assert.ok(now.age >= 0 && now.age < 60, JSON.stringify(now));
  assert.ok(Date.parse(now.nextFetch) > Date.now(), JSON.stringify(now));
  assert.equal(now.lastError, null);
  assert.equal(state.asked, 1, "one fetch for status, answers and the gate");
  // A set that cannot be fetched says why.
  const down = await keyServer();
  down.state.status = 500;
  const [dark] = await api.create("jwk/create", { name: "dark", url: down.url });
  await gate({ jwk: dark.id });
  await eventually("the failure shows", async () =>
    ((await api.get(`jwk/${dark.id}`)).json.data[0] as any).status.lastError !== null);
  const shown = (await api.get(`jwk/${dark.id}`)).json.data[0] as any;
  assert.equal(shown.status.age, null);
  const back = await api.patch(`jwk/${dark.id}`, shown);
  assert.equal(back.status, 200, "what was shown may be written back, status and all");
});

test("who is named stays, and says by whom; what lost its keys or profile lets nobody pass", async () => {
  const es = await signer("ES256");
  const good = await token(es);
  const [set] = await api.create("jwk/create", { name: "named", keys: [es.jwk] });
  const door = await gate({ jwk: set.id }, { onFault: "open" });
  for (const [path, by] of [[`jwk/${set.id}`, door.jwt], [`jwt/${door.jwt.id}`, door.authentication]] as const) {
    const refused = await api.delete(path);
    assert.equal(refused.status, 409, refused.text);
    assert.equal(refused.json.error!.code, "in_use");
    assert.deepEqual(refused.json.data, [{ id: by.id, name: by.name }]);
  }
  assert.equal(await door.ask(good), "passed");
  assert.equal((await api.delete(`jwk/${set.id}?detach=true`)).status, 200);
  assert.equal(await door.ask(good), "503 no_authentication", "onFault is for faults that pass");
  assert.equal((await api.patch(`jwt/${door.jwt.id}`, { keys: [es.jwk] })).status, 200);
  assert.equal(await door.ask(good), "passed");
  assert.equal((await api.delete(`jwt/${door.jwt.id}?detach=true`)).status, 200);
  assert.equal(await door.ask(good), "503 no_authentication");
  const [again] = await api.create("jwt/create", { name: "again", keys: [es.jwk] });
  assert.equal((await api.patch(`authentication/${door.authentication.id}`, { jwt_id: again.id })).status, 200);
  assert.equal(await door.ask(good), "passed");
});

test("another account's key sets and profiles cannot be named, read or deleted", async () => {
  const es = await signer("ES256");
  const other = await anotherAccount(server, rootKey, "strangers");
  const [set] = await api.create("jwk/create", { name: "mine", keys: [es.jwk] });
  const [jwt] = await api.create("jwt/create", { name: "mine", jwk: set.id });
  for (const path of [`jwk/${set.id}`, `jwt/${jwt.id}`]) {
    assert.equal((await other.get(path)).status, 404);
    assert.equal((await other.delete(path)).status, 404);
  }
  const named = await other.post("jwt/create", { name: "theirs", jwk: set.id });
  assert.equal(named.json.error?.field, "jwk");
  const auth = await other.post("authentication/create", { name: "theirs", keyType: "jwt", jwt_id: jwt.id });
  assert.equal(auth.json.error?.field, "jwt_id");
});

scenario("plain http is refused where keys come from, unless the server allows it", async (scope) => {
  const strict = await Server.start(scope);
  for (const [path, body, field] of [
    ["jwk/create", { name: "a", url: "http://127.0.0.1:1/jwks" }, "url"],
    ["jwt/create", { name: "a", jwk: "http://127.0.0.1:1/jwks" }, "jwk"],
    ["jwt/create", { name: "a", discovery: "http://127.0.0.1:1" }, "discovery"],
    ["jwt/create", { name: "a", introspection: { url: "http://127.0.0.1:1", clientId: "c", clientSecret: "s" } }, "introspection.url"],
  ] as const) {
    const answer = await strict.api.post(path, body);
    assert.equal(answer.status, 400, answer.text);
    assert.equal(answer.json.error!.field, field);
  }
});

scenario("secrets survive a restart and a new server key", async (scope) => {
  const hs = await signer("HS256");
  const first = await Server.start(scope);
  const n = ++serial;
  const [jwt] = await first.api.create("jwt/create", { name: "hs", keys: [hs.jwk] });
  const app = await first.api.application(`app-${n}`, origin.address, { keyType: "jwt", jwt_id: jwt.id });
  const ask = async (at: Server) =>
    (await call(at.door("gateway"), "GET", "/", { host: app.domain, authorization: `Bearer ${await token(hs)}` })).status;
  assert.equal(await ask(first), 200);
  await first.stop();
  const rotated = await typeauth(["key", "rotate-server", "--data", first.data]);
  assert.equal(rotated.code, 0, rotated.stderr);
  const second = await Server.start(scope, { data: first.data });
  assert.equal(await ask(second), 200);
});
