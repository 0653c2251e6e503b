// One application behind the gateway, with a token: what most tests of the
// proxy door begin with.
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { call, type Answer } from "./api.js";
import { eventually, type Cleanup } from "./lifetime.js";
import { RawClient, type RawAnswer } from "./raw.js";
import { Server, type Address, type ServerOptions } from "./server.js";

export interface GatewayOptions extends ServerOptions {
  profile?: object | null;
  application?: object;
}

/** A line of the access log (docs: t time, s status, m method, …). */
export interface LogLine {
  t: number;
  i: string;
  d: string;
  s: number;
  o?: string;
  c?: string;
  m: string;
  h: string;
  p: string;
  r: string;
  a?: string;
  k?: string;
  bi: number;
  bo: number;
  u: number;
  uo?: number;
  v?: number;
  x?: number;
}

export class Gateway {
  private constructor(
    readonly cleanup: Cleanup,
    readonly server: Server,
    readonly application: any,
    readonly token: any,
  ) {}

  /** profile: {} by default, null for a public application. */
  static async start(
    cleanup: Cleanup,
    origin: Address,
    options: GatewayOptions = {},
  ): Promise<Gateway> {
    const { profile = {}, application = {}, ...rest } = options;
    const server = await Server.start(cleanup, rest);
    const made = await server.api.application(
      "shop",
      origin.host.includes(":")
        ? { ...origin, host: `[${origin.host}]` }
        : origin,
      profile ?? undefined,
      { detailResponse: true, ...application },
    );
    const token = profile ? (await server.api.tokens(made.id))[0] : {};
    return new Gateway(cleanup, server, made, token);
  }

  get address(): Address {
    return this.server.door("gateway");
  }

  get host(): string {
    return this.application.domain;
  }

  /** Fields that let a request pass. */
  get headers(): Record<string, string> {
    return {
      host: this.host,
      ...(this.token.token
        ? { authorization: `Bearer ${this.token.token}` }
        : {}),
    };
  }

  ask(
    method = "GET",
    path = "/",
    headers: Record<string, string> = {},
    body?: string | Buffer,
  ): Promise<Answer> {
    return call(this.address, method, path, { ...this.headers, ...headers }, body);
  }

  /** The head of a request that passes, up to the empty line. */
  head(line = "GET / HTTP/1.1", fields: string[] = []): string {
    const own = Object.entries(this.headers).map(([n, v]) => `${n}: ${v}`);
    return [line, ...own, ...fields, "", ""].join("\r\n");
  }

  raw(): Promise<RawClient> {
    return RawClient.open(this.cleanup, this.address);
  }

  /** One raw request on a connection of its own. */
  async once(bytes: string | Buffer, method = "GET"): Promise<RawAnswer> {
    const client = await this.raw();
    await client.send(bytes);
    return client.read(method);
  }

  async logText(): Promise<string> {
    return readFile(join(this.server.data, "access.log"), "latin1");
  }

  /** The proxy's lines of the access log, once there are `count` to keep. */
  async log(
    count: number,
    keep: (line: LogLine) => boolean = () => true,
  ): Promise<LogLine[]> {
    let lines: LogLine[] = [];
    await eventually(`${count} lines of access log`, async () => {
      const text = await this.logText().catch(() => "");
      lines = text
        .split("\n")
        .slice(0, -1) // what has no end is being written
        .map((line) => JSON.parse(line) as LogLine)
        .filter((line) => line.d === "p" && keep(line));
      return lines.length >= count;
    });
    return lines;
  }
}
