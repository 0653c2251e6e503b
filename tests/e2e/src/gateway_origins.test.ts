// Several origins behind one application (api.md §2 `origins`, gateway.md §3):
// shares, canaries, health, breakers, retries, with origins that die, hang,
// flap and answer 503.
import assert from "node:assert/strict";
import type { RequestListener } from "node:http";
import {
  Gateway, NodeOrigin, TcpOrigin, call, eventually, freePort, scenario, type Address, type Cleanup,
} from "./harness/index.js";

const url = ({ host, port }: Address) => `http://${host}:${port}`;

interface Member { name?: string; weight?: number; header?: string }

/** Origins that say their number, and a gateway in front of them. */
async function several(
  cleanup: Cleanup, members: Member[], application: object = {}, answers: (RequestListener | undefined)[] = [],
  args: string[] = [],
): Promise<{ gateway: Gateway; origins: NodeOrigin[] }> {
  const origins: NodeOrigin[] = [];
  for (let i = 0; i < members.length; i++)
    origins.push(await NodeOrigin.start(cleanup, answers[i] ?? ((request, response) => {
      request.resume().on("end", () => response.end(String(i)));
    })));
  const gateway = await Gateway.start(cleanup, origins[0]!.address, {
    args,
    application: {
      origins: members.map((member, i) => ({ ...member, address: url(origins[i]!.address) })),
      ...application,
    },
  });
  return { gateway, origins };
}

async function counts(gateway: Gateway, n: number, headers: Record<string, string> = {}, method = "GET") {
  const seen: Record<string, number> = {};
  for (let i = 0; i < n; i++) {
    const answer = await gateway.ask(method, "/", headers);
    const key = answer.status === 200 ? answer.text : String(answer.status);
    seen[key] = (seen[key] ?? 0) + 1;
  }
  return seen;
}

const states = async (gateway: Gateway) =>
  (await gateway.server.api.get(`applications/${gateway.application.id}/origins`)).json.data as any[];

const metric = async (gateway: Gateway, name: string) => {
  const { text } = await gateway.server.api.get("/metrics");
  return text.split("\n").filter((line: string) => line.startsWith(name) && !line.startsWith("#"));
};

scenario("requests are shared by weight, without bursts", async (cleanup) => {
  const { gateway, origins } = await several(cleanup, [{ weight: 5 }, { weight: 3 }, { weight: 2 }]);
  const order: string[] = [];
  for (let i = 0; i < 200; i++) order.push((await gateway.ask()).text);
  const share = (of: string) => order.filter((at) => at === of).length;
  for (const [at, expected] of [["0", 100], ["1", 60], ["2", 40]] as const)
    assert.ok(Math.abs(share(at) - expected) <= 12, `${at}: ${share(at)} of 200, ${expected} wanted`);
  assert.doesNotMatch(order.join(""), /0{6}|1{4}|2{3}/, "no bursts");
  const [first] = await states(gateway);
  assert.equal(first.name, "origin-1");
  assert.equal(first.address, url(origins[0]!.address));
  assert.equal(first.health, "healthy");
  assert.equal(first.breaker, "closed");
  assert.equal(first.pending, 0);
});

scenario("a canary by header takes what asks for it and nothing else", async (cleanup) => {
  const { gateway } = await several(cleanup,
    [{ name: "main" }, { name: "canary", weight: 0, header: "X-Canary: yes" }]);
  assert.deepEqual(await counts(gateway, 10), { 0: 10 });
  assert.deepEqual(await counts(gateway, 10, { "x-canary": "yes" }), { 1: 10 });
  assert.deepEqual(await counts(gateway, 5, { "x-canary": "no" }), { 0: 5 });
});

scenario("consistent hash: a token stays at its origin, and moves only when that goes", async (cleanup) => {
  const { gateway, origins } = await several(cleanup, [{}, {}, {}], {
    balancing: { algorithm: "consistent_hash" }, retries: { attempts: 2 },
    health: { passive: { failures: 1, ejectFor: 60000 } },
  });
  const tokens = await gateway.server.api.tokens(gateway.application.id, { amount: 30 });
  const where = async (token: any) =>
    (await gateway.ask("GET", "/", { authorization: `Bearer ${token.token}` })).text;
  const before = new Map<string, string>();
  for (const token of tokens) before.set(token.id, await where(token));
  for (const token of tokens) assert.equal(await where(token), before.get(token.id));
  assert.equal(new Set(before.values()).size, 3, "all three have some");
  origins[2]!.server.closeAllConnections();
  await new Promise((resolve) => origins[2]!.server.close(resolve));
  for (const token of tokens) {
    const now = await where(token);
    if (before.get(token.id) === "2") assert.match(now, /^[01]$/);
    else assert.equal(now, before.get(token.id), "others do not move");
  }
});

/** One origin holds its answers until the other has given 20. */
async function slowOne(cleanup: Cleanup, workers: number, clients: number, most: number) {
  const held: (() => void)[] = [];
  let holds = true;
  const { gateway, origins } = await several(cleanup, [{}, {}],
    { balancing: { algorithm: "least_outstanding" } },
    [(request, response) => {
      const end = () => response.end("0");
      if (holds) held.push(end);
      else end();
    }, undefined], ["--workers", String(workers)]);
  const done = () => origins[1]!.requests.length >= 20;
  const ask = async () => { while (!done()) assert.equal((await gateway.ask()).status, 200); };
  const asking = Promise.all(Array.from({ length: clients }, ask));
  await eventually("the other gives 20", done);
  holds = false;
  assert.ok(held.length <= most, `${held.length} at the slow one`);
  for (const end of held) end();
  await asking;
}

scenario("least outstanding: an origin that is slow gets less", (cleanup) => slowOne(cleanup, 1, 2, 1));

// A worker may see the other's counts a moment late: two clients could both
// wait at the slow one then. Of six one is always left.
scenario("least outstanding, by two workers together", (cleanup) => slowOne(cleanup, 2, 6, 5));

scenario("an origin that dies under load costs no request that may be repeated", async (cleanup) => {
  const { gateway, origins } = await several(cleanup, [{}, {}, {}],
    { retries: { attempts: 2 }, health: { passive: { failures: 3, ejectFor: 500, ejectMax: 1000 } } });
  let failed = 0, done = 0, stop = false;
  const client = async () => {
    while (!stop) {
      // None has a body: one that was sent cannot be sent again.
      const answer = await gateway.ask(done % 2 ? "GET" : "PUT");
      done++;
      if (answer.status !== 200) failed++;
    }
  };
  const clients = Array.from({ length: 8 }, client);
  await eventually("load", () => done > 100);
  const { port } = origins[1]!.address;
  await origins[1]!.die();
  const at = done;
  await eventually("more load", () => done > at + 300);
  assert.equal((await states(gateway))[1].failures.connect > 0, true);
  assert.ok((await states(gateway))[1].ejections >= 1, "it was ejected");
  const back = origins[1]!.requests.length;
  await new Promise((resolve) => origins[1]!.server.listen(port, "127.0.0.1", () => resolve(null)));
  await eventually("it is back", () => origins[1]!.requests.length > back + 10);
  stop = true;
  await Promise.all(clients);
  assert.equal(failed, 0, `${failed} of ${done} failed`);
  assert.match((await metric(gateway, "typeauth_origin_retries_total"))[0]!, / [1-9]/);
});

scenario("without retries a dead origin costs a few requests, then it is out", async (cleanup) => {
  const { gateway, origins } = await several(cleanup, [{}, {}],
    { health: { passive: { failures: 3, ejectFor: 60000 } } });
  origins[1]!.server.closeAllConnections();
  await new Promise((resolve) => origins[1]!.server.close(resolve));
  const seen = await counts(gateway, 40);
  assert.equal(seen["502"], 3);
  const state = (await states(gateway))[1];
  assert.equal(state.health, "ejected");
  assert.ok(Date.parse(state.ejectedUntil) > Date.now() + 30_000);
  const [up] = (await metric(gateway, "typeauth_origin_up")).filter((line: string) => line.includes("origin-2"));
  assert.match(up!, new RegExp(`application="${gateway.application.id}",origin="origin-2"} 0$`));
  assert.ok((await metric(gateway, "typeauth_")).every((line: string) => !line.includes(url(origins[0]!.address))));
});

scenario("503 is repeated elsewhere only by setting, and only for idempotent methods", async (cleanup) => {
  const busy: RequestListener = (request, response) => {
    request.resume().on("end", () => { response.statusCode = 503; response.end("busy"); });
  };
  const { gateway, origins } = await several(cleanup, [{}, {}],
    { retries: { attempts: 1, on: ["connect", "reset", "503"] }, health: { passive: { failures: 0 } } },
    [busy, undefined]);
  assert.deepEqual(await counts(gateway, 20), { 1: 20 });
  assert.ok(origins[0]!.requests.length >= 5);
  const posts = await counts(gateway, 20, {}, "POST");
  assert.ok(posts["503"]! >= 5 && posts["1"]! >= 5, JSON.stringify(posts));

  const app = `applications/${gateway.application.id}`;
  await gateway.server.api.patch(app, { retries: { on: ["connect"] } });
  assert.ok((await counts(gateway, 10))["503"]! >= 3, "only by setting");
});

scenario("a connection that ends before an answer is repeated elsewhere, a hanging one by time", async (cleanup) => {
  const { gateway } = await several(cleanup, [{}, {}], {
    retries: { attempts: 1, on: ["connect", "reset", "timeout"] }, timeouts: { firstByte: 200 },
    health: { passive: { failures: 0 } },
  }, [(request, response) => {
    if (request.url === "/hang") return;
    response.socket!.destroy();
  }, undefined]);
  for (let i = 0; i < 10; i++) assert.equal((await gateway.ask("GET", "/reset")).text, "1");
  for (let i = 0; i < 4; i++) assert.equal((await gateway.ask("GET", "/hang")).text, "1");
  const seen = new Set<number>();
  for (let i = 0; i < 10; i++) seen.add((await gateway.ask("POST", "/reset", {}, "x")).status);
  assert.deepEqual([...seen].sort(), [200, 502], "a POST that was sent is not sent again");
});

scenario("a body goes whole to the origin that is there, also by POST", async (cleanup) => {
  const there = await NodeOrigin.start(cleanup);
  const gateway = await Gateway.start(cleanup, there.address, {
    application: {
      origins: [{ address: `http://127.0.0.1:${await freePort()}`, weight: 1000 }, { address: url(there.address) }],
      originHostname: "", retries: { attempts: 1 }, health: { passive: { failures: 0 } },
    },
  });
  const body = Buffer.alloc(300_000, "0123456789");
  for (let i = 0; i < 5; i++) {
    const answer = await gateway.ask("POST", "/", {}, body);
    assert.equal(answer.status, 200, answer.text);
    assert.ok(there.last.body.equals(body));
  }
  assert.equal(there.requests.length, 5, "each came once");
});

scenario("one origin: a retry waits a moment for it to come back", async (cleanup) => {
  const port = await freePort();
  const gateway = await Gateway.start(cleanup, { host: "127.0.0.1", port }, { application: { retries: { attempts: 5 } } });
  const asked = gateway.ask("POST", "/", {}, "body");
  setTimeout(() => void NodeOrigin.start(cleanup).then(async (other) => {
    other.server.close();
    other.server.listen(port, "127.0.0.1");
  }), 100);
  const answer = await asked;
  assert.equal(answer.status, 200, answer.text);
});

scenario("the retry budget bounds what an outage is multiplied by", async (cleanup) => {
  const port = await freePort();
  const gateway = await Gateway.start(cleanup, { host: "127.0.0.1", port },
    { application: { retries: { attempts: 3, budget: 10 } } });
  await Promise.all(Array.from({ length: 20 }, async () => {
    for (let i = 0; i < 15; i++) assert.equal((await gateway.ask()).status, 502);
  }));
  const [line] = await metric(gateway, "typeauth_origin_retries_total");
  const made = Number(line!.split(" ")[1]);
  assert.ok(made >= 100 && made <= 130, `${made} retries of 300 requests: 100 and a tenth`);
  const [refused] = await metric(gateway, "typeauth_origin_retries_refused_total");
  assert.ok(Number(refused!.split(" ")[1]) > 100);
});

scenario("a circuit breaker opens, refuses at once, tries one, and closes", async (cleanup) => {
  let ill = true;
  const origin = await NodeOrigin.start(cleanup, (request, response) => {
    request.resume().on("end", () => { response.statusCode = ill ? 503 : 200; response.end("0"); });
  });
  const gateway = await Gateway.start(cleanup, origin.address,
    { application: { breaker: { failures: 3, openFor: 400, probes: 1 } } });
  assert.deepEqual(await counts(gateway, 3), { 503: 3 });
  const before = origin.requests.length;
  const answer = await gateway.ask();
  assert.equal(answer.status, 503);
  assert.equal(answer.json.error?.code, "origin_unreachable");
  assert.equal(origin.requests.length, before, "it was not asked");
  assert.equal((await states(gateway))[0].breaker, "open");
  await eventually("it tries one", async () => {
    await gateway.ask();
    return origin.requests.length === before + 1;
  });
  assert.equal((await states(gateway))[0].breaker, "open", "the probe failed");
  ill = false;
  await eventually("it closes", async () => (await gateway.ask()).status === 200);
  assert.deepEqual(await counts(gateway, 5), { 0: 5 });
  const state = (await states(gateway))[0];
  assert.equal(state.breaker, "closed");
  assert.equal(state.opened, 2);
});

scenario("a ceiling of requests under way: what is above goes elsewhere or is refused at once", async (cleanup) => {
  const waiting: (() => void)[] = [];
  const hold: RequestListener = (request, response) => void waiting.push(() => response.end("0"));
  const origin = await NodeOrigin.start(cleanup, hold);
  const gateway = await Gateway.start(cleanup, origin.address, { application: { breaker: { maxPending: 2 } } });
  const held = [gateway.ask(), gateway.ask()];
  await eventually("two are there", () => waiting.length === 2);
  assert.equal((await states(gateway))[0].pending, 2);
  const third = await gateway.ask();
  assert.equal(third.status, 503);
  assert.equal(third.json.error?.code, "origin_unreachable");
  for (const end of waiting) end();
  for (const answer of await Promise.all(held)) assert.equal(answer.status, 200);
  await eventually("none is left", async () => (await states(gateway))[0].pending === 0);
});

scenario("probes take an ill origin out and bring it back", async (cleanup) => {
  let ill = false;
  const { gateway, origins } = await several(cleanup, [{}, {}], {
    health: { passive: { failures: 0 }, active: { path: "/healthz", interval: 100, timeout: 200, healthy: 2, unhealthy: 2 } },
  }, [undefined, (request, response) => {
    if (request.url === "/healthz") response.statusCode = ill ? 500 : 204;
    response.end("1");
  }]);
  await eventually("it is probed", () => origins[1]!.requests.some((request) => request.target === "/healthz"));
  ill = true;
  await eventually("it is out", async () => (await states(gateway))[1].health === "ill");
  assert.deepEqual(await counts(gateway, 10), { 0: 10 });
  ill = false;
  await eventually("it is back", async () => (await states(gateway))[1].health === "healthy");
  assert.ok((await counts(gateway, 10))["1"]! >= 3);
  await gateway.server.api.patch(`applications/${gateway.application.id}`, { health: null });
  await new Promise((resolve) => setTimeout(resolve, 300));
  const probed = origins[1]!.requests.length;
  await new Promise((resolve) => setTimeout(resolve, 400));
  assert.equal(origins[1]!.requests.length, probed, "no probes without the setting");
});

scenario("a state outlives changes of the application", async (cleanup) => {
  const { gateway, origins } = await several(cleanup, [{}, {}],
    { health: { passive: { failures: 1, ejectFor: 60000 } } });
  origins[0]!.server.closeAllConnections();
  await new Promise((resolve) => origins[0]!.server.close(resolve));
  await counts(gateway, 10);
  assert.equal((await states(gateway))[0].health, "ejected");
  await gateway.server.api.patch(`applications/${gateway.application.id}`, { description: "changed" });
  assert.equal((await states(gateway))[0].health, "ejected");
  assert.deepEqual(await counts(gateway, 10), { 1: 10 });
});

scenario("a route's own retries and times", async (cleanup) => {
  const hanging = await TcpOrigin.start(cleanup, () => {});
  const gateway = await Gateway.start(cleanup, hanging.address);
  const { api } = gateway.server;
  const dead = await freePort();
  await api.post(`routing/${gateway.application.id}/routing-profiles`, { name: "routes", endpoints: [
    { public_path: "/quick", timeouts: { firstByte: 150 } },
    { public_path: "/dead", target_hostname: `127.0.0.1:${dead}`, retries: 2 },
  ] });
  const begun = Date.now();
  assert.equal((await gateway.ask("GET", "/quick")).status, 504);
  assert.ok(Date.now() - begun < 5000);
  assert.equal((await gateway.ask("GET", "/dead")).status, 502);
  assert.match((await metric(gateway, "typeauth_origin_retries_total"))[0]!, / 2$/);
});

scenario("a client that leaves while its request waits to be repeated leaves nothing behind", async (cleanup) => {
  const gateway = await Gateway.start(cleanup, { host: "127.0.0.1", port: await freePort() },
    { application: { retries: { attempts: 5 } } });
  for (let i = 0; i < 10; i++) {
    const client = await gateway.raw();
    await client.send(gateway.head("POST / HTTP/1.1", ["Content-Length: 5"]) + "ab");
    await new Promise((resolve) => setTimeout(resolve, 40));
    client.reset();
  }
  await eventually("all are over", async () => (await states(gateway))[0].pending === 0);
  assert.equal((await call(gateway.address, "GET", "/", gateway.headers)).status, 502);
});
