// Exports (docs/exports.md): OTLP metrics and traces, judged by OpenTelemetry's
// own message types; W3C trace context; the access log to syslog and HTTP; and
// collectors that are dead while traffic goes on.
import assert from "node:assert/strict";
import { createServer, type IncomingHttpHeaders } from "node:http";
import { createServer as createTcp, type AddressInfo, type Socket } from "node:net";
import { createSocket } from "node:dgram";
import { spawn } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { NodeOrigin, Server, call, eventually, memory_KiB, scenario } from "./harness/index.js";

type Own = Parameters<Parameters<typeof scenario>[1]>[0];

// The messages of opentelemetry-proto, as its own package has them.
const { opentelemetry } = createRequire(import.meta.url)("@opentelemetry/otlp-transformer/build/src/generated/root");
const types = {
  "/v1/traces": opentelemetry.proto.collector.trace.v1.ExportTraceServiceRequest,
  "/v1/metrics": opentelemetry.proto.collector.metrics.v1.ExportMetricsServiceRequest,
} as Record<string, any>;

/** JSON of OTLP has ids as hex where protobuf's has base64. */
function withBytes(value: any): any {
  if (Array.isArray(value)) return value.map(withBytes);
  if (value === null || typeof value !== "object") return value;
  return Object.fromEntries(Object.entries(value).map(([name, inner]) => {
    const id = ["traceId", "spanId", "parentSpanId"].includes(name);
    if (id) assert.match(String(inner), name === "traceId" ? /^[0-9a-f]{32}$/ : /^[0-9a-f]{16}$/);
    return [name, id ? Buffer.from(String(inner), "hex").toString("base64") : withBytes(inner)];
  }));
}

/** Every member is a field of the message, with a value that it may have. */
function understood(path: string, document: any): void {
  const type = types[path];
  const asked = withBytes(document);
  const message = type.fromObject(asked);
  assert.equal(type.verify(message), null);
  const again = type.toObject(type.decode(type.encode(message).finish()), { longs: String, bytes: String, defaults: false, arrays: false });
  assert.deepEqual(plain(again), plain(asked), "nothing is lost on the wire");
}
/** Defaults are not sent: 0, "", empty lists and messages. */
function plain(value: any): any {
  if (Array.isArray(value)) return value.map(plain);
  if (value === null || typeof value !== "object") return value;
  const out: Record<string, any> = {};
  for (const [name, inner] of Object.entries(value)) {
    const p = plain(inner);
    const kept = ["asInt", "asDouble", "stringValue", "intValue", "sum", "status"].includes(name);
    if (!kept && (p === 0 || p === "" || p === "0" || p === false || (Array.isArray(p) && !p.length))) continue;
    out[name] = name === "asInt" || name === "intValue" ? String(p) : p;
  }
  return out;
}

interface Document { path: string; body: any; headers: IncomingHttpHeaders }

/** An OTLP receiver; `answer` says with which status. */
async function collector(cleanup: Own, answer: () => number = () => 200) {
  const got: Document[] = [];
  const server = createServer((request, response) => {
    const parts: Buffer[] = [];
    request.on("data", (part) => parts.push(part));
    request.on("end", () => {
      const status = answer();
      if (status === 200)
        got.push({ path: request.url!, body: JSON.parse(Buffer.concat(parts).toString()), headers: request.headers });
      response.writeHead(status, { "content-type": "application/json" }).end("{}");
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  cleanup.add(() => new Promise((resolve) => { server.closeAllConnections(); server.close(resolve); }));
  const spans = () => got.filter((d) => d.path === "/v1/traces")
    .flatMap((d) => d.body.resourceSpans[0].scopeSpans[0].spans);
  return { got, spans, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` };
}

const attribute = (span: any, key: string) => {
  const value = span.attributes.find((a: any) => a.key === key)?.value;
  return value?.stringValue ?? value?.intValue;
};
const metricsOf = async (server: Server) => (await call(server.door("ops"), "GET", "/metrics")).text;
async function figure(server: Server, row: string): Promise<number> {
  const line = (await metricsOf(server)).split("\n").find((l) => l.startsWith(`${row} `));
  assert.ok(line, `${row} is not in /metrics`);
  return Number(line.split(" ")[1]);
}

scenario("every metric of /metrics reaches the collector and is understood", async (cleanup) => {
  const { got, url } = await collector(cleanup);
  const directory = await mkdtemp(join(tmpdir(), "typeauth-otlp-"));
  cleanup.add(() => rm(directory, { recursive: true, force: true }));
  const headers = join(directory, "headers");
  await writeFile(headers, "# for the collector\nAuthorization: Bearer of the collector\n");
  const server = await Server.start(cleanup, { args: [
    "--otlp-endpoint", url, "--otlp-headers-file", headers, "--otlp-interval", "1",
    "--otlp-service", "edge-7", "--otlp-resource", "deployment.environment=test",
  ] });
  const origin = await NodeOrigin.start(cleanup);
  const app = await server.api.application("shop", origin.address);
  for (let i = 0; i < 5; i++)
    assert.equal((await call(server.door("gateway"), "GET", "/", { host: app.domain })).status, 200);
  const metrics = () => got.filter((d) => d.path === "/v1/metrics");
  const passed = () => metrics().at(-1)?.body.resourceMetrics[0].scopeMetrics[0].metrics
    .find((m: any) => m.name === "typeauth_exchanges_total")?.sum.dataPoints
    .find((p: any) => p.attributes.some((a: any) => a.value.stringValue === "proxy") && p.attributes.some((a: any) => a.value.stringValue === "passed"))?.asInt;
  await eventually("the five are told", () => passed() === "5");
  const document = metrics().at(-1)!;
  understood("/v1/metrics", document.body);
  assert.equal(document.headers["authorization"], "Bearer of the collector");
  const { resource, scopeMetrics: [{ metrics: told }] } = document.body.resourceMetrics[0];
  assert.deepEqual(resource.attributes.slice(0, 1), [{ key: "service.name", value: { stringValue: "edge-7" } }]);
  assert.deepEqual(resource.attributes.at(-1), { key: "deployment.environment", value: { stringValue: "test" } });
  const text = await metricsOf(server); // a type without a sample is told to nobody
  const names = [...text.matchAll(/^# TYPE (\S+) (\S+)\n(?!#|$)/gm)].map(([, name, type]) => [name, type]);
  assert.deepEqual(told.map((m: any) => [m.name, m.sum ? "counter" : m.histogram ? "histogram" : "gauge"]), names);
  for (const m of told)
    for (const point of (m.sum ?? m.gauge ?? m.histogram).dataPoints) {
      assert.ok(BigInt(point.startTimeUnixNano) <= BigInt(point.timeUnixNano));
      if (!m.histogram) continue;
      assert.equal(point.bucketCounts.length, point.explicitBounds.length + 1);
      assert.equal(point.bucketCounts.reduce((a: number, b: string) => a + Number(b), 0), Number(point.count));
    }
  const logs = server.log.join("\n");
  assert.ok(!logs.includes("of the collector"), "no header of the file is logged");
});

scenario("traceparent is taken over, told to the origin, and both spans are exported", async (cleanup) => {
  const { got, spans, url } = await collector(cleanup);
  const server = await Server.start(cleanup, { args: ["--otlp-endpoint", url, "--trace-sample", "0"] });
  const seen: IncomingHttpHeaders[] = [];
  const origin = await NodeOrigin.start(cleanup, (request, response) => {
    seen.push(request.headers);
    response.end("ok");
  });
  const app = await server.api.application("shop", origin.address, {});
  const [token] = await server.api.tokens(app.id);
  const trace = "0af7651916cd43dd8448eb211c80319c", parent = "b7ad6b7169203331";
  const ask = (headers: Record<string, string>) =>
    call(server.door("gateway"), "GET", "/a?b", { host: app.domain, authorization: `Bearer ${token.token}`, ...headers });
  const answer = await ask({ traceparent: `00-${trace}-${parent}-01`, tracestate: "rojo=00f067aa0ba902b7,congo=t61rcWkgMzE" });
  assert.equal(answer.status, 200);
  await eventually("two spans come", () => spans().length === 2);
  for (const d of got.filter((d) => d.path === "/v1/traces")) understood("/v1/traces", d.body);
  const [server_span, client_span] = spans();
  assert.equal(server_span.traceId, trace);
  assert.equal(server_span.parentSpanId, parent);
  assert.equal(server_span.kind, 2);
  assert.equal(client_span.kind, 3);
  assert.equal(client_span.parentSpanId, server_span.spanId);
  assert.equal(seen[0]!["traceparent"], `00-${trace}-${client_span.spanId}-01`);
  assert.equal(seen[0]!["tracestate"], "rojo=00f067aa0ba902b7,congo=t61rcWkgMzE");
  assert.equal(attribute(server_span, "typeauth.request_id"), answer.headers["x-request-id"]);
  assert.equal(attribute(server_span, "http.response.status_code"), "200");
  assert.ok(server_span.events.length > 0, "its checks are events");
  assert.ok(BigInt(client_span.endTimeUnixNano) <= BigInt(server_span.endTimeUnixNano));

  // not sampled: passed on as such, and not exported
  await ask({ traceparent: `00-${trace}-${parent}-00` });
  assert.match(String(seen[1]!["traceparent"]), new RegExp(`^00-${trace}-[0-9a-f]{16}-00$`));
  // malformed: another trace, and no state
  for (const bad of [`00-${trace}-${parent}-1`, `00-${trace.toUpperCase()}-${parent}-01`, `ff-${trace}-${parent}-01`,
    `00-${"0".repeat(32)}-${parent}-01`, `00-${trace}-${"0".repeat(16)}-01`, `00-${trace}-${parent}-01-x`, "x"]) {
    await ask({ traceparent: bad, tracestate: "rojo=1" });
    const told = seen.at(-1)!;
    assert.match(String(told["traceparent"]), /^00-[0-9a-f]{32}-[0-9a-f]{16}-00$/, bad);
    assert.ok(!String(told["traceparent"]).includes(trace), bad);
    assert.equal(told["tracestate"], undefined, bad);
  }
  await ask({ traceparent: `00-${trace}-${parent}-00`, tracestate: "no equals sign" });
  assert.equal(seen.at(-1)!["tracestate"], undefined);
  assert.equal(spans().length, 2, "nothing else was sampled");
});

scenario("without a collector trace context passes through untouched", async (cleanup) => {
  const server = await Server.start(cleanup);
  const seen: IncomingHttpHeaders[] = [];
  const origin = await NodeOrigin.start(cleanup, (request, response) => {
    seen.push(request.headers);
    response.end("ok");
  });
  const app = await server.api.application("shop", origin.address);
  await call(server.door("gateway"), "GET", "/", { host: app.domain, traceparent: "anything", tracestate: "at all" });
  assert.equal(seen[0]!["traceparent"], "anything");
  assert.equal(seen[0]!["tracestate"], "at all");
});

scenario("a refusal is a span of its own trace, with its reason", async (cleanup) => {
  const { spans, url } = await collector(cleanup);
  const server = await Server.start(cleanup, { args: ["--otlp-endpoint", url, "--trace-sample", "1"] });
  const origin = await NodeOrigin.start(cleanup);
  const app = await server.api.application("shop", origin.address, {});
  assert.equal((await call(server.door("gateway"), "GET", "/", { host: app.domain })).status, 401);
  await eventually("its span comes", () => spans().length === 1);
  assert.equal(attribute(spans()[0], "error.type"), "missing_token");
  assert.equal(spans()[0].parentSpanId, undefined);
});

scenario("a dead collector delays nobody and its figures are exact", async (cleanup) => {
  let up = false;
  const { spans, url } = await collector(cleanup, () => (up ? 200 : 503));
  const server = await Server.start(cleanup, { args: ["--otlp-endpoint", url, "--trace-sample", "1", "--traces", "100", "--otlp-interval", "1"] });
  const origin = await NodeOrigin.start(cleanup);
  const app = await server.api.application("shop", origin.address);
  const load = async (n: number) => {
    for (let i = 0; i < n; i++)
      assert.equal((await call(server.door("gateway"), "GET", "/", { host: app.domain })).status, 200);
  };
  const began = Date.now();
  await load(50);
  await eventually("it failed", async () => (await figure(server, 'typeauth_push_failures_total{signal="traces"}')) > 0);
  const before = await memory_KiB(server.pid);
  await Promise.all(Array.from({ length: 10 }, () => load(150))); // more than rings hold between two rounds
  assert.ok((await memory_KiB(server.pid)) < before + 4096, "memory does not grow");
  up = true;
  const traces = () => new Set(spans().map((s: any) => s.traceId)).size;
  // given up by the export, or before it: no room between two rounds of the journal
  const lost = async () => await figure(server, 'typeauth_push_dropped_total{signal="traces"}') +
    await figure(server, 'typeauth_traces_total{state="dropped"}');
  // Pauses double, between half and all of each: the one under way is at most
  // twice as long as the outage was.
  await eventually("all are told or counted", async () => traces() + await lost() === 1550, 10_000 + 2 * (Date.now() - began));
  assert.ok(traces() >= 100, "the keep itself is told");
});

const lostAtTheEnd = (server: Server) =>
  Number(/collector \(traces\): (\d+) were lost at the end/.exec(server.log.join("\n"))?.[1] ?? 0);

scenario("a stop sends the last spans and figures", async (cleanup) => {
  const { got, spans, url } = await collector(cleanup);
  const server = await Server.start(cleanup, { args: ["--otlp-endpoint", url, "--trace-sample", "1", "--otlp-interval", "3600"] });
  const origin = await NodeOrigin.start(cleanup);
  const app = await server.api.application("shop", origin.address, {});
  await eventually("the first figures are sent", () => got.some((d) => d.path === "/v1/metrics"));
  for (let i = 0; i < 150; i++)
    assert.equal((await call(server.door("gateway"), "GET", "/", { host: app.domain })).status, 401);
  await server.stop();
  assert.equal(new Set(spans().map((s: any) => s.traceId)).size, 150);
  const told = got.filter((d) => d.path === "/v1/metrics");
  assert.equal(told.length, 2);
  const refused = told.at(-1)!.body.resourceMetrics[0].scopeMetrics[0].metrics
    .find((m: any) => m.name === "typeauth_exchanges_total").sum.dataPoints
    .filter((p: any) => p.attributes.some((a: any) => a.value.stringValue === "proxy"))
    .reduce((sum: number, p: any) => sum + Number(p.asInt), 0);
  assert.equal(refused, 150);
  assert.equal(lostAtTheEnd(server), 0);
});

scenario("a stop waits a second for a collector that hangs, and tells what was lost", async (cleanup) => {
  const silent = createTcp(() => {});
  await new Promise<void>((resolve) => silent.listen(0, "127.0.0.1", resolve));
  cleanup.add(() => { silent.close(); });
  const url = `http://127.0.0.1:${(silent.address() as AddressInfo).port}`;
  const server = await Server.start(cleanup, { args: ["--otlp-endpoint", url, "--trace-sample", "1"] });
  const origin = await NodeOrigin.start(cleanup);
  const app = await server.api.application("shop", origin.address, {});
  for (let i = 0; i < 20; i++)
    assert.equal((await call(server.door("gateway"), "GET", "/", { host: app.domain })).status, 401);
  const began = Date.now();
  await server.stop();
  const took = Date.now() - began;
  assert.ok(took < 10_000, `${took} ms`);
  const lost = [...server.log.join("\n").matchAll(/collector \(traces\): (\d+) were lost at the end/g)];
  assert.equal(lost.reduce((sum, [, n]) => sum + Number(n), 0), 20);
});

/** Takes datagrams or octet-counted messages. */
const syslog = /^<134>1 \d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z \S+ typeauth \d+ access - (\{.*\})$/;

scenario("the access log goes to syslog by UDP and by TCP", async (cleanup) => {
  const udp = createSocket("udp4"), lines: string[] = [];
  udp.on("message", (m) => lines.push(m.toString()));
  await new Promise<void>((resolve) => udp.bind(0, "127.0.0.1", resolve));
  cleanup.add(() => { udp.close(); });
  const stream: Buffer[] = [], sockets: Socket[] = [];
  const tcp = createTcp((socket) => { sockets.push(socket); socket.on("data", (d) => stream.push(d)).on("error", () => {}); });
  await new Promise<void>((resolve) => tcp.listen(0, "127.0.0.1", resolve));
  cleanup.add(() => { tcp.close(); for (const s of sockets) s.destroy(); });
  const octets = () => {
    const out: string[] = [];
    for (let rest = Buffer.concat(stream); rest.length;) {
      const space = rest.indexOf(" "), n = Number(rest.subarray(0, space).toString());
      assert.ok(n > 0, "octet counted");
      if (rest.length < space + 1 + n) break;
      out.push(rest.subarray(space + 1, space + 1 + n).toString());
      rest = rest.subarray(space + 1 + n);
    }
    return out;
  };
  for (const [to, got] of [
    [`syslog+udp://127.0.0.1:${udp.address().port}`, () => lines],
    [`syslog+tcp://127.0.0.1:${(tcp.address() as AddressInfo).port}`, octets],
  ] as [string, () => string[]][]) {
    const server = await Server.start(cleanup, { args: ["--access-log", to] });
    await call(server.door("gateway"), "GET", "/x", { host: "nobody.example" });
    await eventually(`a line comes to ${to}`, () => got().some((l) => l.includes('"p":"/x"')));
    for (const line of got()) JSON.parse(syslog.exec(line)![1]!);
    await server.kill();
  }
});

/** What listens at /dev/log: node has no datagrams of that family. A line of
 * JSON for each datagram. */
const unixReceiver = `
import json, os, socket, sys
path = sys.argv[1]
if os.path.exists(path): os.unlink(path)
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.bind(path)
print(json.dumps("listening"), flush=True)
while True: print(json.dumps(s.recv(65536).decode()), flush=True)
`;
async function unixLog(cleanup: Own, path: string) {
  const child = spawn("python3", ["-c", unixReceiver, path], { stdio: ["ignore", "pipe", "inherit"] });
  const ended = new Promise<void>((resolve) => child.once("exit", () => resolve()));
  const kill = () => { child.kill("SIGKILL"); return ended; };
  cleanup.add(kill);
  let text = "";
  child.stdout.on("data", (part) => { text += part; });
  const datagrams = () => text.split("\n").slice(0, -1).map((l) => JSON.parse(l) as string);
  await eventually("it listens", () => datagrams().length > 0);
  return { lines: () => datagrams().slice(1), kill };
}

scenario("the access log goes to a unix socket, and waits while nobody listens there", async (cleanup) => {
  const directory = await mkdtemp(join(tmpdir(), "typeauth-log-"));
  cleanup.add(() => rm(directory, { recursive: true, force: true }));
  const path = join(directory, "log");
  const first = await unixLog(cleanup, path);
  const server = await Server.start(cleanup, { args: ["--access-log", `syslog:${path}`] });
  const ask = (target: string) => call(server.door("gateway"), "GET", target, { host: "nobody.example" });
  const asked = (lines: string[], what: string) =>
    lines.map((l) => String(JSON.parse(syslog.exec(l)![1]!).p)).filter((p) => p.startsWith(what)); // /metrics is a line as well
  const long = `/long/${"x".repeat(3000)}`;
  await ask("/first");
  await ask(long);
  await eventually("they come", () => asked(first.lines(), "/first").length + asked(first.lines(), "/long").length === 2);
  assert.ok(long.startsWith(asked(first.lines(), "/long")[0]!.slice(0, 100)), "a datagram a line, however long");

  await first.kill(); // as a logger that is started anew
  const later = Array.from({ length: 20 }, (_, i) => `/later/${i}`);
  for (const target of later) assert.equal((await ask(target)).status, 404);
  await eventually("it was told", () => server.log.some((l) => l.includes("access log to syslog:")));
  const second = await unixLog(cleanup, path);
  await eventually("nothing was lost", () => asked(second.lines(), "/later").length === 20);
  assert.deepEqual(asked(second.lines(), "/later").sort(), later.sort(), "nor twice");
  assert.equal(server.log.filter((l) => l.includes("access log to syslog:")).length, 1, "told once");
  assert.ok(await figure(server, "typeauth_log_push_errors_total") > 0);
  assert.ok(await figure(server, "typeauth_log_push_lines_total") >= 22);
});

scenario("the access log goes to HTTP in batches, and what a dead one misses is counted", async (cleanup) => {
  const got: any[] = [];
  let up = true;
  const sink = createServer((request, response) => {
    const parts: Buffer[] = [];
    request.on("data", (part) => parts.push(part));
    request.on("end", () => {
      if (up) got.push(...Buffer.concat(parts).toString().trimEnd().split("\n").map((l) => JSON.parse(l)));
      assert.equal(request.headers["content-type"], "application/x-ndjson");
      response.writeHead(up ? 204 : 503).end();
    });
  });
  await new Promise<void>((resolve) => sink.listen(0, "127.0.0.1", resolve));
  cleanup.add(() => new Promise((resolve) => { sink.closeAllConnections(); sink.close(resolve); }));
  const server = await Server.start(cleanup, { args: ["--access-log", `http://127.0.0.1:${(sink.address() as AddressInfo).port}/logs`] });
  const ask = (path: string) => call(server.door("gateway"), "GET", path, { host: "nobody.example" });
  for (let i = 0; i < 30; i++) await ask("/first");
  await eventually("they come", () => got.filter((l) => l.p === "/first").length === 30);
  up = false;
  for (let i = 0; i < 30; i++) assert.equal((await ask("/later")).status, 404);
  await eventually("it failed", async () => (await figure(server, 'typeauth_push_failures_total{signal="logs"}')) > 0);
  up = true;
  await eventually("nothing was lost", () => got.filter((l) => l.p === "/later").length === 30);
  assert.equal(await figure(server, 'typeauth_push_dropped_total{signal="logs"}'), 0);

  for (let i = 0; i < 30; i++) await ask("/last");
  await server.stop();
  assert.equal(got.filter((l) => l.p === "/last").length, 30, "a stop sends what is there");
});

scenario("a stop counts the lines that a dead collector did not take", async (cleanup) => {
  const sink = createServer((_, response) => { response.writeHead(503).end(); });
  await new Promise<void>((resolve) => sink.listen(0, "127.0.0.1", resolve));
  cleanup.add(() => new Promise((resolve) => { sink.closeAllConnections(); sink.close(resolve); }));
  const server = await Server.start(cleanup, { args: ["--access-log", `http://127.0.0.1:${(sink.address() as AddressInfo).port}/logs`] });
  for (let i = 0; i < 30; i++) await call(server.door("gateway"), "GET", "/", { host: "nobody.example" });
  const began = Date.now();
  await server.stop();
  assert.ok(Date.now() - began < 10_000, "it does not wait for the dead");
  const lost = server.log.map((l) => Number(/(\d+) (?:lines )?were lost at the end/.exec(l)?.[1] ?? 0));
  assert.equal(lost.reduce((a, b) => a + b), 30);
});
