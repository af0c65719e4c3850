import { readFileSync } from 'node:fs';
import { installationFolders } from './embedded.config';
import { parseJarLock } from './kafka-jars';

const DIGEST = 'a'.repeat(64);

describe('the lock of Kafka’s jars', () => {
  it('gives each coordinate its file name and digest, and skips comments and empty lines', () => {
    expect(parseJarLock(`# of Kafka\n\norg.slf4j:slf4j-api:1.7.36 ${DIGEST}\n`)).toEqual([
      { coordinate: 'org.slf4j:slf4j-api:1.7.36', sha256: DIGEST, fileName: 'slf4j-api-1.7.36.jar' },
    ]);
  });

  it.each([
    ['a digest that is too short', 'a:b:1 abc'],
    ['no digest', 'a:b:1'],
    ['no version', `a:b ${DIGEST}`],
    ['a fourth part', `a:b:1:sources ${DIGEST}`],
  ])('refuses a line with %s', (_, line) => {
    expect(() => parseJarLock(line)).toThrow('Not a line of a jar lock');
  });

  it('is committed with 46 jars of distinct files', () => {
    const jars = parseJarLock(readFileSync(installationFolders().kafkaJarsLock, 'utf8'));
    expect(jars).toHaveLength(46);
    expect(new Set(jars.map((jar) => jar.fileName)).size).toBe(46);
  });
});
