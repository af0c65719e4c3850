import { DomainError } from '@headrace/contracts';
import { versionOf, type Definition } from '@headrace/definitions';
import { nowMicros } from '@headrace/event-time';
import type { Transaction } from '@headrace/messaging';
import { appendAudit } from '../database/audit.repository';
import { EndpointRow } from '../database/endpoint.table';

/** In the transaction that takes a Model or Endpoint in: refuses what cannot be, audits the rest. */
export async function takeInDefinition(definition: Definition, actor: string, transaction: Transaction): Promise<void> {
  const { name } = definition.metadata;
  if (definition.kind === 'Endpoint') {
    const deployed = await transaction.manager.findOneBy(EndpointRow, { name });
    if (deployed && deployed.model !== definition.spec.model) {
      const message = `spec.model: endpoint ${name} serves ${deployed.model}; another model needs another endpoint`;
      throw new DomainError('precondition', 'endpoint_model_fixed', message);
    }
  }
  await appendAudit(transaction, {
    atMicros: nowMicros(),
    actor,
    action: 'definition.applied',
    subject: `${definition.kind}/${name}`,
    detail: { version: versionOf(definition) },
  });
}
