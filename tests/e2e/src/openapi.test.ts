// /openapi.json: the customer's operation word for word, one consistent
// document. That answers keep to it is asked of every answer of every test
// (harness/contract.ts).
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { Ajv2020 } from "ajv/dist/2020.js";
import addFormats from "ajv-formats";
import { Contract, Server, call, scenario } from "./harness/index.js";

const seed = JSON.parse(
  readFileSync(new URL("../../vectors/seed_create_token.json", import.meta.url), "utf8"),
);

/** Where `whole` does not say what `part` says; undefined: it says all. */
function missing(whole: any, part: any, at = ""): string | undefined {
  if (Array.isArray(part)) {
    if (!Array.isArray(whole)) return `${at} is no array`;
    for (const one of part)
      if (!whole.some((other) => missing(other, one) === undefined))
        return `${at} lacks ${JSON.stringify(one)}`;
    return part.length === 0 && whole.length > 0 ? `${at} is not empty` : undefined;
  }
  if (part === null || typeof part !== "object")
    return whole === part ? undefined : `${at} is ${JSON.stringify(whole)}, not ${JSON.stringify(part)}`;
  if (whole === null || typeof whole !== "object") return `${at} is absent`;
  for (const [name, value] of Object.entries(part)) {
    const found = missing(whole[name], value, `${at}/${name}`);
    if (found) return found;
  }
  return undefined;
}

scenario("the customer's operation is published word for word", async (cleanup) => {
  const server = await Server.start(cleanup);
  const { document } = await server.api.contract();
  const post = document.paths[seed.path]?.post;
  assert.equal(missing(document.info, seed.info, "info"), undefined);
  assert.equal(missing(document.security, seed.security, "security"), undefined);
  assert.equal(missing(post, seed.post, "post"), undefined);
  assert.equal(missing(document.components.schemas, seed.schemas, "schemas"), undefined);
  assert.equal(document.components.securitySchemes.bearerAuth.scheme, "bearer");
  // Nothing that the seed allows is asked for beyond it.
  for (const parameter of post.parameters)
    if (parameter.required)
      assert.ok(["account_id", "application_id"].includes(parameter.name));
  assert.equal(document.components.schemas.CreateTokenRequest.required, undefined);
});

scenario("an answer to the customer's operation satisfies the customer's own schema", async (cleanup) => {
  const server = await Server.start(cleanup);
  const app = await server.api.application("seed", { host: "127.0.0.1", port: 9 }, {});
  const ajv = new Ajv2020({ strict: false, allErrors: true });
  (addFormats as unknown as (ajv: Ajv2020) => void)(ajv);
  ajv.addSchema({ components: { schemas: seed.schemas } }, "seed");
  const valid = ajv.compile({ $ref: "seed#/components/schemas/ApplicationResponse" });
  for (const body of [
    {}, { amount: 1 }, { amount: 100, tags: ["a", "b", "c", "d", "e"] }, { tags: [] },
    { name: "n", owner: "o", metadata: { a: 1 }, expires: 60, remaining: 5, scopes: ["s"] },
  ]) {
    const answer = await server.api.post(`token/create/${app.id}`, body);
    assert.equal(answer.status, 201, answer.text);
    assert.equal(answer.json.data.length, (body as any).amount ?? 1);
    assert.ok(valid(answer.json), `${ajv.errorsText(valid.errors)}: ${answer.text.slice(0, 400)}`);
  }
});

scenario("the document is one: every reference leads somewhere, every operation says who may", async (cleanup) => {
  const server = await Server.start(cleanup);
  const { document } = await server.api.contract();
  const seen = new Set<string>();
  let references = 0;
  const walk = (value: any, at: string) => {
    if (value === null || typeof value !== "object") return;
    if (typeof value.$ref === "string") {
      references++;
      const steps = decodeURIComponent(value.$ref).slice(2).split("/")
        .map((step) => step.replace(/~1/g, "/").replace(/~0/g, "~"));
      const target = steps.reduce((o: any, step) => o?.[step], document);
      assert.ok(target, `${at}: ${value.$ref} leads nowhere`);
    }
    for (const [name, one] of Object.entries(value)) walk(one, `${at}/${name}`);
  };
  walk(document, "");
  assert.ok(references > 100);
  for (const [path, methods] of Object.entries<any>(document.paths))
    for (const [method, operation] of Object.entries<any>(methods)) {
      if (method === "$ref") continue;
      assert.ok(!seen.has(operation.operationId), operation.operationId);
      seen.add(operation.operationId);
      assert.ok(operation.responses.default, `${method} ${path}`);
      const variables = [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name);
      const declared = operation.parameters.filter((p: any) => p.in === "path").map((p: any) => p.name);
      assert.deepEqual(declared.sort(), variables.sort(), `${method} ${path}`);
    }
});

scenario("an answer beside the description fails a test", async (cleanup) => {
  const server = await Server.start(cleanup);
  const text = (await call(server.door("api"), "GET", "/openapi.json")).text;
  const contract = new Contract(text);
  const answer = (status: number, json: object, headers = {}) => ({
    status, text: JSON.stringify(json), json: json as any,
    headers: { "x-request-id": "r", "content-type": "application/json; charset=utf-8", ...headers },
  });
  const good = { success: true, message: "", data: [], has_more: false };
  const path = `/${server.accountId}/applications`;
  contract.check("GET", path, answer(200, good));
  for (const bad of [
    answer(202, good), answer(200, { ...good, data: {} }), answer(200, { ...good, success: "yes" }),
    answer(200, { ...good, data: [{ id: 7 }] }), answer(200, { success: true, message: "" }),
    answer(404, good), answer(404, { success: false, message: "", data: [] }),
    answer(200, good, { "x-request-id": undefined }), answer(200, good, { "content-type": "text/html" }),
  ])
    assert.throws(() => contract.check("GET", path, bad), JSON.stringify(bad));
});
