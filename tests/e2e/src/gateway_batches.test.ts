// Many clients at once, whose reads and writes are one system call (io_uring)
// where the kernel has it: each gets its own, plain and over TLS, and the same
// without it.
import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import { Agent as PlainAgent, request as plain, type IncomingMessage } from "node:http";
import { Agent as TlsAgent, request as overTls } from "node:https";
import { Authority, Gateway, NodeOrigin, scenario } from "./harness/index.js";

const clients = 48, rounds = 12;
// Around a slice (2 KiB) and a block (16 KiB), and far above.
const lengths = [0, 1, 1500, 2040, 2048, 2049, 5000, 16384, 16385, 70000];

const hash = (bytes: Buffer) => createHash("sha256").update(bytes).digest("hex");

async function whole(from: IncomingMessage): Promise<Buffer> {
  const parts: Buffer[] = [];
  for await (const part of from) parts.push(part);
  return Buffer.concat(parts);
}

for (const uring of ["yes", "no"])
  scenario(`${clients} clients at once, --io-uring ${uring}`, async (cleanup) => {
    const authority = await Authority.make(cleanup);
    const shop = await authority.issue("shop", "DNS:shop.example.test");
    const origin = await NodeOrigin.start(cleanup, async (asked, answer) => {
      const body = await whole(asked);
      answer.writeHead(200, { "x-hash": hash(body), "content-length": body.length });
      answer.end(body);
    });
    const gateway = await Gateway.start(cleanup, origin.address, {
      args: ["--io-uring", uring, "--workers", "1",
        "--gateway-tls", "127.0.0.1:0", "--certificate", `${shop.cert},${shop.key}`],
    });
    const plainAgent = new PlainAgent({ keepAlive: true, maxSockets: clients });
    const tlsAgent = new TlsAgent({ keepAlive: true, maxSockets: clients });
    cleanup.add(() => (plainAgent.destroy(), tlsAgent.destroy()));

    const ask = (secure: boolean, body: Buffer) =>
      new Promise<void>((resolve, reject) => {
        const options = { path: "/echo", method: "POST", headers: { ...gateway.headers, "content-length": body.length } };
        const asked = secure
          ? overTls({ ...gateway.server.door("gateway-tls"), ...options, agent: tlsAgent, ca: authority.pem, servername: "shop.example.test" })
          : plain({ ...gateway.address, ...options, agent: plainAgent });
        asked.on("error", reject);
        asked.on("response", (answer) => {
          whole(answer).then((got) => {
            assert.equal(answer.statusCode, 200, got.toString());
            assert.equal(answer.headers["x-hash"], hash(body));
            assert.equal(hash(got), hash(body));
          }).then(resolve, reject);
        });
        asked.end(body);
      });
    const client = async (i: number) => {
      for (let round = 0; round < rounds; round++)
        await ask(i % 3 === 0, randomBytes(lengths[(i * 7 + round * 3) % lengths.length]!));
    };
    await Promise.all(Array.from({ length: clients }, (_, i) => client(i)));

    const { text } = await gateway.server.api.get("/metrics");
    const batches = Number(/^typeauth_io_batches_total (\d+)$/m.exec(text)![1]);
    if (uring === "no") assert.equal(batches, 0);
    else if (batches === 0) assert.match(gateway.server.log.join("\n"), /no io_uring/);
    else assert.ok(batches > 10, `${batches} batches`);
  });
