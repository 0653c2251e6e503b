// A change acts on the next request after its answer, on every worker, while
// the gateway is under full load.
import assert from "node:assert/strict";
import { Agent, request } from "node:http";
import { NodeOrigin, Server, scenario, type Address, type Cleanup } from "./harness/index.js";

/** Connections that ask without pause until stopped. */
function pressure(cleanup: Cleanup, to: Address, connections: number, headers: () => Record<string, string>) {
  const agent = new Agent({ keepAlive: true, maxSockets: connections });
  const seen = new Map<number, number>();
  let on = true;
  const loops = Array.from({ length: connections }, async () => {
    while (on)
      await new Promise<void>((resolve) => {
        const asked = request({ ...to, agent, path: "/", headers: headers() }, (answer) => {
          seen.set(answer.statusCode!, (seen.get(answer.statusCode!) ?? 0) + 1);
          answer.resume();
          answer.on("close", resolve);
        });
        asked.on("error", () => resolve());
        asked.end();
      });
  });
  const stop = async () => { on = false; await Promise.all(loops); agent.destroy(); };
  cleanup.add(stop);
  return { seen, stop };
}

/** Status of one request on each of n fresh connections: all workers. */
async function everywhere(to: Address, host: string, token: string, n = 16): Promise<Set<number>> {
  const statuses = await Promise.all(Array.from({ length: n }, () =>
    new Promise<number>((resolve, reject) => {
      const asked = request({ ...to, agent: false, path: "/", headers: { host, authorization: `Bearer ${token}` } }, (answer) => {
        answer.resume();
        answer.on("end", () => resolve(answer.statusCode!));
      });
      asked.on("error", reject);
      asked.end();
    })));
  return new Set(statuses);
}

scenario("revocation, disabling, limits and rotation act on the next request, under full load", async (cleanup) => {
  const origin = await NodeOrigin.start(cleanup);
  const server = await Server.start(cleanup);
  const { api } = server;
  const app = await api.application("load", origin.address, {});
  const [busy, ...tokens] = await api.tokens(app.id, { amount: 40 });
  const gateway = server.door("gateway");
  const load = pressure(cleanup, gateway, 24, () => ({ host: app.domain, authorization: `Bearer ${busy.token}` }));
  const at = (token: string) => everywhere(gateway, app.domain, token);

  for (const token of tokens.slice(0, 10)) {
    assert.deepEqual(await at(token.token), new Set([200]));
    assert.equal((await api.delete(`token/${token.id}`)).status, 200);
    assert.deepEqual(await at(token.token), new Set([401]), "revoked");
  }
  for (const token of tokens.slice(10, 20)) {
    await api.patch(`token/${token.id}`, { enabled: false });
    assert.deepEqual(await at(token.token), new Set([401]), "disabled");
    await api.patch(`token/${token.id}`, { enabled: true });
    assert.deepEqual(await at(token.token), new Set([200]), "enabled again");
  }
  for (const token of tokens.slice(20, 25)) {
    await api.patch(`token/${token.id}`, { ratelimit: { limit: 1, timeWindow: 3600 } });
    const now = await at(token.token);
    assert.ok(now.has(429), "a limit of one holds at once");
    await api.patch(`token/${token.id}`, { ratelimit: { limit: 1000000, timeWindow: 3600 } });
    assert.deepEqual(await at(token.token), new Set([200]), "raised");
  }
  for (const token of tokens.slice(25, 30)) {
    const [rotated] = (await api.post(`token/${token.id}/rotate`, {})).json.data;
    assert.deepEqual(await at(token.token), new Set([401]), "the old secret without grace");
    assert.deepEqual(await at(rotated.token), new Set([200]), "the new secret");
    const [again] = (await api.post(`token/${token.id}/rotate`, { gracePeriod: 600 })).json.data;
    assert.deepEqual(await at(rotated.token), new Set([200]), "the old secret in its grace");
    assert.deepEqual(await at(again.token), new Set([200]));
    await api.post(`token/${token.id}/rotate`, { gracePeriod: 600 });
    assert.deepEqual(await at(rotated.token), new Set([401]), "a second rotation ends the first grace");
  }
  await api.patch(`applications/${app.id}`, { enabled: false });
  assert.deepEqual(await at(tokens[30].token), new Set([503]));
  await api.patch(`applications/${app.id}`, { enabled: true });
  assert.deepEqual(await at(tokens[30].token), new Set([200]));

  await load.stop();
  const other = [...load.seen.keys()].filter((status) => status !== 200 && status !== 503);
  assert.deepEqual(other, [], `under load: ${[...load.seen]}`);
  await server.stop();
});

scenario("a running stream ends within a second of its token's revocation", async (cleanup) => {
  const origin = await NodeOrigin.start(cleanup, (_, response) => {
    response.writeHead(200, { "content-type": "text/event-stream" });
    const ticking = setInterval(() => response.write("data: tick\n\n"), 20);
    response.on("close", () => clearInterval(ticking));
  });
  const server = await Server.start(cleanup);
  const app = await server.api.application("stream", origin.address, {});
  const [token] = await server.api.tokens(app.id);
  const running = await new Promise<{ ended: Promise<number> }>((resolve, reject) => {
    const asked = request({ ...server.door("gateway"), agent: false, path: "/", headers: { host: app.domain, authorization: `Bearer ${token.token}` } }, (answer) => {
      answer.on("error", () => {});
      answer.once("data", () => resolve({ ended: new Promise((done) => answer.on("close", () => done(Date.now()))) }));
      answer.resume();
    });
    asked.on("error", reject);
    asked.end();
  });
  await server.api.delete(`token/${token.id}`);
  const revoked = Date.now();
  const took = (await running.ended) - revoked;
  assert.ok(took <= 2500, `the stream ended ${took} ms after the revocation`);
  await server.stop();
});
