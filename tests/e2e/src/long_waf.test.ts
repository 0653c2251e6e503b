// 20,000 distinct benign requests pass the Core Rule Set at paranoia 1.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Random, benignClients, benignRequest, binary, scenario } from "./harness/index.js";

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
