// 20,000 distinct benign requests pass the Core Rule Set at paranoia 1; a part
// of as many others passes the gateway.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Gateway, NodeOrigin, Random, benignClients, benignRequest, binary, scenario } from "./harness/index.js";

scenario("20,000 distinct benign requests of eight clients are not refused", async (cleanup) => {
  const directory = mkdtempSync(join(tmpdir(), "typeauth-waf-"));
  cleanup.add(() => rmSync(directory, { recursive: true }));
  const profile = join(directory, "profile.json");
  writeFileSync(profile, JSON.stringify({ name: "edge", waf: {} }));
  const seed = Number(process.env["TYPEAUTH_SEED"] ?? Date.now() % 2 ** 31);
  console.log(`# seed ${seed}`);
  const random = new Random(seed);
  const all = new Map<string, string>();
  const clients = new Set<string>();
  while (all.size < 20_000) {
    const { client, ...r } = benignRequest(random);
    all.set(JSON.stringify(r), client);
    clients.add(client);
  }
  assert.equal(clients.size, benignClients.length);
  const said = spawnSync(binary(), ["simulate", "--security", profile], { input: [...all.keys()].join("\n"), encoding: "utf8", maxBuffer: 1 << 28, timeout: 600_000 });
  assert.equal(said.status, 0, said.stderr);
  const lines = [...all.keys()];
  const verdicts = said.stdout.split("\n").slice(0, -1);
  assert.equal(verdicts.length, lines.length);
  const blocked = verdicts.flatMap((v, i) => (v.startsWith("block") ? [`${v} ${lines[i]}`] : []));
  assert.deepEqual(blocked.slice(0, 10), [], `seed ${seed}: ${blocked.length} refused`);
});

scenario("2,000 distinct benign requests pass the gateway and arrive whole", async (cleanup) => {
  const origin = await NodeOrigin.start(cleanup);
  const gateway = await Gateway.start(cleanup, origin.address, { profile: null, args: ["--judge-late-ms", "60000"] });
  const { api } = gateway.server;
  const [profile] = await api.create("security/create", { name: "edge", waf: { mode: "block" } });
  const attached = await api.patch(`applications/${gateway.application.id}`, { security_id: profile.id });
  assert.equal(attached.status, 200, attached.text);
  const seed = Number(process.env["TYPEAUTH_SEED"] ?? Date.now() % 2 ** 31);
  console.log(`# seed ${seed}`);
  const random = new Random(seed);
  const ours = /^(host|content-length|connection|transfer-encoding)$/i;
  const bad: string[] = [];
  for (let i = 0; i < 2_000; i += 8)
    await Promise.all(Array.from({ length: 8 }, async () => {
      const r = benignRequest(random);
      const headers = Object.fromEntries(r.headers.filter(([name]) => !ours.test(name)));
      const answer = await gateway.ask(r.method, r.uri, headers, r.body);
      if (answer.status !== 200) bad.push(`${answer.status} ${JSON.stringify(r)}`);
    }));
  assert.deepEqual(bad.slice(0, 5), [], `seed ${seed}: ${bad.length} refused`);
  assert.equal(origin.requests.length, 2_000);
});
