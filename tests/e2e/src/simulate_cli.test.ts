// `typeauth simulate`: profiles from files, requests as lines, verdicts as lines.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { Cleanup, Random, benignClients, benignRequest, binary, bringList, bringPlaces, mmdb, scenario } from "./harness/index.js";

const root = fileURLToPath(new URL("../../..", import.meta.url));
const seed = Number(process.env["TYPEAUTH_SEED"] ?? 20240229);

interface Verdict { verdict: string; code: string; rules: string[]; score: number; evidence: string; faults: string[] }

function place(cleanup: Cleanup) {
  const directory = mkdtempSync(join(tmpdir(), "typeauth-simulate-"));
  cleanup.add(() => rmSync(directory, { recursive: true }));
  let made = 0;
  return {
    directory,
    file: (content: unknown) => {
      const path = join(directory, `${made++}.json`);
      writeFileSync(path, typeof content === "string" ? content : JSON.stringify(content));
      return path;
    },
  };
}

function simulate(args: string[], lines: unknown[]) {
  const said = spawnSync(binary(), ["simulate", ...args], {
    input: lines.map((l) => (typeof l === "string" ? l : JSON.stringify(l))).join("\n") + "\n",
    encoding: "utf8", timeout: 300_000, maxBuffer: 1 << 28,
  });
  return { status: said.status, out: said.stdout.split("\n").slice(0, -1), why: said.stderr };
}

function verdicts(args: string[], lines: unknown[]): Verdict[] {
  const said = simulate([...args, "--json"], lines);
  assert.equal(said.status, 0, said.why);
  assert.equal(said.out.length, lines.length);
  return said.out.map((line) => JSON.parse(line));
}

const security = (rules: object) => ({ name: "edge", ...rules });

scenario("address lists, areas, rules, limit and mail decide in the gateway's order", async (cleanup) => {
  const at = place(cleanup);
  const profile = at.file(security({
    ip: { deny: ["192.0.2.0/24", "2001:db8:bad::/48"], allow: ["192.0.2.7"] },
    geoblock: { deny: ["RU"], unknown: "block" },
    rules: [
      { name: "seen", action: "log", expression: 'http.request.method eq "PUT"' },
      { name: "office", action: "allow", expression: "ip.src in {198.51.100.9}" },
      { name: "admin", action: "block", expression: 'starts_with(path, "/admin") and not asn eq 64500' },
      { name: "trial", action: "block", expression: 'token.scopes eq "trial" and path contains "/export"' },
    ],
  }));
  const abuse = at.file({
    name: "abuse", ratelimit: { requests: "2", interval: "1m" }, scope: "header:X-User",
    blocklist: ["evil.example"], exceptions: ["good.evil.example"],
    checkLocations: ["header", "cookie", "query", "body"], checkPropertyName: "email",
  });
  const base = { uri: "/", address: "203.0.113.1", country: "CH" };
  let n = 0;
  const user = () => ({ "x-user": `${n++}` });
  const rows: [object, string, string, string, string?][] = [
    [{ ...base }, "pass", "", ""],
    [{ ...base, address: "192.0.2.9" }, "block", "ip_blocked", "192.0.2.0/24"],
    [{ ...base, address: "::ffff:192.0.2.9" }, "block", "ip_blocked", "192.0.2.0/24"],
    [{ ...base, address: "192.0.2.7" }, "pass", "", ""],
    [{ ...base, address: "2001:db8:bad::1" }, "block", "ip_blocked", "2001:db8:bad::/48"],
    [{ ...base, country: "RU" }, "block", "geo_blocked", "RU"],
    [{ ...base, country: "ru", address: "192.0.2.9" }, "block", "ip_blocked", "192.0.2.0/24"],
    [{ ...base, uri: "/admin" }, "block", "rule_blocked", "admin", "admin"],
    [{ ...base, uri: "/admin", asn: 64500 }, "pass", "", ""],
    [{ ...base, uri: "/admin", address: "198.51.100.9" }, "log", "", "", "office"],
    [{ ...base, method: "PUT", uri: "/admin" }, "block", "rule_blocked", "admin", "seen,admin"],
    [{ ...base, method: "PUT" }, "log", "", "", "seen"],
    [{ ...base, uri: "/v1/export", token: { id: "tok_1", scopes: ["read", "trial"] } }, "block", "rule_blocked", "trial", "trial"],
    [{ ...base, uri: "/v1/export", token: { id: "tok_1", scopes: ["read"] } }, "pass", "", ""],
    [{ ...base, uri: "/v1/export" }, "pass", "", ""],
    [{ ...base, uri: "/?email=a%2Bb%40Sub.Evil.Example." }, "block", "disposable_email", "evil.example (blocklist)"],
    [{ ...base, uri: "/?email=a%40good.evil.example" }, "pass", "", ""],
    [{ ...base, uri: "/?email=a%40example.com" }, "log", "", ""],
    [{ ...base, headers: { email: "a@b.example,".repeat(17) } }, "block", "disposable_email", "number of addresses"],
    [{ ...base, method: "POST", headers: { "content-type": "application/json" }, body: '{"email":"a@b.example","email":"joe@evil.example"}' }, "block", "bad_request", ""],
    [{ ...base, headers: { email: "Joe <joe@evil.example>" } }, "block", "disposable_email", "evil.example (blocklist)"],
    [{ ...base, headers: { cookie: "a=1; email=joe%40evil.example" } }, "block", "disposable_email", "evil.example (blocklist)"],
    [{ ...base, method: "POST", headers: { "content-type": "application/json" }, body: { email: "joe@evil.example" } }, "block", "disposable_email", "evil.example (blocklist)"],
    [{ ...base, method: "POST", headers: { "content-type": "application/x-www-form-urlencoded" }, body: "email=joe%40evil.example" }, "block", "disposable_email", "evil.example (blocklist)"],
    [{ ...base, method: "POST", body: { email: "joe@evil.example" } }, "pass", "", ""],
  ];
  const said = verdicts(["--security", profile, "--abuse", abuse],
    rows.map(([r]) => ({ ...r, headers: { ...user(), ...(r as { headers?: object }).headers } })));
  for (const [i, [request, verdict, code, evidence, rules]] of rows.entries()) {
    const v = said[i]!;
    assert.deepEqual([v.verdict, v.code, v.evidence, v.rules.join(",")], [verdict, code, evidence, rules ?? ""], JSON.stringify(request));
  }
  // without the list the blocklist holds, and the line says what is missing
  assert.deepEqual([said[16]!.faults, said[17]!.faults], [[], ["mail: no list"]]);

  const limited = verdicts(["--abuse", abuse], [0, 1000, 2000, 60_000, 63_000, 180_000].map((time) => ({ ...base, time, headers: { "X-User": "one" } })));
  assert.deepEqual(limited.map((v) => v.code), ["", "", "global_rate_limited", "global_rate_limited", "", ""]);
});

scenario("addresses behind IPv6 are counted by /64", async (cleanup) => {
  const at = place(cleanup);
  const abuse = at.file({ name: "a", ratelimit: { requests: 1, interval: 60 } });
  const said = verdicts(["--abuse", abuse], ["2001:db8::1", "2001:db8::2", "2001:db8:0:1::1", "192.0.2.1", "192.0.2.2", "192.0.2.1"].map((address) => ({ uri: "/", address, time: 0 })));
  assert.deepEqual(said.map((v) => v.verdict), ["pass", "block", "pass", "pass", "pass", "block"]);
});

scenario("a header to count by that is missing, empty or given twice leaves the address, and without one nobody is counted", async (cleanup) => {
  const at = place(cleanup);
  const abuse = at.file({ name: "a", ratelimit: { requests: 1, interval: 60 }, scope: "header:X-User" });
  const address = "192.0.2.1";
  const said = verdicts(["--abuse", abuse], [
    { address }, { address, headers: { "X-User": "" } }, { address, headers: { "x-user": ["a", "b"] } },
    { headers: { "x-user": "a" } }, { address, headers: { "x-user": "a" } }, {}, {},
  ].map((r) => ({ uri: "/", time: 0, ...r })));
  assert.deepEqual(said.map((v) => v.verdict), ["pass", "block", "block", "pass", "block", "pass", "pass"]);
});

// --- questions out of band ------------------------------------------------------

scenario("a line with telemetry is judged as /authenticate does", async (cleanup) => {
  const at = place(cleanup);
  const profile = at.file(security({
    ip: { deny: ["192.0.2.0/24"] }, geoblock: { deny: ["RU"] }, waf: {},
    rules: [
      { name: "admin", action: "block", expression: 'http.host eq "api.example.com" and starts_with(path, "/admin") and http.user_agent eq "bot"' },
      { name: "trial", action: "block", expression: 'token.scopes eq "trial" and args["a"] eq "b c"' },
      { name: "none", action: "log", expression: 'method eq "" and path eq ""' },
    ],
  }));
  const abuse = at.file({ name: "a", blocklist: ["evil.example"], checkLocations: ["header", "cookie", "query", "body"], checkPropertyName: "email" });
  const plain = { "User-Agent": "Mozilla/5.0", Accept: "*/*" };
  const rows: [object, string, string, string?][] = [
    [{ telemetry: {} }, "log", "", "none"],
    [{ telemetry: null }, "log", "", "none"],
    [{ telemetry: { ipaddress: "::ffff:192.0.2.9" } }, "block", "ip_blocked", ""],
    [{ telemetry: { ipaddress: "192.0.2.9:4711" } }, "block", "ip_blocked", ""],
    [{ telemetry: { ipaddress: "198.51.100.1" }, country: "RU" }, "block", "geo_blocked", ""],
    [{ telemetry: { ipaddress: "nonsense", url: 7, headers: "x", method: [], more: {} } }, "log", "", "none"],
    [{ telemetry: { url: "https://API.example.com:8443/admin/x?y#z", headers: { "USER-AGENT": ["bot"], accept: "*/*" } } }, "block", "rule_blocked", "admin"],
    [{ telemetry: { url: "/admin", headers: { Host: "api.example.com", "user-agent": "bot" } } }, "block", "rule_blocked", "admin"],
    [{ telemetry: { url: "/x?a=b%20c", method: "GET", headers: plain }, token: { id: "tok_1", scopes: ["trial"] } }, "block", "rule_blocked", "trial"],
    [{ telemetry: { url: "/x?email=a%40evil.example", headers: plain } }, "block", "disposable_email", ""],
    [{ telemetry: { url: "/x", headers: { ...plain, cookie: "email=a@evil.example" } } }, "block", "disposable_email", ""],
    [{ telemetry: { url: "/items?id=1%27%20or%20%271%27=%271", headers: plain } }, "block", "waf_blocked"],
    [{ telemetry: { url: "/", headers: { ...plain, "user-agent": "sqlmap/1.7" } } }, "block", "waf_blocked"],
    [{ telemetry: { url: "/items?id=1", method: "GET", headers: plain } }, "pass", "", ""],
  ];
  const said = verdicts(["--security", profile, "--abuse", abuse], rows.map(([r]) => r));
  for (const [i, [line, verdict, code, rules]] of rows.entries()) {
    const v = said[i]!;
    assert.deepEqual([v.verdict, v.code], [verdict, code], JSON.stringify(line));
    if (rules !== undefined) assert.equal(v.rules.join(","), rules, JSON.stringify(line));
  }
  const bad = simulate(["--security", profile], [
    { telemetry: [] }, { telemetry: {}, uri: "/" }, { telemetry: {}, body: "x" }, { telemetry: {}, cost: 0 }, { telemetry: {}, cost: "1" }, { telemetry: {}, time: "soon" }, { telemetry: {}, token: "secret" },
  ]);
  assert.equal(bad.status, 1);
  for (const line of bad.out) assert.match(line, /^error\t-\t-\t0\t[^\t]+$/);
  assert.match(bad.out[1]!, /beside telemetry, a member is not one of cost, time, country, asn, token, status/);
});

scenario("questions out of band: costs are counted, times are the sender's within five minutes, what is unknown is not learnt from", async (cleanup) => {
  const at = place(cleanup);
  const limit = at.file({ name: "a", ratelimit: { requests: 10, interval: 60 } });
  const from = (ipaddress: string, cost?: number) => ({ telemetry: { ipaddress }, time: 0, ...(cost && { cost }) });
  const limited = verdicts(["--abuse", limit], [from("192.0.2.1", 6), from("192.0.2.1", 5), from("192.0.2.1", 4), from("192.0.2.1"), from("192.0.2.2", 10), from("192.0.2.3", 11), { telemetry: {}, time: 0, cost: 11 }]);
  assert.deepEqual(limited.map((v) => v.code), ["", "global_rate_limited", "", "global_rate_limited", "", "global_rate_limited", ""]);

  const data = join(at.directory, "data");
  mkdirSync(data);
  bringPlaces(data, mmdb([
    { network: "192.0.2.0/24", value: { country_code: "GB", latitude: 51.51, longitude: -0.13, accuracy_radius: 20 } },
    { network: "198.51.100.0/24", value: { country_code: "AR", latitude: -34.6, longitude: -58.38, accuracy_radius: 20 } },
  ]));
  const geo = at.file({ name: "a", geoSentry: "STANDARD" });
  const start = Date.UTC(2024, 0, 8, 9), minute = 60_000;
  const told = (ipaddress: string, at_min: number, sent_min = at_min, token = "tok_1") =>
    ({ telemetry: { ipaddress, timestamp: start + sent_min * minute }, time: start + at_min * minute, token: { id: token } });
  const travelled = verdicts(["--abuse", geo, "--data", data], [
    told("192.0.2.1", 0), told("198.51.100.1", 30), // not within half an hour
    told("192.0.2.1", 31),
    told("192.0.2.1", 100, 100, "tok_2"), told("198.51.100.1", 101, 98, "tok_2"), // out of order
    told("192.0.2.1", 200, 200, "tok_3"), told("198.51.100.1", 210, 1200, "tok_3"), // a time far away is ours
    { telemetry: { ipaddress: "192.0.2.1", timestamp: start }, token: { id: "tok_4" } }, { telemetry: { ipaddress: "198.51.100.1", timestamp: start + 30 * minute }, token: { id: "tok_4" } },
    { telemetry: { ipaddress: "10.0.0.1" }, time: start, token: { id: "tok_5" } }, { telemetry: {}, time: start, token: { id: "tok_5" } },
  ]);
  assert.deepEqual(travelled.map((v) => v.verdict), ["pass", "challenge", "pass", "pass", "pass", "pass", "challenge", "pass", "challenge", "pass", "pass"]);
  assert.match(travelled[1]!.evidence, /^impossible_travel: 11\d\d\d km in 1801 s/);

  const learning = at.file({ name: "a", anomalyDetection: { profile: "CUSTOM", customConfig: { responseTime: { threshold: 4, window: 60, minSamples: 10 }, payloadSize: { threshold: 4, window: 60, minSamples: 10 }, errorRate: { threshold: 4, window: 60, minSamples: 10 } } } });
  const lines: object[] = [];
  for (let m = 0; m < 80; m++)
    for (let i = 0; i < 40; i++)
      lines.push({ telemetry: { url: `/v1/items${m > 60 ? "?x=" + "y".repeat(4000) : ""}` }, time: start + m * minute + i * 1000, token: { id: "tok_1" }, status: m > 70 && i % 2 ? 403 : 200 });
  const learnt = verdicts(["--abuse", learning], lines);
  const found = new Set(learnt.flatMap((v) => (v.evidence ? [v.evidence.split(":")[0]] : [])));
  assert.ok(found.has("errorRate"), [...found].join());
  assert.ok(!found.has("payloadSize") && !found.has("responseTime"), [...found].join());
});

scenario("disposable domains come from the list that data update made", async (cleanup) => {
  const at = place(cleanup);
  const data = join(at.directory, "data");
  bringList(data, ["trash.example.com", "gmail.com"]);
  const abuse = at.file({ name: "a", checkLocations: "query", checkPropertyName: "mail", exceptions: ["ok.trash.example.com"] });
  const said = verdicts(["--abuse", abuse, "--data", data], ["a@trash.example.com", "a@b.trash.example.com", "a@ok.trash.example.com", "a@gmail.com", "a@example.com", "nobody"]
    .map((m) => ({ uri: `/?mail=${encodeURIComponent(m)}` })));
  assert.deepEqual(said.map((v) => v.evidence), ["trash.example.com (list)", "trash.example.com (list)", "", "", "", ""]);
  assert.deepEqual(said.map((v) => v.verdict), ["block", "block", "pass", "pass", "pass", "pass"]);
});

scenario("without place data geoblock passes with a fault, closed when the profile says so", async (cleanup) => {
  const at = place(cleanup);
  for (const [onFault, verdict, code] of [[undefined, "log", ""], ["open", "log", ""], ["closed", "block", "check_unavailable"]] as const) {
    const profile = at.file(security({ geoblock: { allow: ["US"] }, ...(onFault && { onFault }) }));
    const [v] = verdicts(["--security", profile], [{ uri: "/", address: "198.51.100.1" }]);
    assert.deepEqual([v!.verdict, v!.code, v!.faults], [verdict, code, ["geoblock: no place data"]]);
  }
});

scenario("who has no address is in no list and of no country, as in the gateway", async (cleanup) => {
  const at = place(cleanup);
  for (const [members, code] of [
    [{ ip: { deny: ["0.0.0.0/0", "::/0"] } }, ""],
    [{ ip: { allow: ["0.0.0.0/0"] } }, "ip_blocked"],
    [{ ip: { other: "block" } }, "ip_blocked"],
    [{ geoblock: { deny: ["US"] } }, ""],
    [{ geoblock: { allow: ["US"] } }, "geo_blocked"],
    [{ rules: [{ name: "r", action: "block", expression: 'country eq "" and asn eq 0 and not ip in {0.0.0.0/0}' }] }, "rule_blocked"],
  ] as const) {
    const [v] = verdicts(["--security", at.file(security(members))], [{ uri: "/" }]);
    assert.deepEqual([v!.code, v!.faults], [code, []], JSON.stringify(members));
  }
  // an address without place data: rules that name a place are passed over
  const rules = [{ name: "r", action: "block", expression: 'not country in {"DE"}' }];
  for (const [onFault, code] of [["open", ""], ["closed", "check_unavailable"]] as const) {
    const [v] = verdicts(["--security", at.file(security({ rules, onFault }))], [{ uri: "/", address: "192.0.2.1" }]);
    assert.deepEqual([v!.code, v!.faults], [code, ["rules: no place data"]]);
  }
});

scenario("a line of text has five columns; what cannot be read is said and the rest judged", async (cleanup) => {
  const at = place(cleanup);
  const profile = at.file(security({ rules: [{ name: "no admin", action: "block", expression: 'path eq "/admin"' }] }));
  const said = simulate(["--security", profile], [
    { uri: "/" }, { uri: "https://api.example.com/admin?x" }, "{nonsense", "[]", { uri: "admin" }, { uri: "/", adress: "192.0.2.1" },
    { uri: "/", address: "192.0.2.256" }, { uri: "/", headers: { "a b": "c" } }, { uri: "/", headers: { a: "b\r\nc" } }, { uri: "/", time: "soon" }, { uri: "/", country: "CHE" },
  ]);
  assert.equal(said.status, 1);
  assert.deepEqual(said.out.slice(0, 2), ["pass\t-\t-\t0\t-", "block\trule_blocked\tno admin\t0\tno admin"]);
  for (const line of said.out.slice(2)) assert.match(line, /^error\t-\t-\t0\t[^\t]+$/);
  assert.match(said.out[5]!, /method, uri, headers, body, address, time/);
});

scenario("a profile with an error is refused with its field, and its line and column", async (cleanup) => {
  const at = place(cleanup);
  for (const [content, why] of [
    ["{", /unexpected/], [{}, /name: is required/],
    [security({ rules: [{ name: "r", action: "block", expression: "path eq 1" }] }), /rules\[0\]\.expression: line 1, column 9: expected a text in quotes, found "1"/],
    [security({ waf: { paranoia: 9 } }), /waf\.paranoia: must be between 1 and 4/],
  ] as const) {
    const said = simulate(["--security", at.file(content)], []);
    assert.equal(said.status, 2);
    assert.match(said.why, why);
  }
  assert.equal(simulate([], []).status, 2);
  assert.match(simulate(["--security", join(at.directory, "none")], []).why, /No such file/);
  const profile = at.file(security({ waf: {} }));
  const said = simulate(["--security", profile, "--waf-rules", join(at.directory, "none")], []);
  assert.equal(said.status, 2);
  assert.match(said.why, /no such directory/);
});

scenario("anomaly detection learns from the lines and acts on what is far from it", async (cleanup) => {
  const at = place(cleanup);
  const abuse = at.file({ name: "a", anomalyDetection: { profile: "CUSTOM", customConfig: { requestVolume: { threshold: 4, window: 60, minSamples: 30, action: "block" } } } });
  const lines: object[] = [];
  const start = Date.UTC(2024, 0, 8, 9);
  const minute = (m: number, count: number) => {
    for (let i = 0; i < count; i++) lines.push({ uri: "/v1/items", time: start + m * 60_000 + Math.floor((i * 59_000) / count), token: { id: "tok_1" }, status: 200, responseMs: 12 });
  };
  for (let m = 0; m < 60; m++) minute(m, 10 + (m % 3));
  const quiet = lines.length;
  for (let m = 60; m < 70; m++) minute(m, 300);
  const said = verdicts(["--abuse", abuse], lines);
  assert.deepEqual(said.slice(0, quiet).filter((v) => v.verdict !== "pass"), []);
  const raised = said.slice(quiet).filter((v) => v.rules.includes("anomalyDetection"));
  assert.ok(raised.length > 0);
  assert.match(raised[0]!.evidence, /^requestVolume: observed 300, expected 1[0-9.]+, score/);
  assert.ok(said.slice(quiet).some((v) => v.code === "anomaly_blocked"));
});

scenario("without place data GeoSentry is in fault, by default open", async (cleanup) => {
  const at = place(cleanup);
  const line = { uri: "/", time: 1, token: { id: "tok_1" }, address: "198.51.100.1" };
  for (const [onFault, code] of [[undefined, ""], ["closed", "check_unavailable"]] as const) {
    const abuse = at.file({ name: "a", geoSentry: "STANDARD", ...(onFault && { onFault }) });
    const [v] = verdicts(["--abuse", abuse], [line]);
    assert.deepEqual([v!.code, v!.faults], [code, ["geoSentry: no place data"]]);
  }
});

// --- the Core Rule Set ----------------------------------------------------------

interface Attack { method?: string; uri: string; headers?: Record<string, string>; body?: unknown; rule: string }

function attacks(): [string, Attack][] {
  const families = JSON.parse(readFileSync(join(root, "tests/vectors/waf/attacks.json"), "utf8")) as Record<string, Attack[]>;
  return Object.entries(families).flatMap(([family, list]) => (Array.isArray(list) ? list.map((a): [string, Attack] => [family, a]) : []));
}

function request({ method, uri, headers, body }: Attack) {
  const text = body === undefined || typeof body === "string" ? body : JSON.stringify(body);
  return {
    method: method ?? "GET", uri, address: "198.51.100.1", ...(text !== undefined && { body: text }),
    headers: { host: "api.example.com", "user-agent": "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36", accept: "*/*", ...(text !== undefined && { "content-length": `${Buffer.byteLength(text)}` }), ...headers },
  };
}

scenario("each attack family is blocked at paranoia 1, and only noted in detect", async (cleanup) => {
  const at = place(cleanup);
  const all = attacks();
  assert.deepEqual([...new Set(all.map(([family]) => family))], ["sqli", "xss", "rce", "lfi", "rfi", "protocol", "scanners"]);
  const block = verdicts(["--security", at.file(security({ waf: {} }))], all.map(([, a]) => request(a)));
  const detect = verdicts(["--security", at.file(security({ waf: { mode: "detect" } }))], all.map(([, a]) => request(a)));
  for (const [i, [family, attack]] of all.entries()) {
    const what = `${family} ${attack.uri}`;
    assert.equal(block[i]!.code, "waf_blocked", what);
    assert.ok(block[i]!.rules.some((id) => id.startsWith(attack.rule)), `${what}: ${block[i]!.rules}`);
    assert.ok(block[i]!.score >= 5, what);
    assert.deepEqual([detect[i]!.verdict, detect[i]!.rules, detect[i]!.score], ["log", block[i]!.rules, block[i]!.score], what);
  }
});

scenario("threshold, exclusions, skip rules and the body limit bound the WAF", async (cleanup) => {
  const at = place(cleanup);
  const attack = request({ uri: "/?q=<script>alert(1)</script>", rule: "" });
  const judge = (profile: object, r: object = attack) => verdicts(["--security", at.file(security(profile))], [r])[0]!;
  assert.deepEqual(judge({ waf: {} }).rules, ["941100", "941110", "941160"]);
  assert.equal(judge({ waf: {} }).score, 15);
  assert.equal(judge({ waf: { threshold: 16 } }).verdict, "log");
  assert.equal(judge({ waf: { threshold: 15 } }).verdict, "block");
  assert.deepEqual(judge({ waf: { exclusions: [941100, "941110-941199"] } }).rules, []);
  assert.deepEqual(judge({ waf: {}, rules: [{ name: "mine", action: "skip", expression: 'path eq "/"' }] }).rules, ["mine"]);
  assert.equal(judge({ waf: {}, rules: [{ name: "mine", action: "allow", expression: 'path eq "/"' }] }).verdict, "block");
  assert.equal(judge({ waf: { mode: "off" } }).verdict, "pass");
  assert.ok(judge({ waf: { paranoia: 4 } }).score > 15);
  const long = request({ method: "POST", uri: "/", headers: { "content-type": "text/plain" }, body: "x".repeat(3000), rule: "" });
  assert.equal(judge({ waf: { inspectBytes: 2000 } }, long).code, "body_too_large");
  assert.equal(judge({ waf: { inspectBytes: 2000, overLimit: "pass" } }, long).verdict, "pass");
  assert.equal(judge({ waf: { inspectBytes: 4000 } }, long).verdict, "pass");
});

scenario("benign requests of ordinary clients pass", async (cleanup) => {
  const profile = place(cleanup).file(security({ waf: {} }));
  const random = new Random(seed);
  const all = Array.from({ length: 400 }, () => benignRequest(random));
  assert.equal(new Set(all.map((r) => r.client)).size, benignClients.length);
  const said = verdicts(["--security", profile], all.map(({ client, ...r }) => r));
  const blocked = said.flatMap((v, i) => (v.verdict === "block" ? [`${v.rules} ${JSON.stringify(all[i])}`] : []));
  assert.deepEqual(blocked, [], `seed ${seed}`);
});

scenario("hostile lines are judged or refused, never a crash", async (cleanup) => {
  const profile = place(cleanup).file(security({ waf: { paranoia: 4 }, rules: [{ name: "r", action: "log", expression: 'lower(url_decode(path)) matches "(?:a|b)*c" or args["x"] contains "y"' }] }));
  const random = new Random(seed);
  const nasty = ["%", "%%", "%0", "\u0000", "\u00ff", "'", '"', "<", "\\", "a".repeat(5000), "[".repeat(200), "${", "&".repeat(300), "=".repeat(300), ";", "\ufffd"];
  const soup = () => Array.from({ length: 1 + random.next(6) }, () => random.of(nasty)).join("");
  const lines = Array.from({ length: 60 }, () => ({
    method: random.of(["GET", "POST", "PUT"]), uri: `/${soup()}?${soup()}=${soup()}`,
    headers: { host: "a", "content-type": random.of(["application/json", "text/xml", "multipart/form-data; boundary=x", "multipart/form-data", "application/x-www-form-urlencoded", soup().replace(/[\u0000-\u001f]/g, "")]), cookie: soup().replace(/[\u0000-\u001f]/g, "") },
    body: random.of([soup(), `{"a":${"[".repeat(100)}`, "<a>".repeat(500), "--x\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\nb\r\n--x", "&a=".repeat(2000)]),
  }));
  const said = simulate(["--security", profile, "--json"], lines);
  assert.ok(said.status === 0 || said.status === 1, `status ${said.status}: ${said.why}`);
  assert.equal(said.out.length, lines.length);
  for (const line of said.out) assert.match(JSON.parse(line).verdict, /^(pass|log|block|error)$/);
});
