import { STEPS, type Step } from "../core/exchange.ts";
import { editedHeaders } from "../core/http/upstream-headers.ts";
import type { TakenStep, Trace } from "./explain-run.ts";
import { SAW } from "./explain-saw.ts";
import { printable } from "./printable.ts";

/** A step as it is printed. */
export interface ExplainedStep {
  /** Its number in the order of a decision; undefined: before or beside it. */
  readonly number: number | undefined;
  readonly step: string;
  readonly outcome: "passed" | "refused" | "would refuse" | "answered" | "not asked";
  /** What the step looked at. */
  readonly saw: string;
}

const NUMBERS: Partial<Record<Step, number>> = {
  path: 2,
  preflight: 3,
  route: 4,
  public_rate_limit: 5,
  token_present: 6,
  signature: 8,
  time: 9,
  token_use: 10,
  audience: 11,
  revocation: 12,
  caller: 13,
  tenant: 14,
  role: 15,
  scopes: 15,
  groups: 15,
  tenant_rate_limit: 16,
  forward: 17,
};

function outcomeOf({ step, refusal }: TakenStep, { decision }: Trace): ExplainedStep["outcome"] {
  if (refusal !== undefined) return decision.kind === "report" ? "would refuse" : "refused";
  if (step === "preflight" || step === "own_endpoint") return "answered";
  return step.endsWith("rate_limit") ? "not asked" : "passed";
}

/** Step 1 has no refusal: what the caller says of its identity is dropped, or replaced by what is verified. */
function stripStep({ decision, exchange }: Trace): ExplainedStep {
  const sent = editedHeaders(exchange.request.headers, { remove: ["authorization", "host"], set: [] });
  const passed = new Map(
    "upstream" in decision ? editedHeaders(exchange.request.headers, decision.upstream.headers) : [],
  );
  const dropped = sent.filter(([name, value]) => passed.get(name) !== value).map(([name]) => printable(name));
  const saw = dropped.length === 0 ? "nothing to drop" : `dropped or replaced: ${dropped.join(", ")}`;
  return {
    number: 1,
    step: "strip_identity",
    outcome: "passed",
    saw: "upstream" in decision ? saw : "nothing is forwarded",
  };
}

/** The steps that were taken, in their order, each with what it saw. The signature's is two of them. */
export function explainSteps(trace: Trace): readonly ExplainedStep[] {
  const steps = trace.taken.flatMap((taken): ExplainedStep[] => {
    const { step, refusal } = taken;
    const outcome = outcomeOf(taken, trace);
    const saw = SAW[step](trace);
    if (step !== "signature") return [{ number: NUMBERS[step], step, outcome, saw }];
    if (refusal?.code === "malformed_token") return [{ number: 7, step: "well_formed", outcome, saw }];
    const form = {
      number: 7,
      step: "well_formed",
      outcome: "passed",
      saw: "three segments of base64url, JSON in two",
    } as const;
    return [form, { number: 8, step, outcome, saw }];
  });
  return [stripStep(trace), ...steps];
}

/** The steps that a refusal has kept from being taken. */
export function stepsNotReached({ taken, decision, exchange }: Trace): readonly Step[] {
  const last = taken.findLast(({ refusal }) => refusal !== undefined)?.step;
  if (decision.kind !== "refuse" || last === undefined) return [];
  const isPublic = exchange.route?.access === "public";
  return STEPS.slice(STEPS.indexOf(last) + 1).filter(
    (step) => step !== "preflight" && step !== "own_endpoint" && (isPublic || step !== "public_rate_limit"),
  );
}
