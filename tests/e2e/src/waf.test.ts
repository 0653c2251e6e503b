// The WAF in traffic: attack families through the gateway and /authenticate,
// what a profile changes, and that nobody pays who does not use it
// (detectors.md §1, gateway.md §1 step 13).
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { Gateway, NodeOrigin, eventually, scenario, type Answer, type Cleanup, type GatewayOptions } from "./harness/index.js";

interface Attack {
  method?: string;
  uri: string;
  headers?: Record<string, string>;
  body?: unknown;
  rule: string;
}

const here = dirname(fileURLToPath(import.meta.url));
const vectors = JSON.parse(await readFile(join(here, "../../vectors/waf/attacks.json"), "utf8")) as Record<string, Attack[]>;
const families = Object.entries(vectors).filter(([name]) => name !== "about");

/** As a plain client asks: the rules know those that do not. */
const plain = { "user-agent": "Mozilla/5.0 (X11; Linux x86_64)", accept: "*/*" };
const sqlmap = { ...plain, "user-agent": "sqlmap/1.7.2#stable (https://sqlmap.org)" };
const json = { ...plain, "content-type": "application/json" };

class Guarded {
  private constructor(
    readonly gateway: Gateway,
    readonly origin: NodeOrigin,
    readonly profile: any,
  ) {}

  static async start(cleanup: Cleanup, waf: object, extra: object = {}, options: GatewayOptions = {}): Promise<Guarded> {
    const origin = await NodeOrigin.start(cleanup);
    const gateway = await Gateway.start(cleanup, origin.address, options);
    const [profile] = await gateway.server.api.create("security/create", { name: "edge", waf, ...extra });
    const guarded = new Guarded(gateway, origin, profile);
    await guarded.attach(profile.id);
    return guarded;
  }

  async attach(security_id: string | null): Promise<void> {
    const done = await this.gateway.server.api.patch(`applications/${this.gateway.application.id}`, { security_id });
    assert.equal(done.status, 200, done.text);
  }

  async change(waf: object): Promise<void> {
    const done = await this.gateway.server.api.patch(`security/${this.profile.id}`, { waf });
    assert.equal(done.status, 200, done.text);
  }

  ask(a: Attack): Promise<Answer> {
    const text = typeof a.body === "string" || a.body === undefined ? (a.body as string | undefined) : JSON.stringify(a.body);
    return this.gateway.ask(a.method ?? "GET", a.uri, { ...plain, ...a.headers }, text);
  }

  async metric(name: string): Promise<number> {
    const { text } = await this.gateway.server.api.get("/metrics");
    const row = text.split("\n").find((line) => line.startsWith(`${name} `));
    assert.ok(row, `${name} is not among the metrics`);
    return Number(row.split(" ")[1]);
  }
}

function refused(answer: Answer, what: string): void {
  assert.equal(answer.status, 403, `${what}: ${answer.status} ${answer.text}`);
  assert.equal(answer.json.error?.code, "waf_blocked", what);
  assert.doesNotMatch(answer.text, /9[0-9]{5}/, "an answer names no rule");
}

scenario("each family of attacks is refused and does not reach the origin", async (cleanup) => {
  const guarded = await Guarded.start(cleanup, { mode: "block" });
  for (const [family, attacks] of families) {
    let judged = 0;
    for (const attack of attacks) {
      const answer = await guarded.ask(attack);
      // what no HTTP parser of ours lets in needs no rule
      if ([400, 405, 501].includes(answer.status)) continue;
      refused(answer, `${family}: ${JSON.stringify(attack)}`);
      judged++;
    }
    assert.ok(judged >= attacks.length / 2, `${family}: only ${judged} were judged`);
  }
  assert.equal(guarded.origin.requests.length, 0);
  assert.ok((await guarded.metric('typeauth_judged_total{check="waf"}')) > 40);
  assert.equal(await guarded.metric("typeauth_judge_queued"), 0);
});

const boundary = "----part";
const bodies: [string, string, string][] = [
  ["a form", "application/x-www-form-urlencoded", "user=a&q=1%27+UNION+SELECT+username%2Cpassword+FROM+users--+"],
  ["JSON", "application/json", JSON.stringify({ a: [{ q: "1' UNION SELECT username,password FROM users-- " }] })],
  ["parts", `multipart/form-data; boundary=${boundary}`,
    `--${boundary}\r\nContent-Disposition: form-data; name="q"\r\n\r\n1' UNION SELECT username,password FROM users-- \r\n--${boundary}--\r\n`],
];

scenario("an attack in a body is seen however it is cut on the wire", async (cleanup) => {
  const guarded = await Guarded.start(cleanup, { mode: "block" });
  for (const [what, type, body] of bodies) {
    const fields = ["User-Agent: Mozilla/5.0", "Accept: */*", `Content-Type: ${type}`];
    const whole = await guarded.gateway.once(guarded.gateway.head("POST /in HTTP/1.1", [...fields, `Content-Length: ${body.length}`]) + body, "POST");
    assert.equal(whole.status, 403, what);
    for (const size of [1, 7, 64]) {
      const client = await guarded.gateway.raw();
      await client.send(guarded.gateway.head("POST /in HTTP/1.1", [...fields, "Transfer-Encoding: chunked"]));
      for (let at = 0; at < body.length; at += size) {
        const part = body.slice(at, at + size);
        await client.send(`${part.length.toString(16)}\r\n${part}\r\n`);
      }
      await client.send("0\r\n\r\n");
      const answer = await client.read("POST");
      assert.equal(answer.status, 403, `${what} in chunks of ${size}`);
    }
  }
  assert.equal(guarded.origin.requests.length, 0);
});

scenario("good bodies of each type arrive as they were sent", async (cleanup) => {
  const guarded = await Guarded.start(cleanup, { mode: "block" });
  const good: [string, string][] = [
    ["application/json", JSON.stringify({ name: "Ada", tags: ["a", "b"], n: 1.5 })],
    ["application/x-www-form-urlencoded", "name=Ada&city=London"],
    [`multipart/form-data; boundary=${boundary}`, `--${boundary}\r\nContent-Disposition: form-data; name="a"\r\n\r\nhello\r\n--${boundary}--\r\n`],
    ["application/octet-stream", "\u0001\u0002binary"],
    ["application/json", ""],
  ];
  for (const [type, body] of good) {
    const answer = await guarded.gateway.ask("POST", "/in", { ...plain, "content-type": type }, body);
    assert.equal(answer.status, 200, `${type}: ${answer.text}`);
    const got = guarded.origin.requests.at(-1)!;
    assert.equal(got.body.toString(), body);
  }
  const get = await guarded.gateway.ask("GET", "/in", json);
  assert.equal(get.status, 200, "a type without a body");
});

scenario("detect notes and passes; threshold, exclusions and paranoia change what is refused", async (cleanup) => {
  const guarded = await Guarded.start(cleanup, { mode: "detect" });
  const scan = () => guarded.gateway.ask("GET", "/", sqlmap);
  const odd = () => guarded.gateway.ask("GET", "/find?q=a!b*c", plain);
  assert.equal((await scan()).status, 200, "detect");
  assert.equal(guarded.origin.requests.length, 1);
  const table: [string, object, () => Promise<Answer>, number][] = [
    ["block", { mode: "block" }, scan, 403],
    ["a threshold above the score", { mode: "block", threshold: 6 }, scan, 200],
    ["its rules excluded by range", { mode: "block", exclusions: ["913100-913199"] }, scan, 200],
    ["another rule excluded", { mode: "block", exclusions: [942100] }, scan, 403],
    ["paranoia 1", { mode: "block", paranoia: 1 }, odd, 200],
    ["paranoia 4", { mode: "block", paranoia: 4 }, odd, 403],
    ["off", { mode: "off" }, scan, 200],
  ];
  for (const [what, waf, ask, status] of table) {
    await guarded.change({ threshold: 5, exclusions: [], paranoia: 1, ...waf });
    const answer = await ask();
    assert.equal(answer.status, status, `${what}: ${answer.text}`);
  }
});

scenario("a rule of the firewall may leave the WAF out, and its limits of a body", async (cleanup) => {
  const guarded = await Guarded.start(cleanup, { mode: "block", inspectBytes: 1024 }, {
    rules: [{ name: "uploads", action: "skip", expression: 'starts_with(http.request.uri.path, "/upload")' }],
  });
  const large = "x".repeat(4096);
  assert.equal((await guarded.gateway.ask("POST", "/in", json, large)).status, 413);
  assert.equal((await guarded.gateway.ask("POST", "/upload", sqlmap, large)).status, 200);
  assert.equal(guarded.origin.requests.at(-1)!.body.length, large.length);
});

scenario("/authenticate judges what telemetry tells of the request, and counts it once", async (cleanup) => {
  const guarded = await Guarded.start(cleanup, { mode: "block" }, {}, { profile: { ratelimit: { limit: 100, timeWindow: 60 } } });
  const { server, application, token } = guarded.gateway;
  const ask = async (telemetry: object) =>
    (await server.api.authenticate(application.id, token.token, { telemetry })).json.data[0];
  const good = await ask({ url: "https://shop.example.test/items?id=1", method: "GET", headers: plain });
  assert.equal(good.valid, true, JSON.stringify(good));
  const remaining = good.ratelimit?.remaining ?? good.remaining;
  assert.equal((await ask({ ipaddress: "192.0.2.1" })).valid, true, "nothing to judge");
  const bad = await ask({ url: "https://shop.example.test/items?id=1%27%20or%20%271%27=%271", headers: plain });
  assert.equal(bad.valid, false);
  assert.equal(bad.code, "waf_blocked");
  assert.equal((await ask({ url: "/", headers: sqlmap })).code, "waf_blocked");
  const last = await ask({ url: "/", headers: plain });
  assert.equal((last.ratelimit?.remaining ?? last.remaining), remaining - 4);
});

// Synchronously: the kernel hands out a page at a time, and the asynchronous
// readFile of Node 18 takes a short read of a file without a size for its end.
const mapped = (pid: number) => /modsecurity/.test(readFileSync(`/proc/${pid}/maps`, "utf8"));

scenario("nothing of it is loaded before a profile in use has it", async (cleanup) => {
  const guarded = await Guarded.start(cleanup, { mode: "off" });
  const { pid, api } = guarded.gateway.server;
  const threads = async () => Number(/Threads:\s*(\d+)/.exec(await readFile(`/proc/${pid}/status`, "utf8"))![1]);
  const [unused] = await api.create("security/create", { name: "unused", waf: { mode: "block" } });
  assert.equal((await guarded.gateway.ask("GET", "/", sqlmap)).status, 200);
  assert.equal(mapped(pid), false);
  const before = await threads();
  await guarded.attach(unused.id);
  assert.equal(mapped(pid), true);
  assert.equal(await threads(), before, "no thread before a request");
  assert.equal((await guarded.gateway.ask("GET", "/", sqlmap)).status, 403);
  assert.ok((await threads()) > before);
});

scenario("more than the queue takes is unavailable, and what was asked is answered", async (cleanup) => {
  const guarded = await Guarded.start(cleanup, { mode: "block" }, {}, { args: ["--judge-threads", "1", "--judge-queue", "2", "--judge-late-ms", "20000"] });
  const many = await Promise.all(Array.from({ length: 60 }, () => guarded.gateway.ask("POST", "/", json, JSON.stringify({ a: "x".repeat(30_000) }))));
  const by = (status: number) => many.filter((answer) => answer.status === status).length;
  assert.equal(by(200) + by(503), many.length, many.map((a) => a.status).join());
  // Two wait; a third is in hand if the thread has come to it by then.
  assert.ok(by(200) >= 2 && by(503) >= 1, `${by(200)} passed, ${by(503)} were refused`);
  const over = many.find((answer) => answer.status === 503)!;
  assert.equal(over.json.error?.code, "check_unavailable");
  assert.equal(over.headers["retry-after"], "1");
  assert.equal(await guarded.metric('typeauth_judge_queue_full_total{check="waf"}'), by(503));
  await eventually("the queue is empty", async () => (await guarded.metric("typeauth_judge_queued")) === 0);
  assert.equal((await guarded.gateway.ask("GET", "/", plain)).status, 200);
});
