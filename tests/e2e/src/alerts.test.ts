// Alerts (docs/alerts.md): webhooks that are signed, retried, grouped, given
// up, sent again; over restarts; behind the egress policy; and receivers that
// hang or are gone while traffic goes on.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { mkdir, mkdtemp, open, rm } from "node:fs/promises";
import { createServer } from "node:http";
import { createServer as createTcp, type AddressInfo, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { Api, Authority, Cleanup, Clock, NodeOrigin, Server, call, eventually, scenario } from "./harness/index.js";

const run = promisify(execFile);
type Own = Parameters<Parameters<typeof scenario>[1]>[0];

interface Told { body: any; text: string; signature: string; delivery: string; now_ms: () => number }

/** Takes webhooks; `answers` says what each gets in turn, then 200. */
async function receiver(cleanup: Own, answers: number[], now_ms: () => number) {
  const told: Told[] = [];
  const server = createServer((request, response) => {
    const parts: Buffer[] = [];
    request.on("data", (part) => parts.push(part));
    request.on("end", () => {
      const text = Buffer.concat(parts).toString();
      told.push({
        body: JSON.parse(text), text, now_ms,
        signature: String(request.headers["x-typeauth-signature"]),
        delivery: String(request.headers["x-typeauth-delivery"]),
      });
      response.writeHead(answers[told.length - 1] ?? 200).end();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  cleanup.add(() => new Promise((resolve) => { server.closeAllConnections(); server.close(resolve); }));
  return { told, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/hook` };
}

/** The example of docs/alerts.md. */
const page = readFileSync(new URL("../../../docs/alerts.md", import.meta.url), "utf8");
const example = /```js\n([^]*?)```/.exec(page)![1]!;
const { verify } = await import(`data:text/javascript,${encodeURIComponent(example)}`);

const verified = (told: Told, secret: string): boolean =>
  verify(told.signature, told.text, secret, told.now_ms());

class World {
  constructor(readonly cleanup: Own, readonly clock: Clock, public server: Server, readonly key: string, readonly args: string[]) {}

  static async begin(cleanup: Own, args: string[] = ["--insecure-key-urls"]): Promise<World> {
    const clock = await Clock.make(cleanup);
    const server = await Server.start(cleanup, { env: clock.environment, args });
    return new World(cleanup, clock, server, server.ownerKey, args);
  }

  async restart(): Promise<void> {
    await this.server.kill();
    const server = await Server.start(this.cleanup, { env: this.clock.environment, args: this.args, data: this.server.data });
    server.api = new Api(server.door("api"), server.accountId, this.key);
    this.server = server;
  }

  alert(url: string, more: object = {}): Promise<any> {
    return this.server.api.create("alert/create", { name: "pager", url, groupSeconds: 60, ...more }).then(([a]: any[]) => a);
  }

  async metric(name: string): Promise<number> {
    const { text } = await call(this.server.door("ops"), "GET", "/metrics");
    const line = text.split("\n").find((l) => l.startsWith(`${name} `));
    assert.ok(line, `${name} is not in /metrics`);
    return Number(line.split(" ")[1]);
  }
}

/** An application whose firewall blocks each request. */
async function blocking(w: World, name: string): Promise<any> {
  const origin = await NodeOrigin.start(w.cleanup);
  const [profile] = await w.server.api.create("security/create",
    { name, ip: { deny: ["127.0.0.0/8"] } });
  return w.server.api.application(name, origin.address, {}, { security_id: profile.id });
}
const knock = (w: World, app: any) =>
  call(w.server.door("gateway"), "GET", "/", { host: app.domain });

scenario("the secret is shown once, signs, and rotates with a grace", async (cleanup) => {
  const w = await World.begin(cleanup);
  const { told, url } = await receiver(cleanup, [], () => w.clock.now_ms());
  const alert = await w.alert(url);
  assert.match(alert.secret, /^whsec_/);
  const { api } = w.server;
  assert.equal((await api.get(`alert/${alert.id}`)).json.data[0].secret, undefined);
  const first = await api.post(`alert/${alert.id}/test`);
  assert.equal(first.status, 200, first.text);
  assert.deepEqual({ ...first.json.data[0], milliseconds: 0 }, { delivered: true, status: 200, milliseconds: 0, problem: "" });
  assert.equal(told[0]!.body.type, "test");
  assert.equal(told[0]!.delivery, told[0]!.body.id);
  assert.ok(verified(told[0]!, alert.secret));
  const rotated = (await api.post(`alert/${alert.id}/rotate`, { gracePeriod: 600 })).json.data[0].secret;
  assert.notEqual(rotated, alert.secret);
  await api.post(`alert/${alert.id}/test`);
  assert.ok(verified(told[1]!, alert.secret) && verified(told[1]!, rotated));
  await w.clock.advance(601_000);
  assert.ok(!verified(told[1]!, rotated), "what is old cannot be sent again");
  await api.post(`alert/${alert.id}/test`);
  assert.ok(!verified(told[2]!, alert.secret) && verified(told[2]!, rotated));
  const moved = (await api.patch(`alert/${alert.id}`, { url: `${url}/2` })).json.data[0].secret;
  assert.ok(moved && moved !== rotated, "another url gets another secret");
  await api.post(`alert/${alert.id}/test`);
  assert.ok(verified(told[3]!, moved) && !verified(told[3]!, rotated));
  assert.equal((await api.patch(`alert/${alert.id}`, { name: "same url" })).json.data[0].secret, undefined);
  const everything = (await api.get("audit")).text + w.server.log.join();
  for (const secret of [alert.secret, rotated, moved]) assert.ok(!everything.includes(secret));
});

scenario("a test says what happened: refused, wrong status, egress, plain HTTP", async (cleanup) => {
  const w = await World.begin(cleanup);
  const { url } = await receiver(cleanup, [500], () => w.clock.now_ms());
  const alert = await w.alert(url);
  const { api } = w.server;
  const ask = async () => (await api.post(`alert/${alert.id}/test`)).json.data[0];
  const failed = await ask();
  assert.deepEqual([failed.delivered, failed.status, failed.problem], [false, 500, "HTTP 500"]);
  await api.patch(`alert/${alert.id}`, { url: "http://127.0.0.1:9/" });
  const refused = await ask();
  assert.equal(refused.delivered, false);
  assert.equal(refused.status, 0);
  assert.notEqual(refused.problem, "");
  await api.patch(`alert/${alert.id}`, { url: `http://127.0.0.1:${w.server.door("api").port}/` });
  assert.equal((await ask()).delivered, false, "our own listeners are refused");
  await api.patch(`alert/${alert.id}`, { url: "http://169.254.169.254/latest" });
  assert.equal((await ask()).delivered, false, "cloud metadata is refused");
  assert.deepEqual((await api.get(`alert/${alert.id}/dead-letters`)).json.data, []);
});

scenario("a flood of detections is one message at once and one of all the rest", async (cleanup) => {
  const w = await World.begin(cleanup);
  const { told, url } = await receiver(cleanup, [], () => w.clock.now_ms());
  const alert = await w.alert(url, { kinds: ["detection"] });
  const app = await blocking(w, "shop");
  const other = await blocking(w, "other");
  await knock(w, app);
  await eventually("the first is told", () => told.length === 1);
  assert.ok(verified(told[0]!, alert.secret));
  assert.equal(told[0]!.body.kind, "detection");
  assert.equal(told[0]!.body.items[0].application_id, app.id);
  assert.equal(told[0]!.body.items[0].subject, "ip_blocked");
  assert.equal(told[0]!.body.items[0].details.ip, "127.0.0.1");
  for (let i = 0; i < 40; i++) await knock(w, i % 2 ? app : other);
  await eventually("all are counted", async () =>
    (await w.metric('typeauth_alert_occurrences_total{state="raised"}')) >= 41);
  assert.equal(told.length, 1, "nothing is told within the window");
  await w.clock.advance(61_000);
  await eventually("the rest is told", () => told.length === 2);
  const counts = told[1]!.body.items.map((i: any) => i.count).reduce((a: number, b: number) => a + b, 0);
  assert.equal(told[1]!.body.items.length, 2);
  assert.equal(counts, 40);
});

scenario("what fails is sent again with growing pauses, then is a dead letter, over restarts", async (cleanup) => {
  const w = await World.begin(cleanup);
  const { told, url } = await receiver(cleanup, Array(8).fill(503), () => w.clock.now_ms());
  const alert = await w.alert(url, { kinds: ["detection"] });
  await knock(w, await blocking(w, "shop"));
  let failures = 0; // of this process
  for (let tries = 1; tries <= 8; tries++) {
    if (tries > 1) await w.clock.advance(3_600_000);
    await eventually(`it is tried ${tries} times`, () => told.length === tries);
    failures++;
    await eventually("that is known", async () =>
      (await w.metric('typeauth_alert_messages_total{outcome="failed"}')) === failures);
    if (tries !== 1 && tries !== 4) continue;
    await w.restart();
    failures = 0;
  }
  assert.equal(new Set(told.map((t) => t.delivery)).size, 1, "it is one message");
  const letters = async () => (await w.server.api.get(`alert/${alert.id}/dead-letters`)).json.data;
  await eventually("it is given up", async () => (await letters()).length === 1);
  await w.restart();
  const [letter] = await letters();
  assert.equal(letter.attempts, 8);
  assert.equal(letter.problem, "HTTP 503");
  assert.deepEqual(letter.message, told[0]!.body);
  assert.equal(await w.metric("typeauth_alert_messages_waiting"), 0);
  const again = await w.server.api.post(`alert/${alert.id}/dead-letters/${letter.id}/resend`);
  assert.equal(again.status, 200, again.text);
  await eventually("it is delivered", () => told.length === 9);
  assert.ok(verified(told[8]!, alert.secret));
  assert.deepEqual(await letters(), []);
});

scenario("a message that was not delivered survives kill -9", async (cleanup) => {
  const w = await World.begin(cleanup);
  const gone = createTcp();
  await new Promise<void>((resolve) => gone.listen(0, "127.0.0.1", resolve));
  const port = (gone.address() as AddressInfo).port;
  await new Promise((resolve) => gone.close(resolve));
  const alert = await w.alert(`http://127.0.0.1:${port}/`, { kinds: ["detection"] });
  await knock(w, await blocking(w, "shop"));
  await eventually("it is tried", async () => (await w.metric('typeauth_alert_messages_total{outcome="failed"}')) >= 1);
  await w.restart();
  const told: string[] = [];
  const back = createServer((request, response) => {
    told.push(String(request.headers["x-typeauth-delivery"]));
    response.end();
  });
  await new Promise<void>((resolve) => back.listen(port, "127.0.0.1", resolve));
  cleanup.add(() => new Promise((resolve) => { back.closeAllConnections(); back.close(resolve); }));
  await w.clock.advance(3_600_000);
  await eventually("it comes", () => told.length === 1);
  await eventually("nothing waits", async () => (await w.metric("typeauth_alert_messages_waiting")) === 0);
  assert.deepEqual((await w.server.api.get(`alert/${alert.id}/dead-letters`)).json.data, []);
});

scenario("a receiver that hangs holds up neither traffic nor the API nor others", async (cleanup) => {
  const w = await World.begin(cleanup, ["--insecure-key-urls", "--fetch-timeout-ms", "3000"]);
  const held: Socket[] = [];
  const silent = createTcp((socket) => { held.push(socket.on("error", () => {})); });
  await new Promise<void>((resolve) => silent.listen(0, "127.0.0.1", resolve));
  cleanup.add(() => { silent.close(); for (const socket of held) socket.destroy(); });
  const { told, url } = await receiver(cleanup, [], () => w.clock.now_ms());
  const hangs = await w.alert(`http://127.0.0.1:${(silent.address() as AddressInfo).port}/`, { name: "hangs", groupSeconds: 0 });
  await w.alert(url, { name: "works", groupSeconds: 0 });
  const app = await blocking(w, "shop");
  const test = w.server.api.post(`alert/${hangs.id}/test`);
  const began = Date.now();
  for (let i = 0; i < 20; i++) {
    assert.equal((await knock(w, app)).status, 403);
    assert.equal((await w.server.api.get("alert")).status, 200);
  }
  await eventually("the other is told", () => told.length > 0);
  assert.ok(Date.now() - began < 3000, "nobody waited for the one that hangs");
  const said = (await test).json.data[0];
  assert.deepEqual([said.delivered, said.status], [false, 0]);
});

scenario("another account's alerts are not there", async (cleanup) => {
  const w = await World.begin(cleanup);
  const { url } = await receiver(cleanup, [], () => w.clock.now_ms());
  const alert = await w.alert(url);
  const { api } = w.server;
  assert.equal((await api.get("alert/alert_00000000000000000000000000")).status, 404);
  assert.equal((await api.post(`alert/${alert.id}/dead-letters/dlv_00000000000000000000000000/resend`)).status, 404);
  assert.equal((await api.delete(`alert/${alert.id}`)).status, 200);
  assert.equal((await api.post(`alert/${alert.id}/test`)).status, 404);
});

scenario("a quota nearly spent is told once a period, by each receiver's own threshold", async (cleanup) => {
  const w = await World.begin(cleanup);
  const early = await receiver(cleanup, [], () => w.clock.now_ms());
  const late = await receiver(cleanup, [], () => w.clock.now_ms());
  await w.alert(early.url, { name: "early", kinds: ["quota"], quotaPercent: 50, groupSeconds: 0 });
  await w.alert(late.url, { name: "late", kinds: ["quota"], groupSeconds: 0 });
  const origin = await NodeOrigin.start(cleanup);
  const app = await w.server.api.application("shop", origin.address, { remaining: 20 });
  const [token] = await w.server.api.tokens(app.id);
  const ask = async (n: number) => {
    for (let i = 0; i < n; i++)
      assert.equal((await call(w.server.door("gateway"), "GET", "/", { host: app.domain, authorization: `Bearer ${token.token}` })).status, 200);
  };
  const raised = () => w.metric('typeauth_alert_messages_total{outcome="delivered"}');
  await ask(9);
  assert.equal(await raised(), 0);
  await ask(1);
  await eventually("half is told", () => early.told.length === 1);
  assert.equal(early.told[0]!.body.items[0].subject, token.id);
  assert.deepEqual(early.told[0]!.body.items[0].details, { percent: 50 });
  await ask(10);
  await eventually("90 % is told", () => late.told.length === 1);
  assert.equal(late.told[0]!.body.items[0].details.percent, 90);
  assert.equal((await w.server.api.delete(`token/${token.id}/counters`)).status, 200);
  await ask(18);
  await eventually("the next period is told", () => late.told.length === 2 && early.told.length === 2);
});

scenario("a certificate of ours is told of before its end, once, also over a restart", async (cleanup) => {
  const { cert, key } = await (await Authority.make(cleanup)).issue("gateway", "DNS:gateway.example");
  const w = await World.begin(cleanup, ["--insecure-key-urls", "--gateway-tls", "127.0.0.1:0", "--certificate", `${cert},${key}`]);
  const { told, url } = await receiver(cleanup, [], () => w.clock.now_ms());
  await w.alert(url, { kinds: ["certificate"], certificateDays: 9 });
  const days = async (n: number) => w.clock.advance(n * 86_400_000);
  await days(354); // 11 are left
  await w.alert(url, { name: "earlier", kinds: ["certificate"], certificateDays: 30 });
  await days(0.1);
  await eventually("the one with 30 days is told", () => told.length === 1);
  await days(2);
  await eventually("the one with 9 days is told", () => told.length === 2);
  assert.equal(told[1]!.body.kind, "certificate");
  assert.equal(told[1]!.body.items[0].subject, "gateway");
  assert.equal(told[1]!.body.items[0].state, "open");
  // else it may come once more: at least once is what is promised
  await eventually("that is kept", async () => (await w.metric("typeauth_alert_messages_waiting")) === 0);
  await w.restart();
  await days(1);
  await eventually("it was looked at again", async () =>
    (await w.metric('typeauth_alert_occurrences_total{state="raised"}')) >= 1);
  assert.equal(told.length, 2, "what was told is not told again");
});

scenario("a full disk is told once, out of memory, and its end once", async (cleanup, t) => {
  const at = await mkdtemp(join(tmpdir(), "typeauth-alert-full-"));
  cleanup.add(() => rm(at, { recursive: true, force: true }));
  if (process.getuid!() !== 0) return t.skip("mounting needs root");
  try {
    await run("mount", ["-t", "tmpfs", "-o", "size=24m,mode=0700", "none", at]);
  } catch {
    return t.skip("mounting is forbidden here");
  }
  cleanup.add(() => run("umount", ["-l", at]));
  const own = new Cleanup();
  cleanup.add(() => own.run());
  await mkdir(join(at, "data"), { mode: 0o700 });
  const server = await Server.start(own, { data: join(at, "data"), args: ["--workers", "1", "--insecure-key-urls"] });
  const { told, url } = await receiver(cleanup, [], Date.now);
  await server.api.create("alert/create", { name: "pager", url, groupSeconds: 0 });
  const app = await server.api.application("full", { host: "127.0.0.1", port: 9 }, {});
  const filler = await open(join(at, "filler"), "w");
  for (const size of [1 << 20, 4096])
    for (const block = Buffer.alloc(size); ; )
      if (!(await filler.write(block).then((f) => f.bytesWritten === size, () => false))) break;
  await eventually("a change is refused", async () =>
    (await server.api.patch(`applications/${app.id}`, { description: `${Math.random()}`.padEnd(1000, "x") })).status === 503);
  await eventually("it is told", () => told.some((m) => m.body.kind === "store"));
  for (let i = 0; i < 10; i++) await server.api.patch(`applications/${app.id}`, { description: "y".repeat(1000) });
  await filler.truncate(0);
  await filler.close();
  const stores = () => told.filter((m) => m.body.kind === "store").map((m) => m.body.items[0].state);
  await eventually("its end is told", () => stores().includes("resolved"));
  assert.deepEqual(stores().slice(0, 2), ["open", "resolved"]);
});
