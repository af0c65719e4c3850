// A process run to its end: its output, wall time, processor time and the most memory that it had.
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';

const LOOK_EVERY_MS = 20;
const CLOCK_TICKS = 100;

/** Memory and processor time are NaN where the system does not tell (no /proc). */
export async function runWatched(command, args) {
  const began = performance.now();
  const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  const seen = { peakMiB: Number.NaN, cpuSeconds: Number.NaN };
  const look = setInterval(() => Object.assign(seen, usageOf(child.pid)), LOOK_EVERY_MS);
  let output = '';
  child.stdout.setEncoding('utf8').on('data', (text) => (output += text));
  const code = await new Promise((resolve, reject) => child.once('error', reject).once('close', resolve));
  clearInterval(look);
  if (code !== 0) throw new Error(`${command} ended with exit code ${code}`);
  return { output, seconds: (performance.now() - began) / 1_000, ...seen };
}

function usageOf(pid) {
  try {
    const peak = /VmHWM:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'));
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    if (!peak) return {};
    return { peakMiB: Number(peak[1]) / 1_024, cpuSeconds: (Number(fields[11]) + Number(fields[12])) / CLOCK_TICKS };
  } catch (error) {
    if (['ENOENT', 'ESRCH'].includes(error.code)) return {};
    throw error;
  }
}
