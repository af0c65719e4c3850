import { HeaderBlock } from './record-bytes';

const text = (block: HeaderBlock): Record<string, string> =>
  Object.fromEntries(Object.entries(block.toRecord()).map(([name, value]) => [name, value.toString('utf8')]));

describe('a block of headers', () => {
  it.each([
    ['of short and long texts', { a: '', b: 'x'.repeat(63), c: 'x'.repeat(64), d: 'y'.repeat(20_000) }],
    ['whose texts have more bytes than characters', { a: 'ü'.repeat(40), b: '€'.repeat(63), größe: '✓' }],
    [
      'with names that are no names elsewhere',
      Object.fromEntries([
        ['__proto__', 'x'],
        ['constructor', 'y'],
      ]),
    ],
  ])('gives back what it was made of: %s', (_what, headers) => {
    expect(text(HeaderBlock.of(headers))).toEqual(headers);
  });

  it('takes bytes as they are, the last of repeated ones, and nothing for null', () => {
    const block = HeaderBlock.of({ bytes: Buffer.from([0xff, 0]), twice: ['a', Buffer.from('b')], none: null });
    expect(block.count).toBe(4);
    expect(Object.entries(block.toRecord())).toEqual([
      ['bytes', Buffer.from([0xff, 0])],
      ['twice', Buffer.from('b')],
    ]);
  });

  it('goes on behind others', () => {
    const joined = HeaderBlock.of({ a: '3' }, HeaderBlock.of({ b: '2' }, HeaderBlock.of({ a: '1' })));
    expect(joined.count).toBe(3);
    expect(text(joined)).toEqual({ a: '3', b: '2' });
  });

  it('knows more names than it remembers', () => {
    const headers = Object.fromEntries(Array.from({ length: 600 }, (_, n) => [`name-${n}`, String(n)]));
    expect(text(HeaderBlock.of(headers))).toEqual(headers);
  });
});
