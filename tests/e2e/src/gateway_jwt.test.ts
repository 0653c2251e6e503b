// Applications with keyType jwt: what the `jose` library signs, through both
// doors of the real program.
import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import * as jose from "jose";
import {
  Clock, NodeOrigin, Server, call, scenario, type Answer, type Cleanup,
} from "./harness/index.js";

type Key = Awaited<ReturnType<typeof jose.importJWK>>;
interface Signer { alg: string; kid: string; sign: Key; jwk: jose.JWK }

const asymmetric = [
  "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA", "Ed448",
];

async function signer(name: string): Promise<Signer> {
  const kid = `key ${name}`;
  if (name.startsWith("HS")) {
    const secret = Buffer.alloc(Number(name.slice(2)) / 8, name);
    return { alg: name, kid, sign: secret, jwk: { kty: "oct", k: secret.toString("base64url"), kid } };
  }
  const alg = name === "Ed448" ? "EdDSA" : name;
  const pair = await jose.generateKeyPair(alg, name === "Ed448" ? { crv: "Ed448" } : {});
  return { alg, kid, sign: pair.privateKey, jwk: { ...(await jose.exportJWK(pair.publicKey)), kid } };
}

const token = (by: Signer, claims: jose.JWTPayload = {}, header = {}) =>
  new jose.SignJWT(claims)
    .setProtectedHeader({ alg: by.alg, kid: by.kid, ...header })
    .sign(by.sign);

let serial = 0;

async function begin(
  cleanup: Cleanup,
  keys: jose.JWK[],
  { jwt = {}, auth = {}, app = {}, start = {} }: { jwt?: object; auth?: object; app?: object; start?: object } = {},
) {
  const origin = await NodeOrigin.start(cleanup);
  const server = await Server.start(cleanup, start);
  const { api } = server;
  const [profile] = await api.create("jwt/create", { name: `jwt ${++serial}`, keys, ...jwt });
  const made = await api.application(`jwt-${serial}`, origin.address,
    { keyType: "jwt", jwt_id: profile.id, ...auth }, { detailResponse: true, ...app });
  return { origin, server, api, profile, app: made };
}

type World = Awaited<ReturnType<typeof begin>>;

const through = (server: Server, app: any, text: string, fields: Record<string, string> = {}, path = "/") =>
  call(server.door("gateway"), "GET", path, { host: app.domain, authorization: `Bearer ${text}`, ...fields });

/** The same verdict at both doors: "" or the code. */
async function verdict(w: World, text: string, fields: Record<string, string> = {}): Promise<string> {
  const passed = await through(w.server, w.app, text, fields);
  const asked = await w.api.authenticate(w.app.id, `Bearer ${text}`, { telemetry: { headers: fields } });
  assert.equal(asked.status, 200);
  const [data] = asked.json.data;
  if (passed.status === 200) {
    assert.equal(data.valid, true, asked.text);
    return "";
  }
  assert.equal(data.code, passed.json.error!.code, "both doors say the same");
  if (passed.status === 401)
    assert.equal(passed.headers["www-authenticate"], 'Bearer error="invalid_token"');
  return data.code;
}

scenario("tokens of every algorithm pass both doors, at first sight and again", async (cleanup) => {
  for (const group of [asymmetric.slice(0, 6), asymmetric.slice(6), ["HS256", "HS384", "HS512"]]) {
    const by = await Promise.all(group.map(signer));
    const w = await begin(cleanup, by.map((s) => s.jwk));
    for (const s of by) {
      const text = await token(s, { sub: s.kid });
      for (let i = 0; i < 3; i++) assert.equal(await verdict(w, text), "", s.kid);
      const [head, payload, signature] = text.split(".") as [string, string, string];
      const forged = Buffer.from(signature, "base64url");
      forged.writeUInt8(forged.readUInt8(10) ^ 1, 10);
      for (const bad of [`${head}.${payload}.${forged.toString("base64url")}`, `${text}=`, `${text}.`, `${head}.${payload}.`])
        assert.equal(await verdict(w, bad), "invalid_signature", `${s.kid}: ${bad}`);
    }
    await w.server.stop();
  }
});

scenario("attacks on form, algorithm and key are invalid_signature at both doors", async (cleanup) => {
  const rs = await signer("RS256"), es = await signer("ES256");
  const w = await begin(cleanup, [rs.jwk, es.jwk]);
  const b64 = (text: string | Buffer) => Buffer.from(text).toString("base64url");
  const claims = b64(JSON.stringify({ sub: "admin" }));
  const signed = (header: string, signature: Buffer) => `${b64(header)}.${claims}.${b64(signature)}`;
  const pem = await jose.exportSPKI(await jose.importJWK(rs.jwk, "RS256") as jose.KeyLike);
  const hmac = (header: string) =>
    createHmac("sha256", pem).update(`${b64(header)}.${claims}`).digest();
  const good = (await token(es, { sub: "a" })).split(".") as [string, string, string];
  const raw = Buffer.from(good[2], "base64url");
  const hs = JSON.stringify({ alg: "HS256", kid: rs.kid });
  const es256 = (more: object = {}) => JSON.stringify({ alg: "ES256", kid: es.kid, ...more });
  const attacks: [string, string][] = [
    ...["none", "None", "NONE", "nOnE"].map((alg) =>
      [`alg ${alg}`, `${b64(JSON.stringify({ alg }))}.${claims}.`] as [string, string]),
    ["RS256's public key as a secret", signed(hs, hmac(hs))],
    ["r and s zero", signed(es256(), Buffer.alloc(64))],
    ["r zero", signed(es256(), Buffer.concat([Buffer.alloc(32), raw.subarray(32)]))],
    ["a signature cut short", `${good[0]}.${good[1]}.${b64(raw.subarray(0, 63))}`],
    ["a signature too long", `${good[0]}.${good[1]}.${b64(Buffer.concat([raw, Buffer.alloc(1)]))}`],
    ["DER", signed(es256(), Buffer.concat([Buffer.from("3044022000", "hex"), raw]))],
    ["crit", signed(es256({ crit: ["exp"], exp: 1 }), raw)],
    ["alg twice", signed('{"alg":"none","alg":"ES256"}', raw)],
    ["deep header", signed(`{"alg":"ES256","x":${"[".repeat(100)}${"]".repeat(100)}}`, raw)],
    ["a header of invalid UTF-8", `${b64(Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d]))}.${claims}.${good[2]}`],
    ["base64 with padding", `${good[0]}=.${good[1]}.${good[2]}`],
    ["kid as a path", signed(JSON.stringify({ alg: "ES256", kid: "../../../dev/null" }), raw)],
    ["kid as SQL", signed(JSON.stringify({ alg: "ES256", kid: "' OR 1=1 --" }), raw)],
    ["another key's kid", await token({ ...es, kid: rs.kid }, { sub: "a" })],
    ["a key in the token", await token(await signer("ES256"), {}, { kid: "x", jwk: es.jwk })],
    ["an empty token", "."],
    ["five parts", "a.b.c.d.e"],
  ];
  for (const [name, text] of attacks)
    assert.equal(await verdict(w, text), "invalid_signature", name);
  const own = await token(es, { sub: "a" });
  const twice = await call(w.server.door("gateway"), "GET", `/?access_token=${good[0]}`,
    { host: w.app.domain, authorization: `Bearer ${own}` });
  assert.equal(twice.json.error!.code, "invalid_token", "two different credentials");
  assert.equal(await verdict(w, own), "");
  assert.equal(w.origin.requests.length, 1, "nothing else reached the origin");
});

scenario("claims refuse by their published codes and names; details are the application's choice", async (cleanup) => {
  const by = await signer("ES256");
  const w = await begin(cleanup, [by.jwk], {
    jwt: {
      issuer: "https://issuer.example", audience: ["api"], exp: true,
      rules: {
        clock_skew: 5,
        required_claims: { "realm.roles": ["admin", "editor"], tenant: "{X-Tenant}" },
        optional_claims: { plan: "gold" },
      },
    },
  });
  const now = Math.floor(Date.now() / 1000);
  const fine = { iss: "https://issuer.example", aud: "api", exp: now + 60, realm: { roles: ["x", "editor"] }, tenant: "a" };
  const at = { "x-tenant": "a" };
  assert.equal(await verdict(w, await token(by, fine), at), "");
  const cases: [object, Record<string, string>, string, string][] = [
    [{ exp: now - 10 }, at, "token_expired", "exp"],
    [{ exp: undefined }, at, "missing_claim", "exp"],
    [{ nbf: now + 60 }, at, "token_not_active", "nbf"],
    [{ iss: "https://other.example" }, at, "invalid_claim", "iss"],
    [{ aud: ["other"] }, at, "invalid_claim", "aud"],
    [{ realm: { roles: ["viewer"] } }, at, "invalid_claim", "realm.roles"],
    [{ realm: undefined }, at, "missing_claim", "realm.roles"],
    [{ plan: "free" }, at, "invalid_claim", "plan"],
    [{}, { "x-tenant": "b" }, "invalid_claim", "tenant"],
    [{}, {}, "invalid_claim", "tenant"],
  ];
  for (const [change, fields, code, claim] of cases) {
    const text = await token(by, { ...fine, ...change });
    for (let i = 0; i < 2; i++) assert.equal(await verdict(w, text, fields), code, claim);
    const shown = await through(w.server, w.app, text, fields);
    assert.equal((shown.json.error as any).claim, claim);
  }
  await w.api.patch(`applications/${w.app.id}`, { detailResponse: false });
  const hidden = await through(w.server, w.app, await token(by, { ...fine, plan: "free" }), at);
  assert.deepEqual(hidden.json.error, { code: "unauthorized" });
});

scenario("the origin learns subject and scopes; the token stays unless it is to be hidden", async (cleanup) => {
  const by = await signer("EdDSA");
  const w = await begin(cleanup, [by.jwk]);
  const exp = Math.floor(Date.now() / 1000) + 600;
  const text = await token(by, { sub: "jörg 1", scope: "read write", scp: ["x:y"], permissions: ["p"], exp });
  assert.equal((await through(w.server, w.app, text, { "x-typeauth-subject": "root", "x-typeauth-scopes": "all" })).status, 200);
  const seen = w.origin.requests[0]!;
  assert.equal(seen.headers["x-typeauth-subject"], "j%C3%B6rg 1");
  assert.equal(seen.headers["x-typeauth-scopes"], "read write x:y p");
  assert.equal(seen.headers["x-typeauth-token-id"], undefined);
  assert.equal(seen.headers.authorization, `Bearer ${text}`);
  const asked = await w.api.call("POST", "/authenticate", { body: { appID: w.app.id, token: text, scopes: ["p", "write"] } });
  const [data] = asked.json.data;
  assert.equal(data.valid, true);
  assert.equal(data.owner, "jörg 1");
  assert.deepEqual(data.scopes, ["read", "write", "x:y", "p"]);
  assert.equal(data.expiresAt, new Date(exp * 1000).toISOString());
  const lacks = await w.api.authenticate(w.app.id, text, { scopes: ["admin"] });
  assert.equal(lacks.json.data[0].code, "insufficient_scope");
  const { id } = (await w.api.get(`applications/${w.app.id}`)).json.data[0];
  const auth = (await w.api.get(`applications/${id}`)).json.data[0].auth_id;
  await w.api.patch(`authentication/${auth}`, { hideCredentials: true });
  await through(w.server, w.app, text);
  assert.equal(w.origin.requests.at(-1)!.headers.authorization, undefined);
});

scenario("a remembered token ends with its exp, a changed rule, a removed key", async (cleanup) => {
  const by = await signer("ES256"), other = await signer("ES256");
  const clock = await Clock.make(cleanup);
  const w = await begin(cleanup, [by.jwk], { start: { env: clock.environment } });
  const exp = Math.floor(Date.now() / 1000) + 100;
  const short = await token(by, { sub: "a", exp }), long = await token(by, { sub: "a", role: "user" });
  for (let i = 0; i < 4; i++) assert.equal(await verdict(w, short), "");
  await clock.advance(99_000 - (Date.now() % 1000));
  assert.equal(await verdict(w, long), "");
  await clock.advance(2_000);
  assert.equal(await verdict(w, short), "token_expired");
  await w.api.patch(`jwt/${w.profile.id}`, { rules: { required_claims: { role: "admin" } } });
  assert.equal(await verdict(w, long), "invalid_claim");
  await w.api.patch(`jwt/${w.profile.id}`, { rules: null });
  assert.equal(await verdict(w, long), "");
  assert.equal((await w.api.post(`/api/v1/applications/${w.app.id}/jwt/validation`, { required_claims: { x: "*" } })).status < 300, true);
  assert.equal(await verdict(w, long), "missing_claim");
  await w.api.patch(`jwt/${w.profile.id}`, { keys: [{ ...other.jwk, kid: "other" }] });
  assert.equal(await verdict(w, long), "invalid_signature");
});

scenario("limits and quota count by subject, at both doors, over kill -9 and restart", async (cleanup) => {
  const by = await signer("HS256");
  const w = await begin(cleanup, [by.jwk], { auth: { remaining: 6, ratelimit: { limit: 4, timeWindow: 3600 } } });
  const a = await token(by, { sub: "a", n: 1 }), a2 = await token(by, { sub: "a", n: 2 });
  const b = await token(by, { sub: "b" });
  const status = async (server: Server, text: string) => (await through(server, w.app, text)).status;
  assert.equal(await status(w.server, a), 200);
  const first = await w.api.authenticate(w.app.id, a2);
  assert.equal(first.json.data[0].remaining, 4);
  assert.deepEqual({ ...first.json.data[0].ratelimit, reset: 0 }, { limit: 4, remaining: 2, reset: 0 });
  assert.equal((await w.api.authenticate(w.app.id, a, { peek: true })).json.data[0].remaining, 4);
  const none = await through(w.server, w.app, await token(by, {}));
  assert.equal(none.status, 401);
  assert.equal(none.json.error!.code, "missing_claim");
  await w.server.kill();

  let server = await Server.start(cleanup, { data: w.server.data });
  assert.equal(await status(server, a2), 200);
  assert.equal(await status(server, a), 200);
  const refused = await through(server, w.app, a);
  assert.equal(refused.status, 429);
  assert.equal(refused.json.error!.code, "rate_limited");
  assert.ok(Number(refused.headers["retry-after"]) > 0);
  assert.equal(await status(server, b), 200, "another subject");
  await server.stop();

  server = await Server.start(cleanup, { data: w.server.data });
  assert.equal(await status(server, a), 429, "after a restart");
  assert.equal(await status(server, b), 200);
});

scenario("a flood of forged tokens from an address ends in rate_limited; known tokens and others go on", async (cleanup) => {
  const by = await signer("ES256"), forger = { ...(await signer("ES256")), kid: by.kid };
  const w = await begin(cleanup, [by.jwk], { start: { args: ["--trusted-proxies", "127.0.0.1/32"] } });
  const from = (address: string) => ({ "x-forwarded-for": address });
  const known = await token(by, { sub: "known" });
  for (let i = 0; i < 20; i++)
    assert.equal((await through(w.server, w.app, known, from("192.0.2.1"))).status, 200);
  const answers = new Map<number, number>();
  for (let i = 0; i < 200; i++) {
    const { status } = await through(w.server, w.app, await token(forger, { i }), from("192.0.2.1"));
    answers.set(status, (answers.get(status) ?? 0) + 1);
  }
  assert.ok(answers.get(429)! > 100, JSON.stringify([...answers]));
  let passed = 0;
  for (let i = 0; i < 20; i++)
    passed += Number((await through(w.server, w.app, known, from("192.0.2.1"))).status === 200);
  assert.equal(passed, 20, "a remembered token needs no check of its signature");
  for (let i = 0; i < 5; i++)
    assert.equal((await through(w.server, w.app, await token(by, { sub: `new ${i}` }), from("192.0.2.2"))).status, 200);
  const metrics = (await call(w.server.door("ops"), "GET", "/metrics")).text;
  const count = (name: string) => Number(new RegExp(`^${name} (\\d+)$`, "m").exec(metrics)?.[1]);
  assert.ok(count('typeauth_jwt_verdicts_total\\{verdict="rate_limited"\\}') > 100);
  assert.ok(count("typeauth_jwt_cache_hits_total") > 20);
});

scenario("each token of a batch is judged alone", async (cleanup) => {
  const by = await signer("RS256");
  const w = await begin(cleanup, [by.jwk]);
  const text = await token(by, { sub: "a" }), questions = [text, "x.y.z", text].map((t) => ({ appID: w.app.id, token: t }));
  const answer: Answer = await w.api.call("POST", "/authenticate/batch", { body: questions, key: null });
  assert.deepEqual(answer.json.data.map((d: any) => d.valid), [true, false, true]);
});
