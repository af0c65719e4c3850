// What was served last, on this machine's disk: a gateway that starts while Kafka and the artifact store are away serves it.
// A file says what it should hold by a digest; one that does not is left out.
import { encodeMessage } from '@headrace/contracts';
import { createHash, randomUUID } from 'node:crypto';
import { mkdir, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { ArtifactStore } from '@headrace/artifacts';
import { DeploymentChanged } from '@headrace/contracts/proto/registry/v1/registry_events';
import { z } from 'zod';
import type { Deployment } from '../domain/deployment';

export interface KnownDeployment {
  readonly changed: DeploymentChanged;
  readonly cause: Deployment['cause'];
}

export interface DeploymentCacheOptions {
  readonly folder: string;
  /** Where the models' bytes are cached: what no deployment needs any more is removed from it. */
  readonly models: Pick<ArtifactStore, 'remove' | 'list'>;
  onFault(error: unknown, what: string): void;
}

const Content = z.object({
  version: z.literal(1),
  /** SHA-256 of `event` and `cause` as they stand here. */
  digest: z.string(),
  /** DeploymentChanged, base64. */
  event: z.string(),
  cause: z.object({ eventId: z.string(), correlationId: z.string(), traceparent: z.string().optional() }),
});

/** Bytes of a model that is being loaded just now belong to no deployment yet. Looked at so often at most. */
const GRACE_MS = 10 * 60_000;

export class DeploymentCache {
  private readonly known = new WeakMap<Deployment, DeploymentChanged>();
  /** What stands on the disk: the event of each endpoint, and the model files that it needs. */
  private readonly kept = new Map<string, { readonly eventId: string; readonly digests: readonly string[] }>();
  private lastCleanUpMs = -Infinity;
  /** Writes one after the other: the newest stands at the end. */
  private writing: Promise<void> = Promise.resolve();

  constructor(private readonly options: DeploymentCacheOptions) {}

  /** The event that a deployment was read from. */
  remember(deployment: Deployment, changed: DeploymentChanged): void {
    this.known.set(deployment, changed);
  }

  /** It serves now: from here on a restart begins with it. Not waited for by requests. */
  keep(deployment: Deployment): void {
    const changed = this.known.get(deployment);
    const { eventId } = deployment.cause;
    if (!changed || this.kept.get(deployment.endpoint)?.eventId === eventId) return;
    this.kept.set(deployment.endpoint, { eventId, digests: digestsOf(changed) });
    this.enqueue(() => this.write(changed, deployment.cause), `keeping endpoint ${deployment.endpoint}`);
  }

  /** Endpoints that the log does not hold are forgotten. */
  retain(endpoints: ReadonlySet<string>): void {
    const names = new Set([...endpoints].map(fileOf));
    for (const endpoint of this.kept.keys()) if (!endpoints.has(endpoint)) this.kept.delete(endpoint);
    this.enqueue(async () => {
      for (const name of await this.files()) if (!names.has(name)) await rm(join(this.folder, name), { force: true });
      await this.removeUnusedModels();
    }, 'forgetting endpoints');
  }

  /** What was kept, without what is damaged. */
  async read(): Promise<KnownDeployment[]> {
    const found: KnownDeployment[] = [];
    const names = await this.files().catch((error: unknown) => {
      this.options.onFault(error, `reading ${this.folder}`);
      return [];
    });
    for (const name of names) {
      try {
        const { event, digest, ...content } = Content.parse(
          JSON.parse(await readFile(join(this.folder, name), 'utf8')),
        );
        const { traceparent, ...rest } = content.cause;
        const cause = traceparent === undefined ? rest : { ...rest, traceparent };
        if (digest !== digestOf(event, cause)) throw new Error('its bytes do not have the digest that it says');
        const changed = DeploymentChanged.decode(Buffer.from(event, 'base64'));
        found.push({ changed, cause });
        this.kept.set(changed.endpoint, { eventId: cause.eventId, digests: digestsOf(changed) });
      } catch (error) {
        this.options.onFault(error, `reading ${name}`);
      }
    }
    return found;
  }

  /** Resolves when everything that was to be kept stands on the disk. */
  async close(): Promise<void> {
    await this.writing;
  }

  private get folder(): string {
    return join(this.options.folder, 'deployments');
  }

  private enqueue(work: () => Promise<void>, what: string): void {
    this.writing = this.writing.then(work).catch((error: unknown) => this.options.onFault(error, what));
  }

  private async files(): Promise<string[]> {
    const names = await readdir(this.folder).catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return [];
      throw error;
    });
    return names.filter((name) => name.endsWith('.json')).sort();
  }

  private async write(changed: DeploymentChanged, cause: Deployment['cause']): Promise<void> {
    const event = encodeMessage(DeploymentChanged, changed).toString('base64');
    const content: z.output<typeof Content> = { version: 1, digest: digestOf(event, cause), event, cause };
    await mkdir(this.folder, { recursive: true, mode: 0o700 });
    const path = join(this.folder, fileOf(changed.endpoint));
    const temporary = `${path}.${randomUUID()}.tmp`;
    await writeFile(temporary, JSON.stringify(content), { mode: 0o600, flush: true });
    await rename(temporary, path);
    if (Date.now() - this.lastCleanUpMs > GRACE_MS) await this.removeUnusedModels();
  }

  private async removeUnusedModels(): Promise<void> {
    this.lastCleanUpMs = Date.now();
    const used = new Set([...this.kept.values()].flatMap(({ digests }) => digests));
    for (const { digest, path } of await this.options.models.list()) {
      if (used.has(digest)) continue;
      if (Date.now() - (await stat(path)).mtimeMs > GRACE_MS) await this.options.models.remove(digest);
    }
  }
}

function digestsOf({ versions }: DeploymentChanged): string[] {
  return versions.flatMap(({ modelArtifact, profileArtifact }) =>
    [modelArtifact, profileArtifact].flatMap((artifact) => artifact?.digest ?? []),
  );
}

/** Names of endpoints are not made for file systems. */
function fileOf(endpoint: string): string {
  return `${createHash('sha256').update(endpoint).digest('hex')}.json`;
}

function digestOf(event: string, cause: Deployment['cause']): string {
  const { eventId, correlationId, traceparent = '' } = cause;
  const text = JSON.stringify([event, eventId, correlationId, traceparent]);
  return `sha256:${createHash('sha256').update(text).digest('hex')}`;
}
