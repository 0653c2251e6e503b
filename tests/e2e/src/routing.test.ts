// Routing profiles (gateway.md §5) from the API to the origin: what a rule
// changes of a request and of its answer, and what no request can make of it.
// Matching itself has its table of cases: tests/vectors/routing.json.
import assert from "node:assert/strict";
import { Gateway, NodeOrigin, call, scenario, type Cleanup, type Recorded } from "./harness/index.js";

interface Routed { gateway: Gateway; origin: NodeOrigin; profile: string }

async function routed(cleanup: Cleanup, endpoints: object[]): Promise<Routed> {
  const origin = await NodeOrigin.start(cleanup, (request, response) => {
    request.resume().on("end", () => {
      response.setHeader("X-Powered-By", "origin");
      response.end("from the origin");
    });
  });
  const gateway = await Gateway.start(cleanup, origin.address);
  const { api } = gateway.server;
  const made = await api.post(`routing/${gateway.application.id}/routing-profiles`, { name: "routes", endpoints });
  assert.equal(made.status, 201, made.text);
  return { gateway, origin, profile: made.json.data[0].id };
}

/** Without a credential. */
const bare = (gateway: Gateway, target: string) =>
  call(gateway.address, "GET", target, { host: gateway.host });

const header = (of: Recorded, name: string) => of.headers[name];

scenario("the published example: variables, details behind the user", async (cleanup) => {
  const { gateway, origin, profile } = await routed(cleanup, [
    { public_path: "/api/{version}/users/{user_id}", target_path: "/{version}/users/{user_id}/details" },
  ]);
  const { api } = gateway.server;
  const [token] = await api.tokens(gateway.application.id);
  const app = await api.get(`applications/${gateway.application.id}`);
  assert.equal(app.json.data[0].routing_id, profile);
  const ask = (target: string, headers = {}) =>
    gateway.ask("GET", target, { authorization: `Bearer ${token.token}`, ...headers });

  assert.equal((await ask("/api/v1/users/42?x=1&y=2")).status, 200);
  assert.equal(origin.last.target, "/v1/users/42/details?x=1&y=2");
  assert.equal((await ask("/elsewhere?x=1")).status, 200);
  assert.equal(origin.last.target, "/elsewhere?x=1", "no match: unchanged");
  assert.equal((await ask("/api/v1/users/a%2Fb")).status, 200);
  assert.equal(origin.last.target, "/v1/users/a%2Fb/details");

  const before = origin.requests.length;
  const dots = await ask("/api/v1/users/%2e%2e");
  assert.equal(dots.status, 400);
  assert.equal(dots.json.error!.code, "bad_request");
  assert.equal((await bare(gateway, "/api/v1/users/42")).status, 401);
  assert.equal(origin.requests.length, before, "neither reached the origin");
});

scenario("methods, fields and hosts of a target", async (cleanup) => {
  const other = await NodeOrigin.start(cleanup);
  const { gateway, origin } = await routed(cleanup, [
    {
      public_method: "POST", public_path: "/orders/{id}", target_method: "PUT",
      target_headers: {
        request: { set: { "X-Order": "no {id}", Accept: "application/json" }, remove: ["X-Debug"] },
        response: { set: { "X-Order": "{id}", Server: "shop" }, remove: ["X-Powered-By"] },
      },
    },
    { public_path: "/other/*", target_hostname: `${other.address.host}:${other.address.port}` },
  ]);
  const [token] = await gateway.server.api.tokens(gateway.application.id);
  const authorization = `Bearer ${token.token}`;

  const answer = await gateway.ask("POST", "/orders/7%0d%0aX-Evil:%201",
    { authorization, "x-debug": "1", accept: "text/html", "x-order": "forged" }, "body");
  assert.equal(answer.status, 200, answer.text);
  assert.equal(origin.last.method, "PUT");
  assert.equal(origin.last.body.toString(), "body");
  assert.equal(header(origin.last, "x-order"), "no 7%0D%0AX-Evil: 1");
  assert.equal(header(origin.last, "x-evil"), undefined);
  assert.equal(header(origin.last, "accept"), "application/json");
  assert.equal(header(origin.last, "x-debug"), undefined);
  assert.equal(answer.headers["x-order"], "7%0D%0AX-Evil: 1");
  assert.equal(answer.headers.server, "shop");
  assert.equal(answer.headers["x-powered-by"], undefined);

  assert.equal((await gateway.ask("GET", "/other/a?b=c", { authorization })).status, 200);
  assert.equal(other.last.target, "/other/a?b=c");
  assert.equal(header(other.last, "host"), `${other.address.host}:${other.address.port}`);
  assert.equal(header(other.last, "x-forwarded-host"), gateway.host);
});

scenario("own answers and scopes come behind the checks", async (cleanup) => {
  const { gateway, origin, profile } = await routed(cleanup, [
    { public_path: "/ping", typeauth_response: "true", typeauth_response_code: "202",
      typeauth_response_body: '{"pong":true}', typeauth_response_content_type: "application/json" },
    { public_path: "/gone", typeauth_response: true, typeauth_response_code: 204 },
    { public_path: "/admin/*", scopes: ["admin", "write"] },
  ]);
  const { api } = gateway.server;
  const [poor] = await api.tokens(gateway.application.id, { scopes: ["admin"], remaining: 2 });
  const [rich] = await api.tokens(gateway.application.id, { scopes: ["write", "admin"] });
  const ask = (target: string, token?: { token: string }, method = "GET") =>
    token
      ? gateway.ask(method, target, { authorization: `Bearer ${token.token}` })
      : bare(gateway, target);

  assert.equal((await ask("/ping")).status, 401);
  const pong = await ask("/ping", rich);
  assert.equal(pong.status, 202);
  assert.equal(pong.text, '{"pong":true}');
  assert.equal(pong.headers["content-type"], "application/json");
  const head = await ask("/ping", rich, "HEAD");
  assert.equal(head.status, 202);
  assert.equal(head.headers["content-length"], "13");
  assert.equal(head.text, "");
  const gone = await ask("/gone", rich);
  assert.equal(gone.status, 204);
  assert.equal(gone.text, "");
  assert.equal(origin.requests.length, 0);

  for (const target of ["/admin", "/admin/x", "/%61dmin/x", "//admin/x", "/admin;v=1/x"]) {
    const refused = await ask(target, poor);
    assert.equal(refused.status, 403, target);
    assert.equal(refused.json.error!.code, "insufficient_scope");
  }
  assert.equal(origin.requests.length, 0);
  assert.equal((await ask("/admin/x", rich)).status, 200);
  assert.equal((await ask("/x", poor)).status, 200, "refusals took nothing of the quota");

  const patched = await api.patch(`routing/${profile}`, { endpoints: [{ public_path: "/admin/*" }] });
  assert.equal(patched.status, 200, patched.text);
  assert.equal((await ask("/admin/x", poor)).status, 200, "a change acts on the next request");
});

scenario("a profile that is attached stays; bad rules name their field", async (cleanup) => {
  const { gateway, profile } = await routed(cleanup, [{ public_path: "/a", target_path: "/b" }]);
  const { api } = gateway.server;
  const refused = await api.delete(`routing/${profile}`);
  assert.equal(refused.status, 409);
  assert.equal(refused.json.data[0].id, gateway.application.id);
  assert.equal((await api.delete(`routing/${profile}?detach=true`)).status, 200);
  const app = await api.get(`applications/${gateway.application.id}`);
  assert.equal(app.json.data[0].routing_id, "");

  const bad = async (rule: object, field: string) => {
    const answer = await api.post("routing/create", { name: "bad", endpoints: [{ public_path: "/ok" }, rule] });
    assert.equal(answer.status, 400, answer.text);
    assert.equal(answer.json.error!.field, `endpoints[1].${field}`);
  };
  await bad({ public_path: "/{a}/{a}" }, "public_path");
  await bad({ public_path: "/a/../b" }, "public_path");
  await bad({ public_path: "/a", target_path: "/{b}" }, "target_path");
  await bad({ public_path: "/{a}", target_hostname: "{a}.com" }, "target_hostname");
  await bad({ public_path: "/a", target_headers: { request: { set: { Host: "x" } } } }, "target_headers");
  await bad({ public_path: "/a", typeauth_response_code: 99 }, "typeauth_response_code");
  await bad({ public_path: "/a", typeauth_response_code: 204, typeauth_response_body: "x", typeauth_response: "true" }, "typeauth_response_body");
  const list = await api.get("routing");
  assert.equal(list.json.data.length, 0, "nothing is half-written");
});
