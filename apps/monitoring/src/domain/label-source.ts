import { createHash } from 'node:crypto';
import { asNumber, type Expression, type Fields } from '@headrace/definitions';

export type Task = 'binary' | 'regression';

/** Where the truth comes from: a stream and an expression over its records. Monitors that share both share the labels. */
export interface LabelSource {
  readonly id: string;
  readonly stream: string;
  readonly expression: string;
  readonly task: Task;
}

export function labelSourceOf(stream: string, expression: string, task: Task): LabelSource {
  const hash = createHash('sha256').update(`${task}\n${expression}`).digest('hex').slice(0, 12);
  return { id: `${stream}#${hash}`, stream, expression, task };
}

export type LabelValue =
  { readonly kind: 'label'; readonly value: number } | { readonly kind: 'missing' } | { readonly kind: 'not_binary' };

/** The truth in one record: for a binary model 0 or 1. */
export function labelOf(expression: Expression, fields: Fields, task: Task): LabelValue {
  const value = asNumber(expression(fields));
  if (value === undefined) return { kind: 'missing' };
  if (task === 'binary' && value !== 0 && value !== 1) return { kind: 'not_binary' };
  return { kind: 'label', value };
}
