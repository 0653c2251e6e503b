// What becomes of origins that are down, slow or talk nonsense, and of bodies
// above an application's limit (gateway.md §1 row 17, api.md §2).
import assert from "node:assert/strict";
import {
  Gateway,
  Hosts,
  NodeOrigin,
  TcpOrigin,
  eventually,
  freePort,
  onHeads,
  scenario,
} from "./harness/index.js";

const quota = { remaining: 100 };
const left = async (gateway: Gateway) =>
  (await gateway.server.api.get(`token/${gateway.token.id}`)).json.data[0].effective.remaining;

scenario("an origin that is down is 502, and takes nothing from the quota", async (cleanup) => {
  const gateway = await Gateway.start(
    cleanup,
    { host: "127.0.0.1", port: await freePort() },
    { profile: quota },
  );
  const answer = await gateway.ask();
  assert.equal(answer.status, 502);
  assert.equal(answer.json.error?.code, "origin_unreachable");
  assert.equal(await left(gateway), 100);
  const client = await gateway.raw();
  await client.send(gateway.head("POST / HTTP/1.1", ["Content-Length: 3"]) + "abc");
  assert.equal((await client.read()).status, 502);
  await client.send(gateway.head());
  assert.equal((await client.read()).status, 502, "the connection goes on");
  const [line] = await gateway.log(3);
  assert.equal(line!.c, "origin_unreachable");
  assert.equal(line!.k, gateway.token.id);
});

scenario("a name that does not resolve is 502", async (cleanup) => {
  const hosts = await Hosts.make(cleanup, "other.test 127.0.0.1\n");
  const gateway = await Gateway.start(
    cleanup,
    { host: "nowhere.test", port: 80 },
    { env: hosts.environment },
  );
  const answer = await gateway.ask();
  assert.equal(answer.status, 502);
  assert.equal(answer.json.error?.code, "origin_unreachable");
});

scenario("an origin that answers too late is 504, by each application's own time", async (cleanup) => {
  const origin = await TcpOrigin.start(cleanup, () => {});
  const gateway = await Gateway.start(cleanup, origin.address, {
    profile: quota,
    application: { timeouts: { firstByte: 200 } },
  });
  const begun = Date.now();
  const answer = await gateway.ask();
  assert.equal(answer.status, 504);
  assert.equal(answer.json.error?.code, "origin_timeout");
  const took = Date.now() - begun;
  assert.ok(took >= 150 && took < 5000, `${took} ms`);
  assert.equal(await left(gateway), 99, "the origin has seen it");
  const app = `applications/${gateway.application.id}`;
  await gateway.server.api.patch(app, { timeouts: { firstByte: 400 } });
  const again = Date.now();
  assert.equal((await gateway.ask("POST", "/", {}, "x")).status, 504);
  assert.ok(Date.now() - again >= 350);
  const lines = await gateway.log(2);
  assert.equal(lines[1]!.c, "origin_timeout");
});

scenario("an answer that stalls in its body is cut", async (cleanup) => {
  const origin = await TcpOrigin.answering(
    cleanup,
    "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf",
  );
  const gateway = await Gateway.start(cleanup, origin.address, {
    application: { timeouts: { idle: 300 } },
  });
  const client = await gateway.raw();
  await client.send(gateway.head());
  await assert.rejects(client.read(), /closed within a body/);
  const [line] = await gateway.log(1);
  assert.equal(line!.c, "origin_timeout");
});

const garbage: [string, string][] = [
  ["not HTTP", "SSH-2.0-OpenSSH_9\r\n\r\n"],
  ["HTTP/2", "HTTP/2 200 OK\r\n\r\n"],
  ["status of two digits", "HTTP/1.1 20 OK\r\n\r\n"],
  ["status 600 and more", "HTTP/1.1 999 OK\r\nContent-Length: 0\r\n\r\n"],
  ["length and coding", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"],
  ["two lengths", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nab"],
  ["negative length", "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n"],
  ["unknown coding", "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n"],
  ["folded line", "HTTP/1.1 200 OK\r\nX-A: a\r\n b\r\nContent-Length: 0\r\n\r\n"],
  ["space before the colon", "HTTP/1.1 200 OK\r\nX-A : a\r\nContent-Length: 0\r\n\r\n"],
  ["NUL in a value", "HTTP/1.1 200 OK\r\nX-A: a\0b\r\nContent-Length: 0\r\n\r\n"],
  ["bare LF", "HTTP/1.1 200 OK\nContent-Length: 0\n\n"],
  ["101 that nobody asked for", "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n"],
  ["interim answers without end", "HTTP/1.1 100 Continue\r\n\r\n".repeat(100)],
  ["a head without end", "HTTP/1.1 200 OK\r\n" + "X-A: b\r\n".repeat(4000)],
];

scenario("answers that are not HTTP are 502 origin_invalid", async (cleanup) => {
  let bytes = "";
  const origin = await TcpOrigin.start(cleanup, (socket) =>
    onHeads(socket, () => socket.write(Buffer.from(bytes, "latin1"))),
  );
  const gateway = await Gateway.start(cleanup, origin.address);
  for (const [name, text] of garbage) {
    bytes = text;
    const answer = await gateway.ask();
    assert.equal(answer.status, 502, name);
    assert.equal(answer.json.error?.code, "origin_invalid", name);
  }
  const lines = await gateway.log(garbage.length);
  for (const line of lines) assert.equal(line.c, "origin_invalid");
});

scenario("bytes behind an answer never answer the next request", async (cleanup) => {
  const origin = await TcpOrigin.answering(
    cleanup,
    "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok" +
      "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nwrong",
  );
  const gateway = await Gateway.start(cleanup, origin.address);
  const client = await gateway.raw();
  for (let i = 0; i < 10; i++) {
    await client.send(gateway.head());
    assert.equal((await client.read()).body.toString(), "ok");
  }
  assert.ok(origin.sockets.length >= 10);
});

scenario("an origin's early close of a pooled connection is not an answer", async (cleanup) => {
  // One answer a connection, then closed within the next request's life.
  const origin = await TcpOrigin.start(cleanup, (socket, index) =>
    onHeads(socket, () => {
      socket.write("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
      if (index % 3 === 0) setImmediate(() => socket.destroy());
    }),
  );
  const gateway = await Gateway.start(cleanup, origin.address, { args: ["--workers", "1"] });
  const statuses = new Set<number>();
  for (let i = 0; i < 60; i++) statuses.add((await gateway.ask()).status);
  assert.deepEqual(statuses, new Set([200]));
});

scenario("a body above the application's limit is 413", async (cleanup) => {
  const origin = await NodeOrigin.start(cleanup);
  const gateway = await Gateway.start(cleanup, origin.address, {
    application: { maxBodyBytes: 1000 },
  });
  const announced = await gateway.once(
    gateway.head("POST / HTTP/1.1", ["Content-Length: 1001"]),
  );
  assert.equal(announced.status, 413);
  assert.equal(JSON.parse(announced.body.toString()).error.code, "body_too_large");
  assert.equal(origin.connections, 0, "refused before the origin");

  const fits = await gateway.ask("POST", "/", {}, "x".repeat(1000));
  assert.equal(fits.status, 200);
  assert.equal(origin.last.body.length, 1000);

  const client = await gateway.raw();
  await client.send(gateway.head("POST / HTTP/1.1", ["Transfer-Encoding: chunked"]));
  for (let i = 0; i < 3; i++)
    await client.send("190\r\n" + "x".repeat(400) + "\r\n").catch(() => {});
  const chunked = await client.read();
  assert.equal(chunked.status, 413);
  assert.equal(origin.requests.length, 1, "not whole for the origin");

  const expects = await gateway.once(
    gateway.head("POST / HTTP/1.1", ["Expect: 100-continue", "Content-Length: 5000"]),
  );
  assert.equal(expects.status, 413, "instead of 100");
  await gateway.log(4);
});

scenario("an origin at its ceiling of connections makes others wait, not fail", async (cleanup) => {
  let open = 0;
  let most = 0;
  const origin = await NodeOrigin.start(cleanup, (asked, answer) => {
    asked.resume();
    most = Math.max(most, ++open);
    setTimeout(() => (open--, answer.end("ok")), 5);
  });
  const gateway = await Gateway.start(cleanup, origin.address, {
    args: ["--origin-connections", "4", "--workers", "1"],
  });
  const answers = await Promise.all(Array.from({ length: 100 }, () => gateway.ask()));
  assert.deepEqual(new Set(answers.map((a) => a.status)), new Set([200]));
  assert.ok(most <= 4, `${most} at once`);
  await eventually("all ended", () => open === 0);
});
