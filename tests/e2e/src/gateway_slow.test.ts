// Clients that are slow on purpose, or take all they can: closed in time, and
// nobody else suffers (gateway.md §1 row 0, design §3).
import assert from "node:assert/strict";
import {
  Gateway,
  NodeOrigin,
  type RawClient,
  call,
  eventually,
  feed,
  memory_KiB,
  scenario,
} from "./harness/index.js";

scenario("a head that drips is closed at its deadline, whatever drips", async (cleanup) => {
  const origin = await NodeOrigin.start(cleanup);
  const gateway = await Gateway.start(cleanup, origin.address, {
    args: ["--head-timeout-ms", "600"],
  });
  const silent = await gateway.raw(); // says nothing at all
  const drips = await gateway.raw();
  const begun = Date.now();
  const dripping = (async () => {
    for (const byte of gateway.head()) {
      await drips.send(byte).catch(() => {});
      await new Promise((resolve) => setTimeout(resolve, 20));
      if (drips.closed) break;
    }
  })();
  const answer = await drips.read();
  assert.equal(answer.status, 408);
  const took = Date.now() - begun;
  assert.ok(took >= 500 && took < 2500, `${took} ms`);
  await drips.untilClosed();
  await dripping;
  assert.equal((await silent.untilClosed(3000)).length, 0, "no answer to nothing");
  assert.equal(origin.connections, 0);
  assert.equal((await gateway.ask()).status, 200);

  // The second head on a connection has its deadline too.
  const second = await gateway.raw();
  await second.send(gateway.head() + "GET / HT");
  assert.equal((await second.read()).status, 200);
  assert.equal((await second.read()).status, 408);
  await second.untilClosed();
});

scenario("an idle connection is closed without an answer", async (cleanup) => {
  const origin = await NodeOrigin.start(cleanup);
  const gateway = await Gateway.start(cleanup, origin.address, {
    args: ["--idle-timeout-ms", "500"],
  });
  const client = await gateway.raw();
  await client.send(gateway.head());
  assert.equal((await client.read()).status, 200);
  const begun = Date.now();
  assert.equal((await client.untilClosed(5000)).length, 0);
  const took = Date.now() - begun;
  assert.ok(took >= 300 && took < 3000, `${took} ms`);
});

scenario("a body below the least rate is refused, a steady one is not", async (cleanup) => {
  const origin = await NodeOrigin.start(cleanup);
  // The rate is judged over the shortest of 10 s and the write time-out.
  const gateway = await Gateway.start(cleanup, origin.address, {
    args: ["--body-min-rate", "1000"],
  });
  const slow = await gateway.raw();
  const steady = await gateway.raw();
  for (const client of [slow, steady])
    await client.send(gateway.head("POST / HTTP/1.1", ["Content-Length: 30000"]));
  const begun = Date.now();
  let on = true;
  const sending = (async () => {
    for (let i = 0; on && i < 60; i++) {
      if (!slow.closed) await slow.send("x".repeat(50)).catch(() => {});
      await steady.send("x".repeat(500));
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
  })();
  const refused = await slow.read("POST", 20_000);
  const took = Date.now() - begun;
  on = false;
  await sending;
  assert.equal(refused.status, 408);
  assert.ok(took > 5000 && took < 15_000, `${took} ms`);
  await slow.untilClosed();
  assert.equal(steady.closed, false);
  await eventually("the origin sees it cut", () => origin.connections === 2);
  assert.equal(origin.requests.length, 0);
  const [line] = await gateway.log(1);
  assert.equal(line!.s, 408);
});

scenario("a client that reads nothing is dropped, and its origin freed", async (cleanup) => {
  let gone = 0;
  const origin = await NodeOrigin.start(cleanup, (asked, answer) => {
    asked.resume();
    answer.on("close", () => gone++);
    feed(answer, 1 << 30);
  });
  const gateway = await Gateway.start(cleanup, origin.address, {
    args: ["--write-timeout-ms", "700"],
  });
  const client = await gateway.raw();
  client.pause();
  await client.send(gateway.head());
  const begun = Date.now();
  await eventually("the origin is let go", () => gone === 1);
  assert.ok(Date.now() - begun < 8000);
  const [line] = await gateway.log(1);
  assert.equal(line!.c, "client_gone");
});

scenario("the ceiling of the block pool holds against greedy clients, others are served in time", async (cleanup) => {
  const origin = await NodeOrigin.start(cleanup, (asked, answer) => {
    asked.resume();
    if (asked.url === "/small") asked.on("end", () => answer.end("small"));
    else feed(answer, 64 << 20);
  });
  const gateway = await Gateway.start(cleanup, origin.address, {
    args: ["--block-pool-bytes", String(4 << 20), "--write-timeout-ms", "500", "--head-timeout-ms", "4000"],
  });
  const before = await memory_KiB(gateway.server.pid);
  const greedy: RawClient[] = [];
  for (let i = 0; i < 150; i++) {
    const client = await gateway.raw();
    client.pause();
    await client.send(gateway.head("GET /large HTTP/1.1"));
    greedy.push(client);
  }
  // Heads that never end hold memory as well.
  for (let i = 0; i < 150; i++) {
    const client = await gateway.raw();
    await client.send(`GET / HTTP/1.1\r\nHost: ${gateway.host}\r\nX-Long: ${"x".repeat(9000)}`);
    greedy.push(client);
  }
  // Waits for memory behind those who hold it, until their time is over.
  const client = await gateway.raw();
  await client.send(gateway.head("GET /small HTTP/1.1"));
  assert.equal((await client.read("GET", 20_000)).body.toString(), "small");
  const grown = (await memory_KiB(gateway.server.pid)) - before;
  assert.ok(grown < 16 << 10, `${grown} KiB more`);
  for (const client of greedy) client.reset();
  await eventually("served as before", async () => (await gateway.ask("GET", "/small")).status === 200);
  const { text } = await call(gateway.server.door("ops"), "GET", "/metrics");
  assert.match(text, /^typeauth_io_blocks_refused_total [1-9]/m, "the ceiling was met");
});

scenario("stalled readers of a download are dropped before others have to wait for long", async (cleanup) => {
  let gone = 0;
  const origin = await NodeOrigin.start(cleanup, (asked, answer) => {
    asked.resume();
    answer.on("close", () => gone++);
    if (asked.url === "/small") asked.on("end", () => answer.end("small"));
    else feed(answer, asked.url === "/large" ? 10 << 20 : 2 << 20);
  });
  // 4 MiB for 64 KiB a reader: 56 of them leave nothing for input. Nobody else
  // would end them: the write time-out is a minute.
  const gateway = await Gateway.start(cleanup, origin.address, {
    args: ["--workers", "1", "--block-pool-bytes", String(4 << 20)],
  });
  const dropped = async () =>
    Number(/^typeauth_stalled_dropped_total (\d+)$/m
      .exec((await call(gateway.server.door("ops"), "GET", "/metrics")).text)![1]);
  const stalled: RawClient[] = [];
  for (let i = 0; i < 120; i++) {
    const client = await gateway.raw();
    client.pause();
    await client.send(gateway.head("GET /large HTTP/1.1"));
    stalled.push(client);
  }
  let slowest = 0;
  for (let i = 0; i < 30; i++) {
    const begun = Date.now();
    const answer = await gateway.ask("GET", i % 3 === 0 ? "/middle" : "/small");
    assert.equal(answer.status, 200);
    slowest = Math.max(slowest, Date.now() - begun);
  }
  assert.ok(slowest < 8000, `${slowest} ms`);
  const ended = await dropped();
  assert.ok(ended > 0 && ended < 120, `${ended} of 120 dropped`);
  await eventually("their origins' connections are free", () => gone >= ended);
  const lines = await gateway.log(ended, (line) => line.p === "/large");
  assert.ok(lines.every((line) => line.c === "client_gone"));
  for (const client of stalled) client.reset();
});
