import { spawnSync } from "node:child_process";
import { expect, it } from "vitest";

it("says what it needs where valgrind is not installed", () => {
  const run = spawnSync(process.execPath, ["bench/instructions.ts"], {
    encoding: "utf8",
    env: { ...process.env, PATH: "" },
  });
  expect(run.stderr).toContain("apt-get install valgrind");
  expect(run).toMatchObject({ status: 1, stdout: "" });
});
