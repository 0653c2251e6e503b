// Monitors (api.md §7) by real origins that die, flap, hang, answer wrong, lose
// their certificate or their name. Clocks are moved; nobody waits for a minute.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { request as httpRequest } from "node:http";
import type { RequestListener } from "node:http";
import { createServer as createTcp } from "node:net";
import {
  Authority, Clock, Hosts, NodeOrigin, Server, call, eventually, freePort, scenario,
  type Address, type Cleanup,
} from "./harness/index.js";

const INTERVAL_MS = 60_000;
/** A failure is asked about again later than this, and a check that is under
 * way has more time. */
const STEP_MS = 4_000;

interface Watched {
  server: Server;
  clock: Clock;
  hosts: Hosts;
  application: any;
}

async function watch(cleanup: Cleanup, originHostname: string, options: {
  monitor?: object; application?: object; args?: string[]; hosts?: string; data?: string;
} = {}): Promise<Watched> {
  const clock = await Clock.make(cleanup);
  const hosts = await Hosts.make(cleanup, options.hosts ?? "");
  const server = await Server.start(cleanup, {
    env: { ...clock.environment, ...hosts.environment },
    args: ["--monitors", "yes", ...(options.args ?? [])],
    ...(options.data ? { data: options.data } : {}),
  });
  const [application] = await server.api.create("applications/create", {
    name: "shop", originHostname, ...(options.monitor ? { monitor: options.monitor } : {}), ...options.application,
  });
  return { server, clock, hosts, application };
}

const url = ({ host, port }: Address) => `http://${host}:${port}`;

async function status({ server, application }: Watched): Promise<any> {
  const answer = await server.api.get(`/api/v1/applications/${application.id}/monitor/status`);
  assert.equal(answer.status, 200, answer.text);
  return answer.json.data[0];
}

const becomes = (w: Watched, wanted: string) =>
  eventually(`status ${wanted}`, async () => (await status(w)).status === wanted);

/** Checks under way are over and none is due: time may pass. */
async function settled({ server }: Watched): Promise<void> {
  await eventually("no check under way", async () => {
    const { text } = await server.api.get("/metrics");
    return /^typeauth_monitor_checks_active 0$/m.test(text) &&
      /^typeauth_monitor_late_seconds 0(\.0*)?$/m.test(text);
  });
}

/** Time passes until the status is there; how much that took. */
async function passes(w: Watched, wanted: string, most = 2 * INTERVAL_MS): Promise<number> {
  for (let passed = 0; passed <= most; passed += STEP_MS) {
    const end = Date.now() + 150;
    do {
      if ((await status(w)).status === wanted) return passed;
      await settled(w);
    } while (Date.now() < end);
    await w.clock.advance(STEP_MS);
  }
  assert.fail(`not ${wanted} within ${most} ms: ${JSON.stringify(await status(w))}`);
}

/** Down within two intervals, with one incident; back, and it has ended. */
async function oneIncident(w: Watched, cause: string, heal: () => unknown): Promise<void> {
  await passes(w, "DOWN");
  const down = await status(w);
  assert.equal(down.incidents.length, 1, JSON.stringify(down.incidents));
  assert.equal(down.incidents[0].cause, cause);
  assert.equal(down.incidents[0].end, null);
  assert.equal(down.endpoints[0].cause, cause);
  await heal();
  await passes(w, "HEALTHY");
  const back = await status(w);
  assert.equal(back.incidents.length, 1);
  assert.ok(back.incidents[0].end, "it has ended");
  assert.ok(back.uptime > 0 && back.uptime < 100, `uptime ${back.uptime}`);
}

scenario("an application has a monitor from its creation, with the published defaults", async (cleanup) => {
  const origin = await NodeOrigin.start(cleanup);
  const w = await watch(cleanup, url(origin.address));
  await becomes(w, "HEALTHY"); // the first check comes at once
  const { json } = await w.server.api.get(`monitor/${w.application.id}`);
  const { enabled, url: path, method, status_code, interval, timeout, id } = json.data[0];
  assert.deepEqual({ enabled, url: path, method, status_code, interval, timeout },
    { enabled: true, url: "/", method: "GET", status_code: 200, interval: 60, timeout: 5 });
  assert.match(id, /^mon_[0-9A-Z]{26}$/);
  assert.equal(origin.requests.length, 1);
  assert.equal(origin.requests[0]!.headers["user-agent"], "typeauth");
  const now = await status(w);
  assert.equal(now.uptime, 100);
  assert.deepEqual(now.status_codes, { 200: 1 });
  assert.ok(now.response_time.average > 0 && now.response_time.p99 >= now.response_time.minimum);
  assert.equal(now.endpoints[0].certificate_expires_at, null);
  const below = await w.server.api.get(`monitor/${w.application.id}/status`);
  assert.equal(below.json.data[0].id, id);
});

scenario("PUT sets it whole, by both paths, and refuses by name", async (cleanup) => {
  const origin = await NodeOrigin.start(cleanup, (request, response) => {
    response.statusCode = request.url === "/deep/health" ? 204 : 500;
    response.end();
  });
  const w = await watch(cleanup, `${url(origin.address)}/deep`);
  const put = (body: object, path = `/api/v1/applications/${w.application.id}/monitor`) =>
    w.server.api.call("PUT", path, { body });
  const set = await put({ endpoint: "/health", method: "HEAD", status_code: 204, interval: 30, timeout: 29,
    headers: { "X-Probe": "yes", "User-Agent": "probe/1" } });
  assert.equal(set.status, 200, set.text);
  assert.equal(set.json.data[0].url, "/health");
  await becomes(w, "HEALTHY");
  const asked = origin.requests.find((one) => one.target === "/deep/health")!;
  assert.equal(asked.method, "HEAD");
  assert.equal(asked.headers["x-probe"], "yes");
  assert.equal(asked.headers["user-agent"], "probe/1");
  for (const [body, field] of [
    [{ interval: 29 }, "interval"], [{ timeout: 30 }, "timeout"], [{ url: "nowhere" }, "url"],
    [{ endpoints: [{}, { method: "get" }] }, "endpoints[1].method"], [{ headers: { Host: "a" } }, "headers"],
  ] as const) {
    const refused = await put(body);
    assert.equal(refused.status, 400, refused.text);
    assert.equal(refused.json.error!.field, field);
  }
  // Whole: what is not named has its default again.
  const again = await put({}, `/${w.server.accountId}/monitor/${w.application.id}`);
  assert.equal(again.json.data[0].url, "/");
  assert.deepEqual(again.json.data[0].headers, {});
  await passes(w, "DOWN");
});

scenario("an origin dies and comes back: one incident", async (cleanup) => {
  const port = await freePort();
  let origin = createTcp((socket) => socket.once("data", () => socket.end("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")));
  const listen = () => new Promise<void>((resolve) => origin.listen(port, "127.0.0.1", resolve));
  cleanup.add(() => origin.close());
  await listen();
  const w = await watch(cleanup, `http://127.0.0.1:${port}`);
  await becomes(w, "HEALTHY");
  await new Promise((resolve) => origin.close(resolve));
  await oneIncident(w, "connect", listen);
});

scenario("an origin that flaps is DEGRADED, not DOWN and up again and again", async (cleanup) => {
  let n = 0;
  const origin = await NodeOrigin.start(cleanup, (request, response) => {
    response.statusCode = n++ % 2 ? 500 : 200;
    response.end();
  });
  const w = await watch(cleanup, url(origin.address));
  await becomes(w, "HEALTHY");
  for (let i = 0; i < 40; i++) {
    await w.clock.advance(20_000);
    await settled(w);
  }
  const now = await status(w);
  assert.ok(n > 12, `${n} checks`);
  assert.equal(now.status, "DEGRADED");
  assert.equal(now.incidents.length, 0);
});

scenario("an origin that hangs costs its time-out and is one incident", async (cleanup) => {
  let hang = false;
  const held: (() => void)[] = [];
  const origin = await NodeOrigin.start(cleanup, (request, response) => {
    if (hang) held.push(() => response.end());
    else response.end();
  });
  const w = await watch(cleanup, url(origin.address), { monitor: { timeout: 1 } });
  await becomes(w, "HEALTHY");
  hang = true;
  await oneIncident(w, "timeout", () => { hang = false; });
  for (const end of held) end();
});

scenario("a wrong status and a wrong body are told apart, one incident each", async (cleanup) => {
  let answer: RequestListener = (request, response) => void response.end("all is well");
  const origin = await NodeOrigin.start(cleanup, (request, response) => answer(request, response));
  const w = await watch(cleanup, url(origin.address), { monitor: { body_match: "is well" } });
  await becomes(w, "HEALTHY");
  const good = answer;
  answer = (request, response) => { response.statusCode = 503; response.end("all is well"); };
  await oneIncident(w, "status_code", () => { answer = good; });
  answer = (request, response) => void response.end("all is lost");
  await passes(w, "DOWN");
  const now = await status(w);
  assert.equal(now.incidents.length, 2);
  assert.equal(now.incidents[0].cause, "body");
  assert.equal(now.incidents[1].cause, "status_code");
  assert.equal(now.incidents[1].status_code, 503);
});

scenario("an origin loses its certificate: one incident, and its end is told before", async (cleanup) => {
  const ca = await Authority.make(cleanup);
  const good = await ca.issue("good", "DNS:secure.test");
  const wrong = await ca.issue("wrong", "DNS:other.test");
  const read = (pair: { cert: string; key: string }) => ({ cert: readFileSync(pair.cert), key: readFileSync(pair.key) });
  const origin = await NodeOrigin.start(cleanup, undefined, { tls: read(good) });
  const w = await watch(cleanup, `https://secure.test:${origin.address.port}`, {
    hosts: "secure.test 127.0.0.1\n", args: ["--ca-file", ca.file], monitor: { certificate_days: 30 },
  });
  await becomes(w, "HEALTHY");
  const { endpoints: [at], certificate_expires_at } = await status(w);
  const days = (Date.parse(certificate_expires_at) - Date.now()) / 86_400_000;
  assert.ok(days > 363 && days < 366, `${days} days`);
  assert.ok(at.last.tls > 0 && at.last.dns > 0 && at.last.connect > 0 && at.last.total >= at.last.tls);
  const swap = (pair: { cert: string; key: string }) =>
    (origin.server as unknown as { setSecureContext(c: object): void }).setSecureContext(read(pair));
  swap(wrong);
  await oneIncident(w, "tls", () => swap(good));
  await w.clock.advance(340 * 86_400_000);
  await passes(w, "DEGRADED");
  assert.equal((await status(w)).endpoints[0].cause, "certificate_expires_soon");
});

scenario("an origin loses its name: one incident", async (cleanup) => {
  const origin = await NodeOrigin.start(cleanup);
  const names = "shop.test 127.0.0.1\n";
  const w = await watch(cleanup, `http://shop.test:${origin.address.port}`, { hosts: names });
  await becomes(w, "HEALTHY");
  await w.hosts.set("");
  await oneIncident(w, "dns", async () => {
    await w.hosts.set(names);
    await new Promise((resolve) => setTimeout(resolve, 1100)); // a failed name is remembered for a second
  });
});

scenario("the egress policy holds for monitors", async (cleanup) => {
  const origin = await NodeOrigin.start(cleanup);
  const w = await watch(cleanup, url(origin.address), { args: ["--egress", "public"] });
  await passes(w, "DOWN");
  assert.equal((await status(w)).endpoints[0].cause, "egress_denied");
  assert.equal(origin.connections, 0);
});

scenario("maintenance judges nothing; switched off, nothing is asked", async (cleanup) => {
  const origin = await NodeOrigin.start(cleanup);
  const w = await watch(cleanup, url(origin.address), { monitor: { maintenance: true } });
  await eventually("a check", () => origin.requests.length > 0);
  await becomes(w, "MAINTENANCE");
  const put = (body: object) => w.server.api.call("PUT", `monitor/${w.application.id}`, { body });
  await put({});
  await passes(w, "HEALTHY");
  await put({ enabled: false });
  assert.equal((await status(w)).enabled, false);
  const before = origin.requests.length;
  await w.clock.advance(10 * INTERVAL_MS);
  await put({ enabled: true, url: "/again" });
  await eventually("asked again", () => origin.requests.length > before);
  assert.equal(origin.requests.at(-1)!.target, "/again");
});

scenario("history outlives a restart and a kill -9, and sums up", async (cleanup) => {
  let ill = false;
  const origin = await NodeOrigin.start(cleanup, (request, response) => {
    response.statusCode = ill ? 500 : 200;
    response.end();
  });
  const w = await watch(cleanup, url(origin.address));
  await becomes(w, "HEALTHY");
  ill = true;
  await passes(w, "DOWN");
  await settled(w);
  const before = await status(w);
  const again = async () => {
    w.server = await Server.start(cleanup, {
      data: w.server.data, env: { ...w.clock.environment, ...w.hosts.environment }, args: ["--monitors", "yes"],
    });
    (w.server.api as any).key ||= key;
  };
  const key = w.server.api.key;
  for (const end of ["kill", "stop"] as const) {
    await w.server[end]();
    await again();
    const now = await status(w);
    assert.equal(now.status, "DOWN", end);
    assert.equal(now.checks, before.checks, end);
    assert.deepEqual(now.incidents.map((i: any) => [i.start, i.end, i.cause]),
      before.incidents.map((i: any) => [i.start, i.end, i.cause]), end);
  }
  ill = false;
  await passes(w, "HEALTHY");
  await w.clock.advance(40 * 3_600_000);
  await eventually("a check of today", async () => (await status(w)).checks > 0);
  const path = `/api/v1/applications/${w.application.id}/monitor/history`;
  const day = (ms: number) => new Date(ms).toISOString().slice(0, 10);
  const now = w.clock.now_ms();
  const whole = (await w.server.api.get(path)).json.data[0];
  assert.equal(whole.granularity, "day");
  assert.equal(whole.incidents.length, 1);
  assert.equal(whole.checks, whole.intervals.reduce((n: number, i: any) => n + i.checks, 0));
  assert.ok(whole.uptime > 0 && whole.uptime < 100);
  const today = (await w.server.api.get(`${path}?start_date=${day(now)}&end_date=${day(now)}`)).json.data[0];
  assert.equal(today.granularity, "hour");
  assert.ok(today.checks < whole.checks);
  assert.equal(today.uptime, 100);
});

scenario("a period, also in a GET's body", async (cleanup) => {
  const w = await watch(cleanup, "http://127.0.0.1:9", { monitor: { enabled: false } });
  const { host, port } = w.server.door("api");
  const ask = (body: string, query = "") => new Promise<{ status: number; json: any }>((resolve, reject) => {
    const sent = httpRequest({
      host, port, method: "GET", path: `/${w.server.accountId}/monitor/${w.application.id}/history${query}`,
      headers: { authorization: `Bearer ${w.server.ownerKey}`, "content-type": "application/json", "content-length": Buffer.byteLength(body) },
    }, (answer) => {
      let text = "";
      answer.on("data", (part) => { text += part; });
      answer.on("end", () => resolve({ status: answer.statusCode!, json: JSON.parse(text) }));
    });
    sent.on("error", reject);
    sent.end(body);
  });
  const day = (ago: number) => new Date(Date.now() - ago * 86_400_000).toISOString().slice(0, 10);
  const by = await ask(JSON.stringify({ start_date: day(2), end_date: day(1) }));
  assert.equal(by.status, 200, JSON.stringify(by.json));
  assert.equal(by.json.data[0].start, `${day(2)}T00:00:00.000Z`);
  assert.equal(by.json.data[0].end, `${day(1)}T23:59:59.999Z`);
  assert.equal(by.json.data[0].uptime, null);
  assert.equal((await ask("")).status, 200);
  for (const [body, query, field] of [
    [JSON.stringify({ start_date: "yesterday" }), "", "start_date"],
    [JSON.stringify({ start_date: 5 }), "", "start_date"],
    [JSON.stringify({ start_date: day(1), end_date: day(2) }), "", "end_date"],
    [JSON.stringify({ until: day(1) }), "", "until"],
    ["", "?end_date=2026-13-01", "end_date"],
  ] as const) {
    const refused = await ask(body, query);
    assert.equal(refused.status, 400, JSON.stringify([body, refused.json]));
    assert.equal(refused.json.error.field, field);
  }
  assert.equal((await ask("[1]")).status, 400);
});

scenario("of several origins each is asked, and one that fails gets no requests", async (cleanup) => {
  let ill = false;
  const answer = (text: string, may: boolean): RequestListener => (request, response) => {
    if (may && ill && request.url === "/health") response.statusCode = 500;
    response.end(text);
  };
  const a = await NodeOrigin.start(cleanup, answer("a", false)), b = await NodeOrigin.start(cleanup, answer("b", true));
  const w = await watch(cleanup, url(a.address), {
    monitor: { url: "/health" },
    application: { origins: [{ address: url(a.address) }, { address: url(b.address) }], domain: "shop.example.test" },
  });
  await becomes(w, "HEALTHY");
  assert.equal((await status(w)).endpoints.length, 2);
  const health = async () => (await w.server.api.get(`applications/${w.application.id}/origins`))
    .json.data.map((one: any) => one.health);
  assert.deepEqual(await health(), ["healthy", "healthy"]);
  ill = true;
  for (let i = 0; i < 24 && (await health())[1] !== "ill"; i++) {
    await w.clock.advance(STEP_MS);
    await new Promise((resolve) => setTimeout(resolve, 60));
    await settled(w);
  }
  assert.deepEqual(await health(), ["healthy", "ill"]);
  assert.equal((await status(w)).status, "DEGRADED");
  for (let i = 0; i < 10; i++) {
    const answered = await call(w.server.door("gateway"), "GET", "/", { host: "shop.example.test" });
    assert.equal(answered.text, "a");
  }
});

scenario("a deleted application is asked no more and leaves no file", async (cleanup) => {
  const origin = await NodeOrigin.start(cleanup);
  const w = await watch(cleanup, url(origin.address));
  await becomes(w, "HEALTHY");
  const file = `${w.server.data}/monitors/${w.application.id}`;
  assert.ok(readFileSync(file).length > 0);
  assert.equal((await w.server.api.delete(`applications/${w.application.id}`)).status, 200);
  assert.throws(() => readFileSync(file));
  const { text } = await w.server.api.get("/metrics");
  assert.match(text, /^typeauth_monitor_endpoints 0$/m);
});

scenario("an outage is told once, and its end once", async (cleanup) => {
  let ill = false;
  const origin = await NodeOrigin.start(cleanup, (request, response) => {
    response.statusCode = ill ? 500 : 200;
    response.end();
  });
  const told: any[] = [];
  const receiver = await NodeOrigin.start(cleanup, (request, response) => {
    const parts: Buffer[] = [];
    request.on("data", (part: Buffer) => parts.push(part));
    request.on("end", () => { told.push(JSON.parse(Buffer.concat(parts).toString())); response.end(); });
  });
  const w = await watch(cleanup, url(origin.address), { args: ["--insecure-key-urls"] });
  await becomes(w, "HEALTHY");
  await w.server.api.create("alert/create", { name: "pager", url: `${url(receiver.address)}/hook`, groupSeconds: 60, kinds: ["monitor"] });
  ill = true;
  await passes(w, "DOWN");
  await w.clock.advance(61_000);
  const items = () => told.flatMap((one) => one.items);
  const of = (state: string) => items().filter((i) => i.subject === "DOWN" && i.state === state);
  await eventually("the outage is told", () => of("open").length > 0);
  await w.clock.advance(61_000);
  await settled(w);
  ill = false;
  await passes(w, "HEALTHY");
  await w.clock.advance(61_000);
  await eventually("its end is told", () => of("resolved").length > 0);
  assert.equal(of("open").length, 1, JSON.stringify(told));
  assert.equal(of("resolved").length, 1, JSON.stringify(told));
  assert.equal(of("open")[0].application_id, w.application.id);
});
