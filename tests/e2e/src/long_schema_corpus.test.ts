// The whole corpus of schema_corpus.test.ts.
import { compare, compareRequests } from "./harness/corpus.js";
import { agrees } from "./harness/disagreements.js";
import { scenario } from "./harness/index.js";

scenario("100,000 requests of OpenAPI 3.0 get the verdict of ajv and of express-openapi-validator", async () => {
  agrees(await compareRequests(20, 2_000, 50), 100_000, {
    "ajv: large integers are exact": 6,
    "express-openapi-validator: hundredths are exact": 3,
    "express-openapi-validator: large integers are exact": 9,
  });
});

scenario("100,000 values get ajv's verdict", async () => {
  agrees(compare("2020-12", 20, 1_000, 50), 50_000, {
    "ajv: contains counts as evaluated": 28,
    "ajv: int64 is 64 bits": 1,
    "ajv: large integers are exact": 2,
  });
  agrees(compare("3.0", 20, 1_000, 50), 50_000, {});
});
