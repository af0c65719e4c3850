export interface Rule {
  readonly k: number;
  readonly n: number;
}

/** Whether the signal stands: at least k of the last n judged windows crossed (oldest first; fewer than n count too). */
export function stands(crossed: readonly boolean[], rule: Rule): boolean {
  return crossed.slice(-rule.n).filter(Boolean).length >= rule.k;
}

export type Turn = 'on' | 'off' | 'unchanged';

export function turnOf(stoodBefore: boolean, standsNow: boolean): Turn {
  if (stoodBefore === standsNow) return 'unchanged';
  return standsNow ? 'on' : 'off';
}
