import { serverProperties } from './kafka-properties';

describe('the settings of the embedded Kafka', () => {
  const text = serverProperties({ port: 20001, controllerPort: 20002, logDirectory: 'C:\\data\\log' });

  it('listen on this machine alone', () => {
    const addresses = [...text.matchAll(/:\/\/([^:]*):/g)].map((match) => match[1]);
    expect(addresses.length).toBeGreaterThan(0);
    expect(new Set(addresses)).toEqual(new Set(['127.0.0.1']));
  });

  it('have no backslashes, which a properties file would take for escapes', () => {
    expect(text).toContain('log.dirs=C:/data/log\n');
  });
});
