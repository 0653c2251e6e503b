// The harness tests itself where a fault in it would let a test pass.
import assert from "node:assert/strict";
import { call, Nginx, NodeOrigin, RawClient, scenario } from "./harness/index.js";

scenario("nginx answers and the raw client reads it", async (cleanup) => {
  const nginx = await Nginx.start(cleanup);
  const client = await RawClient.open(cleanup, nginx.address);
  await client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n".repeat(2));
  for (let i = 0; i < 2; i++) {
    const answer = await client.read();
    assert.equal(answer.status, 200);
    assert.equal(answer.body.toString(), "hello from nginx\n");
    assert.match(answer.field("server") ?? "", /nginx/);
  }
  client.finish();
  assert.equal((await client.untilClosed()).length, 0);
});

scenario("the node origin records what reaches it", async (cleanup) => {
  const origin = await NodeOrigin.start(cleanup, (request, response) => {
    request.resume();
    response.write("two ");
    response.end("chunks");
  });
  const client = await RawClient.open(cleanup, origin.address);
  await client.send(
    "POST /a?b HTTP/1.1\r\nHost: a\r\nX-Odd: 1\r\n" +
      "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
  );
  const answer = await client.read();
  assert.equal(answer.body.toString(), "two chunks");
  assert.equal(origin.last.target, "/a?b");
  assert.equal(origin.last.body.toString(), "abc");
  assert.deepEqual(origin.last.rawHeaders.slice(2, 4), ["X-Odd", "1"]);
  assert.equal((await call(origin.address, "HEAD", "/")).status, 200);
  assert.equal(origin.connections, 2);
});

scenario("an answer that is cut is an error", async (cleanup) => {
  const origin = await NodeOrigin.start(cleanup, (_, response) => {
    response.writeHead(200, { "content-length": "10" });
    response.write("short", () => response.destroy());
  });
  const client = await RawClient.open(cleanup, origin.address);
  await client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  await assert.rejects(client.read(), /closed within a body/);
});
