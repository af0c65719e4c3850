// Faults as the clients of the Open Inference Protocol read them: `{"error": "…"}` with a status.
import { DomainError, type DomainErrorKind } from '@headrace/contracts';
import { statusOf } from '@headrace/grpc';

const STATUS_OF: Readonly<Record<DomainErrorKind, number>> = {
  invalid: 400,
  precondition: 400,
  forbidden: 403,
  'not-found': 404,
  conflict: 409,
  exhausted: 429,
  unavailable: 503,
};

/** A fault of HTTP itself. */
export class HttpFault extends Error {
  constructor(
    readonly status: number,
    message: string,
    readonly headers: Readonly<Record<string, string>> = {},
  ) {
    super(message);
  }
}

/** Unknown faults say nothing of their inside: the log does. */
export function faultOf(error: unknown): HttpFault {
  if (error instanceof HttpFault) return error;
  const { details } = statusOf(error);
  if (!(error instanceof DomainError)) return new HttpFault(500, details);
  const unauthenticated = error.code === 'unauthenticated';
  return new HttpFault(unauthenticated ? 401 : STATUS_OF[error.kind], details);
}
