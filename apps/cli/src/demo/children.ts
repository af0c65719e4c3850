// The example's own processes: an upstream publisher, an application, counters. Plain programs with plain pipes.
import { spawn, type ChildProcess } from 'node:child_process';
import { createWriteStream } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { dirname } from 'node:path';

export interface Running {
  readonly name: string;
  /** Resolves with its standard output when it ended well; rejects with its last words otherwise. */
  readonly done: Promise<string>;
  stop(): Promise<void>;
}

const STOP_TIMEOUT_MS = 10_000;

export class Children {
  private readonly running = new Set<ChildProcess>();

  async start(name: string, command: string, args: readonly string[], logFile: string): Promise<Running> {
    await mkdir(dirname(logFile), { recursive: true });
    const log = createWriteStream(logFile, { flags: 'a' });
    const child = spawn(command, [...args], {
      detached: true,
      stdio: ['pipe', 'pipe', 'pipe'],
      env: { ...process.env, HEADRACE_PARENT_WATCH: '1', KAFKAJS_NO_PARTITIONER_WARNING: '1' },
    });
    this.running.add(child);
    let output = '';
    let errors = '';
    child.stdin?.on('error', () => child.stdin?.destroy());
    child.stdout?.on('data', (chunk: Buffer) => {
      log.write(chunk);
      output = (output + chunk.toString('utf8')).slice(-1_000_000);
    });
    child.stderr?.on('data', (chunk: Buffer) => {
      log.write(chunk);
      errors = (errors + chunk.toString('utf8')).slice(-4_000);
    });
    const done = new Promise<string>((resolve, reject) => {
      child.once('error', reject);
      child.once('close', (code, signal) => {
        this.running.delete(child);
        log.end();
        if (code === 0) resolve(output);
        else
          reject(
            new Error(
              `${name} ended with ${signal ?? `exit code ${code}`}: ${errors.trim().split('\n').slice(-5).join(' | ')} (log: ${logFile})`,
            ),
          );
      });
    });
    // Whoever waits for `done` hears of a failure; nobody has to.
    done.catch(() => undefined);
    return { name, done, stop: () => end(child) };
  }

  /** Runs to its end and gives its standard output. */
  async run(name: string, command: string, args: readonly string[], logFile: string): Promise<string> {
    return (await this.start(name, command, args, logFile)).done;
  }

  async stopAll(): Promise<void> {
    await Promise.all([...this.running].map(end));
  }
}

function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return Promise.resolve();
  return new Promise((resolve) => {
    const force = setTimeout(() => child.kill('SIGKILL'), STOP_TIMEOUT_MS);
    child.once('close', () => {
      clearTimeout(force);
      resolve();
    });
    child.kill('SIGTERM');
  });
}
