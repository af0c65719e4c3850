import { parseArgs } from 'node:util';
import { schemaOf } from './database.module';
import type { Replayable, ReplayArguments } from './replay-command';

const SCHEMA = /^[a-z][a-z0-9_]{0,62}$/;
const TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:\d\d)$/;

/** What stands behind `replay`; throws one error that names every fault. */
export function parseReplayArguments(
  service: string,
  { groups }: Pick<Replayable, 'groups'>,
  args: readonly string[],
): ReplayArguments {
  const { values } = parseArgs({
    args: [...args],
    strict: true,
    options: {
      group: { type: 'string' },
      into: { type: 'string' },
      'from-time': { type: 'string' },
      'from-offset': { type: 'string', multiple: true },
      to: { type: 'string' },
      'dry-run': { type: 'boolean' },
      compare: { type: 'boolean' },
      replace: { type: 'boolean' },
      drop: { type: 'boolean' },
    },
  });
  const faults: string[] = [];
  const names = Object.keys(groups);
  const group = values.group ?? (names.length === 1 ? names[0] : undefined);
  if (group === undefined || !names.includes(group)) {
    faults.push(`--group ${values.group ?? ''}: expected ${names.join(' or ')}`);
  }
  const own = schemaOf(service);
  const into = values.into ?? `${own}_replay`;
  if (!SCHEMA.test(into)) faults.push(`--into ${into}: expected small letters, digits and _, at most 63`);
  else if (into === own) faults.push(`--into ${into}: that is the schema in which ${service} lives`);
  const time = (name: string, text: string | undefined): number | undefined => {
    if (text === undefined || (name === '--to' && text === 'now')) return undefined;
    const at = TIME.test(text) ? Date.parse(text) : Number.NaN;
    if (Number.isNaN(at)) faults.push(`${name} ${text}: expected a time such as 2026-01-31T12:00:00Z`);
    return at;
  };
  const fromTimeMs = time('--from-time', values['from-time']);
  const toTimeMs = time('--to', values.to);
  const fromOffsets = (values['from-offset'] ?? []).flatMap((text) => {
    const [, topic = '', partition = '', offset = ''] = /^([^:]+):(\d{1,9}):(\d{1,15})$/.exec(text) ?? [];
    if (topic === '') {
      faults.push(`--from-offset ${text}: expected topic:partition:offset`);
      return [];
    }
    return [{ topic, partition: Number(partition), offset: Number(offset) }];
  });
  if (values.compare && values['dry-run']) faults.push('--compare: a dry run builds nothing that could be compared');
  if (faults.length > 0) throw new Error(faults.join('\n'));
  return {
    group: group ?? '',
    into,
    fromTimeMs,
    toTimeMs,
    fromOffsets,
    dryRun: values['dry-run'] ?? false,
    compare: values.compare ?? false,
    replace: values.replace ?? false,
    drop: values.drop ?? false,
  };
}
