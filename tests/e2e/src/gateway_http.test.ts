// HTTP/1.x through the real gateway, by the byte: pipelining, keep-alive,
// framing both ways, interim answers, upgrades (gateway.md §3).
import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import { request } from "node:http";
import { Pool } from "undici";
import { WebSocket, WebSocketServer } from "ws";
import {
  Gateway,
  NodeOrigin,
  RawClient,
  TcpOrigin,
  call,
  deadline,
  eventually,
  onHeads,
  scenario,
} from "./harness/index.js";

const sha = (data: Buffer) => createHash("sha256").update(data).digest("hex");

scenario("pipelined requests are answered in their order", async (cleanup) => {
  // The first ones take longest: only the gateway can keep the order.
  let open = 0;
  const origin = await NodeOrigin.start(cleanup, (asked, answer) => {
    const n = Number(asked.url!.slice(1));
    asked.resume();
    open++;
    setTimeout(() => answer.end(`answer ${n}`), n % 10 === 0 ? 20 : 0);
  });
  const gateway = await Gateway.start(cleanup, origin.address);
  const client = await gateway.raw();
  const numbers = Array.from({ length: 60 }, (_, i) => i);
  const bytes = numbers.map((i) =>
    i % 7 === 3
      ? gateway.head(`POST /${i} HTTP/1.1`, ["Content-Length: 5"]) + "x".repeat(5)
      : i % 7 === 5
        ? gateway.head(`POST /${i} HTTP/1.1`, ["Transfer-Encoding: chunked"]) +
          "3\r\nabc\r\n0\r\n\r\n"
        : gateway.head(`GET /${i} HTTP/1.1`),
  );
  await client.send(bytes.join(""));
  for (const i of numbers) {
    const answer = await client.read();
    assert.equal(answer.status, 200);
    assert.equal(answer.body.toString(), `answer ${i}`);
  }
  assert.equal(open, 60);
  assert.deepEqual(
    origin.requests.map((r) => r.target),
    numbers.map((i) => `/${i}`),
  );
});

scenario("a refusal in a pipeline does not end the pipeline", async (cleanup) => {
  const origin = await NodeOrigin.start(cleanup);
  const gateway = await Gateway.start(cleanup, origin.address);
  const client = await gateway.raw();
  await client.send(
    gateway.head() +
      `GET /x HTTP/1.1\r\nHost: ${gateway.host}\r\n\r\n` +
      `POST /x HTTP/1.1\r\nHost: ${gateway.host}\r\nContent-Length: 3\r\n\r\nabc` +
      gateway.head(),
  );
  const statuses = [];
  for (let i = 0; i < 4; i++) statuses.push((await client.read()).status);
  assert.deepEqual(statuses, [200, 401, 401, 200]);
  assert.equal(origin.requests.length, 2);
});

scenario("connections live as each version says", async (cleanup) => {
  const origin = await NodeOrigin.start(cleanup);
  const gateway = await Gateway.start(cleanup, origin.address);
  const cases: [string, string[], boolean][] = [
    ["HTTP/1.1", [], true],
    ["HTTP/1.1", ["Connection: keep-alive"], true],
    ["HTTP/1.1", ["Connection: close"], false],
    ["HTTP/1.1", ["Connection: CLOSE, x-a"], false],
    ["HTTP/1.0", [], false],
    ["HTTP/1.0", ["Connection: keep-alive"], true],
    ["HTTP/1.0", ["Connection: keep-alive, close"], false],
  ];
  for (const [version, fields, lives] of cases) {
    const what = `${version} ${fields}`;
    const client = await gateway.raw();
    await client.send(gateway.head(`GET / ${version}`, fields));
    const answer = await client.read();
    assert.equal(answer.status, 200, what);
    assert.equal(answer.body.toString(), "hello from the origin\n", what);
    if (lives) {
      await client.send(gateway.head());
      assert.equal((await client.read()).status, 200, what);
      if (version === "HTTP/1.0")
        assert.equal(answer.field("connection"), "keep-alive", what);
    } else {
      assert.equal(answer.field("connection"), "close", what);
      assert.equal((await client.untilClosed()).length, 0, what);
    }
  }
});

scenario("chunked bodies pass both ways, byte for byte", async (cleanup) => {
  const origin = await NodeOrigin.start(cleanup, (asked, answer) => {
    asked.on("data", (part) => answer.write(part));
    asked.on("end", () => answer.end());
  });
  const gateway = await Gateway.start(cleanup, origin.address);
  const client = await gateway.raw();
  await client.send(gateway.head("POST / HTTP/1.1", ["Transfer-Encoding: chunked"]));
  const parts: Buffer[] = [];
  for (const size of [1, 2, 15, 16, 17, 4095, 4096, 16384, 70000]) {
    const part = randomBytes(size);
    parts.push(part);
    // as text in hex of any case, with an extension now and then
    await client.send(size.toString(16).toUpperCase() + (size % 2 ? ";a=b" : "") + "\r\n");
    await client.send(part);
    await client.send("\r\n");
  }
  await client.send("0\r\n\r\n");
  const answer = await client.read();
  assert.equal(answer.field("transfer-encoding"), "chunked");
  assert.equal(sha(answer.body), sha(Buffer.concat(parts)));
  assert.equal(sha(origin.last.body), sha(Buffer.concat(parts)));
  assert.equal(origin.last.headers["transfer-encoding"], "chunked");
  assert.equal(origin.last.headers["content-length"], undefined);
});

scenario("trailers pass both ways", async (cleanup) => {
  const origin = await NodeOrigin.start(cleanup, (asked, answer) => {
    asked.resume();
    answer.setHeader("Trailer", "X-Sum");
    answer.write("body");
    answer.addTrailers({ "X-Sum": "42", "X-Typeauth-Token-Id": "forged" });
    asked.on("end", () => answer.end());
  });
  const gateway = await Gateway.start(cleanup, origin.address);
  const client = await gateway.raw();
  await client.send(
    gateway.head("POST / HTTP/1.1", ["Transfer-Encoding: chunked", "Trailer: X-Md5"]) +
      "3\r\nabc\r\n0\r\nX-Md5: q\r\n\r\n",
  );
  const answer = await client.read();
  assert.equal(answer.body.toString(), "body");
  assert.equal(answer.field("x-sum"), "42");
  assert.equal(answer.field("x-typeauth-token-id"), undefined);
  assert.equal(origin.last.body.toString(), "abc");
  assert.deepEqual({ ...origin.last.trailers }, { "x-md5": "q" });
});

scenario("100-continue is the origin's to say", async (cleanup) => {
  const origin = await NodeOrigin.start(cleanup, (asked, answer) => {
    asked.resume();
    asked.on("end", () => answer.end("read it"));
  });
  let go: (() => void) | undefined;
  origin.server.on("checkContinue", (asked, answer) => {
    if (asked.url === "/refuse") {
      answer.writeHead(413, { connection: "close" });
      answer.end("no");
      return;
    }
    go = () => {
      answer.writeContinue();
      origin.server.emit("request", asked, answer);
    };
  });
  const gateway = await Gateway.start(cleanup, origin.address);
  const expecting = ["Expect: 100-continue", "Content-Length: 4"];

  const client = await gateway.raw();
  await client.send(gateway.head("POST /take HTTP/1.1", expecting));
  await eventually("the origin is asked", () => go !== undefined);
  assert.equal(client.pending.length, 0, "no 100 before the origin's");
  go!();
  assert.equal((await client.read()).status, 100);
  await client.send("body");
  const answer = await client.read();
  assert.equal(answer.status, 200);
  assert.equal(answer.body.toString(), "read it");
  assert.equal(origin.last.body.toString(), "body");
  await client.send(gateway.head());
  assert.equal((await client.read()).status, 200, "the connection goes on");

  const refused = await gateway.raw();
  await refused.send(gateway.head("POST /refuse HTTP/1.1", expecting));
  const final = await refused.read();
  assert.equal(final.status, 413, "the final answer instead of 100");
  assert.equal(final.body.toString(), "no");
  await refused.untilClosed();

  const before = origin.requests.length;
  const unauthorized = await gateway.once(
    `POST / HTTP/1.1\r\nHost: ${gateway.host}\r\nExpect: 100-continue\r\n` +
      "Content-Length: 4\r\n\r\n",
  );
  assert.equal(unauthorized.status, 401, "refused without asking for the body");
  assert.equal(origin.requests.length, before);
});

scenario("a body follows after a while when the origin never says 100", async (cleanup) => {
  const origin = await TcpOrigin.start(cleanup, (socket, _, o) =>
    socket.on("data", () => {
      if (o.received.endsWith("body"))
        socket.write("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    }),
  );
  const gateway = await Gateway.start(cleanup, origin.address);
  const client = await gateway.raw();
  await client.send(
    gateway.head("POST / HTTP/1.1", ["Expect: 100-continue", "Content-Length: 4"]),
  );
  assert.equal((await client.read()).status, 100);
  await client.send("body");
  assert.equal((await client.read()).status, 200);
});

scenario("interim answers reach 1.1 clients and not 1.0 ones", async (cleanup) => {
  const origin = await TcpOrigin.answering(
    cleanup,
    "HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\n" +
      "HTTP/1.1 102 Processing\r\n\r\n" +
      "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
  );
  const gateway = await Gateway.start(cleanup, origin.address);
  const client = await gateway.raw();
  await client.send(gateway.head());
  const first = await client.read();
  assert.equal(first.status, 103);
  assert.equal(first.field("link"), "</a.css>");
  assert.equal((await client.read()).status, 102);
  assert.equal((await client.read()).status, 200);
  assert.equal((await gateway.once(gateway.head("GET / HTTP/1.0"))).status, 200);
});

scenario("HEAD, 204 and 304 have no body and keep their lengths", async (cleanup) => {
  const origin = await NodeOrigin.start(cleanup, (asked, answer) => {
    asked.resume();
    const status = Number(asked.url!.slice(1));
    answer.writeHead(status, status === 200 || status === 304 ? { "content-length": "1234" } : {});
    if (asked.method === "HEAD" || status !== 200) answer.end();
    else answer.end("x".repeat(1234));
  });
  const gateway = await Gateway.start(cleanup, origin.address);
  const client = await gateway.raw();
  const ask = async (method: string, status: number) => {
    await client.send(gateway.head(`${method} /${status} HTTP/1.1`));
    return client.read(method);
  };
  const head = await ask("HEAD", 200);
  assert.equal(head.field("content-length"), "1234");
  const none = await ask("GET", 204);
  assert.equal(none.status, 204);
  assert.equal(none.field("content-length"), undefined);
  assert.equal(none.field("transfer-encoding"), undefined);
  const same = await ask("GET", 304);
  assert.equal(same.status, 304);
  assert.equal(same.field("content-length"), "1234");
  assert.equal((await ask("GET", 200)).body.length, 1234, "in step afterwards");
});

scenario("a 1.0 client gets a body of unknown length up to the close", async (cleanup) => {
  const origin = await NodeOrigin.start(cleanup, (asked, answer) => {
    asked.resume();
    answer.write("one ");
    answer.write("two");
    answer.end();
  });
  const gateway = await Gateway.start(cleanup, origin.address);
  const answer = await gateway.once(
    gateway.head("GET / HTTP/1.0", ["Connection: keep-alive"]),
  );
  assert.equal(answer.field("transfer-encoding"), undefined);
  assert.equal(answer.field("connection"), "close");
  assert.equal(answer.body.toString(), "one two");
  assert.equal(origin.last.version, "1.1");
});

scenario("an origin's body up to the close arrives chunked and whole", async (cleanup) => {
  const origin = await TcpOrigin.answering(
    cleanup,
    "HTTP/1.0 200 OK\r\nContent-Type: text/plain\r\n\r\nuntil the end",
    true,
  );
  const gateway = await Gateway.start(cleanup, origin.address);
  const client = await gateway.raw();
  for (let i = 0; i < 3; i++) {
    await client.send(gateway.head());
    const answer = await client.read();
    assert.equal(answer.body.toString(), "until the end");
    assert.equal(answer.field("transfer-encoding"), "chunked");
  }
});

scenario("an answer may come while the request's body is still sent", async (cleanup) => {
  const origin = await NodeOrigin.start(cleanup, (asked, answer) => {
    if (asked.method === "GET") return void answer.end("next");
    asked.once("data", () => {
      answer.writeHead(422, { "content-length": "5" });
      answer.end("early");
    });
    asked.resume();
  });
  const gateway = await Gateway.start(cleanup, origin.address);
  const client = await gateway.raw();
  await client.send(
    gateway.head("POST / HTTP/1.1", [`Content-Length: ${50_000}`]) + "x".repeat(1000),
  );
  const answer = await client.read();
  assert.equal(answer.status, 422);
  assert.equal(answer.body.toString(), "early");
  // The client finishes what it had begun, and asks again.
  assert.equal(answer.field("connection"), undefined);
  await client.send("x".repeat(49_000) + gateway.head("GET /next HTTP/1.1"));
  assert.equal((await client.read()).body.toString(), "next");
});

scenario("a half-closed client still gets its answer", async (cleanup) => {
  const origin = await NodeOrigin.start(cleanup, (asked, answer) => {
    asked.resume();
    setTimeout(() => answer.end("late"), 50);
  });
  const gateway = await Gateway.start(cleanup, origin.address);
  const client = await gateway.raw();
  await client.send(gateway.head());
  client.finish();
  const answer = await client.read();
  assert.equal(answer.body.toString(), "late");
  await client.untilClosed();
});

scenario("WebSocket passes both ways, with close codes", async (cleanup) => {
  const origin = await NodeOrigin.start(cleanup);
  const sockets = new WebSocketServer({ server: origin.server });
  cleanup.add(() => sockets.close());
  let closed: number | undefined;
  sockets.on("connection", (socket, asked) => {
    socket.send(`hello ${asked.headers["x-typeauth-token-id"]}`);
    socket.on("message", (data, binary) => {
      if (String(data) === "bye") socket.close(4001, "as asked");
      else socket.send(data, { binary });
    });
    socket.on("close", (code) => (closed = code));
  });
  const gateway = await Gateway.start(cleanup, origin.address);
  const { host, port } = gateway.address;
  const open = () => new WebSocket(`ws://${host}:${port}/chat`, { headers: gateway.headers });
  const next = (socket: WebSocket) =>
    deadline(10_000, "a message", new Promise<Buffer>((resolve, reject) => {
      socket.once("message", (data) => resolve(data as Buffer));
      socket.once("error", reject);
    }));

  const client = open();
  assert.equal(String(await next(client)), `hello ${gateway.token.id}`);
  for (const size of [0, 1, 125, 126, 65535, 65536, 1_000_000]) {
    const sent = randomBytes(size);
    client.send(sent);
    assert.equal(sha(await next(client)), sha(sent), `${size} bytes`);
  }
  client.send("bye");
  const code = await deadline(10_000, "the close", new Promise((resolve) =>
    client.once("close", (c, why) => resolve(`${c} ${why}`))));
  assert.equal(code, "4001 as asked");

  const second = open();
  await next(second);
  second.close(1000);
  await eventually("the origin sees the client's close", () => closed === 1000);

  const refused = new WebSocket(`ws://${host}:${port}/`, { headers: { host: gateway.host } });
  const status = await new Promise((resolve) => {
    refused.once("unexpected-response", (_, answer) => resolve(answer.statusCode));
    refused.once("error", () => {});
  });
  assert.equal(status, 401);
  refused.terminate();

  const third = open();
  await next(third);
  await gateway.server.api.delete(`token/${gateway.token.id}`);
  await deadline(3000, "the revoked tunnel to end", new Promise((resolve) => {
    third.once("close", resolve);
    third.once("error", () => {});
  }));
});

scenario("an upgrade that the origin declines is a plain answer", async (cleanup) => {
  const origin = await NodeOrigin.start(cleanup);
  const gateway = await Gateway.start(cleanup, origin.address);
  const client = await gateway.raw();
  await client.send(gateway.head("GET / HTTP/1.1", ["Connection: Upgrade", "Upgrade: chat/1"]));
  assert.equal((await client.read()).status, 200);
  await client.send(gateway.head());
  assert.equal((await client.read()).status, 200);
});

scenario("many connections at once, each with its own body", async (cleanup) => {
  const origin = await NodeOrigin.start(cleanup, (asked, answer) => {
    asked.pipe(answer);
  });
  const gateway = await Gateway.start(cleanup, origin.address);
  const one = async (i: number) => {
    const body = randomBytes(1 + ((i * 7919) % 40_000));
    const answer = await new Promise<Buffer>((resolve, reject) => {
      const asked = request(
        { ...gateway.address, agent: false, method: "POST", path: `/${i}`, headers: gateway.headers },
        (got) => {
          const parts: Buffer[] = [];
          got.on("data", (part) => parts.push(part));
          got.on("end", () => resolve(Buffer.concat(parts)));
          got.on("error", reject);
        },
      );
      asked.on("error", reject);
      asked.end(body);
    });
    assert.equal(sha(answer), sha(body));
  };
  await Promise.all(Array.from({ length: 300 }, (_, i) => one(i)));
});

scenario("undici pipelines through one pool without a mix-up", async (cleanup) => {
  const origin = await NodeOrigin.start(cleanup, (asked, answer) => {
    asked.resume();
    asked.on("end", () => answer.end(asked.url));
  });
  const gateway = await Gateway.start(cleanup, origin.address);
  const { host, port } = gateway.address;
  const pool = new Pool(`http://${host}:${port}`, { connections: 4, pipelining: 8 });
  cleanup.add(() => pool.destroy());
  await Promise.all(
    Array.from({ length: 400 }, async (_, i) => {
      const answer = await pool.request({ path: `/${i}`, method: "GET", headers: gateway.headers });
      assert.equal(answer.statusCode, 200);
      assert.equal(await answer.body.text(), `/${i}`);
    }),
  );
});

scenario("origin connections are kept and reused", async (cleanup) => {
  const origin = await NodeOrigin.start(cleanup);
  const gateway = await Gateway.start(cleanup, origin.address, { args: ["--workers", "1"] });
  for (let i = 0; i < 50; i++) assert.equal((await gateway.ask()).status, 200);
  assert.equal(origin.connections, 1);
});

scenario("an idle connection that the origin closed is replaced unseen", async (cleanup) => {
  // Closes each connection after its answer without saying so.
  const origin = await TcpOrigin.start(cleanup, (socket) =>
    onHeads(socket, () => {
      socket.write("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", () => socket.end());
    }),
  );
  const gateway = await Gateway.start(cleanup, origin.address, { args: ["--workers", "1"] });
  for (let i = 0; i < 30; i++)
    assert.equal((await gateway.ask()).status, 200, `request ${i}`);

  // Closes when the second request has come: only then it is stale.
  let served = 0;
  const rude = await TcpOrigin.start(cleanup, (socket) => {
    let mine = 0;
    onHeads(socket, () => {
      if (mine++ > 0) return void socket.resetAndDestroy();
      served++;
      socket.write("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    });
  });
  await gateway.server.api.patch(`applications/${gateway.application.id}`, {
    originHostname: `http://127.0.0.1:${rude.address.port}`,
  });
  for (let i = 0; i < 10; i++)
    assert.equal((await gateway.ask("GET")).status, 200, `again ${i}`);
  assert.equal(served, 10);
  // Not repeated: a POST might have had its effect.
  const post = await gateway.ask("POST", "/", {}, "x");
  assert.equal(post.status, 502);
  assert.equal(post.json.error?.code, "origin_unreachable");
});

scenario("IPv6 on both sides", async (cleanup) => {
  const origin = await NodeOrigin.start(cleanup, undefined, { host: "::1" });
  const gateway = await Gateway.start(cleanup, origin.address, {
    args: ["--gateway", "[::1]:0"],
  });
  assert.equal(gateway.address.host, "::1");
  assert.equal((await gateway.ask()).status, 200);
  const { headers } = origin.last;
  assert.equal(headers["x-forwarded-for"], "::1");
  assert.match(headers.forwarded!, /^for="\[::1\]";/);
  assert.equal((await gateway.log(1))[0]!.r, "::1");
  const named = await call(gateway.address, "GET", "/", { ...gateway.headers, host: `${gateway.host}:8000` });
  assert.equal(named.status, 200, "a port behind Host is not the name");
});

scenario("the first bytes of a stream of events are not held back", async (cleanup) => {
  let write: (text: string) => void = () => {};
  const origin = await NodeOrigin.start(cleanup, (asked, answer) => {
    asked.resume();
    answer.writeHead(200, { "content-type": "text/event-stream" });
    answer.flushHeaders();
    write = (text) => (text ? answer.write(text) : answer.end());
  });
  const gateway = await Gateway.start(cleanup, origin.address);
  const client = await RawClient.open(cleanup, gateway.address);
  await client.send(gateway.head());
  const comes = (text: string) =>
    eventually(`"${text}" arrives`, () => client.pending.includes(text), 2000);
  await comes("text/event-stream");
  for (let i = 0; i < 20; i++) {
    write(`data: ${i}\n\n`);
    await comes(`data: ${i}\n\n`); // the next one is not sent before
  }
  write("");
  await comes("\r\n0\r\n\r\n");
});

