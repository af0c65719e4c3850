import type { FieldChange } from '@headrace/contracts/proto/definitions/v1/definitions_service';
import { canonicalJson } from '@headrace/definitions';

/** Leaves of two documents that differ, by dotted path, in the order of their paths. */
export function diffDocuments(before: unknown, after: unknown): FieldChange[] {
  const old = leavesOf(before);
  const fresh = leavesOf(after);
  return [...new Set([...old.keys(), ...fresh.keys()])]
    .sort()
    .filter((path) => old.get(path) !== fresh.get(path))
    .map((path) => ({ path, before: old.get(path) ?? '', after: fresh.get(path) ?? '' }));
}

function leavesOf(value: unknown, path = '', leaves = new Map<string, string>()): Map<string, string> {
  if (typeof value === 'object' && value !== null && Object.keys(value).length > 0) {
    for (const [key, part] of Object.entries(value)) leavesOf(part, path === '' ? key : `${path}.${key}`, leaves);
  } else if (value !== undefined) {
    leaves.set(path, canonicalJson(value));
  }
  return leaves;
}
