import assert from "node:assert/strict";
import { binary, releaseBinary, scenario, typeauth } from "./harness/index.js";

scenario("typeauth --version names program and version", async () => {
  for (const program of [binary(), releaseBinary()]) {
    const said = await typeauth(["--version"], program);
    assert.match(said.stdout, /^typeauth \d+\.\d+\.\d+\n$/);
    assert.equal(said.code, 0);
  }
});

scenario("an unknown command is refused with exit code 2", async () => {
  const said = await typeauth(["no-such-command"]);
  assert.equal(said.code, 2);
  assert.match(said.stderr, /no-such-command/);
  assert.equal(said.stdout, "");
});
