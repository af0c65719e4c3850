import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { selfSigned } from '@headrace/testing';
import { tlsOf } from './tls';

describe('TLS by the settings', () => {
  const folder = mkdtempSync(join(tmpdir(), 'headrace-tls-'));
  afterAll(() => rmSync(folder, { recursive: true }));
  const file = (name: string, content: string | Buffer): string => {
    writeFileSync(join(folder, name), content);
    return join(folder, name);
  };
  const { key, cert } = selfSigned();
  const GATEWAY_TLS_KEY_FILE = file('key.pem', key);
  const GATEWAY_TLS_CERTIFICATE_FILE = file('cert.pem', cert);

  it('is off without any, and reads the files with both', () => {
    expect(tlsOf({})).toBeUndefined();
    const both = { GATEWAY_TLS_CERTIFICATE_FILE, GATEWAY_TLS_KEY_FILE };
    expect(tlsOf(both)).toEqual({ certificate: cert, key: Buffer.from(key) });
  });

  it('never serves in the clear because a half of it is missing or wrong', () => {
    expect(() => tlsOf({ GATEWAY_TLS_KEY_FILE })).toThrow('GATEWAY_TLS_CERTIFICATE_FILE is not set');
    expect(() => tlsOf({ GATEWAY_TLS_CERTIFICATE_FILE })).toThrow('GATEWAY_TLS_KEY_FILE is not set');
    const GATEWAY_TLS_CLIENT_CA_FILE = join(folder, 'cert.pem');
    expect(() => tlsOf({ GATEWAY_TLS_CLIENT_CA_FILE })).toThrow('is not set');
    const away = { GATEWAY_TLS_CERTIFICATE_FILE: join(folder, 'none.pem'), GATEWAY_TLS_KEY_FILE };
    expect(() => tlsOf(away)).toThrow(/^GATEWAY_TLS_CERTIFICATE_FILE: .*ENOENT/);
    const noPem = { GATEWAY_TLS_CERTIFICATE_FILE, GATEWAY_TLS_KEY_FILE: file('der.key', Buffer.from([48, 130])) };
    expect(() => tlsOf(noPem)).toThrow('is no PEM file');
  });
});
