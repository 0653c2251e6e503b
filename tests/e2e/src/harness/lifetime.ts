// What a test opens it closes, in reverse order, also when it fails; and
// nothing waits for ever.
import type { Readable } from "node:stream";
import { createInterface } from "node:readline";
import { test, type TestContext } from "node:test";

export class Cleanup {
  #steps: (() => unknown)[] = [];

  add(step: () => unknown): void {
    this.#steps.push(step);
  }

  async run(): Promise<void> {
    const errors: unknown[] = [];
    for (const step of this.#steps.reverse().splice(0)) {
      try {
        await step();
      } catch (error) {
        errors.push(error);
      }
    }
    if (errors.length > 0) throw errors[0];
  }
}

/** A test whose resources end with it. */
export function scenario(
  name: string,
  body: (cleanup: Cleanup, t: TestContext) => Promise<void>,
  limit_ms = 120_000,
): void {
  test(name, { timeout: limit_ms }, async (t) => {
    const cleanup = new Cleanup();
    try {
      await body(cleanup, t);
    } finally {
      await cleanup.run();
    }
  });
}

/** Rejects when `what` takes longer. */
export async function deadline<T>(
  limit_ms: number,
  what: string,
  promise: Promise<T>,
): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(
      () => reject(new Error(`waited ${limit_ms} ms for ${what}`)),
      limit_ms,
    );
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** Asks again until the condition holds; for what has no event to await. */
export async function eventually(
  what: string,
  holds: () => boolean | Promise<boolean>,
  limit_ms = 10_000,
): Promise<void> {
  const end = Date.now() + limit_ms;
  while (!(await holds())) {
    if (Date.now() > end) throw new Error(`waited ${limit_ms} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

export function lines(stream: Readable, take: (line: string) => void): void {
  createInterface({ input: stream }).on("line", take);
}
