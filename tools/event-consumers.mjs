// Who consumes what, read from the services' own sources: handlers name their event, broadcasts their topic.
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { repository } from './child.mjs';

const HANDLER = /@OnEvent(?:Batch)?\(\s*events\.(\w+)/g;
/** An event of which a service reads a part, by a codec of its own. */
const PART = /EventDefinition<\w+> = \{\s*\.\.\.events\.(\w+)/g;
const BROADCAST = /\.broadcast\(\s*topics\.(\w+)\.name/g;
/** The library through which a service publishes and reads definitions. */
const DEFINITIONS = /\bDefinitionStoreModule\b/;

/** Service → { events, topics, definitions }: keys of the catalogue, and whether it keeps definitions. */
export async function readConsumers() {
  const consumers = new Map();
  for (const service of (await readdir(join(repository, 'apps'))).sort()) {
    const source = join(repository, 'apps', service, 'src');
    const found = { events: new Set(), topics: new Set(), definitions: false };
    for (const entry of await readdir(source, { recursive: true, withFileTypes: true })) {
      if (!entry.isFile() || !entry.name.endsWith('.ts') || entry.name.endsWith('spec.ts')) continue;
      const text = await readFile(join(entry.parentPath, entry.name), 'utf8');
      for (const [, name] of [...text.matchAll(HANDLER), ...text.matchAll(PART)]) found.events.add(name);
      for (const [, name] of text.matchAll(BROADCAST)) found.topics.add(name);
      found.definitions ||= DEFINITIONS.test(text);
    }
    if (found.events.size > 0 || found.topics.size > 0 || found.definitions) consumers.set(service, found);
  }
  return consumers;
}
