// CORS at the gateway (api.md §2 `cors`, gateway.md §1 step 2): preflights as
// browsers send them, and what scripts may read of answers and refusals.
import assert from "node:assert/strict";
import { Gateway, NodeOrigin, call, scenario } from "./harness/index.js";

const cors = {
  allowOrigins: ["https://app.example.com", "https://*.preview.example.com"],
  allowMethods: ["GET", "PUT", "DELETE"],
  exposeHeaders: ["X-Total"],
  allowCredentials: true,
  maxAge: 600,
};

// What Chromium and Firefox send before fetch(url, {method: "PUT", headers:
// {Authorization, "Content-Type": "application/json"}}).
const chromium = {
  accept: "*/*",
  "access-control-request-headers": "authorization,content-type",
  "access-control-request-method": "PUT",
  origin: "https://app.example.com",
  "sec-fetch-mode": "cors",
  "sec-fetch-site": "cross-site",
  "sec-fetch-dest": "empty",
  referer: "https://app.example.com/",
  "user-agent": "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/131.0.0.0 Safari/537.36",
};
const firefox = {
  "user-agent": "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0",
  accept: "*/*",
  "accept-language": "en-US,en;q=0.5",
  "access-control-request-method": "DELETE",
  "access-control-request-headers": "authorization",
  origin: "https://a.preview.example.com",
  priority: "u=4",
};

scenario("preflights are answered before a token is asked for", async (cleanup) => {
  const origin = await NodeOrigin.start(cleanup);
  const gateway = await Gateway.start(cleanup, origin.address, { application: { cors } });
  const ask = (headers: Record<string, string>) =>
    call(gateway.address, "OPTIONS", "/orders/1", { host: gateway.host, ...headers });

  const first = await ask(chromium);
  assert.equal(first.status, 204, first.text);
  assert.equal(first.headers["access-control-allow-origin"], "https://app.example.com");
  assert.equal(first.headers["access-control-allow-methods"], "GET, PUT, DELETE");
  assert.equal(first.headers["access-control-allow-headers"], "authorization,content-type");
  assert.equal(first.headers["access-control-allow-credentials"], "true");
  assert.equal(first.headers["access-control-max-age"], "600");
  assert.match(String(first.headers.vary), /Origin/);
  assert.equal(first.headers["content-length"], undefined);

  const second = await ask(firefox);
  assert.equal(second.headers["access-control-allow-origin"], "https://a.preview.example.com");

  for (const [name, headers] of Object.entries({
    "another site": { ...chromium, origin: "https://evil.example" },
    "a method that is not allowed": { ...chromium, "access-control-request-method": "PATCH" },
  })) {
    const answer = await ask(headers);
    assert.equal(answer.status, 204, name);
    assert.equal(answer.headers["access-control-allow-origin"], undefined, name);
    assert.match(String(answer.headers.vary), /Origin/, name);
  }
  assert.equal(origin.requests.length, 0, "no preflight reached the origin");

  const plain = await ask({ origin: "https://app.example.com" });
  assert.equal(plain.status, 401, "OPTIONS that is no preflight is judged like any request");
  assert.equal(plain.headers["access-control-allow-origin"], "https://app.example.com");
});

scenario("answers and refusals say which site may read them", async (cleanup) => {
  const origin = await NodeOrigin.start(cleanup, (request, response) => {
    request.resume().on("end", () => {
      response.setHeader("Access-Control-Allow-Origin", "*");
      response.setHeader("Access-Control-Allow-Methods", "TRACE");
      response.setHeader("Vary", "Accept-Encoding");
      response.end("hello");
    });
  });
  const gateway = await Gateway.start(cleanup, origin.address, { application: { cors } });
  const site = { origin: "https://app.example.com" };

  const good = await gateway.ask("GET", "/", site);
  assert.equal(good.status, 200);
  assert.equal(good.headers["access-control-allow-origin"], "https://app.example.com");
  assert.equal(good.headers["access-control-allow-credentials"], "true");
  assert.equal(good.headers["access-control-expose-headers"], "X-Total");
  assert.equal(good.headers["access-control-allow-methods"], undefined, "the origin's own go");
  assert.equal(good.headers.vary, "Accept-Encoding, Origin");

  const none = await gateway.ask("GET", "/", {});
  assert.equal(none.headers["access-control-allow-origin"], undefined);
  assert.equal(none.headers.vary, "Accept-Encoding, Origin");

  const refused = await call(gateway.address, "GET", "/", { host: gateway.host, ...site });
  assert.equal(refused.status, 401);
  assert.equal(refused.headers["access-control-allow-origin"], "https://app.example.com");
  assert.equal(refused.headers.vary, "Origin");

  const { api } = gateway.server;
  await api.patch(`applications/${gateway.application.id}`, { enabled: false });
  const shut = await call(gateway.address, "OPTIONS", "/", { host: gateway.host, ...chromium });
  assert.equal(shut.status, 503, "not even preflights, of an application that is disabled");

  await api.patch(`applications/${gateway.application.id}`, { enabled: true, cors: null });
  const own = await gateway.ask("GET", "/", site);
  assert.equal(own.headers["access-control-allow-origin"], "*", "without cors the origin speaks");
  assert.equal((await call(gateway.address, "OPTIONS", "/", { host: gateway.host, ...chromium })).status, 401);
});
