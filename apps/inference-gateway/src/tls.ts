// The certificate that both of the gateway's ports for callers show.
import { readFileSync } from 'node:fs';
import type { ServerTls } from '@headrace/grpc';
import type { GatewaySettings } from './inference-gateway.config';

type TlsSettings = Pick<
  GatewaySettings,
  'GATEWAY_TLS_CERTIFICATE_FILE' | 'GATEWAY_TLS_KEY_FILE' | 'GATEWAY_TLS_CLIENT_CA_FILE'
>;

/** Undefined: plain connections. Throws for half a configuration: nobody must serve in the clear by mistake. */
export function tlsOf({
  GATEWAY_TLS_CERTIFICATE_FILE: certificateFile,
  GATEWAY_TLS_KEY_FILE: keyFile,
  GATEWAY_TLS_CLIENT_CA_FILE: clientAuthoritiesFile,
}: TlsSettings): ServerTls | undefined {
  if (certificateFile === undefined || keyFile === undefined) {
    if (certificateFile === undefined && keyFile === undefined && clientAuthoritiesFile === undefined) return undefined;
    const missing = certificateFile === undefined ? 'GATEWAY_TLS_CERTIFICATE_FILE' : 'GATEWAY_TLS_KEY_FILE';
    throw new Error(`TLS needs a certificate and its key: ${missing} is not set`);
  }
  return {
    certificate: readPem('GATEWAY_TLS_CERTIFICATE_FILE', certificateFile),
    key: readPem('GATEWAY_TLS_KEY_FILE', keyFile),
    ...(clientAuthoritiesFile === undefined
      ? {}
      : { clientAuthorities: readPem('GATEWAY_TLS_CLIENT_CA_FILE', clientAuthoritiesFile) }),
  };
}

function readPem(setting: string, file: string): Buffer {
  let pem: Buffer;
  try {
    pem = readFileSync(file);
  } catch (error) {
    throw new Error(`${setting}: ${error instanceof Error ? error.message : String(error)}`, { cause: error });
  }
  if (!pem.includes('-----BEGIN ')) throw new Error(`${setting}: ${file} is no PEM file`);
  return pem;
}
