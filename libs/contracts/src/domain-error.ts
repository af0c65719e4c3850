/** What kind of refusal it is: mapped to a gRPC status in libs/grpc and to a dead-letter reason in libs/messaging. */
export type DomainErrorKind =
  'invalid' | 'not-found' | 'conflict' | 'precondition' | 'forbidden' | 'unavailable' | 'exhausted';

/** A refusal that the domain foresees. `code` is stable snake_case; the message names the field and what would be right. */
export class DomainError extends Error {
  constructor(
    readonly kind: DomainErrorKind,
    readonly code: string,
    message: string,
  ) {
    // Refusals of too much come in floods, and nobody looks for a fault where they were made: a stack costs more than the rest.
    const { stackTraceLimit } = Error;
    if (kind === 'exhausted') Error.stackTraceLimit = 0;
    super(message);
    Error.stackTraceLimit = stackTraceLimit;
    this.name = 'DomainError';
  }

  /** Trying the same again later can help. */
  get retriable(): boolean {
    return this.kind === 'unavailable' || this.kind === 'exhausted';
  }
}
