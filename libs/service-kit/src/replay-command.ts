// Rebuilds what a group of this service made of the log, in a schema of its own, beside the living service: same code, same
// migrations, no servers, no timers, nothing published, no position of the living group touched.
import type { INestApplication, InjectionToken } from '@nestjs/common';
import { setTimeout as delay } from 'node:timers/promises';
import { Client } from 'pg';
import type { DatabaseSettings } from './config';
import { schemaOf } from './database.module';
import type { Logger } from './logging';
import { Readiness } from './readiness';
import { compareSchemas, type Comparison } from './replay-comparison';

/** What a group builds that a replay from the beginning builds again. */
export interface ReplayedGroup {
  /** SELECT statements by name: their rows are the same in both schemas, in any order. Unqualified table names. */
  readonly projection: Readonly<Record<string, string>>;
  /** Work of a timer that belongs to the projection, done once at the end. */
  readonly finish?: (app: INestApplication) => Promise<void>;
}

export interface Replayable {
  readonly groups: Readonly<Record<string, ReplayedGroup>>;
  /** KafkaEventServer of libs/messaging. */
  readonly server: InjectionToken<Replayer>;
}

export interface ReplayStretch {
  readonly group: string;
  readonly fromTimeMs: number | undefined;
  readonly toTimeMs: number | undefined;
  readonly fromOffsets: readonly { readonly topic: string; readonly partition: number; readonly offset: number }[];
  readonly dryRun: boolean;
}

export interface Replayer {
  replay(stretch: ReplayStretch, signal: AbortSignal): Promise<object>;
}

export interface ReplayArguments extends ReplayStretch {
  readonly into: string;
  /** Also compares with the living service. */
  readonly compare: boolean;
  /** An earlier replay of this name goes. */
  readonly replace: boolean;
  /** The schema goes at the end. */
  readonly drop: boolean;
}

export interface ReplayResult {
  readonly service: string;
  /** Where it stands; null when it was dropped. */
  readonly schema: string | null;
  readonly seconds: number;
  /** As libs/messaging tells it. */
  readonly summary: object;
  readonly comparison?: Comparison;
}

interface Surroundings {
  readonly service: string;
  readonly settings: DatabaseSettings;
  readonly logger: Logger;
  readonly replayable: Replayable;
  readonly signal: AbortSignal;
}

const READY_MS = 60_000;

export async function runReplay(
  { service, settings, logger, replayable, signal }: Surroundings,
  { into, compare, replace, drop, ...stretch }: ReplayArguments,
  create: (replaySchema: string) => Promise<INestApplication>,
): Promise<ReplayResult> {
  const group = replayable.groups[stretch.group];
  if (!group) throw new Error(`group ${stretch.group} of ${service} cannot be replayed`);
  const began = performance.now();
  const client = new Client({ connectionString: settings.DATABASE_URL });
  await client.connect();
  try {
    await makeSchema(client, service, into, replace);
    // Also after a failure: half a replay cannot be gone on with.
    let gone = true;
    try {
      const app = await create(into);
      try {
        await app.init();
        await app.startAllMicroservices();
        await prepared(app, signal);
        logger.info({ group: stretch.group, schema: into }, 'replaying');
        const summary = await app.get<Replayer>(replayable.server).replay(stretch, signal);
        if (!stretch.dryRun) await group.finish?.(app);
        const comparison = compare
          ? await compareSchemas(client, schemaOf(service), into, stretch.group, group.projection)
          : undefined;
        gone = drop || stretch.dryRun;
        const seconds = (performance.now() - began) / 1_000;
        return { service, schema: gone ? null : into, seconds, summary, ...(comparison ? { comparison } : {}) };
      } finally {
        await app.close();
      }
    } finally {
      if (gone) await client.query(`DROP SCHEMA "${into}" CASCADE`);
    }
  } finally {
    await client.end();
  }
}

/** Only what a replay made is ever dropped: its comment says so. */
async function makeSchema(client: Client, service: string, schema: string, replace: boolean): Promise<void> {
  const mark = `replay of ${service}`;
  const found = await client.query<{ mark: string | null }>(
    `SELECT obj_description(oid, 'pg_namespace') AS mark FROM pg_namespace WHERE nspname = $1`,
    [schema],
  );
  const [existing] = found.rows;
  if (existing) {
    if (existing.mark !== mark) throw new Error(`schema ${schema} is there and no ${mark}: choose another with --into`);
    if (!replace) {
      throw new Error(`schema ${schema} holds an earlier ${mark}: --replace makes it anew, --into <name> another one`);
    }
    await client.query(`DROP SCHEMA "${schema}" CASCADE`);
  }
  await client.query(`CREATE SCHEMA "${schema}"`);
  await client.query(`COMMENT ON SCHEMA "${schema}" IS '${mark}'`);
}

/** Handlers need what the service reads at its start: its definitions. */
async function prepared(app: INestApplication, signal: AbortSignal): Promise<void> {
  const deadline = performance.now() + READY_MS;
  for (;;) {
    const { ready, notReady } = app.get(Readiness).report();
    if (ready) return;
    if (performance.now() > deadline) {
      const reasons = Object.entries(notReady).map(([what, reason]) => `${what}: ${reason}`);
      throw new Error(`the replay cannot begin after ${READY_MS / 1_000} s: ${reasons.join('; ')}`);
    }
    await delay(50, undefined, { signal });
  }
}
