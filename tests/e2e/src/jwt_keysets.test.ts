// Key sets that are fetched: an OpenID issuer that rotates its keys, a flood of
// unknown kids, issuers that are down, slow, or talk nonsense (api.md §5).
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { readFile } from "node:fs/promises";
import type { RequestListener, ServerResponse } from "node:http";
import { createServer, request, type Server as HttpsServer } from "node:https";
import { connect, type AddressInfo } from "node:net";
import * as jose from "jose";
import Provider from "oidc-provider";
import {
  Authority, Clock, NodeOrigin, Server, call, deadline, eventually, scenario,
  type Address, type Cleanup,
} from "./harness/index.js";

const audience = "https://api.example.test";
const host = "shop.example.test";

/** An HTTPS server whose behaviour a test changes while it runs. */
class Issuer {
  handler: RequestListener = (_, response) => void response.writeHead(404).end();
  readonly asked: string[] = [];

  private constructor(readonly server: HttpsServer, readonly ca: Buffer) {}

  static async start(cleanup: Cleanup, authority: Authority): Promise<Issuer> {
    const { cert, key } = await authority.issue("issuer", "IP:127.0.0.1");
    const server = createServer({ cert: await readFile(cert), key: await readFile(key) });
    const issuer = new Issuer(server, authority.pem);
    server.on("request", (request, response) => {
      issuer.asked.push(request.url!);
      issuer.handler(request, response);
    });
    server.listen(0, "127.0.0.1");
    await new Promise((resolve) => server.once("listening", resolve));
    cleanup.add(() => {
      server.closeAllConnections();
      return new Promise((resolve) => server.close(resolve));
    });
    return issuer;
  }

  get url(): string {
    return `https://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  count(path: string): number {
    return this.asked.filter((one) => one === path).length;
  }

  /** POST of a form; the answer as JSON. */
  post(path: string, form: string, authorization: string): Promise<any> {
    return deadline(10_000, path, new Promise((resolve, reject) => {
      const sent = request(this.url + path, {
        method: "POST", ca: this.ca, agent: false,
        headers: { authorization, "content-type": "application/x-www-form-urlencoded" },
      }, (answer) => {
        let text = "";
        answer.on("data", (part) => (text += part));
        answer.on("end", () => resolve(JSON.parse(text)));
      });
      sent.on("error", reject);
      sent.end(form);
    }));
  }
}

/** `oidc-provider` with one signing key, which issues JWTs for our API. */
async function openid(issuer: Issuer, kid: string): Promise<RequestListener> {
  const { privateKey } = await jose.generateKeyPair("ES256", { extractable: true });
  const key = { ...(await jose.exportJWK(privateKey)), kid, alg: "ES256", use: "sig" };
  return new Provider(issuer.url, {
    clients: [{
      client_id: "robot", client_secret: "secret", grant_types: ["client_credentials"],
      response_types: [], redirect_uris: [], id_token_signed_response_alg: "ES256",
    }],
    jwks: { keys: [key] },
    cookies: { keys: ["test"] },
    features: {
      devInteractions: { enabled: false },
      clientCredentials: { enabled: true },
      resourceIndicators: {
        enabled: true,
        defaultResource: () => audience,
        useGrantedResource: () => true,
        getResourceServerInfo: () => ({
          scope: "read", audience, accessTokenFormat: "jwt", accessTokenTTL: 3600,
          jwt: { sign: { alg: "ES256" } },
        }),
      },
    },
  }).callback();
}

async function issued(issuer: Issuer): Promise<string> {
  const answer = await issuer.post(
    "/token",
    `grant_type=client_credentials&scope=read&resource=${encodeURIComponent(audience)}`,
    `Basic ${Buffer.from("robot:secret").toString("base64")}`,
  );
  assert.ok(answer.access_token, JSON.stringify(answer));
  return answer.access_token;
}

const kidOf = (token: string) => jose.decodeProtectedHeader(token).kid;

/** An application in front of an origin that takes JWTs of this profile. */
async function guarded(server: Server, origin: Address, profile: object): Promise<any> {
  const [jwt] = await server.api.create("jwt/create", { name: "issuer", ...profile });
  return server.api.application("shop", origin, { keyType: "jwt", jwt_id: jwt.id },
    { detailResponse: true, domain: host });
}

const ask = (server: Server, token: string) =>
  call(server.door("gateway"), "GET", "/", { host, authorization: `Bearer ${token}` });

async function metric(server: Server, name: string): Promise<number> {
  const { text } = await call(server.door("ops"), "GET", "/metrics");
  const found = new RegExp(`^typeauth_keyset_${name}\\{set="\\d+",host="127\\.0\\.0\\.1"\\} (\\d+)$`, "m").exec(text);
  assert.ok(found, `no typeauth_keyset_${name} in:\n${text}`);
  return Number(found[1]);
}

scenario("an OpenID issuer rotates its keys under load: nobody is refused, two fetches", async (cleanup) => {
  const authority = await Authority.make(cleanup);
  const issuer = await Issuer.start(cleanup, authority);
  issuer.handler = await openid(issuer, "first");
  const origin = await NodeOrigin.start(cleanup);
  const server = await Server.start(cleanup, { args: ["--ca-file", authority.file] });
  await guarded(server, origin.address, { discovery: issuer.url, issuer: issuer.url, audience });

  const kids = new Map<string, number>();
  const wrong: string[] = [];
  const turn = async (token: string) => {
    const answer = await ask(server, token);
    const kid = kidOf(token)!;
    if (answer.status === 200) kids.set(kid, (kids.get(kid) ?? 0) + 1);
    else wrong.push(`${kid}: ${answer.status} ${answer.text}`);
  };
  let stop = false;
  const client = async () => {
    const old = await issued(issuer);
    while (!stop) {
      await turn(await issued(issuer));
      await turn(old); // until it expires, whatever the issuer shows
    }
  };
  const clients = Promise.all(Array.from({ length: 4 }, client));
  const traffic = (kid: string) => Promise.race([
    clients,
    eventually(`traffic by the ${kid} key`, () => (kids.get(kid) ?? 0) > 50, 30_000),
  ]);
  try {
    await traffic("first");
    issuer.handler = await openid(issuer, "second");
    await traffic("second");
  } finally {
    stop = true;
  }
  await clients;

  assert.deepEqual(wrong, []);
  assert.equal(issuer.count("/jwks"), 2);
  assert.equal(issuer.count("/.well-known/openid-configuration"), 1);
  assert.equal(await metric(server, "fetches_total"), 2);
  assert.equal(await metric(server, "early_total"), 1);
  assert.equal(await metric(server, "keys"), 1);
});

/** Sends requests on a few connections, many at once on each; the answers. */
async function flood(to: Address, requests: Iterator<string>, connections = 8): Promise<Map<string, number>> {
  const seen = new Map<string, number>();
  const one = () => new Promise<void>((resolve, reject) => {
    const socket = connect({ ...to, noDelay: true });
    let open = 0, rest = "", over = false;
    const more = () => {
      let batch = "";
      while (open < 128 && !over) {
        const { value, done } = requests.next();
        if (done) over = true;
        else { batch += value; open++; }
      }
      if (batch) socket.write(batch);
      else if (open === 0) socket.end();
    };
    socket.setEncoding("latin1");
    socket.on("data", (part: string) => {
      rest += part;
      const found = rest.match(/HTTP\/1\.1 \d{3}/g) ?? [];
      rest = rest.slice(rest.lastIndexOf("HTTP/1.1 ") >= 0 ? rest.lastIndexOf("HTTP/1.1 ") : 0);
      const cut = /^HTTP\/1\.1 \d{3}/.test(rest);
      if (cut) rest = rest.slice(12);
      for (const line of found) seen.set(line.slice(9), (seen.get(line.slice(9)) ?? 0) + 1);
      open -= found.length;
      if (open < 32) more();
    });
    socket.on("error", reject);
    socket.on("close", () => resolve());
    more();
  });
  await Promise.all(Array.from({ length: connections }, one));
  return seen;
}

const base64url = (value: object) => Buffer.from(JSON.stringify(value)).toString("base64url");

scenario("100,000 random kids cause at most two fetches", async (cleanup) => {
  const authority = await Authority.make(cleanup);
  const issuer = await Issuer.start(cleanup, authority);
  const { publicKey, privateKey } = await jose.generateKeyPair("ES256");
  const jwk = { ...(await jose.exportJWK(publicKey)), kid: "known", alg: "ES256" };
  issuer.handler = (_, response) => json(response, { keys: [jwk] });
  const origin = await NodeOrigin.start(cleanup);
  const server = await Server.start(cleanup, {
    // Each request has another address: no budget of failures ends the flood.
    args: ["--ca-file", authority.file, "--trusted-proxies", "127.0.0.0/8", "--access-log", "off"],
  });
  await guarded(server, origin.address, { jwk: `${issuer.url}/keys` });
  const good = await new jose.SignJWT({ sub: "anna" })
    .setProtectedHeader({ alg: "ES256", kid: "known" }).setExpirationTime("1h").sign(privateKey);
  assert.equal((await ask(server, good)).status, 200);

  const count = 100_000;
  const rest = `.${base64url({ sub: "mallory" })}.${"A".repeat(86)}`;
  function* requests() {
    for (let i = 0; i < count; i++) {
      const kid = i % 10 ? randomBytes(9).toString("base64url") : `kid-${i}`;
      const ip = `10.${i & 255}.${(i >> 8) & 255}.${i >> 16}`;
      yield `GET / HTTP/1.1\r\nHost: ${host}\r\nX-Forwarded-For: ${ip}\r\n` +
        `Authorization: Bearer ${base64url({ alg: "ES256", kid })}${rest}\r\n\r\n`;
    }
  }
  const seen = await flood(server.door("gateway"), requests());
  assert.deepEqual([...seen], [["401", count]]);
  assert.equal((await ask(server, good)).status, 200);
  assert.ok(issuer.count("/keys") <= 2, `${issuer.count("/keys")} fetches`);
  assert.equal(await metric(server, "early_total"), 1);
});

function json(response: ServerResponse, body: object, status = 200): void {
  response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body));
}

scenario("an issuer that is down, slow, or talks nonsense changes nothing for known keys", async (cleanup) => {
  const authority = await Authority.make(cleanup);
  const issuer = await Issuer.start(cleanup, authority);
  const { publicKey, privateKey } = await jose.generateKeyPair("RS256");
  const jwk = { ...(await jose.exportJWK(publicKey)), kid: "known", alg: "RS256" };
  const good: RequestListener = (_, response) => json(response, { keys: [jwk] });
  issuer.handler = good;
  const origin = await NodeOrigin.start(cleanup);
  const clock = await Clock.make(cleanup);
  const server = await Server.start(cleanup, {
    args: ["--ca-file", authority.file, "--fetch-timeout-ms", "400"], env: clock.environment,
  });
  const [set] = await server.api.create("jwk/create", {
    name: "keys", url: `${issuer.url}/keys`, cacheSeconds: 600, maxStale: 2592000,
  });
  await guarded(server, origin.address, { jwk: set.id });
  const sign = (kid: string) => new jose.SignJWT({ sub: "anna" })
    .setProtectedHeader({ alg: "RS256", kid }).setExpirationTime("1y").sign(privateKey);
  const token = await sign("known");
  assert.equal((await ask(server, token)).status, 200);

  const bad: Record<string, RequestListener> = {
    "HTTP 500": (_, response) => json(response, {}, 500),
    "HTTP 302: redirects are not followed": (_, response) =>
      void response.writeHead(302, { location: `${issuer.url}/keys2` }).end(),
    "the answer's Content-Type is not JSON": (_, response) =>
      void response.writeHead(200, { "content-type": "text/html" }).end("<html>"),
    "no usable keys": (_, response) => json(response, { keys: [] }),
    "larger than allowed": (_, response) =>
      void response.writeHead(200).end(Buffer.alloc(1 << 20, " ")),
    "no whole answer within 400 ms": () => {},
    "closed": (request) => void request.socket.destroy(),
  };
  let failures = 0;
  for (const [problem, handler] of Object.entries(bad)) {
    issuer.handler = handler;
    await clock.advance(700_000);
    failures++;
    await eventually(problem, async () => (await metric(server, "failures_total")) >= failures);
    assert.equal((await ask(server, token)).status, 200, problem);
    assert.equal((await ask(server, await sign("known"))).status, 200, problem);
    const shown = (await server.api.get(`jwk/${set.id}`)).json.data[0].status;
    assert.ok(shown.lastError.includes(problem), `${shown.lastError} for ${problem}`);
    assert.equal(shown.keys, 1);
    failures = await metric(server, "failures_total");
  }
  assert.ok((await metric(server, "age_seconds")) > 3600);
  assert.equal(issuer.count("/keys2"), 0);
  // A kid that it cannot know waits for one fetch and is refused.
  assert.equal((await ask(server, await sign("other"))).status, 401);

  issuer.handler = good;
  await clock.advance(700_000);
  await eventually("a good fetch", async () => (await metric(server, "age_seconds")) < 700);
  const shown = (await server.api.get(`jwk/${set.id}`)).json.data[0].status;
  assert.equal(shown.lastError, null);
  assert.equal((await ask(server, token)).status, 200);
});

scenario("known keys hold over a restart, also after kill -9, while the issuer is down", async (cleanup) => {
  const authority = await Authority.make(cleanup);
  const issuer = await Issuer.start(cleanup, authority);
  const { publicKey, privateKey } = await jose.generateKeyPair("ES256");
  const jwk = { ...(await jose.exportJWK(publicKey)), kid: "known", alg: "ES256" };
  issuer.handler = (_, response) => json(response, { keys: [jwk] });
  const origin = await NodeOrigin.start(cleanup);
  const args = ["--ca-file", authority.file, "--fetch-timeout-ms", "400"];
  let server = await Server.start(cleanup, { args });
  await guarded(server, origin.address, { jwk: `${issuer.url}/keys` });
  const token = await new jose.SignJWT({ sub: "anna" })
    .setProtectedHeader({ alg: "ES256", kid: "known" }).setExpirationTime("1h").sign(privateKey);
  assert.equal((await ask(server, token)).status, 200);
  issuer.handler = (_, response) => json(response, {}, 500);
  for (const end of ["stop", "kill"] as const) {
    await server[end]();
    server = await Server.start(cleanup, { args, data: server.data });
    assert.equal((await ask(server, token)).status, 200, `after ${end}`);
  }
});

scenario("an issuer of another authority is not believed, and never was asked for keys", async (cleanup) => {
  const authority = await Authority.make(cleanup);
  const stranger = await Authority.make(cleanup);
  const issuer = await Issuer.start(cleanup, stranger);
  issuer.handler = (_, response) => json(response, { keys: [] });
  const origin = await NodeOrigin.start(cleanup);
  const server = await Server.start(cleanup, { args: ["--ca-file", authority.file] });
  await guarded(server, origin.address, { jwk: `${issuer.url}/keys` });
  const { privateKey } = await jose.generateKeyPair("ES256");
  const token = await new jose.SignJWT({}).setProtectedHeader({ alg: "ES256", kid: "x" }).sign(privateKey);
  const answer = await ask(server, token);
  assert.equal(answer.status, 503, answer.text);
  assert.equal(answer.json.error!.code, "check_unavailable");
  assert.equal(answer.headers["retry-after"], "1");
  await eventually("the failure", async () => (await metric(server, "failures_total")) > 0);
  assert.deepEqual(issuer.asked, []);
});

scenario("keys are fetched over plain HTTP only where the server's settings allow it", async (cleanup) => {
  const { publicKey, privateKey } = await jose.generateKeyPair("ES256");
  const jwk = { ...(await jose.exportJWK(publicKey)), kid: "known", alg: "ES256" };
  const plain = await NodeOrigin.start(cleanup, (_, response) => json(response, { keys: [jwk] }));
  const origin = await NodeOrigin.start(cleanup);
  const url = `http://127.0.0.1:${plain.address.port}/keys`;
  const strict = await Server.start(cleanup);
  const refused = await strict.api.post("jwk/create", { name: "keys", url });
  assert.equal(refused.status, 400);
  assert.equal(refused.json.error!.field, "url");

  const server = await Server.start(cleanup, { args: ["--insecure-key-urls"] });
  await guarded(server, origin.address, { jwk: url });
  const token = await new jose.SignJWT({}).setProtectedHeader({ alg: "ES256", kid: "known" })
    .setExpirationTime("1h").sign(privateKey);
  assert.equal((await ask(server, token)).status, 200);
  // The same data, served by a server that does not allow it: nothing is asked.
  await server.stop();
  plain.requests.length = 0;
  const again = await Server.start(cleanup, { data: server.data });
  await eventually("the failure", async () => (await metric(again, "failures_total")) > 0);
  assert.equal((await ask(again, token)).status, 503);
  assert.equal(plain.requests.length, 0);
});
