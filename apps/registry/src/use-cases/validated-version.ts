import { DomainError } from '@headrace/contracts';
import type { Cause, Transaction } from '@headrace/messaging';
import type { ModelVersionRow } from '../database/version.table';
import type { VersionsRepository } from '../database/versions.repository';

export type ValidatedVersion = ModelVersionRow & { readonly validatedEvent: Cause };

/** DomainError `unknown_version` or `not_validated`: nothing unvalidated is put to use, unless a person waived its gates. */
export async function validatedVersion(
  versions: VersionsRepository,
  transaction: Transaction,
  model: string,
  version: number,
): Promise<ValidatedVersion> {
  const row = await versions.find(transaction, model, version);
  if (!row)
    throw new DomainError('not-found', 'unknown_version', `version: model "${model}" has no version ${version}`);
  const { validatedEvent } = row;
  if (!validatedEvent) {
    const message = `version ${version} of ${model} is ${row.state}: its gates must pass or be waived first`;
    throw new DomainError('precondition', 'not_validated', message);
  }
  return { ...row, validatedEvent };
}
