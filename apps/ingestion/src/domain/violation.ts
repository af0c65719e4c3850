/** Why a record is refused. Stable: users alert on these. */
export type ViolationCode =
  | 'bad_envelope'
  | 'too_large'
  | 'undecodable'
  | 'missing'
  | 'wrong_type'
  | 'out_of_range'
  | 'not_allowed'
  | 'expectation';

export interface Violation {
  /** Field of the record, or empty for the whole record. */
  readonly field: string;
  readonly code: ViolationCode;
  /** What was found and what would be right. */
  readonly message: string;
}

const SHOWN_LENGTH = 80;

/** A found value for a message: its JSON, cut to a readable length. */
export function shown(value: unknown): string {
  if (value === undefined) return 'nothing';
  const text = typeof value === 'string' ? JSON.stringify(value.slice(0, SHOWN_LENGTH + 1)) : JSON.stringify(value);
  return text.length > SHOWN_LENGTH ? `${text.slice(0, SHOWN_LENGTH)}…` : text;
}

export function found(value: unknown, expected: string): string {
  return `found ${shown(value)}, expected ${expected}`;
}
