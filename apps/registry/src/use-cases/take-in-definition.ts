import { DomainError } from '@headrace/contracts';
import { versionOf, type Definition, type Endpoint } from '@headrace/definitions';
import { nowMicros } from '@headrace/event-time';
import type { Transaction } from '@headrace/messaging';
import { appendAudit } from '../database/audit.repository';
import { EndpointRow } from '../database/endpoint.table';
import { ModelVersionRow } from '../database/version.table';

/** Nothing unvalidated serves, also not in somebody's place. */
async function checkFallback({ spec }: Endpoint, transaction: Transaction): Promise<void> {
  const version = spec.guardrails?.fallbackVersion;
  if (version === undefined) return;
  const row = await transaction.manager.findOneBy(ModelVersionRow, { model: spec.model, version });
  if (row?.validatedEvent) return;
  const message = `spec.guardrails.fallbackVersion: version ${version} of ${spec.model} is ${row?.state ?? 'unknown'}; expected one that passed its gates, or was waived`;
  throw new DomainError('precondition', 'fallback_not_validated', message);
}

/** In the transaction that takes a Model or Endpoint in: refuses what cannot be, audits the rest. */
export async function takeInDefinition(definition: Definition, actor: string, transaction: Transaction): Promise<void> {
  const { name } = definition.metadata;
  if (definition.kind === 'Endpoint') {
    const deployed = await transaction.manager.findOneBy(EndpointRow, { name });
    if (deployed && deployed.model !== definition.spec.model) {
      const message = `spec.model: endpoint ${name} serves ${deployed.model}; another model needs another endpoint`;
      throw new DomainError('precondition', 'endpoint_model_fixed', message);
    }
    await checkFallback(definition, transaction);
  }
  await appendAudit(transaction, {
    atMicros: nowMicros(),
    actor,
    action: 'definition.applied',
    subject: `${definition.kind}/${name}`,
    detail: { version: versionOf(definition) },
  });
}
