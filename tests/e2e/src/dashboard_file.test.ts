// deploy/grafana: every expression names metrics and labels that /metrics has.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { Server, call, scenario } from "./harness/index.js";

scenario("every expression of the Grafana dashboard names what /metrics has", async (cleanup) => {
  const server = await Server.start(cleanup);
  const { text } = await call(server.door("ops"), "GET", "/metrics");
  const labels = new Map<string, Set<string>>();
  for (const line of text.split("\n").filter((l) => l && !l.startsWith("#"))) {
    const [, name, inside] = /^(\w+)(?:\{(.*)\})? /.exec(line)!;
    const known = labels.get(name!) ?? new Set(["instance", "job"]);
    for (const [, label] of (inside ?? "").matchAll(/(\w+)="/g)) known.add(label!);
    labels.set(name!, known);
  }
  const dashboard = JSON.parse(readFileSync(new URL("../../../deploy/grafana/typeauth.json", import.meta.url), "utf8"));
  const targets = dashboard.panels.flatMap((p: any) => p.targets);
  assert.ok(targets.length > 10);
  for (const { expr, legendFormat } of targets) {
    const [name] = /typeauth_\w+/.exec(expr)!;
    assert.ok(labels.has(name), `${name} is not in /metrics: ${expr}`);
    const asked = [
      ...[...expr.matchAll(/(\w+)=~?"/g)].map((m: any) => m[1]),
      ...[...expr.matchAll(/by \(([^)]*)\)/g)].flatMap((m: any) => m[1].split(/,\s*/)),
      ...[...legendFormat.matchAll(/\{\{(\w+)\}\}/g)].map((m: any) => m[1]),
    ];
    for (const label of asked) assert.ok(labels.get(name)!.has(label), `${name} has no ${label}: ${expr}`);
  }
});
