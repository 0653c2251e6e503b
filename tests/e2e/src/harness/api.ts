// The management API and /authenticate, as a customer's program calls them.
import { request, type IncomingHttpHeaders } from "node:http";
import { Contract } from "./contract.js";
import type { Address } from "./server.js";

/** The envelope of every answer (api.md §1). */
export interface Envelope {
  success: boolean;
  message: string;
  // Any shape: each test asserts those that it needs.
  data: any[];
  has_more?: boolean;
  error?: { code: string; field?: string };
}

export interface Answer {
  status: number;
  headers: IncomingHttpHeaders;
  text: string;
  json: Envelope;
}

export interface Call {
  /** A value is sent as JSON; a string or Buffer as it is. */
  body?: unknown;
  headers?: Record<string, string>;
  /** Another management key; null sends none. */
  key?: string | null;
}

/** One HTTP request with full control of Host and fields; no redirects. */
export function call(
  to: Address,
  method: string,
  path: string,
  headers: Record<string, string> = {},
  body?: string | Buffer,
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const asked = request(
      {
        host: to.host,
        port: to.port,
        method,
        path,
        agent: false,
        headers: {
          ...(body === undefined
            ? {}
            : { "content-length": String(Buffer.byteLength(body)) }),
          ...headers,
        },
      },
      (answer) => {
        const parts: Buffer[] = [];
        answer.on("data", (part: Buffer) => parts.push(part));
        answer.on("error", reject);
        answer.on("end", () => {
          const text = Buffer.concat(parts).toString("utf8");
          resolve({
            status: answer.statusCode!,
            headers: answer.headers,
            text,
            get json() {
              return JSON.parse(text) as Envelope;
            },
          });
        });
      },
    );
    asked.on("error", reject);
    asked.end(body);
  });
}

export class Api {
  constructor(
    readonly address: Address,
    readonly accountId: string,
    readonly key: string,
  ) {}

  /** `path` below the account ("applications"), or absolute ("/accounts"). */
  async call(method: string, path: string, options: Call = {}): Promise<Answer> {
    const { body, headers = {}, key = this.key } = options;
    const raw = typeof body === "string" || Buffer.isBuffer(body);
    const target = path.startsWith("/") ? path : `/${this.accountId}/${path}`;
    const contract = await this.contract();
    const answer = await call(
      this.address,
      method,
      target,
      {
        ...(key === null ? {} : { authorization: `Bearer ${key}` }),
        ...(body === undefined ? {} : { "content-type": "application/json" }),
        ...headers,
      },
      body === undefined ? undefined : raw ? body : JSON.stringify(body),
    );
    contract.check(method, target, answer);
    return answer;
  }

  /** The server's own description, which every answer is checked against. */
  contract(): Promise<Contract> {
    return Contract.of(this.address, async () =>
      (await call(this.address, "GET", "/openapi.json")).text);
  }

  get = (path: string, options?: Call) => this.call("GET", path, options);
  post = (path: string, body?: unknown, options?: Call) =>
    this.call("POST", path, { ...options, body });
  patch = (path: string, body: unknown, options?: Call) =>
    this.call("PATCH", path, { ...options, body });
  delete = (path: string, options?: Call) => this.call("DELETE", path, options);

  /** Creates and returns the objects of the answer; throws unless 201. */
  async create(path: string, body: unknown): Promise<any[]> {
    const answer = await this.post(path, body);
    if (answer.status !== 201)
      throw new Error(`POST ${path}: ${answer.status} ${answer.text}`);
    return answer.json.data;
  }

  /** An application in front of an origin, with a profile when one is given. */
  async application(
    name: string,
    origin: Address,
    profile?: object,
    extra: object = {},
  ): Promise<any> {
    const auth_id = profile
      ? (await this.create("authentication/create", {
          name: `${name} profile`,
          keyType: "token",
          ...profile,
        }))[0].id
      : undefined;
    const [made] = await this.create("applications/create", {
      name,
      domain: `${name.toLowerCase()}.example.test`,
      originHostname: `http://${origin.host}:${origin.port}`,
      ...(auth_id ? { auth_id } : {}),
      ...extra,
    });
    return made;
  }

  /** New tokens of an application, with their secrets. */
  tokens(applicationId: string, body: object = {}): Promise<any[]> {
    return this.create(`token/create/${applicationId}`, body);
  }

  authenticate(appID: string, token: string, extra: object = {}) {
    return this.call("POST", "/authenticate", {
      body: { appID, token, ...extra },
      key: null,
    });
  }
}
