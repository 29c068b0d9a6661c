import { cloudflareTest } from "@cloudflare/vitest-plugin";
import { defineConfig } from "vitest/config";

const CORE_TESTS = ["test/core/**/*.test.ts"];

export default defineConfig({
  test: {
    testTimeout: 20_000,
    hookTimeout: 30_000,
    maxWorkers: 2,
    projects: [
      // the core decides alike in both runtimes: the same files, twice
      // one worker for all files: what the core keeps of its own accord are bounded memos, which change no outcome
      { extends: true, test: { name: "core-node", include: CORE_TESTS, isolate: false } },
      {
        extends: true,
        plugins: [cloudflareTest({ miniflare: { compatibilityDate: "2026-08-01" } })],
        test: { name: "core-workerd", include: CORE_TESTS, isolate: false },
      },
      // Node drives the real bundle in real workerd, and the commands as processes
      {
        extends: true,
        test: {
          name: "system",
          include: ["test/{adopter,cloudflare,e2e,hostile,local,cli,bench}/**/*.test.ts"],
          testTimeout: 60_000,
          hookTimeout: 60_000,
          // a machine that CI shares with others may starve a process; a rule that is broken fails twice
          retry: process.env["CI"] === "true" ? 1 : 0,
        },
      },
      {
        extends: true,
        test: {
          name: "browser",
          include: ["test/browser/**/*.test.ts"],
          testTimeout: 30_000,
          hookTimeout: 60_000,
        },
      },
    ],
  },
});
