import { describeDifference, differencesOf } from './topic-check';

const wanted = { name: 'training.v1', partitions: 4, cleanup: 'delete', retentionMs: -1 } as const;

describe('a topic against the catalogue', () => {
  it('does not differ when it is as it was created', () => {
    expect(differencesOf(wanted, { ...wanted })).toEqual([]);
  });

  it('differs badly by its partitions, which decide the order of keys, and by its clean-up, which drops events', () => {
    const differences = differencesOf(wanted, { ...wanted, partitions: 2, cleanup: 'compact,delete' });
    expect(differences.map(({ severity }) => severity)).toEqual(['error', 'error']);
    expect(differences.map(describeDifference)).toEqual([
      'topic training.v1: partitions is 2, expected 4',
      'topic training.v1: cleanup.policy is compact,delete, expected delete',
    ]);
  });

  it('differs mildly by its retention, which an operator may have chosen', () => {
    const differences = differencesOf(wanted, { ...wanted, retentionMs: 604_800_000 });
    expect(differences).toMatchObject([{ setting: 'retention.ms', severity: 'warning', got: '604800000' }]);
  });

  it('has no retention to differ by when it is compacted', () => {
    const compacted = { ...wanted, cleanup: 'compact' } as const;
    expect(differencesOf(compacted, { ...compacted, retentionMs: 604_800_000 })).toEqual([]);
  });
});
