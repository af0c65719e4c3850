import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { ApplyOutcome, type ApplyResponse } from '@headrace/contracts/proto/definitions/v1/definitions_service';
import { DefinitionPhase } from '@headrace/contracts/proto/definitions/v1/definitions_events';
import {
  canonicalJson,
  ownerOf,
  readDocuments,
  taskFaults,
  type Definition,
  type DefinitionFault,
} from '@headrace/definitions';
import { explain, type Clients } from '../connection';

/** Several faults at once, each with file, line and field. */
export class DefinitionFaults extends Error {
  constructor(readonly faults: readonly DefinitionFault[]) {
    super(
      faults
        .map((fault) => `${fault.file}:${fault.line}: ${fault.field === '' ? '' : `${fault.field}: `}${fault.message}`)
        .join('\n'),
    );
    this.name = 'DefinitionFaults';
  }
}

/** All definitions of a file, or of the .yaml and .yml files of a folder. Throws DefinitionFaults. */
export async function loadDefinitions(path: string): Promise<Definition[]> {
  const info = await stat(path).catch(() => {
    throw new Error(`${path}: no such file or folder`);
  });
  const files = info.isDirectory()
    ? (await readdir(path))
        .filter((name) => /\.ya?ml$/.test(name))
        .sort()
        .map((name) => join(path, name))
    : [path];
  if (files.length === 0) throw new Error(`${path}: holds no .yaml file`);
  const definitions: Definition[] = [];
  const faults: DefinitionFault[] = [];
  const seen = new Map<string, string>();
  for (const file of files) {
    const read = readDocuments(file, await readFile(file, 'utf8'));
    faults.push(...read.faults);
    for (const definition of read.definitions) {
      const key = `${definition.kind}/${definition.metadata.name}`;
      const other = seen.get(key);
      if (other !== undefined)
        faults.push({ file, line: 1, field: 'metadata.name', message: `${key} is defined in ${other} too` });
      seen.set(key, file);
      definitions.push(definition);
    }
  }
  faults.push(...faultsAmong(definitions, (key) => seen.get(key) ?? path));
  if (faults.length > 0) throw new DefinitionFaults(faults);
  return definitions;
}

/** Monitors whose model is here too, and has no such measure; the owner refuses those whose model it knows. */
function faultsAmong(definitions: readonly Definition[], fileOf: (key: string) => string): DefinitionFault[] {
  const named = new Map(
    definitions.map((definition) => [`${definition.kind}/${definition.metadata.name}`, definition]),
  );
  return definitions.flatMap((definition) => {
    if (definition.kind !== 'Monitor') return [];
    const endpoint = named.get(`Endpoint/${definition.spec.endpoint}`);
    const model = endpoint?.kind === 'Endpoint' ? named.get(`Model/${endpoint.spec.model}`) : undefined;
    if (model?.kind !== 'Model') return [];
    const key = `Monitor/${definition.metadata.name}`;
    return taskFaults(definition, { name: model.metadata.name, task: model.spec.task }).map(({ path, message }) => {
      return { file: fileOf(key), line: 1, field: `${key}: ${path.join('.')}`, message };
    });
  });
}

export interface Applied {
  readonly definition: Definition;
  readonly response: ApplyResponse;
}

/** Sends each definition to the owner of its kind. Idempotent. */
export async function applyDefinitions(
  clients: Clients,
  definitions: readonly Definition[],
  dryRun: boolean,
): Promise<Applied[]> {
  const applied: Applied[] = [];
  for (const definition of definitions) {
    const client = clients.definitions(ownerOf[definition.kind]);
    try {
      const response = await clients.call(client.apply.bind(client), {
        documentJson: canonicalJson(definition),
        dryRun,
      });
      applied.push({ definition, response });
    } catch (error) {
      throw new Error(`${definition.kind}/${definition.metadata.name}: ${explain(error)}`);
    }
  }
  return applied;
}

/** Resolves when every definition is Ready: all that it refers to is known. */
export async function waitUntilReady(
  clients: Clients,
  definitions: readonly Definition[],
  timeoutMs: number,
): Promise<void> {
  const deadline = Date.now() + timeoutMs;
  const owners = [...new Set(definitions.map((definition) => ownerOf[definition.kind]))];
  const wanted = new Set(definitions.map((definition) => `${definition.kind}/${definition.metadata.name}`));
  for (;;) {
    const waiting: string[] = [];
    for (const owner of owners) {
      const client = clients.definitions(owner);
      for (const state of (await clients.call(client.list.bind(client), {})).definitions) {
        const key = `${state.kind}/${state.name}`;
        if (wanted.has(key) && state.phase !== DefinitionPhase.READY)
          waiting.push(`${key} (waits for ${state.waitingFor.join(', ') || 'its own publication'})`);
      }
    }
    if (waiting.length === 0) return;
    if (Date.now() > deadline) throw new Error(`not ready after ${timeoutMs / 1_000} s: ${waiting.join('; ')}`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

export function describeApplied({ definition, response }: Applied): string {
  const name = `${definition.kind}/${definition.metadata.name}`;
  const lines = [`${ApplyOutcome[response.outcome].toLowerCase().padEnd(9)} ${name}`];
  if (response.outcome === ApplyOutcome.UPDATED) {
    for (const change of response.changes)
      lines.push(`          ${change.path}: ${change.before || '(absent)'} → ${change.after || '(absent)'}`);
  }
  return lines.join('\n');
}
