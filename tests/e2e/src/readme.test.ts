// The README's transcript is run as it stands: the `$` lines of its console
// blocks in one bash, and what they print must be what is printed there, ids,
// secrets and seconds apart.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { promisify } from "node:util";
import { Nginx, Server, releaseBinary, scenario } from "./harness/index.js";

const run = promisify(execFile);

interface Step { command: string; prints: string }

function transcript(text: string): Step[] {
  const steps: Step[] = [];
  for (const [, block] of text.matchAll(/```console\n([\s\S]*?)```/g))
    for (const line of block!.trimEnd().split("\n")) {
      if (line.startsWith("$ ")) steps.push({ command: line.slice(2), prints: "" });
      else if (line.startsWith("> ")) steps.at(-1)!.command += "\n" + line.slice(2);
      else steps.at(-1)!.prints += line + "\n";
    }
  return steps;
}

/** What differs from run to run. */
const shape = (text: string) =>
  text
    .replace(/\r/g, "")
    .replace(/\b(acc|app|auth|tok)_[0-9A-HJKMNP-TV-Z]{26}\b/g, "$1_ID")
    .replace(/\blive_[0-9A-Za-z]{20,}\b/g, "live_SECRET")
    .replace(/\b(Retry-After: |X-RateLimit-Reset: |"reset":)\d+/g, "$1SECONDS");

scenario("the README's first ten minutes print what it says", async (cleanup) => {
  const readme = readFileSync(new URL("../../../README.md", import.meta.url), "utf8");
  const steps = transcript(readme);
  assert.ok(steps.length >= 15, "the README has a transcript");
  const nginx = await Nginx.start(cleanup);
  const server = await Server.start(cleanup, { binary: releaseBinary() });
  const at = (name: string) => `${server.door(name).host}:${server.door(name).port}`;
  const local = (command: string) =>
    command
      .replace(/^ACCOUNT=.*/, `ACCOUNT=${server.accountId}`)
      .replaceAll("127.0.0.1:8080", at("api"))
      .replaceAll("127.0.0.1:8000", at("gateway"))
      .replaceAll("127.0.0.1:9000", `${nginx.address.host}:${nginx.address.port}`)
      .replaceAll("data/owner.key", `${server.data}/owner.key`)
      .replaceAll("/tmp/tokens", `${server.data}/tokens`);
  const mark = "--- next ---";
  const script = steps.map((step) => `${local(step.command)}\necho; echo '${mark}'`).join("\n");
  const { stdout } = await run("bash", ["-c", script], { timeout: 60_000 });
  const printed = stdout.split(`${mark}\n`);
  steps.forEach((step, i) =>
    assert.equal(
      shape(printed[i]!).trim(),
      shape(step.prints).trim(),
      `$ ${step.command}`,
    ),
  );
  await server.stop();
});
