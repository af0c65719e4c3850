// Two scripts that install into the same checkout at once would spoil each other's work: the second waits.
import { readFile, rm, writeFile } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';

function isAlive(pid) {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error.code === 'EPERM'; // it lives, but belongs to somebody else
  }
}

/** Runs `work` while this process holds the lock file; takes over the lock of a process that has died. */
export async function withInstallLock(lockFile, say, work) {
  let told = false;
  for (;;) {
    try {
      await writeFile(lockFile, String(process.pid), { flag: 'wx' });
      break;
    } catch (error) {
      if (error.code !== 'EEXIST') throw error;
    }
    const holder = Number(await readFile(lockFile, 'utf8').catch(() => ''));
    if (holder > 0 && !isAlive(holder)) {
      await rm(lockFile, { force: true });
      continue;
    }
    if (!told) say(`Waiting for process ${holder}, which installs into this checkout`);
    told = true;
    await delay(200);
  }
  try {
    return await work();
  } finally {
    await rm(lockFile, { force: true });
  }
}
