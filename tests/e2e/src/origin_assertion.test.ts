// An origin proves, with a library of its own choice, that a request came
// through the gateway: also after rotations and restarts, and never for a
// field that a client forged.
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import {
  createLocalJWKSet,
  createRemoteJWKSet,
  decodeProtectedHeader,
  jwtVerify,
  type JSONWebKeySet,
} from "jose";
import {
  Clock,
  Gateway,
  NodeOrigin,
  Server,
  call,
  eventually,
  scenario,
  typeauth,
  type Address,
  type Cleanup,
} from "./harness/index.js";

const url = (at: Address) => new URL(`http://${at.host}:${at.port}/.well-known/jwks.json`);
const issuer = "https://api.typeauth.localhost";

/** The root key, made at the machine: rotating is the server's business. */
async function rootKey(server: Server): Promise<string> {
  const made = await typeauth(["key", "create", "--root", "--data", server.data, "--json"]);
  assert.equal(made.code, 0, made.stderr);
  const { key } = JSON.parse(made.stdout) as { key: string };
  await eventually("the server knows the root key", async () =>
    (await server.api.get("/assertion-keys", { key })).status === 200);
  return key;
}

const rotate = (server: Server, key: string) =>
  server.api.post("/assertion-keys/rotate", undefined, { key });

async function gatewayOf(cleanup: Cleanup, originAssertion: object, extra: object = {}) {
  const origin = await NodeOrigin.start(cleanup);
  const gateway = await Gateway.start(cleanup, origin.address, {
    application: { originAssertion },
    ...extra,
  });
  return { origin, gateway };
}

for (const algorithm of ["ES256", "EdDSA"] as const)
  scenario(`an origin verifies what the gateway asserts, ${algorithm}`, async (cleanup) => {
    const { origin, gateway } = await gatewayOf(cleanup, {
      algorithm,
      lifetime: 30,
      audience: "orders",
    });
    const [token] = await gateway.server.api.tokens(gateway.application.id, {
      owner: 'Jörg "J" & Söhne',
      scopes: ["read", "write"],
    });
    const answer = await gateway.ask("POST", "/a/b%20c?d=e", {
      authorization: `Bearer ${token.token}`,
    });
    assert.equal(answer.status, 200);
    const keys = createRemoteJWKSet(url(gateway.server.door("api")));
    const { payload, protectedHeader } = await jwtVerify(
      origin.last.headers["x-typeauth-assertion"] as string,
      keys,
      { issuer, audience: "orders", typ: "typeauth-assertion+jwt", algorithms: [algorithm] },
    );
    assert.match(protectedHeader.kid!, /^[A-Za-z0-9_-]{43}$/);
    assert.equal(payload.exp! - payload.iat!, 30);
    assert.ok(Math.abs(payload.iat! - Date.now() / 1000) < 30);
    const { iat, exp, ...rest } = payload;
    assert.deepEqual(rest, {
      iss: issuer,
      aud: "orders",
      jti: answer.headers["x-request-id"],
      applicationId: gateway.application.id,
      sub: token.id,
      owner: 'Jörg "J" & Söhne',
      scope: "read write",
      htm: "POST",
      htu: `http://${origin.address.host}:${origin.address.port}/a/b%20c`,
    });
  });

scenario("a public application's requests are asserted without a subject", async (cleanup) => {
  const { origin, gateway } = await gatewayOf(cleanup, { header: "X-Proof" }, { profile: null });
  assert.equal((await gateway.ask()).status, 200);
  const keys = createRemoteJWKSet(url(gateway.server.door("verify")));
  const { payload } = await jwtVerify(origin.last.headers["x-proof"] as string, keys);
  assert.equal(payload.aud, gateway.application.id, "unless it is said");
  assert.equal(payload.exp! - payload.iat!, 60);
  assert.equal(payload.sub, undefined);
});

scenario("a forged assertion never reaches the origin", async (cleanup) => {
  for (const header of ["X-Typeauth-Assertion", "X-Proof"]) {
    const { origin, gateway } = await gatewayOf(cleanup, { header });
    for (const name of [header, header.toLowerCase(), header.replaceAll("-", "_")]) {
      const answer = await gateway.once(
        gateway
          .head("POST / HTTP/1.1", [
            `${name}: forged`,
            `${name}: twice`,
            `Connection: ${header}`,
            "Transfer-Encoding: chunked",
            `Trailer: ${name}`,
          ])
          + `0\r\n${name}: forged too\r\nX-Sum: 1\r\n\r\n`,
        "POST",
      );
      assert.equal(answer.status, 200);
      const { rawHeaders, trailers } = origin.last;
      const values = rawHeaders.filter(
        (_, i) => i % 2 === 1 && rawHeaders[i - 1]!.toLowerCase().replaceAll("_", "-") === header.toLowerCase(),
      );
      assert.equal(values.length, 1, `${name}: ${values}`);
      assert.match(values[0]!, /^eyJ[\w-]+\.[\w-]+\.[\w-]+$/);
      assert.deepEqual(trailers, { "x-sum": "1" });
    }
  }
});

scenario("without the setting nothing is asserted, and it can be changed", async (cleanup) => {
  const origin = await NodeOrigin.start(cleanup);
  const gateway = await Gateway.start(cleanup, origin.address);
  const keys = () => call(gateway.server.door("api"), "GET", "/.well-known/jwks.json");
  await gateway.ask();
  assert.equal(origin.last.headers["x-typeauth-assertion"], undefined);
  assert.deepEqual(JSON.parse((await keys()).text), { keys: [] }, "no key before its first use");

  const path = `applications/${gateway.application.id}`;
  const { api } = gateway.server;
  let answer = await api.patch(path, { originAssertion: {} });
  assert.equal(answer.status, 200, answer.text);
  assert.deepEqual(answer.json.data[0].originAssertion, {
    algorithm: "ES256",
    lifetime: 60,
    header: "X-Typeauth-Assertion",
  });
  await gateway.ask();
  assert.ok(origin.last.headers["x-typeauth-assertion"]);
  assert.equal(JSON.parse((await keys()).text).keys.length, 2, "the one that signs and the next");

  answer = await api.patch(path, { originAssertion: null });
  assert.equal(answer.status, 200);
  await gateway.ask();
  assert.equal(origin.last.headers["x-typeauth-assertion"], undefined);
});

scenario("the key set is public, cacheable and holds no private part", async (cleanup) => {
  const { gateway } = await gatewayOf(cleanup, {});
  for (const door of ["api", "verify"]) {
    const at = gateway.server.door(door);
    const answer = await call(at, "GET", "/.well-known/jwks.json");
    assert.equal(answer.status, 200);
    assert.match(answer.headers["content-type"]!, /^application\/json/);
    assert.equal(answer.headers["cache-control"], "public, max-age=300");
    for (const key of JSON.parse(answer.text).keys) {
      assert.deepEqual(Object.keys(key).sort(), ["alg", "crv", "kid", "kty", "use", "x", "y"]);
    }
    const etag = answer.headers.etag!;
    const again = await call(at, "GET", "/.well-known/jwks.json", { "if-none-match": etag });
    assert.equal(again.status, 304);
    assert.equal(again.text, "");
    const head = await call(at, "HEAD", "/.well-known/jwks.json");
    assert.equal(head.status, 200);
    assert.equal(head.text, "");
    const post = await call(at, "POST", "/.well-known/jwks.json", {}, "{}");
    assert.equal(post.status, 405);
    assert.equal(post.headers.allow, "GET, HEAD");
  }
});

scenario("rotations are seamless: the next key is known before it signs", async (cleanup) => {
  const clock = await Clock.make(cleanup);
  const { origin, gateway } = await gatewayOf(cleanup, {}, { env: clock.environment });
  const { server } = gateway;
  const root = await rootKey(server);
  const assertion = async () => {
    assert.equal((await gateway.ask()).status, 200);
    return origin.last.headers["x-typeauth-assertion"] as string;
  };
  const keys = createRemoteJWKSet(url(server.door("api")), { cacheMaxAge: Infinity });
  const verify = (text: string) =>
    jwtVerify(text, keys, { currentDate: new Date(clock.now_ms()) });
  const before = await assertion();
  await verify(before);
  const cached = JSON.parse(
    (await call(server.door("api"), "GET", "/.well-known/jwks.json")).text,
  ) as JSONWebKeySet;

  let answer = await rotate(server, root);
  assert.equal(answer.status, 409, "the set may be cached for five minutes");
  assert.equal(answer.json.error!.code, "too_early");
  assert.equal((await rotate(server, server.ownerKey)).status, 403, "root only");

  await clock.advance(301_000);
  answer = await rotate(server, root);
  assert.equal(answer.status, 200, answer.text);
  assert.deepEqual(answer.json.data.map((k: any) => k.use), ["old", "now", "next"]);
  const after = await assertion();
  const kid = (text: string) => decodeProtectedHeader(text).kid;
  assert.notEqual(kid(after), kid(before));
  await verify(after);
  assert.deepEqual(
    (await jwtVerify(after, createLocalJWKSet(cached), {
      currentDate: new Date(clock.now_ms()),
    })).protectedHeader.kid,
    kid(after),
    "the set as it was before the rotation knows the key",
  );

  // The old key stays until its last assertion has expired.
  const published = async () =>
    (JSON.parse((await call(server.door("api"), "GET", "/.well-known/jwks.json")).text)
      .keys as { kid: string }[]).map((k) => k.kid);
  await clock.advance(299_000);
  assert.ok((await published()).includes(kid(before)!));
  await clock.advance(62_000);
  await eventually("the old key to leave", async () =>
    !(await published()).includes(kid(before)!));
  assert.ok((await published()).includes(kid(after)!));
});

scenario("keys survive a restart and another server key, sealed at rest", async (cleanup) => {
  const { origin, gateway } = await gatewayOf(cleanup, { algorithm: "EdDSA" });
  const { server } = gateway;
  assert.equal((await gateway.ask()).status, 200);
  const before = origin.last.headers["x-typeauth-assertion"] as string;
  const set = (await call(server.door("api"), "GET", "/.well-known/jwks.json")).text;
  await server.stop();

  const files = await Promise.all(
    ["typeauth.db", "typeauth.db-wal"].map((name) =>
      readFile(join(server.data, name)).catch(() => Buffer.alloc(0)),
    ),
  );
  for (const file of files) assert.ok(!file.includes('"seed"'), "nothing in plain text");

  const rotated = await typeauth(["key", "rotate-server", "--data", server.data]);
  assert.equal(rotated.code, 0, rotated.stderr);
  const second = await Server.start(cleanup, { data: server.data });
  assert.equal((await call(second.door("api"), "GET", "/.well-known/jwks.json")).text, set);
  const keys = createRemoteJWKSet(url(second.door("api")));
  await jwtVerify(before, keys);
  const answer = await call(second.door("gateway"), "GET", "/", gateway.headers);
  assert.equal(answer.status, 200);
  const { protectedHeader } = await jwtVerify(
    origin.last.headers["x-typeauth-assertion"] as string,
    keys,
  );
  assert.equal(protectedHeader.kid, decodeProtectedHeader(before).kid);
});

scenario("a key is rotated at its age, and the issuer is a setting", async (cleanup) => {
  const clock = await Clock.make(cleanup);
  const { origin, gateway } = await gatewayOf(cleanup, {}, {
    env: clock.environment,
    args: ["--assertion-key-days", "7", "--assertion-issuer", "https://gateway.example"],
  });
  const assertion = async () => {
    await gateway.ask();
    return origin.last.headers["x-typeauth-assertion"] as string;
  };
  const first = decodeProtectedHeader(await assertion()).kid;
  await clock.advance(7 * 86_400_000 + 1000);
  await eventually("another key to sign", async () =>
    decodeProtectedHeader(await assertion()).kid !== first);
  await jwtVerify(await assertion(), createRemoteJWKSet(url(gateway.server.door("api"))), {
    issuer: "https://gateway.example",
    currentDate: new Date(clock.now_ms()),
  });
});
