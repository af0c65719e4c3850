import { status, type ServiceError } from '@grpc/grpc-js';
import { DomainError, type DomainErrorKind } from '@headrace/contracts';

const STATUS_OF: Readonly<Record<DomainErrorKind, status>> = {
  invalid: status.INVALID_ARGUMENT,
  'not-found': status.NOT_FOUND,
  conflict: status.ABORTED,
  precondition: status.FAILED_PRECONDITION,
  forbidden: status.PERMISSION_DENIED,
  unavailable: status.UNAVAILABLE,
  exhausted: status.RESOURCE_EXHAUSTED,
};

/** What a caller is told. Unknown faults say nothing of their inside: the log does. */
export function statusOf(error: unknown): { code: status; details: string } {
  if (error instanceof DomainError) return { code: STATUS_OF[error.kind], details: error.message };
  return { code: status.INTERNAL, details: 'internal error: see the service log' };
}

export function isServiceError(error: unknown): error is ServiceError {
  return error instanceof Error && 'code' in error && typeof error.code === 'number' && 'details' in error;
}
