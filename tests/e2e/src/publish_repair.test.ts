// What was committed gets in force, even when that fails at first.
import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Gateway, NodeOrigin, call, eventually, scenario } from "./harness/index.js";

scenario("a committed change that could not be put in force is mended without a restart", async (cleanup) => {
  const directory = await mkdtemp(join(tmpdir(), "typeauth-fault-"));
  cleanup.add(() => rm(directory, { recursive: true, force: true }));
  const fault = join(directory, "fault");
  const origin = await NodeOrigin.start(cleanup);
  const gateway = await Gateway.start(cleanup, origin.address, {
    env: { TYPEAUTH_TEST_PUBLISH_FAULT: fault },
  });
  const { api } = gateway.server;
  const ready = async () => (await call(gateway.server.door("ops"), "GET", "/readyz")).status;
  assert.equal(await ready(), 200);
  await writeFile(fault, "");
  const answer = await api.delete(`token/${gateway.token.id}`);
  assert.deepEqual([answer.status, answer.json.error!.code], [503, "unsure"]);
  const headers = { "idempotency-key": "0123456789abcdef0" };
  const lost = await api.post(`token/create/${gateway.application.id}`, {}, { headers });
  assert.equal(lost.status, 503);
  assert.equal(await ready(), 503);
  assert.equal((await gateway.ask()).status, 200, "not yet in force");
  await rm(fault);
  await eventually("ready again", async () => (await ready()) === 200);
  assert.equal((await gateway.ask()).status, 401);
  const replayed = await api.post(`token/create/${gateway.application.id}`, {}, { headers });
  assert.equal(replayed.status, 201);
  const { token } = replayed.json.data[0];
  assert.equal((await gateway.ask("GET", "/", { authorization: `Bearer ${token}` })).status, 200);
});
