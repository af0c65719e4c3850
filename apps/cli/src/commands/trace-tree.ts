// Causes and effects of one event as a tree.
import type { TracedEvent, TraceEventResponse } from '@headrace/contracts/proto/registry/v1/registry_service';
import { formatTime } from '@headrace/event-time';

export interface TraceNode {
  readonly id: string;
  readonly type: string;
  readonly topic: string;
  readonly subject: string;
  readonly time: string;
  /** What it caused, oldest first. */
  readonly effects: readonly TraceNode[];
}

export interface Trace {
  /** From the first known cause; without their effects, which lead here. */
  readonly causes: readonly Omit<TraceNode, 'effects'>[];
  readonly event: TraceNode;
  /** There are more effects than the registry answers. */
  readonly cut: boolean;
}

export function traceOf({ chain, effects, effectsCut }: TraceEventResponse): Trace {
  const self = chain.at(-1);
  if (!self) throw new Error('the registry answered without the event');
  const byCause = new Map<string, TracedEvent[]>();
  for (const effect of [...effects].sort((a, b) => a.timeMicros - b.timeMicros)) {
    byCause.set(effect.causationId, [...(byCause.get(effect.causationId) ?? []), effect]);
  }
  const grow = (event: TracedEvent): TraceNode => ({
    ...bare(event),
    effects: (byCause.get(event.id) ?? []).map(grow),
  });
  return { causes: chain.slice(0, -1).map(bare), event: grow(self), cut: effectsCut };
}

function bare({ id, type, topic, subject, timeMicros }: TracedEvent): Omit<TraceNode, 'effects'> {
  return { id, type, topic, subject, time: formatTime(timeMicros) };
}

/** One line an event, indented below what caused it; the one asked for is marked. */
export function treeOf({ causes, event, cut }: Trace): string[] {
  const lines = causes.map((cause, depth) => `${branch(depth)}${label(cause)}`);
  lines.push(`${branch(causes.length)}${label(event)}  ◄`);
  const below = '   '.repeat(causes.length);
  const grow = (nodes: readonly TraceNode[], indent: string): void => {
    for (const [index, node] of nodes.entries()) {
      const isLast = index === nodes.length - 1;
      lines.push(`${indent}${isLast ? '└─ ' : '├─ '}${label(node)}`);
      grow(node.effects, `${indent}${isLast ? '   ' : '│  '}`);
    }
  };
  grow(event.effects, below);
  if (cut) lines.push('… and more: what lies deeper is not shown');
  return lines;
}

function branch(depth: number): string {
  return depth === 0 ? '' : `${'   '.repeat(depth - 1)}└─ `;
}

function label({ type, subject, time, id }: Omit<TraceNode, 'effects'>): string {
  return [type.split('.').at(-1) ?? type, subject, time, id].filter((part) => part !== '').join('  ');
}
