/** The option `module`: every way to name a file, and nothing else. */
import { resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { describe, expect, it } from "vitest";
import { resolveAppOptions } from "./options.js";

describe("the option `module`", () => {
  it("takes a file URL or a path, and keeps a file URL", () => {
    const url = pathToFileURL(resolve("app.js")).href;
    for (const module of [url, new URL(url), "./app.js", "app.js", resolve("app.js")]) {
      expect(resolveAppOptions({ module }).module).toBe(url);
    }
    expect(resolveAppOptions({}).module).toBeUndefined();
    // What a manifest carries can be given again.
    expect(resolveAppOptions(resolveAppOptions({ module: "./app.js" })).module).toBe(url);
  });

  it("refuses what a Worker could not import", () => {
    for (const module of ["", 5, null, {}, "https://example.com/app.js", "data:text/javascript,1", "node:fs"]) {
      expect(() => resolveAppOptions({ module })).toThrow(expect.objectContaining({ code: "MR_INVALID_OPTION" }));
    }
  });
});
