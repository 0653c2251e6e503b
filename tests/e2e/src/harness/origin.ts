// What stands behind the gateway: a node server that records what reaches it,
// and Debian's nginx.
import { execFile, spawn } from "node:child_process";
import { mkdtemp, readFile, rm, writeFile, mkdir } from "node:fs/promises";
import {
  createServer,
  type IncomingMessage,
  type RequestListener,
  type Server as HttpServer,
} from "node:http";
import { createServer as createTls, type ServerOptions as TlsOptions } from "node:https";
import { createServer as createTcp, type AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { call } from "./api.js";
import { Cleanup, deadline, eventually } from "./lifetime.js";
import type { Address } from "./server.js";

export interface Recorded {
  method: string;
  target: string;
  version: string;
  /** Names and values alternate, as they came. */
  rawHeaders: string[];
  headers: IncomingMessage["headers"];
  body: Buffer;
  trailers: IncomingMessage["trailers"];
}

export interface OriginOptions {
  host?: string;
  /** Key and certificate: it speaks HTTPS. */
  tls?: TlsOptions;
}

export class NodeOrigin {
  /** Requests that arrived whole, oldest first. */
  readonly requests: Recorded[] = [];
  /** Connections accepted so far. */
  connections = 0;

  private constructor(
    readonly address: Address,
    /** For tests that need upgrades, timeouts, Expect. */
    readonly server: HttpServer,
  ) {}

  /** Without `answer` it answers 200 "hello from the origin". */
  static async start(
    cleanup: Cleanup,
    answer?: RequestListener,
    { host = "127.0.0.1", tls }: OriginOptions = {},
  ): Promise<NodeOrigin> {
    const server = tls ? createTls(tls) : createServer();
    server.listen(0, host);
    await new Promise((resolve) => server.once("listening", resolve));
    const { port } = server.address() as AddressInfo;
    const origin = new NodeOrigin({ host, port }, server);
    server.on("connection", () => origin.connections++);
    server.on("request", (request, response) => {
      const parts: Buffer[] = [];
      request.on("data", (part: Buffer) => parts.push(part));
      request.on("end", () =>
        origin.requests.push({
          method: request.method!,
          target: request.url!,
          version: request.httpVersion,
          rawHeaders: request.rawHeaders,
          headers: request.headers,
          body: Buffer.concat(parts),
          trailers: request.trailers,
        }),
      );
      if (answer) answer(request, response);
      else request.on("end", () => response.end("hello from the origin\n"));
    });
    cleanup.add(() => {
      server.closeAllConnections();
      return new Promise((resolve) => server.close(resolve));
    });
    return origin;
  }

  /** Listens no more, and ends each connection that has no request in work.
   * One that was accepted and sent nothing yet counts as busy to node; it
   * would stay for ever, so they are looked at until none is left. */
  async die(): Promise<void> {
    const closed = new Promise((resolve) => this.server.close(resolve));
    const look = setInterval(() => this.server.closeIdleConnections(), 5);
    await closed;
    clearInterval(look);
  }

  get last(): Recorded {
    const recorded = this.requests.at(-1);
    if (!recorded) throw new Error("no request reached the origin");
    return recorded;
  }
}

/** A port that nobody listens on: of a moment ago. */
export async function freePort(): Promise<number> {
  const probe = createTcp();
  probe.listen(0, "127.0.0.1");
  await new Promise((resolve) => probe.once("listening", resolve));
  const { port } = probe.address() as AddressInfo;
  await new Promise((resolve) => probe.close(resolve));
  return port;
}

const nginxPath = "/usr/sbin/nginx";
const run = promisify(execFile);

export class Nginx {
  private constructor(
    readonly address: Address,
    readonly directory: string,
  ) {}

  /** `locations` goes into its one server block. */
  static async start(
    cleanup: Cleanup,
    locations = 'location / { return 200 "hello from nginx\\n"; }',
  ): Promise<Nginx> {
    const directory = await mkdtemp(join(tmpdir(), "typeauth-nginx-"));
    cleanup.add(() => rm(directory, { recursive: true, force: true }));
    await mkdir(join(directory, "html"));
    const port = await freePort();
    const temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
      .map((kind) => `${kind}_temp_path ${directory}/${kind};`)
      .join("\n  ");
    await writeFile(
      join(directory, "nginx.conf"),
      `daemon off;
worker_processes 1;
pid ${directory}/nginx.pid;
error_log ${directory}/error.log;
events { worker_connections 1024; }
http {
  access_log ${directory}/access.log;
  ${temporary}
  server {
    listen 127.0.0.1:${port} backlog=1024;
    root ${directory}/html;
    ${locations}
  }
}
`,
    );
    const args = [
      "-p", directory,
      "-c", join(directory, "nginx.conf"),
      "-e", join(directory, "error.log"),
    ];
    await run(nginxPath, [...args, "-t", "-q"]);
    const child = spawn(nginxPath, args, { stdio: "ignore" });
    const ended = new Promise((resolve) => child.once("close", resolve));
    cleanup.add(async () => {
      child.kill("SIGTERM");
      await deadline(10_000, "nginx to end", ended);
    });
    const address = { host: "127.0.0.1", port };
    // Its own pid is written when it listens: else it is somebody else who
    // answers there, another test that was given the same free port.
    await eventually("nginx listens", async () =>
      (await readFile(join(directory, "nginx.pid"), "latin1").catch(() => "")).trim() === String(child.pid));
    await eventually("nginx answers", () =>
      call(address, "GET", "/").then(
        () => true,
        () => false,
      ),
    );
    return new Nginx(address, directory);
  }
}
