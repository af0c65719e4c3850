// Dataset versions as the sides of a drift report.
import { ArtifactStore } from '@headrace/artifacts';
import type { Clients } from '../connection';
import type { Side } from './sides';

/** What a report needs of a version's manifest (headrace.dev/dataset/v1). */
interface Manifest {
  readonly schema: readonly { readonly name: string; readonly type: string }[];
  readonly files: readonly { readonly digest: string }[];
}

interface Version extends Manifest {
  readonly stream: string;
  readonly number: number;
}

/**
 * The sides of "stream" (its newest version) or "stream@version". A version holds the rows of all versions before it: of
 * two versions of one stream the later is compared by what it added, for rows that stand on both sides tell nothing.
 */
export async function datasetSides(clients: Clients, store: ArtifactStore, texts: readonly string[]): Promise<Side[]> {
  const versions: Version[] = [];
  for (const text of texts) versions.push(await versionOf(clients, store, text));
  const sides: Side[] = [];
  for (const version of versions) {
    const earlier = versions.find((other) => other.stream === version.stream && other.number < version.number);
    const isTwice = versions.some((other) => other !== version && sameAs(other, version));
    if (isTwice) throw new Error(`${labelOf(version)} on both sides: expected two versions`);
    sides.push(await sideOf(store, version, earlier));
  }
  return sides;
}

async function versionOf(clients: Clients, store: ArtifactStore, text: string): Promise<Version> {
  const [, stream, number] = /^([^@\s]+)(?:@([1-9]\d{0,8}))?$/.exec(text) ?? [];
  if (stream === undefined) throw new Error(`${text}: expected a file (.parquet, .csv) or stream@version`);
  const list = clients.ingestion.listDatasetVersions.bind(clients.ingestion);
  const { versions } = await clients.call(list, { stream });
  const datasets = versions.flatMap(({ dataset }) => dataset ?? []).sort((a, b) => a.version - b.version);
  const wanted = number === undefined ? datasets.at(-1) : datasets.find(({ version }) => version === Number(number));
  if (!wanted) throw new Error(`${text}: stream "${stream}" has no such dataset version (headrace datasets ${stream})`);
  const manifest = JSON.parse((await store.read(wanted.manifestDigest)).toString('utf8')) as Manifest;
  return { ...manifest, stream, number: wanted.version };
}

async function sideOf(store: ArtifactStore, version: Version, earlier: Version | undefined): Promise<Side> {
  const before = new Set(earlier?.files.map(({ digest }) => digest));
  const added = version.files.filter(({ digest }) => !before.has(digest));
  const ofType = (type: string): string[] => version.schema.filter((one) => one.type === type).map(({ name }) => name);
  return {
    name: earlier ? `what ${labelOf(version)} added to ${labelOf(earlier)}` : labelOf(version),
    files: await Promise.all(added.map(({ digest }) => store.pathOf(digest))),
    format: 'parquet',
    dataset: { texts: ofType('string'), times: ofType('timestamp') },
  };
}

function labelOf({ stream, number }: Version): string {
  return `${stream}@${number}`;
}

function sameAs(a: Version, b: Version): boolean {
  return a.stream === b.stream && a.number === b.number;
}
