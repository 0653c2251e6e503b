// A newcomer's first ten minutes, as the README prints them: an application
// in front of a real nginx, three tokens, a limit, a revocation, /authenticate.
import assert from "node:assert/strict";
import { Nginx, Server, call, scenario, releaseBinary } from "./harness/index.js";

scenario("a newcomer's first ten minutes", async (cleanup) => {
  const nginx = await Nginx.start(cleanup);
  const server = await Server.start(cleanup, { binary: releaseBinary() });
  const { api } = server;
  const gateway = server.door("gateway");

  const [profile] = await api.create("authentication/create", {
    name: "standard",
    keyType: "token",
    ratelimit: { limit: 3, timeWindow: 60 },
  });
  const [application] = await api.create("applications/create", {
    name: "orders",
    domain: "orders.example.test",
    originHostname: `http://${nginx.address.host}:${nginx.address.port}`,
    auth_id: profile.id,
    detailResponse: true,
  });
  assert.match(application.id, /^app_[0-9A-HJKMNP-TV-Z]{26}$/);

  const tokens = await api.tokens(application.id, { amount: 3, tags: ["first"] });
  assert.equal(tokens.length, 3);
  assert.equal(new Set(tokens.map((token) => token.token)).size, 3);

  const through = (token?: string) =>
    call(gateway, "GET", "/", {
      host: "orders.example.test",
      ...(token ? { authorization: `Bearer ${token}` } : {}),
    });

  const without = await through();
  assert.equal(without.status, 401);
  assert.equal(without.json.error?.code, "missing_token");
  assert.match(without.headers["www-authenticate"]!, /^Bearer/);

  const first = await through(tokens[0].token);
  assert.equal(first.status, 200);
  assert.equal(first.text, "hello from nginx\n");
  assert.equal(first.headers["x-ratelimit-limit"], "3");
  assert.equal(first.headers["x-ratelimit-remaining"], "2");

  await through(tokens[0].token);
  await through(tokens[0].token);
  const over = await through(tokens[0].token);
  assert.equal(over.status, 429);
  assert.equal(over.json.error?.code, "rate_limited");
  const wait = Number(over.headers["retry-after"]);
  assert.ok(wait >= 1 && wait <= 68, `Retry-After: ${wait}`);

  assert.equal((await through(tokens[1].token)).status, 200);
  const revoked = await api.delete(`token/${tokens[1].id}`);
  assert.equal(revoked.status, 200);
  const after = await through(tokens[1].token);
  assert.equal(after.status, 401);
  assert.equal(after.json.error?.code, "token_revoked");

  const good = await api.authenticate(application.id, tokens[2].token);
  assert.equal(good.status, 200);
  assert.equal((good.json as any).valid, true);
  assert.equal(good.json.data[0].valid, true);
  const bad = await api.authenticate(application.id, tokens[1].token);
  assert.equal(bad.status, 200);
  assert.equal((bad.json as any).valid, false);
  assert.equal(bad.json.data[0].code, "token_revoked");

  await server.stop();
});
