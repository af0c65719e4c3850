// After the integration specs: ends what global-setup.mjs started.
export default async function globalTeardown() {
  await globalThis.headraceTestSystem?.stop();
}
