import { readFileSync } from 'node:fs';

/** Resident memory of a process; 0 where the system does not say, or when it has ended. */
export function residentMiB(pid: number | undefined): number {
  try {
    const pages = readFileSync(`/proc/${pid}/statm`, 'utf8').split(' ')[1];
    return (Number(pages) * 4_096) / 1_048_576;
  } catch {
    return 0;
  }
}
