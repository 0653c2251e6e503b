// Malformed HTTP: each shape is refused with a closed connection, or Debian's
// nginx and Node behind us see the same requests, and as many of them as our
// access log says (gateway.md §3). nginx shows what it has read by passing it
// on to a recorder.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import {
  Gateway,
  NodeOrigin,
  Nginx,
  RawClient,
  scenario,
  type Cleanup,
  type Recorded,
} from "./harness/index.js";

interface Case {
  verdict: string;
  name: string;
  bytes: Buffer;
}

/** "verdict | name | bytes" a line; see the head of requests.txt. */
function vectors(file: string): Case[] {
  const cases: Case[] = [];
  const path = new URL(`../../vectors/http1/${file}`, import.meta.url);
  for (const line of readFileSync(path, "latin1").split("\n")) {
    const [, verdict, name, text] = /^(\w+) \| (.*?) \| (.*)$/.exec(line) ?? [];
    if (!verdict || line.startsWith("#")) continue;
    const plain: Record<string, string> = { r: "\r", n: "\n", t: "\t", "\\": "\\" };
    const bytes = text!.replace(/\\(x[0-9a-f]{2}|.)/g, (_, e: string) =>
      e[0] === "x" ? String.fromCharCode(parseInt(e.slice(1), 16)) : plain[e]!,
    );
    cases.push({ verdict, name: name!, bytes: Buffer.from(bytes, "latin1") });
  }
  return cases;
}

const chunkHead = Buffer.from(
  "POST / HTTP/1.1\r\nHost: a.example\r\nTransfer-Encoding: chunked\r\n\r\n",
);

/** Shapes whose harm lies behind a whole gateway. */
const smuggling: Case[] = [
  ["400", "TE.CL", "POST / HTTP/1.1\r\nHost: a.example\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n1d\r\nGET /evil HTTP/1.1\r\nX: \r\n\r\n0\r\n\r\n"],
  ["400", "CL.TE", "POST / HTTP/1.1\r\nHost: a.example\r\nTransfer-Encoding: chunked\r\nContent-Length: 6\r\n\r\n0\r\n\r\nG"],
  ["400", "TE.TE in disguise", "POST / HTTP/1.1\r\nHost: a.example\r\nTransfer-Encoding: x, chunked\r\nContent-length: 4\r\n\r\n5c\r\nx\r\n0\r\n\r\n"],
  ["400", "TE behind a space", "POST / HTTP/1.1\r\nHost: a.example\r\nTransfer-Encoding : chunked\r\nContent-Length: 3\r\n\r\nabc"],
  ["400", "CL.0 with a second request in quotes", "POST / HTTP/1.1\r\nHost: a.example\r\nContent-Length: 0, 30\r\n\r\nGET /evil HTTP/1.1\r\nHost: x\r\n\r\n"],
  ["ok", "underscored length is not a length", "POST / HTTP/1.1\r\nHost: a.example\r\nContent_Length: 30\r\nContent-Length: 3\r\n\r\nabc"],
  ["ok", "underscored coding is not a coding", "POST / HTTP/1.1\r\nHost: a.example\r\nTransfer_Encoding: chunked\r\nContent-Length: 3\r\n\r\nabc"],
  ["ok", "length named by Connection", "POST / HTTP/1.1\r\nHost: a.example\r\nConnection: content-length\r\nContent-Length: 3\r\n\r\nabc"],
  ["ok", "a request inside of a body", "POST / HTTP/1.1\r\nHost: a.example\r\nContent-Length: 33\r\n\r\nGET /evil HTTP/1.1\r\nHost: a.b\r\n\r\n\r"],
  ["ok", "a method that looks like two lines", "POST /?x=%0d%0aGET%20/evil HTTP/1.1\r\nHost: a.example\r\nContent-Length: 0\r\n\r\n"],
  ["ok", "dot segments stay as they are", "GET /a/../b/./c//d HTTP/1.1\r\nHost: a.example\r\n\r\n"],
  ["ok", "a chunk that ends like a message", "POST / HTTP/1.1\r\nHost: a.example\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n0\r\n\r\n\r\n0\r\n\r\nGET /2 HTTP/1.1\r\nHost: a.example\r\n\r\n"],
].map(([verdict, name, text]) => ({
  verdict: verdict!,
  name: name!,
  bytes: Buffer.from(text!, "latin1"),
}));

/** Fields that differ by nature, and those in which nginx words its framing. */
const varying = new Set([
  "host", "connection", "content-length", "transfer-encoding", "x-request-id",
  "x-typeauth-application", "upgrade", "expect",
]);

function essence(r: Recorded): string {
  const fields: string[] = [];
  for (let i = 0; i < r.rawHeaders.length; i += 2)
    if (!varying.has(r.rawHeaders[i]!.toLowerCase()))
      fields.push(`${r.rawHeaders[i]}: ${r.rawHeaders[i + 1]}`);
  return JSON.stringify([r.method, r.target, fields.sort(), r.body.toString("latin1")]);
}

/** A gateway in front of one kind of origin. */
class Side {
  /** Passed requests as the origin saw them, over all cases. */
  readonly all: Recorded[] = [];
  /** Of those that the origin itself refused. */
  refusedThere = 0;

  constructor(
    readonly gateway: Gateway,
    readonly recorder: NodeOrigin,
  ) {}

  static async start(cleanup: Cleanup, recorder: NodeOrigin, origin: NodeOrigin | Nginx) {
    const gateway = await Gateway.start(cleanup, origin.address, {
      profile: null,
      application: { domain: "a.example" },
      args: ["--workers", "1"],
    });
    for (const domain of ["a", "b.example"])
      await gateway.server.api.application(`also ${domain}`, origin.address, undefined, { domain });
    return new Side(gateway, recorder);
  }

  /** Sends the bytes; what the origin saw and what came back. */
  async play(cleanup: Cleanup, bytes: Buffer, finish: boolean) {
    const begin = this.recorder.requests.length;
    const client = await RawClient.open(cleanup, this.gateway.address);
    // A refusal may close while we still write.
    await client.send(bytes).catch(() => {});
    if (finish) client.finish();
    const came = (await client.untilClosed(5000)).toString("latin1");
    const statuses = [...came.matchAll(/HTTP\/1\.1 (\d{3}) [^]*?\r\n\r\n(.?)/g)]
      .filter(([, status]) => Number(status) >= 200)
      .map(([, status, first]) => ({ status: Number(status), ours: first === "{" }));
    const seen = this.recorder.requests.slice(begin);
    this.all.push(...seen);
    this.refusedThere += statuses.filter((s) => s.status >= 400 && !s.ours).length;
    return { statuses, seen: seen.map(essence), refused: statuses.some((s) => s.status >= 400 && !s.ours) };
  }

  /** The access log tells of every request that passed, in order. */
  async check(): Promise<void> {
    const passed = this.all.length + this.refusedThere;
    let lines = await this.gateway.log(passed, (l) => l.o === undefined);
    assert.equal(lines.length, passed, "requests that passed");
    if (this.refusedThere > 0) lines = lines.filter((l) => l.s < 400);
    const told = lines.map((l) => `${l.m} ${l.p}`);
    assert.deepEqual(told, this.all.map((r) => `${r.method} ${r.target.replace(/\?[^]*/, "")}`));
  }
}

async function sides(cleanup: Cleanup): Promise<[Side, Side]> {
  const behind = await NodeOrigin.start(cleanup);
  const nginx = await Nginx.start(
    cleanup,
    `underscores_in_headers on;
    ignore_invalid_headers off;
    keepalive_requests 100000;
    client_body_buffer_size 64k;
    location / {
      proxy_http_version 1.1;
      proxy_pass http://${behind.address.host}:${behind.address.port};
    }`,
  );
  const direct = await NodeOrigin.start(cleanup);
  const pair: [Side, Side] = [
    await Side.start(cleanup, behind, nginx),
    await Side.start(cleanup, direct, direct),
  ];
  behind.requests.length = 0; // of nginx's start
  return pair;
}

// What our grammar lets pass and an origin refuses for reasons of its own.
const refusedThere = new Map([
  ["lower-case method is another one, SE 9.1", "both know upper-case only"],
  ["options asterisk, H1 3.2.4", "nginx has no such resource"],
]);

scenario("the corpus is refused with a close, or read alike by nginx and Node", async (cleanup) => {
  const [nginx, node] = await sides(cleanup);
  const chunks = vectors("chunks.txt").map((c) => ({
    ...c,
    verdict: c.verdict === "bad" ? "400" : c.verdict,
    bytes: Buffer.concat([chunkHead, c.bytes]),
  }));
  const cases = [...vectors("requests.txt"), ...chunks, ...smuggling];
  assert.ok(cases.length > 150);
  for (const { verdict, name, bytes } of cases) {
    const good = verdict === "ok";
    const a = await nginx.play(cleanup, bytes, good || verdict === "wait");
    const b = await node.play(cleanup, bytes, good || verdict === "wait");
    for (const { statuses, seen, refused } of [a, b])
      if (good) {
        assert.ok(statuses.length > 0, `${name}: no answer`);
        assert.ok(!refused || refusedThere.has(name), `${name}: ${JSON.stringify(statuses)}`);
      } else if (verdict === "wait") {
        assert.deepEqual([statuses, seen], [[], []], name);
      } else {
        assert.deepEqual([statuses.map((s) => s.status), seen], [[Number(verdict)], []], name);
      }
    if (!a.refused && !b.refused) assert.deepEqual(a.seen, b.seen, name);
  }
  await nginx.check();
  await node.check();
  assert.ok(node.all.every((r) => !r.target.includes("/evil") || r.target.startsWith("/?")));
});

/** Numbers that are the same in every run (xorshift32). */
function dice(seed: number): (below: number) => number {
  return (below) => {
    seed ^= seed << 13;
    seed ^= seed >>> 17;
    seed ^= seed << 5;
    return (seed >>> 0) % below;
  };
}

const splices = ["\r\n", "\n", "\r", "\0", " ", "\t", ":", ",", "0", "Content-Length: 1\r\n", "Transfer-Encoding: chunked\r\n", "\r\n\r\n", "\x0b", "%", ";", "/"];

scenario("truncated, flipped and spliced requests are refused or read alike", async (cleanup) => {
  const [nginx, node] = await sides(cleanup);
  const good = [
    ...vectors("requests.txt"),
    ...vectors("chunks.txt").map((c) => ({ ...c, bytes: Buffer.concat([chunkHead, c.bytes]) })),
    ...smuggling,
  ].filter((c) => c.verdict === "ok" && !refusedThere.has(c.name));
  const roll = dice(20240611);
  let passed = 0;
  for (let i = 0; i < 500; i++) {
    const { name, bytes } = good[roll(good.length)]!;
    let changed = Buffer.from(bytes);
    const at = roll(bytes.length);
    const how = i % 4;
    if (how === 0) changed = changed.subarray(0, at);
    else if (how < 3) changed[at]! ^= 1 << roll(8);
    else {
      const splice = Buffer.from(splices[roll(splices.length)]!, "latin1");
      changed = Buffer.concat([changed.subarray(0, at), splice, changed.subarray(at)]);
    }
    const a = await nginx.play(cleanup, changed, true);
    const b = await node.play(cleanup, changed, true);
    const what = `${i}: ${name}: ${JSON.stringify(changed.toString("latin1"))}`;
    if (!a.refused && !b.refused) assert.deepEqual(a.seen, b.seen, what);
    passed += a.seen.length;
  }
  assert.ok(passed > 50, `only ${passed} passed: the test tests little`);
  await nginx.check();
  await node.check();
});
