import { execFile } from 'node:child_process';
import { mkdir, open, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';

const run = promisify(execFile);
const MIB = 1024 * 1024;
const SMALL_DISK_MIB = 48;

/** The database cannot write: its disk is full (where a small disk may be mounted), then it is read-only. */
export default async function outboxDisk(stage, report) {
  const disk = await smallDisk(stage);
  const service = await stage.launchReady();
  stage.publisher.begin(stage.load);
  if (disk === undefined) {
    report.counts['disk full'] = 'not tried (no right to mount)';
  } else {
    await trouble(stage, report, service, 'disk full', /No space left on device|disk full/i, disk.fill, disk.clear);
  }
  await trouble(
    stage,
    report,
    service,
    'read-only',
    /read-only/i,
    () => readOnly(stage, 'on'),
    () => readOnly(stage, 'off'),
  );
  await stage.publisher.pause();
  await stage.drained();
  stage.mustRun(report, [service]);
  await stage.compare(report);
  stage.expectDeadLetters(report, await stage.deadLetters(), []);
}

async function trouble(stage, report, service, name, word, begin, end) {
  await sleep(300 + stage.random() * 700);
  await begin();
  const said = () => !service.status.ready && service.status.reasons.some((reason) => word.test(reason));
  await stage.until(`the service is not ready and says why (${name})`, said, 20_000).catch((error) => {
    report.violations.push(`${error.message}; it says: ${JSON.stringify(service.status)}`);
  });
  await sleep(1_000 + stage.random() * 1_000);
  await end();
  report.counts[`s to recover (${name})`] = (await stage.secondsToCatchUp()).toFixed(1);
  await stage.until('the service is ready again', () => service.status.ready, 20_000);
}

async function readOnly(stage, value) {
  await stage.query(`ALTER SYSTEM SET default_transaction_read_only = ${value}`);
  await stage.query('SELECT pg_reload_conf()');
}

/** Moves the scenario's database to a disk of its own. Undefined when this user may not mount one. */
async function smallDisk(stage) {
  const folder = join(stage.run.folder, 'small-disk');
  const { uid, gid } = await stat(join(stage.run.folder, 'postgres'));
  await mkdir(folder, { recursive: true });
  try {
    const owner = `uid=${uid},gid=${gid},mode=700`;
    await run('mount', ['-t', 'tmpfs', '-o', `size=${SMALL_DISK_MIB}m,${owner}`, 'tmpfs', folder]);
  } catch {
    return undefined; // says the report
  }
  stage.closing.push(async () => {
    await stage.administer(`DROP DATABASE ${stage.database} WITH (FORCE)`);
    await stage.administer('DROP TABLESPACE small_disk');
    await run('umount', [folder]);
  });
  await stage.administer(`CREATE TABLESPACE small_disk LOCATION '${folder}'`);
  await stage.administer(`ALTER DATABASE ${stage.database} SET TABLESPACE small_disk`);
  const filler = join(folder, 'filler');
  return {
    async fill() {
      const file = await open(filler, 'w');
      try {
        for (const size of [MIB, 4096]) {
          for (;;) if ((await file.write(Buffer.alloc(size))).bytesWritten < size) break;
        }
      } catch (error) {
        if (error.code !== 'ENOSPC') throw error;
      } finally {
        await file.close();
      }
    },
    clear: () => rm(filler),
  };
}
