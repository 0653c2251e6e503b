// Location data as tests need them: a file in MaxMind's format (MaxMind DB
// 2.0) out of networks and what is known of each, in the flat layout
// ({ country_code: "GB", latitude: 51.5, … }) or the nested one of MaxMind's
// own files ({ country: { iso_code: "GB" }, … }).
import { isIP } from "node:net";

export type MmdbValue = string | number | boolean | { [name: string]: MmdbValue };
export interface MmdbNetwork {
  network: string; // "203.0.113.0/24", "2001:db8::/32"
  value: { [name: string]: MmdbValue };
}

function bytesOf(address: string): number[] {
  if (isIP(address) === 4) return [...Array(12).fill(0), ...address.split(".").map(Number)];
  const [head, tail] = address.split("::");
  const words = (text?: string) => (text ? text.split(":").map((word) => parseInt(word, 16)) : []);
  const left = words(head), right = words(tail);
  return [...left, ...Array(8 - left.length - right.length).fill(0), ...right]
    .flatMap((word) => [word >> 8, word & 255]);
}

function typed(type: number, size: number, payload: Buffer): Buffer {
  const small = size < 29;
  const control = (type < 8 ? type << 5 : 0) | (small ? size : 29);
  const head = type < 8 ? [control] : [control, type - 7];
  if (!small) head.push(size - 29); // up to 284: enough for tests
  return Buffer.concat([Buffer.from(head), payload]);
}

function encoded(value: MmdbValue): Buffer {
  if (typeof value === "string") return typed(2, Buffer.byteLength(value), Buffer.from(value));
  if (typeof value === "boolean") return typed(14, value ? 1 : 0, Buffer.alloc(0));
  if (typeof value === "number") {
    const number = Buffer.alloc(8);
    number.writeDoubleBE(value);
    return typed(3, 8, number);
  }
  const members = Object.entries(value);
  return typed(7, members.length, Buffer.concat(members.flatMap(([name, one]) => [encoded(name), encoded(one)])));
}

const uint = (type: number, bytes: number, value: number): Buffer => {
  const number = Buffer.alloc(bytes);
  number.writeUIntBE(value, 0, bytes);
  return typed(type, bytes, number);
};

/** The file's bytes. Of networks that lie in each other the later one wins. */
export function mmdb(networks: MmdbNetwork[], type = "Test-City", built_s = Math.floor(Date.now() / 1000)): Buffer {
  type Leaf = { data: number };
  type Node = [Node | Leaf | null, Node | Leaf | null];
  const root: Node = [null, null];
  const data: Buffer[] = [];
  let size = 0;
  for (const { network, value } of networks) {
    const [address, prefix] = network.split("/") as [string, string];
    const bits = Number(prefix) + (isIP(address) === 4 ? 96 : 0);
    const bytes = bytesOf(address);
    const leaf = { data: size };
    data.push(encoded(value));
    size += data.at(-1)!.length;
    let node = root;
    for (let at = 0; at < bits; at++) {
      const side = (bytes[at >> 3]! >> (7 - (at & 7))) & 1;
      if (at === bits - 1) {
        node[side] = leaf;
        break;
      }
      const next = node[side] ?? null;
      // a wider network was there: its two halves take its place
      if (!Array.isArray(next)) node[side] = [next, next];
      node = node[side] as Node;
    }
  }
  const nodes: Node[] = [];
  const number = new Map<Node, number>();
  const walk = (node: Node): void => {
    number.set(node, nodes.length);
    nodes.push(node);
    for (const next of node) if (Array.isArray(next)) walk(next);
  };
  walk(root);
  const tree = Buffer.alloc(nodes.length * 8);
  nodes.forEach((node, i) => node.forEach((next, side) => {
    const record = next === null ? nodes.length
      : Array.isArray(next) ? number.get(next)! : nodes.length + 16 + next.data;
    tree.writeUInt32BE(record, i * 8 + side * 4);
  }));
  const metadata = Buffer.concat([
    typed(7, 9, Buffer.alloc(0)),
    encoded("binary_format_major_version"), uint(5, 2, 2),
    encoded("binary_format_minor_version"), uint(5, 2, 0),
    encoded("build_epoch"), uint(9, 6, built_s),
    encoded("database_type"), encoded(type),
    encoded("ip_version"), uint(5, 2, 6),
    encoded("node_count"), uint(6, 4, nodes.length),
    encoded("record_size"), uint(5, 2, 32),
    encoded("languages"), typed(11, 1, encoded("en")),
    encoded("description"), encoded({ en: "written by a test" }),
  ]);
  return Buffer.concat([
    tree, Buffer.alloc(16), ...data, Buffer.from("\xab\xcd\xefMaxMind.com", "latin1"), metadata,
  ]);
}
