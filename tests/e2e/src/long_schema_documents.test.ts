// Large documents that vendors publish load within a second each, and take
// requests made from their own examples. They come from the npm registry
// when this test runs (300 MB unpacked: too much for each CI).
import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, readdirSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { binary, releaseBinary, scenario } from "./harness/index.js";

const packages = ["@octokit/openapi@23.0.2", "@octokit/openapi-webhooks@12.1.0", "@blockfrost/openapi@0.1.93", "@readme/oas-examples@8.2.2"];

const largest = (directory: string, most: number) =>
  readdirSync(directory)
    .filter((name) => /\.(json|ya?ml)$/.test(name) && !name.includes(".deref."))
    .map((name) => join(directory, name))
    .sort((a, b) => statSync(b).size - statSync(a).size)
    .slice(0, most);

type Node = { [name: string]: any };

/** A request for each operation whose parameters and body all have examples of their own. */
function requests(document: Node): object[] {
  const deref = (node: Node): Node =>
    node?.$ref
      ? deref((node.$ref as string).slice(2).split("/").reduce((at: Node, step) => at[step.replace(/~1/g, "/").replace(/~0/g, "~")], document))
      : node;
  const example = (node: Node): any => {
    if (!node) return undefined;
    if (node.example !== undefined) return node.example;
    const first = Object.values(node.examples ?? {})[0] as Node | undefined;
    return first && (Array.isArray(node.examples) ? first : deref(first).value);
  };
  const made: object[] = [];
  for (const [path, item] of Object.entries<Node>(document.paths ?? {}))
    for (const [method, operation] of Object.entries<Node>(item)) {
      if (!["get", "put", "post", "patch", "delete"].includes(method)) continue;
      let target = path, usable = true;
      const query: string[] = [];
      for (const one of [...(item.parameters ?? []), ...(operation.parameters ?? [])].map(deref)) {
        if (!one.required) continue;
        const value = example(one) ?? example(deref(one.schema)) ?? deref(one.schema)?.default;
        if (value === undefined || typeof value === "object") usable = false;
        else if (one.in === "path") target = target.replace(`{${one.name}}`, encodeURIComponent(value));
        else if (one.in === "query") query.push(`${one.name}=${encodeURIComponent(value)}`);
        else usable = false;
      }
      const body = deref(operation.requestBody)?.content?.["application/json"];
      const value = body && example(body);
      if (!usable || target.includes("{") || (operation.requestBody && value === undefined)) continue;
      made.push({ method: method.toUpperCase(), path: target + (query.length ? `?${query.join("&")}` : ""), body: value });
    }
  return made;
}

scenario("large public documents load within a second and take requests of their own examples", async (cleanup) => {
  const directory = mkdtempSync(join(tmpdir(), "typeauth-documents-"));
  cleanup.add(() => rmSync(directory, { recursive: true }));
  execFileSync("npm", ["install", "--no-save", "--ignore-scripts", "--no-audit", "--no-fund", "--prefix", directory, ...packages], {
    stdio: "ignore",
  });
  const at = (path: string) => join(directory, "node_modules", path);
  const documents = [
    ...largest(at("@octokit/openapi/generated"), 8),
    ...largest(at("@octokit/openapi-webhooks/generated"), 2),
    at("@blockfrost/openapi/openapi.yaml"),
    at("@readme/oas-examples/3.1/json/readme.json"),
    at("@readme/oas-examples/3.0/yaml/star-trek.yaml"),
  ];
  assert.ok(documents.length >= 10);
  for (const document of documents) {
    const started = process.hrtime.bigint();
    const said = spawnSync(releaseBinary(), ["schema", "check", document], { encoding: "utf8" });
    const ms = Number(process.hrtime.bigint() - started) / 1e6;
    assert.equal(said.status, 0, `${document}: ${said.stdout.slice(0, 500)}`);
    assert.match(said.stdout, /^ok, \d+ operations$/m);
    assert.ok(ms < 1000, `${document}: ${ms} ms`);
    if (!document.endsWith(".json")) continue;
    const asked = requests(JSON.parse(readFileSync(document, "utf8")) as Node);
    const judged = spawnSync(binary(), ["schema", "check", document, "--request", "-"], {
      input: asked.map((one) => JSON.stringify(one) + "\n").join(""),
      encoding: "utf8",
      maxBuffer: 1 << 28,
    });
    const verdicts = judged.stdout.split("\n").filter((line) => line && !line.startsWith(" "));
    assert.equal(verdicts.length, asked.length);
    // Vendors' examples break their own schemas here and there.
    const good = verdicts.filter((line) => line.startsWith("ok ")).length;
    assert.ok(good >= asked.length * 0.95, `${document}: ${good} of ${asked.length}\n${judged.stdout.match(/^block[^]{0,800}/m)?.[0]}`);
  }
});
