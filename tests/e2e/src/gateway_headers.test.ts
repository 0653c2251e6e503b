// Which fields reach the origin and which reach the client (gateway.md §2,
// §3): ours cannot be forged, credentials do not pass, refusals say what they
// may.
import assert from "node:assert/strict";
import { Gateway, NodeOrigin, scenario, typeauth, type Recorded } from "./harness/index.js";

/** All values that the origin got under this name in any spelling. */
function seen(recorded: Recorded, name: string): string[] {
  const values: string[] = [];
  for (let i = 0; i < recorded.rawHeaders.length; i += 2)
    if (recorded.rawHeaders[i]!.toLowerCase().replaceAll("_", "-") === name)
      values.push(recorded.rawHeaders[i + 1]!);
  return values;
}

const spellings = (name: string) => [
  name,
  name.toUpperCase(),
  name.toLowerCase(),
  name.replaceAll("-", "_"),
  name.replace("-", "_"),
  name.toLowerCase().replaceAll("-", "_"),
];

const ours = [
  "X-Typeauth-Application",
  "X-Typeauth-Token-Id",
  "X-Typeauth-Owner",
  "X-Typeauth-Scopes",
  "X-Typeauth-Subject",
  "X-Typeauth-Anything",
  "X-Forwarded-For",
  "X-Forwarded-Proto",
  "X-Forwarded-Host",
  "X-Request-Id",
];

scenario("the origin learns who calls", async (cleanup) => {
  const origin = await NodeOrigin.start(cleanup);
  const gateway = await Gateway.start(cleanup, origin.address);
  const [token] = await gateway.server.api.tokens(gateway.application.id, {
    owner: "Jörg & Söhne",
    scopes: ["read", "write"],
  });
  const answer = await gateway.ask("GET", "/a/b?c=d", { authorization: `Bearer ${token.token}` });
  assert.equal(answer.status, 200);
  const { last } = origin;
  assert.equal(last.target, "/a/b?c=d");
  assert.deepEqual(seen(last, "host"), [`${origin.address.host}:${origin.address.port}`]);
  assert.deepEqual(seen(last, "x-forwarded-for"), ["127.0.0.1"]);
  assert.deepEqual(seen(last, "x-forwarded-proto"), ["http"]);
  assert.deepEqual(seen(last, "x-forwarded-host"), [gateway.host]);
  assert.deepEqual(seen(last, "forwarded"), [`for=127.0.0.1;host=${gateway.host};proto=http`]);
  assert.match(seen(last, "via")[0]!, /^1\.1 \S+$/);
  assert.deepEqual(seen(last, "x-typeauth-application"), [gateway.application.id]);
  assert.deepEqual(seen(last, "x-typeauth-token-id"), [token.id]);
  assert.deepEqual(seen(last, "x-typeauth-owner"), ["J%C3%B6rg & S%C3%B6hne"]);
  assert.match(seen(last, "x-typeauth-scopes")[0]!, /^read[ ,]+write$/);
  const [id] = seen(last, "x-request-id");
  assert.match(id!, /^[0-9a-f]{32}$/);
  assert.equal(answer.headers["x-request-id"], id);
  assert.deepEqual(seen(last, "authorization"), [], "the credential stays here");
});

scenario("forged fields are removed in every spelling", async (cleanup) => {
  const origin = await NodeOrigin.start(cleanup);
  const gateway = await Gateway.start(cleanup, origin.address);
  const client = await gateway.raw();
  for (const name of ours) {
    const fields = spellings(name).map((spelling) => `${spelling}: forged`);
    await client.send(gateway.head("GET / HTTP/1.1", fields));
    assert.equal((await client.read()).status, 200, name);
    for (const value of seen(origin.last, name.toLowerCase()))
      assert.notEqual(value, "forged", name);
    assert.ok(seen(origin.last, name.toLowerCase()).length <= 1, name);
    assert.ok(!origin.last.rawHeaders.includes("forged"), name);
  }
  await client.send(gateway.head("GET / HTTP/1.1", ["Forwarded: for=1.2.3.4", "forwarded: for=5.6.7.8"]));
  await client.read();
  assert.equal(seen(origin.last, "forwarded").length, 1);
  assert.doesNotMatch(seen(origin.last, "forwarded")[0]!, /1\.2\.3\.4|5\.6\.7\.8/);
});

scenario("forged fields are removed from trailers", async (cleanup) => {
  const origin = await NodeOrigin.start(cleanup);
  const gateway = await Gateway.start(cleanup, origin.address);
  const client = await gateway.raw();
  for (const name of [...ours, "Via", "Forwarded"])
    for (const spelling of spellings(name)) {
      if (spelling.includes("_") && !name.startsWith("X-")) continue;
      await client.send(
        gateway.head("POST / HTTP/1.1", ["Transfer-Encoding: chunked"]) +
          `1\r\na\r\n0\r\n${spelling}: forged\r\nX-Kept: yes\r\n\r\n`,
      );
      const answer = await client.read();
      assert.equal(answer.status, 200, spelling);
      assert.deepEqual({ ...origin.last.trailers }, { "x-kept": "yes" }, spelling);
    }
});

scenario("Connection cannot name away what was judged or what frames", async (cleanup) => {
  const origin = await NodeOrigin.start(cleanup);
  const gateway = await Gateway.start(cleanup, origin.address);
  for (const name of [
    "x-typeauth-token-id", "X-Typeauth-Application", "x-forwarded-for", "x-request-id",
    "via", "forwarded", "host", "content-length", "authorization", "cookie", "x_typeauth_token_id",
  ]) {
    const client = await gateway.raw();
    await client.send(
      gateway.head("POST /x HTTP/1.1", [
        `Connection: keep-alive, ${name}`, "Content-Length: 3", "Cookie: a=b", "X-Own: 1",
      ]) + "abc",
    );
    assert.equal((await client.read()).status, 200, name);
    const { last } = origin;
    assert.equal(last.body.toString(), "abc", name);
    assert.deepEqual(seen(last, "content-length"), ["3"], name);
    assert.deepEqual(seen(last, "x-typeauth-token-id"), [gateway.token.id], name);
    assert.deepEqual(seen(last, "x-typeauth-application"), [gateway.application.id], name);
    assert.deepEqual(seen(last, "x-forwarded-for"), ["127.0.0.1"], name);
    assert.equal(seen(last, "x-request-id").length, 1, name);
    assert.equal(seen(last, "host").length, 1, name);
    assert.deepEqual(seen(last, "cookie"), ["a=b"], name);
    assert.deepEqual(seen(last, "x-own"), ["1"], name);
  }
});

scenario("fields of this hop end here", async (cleanup) => {
  const origin = await NodeOrigin.start(cleanup, (asked, answer) => {
    asked.resume();
    answer.setHeader("Keep-Alive", "timeout=5");
    answer.setHeader("X-Own", "1");
    answer.end("x");
  });
  const gateway = await Gateway.start(cleanup, origin.address);
  const client = await gateway.raw();
  await client.send(
    gateway.head("GET / HTTP/1.1", [
      "Connection: keep-alive, X-Hop, TE", "X-Hop: 1", "X-Stay: 1", "TE: trailers",
      "Keep-Alive: timeout=9", "Proxy-Connection: keep-alive", "Proxy-Authorization: Basic x",
      "Upgrade: h2c", "HTTP2-Settings: AAAA",
    ]),
  );
  const answer = await client.read();
  assert.equal(answer.status, 200);
  for (const name of ["x-hop", "te", "keep-alive", "proxy-connection", "proxy-authorization", "upgrade", "http2-settings"])
    assert.deepEqual(seen(origin.last, name), [], name);
  assert.deepEqual(seen(origin.last, "x-stay"), ["1"]);
  assert.equal(answer.field("keep-alive"), undefined);
  assert.equal(answer.field("x-own"), "1");
});

scenario("what trusted proxies write is believed and added to", async (cleanup) => {
  const origin = await NodeOrigin.start(cleanup);
  const gateway = await Gateway.start(cleanup, origin.address, {
    args: ["--trusted-proxies", "127.0.0.0/8"],
  });
  await gateway.ask("GET", "/", {
    "x-forwarded-for": "203.0.113.9, 127.0.0.2",
    "x-forwarded-proto": "https",
    "x-forwarded-host": "public.example",
    forwarded: "for=203.0.113.9;proto=https",
    "x-request-id": "from-the-edge.1",
    via: "1.1 edge",
  });
  const { last } = origin;
  assert.deepEqual(seen(last, "x-forwarded-for"), ["203.0.113.9, 127.0.0.2, 127.0.0.1"]);
  assert.deepEqual(seen(last, "x-forwarded-proto"), ["https"]);
  assert.deepEqual(seen(last, "x-forwarded-host"), ["public.example"]);
  assert.match(seen(last, "forwarded")[0]!, /^for=203\.0\.113\.9;proto=https, for=127\.0\.0\.1;/);
  assert.deepEqual(seen(last, "x-request-id"), ["from-the-edge.1"]);
  assert.match(seen(last, "via")[0]!, /^1\.1 edge, 1\.1 \S+$/);
  const [line] = await gateway.log(1);
  assert.equal(line!.r, "203.0.113.9", "the client, not the proxy");
  assert.equal(line!.i, "from-the-edge.1");

  await gateway.ask("GET", "/", { "x-request-id": "a".repeat(200) });
  assert.match(seen(origin.last, "x-request-id")[0]!, /^[0-9a-f]{32}$/, "not sane");
  await gateway.ask("GET", "/", { "x-forwarded-proto": "gopher" });
  assert.deepEqual(seen(origin.last, "x-forwarded-proto"), ["http"]);
});

scenario("the client's address is told by one kind of field, forged and repeated ones do not count", async (cleanup) => {
  const origin = await NodeOrigin.start(cleanup);
  const remote = async (args: string[], fields: string[]) => {
    const gateway = await Gateway.start(cleanup, origin.address, { args: ["--workers", "1", ...args] });
    for (const field of fields) {
      const client = await gateway.raw();
      await client.send(gateway.head("GET / HTTP/1.1", field.split("\n")));
      assert.equal((await client.read()).status, 200, field);
    }
    const lines = await gateway.log(fields.length);
    return fields.map((_, i) => lines[i]!.r);
  };
  const asked = [
    "Forwarded: for=203.0.113.7",
    "X-Forwarded-For: 203.0.113.8",
    "X-Forwarded-For: 6.6.6.6\nX-Forwarded-For: 203.0.113.9",
    "Forwarded: for=6.6.6.6\nForwarded: for=203.0.113.10;proto=https, for=127.0.0.9",
    'Forwarded: for="6.6.6.6, for=203.0.113.11',
    "Forwarded: for=203.0.113.12;for=6.6.6.6",
  ];
  const proxies = ["--trusted-proxies", "127.0.0.0/8"];
  const peer = "127.0.0.1";
  assert.deepEqual(await remote(proxies, asked),
    [peer, "203.0.113.8", "203.0.113.9", peer, peer, peer]);
  assert.deepEqual(await remote([...proxies, "--client-address", "forwarded"], asked),
    ["203.0.113.7", peer, peer, "203.0.113.10", "203.0.113.11", peer]);
  assert.deepEqual(await remote(["--client-address", "Forwarded"], asked), Array(6).fill(peer),
    "nobody is trusted");
  const wrong = await typeauth(["serve", "--data", "/nonexistent/x", "--client-address", "X-Real-IP"]);
  assert.equal(wrong.code, 2);
  assert.match(wrong.stderr, /--client-address 'X-Real-IP' is not one of: X-Forwarded-For Forwarded/);
});

scenario("credentials in all four places are judged and hidden, or kept", async (cleanup) => {
  const origin = await NodeOrigin.start(cleanup);
  const places: [object | undefined, (t: string) => { path: string; headers: Record<string, string> }][] = [
    [undefined, (t) => ({ path: "/p?a=1&b=2", headers: { authorization: `bearer ${t}` } })],
    [{ in: "header", name: "X-Api-Key" }, (t) => ({ path: "/p?a=1&b=2", headers: { "x-api-key": t } })],
    [{ in: "query", name: "key" }, (t) => ({ path: `/p?a=1&key=${t}&b=2`, headers: {} })],
    [{ in: "cookie", name: "session" }, (t) => ({ path: "/p?a=1&b=2", headers: { cookie: `a=1; session=${t}; b=2` } })],
  ];
  const gateway = await Gateway.start(cleanup, origin.address);
  const { api } = gateway.server;
  let n = 0;
  for (const [tokenLocation, ask] of places)
    for (const hideCredentials of [true, false]) {
      const what = JSON.stringify({ tokenLocation, hideCredentials });
      const application = await api.application(`place${n++}`, origin.address, {
        ...(tokenLocation ? { tokenLocation } : {}),
        hideCredentials,
      });
      const [{ token }] = await api.tokens(application.id);
      const { path, headers } = ask(token);
      const send = (value: string) => {
        const asked = ask(value);
        return gateway.ask("GET", asked.path, { host: application.domain, authorization: "", ...asked.headers });
      };
      assert.equal((await send("wrong")).status, 401, what);
      const answer = await send(token);
      assert.equal(answer.status, 200, `${what}: ${answer.text}`);
      const { last } = origin;
      const arrived = `${last.target} ${last.rawHeaders.join(" ")}`;
      assert.equal(arrived.includes(token), !hideCredentials, what);
      if (hideCredentials) {
        assert.equal(last.target, "/p?a=1&b=2", what);
        if (headers.cookie) assert.match(last.headers.cookie!, /^a=1; ?b=2$/, what);
      } else {
        assert.equal(last.target, path, what);
      }
    }
  // An escaped spelling of the parameter's name means the same to an origin.
  const application = await api.application("escaped", origin.address, {
    tokenLocation: { in: "query", name: "key" },
  });
  const [{ token }] = await api.tokens(application.id);
  await gateway.ask("GET", `/?%6bey=${token}&key=${token}`, { host: application.domain, authorization: "" });
  for (const request of origin.requests.slice(-1))
    if (request.headers["x-forwarded-host"] === application.domain)
      assert.ok(!request.target.includes(token), request.target);
});

scenario("a refusal says its reason only where the application wants it", async (cleanup) => {
  const origin = await NodeOrigin.start(cleanup);
  const gateway = await Gateway.start(cleanup, origin.address, {
    profile: { ratelimit: { limit: 2, timeWindow: 60 } },
  });
  const { api } = gateway.server;
  const closed = await api.application(
    "closed", origin.address, { ratelimit: { limit: 1, timeWindow: 60 } }, { detailResponse: false },
  );
  const ask = (headers: Record<string, string>) =>
    gateway.ask("GET", "/", { authorization: "", ...headers });

  for (const [host, detail] of [[gateway.host, true], [closed.domain, false]] as const)
    for (const [authorization, code] of [
      ["", "missing_token"],
      ["Basic dTpw", "missing_token"],
      ["Bearer nonsense", "invalid_token"],
      [`Bearer ${"x".repeat(60)}`, "invalid_token"],
    ] as const) {
      const answer = await ask({ host, authorization });
      const what = `${host} ${authorization}`;
      assert.equal(answer.status, 401, what);
      assert.equal(answer.json.success, false, what);
      assert.deepEqual(answer.json.data, [], what);
      assert.equal(answer.json.error?.code, detail ? code : "unauthorized", what);
      if (!detail) assert.equal(answer.json.message, "Unauthorized", what);
      assert.equal(answer.headers["www-authenticate"], 'Bearer error="invalid_token"', what);
      assert.match(answer.headers["content-type"]!, /^application\/json/, what);
      assert.match(String(answer.headers["x-request-id"]), /^[0-9a-f]{32}$/, what);
      assert.equal(answer.headers["cache-control"], "no-store", what);
    }
  const [token] = await api.tokens(closed.id);
  const authorization = `Bearer ${token.token}`;
  assert.equal((await ask({ host: closed.domain, authorization })).status, 200);
  const limited = await ask({ host: closed.domain, authorization });
  assert.equal(limited.status, 429);
  assert.equal(limited.json.error?.code, "too_many_requests");
  assert.ok(Number(limited.headers["retry-after"]) >= 1);

  const unknown = await ask({ host: "nobody.example" });
  assert.equal(unknown.status, 404);
  assert.equal(unknown.json.error?.code, "unknown_domain");
});

scenario("limit fields are ours, on every answer of a limited application", async (cleanup) => {
  const origin = await NodeOrigin.start(cleanup, (asked, answer) => {
    asked.resume();
    answer.writeHead(200, {
      "X-RateLimit-Limit": "999", "X-RateLimit-Remaining": "999", RateLimit: "theirs",
      "X-Typeauth-Token-Id": "theirs", x_typeauth_secret: "theirs", "X-Request-Id": "theirs",
      "X-Own": "kept",
    });
    answer.end();
  });
  const gateway = await Gateway.start(cleanup, origin.address, {
    profile: { ratelimit: { limit: 2, timeWindow: 60 } },
  });
  const answers = [];
  for (let i = 0; i < 3; i++) answers.push(await gateway.ask());
  for (const [i, answer] of answers.entries()) {
    assert.equal(answer.status, i < 2 ? 200 : 429);
    assert.equal(answer.headers["x-ratelimit-limit"], "2");
    assert.equal(answer.headers["x-ratelimit-remaining"], String(Math.max(1 - i, 0)));
    assert.match(String(answer.headers["x-ratelimit-reset"]), /^\d+$/);
    assert.match(String(answer.headers["ratelimit"]), /^"[^"]+";r=\d+/);
    assert.match(String(answer.headers["ratelimit-policy"]), /^"[^"]+";q=2;w=60/);
    assert.ok(!JSON.stringify(answer.headers).includes("theirs"), JSON.stringify(answer.headers));
  }
  assert.equal(answers[0]!.headers["x-own"], "kept");

  // Without limits the origin's own pass.
  const free = await gateway.server.api.application("free", origin.address, {});
  const [token] = await gateway.server.api.tokens(free.id);
  const passed = await gateway.ask("GET", "/", { host: free.domain, authorization: `Bearer ${token.token}` });
  assert.equal(passed.headers["x-ratelimit-limit"], "999");
  assert.equal(passed.headers["x-typeauth-token-id"], undefined);
  assert.equal(passed.headers["x_typeauth_secret"], undefined);
});

scenario("an origin's base path stands before the target", async (cleanup) => {
  const origin = await NodeOrigin.start(cleanup);
  const { host, port } = origin.address;
  const gateway = await Gateway.start(cleanup, origin.address, {
    application: { originHostname: `http://${host}:${port}/base/v1` },
  });
  for (const [asked, got] of [["/x?y=1", "/base/v1/x?y=1"], ["/", "/base/v1/"], ["/?q", "/base/v1/?q"]] as const) {
    await gateway.ask("GET", asked);
    assert.equal(origin.last.target, got);
  }
  const client = await gateway.raw();
  await client.send(gateway.head(`GET http://${gateway.host}/abs?z HTTP/1.1`));
  assert.equal((await client.read()).status, 200);
  assert.equal(origin.last.target, "/base/v1/abs?z");
});

scenario("every value of a field arrives, in order and unchanged", async (cleanup) => {
  const origin = await NodeOrigin.start(cleanup, (asked, answer) => {
    asked.resume();
    answer.setHeader("Set-Cookie", ["a=1; Path=/", "b=2"]);
    answer.setHeader("X-Text", Buffer.from("Jörg").toString("latin1"));
    answer.end();
  });
  const gateway = await Gateway.start(cleanup, origin.address);
  const client = await gateway.raw();
  await client.send(gateway.head("GET / HTTP/1.1", ["X-List: a", "x-LIST: b,c", "X-Empty:", "X-Bytes: J\xc3\xb6rg\tx"]));
  const answer = await client.read();
  assert.deepEqual(
    answer.fields.filter(([n]) => n === "Set-Cookie").map(([, v]) => v),
    ["a=1; Path=/", "b=2"],
  );
  assert.equal(answer.field("x-text"), "J\xc3\xb6rg");
  assert.deepEqual(seen(origin.last, "x-list"), ["a", "b,c"]);
  assert.ok(origin.last.rawHeaders.includes("x-LIST"), "spelling kept");
  assert.deepEqual(seen(origin.last, "x-empty"), [""]);
  assert.deepEqual(seen(origin.last, "x-bytes"), ["J\xc3\xb6rg\tx"]);
});
