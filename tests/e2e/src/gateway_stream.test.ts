// Bodies of any size in bounded memory: back-pressure both ways
// (gateway.md §3), and what a client or an origin that stops halfway gets.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { request, type IncomingMessage } from "node:http";
import {
  Gateway,
  NodeOrigin,
  TcpOrigin,
  deadline,
  eventually,
  feed,
  memory_KiB,
  onHeads,
  pattern,
  scenario,
} from "./harness/index.js";

const size = 64 << 20;

scenario("64 MiB download to a slow reader: bounded memory, exact bytes", async (cleanup) => {
  let written = 0;
  const origin = await NodeOrigin.start(cleanup, (asked, answer) => {
    asked.resume();
    answer.writeHead(200, asked.url === "/length" ? { "content-length": size } : {});
    feed(answer, size, (n) => (written += n));
  });
  const gateway = await Gateway.start(cleanup, origin.address);
  const before = await memory_KiB(gateway.server.pid);
  for (const path of ["/length", "/chunked"]) {
    written = 0;
    const got = await new Promise<IncomingMessage>((resolve, reject) => {
      const asked = request({ ...gateway.address, agent: false, path, headers: gateway.headers }, resolve);
      asked.on("error", reject);
      asked.end();
    });
    // Nobody reads: the origin stands still once everything between is full.
    let last = -1;
    await eventually("the origin is held back", async () => {
      const same = written === last && written > 0;
      last = written;
      await new Promise((resolve) => setTimeout(resolve, 100));
      return same && written === last;
    });
    assert.ok(written < size / 2, `${written} bytes left the origin`);
    const grown = (await memory_KiB(gateway.server.pid)) - before;
    assert.ok(grown < 8 << 10, `${grown} KiB more while nobody reads`);

    const hash = createHash("sha256");
    let total = 0;
    got.on("data", (part: Buffer) => (hash.update(part), (total += part.length)));
    await deadline(30_000, "the body", new Promise((resolve, reject) => {
      got.on("end", resolve);
      got.on("error", reject);
    }));
    assert.equal(total, size);
    assert.equal(hash.digest("hex"), pattern(size));
    const after = (await memory_KiB(gateway.server.pid)) - before;
    assert.ok(after < 8 << 10, `${after} KiB more afterwards`);
  }
});

scenario("64 MiB upload to a slow origin: bounded memory, exact bytes", async (cleanup) => {
  let go: (() => void) | undefined;
  const hash = createHash("sha256");
  let total = 0;
  const slow = await NodeOrigin.start(cleanup);
  slow.server.removeAllListeners("request"); // nothing is collected
  slow.server.on("request", (asked: IncomingMessage, answer) => {
    asked.pause();
    go = () => {
      asked.on("data", (part: Buffer) => (hash.update(part), (total += part.length)));
      asked.on("end", () => answer.end("taken"));
      asked.resume();
    };
  });
  const gateway = await Gateway.start(cleanup, slow.address);
  const before = await memory_KiB(gateway.server.pid);
  let written = 0;
  const asked = request({
    ...gateway.address, agent: false, method: "POST", path: "/",
    headers: { ...gateway.headers, "content-length": size },
  });
  const answered = new Promise<IncomingMessage>((resolve, reject) => {
    asked.on("response", resolve);
    asked.on("error", reject);
  });
  feed(asked, size, (n) => (written += n));
  let last = -1;
  await eventually("the client is held back", async () => {
    const same = written === last && written > 0 && go !== undefined;
    last = written;
    await new Promise((resolve) => setTimeout(resolve, 100));
    return same && written === last;
  });
  assert.ok(written < size / 2, `${written} bytes left the client`);
  const grown = (await memory_KiB(gateway.server.pid)) - before;
  assert.ok(grown < 8 << 10, `${grown} KiB more while the origin waits`);
  go!();
  const answer = await deadline(60_000, "the answer", answered);
  answer.resume();
  assert.equal(answer.statusCode, 200);
  assert.equal(total, size);
  assert.equal(hash.digest("hex"), pattern(size));
});

scenario("an answer that breaks off is cut, not ended", async (cleanup) => {
  for (const head of [
    "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf",
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n",
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\nzz\r\n",
  ]) {
    const origin = await TcpOrigin.start(cleanup, (socket) =>
      onHeads(socket, () => socket.end(head)),
    );
    const gateway = await Gateway.start(cleanup, origin.address);
    const client = await gateway.raw();
    await client.send(gateway.head());
    await assert.rejects(client.read(), /closed within/);
    const [line] = await gateway.log(1);
    assert.equal(line!.s, 200);
    assert.match(line!.c!, /origin_/);
  }
});

scenario("a request that breaks off does not look whole to the origin", async (cleanup) => {
  let aborted = 0;
  const origin = await NodeOrigin.start(cleanup, (asked, answer) => {
    asked.resume();
    asked.on("error", () => aborted++);
    asked.on("end", () => answer.end());
  });
  const gateway = await Gateway.start(cleanup, origin.address);
  for (const [field, body] of [
    ["Content-Length: 100", "half"],
    ["Transfer-Encoding: chunked", "4\r\nhalf\r\n"],
  ] as const) {
    for (const how of ["finish", "reset"] as const) {
      const n: number = aborted;
      const client = await gateway.raw();
      await client.send(gateway.head("POST / HTTP/1.1", [field]) + body);
      await eventually("the origin has it", () => origin.connections > n);
      client[how]();
      await eventually("the origin sees it cut", () => aborted > n);
    }
  }
  assert.equal(origin.requests.length, 0);
  assert.equal((await gateway.ask()).status, 200);
});

scenario("a client that goes away ends the origin's work", async (cleanup) => {
  let gone = 0;
  const origin = await NodeOrigin.start(cleanup, (asked, answer) => {
    asked.resume();
    answer.on("close", () => gone++);
    answer.writeHead(200);
    feed(answer, 1 << 30, () => {});
  });
  const gateway = await Gateway.start(cleanup, origin.address);
  const client = await gateway.raw();
  await client.send(gateway.head());
  await eventually("bytes come", () => client.pending.length > 100_000);
  client.reset();
  await eventually("the origin notices", () => gone === 1);
  const [line] = await gateway.log(1);
  assert.equal(line!.c, "client_gone");
});
