// Debian's Prometheus scrapes us, and promtool has nothing to say. Not in ci:
// the package is large; skipped, visibly, where it is not installed.
import assert from "node:assert/strict";
import { execFile, execFileSync, spawn } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { NodeOrigin, Server, call, eventually, freePort, scenario } from "./harness/index.js";

const installed = (() => {
  try { execFileSync("promtool", ["--version"]); execFileSync("prometheus", ["--version"]); return true; } catch { return false; }
})();

if (!installed) test("prometheus scrapes us", { skip: "prometheus is not installed" }, () => {});
else scenario("promtool is silent, and prometheus scrapes what we count", async (cleanup) => {
  const server = await Server.start(cleanup);
  const origin = await NodeOrigin.start(cleanup);
  const app = await server.api.application("shop", origin.address);
  for (let i = 0; i < 7; i++) await call(server.door("gateway"), "GET", "/", { host: app.domain });
  const { text } = await call(server.door("ops"), "GET", "/metrics");
  const said = await new Promise<string>((resolve) => {
    const child = execFile("promtool", ["check", "metrics"], (error, stdout, stderr) => resolve(`${error ?? ""}${stdout}${stderr}`));
    child.stdin!.end(text);
  });
  assert.equal(said, "");

  const directory = await mkdtemp(join(tmpdir(), "typeauth-prometheus-"));
  cleanup.add(() => rm(directory, { recursive: true, force: true }));
  const { host, port } = server.door("ops");
  await writeFile(join(directory, "prometheus.yml"),
    `global: { scrape_interval: 1s }\nscrape_configs:\n  - job_name: typeauth\n    static_configs: [{ targets: ["${host}:${port}"] }]\n`);
  const at = await freePort();
  const child = spawn("prometheus", [`--config.file=${directory}/prometheus.yml`, `--storage.tsdb.path=${directory}/data`,
    `--web.listen-address=127.0.0.1:${at}`], { stdio: "ignore" });
  cleanup.add(() => { child.kill("SIGKILL"); });
  const ask = async (query: string) => {
    try {
      const { text: answer } = await call({ host: "127.0.0.1", port: at }, "GET", `/api/v1/query?query=${encodeURIComponent(query)}`);
      return JSON.parse(answer).data.result as any[];
    } catch { return []; }
  };
  await eventually("it is scraped", async () =>
    (await ask('typeauth_exchanges_total{door="proxy",outcome="passed"}'))[0]?.value[1] === "7", 30_000);
  assert.equal((await ask("up"))[0].value[1], "1");
});
