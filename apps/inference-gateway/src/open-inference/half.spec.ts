import { halfBits, halfValue } from './half';

describe('half precision', () => {
  it('brings every half back from its value', () => {
    for (let half = 0; half < 0x1_0000; half += 1) {
      const value = halfValue(half);
      if (!Number.isNaN(value)) expect(halfBits(value)).toBe(half);
    }
  });

  it.each([
    ['infinity', Infinity, 0x7c00],
    ['what is too large', 65_520, 0x7c00],
    ['what is nearer to the largest', 65_519, 0x7bff],
    ['ties, to the even neighbour below', 1 + 1 / 2_048, 0x3c00],
    ['ties, to the even neighbour above', 1 + 3 / 2_048, 0x3c02],
    ['less than half of the least', 2 ** -26, 0],
    ['the least', 2 ** -24, 1],
    ['NaN', NaN, 0x7e00],
    ['negative zero', -0, 0x8000],
  ])('rounds %s', (_, value, half) => {
    expect(halfBits(value)).toBe(half);
  });
});
