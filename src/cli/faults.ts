import * as v from "valibot";

function faultOf(issue: v.BaseIssue<unknown>): string {
  const path = v.getDotPath(issue) ?? "";
  if (issue.path?.at(-1)?.origin === "key")
    return `${path}: ${issue.expected === "never" ? "is not known here" : "is missing"}`;
  return path === "" ? issue.message : `${path}: ${issue.message}`;
}

/** Every fault that valibot found, each as `path: what is wrong`. */
export const faultsOf = (issues: readonly v.BaseIssue<unknown>[]): string[] => issues.map(faultOf);
