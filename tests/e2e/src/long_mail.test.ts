// The list of disposable domains as `typeauth data update` makes it of today's
// npm packages: no large mail provider is refused, services that give addresses
// for ten minutes are. The providers are another project's list, of domains of
// mail providers among the most visited of the web; what it has of disposable
// services, and of names under which anybody may register, is taken out by hand.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Gateway, NodeOrigin, binary, scenario } from "./harness/index.js";

const root = new URL("../../..", import.meta.url).pathname;
const modules = join(root, "tests/e2e/node_modules");

/** Of email-providers/common.json, what gives throw-away addresses or is no provider. */
const notProviders = new Set(`test.com web.id msk.ru pp.ua yourdomain.com mail-tester.com hidemyass.com anonymize.com
  10minutemail.com temp-mail.org mailinator.com bugmenot.com guerrillamail.com fr.nf f5.si dynu.net pe.hu za.com
  blogos.com yopmail.com cu.cc ddnsfree.com privacy.net chacuo.net emailondeck.com`.split(/\s+/));

const common = (JSON.parse(readFileSync(join(modules, "email-providers/common.json"), "utf8")) as string[])
  .filter((domain) => !notProviders.has(domain));
/** Written by hand in src/detect/mail_providers.c. */
const ours = [...readFileSync(join(root, "src/detect/mail_providers.c"), "utf8").matchAll(/"([a-z0-9.-]+\.[a-z0-9-]+)"/g)].map((m) => m[1]!);

scenario("of the lists' 180,000 domains none is a large mail provider, and well-known throw-away services are", async (cleanup) => {
  const directory = mkdtempSync(join(tmpdir(), "typeauth-mail-"));
  cleanup.add(() => rmSync(directory, { recursive: true, force: true }));
  const data = join(directory, "data");
  const made = spawnSync(binary(), ["data", "update", "--data", data, "--from", modules, "--only", "mail"], { encoding: "utf8" });
  assert.equal(made.status, 0, made.stderr);
  assert.ok(Number(/merged: (\d+) domains/.exec(made.stdout)?.[1]) > 180_000, made.stdout);

  const origin = await NodeOrigin.start(cleanup);
  const gateway = await Gateway.start(cleanup, origin.address, { data });
  const { api } = gateway.server;
  const [profile] = await api.create("abuse/create", { name: "mail", checkLocations: ["header"], checkPropertyName: "x-email", onFault: "closed" });
  await api.patch(`applications/${gateway.application.id}`, { abuse_id: profile.id });
  const refused = async (domains: string[]) => {
    const out: string[] = [];
    for (const domain of domains) {
      const answer = await gateway.ask("GET", "/", { "x-email": `someone@${domain}` });
      assert.ok(answer.status === 200 || answer.status === 403, `${domain}: ${answer.status}`);
      if (answer.status === 403) out.push(domain);
    }
    return out;
  };
  const providers = [...new Set([...common, ...ours])];
  assert.ok(common.length >= 300 && providers.length >= 1_000, `${common.length}, ${providers.length}`);
  assert.deepEqual(await refused(providers), []);
  const throwAway = ["mailinator.com", "10minutemail.com", "guerrillamail.com", "yopmail.com", "temp-mail.org", "trashmail.com", "sharklasers.com", "x.mailinator.com"];
  assert.deepEqual(await refused(throwAway), throwAway);
});
