import { eventually, testKafkaBrokers } from '@headrace/testing';
import { listLetters, repair, showLetter, type ListOptions, type RepairOptions } from '../src/commands/dlq';
import type { Connection } from '../src/connection';
import { RefusingService } from './refusing-service';

const connection: Connection = {
  kafka: () => testKafkaBrokers().join(','),
  address: () => '',
  http: () => '',
  artifacts: () => '',
  token: () => undefined,
};

interface Row {
  readonly event: string;
  readonly key: string;
  readonly state: string;
  readonly outcome: string;
}
interface Listing {
  readonly counts: { readonly open: number; readonly 'parked keys': number; readonly reason: string }[];
  readonly letters: Row[];
}

describe('headrace dlq', () => {
  let service: RefusingService;
  let written: string;

  /** What the command prints. */
  async function printed(command: () => Promise<void>): Promise<string> {
    written = '';
    await command();
    return written;
  }
  const options = (more: Partial<ListOptions> = {}): ListOptions => ({
    group: service.group,
    settled: false,
    last: 50,
    ...more,
  });
  const repairs = (more: Partial<RepairOptions> = {}): RepairOptions => ({
    group: service.group,
    reason: 'mended',
    by: 'ada',
    all: false,
    dryRun: false,
    wait: 30,
    ...more,
  });
  const list = async (more: Partial<ListOptions> = {}): Promise<Listing> =>
    JSON.parse(await printed(() => listLetters(connection, options({ ...more, json: true })))) as Listing;

  beforeAll(async () => {
    jest.spyOn(process.stdout, 'write').mockImplementation((text) => {
      written += String(text);
      return true;
    });
    service = await RefusingService.start(['a2', 'b1', 'c1']);
    await service.publish('a', 'a1', 'a2', 'a3', 'a4');
    await service.publish('b', 'b1', 'b2');
    await service.publish('c', 'c1', 'c2');
    await eventually(async () => expect((await list()).letters).toHaveLength(3));
  });

  afterEach(() => {
    process.exitCode = 0;
  });

  afterAll(async () => {
    jest.restoreAllMocks();
    await service.stop();
  });

  it('lists letters with counts and parked keys, as table and JSON', async () => {
    const { counts, letters } = await list();
    expect(counts).toMatchObject([{ reason: 'rejected', open: 3, 'parked keys': 3 }]);
    expect(letters.map(({ key }) => key).sort()).toEqual(['a', 'b', 'c']);
    const table = await printed(() => listLetters(connection, options({ last: 2 })));
    expect(table).toContain('the last 2 of 3');
    expect(table).toContain('parked keys: a, b, c');
  });

  it('finds them by key, cause, topic and time', async () => {
    expect((await list({ key: 'a' })).letters).toHaveLength(1);
    expect((await list({ cause: 'not_mine', since: '1h' })).letters).toHaveLength(3);
    expect((await list({ cause: 'expired' })).letters).toHaveLength(0);
    expect((await list({ until: '1h' })).letters).toHaveLength(0);
    expect((await list({ topic: 'elsewhere' })).letters).toHaveLength(0);
    await expect(list({ since: 'lunch' })).rejects.toThrow('--since "lunch"');
  });

  it('shows one with its reason, headers and decoded event', async () => {
    const [letter] = (await list({ key: 'a' })).letters;
    const shown = await printed(() => showLetter(connection, letter?.event ?? '', { group: service.group }));
    for (const part of ['refuses a2', 'keyParked: true', '"upstreamId": "a2"', '"ce_type"'])
      expect(shown).toContain(part);
    await expect(showLetter(connection, 'nowhere/0/0', { group: service.group })).rejects.toThrow('no group');
    await expect(showLetter(connection, 'nowhere', {})).rejects.toThrow('<topic>/<partition>/<offset>');
  });

  it('shows in a dry run what a redrive would do, and changes nothing', async () => {
    const shown = await printed(() => repair(connection, 'redrive', undefined, repairs({ dryRun: true })));
    expect(shown).toContain('3 would be redriven');
    expect(shown).toContain('parked keys that would be freed: a, b, c');
    const { letters } = await list();
    expect(letters.map(({ state }) => state)).toEqual(['open', 'open', 'open']);
    expect(await service.applied()).toEqual(['a1']);
  });

  it('wants to know which letters are meant', async () => {
    const { group: _group, ...unselected } = repairs();
    await expect(repair(connection, 'redrive', undefined, unselected)).rejects.toThrow('which letters?');
  });

  it('says so when a letter dies again', async () => {
    const shown = await printed(() => repair(connection, 'redrive', undefined, repairs({ key: 'a' })));
    expect(shown).toContain('died again: rejected, refuses a2');
    expect(shown).toContain('0 now redriven');
    expect(process.exitCode).toBe(2);
  });

  it('drops a letter for a reason, and what waited behind it goes on', async () => {
    const [letter] = (await list({ key: 'c' })).letters;
    const shown = await printed(() => repair(connection, 'drop', letter?.event, repairs({ reason: 'a test order' })));
    expect(shown).toContain('1 now dropped');
    expect(shown).toContain('parked keys that are freed: c');
    await eventually(async () => expect(await service.applied()).toEqual(['a1', 'c2']));
    await expect(repair(connection, 'redrive', letter?.event, repairs())).rejects.toThrow('dropped by ada');
  });

  it('redrives all that are left once the handler is mended, and their keys go on in order', async () => {
    service.mend();
    const shown = await printed(() => repair(connection, 'redrive', undefined, repairs()));
    expect(shown).toContain('2 now redriven');
    const all = ['a1', 'a2', 'a3', 'a4', 'b1', 'b2', 'c2'];
    await eventually(async () => expect((await service.applied()).sort()).toEqual(all));
    expect((await service.applied()).filter((id) => id.startsWith('a'))).toEqual(['a1', 'a2', 'a3', 'a4']);
    expect((await list()).letters).toEqual([]);
    const states = (await list({ settled: true })).letters.map(({ state }) => state);
    expect(states.sort()).toEqual(['dropped by ada', 'redriven by ada', 'redriven by ada']);
  });
});
