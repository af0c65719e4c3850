// Observe and decode: what a record of the log is for one group.
import type { DeadLetter } from './dead-letters';
import { decode, typeOf } from './envelope';
import { decodeRedrive, type RedriveCommand } from './redrive-command';
import type { GroupRoutes, Route } from './routes';
import type { RawRecord, ReceivedEvent } from './types';

export type Item =
  /** The group has no handler for it. */
  | { readonly kind: 'skip'; readonly record: RawRecord }
  /** `route` is set when the type is known: its policy then holds for the key. */
  | {
      readonly kind: 'dead';
      readonly record: RawRecord;
      readonly letter: DeadLetter;
      readonly route: Route | undefined;
    }
  | { readonly kind: 'event'; readonly record: RawRecord; readonly route: Route; readonly event: ReceivedEvent }
  | { readonly kind: 'record'; readonly record: RawRecord; readonly route: Route }
  /** What a person asks about a letter. */
  | {
      readonly kind: 'redrive';
      readonly record: RawRecord;
      readonly command: RedriveCommand;
      readonly route: undefined;
    };

export type Handled = Extract<Item, { route: Route; kind: 'event' | 'record' }>;

export function classify(record: RawRecord, routes: GroupRoutes): Item {
  if (record.topic === routes.redriveTopic) return classifyRedrive(record);
  if (routes.records && routes.isForeign(record.topic)) return { kind: 'record', record, route: routes.records };
  const decoded = decode(record, routes.definitionOf);
  if (decoded.kind === 'event') {
    const route = routes.routeOf(decoded.event.type);
    return route ? { kind: 'event', record, route, event: decoded.event } : { kind: 'skip', record };
  }
  if (decoded.kind === 'unknown-type') {
    if (routes.unknownTypes === 'ignore') return { kind: 'skip', record };
    const letter: DeadLetter = {
      reason: 'unknown_type',
      code: 'unknown_type',
      message: `type ${decoded.type} is not in the catalogue`,
    };
    return { kind: 'dead', record, route: undefined, letter };
  }
  const type = typeOf(record);
  const route = type === undefined ? undefined : routes.routeOf(type);
  const letter: DeadLetter = { reason: 'undecodable', code: decoded.code, message: decoded.message };
  return { kind: 'dead', record, route, letter };
}

function classifyRedrive(record: RawRecord): Item {
  const command = decodeRedrive(record);
  if (!('fault' in command)) return { kind: 'redrive', record, command, route: undefined };
  const letter: DeadLetter = { reason: 'undecodable', code: 'invalid_redrive', message: command.fault };
  return { kind: 'dead', record, route: undefined, letter };
}

/** Label of metrics: bounded by the catalogue. */
export function nameOf(item: Item): string {
  if (item.kind === 'event' || item.kind === 'record') return item.route.name;
  if (item.kind === 'redrive') return 'redrive';
  return item.kind === 'dead' ? (item.route?.name ?? 'unknown') : 'skipped';
}

export function argumentOf(item: Handled): RawRecord | ReceivedEvent {
  return item.kind === 'event' ? item.event : item.record;
}
