// The list of disposable mail domains of a server under test.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { binary } from "./server.js";

const packages = {
  "disposable-domains": "index.json",
  "@dahoom/disposable-email": "domains.json",
  "disposable-email-domains-js": "dist/dict/disposable_email_blocklist.json",
};

/** `typeauth data update` from packages that name these domains. */
export function bringList(data: string, domains: string[]): void {
  const modules = join(data, "..", "node_modules");
  const write = (path: string, content: string) => {
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, content);
  };
  for (const [name, file] of Object.entries(packages)) {
    write(join(modules, name, "package.json"), JSON.stringify({ name, version: "1.0.0", license: "MIT" }));
    write(join(modules, name, file), JSON.stringify(domains));
  }
  const said = spawnSync(binary(), ["data", "update", "--data", data, "--from", modules, "--only", "mail"], { encoding: "utf8" });
  assert.equal(said.status, 0, said.stderr);
}
