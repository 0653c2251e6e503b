// A quota under concurrency: never more than it is admitted, by both doors at
// once, also across a kill.
import assert from "node:assert/strict";
import { Agent, request } from "node:http";
import {
  NodeOrigin, Server, scenario, type Address,
} from "./harness/index.js";

interface Told { status: number; valid?: boolean }

/** Keep-alive client that resolves with undefined when the server is gone. */
function client(to: Address, connections: number) {
  const agent = new Agent({ keepAlive: true, maxSockets: connections });
  const send = (method: string, path: string, headers: Record<string, string>, body?: string) =>
    new Promise<Told | undefined>((resolve) => {
      const asked = request(
        { ...to, agent, method, path, headers: { ...headers, ...(body ? { "content-length": String(Buffer.byteLength(body)) } : {}) } },
        (answer) => {
          const parts: Buffer[] = [];
          answer.on("data", (part: Buffer) => parts.push(part));
          answer.on("error", () => resolve(undefined));
          answer.on("end", () => {
            const text = Buffer.concat(parts).toString();
            resolve({
              status: answer.statusCode!,
              valid: text.startsWith("{") ? JSON.parse(text).valid : undefined,
            });
          });
        },
      );
      asked.on("error", () => resolve(undefined));
      asked.end(body);
    });
  return { send, close: () => agent.destroy() };
}

// A small generator with a seed, so that a failure can be run again.
function random(seed: number) {
  return () => {
    seed = (seed * 1664525 + 1013904223) >>> 0;
    return seed / 2 ** 32;
  };
}

scenario("the sum of admitted costs never exceeds the quota, by both doors, and is equal in the end", async (cleanup) => {
  const QUOTA = 20_000;
  const origin = await NodeOrigin.start(cleanup);
  const server = await Server.start(cleanup);
  const app = await server.api.application("quota", origin.address, { remaining: QUOTA });
  const [token] = await server.api.tokens(app.id);
  const verify = client(server.door("verify"), 32);
  const proxy = client(server.door("gateway"), 32);
  cleanup.add(() => { verify.close(); proxy.close(); });

  const next = random(7);
  let admitted = 0;
  const ask = async (cost: number) => {
    const told = await verify.send("POST", "/authenticate", { "content-type": "application/json" },
      JSON.stringify({ token: token.token, appID: app.id, cost }));
    if (told?.valid) admitted += cost;
    assert.ok(admitted <= QUOTA, `${admitted} of ${QUOTA} admitted`);
    return told?.valid === true;
  };
  const pass = async () => {
    const told = await proxy.send("GET", "/", { host: app.domain, authorization: `Bearer ${token.token}` });
    if (told?.status === 200) admitted += 1;
    assert.ok(admitted <= QUOTA, `${admitted} of ${QUOTA} admitted`);
    return told?.status === 200;
  };
  await Promise.all([
    ...Array.from({ length: 32 }, async () => {
      for (let refused = 0; refused < 3;)
        if (!(await ask(1 + Math.floor(next() * 50)))) refused++;
    }),
    ...Array.from({ length: 32 }, async () => {
      while (await pass());
    }),
  ]);
  while (await ask(1));
  assert.equal(admitted, QUOTA);
  await server.stop();
});

scenario("after a kill and a restart no admitted cost is forgotten", async (cleanup) => {
  const QUOTA = 30_000;
  const first = await Server.start(cleanup);
  const app = await first.api.application("killed", { host: "127.0.0.1", port: 9 }, { remaining: QUOTA });
  const [token] = await first.api.tokens(app.id);
  const body = (cost: number) => JSON.stringify({ token: token.token, appID: app.id, cost });
  const before = client(first.door("verify"), 64);
  cleanup.add(before.close);

  let admitted = 0;
  let unanswered = 0;
  let killed = false;
  const loops = Array.from({ length: 64 }, async () => {
    while (!killed) {
      const told = await before.send("POST", "/authenticate", { "content-type": "application/json" }, body(1));
      if (told === undefined) { unanswered++; return; }
      if (told.valid) admitted++;
      if (admitted >= 5_000 && !killed) {
        killed = true;
        first.signal("SIGKILL");
      }
    }
  });
  await Promise.all(loops);
  await first.ended();
  assert.ok(unanswered <= 64);

  const second = await Server.start(cleanup, { data: first.data });
  const after_ = client(second.door("verify"), 64);
  cleanup.add(after_.close);
  await Promise.all(Array.from({ length: 64 }, async () => {
    for (;;) {
      const told = await after_.send("POST", "/authenticate", { "content-type": "application/json" }, body(1));
      if (!told?.valid) return;
      admitted++;
    }
  }));
  assert.ok(admitted <= QUOTA, `${admitted} > ${QUOTA}`);
  assert.ok(admitted + unanswered >= QUOTA, `${admitted} + ${unanswered} < ${QUOTA}`);
  await second.stop();
});
