import { chain, emptyHead, follow, type ChainedEntry } from './audit-chain';

function entries(count: number): ChainedEntry[] {
  const made: ChainedEntry[] = [];
  for (let index = 0; index < count; index += 1) {
    const facts = {
      atMicros: 10 + index,
      actor: 'ann',
      action: 'gates.waived',
      subject: `lateness/${index}`,
      detail: { b: 1, a: index },
    };
    made.push(chain(made.at(-1) ?? emptyHead, facts));
  }
  return made;
}

describe('the audit chain', () => {
  it('holds as it was written, from any known head', () => {
    const written = entries(4);
    expect(follow(emptyHead, written)).toEqual({ sequence: 4, hash: written[3]?.hash });
    const second = written[1];
    expect(second && follow(second, written.slice(2))).toEqual({ sequence: 4, hash: written[3]?.hash });
  });

  it('does not depend on the order of keys in a detail', () => {
    const [first] = entries(1);
    expect(first && follow(emptyHead, [{ ...first, detail: { a: 0, b: 1 } }])).toBeDefined();
  });

  it.each([
    ['a changed actor', (all: ChainedEntry[]) => all.with(1, { ...all[1], actor: 'bob' } as ChainedEntry)],
    ['a changed time', (all: ChainedEntry[]) => all.with(1, { ...all[1], atMicros: 1 } as ChainedEntry)],
    ['a changed detail', (all: ChainedEntry[]) => all.with(1, { ...all[1], detail: { a: 9 } } as ChainedEntry)],
    ['a removed entry', (all: ChainedEntry[]) => all.toSpliced(1, 1)],
    ['a removed first entry', (all: ChainedEntry[]) => all.slice(1)],
    ['swapped entries', (all: ChainedEntry[]) => [all[0], all[2], all[1]] as ChainedEntry[]],
    ['a repeated entry', (all: ChainedEntry[]) => [...all, all[2]] as ChainedEntry[]],
  ])('shows %s', (_what, tamper) => {
    expect(follow(emptyHead, tamper(entries(3)))).toBeUndefined();
  });

  it('shows an entry that was written anew without the ones after it', () => {
    const all = entries(3);
    const forged = chain(all[0] ?? emptyHead, { atMicros: 1, actor: 'bob', action: 'x', subject: 'y', detail: {} });
    expect(follow(emptyHead, all.with(1, forged))).toBeUndefined();
  });

  it('hashes what is stored: undefined and NaN as JSON has them', () => {
    const entry = chain(emptyHead, {
      atMicros: 1,
      actor: 'a',
      action: 'b',
      subject: 'c',
      detail: { x: undefined, y: Number.NaN },
    });
    expect(entry.detail).toEqual({ y: null });
    expect(follow(emptyHead, [JSON.parse(JSON.stringify(entry)) as ChainedEntry])).toBeDefined();
  });
});
