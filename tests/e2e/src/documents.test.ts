// Pages that are printed by the program are what it prints.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { typeauth } from "./harness/index.js";

test("docs/settings.md is what `typeauth settings --markdown` prints", async () => {
  const page = readFileSync(new URL("../../../docs/settings.md", import.meta.url), "utf8");
  const { stdout } = await typeauth(["settings", "--markdown"]);
  assert.equal(stdout, page, "run: typeauth settings --markdown > docs/settings.md");
});

test("every command tells its usage, and wrong usage says so", async () => {
  for (const command of ["serve", "init", "key", "check"]) {
    const help = await typeauth([command, "--help"]);
    assert.equal(help.code, 0, command);
    assert.match(help.stdout, /usage: typeauth/);
  }
  const unknown = await typeauth(["frobnicate"]);
  assert.equal(unknown.code, 2);
  assert.match(unknown.stderr, /no command 'frobnicate'/);
  const option = await typeauth(["serve", "--data", "/nonexistent/x", "--frob", "1"]);
  assert.equal(option.code, 2);
  assert.match(option.stderr, /--frob is not an option/);
});
