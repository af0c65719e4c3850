import { readdirSync, readFileSync } from 'node:fs';

/** Pids of this process and of everything below it. */
function family(): number[] {
  const childrenOf = new Map<number, number[]>();
  for (const entry of readdirSync('/proc')) {
    if (!/^\d+$/.test(entry)) continue;
    const stat = read(`/proc/${entry}/stat`);
    const parent = Number(stat?.slice(stat.lastIndexOf(')') + 2).split(' ')[1]);
    if (!Number.isNaN(parent)) childrenOf.set(parent, [...(childrenOf.get(parent) ?? []), Number(entry)]);
  }
  const found = [process.pid];
  for (let index = 0; index < found.length; index += 1) found.push(...(childrenOf.get(found[index] ?? -1) ?? []));
  return found;
}

function read(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined; // the process has ended meanwhile
  }
}

/**
 * Memory of the whole system in MiB: shared pages counted once (Linux's proportional set size). 0 where the system does
 * not tell.
 */
export function memoryMiB(): number {
  if (process.platform !== 'linux') return 0;
  let kib = 0;
  for (const pid of family()) {
    const match = /^Pss:\s+(\d+) kB/m.exec(read(`/proc/${pid}/smaps_rollup`) ?? '');
    kib += Number(match?.[1] ?? 0);
  }
  return kib / 1_024;
}

/** Samples until stopped; gives the highest. A sample walks every page table: seldom, or it is what the demo waits for. */
export function watchMemory(everyMs = 12_000): { stop(): number } {
  let peak = 0;
  const sample = (): void => {
    peak = Math.max(peak, memoryMiB());
  };
  const timer = setInterval(sample, everyMs).unref();
  return {
    stop: () => {
      clearInterval(timer);
      sample();
      return Math.round(peak);
    },
  };
}
