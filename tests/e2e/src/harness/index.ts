export * from "./api.js";
export * from "./hooks.js";
export * from "./lifetime.js";
export * from "./origin.js";
export * from "./raw.js";
export * from "./server.js";
