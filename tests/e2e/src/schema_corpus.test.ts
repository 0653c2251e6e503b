// What ajv says of a seeded corpus, we say, but for what is explained here.
// TYPEAUTH_CORPUS=N: N schemas of each dialect instead of 100.
import assert from "node:assert/strict";
import { compare } from "./harness/corpus.js";
import { scenario } from "./harness/index.js";

scenario("10,000 pairs of schema and value get ajv's verdict", async () => {
  for (const dialect of ["2020-12", "3.0"] as const) {
    const schemas = Number(process.env.TYPEAUTH_CORPUS ?? 100);
    const { pairs, valid, found } = compare(dialect, 20, schemas, 50);
    assert.equal(pairs, schemas * 50);
    assert.ok(valid > pairs / 10 && valid < (pairs * 9) / 10, `${valid} of ${pairs} are valid`);
    assert.deepEqual(found.slice(0, 5), [], `${found.length} disagreements`);
  }
});
