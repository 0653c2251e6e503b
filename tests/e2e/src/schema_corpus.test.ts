// What ajv and express-openapi-validator say of a seeded corpus, we say, but for
// what is explained in harness/disagreements.ts. long_schema_corpus has the whole.
import { compare, compareRequests } from "./harness/corpus.js";
import { agrees } from "./harness/disagreements.js";
import { scenario } from "./harness/index.js";

scenario("10,000 values get ajv's verdict", async () => {
  agrees(compare("2020-12", 20, 100, 50), 5_000, {});
  agrees(compare("3.0", 20, 100, 50), 5_000, {});
});

scenario("10,000 requests of OpenAPI 3.0 get the verdict of ajv and of express-openapi-validator", async () => {
  agrees(await compareRequests(20, 200, 50), 10_000, {
    "ajv: large integers are exact": 2,
    "express-openapi-validator: large integers are exact": 2,
  });
});
