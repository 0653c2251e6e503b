// Request bodies that a check judges: held up to inspectBytes, then on their
// way (gateway.md §3). The check here is the WAF, noting only, or refusing.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { request } from "node:http";
import { Gateway, NodeOrigin, TcpOrigin, deadline, eventually, feed, memory_KiB, pattern, sanitized, scenario, type Cleanup, type GatewayOptions } from "./harness/index.js";

async function start(cleanup: Cleanup, origin: { address: any }, waf: object, options: GatewayOptions = {}): Promise<Gateway> {
  const gateway = await Gateway.start(cleanup, origin.address, options);
  const { api } = gateway.server;
  const [profile] = await api.create("security/create", { name: "edge", waf });
  const done = await api.patch(`applications/${gateway.application.id}`, { security_id: profile.id });
  assert.equal(done.status, 200, done.text);
  return gateway;
}

/** A body of `pattern`, announced or in chunks. */
function upload(gateway: Gateway, size: number, announced: boolean): Promise<{ status: number; text: string }> {
  return deadline(60_000, "an upload", new Promise((resolve, reject) => {
    const asked = request({
      ...gateway.address, agent: false, method: "POST", path: "/in",
      headers: { ...gateway.headers, "content-type": "application/octet-stream", accept: "*/*", "user-agent": "Mozilla/5.0", ...(announced ? { "content-length": size } : {}) },
    }, (answer) => {
      let text = "";
      answer.setEncoding("utf8").on("data", (part) => (text += part));
      answer.on("end", () => resolve({ status: answer.statusCode!, text }));
    });
    asked.on("error", reject);
    feed(asked, size, () => {});
  }));
}

/** Answers with the digest of what came. */
const digests = (cleanup: Cleanup) =>
  NodeOrigin.start(cleanup, (asked, answer) => {
    const hash = createHash("sha256");
    asked.on("data", (part: Buffer) => hash.update(part));
    asked.on("end", () => answer.end(hash.digest("hex")));
  });

scenario("bodies below, at and above the limit arrive byte for byte", async (cleanup) => {
  const gateway = await start(cleanup, await digests(cleanup), { mode: "detect", inspectBytes: 100_000 });
  const before = await memory_KiB(gateway.server.pid);
  for (const size of [1, 16_384, 99_999, 100_000, 100_001, 300_000, 32 << 20])
    for (const announced of [true, false]) {
      const got = await upload(gateway, size, announced);
      assert.equal(got.status, 200, got.text);
      assert.equal(got.text, pattern(size), `${size} bytes, ${announced ? "announced" : "in chunks"}`);
    }
  const grown = (await memory_KiB(gateway.server.pid)) - before;
  assert.ok(sanitized || grown < 48 << 10, `${grown} KiB more`); // with the engine and its rules
});

scenario("nothing of a held body reaches the origin before its verdict", async (cleanup) => {
  const origin = await NodeOrigin.start(cleanup);
  const gateway = await start(cleanup, origin, { mode: "block", inspectBytes: 1024 });
  const client = await gateway.raw();
  await client.send(gateway.head("POST /in HTTP/1.1", ["User-Agent: Mozilla/5.0", "Accept: */*", "Content-Type: text/plain", "Content-Length: 10"]) + "hello");
  await new Promise((resolve) => setTimeout(resolve, 200)); // what must not come has time to
  assert.equal(origin.connections, 0);
  await client.send("hello");
  assert.equal((await client.read("POST")).status, 200);
  assert.equal(origin.requests.at(-1)!.body.toString(), "hellohello");
});

scenario("what is longer, or encoded, is refused where the profile refuses", async (cleanup) => {
  const origin = await NodeOrigin.start(cleanup);
  // the rules would mind Content-Encoding by themselves
  const gateway = await start(cleanup, origin, { mode: "block", inspectBytes: 1024, threshold: 100 });
  const fields = { "user-agent": "Mozilla/5.0", accept: "*/*", "content-type": "text/plain" };
  const table: [string, Record<string, string>, string, number, string | undefined][] = [
    ["as long as may be", {}, "a".repeat(1024), 200, undefined],
    ["longer", {}, "a".repeat(1025), 413, "body_too_large"],
    ["encoded", { "content-encoding": "gzip" }, "aaaa", 415, "unsupported_encoding"],
    ["not encoded, in so many words", { "content-encoding": "identity" }, "aaaa", 200, undefined],
  ];
  for (const [what, more, body, status, code] of table) {
    const answer = await gateway.ask("POST", "/in", { ...fields, ...more }, body);
    assert.equal(answer.status, status, `${what}: ${answer.text}`);
    if (code) assert.equal(answer.json.error?.code, code, what);
  }
  assert.equal(origin.requests.length, 2);
});

scenario("Expect is answered by the gateway, and HTTP/1.0 is served", async (cleanup) => {
  const origin = await TcpOrigin.answering(cleanup, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
  const gateway = await start(cleanup, origin, { mode: "detect" });
  const client = await gateway.raw();
  await client.send(gateway.head("POST /in HTTP/1.1", ["Expect: 100-continue", "Content-Length: 2"]));
  assert.equal((await client.read("POST")).status, 100);
  assert.equal(origin.sockets.length, 0, "the origin was not asked");
  await client.send("hi");
  assert.equal((await client.read("POST")).status, 200);
  const old = await gateway.once(gateway.head("POST /in HTTP/1.0", ["Content-Length: 2"]) + "hi", "POST");
  assert.equal(old.status, 200);
});

scenario("a client that stalls in a body that is judged is dropped as any other", async (cleanup) => {
  const origin = await NodeOrigin.start(cleanup);
  const gateway = await start(cleanup, origin, { mode: "block" }, { args: ["--body-min-rate", "100000"] });
  const client = await gateway.raw();
  await client.send(gateway.head("POST /in HTTP/1.1", ["Content-Length: 100"]) + "a");
  const answer = await client.read("POST", 40_000);
  assert.equal(answer.status, 408);
  assert.equal(origin.connections, 0);
});

scenario("held bodies share a bound: what finds no room is not judged", async (cleanup) => {
  const origin = await NodeOrigin.start(cleanup);
  const gateway = await start(cleanup, origin, { mode: "block", inspectBytes: 4 << 20 }, { args: ["--inspect-memory-bytes", String(1 << 20)] });
  const holders = [];
  for (let i = 0; i < 100; i++) { // who finds no room is refused: the others hold it
    const client = await gateway.raw();
    await client.send(gateway.head("POST /in HTTP/1.1", ["Content-Type: text/plain", `Content-Length: ${2 << 20}`]));
    await client.send(Buffer.alloc(15_000, "a"));
    holders.push(client);
  }
  const small = () => gateway.ask("POST", "/in", { "user-agent": "Mozilla/5.0", accept: "*/*", "content-type": "text/plain" }, "hello");
  await eventually("the bound is reached", async () => (await small()).status === 503);
  assert.equal((await small()).json.error?.code, "check_unavailable");
  assert.equal((await gateway.ask("GET", "/", { "user-agent": "Mozilla/5.0", accept: "*/*" })).status, 200, "without a body");
  for (const client of holders) client.reset();
  await eventually("there is room again", async () => (await small()).status === 200);
});
