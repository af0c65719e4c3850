/** What can be missing or in the way when an embedded dependency starts. */
export type EmbeddedFault =
  | 'python-missing'
  | 'java-missing'
  | 'download-failed'
  | 'digest-mismatch'
  | 'port-taken'
  | 'disk-full'
  | 'folder-not-traversable'
  | 'in-use'
  | 'binaries-missing'
  | 'start-failed';

/** Something the person at the keyboard can mend; the message is one sentence that says how. */
export class EmbeddedDependencyError extends Error {
  constructor(
    readonly fault: EmbeddedFault,
    message: string,
  ) {
    super(message);
    this.name = 'EmbeddedDependencyError';
  }
}
