// What ajv says of a seeded corpus, we say, but for what is explained here.
// TYPEAUTH_CORPUS=N: N schemas of each dialect instead of 100.
import assert from "node:assert/strict";
import { compare, type Disagreement } from "./harness/corpus.js";
import { scenario } from "./harness/index.js";

/** What is known of ajv, each with what the standard says; of 100,000 pairs these are all. */
function explained({ dialect, schema, value, ours }: Disagreement): string | undefined {
  const rules = JSON.stringify(schema), sent = JSON.stringify(value);
  if (dialect === "2020-12" && rules.includes('"contains"') && rules.includes('"unevaluatedItems"'))
    return "items that `contains` matches are evaluated (Core 11.2); ajv forgets them";
  if (!ours && sent.includes("100000000000000000000") && rules.includes('"multipleOf"'))
    return "10^20 is no multiple of 3: ajv divides doubles";
  if (!ours && sent.includes("100000000000000000000") && rules.includes('"int64"'))
    return "10^20 does not fit 64 bits: ajv-formats takes any integer";
  return undefined;
}

scenario("10,000 pairs of schema and value get ajv's verdict", async () => {
  for (const dialect of ["2020-12", "3.0"] as const) {
    const schemas = Number(process.env.TYPEAUTH_CORPUS ?? 100);
    const { pairs, valid, found } = compare(dialect, 20, schemas, 50);
    assert.equal(pairs, schemas * 50);
    assert.ok(valid > pairs / 10 && valid < (pairs * 9) / 10, `${valid} of ${pairs} are valid`);
    const open = found.filter((one) => !explained(one));
    assert.deepEqual(open.slice(0, 5), [], `${open.length} disagreements`);
  }
});
