// What the server publishes at /openapi.json holds for every answer that a
// test gets through Api: status, envelope, schema, header fields.
import assert from "node:assert/strict";
import { Ajv2020 } from "ajv/dist/2020.js";
import addFormats from "ajv-formats";
import type { Answer } from "./api.js";
import type { Address } from "./server.js";

interface Operation {
  responses: Record<string, { content?: Record<string, { schema?: object }> }>;
}
interface Path {
  pattern: RegExp;
  variables: number;
  methods: Record<string, Operation>;
  pointer: string;
}

const escape = (step: string) =>
  encodeURIComponent(step.replace(/~/g, "~0").replace(/\//g, "~1"));

export class Contract {
  readonly document: any;
  readonly #ajv = new Ajv2020({ strict: false, allErrors: true });
  readonly #paths: Path[] = [];

  constructor(text: string) {
    this.document = JSON.parse(text);
    // CommonJS: the function is the default export of the default export.
    (addFormats as unknown as (ajv: Ajv2020) => void)(this.#ajv);
    this.#ajv.addSchema(this.document, "openapi");
    for (const [path, item] of Object.entries<any>(this.document.paths)) {
      const target: string = item.$ref
        ? decodeURIComponent(item.$ref.slice("#/paths/".length))
            .replace(/~1/g, "/").replace(/~0/g, "~")
        : path;
      this.#paths.push({
        pattern: new RegExp(`^${path.replace(/\{\w+\}/g, "[^/]+")}$`),
        variables: path.split("{").length,
        methods: this.document.paths[target],
        pointer: `openapi#/paths/${escape(target)}`,
      });
    }
    this.#paths.sort((a, b) => a.variables - b.variables);
  }

  #find(method: string, path: string): Path | undefined {
    const bare = path.split("?")[0]!;
    return this.#paths.find(
      (one) => one.pattern.test(bare) && one.methods[method.toLowerCase()],
    );
  }

  check(method: string, path: string, answer: Answer): void {
    const shown = `${method} ${path}: ${answer.status} ${answer.text.slice(0, 500)}`;
    assert.match(String(answer.headers["x-request-id"] ?? ""), /^[!-~]{1,128}$/, shown);
    const found = this.#find(method, path);
    let pointer = "openapi#/components/schemas/Failure";
    if (found) {
      const responses = found.methods[method.toLowerCase()]!.responses;
      const status = responses[answer.status] ? String(answer.status) : "default";
      if (status === "default")
        assert.ok(answer.status >= 400, `not published: ${shown}`);
      const [type] = Object.keys(responses[status]!.content ?? {});
      if (type !== "application/json") return;
      pointer = `${found.pointer}/${method.toLowerCase()}/responses/${status}` +
        `/content/${escape(type)}/schema`;
    } else {
      assert.ok(answer.status >= 400, `not published: ${shown}`);
    }
    assert.equal(answer.headers["content-type"], "application/json; charset=utf-8", shown);
    const valid = this.#ajv.getSchema(pointer);
    assert.ok(valid, `no schema at ${pointer}`);
    if (!valid(answer.json))
      assert.fail(`${shown}\n${this.#ajv.errorsText(valid.errors)}`);
    assert.equal(answer.json.success, answer.json.error === undefined, shown);
  }

  /** One a server; the same document is read and compiled once. */
  static of(
    to: Address,
    read: () => Promise<string>,
  ): Promise<Contract> {
    const where = `${to.host}:${to.port}`;
    let made = byServer.get(where);
    if (!made) {
      made = read().then((text) => {
        const known = byText.get(text) ?? new Contract(text);
        byText.set(text, known);
        return known;
      });
      byServer.set(where, made);
      made.catch(() => byServer.delete(where));
    }
    return made;
  }
}

const byServer = new Map<string, Promise<Contract>>();
const byText = new Map<string, Contract>();
