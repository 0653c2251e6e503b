// A release has no hooks: neither the clock nor the resolver can be moved.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { Clock, Hosts, Server, binary, releaseBinary, scenario } from "./harness/index.js";

const origin = { host: "127.0.0.1", port: 9 };

scenario("the release binary does not know the hooks; the one under test does", async () => {
  for (const name of ["TYPEAUTH_TEST_CLOCK", "TYPEAUTH_TEST_HOSTS"]) {
    assert.ok(readFileSync(binary()).includes(name), `${name}: the test would prove nothing`);
    assert.ok(!readFileSync(releaseBinary()).includes(name), name);
  }
});

scenario("a release keeps its own time and names whatever the environment says", async (cleanup) => {
  const clock = await Clock.make(cleanup);
  const hosts = await Hosts.make(cleanup, "moved.invalid 127.0.0.1\n");
  const server = await Server.start(cleanup, {
    binary: releaseBinary(), env: { ...clock.environment, ...hosts.environment },
  });
  const app = await server.api.application("release", origin, {});
  const [token] = await server.api.tokens(app.id, { expires: 1000 });
  await clock.advance(2_000_000);
  assert.equal((await server.api.authenticate(app.id, token.token)).json.success, true);
  const [late] = await server.api.tokens(app.id);
  assert.ok(Math.abs(Date.parse(late.createdAt) - Date.now()) < 60_000);
});
