// Runs a command for the start-up scripts: its output goes to the terminal, signals reach it exactly once, and its exit
// code comes back.
import { spawn } from 'node:child_process';
import { constants } from 'node:os';
import { dirname, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

export const repository = resolve(dirname(fileURLToPath(import.meta.url)), '..');

const FORWARDED = ['SIGINT', 'SIGTERM', 'SIGHUP'];
// `npm run` passes on a Ctrl-C that the terminal has already sent to everybody: one within this time is the same one.
const SAME_KEYSTROKE_MS = 1_000;

/** True once this process was asked to end: nothing further should be started. */
export let interrupted = false;

/**
 * Resolves with the exit code (128 + number when a signal ended it). The child has a process group of its own, so a
 * Ctrl-C reaches it through us alone. `wholeGroup` passes signals on to its children as well.
 */
export function runChild(command, args, { environment = {}, wholeGroup = false, onLine, cwd = repository } = {}) {
  return new Promise((resolveCode, reject) => {
    const windows = process.platform === 'win32';
    const output = onLine ? 'pipe' : 'inherit';
    const child = spawn(command, args, {
      cwd,
      stdio: ['ignore', output, output],
      detached: !windows,
      env: { ...process.env, ...environment },
    });
    const lastSent = new Map();
    const forward = (signal) => {
      interrupted = true;
      const now = Date.now();
      if (now - (lastSent.get(signal) ?? -Infinity) < SAME_KEYSTROKE_MS || child.exitCode !== null) return;
      lastSent.set(signal, now);
      try {
        if (wholeGroup && !windows) process.kill(-child.pid, signal);
        else child.kill(signal);
      } catch (error) {
        if (error.code !== 'ESRCH') throw error; // it has just ended
      }
    };
    for (const signal of FORWARDED) process.on(signal, forward);
    const done = () => FORWARDED.forEach((signal) => process.off(signal, forward));

    if (onLine) {
      for (const stream of [child.stdout, child.stderr]) {
        let rest = '';
        stream.setEncoding('utf8').on('data', (chunk) => {
          const lines = (rest + chunk).split(/\r?\n/);
          rest = lines.pop();
          lines.forEach(onLine);
        });
        stream.on('end', () => rest && onLine(rest));
      }
    }
    child.once('error', (error) => {
      done();
      reject(new Error(`${command} could not be started: ${error.message}`));
    });
    child.once('close', (code, signal) => {
      done();
      resolveCode(code ?? 128 + (constants.signals[signal] ?? 0));
    });
  });
}

/** For the scripts' last line: prints an expected failure as one line and ends with its code. */
export async function runScript(main) {
  try {
    process.exitCode = await main();
  } catch (error) {
    console.error(error.expected || error.fault ? `\n${error.message}` : error);
    process.exitCode = 1;
  }
}
