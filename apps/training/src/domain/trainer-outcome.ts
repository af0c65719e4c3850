// What the end of a trainer's process means for its run.

/** How the process ended. `stderr`: the end of what it said there. */
export type TrainerExit =
  | { readonly kind: 'exited'; readonly code: number; readonly stderr: string }
  | { readonly kind: 'killed'; readonly signal: string; readonly stderr: string }
  | { readonly kind: 'timeout'; readonly seconds: number }
  | { readonly kind: 'too-much-output'; readonly bytes: number }
  | { readonly kind: 'not-started'; readonly message: string };

export interface AttemptFailure {
  /** Stable, snake_case. */
  readonly code: string;
  readonly message: string;
  /** Trying the same again may help. */
  readonly retriable: boolean;
}

/** Exit codes of the trainer's contract for which the same inputs end the same way. */
const FINAL: Readonly<Record<number, string>> = {
  2: 'trainer_refused_specification',
  3: 'trainer_refused_data',
  4: 'trainer_export_differs',
};

/** Undefined: it succeeded. */
export function failureOf(exit: TrainerExit): AttemptFailure | undefined {
  switch (exit.kind) {
    case 'exited': {
      if (exit.code === 0) return undefined;
      const final = FINAL[exit.code];
      const message = lastLine(exit.stderr) ?? `the trainer ended with exit code ${exit.code} and said nothing`;
      return { code: final ?? 'trainer_failed', message, retriable: final === undefined };
    }
    case 'killed': {
      const said = lastLine(exit.stderr);
      const message = `the trainer was ended by ${exit.signal}${said === undefined ? '' : `: ${said}`}`;
      return { code: 'trainer_killed', message, retriable: true };
    }
    case 'timeout':
      return {
        code: 'trainer_timeout',
        message: `the trainer took longer than ${exit.seconds} s (the plan's timeout)`,
        retriable: true,
      };
    case 'too-much-output':
      return {
        code: 'trainer_too_much_output',
        message: `the trainer wrote more than ${exit.bytes} bytes to its standard output`,
        retriable: false,
      };
    case 'not-started':
      return { code: 'trainer_not_started', message: exit.message, retriable: true };
  }
}

const MAX_MESSAGE = 1_000;

function lastLine(text: string): string | undefined {
  const lines = text.split('\n').map((line) => line.trim());
  const last = lines.findLast((line) => line !== '');
  return last?.replace(/^error: /, '').slice(0, MAX_MESSAGE);
}

export type NextAttempt =
  | { readonly kind: 'retry'; readonly afterMs: number }
  | { readonly kind: 'give-up'; readonly code: string; readonly message: string };

/** `failures`: failed attempts so far, this one included. Interrupted attempts (the service was stopped) do not count. */
export function nextAttempt(failure: AttemptFailure, failures: number, attemptsAllowed: number): NextAttempt {
  if (failure.retriable && failures < attemptsAllowed)
    return { kind: 'retry', afterMs: 500 * 2 ** Math.min(failures, 6) };
  return { kind: 'give-up', code: failure.code, message: failure.message };
}
