// Reading what a user wrote: YAML with positions, every fault with file, line, field and what is allowed.
import { createHash } from 'node:crypto';
import { isMap, isNode, LineCounter, parseAllDocuments, type Document } from 'yaml';
import type { z } from 'zod';
import { kinds, type Definition, type Kind } from './kinds';

export interface DefinitionFault {
  readonly file: string;
  /** From 1. */
  readonly line: number;
  /** Dotted path, such as spec.fields.delay.type; empty for the whole document. */
  readonly field: string;
  readonly message: string;
}

export type ValidationResult =
  | { readonly kind: 'valid'; readonly definition: Definition }
  | {
      readonly kind: 'invalid';
      readonly faults: readonly { readonly path: readonly PropertyKey[]; readonly message: string }[];
    };

function isKind(value: unknown): value is Kind {
  return typeof value === 'string' && Object.hasOwn(kinds, value);
}

/** Checks one document (already parsed) against its kind's schema. Defaults are filled in. */
export function validateDefinition(input: unknown): ValidationResult {
  const kind = typeof input === 'object' && input !== null && 'kind' in input ? input.kind : undefined;
  if (!isKind(kind)) {
    const found = kind === undefined ? 'nothing' : JSON.stringify(kind);
    return {
      kind: 'invalid',
      faults: [{ path: ['kind'], message: `found ${found}, expected one of ${Object.keys(kinds).join(', ')}` }],
    };
  }
  const result = kinds[kind].safeParse(input);
  if (result.success) return { kind: 'valid', definition: result.data };
  return {
    kind: 'invalid',
    faults: faultsOf(result.error.issues),
  };
}

type Issue = z.core.$ZodIssue;

function faultsOf(issues: readonly Issue[]): { readonly path: readonly PropertyKey[]; readonly message: string }[] {
  return issues.flatMap((issue) => {
    if (issue.code === 'unrecognized_keys') {
      return issue.keys.map((key) => ({ path: [...issue.path, key], message: 'is not a field of this kind' }));
    }
    if (issue.code === 'invalid_union') {
      // Of several forms the one that was meant: the others are not even of the type that was written.
      const [meant, ...others] = issue.errors.filter((form) => !form.some(isOfAnotherType));
      if (meant && others.length === 0) {
        return faultsOf(meant).map(({ path, message }) => ({ path: [...issue.path, ...path], message }));
      }
    }
    return [{ path: issue.path, message: issue.message }];
  });
}

function isOfAnotherType({ code, path }: Issue): boolean {
  return code === 'invalid_type' && path.length === 0;
}

/** Reads all documents of one YAML file. */
export function readDocuments(file: string, text: string): { definitions: Definition[]; faults: DefinitionFault[] } {
  const lines = new LineCounter();
  const definitions: Definition[] = [];
  const faults: DefinitionFault[] = [];
  const parsed = parseAllDocuments(text, { lineCounter: lines, maxAliasCount: 0 } as Parameters<
    typeof parseAllDocuments
  >[1]);
  if (!Array.isArray(parsed)) return { definitions, faults };
  for (const document of parsed as Document[]) {
    for (const error of document.errors) {
      faults.push({
        file,
        line: lines.linePos(error.pos[0]).line,
        field: '',
        message: error.message.split('\n')[0] ?? '',
      });
    }
    if (document.errors.length > 0 || document.contents === null) continue;
    const result = validateDefinition(document.toJS({ maxAliasCount: 0 }));
    if (result.kind === 'valid') definitions.push(result.definition);
    else {
      for (const fault of result.faults) {
        faults.push({
          file,
          line: lineOf(document, fault.path, lines),
          field: fault.path.map(String).join('.'),
          message: fault.message,
        });
      }
    }
  }
  return { definitions, faults };
}

/** Line of the deepest part of the path that exists. */
function lineOf(document: Document, path: readonly PropertyKey[], lines: LineCounter): number {
  for (let length = path.length; length >= 0; length -= 1) {
    const node = length === 0 ? document.contents : document.getIn(path.slice(0, length) as unknown[], true);
    if (isNode(node) && node.range) {
      const offset =
        isMap(node) && node.items[0] !== undefined && isNode(node.items[0].key)
          ? node.items[0].key.range?.[0]
          : node.range[0];
      return lines.linePos(offset ?? node.range[0]).line;
    }
  }
  return 1;
}

/** JSON with sorted keys: the same content gives the same text. */
export function canonicalJson(value: unknown): string {
  return JSON.stringify(value, (_key, part: unknown) =>
    typeof part === 'object' && part !== null && !Array.isArray(part)
      ? Object.fromEntries(Object.entries(part).sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0)))
      : part,
  );
}

/** Content hash of a definition's spec: "sha256:" + hex. */
export function versionOf(definition: Definition): string {
  return `sha256:${createHash('sha256').update(canonicalJson(definition.spec)).digest('hex')}`;
}
