// What performance below the reference comes from: other inputs, or another relation between inputs and truth.
import type { Explanation } from '@headrace/contracts/proto/monitoring/v1/monitoring_events';
import { contradicts } from './estimate-evidence';
import type { Evidence } from './evidence';

/** By the last judged window of labels; undefined when the profile could not say what scores promise. */
export function explain(evidence: readonly Evidence[], inputsDrifted: boolean): Explanation | undefined {
  const valueOf = (statistic: string): number | undefined =>
    evidence.find((entry) => entry.statistic === statistic)?.value;
  const [measured, expected, z] = [valueOf('brier'), valueOf('expected_brier'), valueOf('contradiction_z')];
  if (measured === undefined || expected === undefined || z === undefined) return undefined;
  return { inputsDrifted, relationChanged: contradicts(z), measured, expected, z };
}

/** For people. */
export function explanationText({ inputsDrifted, relationChanged, measured, expected }: Explanation): string {
  const figures = `Brier ${measured.toFixed(4)} where the scores promised ${expected.toFixed(4)}`;
  if (relationChanged) {
    const also = inputsDrifted ? ', and inputs drifted too' : '';
    return `concept drift: scores no longer mean what they meant (${figures})${also}`;
  }
  if (inputsDrifted)
    return `data drift alone explains it: inputs are harder, scores still mean what they meant (${figures})`;
  return `neither inputs nor the meaning of scores changed beyond chance (${figures})`;
}
