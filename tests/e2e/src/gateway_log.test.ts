// One line an exchange in the access log, and the metrics: right, parseable,
// without a secret, a query, a token or an address where none belongs.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { Gateway, NodeOrigin, call, eventually, freePort, scenario } from "./harness/index.js";

scenario("the access log has one right line for each exchange", async (cleanup) => {
  const origin = await NodeOrigin.start(cleanup, (asked, answer) => {
    asked.resume();
    asked.on("end", () => answer.end("x".repeat(1000)));
  });
  const gateway = await Gateway.start(cleanup, origin.address, { args: ["--workers", "1"] });
  const begun = Date.now();
  const secret = gateway.token.token as string;
  await gateway.ask("POST", "/a%20b/c?password=hunter2", { "x-secret": "s3cr3t", cookie: "sid=c00kie" }, "body-text");
  await gateway.ask("GET", "/x", { authorization: "Bearer wr0ng-t0ken" });
  await gateway.ask("GET", "/y", { host: "nobody.example" });
  const bad = await gateway.raw();
  await bad.send(`GET /q?password=hunter2 HTTP/1.1\r\nHost: ${gateway.host}\r\nAuthorization : Bearer ${secret}\r\n\r\n`);
  await bad.untilClosed();
  const quotes = await gateway.raw();
  await quotes.send(gateway.head("GET /v HTTP/1.0"));
  await quotes.untilClosed();
  const down = await gateway.server.api.application("down", { host: "127.0.0.1", port: await freePort() });
  await gateway.ask("GET", "/down", { host: down.domain });

  const lines = await gateway.log(6);
  assert.equal(lines.length, 6);
  const [passed, wrong, unknown, malformed, old, failed] = lines as [any, any, any, any, any, any];
  for (const line of lines) {
    assert.ok(line.t >= begun - 1000 && line.t <= Date.now() + 1000);
    assert.match(line.i, /^[0-9a-f]{32}$/);
    assert.equal(line.r, "127.0.0.1");
    assert.ok(line.u > 0 || line === malformed);
  }
  assert.equal(new Set(lines.map((l) => l.i)).size, 6);
  const { s, m, h, p, a, k } = passed;
  assert.deepEqual({ s, m, h, p, a, k }, {
    s: 200, m: "POST", h: gateway.host, p: "/a%20b/c", a: gateway.application.id, k: gateway.token.id,
  });
  assert.ok(passed.bi > 9 && passed.bo > 1000 && passed.bo < 2000, JSON.stringify(passed));
  assert.ok(passed.uo > 0 && passed.uo <= passed.u);
  assert.equal(passed.o, undefined);
  assert.deepEqual([wrong.s, wrong.o, wrong.c, wrong.k, wrong.a], [401, "unauthorized", "invalid_token", undefined, gateway.application.id]);
  assert.deepEqual([unknown.s, unknown.c, unknown.h, unknown.a], [404, "unknown_domain", "nobody.example", undefined]);
  assert.deepEqual([malformed.s, malformed.c], [400, "bad_request"]);
  assert.deepEqual([old.s, old.v, old.p], [200, 0, "/v"]);
  assert.deepEqual([failed.s, failed.c, failed.a], [502, "origin_unreachable", down.id]);

  const text = (await gateway.logText()) + gateway.server.log.join("\n");
  for (const word of [secret, "hunter2", "s3cr3t", "c00kie", "wr0ng-t0ken", "body-text", gateway.server.ownerKey])
    assert.ok(!text.includes(word), word);
});

scenario("names that would break a log line do not", async (cleanup) => {
  const origin = await NodeOrigin.start(cleanup);
  const gateway = await Gateway.start(cleanup, origin.address);
  const paths = ["/{a}|b^`", "/" + "long/".repeat(1000), "/%22%0a%5c", "/'single'"];
  for (const path of paths) {
    const client = await gateway.raw();
    await client.send(gateway.head(`GET ${path} HTTP/1.1`));
    await client.read();
  }
  const lines = await gateway.log(paths.length); // each parses as JSON
  const logged = lines.map((l) => l.p).sort((a, b) => a.length - b.length);
  assert.ok(logged.at(-1)!.startsWith("/long/long/"));
  for (const line of lines) assert.ok(line.p.length <= 2048);
});

scenario("sampling leaves out passed lines only", async (cleanup) => {
  const origin = await NodeOrigin.start(cleanup);
  const gateway = await Gateway.start(cleanup, origin.address, {
    args: ["--access-log-sample", "10", "--workers", "1"],
  });
  for (let i = 0; i < 100; i++) await gateway.ask();
  for (let i = 0; i < 10; i++) await gateway.ask("GET", "/", { authorization: "" });
  const refused = await gateway.log(10, (l) => l.s === 401);
  assert.equal(refused.length, 10);
  const passed = await gateway.log(1, (l) => l.s === 200);
  assert.ok(passed.length >= 5 && passed.length <= 20, `${passed.length} of 100`);
});

scenario("/metrics is well formed, counts right and labels nobody", async (cleanup) => {
  const origin = await NodeOrigin.start(cleanup);
  const gateway = await Gateway.start(cleanup, origin.address);
  for (let i = 0; i < 7; i++) await gateway.ask("GET", "/secret-path");
  for (let i = 0; i < 3; i++) await gateway.ask("GET", "/", { authorization: "" });
  const scrape = async () => (await call(gateway.server.door("ops"), "GET", "/metrics")).text;
  const value = (text: string, name: string) =>
    Number(new RegExp(`^${name.replace(/[{}]/g, "\\$&")} (\\S+)$`, "m").exec(text)?.[1]);
  await eventually("all are counted", async () => {
    const text = await scrape();
    return value(text, 'typeauth_exchanges_total{door="proxy",outcome="passed"}') === 7 &&
      value(text, 'typeauth_exchanges_total{door="proxy",outcome="unauthorized"}') === 3;
  });
  const text = await scrape();
  const types = new Map<string, string>();
  const series = new Set<string>();
  let family = "";
  for (const line of text.trimEnd().split("\n")) {
    const [, name, type] = /^# TYPE (\S+) (counter|gauge|histogram)$/.exec(line) ?? [];
    if (name) {
      assert.ok(!types.has(name), `${name} is declared twice`);
      types.set(name, type!);
      family = name;
      continue;
    }
    if (line.startsWith("# HELP ")) continue;
    const [, key, base, , number] = /^(([a-z_]+)(\{[a-z]+="[^"]*"(?:,[a-z]+="[^"]*")*\})?) (\S+)$/.exec(line) ?? [];
    assert.ok(key, `not a sample: ${line}`);
    assert.ok(!series.has(key!), `twice: ${key}`);
    series.add(key!);
    assert.ok(Number.isFinite(Number(number)) || number === "+Inf", line);
    const plain = types.get(family) === "histogram" ? base!.replace(/_(bucket|sum|count)$/, "") : base;
    assert.equal(plain, family, line);
  }
  for (const word of ["127.0.0.1", "tok_", gateway.token.token, "secret-path", gateway.host])
    assert.ok(!text.includes(word), word);
  const described = JSON.parse(
    readFileSync(new URL("../../../api/metrics.json", import.meta.url), "utf8"),
  ).metrics as { name: string; type: string; help: string }[];
  assert.deepEqual(
    described.map((m) => `${m.name} ${m.type}`).sort(),
    [...types].map(([name, type]) => `${name} ${type}`).sort(),
    "api/metrics.json lists what is shown",
  );
  for (const m of described) assert.ok(text.includes(`# HELP ${m.name} ${m.help}\n`), m.name);
});
