// Requests as ordinary clients send them to ordinary APIs, from a seed: the
// header sets are those of the clients' current versions, in their order; paths,
// queries, bodies and cookies are what shops, trackers and back offices have.
export interface SimulatedRequest {
  method: string;
  uri: string;
  headers: [string, string][];
  body?: string;
  address: string;
}

export class Random {
  constructor(private state: number) {}
  next(below: number): number {
    // mulberry32
    this.state = (this.state + 0x6d2b79f5) | 0;
    let t = Math.imul(this.state ^ (this.state >>> 15), 1 | this.state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) % below;
  }
  of<T>(list: readonly T[]): T {
    return list[this.next(list.length)]!;
  }
  text(n: number, alphabet: string): string {
    let out = "";
    while (out.length < n) out += alphabet[this.next(alphabet.length)];
    return out;
  }
}

const hex = "0123456789abcdef";
const base62 = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

const clients: Record<string, (r: Random) => [string, string][]> = {
  curl: () => [["User-Agent", "curl/8.9.1"], ["Accept", "*/*"]],
  undici: () => [["connection", "keep-alive"], ["accept", "*/*"], ["accept-language", "*"], ["sec-fetch-mode", "cors"], ["user-agent", "node"], ["accept-encoding", "gzip, deflate"]],
  axios: () => [["Accept", "application/json, text/plain, */*"], ["User-Agent", "axios/1.7.2"], ["Accept-Encoding", "gzip, compress, deflate, br"], ["Connection", "keep-alive"]],
  requests: () => [["User-Agent", "python-requests/2.32.3"], ["Accept-Encoding", "gzip, deflate"], ["Accept", "*/*"], ["Connection", "keep-alive"]],
  okhttp: () => [["Accept", "application/json"], ["Connection", "Keep-Alive"], ["Accept-Encoding", "gzip"], ["User-Agent", "okhttp/4.12.0"]],
  go: () => [["User-Agent", "Go-http-client/1.1"], ["Accept", "application/json"], ["Accept-Encoding", "gzip"]],
  chrome: (r) => [
    ["Connection", "keep-alive"], ["sec-ch-ua", '"Chromium";v="128", "Not;A=Brand";v="24", "Google Chrome";v="128"'], ["sec-ch-ua-mobile", "?0"],
    ["User-Agent", "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/128.0.0.0 Safari/537.36"],
    ["Accept", "application/json, text/plain, */*"], ["sec-ch-ua-platform", '"Windows"'], ["Origin", "https://app.example.com"],
    ["Sec-Fetch-Site", "same-site"], ["Sec-Fetch-Mode", "cors"], ["Sec-Fetch-Dest", "empty"], ["Referer", `https://app.example.com/${r.of(["orders", "users", "settings"])}`],
    ["Accept-Encoding", "gzip, deflate, br, zstd"], ["Accept-Language", "en-GB,en;q=0.9,de;q=0.8"],
  ],
  firefox: () => [
    ["User-Agent", "Mozilla/5.0 (X11; Linux x86_64; rv:129.0) Gecko/20100101 Firefox/129.0"], ["Accept", "application/json"], ["Accept-Language", "en-US,en;q=0.5"],
    ["Accept-Encoding", "gzip, deflate, br, zstd"], ["Referer", "https://app.example.com/"], ["Origin", "https://app.example.com"], ["DNT", "1"], ["Connection", "keep-alive"],
    ["Sec-Fetch-Dest", "empty"], ["Sec-Fetch-Mode", "cors"], ["Sec-Fetch-Site", "same-site"], ["Priority", "u=4"],
  ],
};
export const benignClients = Object.keys(clients);

const firstNames = ["Anna", "Jürgen", "Siobhán", "Liam", "Zoë", "Mateusz", "Noor", "Chloé", "Darragh", "Mei"];
const lastNames = ["O'Brien", "Müller", "García", "Nguyễn", "Smith-Jones", "D'Angelo", "van der Berg", "Kowalski", "Sato", "Okafor"];
const cities = ["Zürich", "São Paulo", "Köln", "St. Gallen", "New York", "'s-Hertogenbosch", "Kraków", "Dublin"];
const sentences = [
  "Please deliver it to the back door, we are usually home after 5.",
  "The update works now; thanks for the quick fix!",
  "Can you select a larger size for me? The order was from last week.",
  "Meeting moved to 10:30 (room 4b) - agenda as before.",
  "It's the customer's own account & they've changed the address.",
  "Invoice #4711 is still open: 1,299.00 EUR, due 2024-03-01.",
  "We'd like to order 3 of these and 2 of those.",
  "Rated 4/5, would buy again.",
  "Temperature was 21.5 °C, humidity 40 %.",
  "See https://www.example.com/help?topic=returns for more.",
];

const uuid = (r: Random) => [8, 4, 4, 4, 12].map((n) => r.text(n, hex)).join("-");
const day = (r: Random) => `20${20 + r.next(6)}-0${1 + r.next(9)}-${10 + r.next(19)}`;
const mail = (r: Random) => `${r.of(firstNames).normalize("NFD").replace(/[^A-Za-z]/g, "").toLowerCase()}.${r.text(6, hex)}@${r.of(["example.com", "mail.example.org", "example.co.uk"])}`;

function path(r: Random): string {
  const noun = r.of(["users", "orders", "invoices", "products", "projects", "messages", "devices", "bookings"]);
  const id = r.of([uuid(r), String(r.next(1e6)), `${noun.slice(0, 3)}_${r.text(20, base62)}`]);
  return r.of(["/v1", "/api/v2", "", "/rest"]) + r.of([`/${noun}`, `/${noun}/${id}`, `/${noun}/${id}/comments`, `/${noun}/search`, "/graphql", "/events", `/files/${r.text(12, hex)}.pdf`]);
}

function query(r: Random): string {
  const all: [string, string][] = [
    ["limit", String(1 + r.next(100))], ["page", String(r.next(50))], ["sort", r.of(["-created_at", "name", "price:desc", "updatedAt"])],
    ["q", r.of(["blue shoes", "coffee & tea", "size 42", "zürich", "annual report 2023", "c++ book", "10% off"])], ["from", day(r)], ["to", day(r)],
    ["status", r.of(["open", "paid", "shipped"])], ["cursor", Buffer.from(`${r.next(1e9)}:${uuid(r)}`).toString("base64url")], ["email", mail(r)],
    ["fields", "id,name,items.price"], ["filter[city]", r.of(cities)], ["lat", (r.next(180) - 90 + r.next(1000) / 1000).toFixed(4)], ["lang", r.of(["en", "de-CH", "fr"])],
  ];
  const chosen = all.filter(() => r.next(4) === 0);
  return chosen.length ? "?" + new URLSearchParams(chosen).toString() : "";
}

function person(r: Random) {
  return { name: `${r.of(firstNames)} ${r.of(lastNames)}`, email: mail(r), city: r.of(cities), phone: `+41 44 ${100 + r.next(900)} ${10 + r.next(90)} ${10 + r.next(90)}`, born: day(r), vip: r.next(2) === 0 };
}

function json(r: Random): unknown {
  switch (r.next(5)) {
    case 0: return person(r);
    case 1: return { id: uuid(r), note: r.of(sentences), tags: [r.text(5, hex), "priority"], count: r.next(1000), price: r.next(100000) / 100, nothing: null };
    case 2: return { order: { customer: person(r), items: Array.from({ length: 1 + r.next(5) }, () => ({ sku: r.text(8, base62), quantity: 1 + r.next(9), note: r.of(sentences) })) } };
    case 3: return { query: "query Q($id: ID!) { user(id: $id) { name orders(first: 10) { total } } }", variables: { id: uuid(r) } };
    default: return { events: Array.from({ length: 1 + r.next(8) }, () => ({ type: r.of(["click", "view", "purchase"]), at: Date.UTC(2024, r.next(12), 1 + r.next(28)), properties: { page: path(r), title: r.of(sentences) } })) };
  }
}

function multipart(r: Random): [string, string] {
  const boundary = `----WebKitFormBoundary${r.text(16, base62)}`;
  const part = (head: string, content: string) => `--${boundary}\r\nContent-Disposition: form-data; ${head}\r\n\r\n${content}\r\n`;
  return [`multipart/form-data; boundary=${boundary}`,
    part('name="title"', r.of(sentences)) + part(`name="file"; filename="report-${r.next(1000)}.csv"\r\nContent-Type: text/csv`, `id,name\r\n1,${r.of(lastNames)}\r\n`) + `--${boundary}--\r\n`];
}

/** The n-th benign request of a seed is always the same. */
export function benignRequest(r: Random): SimulatedRequest & { client: string } {
  const client = r.of(benignClients);
  const headers: [string, string][] = [["Host", r.of(["api.example.com", "shop.example.com"])], ...clients[client]!(r)];
  const method = r.of(["GET", "GET", "GET", "POST", "POST", "PUT", "PATCH", "DELETE"]);
  const out: SimulatedRequest = { method, uri: path(r) + query(r), headers, address: `198.51.100.${1 + r.next(250)}` };
  if (r.next(2)) headers.push(["Authorization", `Bearer ${r.of(["sk_live_", "pk_", ""])}${r.text(43, base62)}`]);
  if (r.next(4) === 0) headers.push(["Cookie", `_ga=GA1.2.${r.next(1e9)}.${1.7e9 + r.next(1e7)}; session=${r.text(32, base62)}; theme=dark; consent=${encodeURIComponent(JSON.stringify({ ads: false, v: r.next(9) }))}`]);
  if (r.next(6) === 0) headers.push(["X-Request-Id", uuid(r)]);
  if (["POST", "PUT", "PATCH"].includes(method)) {
    let type = "application/json";
    let body: string;
    const form = r.next(8);
    if (form === 0) {
      const p = person(r);
      [type, body] = ["application/x-www-form-urlencoded", new URLSearchParams({ name: p.name, email: p.email, comment: r.of(sentences), agree: "on" }).toString()];
    } else if (form === 1) [type, body] = multipart(r);
    else if (form === 2) [type, body] = ["text/plain; charset=utf-8", r.of(sentences)];
    else body = JSON.stringify(json(r));
    headers.push(["Content-Type", type], ["Content-Length", String(Buffer.byteLength(body))]);
    out.body = body;
  }
  return { ...out, client };
}
