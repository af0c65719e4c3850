import { crc32c } from './crc32c';

describe('crc32c', () => {
  // RFC 3720, appendix B.4.
  it.each([
    ['zeros', Buffer.alloc(32), 0x8a9136aa],
    ['ones', Buffer.alloc(32, 0xff), 0x62a8ab43],
    ['rising bytes', Buffer.from(Array.from({ length: 32 }, (_, n) => n)), 0x46dd794e],
    ['nothing', Buffer.alloc(0), 0],
    ['a text', Buffer.from('123456789'), 0xe3069283],
  ])('is that of the standard: %s', (_what, bytes, expected) => {
    expect(crc32c(bytes)).toBe(expected);
  });

  it('is of a part only, of whatever length and wherever it begins', () => {
    const bytes = Buffer.from(Array.from({ length: 40 }, (_, n) => n * 7));
    for (let from = 0; from < 8; from += 1) {
      for (let to = from; to < 24; to += 1) {
        expect(crc32c(bytes, from, to)).toBe(crc32c(Buffer.from(bytes.subarray(from, to))));
      }
    }
  });
});
