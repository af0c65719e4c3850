import { javaRelease } from './java';

describe('the release of a Java', () => {
  it.each([
    ['openjdk version "21.0.8" 2025-07-15 LTS', 21],
    ['openjdk version "17" 2021-09-14', 17],
    ['java version "1.8.0_392"', 8],
    ['bash: java: not a runtime', undefined],
  ])('of %s is %s', (output, release) => {
    expect(javaRelease(output)).toBe(release);
  });
});
