// Tokens about which the issuer is asked (RFC 7662): what it answers holds, for
// as long as the profile believes it; what it does not answer is no token's
// fault.
import assert from "node:assert/strict";
import { createServer, request, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { exportJWK, generateKeyPair, SignJWT } from "jose";
import {
  Clock,
  Gateway,
  NodeOrigin,
  eventually,
  scenario,
  type Cleanup,
  type GatewayOptions,
} from "./harness/index.js";

const id = "gate way:1", secret = "s3cret+/ü:&";
const form = (text: string) => encodeURIComponent(text);

class Issuer {
  readonly asked: string[] = [];
  answers = new Map<string, object>();
  /** Instead of the protocol. */
  instead: ((response: ServerResponse) => void) | null = null;
  /** Held questions, until it is resolved. */
  gate: Promise<void> = Promise.resolve();

  private constructor(readonly url: string) {}

  static async start(cleanup: Cleanup): Promise<Issuer> {
    const server = createServer();
    server.listen(0, "127.0.0.1");
    await new Promise((resolve) => server.once("listening", resolve));
    cleanup.add(() => {
      server.closeAllConnections();
      return new Promise((resolve) => server.close(resolve));
    });
    const { port } = server.address() as AddressInfo;
    const issuer = new Issuer(`http://127.0.0.1:${port}/introspect?tenant=a`);
    server.on("request", (request, response) => void issuer.answer(request, response));
    return issuer;
  }

  private async answer(request: IncomingMessage, response: ServerResponse) {
    let body = "";
    for await (const part of request) body += part;
    const asked = new URLSearchParams(body);
    this.asked.push(asked.get("token") ?? "");
    await this.gate;
    if (this.instead) return this.instead(response);
    const basic = Buffer.from(`${form(id)}:${form(secret)}`).toString("base64");
    const good =
      request.method === "POST" &&
      request.url === "/introspect?tenant=a" &&
      request.headers["content-type"] === "application/x-www-form-urlencoded" &&
      asked.get("token_type_hint") === "access_token" &&
      request.headers.authorization === `Basic ${basic}`;
    response.statusCode = good ? 200 : 401;
    response.setHeader("content-type", "application/json");
    response.end(JSON.stringify(this.answers.get(asked.get("token")!) ?? { active: false }));
  }
}

async function begin(
  cleanup: Cleanup,
  { jwt = {}, auth = {}, cacheSeconds = 30, ...options }: GatewayOptions & {
    jwt?: object;
    auth?: object;
    cacheSeconds?: number;
  } = {},
) {
  const issuer = await Issuer.start(cleanup);
  const origin = await NodeOrigin.start(cleanup);
  const gateway = await Gateway.start(cleanup, origin.address, {
    ...options,
    args: ["--insecure-key-urls", ...(options.args ?? [])],
    profile: null,
  });
  const { api } = gateway.server;
  const [profile] = await api.create("jwt/create", {
    name: "asked",
    introspection: { url: issuer.url, clientId: id, clientSecret: secret, cacheSeconds },
    ...jwt,
  });
  const [made] = await api.create("authentication/create", {
    name: "asked",
    keyType: "jwt",
    jwt_id: profile.id,
    ...auth,
  });
  const patched = await api.patch(`applications/${gateway.application.id}`, { auth_id: made.id });
  assert.equal(patched.status, 200, patched.text);
  const ask = (token: string) =>
    gateway.ask("GET", "/", { authorization: `Bearer ${token}` });
  const code = async (token: string) => {
    const answer = await ask(token);
    const verdict = (await api.authenticate(gateway.application.id, token)).json.data[0];
    if (answer.status === 200) {
      assert.equal(verdict.valid, true);
      return "";
    }
    assert.equal(verdict.code, answer.json.error!.code, "both doors say the same");
    return verdict.code as string;
  };
  return { issuer, origin, gateway, profile, api, ask, code };
}

const hour = () => Math.floor(Date.now() / 1000) + 3600;

scenario("an opaque token is what its issuer says", async (cleanup) => {
  const { issuer, origin, code } = await begin(cleanup, {
    jwt: { audience: "orders", rules: { required_claims: { plan: ["gold", "silver"] } } },
  });
  const token = "opaque/+ä token=".replace(" ", "-");
  const claims = { active: true, sub: "alice", aud: "orders", scope: "read write", plan: "gold" };
  issuer.answers.set("good", { ...claims, exp: hour() });
  issuer.answers.set("plan", { ...claims, plan: "iron" });
  issuer.answers.set("audience", { ...claims, aud: ["bills"] });
  issuer.answers.set("past", { ...claims, exp: hour() - 7200 });
  issuer.answers.set("future", { ...claims, nbf: hour() });
  issuer.answers.set("without", { active: true, aud: "orders" });
  issuer.answers.set(encodeURIComponent(token), claims);
  assert.equal(await code("good"), "");
  assert.equal(origin.last.headers["x-typeauth-subject"], "alice");
  assert.match(origin.last.headers["x-typeauth-scopes"] as string, /^read[ ,]+write$/);
  assert.equal(await code("plan"), "invalid_claim");
  assert.equal(await code("audience"), "invalid_claim");
  assert.equal(await code("past"), "token_expired");
  assert.equal(await code("future"), "token_not_active");
  assert.equal(await code("without"), "missing_claim");
  assert.equal(await code("nobody"), "invalid_token");
  assert.equal(await code(encodeURIComponent(token)), "", "any bytes of a header pass as they are");
});

scenario("one question a token, however many ask at once", async (cleanup) => {
  const { issuer, origin, ask } = await begin(cleanup);
  issuer.answers.set("busy", { active: true, sub: "a" });
  let open!: () => void;
  issuer.gate = new Promise((resolve) => (open = resolve));
  const all = Array.from({ length: 50 }, () => ask("busy"));
  await eventually("the question", () => issuer.asked.length > 0);
  assert.equal(origin.requests.length, 0, "who waits has not passed");
  open();
  for (const answer of await Promise.all(all)) assert.equal(answer.status, 200, answer.text);
  for (let i = 0; i < 50; i++) assert.equal((await ask("busy")).status, 200);
  assert.deepEqual(issuer.asked, ["busy"]);
});

scenario("an answer is believed for cacheSeconds, never beyond exp", async (cleanup) => {
  const clock = await Clock.make(cleanup);
  const { issuer, ask } = await begin(cleanup, { cacheSeconds: 60, env: clock.environment });
  const asked = (token: string) => issuer.asked.filter((name) => name === token).length;
  issuer.answers.set("long", { active: true, sub: "a", exp: hour() });
  issuer.answers.set("short", { active: true, sub: "b", exp: Math.floor(clock.now_ms() / 1000) + 20 });
  for (const token of ["long", "short"]) assert.equal((await ask(token)).status, 200);
  await clock.advance(15_000);
  for (const token of ["long", "short"]) assert.equal((await ask(token)).status, 200);
  assert.deepEqual([asked("long"), asked("short")], [1, 1]);
  await clock.advance(10_000);
  const over = await ask("short");
  assert.equal(over.status, 401);
  assert.equal(over.json.error!.code, "token_expired");

  issuer.answers.set("long", { active: false });
  assert.equal((await ask("long")).status, 200, "revoked, but believed for a minute");
  await clock.advance(36_000);
  const revoked = await ask("long");
  assert.equal(revoked.status, 401);
  assert.equal(revoked.json.error!.code, "invalid_token");
  const questions = asked("long");
  await ask("long");
  assert.equal(asked("long"), questions, "that it does not hold is remembered too");
  issuer.answers.set("long", { active: true, sub: "a" });
  await clock.advance(6_000);
  assert.equal((await ask("long")).status, 200, "but briefly");
});

scenario("an issuer that gives no answer is no token's fault", async (cleanup) => {
  const clock = await Clock.make(cleanup);
  const { issuer, ask, code, api, gateway } = await begin(cleanup, { env: clock.environment });
  issuer.answers.set("good", { active: true, sub: "a" });
  assert.equal((await ask("good")).status, 200);
  const failures: [string, (response: ServerResponse) => void][] = [
    ["an error", (r) => r.writeHead(500).end("{}")],
    ["a refusal of us", (r) => r.writeHead(401).end(`{"active":true}`)],
    ["a redirect", (r) => r.writeHead(302, { location: issuer.url }).end()],
    ["a page", (r) => r.end("<html>active</html>")],
    ["no word of active", (r) => r.end(`{"sub":"a"}`)],
    ["a text", (r) => r.end(`{"active":"true"}`)],
    ["two words", (r) => r.end(`{"active":false,"active":true}`)],
    ["too much", (r) => r.end(`{"active":true,"x":"${"x".repeat(20_000)}"}`)],
    ["nothing", (r) => r.destroy()],
  ];
  for (const [says, instead] of failures) {
    issuer.instead = instead;
    const answer = await ask(says.replaceAll(" ", "-"));
    assert.equal(answer.status, 503, says);
    assert.equal(answer.json.error!.code, "check_unavailable", says);
    assert.equal(answer.headers["retry-after"], "1");
    assert.equal((await ask("good")).status, 200, "what is known stays known");
  }
  issuer.instead = null;
  issuer.answers.set("an-error", { active: true, sub: "a" });
  await clock.advance(1_500);
  assert.equal(await code("an-error"), "", "and it is asked again");

  const metrics = (await api.call("GET", "/metrics")).text;
  assert.match(metrics, /^typeauth_introspection_failures_total 9$/m);
  assert.match(metrics, /^typeauth_introspections_waiting 0$/m);
  assert.ok(!gateway.server.log.some((line) => line.includes("s3cret")));
});

scenario("with keys the token must be signed before anybody is asked", async (cleanup) => {
  const { publicKey, privateKey } = await generateKeyPair("ES256");
  const other = await generateKeyPair("ES256");
  const { issuer, origin, code } = await begin(cleanup, {
    jwt: { keys: [{ ...(await exportJWK(publicKey)), kid: "k" }] },
  });
  const sign = (key = privateKey, sub = "alice") =>
    new SignJWT({ sub }).setProtectedHeader({ alg: "ES256", kid: "k" }).setExpirationTime("1h").sign(key);
  const good = await sign(), revoked = await sign(privateKey, "bob");
  issuer.answers.set(good, { active: true, sub: "somebody else" });
  assert.equal(await code(await sign(other.privateKey)), "invalid_signature");
  assert.equal(await code("opaque"), "invalid_signature");
  assert.equal(issuer.asked.length, 0);
  assert.equal(await code(good), "");
  assert.equal(origin.last.headers["x-typeauth-subject"], "alice", "the token's own claims count");
  assert.equal(await code(revoked), "invalid_token");
});

scenario("another secret acts at once; guesses are limited by address", async (cleanup) => {
  const { issuer, ask, api, profile } = await begin(cleanup, { args: ["--workers", "1"] });
  issuer.answers.set("one", { active: true, sub: "a" });
  const wrong = await api.patch(`jwt/${profile.id}`, {
    introspection: { url: issuer.url, clientId: id, clientSecret: "wrong" },
  });
  assert.equal(wrong.status, 200, wrong.text);
  assert.equal((await ask("one")).status, 503);
  const right = await api.patch(`jwt/${profile.id}`, {
    introspection: { url: issuer.url, clientId: id, clientSecret: secret },
  });
  assert.equal(right.status, 200, right.text);
  assert.equal((await ask("one")).status, 200);

  let limited = 0;
  for (let i = 0; i < 80; i++) {
    const answer = await ask(`guess-${i}`);
    if (answer.status === 429) limited++;
  }
  assert.ok(limited > 0, "a flood of guesses does not become a flood of questions");
  assert.equal((await ask("one")).status, 200, "who is known is not affected");
});

scenario("a stream of an opaque token runs on, and ends with its profile", async (cleanup) => {
  const { issuer, gateway, api } = await begin(cleanup, { args: ["--workers", "1"] });
  issuer.answers.set("long", { active: true, sub: "a" });
  const running: ServerResponse[] = [];
  const origin = await NodeOrigin.start(cleanup, (_, response) => {
    response.write("begun");
    running.push(response);
  });
  await api.patch(`applications/${gateway.application.id}`, {
    originHostname: `http://${origin.address.host}:${origin.address.port}`,
  });
  const other = await api.application("other", origin.address, {});
  const open = async (host: string, secret: string) => {
    const { host: at, port } = gateway.address;
    const stream = { text: "", over: false };
    const sent = request({
      host: at, port, agent: false, headers: { host, authorization: `Bearer ${secret}` },
    }, (answer) => {
      answer.on("data", (part) => (stream.text += part));
      answer.on("error", () => {});
      answer.on("close", () => (stream.over = true));
    });
    sent.on("error", () => (stream.over = true));
    sent.end();
    await eventually("the stream", () => stream.text === "begun");
    return stream;
  };
  const asked = await open(gateway.host, "long");
  // Streams are looked at one after the other, in the order of their begin.
  for (const round of [1, 2]) {
    const [fresh] = await api.tokens(other.id);
    const keyed = await open(other.domain, fresh.token);
    assert.equal((await api.delete(`token/${fresh.id}`)).status, 200);
    await eventually("the revoked stream to end", () => keyed.over);
    assert.equal(asked.over, false, `round ${round}`);
  }
  running[0]!.write(" and on");
  await eventually("more of it", () => asked.text === "begun and on");
  const detached = await api.patch(`applications/${gateway.application.id}`, { auth_id: null });
  assert.equal(detached.status, 200, detached.text);
  await eventually("its end", () => asked.over);
});
