import type { Breach } from '../domain/guardrails';

/**
 * Parameters of an answer that say why it is doubtful, one for each guardrail that acted:
 * "headrace_guardrail_low_confidence" = "flag: confidence 0.500 is below 0.8".
 */
export function guardrailNotes(breaches: readonly Breach[]): [name: string, note: string][] {
  return breaches.map(({ guardrail, action, reason }) => [`headrace_guardrail_${guardrail}`, `${action}: ${reason}`]);
}
