import { spawn, type ChildProcess } from 'node:child_process';
import { createInterface } from 'node:readline';
import type { TrainerExit } from '../domain/trainer-outcome';

export interface BoundedCommand {
  readonly command: string;
  readonly arguments: readonly string[];
  readonly directory: string;
  /** The whole environment of the child: nothing is inherited. */
  readonly environment: Readonly<Record<string, string>>;
  readonly timeoutMs: number;
  readonly maxOutputBytes: number;
  readonly onLine: (line: string) => void;
  /** Ends the child; the outcome is `interrupted` then. */
  readonly signal: AbortSignal;
}

export type ChildOutcome = TrainerExit | { readonly kind: 'interrupted' };

const KEPT_STDERR = 8_192;
const MAX_LINE = 4_096;
/** From SIGTERM to SIGKILL. */
const GRACE_MS = 3_000;

/**
 * Runs a child to its end, within a time and an amount of output. Its standard input stays open as long as this process
 * lives: with HEADRACE_PARENT_WATCH=1 it dies with us, however we die.
 */
export async function runBounded(command: BoundedCommand): Promise<ChildOutcome> {
  if (command.signal.aborted) return { kind: 'interrupted' };
  // A process group of its own: Ctrl-C in a terminal reaches this service only, which then decides what becomes of it.
  const child = spawn(command.command, [...command.arguments], {
    cwd: command.directory,
    env: { ...command.environment },
    stdio: ['pipe', 'pipe', 'pipe'],
    detached: true,
  });
  let cut: ChildOutcome | undefined;
  let killTimer: NodeJS.Timeout | undefined;
  const end = (outcome: ChildOutcome): void => {
    if (cut) return;
    cut = outcome;
    signalGroup(child, 'SIGTERM');
    killTimer = setTimeout(() => signalGroup(child, 'SIGKILL'), GRACE_MS);
  };

  let written = 0;
  child.stdout.on('data', (chunk: Buffer) => {
    written += chunk.byteLength;
    if (written > command.maxOutputBytes) end({ kind: 'too-much-output', bytes: command.maxOutputBytes });
  });
  createInterface({ input: child.stdout }).on('line', (line) => {
    if (!cut) command.onLine(line.slice(0, MAX_LINE));
  });
  let stderr = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr = (stderr + text).slice(-KEPT_STDERR);
  });
  // Without a listener a child that closes its input early would end this process.
  child.stdin.on('error', () => end({ kind: 'interrupted' }));

  const timer = setTimeout(() => end({ kind: 'timeout', seconds: command.timeoutMs / 1_000 }), command.timeoutMs);
  const interrupt = (): void => end({ kind: 'interrupted' });
  command.signal.addEventListener('abort', interrupt, { once: true });
  try {
    return await new Promise<ChildOutcome>((resolve) => {
      child.once('error', (error) => {
        if (child.pid === undefined) resolve({ kind: 'not-started', message: `${command.command}: ${error.message}` });
      });
      child.once('close', (code, signal) => {
        resolve(
          cut ??
            (code === null
              ? { kind: 'killed', signal: signal ?? 'a signal', stderr }
              : { kind: 'exited', code, stderr }),
        );
      });
    });
  } finally {
    clearTimeout(timer);
    clearTimeout(killTimer);
    command.signal.removeEventListener('abort', interrupt);
  }
}

/** The whole group: the trainer may have started helpers. */
function signalGroup(child: ChildProcess, signal: NodeJS.Signals): void {
  if (child.pid === undefined || child.exitCode !== null) return;
  try {
    process.kill(-child.pid, signal);
  } catch (error) {
    // ESRCH: it has just ended by itself.
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}
