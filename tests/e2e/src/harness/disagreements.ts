// What is known of the oracles, each kind with what the standard says. A
// corpus is fixed by its seed, so that its counts are too: one more or less is
// a change of ours or theirs that somebody must look at.
import assert from "node:assert/strict";
import type { Comparison, Disagreement } from "./corpus.js";

interface Kind {
  name: string;
  because: string;
  is(one: Disagreement, schema: string, value: string): boolean;
}

const kinds: Kind[] = [
  {
    name: "contains counts as evaluated",
    because: "items that `contains` matches are evaluated (JSON Schema Core 2020-12, 11.2); ajv forgets them",
    is: (one, schema) => one.dialect === "2020-12" && schema.includes('"contains"') && schema.includes('"unevaluatedItems"'),
  },
  {
    name: "large integers are exact",
    because: "10^20 is no multiple of 3: ajv, also that of express-openapi-validator, divides doubles",
    is: (one, schema, value) => !one.ours && value.includes("100000000000000000000") && /"multipleOf":3\b/.test(schema),
  },
  {
    name: "hundredths are exact",
    because: "4.35 and 10^20 are multiples of 0.01: express-openapi-validator divides doubles and cannot be told to round",
    is: (one, schema, value) =>
      one.oracle === "express-openapi-validator" && /"multipleOf":0\.01\b/.test(schema) && /4\.35|100000000000000000000/.test(value),
  },
  {
    name: "int64 is 64 bits",
    because: "10^20 does not fit: ajv-formats takes any integer",
    is: (one, schema, value) => !one.ours && value.includes("100000000000000000000") && schema.includes('"int64"'),
  },
];

/** So many pairs, both verdicts often, and of each kind of disagreement exactly that many. */
export function agrees({ pairs, valid, found }: Comparison, count: number, expected: Record<string, number>): void {
  assert.equal(pairs, count);
  assert.ok(valid > pairs / 10 && valid < (pairs * 9) / 10, `${valid} of ${pairs} are valid`);
  const seen: Record<string, number> = {}, open: Disagreement[] = [];
  for (const one of found) {
    const kind = kinds.find((k) => k.is(one, JSON.stringify(one.schema), JSON.stringify(one.value)));
    if (!kind) open.push(one);
    else seen[`${one.oracle}: ${kind.name}`] = (seen[`${one.oracle}: ${kind.name}`] ?? 0) + 1;
  }
  assert.deepEqual(open.slice(0, 5), [], `${open.length} disagreements without a reason`);
  assert.deepEqual(seen, expected);
}
