import { HpackDecoder } from './hpack';
import { decodeHuffman } from './huffman';

const bytes = (hex: string): Buffer => Buffer.from(hex.replaceAll(' ', ''), 'hex');
const TABLE = 4_096;
const LIST = 16_384;

function decode(decoder: HpackDecoder, hex: string): Record<string, string> {
  const block = bytes(hex);
  const { fields } = decoder.decode(block, 0, block.length);
  return Object.fromEntries(
    fields.flatMap((name, index) => (index % 2 === 0 ? [[name, fields[index + 1] ?? '']] : [])),
  );
}

const first = { ':method': 'GET', ':scheme': 'http', ':path': '/', ':authority': 'www.example.com' };
const second = { ...first, 'cache-control': 'no-cache' };
const third = {
  ':method': 'GET',
  ':scheme': 'https',
  ':path': '/index.html',
  ':authority': 'www.example.com',
  'custom-key': 'custom-value',
};
const found = {
  ':status': '302',
  'cache-control': 'private',
  date: 'Mon, 21 Oct 2013 20:13:21 GMT',
  location: 'https://www.example.com',
};
const withCookie = {
  ':status': '200',
  'cache-control': 'private',
  date: 'Mon, 21 Oct 2013 20:13:22 GMT',
  location: 'https://www.example.com',
  'content-encoding': 'gzip',
  'set-cookie': 'foo=ASDJKHQKBZXOQWEOPIUAXQWEOIU; max-age=3600; version=1',
};

describe('the examples of RFC 7541, appendix C', () => {
  it.each([
    ['C.2.1', '400a 6375 7374 6f6d 2d6b 6579 0d63 7573 746f 6d2d 6865 6164 6572', { 'custom-key': 'custom-header' }],
    ['C.2.2', '040c 2f73 616d 706c 652f 7061 7468', { ':path': '/sample/path' }],
    ['C.2.3', '1008 7061 7373 776f 7264 0673 6563 7265 74', { password: 'secret' }],
    ['C.2.4', '82', { ':method': 'GET' }],
  ])('%s: one field', (_name, hex, expected) => {
    expect(decode(new HpackDecoder(TABLE, LIST), hex)).toEqual(expected);
  });

  it.each([
    [
      'C.3, as they are',
      [
        '8286 8441 0f77 7777 2e65 7861 6d70 6c65 2e63 6f6d',
        '8286 84be 5808 6e6f 2d63 6163 6865',
        '8287 85bf 400a 6375 7374 6f6d 2d6b 6579 0c63 7573 746f 6d2d 7661 6c75 65',
      ],
    ],
    [
      'C.4, Huffman-coded',
      [
        '8286 8441 8cf1 e3c2 e5f2 3a6b a0ab 90f4 ff',
        '8286 84be 5886 a8eb 1064 9cbf',
        '8287 85bf 4088 25a8 49e9 5ba9 7d7f 8925 a849 e95b b8e8 b4bf',
      ],
    ],
  ])('%s: three requests of one connection', (_name, blocks) => {
    const decoder = new HpackDecoder(TABLE, LIST);
    expect(blocks.map((block) => decode(decoder, block))).toEqual([first, second, third]);
  });

  it.each([
    [
      'C.5, as they are',
      [
        '4803 3330 3258 0770 7269 7661 7465 611d 4d6f 6e2c 2032 3120 4f63 7420 3230 3133 2032 303a 3133 3a32 3120 474d' +
          '546e 1768 7474 7073 3a2f 2f77 7777 2e65 7861 6d70 6c65 2e63 6f6d',
        '4803 3330 37c1 c0bf',
        '88c1 611d 4d6f 6e2c 2032 3120 4f63 7420 3230 3133 2032 303a 3133 3a32 3220 474d 54c0 5a04 677a 6970 7738 666f' +
          '6f3d 4153 444a 4b48 514b 425a 584f 5157 454f 5049 5541 5851 5745 4f49 553b 206d 6178 2d61 6765 3d33 3630 303b' +
          '2076 6572 7369 6f6e 3d31',
      ],
    ],
    [
      'C.6, Huffman-coded',
      [
        '4882 6402 5885 aec3 771a 4b61 96d0 7abe 9410 54d4 44a8 2005 9504 0b81 66e0 82a6 2d1b ff6e 919d 29ad 1718 63c7' +
          '8f0b 97c8 e9ae 82ae 43d3',
        '4883 640e ffc1 c0bf',
        '88c1 6196 d07a be94 1054 d444 a820 0595 040b 8166 e084 a62d 1bff c05a 839b d9ab 77ad 94e7 821d d7f2 e6c7 b335' +
          'dfdf cd5b 3960 d5af 2708 7f36 72c1 ab27 0fb5 291f 9587 3160 65c0 03ed 4ee5 b106 3d50 07',
      ],
    ],
  ])('%s: three answers through a table of 256 bytes, which drops old fields', (_name, blocks) => {
    const decoder = new HpackDecoder(256, LIST);
    expect(blocks.map((block) => decode(decoder, block))).toEqual([found, { ...found, ':status': '307' }, withCookie]);
  });
});

describe('header blocks that are wrong', () => {
  it.each([
    ['an index beyond the table', 'be'],
    ['index 0', '80'],
    ['an integer without end', '0f ff ff ff ff ff ff ff'],
    ['a string beyond the block', '00 7f 7f 61'],
    ['a field that is cut off', '00 01 61'],
    ['a table larger than offered', '3f e2 1f'],
    ['a table size behind a field', '82 20'],
    ['a Huffman string with the end symbol', '00 84 ff ff ff ff 01 61'],
    ['a Huffman string padded with zeros', '00 81 00 01 61'],
    ['a Huffman string padded by more than seven bits', '00 82 1f ff 01 61'],
  ])('are refused: %s', (_name, hex) => {
    expect(() => decode(new HpackDecoder(TABLE, LIST), hex)).toThrow(expect.objectContaining({ code: 9 }));
  });

  it('a list that is too long is cut, and the table stays that of the client', () => {
    const decoder = new HpackDecoder(TABLE, 1_000);
    const entry = Buffer.concat([bytes('40 01 61 7f 81 07'), Buffer.alloc(1_024, 'x')]);
    const bomb = Buffer.concat([entry, Buffer.alloc(5_000, 0xbe)]);
    const { fields, tooLarge } = decoder.decode(bomb, 0, bomb.length);
    expect(tooLarge).toBe(true);
    expect(fields.length).toBeLessThanOrEqual(2);
    const again = new HpackDecoder(TABLE, LIST);
    again.decode(entry, 0, entry.length);
    expect(decode(again, 'be')).toEqual({ a: 'x'.repeat(1_024) });
  });

  it('whatever comes, it ends: with a list or with a fault of compression', () => {
    const random = seeded(7_541);
    const good = bytes(
      '8286 8441 8cf1 e3c2 e5f2 3a6b a0ab 90f4 ff 4088 25a8 49e9 5ba9 7d7f 8925 a849 e95b b8e8 b4bf be c0 20',
    );
    let refused = 0;
    for (let round = 0; round < 20_000; round += 1) {
      const decoder = new HpackDecoder(TABLE, LIST);
      const block = round % 2 === 0 ? Buffer.from(good) : Buffer.alloc(1 + Math.floor(random() * 64));
      const changes = round % 2 === 0 ? 1 + Math.floor(random() * 4) : block.length;
      for (let change = 0; change < changes; change += 1)
        block[round % 2 === 0 ? Math.floor(random() * block.length) : change] = Math.floor(random() * 256);
      try {
        const { fields } = decoder.decode(block, 0, block.length);
        expect(fields.length % 2).toBe(0);
      } catch (error) {
        expect(error).toMatchObject({ code: 9 });
        refused += 1;
      }
    }
    expect(refused).toBeGreaterThan(1_000);
  });
});

it('reads short codes, long codes and nothing, padded with ones', () => {
  // Appendix B: "0" is 00000, "!" is 1111111000.
  expect(decodeHuffman(Buffer.alloc(0), 0, 0)).toBe('');
  expect(decodeHuffman(bytes('07'), 0, 1)).toBe('0');
  expect(decodeHuffman(bytes('fe 3f'), 0, 2)).toBe('!');
});

/** Numbers in [0, 1), the same for the same seed (mulberry32). */
function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}
