import type { Value } from '@headrace/contracts/proto/common/v1/common';

/** The plain scalar of a Value; null when missing. Timestamps as microseconds. */
export function scalarOf(value: Value | undefined): string | number | boolean | null {
  const kind = value?.kind;
  return kind === undefined ? null : kind.value;
}

export const missing: Value = { kind: undefined };
export const boolValue = (value: boolean): Value => ({ kind: { $case: 'boolValue', value } });
export const intValue = (value: number): Value => ({ kind: { $case: 'intValue', value } });
export const doubleValue = (value: number): Value => ({ kind: { $case: 'doubleValue', value } });
export const stringValue = (value: string): Value => ({ kind: { $case: 'stringValue', value } });
export const timeValue = (micros: number): Value => ({ kind: { $case: 'timeValue', value: micros } });
