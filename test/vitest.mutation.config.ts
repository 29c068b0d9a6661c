import { fileURLToPath } from "node:url";
import { defineConfig } from "vitest/config";

const eachTime = fileURLToPath(new URL("support/each-time.ts", import.meta.url));

/** The core's tests in Node alone, or those of one area: what a mutation run asks again and again. */
export default defineConfig({
  resolve: { alias: [{ find: /^\.{1,2}\/once\.ts$/, replacement: eachTime }] },
  test: {
    include: [process.env["MUTATION_TESTS"] ?? "test/core/**/*.test.ts"],
    isolate: false, // one worker for all files of a run: starting one costs more than its tests
    testTimeout: 20_000,
    hookTimeout: 30_000,
  },
});
