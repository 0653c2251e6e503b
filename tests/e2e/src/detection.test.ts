// GeoSentry and anomaly detection in traffic (detectors.md §3, §4), and their
// challenges: over location data that the test writes, with the server's
// clocks in the test's hand.
import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { writeFile, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  Api, Clock, NodeOrigin, Server, call, eventually, mmdb, scenario, type Answer,
} from "./harness/index.js";

type Own = Parameters<Parameters<typeof scenario>[1]>[0];

const place = (country_code: string, latitude: number, longitude: number, accuracy_radius = 20) =>
  ({ country_code, latitude, longitude, accuracy_radius });
const world = mmdb([
  { network: "192.0.2.0/24", value: place("GB", 51.51, -0.13) },
  { network: "203.0.113.0/24", value: place("FR", 48.86, 2.35) },
  { network: "198.51.100.0/24", value: place("AR", -34.6, -58.38) },
  { network: "100.64.0.0/16", value: place("US", 38, -97, 12000) },
]);
const London = "192.0.2.7", Paris = "203.0.113.9", BuenosAires = "198.51.100.1", Anywhere = "100.64.0.1";
const minutes = (n: number) => n * 60_000;

type Door = "proxy" | "verify";
interface Verdict { code: string; challenge: string; answer: Answer }

class World {
  private constructor(
    readonly cleanup: Own, readonly clock: Clock, readonly options: object,
    public server: Server, readonly origin: NodeOrigin,
    public app: any, readonly ownerKey: string, public secret = "", public tokenId = "",
  ) {}

  static async begin(cleanup: Own, abuse: object, auth: object = {}, application: object = {}): Promise<World> {
    const clock = await Clock.make(cleanup);
    const directory = await mkdtemp(join(tmpdir(), "typeauth-places-"));
    cleanup.add(() => rm(directory, { recursive: true, force: true }));
    const file = join(directory, "places.mmdb");
    await writeFile(file, world);
    const options = { env: clock.environment, args: ["--places", file, "--trusted-proxies", "127.0.0.0/8", "--insecure-key-urls"] };
    const origin = await NodeOrigin.start(cleanup);
    const server = await Server.start(cleanup, options);
    const [profile] = await server.api.create("abuse/create", { name: "detectors", ...abuse });
    const app = await server.api.application("shop", origin.address, auth,
      { detailResponse: true, abuse_id: profile.id, ...application });
    const w = new World(cleanup, clock, options, server, origin, app, server.ownerKey);
    const [token] = await server.api.tokens(app.id);
    w.secret = token.token;
    w.tokenId = token.id;
    return w;
  }

  get api(): Api { return this.server.api; }

  async restart(): Promise<void> {
    await this.server.kill();
    this.server = await Server.start(this.cleanup, { ...this.options, data: this.server.data });
    this.server.api = new Api(this.server.door("api"), this.server.accountId, this.ownerKey);
  }

  async from(door: Door, address: string, after_min = 0, sent_ms = 0): Promise<Verdict> {
    await this.clock.advance(minutes(after_min));
    if (door === "proxy") {
      const answer = await call(this.server.door("gateway"), "GET", "/", {
        host: this.app.domain, authorization: `Bearer ${this.secret}`, "x-forwarded-for": address,
      });
      const challenge = String(answer.headers["x-typeauth-challenge"] ?? "");
      return { code: answer.status === 200 ? "" : answer.json.error!.code, challenge, answer };
    }
    const telemetry = { ipaddress: address, ...(sent_ms ? { timestamp: this.clock.now_ms() + sent_ms } : {}) };
    const answer = await this.api.authenticate(this.app.id, this.secret, { telemetry });
    assert.equal(answer.status, 200);
    const said = answer.json.data[0];
    return { code: said.valid ? "" : said.code, challenge: said.challenge ?? "", answer };
  }

  /** Findings of events with that code, once there is one. */
  async findings(code: string): Promise<any[]> {
    let found: any[] = [];
    await eventually(`an event with ${code}`, async () => {
      const events = (await this.api.get(`events?application_id=${this.app.id}`)).json.data;
      found = events.flatMap((event: any) => event.findings ?? []).filter((f: any) => f.code === code);
      return found.length > 0;
    });
    return found;
  }

  async open(query = ""): Promise<any[]> {
    return (await this.api.get(`challenge${query}`)).json.data;
  }
}

const doors: Door[] = ["proxy", "verify"];

for (const door of doors)
  scenario(`${door}: real journeys pass in STANDARD, London and Buenos Aires in half an hour do not`, async (cleanup) => {
    const w = await World.begin(cleanup, { geoSentry: "STANDARD" });
    const passes = async (address: string, after: number, sent = 0) =>
      assert.equal((await w.from(door, address, after, sent)).code, "", `${address} after ${after}`);
    await passes(London, 0);
    if (door === "verify") await passes(Paris, 0, -minutes(4)); // came late
    await passes(London, 0);
    await passes(BuenosAires, 14 * 60); // a flight
    await passes(Anywhere, 1);          // its radius overlaps
    await passes(London, 14 * 60);
    await passes(Paris, 140);           // a train
    await passes(London, 140);
    // Clock steps and telemetry out of order raise nothing.
    await w.clock.step(-minutes(24 * 60));
    await passes(Paris, 1);
    await w.clock.step(minutes(24 * 60));
    await passes(London, 200);

    const far = await w.from(door, BuenosAires, 30);
    assert.equal(far.code, "challenge_required");
    assert.match(far.challenge, /^chal_[0-9A-HJKMNP-TV-Z]{26}$/);
    if (door === "proxy") {
      assert.equal(far.answer.status, 429);
      assert.equal((far.answer.json.error as any).challenge, far.challenge);
    }
    await passes(London, 1);
    const [held] = await w.open();
    assert.equal(held.id, far.challenge);
    assert.equal(held.token_id, w.tokenId);
    assert.equal(held.application_id, w.app.id);
    assert.equal(held.detector, "geoSentry");
    assert.equal(held.action, "challenge");
    assert.equal(held.evidence.reason, "impossible_travel");
    assert.equal(held.evidence.from.country, "GB");
    assert.equal(held.evidence.to.country, "AR");
    assert.ok(held.evidence.distanceKm > 11_000 && held.evidence.distanceKm < 11_300);
    assert.ok(held.evidence.speedKmH > 20_000);
    assert.ok(Date.parse(held.expiresAt) - Date.parse(held.createdAt) <= 86_400_000);

    const raised = await w.findings("impossible_travel");
    assert.equal(raised.length, 1, "what holds already raises no event");
    assert.deepEqual([raised[0].action, raised[0].enforced], ["challenge", true]);
    assert.equal(raised[0].evidence.challenge, held.id);

    const verified = await w.api.post(`challenge/${held.id}/verify`);
    assert.equal(verified.status, 200);
    assert.equal(verified.json.data[0].status, "verified");
    await passes(BuenosAires, 1);
    await passes(London, 1); // both are believed, beside each other
    assert.deepEqual(await w.open(), []);
    assert.equal((await w.api.get(`challenge/${held.id}`)).status, 404);
    assert.equal((await w.api.post(`challenge/${held.id}/verify`)).status, 404);
    const audit = (await w.api.get(`audit?object_id=${held.id}`)).json.data;
    assert.deepEqual(audit.map((e: any) => e.action), ["challenge.verify"]);
  });

scenario("who may not know the reason learns the challenge from the header alone", async (cleanup) => {
  const w = await World.begin(cleanup, { geoSentry: "STANDARD" }, {}, { detailResponse: false });
  await w.from("proxy", London);
  const far = await w.from("proxy", BuenosAires, 30);
  assert.equal(far.answer.status, 429);
  assert.deepEqual(far.answer.json.error, { code: "too_many_requests" });
  assert.match(far.challenge, /^chal_/);
});

const profiles: [name: string, geoSentry: unknown, code: string, back: string][] = [
  ["PERMISSIVE", "PERMISSIVE", "", ""],
  ["STRICT", "STRICT", "impossible_travel", "impossible_travel"],
  ["REGIONAL", { profile: "REGIONAL", allowCountries: ["GB", "FR"] }, "impossible_travel", ""],
  ["CUSTOM_BUSINESS on an own route",
    { profile: "CUSTOM_BUSINESS", knownRoutes: [{ from: "GB", to: "AR" }] }, "", ""],
  ["CUSTOM_BUSINESS off its routes",
    { profile: "CUSTOM_BUSINESS", knownRoutes: [{ from: "GB", to: "FR" }] }, "challenge_required", ""],
];
for (const [name, geoSentry, code, back] of profiles)
  scenario(`${name}: ${code || "passes"} from Buenos Aires, ${back || "passes"} back in London`, async (cleanup) => {
    const w = await World.begin(cleanup, { geoSentry });
    for (const door of doors) {
      const [token] = await w.api.tokens(w.app.id);
      w.secret = token.token;
      assert.equal((await w.from(door, London)).code, "");
      assert.equal((await w.from(door, BuenosAires, 30)).code, code);
      if (name === "PERMISSIVE") {
        const noted = await w.findings("impossible_travel");
        assert.deepEqual([noted[0].action, noted[0].enforced], ["monitor", false]);
      }
      assert.equal((await w.from(door, London, 30)).code, back);
    }
  });

scenario("what is held outlives kill -9: a challenge, a denial, a block until an administrator clears it", async (cleanup) => {
  const w = await World.begin(cleanup, { geoSentry: "STANDARD" });
  await w.from("proxy", London);
  const far = await w.from("verify", BuenosAires, 30);
  assert.equal(far.code, "challenge_required");
  await eventually("the challenge is written", async () => (await w.open()).length === 1);
  await w.restart();
  const still = await w.from("proxy", BuenosAires, 1);
  assert.equal(still.code, "challenge_required");
  assert.equal(still.challenge, far.challenge);
  assert.equal((await w.from("proxy", London, 1)).code, "");

  const denied = await w.api.post(`challenge/${far.challenge}/deny`);
  assert.equal(denied.json.data[0].action, "block");
  assert.equal(denied.json.data[0].denied, true);
  assert.equal(denied.json.data[0].expiresAt, null);
  assert.equal((await w.api.post(`challenge/${far.challenge}/deny`)).status, 409);
  for (const door of doors) assert.equal((await w.from(door, London, 1)).code, "impossible_travel");
  await w.restart();
  await w.clock.advance(minutes(48 * 60));
  for (const door of doors) assert.equal((await w.from(door, London)).code, "impossible_travel");

  const editor = (await w.api.create("management-key/create", { name: "e", role: "editor" }))[0].key;
  const admin = (await w.api.create("management-key/create", { name: "a", role: "admin" }))[0].key;
  assert.equal((await w.api.post(`challenge/${far.challenge}/clear`, undefined, { key: editor })).status, 403);
  assert.equal((await w.from("proxy", London)).code, "impossible_travel");
  assert.equal((await w.api.post(`challenge/${far.challenge}/clear`, undefined, { key: admin })).status, 200);
  for (const door of doors) assert.equal((await w.from(door, London)).code, "");
  await w.restart();
  assert.equal((await w.from("proxy", London)).code, "");
});

scenario("a challenge can be verified as soon as its id was told", async (cleanup) => {
  const w = await World.begin(cleanup, { geoSentry: "STANDARD" });
  for (let i = 0; i < 10; i++) {
    const [token] = await w.api.tokens(w.app.id);
    w.secret = token.token;
    await w.from("proxy", London);
    const { challenge } = await w.from("proxy", BuenosAires, 30);
    assert.equal((await w.api.post(`challenge/${challenge}/verify`)).status, 200);
    assert.equal((await w.from("proxy", BuenosAires)).code, "");
  }
});

scenario("an administrator sees what is known of a token, and clears it", async (cleanup) => {
  const w = await World.begin(cleanup, { geoSentry: "STRICT", anomalyDetection: "STRICT" });
  await w.from("proxy", London);
  assert.equal((await w.from("proxy", BuenosAires, 30)).code, "impossible_travel");
  const path = `token/${w.tokenId}/detection`;
  const [known] = (await w.api.get(path)).json.data;
  assert.deepEqual(known.places.map((p: any) => p.country), ["GB"]);
  assert.deepEqual(known.patterns.map((p: any) => p.pattern),
    ["requestVolume", "errorRate", "responseTime", "payloadSize", "endpointVelocity"]);
  assert.equal(known.held[0].action, "block");
  assert.equal(known.held[0].expiresAt, null);
  const [cleared] = (await w.api.delete(path)).json.data;
  assert.deepEqual(cleared.held, []);
  assert.deepEqual(cleared.places, []);
  assert.equal((await w.from("proxy", BuenosAires)).code, "");
  assert.deepEqual(await w.open(), []);
});

scenario("lists of challenges: filters, pages, and nobody else's", async (cleanup) => {
  const w = await World.begin(cleanup, { geoSentry: "STANDARD" });
  const ids: string[] = [];
  for (let i = 0; i < 3; i++) {
    const [token] = await w.api.tokens(w.app.id);
    w.secret = token.token;
    await w.from("proxy", London);
    ids.unshift((await w.from("verify", BuenosAires, 5)).challenge);
    if (i === 1) w.tokenId = token.id;
  }
  const of = (list: any[]) => list.map((c) => c.id);
  assert.deepEqual(of(await w.open()), ids);
  assert.deepEqual(of(await w.open(`?token_id=${w.tokenId}`)), [ids[1]]);
  assert.deepEqual(of(await w.open(`?application_id=${w.app.id}&limit=2`)), ids.slice(0, 2));
  assert.deepEqual(of(await w.open("?application_id=app_00000000000000000000000000")), []);
  assert.deepEqual(of(await w.open("?subject=nobody")), []);
  const page = await w.api.get(`challenge?limit=1&starting_after=${ids[0]}`);
  assert.deepEqual([of(page.json.data), page.json.has_more], [[ids[1]], true]);
  assert.deepEqual(of(await w.open(`?limit=1&ending_before=${ids[2]}`)), [ids[1]]);
  for (const bad of ["token_id=x", "application_id=tok_1", "starting_after=evt_1", "limit=0"])
    assert.equal((await w.api.get(`challenge?${bad}`)).status, 400, bad);
  // A challenge that nobody took has ended after a day.
  await w.clock.advance(minutes(24 * 60 + 10));
  assert.deepEqual(await w.open(), []);
  // With its token a hold goes; with its application everything.
  const [gone] = await w.api.tokens(w.app.id);
  w.secret = gone.token;
  await w.from("proxy", London);
  await w.from("proxy", BuenosAires, 30);
  assert.deepEqual((await w.open()).map((c) => c.token_id), [gone.id]);
  assert.equal((await w.api.delete(`token/${gone.id}`)).status, 200);
  assert.deepEqual(await w.open(), []);
  w.secret = (await w.api.tokens(w.app.id))[0].token;
  await w.from("proxy", London);
  await w.from("proxy", BuenosAires, 30);
  assert.equal((await w.open()).length, 1);
  assert.equal((await w.api.delete(`applications/${w.app.id}`)).status, 200);
  assert.deepEqual(await w.open(), []);
});

const b64 = (text: string | Buffer) => Buffer.from(text).toString("base64url");
function jwt(secret: Buffer, claims: object): string {
  const head = `${b64(JSON.stringify({ alg: "HS256", kid: "k" }))}.${b64(JSON.stringify(claims))}`;
  return `${head}.${b64(createHmac("sha256", secret).update(head).digest())}`;
}

scenario("subjects of JWTs are held as tokens are, by whatever token they come, over a restart", async (cleanup) => {
  const secret = Buffer.alloc(32, 7);
  const w = await withJwt(cleanup, secret);
  const token = (sub: string, n: number) => jwt(secret, { iss: "https://issuer.example", sub, n });
  w.secret = token("ada", 1);
  assert.equal((await w.from("proxy", London)).code, "");
  w.secret = token("ada", 2);
  assert.equal((await w.from("verify", BuenosAires, 30)).code, "impossible_travel");
  w.secret = token("bob", 1);
  assert.equal((await w.from("proxy", BuenosAires)).code, "");
  const [held] = await w.open("?subject=ada");
  assert.deepEqual([held.subject, held.token_id, held.action], ["ada", "", "block"]);
  await w.restart();
  w.secret = token("ada", 3);
  for (const door of doors) assert.equal((await w.from(door, London, 60)).code, "impossible_travel");
  const path = `applications/${w.app.id}/detection?subject=ada`;
  assert.equal((await w.api.get(path)).json.data[0].held[0].id, held.id);
  assert.deepEqual((await w.api.delete(path)).json.data[0].held, []);
  for (const door of doors) assert.equal((await w.from(door, London)).code, "");
});

async function withJwt(cleanup: Own, secret: Buffer, abuse: object = { geoSentry: "STRICT" }): Promise<World> {
  const w = await World.begin(cleanup, abuse);
  const [profile] = await w.api.create("jwt/create",
    { name: "jwt", keys: [{ kty: "oct", kid: "k", alg: "HS256", k: b64(secret) }] });
  const [auth] = await w.api.create("authentication/create", { name: "by jwt", keyType: "jwt", jwt_id: profile.id });
  const changed = await w.api.patch(`applications/${w.app.id}`, { auth_id: auth.id });
  assert.equal(changed.status, 200, changed.text);
  return w;
}

/** Windows of a minute at ten requests each, then one with three hundred. */
async function flood(w: World, door: Door): Promise<Verdict> {
  for (let i = 0; i < 36; i++)
    for (let k = 0; k < 10; k++) {
      const v = await w.from(door, London, 0.1);
      assert.equal(v.code, "", `minute ${i}`);
    }
  await w.clock.advance(minutes(1) - (w.clock.now_ms() % minutes(1)));
  for (let k = 0; k < 300; k++) assert.equal((await w.from(door, London)).code, "");
  await w.from(door, London, 1.1);
  return w.from(door, London);
}

for (const door of doors)
  scenario(`${door}: a flood of a token is challenged by STRICT, verified, and ends by itself`, async (cleanup) => {
    const w = await World.begin(cleanup, { anomalyDetection: "STRICT" });
    const v = await flood(w, door);
    assert.equal(v.code, "challenge_required");
    const [held] = await w.open(`?token_id=${w.tokenId}`);
    assert.equal(held.id, v.challenge);
    assert.equal(held.detector, "anomalyDetection");
    // the wall clock is set: what stands ends when it says, by that clock
    const stands = async () => (await w.api.get(`token/${w.tokenId}/detection`)).json.data[0].patterns
      .map((p: any) => Date.parse(p.until)).filter((at: number) => at > 0);
    const [end] = await stands();
    await w.clock.step(-7_200_000);
    const [set] = await stands();
    await w.clock.step(7_200_000);
    assert.ok(Math.abs(set - (end - 7_200_000)) < 60_000, `${end} before, ${set} after`);
    assert.ok(["requestVolume", "endpointVelocity"].includes(held.evidence.pattern), held.evidence.pattern);
    assert.ok(held.evidence.observed > 3 * held.evidence.expected, JSON.stringify(held.evidence));
    assert.ok(Date.parse(held.expiresAt) - Date.parse(held.createdAt) <= 300_000);
    const found = await w.findings("anomaly_detected");
    assert.ok(found.some((f) => f.evidence.of === "subject" && f.enforced && f.evidence.challenge === held.id));
    assert.ok(found.some((f) => f.evidence.of === "application" && !f.enforced && f.action === "alert"));
    if (door === "proxy") {
      const wait = Number(v.answer.headers["retry-after"]);
      assert.ok(wait > 0 && wait <= 300, `${wait}`);
    }
    await w.restart();
    assert.equal((await w.from(door, London)).challenge, held.id);
    const other: Door = door === "proxy" ? "verify" : "proxy";
    assert.equal((await w.from(other, London)).code, "challenge_required");
    const denied = (await w.api.post(`challenge/${held.id}/deny`)).json.data[0];
    assert.equal(Date.parse(denied.expiresAt) - Date.parse(held.expiresAt), 600_000);
    assert.equal((await w.from(door, London)).code, "anomaly_blocked");
    await w.restart();
    assert.equal((await w.from(door, London)).code, "anomaly_blocked");
    assert.equal((await w.from(door, London, 16)).code, "");
    assert.deepEqual(await w.open(), []);
  });

interface Told { body: any; verified: boolean }

/** Takes webhooks; the first `failures` are answered with 500. */
async function receiver(cleanup: Own, secret: string, answer: object, failures = 0) {
  const told: Told[] = [];
  const server = createServer((request, response) => {
    const parts: Buffer[] = [];
    request.on("data", (part) => parts.push(part));
    request.on("end", () => {
      const text = Buffer.concat(parts).toString();
      const [, t, v1] = /^t=(\d+),v1=([0-9a-f]{64})$/.exec(String(request.headers["x-typeauth-signature"])) ?? [];
      told.push({
        body: JSON.parse(text),
        verified: createHmac("sha256", secret).update(`${t}.${text}`).digest("hex") === v1,
      });
      response.writeHead(told.length > failures ? 200 : 500, { "content-type": "application/json" });
      response.end(JSON.stringify(answer));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  cleanup.add(() => new Promise((resolve) => { server.closeAllConnections(); server.close(resolve); }));
  return { told, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/hook` };
}

const secret = "a secret of the webhook";

scenario("a webhook is told of a challenge, signed and again when it fails; its answer verifies", async (cleanup) => {
  const { told, url } = await receiver(cleanup, secret, { verified: true }, 1);
  const w = await World.begin(cleanup, { geoSentry: "STANDARD", challengeWebhook: { url, secret } });
  await w.from("proxy", London);
  const far = await w.from("verify", BuenosAires, 30);
  assert.equal(far.code, "challenge_required");
  await eventually("the webhook is told twice", () => told.length === 2);
  for (const { body, verified } of told) {
    assert.ok(verified, "the signature holds");
    assert.equal(body.type, "challenge.opened");
    assert.equal(body.data.id, far.challenge);
    assert.equal(body.data.evidence.to.country, "AR");
  }
  await eventually("the challenge is passed", async () => (await w.open()).length === 0);
  for (const door of doors) assert.equal((await w.from(door, BuenosAires)).code, "");
  const audit = (await w.api.get(`audit?object_id=${far.challenge}`)).json.data;
  assert.deepEqual(audit.map((e: any) => [e.action, e.from]), [["challenge.verify", "webhook"]]);
  const metrics = (await call(w.server.door("ops"), "GET", "/metrics")).text;
  assert.match(metrics, /typeauth_challenge_webhooks_total\{outcome="verified"\} 1\n/);
});

scenario("a webhook that does not say verified leaves the challenge, and a restart tells nobody again", async (cleanup) => {
  const { told, url } = await receiver(cleanup, secret, { verified: "yes" });
  const w = await World.begin(cleanup, { geoSentry: "STANDARD", challengeWebhook: { url, secret } });
  await w.from("proxy", London);
  const far = await w.from("proxy", BuenosAires, 30);
  await eventually("the webhook is told", () => told.length === 1);
  await w.restart();
  assert.equal((await w.from("proxy", BuenosAires, 1)).challenge, far.challenge);
  assert.deepEqual((await w.open()).map((c) => c.id), [far.challenge]);
  assert.equal(told.length, 1);
});

scenario("the webhook's secret is never shown, kept by patches, and asked for again with another url", async (cleanup) => {
  const { told, url } = await receiver(cleanup, secret, {});
  const w = await World.begin(cleanup, { geoSentry: "STANDARD", challengeWebhook: { url, secret } });
  const path = `abuse/${w.app.abuse_id}`;
  const shown = await w.api.get(path);
  assert.deepEqual(shown.json.data[0].challengeWebhook, { url });
  assert.equal((await w.api.patch(path, { name: "renamed" })).status, 200);
  const moved = await w.api.patch(path, { challengeWebhook: { url: `${url}2` } });
  assert.equal(moved.status, 400);
  assert.equal(moved.json.error!.field, "challengeWebhook.secret");
  await w.from("proxy", London);
  await w.from("proxy", BuenosAires, 30);
  await eventually("the webhook is told", () => told.length === 1);
  assert.ok(told[0]!.verified);
  const everything = (await w.api.get("audit")).text + shown.text + w.server.log.join();
  assert.ok(!everything.includes(secret));
  assert.equal((await w.api.patch(path, { challengeWebhook: null })).status, 200);
});

scenario("a flood of a JWT's subject is held by its name, with its evidence", async (cleanup) => {
  const key = Buffer.alloc(32, 7);
  const w = await withJwt(cleanup, key, { anomalyDetection: "STRICT" });
  w.secret = jwt(key, { iss: "https://issuer.example", sub: "ada" });
  const v = await flood(w, "proxy");
  assert.equal(v.code, "challenge_required");
  const [held] = await w.open("?subject=ada");
  assert.equal(held.id, v.challenge);
  assert.ok(held.evidence.observed > 3 * held.evidence.expected, JSON.stringify(held.evidence));
  w.secret = jwt(key, { iss: "https://issuer.example", sub: "bob" });
  assert.equal((await w.from("proxy", London)).code, "");
});

scenario("an application without detectors tracks nobody", async (cleanup) => {
  const w = await World.begin(cleanup, { ratelimit: { requests: 100, interval: 60 } });
  for (const door of doors) await w.from(door, London);
  const text = (await call(w.server.door("ops"), "GET", "/metrics")).text;
  for (const table of ["travel", "anomaly", "application"])
    assert.match(text, new RegExp(`typeauth_tracked_bytes\\{table="${table}"\\} 0\\n`));
});
