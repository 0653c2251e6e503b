// Journeys over a location file that the test writes, at both doors: real ones
// pass in STANDARD, others do not; overlapping radii, steps of the clock and
// telemetry out of order never raise (detectors.md §3).
import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Clock, NodeOrigin, Random, Server, call, mmdb, scenario, type Cleanup } from "./harness/index.js";

type Airport = [country: string, latitude: number, longitude: number];
type Journey = [from: string, to: string, minutes: number];
const vectors = JSON.parse(readFileSync(new URL("../../vectors/journeys.json", import.meta.url), "utf8")) as
  { airports: Record<string, Airport>; real: Journey[]; impossible: Journey[] };
const names = Object.keys(vectors.airports);
const seed = Number(process.env["TYPEAUTH_SEED"] ?? 20241125);
const minute = 60_000;

/** Great-circle distance (haversine; a globe of 6,371 km). */
function kilometres(a: string, b: string): number {
  const [[, latA, lonA], [, latB, lonB]] = [vectors.airports[a]!, vectors.airports[b]!];
  const rad = Math.PI / 180;
  const h = Math.sin((latB - latA) * rad / 2) ** 2 + Math.cos(latA * rad) * Math.cos(latB * rad) * Math.sin((lonB - lonA) * rad / 2) ** 2;
  return 2 * 6371 * Math.asin(Math.min(1, Math.sqrt(h)));
}

/** 10.0.N.0/24 is airport N in a radius of 20 km; 10.1.N.0/24 in a wide one. */
const address = (name: string, wide = false) => `10.${wide ? 1 : 0}.${names.indexOf(name)}.9`;
function placesFile(wide_km: number): Buffer {
  return mmdb(names.flatMap((name, n) => [20, wide_km].map((accuracy_radius, wide) => {
    const [country_code, latitude, longitude] = vectors.airports[name]!;
    return { network: `10.${wide}.${n}.0/24`, value: { country_code, latitude, longitude, accuracy_radius } };
  })));
}

const doors = ["proxy", "verify"] as const;
type Door = (typeof doors)[number];

class Traveller {
  private constructor(readonly w: World, readonly door: Door, readonly secret: string) {}
  static async make(w: World, door: Door): Promise<Traveller> {
    const [token] = await w.server.api.tokens(w.app.id);
    return new Traveller(w, door, token.token);
  }
  /** "" or why not. `late_ms`: so long it was on its way (telemetry). */
  async at(from: string, late_ms = 0): Promise<string> {
    const { server, app, clock } = this.w;
    if (this.door === "proxy") {
      const answer = await call(server.door("gateway"), "GET", "/", { host: app.domain, authorization: `Bearer ${this.secret}`, "x-forwarded-for": from });
      return answer.status === 200 ? "" : answer.json.error!.code;
    }
    const telemetry = { ipaddress: from, timestamp: clock.now_ms() - late_ms };
    const [said] = (await server.api.authenticate(app.id, this.secret, { telemetry })).json.data;
    return said.valid ? "" : said.code;
  }
}

class World {
  private constructor(readonly clock: Clock, readonly server: Server, readonly app: any) {}
  static async begin(cleanup: Cleanup, geoSentry: unknown, wide_km = 20): Promise<World> {
    const directory = mkdtempSync(join(tmpdir(), "typeauth-journeys-"));
    cleanup.add(() => rmSync(directory, { recursive: true, force: true }));
    const file = join(directory, "places.mmdb");
    writeFileSync(file, placesFile(wide_km));
    const clock = await Clock.make(cleanup);
    const origin = await NodeOrigin.start(cleanup);
    const server = await Server.start(cleanup, { env: clock.environment, args: ["--places", file, "--trusted-proxies", "127.0.0.0/8"] });
    const [profile] = await server.api.create("abuse/create", { name: "geo", geoSentry });
    const app = await server.api.application("shop", origin.address, {}, { detailResponse: true, abuse_id: profile.id });
    return new World(clock, server, app);
  }
}

for (const door of doors) {
  scenario(`${door}: real journeys pass in STANDARD and STRICT, others do not`, async (cleanup) => {
    for (const [profile, refusal] of [["STANDARD", "challenge_required"], ["STRICT", "impossible_travel"]] as const) {
      const w = await World.begin(cleanup, profile);
      for (const [journeys, expected] of [[vectors.real, ""], [vectors.impossible, refusal]] as const)
        for (const [from, to, minutes] of journeys) {
          // STRICT's 800 km/h are below what a tail wind makes of some flights
          if (!expected && profile === "STRICT" && kilometres(from, to) / minutes * 60 > 790) continue;
          const traveller = await Traveller.make(w, door);
          assert.equal(await traveller.at(address(from)), "", `${from}`);
          await w.clock.advance(minutes * minute);
          assert.equal(await traveller.at(address(to)), expected, `${profile}: ${from} to ${to} in ${minutes} minutes`);
        }
    }
  });

  scenario(`${door}: radii that overlap never raise`, async (cleanup) => {
    // each of two places within 10,008 km of where the file says: they may be one
    const w = await World.begin(cleanup, { profile: "STRICT", minDistanceKm: 1, maxSpeedKmH: 1 }, 10_008);
    const traveller = await Traveller.make(w, door);
    const random = new Random(seed);
    for (let i = 0; i < 400; i++) {
      const name = random.of(names);
      assert.equal(await traveller.at(address(name, true)), "", `seed ${seed}, ${i}: ${name}`);
    }
  });

  scenario(`${door}: whatever the clock does, and in whatever order requests are told, a possible life is never raised`, async (cleanup) => {
    const w = await World.begin(cleanup, "STRICT");
    const random = new Random(seed + 1);
    for (let life = 0; life < 8; life++) {
      const traveller = await Traveller.make(w, door);
      let here = random.of(names);
      for (let i = 0; i < 60; i++) {
        if (random.next(9) === 0) {
          const to = random.of(names);
          await w.clock.advance(Math.ceil(kilometres(here, to) / 780 * 60) * minute);
          here = to;
        }
        if (random.next(7) === 0) await w.clock.step((random.next(48 * 60) - 24 * 60) * minute);
        await w.clock.advance(random.next(7) * minute);
        const late = random.next(3) === 0 ? random.next(4 * 60) * 1000 : 0;
        assert.equal(await traveller.at(address(here), late), "", `seed ${seed}, life ${life}, ${i}: ${here}`);
      }
    }
  });
}

scenario("verify: telemetry of a flight in any order raises nothing", async (cleanup) => {
  const w = await World.begin(cleanup, "STRICT");
  const random = new Random(seed + 2);
  for (let i = 0; i < 40; i++) {
    const traveller = await Traveller.make(w, "verify");
    const [from, to, minutes] = random.of(vectors.real.filter(([a, b, m]) => kilometres(a, b) / m * 60 < 780));
    assert.equal(await traveller.at(address(from)), "");
    await w.clock.advance(minutes * minute);
    // what both places sent arrives mixed: the last minutes there, the first here
    const told = Array.from({ length: 8 }, () => ({ at: to, late: random.next(30) * 1000 }));
    await w.clock.advance(minute);
    for (const { at, late } of told) assert.equal(await traveller.at(address(at), late), "", `seed ${seed}, ${i}: ${from} ${to}`);
  }
});
