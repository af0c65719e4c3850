// Specs that run models: jest gives each spec file its own Float32Array and friends, which the native runtime does not
// recognise and does not return. This environment shares those of the process.
const { TestEnvironment } = require('jest-environment-node');

module.exports = class extends TestEnvironment {
  async setup() {
    await super.setup();
    Object.assign(this.global, { Float32Array, Float64Array, Int32Array, BigInt64Array, Uint8Array, ArrayBuffer });
  }
};
