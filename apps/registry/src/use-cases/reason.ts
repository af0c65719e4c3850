import { DomainError } from '@headrace/contracts';

const MAX_REASON = 2_000;

/** What a person does against or beside the policy needs a reason. */
export function requireReason(text: string): string {
  const reason = text.trim();
  if (reason === '') throw new DomainError('invalid', 'reason_missing', 'reason: expected some words that say why');
  if (reason.length > MAX_REASON) {
    throw new DomainError('invalid', 'reason_too_long', `reason: ${reason.length} characters, at most ${MAX_REASON}`);
  }
  return reason;
}
