import { readFileSync } from "node:fs";
import { expect, it } from "vitest";

const ROOT = new URL("../../", import.meta.url);
const page = readFileSync(new URL("SECURITY.md", ROOT), "utf8");

/** Each test file that the page names, with the names that stand behind it. */
const references = [...page.matchAll(/`(test\/[\w/-]+\.test\.ts)`((?:,? "[^"]+")*)/g)].flatMap(
  ([, file = "", names = ""]) =>
    [...names.matchAll(/"([^"]+)"/g)].map(([, name = ""]) => [file, name] as const),
);

it("names more than twenty tests", () => {
  expect(references.length).toBeGreaterThan(20);
});

it.each(references)("%s has %j", (file, name) => {
  expect(readFileSync(new URL(file, ROOT), "utf8").replaceAll(/\s+/g, " ")).toContain(name);
});
