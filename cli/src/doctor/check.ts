import type { Facts } from './facts.ts';

/** What is wrong, and what to type or change so that it is not. */
export type Fault = { readonly wrong: string; readonly mend: string };

/** One thing that can be wrong with a setup. */
export type Check = {
  readonly name: string;
  /** Why it matters: what goes wrong for whom. */
  readonly why: string;
  /** The fault that the facts show; undefined where they show none, or do not tell. */
  readonly find: (facts: Facts) => Fault | undefined;
};

export type Finding = Fault & { readonly check: string; readonly why: string };

/** What is wrong, in the order of the checks. */
export function diagnose(checks: readonly Check[], facts: Facts): Finding[] {
  return checks.flatMap(({ name, why, find }) => {
    const fault = find(facts);
    return fault ? [{ check: name, ...fault, why }] : [];
  });
}
