// 10 GiB through a process whose I/O buffers have 64 MiB (gateway.md §3):
// each way at once, over both framings, and its memory all the while.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { request, type IncomingMessage } from "node:http";
import { Gateway, NodeOrigin, feed, memory_KiB, pattern, scenario } from "./harness/index.js";

const size = Number(process.env.TYPEAUTH_LONG_BYTES ?? 10 * 2 ** 30);
const limit_ms = 15 * 60_000;

async function digest(from: IncomingMessage): Promise<string> {
  const hash = createHash("sha256");
  let total = 0;
  for await (const part of from) {
    hash.update(part as Buffer);
    total += (part as Buffer).length;
  }
  assert.equal(total, size);
  return hash.digest("hex");
}

scenario("10 GiB up and 10 GiB down in 100 MiB", async (cleanup) => {
  let uploaded: Promise<string> | undefined;
  const origin = await NodeOrigin.start(cleanup);
  origin.server.removeAllListeners("request"); // nothing is collected
  origin.server.on("request", (asked: IncomingMessage, answer) => {
    if (asked.method === "POST") {
      uploaded = digest(asked);
      void uploaded.finally(() => answer.end("taken"));
    } else {
      answer.writeHead(200, { "content-length": size });
      feed(answer, size);
    }
  });
  const gateway = await Gateway.start(cleanup, origin.address, {
    args: ["--block-pool-bytes", String(64 << 20)],
  });
  let most = 0;
  const watching = setInterval(() => {
    memory_KiB(gateway.server.pid).then((now) => (most = Math.max(most, now)), () => {});
  }, 250);
  cleanup.add(() => clearInterval(watching));
  const open = (method: string, headers: Record<string, string> = {}) => {
    const asked = request({ ...gateway.address, agent: false, method, headers: { ...gateway.headers, ...headers } });
    const answered = new Promise<IncomingMessage>((resolve, reject) => {
      asked.on("response", resolve);
      asked.on("error", reject);
    });
    return { asked, answered };
  };
  const expected = pattern(size);
  const up = open("POST", { "transfer-encoding": "chunked" });
  feed(up.asked, size);
  const down = open("GET");
  down.asked.end();
  assert.equal(await digest(await down.answered), expected);
  (await up.answered).resume();
  assert.equal(await uploaded, expected);
  assert.ok(most <= 100 << 10, `${most} KiB at most`);
}, limit_ms);
