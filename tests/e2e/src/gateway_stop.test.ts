// Stopping and signals: what runs ends, what comes is refused, nothing is
// lost of the log (design §6).
import assert from "node:assert/strict";
import { rename, readFile } from "node:fs/promises";
import { join } from "node:path";
import type { ServerResponse } from "node:http";
import { Gateway, NodeOrigin, RawClient, eventually, scenario } from "./harness/index.js";

/** The signal has reached every listener. */
const stopping = (gateway: Gateway) =>
  eventually("new connections are refused", () =>
    RawClient.open(gateway.cleanup, gateway.address).then(
      async (client) => {
        await client.send(gateway.head("GET /new HTTP/1.1")).catch(() => {});
        const got = (await client.untilClosed(3000)).toString();
        client.finish();
        return got === "" || got.startsWith("HTTP/1.1 503");
      },
      () => true,
    ),
  );

scenario("SIGTERM: what is in flight ends, what is new is refused, exit 0", async (cleanup) => {
  const held: ServerResponse[] = [];
  const origin = await NodeOrigin.start(cleanup, (asked, answer) => {
    asked.resume();
    if (asked.url === "/hold") held.push(answer);
    else answer.end("ok");
  });
  const gateway = await Gateway.start(cleanup, origin.address, { args: ["--drain-ms", "10000"] });
  const flying: RawClient[] = [];
  for (let i = 0; i < 8; i++) {
    const client = await gateway.raw();
    await client.send(gateway.head("GET /hold HTTP/1.1"));
    flying.push(client);
  }
  const idle = await gateway.raw();
  await idle.send(gateway.head());
  assert.equal((await idle.read()).status, 200);
  await eventually("all at the origin", () => held.length === 8);

  gateway.server.signal("SIGTERM");
  assert.equal((await idle.untilClosed(5000)).length, 0, "idle ones are closed");
  idle.finish();
  await stopping(gateway);
  for (const answer of held) answer.end("held");
  for (const client of flying) {
    const answer = await client.read();
    assert.equal(answer.status, 200);
    assert.equal(answer.body.toString(), "held");
    await client.untilClosed(5000);
    client.finish();
  }
  const begun = Date.now();
  assert.equal(await gateway.server.ended(8000), 0);
  assert.ok(Date.now() - begun < 5000, "it does not sit out the drain time");
  const lines = (await gateway.logText()).trim().split("\n");
  assert.equal(lines.filter((l) => l.includes('"p":"/hold"')).length, 8, "the log is whole");
});

scenario("SIGTERM: a request that was begun before is answered and the last", async (cleanup) => {
  const origin = await NodeOrigin.start(cleanup);
  // One worker: where new connections are refused, the signal has come.
  const gateway = await Gateway.start(cleanup, origin.address, { args: ["--workers", "1"] });
  const client = await gateway.raw();
  await client.send(gateway.head("POST / HTTP/1.1", ["Content-Length: 4"]) + "ab");
  await eventually("the origin has it", () => origin.connections === 1);
  gateway.server.signal("SIGTERM");
  await stopping(gateway);
  await client.send("cd" + gateway.head());
  const answer = await client.read();
  assert.equal(answer.status, 200);
  assert.equal(answer.field("connection"), "close");
  const rest = (await client.untilClosed()).toString();
  client.finish();
  assert.equal(rest, "", "what follows is not read");
  assert.equal(origin.requests.filter((r) => r.target === "/").length, 1);
  assert.equal(await gateway.server.ended(8000), 0);
});

scenario("SIGTERM: what does not end is cut when the drain time is over, exit 0", async (cleanup) => {
  const origin = await NodeOrigin.start(cleanup, (asked) => void asked.resume());
  const gateway = await Gateway.start(cleanup, origin.address, { args: ["--drain-ms", "500"] });
  const client = await gateway.raw();
  await client.send(gateway.head());
  await eventually("the origin has it", () => origin.requests.length === 1);
  gateway.server.signal("SIGTERM");
  await client.untilClosed(5000);
  assert.equal(await gateway.server.ended(5000), 0);
});

scenario("SIGHUP opens the access log again; no line is lost", async (cleanup) => {
  const origin = await NodeOrigin.start(cleanup);
  const gateway = await Gateway.start(cleanup, origin.address);
  const path = join(gateway.server.data, "access.log");
  await gateway.ask("GET", "/before");
  await gateway.log(1);
  await rename(path, path + ".1");
  let sent = 0;
  const asking = async () => {
    while (sent < 300) await gateway.ask("GET", `/n${sent++}`);
  };
  const load = Promise.all([asking(), asking()]);
  gateway.server.signal("SIGHUP");
  await load;
  // Each worker writes within a second, in its own time.
  await eventually("every line is in one of the files", async () => {
    const now = await readFile(path, "latin1").catch(() => "");
    const both = (await readFile(path + ".1", "latin1")) + now;
    const count = both.split("\n").filter((l) => l.includes('"p":"/n')).length;
    return now !== "" && count === sent;
  });
});
