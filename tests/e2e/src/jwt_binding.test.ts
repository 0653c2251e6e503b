// Tokens that only their owner can use: bound to a key by DPoP (RFC 9449) or to
// a client certificate (RFC 8705), through both doors.
import assert from "node:assert/strict";
import { createHash, randomUUID, X509Certificate } from "node:crypto";
import { readFile } from "node:fs/promises";
import { request } from "node:https";
import {
  calculateJwkThumbprint,
  exportJWK,
  generateKeyPair,
  SignJWT,
  type JWK,
  type KeyLike,
} from "jose";
import {
  Authority,
  Clock,
  Gateway,
  NodeOrigin,
  scenario,
  type Cleanup,
  type GatewayOptions,
  type Pair,
} from "./harness/index.js";

interface Issuer {
  jwk: JWK;
  token(claims: object): Promise<string>;
}

async function issuer(): Promise<Issuer> {
  const { publicKey, privateKey } = await generateKeyPair("ES256");
  return {
    jwk: { ...(await exportJWK(publicKey)), kid: "issuer" },
    token: (claims) =>
      new SignJWT({ sub: "alice", ...claims })
        .setProtectedHeader({ alg: "ES256", kid: "issuer" })
        .setExpirationTime("2h")
        .sign(privateKey),
  };
}

async function boundGateway(
  cleanup: Cleanup,
  binding: "dpop" | "certificate",
  options: GatewayOptions = {},
  profile: object = {},
) {
  const origin = await NodeOrigin.start(cleanup);
  const gateway = await Gateway.start(cleanup, origin.address, { ...options, profile: null });
  const by = await issuer();
  const { api } = gateway.server;
  const [jwt] = await api.create("jwt/create", { name: "bound", keys: [by.jwk], binding });
  const [auth] = await api.create("authentication/create", {
    name: "bound",
    keyType: "jwt",
    jwt_id: jwt.id,
    ...profile,
  });
  const path = `applications/${gateway.application.id}`;
  const answer = await api.patch(path, { auth_id: auth.id });
  assert.equal(answer.status, 200, answer.text);
  return { origin, gateway, by };
}

const hash = (text: string) => createHash("sha256").update(text).digest("base64url");

class Prover {
  private constructor(
    readonly alg: string,
    readonly jwk: JWK,
    readonly key: KeyLike,
    readonly jkt: string,
  ) {}

  static async make(alg: string): Promise<Prover> {
    const { publicKey, privateKey } = await generateKeyPair(alg, { crv: "Ed25519" });
    const jwk = await exportJWK(publicKey);
    return new Prover(alg, jwk, privateKey, await calculateJwkThumbprint(jwk));
  }

  proof(
    token: string,
    { method = "GET", url = "http://shop.example.test/", claims = {}, header = {} }: {
      method?: string;
      url?: string;
      claims?: object;
      header?: object;
    } = {},
  ): Promise<string> {
    return new SignJWT({
      jti: randomUUID(),
      htm: method,
      htu: url,
      iat: Math.floor(Date.now() / 1000),
      ath: hash(token),
      ...claims,
    })
      .setProtectedHeader({ typ: "dpop+jwt", alg: this.alg, jwk: this.jwk, ...header })
      .sign(this.key);
  }
}

const code = (text: string) => (JSON.parse(text) as { error: { code: string } }).error.code;

for (const alg of ["ES256", "EdDSA"])
  scenario(`a proof of possession lets its request pass once, ${alg}`, async (cleanup) => {
    const { origin, gateway, by } = await boundGateway(cleanup, "dpop");
    const prover = await Prover.make(alg);
    const token = await by.token({ cnf: { jkt: prover.jkt } });
    const dpop = await prover.proof(token, {
      method: "POST",
      url: "HTTP://Shop.example.test:80/a/../orders",
    });
    const send = () =>
      gateway.ask("POST", "/orders?id=7", { authorization: `DPoP ${token}`, dpop }, "{}");
    let answer = await send();
    assert.equal(answer.status, 200, answer.text);
    assert.equal(origin.last.headers.dpop, dpop, "a JWT is not hidden, nor is its proof");

    answer = await send();
    assert.equal(answer.status, 401, "the same proof again");
    assert.equal(code(answer.text), "invalid_dpop_proof");
    assert.match(answer.text, /"claim":"jti"/);
    assert.equal(
      answer.headers["www-authenticate"],
      'DPoP error="invalid_dpop_proof", algs="ES256 EdDSA"',
    );
  });

scenario("whoever has only the token does not pass", async (cleanup) => {
  const { origin, gateway, by } = await boundGateway(cleanup, "dpop");
  const prover = await Prover.make("ES256");
  const thief = await Prover.make("ES256");
  const token = await by.token({ cnf: { jkt: prover.jkt } });
  const other = await by.token({ cnf: { jkt: prover.jkt }, jti: "2" });
  const refused = async (says: string, headers: Record<string, string>, expected: string) => {
    const answer = await gateway.ask("GET", "/", headers);
    assert.equal(answer.status, 401, says);
    assert.equal(code(answer.text), expected, says);
    assert.match(answer.headers["www-authenticate"] as string, /^DPoP error="[a-z_]+", algs=/);
  };
  const authorization = `DPoP ${token}`;
  const bent = async (options: object, by = prover) => ({
    authorization,
    dpop: await by.proof(token, options),
  });
  const now = Math.floor(Date.now() / 1000);
  await refused("no proof", { authorization }, "invalid_dpop_proof");
  await refused("as a bearer token",
    { authorization: `Bearer ${token}`, dpop: await prover.proof(token) }, "missing_token");
  await refused("another's key", await bent({}, thief), "invalid_dpop_proof");
  await refused("another method", await bent({ method: "POST" }), "invalid_dpop_proof");
  await refused("another path", await bent({ url: "http://shop.example.test/x" }), "invalid_dpop_proof");
  await refused("another host", await bent({ url: "http://evil.example.test/" }), "invalid_dpop_proof");
  await refused("another scheme", await bent({ url: "https://shop.example.test/" }), "invalid_dpop_proof");
  await refused("too old", await bent({ claims: { iat: now - 120 } }), "invalid_dpop_proof");
  await refused("from the future", await bent({ claims: { iat: now + 60 } }), "invalid_dpop_proof");
  await refused("without jti", await bent({ claims: { jti: undefined } }), "invalid_dpop_proof");
  await refused("another typ", await bent({ header: { typ: "JWT" } }), "invalid_dpop_proof");
  await refused("for another token",
    { authorization, dpop: await prover.proof(other) }, "invalid_dpop_proof");
  const { d: _, ...jwk } = thief.jwk;
  await refused("a jwk that did not sign", await bent({ header: { jwk: prover.jwk } }, thief),
    "invalid_dpop_proof");
  await refused("the thief's jwk", await bent({ header: { jwk } }), "invalid_dpop_proof");
  await refused("a token that is bound to nothing",
    { authorization: `DPoP ${await by.token({})}`, dpop: await prover.proof(token) }, "missing_claim");
  assert.equal(origin.requests.length, 0);

  const client = await gateway.raw();
  await client.send(
    [
      "GET / HTTP/1.1", `Host: ${gateway.host}`, `Authorization: ${authorization}`,
      `DPoP: ${await prover.proof(token)}`, `DPoP: ${await prover.proof(token)}`, "", "",
    ].join("\r\n"),
  );
  assert.equal((await client.read()).status, 401, "two proofs");
  const good = await gateway.ask("GET", "/", await bent({}));
  assert.equal(good.status, 200, good.text);
});

scenario("of many who send one proof at once one passes, and it stays used", async (cleanup) => {
  const clock = await Clock.make(cleanup);
  const { origin, gateway, by } = await boundGateway(cleanup, "dpop", { env: clock.environment });
  const prover = await Prover.make("ES256");
  const token = await by.token({ cnf: { jkt: prover.jkt } });
  const dpop = await prover.proof(token);
  const send = () => gateway.ask("GET", "/", { authorization: `DPoP ${token}`, dpop });
  const all = await Promise.all(Array.from({ length: 40 }, send));
  assert.equal(all.filter((answer) => answer.status === 200).length, 1);
  assert.equal(origin.requests.length, 1);
  for (const ms of [30_000, 30_000, 3_000, 60_000]) {
    await clock.advance(ms);
    assert.equal((await send()).status, 401);
  }
});

scenario("/authenticate judges a proof by its telemetry", async (cleanup) => {
  const { gateway, by } = await boundGateway(cleanup, "dpop");
  const prover = await Prover.make("ES256");
  const token = await by.token({ cnf: { jkt: prover.jkt } });
  const url = "https://api.customer.example/orders";
  const ask = async (telemetry: object, more: object = {}) =>
    (await gateway.server.api.authenticate(gateway.application.id, `DPoP ${token}`, {
      telemetry,
      ...more,
    })).json.data[0];
  const dpop = await prover.proof(token, { method: "PUT", url });
  const telemetry = { method: "PUT", url: `${url}?a=b`, headers: { DPoP: dpop } };
  assert.equal((await ask(telemetry, { peek: true })).valid, true);
  assert.equal((await ask(telemetry)).valid, true, "a peek used nothing up");
  assert.deepEqual((await ask(telemetry)).code, "invalid_dpop_proof", "used");
  const fresh = async () => ({ dpop: [await prover.proof(token, { method: "PUT", url })] });
  assert.equal(
    (await ask({ method: "PUT", url: "/orders?x", headers: await fresh() })).valid, true, "path only");
  assert.equal(
    (await ask({ method: "PUT", url: "/other", headers: await fresh() })).code, "invalid_dpop_proof");
  assert.equal((await ask({ url, headers: await fresh() })).code, "invalid_dpop_proof", "no method");
  assert.equal((await ask({ method: "PUT", headers: await fresh() })).code, "invalid_dpop_proof");
  assert.equal((await ask({ method: "PUT", url })).code, "invalid_dpop_proof", "no headers");
});

scenario("a profile that hides credentials hides the proof too", async (cleanup) => {
  const { origin, gateway, by } = await boundGateway(cleanup, "dpop", {}, { hideCredentials: true });
  const prover = await Prover.make("ES256");
  const token = await by.token({ cnf: { jkt: prover.jkt } });
  const answer = await gateway.ask("GET", "/", {
    authorization: `DPoP ${token}`,
    dpop: await prover.proof(token),
  });
  assert.equal(answer.status, 200, answer.text);
  assert.equal(origin.last.headers.authorization, undefined);
  assert.equal(origin.last.headers.dpop, undefined);
});

// --- certificates -------------------------------------------------------------

const thumbprint = async (pair: Pair) =>
  Buffer.from(
    new X509Certificate(await readFile(pair.cert)).fingerprint256.replaceAll(":", ""),
    "hex",
  ).toString("base64url");

async function tlsGateway(cleanup: Cleanup, extra: string[]) {
  const authority = await Authority.make(cleanup);
  const site = await authority.issue("shop", "DNS:shop.example.test");
  const made = await boundGateway(cleanup, "certificate", {
    args: [
      "--gateway-tls", "127.0.0.1:0", "--certificate", `${site.cert},${site.key}`, ...extra,
    ],
  });
  const ask = async (token: string, pair?: Pair) => {
    const { host, port } = made.gateway.server.door("gateway-tls");
    const client = pair && { cert: await readFile(pair.cert), key: await readFile(pair.key) };
    return new Promise<{ status: number; text: string }>((resolve, reject) => {
      const asked = request(
        {
          host, port, agent: false, ca: authority.pem, servername: "shop.example.test", ...client,
          headers: { host: "shop.example.test", authorization: `Bearer ${token}` },
        },
        (answer) => {
          let text = "";
          answer.on("data", (part) => (text += part));
          answer.on("end", () => resolve({ status: answer.statusCode!, text }));
        },
      );
      asked.on("error", reject);
      asked.end();
    });
  };
  return { ...made, authority, ask };
}

scenario("a token is bound to the certificate of its connection", async (cleanup) => {
  const { origin, gateway, by, authority, ask } =
    await tlsGateway(cleanup, ["--client-certificates", "ask"]);
  const alice = await authority.issue("alice", "DNS:alice.example");
  const mallory = await (await Authority.make(cleanup)).issue("mallory", "DNS:m.example");
  const token = await by.token({ cnf: { "x5t#S256": await thumbprint(alice) } });
  const passed = await ask(token, alice);
  assert.equal(passed.status, 200, passed.text);
  for (const pair of [mallory, undefined]) {
    const answer = await ask(token, pair);
    assert.equal(answer.status, 401);
    assert.equal(code(answer.text), "invalid_token");
  }
  const unbound = await ask(await by.token({}), alice);
  assert.equal(code(unbound.text), "missing_claim");
  const plain = await gateway.ask("GET", "/", {
    authorization: `Bearer ${token}`,
    "x-client-cert": (await readFile(alice.cert)).toString("base64"),
  });
  assert.equal(plain.status, 401, "no field is believed about certificates");
  const own = await by.token({ cnf: { "x5t#S256": await thumbprint(mallory) } });
  assert.equal((await ask(own, mallory)).status, 200, "any certificate holds its key");
  assert.equal(origin.requests.length, 2);

  const verdict = async (telemetry?: object) =>
    (await gateway.server.api.authenticate(gateway.application.id, token, { telemetry })).json
      .data[0];
  assert.equal((await verdict({ certificate: await thumbprint(alice) })).valid, true);
  assert.equal((await verdict({ certificate: await thumbprint(mallory) })).code, "invalid_token");
  assert.equal((await verdict({ certificate: "nonsense" })).code, "invalid_token");
  assert.equal((await verdict()).code, "invalid_token", "nobody said which");
});

scenario("with authorities only their certificates are taken; unasked, none", async (cleanup) => {
  const authority = await Authority.make(cleanup);
  const alice = await authority.issue("alice", "DNS:alice.example");
  const stranger = await (await Authority.make(cleanup)).issue("m", "DNS:m.example");
  const bound = async (by: Issuer, pair: Pair) =>
    by.token({ cnf: { "x5t#S256": await thumbprint(pair) } });
  {
    const { by, ask } = await tlsGateway(cleanup, [
      "--client-certificates", "ask", "--client-ca", authority.file,
    ]);
    assert.equal((await ask(await bound(by, alice), alice)).status, 200);
    await assert.rejects(ask(await bound(by, stranger), stranger));
    assert.equal((await ask(await bound(by, alice))).status, 401, "none need be shown");
  }
  const { by, ask } = await tlsGateway(cleanup, []);
  assert.equal((await ask(await bound(by, alice), alice)).status, 401, "not asked for");
});
