// Bodies too large to hold: a repeating pattern, its hash, and what they cost
// the process that carries them.
import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import type { Writable } from "node:stream";

const block = Buffer.alloc(64 << 10);
for (let i = 0, x = 1; i < block.length; i++) {
  x = (Math.imul(x, 1103515245) + 12345) >>> 0;
  block[i] = x >>> 24;
}

/** Hash of the first `size` bytes of the pattern. */
export function pattern(size: number): string {
  const hash = createHash("sha256");
  for (let at = 0; at < size; at += block.length)
    hash.update(block.subarray(0, Math.min(block.length, size - at)));
  return hash.digest("hex");
}

/** Writes the pattern as fast as `to` takes it, and ends it. */
export function feed(
  to: Writable,
  size: number,
  wrote: (bytes: number) => void = () => {},
): void {
  let at = 0;
  const more = () => {
    while (at < size) {
      const part = block.subarray(0, Math.min(block.length, size - at));
      at += part.length;
      wrote(part.length);
      if (!to.write(part)) return;
    }
    to.removeListener("drain", more);
    to.end();
  };
  to.on("drain", more);
  to.on("error", () => {});
  more();
}

/** Proportional set size of a process. */
export async function memory_KiB(pid: number): Promise<number> {
  const text = await readFile(`/proc/${pid}/smaps_rollup`, "latin1");
  return Number(/^Pss:\s+(\d+) kB/m.exec(text)![1]);
}
