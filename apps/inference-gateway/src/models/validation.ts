// Tries a model in a child process first: some files crash the process that loads them, take hundreds of MiB or never end.
import { spawn } from 'node:child_process';
import { residentMiB } from '@headrace/scoring';
import { z } from 'zod';

export interface ValidationLimits {
  /** The child is killed after this. */
  readonly timeoutMs: number;
  /** Resident memory of the child, the runtime itself (about 90 MiB) included. */
  readonly memoryMiB: number;
  /** Longest time of one row. */
  readonly rowMicros: number;
}

const TensorDescription = z.object({ name: z.string(), type: z.string(), shape: z.array(z.number()) });
const Answer = z.discriminatedUnion('kind', [
  z.object({
    kind: z.literal('report'),
    inputs: z.array(TensorDescription),
    outputs: z.array(TensorDescription),
    /** Rows of the run that gave `dims`. */
    rows: z.number().default(0),
    dims: z.record(z.string(), z.array(z.number())),
    rowMicros: z.number(),
    /** The same for a row in a run of many. */
    batchRowMicros: z.number().default(0),
    /** What loading it and running rows through it took, resident. */
    modelBytes: z.number().default(0),
    maxRssMiB: z.number(),
  }),
  z.object({ kind: z.literal('fault'), message: z.string() }),
]);

export type ValidationReport = Extract<z.output<typeof Answer>, { kind: 'report' }>;

export type ValidationResult =
  | { readonly kind: 'valid'; readonly report: ValidationReport }
  | { readonly kind: 'refused'; readonly code: string; readonly message: string };

const MEMORY_POLL_MS = 20;
const MAX_OUTPUT = 65_536;

export async function validateInChild(options: {
  readonly script: string;
  readonly modelPath: string;
  /** Columns of the trainer's one input; 0 for models of another signature. */
  readonly features: number;
  readonly limits: ValidationLimits;
}): Promise<ValidationResult> {
  const { limits } = options;
  const ended = await runChild([options.script, options.modelPath, String(options.features)], limits);
  if (ended.killed === 'timeout') {
    return refused('validation_timeout', `loading it and running some rows took more than ${limits.timeoutMs} ms`);
  }
  if (ended.killed === 'memory') return tooMuchMemory(limits);
  const answer = answerOf(ended.stdout);
  if (answer === undefined) {
    const how = ended.signal === null ? `exit code ${ended.code}` : ended.signal;
    return refused('crashed', `the process that loaded it died (${how})`);
  }
  if (answer.kind === 'fault') return refused('load_failed', answer.message);
  if (answer.maxRssMiB > limits.memoryMiB) return tooMuchMemory(limits, answer.maxRssMiB);
  if (answer.rowMicros > limits.rowMicros) {
    const [took, allowed] = [answer.rowMicros / 1_000, limits.rowMicros / 1_000];
    return refused('too_slow', `one row takes ${took.toFixed(1)} ms; at most ${allowed} ms are accepted`);
  }
  return { kind: 'valid', report: answer };
}

function refused(code: string, message: string): ValidationResult {
  return { kind: 'refused', code, message };
}

function tooMuchMemory({ memoryMiB }: ValidationLimits, took?: number): ValidationResult {
  const found = took === undefined ? 'more' : `${took} MiB`;
  return refused('too_much_memory', `loading and running it took ${found}; at most ${memoryMiB} MiB are accepted`);
}

function answerOf(stdout: string): z.output<typeof Answer> | undefined {
  const line = stdout.trimEnd().split('\n').at(-1) ?? '';
  try {
    return Answer.parse(JSON.parse(line));
  } catch {
    return undefined; // it died while it wrote
  }
}

interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly killed: 'timeout' | 'memory' | undefined;
}

function runChild(args: readonly string[], limits: ValidationLimits): Promise<Ended> {
  return new Promise((resolve, reject) => {
    // It gets nothing of this process: no settings, no tokens, no handles.
    const child = spawn(process.execPath, ['--max-old-space-size=128', ...args], {
      env: {},
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    let stdout = '';
    let killed: Ended['killed'];
    const kill = (reason: 'timeout' | 'memory'): void => {
      killed ??= reason;
      child.kill('SIGKILL');
    };
    const timeout = setTimeout(() => kill('timeout'), limits.timeoutMs);
    const memory = setInterval(() => {
      if (residentMiB(child.pid) > limits.memoryMiB) kill('memory');
    }, MEMORY_POLL_MS);
    const stopWatching = (): void => {
      clearTimeout(timeout);
      clearInterval(memory);
    };
    child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
      if (stdout.length < MAX_OUTPUT) stdout += chunk;
    });
    child.once('error', (error) => {
      stopWatching();
      reject(error);
    });
    child.once('close', (code, signal) => {
      stopWatching();
      resolve({ code, signal, stdout, killed });
    });
  });
}
