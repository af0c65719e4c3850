// Which fields an expression cannot do without: callers are told what is missing before anything is computed.
import { parse } from '@bufbuild/cel';

/**
 * Names of the fields of the variable that the expression reads (`request.distance`, `request["distance"]`), each once,
 * in order. A field that it also asks for with `has(request.distance)` may be absent and is left out. Throws on a source
 * that does not parse.
 */
export function requiredFieldsOf(source: string, variable: 'record' | 'request'): string[] {
  const { read, optional } = fieldsIn(source, variable);
  return [...read].filter((name) => !optional.has(name));
}

/**
 * Whether the expression depends on one of the fields. One that uses the variable otherwise than by the name of a field
 * (`request[request.kind]`) may depend on any. Throws on a source that does not parse.
 */
export function readsAnyOf(source: string, variable: 'record' | 'request', fields: ReadonlySet<string>): boolean {
  const { read, optional, whole } = fieldsIn(source, variable);
  return fields.size > 0 && (whole || [...read, ...optional].some((name) => fields.has(name)));
}

export interface FieldsInUse {
  readonly read: Set<string>;
  /** Asked for with `has`. */
  readonly optional: Set<string>;
  /** The variable is used otherwise than by the name of a field. */
  whole: boolean;
}

/** Names of the variables that the expression reads. Throws on a source that does not parse. */
export function variablesIn(source: string): Set<string> {
  const found = new Set<string>();
  const visit = (node: unknown, bound: ReadonlySet<string>): void => {
    if (typeof node !== 'object' || node === null) return;
    const ident = contentOf(node, 'exprKind');
    const name = ident?.case === 'identExpr' ? nameOf(ident.value, 'name') : undefined;
    if (name !== undefined && !bound.has(name)) found.add(name);
    // What a macro such as `exists` introduces is known within it.
    const own = ['iterVar', 'iterVar2', 'accuVar'].flatMap((field) => nameOf(node, field) ?? []);
    const inside = own.length === 0 ? bound : new Set([...bound, ...own]);
    for (const child of Object.values(node)) visit(child, inside);
  };
  visit(parse(source).expr, new Set());
  return found;
}

function nameOf(node: unknown, field: string): string | undefined {
  const name = typeof node === 'object' && node !== null ? (node as Record<string, unknown>)[field] : undefined;
  return typeof name === 'string' ? name : undefined;
}

/** Which fields of a variable an expression uses. Throws on a source that does not parse. */
export function fieldsIn(source: string, variable: string): FieldsInUse {
  const found: FieldsInUse = { read: new Set<string>(), optional: new Set<string>(), whole: false };
  const visit = (node: unknown): void => {
    if (typeof node !== 'object' || node === null) return;
    const field = fieldRead(node, variable);
    if (field) {
      (field.test ? found.optional : found.read).add(field.name);
      return;
    }
    if (isVariable(node, variable)) found.whole = true;
    for (const child of Object.values(node)) visit(child);
  };
  visit(parse(source).expr);
  return found;
}

function fieldRead(node: object, variable: string): { name: string; test: boolean } | undefined {
  if ('operand' in node && 'field' in node && typeof node.field === 'string' && isVariable(node.operand, variable)) {
    return { name: node.field, test: 'testOnly' in node && node.testOnly === true };
  }
  if ('function' in node && node.function === '_[_]' && 'args' in node && Array.isArray(node.args)) {
    const [operand, index]: unknown[] = node.args;
    const name = textOf(index);
    if (name !== undefined && isVariable(operand, variable)) return { name, test: false };
  }
  return undefined;
}

/** The content of one alternative of a node's oneof. */
function contentOf(node: unknown, oneof: string): { case: unknown; value: unknown } | undefined {
  if (typeof node !== 'object' || node === null || !(oneof in node)) return undefined;
  const kind: unknown = (node as Record<string, unknown>)[oneof];
  return typeof kind === 'object' && kind !== null && 'case' in kind && 'value' in kind ? kind : undefined;
}

function isVariable(node: unknown, variable: string): boolean {
  const kind = contentOf(node, 'exprKind');
  const ident = kind?.case === 'identExpr' ? kind.value : undefined;
  return typeof ident === 'object' && ident !== null && 'name' in ident && ident.name === variable;
}

function textOf(node: unknown): string | undefined {
  const kind = contentOf(node, 'exprKind');
  const constant = kind?.case === 'constExpr' ? contentOf(kind.value, 'constantKind') : undefined;
  return constant?.case === 'stringValue' && typeof constant.value === 'string' ? constant.value : undefined;
}
